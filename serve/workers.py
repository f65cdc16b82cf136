"""Where chunks run: in processes of this machine, or on a Dask cluster.

PDFium is not thread-safe and a hostile PDF can end the process that reads it, so letters are
read in processes.  A chunk whose worker dies or runs over its time is taken apart: its tasks run
again one by one, and the one that does it again is reported as a failure.  Time is that of the
processor (:mod:`imr.serve.processes`): what is slow because the machine is busy is waited for.
Chunks are handed out only when a worker is free, so memory does not grow with the number of
letters.

Each worker of a Dask cluster must see the letters under the same paths or URLs, and the model's
folder.  Its threads keep a process each for the letters, with the same bounds on time and memory,
so that a letter that crashes, hangs or wants all memory costs no Dask worker.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import signal
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing.connection import Connection, wait
from typing import Any

from imr.data.letter import LetterError
from imr.serve.letters import Chunk, Task, task_name
from imr.serve.messages import Refused
from imr.serve.processes import (
    ALONE_SECONDS,
    CRASHED,
    LETTER_SECONDS,
    START_SECONDS,
    Watch,
    begin,
    end,
    limit_memory,
    settle,
)

SECONDS_A_TASK = 0.5

AHEAD = 64
"""Chunks begun after the oldest unfinished one: bounds what waits for its turn in memory."""

_READY = "ready"

Answer = list[dict[str, Any]]
"""One JSON-ready object a task, in the order of the tasks."""

Work = Callable[[Chunk], Answer]

Setup = Callable[[], Work]
"""A picklable recipe: called once in each worker, it loads what the work needs (the model)."""


def default_jobs() -> int:
    """The cores this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def failure_answer(failure: LetterError) -> dict[str, Any]:
    """The answer that says why a task failed."""
    return {"error": dict(vars(failure))}


def _lost(task: Task, reason: str, message: str, remedy: str) -> dict[str, Any]:
    """The answer for a task that took its process with it."""
    return failure_answer(LetterError(task_name(task), reason, message, remedy))


@dataclass(frozen=True, slots=True)
class _Job:
    """What a worker has been given: the tasks at ``places`` of a chunk, all or one of them."""

    chunk: Chunk
    places: range

    @property
    def sent(self) -> Chunk:
        return Chunk(self.chunk.index, tuple(self.chunk.tasks[at] for at in self.places))


@dataclass(slots=True)
class _Worker:
    process: Any
    connection: Connection
    job: _Job | None = None
    watch: Watch | None = None
    ready: bool = False
    has_setup: bool = False


class Pool:
    """Runs chunks on ``jobs`` processes (0: one a core); answers come as they are ready.

    With ``keep`` the processes wait for the next run of the same set-up, until ``stop``.
    """

    def __init__(self, jobs: int, letter_seconds: float | None = None, keep: bool = False) -> None:
        self._jobs, self._keep = jobs or default_jobs(), keep
        self._seconds = letter_seconds or LETTER_SECONDS
        self._workers: list[_Worker] = []
        self._single: deque[_Job] = deque()
        # Of each chunk begun and not finished, by its index, the answers by their places.
        self._answers: dict[int, dict[int, dict[str, Any]]] = {}

    def start(self, prepare: Callable[[], None]) -> None:
        """Begin one worker, which can ``prepare`` itself while the caller is busy otherwise.

        It is the only one that there will be, hence a fork of this process where that is safe.
        """
        self._jobs = 1
        self._begin(prepare)

    def run(self, setup: Setup, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Answer]]:
        """Each chunk with its answer, as they finish.

        Raises:
            Refused: where the setup fails in a worker (no model, a model that does not fit).
        """
        source = iter(chunks)
        first = list(islice(source, 2))
        if len(first) < 2 and not self._keep:
            self._jobs = 1
        source = chain(first, source)
        try:
            self._feed(setup, source)
            while self._busy():
                yield from self._collect()
                self._feed(setup, source)
        except BaseException:
            self.stop()
            raise
        finally:
            if not self._keep:
                self.stop()

    def stop(self) -> None:
        """End the processes."""
        for worker in self._workers:
            _end(worker)
        self._workers.clear()

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.job is not None]

    def _feed(self, setup: Setup, source: Iterator[Chunk]) -> None:
        while len(self._busy()) < self._jobs:
            job = self._next(source)
            if job is None:
                return
            worker = next((w for w in self._workers if w.job is None), None) or self._begin(None)
            worker.job = job
            self._set_time(worker)
            with contextlib.suppress(OSError):  # it died while idle: seen at once by _collect
                if not worker.has_setup:
                    worker.connection.send(setup)
                    worker.has_setup = True
                worker.connection.send(job.sent)

    def _next(self, source: Iterator[Chunk]) -> _Job | None:
        if self._single:
            return self._single.popleft()
        if self._answers and max(self._answers) - min(self._answers) >= AHEAD:
            return None
        chunk = next(source, None)
        if chunk is None:
            return None
        self._answers[chunk.index] = {}
        return _Job(chunk, range(len(chunk.tasks)))

    def _set_time(self, worker: _Worker) -> None:
        assert worker.job is not None
        more = SECONDS_A_TASK * (len(worker.job.places) - 1)
        more += 0 if worker.ready else START_SECONDS
        worker.watch = Watch(worker.process.pid, self._seconds, more)

    def _begin(self, prepare: Callable[[], None] | None) -> _Worker:
        process, ours = begin(_serve, self._jobs == 1, prepare)
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _collect(self) -> Iterator[tuple[Chunk, Answer]]:
        busy = self._busy()
        nearest = min(worker.watch.next_look for worker in busy if worker.watch)
        wait([w.connection for w in busy], max(0.0, nearest - time.monotonic()))
        for worker in busy:
            if worker.connection.poll():
                yield from self._receive(worker)
            elif worker.watch and (fault := worker.watch.over()):
                yield from self._take_apart(worker, "too_slow", *fault)

    def _receive(self, worker: _Worker) -> Iterator[tuple[Chunk, Answer]]:
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError):
            if not worker.ready:
                remedy = "try --jobs 1; the lines above may say why"
                raise Refused("a worker process ended at its start", remedy) from None
            yield from self._take_apart(worker, *CRASHED)
            return
        if isinstance(answer, Refused):
            raise answer
        if answer == _READY:
            worker.ready = True
            self._set_time(worker)
            return
        job, worker.job = worker.job, None
        assert job is not None
        yield from self._finished(job, answer)

    def _take_apart(
        self, worker: _Worker, reason: str, message: str, remedy: str
    ) -> Iterator[tuple[Chunk, Answer]]:
        """Run the tasks of a lost worker one by one; one that ran alone is answered."""
        job = worker.job
        assert job is not None
        self._workers.remove(worker)
        _end(worker)
        if len(job.places) > 1:
            self._single.extend(_Job(job.chunk, range(at, at + 1)) for at in job.places)
        else:
            yield from self._finished(job, [_lost(job.sent.tasks[0], reason, message, remedy)])

    def _finished(self, job: _Job, answer: Answer) -> Iterator[tuple[Chunk, Answer]]:
        """The chunk's answer, where this was the last part of it."""
        found = self._answers[job.chunk.index]
        found.update(zip(job.places, answer, strict=True))
        if len(found) == len(job.chunk.tasks):
            del self._answers[job.chunk.index]
            yield job.chunk, [found[at] for at in range(len(found))]


