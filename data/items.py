"""The issues section of a letter -> its items with their decisions.

Each item is a heading that ends in the outcome, then "Claims Administrator guideline:",
"MAXIMUS guideline:" and "Decision rationale:".  The hard part is where a heading begins, since
often nothing separates it from the rationale before it; see :func:`_heading_start`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from imr.data.citations import parse_citation
from imr.data.letter import (
    MAX_GUIDELINE_CHARS,
    MAX_HEADING_CHARS,
    MAX_ITEMS,
    Citation,
    Decision,
    Item,
    LetterError,
    Outcome,
    Text,
    UrAction,
)
from imr.data.read import collapse

# Tried only before a colon that follows the last word of a label.
_LABEL = re.compile(
    r"(?P<label>(?P<administrator>(?:Claims|CLAIMS|claims)\s+(?i:Administrator(?:'s)?\s+guidelines?))"
    r"|(?P<reviewer>(?:MAXIMUS|Maximus)\s+(?i:guidelines?))"
    r"|(?P<rationale>(?:Decision|DECISION|decision)\s+(?i:rationale)))\s*:"
)
# A label opens a line; where lines ran together, it follows a sentence or an outcome.
_BEFORE_LABEL = re.compile(r"(?:^|\n|[.:?!\"')]|\b(?:Upheld|Overturned))[ \t]*\Z", re.IGNORECASE)
_LOOK_BACK = 24
_LABEL_ENDS = ("guideline", "guidelines", "rationale")
_LONGEST_LABEL = 200
_OUTCOME = re.compile(
    r"\s?[:;]?\s?\b(?P<outcome>Upheld|Overturned)\s?[.:]?\Z",
    re.IGNORECASE,
)
# A heading inside a rationale: the labels of that item were not recognised.
_INNER_OUTCOME = re.compile(r":[ \t]*+(?:Upheld|Overturned)[ \t]*+\.?[ \t]*+$", re.MULTILINE)
_BARE_OUTCOME = re.compile(r"\s*+(?:is\b\s*+:?\s*+)?(?:Upheld|Overturned)?[\s.:]*+", re.IGNORECASE)
_SENTENCE_ENDS_LINE = re.compile(r"[.!?][\"'\u201d\u2019)\]]*[ \t]*$")
# These read headings with their blanks collapsed.
_MODIFIED = re.compile(
    r"^(?P<original>.+?) (?:was|were|is) the original request\. ?(?P<rest>.+)$",
    re.DOTALL | re.IGNORECASE,
)
_AUTHORIZED = (
    re.compile(
        r"^(?P<authorized>.+?) (?:was|were|has been|is) authorized by the "
        r"Claims Administrator\b",
        re.DOTALL | re.IGNORECASE,
    ),
    re.compile(
        r"^The Claims Administrator (?:has )?authorized (?P<authorized>.+?)"
        r"(?:, ?leaving the original request|\. The (?:remaining|original)|\Z)",
        re.DOTALL | re.IGNORECASE,
    ),
)
_UNDER_REVIEW = re.compile(
    r"(?:The )?(?:remaining IMR[- ]eligible portion of the original request|"
    r"original request) ?, ?(?P<requested>.+?)"
    r"(?:,? (?:is|are|was))? ?[:;,.]?$",
    re.DOTALL | re.IGNORECASE,
)
# The sentences of a modified request, where a heading begins.
_REVIEW_FORMULA = re.compile(
    r"(?:remaining\s+IMR[-\s]+eligible\s+portion|"
    r"leaving\s+the\s+original\s+request\s+IMR[-\s]+eligible)",
    re.IGNORECASE,
)
_ORIGINAL_FORMULA = re.compile(r"(?:was|were)\s+the\s+original\s+request\.", re.IGNORECASE)
# Words that only a finished rationale or citation has, never the heading of an item.
_PROSE = re.compile(
    r"medically\s+(?:necessary|appropriate|indicated)|Decision\s+based\s+on|"
    r"did\s+not\s+cite|guidelines?\s+(?:recommend|state)",
    re.IGNORECASE,
)
_WORDS_OF_PROSE = ("medically", "based", "not cite", "guideline")
"""Quick look before the full search."""


_PARTS = ("administrator", "reviewer", "rationale")
Block = dict[str, str]
"""The paragraphs of one item: ``heading`` (as it stands) and those of _PARTS that it has."""


def parse_items(issues: str, text: Text) -> list[tuple[Item, Decision | None]]:
    """The items of the issues section (the text after its lead sentence) and their decisions.

    Raises :class:`LetterError`: ``no_items``; ``truncated`` where an item has an outcome but
    no rationale, or a rationale but no outcome; ``doubled`` where an item has two of them;
    ``unread_item`` where the labels of an item are damaged, a heading holds the prose of another
    item, or only some items are decided; ``no_line_breaks`` for several items in a text that lost
    its lines, where a heading could only be guessed; ``too_many_items`` and ``too_large`` where
    there is more than a letter can hold.
    """
    if misread_label(issues, (ADMINISTRATOR_LABEL, RATIONALE_LABEL)):
        raise _unread(text, "a label of an item is misread")
    blocks = _blocks(issues, text)
    if not blocks:
        problem = "no disputed item found after IMR ISSUES, DECISIONS AND RATIONALES"
        raise text.error("no_items", problem, "get the whole letter")
    if len(blocks) > MAX_ITEMS:
        problem = f"the letter has {len(blocks)} items, at most {MAX_ITEMS} are read"
        raise text.error("too_many_items", problem, "check that it is one letter")
    items = [_item(block, index, text) for index, block in enumerate(blocks)]
    if len({decision is None for _, decision in items}) > 1:
        raise _unread(text, "some items are decided and others are not")
    return items


def item_of_heading(
    index: int,
    title: str,
    guideline: Citation | None,
    *,
    requested: str | None = None,
    ur_action: UrAction | None = None,
    original_request: str | None = None,
    authorized: str | None = None,
) -> Item:
    """The item of a printed title (without its outcome), with its class from the taxonomy.

    A title may be the heading of a modified request; what is given beside it goes before that.
    """
    # Who lists records, or says how `imr` is used, needs no patterns of requests.
    from imr.data.request import classify

    original, allowed, under_review = _modified_parts(title)
    original, allowed = original_request or original, authorized or allowed
    requested = requested or under_review
    request = classify(requested, title)
    return Item(
        index=index,
        title=title,
        requested=requested,
        ur_action=ur_action or ("modified" if original or allowed else "denied"),
        original_request=original,
        authorized=allowed,
        category=request.category,
        subcategory=request.subcategory,
        body_parts=request.body_parts,
        quantity=request.quantity,
        quantity_unit=request.quantity_unit,
        terms=request.terms,
        claims_administrator_guideline=guideline,
        ur_action_told=ur_action is not None,
    )


def split_outcome(heading: str) -> tuple[str, Outcome | None]:
    """A printed heading -> the title without the outcome, and the outcome (None: undecided)."""
    heading = collapse(heading)
    match = _OUTCOME.search(heading)
    if match is None:
        return heading.rstrip(" :;"), None
    outcome: Outcome = "Overturned" if match["outcome"].lower() == "overturned" else "Upheld"
    return heading[: match.start()].rstrip(" :;"), outcome


def _modified_parts(title: str) -> tuple[str | None, str | None, str]:
    """``(original request, authorized, under review)`` of a heading; None, None where denied."""
    match = _MODIFIED.match(title)
    if match is None:
        return None, None, title
    rest = match["rest"]
    authorized = next((m["authorized"] for p in _AUTHORIZED if (m := p.match(rest))), None)
    review = None
    if found := list(re.finditer(r"remaining IMR|(?<=\.) ?The original request", rest)):
        review = _UNDER_REVIEW.search(rest, found[-1].start())
    requested = review["requested"] if review else match["original"]
    return match["original"], authorized, requested.strip(" ,:;")


# --- labels ----------------------------------------------------------------------------------


def _blocks(issues: str, text: Text) -> list[Block]:
    """Cut the section at its labels; each heading is the end of the paragraph before it."""
    blocks: list[Block] = []
    labels = list(_labels(issues))
    heading_at = 0
    for label, following in itertools.zip_longest(labels, labels[1:]):
        end = following.start() if following else len(issues)
        body = issues[label.end() : end]
        if label["administrator"]:
            blocks.append({"heading": issues[heading_at : label.start()]})
        elif not blocks:
            raise _broken(text, 0, f"{collapse(label['label'])} comes before any item heading")
        if following and following["administrator"]:
            if "\n" not in body.strip():
                problem = (
                    "the text has no line breaks: item headings cannot be told from rationales"
                )
                remedy = "extract the text with its lines (pdftotext -layout) or give the PDF"
                raise text.error("no_line_breaks", problem, remedy)
            cut = _heading_start(body)
            heading_at = label.end() + cut
            body = body[:cut]
        _check_body(body, label, following, len(blocks), text)
        part = next(part for part in _PARTS if label[part])
        if part in blocks[-1]:
            problem = f"item {len(blocks)} of the letter has {collapse(label['label'])!r} twice"
            raise text.error("doubled", problem)
        blocks[-1][part] = collapse(body)
    return blocks


def _labels(issues: str) -> Iterator[re.Match[str]]:
    """The labels in order, each found from its colon: there are few, and the section is long."""
    after = 0
    while (colon := issues.find(":", after)) >= 0:
        start, after = max(after, colon - _LONGEST_LABEL), colon + 1
        if issues[start:colon].rstrip()[-10:].lower().endswith(_LABEL_ENDS):
            label = _LABEL.search(issues, start, after)
            if label and _BEFORE_LABEL.search(
                issues, max(0, label.start() - _LOOK_BACK), label.start()
            ):
                yield label


def _check_body(
    body: str, label: re.Match[str], following: re.Match[str] | None, number: int, text: Text
) -> None:
    """Refuse a paragraph that holds another one whose label was not recognised."""
    if label["rationale"] and _INNER_OUTCOME.search(body):
        raise _unread(text, f"the rationale of item {number} holds the outcome of another item")
    reviewer_follows = following is not None and following["reviewer"]
    if label["administrator"] and not reviewer_follows and misread_label(body, (REVIEWER_LABEL,)):
        raise _unread(text, f"the reviewer's guideline of item {number} has no label")


# --- misread labels ---------------------------------------------------------------------------
#
# Labels are the same in every letter.  One that is *nearly* the same was misread, and then what it
# opens is not where it seems to be: a rationale would be read as a guideline, or an item as part of
# the rationale before it.

ADMINISTRATOR_LABEL = "claims administrator guideline"
REVIEWER_LABEL = "maximus guideline"
RATIONALE_LABEL = "decision rationale"

NEAR = 0.8
"""Likeness from which on words are the label, misread.

