"""`imr` with the predictor of :mod:`tests.serve.fake`, as a program of its own."""

from __future__ import annotations

import functools
import os
from typing import Any

from tests.serve import fake


def main() -> None:
    """Run `imr` with the fake predictor."""
    import serve.explain
    import serve.journal
    import serve.pool
    import serve.score
    from serve.cli import main as imr

    parts: dict[str, Any] = {"load": fake.load, "resolve": fake.resolve}
    serve.score.ScoreRun = functools.partial(serve.score.ScoreRun, **parts)  # type: ignore[misc,assignment]
    serve.explain.explain = functools.partial(serve.explain.explain, **parts)
    serve.pool.LETTER_SECONDS = float(os.environ.get("FAKE_LIMIT", "60"))
    serve.journal.BEAT_SECONDS = float(os.environ.get("FAKE_BEAT", "0.2"))
    imr()


if __name__ == "__main__":
    main()
