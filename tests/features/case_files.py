"""Reads ``tests/cases/<family>.csv``: phrases in our own words and what a column makes of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from imr.data.letter import Case, CaseHeader, Item
from imr.features.context import read_summary
from imr.features.families.facts import build_item
from imr.features.signal import Value
from imr.features.table import all_columns, signals

FOLDER = Path(__file__).resolve().parent.parent / "cases"
DTYPES = {column.name: column.dtype for column in all_columns()}


def fact_of(summary: str, item: Item, name: str) -> Value:
    """What a summary says of a fact about a request; None where it says nothing."""
    case = undecided(summary, item)
    return build_item(read_summary(summary), case, item, {}).values.get(name)


def undecided(summary: str, *items: Item, header: CaseHeader | None = None) -> Case:
    """A case with a summary and, unless others are given, one plain item."""
    shown = items or (Item(0, "Office visit", "Office visit"),)
    return Case("case", "test", header or CaseHeader(), summary, tuple(shown))


def row_of(summary: str, *items: Item, header: CaseHeader | None = None) -> dict[str, Value]:
    """The signals of the first item of such a case."""
    return signals(undecided(summary, *items, header=header)).rows[0]


def expected(column: str, printed: str) -> Value:
    """The value a case file's cell stands for."""
    if printed == "null":
        return None
    if DTYPES[column] == "bool":
        return {"true": True, "false": False}[printed]
    return float(printed) if DTYPES[column] in ("int", "float") else printed


def cases(family: str) -> Iterator[object]:
    """The parameters of one case file; a known failure is a strict xfail."""
    with (FOLDER / f"{family}.csv").open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines), 2):
            known = row["known_failure"]
            marks = [pytest.mark.xfail(reason=known, strict=True)] if known else []
            yield pytest.param(
                row["text"],
                row["column"],
                row["expected"],
                id=f"{family}:{number}:{row['column']}",
                marks=marks,
            )
