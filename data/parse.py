"""Text of a determination letter -> :class:`Letter`.

A letter has four parts: the header block (missing in older letters), the reviewer's credentials,
the CLINICAL CASE SUMMARY, and the IMR ISSUES, DECISIONS AND RATIONALES.  There, each item is a
heading that ends in the outcome, then "Claims Administrator guideline:", "MAXIMUS guideline:" and
"Decision rationale:".  A letter is parsed whole or refused with a reason; nothing is guessed.

The case summary holds what is known before the decision, and nothing of the decision: those of
letters and of case records pass through :func:`known_summary`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import date
from difflib import SequenceMatcher, get_close_matches

from imr.data.citations import parse_citation, unknown_chapters
from imr.data.letter import (
    MAX_GUIDELINE_CHARS,
    MAX_HEAD_CHARS,
    MAX_HEADING_CHARS,
    MAX_ITEMS,
    MAX_SUMMARY_CHARS,
    Case,
    CaseHeader,
    Decision,
    Determination,
    Item,
    Letter,
    LetterError,
    Text,
)
from imr.data.read import collapse

MOST_MISREAD = 2
"""Misread places in the two lead sentences (230 characters) of a letter that is still read.

Three are seen in one letter in nine where 0.5% of the characters are misread, in 40% at 1% and in
84% at 2% (Poisson).  At 1%, one signal in nine is not what the letter says.
"""

_SUMMARY_HEADING = re.compile(
    r"^[ \t]*CLINICAL\s+CASE\s+SUMMARY[ \t]*+:?[ \t]*+$", re.MULTILINE | re.IGNORECASE
)
_ISSUES_HEADING = re.compile(
    r"^[ \t]*IMR\s+ISSUES\s*,\s*DECISIONS?,?\s+AND\s+RATIONALES?[ \t]*+:?[ \t]*+$",
    re.MULTILINE | re.IGNORECASE,
)
# The same headings where a text came without line breaks.
_SUMMARY_INLINE = re.compile(r"\bCLINICAL\s+CASE\s+SUMMARY\b")
_ISSUES_INLINE = re.compile(r"\bIMR\s+ISSUES,\s*DECISIONS\s+AND\s+RATIONALES\b")
_SUMMARY_LEAD = re.compile(
    r"^\s*The\s+(?:expert|physician)\s+reviewer\s+developed\s+the\s+following\s+clinical\s+case\s+"
    r"summary\s+based\s+on\s+a\s+review\s+of\s+the\s+case\s+file,?\s+including\s+all\s+medical\s+"
    r"records\s*:?",
    re.IGNORECASE,
)
_HEAD_HEADING = re.compile(r"HOW\s+THE\s+IMR\s+FINAL\s+DETERMINATION\b")
_ISSUES_LEAD = re.compile(
    r"^\s*The\s+Final\s+Determination\s+was\s+based\s+on\s+decisions?\s+for\s+the\s+disputed\s+"
    r"items?\s*/\s*services?\s+set\s+forth\s+below\s*:?",
    re.IGNORECASE,
)
# Words of the leads; where they stand after both were taken out, something is out of order.
_LEAD_WORDS = (
    re.compile(r"developed\s+the\s+following\s+clinical\s+case"),
    re.compile(r"based\s+on\s+decisions?\s+for\s+the\s+disputed"),
)
SUMMARY_LEADS = tuple(
    f"The {who} reviewer developed the following clinical case summary based on a review of the "
    "case file, including all medical records:"
    for who in ("expert", "physician")
)
ISSUES_LEADS = tuple(
    f"The Final Determination was based on {what} set forth below:"
    for what in ("decisions for the disputed items/services",
                 "decision for the disputed item/service")
)  # fmt: skip
# A heading of the reviewer's own words inside the summary: what follows is the rationale.
_REVIEWER_HEADING = re.compile(
    r"(?:\bThe\s+)?(?:\b(?:Physician|Expert|IMR)\s+Reviewer(?:'s|\u2019s)?\s+)?"
    r"\b(?:decision\s+rationale|rationale\s+for\s+the\s+(?:IMR\s+)?decision)\s*:"
    r"|\bMAXIMUS\s+guideline\s*:",
    re.IGNORECASE,
)
# The verdict formula, present tense ("is not medically necessary").  Utilization review's
# earlier denial is recited in the past tense or with its author, and is known beforehand.
_VERDICT = re.compile(
    r"\b(?:is|are)\s+(?:therefore\s+|thus\s+|also\s+)?(?:not\s+)?medically\s+"
    r"(?:necessary|appropriate|warranted)\b",
    re.IGNORECASE,
)
_UTILIZATION_REVIEW = re.compile(
    r"\butili[sz]ation\b|\bUR\b|claims\s+administrator|prior\s+(?:determination|denial|review)|"
    r"non-?certif|\bstat(?:es|ed|ing)\s+that|\bnot(?:es|ed|ing)\s+that|physician\s+reviewer|"
    r"treating|provider",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(\u201c])")


def parse(text: Text) -> Letter:
    """Parse one letter, decided or not.

    Raises :class:`LetterError`, by reason: ``unknown_format``, the headings of a determination
    letter are missing; ``truncated``, an item or section breaks off; ``no_items``; ``doubled``, a
    heading or label stands twice; ``out_of_order``, parts were shuffled; ``misread``, fixed wording
    shows bad text recognition; ``unread_item``, labels of an item are damaged, a heading holds the
    prose of another item, or only some items are decided; ``no_line_breaks``, several items in a
    text that lost its lines, where a heading could only be guessed; ``too_large`` and
    ``too_many_items``, more than a letter can hold (``data/letter.py``).
    """
    head, section, issues, misread = _sections(text)
    text.refuse_longer("what stands before the case summary", head, MAX_HEAD_CHARS)
    header, decision_date = _header(head)
    states, specialties = _reviewer(head)
    summary, cut = known_summary(section)
    text.refuse_longer("the case summary", summary, MAX_SUMMARY_CHARS)
    items, decisions = zip(*_items(issues, text), strict=True)
    case = Case(text.letter_id, text.source, header, summary, items)
    determination = Determination(decision_date, states, specialties, decisions)
    warnings = [*text.warnings, *misread, *cut, *_warnings(items, decisions)]
    return Letter(case, determination, tuple(warnings))


def _sections(text: Text) -> tuple[str, str, str, list[str]]:
    """Split at the two headings, and warnings; the head may be empty, the other two may not."""
    summary_at, issues_at = _headings(text)
    head = text.text[: summary_at.start()]
    summary, in_summary = _after_lead(
        text.text[summary_at.end() : issues_at.start()], _SUMMARY_LEAD, SUMMARY_LEADS
    )
    issues, in_issues = _after_lead(text.text[issues_at.end() :], _ISSUES_LEAD, ISSUES_LEADS)
    if _HEAD_HEADING.search(text.text, summary_at.end()) or any(
        words.search(part) for words in _LEAD_WORDS for part in (head, summary, issues)
    ):
        problem = "parts stand in another's place, or a lead sentence is damaged"
        raise text.error("out_of_order", problem)
    if misread_label(summary, (ADMINISTRATOR_LABEL, RATIONALE_LABEL)):
        raise text.error("misread", "a misread label of an item is in the case summary")
    places = in_summary + in_issues
    if places > MOST_MISREAD:
        problem = f"recognised badly: its lead sentences are misread in {places} places"
        raise text.error("misread", problem)
    warning = f"fixed wording is misread in {places} places: the text was recognised badly"
    return head, summary, issues, [warning] if places else []


def _headings(text: Text) -> tuple[re.Match[str], re.Match[str]]:
    """The headings of the case summary and of the issues, each of which stands once."""
    # Each heading looked for once, wherever it stands: the search takes as long as reading on.
    summaries, issues = (
        list(heading.finditer(text.text)) for heading in (_SUMMARY_HEADING, _ISSUES_HEADING)
    )
    summary_at = summaries[0] if summaries else _SUMMARY_INLINE.search(text.text)
    if summary_at is None:
        raise text.error(
            "unknown_format",
            "not an IMR determination letter: the heading CLINICAL CASE SUMMARY is missing",
            "give the letter as published, or write an open case into a record: imr new",
        )
    after = summary_at.end()
    issues_at = next((m for m in issues if m.start() >= after), None)
    issues_at = issues_at or _ISSUES_INLINE.search(text.text, after)
    if issues_at is None:
        heading = "IMR ISSUES, DECISIONS AND RATIONALES"
        problem = f"the letter breaks off: the heading {heading} is missing"
        raise text.error("truncated", problem, "get the whole letter")
    if max(len(summaries), len(issues)) > 1:
        problem = "a section heading stands twice, as where two letters are in one file"
        raise text.error("doubled", problem, "give each letter a file of its own")
    return summary_at, issues_at


def _after_lead(section: str, lead: re.Pattern[str], leads: tuple[str, ...]) -> tuple[str, int]:
    """The section without its lead sentence, and the places where that was misread (0: none is)."""
    rest, found = lead.subn("", section, count=1)
    if found:
        return rest, 0
    words = list(re.finditer(r"\S+", section[: 2 * max(map(len, leads))]))
    opening = " ".join(word.group() for word in words)
    alike, end, places = max(_aligned(opening[: len(one) + 8], one) for one in leads)
    read = 0
    for word in words if alike >= NEAR else ():
        read += len(word.group()) + 1
        if read >= end:
            return section[word.end() :], places
    return section, 0


def _aligned(opening: str, lead: str) -> tuple[float, int, int]:
    """How alike the opening is to a lead, where the lead ends in it, and the places that differ."""
    blocks = SequenceMatcher(None, opening, lead, autojunk=False).get_matching_blocks()[:-1]
    if not blocks:
        return 0.0, 0, 0
    end = blocks[-1].a - blocks[-1].b + len(lead)
    alike = SequenceMatcher(None, opening[:end], lead, autojunk=False)
    return alike.ratio(), end, sum(op != "equal" for op, *_ in alike.get_opcodes())


def known_summary(section: str) -> tuple[str, list[str]]:
    """The summary, white space collapsed, without any determination; and what was cut out.

    Real letters carry the reviewer's rationale here now and then; nobody knows it beforehand.
    """
    summary = collapse(section)
    warnings: list[str] = []
    lower = summary.lower()  # a quick look for the words before each full search
    words = "rationale" in lower or "maximus" in lower
    if words and (heading := _REVIEWER_HEADING.search(summary)):
        summary = summary[: heading.start()].rstrip()
        warnings.append("reviewer's rationale inside the case summary: cut out")
    if "medically" in lower:
        kept = " ".join(
            sentence
            for sentence in _SENTENCE_END.split(summary)
            if not _VERDICT.search(sentence) or _UTILIZATION_REVIEW.search(sentence)
        )
        if kept != summary:
            warnings.append("reviewer's determination inside the case summary: cut out")
        summary = kept
    if not summary:
        warnings.append("case summary is empty")
    return summary, warnings


def _warnings(items: tuple[Item, ...], decisions: tuple[Decision | None, ...]) -> Iterator[str]:
    last = decisions[-1]
    if last and not _SENTENCE_ENDS_LINE.search(last.rationale):
        yield "the last rationale ends in mid-sentence: the letter may be cut off"
    for item, decision in zip(items, decisions, strict=True):
        reviewer = decision.guideline if decision else None
        cited = (("administrator", item.claims_administrator_guideline), ("reviewer", reviewer))
        for side, citation in cited:
            for chapter in unknown_chapters(citation):
                yield f"item {item.index}: unknown MTUS chapter cited by the {side}: {chapter[:80]}"


# --- the head ----------------------------------------------------------------------------------
#
# The header of a 2016-17 letter is a table of labels and values.  Text extraction prints it row
# by row or column by column and splits the label "Application Received:" over two lines.

_LABELS = {
    "case_number": r"(?:IMR\s+)?Case\s+Number\s*:",
    "date_assigned": r"Date\s+Assigned\s*:",
    "date_of_injury": r"Date\s+of\s+Injury\s*:",
    "decision_date": r"Decision\s+Date\s*:",
    "ur_denial_date": r"UR\s+Denial\s+Date\s*:",
    "application_received": r"Application(?:\s+Received)?\s*:?",
    "priority": r"Priority\s*:",
}
_VALUES = {
    "date": r"(?<!\d)\d{1,2}\s*[/-]\s*\d{1,2}\s*[/-]\s*(?:\d{4}|\d{2})(?!\d)",
    "number": r"\b[A-Z]{2}\d{2}\s*-\s*\d{4,}\b",
    "word": r"\b(?:Standard|Expedited|Regular|Urgent)\b",
}
_KINDS = {"case_number": "number", "priority": "word"}  # every other label takes a date
_TOKEN = re.compile(
    "|".join(f"(?P<{name}>{pattern})" for name, pattern in (_LABELS | _VALUES).items()),
    re.IGNORECASE,
)
_HEAD_ENDS = re.compile(r"HOW\s+THE\s+IMR\s+FINAL\s+DETERMINATION", re.IGNORECASE)

_STATES = re.compile(
    r"State\(?s?\)?\s+of\s+Licensure\s*:(.*?)(?=Certification|CLINICAL\s+CASE|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_SPECIALTIES = re.compile(
    r"Certification\(?s?\)?\s*/\s*Specialty\s*:(.*?)(?=CLINICAL\s+CASE|State\(?s?\)?\s+of|\Z)",
    re.DOTALL | re.IGNORECASE,
)
# Letters of 2013 tell the credentials in prose.
_BOARD = re.compile(
    r"is Board Certified in (.{1,300}?)"
    r"(?:,? (?:has|and has|with) a subspecialty in (.{1,200}?))?,? "
    r"and is licensed to practice in ([^.]{1,400})\.",
    re.IGNORECASE,
)

LAST_OF_THIS_CENTURY = 30
"""Two-digit years up to this one are of the 2000s: letters run to the 2020s, injuries and births
back to the last century."""


def full_year(year: int) -> int:
    """The year that two printed digits mean (16: 2016, 47: 1947); others as they are."""
    if year >= 100:
        return year
    return year + (2000 if year <= LAST_OF_THIS_CENTURY else 1900)


def _day(printed: str) -> date | None:
    """A printed American date (``12/01/2016``, ``5-22-02``); None where it is none."""
    try:
        month, day, year = map(int, re.split(r"[/-]", printed))
        return date(full_year(year), month, day)
    except ValueError:
        return None


def _header(head: str) -> tuple[CaseHeader, date | None]:
    """The header facts known beforehand and, apart from them, the decision date."""
    end = _HEAD_ENDS.search(head)
    found = dict(_fields(head[: end.start()] if end else head))
    number = "".join(found.get("case_number", "").split()) or None
    days = {name: _day(found.get(name, "")) for name in _LABELS if name not in _KINDS}
    decision_date = days.pop("decision_date")
    return CaseHeader(case_number=number, priority=found.get("priority"), **days), decision_date


def _fields(block: str) -> Iterator[tuple[str, str]]:
    """Label and value: a value belongs to the nearest label of its kind before it on its line, one
    on a line of bare values to the first label above that has no value yet.
    """
    above: list[str] = []
    line: list[str] = []
    line_start = 0
    for token in _TOKEN.finditer(block):
        if "\n" in block[line_start : token.start()]:
            above, line = [*above, *line], []
        line_start = token.end()
        name = str(token.lastgroup)
        if name in _LABELS:
            line.append(name)
            continue
        on_line, over = (
            [label for label in labels if _KINDS.get(label, "date") == name]
            for labels in (line, above)
        )
        if on_line:  # other labels of the kind are those of empty cells
            line = [label for label in line if label not in on_line]
            yield on_line[-1], token.group()
        elif over:
            above.remove(over[0])
            yield over[0], token.group()


def _reviewer(head: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """States of licensure and specialties of the reviewer, as printed."""
    found = _STATES.search(head), _SPECIALTIES.search(head)
    if any(found):
        listed = (match[1].split(",") if match else () for match in found)
        states, specialties = (tuple(filter(None, map(collapse, parts))) for parts in listed)
        return states, specialties
    if prose := _BOARD.search(collapse(head)):
        boards = (name for part in (prose[1], prose[2] or "") for name in _enumerated(part))
        return tuple(_enumerated(prose[3])), tuple(boards)
    return (), ()


def _enumerated(prose: str) -> Iterator[str]:
    """Names joined by commas and "and"; an "and" inside one specialty's name stays."""
    parts = re.split(r", ?(?:and )?| and (?!Rehabilitation|Palliative|General|Gynec)", prose)
    return filter(None, map(collapse, parts))


