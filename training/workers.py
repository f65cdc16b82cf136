"""Work of one run in processes that end with it, whatever ends it (also SIGKILL, which no handler
sees), and that say how far they are.  Results come in the order of the tasks.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection
from typing import Any

LINE_SECONDS = 60.0
ENDING = ("SIGINT", "SIGTERM", "SIGHUP")

_shared: Any = None


class WorkerDiedError(RuntimeError):
    """A process of the work ended before its task was done; the message names the work."""


def each(
    work: Callable[..., Any],
    shared: Any,
    tasks: Sequence[tuple[Any, ...]],
    jobs: int,
    title: str = "",
    keep: Callable[[Any], None] | None = None,
) -> list[Any]:
    """``work(shared, *task)`` of every task, in their order, on up to ``jobs`` processes.

    ``shared`` goes to each process once.  With one job everything runs in this process.  ``keep``
    is called here with each result as it comes, in any order.  Raises what a task or ``keep``
    raises, and :class:`WorkerDiedError`; the other tasks are then given up.
    """
    jobs = min(jobs, len(tasks))
    with Progress(title, len(tasks), keep) as progress:
        if jobs <= 1:
            return [progress.counted(work(shared, *task)) for task in tasks]
        pool = ProcessPoolExecutor(
            jobs, multiprocessing.get_context("spawn"), _start, (shared, os.getpid())
        )
        try:
            with _signals_held():
                running = [pool.submit(_run, work, task) for task in tasks]
            waiting = set(running)
            while waiting:
                done, waiting = wait(waiting, progress.patience, "FIRST_COMPLETED")
                for one in done:
                    progress.counted(one.result())
                progress.show()
            return [one.result() for one in running]
        except BrokenProcessPool:
            raise WorkerDiedError(
                f"a process of {title or 'the run'} was ended from outside, as for lack of memory"
            ) from None
        except BaseException:
            for process in multiprocessing.active_children():
                process.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Signals that end a command wait until the processes are begun: one that is half begun is not
    known yet, would be told nothing, and would print a traceback of its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs handlers in the main thread alone
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: came.append(number))
        for number in (getattr(signal, name) for name in ENDING if hasattr(signal, name))
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def _start(shared: Any, parent: int) -> None:
    """Begin as a worker: keep what is shared, leave Ctrl-C to the parent, end with the parent."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    global _shared
    _shared = shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # One thread: sums in another order would change the last digit.
    threadpool_limits(1)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    started_by = multiprocessing.parent_process()
    if started_by is not None and os.getppid() == parent:
        connection.wait([started_by.sentinel])
    os._exit(1)


def _run(work: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    return work(_shared, *task)


class Progress:
    """How far the work is, on standard error: a bar on a terminal, else a line a minute."""

    def __init__(self, title: str, total: int, keep: Callable[[Any], None] | None = None) -> None:
        self.title, self.total, self.done, self.keep = title, total, 0, keep
        self.started = self.said = time.monotonic()
        self.is_terminal = bool(title) and sys.stderr.isatty()
        # How long to wait before something is to be shown again, in seconds.
        self.patience = 1.0 if self.is_terminal else LINE_SECONDS

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_terminal:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

    def counted(self, result: Any) -> Any:
        """Keep and count one result, and hand it on."""
        if self.keep is not None:
            self.keep(result)
        self.done += 1
        self.show()
        return result

    def show(self) -> None:
        """Say how far the work is, if it is time to."""
        now = time.monotonic()
        if self.is_terminal:
            print(f"\r\x1b[2K{self.bar(now)}", end="", file=sys.stderr, flush=True)
        elif self.title and now - self.said >= LINE_SECONDS:
            self.said = now
            print(f"imr: {self.line(now)}", file=sys.stderr, flush=True)

    def bar(self, now: float) -> str:
        """The line of a terminal: plain characters, which every terminal has."""
        full = round(24 * self.done / max(1, self.total))
        return f"[{'#' * full}{'-' * (24 - full)}] {self.line(now)}"

    def line(self, now: float) -> str:
        """``folds: 7 of 15 done, 3 min left``."""
        said = f"{self.title}: {self.done} of {self.total} done"
        if not self.done:
            return said
        left = (now - self.started) / self.done * (self.total - self.done)
        return f"{said}, {f'{left:.0f} s' if left < 90 else f'{left / 60:.0f} min'} left"
