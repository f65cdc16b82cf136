"""Chunks on a Dask cluster, with the answers that the processes of one machine give.

Each worker of the cluster must see the letters under the same paths or URLs, and the model's
folder.  A thread of a Dask worker does not read letters itself: it has a process for it, as the
local pool has, with the same bounds on time and memory, so that a letter that crashes, hangs or
wants all memory costs no Dask worker.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from imr.serve import workers
from imr.serve.letters import Chunk, Failure, task_name
from imr.serve.messages import Refused
from imr.serve.workers import Answer, Pool, Setup, Work, failure_answer

IN_FLIGHT_PER_THREAD = 3
RETRIES = 2


class Cluster:
    """Chunks as Dask tasks: a lost worker's chunks run again on another one.

    Without a ``scheduler``'s address the cluster is started here, with ``jobs`` workers.
    """

    def __init__(self, jobs: int, scheduler: str | None) -> None:
        self._jobs, self._scheduler = jobs, scheduler
        self._run, self._seconds = uuid.uuid4().hex, workers.LETTER_SECONDS

    def run(self, setup: Setup, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Answer]]:
        """Each chunk once, with one answer a task, as they finish."""
        import distributed

        self._setup = InFolder(os.getcwd(), setup)
        with self._client() as client:
            room = IN_FLIGHT_PER_THREAD * max(1, sum(client.nthreads().values()))
            source = iter(chunks)
            running: dict[Any, Chunk] = {}
            done: Any = distributed.as_completed()  # type: ignore[no-untyped-call]
            while True:
                while len(running) < room and (chunk := next(source, None)) is not None:
                    future = self._submit(client, chunk)
                    running[future.key] = chunk
                    done.add(future)
                if not running:
                    client.run(let_go, self._run, on_error="ignore")
                    return
                future = next(done)
                chunk = running.pop(future.key)
                yield chunk, self._answer(client, future, chunk)

    def _client(self) -> Any:
        from distributed import Client

        client: Any = Client
        if self._scheduler is None:
            # Any free port, or a second run on this machine would be told that 8787 is taken.
            quiet = {"dashboard_address": ":0", "scheduler_kwargs": {"dashboard": False}}
            try:
                return client(n_workers=self._jobs, threads_per_worker=1, **quiet)
            except KeyboardInterrupt:
                from distributed.deploy.spec import close_clusters

                # Half begun it cannot be closed, and its processes end with this one.
                atexit.unregister(close_clusters)
                raise
        try:
            return client(self._scheduler, timeout=5)
        except (OSError, ValueError) as error:
            problem = f"{self._scheduler}: no Dask scheduler answers ({type(error).__name__})"
            raise Refused(problem, "check the address, for example tcp://host:8786") from None

    def _submit(self, client: Any, chunk: Chunk) -> Any:
        return client.submit(
            run_chunk, self._run, self._setup, self._seconds, chunk, pure=False, retries=RETRIES
        )

    def _answer(self, client: Any, future: Any, chunk: Chunk) -> Answer:
        """The chunk's answer; one that kills its workers is taken apart, letter by letter."""
        from distributed import KilledWorker

        try:
            return _answered(future.result())
        except KilledWorker:
            return [self._alone(client, Chunk(chunk.index, (task,))) for task in chunk.tasks]

    def _alone(self, client: Any, chunk: Chunk) -> dict[str, Any]:
        from distributed import KilledWorker

        try:
            return _answered(self._submit(client, chunk).result())[0]
        except KilledWorker:
            source = task_name(chunk.tasks[0])
            message = "the process that read it crashed"
            return failure_answer(Failure(source, "crashed", message, "check the file by hand"))


def _answered(result: Answer | Refused) -> Answer:
    if isinstance(result, Refused):
        raise result
    return result


# --- in a Dask worker --------------------------------------------------------------------------

_POOLS: dict[int, tuple[str, Pool]] = {}
"""By thread: the run it works for, and its process."""


@dataclass(frozen=True, slots=True)
class InFolder:
    """A set-up in the user's folder, where relative paths lead to the letters and the model."""

    folder: str
    setup: Setup

    def __call__(self) -> Work:
        """Go there, if this machine has it, and set up; the process is for nothing else."""
        with contextlib.suppress(OSError):
            os.chdir(self.folder)
        return self.setup()


def run_chunk(run: str, setup: Setup, letter_seconds: float, chunk: Chunk) -> Answer | Refused:
    """The Dask task: the chunk in a process that this thread keeps for the run."""
    thread = threading.get_ident()
    if _POOLS.get(thread, ("",))[0] != run:
        _end_pool(thread)
        _POOLS[thread] = run, Pool(1, letter_seconds, keep=True)
    try:
        [(_, answer)] = _POOLS[thread][1].run(setup, [chunk])
    except Refused as refusal:  # as a value: another try would be refused as well
        _end_pool(thread)
        return refusal
    return answer


def let_go(run: str) -> None:
    """End the processes of a run, all of whose chunks are done."""
    for thread, (theirs, _) in list(_POOLS.items()):
        if theirs == run:
            _end_pool(thread)


def _end_pool(thread: int) -> None:
    _, pool = _POOLS.pop(thread, ("", None))
    if pool is not None:
        pool.stop()
