"""Tables on disk: formats, types, spreadsheets, and what is left behind when writing fails."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imr.data.paths import file_path
from imr.models.prediction import SCORE_COLUMNS
from imr.serve import outputs
from imr.serve.messages import Refused
from imr.serve.outputs import Columns, check_writable, csv_cell, open_table

COLUMNS: Columns = {
    "name": "str", "n": "int", "p": "float", "yes": "bool", "day": "date", "at": "timestamp",
    "notes": "texts", "reasons": "reasons",
}  # fmt: skip
REASON = {
    "signal": "imaging_mri", "value": "yes", "contribution": 0.5, "direction": "for",
    "statement": "MRI documented", "quotes": ["MRI of the knee"],
}  # fmt: skip
FULL: dict[str, Any] = {
    "name": "Knee brace", "n": 3, "p": 0.25, "yes": True, "day": "2016-10-13",
    "at": "2017-01-02T03:04:05.678+00:00", "notes": ["one", "two"], "reasons": [REASON],
}  # fmt: skip
EMPTY: dict[str, Any] = dict.fromkeys(FULL)


def written(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    with open_table(file_path(path), COLUMNS) as write:
        write(rows)
    return path


def test_parquet_keeps_its_types_when_everything_is_null(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    full = pq.read_table(written(tmp_path / "full.parquet", [FULL]))
    null = pq.read_table(written(tmp_path / "null.parquet", [EMPTY]))
    none = pq.read_table(written(tmp_path / "none.parquet", []))
    assert full.schema == null.schema == none.schema
    assert [table.num_rows for table in (full, null, none)] == [1, 1, 0]
    assert null.to_pylist() == [EMPTY]
    [row] = full.to_pylist()
    assert row["reasons"] == [REASON]
    assert row["at"] == datetime(2017, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert row["day"].isoformat() == "2016-10-13"


def test_parquet_writes_row_groups_as_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    monkeypatch.setattr(outputs, "ROW_GROUP", 4)
    path = written(tmp_path / "t.parquet", [{**FULL, "n": n} for n in range(10)])
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [4, 4, 2]
    assert file.read().column("n").to_pylist() == list(range(10))


def test_jsonl_and_csv(tmp_path: Path) -> None:
    path = written(tmp_path / "t.jsonl", [FULL, EMPTY])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [FULL, EMPTY]
    with written(tmp_path / "t.csv", [FULL, EMPTY]).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "name": "Knee brace", "n": "3", "p": "0.25", "yes": "true", "day": "2016-10-13",
        "at": "2017-01-02T03:04:05.678+00:00", "notes": "one; two",
        "reasons": 'for: MRI documented ("MRI of the knee")',
    }  # fmt: skip
    assert rows[1] == dict.fromkeys(FULL, "")


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x")']
)
def test_no_cell_starts_a_formula(text: str, tmp_path: Path) -> None:
    row = {**FULL, "name": text, "notes": [text], "n": -1, "p": -0.5}
    with written(tmp_path / "t.csv", [row]).open(newline="") as file:
        [read] = csv.DictReader(file)
    assert read["name"] == f"'{text}"
    assert read["notes"] == f"'{text}"
    assert (read["n"], read["p"]) == ("-1", "-0.5")


def test_a_workbook_holds_the_table_and_no_formula(tmp_path: Path) -> None:
    import openpyxl
    import pandas as pd

    odd = {**FULL, "name": "=1+1 <b>\x00&", "notes": ["=2", "x" * 40_000], "p": float("nan")}
    path = written(tmp_path / "t.xlsx", [FULL, EMPTY, odd])
    rows = list(openpyxl.load_workbook(path).active.iter_rows(values_only=True))
    assert rows[0] == tuple(FULL)
    assert rows[1] == (
        "Knee brace", 3, 0.25, True, "2016-10-13", "2017-01-02T03:04:05.678+00:00", "one; two",
        'for: MRI documented ("MRI of the knee")',
    )  # fmt: skip
    assert rows[2] == (None,) * len(FULL)
    assert rows[3][0] == "=1+1 <b>&"
    assert rows[3][2] is None
    assert (len(rows[3][6]), rows[3][6][-1]) == (32_767, "…")
    cells = [cell for row in openpyxl.load_workbook(path).active.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} == {"s", "n", "b"}
    assert list(pd.read_excel(path).columns) == list(FULL)


def test_a_sheet_that_is_full_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MAX_ROWS", 3)
    with pytest.raises(Refused, match="more than 2 rows"):
        written(tmp_path / "t.xlsx", [FULL] * 3)
    assert list(tmp_path.iterdir()) == []


@given(st.text())
def test_any_text_survives_csv_and_starts_no_formula(text: str) -> None:
    cell = csv_cell("str", text)
    assert cell.removeprefix("'") == text.removeprefix("'")
    assert not cell.startswith(outputs.FORMULA_STARTS)
    held = io.StringIO(newline="")
    csv.writer(held, lineterminator="\r\n").writerow(["x", cell])
    held.seek(0)
    assert next(csv.reader(held)) == ["x", cell]


def test_text_that_no_file_can_hold_is_replaced(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    row = {**FULL, "name": "a\ud800b", "notes": ["\udfff"]}
    for ending in outputs.SUFFIXES:
        assert written(tmp_path / f"t{ending}", [row]).stat().st_size
    [read] = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert (read["name"], read["notes"]) == ("a?b", ["?"])


def failing(rows: int) -> Iterator[dict[str, Any]]:
    for _ in range(rows):
        yield FULL
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("ending", outputs.SUFFIXES)
def test_a_full_disk_leaves_the_earlier_file(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"t{ending}"
    path.write_bytes(b"earlier")
    with pytest.raises(Refused, match=r"no space left on device .*earlier file"):
        written(path, failing(3))
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        written(tmp_path / "t.jsonl", [FULL, None])  # type: ignore[list-item]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        path = written(tmp_path / "t.csv", [FULL])
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_what_cannot_be_written_is_refused_early(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    for path in ("folder.csv", "file/t.csv", "none/t.csv"):
        with pytest.raises(Refused, match="cannot write"):
            check_writable(file_path(tmp_path / path))
    check_writable(file_path(tmp_path / "t.csv"))
    assert not (tmp_path / "t.csv").exists()


def test_the_columns_are_those_of_the_contract() -> None:
    assert [c.name for c in SCORE_COLUMNS] == [
        "letter_id", "item_index", "requested", "category", "subcategory", "p_overturned",
        "predicted_outcome", "p_overturned_low", "p_overturned_high", "p_any_overturned",
        "guideline_1",
        "guideline_1_p", "guideline_2", "guideline_2_p", "guideline_3", "guideline_3_p", "reasons",
        "decision", "decision_guideline", "warnings", "model_uri", "scored_at",
    ]  # fmt: skip
