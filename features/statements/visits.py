"""The visit that a sign or complaint is told of; what a later visit found gone no longer counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from imr.features.context import Summary, once
from imr.features.statements.statement import Statement
from imr.features.where_when import any_same_region, dates

# The day of a study, an operation, an injury or a paper is no day of an examination.
_NO_VISIT = re.compile(
    r"\b(?:injur\w+|accident|x-?rays?|mri|ct|emg|ncs|ncv|stud(?:y|ies)|scans?|films?|imaging|"
    r"requests?|requested|rfa|authorization|utilization|reviews?|ur|determination|denied|"
    r"certified|surgery|operation|underwent|repair|since|until|before|after|received|signed|born|"
    r"works?|working|off work|through)\b[^.;]{0,40}$"
)
_A_VISIT = re.compile(
    r"\b(?:visit|seen|note|notes|report|exam\w*|evaluat\w+|follow-?\s?up|presented|findings|"
    r"pr-?2)\b[^.;]{0,30}$"
)
_REACH = 60


@once
def _visits(summary: Summary) -> list[tuple[int, date]]:
    """Where a visit is told, and its day."""
    found = []
    for day in dates(summary):
        before = summary.before(day.mention, _REACH)
        if day.exact and (_A_VISIT.search(before) or not _NO_VISIT.search(before)):
            found.append((day.mention.start, day.day))
    return found


def _visit_of(summary: Summary, statement: Statement) -> date | None:
    """The day of the visit told last before a statement."""
    before = [day for at, day in _visits(summary) if at < statement.mention.start]
    return before[-1] if before else None


def latest(summary: Summary, told: Sequence[Statement]) -> list[Statement]:
    """Statements without the signs and complaints that a later visit denies of the same place."""
    denied = [
        (s, day)
        for s in told
        if s.polarity == "denied" and _is_whole(s) and (day := _visit_of(summary, s))
    ]
    if not denied:
        return list(told)
    return [s for s in told if not (_is_one(s) and _is_over(summary, s, denied))]


# Those that a denial denies as a whole: no clicking is not no buckling, and a back that is not
# tender at its midline may be beside it.
_WHOLE = frozenset(
    {
        "limited motion", "spasm", "swelling", "effusion", "abnormal gait", "unsteady", "no weight",
        "weakness", "myotomal weakness", "sensory loss", "dermatomal sensory loss",
        "reflex deficit", "tension sign of the leg", "tension sign of the arm", "numbness",
        "radiating pain", "trigger points", "crepitus",
    }
)  # fmt: skip


def _is_one(statement: Statement) -> bool:
    return statement.subject in ("sign", "complaint") and statement.concept in _WHOLE


def _is_whole(statement: Statement) -> bool:
    """Whether a denial is of the whole sign: one motion that is full leaves the others."""
    return _is_one(statement) and statement.percent is None


def _is_over(summary: Summary, said: Statement, denied: Sequence[tuple[Statement, date]]) -> bool:
    """Whether a visit after that of a statement found it gone."""
    if said.polarity != "affirmed":
        return False
    of_it = [(s, day) for s, day in denied if s.concept == said.concept and _same_place(s, said)]
    day = _visit_of(summary, said) if of_it else None
    return day is not None and any(later > day for _, later in of_it)


def _same_place(later: Statement, earlier: Statement) -> bool:
    if later.subject != earlier.subject or later.side not in (None, "both", earlier.side):
        return False
    if earlier.concept in _OF_NO_PART or not (later.regions or earlier.regions):
        return True
    return any_same_region(later.regions, earlier.regions)


_OF_NO_PART = frozenset({"abnormal gait", "unsteady", "no weight"})
