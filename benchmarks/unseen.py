"""Models trained on letters made by program or of vignettes, judged on others.

The outcome of such a letter is drawn from a known probability, so that the best that any model
can reach is known too.  What is found here says how the method learns what is there; it is no
forecast for real letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import expit

from imr.data.synthetic import synthesize
from imr.models.outcome.start import Judgement
from imr.training import metrics
from imr.training.contenders import cited
from imr.training.decisions import Sample, build, sample
from imr.training.folds import guideline_hits
from imr.training.metrics import Estimate
from imr.training.vignettes import (
    Rated,
    fit_judgement,
    shipped_vignettes,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SEED = 20161013
DRAWS = 500
OUTCOME = ("auc", "log_loss", "brier")
HITS = ("chapter_top1", "section_top1", "section_top3")
LESS_IS_BETTER = ("log_loss", "brier")


def made(letters: int, start: int = 0) -> tuple[Sample, Array]:
    """The letters ``start`` to ``start + letters`` of one seed, and the true p(overturned)."""
    found = list(synthesize(start + letters, SEED, start=start))
    truth = {m.letter.case.letter_id: m.p_overturned for m in found}
    data = sample(build(m.letter for m in found))
    keys = zip(data.frame["letter_id"], data.frame["item_index"], strict=True)
    return data, np.array([truth[letter][int(item)] for letter, item in keys], dtype=np.float64)


def drawn() -> tuple[Judgement, Sample, tuple[Sample, Array]]:
    """A judgement fitted on one half of the base cases; letters of the other half, whose outcomes
    are drawn from their ratings: training letters in random order, and test letters of other base
    cases with their rates.
    """
    rated = Rated.of(cases := shipped_vignettes())
    texts = pd.DataFrame({"case_summary": [v.case.case_summary for v in cases for _ in v.p]})
    random = np.random.default_rng(SEED)
    part_of = {base: n for n, base in enumerate(random.permutation(sorted(set(rated.base))))}
    # Two in four judge, one teaches and one tests.
    part = np.array([part_of[base] for base in rated.base]) % 4
    judged, letters = rated.rows(part < 2), rated.frame
    p = expit(rated.log_odds)
    y = (random.random(len(p)) < p).astype(np.int_)
    order = {name: n for n, name in enumerate(random.permutation(letters["letter_id"].unique()))}
    shuffled = np.argsort(letters["letter_id"].map(order).to_numpy(), kind="stable")
    train, test = (shuffled[part[shuffled] == which] for which in (2, 3))
    nothing = np.full(len(p), None, dtype=object)
    groups = pd.factorize(rated.base)[0]
    whole = Sample(letters, y, nothing, [()] * len(p), nothing, groups, letters, texts)
    return fit_judgement(judged), whole.part(train), (whole.part(test), p[test])


@dataclass(frozen=True)
class Judge:
    """Unseen letters and their bootstrap: the same draws for all that is compared."""

    test: Sample
    weights: Array

    @classmethod
    def of(cls, test: Sample) -> Judge:
        """With :data:`DRAWS` draws of the letters."""
        return cls(test, metrics.bootstrap_weights(test.groups, DRAWS, SEED))

    def probabilities(self, p: Array) -> dict[str, Array]:
        """Draws of the figures of p(overturned)."""
        y = self.test.y.astype(np.float64)
        found = {"auc": metrics.auc(y, p, self.weights)}
        return found | {n: metrics.OUTCOME_METRICS[n](y, p, self.weights) for n in OUTCOME[1:]}

    def outcome(self, model: Any) -> dict[str, Array]:
        """Draws of the figures of a fitted outcome model."""
        found = model.predict(self.test.frame)["p_overturned"]
        return self.probabilities(found.to_numpy(dtype=np.float64))

    def guideline(self, model: Any) -> dict[str, Array]:
        """Draws of the shares of hits of a fitted guideline model."""
        hits = guideline_hits(cited(model, self.test), self.test)
        return {name: metrics.mean(hits[name], self.weights) for name in HITS}


def shown(draws: Array) -> str:
    """A figure with its interval."""
    e = metrics.estimate(draws)
    return f"{e.value:.4f} ({e.low:.4f} to {e.high:.4f})"


def better(name: str, one: Array, other: Array) -> Estimate:
    """How much better ``one`` is than ``other``, letter for letter; above 0 is better."""
    return metrics.estimate(other - one if name in LESS_IS_BETTER else one - other)
