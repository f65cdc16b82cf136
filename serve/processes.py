"""Processes of our own with bounds on time and memory, in which files of others are read.

A process has 60 seconds of the *processor*, not of the clock: on a busy machine a healthy letter
waits for its turn and is not lost.  It ends with the process that began it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, TypeVar

from imr.data.letter import LetterError

LETTER_SECONDS = 60.0
"""A letter takes about 10 ms; one that takes a minute would hold up the others."""

WORKER_BYTES = 3 * 2**30
"""What a worker may take beside its start-up state; a letter needs about 20 MB."""

START_SECONDS = 60.0
BY_HAND = "check the file by hand"

ALONE_SECONDS = 600
"""A worker ends itself after this, where the system does not end it with its parent."""

LONGEST_TEMPORARY_PATH = 64
"""Bytes: a fork server listens on a socket below TMPDIR, whose whole path may have 107."""

PRELOAD = ("imr.features.table", "pandas", "imr.serve.model")
"""What a fork server imports once for all workers; only what every worker needs."""


# --- time ----------------------------------------------------------------------------------------

PATIENCE = 8
"""By the clock a letter may take so many times its time of the processor."""

LOOKS, PROGRESS = 4, 0.001
"""Looks at a process in the time of a letter, once its own is over by the clock; and the share of
the processor below which it waits for something that does not come, and not for its turn."""


class Watch:
    """Tells when the time of a process is over: ``letter`` seconds, and ``more`` for the rest of
    what it has been given.
    """

    def __init__(self, pid: int, letter: float, more: float = 0.0) -> None:
        self._pid, self._letter, self._seconds = pid, letter, letter + more
        self._step, self._begun = letter / LOOKS, time.monotonic()
        self.next_look = self._begun + self._seconds
        self._longest = self._seconds + (PATIENCE - 1) * letter
        self._before = self._last = processor_seconds(pid)

    def over(self) -> tuple[str, str] | None:
        """What is said of a process whose time is over, and the remedy; None for any other.

        It is over where it was used, where the process waits for something that does not come, and
        where the machine has had none to give for long.  One that gets on is looked at again.
        """
        now, used = time.monotonic(), processor_seconds(self._pid)
        if now < self.next_look:
            return None
        slow = f"took more than {self._letter:g} seconds", BY_HAND
        if used is None or self._before is None or self._last is None:
            return slow
        had, idle = used - self._before, used - self._last < PROGRESS * self._step
        if had >= self._seconds or idle:
            return slow
        if now - self._begun >= self._longest:
            said = f"the machine was busy: it had {had:.1f} of its {self._letter:g} seconds"
            return said, "score it again when less is running, or with fewer --jobs"
        self._last, self.next_look = used, now + self._step
        return None


def processor_seconds(pid: int) -> float | None:
    """What the process has had of the processors; None where the system does not tell."""
    with contextlib.suppress(OSError, AttributeError):
        return time.clock_gettime((~pid << 3) | 2)  # how Linux numbers the clock of a process
    return None


# --- begin and end -------------------------------------------------------------------------------


_STARTING = threading.Lock()


def begin(target: Callable[..., None], *arguments: Any) -> tuple[Any, Connection]:
    """A process that runs ``target(its end, our end, ...)`` of a pipe, and our end."""
    context = _context()
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, ours, *arguments), daemon=True)  # type: ignore[attr-defined]
    settings: dict[str, Any] = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    # A daemon of multiprocessing, as Dask's workers are, may start no process, for its parent's end
    # would leave that behind; ours ends with its parent.
    with _STARTING:
        daemon = settings.pop("daemon", None)
        try:
            process.start()
        finally:
            settings.update({} if daemon is None else {"daemon": daemon})
    theirs.close()
    return process, ours


def end(process: Any, connection: Connection) -> None:
    """End a process, whatever it does."""
    process.kill()
    process.join()
    connection.close()


def settle(parents_end: Connection) -> None:
    """What a new process does first: leave signals to its parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_DFL)
    _end_with_parent()
    parents_end.close()  # a copy, and with it open the end of the parent would go unseen


def _context() -> BaseContext:
    """How processes are started: clean ones, for a fork of one that has threads can hang.

    Where this process has a second thread (of a pool, OpenMP, Arrow, a display), they are forked
    from a server that has imported what workers need and has run none of it.
    """
    threads = Path("/proc/self/task")  # Python does not know the threads of libraries
    if threads.is_dir() and len(list(threads.iterdir())) == 1:
        return multiprocessing.get_context("fork")
    import tempfile

    short = len(os.fsencode(tempfile.gettempdir())) <= LONGEST_TEMPORARY_PATH
    if not short or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    return context


def _end_with_parent() -> None:
    """Have the system (Linux) end this process with its parent, however busy it is.

    The parent holds the other end of a pipe, whose closing is made the signal.  A signal at the
    parent's death would come from the fork server, which lives as long as one of its workers.
    """
    import fcntl

    parent = multiprocessing.parent_process()
    assert parent is not None
    pipe = parent.sentinel
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)


def limit_memory() -> None:
    """Let a letter that wants all memory fail alone instead of taking the machine with it."""
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        used = pages * os.sysconf("SC_PAGE_SIZE")
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = used + WORKER_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))


# --- what a process answers ----------------------------------------------------------------------

CRASHED = "crashed", "the process that read it crashed", BY_HAND


class Lost(Exception):  # noqa: N818 - the process is lost
    """A process that ended, or whose time is over: reason, message, remedy as of a LetterError."""


def received(process: Any, connection: Connection, letter: float, more: float) -> Any:
    """What the process sends next, within the time of a letter and ``more`` (seconds).

    Raises:
        Lost: where it sends nothing.
    """
    watch = Watch(process.pid, letter, more)
    try:
        while not connection.poll(max(0.0, watch.next_look - time.monotonic())):
            if fault := watch.over():
                raise Lost("too_slow", *fault)
        return connection.recv()
    except (EOFError, OSError):
        raise Lost(*CRASHED) from None


AT_ONCE = 64
"""Rows that are sent together; how many wait unread is bounded by the pipe."""

Row = TypeVar("Row")


def made_apart(
    make: Callable[[], Iterable[Row]], name: str, seconds: float = LETTER_SECONDS
) -> Iterator[Row | LetterError]:
    """What ``make`` (picklable) gives, made in a process of its own, with the bounds of a worker.

    Each few rows have the time of a letter.  What ends the process ends in one error, named after
    ``name``, after the rows that came before.
    """
    process, ours = begin(_make, make)
    try:
        while rows := received(process, ours, seconds, START_SECONDS):
            yield from rows
    except Lost as lost:
        yield LetterError(name, *lost.args)
    finally:
        end(process, ours)


def _make(theirs: Connection, ours: Connection, make: Callable[[], Iterable[Any]]) -> None:
    """The life of that process; an empty list is the end."""
    settle(ours)
    limit_memory()
    rows = iter(make())
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # nobody wants the rest
        while some := list(islice(rows, AT_ONCE)):
            theirs.send(some)
        theirs.send([])
