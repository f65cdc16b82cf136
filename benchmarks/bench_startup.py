"""Start-up of each command: on nothing or next to nothing, as whole processes.

    python benchmarks/bench_startup.py [--model FOLDER] [--rounds N]

The reference is Python starting and ending, and Python importing pandas.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import describe, table
from material import imr, trained, workplace

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "samples" / "sample_004.txt"


def wall_seconds(command: list[str]) -> float:
    """Of one run."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the median of each command."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", help="a model folder (default: one trained on synthetic)")
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    describe("Start-up of the commands")
    with workplace() as folder:
        model = trained(folder, chosen.model)
        out, options = folder / "out.jsonl", ["--model", model, "--jobs", 1]
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "python -c 'import pandas'": [sys.executable, "-c", "import pandas"],
            "imr --help": imr("--help"),
            "imr version": imr("version"),
            "imr schema": imr("schema"),
            "imr parse, one letter": imr("parse", SAMPLE, "-o", out, "--jobs", 1),
            "imr features, one letter": imr("features", SAMPLE, "-o", out, "--jobs", 1),
            "imr score, one letter": imr("score", SAMPLE, "-o", out, *options),
            "imr explain, one letter": imr("explain", SAMPLE, "--model", model),
            "imr synthesize, one letter": imr("synthesize", "-n", 1, "-o", folder / "one"),
        }
        rows = []
        for name, command in commands.items():
            times = [wall_seconds(command) for _ in range(chosen.rounds + 1)][1:]
            rows.append((name, statistics.median(times), min(times)))
    table(("command", "median seconds", "least"), rows)


if __name__ == "__main__":
    main()
