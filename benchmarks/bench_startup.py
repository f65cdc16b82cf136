"""Start-up of each command on next to nothing, as whole processes, beside what they import.

    python benchmarks/bench_startup.py [--model FOLDER] [--rounds N]

A ratio is what counts: of one letter explained to one process that imports mlflow, lightgbm and
pandas (``all imports``), and to one that imports mlflow alone.  ``first`` asks MLflow for the
model; ``again`` is the same command on the same store, whose answer is remembered.  The commands
are run in turns, so that a machine that slows down slows all of them, and the least of the rounds
is taken, for whatever else runs only adds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from machine import describe, table
from material import imr, trained, workplace

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "samples" / "sample_004.txt"
MEMORY = ".imr-model.json"


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of a command and all that it waited for."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - start, os.times()
    return wall, sum(after[2:4]) - sum(before[2:4])


def registered(model: Path, folder: Path) -> None:
    """The model as the champion of a new MLflow store in ``folder``."""
    import mlflow

    from imr.models.mlflow_model import logging_arguments

    os.chdir(folder)
    with TemporaryDirectory() as staging, mlflow.start_run():
        arguments = logging_arguments(model, Path(staging))
        mlflow.pyfunc.log_model(name="model", **arguments, registered_model_name="imr")
    mlflow.MlflowClient().set_registered_model_alias("imr", "champion", "1")


def main() -> None:
    """Print the least of each command, and its ratio to the imports."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", help="a model folder (default: one trained on synthetic)")
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    describe("Start-up of the commands")
    with workplace() as folder:
        registered(trained(folder, chosen.model).resolve(), folder)
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import pandas": [sys.executable, "-c", "import pandas"],
            "import mlflow": [sys.executable, "-c", "import mlflow"],
            "all imports": [sys.executable, "-c", "import mlflow, lightgbm, pandas"],
            "imr --help": imr("--help"),
            "imr schema": imr("schema"),
            "imr parse, one letter": imr("parse", SAMPLE, "-o", "p.jsonl"),
            "imr features, one letter": imr("features", SAMPLE, "-o", "f.jsonl"),
            "imr explain, one letter, first": imr("explain", SAMPLE),
            "imr explain, one letter, again": imr("explain", SAMPLE),
            "imr score, one letter, again": imr("score", SAMPLE, "-o", "s.jsonl"),
            "imr synthesize, one letter": imr("synthesize", "-n", 1, "-o", "one"),
        }
        least = {name: (float("inf"), float("inf")) for name in commands}
        for _ in range(chosen.rounds):
            for name, command in commands.items():
                if name.endswith("first"):
                    (folder / MEMORY).unlink(missing_ok=True)
                wall, processor = measured(command, folder)
                least[name] = min(least[name][0], wall), min(least[name][1], processor)
    heads = ("wall seconds", "/ all imports", "/ import mlflow", "processor seconds", "/ all",
             "/ mlflow")  # fmt: skip
    every, mlflow = least["all imports"], least["import mlflow"]
    rows = [
        (name, w, w / every[0], w / mlflow[0], p, p / every[1], p / mlflow[1])
        for name, (w, p) in least.items()
    ]
    table(("command", *heads), rows)


if __name__ == "__main__":
    main()
