"""Processor time in a unit of the machine at hand, for tests that something takes no long time.

Neither a slow nor a busy machine changes a verdict: the time is that of the thread alone, and the
unit is measured in the same process.
"""

from __future__ import annotations

import math
import re
import signal
import time
from collections.abc import Callable
from functools import cache

CHARACTERS = 2_000


MANY_LOOKS = 2_000_000
"""Ten seconds or so on a machine of 2025: far more than anything may take, far less than what once
took minutes."""


def thread_seconds(run: Callable[[], object]) -> float:
    """The thread's processor time for one call."""
    start = time.thread_time()
    run()
    return time.thread_time() - start


@cache
def look_seconds() -> float:
    """Processor time in which a set of characters looks at each of ``CHARACTERS``: 5 µs or so."""
    pattern, text = re.compile("[b-z]"), "a" * CHARACTERS
    return min(thread_seconds(lambda: pattern.search(text)) for _ in range(500))


def looks(run: Callable[[], object]) -> float:
    """The thread's processor time for one call, in looks at ``CHARACTERS``."""
    return thread_seconds(run) / look_seconds()


class GivenUpError(Exception):
    """What :func:`looks_up_to` ends a call with."""


def looks_up_to(limit: float, run: Callable[[], object]) -> float:
    """As :func:`looks`; infinite where the call took more than ``limit`` and was ended."""

    def give_up(*_: object) -> None:
        raise GivenUpError

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, max(0.05, limit * look_seconds()))
    try:
        return looks(run)
    except GivenUpError:
        return math.inf
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