def in_order(answers: Iterable[tuple[Chunk, Answer]]) -> Iterator[tuple[Chunk, Answer]]:
    """The answers in the order of their chunks; early ones are held back."""
    held: dict[int, tuple[Chunk, Answer]] = {}
    following = 0
    for chunk, answer in answers:
        held[chunk.index] = (chunk, answer)
        while following in held:
            yield held.pop(following)
            following += 1


def _end(worker: _Worker) -> None:
    end(worker.process, worker.connection, worker.job is not None or not worker.ready)


# --- the life of a worker -------------------------------------------------------------------------


def _serve(
    connection: Connection, parents_end: Connection, prepare: Callable[[], None] | None
) -> None:
    """The life of a worker: set up, then a chunk in, an answer out, until the other end goes."""
    settle(parents_end)
    with contextlib.suppress(EOFError, OSError):
        if prepare is not None:
            prepare()
        setup: Setup = connection.recv()
        try:
            work = setup()
        except Refused as refusal:
            # Without what led to it, which other libraries may pickle with it.
            connection.send(Refused(refusal.problem, refusal.remedy))
            return
        limit_memory()
        connection.send(_READY)
        while True:
            chunk = connection.recv()
            signal.alarm(ALONE_SECONDS + len(chunk.tasks))
            connection.send(work(chunk))
            signal.alarm(0)


# --- a Dask cluster ------------------------------------------------------------------------------

IN_FLIGHT_PER_THREAD = 3
RETRIES = 2


class Cluster:
    """Chunks as Dask tasks: a lost worker's chunks run again on another one.

    Without a ``scheduler``'s address the cluster is started here, with ``jobs`` workers (0: one a
    core).
    """

    def __init__(self, jobs: int, scheduler: str | None) -> None:
        self._jobs, self._scheduler = jobs or default_jobs(), scheduler
        self._run, self._seconds = uuid.uuid4().hex, LETTER_SECONDS

    def run(self, setup: Setup, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Answer]]:
        """Each chunk once, with one answer a task, as they finish."""
        import distributed

        self._setup = functools.partial(in_folder, os.getcwd(), setup)
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

    def _answer(self, client: Any, future: Any, chunk: Chunk, alone: bool = False) -> Answer:
        """The chunk's answer; one that kills its workers is taken apart, letter by letter."""
        from distributed import KilledWorker

        try:
            result: Answer | Refused = future.result()
        except KilledWorker:
            if alone:
                return [_lost(chunk.tasks[0], *CRASHED)]
            singles = [Chunk(chunk.index, (task,)) for task in chunk.tasks]
            return [
                self._answer(client, self._submit(client, s), s, alone=True)[0] for s in singles
            ]
        if isinstance(result, Refused):
            raise result
        return result


_POOLS: dict[int, tuple[str, Pool]] = {}
"""By thread: the run it works for, and its process."""


def in_folder(folder: str, setup: Setup) -> Work:
    """Set up in the user's folder, where relative paths lead to the letters and the model."""
    with contextlib.suppress(OSError):  # this machine may not have it
        os.chdir(folder)
    return setup()


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
