"""Work in processes: in order, once shared, and nothing that outlives the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imr.training import workers
from imr.training.workers import Progress, WorkerDiedError, each

PATIENCE_SECONDS = 60

# A command whose two workers would go on for ten minutes; it writes their process ids to a folder.
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from imr.training.workers import each

def work(folder, number):
    Path(folder, str(os.getpid())).touch()
    time.sleep(600)

if __name__ == "__main__":
    # A shell that starts the tests in the background has them, and this, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    each(work, sys.argv[1], [(n,) for n in range(4)], 2, "folds")
"""


def _add(shared: int, number: int) -> int:
    return shared + number


def _refuse(_shared: int, number: int) -> int:
    if number == 1:
        raise ValueError("one is refused")
    return number


def _die(_shared: int, number: int) -> int:
    if number == 1:
        os._exit(3)
    return number


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_tasks(jobs):
    assert each(_add, 10, [(n,) for n in range(5)], jobs) == [10, 11, 12, 13, 14]


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_task_raises_is_raised(jobs):
    with pytest.raises(ValueError, match="one is refused"):
        each(_refuse, 0, [(n,) for n in range(3)], jobs)


def test_a_worker_that_dies_is_an_error_not_a_wait():
    with pytest.raises(WorkerDiedError, match="a process of folds was ended"):
        each(_die, 0, [(n,) for n in range(3)], 2, "folds")


def _until(condition) -> bool:
    """Whether it came true; the bound is for a machine under load, not for the code."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"])
def test_no_worker_outlives_its_command(name, tmp_path):
    folder = tmp_path / "workers"
    folder.mkdir()
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = subprocess.Popen(
        [sys.executable, str(program), str(folder)], stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert _until(lambda: len(list(folder.iterdir())) == 2)
    pids = [path.name for path in folder.iterdir()]
    assert all(map(_runs, pids))
    command.send_signal(getattr(signal, name))
    status = command.wait(timeout=PATIENCE_SECONDS)
    command.stderr.close()
    assert status != 0
    assert _until(lambda: not any(map(_runs, pids)))


def test_in_a_pipe_a_line_a_minute_says_how_far_the_work_is(capsys, monkeypatch):
    clock = iter([0.0, 30.0, 65.0, 90.0, 130.0])
    monkeypatch.setattr(workers.time, "monotonic", lambda: next(clock))
    progress = Progress("folds", 4)
    for _ in range(4):
        progress.counted(None)
    assert capsys.readouterr().err.splitlines() == [
        "imr: folds: 2 of 4 done, 65 s left",
        "imr: folds: 4 of 4 done, 0 s left",
    ]


def test_the_bar_of_a_terminal_is_plain_characters():
    progress = Progress("folds", 4)
    progress.done = 1
    bar = progress.bar(progress.started + 120)
    assert bar == "[######------------------] folds: 1 of 4 done, 6 min left"
    assert bar.isascii()
