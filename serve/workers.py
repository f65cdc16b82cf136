"""Where chunks run: in processes of this machine, or on a Dask cluster.

PDFium is not thread-safe and a hostile PDF can end the process that reads it, so letters are
read in processes.  A chunk whose worker dies or runs over its time is taken apart: its tasks run
again one by one, and the one that does it again is reported as a failure.  Chunks are handed out
only when a worker is free, so memory does not grow with the number of letters.

Each worker of a Dask cluster must see the letters under the same paths or URLs, and the model's
folder.  Its threads keep a process each for the letters, with the same bounds on time and memory,
so that a letter that crashes, hangs or wants all memory costs no Dask worker.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import math
import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from itertools import chain, islice
from multiprocessing.connection import Connection
from typing import Any

from imr.data.letter import LetterError
from imr.serve import processes
from imr.serve.letters import Chunk, task_name
from imr.serve.messages import Refused

SECONDS_A_TASK = 0.5

AHEAD = 64
"""Chunks begun after the oldest unfinished one: bounds what waits for its turn in memory."""

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


def _taken_apart(chunk: Chunk, lost: processes.Lost, answer: Callable[[Chunk], Answer]) -> Answer:
    """The answers of the tasks of a lost process one by one; what ran alone is a failure."""
    if len(chunk.tasks) == 1:
        return [failure_answer(LetterError(task_name(chunk.tasks[0]), *lost.args))]
    return [answer(Chunk(chunk.index, (task,)))[0] for task in chunk.tasks]


class Worker:
    """A process that answers one chunk after another; one that is lost is begun anew.

    With ``prepare`` it begins at once, while the caller is busy otherwise.  ``close`` may be called
    while another thread waits for an answer.
    """

    def __init__(
        self, letter_seconds: float | None = None, prepare: Callable[[], None] | None = None
    ) -> None:
        self._seconds = letter_seconds or processes.LETTER_SECONDS
        self._closed = self._ready = False
        self._process: Any = None
        self._ours: Connection
        self._answering = threading.RLock()
        if prepare is not None:
            self._begin(prepare)

    def answer(self, setup: Setup, chunk: Chunk) -> Answer:
        """The chunk's answer.

        Raises:
            Refused: where the setup fails in the process (no model, a model that does not fit).
        """
        with self._answering:
            if self._closed:
                raise CancelledError
            try:
                return self._ask(setup, chunk)
            except processes.Lost as lost:
                self._end()
                return _taken_apart(chunk, lost, functools.partial(self.answer, setup))

    def close(self) -> None:
        """End the process."""
        self._closed = True
        if (process := self._process) is not None:
            process.kill()
        with self._answering:
            self._end()

    def _begin(self, prepare: Callable[[], None] | None) -> None:
        self._process, self._ours = processes.begin(_serve, prepare)
        if self._closed:  # meanwhile
            self._process.kill()

    def _ask(self, setup: Setup, chunk: Chunk) -> Answer:
        if self._process is None:
            self._begin(None)
        more = SECONDS_A_TASK * (len(chunk.tasks) - 1)
        if not self._ready:
            try:
                refusal: Refused | None = self._told(setup, processes.START_SECONDS + more)
            except processes.Lost as lost:
                if lost.args != processes.CRASHED:
                    raise
                remedy = "try --jobs 1; the lines above may say why"
                raise Refused("a worker process ended at its start", remedy) from None
            if refusal is not None:
                raise refusal
            self._ready = True
        answer: Answer = self._told(chunk, more)
        return answer

    def _told(self, given: Setup | Chunk, more: float) -> Any:
        """What the process answers to it; ``more`` seconds beside those of one letter."""
        with contextlib.suppress(OSError):  # it died while idle: seen at once
            self._ours.send(given)
        return processes.received(self._process, self._ours, self._seconds, more)

    def _end(self) -> None:
        if self._process is not None:
            processes.end(self._process, self._ours)
        self._process, self._ready = None, False


def _serve(
    connection: Connection, parents_end: Connection, prepare: Callable[[], None] | None
) -> None:
    """The life of a worker: set up, then a chunk in, an answer out, until the other end goes."""
    processes.settle(parents_end)
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
        processes.limit_memory()
        connection.send(None)
        while True:
            chunk = connection.recv()
            signal.alarm(processes.ALONE_SECONDS + len(chunk.tasks))
            connection.send(work(chunk))
            signal.alarm(0)


def _as_finished(
    submit: Callable[[Chunk], Future[Any]],
    chunks: Iterable[Chunk],
    room: int,
    ahead: float = math.inf,
) -> Iterator[tuple[Chunk, Future[Any]]]:
    """Each chunk with its future, as they finish; ``room`` of them at a time are under way, none
    of them ``ahead`` or more after the oldest.
    """
    source, running, last = iter(chunks), dict[Future[Any], Chunk](), 0
    while True:
        while len(running) < room:
            oldest = next((chunk.index for chunk in running.values()), last)
            if last - oldest >= ahead or (chunk := next(source, None)) is None:
                break
            running[submit(chunk)], last = chunk, chunk.index
        if not running:
            return
        done = next(iter(wait(running, return_when=FIRST_COMPLETED).done))
        yield running.pop(done), done


class Pool:
    """Runs chunks on ``jobs`` processes (0: one a core); answers come as they are ready.

    With ``prepare`` there is one process, which begins at once.
    """

    def __init__(
        self,
        jobs: int,
        letter_seconds: float | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        count = 1 if prepare else jobs or default_jobs()
        self._workers = [Worker(letter_seconds, prepare) for _ in range(count)]

    def run(self, setup: Setup, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Answer]]:
        """Each chunk with its answer, as they finish; the processes end with the last.

        Raises:
            Refused: where the setup fails in a worker (no model, a model that does not fit).
        """
        source = iter(chunks)
        first = list(islice(source, 2))
        source, room = chain(first, source), len(self._workers)
        idle = list(self._workers)

        def answer(chunk: Chunk) -> Answer:
            worker = idle.pop()  # there are as many as threads
            try:
                return worker.answer(setup, chunk)
            finally:
                idle.append(worker)

        with ThreadPoolExecutor(room) as threads, contextlib.closing(self):
            if room == 1 or len(first) < 2:  # without a thread it can be a fork of this process
                yield from ((chunk, answer(chunk)) for chunk in source)
                return
            under_way = _as_finished(lambda c: threads.submit(answer, c), source, room, AHEAD)
            yield from ((chunk, future.result()) for chunk, future in under_way)

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.close()


def in_order(answers: Iterable[tuple[Chunk, Answer]]) -> Iterator[tuple[Chunk, Answer]]:
    """The answers in the order of their chunks; early ones are held back."""
    held: dict[int, tuple[Chunk, Answer]] = {}
    following = 0
    for chunk, answer in answers:
        held[chunk.index] = (chunk, answer)
        while following in held:
            yield held.pop(following)
            following += 1


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

    def run(self, setup: Setup, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Answer]]:
        """Each chunk once, with one answer a task, as they finish."""
        run, there = uuid.uuid4().hex, functools.partial(in_folder, os.getcwd(), setup)
        with self._client() as client:
            tasks = client.get_executor(pure=False, retries=RETRIES)
            submit = functools.partial(
                tasks.submit, run_chunk, run, there, processes.LETTER_SECONDS
            )
            room = IN_FLIGHT_PER_THREAD * max(1, sum(client.nthreads().values()))
            for chunk, future in _as_finished(submit, chunks, room):
                yield chunk, _answer(submit, chunk, future)
            client.run(let_go, run, on_error="ignore")

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


def _answer(submit: Callable[[Chunk], Future[Any]], chunk: Chunk, future: Future[Any]) -> Answer:
    """The chunk's answer; one that kills its workers is taken apart, letter by letter."""
    from distributed import KilledWorker

    try:
        result: Answer | Refused = future.result()
    except KilledWorker:
        lost = processes.Lost(*processes.CRASHED)
        return _taken_apart(chunk, lost, lambda one: _answer(submit, one, submit(one)))
    if isinstance(result, Refused):
        raise result
    return result


_WORKERS: dict[int, tuple[str, Worker]] = {}
"""By thread: the run it works for, and its process."""


def in_folder(folder: str, setup: Setup) -> Work:
    """Set up in the user's folder, where relative paths lead to the letters and the model."""
    with contextlib.suppress(OSError):  # this machine may not have it
        os.chdir(folder)
    return setup()


def run_chunk(run: str, setup: Setup, letter_seconds: float, chunk: Chunk) -> Answer | Refused:
    """The Dask task: the chunk in a process that this thread keeps for the run."""
    thread = threading.get_ident()
    if _WORKERS.get(thread, ("",))[0] != run:
        _end_worker(thread)
        _WORKERS[thread] = run, Worker(letter_seconds)
    try:
        return _WORKERS[thread][1].answer(setup, chunk)
    except Refused as refusal:  # as a value: another try would be refused as well
        _end_worker(thread)
        return refusal


def let_go(run: str) -> None:
    """End the processes of a run, all of whose chunks are done."""
    for thread, (theirs, _) in list(_WORKERS.items()):
        if theirs == run:
            _end_worker(thread)


def _end_worker(thread: int) -> None:
    if thread in _WORKERS:
        _WORKERS.pop(thread)[1].close()