A label with one character in eight replaced has 0.88.  What stands before a colon in 135 real and
600 made letters reaches 0.57 for the administrator's label, 0.67 for that of the rationale, and
0.76 for the reviewer's ("MTUS guidelines:"), which is looked for only where it is missing.
"""

_PIECES = re.compile(
    r"clai|ms.a|dmin|istr|ator|.gui|deli|ne$|maxi|mus.|guid|elin|deci|sion|rati|onal",
    re.DOTALL,
)
"""Of a label with few misread letters some piece is whole: most other words are done with here."""
_IN_FULL = re.compile(r"(?:claims administrator(?:'s)?|maximus) guidelines?$|decision rationale$")
_SPARE_CHARS = 6
"""Characters that a label may have gained: blanks, a plural, "rn" for "m"."""


def misread_label(text: str, labels: tuple[str, ...]) -> bool:
    """Whether the words before a colon or semicolon of ``text`` are nearly one of the labels."""
    longest = max(map(len, labels)) + _SPARE_CHARS
    for mark in re.finditer("[:;]", text):
        before = text[max(0, mark.start() - longest) : mark.start()].lower()
        if _PIECES.search(before):
            before = " ".join(before.split())
            if any(_nearly(before, label) for label in labels):
                return True
    return False


def _nearly(before: str, label: str) -> bool:
    if _IN_FULL.search(before):
        return False
    alike = SequenceMatcher(None, before[-len(label) :], label, autojunk=False)
    return alike.real_quick_ratio() >= NEAR <= alike.quick_ratio() and alike.ratio() >= NEAR


# --- headings --------------------------------------------------------------------------------


def _heading_start(body: str) -> int:
    """Where in ``body`` (a rationale or citation, then a heading) the heading starts.

    The heading is the last paragraph.  Where no blank line parts it from the prose before it,
    it starts after the last line that ends a sentence; a modified request holds sentences of
    its own and is found by its formula first.
    """
    body_end = len(body.rstrip())
    start = _last_paragraph_start(body[:body_end])
    formula = _modified_start(body, start, body_end)
    if formula is not None:
        return formula
    lines = list(re.finditer(r"^.*$", body[start:body_end], re.MULTILINE))
    prose = _PROSE.search(body, start, body_end)
    for previous, line in reversed(list(itertools.pairwise(lines))):
        at = start + line.start()
        if not _SENTENCE_ENDS_LINE.search(previous.group()):
            continue
        if start == 0 or (prose is not None and prose.end() <= at):
            return at
    return start or _after_last_sentence(body, body_end)


def _last_paragraph_start(body: str) -> int:
    """Start of the last paragraph; an outcome that stands alone takes the one before it."""
    printed = len(body.rstrip(" \t\n.:"))
    breaks = [m.end() for m in re.finditer(r"\n[ \t]*\n\s*", body[:printed])]
    return next((at for at in reversed(breaks) if not _BARE_OUTCOME.fullmatch(body[at:])), 0)


def _modified_start(body: str, start: int, end: int) -> int | None:
    """Start of a modified request's heading, or None where the body ends in a plain one."""
    reviews = list(_REVIEW_FORMULA.finditer(body, 0, end))
    if not reviews or _PROSE.search(body, reviews[-1].end(), end):
        return None
    openings = [m.start() for m in _ORIGINAL_FORMULA.finditer(body, 0, reviews[-1].start())]
    if not openings:
        return None
    opening = openings[-1]
    # The formula's first sentence starts after the line that ends the rationale.
    if start and start <= opening and not _PROSE.search(body, start, opening):
        return start
    before = body[:opening]
    ends = [
        line.end() + 1
        for line in re.finditer(r"^.*$", before, re.MULTILINE)
        if line.end() < opening and _SENTENCE_ENDS_LINE.search(line.group())
    ]
    return max(0, *ends, _last_paragraph_start(before)) or None


