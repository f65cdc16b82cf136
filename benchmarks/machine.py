"""What every benchmark prints first, and how it measures: the machine, versions, date, load."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = "BENCH_RESULTS"
"""Names a file to which every printed table is added as a line of JSON (``compare.py``)."""
LIBRARIES = ("imr", "pypdfium2", "pandas", "pyarrow", "lightgbm", "distributed")


def describe(title: str, libraries: Sequence[str] = LIBRARIES) -> None:
    """Print the title and where the figures below it were measured."""
    print(f"# {title}\n")
    here = machine(libraries)
    print(f"{here['machine']}\n{here['versions']}")
    print(f"{here['date']}, load before the run {here['load']:.1f}\n", flush=True)


def machine(libraries: Sequence[str] = LIBRARIES) -> dict[str, Any]:
    """``machine``, ``versions``, ``date`` and ``load`` (the mean of the last minute)."""
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB; "
        f"{platform.system()}",
        "versions": f"Python {platform.python_version()}, " + ", ".join(map(_versioned, libraries)),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "load": os.getloadavg()[0],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _versioned(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} not installed"


def cpu_seconds(steps: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """The least processor seconds of each step over some rounds, the steps taken in turn.

    In turn, so that a machine that slows down slows all of them; the least, for whatever else
    runs only adds.
    """
    best = [float("inf")] * len(steps)
    for _ in range(rounds):
        for place, step in enumerate(steps):
            start = time.process_time()
            step()
            best[place] = min(best[place], time.process_time() - start)
    return best


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(heads) + " |")
    print("|" + " --- |" * len(heads))
    for row in rows:
        print("| " + " | ".join(_cell(cell) for cell in row) + " |")
    print(flush=True)
    if named := os.environ.get(RESULTS):
        line = {"script": Path(sys.argv[0]).stem, "heads": list(heads), "rows": [*map(list, rows)]}
        with Path(named).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line, default=str) + "\n")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
