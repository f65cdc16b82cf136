"""Reads ``tests/cases/verdicts.csv``: invented cases and what a careful physician would tick.

A row is a summary, the requests of the letter (the first is judged, the others stand beside it),
days from injury to denial, a criterion, its verdict (``not asked`` where its class has it not) and,
where it matters, words that the quote must hold or (after ``!``) must not.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import pytest

from imr.data.letter import Case
from imr.data.records import RawRecord, letter_from_record
from imr.features.checklist import Criterion, checklist
from imr.features.table import signals

TABLE = Path(__file__).resolve().parent.parent / "cases" / "verdicts.csv"
DENIED = date(2017, 1, 20)


def case_of(summary: str, requests: str, days: int) -> Case:
    record = {
        "letter_id": "invented",
        "case_summary": summary,
        "date_of_injury": (DENIED - timedelta(days=days)).isoformat(),
        "ur_denial_date": DENIED.isoformat(),
        "items": [{"title": title} for title in requests.split(" || ")],
    }
    return letter_from_record(RawRecord("invented", record)).case


def listed(summary: str, requests: str, days: int) -> dict[str, Criterion]:
    case = case_of(summary, requests, days)
    found = signals(case)
    shown = checklist(case, case.items[0], found.rows[0], found.evidence)
    return {criterion.id: criterion for criterion in shown}


def rows() -> list[object]:
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return [
            pytest.param(row, id=f"{number}:{row['criterion']}")
            for number, row in enumerate(csv.DictReader(lines), 2)
        ]


@pytest.mark.parametrize("row", rows())
def test_the_verdict_is_a_physicians(row: dict[str, str]) -> None:
    shown = listed(row["summary"], row["requests"], int(row["days"]))
    criterion = shown.get(row["criterion"])
    assert (criterion.status if criterion else "not asked") == row["status"]
    quoted = " / ".join(quote.quote for quote in criterion.quotes) if criterion else ""
    words = row["quote"]
    assert words[1:] not in quoted if words.startswith("!") else words in quoted


def test_every_verdict_shows_what_it_rests_on() -> None:
    with TABLE.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            for one in listed(row["summary"], row["requests"], int(row["days"])).values():
                assert (one.status == "not documented") == (not one.quotes)
