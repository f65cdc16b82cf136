"""The same scores from a Dask cluster of real processes, whatever letters and workers do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from distributed import Client

from tests.hostile.files import form_calls_itself
from tests.serve.programs import FAKE, REAL, command, environment, lines, run, write_records
from tests.serve.test_score import chunks_done, scored

pytestmark = pytest.mark.slow


class Cluster:
    """A scheduler and two workers, each a process of its own.

    With ``nanny`` the second is started again by a nanny when it dies, as `dask worker` does.
    """

    def __init__(self, folder: Path, nanny: bool = False) -> None:
        self.file = folder / "scheduler.json"
        self.folder = folder
        self.processes = [self._start("dask_scheduler", "--port", "0", "--no-dashboard")]
        while not self.file.exists() or not self.file.read_text():
            time.sleep(0.05)
        self.address = json.loads(self.file.read_text())["address"]
        self.add_worker()
        self.add_worker("--nanny" if nanny else "--no-nanny")

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{program}", *arguments,
             "--scheduler-file", str(self.file)],
            cwd=self.folder, env=environment(FAKE_SECONDS="0.02"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def add_worker(self, nanny: str = "--no-nanny") -> None:
        self.processes.append(
            self._start("dask_worker", "--nthreads", "1", nanny, "--no-dashboard")
        )

    def workers(self) -> dict[str, Any]:
        """Addresses and states of the workers."""
        with Client(self.address) as client:  # type: ignore[no-untyped-call]
            client.wait_for_workers(2)
            return dict(client.run(state))

    def kill_a_worker(self) -> None:
        worker = self.processes.pop()
        worker.kill()
        worker.wait()

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()  # a nanny must have the time to end its worker
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def state() -> tuple[int, int]:
    """In a worker: its process, and how many processes it keeps for letters."""
    from imr.serve.workers import _WORKERS

    return os.getpid(), len(_WORKERS)


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
    while chunks_done(tmp_path, "dask.jsonl") < 1:
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


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for letters that do no harm to it."""
    made = Cluster(tmp_path_factory.mktemp("cluster"), nanny=True)
    try:
        yield made
    finally:
        made.stop()


BAD = {"crash-1": "crashed", "hang-1": "too_slow", "memory-1": "internal", "fail-1": "internal"}


def test_bad_letters_cost_no_worker_and_no_other_letter(shared: Cluster, tmp_path: Path) -> None:
    """The bounds of the local pool hold: a crash, a letter without end, one for all memory."""
    ids = [f"L{n}" for n in range(20)] + [*BAD] + [f"M{n}" for n in range(20)]
    cases = write_records(tmp_path / "cases.jsonl", ids)
    before = shared.workers()
    dask = ("--engine", "dask", "--scheduler", shared.address)
    for output, options in (("local.jsonl", ()), ("dask.jsonl", dask)):
        done = run(FAKE, "score", cases, "-o", output, *options, cwd=tmp_path, FAKE_LIMIT="5")
        assert done.returncode == 1, done.stderr
    assert scored(tmp_path / "dask.jsonl") == scored(tmp_path / "local.jsonl")
    errors = lines(tmp_path / "dask.jsonl.errors.jsonl")
    assert errors == lines(tmp_path / "local.jsonl.errors.jsonl")
    assert [error["reason"] for error in errors] == [*BAD.values()]
    assert "took more than 5 seconds" in errors[1]["message"]
    # The same worker processes, and none kept for a run that is over.
    assert shared.workers() == before
    assert {kept for _, kept in before.values()} == {0}


@pytest.mark.slow
def test_a_pdf_that_ends_its_process_is_named(shared: Cluster, tmp_path: Path) -> None:
    """A form that calls itself: PDFium takes all memory it may have and aborts."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a_bomb.pdf").write_bytes(form_calls_itself())
    write_records(folder / "cases.jsonl", ["A", "B"])
    arguments = ("--engine", "dask", "--scheduler", shared.address)
    before = shared.workers()
    done = run(FAKE, "score", "in", "-o", "s.jsonl", *arguments, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert [row["letter_id"] for row in scored(tmp_path / "s.jsonl")] == ["A", "A", "B", "B"]
    [error] = lines(tmp_path / "s.jsonl.errors.jsonl")
    assert error["source"] == "in/a_bomb.pdf"
    assert error["reason"] in ("crashed", "too_large")
    assert shared.workers() == before


def test_parts_and_stores_from_a_cluster(shared: Cluster, tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", [f"L{n}" for n in range(30)])
    assert run(FAKE, "score", cases, "-o", "one.parquet", "-j", 1, cwd=tmp_path).returncode == 0
    out = f"disk://{tmp_path}/parts"
    dask = ("--engine", "dask", "--scheduler", shared.address, "--partitions", 3)
    done = run(FAKE, "score", f"disk://{cases}", "-o", out, *dask, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "parts").iterdir())) == 3
    one, parts = (pq.read_table(tmp_path / name) for name in ("one.parquet", "parts"))
    assert parts.drop_columns(["scored_at"]).equals(one.drop_columns(["scored_at"]))


def test_a_model_that_cannot_be_loaded_is_one_line(shared: Cluster, tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", ["A"])
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_text(json.dumps({"digest": "0", "about": {}}))
    arguments = ("--engine", "dask", "--scheduler", shared.address, "--model", "model")
    done = run(REAL, "score", cases, "-o", "s.jsonl", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_no_scheduler_is_told(tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", ["A"])
    arguments = ("--engine", "dask", "--scheduler", "tcp://127.0.0.1:9")
    done = run(FAKE, "score", cases, "-o", "s.jsonl", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "no Dask scheduler answers" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
