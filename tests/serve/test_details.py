"""`imr score --details`: of each letter the object of `imr explain --json`, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.serve.programs import FAKE, command, environment, lines, run, write_records

IDS = [f"slow-{n}" for n in range(80)]


def test_the_objects_of_explain(tmp_path: Path) -> None:
    ids = ["A", "B", "fail-1"]
    cases = write_records(tmp_path / "cases.jsonl", ids)
    done = run(FAKE, "score", cases, "-o", "s.csv", "--details", "d.jsonl", cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stdout.splitlines()[-1] == "written: s.csv and d.jsonl and s.csv.errors.jsonl"
    found = lines(tmp_path / "d.jsonl")
    assert [one["letter_id"] for one in found] == ["A", "B"]
    for one in found:
        explained = run(
            FAKE, "explain", cases, "--letter-id", one["letter_id"], "--json", cwd=tmp_path
        )
        assert one == json.loads(explained.stdout)
    assert len(lines(tmp_path / "s.csv.errors.jsonl")) == 1


@pytest.mark.slow
def test_killed_and_resumed(tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", IDS)
    arguments = ("score", cases, "--details")
    whole = run(FAKE, *arguments, "whole.d", "-o", "w.csv", cwd=tmp_path, FAKE_SECONDS="0")
    assert whole.returncode == 0
    with subprocess.Popen(
        command(FAKE, *arguments, "cut.d", "-o", "c.csv"), cwd=tmp_path, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as program:  # fmt: skip
        while not any((tmp_path / "c.csv.partial").glob("chunk-*")):
            assert program.poll() is None
            time.sleep(0.02)
        os.kill(program.pid, signal.SIGKILL)
    assert not (tmp_path / "cut.d").exists()
    refused = run(FAKE, "score", cases, "-o", "c.csv", "--resume", cwd=tmp_path)
    assert (refused.returncode, "cannot resume: detail was" in refused.stderr) == (2, True)
    done = run(FAKE, *arguments, "cut.d", "-o", "c.csv", "--resume", cwd=tmp_path, FAKE_SECONDS="0")
    assert done.returncode == 0
    assert lines(tmp_path / "cut.d") == lines(tmp_path / "whole.d")
    assert len(lines(tmp_path / "cut.d")) == len(IDS)


def test_one_file_cannot_be_two(tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", ["A"])
    for given in (
        ("-o", "s.jsonl", "--details", "s.jsonl"),
        ("-o", "s.jsonl", "--details", "s.jsonl.errors.jsonl"),
        ("-o", "s.jsonl", "--details", "x", "--report", "x"),
        ("-o", "s.jsonl", "--details", "none/x"),
        ("-o", "s.jsonl", "--details", "x", "--no-reasons"),
    ):
        done = run(FAKE, "score", cases, *given, cwd=tmp_path)
        assert done.returncode == 2, given
        assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cases.jsonl"]


def test_details_among_letters_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    cases = write_records(tmp_path / "in" / "cases.jsonl", ["A"])
    run(FAKE, "score", cases, "-o", "s.csv", "--details", "in/d.jsonl", cwd=tmp_path)
    done = run(FAKE, "score", "in", "-o", "again.jsonl", cwd=tmp_path)
    assert done.returncode == 0
    assert "in/d.jsonl: passed over: it is the details that imr wrote" in done.stderr
    assert {row["letter_id"] for row in lines(tmp_path / "again.jsonl")} == {"A"}
