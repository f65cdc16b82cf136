"""The learning curve beyond the real letters: letters made by program, up to 10,000.

    python benchmarks/bench_learning.py [--sizes N ...] [--test N]

`imr train --full` measures the curve on real letters and extends it by a line; here the same
models learn from made letters, whose truth is known, so that one sees how many letters the method
needs to find what is there.  The outcome model stands beside its parts: it must not be more than
0.01 AUC behind the best of them.  The start knows next to nothing of made letters, whose outcomes
are drawn from planted effects.  Never mixed with real figures, and no forecast for them.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from machine import describe, table
from scipy.special import expit
from unseen import SEED, Judge, made, shown

from imr.models.guideline import GuidelineModel
from imr.models.outcome import OutcomeModel
from imr.training.contenders import baselines
from imr.training.decisions import Sample

SIZES = (100, 300, 1_000, 3_000, 10_000)


def first(data: Sample, letters: int) -> Sample:
    """The items of the first letters; a smaller set is part of a larger one."""
    names = data.frame["letter_id"].to_numpy(dtype=object)
    chosen = set(list(dict.fromkeys(names))[:letters])
    return data.part(np.flatnonzero([name in chosen for name in names]))


def learned(train: Sample, judge: Judge) -> dict[str, Any]:
    """Draws of the figures of the outcome model, of its parts, of the alternatives, and of the
    guideline model.
    """
    test = judge.test
    model = OutcomeModel().fit(train.frame, train.overturned)
    asked = model.inputs(test.frame)
    scores = [m.scores(asked.known.log_odds, asked.signals) for m in model.learned.members]
    start, correction, forest = np.mean(scores, axis=0).T
    auc = {
        "imr": model.predict(test.frame, asked)["p_overturned"].to_numpy(dtype=np.float64),
        "start": start,
        "start + correction": start + correction,
        "forest": forest,
        "plain LightGBM": baselines.plain_lightgbm(SEED)(train, test),
        "TF-IDF summary": baselines.text_outcome(("case_summary",))(train, test),
    }
    guideline = GuidelineModel().fit(train.frame, train.guideline.tolist())
    figures = {
        f"AUC, {name}": judge.probabilities(expit(score))["auc"] for name, score in auc.items()
    }
    return {**figures, **judge.guideline(guideline)}


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
