"""The same rows from one process, two and a Dask cluster, also where a worker is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.scale.conftest import LETTERS
from tests.serve.programs import REAL, command, environment

pytestmark = pytest.mark.slow
NOT_READ = 2


def score(letters: Path, model: Path, out: Path, *options: object) -> pa.Table:
    """The table that `imr score` writes, without the time of the run."""
    arguments = ("score", letters, "-o", out, "--model", model, *options)
    done = subprocess.run(
        command(REAL, *arguments), cwd=out.parent, env=environment(), capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == NOT_READ, done.stderr
    assert f"{LETTERS} letters" in done.stdout
    return pq.read_table(out).drop_columns(["scored_at"])


@pytest.fixture(scope="module")
def alone(letters: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """What one process writes."""
    out = tmp_path_factory.mktemp("alone") / "scores.parquet"
    return score(letters, model, out, "--jobs", 1)


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    """A Dask scheduler as a program of its own; gives its address."""
    log = folder / "scheduler.log"
    with log.open("wb") as said:
        line = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
                "--no-dashboard"]  # fmt: skip
        process = subprocess.Popen([sys.executable, "-m", *line], stdout=said, stderr=said)
        try:
            yield _address(log, process)
        finally:
            process.terminate()
            process.wait(20)


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    for _ in range(300):
        if found := re.search(r"Scheduler at:\s+(tcp://\S+)", log.read_text()):
            return found[1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"no address: {log.read_text()}")


@contextmanager
def worker(address: str, folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Dask worker without a nanny, so that nothing starts it again when it is killed."""
    with (folder / f"{name}.log").open("wb") as said:
        line = ["distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny",
                "--no-dashboard", "--name", name]  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", *line], cwd=folder, env=environment(), stdout=said, stderr=said
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(20)


def kill_in_mid_run(process: subprocess.Popen[bytes], work: Path, killed: threading.Event) -> None:
    """End a worker as a lost machine would, as soon as the first chunks are done."""
    for _ in range(3000):
        if any(work.glob("chunk-*")):
            os.kill(process.pid, signal.SIGKILL)
            killed.set()
            return
        time.sleep(0.02)


def test_parts_hold_the_same_rows_from_one_process_two_and_a_cluster(
    alone: pa.Table, letters: Path, model: Path, tmp_path: Path
) -> None:
    for name, options in (
        ("one", ("--jobs", 1)),
        ("two", ("--jobs", 2)),
        ("cluster", ("--engine", "dask", "--jobs", 2)),
    ):
        table = score(letters, model, tmp_path / name, "--partitions", 3, *options)
        assert len(list((tmp_path / name).iterdir())) == 3
        assert table.equals(alone), name


def test_two_processes_write_the_same_rows(
    alone: pa.Table, letters: Path, model: Path, tmp_path: Path
) -> None:
    assert alone.num_rows > LETTERS
    assert score(letters, model, tmp_path / "scores.parquet", "--jobs", 2).equals(alone)


def test_a_cluster_writes_the_same_rows_though_a_worker_is_killed(
    alone: pa.Table, letters: Path, model: Path, tmp_path: Path
) -> None:
    out, killed = tmp_path / "scores.parquet", threading.Event()
    work = tmp_path / "scores.parquet.partial"
    with (
        scheduler(tmp_path) as address,
        worker(address, tmp_path, "first") as first,
        worker(address, tmp_path, "second") as second,
    ):
        killer = threading.Thread(target=kill_in_mid_run, args=(first, work, killed))
        killer.start()
        table = score(letters, model, out, "--engine", "dask", "--scheduler", address)
        killer.join()
        assert killed.is_set()
        assert first.poll() == -signal.SIGKILL
        assert second.poll() is None
    assert table.equals(alone)


def test_a_cluster_of_its_own_writes_the_same_rows(
    alone: pa.Table, letters: Path, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.parquet"
    assert score(letters, model, out, "--engine", "dask", "--jobs", 2).equals(alone)
