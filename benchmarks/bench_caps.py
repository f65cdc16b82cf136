"""What the caps on training letters cost in quality: capped models against uncapped ones.

    python benchmarks/bench_caps.py [--letters N] [--test N] [--caps N ...]

The outcome model's members draw at most 30,000 letters each, and the ranker learns its weights
from at most 3,000 (``most_letters`` of both).  Here the caps are set against none at all on
letters made by program; the outcome model's cap is scaled down with the letters, 3,000 of 20,000
being what 30,000 are of 200,000.  Both models of a row saw the same letters and are judged on the
same unseen ones.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from machine import describe, table
from unseen import Judge, better, made, shown

from imr.models.guideline import GuidelineConfig, GuidelineModel
from imr.models.outcome import OutcomeConfig, OutcomeModel
from imr.training.decisions import Sample

NONE = 10**9


def outcome(train: Sample, cap: int) -> Any:
    """The outcome model with that cap."""
    config = replace(OutcomeConfig(), most_letters=cap)
    return OutcomeModel(config=config).fit(train.frame, train.overturned)


def guideline(train: Sample, cap: int) -> Any:
    """The guideline model with that cap."""
    config = replace(GuidelineConfig(), most_letters=cap)
    return GuidelineModel(config=config).fit(train.frame, train.guideline.tolist())


def compare(
    fit: Callable[[Sample, int], Any],
    figures: Callable[[Any], dict[str, Any]],
    train: Sample,
    caps: Sequence[int],
) -> None:
    """Print a row a cap and figure: the figure, and how much better it is than without a cap."""
    found: dict[int, tuple[dict[str, Any], float]] = {}
    for cap in (NONE, *caps):
        start = time.process_time()
        model = fit(train, cap)
        found[cap] = figures(model), time.process_time() - start
    uncapped = found[NONE][0]
    rows = []
    for cap, (values, spent) in found.items():
        for name, draws in values.items():
            e = better(name, draws, uncapped[name])
            against = "" if cap == NONE else f"{e.value:+.4f} ({e.low:+.4f} to {e.high:+.4f})"
            rows.append(("none" if cap == NONE else cap, name, shown(draws), against, spent))
    table(("cap", "figure", "unseen letters", "better than without", "processor seconds"), rows)


def main() -> None:
    """Print both tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--letters", type=int, default=12_000)
    arguments.add_argument("--test", type=int, default=4_000)
    arguments.add_argument("--caps", type=int, nargs="+", default=(600, 3_000))
    chosen = arguments.parse_args()
    describe("What the caps on training letters cost")
    train, _ = made(chosen.letters)
    test, truth = made(chosen.test, start=chosen.letters)
    judge = Judge.of(test)
    print(
        f"{chosen.letters:,} made letters ({len(train):,} items, {train.y.sum():,} overturned); "
        f"judged on {chosen.test:,} others ({len(test):,} items)"
    )
    best = {name: shown(draws) for name, draws in judge.probabilities(truth).items()}
    print("the truth itself: " + ", ".join(f"{k} {v}" for k, v in best.items()) + "\n")
    print("p(overturned)")
    compare(outcome, judge.outcome, train, chosen.caps)
    print("\ncited guideline")
    compare(guideline, judge.guideline, train, chosen.caps)


if __name__ == "__main__":
    main()
