"""Phrases of care, examination, drugs, conditions and reviews, each with a reader's value."""

from __future__ import annotations

import pytest

from tests.features.case_files import FOLDER, cases, expected, row_of

COUNTS = {"treatment": 100, "examination": 70, "medication": 26, "comorbidity": 24, "review": 15}


@pytest.mark.parametrize(("text", "column", "value"), [p for f in COUNTS for p in cases(f)])
def test_phrase(text: str, column: str, value: str) -> None:
    assert row_of(text)[column] == expected(column, value)


@pytest.mark.parametrize("family", COUNTS)
def test_a_case_file_keeps_its_cases(family: str) -> None:
    lines = (FOLDER / f"{family}.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) > COUNTS[family]
    assert sum(",false," in line or ",null," in line for line in lines) >= COUNTS[family] // 5
