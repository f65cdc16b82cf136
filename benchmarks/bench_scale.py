"""`imr score` as whole processes: time and memory over the number of letters, 1 and 2 processes.

    python benchmarks/bench_scale.py [--model FOLDER] [--letters N ...] [--jobs N ...]

Synthetic letters as text files.  Memory is that of all processes together (pages that they share
counted once).  The speed-up is that of the largest size, and beside it what two busy loops
that share nothing gain on the same machine in the same run: more than that cannot be had.
"""

from __future__ import annotations

import argparse
import sys
import time
from subprocess import Popen

from machine import describe, table
from material import imr, letters, trained, whole_process, workplace

BAR_SPEEDUP, BAR_MB, BAR_SECONDS = 1.8, 700, 180
LOOP = "for i in range(30_000_000): pass"


def busy_loops(jobs: int) -> float:
    """Wall seconds of that many busy loops at once."""
    start = time.perf_counter()
    for process in [Popen([sys.executable, "-c", LOOP]) for _ in range(jobs)]:
        process.wait()
    return time.perf_counter() - start


def main() -> None:
    """Print a row a size and number of processes."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", help="a model folder (default: one trained on synthetic)")
    arguments.add_argument("--letters", type=int, nargs="+", default=[1000, 4000])
    arguments.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    chosen = arguments.parse_args()
    describe("imr score over letters and processes")
    rows = []
    with workplace() as folder:
        model = trained(folder, chosen.model)
        for n in chosen.letters:
            source = letters(folder, n)
            for jobs in chosen.jobs:
                options = ["-o", folder / "scores.parquet", "--model", model, "--jobs", jobs]
                wall, cpu, memory = whole_process(imr("score", source, *options))
                rows.append((n, jobs, wall, cpu, n / wall, 1e3 * cpu / n, memory))
    heads = ("letters", "processes", "wall seconds", "processor seconds", "letters a second",
             "processor ms a letter", "memory MB")  # fmt: skip
    table(heads, rows)
    walls = {jobs: wall for n, jobs, wall, *_ in rows if n == max(chosen.letters)}
    if {1, 2} <= set(walls):
        limit = 2 * busy_loops(1) / busy_loops(2)
        print(f"speed-up of 2 processes: {walls[1] / walls[2]:.2f} (busy loops: {limit:.2f})")
    print(f"bars: speed-up {BAR_SPEEDUP}, memory {BAR_MB} MB, 100,000 letters in {BAR_SECONDS} s")


if __name__ == "__main__":
    main()
