"""Text of a determination letter -> :class:`Letter`.

A letter has four parts: the header block (missing in older letters), the reviewer's credentials,
the CLINICAL CASE SUMMARY, and the IMR ISSUES, DECISIONS AND RATIONALES (``data/items.py``).  A text
without the last two headings is not a letter of a known format and is refused: a letter is parsed
whole or not at all.

The case summary holds what is known before the decision, and nothing of the decision: those of
letters and of case records pass through :func:`known_summary`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from difflib import SequenceMatcher

from imr.data.citations import unknown_chapters
from imr.data.items import ADMINISTRATOR_LABEL, NEAR, RATIONALE_LABEL, misread_label, parse_items
from imr.data.letter import (
    MAX_HEAD_CHARS,
    MAX_SUMMARY_CHARS,
    Case,
    CaseHeader,
    Decision,
    Determination,
    Item,
    Letter,
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
_SUMMARY_LEADS = tuple(
    f"The {who} reviewer developed the following clinical case summary based on a review of the "
    "case file, including all medical records:"
    for who in ("expert", "physician")
)
_ISSUES_LEADS = tuple(
    f"The Final Determination was based on {what} set forth below:"
    for what in (
        "decisions for the disputed items/services",
        "decision for the disputed item/service",
    )
)
_SENTENCE_ENDS = re.compile(r"[.!?][\"')\u201d\u2019\]]*$")
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

    Raises :class:`LetterError` with reason ``unknown_format`` where the headings of a
    determination letter are missing, ``truncated`` where an item or section breaks off,
    ``no_items`` where the letter disputes nothing, ``doubled`` where a heading or label stands
    twice, ``out_of_order`` where parts of it were shuffled, ``misread`` and ``unread_item`` where
    fixed wording shows bad text recognition, and ``too_large`` or
    ``too_many_items`` where it holds more than a letter can (``data/letter.py``).
    """
    head, section, issues, misread = _sections(text)
    text.refuse_longer("what stands before the case summary", head, MAX_HEAD_CHARS)
    header, decision_date = parse_header(head)
    states, specialties = parse_reviewer(head)
    summary, cut = known_summary(section)
    text.refuse_longer("the case summary", summary, MAX_SUMMARY_CHARS)
    items, decisions = zip(*parse_items(issues, text), strict=True)
    case = Case(text.letter_id, text.source, header, summary, items)
    determination = Determination(decision_date, states, specialties, decisions)
    warnings = [*text.warnings, *misread, *cut, *_warnings(items, decisions)]
    return Letter(case, determination, tuple(warnings))


def _sections(text: Text) -> tuple[str, str, str, list[str]]:
    """Split at the two headings, and warnings; the head may be empty, the other two may not."""
    summary_at, issues_at = _headings(text)
    head = text.text[: summary_at.start()]
    summary, in_summary = _after_lead(
        text.text[summary_at.end() : issues_at.start()], _SUMMARY_LEAD, _SUMMARY_LEADS
    )
    issues, in_issues = _after_lead(text.text[issues_at.end() :], _ISSUES_LEAD, _ISSUES_LEADS)
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
            "give the letter as published, or an undecided case as a record (imr schema)",
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
    """The section without its lead sentence, and in how many places that was misread.

    The section as it is, and 0, where it opens with nothing like one of ``leads``.
    """
    rest, found = lead.subn("", section, count=1)
    if found:
        return rest, 0
    words = list(re.finditer(r"\S+", section[: 2 * max(map(len, leads))]))
    opening = " ".join(word.group() for word in words)
    alike, end, places = max(_aligned(opening[: len(one) + 8], one) for one in leads)
    if alike < NEAR:
        return section, 0
    read = 0
    for word in words:
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
    heading = None
    if "rationale" in lower or "maximus" in lower:
        heading = _REVIEWER_HEADING.search(summary)
    if heading:
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
    if last is not None and not _SENTENCE_ENDS.search(last.rationale):
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
# by row or column by column and splits the label "Application Received:" over two lines.  So each
# value goes to the first label of its kind that has none yet.

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


def parse_date(text: str) -> date | None:
    """A printed American date (``12/01/2016``, ``5-22-02``); None where it is none."""
    parts = re.split(r"[/-]", "".join(text.split()))
    if len(parts) != 3 or not all(p.isdigit() for p in parts):
        return None
    month, day, year = map(int, parts)
    try:
        return date(full_year(year), month, day)
    except ValueError:
        return None


def parse_header(head: str) -> tuple[CaseHeader, date | None]:
    """The header facts known beforehand and, apart from them, the decision date.

    Older letters have no header block: every field is None.
    """
    end = _HEAD_ENDS.search(head)
    found = dict(_fields(head[: end.start()] if end else head))
    number = "".join(found.get("case_number", "").split()) or None
    days = {name: parse_date(found.get(name, "")) for name in _LABELS if name not in _KINDS}
    decision_date = days.pop("decision_date")
    return CaseHeader(case_number=number, priority=found.get("priority"), **days), decision_date


def _fields(block: str) -> Iterator[tuple[str, str]]:
    """Label and value: a value belongs to the nearest label of its kind before it on its line.

    A line of bare values belongs to the labels above it that have no value yet, in their order.
    """
    without_value: list[str] = []
    line: list[str] = []
    line_start = 0
    for token in _TOKEN.finditer(block):
        if "\n" in block[line_start : token.start()]:
            without_value, line = [*without_value, *line], []
        line_start = token.end()
        name = str(token.lastgroup)
        if name in _LABELS:
            line.append(name)
        elif label := _label_of(name, line, without_value):
            yield label, token.group()


def _label_of(kind: str, line: list[str], above: list[str]) -> str | None:
    """The label a value belongs to, taken out of its list; an empty cell's label is dropped."""
    for label in reversed(line):
        if _KINDS.get(label, "date") == kind:
            line[:] = [w for w in line if _KINDS.get(w, "date") != kind]
            return label
    for label in above:
        if _KINDS.get(label, "date") == kind:
            above.remove(label)
            return label
    return None


def parse_reviewer(head: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """States of licensure and specialties of the reviewer, as printed."""
    states, specialties = _STATES.search(head), _SPECIALTIES.search(head)
    if states or specialties:
        return _listed(states), _listed(specialties)
    if prose := _BOARD.search(collapse(head)):
        boards = (name for part in (prose[1], prose[2] or "") for name in _enumerated(part))
        return tuple(_enumerated(prose[3])), tuple(boards)
    return (), ()


def _enumerated(prose: str) -> Iterator[str]:
    """Names joined by commas and "and"; an "and" inside one specialty's name stays."""
    for part in re.split(r", ?(?:and )?| and (?!Rehabilitation|Palliative|General|Gynec)", prose):
        if name := collapse(part):
            yield name


def _listed(match: re.Match[str] | None) -> tuple[str, ...]:
    if match is None:
        return ()
    return tuple(p for part in match[1].split(",") if (p := collapse(part)))
