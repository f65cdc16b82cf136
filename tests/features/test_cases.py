"""Every phrase of the case files gives the column the value that a reader would give it."""

from __future__ import annotations

import pytest

from tests.features.case_files import FOLDER, cases, expected, row_of

FILES = (
    "authorization",
    "chronicity",
    "complaints",
    "diagnosis",
    "electrodiagnostics",
    "imaging",
    "person",
    "relief",
    "work_status",
)


@pytest.mark.parametrize(("text", "column", "value"), [p for f in FILES for p in cases(f)])
def test_phrase(text: str, column: str, value: str) -> None:
    assert row_of(text)[column] == expected(column, value)


@pytest.mark.parametrize("family", FILES)
def test_a_case_file_has_positive_and_negative_cases(family: str) -> None:
    lines = (FOLDER / f"{family}.csv").read_text(encoding="utf-8").splitlines()
    absent = [line for line in lines if ",false," in line or ",null," in line]
    assert len(lines) >= 12
    assert len(absent) >= 3
