"""No process outlives its command, however that ends and whatever its letters do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.serve.programs import FAKE, REAL, command, environment, record

PATIENCE_SECONDS = 60
"""Long beside the moment that it takes, short beside the hour that the letters take."""


def family(root: int) -> set[int]:
    """A process and all below it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [root]
    for pid in found:
        found += parents.get(pid, [])
    return set(found)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids: set[int]) -> set[int]:
    end = time.monotonic() + PATIENCE_SECONDS
    while (left := {pid for pid in pids if alive(pid)}) and time.monotonic() < end:
        time.sleep(0.05)
    return left


ENDINGS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGKILL")
DASK = ("score", "cases.jsonl", "-o", "s.jsonl", "--engine", "dask")
ANEW = "imr: interrupted: the run is not logged (the same command continues it)"
RESUME = "imr: interrupted: s.jsonl not written (the same command with --resume continues)"


def heeds_ctrl_c() -> None:
    """A shell that starts the tests in the background has them, and their programs, ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def two_workers(root: int) -> bool:
    """Whether a program has begun two processes that are no forks."""
    lines = []
    for pid in family(root):
        with contextlib.suppress(OSError):
            lines.append(Path(f"/proc/{pid}/cmdline").read_bytes())
    return sum(b"spawn_main" in line for line in lines) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("by", ENDINGS)
@pytest.mark.parametrize(
    ("module", "arguments", "starting", "said"),
    [
        (REAL, ("train",), True, ANEW),
        (REAL, ("evaluate",), True, ANEW),
        (FAKE, ("explain", "cases.jsonl"), False, "imr: interrupted"),
        (FAKE, DASK, True, RESUME),
        (FAKE, DASK, False, RESUME),
    ],
    ids=["train", "evaluate", "explain", "cluster starting", "cluster reading"],
)
def test_a_whole_command_leaves_nothing_running(
    module: str, arguments: tuple[str, ...], starting: bool, said: str, by: str, tmp_path: Path
) -> None:
    """Its processes are just beginning (``starting``), or a letter is being read."""
    (tmp_path / "cases.jsonl").write_text(json.dumps(record("wait-0")) + "\n")
    program = subprocess.Popen(
        command(module, *arguments), cwd=tmp_path, preexec_fn=heeds_ctrl_c,
        env=environment(FAKE_UNTIL=str(tmp_path / "never"), FAKE_BEGUN=str(tmp_path / "begun")),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (two_workers(program.pid) if starting else (tmp_path / "begun").exists()):
        assert program.poll() is None, program.communicate()
        time.sleep(0.05)
    pids = family(program.pid)
    assert len(pids) >= 2
    os.kill(program.pid, getattr(signal, by))
    _, err = program.communicate(timeout=PATIENCE_SECONDS)
    assert wait_until_gone(pids) == set()
    if by != "SIGKILL":
        assert program.returncode == 2
        assert [line for line in err.splitlines() if line.startswith("imr: int")] == [said]
        assert "Traceback" not in err
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize("letters", [1, 24])
@pytest.mark.parametrize("by", ENDINGS)
def test_nothing_is_left_running(by: str, letters: int, tmp_path: Path) -> None:
    """With a process for one letter, and with several behind a fork server."""
    made = [json.dumps(record(f"wait-{n}")) + "\n" for n in range(letters)]
    (tmp_path / "cases.jsonl").write_text("".join(made))
    # A letter that says that it is being read, and then takes an hour of sleep.
    program = subprocess.Popen(
        command(FAKE, "score", "cases.jsonl", "-o", "s.jsonl", "--jobs", 2), cwd=tmp_path,
        env=environment(FAKE_UNTIL=str(tmp_path / "never"), FAKE_BEGUN=str(tmp_path / "begun")),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=heeds_ctrl_c,
    )  # fmt: skip
    while not (tmp_path / "begun").exists():
        assert program.poll() is None, program.communicate()
        time.sleep(0.02)
    pids = family(program.pid)
    assert len(pids) >= 2
    os.kill(program.pid, getattr(signal, by))
    _, err = program.communicate(timeout=PATIENCE_SECONDS)
    assert wait_until_gone(pids) == set()
    if by != "SIGKILL":
        assert program.returncode == 2
        assert err.splitlines() == [RESUME]
