"""The benchmarks of a release as one JSON file, and what changed since another release.

    python -m benchmarks.compare --record FILE.json [-- OPTIONS OF THE BENCHMARKS]
    python -m benchmarks.compare OLD.json NEW.json [--least 0.05]

The file has ``machine`` (processor, cores, memory, system), ``versions``, ``date``, ``load`` and
``tables``: of each printed table its ``script``, ``heads`` and ``rows``.  A comparison lists the
numbers that differ by more than a share; those of two machines say nothing of the code, so that a
difference of machine or versions is told first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import RESULTS, machine

HERE = Path(__file__).parent
SAME = ("machine", "versions")


def record(out: Path, options: Sequence[str]) -> None:
    """Run every ``bench_*.py`` with some options; raises CalledProcessError where one fails."""
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "tables.jsonl"
        for script in sorted(HERE.glob("bench_*.py")):
            print(f"== {script.name}", flush=True)
            subprocess.run(
                [sys.executable, str(script), *options],
                check=True, env={**os.environ, RESULTS: str(lines)},
            )  # fmt: skip
        tables = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    out.write_text(json.dumps({**machine(), "tables": tables}, indent=1) + "\n", encoding="utf-8")


def changes(old: Mapping[str, Any], new: Mapping[str, Any], least: float) -> Iterator[str]:
    """A line for each number that differs by more than the share ``least``, or stands in one alone.

    Rows are the same where script, heads and first cell are; other words in a row are passed over.
    """
    yield from (f"{name}: {old[name]} -> {new[name]}" for name in SAME if old[name] != new[name])
    before, after = _cells(old), _cells(new)
    for place, value in after.items():
        was = before.get(place)
        where = " · ".join(place)
        if was is None:
            yield f"{where}: new, {value:g}"
        elif abs(value - was) > least * abs(was):
            yield f"{where}: {was:g} -> {value:g} ({value / was - 1:+.0%})" if was else where
    yield from (f"{' · '.join(place)}: gone" for place in before.keys() - after.keys())


def _cells(results: Mapping[str, Any]) -> dict[tuple[str, ...], float]:
    return {
        (table["script"], str(row[0]), head): float(cell)
        for table in results["tables"]
        for row in table["rows"]
        for head, cell in zip(table["heads"][1:], row[1:], strict=True)
        if isinstance(cell, int | float)
    }


def main() -> None:
    """Record the benchmarks, or compare two records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="*", metavar="OLD.json NEW.json")
    parser.add_argument("--record", type=Path, metavar="FILE.json")
    parser.add_argument("--least", type=float, default=0.05, help="share that counts as a change")
    asked = parser.parse_args()
    if asked.record is not None:
        record(asked.record, asked.results)
        return
    if len(asked.results) != 2:
        parser.error("two files are compared: OLD.json NEW.json")
    old, new = (json.loads(Path(name).read_text(encoding="utf-8")) for name in asked.results)
    print("\n".join(changes(old, new, asked.least)) or "nothing changed")


if __name__ == "__main__":
    main()
