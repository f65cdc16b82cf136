"""Worker processes that may crash or hang without taking a letter with them.

PDFium is not thread-safe and a hostile PDF can end the process that reads it, so letters are
read in processes.  A chunk whose worker dies or runs over its time is taken apart: its tasks run
again one by one, and the one that does it again is reported as a failure.  Chunks are handed out
only when a worker is free, so memory does not grow with the number of letters.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, Protocol

from imr.serve.letters import Chunk, Failure, task_name
from imr.serve.refusal import Refused

LETTER_SECONDS = 60.0
"""A letter takes about 10 ms; one that takes a minute would hold up the others."""

WORKER_BYTES = 3 * 2**30
"""What a worker may take beside its start-up state; a letter needs about 20 MB."""

ALONE_SECONDS = 600
"""A worker ends itself after this, for the case that its owner was killed while it hung."""

SECONDS_A_TASK = 0.5
START_SECONDS = 60.0

LONGEST_TEMPORARY_PATH = 64
"""Bytes: a fork server listens on a socket below TMPDIR, whose whole path may have 107."""

AHEAD = 64
"""Chunks begun after the oldest unfinished one: bounds what waits for its turn in memory."""

PRELOAD = ("imr.data.parse", "imr.features.table", "pandas", "imr.serve.work")
"""Imported once for all workers; only what every worker needs."""

_READY = "ready"
_START_REMEDY = "try --jobs 1; the lines above may say why"

Answer = list[dict[str, Any]]
"""One JSON-ready object a task, in the order of the tasks."""

Work = Callable[[Chunk], Answer]


class Setup(Protocol):
    """A picklable recipe: called once in each worker, it gives the function for its chunks."""

    def __call__(self) -> Work:
        """Load what the work needs (the model) and return the work."""


def failure_answer(failure: Failure) -> dict[str, Any]:
    """The answer that says why a task failed."""
    return {
        "error": {
            "source": failure.source,
            "reason": failure.reason,
            "message": failure.message,
            "remedy": failure.remedy,
        }
    }


@dataclass(slots=True)
class _Worker:
    process: Any
    connection: Connection
    chunk: Chunk | None = None
    deadline: float = 0.0
    ready: bool = False


@dataclass(slots=True)
class _Broken:
    """A chunk that lost its worker: the tasks still to run one by one, and their answers."""

    chunk: Chunk
    waiting: deque[int]
    answers: dict[int, dict[str, Any]] = field(default_factory=dict)


class Pool:
    """Runs chunks on ``jobs`` processes; answers come as they are ready, not in order.

    With ``keep`` the processes wait for the next run, until ``stop``.
    """

    def __init__(
        self, setup: Setup, jobs: int, letter_seconds: float | None = None, keep: bool = False
    ) -> None:
        self._setup, self._jobs, self._keep = setup, jobs, keep
        self._seconds = letter_seconds or LETTER_SECONDS
        self._context = _context()
        self._workers: list[_Worker] = []
        self._broken: deque[_Broken] = deque()
        self._single: dict[int, tuple[_Broken, int]] = {}
        self._open: set[int] = set()

    def run(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Answer]]:
        """Each chunk with its answer, as they finish.

        Raises:
            Refused: where the setup fails in a worker (no model, a model that does not fit).
        """
        source = iter(chunks)
        try:
            self._feed(source)
            while self._busy():
                yield from self._collect()
                self._feed(source)
        except BaseException:
            self.stop()
            raise
        finally:
            if not self._keep:
                self.stop()

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.chunk is not None]

    def _feed(self, source: Iterator[Chunk]) -> None:
        while len(self._busy()) < self._jobs:
            chunk = self._next(source)
            if chunk is None:
                return
            worker = next((w for w in self._workers if w.chunk is None), None) or self._start()
            worker.chunk = chunk
            self._set_deadline(worker)
            with contextlib.suppress(OSError):  # it died while idle: seen at once by _collect
                worker.connection.send(chunk)

    def _next(self, source: Iterator[Chunk]) -> Chunk | None:
        for broken in self._broken:
            if broken.waiting:
                at = broken.waiting.popleft()
                # A number of its own, so that the answer finds its place again.
                single = Chunk(-1 - len(self._single), (broken.chunk.tasks[at],))
                self._single[single.index] = (broken, at)
                return single
        if self._open and max(self._open) - min(self._open) >= AHEAD:
            return None
        chunk = next(source, None)
        if chunk is not None:
            self._open.add(chunk.index)
        return chunk

    def _set_deadline(self, worker: _Worker) -> None:
        assert worker.chunk is not None
        seconds = self._seconds + SECONDS_A_TASK * (len(worker.chunk.tasks) - 1)
        worker.deadline = time.monotonic() + seconds + (0 if worker.ready else START_SECONDS)

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._setup), daemon=True)  # type: ignore[attr-defined]
        with _children_allowed():
            process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _collect(self) -> Iterator[tuple[Chunk, Answer]]:
        busy = self._busy()
        nearest = min(worker.deadline for worker in busy)
        wait([w.connection for w in busy], max(0.0, nearest - time.monotonic()))
        for worker in busy:
            if worker.connection.poll():
                yield from self._receive(worker)
            elif time.monotonic() >= worker.deadline:
                message = f"took more than {self._seconds:g} seconds"
                yield from self._lost(worker, "too_slow", message)

    def _receive(self, worker: _Worker) -> Iterator[tuple[Chunk, Answer]]:
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError):
            if not worker.ready:
                raise Refused("a worker process ended at its start", _START_REMEDY) from None
            yield from self._lost(worker, "crashed", "the process that read it crashed")
            return
        if isinstance(answer, Refused):
            raise answer
        if answer == _READY:
            worker.ready = True
            self._set_deadline(worker)
            return
        chunk, worker.chunk = worker.chunk, None
        assert chunk is not None
        yield from self._finished(chunk, answer)

    def _lost(self, worker: _Worker, reason: str, message: str) -> Iterator[tuple[Chunk, Answer]]:
        chunk = worker.chunk
        assert chunk is not None
        self._workers.remove(worker)
        _end(worker)
        if chunk.index >= 0 and len(chunk.tasks) > 1:
            self._broken.append(_Broken(chunk, deque(range(len(chunk.tasks)))))
            return
        failure = Failure(task_name(chunk.tasks[0]), reason, message, "check the file by hand")
        yield from self._finished(chunk, [failure_answer(failure)])

    def _finished(self, chunk: Chunk, answer: Answer) -> Iterator[tuple[Chunk, Answer]]:
        if chunk.index >= 0:
            self._open.discard(chunk.index)
            yield chunk, answer
            return
        broken, at = self._single[chunk.index]
        broken.answers[at] = answer[0]
        if len(broken.answers) == len(broken.chunk.tasks):
            self._broken.remove(broken)
            self._open.discard(broken.chunk.index)
            yield broken.chunk, [broken.answers[i] for i in range(len(broken.chunk.tasks))]

    def stop(self) -> None:
        """End the processes."""
        for worker in self._workers:
            _end(worker)
        self._workers.clear()


def _end(worker: _Worker) -> None:
    worker.connection.close()
    if worker.chunk is not None:
        worker.process.kill()
    worker.process.join(5)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()


_STARTING = threading.Lock()


@contextlib.contextmanager
def _children_allowed() -> Iterator[None]:
    """Let a daemon of multiprocessing, as Dask's workers are, start a process.

    It may not because its parent's end would leave the child behind; ours ends when its pipe does.
    """
    settings: dict[str, Any] = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    with _STARTING:
        daemon = settings.pop("daemon", None)
        try:
            yield
        finally:
            if daemon is not None:
                settings["daemon"] = daemon


def _context() -> BaseContext:
    """Clean processes: a fork of one that has started threads (OpenMP, Arrow) can hang.

    Workers are forked from a server that has imported what they need and has run none of it.
    """
    import tempfile

    short = len(os.fsencode(tempfile.gettempdir())) <= LONGEST_TEMPORARY_PATH
    if not short or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    return context


def _serve(connection: Connection, setup: Setup) -> None:
    """The life of a worker: set up, then a chunk in, an answer out, until the other end goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with contextlib.suppress(EOFError, OSError):
        try:
            work = setup()
        except Refused as refusal:
            # Without what led to it, which other libraries may pickle with it.
            connection.send(Refused(refusal.problem, refusal.remedy))
            return
        _limit_memory()
        connection.send(_READY)
        while True:
            chunk = connection.recv()
            # Where nobody is left to end it: the process that gave the chunk may be gone.
            signal.alarm(ALONE_SECONDS + len(chunk.tasks))
            connection.send(work(chunk))
            signal.alarm(0)


def _limit_memory() -> None:
    """Let a letter that wants all memory fail alone instead of taking the machine with it."""
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        used = pages * os.sysconf("SC_PAGE_SIZE")
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = used + WORKER_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))


def in_order(
    answers: Iterable[tuple[Chunk, Answer]],
) -> Iterator[tuple[Chunk, Answer]]:
    """The answers in the order of their chunks; early ones are held back."""
    held: dict[int, tuple[Chunk, Answer]] = {}
    following = 0
    for chunk, answer in answers:
        held[chunk.index] = (chunk, answer)
        while following in held:
            yield held.pop(following)
            following += 1
