"""Whether what is documented is what the requested treatment is for.

``indications.csv`` (beside this module) says for each kind of request (``when``) what indicates it
(``indicated_if``), with its source; both are conditions over the signals of the row
(:mod:`imr.features.condition`).  The first row whose ``when`` holds decides.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from imr.data.letter import Case, Item
from imr.features.condition import Condition, condition, holds
from imr.features.context import Summary
from imr.features.signal import Column, Findings, Value

FAMILY = "indication"
TABLE = Path(__file__).parent.parent / "rules" / "indications.csv"

COLUMNS: tuple[Column, ...] = (
    Column(
        "indication_documented",
        "bool",
        "A documented diagnosis or finding is what the requested treatment is for",
        null="indications.csv has no row for this kind of request",
        family=FAMILY,
        source="indications.csv",
    ),
    Column(
        "indication",
        "str",
        "Kind of request, by what indicates it",
        null="indications.csv has no row for this kind of request",
        family=FAMILY,
        source="indications.csv",
    ),
)


@dataclass(frozen=True, slots=True)
class Indication:
    """One row of ``indications.csv``: a kind of request, and what it is for."""

    id: str
    when: Condition
    indicated_if: Condition
    text: str
    source: str


@cache
def indications() -> tuple[Indication, ...]:
    """The rows of ``indications.csv``, in order."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return tuple(
            Indication(
                row["id"],
                condition(row["when"]),
                condition(row["indicated_if"]),
                row["text"],
                row["source"],
            )
            for row in csv.DictReader(lines)
        )


@cache
def signals_of(row: str) -> tuple[str, ...]:
    """The signals that decide whether the indication of a row is documented."""
    return tuple(
        dict.fromkeys(
            term.name
            for known in indications()
            if known.id == row
            for terms in known.indicated_if
            for term in terms
            if not term.negated
        )
    )


def build_item(_summary: Summary, _case: Case, _item: Item, found: dict[str, Value]) -> Findings:
    """The indication the request falls under, and whether it is documented."""
    own = Findings()
    row = _row_for(tuple(found.get(name) for name in _asked()))
    if row is not None:
        own.values["indication"] = row.id
        own.values["indication_documented"] = holds(row.indicated_if, found)
    return own


# Letters ask for the same things.
@lru_cache(maxsize=4096)
def _row_for(values: tuple[Value, ...]) -> Indication | None:
    """The first row whose kind of request has these values of :func:`_asked`."""
    found = dict(zip(_asked(), values, strict=True))
    return next((row for row in indications() if holds(row.when, found)), None)


@cache
def _asked() -> tuple[str, ...]:
    """The signals that tell what kind of request it is."""
    return tuple({t.name: None for row in indications() for terms in row.when for t in terms})
