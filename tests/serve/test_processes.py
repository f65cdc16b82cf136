"""Tables that a library reads: what it does to its process is one error, and nothing is lost."""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imr.data.letter import LetterError
from imr.data.records import RawRecord
from imr.serve import processes
from imr.serve.letters import AS_FOUND, tasks
from tests.data.office_files import xlsx
from tests.serve.programs import FAKE, run, write_records

HEADER = ["Letter ID", "Case summary", "Treatment"]


def rows(count: int, then: str) -> Iterator[int | LetterError]:
    """So many rows, and then what a hostile file does."""
    yield from range(count)
    if then == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if then == "hang":
        time.sleep(60)
    if then == "memory":
        yield len(bytearray(processes.WORKER_BYTES + 2**30))
    if then == "error":
        yield LetterError("a.xlsx row 7", "not_xlsx", "seven")


def made(count: int, then: str, seconds: float = 60) -> list[int | LetterError]:
    make = functools.partial(rows, count, then)
    return list(processes.made_apart(make, "a.xlsx", seconds))


def test_what_is_made_apart_arrives_in_order() -> None:
    assert made(1000, "end") == list(range(1000))
    [*numbers, error] = made(3, "error")
    assert numbers == [0, 1, 2]
    assert isinstance(error, LetterError)
    assert error.source == "a.xlsx row 7"


@pytest.mark.parametrize("then", ["crash", "memory"])
def test_what_ends_its_process_is_one_error(then: str) -> None:
    [*numbers, error] = made(processes.AT_ONCE, then)
    assert numbers == list(range(processes.AT_ONCE))
    assert isinstance(error, LetterError)
    assert (error.source, error.reason) == ("a.xlsx", "crashed")


def test_a_table_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 1)
    [error] = made(0, "hang", seconds=2)
    assert isinstance(error, LetterError)
    assert error.reason == "too_slow"


def test_who_stops_listening_leaves_no_process() -> None:
    making = processes.made_apart(functools.partial(rows, 10**9, "end"), "a.xlsx")
    assert next(making) == 0
    children = len(processes.multiprocessing.active_children())
    making.close()  # type: ignore[attr-defined]
    assert len(processes.multiprocessing.active_children()) == children - 1


def test_a_workbook_is_read_the_same_apart(tmp_path: Path) -> None:
    cases = [[f"A-{n}", "A cook, 50, with wrist pain.", "MRI of the wrist"] for n in range(200)]
    (tmp_path / "a.xlsx").write_bytes(xlsx([HEADER, *cases], [["Prices"]]))
    (tmp_path / "b.xlsx").write_bytes(b"no workbook")
    told: list[str] = []
    apart = list(tasks([str(tmp_path)], told.append, AS_FOUND, apart=True))
    told_apart, told = told, []
    assert repr(apart) == repr(list(tasks([str(tmp_path)], told.append, AS_FOUND)))
    assert told_apart == told != []
    assert [isinstance(one, RawRecord) for one in apart] == [True] * 200 + [False]


@pytest.mark.parametrize(
    "words", [["validate", "in"], ["parse", "in"], ["score", "in", "-o", "o.csv"]]
)
def test_a_workbook_that_ends_its_reader_costs_no_other_file(
    words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.xlsx").write_bytes(xlsx([HEADER, ["A", "A cook.", "MRI"]]))
    write_records(tmp_path / "in" / "b.jsonl", ["B-1"])
    done = run(FAKE, *words, cwd=tmp_path, FAKE_TABLE="crash")
    assert done.returncode == 1, done.stderr
    assert "in/a.xlsx: the process that read it crashed (check the file by hand)" in done.stderr
    assert "1 letter" in done.stdout + done.stderr or '"B-1"' in done.stdout
