"""Nothing is lost or doubled, and no letter's text is left where it does not belong.

Runs of `imr score` with a predictor of our own (tests/serve/fake.py), so that faults can be
placed: killed at random times, resumed, disturbed by clocks, permissions and names.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.serve.programs import FAKE, REAL, command, environment, lines, record, run

MARK = "xyzzyplugh"
"""A word that stands in every text of the letters below and nowhere else."""


def marked(letter_id: str, **more: Any) -> dict[str, Any]:
    made = record(letter_id, **more)
    made["case_summary"] += f" The {MARK} was seen on the MRI of the lumbar spine."
    made["items"] = [{"title": f"Lumbar support {MARK} {n}"} for n in range(2)]
    return made


def write_cases(path: Path, ids: list[str]) -> Path:
    path.write_text("".join(json.dumps(marked(i)) + "\n" for i in ids))
    return path


def result(folder: Path, output: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows without their time, and the errors."""
    errors = folder / f"{output}.errors.jsonl"
    rows = [{**row, "scored_at": None} for row in lines(folder / output)]
    return rows, lines(errors) if errors.exists() else []


def everything(folder: Path, output: str) -> Counter[str]:
    """How often each letter stands in the result (once a letter) or in the errors."""
    rows, errors = result(folder, output)
    scored = {row["letter_id"] for row in rows}
    assert Counter(row["letter_id"] for row in rows) == dict.fromkeys(scored, 2)
    return Counter(scored) + Counter(error["source"] for error in errors)


IDS = [f"slow-{n}" for n in range(60)] + ["fail-1", "slow-60", "crash-1", "slow-61"]


KILLS = 7


def chunks_done(work: Path) -> list[Path]:
    """The finished chunks in the work folder of a run."""
    return sorted(work.glob("chunk-*"))


