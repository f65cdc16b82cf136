"""What `imr` wrote among the letters: passed over and named, never read as records."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imr.serve.letters import written_by_imr
from tests.serve.programs import FAKE, REAL, lines, record, run, write_records
from tests.serve.test_score import scored

NAMES = {
    "s.jsonl": "scores", "s.csv": "scores", "s.parquet": "scores",
    "parts/part-00000.parquet": "scores", "s.jsonl.errors.jsonl": "list of letters not read",
    "f.csv": "signals", "f.parquet": "signals", "f.jsonl": "signals", "e.jsonl": "evidence",
    "r.html": "report",
}  # fmt: skip


@pytest.mark.slow
def test_results_in_the_folder_of_the_letters_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_records(folder / "cases.jsonl", ["A", "fail-1", "B"])
    first = run(FAKE, "score", "in", "-o", "first.jsonl", cwd=tmp_path)
    assert first.returncode == 1
    for output in ("s.jsonl", "s.csv", "s.parquet", "parts/"):
        more = ("--report", "in/r.html") if output == "s.jsonl" else ()
        run(FAKE, "score", "in/cases.jsonl", "-o", f"in/{output}", *more, cwd=tmp_path)
        (folder / f"{output.strip('/')}.errors.jsonl").rename(folder / "s.jsonl.errors.jsonl")
    for output in ("f.csv", "f.parquet", "f.jsonl"):
        run(REAL, "features", "in/cases.jsonl", "-o", f"in/{output}", "--evidence", "in/e.jsonl",
            cwd=tmp_path)  # fmt: skip
    for place in ("in", f"disk://{folder}"):
        again = run(FAKE, "score", place, "-o", "again.jsonl", cwd=tmp_path)
        told = [line for line in again.stderr.splitlines() if "passed over" in line]
        assert sorted(told) == sorted(
            f"imr: {place}/{name}: passed over: it is the {kind} that imr wrote, "
            "no letter and no record"
            for name, kind in NAMES.items()
        )
        assert (again.returncode, again.stdout.splitlines()[:-1]) == (
            1, first.stdout.splitlines()[:-1],
        )  # fmt: skip
        assert scored(tmp_path / "again.jsonl") == scored(tmp_path / "first.jsonl")
        assert len(lines(tmp_path / "again.jsonl.errors.jsonl")) == 1


@pytest.mark.slow
def test_a_run_does_not_read_its_own_journal(tmp_path: Path) -> None:
    """One that is made while letters are still listed, and one that a kill left empty."""
    write_records(tmp_path / "cases.jsonl", [f"L{n}" for n in range(3000)], count=1)
    left = tmp_path / "old.jsonl.partial"
    left.mkdir()
    (left / "chunk-00000000.jsonl").touch()
    (left / "settings.json").touch()
    done = run(FAKE, "score", "cases.jsonl", ".", "-o", "a.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3,000 letters, 3,000 items scored; 0 letters not read")
    assert {line.split(":")[1].strip() for line in done.stderr.splitlines()} == {
        "./a.jsonl.partial/settings.json", "./old.jsonl.partial/settings.json",
    }  # fmt: skip


@pytest.mark.slow
def test_nothing_but_results_is_nothing_to_do(tmp_path: Path) -> None:
    write_records(tmp_path / "cases.jsonl", ["A"])
    run(FAKE, "score", "cases.jsonl", "-o", "s.parquet", cwd=tmp_path)
    done = run(FAKE, "score", "s.parquet", "-o", "t.parquet", cwd=tmp_path)
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert "s.parquet: passed over: it is the scores" in first
    assert "nothing to do" in second


def test_what_parse_prints_is_read(tmp_path: Path) -> None:
    write_records(tmp_path / "cases.jsonl", ["A"])
    run(REAL, "parse", "cases.jsonl", "-o", "parsed.jsonl", cwd=tmp_path)
    done = run(FAKE, "score", "parsed.jsonl", "-o", "s.jsonl", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


RECORDS = [
    record("A"),
    {**record("A"), "source": "x", "reason": "y", "message": "z", "remedy": "r"},
    {"letter_id": "A", "item_index": 0, "chronicity_days": 1, "title": "x", "case_summary": "y"},
]


@pytest.mark.parametrize("values", RECORDS)
def test_records_are_not_taken_for_results(values: dict[str, object], tmp_path: Path) -> None:
    assert written_by_imr("a.jsonl", io.BytesIO(json.dumps(values).encode())) is None
    header = ",".join(values)
    assert written_by_imr("a.csv", io.BytesIO(f"{header}\r\n".encode())) is None
    held = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([values]), held)
    assert written_by_imr("a.parquet", held) is None
    assert held.tell() == 0


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[" * 5000, b"PAR1", b"{}\n"])
def test_what_cannot_be_told_is_left_to_its_reader(ending: str, content: bytes) -> None:
    assert written_by_imr(f"a{ending}", io.BytesIO(content)) is None


# --- an output that is one of the letters ---------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["score", "cases.jsonl", "-o", "cases.jsonl"],
        ["score", ".", "-o", "./cases.jsonl"],
        ["score", "*.jsonl", "-o", "s.csv", "--details", "cases.jsonl"],
        ["score", "cases.jsonl", "-o", "s.csv", "--report", "link.jsonl"],
        ["parse", "cases.jsonl", "-o", "cases.jsonl"],
        ["features", "cases.jsonl", "-o", "f.csv", "--evidence", "cases.jsonl"],
    ],
)
def test_no_output_replaces_the_letters(words: list[str], tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", ["A-1", "A-2"])
    (tmp_path / "link.jsonl").symlink_to(cases)
    before = cases.read_bytes()
    done = run(FAKE, *words, cwd=tmp_path)
    assert (done.returncode, cases.read_bytes()) == (2, before)
    problem = "cases.jsonl: is one of the letters, and the output would replace it"
    assert done.stderr.endswith(f"{problem} (name another file)\n")
    assert not (tmp_path / "s.csv").exists()


def test_an_earlier_output_among_the_letters_is_replaced(tmp_path: Path) -> None:
    write_records(tmp_path / "cases.jsonl", ["A-1"])
    for _ in range(2):
        done = run(FAKE, "score", ".", "-o", "s.csv", "--details", "d.jsonl", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
