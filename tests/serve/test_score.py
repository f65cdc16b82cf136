"""Batch scoring: every letter in exactly one place, whatever happens on the way."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serve.programs import (
    FAKE,
    command,
    environment,
    lines,
    record,
    run,
    write_records,
)

IDS = [f"L{n:03}" for n in range(60)]
Scored = subprocess.CompletedProcess[str]


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    return write_records(tmp_path / "cases.jsonl", IDS)


def score(tmp_path: Path, *arguments: object, **changes: str) -> Scored:
    return run(FAKE, "score", *arguments, cwd=tmp_path, **changes)


def scored(path: Path) -> list[dict[str, Any]]:
    """The rows without the time of the run."""
    return [{**row, "scored_at": None} for row in lines(path)]


def left(tmp_path: Path) -> set[str]:
    return {path.name for path in tmp_path.iterdir()}


def test_one_row_an_item_in_the_order_of_the_input(letters: Path, tmp_path: Path) -> None:
    done = score(tmp_path, letters, "-o", "s.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "60 letters, 120 items scored; 0 letters not read"
    assert done.stdout.splitlines()[-1] == "written: s.jsonl"
    rows = lines(tmp_path / "s.jsonl")
    assert [(r["letter_id"], r["item_index"]) for r in rows] == [
        (i, n) for i in IDS for n in (0, 1)
    ]
    assert len({r["scored_at"] for r in rows}) == 1
    assert {r["model_uri"] for r in rows} == {"models:/imr/7#sha256=0123456789abcdef"}
    assert all(r["p_overturned_low"] <= r["p_overturned"] <= r["p_overturned_high"] for r in rows)
    assert left(tmp_path) == {"cases.jsonl", "s.jsonl"}


@pytest.mark.slow
def test_one_letter_alone(letters: Path, tmp_path: Path) -> None:
    options = ("-o", "s.jsonl", "--report", "s.html", "--letter")
    done = score(tmp_path, letters, *options, "L007")
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["letter_id"] for row in lines(tmp_path / "s.jsonl")] == ["L007", "L007"]
    assert '<body data-alone="true">' in (tmp_path / "s.html").read_text()
    done = score(tmp_path, letters, *options, "L700")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "imr: no letter L700 (leave out --letter or correct it)\n"


def test_formats_and_numbers_of_processes_agree(letters: Path, tmp_path: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet as pq

    for jobs, name in ((1, "a.jsonl"), (2, "b.parquet"), (3, "c.csv"), (2, "d.jsonl")):
        assert score(tmp_path, letters, "-o", name, "--jobs", jobs).returncode == 0
    expected = scored(tmp_path / "a.jsonl")
    assert scored(tmp_path / "d.jsonl") == expected
    parquet = pq.read_table(tmp_path / "b.parquet").to_pylist()
    assert [{**row, "scored_at": None} for row in parquet] == expected
    table = pyarrow.csv.read_csv(tmp_path / "c.csv").to_pylist()
    for name in ("letter_id", "item_index", "p_overturned", "guideline_2_p"):
        assert [row[name] for row in table] == [row[name] for row in expected]


@pytest.mark.slow
def test_without_reasons(letters: Path, tmp_path: Path) -> None:
    score(tmp_path, letters, "-o", "a.jsonl")
    score(tmp_path, letters, "-o", "b.jsonl", "--no-reasons")
    with_reasons, without = scored(tmp_path / "a.jsonl"), scored(tmp_path / "b.jsonl")
    assert all(row["reasons"] for row in with_reasons)
    assert [{**row, "reasons": []} for row in with_reasons] == without


def test_each_letter_ends_in_exactly_one_place(tmp_path: Path) -> None:
    ids = ["A", "fail-1", "B", "crash-1", "memory-1", "C"]
    write_records(tmp_path / "cases.jsonl", ids)
    with (tmp_path / "cases.jsonl").open("a") as file:
        file.write("{not json\n")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4")
    done = score(tmp_path, "broken.pdf", "cases.jsonl", "-o", "s.jsonl", "--jobs", 2)
    assert done.returncode == 1
    assert [row["letter_id"] for row in scored(tmp_path / "s.jsonl")] == [
        "A",
        "A",
        "B",
        "B",
        "C",
        "C",
    ]
    errors = lines(tmp_path / "s.jsonl.errors.jsonl")
    assert [(e["source"], e["reason"]) for e in errors] == [
        ("broken.pdf", errors[0]["reason"]),
        ("cases.jsonl line 2", "internal"),
        ("cases.jsonl line 4", "crashed"),
        ("cases.jsonl line 5", "internal"),
        ("cases.jsonl line 7", "not_json"),
    ]
    assert all(set(e) == {"source", "reason", "message", "remedy"} for e in errors)
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [
        e["source"] for e in errors
    ]
    assert "private text" not in done.stderr + (tmp_path / "s.jsonl.errors.jsonl").read_text()
    first, *_, last = done.stdout.splitlines()
    assert first == "3 letters, 6 items scored; 5 letters not read"
    assert last == "written: s.jsonl and s.jsonl.errors.jsonl"


@pytest.mark.slow
def test_an_errors_file_of_an_earlier_run_does_not_stay(letters: Path, tmp_path: Path) -> None:
    (tmp_path / "s.csv.errors.jsonl").write_text("{}\n")
    assert score(tmp_path, letters, "-o", "s.csv").returncode == 0
    assert left(tmp_path) == {"cases.jsonl", "s.csv"}


@pytest.mark.slow
def test_a_letter_over_its_time_is_listed(tmp_path: Path) -> None:
    write_records(tmp_path / "cases.jsonl", ["A", "slow-1", "B"])
    done = score(tmp_path, "cases.jsonl", "-o", "s.jsonl", FAKE_SECONDS="60", FAKE_LIMIT="5")
    assert done.returncode == 1
    [error] = lines(tmp_path / "s.jsonl.errors.jsonl")
    assert (error["source"], error["reason"]) == ("cases.jsonl line 2", "too_slow")
    assert [r["letter_id"] for r in scored(tmp_path / "s.jsonl")] == ["A", "A", "B", "B"]


@pytest.mark.slow
def test_the_same_letter_id_twice_is_listed_twice_and_told(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_records(tmp_path / folder / "cases.jsonl", ["same", f"own-{folder}"], count=1)
    done = score(tmp_path, "a", "b", "-o", "s.jsonl")
    assert done.returncode == 0
    assert "1 letter_id stands for more than one letter" in done.stdout
    rows = scored(tmp_path / "s.jsonl")
    told = {(r["letter_id"], *(w for w in r["warnings"] if "letter_id" in w)) for r in rows}
    note = "more than one letter has this letter_id; this one is {}/cases.jsonl line 1"
    assert told == {
        ("same", note.format("a")), ("same", note.format("b")), ("own-a",), ("own-b",),
    }  # fmt: skip


def decided(letter_id: str, outcomes: list[str]) -> dict[str, Any]:
    made = record(letter_id, len(outcomes))
    cited = {"raw": "Decision based on MTUS Low Back Complaints 2004, Section(s): Special Studies."}
    for item, outcome in zip(made["items"], outcomes, strict=True):
        item["decision"] = {"outcome": outcome, "guideline": cited, "rationale": "Because."}
    return made


def test_a_decided_letter_is_scored_blind_and_its_decision_carried(tmp_path: Path) -> None:
    variants = {"up": ["Upheld"] * 2, "over": ["Overturned"] * 2, "mixed": ["Upheld", "Overturned"]}
    results, texts = {}, {}
    for name, outcomes in variants.items():
        made = [decided(f"L{n}", outcomes) for n in range(3)]
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(m) + "\n" for m in made))
        done = score(tmp_path, path, "-o", f"{name}-s.jsonl")
        results[name], texts[name] = scored(tmp_path / f"{name}-s.jsonl"), done.stdout
    write_records(tmp_path / "open.jsonl", ["L0", "L1", "L2"])
    score(tmp_path, "open.jsonl", "-o", "open-s.jsonl")
    undecided = scored(tmp_path / "open-s.jsonl")
    assert {r["decision"] for r in undecided} == {None}
    blank = {"decision": None, "decision_guideline": None}
    for name, outcomes in variants.items():
        assert [{**r, **blank} for r in results[name]] == undecided
        assert [r["decision"] for r in results[name]] == outcomes * 3
        assert {r["decision_guideline"] for r in results[name]} == {"Low Back > Special Studies"}
    assert "backtest on 6 decided items (3 overturned" in texts["mixed"]
    assert "AUC not defined (one kind of decision only)" in texts["up"]
    assert "uncertain" in texts["mixed"]


# --- killed, resumed, disturbed ----------------------------------------------------------------


def started(tmp_path: Path, *arguments: object, **changes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(FAKE, "score", *arguments), cwd=tmp_path, env=environment(**changes), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def wait_for(program: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    while not condition():
        assert program.poll() is None, program.communicate()
        time.sleep(0.02)


def chunks_done(tmp_path: Path, output: str) -> int:
    """Chunks that a run has finished; -1 before it has begun."""
    work = tmp_path / f"{output}.partial"
    return len(list(work.glob("chunk-*"))) if (work / "settings.json").exists() else -1


def killed(
    tmp_path: Path, cases: Path, output: str, after_chunks: int, by: signal.Signals
) -> Scored:
    # Slow enough that a busy machine does not finish before it is killed.
    program = started(tmp_path, cases, "-o", output, "--jobs", 2, FAKE_SECONDS="0.05")
    wait_for(program, lambda: chunks_done(tmp_path, output) >= after_chunks)
    os.kill(program.pid, by)
    out, err = program.communicate(timeout=60)
    return Scored(program.args, program.returncode, out, err)


@pytest.mark.parametrize("after_chunks", [0, 4])
def test_a_killed_run_resumes_to_the_same_result(after_chunks: int, tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", [f"slow-{n}" for n in range(80)] + ["fail-1"])
    whole = score(tmp_path, cases, "-o", "whole.jsonl", FAKE_SECONDS="0")
    assert whole.returncode == 1
    killed(tmp_path, cases, "cut.jsonl", after_chunks, signal.SIGKILL)
    assert not (tmp_path / "cut.jsonl").exists()
    kept = chunks_done(tmp_path, "cut.jsonl")
    cut_short = tmp_path / "cut.jsonl.partial" / "chunk-00000900.jsonl"
    cut_short.write_bytes(b'{"chunk": 900, "answ')
    done = score(tmp_path, cases, "-o", "cut.jsonl", "--resume", FAKE_SECONDS="0")
    assert done.returncode == 1
    assert kept >= after_chunks
    assert scored(tmp_path / "cut.jsonl") == scored(tmp_path / "whole.jsonl")
    errors = "jsonl.errors.jsonl"
    assert lines(tmp_path / f"cut.{errors}") == lines(tmp_path / f"whole.{errors}")
    assert done.stdout.splitlines()[:-1] == whole.stdout.splitlines()[:-1]
    assert not (tmp_path / "cut.jsonl.partial").exists()


@pytest.mark.slow
def test_resume_does_not_score_again_what_is_done(tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", [f"slow-{n}" for n in range(80)])
    killed(tmp_path, cases, "cut.jsonl", 5, signal.SIGKILL)
    # What is done is not asked for again: now every letter that is asked for fails.
    done = score(tmp_path, cases, "-o", "cut.jsonl", "--resume", FAKE_SECONDS="no number")
    read = len({row["letter_id"] for row in scored(tmp_path / "cut.jsonl")})
    failed = len(lines(tmp_path / "cut.jsonl.errors.jsonl"))
    assert done.returncode == 1
    assert read >= 50
    assert read + failed == 80


@pytest.mark.slow
def test_a_file_that_changed_since_is_scored_again(tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", [f"slow-{n}" for n in range(80)])
    killed(tmp_path, cases, "cut.jsonl", 3, signal.SIGKILL)
    ids = [f"new-{n}" for n in range(80)]
    write_records(cases, ids)
    assert score(tmp_path, cases, "-o", "cut.jsonl", "--resume").returncode == 0
    assert [row["letter_id"] for row in scored(tmp_path / "cut.jsonl")][::2] == ids


@pytest.mark.slow
def test_interrupting_says_how_to_go_on(tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", [f"slow-{n}" for n in range(80)])
    done = killed(tmp_path, cases, "cut.jsonl", 2, signal.SIGINT)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "imr: interrupted: cut.jsonl not written (the same command with --resume continues)"
    ]
    assert score(tmp_path, cases, "-o", "cut.jsonl", "--resume").returncode == 0
    assert len(scored(tmp_path / "cut.jsonl")) == 160


@pytest.mark.slow
def test_resume_with_another_model_or_other_options_is_refused(tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", [f"slow-{n}" for n in range(80)])
    killed(tmp_path, cases, "cut.jsonl", 1, signal.SIGKILL)
    for arguments, changes, name in (
        (("--resume",), {"FAKE_MODEL": "models:/imr/8#sha256=1"}, "model"),
        (("--resume", "--no-reasons"), {}, "reasons"),
        (("--resume", "--report", "r.html"), {}, "detail"),
    ):
        done = score(tmp_path, cases, "-o", "cut.jsonl", *arguments, **changes)
        assert done.returncode == 2
        assert f"cannot resume: {name} was" in done.stderr
    assert score(tmp_path, cases, "-o", "cut.jsonl").returncode == 0  # without it: begun anew


@pytest.mark.slow
def test_two_runs_on_one_output_refuse_each_other(tmp_path: Path) -> None:
    ids = [f"{'L' if n < 300 else 'wait'}-{n}" for n in range(304)]
    cases = write_records(tmp_path / "cases.jsonl", ids)
    first = started(tmp_path, cases, "-o", "s.jsonl", FAKE_UNTIL=str(tmp_path / "go"))
    wait_for(first, lambda: chunks_done(tmp_path, "s.jsonl") > 0)
    second = score(tmp_path, cases, "-o", "s.jsonl")
    (tmp_path / "go").touch()
    first.communicate(timeout=60)
    assert (second.returncode, "another run is writing it" in second.stderr) == (2, True)
    assert first.returncode == 0
    assert len(scored(tmp_path / "s.jsonl")) == 608


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1_000, 100_000])
def test_a_full_disk_is_told_and_the_earlier_file_stays(limit: int, tmp_path: Path) -> None:
    """The limit on file sizes stands for a full disk: in the journal, or in the table."""
    cases = write_records(tmp_path / "cases.jsonl", [f"L{n}" for n in range(90)])
    (tmp_path / "s.jsonl").write_text("earlier\n")
    done = subprocess.run(
        command(FAKE, "score", cases, "-o", "s.jsonl"), cwd=tmp_path, env=environment(),
        capture_output=True, text=True, check=False, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "cannot write: file too large" in line
    assert "earlier file of this name is unchanged" in line
    assert (tmp_path / "s.jsonl").read_text() == "earlier\n"
    assert score(tmp_path, cases, "-o", "s.jsonl", "--resume").returncode == 0
    assert len(scored(tmp_path / "s.jsonl")) == 180


@pytest.mark.slow
def test_what_the_work_folder_holds_is_for_its_owner_only(tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", [f"slow-{n}" for n in range(80)])
    killed(tmp_path, cases, "cut.jsonl", 1, signal.SIGKILL)
    folder = tmp_path / "cut.jsonl.partial"
    assert folder.stat().st_mode & 0o077 == 0
    for path in folder.glob("chunk-*"):
        assert path.stat().st_mode & 0o077 == 0
    assert score(tmp_path, cases, "-o", "cut.jsonl", "--resume").returncode == 0
    assert (tmp_path / "cut.jsonl").stat().st_mode & 0o044 == 0o044 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
