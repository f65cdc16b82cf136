"""A table as a folder of Parquet parts: the rows of the single file, for every reader."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imr.data.paths import FilePath
from imr.serve.messages import Refused
from imr.serve.outputs import Columns, open_parts, output_path
from tests.serve.programs import FAKE, command, environment, lines, record, run, write_records

pytestmark = pytest.mark.slow

IDS = [f"slow-{n}" for n in range(59)] + ["fail-1", "crash-1"]


def rows(path: Path) -> list[dict[str, Any]]:
    return [{**row, "scored_at": None} for row in pq.read_table(path).to_pylist()]


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def score(tmp_path: Path, *arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
    return run(FAKE, "score", *arguments, cwd=tmp_path, **{"FAKE_SECONDS": "0", **changes})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the letters as one file, and their scores from one process."""
    folder = tmp_path_factory.mktemp("whole")
    write_records(folder / "cases.jsonl", IDS)
    assert score(folder, "cases.jsonl", "-o", "s.parquet", "--jobs", 1).returncode == 1
    return folder


@pytest.mark.parametrize("scheme", ["", "disk://"])
def test_the_parts_hold_the_rows_of_the_file(scheme: str, whole: Path, tmp_path: Path) -> None:
    cases = whole / "cases.jsonl"
    out = f"{scheme}{tmp_path}/scores"
    done = score(tmp_path, cases, "-o", out, "--partitions", 4, "--jobs", 2)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1] == f"written: {out}/ and {out}.errors.jsonl"
    folder = tmp_path / "scores"
    assert parts(folder) == [f"part-0000{n}.parquet" for n in range(4)]
    assert rows(folder) == rows(whole / "s.parquet")
    letters = [pq.read_table(path)["letter_id"].unique() for path in sorted(folder.iterdir())]
    assert [len(one) for one in letters] == [14, 15, 15, 15]  # no letter in two parts
    assert len(lines(tmp_path / "scores.errors.jsonl")) == 2
    # Fewer parts take the place of more; nothing else is left.
    again = score(tmp_path, cases, "-o", f"{out}/", "--jobs", 2)
    assert again.returncode == 1, again.stderr
    assert parts(folder) == ["part-00000.parquet"]
    assert rows(folder) == rows(whole / "s.parquet")
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {
        "part-00000.parquet", "scores.errors.jsonl",
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore:The inplace keyword:FutureWarning")
@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
def test_pandas_and_dask_read_the_parts_as_one_table(whole: Path, tmp_path: Path) -> None:
    import dask.dataframe as dd

    score(tmp_path, whole / "cases.jsonl", "-o", "scores/", "--partitions", 3)
    columns = ["letter_id", "item_index", "p_overturned", "guideline_1"]
    expected = pd.read_parquet(whole / "s.parquet", columns=columns)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "scores", columns=columns), expected)
    frame = dd.read_parquet(str(tmp_path / "scores"), columns=columns)
    assert frame.npartitions == 3
    read = frame.compute(scheduler="synchronous").reset_index(drop=True)
    pd.testing.assert_frame_equal(read, expected, check_dtype=False)


def test_more_parts_than_letters(tmp_path: Path) -> None:
    write_records(tmp_path / "cases.jsonl", ["A", "B"])
    assert score(tmp_path, "cases.jsonl", "-o", "s/", "--partitions", 5).returncode == 0
    assert len(parts(tmp_path / "s")) == 5
    assert [row["letter_id"] for row in rows(tmp_path / "s")] == ["A", "A", "B", "B"]