def _after_last_sentence(body: str, end: int) -> int:
    """Where no line ends a sentence, the heading starts after the last full stop."""
    stops = [m.end() for m in re.finditer(r"[.!?][\"'\u201d)]*\s+(?=[A-Z0-9])", body[:end])]
    return stops[-1] if stops else 0


# --- one item --------------------------------------------------------------------------------


def _item(block: Block, index: int, text: Text) -> tuple[Item, Decision | None]:
    title, outcome = split_outcome(block["heading"].strip())
    if not title:
        raise _broken(text, index, "has no heading")
    if any(word in title for word in _WORDS_OF_PROSE) and _PROSE.search(title):
        raise _unread(text, f"the heading of item {index + 1} holds a citation or a rationale")
    text.refuse_longer(f"the heading of item {index + 1}", title, MAX_HEADING_CHARS)
    administrator, reviewer, rationale = map(block.get, _PARTS)
    for cited in (administrator or "", reviewer or ""):
        text.refuse_longer(f"a guideline of item {index + 1}", cited, MAX_GUIDELINE_CHARS)
    item = item_of_heading(index, title, parse_citation(administrator) if administrator else None)
    if outcome is None and reviewer is None and rationale is None:
        return item, None
    if outcome is None:
        raise _broken(text, index, "has a rationale but no outcome (Upheld or Overturned)")
    if rationale is None:
        raise _broken(text, index, "has an outcome but no decision rationale")
    return item, Decision(outcome, parse_citation(reviewer) if reviewer else None, rationale)


def _broken(text: Text, index: int, problem: str) -> LetterError:
    message = f"item {index + 1} of the letter {problem}"
    return text.error("truncated", message, "get the whole letter")


def _unread(text: Text, problem: str) -> LetterError:
    return text.error("unread_item", f"items of the letter cannot be told apart: {problem}")
