"""Where chunks run: on processes of this machine, or on a Dask cluster.

Both take the same function for a chunk and give the same answers.  On a cluster each worker
process must see the letters under the same paths; use one thread a worker (PDFium is not
thread-safe: more threads take turns).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Literal, Protocol, cast

from serve.letters import Chunk, Failure, task_name
from serve.pool import Answer, Pool, Setup, Work, failure_answer
from serve.refusal import Refused

EngineName = Literal["local", "dask"]

IN_FLIGHT_PER_THREAD = 3
RETRIES = 2


class Engine(Protocol):
    """Runs chunks and gives each with its answer, as they finish."""

    def run(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Answer]]:
        """Each chunk once, with one answer a task."""


def make_engine(name: EngineName, setup: Setup, jobs: int, scheduler: str | None) -> Engine:
    """The engine a user asked for; ``scheduler`` is the address of a Dask scheduler."""
    if name == "dask":
        return DaskEngine(setup, jobs, scheduler)
    return Pool(setup, jobs)


class DaskEngine:
    """Chunks as Dask tasks: a lost worker's chunks run again on another one."""

    def __init__(self, setup: Setup, jobs: int, scheduler: str | None) -> None:
        self._setup, self._jobs, self._scheduler = setup, jobs, scheduler

    def run(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Answer]]:
        """Each chunk once; without a scheduler's address on a cluster started here."""
        import distributed

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
                    return
                future = next(done)
                chunk = running.pop(future.key)
                yield chunk, self._answer(client, future, chunk)

    def _client(self) -> Any:
        from distributed import Client

        client: Any = Client
        if self._scheduler is None:
            return client(n_workers=self._jobs, threads_per_worker=1, dashboard_address=None)
        try:
            return client(self._scheduler, timeout=5)
        except (OSError, ValueError) as error:
            problem = f"{self._scheduler}: no Dask scheduler answers ({type(error).__name__})"
            raise Refused(problem, "check the address, for example tcp://host:8786") from None

    def _submit(self, client: Any, chunk: Chunk) -> Any:
        return client.submit(run_chunk, self._setup, chunk, pure=False, retries=RETRIES)

    def _answer(self, client: Any, future: Any, chunk: Chunk) -> Answer:
        """The chunk's answer; one that kills its workers is taken apart, letter by letter."""
        from distributed import KilledWorker

        try:
            answer: Answer = future.result()
            return answer
        except KilledWorker:
            return [self._alone(client, Chunk(chunk.index, (task,))) for task in chunk.tasks]

    def _alone(self, client: Any, chunk: Chunk) -> dict[str, Any]:
        from distributed import KilledWorker

        try:
            answer: Answer = self._submit(client, chunk).result()
            return answer[0]
        except KilledWorker:
            source = task_name(chunk.tasks[0])
            message = "the process that read it crashed"
            return failure_answer(Failure(source, "crashed", message, "check the file by hand"))


_ONE_AT_A_TIME = threading.Lock()


def run_chunk(setup: Setup, chunk: Chunk) -> Answer:
    """The Dask task: set up once a worker process, one chunk at a time."""
    with _ONE_AT_A_TIME:
        return _work(cast("Any", setup))(chunk)


@lru_cache(maxsize=1)
def _work(setup: Any) -> Work:
    work: Work = setup()
    return work