def test_what_a_folder_must_not_replace(tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", ["A"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "part-00000.parquet").touch()
    (tmp_path / "mine" / "letter.pdf").touch()
    (tmp_path / "file").touch()
    for output, said in (
        ("mine/", "holds files that are no part of a table (letter.pdf)"),
        ("file/", "a file has the name of the folder"),
        ("none/s/", "create the folder first"),
    ):
        done = score(tmp_path, cases, "-o", output)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    (tmp_path / "s").mkdir()
    done = score(tmp_path, cases, "-o", "s/", "--report", "s/r.html")
    assert (done.returncode, "among the parts" in done.stderr) == (2, True)
    assert parts(tmp_path / "mine") == ["letter.pdf", "part-00000.parquet"]


@pytest.mark.parametrize("scheme", ["", "disk://"])
def test_killed_and_resumed(scheme: str, whole: Path, tmp_path: Path) -> None:
    arguments = ("score", whole / "cases.jsonl", "-o", f"{scheme}{tmp_path}/s/", "--jobs", 2)
    work = tmp_path / "s.partial"
    program = subprocess.Popen(
        command(FAKE, *arguments, "--partitions", 3), cwd=tmp_path,
        env=environment(FAKE_SECONDS="0.1"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    while not any(work.glob("chunk-*")):
        assert program.poll() is None, program.communicate()
        time.sleep(0.02)
    os.kill(program.pid, signal.SIGKILL)
    program.communicate()
    assert not (tmp_path / "s").exists()
    done = score(tmp_path, *arguments[1:], "--partitions", 2, "--resume")
    assert done.returncode == 1, done.stderr
    assert len(parts(tmp_path / "s")) == 2
    assert rows(tmp_path / "s") == rows(whole / "s.parquet")
    assert len(lines(tmp_path / "s.errors.jsonl")) == 2


COLUMNS: Columns = {"n": "int"}


def written(folder: FilePath, work: FilePath, letters: int, fail_after: int | None = None) -> None:
    with open_parts(folder, COLUMNS, work, letters, 2) as write:
        for n in range(letters):
            if n == fail_after:
                raise OSError(28, "No space left on device")
            write([{"n": n}])


@pytest.mark.parametrize("scheme", ["", "memory://bucket"])
def test_a_failed_write_leaves_the_earlier_parts(scheme: str, tmp_path: Path) -> None:
    import fsspec

    folder, work = (output_path(f"{scheme}{tmp_path}/{name}") for name in ("s", "s.partial"))
    (tmp_path / "s.partial").mkdir()
    written(folder, work, 4)
    store = fsspec.filesystem("memory" if scheme else "file")
    root = f"/bucket{tmp_path}" if scheme else str(tmp_path)
    before = {name: store.cat_file(name) for name in store.find(f"{root}/s")}
    with pytest.raises(Refused, match="no space left on device"):
        written(folder, work, 6, fail_after=4)
    assert {name: store.cat_file(name) for name in store.find(f"{root}/s")} == before
    assert len(before) == 2
    written(folder, work, 6)
    assert {name: store.cat_file(name) for name in store.find(f"{root}/s")} != before


# --- parts as input ------------------------------------------------------------------------------


def flat(letter_id: str, count: int) -> list[dict[str, Any]]:
    made = record(letter_id, count)
    known = {"letter_id": letter_id, "case_summary": made["case_summary"]}
    return [{**known, "title": item["title"]} for item in made["items"]]


def write_parts(folder: Path, name: str, table: list[dict[str, Any]], sizes: list[int]) -> None:
    folder.mkdir()
    for number, size in enumerate(sizes):
        pq.write_table(pa.Table.from_pylist(table[:size]), folder / name.format(number))
        table = table[size:]
    assert table == []


@pytest.mark.parametrize("name", ["part-{:05}.parquet", "part.{}.parquet"])
def test_a_folder_of_parts_is_read_as_one_table(name: str, tmp_path: Path) -> None:
    """Rows of a letter that two parts share are one letter, and part.10 comes after part.9."""
    table = [row for n in range(12) for row in flat(f"L{n}", 3)]
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "one.parquet")
    write_parts(tmp_path / "in", name, table, [2, 5, 1] + [3] * 8 + [4])
    (tmp_path / "in" / "_SUCCESS").touch()
    for place_, output in (("in", "parts.parquet"), (f"disk://{tmp_path}/in/", "disk.parquet")):
        done = score(tmp_path, place_, "-o", output)
        assert (done.returncode, done.stderr) == (0, "")
        assert score(tmp_path, "one.parquet", "-o", "one_scored.parquet").returncode == 0
        assert rows(tmp_path / output) == rows(tmp_path / "one_scored.parquet")


def test_other_letters_of_one_id_are_not_joined(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, summary in enumerate(("One summary.", "Another summary.")):
        table = [{**row, "case_summary": summary} for row in flat("A", 2)]
        pq.write_table(pa.Table.from_pylist(table), folder / f"part-{number}.parquet")
    done = score(tmp_path, "in", "-o", "s.jsonl")
    assert done.returncode == 0
    assert "1 letter_id stands for more than one letter" in done.stdout
    assert [row["item_index"] for row in lines(tmp_path / "s.jsonl")] == [0, 1] * 2