# --- the items -------------------------------------------------------------------------------

_PARTS = ("administrator", "reviewer", "rationale")
Block = dict[str, str]
"""The paragraphs of one item: ``heading`` (as it stands) and those of _PARTS that it has."""

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
# A heading inside a rationale: the labels of that item were not recognised.
_INNER_OUTCOME = re.compile(r":[ \t]*+(?:Upheld|Overturned)[ \t]*+\.?[ \t]*+$", re.MULTILINE)
_BARE_OUTCOME = re.compile(r"\s*+(?:is\b\s*+:?\s*+)?(?:Upheld|Overturned)?[\s.:]*+", re.IGNORECASE)
_SENTENCE_ENDS_LINE = re.compile(r"[.!?][\"'\u201d\u2019)\]]*[ \t]*$")
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


def _items(issues: str, text: Text) -> list[tuple[Item, Decision | None]]:
    """The items of the issues section (the text after its lead sentence) and their decisions."""
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
                raise text.error(
                    "no_line_breaks",
                    "the text has no line breaks: item headings cannot be told from rationales",
                    "extract the text with its lines (pdftotext -layout) or give the PDF",
                )
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


def _item(block: Block, index: int, text: Text) -> tuple[Item, Decision | None]:
    from imr.data.request import item_of_heading, split_outcome  # late, as in data/records.py

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
    prose = _PROSE.search(body, start, body_end)
    for after in reversed(_after_sentences(body[start:body_end])):
        if start == 0 or (prose is not None and prose.end() <= start + after):
            return start + after
    if start:
        return start
    # No line ends a sentence: the heading starts after the last full stop.
    stops = [m.end() for m in re.finditer(r"[.!?][\"'\u201d)]*\s+(?=[A-Z0-9])", body[:body_end])]
    return stops[-1] if stops else 0


def _after_sentences(text: str) -> list[int]:
    """Where the lines begin that follow one which ends a sentence."""
    lines = re.finditer(r"^.*\n", text, re.MULTILINE)
    return [line.end() for line in lines if _SENTENCE_ENDS_LINE.search(line.group())]


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
    return max(0, *_after_sentences(before), _last_paragraph_start(before)) or None


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
            if not _IN_FULL.search(before) and any(
                get_close_matches(label, [before[-len(label) :]], 1, NEAR) for label in labels
            ):
                return True
    return False
