"""The learning curve beyond the real letters: letters made by program, up to 10,000.

    python benchmarks/bench_learning.py [--sizes N ...] [--test N]

`imr train --full` measures the curve on real letters and extends it by a line; here the same
models learn from made letters, whose truth is known, so that one sees how many letters the method
needs to find what is there.  Never mixed with real figures, and no forecast for them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
from machine import describe, table
from unseen import SEED, Judge, made, shown

from imr.models.guideline import GuidelineModel
from imr.models.outcome import OutcomeModel
from imr.models.outcome.effects import expected_effects
from imr.training.contenders.baselines import plain_booster, plain_matrix
from imr.training.decisions import Sample

SIZES = (135, 500, 2_000, 10_000)


def first(data: Sample, letters: int) -> Sample:
    """The items of the first letters; a smaller set is part of a larger one."""
    names = data.frame["letter_id"].to_numpy(dtype=object)
    chosen = set(list(dict.fromkeys(names))[:letters])
    return data.part(np.flatnonzero([name in chosen for name in names]))


def plain(train: Sample, test: Sample) -> Any:
    """p(overturned) by LightGBM as it comes, on all signals."""
    a, b = plain_matrix(train.frame, test.frame)
    return plain_booster(SEED).fit(a, train.y).predict_proba(b)[:, 1]


def learned(train: Sample, judge: Judge) -> dict[str, Any]:
    """Draws of the figures of both models, and of the outcome model without expected effects."""
    nothing = tuple(replace(effect, prior_log_odds=0.0) for effect in expected_effects())
    guideline = GuidelineModel().fit(train.frame, train.guideline.tolist())
    return {
        "AUC": judge.outcome(OutcomeModel().fit(train.frame, train.overturned))["auc"],
        "AUC, nothing expected": judge.outcome(
            OutcomeModel(effects=nothing, judgement=None).fit(train.frame, train.overturned)
        )["auc"],
        "AUC, plain LightGBM": judge.probabilities(plain(train, judge.test))["auc"],
        **judge.guideline(guideline),
    }


def main() -> None:
    """Print a row a size."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    arguments.add_argument("--test", type=int, default=3_000)
    chosen = arguments.parse_args()
    describe("Learning curve on made letters")
    train, _ = made(max(chosen.sizes))
    test, truth = made(chosen.test, start=max(chosen.sizes))
    judge = Judge.of(test)
    rows = []
    for size in chosen.sizes:
        found = learned(first(train, size), judge)
        rows.append((size, *map(shown, found.values())))
    table(("letters", *found), rows)
    print(f"AUC of the truth itself: {shown(judge.probabilities(truth)['auc'])}")


if __name__ == "__main__":
    main()
