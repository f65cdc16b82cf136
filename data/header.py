"""The header block and the reviewer's credentials of a letter.

The header of a 2016-17 letter is a table of labels and values.  Text extraction prints it row
by row or column by column and splits the label "Application Received:" over two lines.  So each
value goes to the first label of its kind that has none yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from imr.data.layout import collapse
from imr.data.letter import CaseHeader

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
    header = CaseHeader(
        case_number="".join(found["case_number"].split()) if "case_number" in found else None,
        date_assigned=parse_date(found.get("date_assigned", "")),
        date_of_injury=parse_date(found.get("date_of_injury", "")),
        ur_denial_date=parse_date(found.get("ur_denial_date", "")),
        application_received=parse_date(found.get("application_received", "")),
        priority=found.get("priority"),
    )
    return header, parse_date(found.get("decision_date", ""))


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
