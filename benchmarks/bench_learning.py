"""The learning curve beyond the real letters: the outcome model beside its parts, letter by letter.

    python benchmarks/bench_learning.py [--sizes N ...] [--test N] [--vignettes | --made]

`imr train --full` measures the curve on real letters and extends it by a line.  Here the same
models learn from letters whose truth is known, of two kinds.  *Made letters* are written by
program; the start knows next to nothing of their planted effects.  *Drawn vignettes* are rated
cases, each a letter whose outcomes are drawn from its ratings: the start is fitted on one half of
the base cases, letters are made of the other.  The model must not be more than 0.01 AUC behind the
best of its parts.  Never mixed with real figures, and no forecast for them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
from machine import describe, table
from scipy.special import expit
from unseen import SEED, Judge, drawn, made, shown

from imr.models.guideline import GuidelineModel
from imr.models.outcome import OutcomeModel
from imr.models.outcome.start import Judgement, shipped
from imr.training import contenders
from imr.training.decisions import Sample

SIZES = (100, 300, 1_000, 3_000, 10_000)


def first(data: Sample, letters: int) -> Sample:
    """The items of the first letters; a smaller set is part of a larger one."""
    names = data.frame["letter_id"].to_numpy(dtype=object)
    chosen = set(list(dict.fromkeys(names))[:letters])
    return data.part(np.flatnonzero([name in chosen for name in names]))


def outcome(train: Sample, judge: Judge, truth: Any, judgement: Judgement) -> dict[str, Any]:
    """Draws of the AUC of the outcome model, of its parts and of the alternatives; what else is
    asked of it.
    """
    test = judge.test
    model = OutcomeModel(judgement=judgement).fit(train.frame, train.overturned)
    asked = model.inputs(test.frame)
    scores = [m.scores(asked.known.log_odds, asked.signals) for m in model.learned.members]
    start, correction, forest = np.mean(scores, axis=0).T
    found = model.predict(test.frame, asked)
    auc = {
        "imr": found["p_overturned"].to_numpy(dtype=np.float64),
        "start": expit(start),
        "start + correction": expit(start + correction),
        "forest": expit(forest),
        "plain LightGBM": contenders.plain_lightgbm(SEED, train, test),
        "TF-IDF summary": contenders.text_outcome(("case_summary",), train, test),
    }
    figures = {f"AUC, {name}": judge.probabilities(p)["auc"] for name, p in auc.items()}
    best = np.max([figures[f"AUC, {name}"] for name in list(auc)[1:4]], axis=0)
    low, high = (found[f"p_overturned_{end}"].to_numpy() for end in ("low", "high"))
    weights = model.learned.mixture.weights
    return {name: shown(draws) for name, draws in figures.items()} | {
        "behind the best part": f"{best[0] - figures['AUC, imr'][0]:+.4f}",
        "90% intervals that hold the rate": f"{np.mean((low <= truth) & (truth <= high)):.2f}",
        "their mean width": f"{np.mean(high - low):.2f}",
        "weights": " ".join(f"{weight:.2f}" for weight in weights),
    }


def curve(
    title: str,
    train: Sample,
    test: tuple[Sample, Any],
    sizes: Sequence[int],
    judgement: Judgement,
    guideline: bool,
) -> None:
    """Print a row a size, as far as there are letters."""
    judge, known = Judge.of(test[0]), train.frame["letter_id"].nunique()
    rows: list[tuple[Any, ...]] = []
    found: dict[str, Any] = {}
    for size in sorted({min(size, known) for size in sizes}):
        part = first(train, size)
        found = outcome(part, judge, test[1], judgement)
        if guideline:
            model = GuidelineModel().fit(part.frame, part.guideline.tolist())
            found |= {name: shown(draws) for name, draws in judge.guideline(model).items()}
        rows.append((size, *found.values()))
    print(f"\n{title}: {len(test[0])} unseen items")
    table(("letters", *found), rows)
    print(f"AUC of the truth itself: {shown(judge.probabilities(test[1])['auc'])}")


def main() -> None:
    """Print both tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    arguments.add_argument("--test", type=int, default=3_000)
    arguments.add_argument("--made", action="store_true", help="made letters only")
    arguments.add_argument("--vignettes", action="store_true", help="drawn vignettes only")
    chosen = arguments.parse_args()
    describe("Learning curve")
    if not chosen.made:
        judgement, train, test = drawn()
        curve("Drawn vignettes", train, test, chosen.sizes, judgement, guideline=False)
    if not chosen.vignettes:
        train, _ = made(max(chosen.sizes))
        test = made(chosen.test, start=max(chosen.sizes))
        curve("Made letters", train, test, chosen.sizes, shipped(), guideline=True)


if __name__ == "__main__":
    main()
