"""`imr score` on a real object store: where IMR_STORE names a folder of one (``s3://bucket/tests``).

The protocol's package (s3fs, gcsfs, adlfs) and its credentials are the environment's.  A local
server will do: ``moto_server -p 5099`` with ``FSSPEC_S3_ENDPOINT_URL=http://127.0.0.1:5099``.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.serve.programs import FAKE, command, environment, run, write_records

pytestmark = pytest.mark.slow


class Folder:
    """A folder on the store, and what is in it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.store, self.path = fsspec.core.url_to_fs(url)

    def names(self) -> list[str]:
        self.store.invalidate_cache()
        return [name.rpartition(f"{self.path}/")[2] for name in self.store.find(self.path)]

    def table(self, prefix: str) -> pa.Table:
        found = sorted(name for name in self.names() if name.startswith(prefix))
        held = [io.BytesIO(self.store.cat_file(f"{self.path}/{name}")) for name in found]
        return pa.concat_tables([pq.read_table(one) for one in held]).drop_columns(["scored_at"])


@pytest.fixture
def folder() -> Iterator[Folder]:
    named = os.environ.get("IMR_STORE")
    if not named:
        pytest.skip("no object store: set IMR_STORE to a folder on one")
    made = Folder(f"{named.rstrip('/')}/{uuid.uuid4().hex}")
    try:
        yield made
    finally:
        made.store.rm(made.path, recursive=True)


def test_letters_and_results_on_the_store(folder: Folder, samples: Path, tmp_path: Path) -> None:
    for path in samples.glob("*.*"):
        folder.store.put_file(str(path), f"{folder.path}/in/{path.name}")
    local = run(FAKE, "score", samples, "-o", "s.parquet", cwd=tmp_path)
    for output, options in (
        ("s.parquet", ("--report", f"{folder.url}/r.html")),
        ("parts/", ("--partitions", 3)),
        ("dask.parquet", ("--engine", "dask", "--jobs", 2)),
    ):
        place = f"{folder.url}/{output}"
        done = run(FAKE, "score", f"{folder.url}/in", "-o", place, *options, cwd=tmp_path)
        assert done.returncode == local.returncode == 0, done.stderr
        assert done.stdout.splitlines()[:-1] == local.stdout.splitlines()[:-1]
    expected = pq.read_table(tmp_path / "s.parquet").drop_columns(["scored_at"])
    for prefix in ("s.parquet", "parts/", "dask.parquet"):
        assert folder.table(prefix).equals(expected)
    assert {name for name in folder.names() if not name.startswith("in/")} == {
        "s.parquet", "r.html", "dask.parquet", *(f"parts/part-0000{n}.parquet" for n in range(3)),
    }  # fmt: skip


def test_killed_and_resumed_on_the_store(folder: Folder, tmp_path: Path) -> None:
    cases = write_records(tmp_path / "cases.jsonl", [f"slow-{n}" for n in range(100)])
    folder.store.put_file(str(cases), f"{folder.path}/in/cases.jsonl")
    arguments = ("score", f"{folder.url}/in", "-o", f"{folder.url}/s.parquet", "--jobs", 2)
    program = subprocess.Popen(
        command(FAKE, *arguments), cwd=tmp_path, env=environment(FAKE_SECONDS="0.05"),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    while not any("chunk-" in name for name in folder.names()):
        assert program.poll() is None, program.communicate()
        time.sleep(0.1)
    os.kill(program.pid, signal.SIGKILL)
    program.communicate()
    assert "s.parquet" not in folder.names()
    done = run(FAKE, *arguments, "--resume", cwd=tmp_path, FAKE_SECONDS="0")
    assert done.returncode == 0, done.stderr
    ids = folder.table("s.parquet")["letter_id"].to_pylist()
    assert ids == [f"slow-{n}" for n in range(100) for _ in (0, 1)]
    assert sorted(folder.names()) == ["in/cases.jsonl", "s.parquet"]
