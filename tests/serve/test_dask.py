"""The same scores from a Dask cluster of real processes, also when a worker is killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.programs import FAKE, command, environment, lines, run, write_records
from tests.serve.test_score import journal_lines, scored


class Cluster:
    """A scheduler and two workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self.folder = folder
        self.processes = [self._start("dask_scheduler", "--port", "0", "--no-dashboard")]
        while not self.file.exists() or not self.file.read_text():
            time.sleep(0.05)
        self.address = json.loads(self.file.read_text())["address"]
        for _ in range(2):
            self.add_worker()

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{program}", *arguments,
             "--scheduler-file", str(self.file)],
            cwd=self.folder, env=environment(FAKE_SECONDS="0.02"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def add_worker(self) -> None:
        self.processes.append(
            self._start("dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard")
        )

    def kill_a_worker(self) -> None:
        worker = self.processes.pop()
        worker.kill()
        worker.wait()

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "cluster").mkdir()
    made = Cluster(tmp_path / "cluster")
    try:
        yield made
    finally:
        made.stop()


def test_a_cluster_gives_the_rows_of_one_machine_though_a_worker_is_killed(
    cluster: Cluster, tmp_path: Path
) -> None:
    ids = [f"slow-{n}" for n in range(120)] + ["fail-1"]
    cases = write_records(tmp_path / "cases.jsonl", ids)
    local = run(FAKE, "score", cases, "-o", "local.jsonl", cwd=tmp_path, FAKE_SECONDS="0")
    assert local.returncode == 1
    arguments = ("--engine", "dask", "--scheduler", cluster.address)
    program = subprocess.Popen(
        command(FAKE, "score", cases, "-o", "dask.jsonl", *arguments), cwd=tmp_path,
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while journal_lines(tmp_path, "dask.jsonl") < 1:
        assert program.poll() is None, program.communicate()
        time.sleep(0.02)
    cluster.kill_a_worker()
    out, err = program.communicate(timeout=100)
    assert program.returncode == 1, err
    assert scored(tmp_path / "dask.jsonl") == scored(tmp_path / "local.jsonl")
    assert lines(tmp_path / "dask.jsonl.errors.jsonl") == lines(
        tmp_path / "local.jsonl.errors.jsonl"
    )
    assert out.splitlines()[:-1] == local.stdout.splitlines()[:-1]


def test_no_scheduler_is_told(tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", ["A"])
    arguments = ("--engine", "dask", "--scheduler", "tcp://127.0.0.1:9")
    done = run(FAKE, "score", cases, "-o", "s.jsonl", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "no Dask scheduler answers" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
