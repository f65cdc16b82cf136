"""Text -> all signals on one core, beside spaCy's sentence splitter and medspaCy.

    python benchmarks/bench_signals.py [--letters N] [--rounds N] [--rivals PYTHON]

Parsed case summaries in memory; processor seconds.  The rivals run in the Python that
``--rivals`` names, over the same summaries and in the same run, medspaCy with the trigger words of
our lexicons as its targets, on some 200 summaries.  They need an environment of
their own: medspaCy 1.3 is bound to a spaCy that was built for numpy 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from machine import cpu_seconds, describe, table
from material import letters, texts, workplace

from imr.data.letter import Case
from imr.data.parse import parse
from imr.features.context import lexicon, read_summary
from imr.features.table import signals

BAR = 1000


def summaries(folder: Path, n: int) -> tuple[list[Case], str]:
    """Real letters where IMR_LETTERS names their folder, else synthetic ones."""
    named = os.environ.get("IMR_LETTERS")
    source = Path(named) if named else letters(folder, n)
    return [parse(text).case for text in texts(source)], "real" if named else "synthetic"


def rivals(python: str, cases: list[Case], rounds: int) -> dict[str, Any]:
    """The answer of ``rivals.py`` in another Python."""
    cues: dict[str, list[str]] = {}
    for rule in lexicon().rules:
        if rule.family != "context":
            cues.setdefault(rule.family, []).extend(t for t in rule.triggers if t != "#")
    some = [case.case_summary for case in cases[:: max(1, len(cases) // 200)]]
    request = {
        "texts": some,
        "rounds": rounds,
        "cues": {k: sorted(set(v)) for k, v in cues.items()},
    }
    script = Path(__file__).with_name("rivals.py")
    done = subprocess.run(
        [python, str(script)], input=json.dumps(request), capture_output=True, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**answer, "letters": len(some)}


def main() -> None:
    """Print letters a second."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--letters", type=int, default=500, help="synthetic letters to write")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--rivals", metavar="PYTHON", help="a Python that has medspacy")
    chosen = arguments.parse_args()
    describe("Text to signals", ("imr", "spacy", "medspacy"))
    with workplace() as folder:
        cases, kind = summaries(folder, chosen.letters)
    signals(cases[0])
    steps = {
        "tokens, sentences, mentions": lambda: [read_summary(c.case_summary) for c in cases],
        "all signals": lambda: [signals(case) for case in cases],
        "all signals and their quotes": lambda: [signals(case).evidence for case in cases],
    }
    seconds = cpu_seconds(list(steps.values()), chosen.rounds)
    rows: list[tuple[object, ...]] = [
        (name, 1e3 * s / len(cases), len(cases) / s) for name, s in zip(steps, seconds, strict=True)
    ]
    length = sum(len(case.case_summary) for case in cases) / len(cases)
    print(f"{len(cases)} {kind} letters, {length:.0f} characters a summary\n")
    if chosen.rivals:
        found = rivals(chosen.rivals, cases, chosen.rounds)
        n = found["letters"]
        rows += [(name, 1e3 * s / n, n / s) for name, s in found["seconds"].items()]
        print("rivals: " + ", ".join(f"{k} {v}" for k, v in found["versions"].items()) + "\n")
    else:
        print("spaCy and medspaCy: not measured (name their Python with --rivals)\n")
    table(("step", "ms a letter", "letters a second and core"), rows)
    print(f"bar: {BAR} letters a second and core for all signals")


if __name__ == "__main__":
    main()
