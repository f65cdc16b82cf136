"""Training time and memory over the number of decided items.

    python benchmarks/bench_training.py [--items N ...] [--letters N]
    python benchmarks/bench_training.py --whole LETTERS ...

Both models are fitted, without evaluation and logging, each size in a process of its own.  The
items are those of synthetic letters, repeated under other letter ids.  With ``--whole`` the
command ``imr train --letters`` from made letters to the registered model, beside reading them and
fitting the final models once.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

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


def parts(folder: str) -> None:
    """Read letters, then fit both models; prints wall and processor seconds of each."""
    from imr.models.predictor import Predictor
    from imr.training.decisions import read_corpus, sample

    marks = [(time.perf_counter(), time.process_time())]
    data = sample(read_corpus([folder]))
    marks.append((time.perf_counter(), time.process_time()))
    Predictor.fit(data.frame, data.overturned, data.guideline.tolist())
    marks.append((time.perf_counter(), time.process_time()))
    for before, after in pairwise(marks):
        print(after[0] - before[0], after[1] - before[1])


def whole(letters: int) -> tuple[object, ...]:
    """A row: the command end to end, and its parts done once each."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "letters"
        run = [sys.executable, "-m", "imr"]
        synthesize = [*run, "synthesize", "-n", str(letters), "-o", str(made), "--seed", "3"]
        subprocess.run(synthesize, check=True, capture_output=True)
        before, wall = os.times(), time.perf_counter()
        subprocess.run(
            [*run, "train", "--letters", str(made)], check=True, capture_output=True, cwd=folder
        )
        wall, after = time.perf_counter() - wall, os.times()
        cpu = sum(after[2:4]) - sum(before[2:4])
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        done = subprocess.run(
            [sys.executable, __file__, "--parts", str(made)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    read_wall, read_cpu, fit_wall, fit_cpu = map(float, done.stdout.split()[-4:])
    ratios = (wall - read_wall) / fit_wall, (cpu - read_cpu) / fit_cpu
    return letters, wall, cpu, read_wall, read_cpu, fit_wall, fit_cpu, *ratios, memory


WHOLE_HEADS = (
    "letters", "wall seconds", "processor seconds", "reading, wall", "reading, processor",
    "final models, wall", "final models, processor", "times the final models, wall",
    "times, processor", "largest process MB",
)  # fmt: skip


def main() -> None:
    """Print a row a size."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--items", type=int, nargs="+", default=SIZES)
    arguments.add_argument("--letters", type=int, default=4000, help="synthetic letters to repeat")
    arguments.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments.add_argument("--whole", type=int, nargs="+", help="imr train on so many letters")
    arguments.add_argument("--parts", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.parts:
        parts(chosen.parts)
        return
    if chosen.whole:
        describe("Training end to end")
        table(WHOLE_HEADS, [whole(letters) for letters in chosen.whole])
        return
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
