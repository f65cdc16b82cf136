"""The visit that a sign or complaint is told of; what a later visit found gone no longer counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from imr.features.context import Summary
from imr.features.statements.statement import Statement
from imr.features.where_when import any_same_region, visit_of
from imr.features.words import group


def latest(summary: Summary, told: Sequence[Statement]) -> list[Statement]:
    """Statements without the signs and complaints that a later visit denies of the same place."""
    denied = [
        (s, day)
        for s in told
        if s.polarity == "denied" and _is_whole(s) and (day := visit_of(summary, s.mention))
    ]
    if not denied:
        return list(told)
    return [s for s in told if not (_is_one(s) and _is_over(summary, s, denied))]


def _is_one(statement: Statement) -> bool:
    return statement.subject in ("sign", "complaint") and statement.concept in group(
        "denied_as_a_whole"
    )


def _is_whole(statement: Statement) -> bool:
    """Whether a denial is of the whole sign: one motion that is full leaves the others."""
    return _is_one(statement) and statement.percent is None


def _is_over(summary: Summary, said: Statement, denied: Sequence[tuple[Statement, date]]) -> bool:
    """Whether a visit after that of a statement found it gone."""
    if said.polarity != "affirmed":
        return False
    of_it = [(s, day) for s, day in denied if s.concept == said.concept and _same_place(s, said)]
    day = visit_of(summary, said.mention) if of_it else None
    return day is not None and any(later > day for _, later in of_it)


def _same_place(later: Statement, earlier: Statement) -> bool:
    if later.subject != earlier.subject or later.side not in (None, "both", earlier.side):
        return False
    if earlier.concept in group("sign_of_no_part") or not (later.regions or earlier.regions):
        return True
    return any_same_region(later.regions, earlier.regions)