def wait_for_more(work: Path, program: subprocess.Popen[bytes]) -> None:
    """Until a further chunk is done, or the program has ended."""
    done = chunks_done(work)
    while program.poll() is None and len(chunks_done(work)) <= len(done):
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_at_random_times_until_it_is_done(tmp_path: Path) -> None:
    """Killed again and again with SIGKILL, resumed each time: equal to an uninterrupted run."""
    cases = write_cases(tmp_path / "cases.jsonl", IDS)
    whole = run(FAKE, "score", cases, "-o", "whole.jsonl", cwd=tmp_path, FAKE_SECONDS="0")
    assert whole.returncode == 1
    chance, kills, finished = random.Random(7), 0, False
    while not finished:
        program = subprocess.Popen(
            command(FAKE, "score", cases, "-o", "cut.jsonl", "--jobs", 2, "--resume"),
            cwd=tmp_path, env=environment(FAKE_SECONDS="0.1"), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if kills % 2:  # while it works; else at any time, also before it does
            wait_for_more(tmp_path / "cut.jsonl.partial", program)
        try:
            patience = chance.uniform(0.1, 2.0) if kills < KILLS else 100
            finished = program.wait(patience) == 1
        except subprocess.TimeoutExpired:
            victims = [program.pid, os.getpgid(program.pid)]
            if chance.random() < 0.5:
                os.kill(victims[0], signal.SIGKILL)
            else:
                os.killpg(victims[1], signal.SIGKILL)  # the workers too
            program.wait()
            kills += 1
    assert kills >= 2
    assert result(tmp_path, "cut.jsonl") == result(tmp_path, "whole.jsonl")
    assert set(everything(tmp_path, "cut.jsonl").values()) == {1}
    assert not (tmp_path / "cut.jsonl.partial").exists()


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_no_letter(tmp_path: Path) -> None:
    """As the system does when memory runs out: a worker is killed, its letters are done again."""
    cases = write_cases(tmp_path / "cases.jsonl", [f"slow-{n}" for n in range(40)])
    program = subprocess.Popen(
        command(FAKE, "score", cases, "-o", "s.jsonl", "--jobs", 2), cwd=tmp_path,
        env=environment(FAKE_SECONDS="0.1"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    work = tmp_path / "s.jsonl.partial"
    for _ in range(600):
        if chunks_done(work):
            break
        time.sleep(0.05)
    victims = workers_of(program.pid)
    assert victims
    os.kill(victims[0], signal.SIGKILL)
    _, err = program.communicate(timeout=120)
    assert program.returncode == 0, err
    assert everything(tmp_path, "s.jsonl") == dict.fromkeys([f"slow-{n}" for n in range(40)], 1)


def workers_of(pid: int) -> list[int]:
    """Processes at the ends of the tree below a process: a fork server stands between."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    below, ends = [pid], []
    while below:
        one = below.pop()
        below += children.get(one, [])
        if one not in children and one != pid:
            ends.append(one)
    return [end for end in ends if "resource_tracker" not in command_line(end)]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@pytest.mark.slow
def test_clocks_do_not_matter(tmp_path: Path) -> None:
    """Files from 1980 and from 2090 are read alike, and so after their time has changed."""
    folder = tmp_path / "in"
    folder.mkdir()
    for n, year in enumerate((1980, 2090)):
        path = write_cases(folder / f"{n}.jsonl", [f"L{n}"])
        moment = (year - 1970) * 365 * 86400
        os.utime(path, (moment, moment))
    assert run(FAKE, "score", "in", "-o", "a.jsonl", cwd=tmp_path).returncode == 0
    os.utime(folder / "0.jsonl", (1, 1))
    assert run(FAKE, "score", "in", "-o", "a.jsonl", "--resume", cwd=tmp_path).returncode == 0
    assert everything(tmp_path, "a.jsonl") == {"L0": 1, "L1": 1}


def test_limits_are_kept_by_a_clock_that_nobody_sets(project: Path) -> None:
    for package in ("data", "serve"):
        for path in (project / package).glob("*.py"):
            assert "time.time()" not in path.read_text(), path.name


@pytest.mark.slow
def test_input_that_may_only_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    path = write_cases(folder / "cases.jsonl", ["L1", "L2"])
    before = path.read_bytes()
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        assert run(FAKE, "score", "in", "-o", "s.jsonl", cwd=tmp_path).returncode == 0
    finally:
        folder.chmod(0o755)
    assert (path.read_bytes(), [p.name for p in folder.iterdir()]) == (before, ["cases.jsonl"])


@pytest.mark.slow
@pytest.mark.parametrize("output", ["/proc/s.jsonl", "/dev/null/s.jsonl", "in", "none/s.jsonl"])
def test_output_that_cannot_be_written_is_refused_before_the_work(
    output: str, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").mkdir()
    cases = write_cases(tmp_path / "cases.jsonl", ["slow-1"])
    target = "in.jsonl" if output == "in" else output
    done = run(FAKE, "score", cases, "-o", target, cwd=tmp_path, FAKE_SECONDS="no number")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "cannot write" in line


@pytest.mark.slow
def test_the_same_letter_in_two_folders_and_twice_on_the_command_line(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_cases(tmp_path / folder / "cases.jsonl", ["L1"])
    done = run(FAKE, "score", "a", "b", "a", "a/cases.jsonl", "-o", "s.jsonl", cwd=tmp_path)
    assert done.returncode == 0
    rows, _ = result(tmp_path, "s.jsonl")
    assert len(rows) == 4  # two letters of two items: what is named twice is one, the other is not
    warned = {w for row in rows for w in row["warnings"]}
    assert any("a/cases.jsonl" in w for w in warned)
    assert any("b/cases.jsonl" in w for w in warned)


# --- where a letter's text may stand -------------------------------------------------------------


def places_of_mark(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and MARK.encode() in path.read_bytes()
    }


def run_in_own_temp(tmp_path: Path, module: str, *arguments: object, **changes: str):  # type: ignore[no-untyped-def]
    (tmp_path / "temp").mkdir(exist_ok=True)
    return run(module, *arguments, cwd=tmp_path, TMPDIR=str(tmp_path / "temp"), **changes)


def test_no_text_in_errors_messages_or_temporary_files(tmp_path: Path) -> None:
    ids = ["A", "fail-1", "crash-1", "memory-1", "B"]
    cases = write_cases(tmp_path / "cases.jsonl", ids)
    with cases.open("a") as file:
        file.write(f'{{"letter_id": "{MARK}", "case_summary": 5\n')  # not JSON
        file.write(json.dumps({"letter_id": "X", f"a {MARK} column": 1, "items": MARK}) + "\n")
    (tmp_path / "table.csv").write_text(f"{MARK},The {MARK} of a baker,x\n1,2,3\n1,2\n")
    (tmp_path / "letter.txt").write_text(f"A text about {MARK} that is no letter.\n" * 20)
    arguments = (cases, "table.csv", "letter.txt", "-o", "s.jsonl", "--report", "r.html")
    done = run_in_own_temp(tmp_path, FAKE, "score", *arguments)
    assert done.returncode == 1
    assert MARK not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    given = {"cases.jsonl", "table.csv", "letter.txt"}
    assert places_of_mark(tmp_path) == given | {"s.jsonl", "r.html"}
    assert [p for p in (tmp_path / "temp").rglob("*") if p.is_file()] == []
    assert len(lines(tmp_path / "s.jsonl.errors.jsonl")) >= 7


@pytest.mark.slow
def test_a_temporary_folder_of_a_long_name(tmp_path: Path) -> None:
    """The sockets of a fork server have no place below it: the work is done without one."""
    long = tmp_path / ("long" * 30)
    long.mkdir()
    cases = write_cases(tmp_path / "cases.jsonl", ["A", "crash-1", "B"])
    done = run(FAKE, "score", cases, "-o", "s.jsonl", cwd=tmp_path, TMPDIR=str(long))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert set(everything(tmp_path, "s.jsonl").values()) == {1}


def test_no_text_in_messages_of_parse_and_features(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text(f"A text about {MARK} that is no letter.\n" * 20)
    cases = write_cases(tmp_path / "cases.jsonl", ["A"])
    for name, output in (("parse", "p.jsonl"), ("features", "f.csv")):
        done = run_in_own_temp(tmp_path, REAL, name, "letter.txt", cases, "-o", output)
        assert done.returncode == 1
        assert MARK not in done.stdout + done.stderr
    assert [p for p in (tmp_path / "temp").rglob("*") if p.is_file()] == []


@pytest.mark.slow
def test_what_a_killed_run_leaves_is_in_its_work_folder_only(tmp_path: Path) -> None:
    cases = write_cases(tmp_path / "cases.jsonl", [f"slow-{n}" for n in range(80)])
    (tmp_path / "temp").mkdir()
    program = subprocess.Popen(
        command(FAKE, "score", cases, "-o", "s.jsonl"), cwd=tmp_path, start_new_session=True,
        env=environment(FAKE_SECONDS="0.05", TMPDIR=str(tmp_path / "temp")),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    work = tmp_path / "s.jsonl.partial"
    for _ in range(600):
        if chunks_done(work):
            break
        time.sleep(0.05)
    os.killpg(program.pid, signal.SIGKILL)
    program.wait()
    left = places_of_mark(tmp_path)
    assert left == {"cases.jsonl", *(f"s.jsonl.partial/{one.name}" for one in chunks_done(work))}
    for path in (work, *chunks_done(work)):
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.slow
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_modes_of_all_files_follow_the_umask(umask: int, tmp_path: Path) -> None:
    cases = write_cases(tmp_path / "cases.jsonl", ["A", "fail-1"])
    done = subprocess.run(
        command(FAKE, "score", cases, "-o", "s.parquet", "--report", "r.html"), cwd=tmp_path,
        env=environment(), capture_output=True, text=True, check=False, timeout=120,
        umask=umask,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    for name in ("s.parquet", "s.parquet.errors.jsonl", "r.html"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o666 & ~umask, name
