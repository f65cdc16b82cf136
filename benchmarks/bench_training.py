"""Training time and memory over the number of decided items.

    python benchmarks/bench_training.py [--items N ...] [--letters N]

Both models are fitted, without evaluation and logging, each size in a process of its own.  The
items are those of synthetic letters, repeated under other letter ids.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

from bench_scoring import repeated
from machine import describe, table
from material import decided_table, fitted

BAR_ITEMS, BAR_SECONDS = 400_000, 60
SIZES = (1_000, 10_000, 50_000)


def one(items: int, letters: int) -> None:
    """Fit one size; prints wall seconds, processor seconds, megabytes."""
    decided = repeated(decided_table(letters), items)
    cpu, wall = time.process_time(), time.perf_counter()
    fitted(decided)
    spent = time.perf_counter() - wall, time.process_time() - cpu
    print(*spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Print a row a size."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--items", type=int, nargs="+", default=SIZES)
    arguments.add_argument("--letters", type=int, default=4000, help="synthetic letters to repeat")
    arguments.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.one:
        one(chosen.items[0], chosen.letters)
        return
    describe("Training time")
    rows = []
    for items in chosen.items:
        options = ["--one", "--items", str(items), "--letters", str(chosen.letters)]
        done = subprocess.run(
            [sys.executable, __file__, *options], capture_output=True, text=True, check=True
        )
        wall, cpu, memory = map(float, done.stdout.split()[-3:])
        rows.append((items, wall, cpu, memory, items / cpu))
    heads = ("items", "wall seconds", "processor seconds", "most memory MB", "items a second")
    table(heads, rows)
    print(f"bar: {BAR_ITEMS:,} items in {BAR_SECONDS} s")


if __name__ == "__main__":
    main()
