"""`imr` with the predictor of :mod:`tests.serve.fake`, as a program of its own."""

from __future__ import annotations

import functools
import os
import signal
from typing import Any

from imr.data import tables
from tests.serve import fake


def crash(*_: object) -> Any:
    """What a hostile workbook may do to the library that reads it."""
    os.kill(os.getpid(), signal.SIGSEGV)


if (
    os.environ.get("FAKE_TABLE") == "crash"
):  # here, for a process that is forked and one that is not
    tables.sheets = crash


def main() -> None:
    """Run `imr` with the fake predictor."""
    import imr.serve.explain
    import imr.serve.processes
    import imr.serve.score
    from imr.serve.cli import main as run_imr

    parts: dict[str, Any] = {"load": fake.load, "resolve": fake.resolve}
    imr.serve.score.ScoreRun = functools.partial(imr.serve.score.ScoreRun, **parts)  # type: ignore[misc,assignment]
    imr.serve.explain.explain = functools.partial(imr.serve.explain.explain, **parts)
    imr.serve.processes.LETTER_SECONDS = float(os.environ.get("FAKE_LIMIT", "60"))
    imr.serve.score.BEAT_SECONDS = float(os.environ.get("FAKE_BEAT", "0.2"))
    run_imr()


if __name__ == "__main__":
    main()
