"""The header block and the reviewer's credentials of a letter.

The header of a 2016-17 letter is a table of labels and dates; text extraction splits the label
"Application Received:" over two lines and puts its date anywhere beside it.  So the other
dates are read by their labels, and the application date is the one that is left.
"""

from __future__ import annotations

import re
from datetime import date

from data.letter import CaseHeader
from data.spacing import collapse

_DATE = r"(\d{1,2}\s*[/-]\s*\d{1,2}\s*[/-]\s*\d{2,4})"
_LABELS = {
    "date_assigned": r"Date\s+Assigned",
    "date_of_injury": r"Date\s+of\s+Injury",
    "decision_date": r"Decision\s+Date",
    "ur_denial_date": r"UR\s+Denial\s+Date",
}
_PATTERNS = {name: re.compile(rf"{label}\s*:\s*{_DATE}", re.I) for name, label in _LABELS.items()}
_RECEIVED = re.compile(rf"Application\s*(?:Received\s*)?:?\s*(?:Received\s*:?\s*)?{_DATE}", re.I)
_CASE_NUMBER = re.compile(r"(?:IMR\s+)?Case\s+Number\s*:\s*([A-Z]{2}\d{2}\s*-\s*\d+|\S+)", re.I)
_PRIORITY = re.compile(r"Priority\s*:\s*([A-Za-z]+)", re.I)
_ANY_DATE = re.compile(rf"(?<!\d){_DATE}(?!\d)")
_HEAD_ENDS = re.compile(r"HOW\s+THE\s+IMR\s+FINAL\s+DETERMINATION", re.I)

_STATES = re.compile(
    r"State\(?s?\)?\s+of\s+Licensure\s*:(.*?)(?=Certification|CLINICAL\s+CASE|\Z)", re.S | re.I
)
_SPECIALTIES = re.compile(
    r"Certification\(?s?\)?\s*/\s*Specialty\s*:(.*?)(?=CLINICAL\s+CASE|State\(?s?\)?\s+of|\Z)",
    re.S | re.I,
)
# Letters of 2013 tell the credentials in prose.
_BOARD = re.compile(
    r"is\s+Board\s+Certified\s+in\s+(.+?)"
    r"(?:,?\s+(?:has|and\s+has|with)\s+a\s+subspecialty\s+in\s+(.+?))?,?\s+"
    r"and\s+is\s+licensed\s+to\s+practice\s+in\s+(.+?)\.",
    re.S | re.I,
)


def parse_date(text: str) -> date | None:
    """A printed American date (``12/01/2016``, ``5-22-02``); None where it is none.

    Two-digit years below 50 lie in this century.
    """
    parts = re.split(r"[/-]", "".join(text.split()))
    if len(parts) != 3 or not all(p.isdigit() for p in parts):
        return None
    month, day, year = map(int, parts)
    if year < 100:
        year += 2000 if year < 50 else 1900
    try:
        return date(year, month, day)
    except ValueError:
        return None


def parse_header(head: str) -> tuple[CaseHeader, date | None]:
    """The header facts known beforehand and, apart from them, the decision date.

    Older letters have no header block: every field is None.
    """
    end = _HEAD_ENDS.search(head)
    block = head[: end.start()] if end else head
    rest, dates = block, dict.fromkeys(_LABELS, None)
    found: dict[str, date | None] = dict(dates)
    for name, pattern in _PATTERNS.items():
        if match := pattern.search(block):
            found[name] = parse_date(match[1])
            rest = rest.replace(match.group(), " ", 1)
    case_number = _CASE_NUMBER.search(block)
    priority = _PRIORITY.search(block)
    header = CaseHeader(
        case_number="".join(case_number[1].split()) if case_number else None,
        date_assigned=found["date_assigned"],
        date_of_injury=found["date_of_injury"],
        ur_denial_date=found["ur_denial_date"],
        application_received=_application_received(rest) if priority else None,
        priority=priority[1] if priority else None,
    )
    return header, found["decision_date"]


def _application_received(rest: str) -> date | None:
    match = _RECEIVED.search(rest) or _ANY_DATE.search(rest)
    return parse_date(match[1]) if match else None


def parse_reviewer(head: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """States of licensure and specialties of the reviewer, as printed."""
    states, specialties = _STATES.search(head), _SPECIALTIES.search(head)
    if states or specialties:
        return _listed(states), _listed(specialties)
    if prose := _BOARD.search(head):
        boards = [collapse(p) for p in (prose[1], prose[2] or "") if p]
        return (collapse(prose[3]),), tuple(boards)
    return (), ()


def _listed(match: re.Match[str] | None) -> tuple[str, ...]:
    if match is None:
        return ()
    return tuple(p for part in match[1].split(",") if (p := collapse(part)))
