"""Predictions on unseen letters -> metrics with bootstrap intervals, all on the same draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imr.training import metrics
from imr.training.contenders.compared import MODEL, Kind
from imr.training.decisions import Sample
from imr.training.folds import HITS, Predictions
from imr.training.metrics import Estimate, Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

AUC = "auc"
# Draws x items are held in memory; many items have narrow intervals, which few draws tell.
MOST_CELLS, FEWEST_DRAWS = 20_000_000, 200
OUTCOME_FIGURES = (AUC, *metrics.OUTCOME_METRICS)
# Where less is better; a difference is turned so that above 0 means the model is better.
LESS_IS_BETTER = frozenset({"brier", "log_loss", "calibration_error"})
COMPARED = (AUC, "average_precision", "brier_skill", "log_loss")
COMPARED_HITS = tuple(name for name in HITS if "any" not in name)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one contender; ``subject`` is outcome or guideline."""

    subject: str
    contender: str
    kind: Kind
    metric: str
    value: Estimate


@dataclass(frozen=True, slots=True)
class Difference:
    """The model against another on the same drawn letters; above 0 the model is better, and
    ``p_better`` is the share of draws in which it is.
    """

    subject: str
    against: str
    metric: str
    value: Estimate
    p_better: float


@dataclass(frozen=True)
class Draws:
    """The bootstrap of one evaluation: the same drawn letters for every figure.

    ``rows`` are the tested items; ``weights`` (1 + draws, rows).
    """

    sample: Sample
    predictions: Predictions
    rows: NDArray[np.intp]
    weights: Array

    @classmethod
    def of(cls, sample: Sample, predictions: Predictions, draws: int, seed: int) -> Draws:
        """Drawn over the groups of the tested items, fewer times where these are many."""
        rows = np.flatnonzero(predictions.tested)
        draws = min(draws, max(FEWEST_DRAWS, MOST_CELLS // len(rows)))
        weights = metrics.bootstrap_weights(sample.groups[rows], draws, seed)
        return cls(sample, predictions, rows, weights)

    @property
    def y(self) -> Array:
        """1 where overturned, of the tested items."""
        return self.sample.y[self.rows].astype(np.float64)

    def auc(self, p: Array, within: NDArray[Any] | None = None) -> Array:
        """Mean over the repeats of the AUC inside folds (and inside ``within``'s classes)."""
        right, pairs = self.concordant(p, within)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((right / pairs).mean(axis=0))

    def concordant(self, p: Array, within: NDArray[Any] | None = None) -> tuple[Array, Array]:
        """Pairs ranked rightly and all pairs, shape (repeats, draws)."""
        classes = np.zeros(len(self.rows), dtype=np.intp)
        if within is not None:
            classes = np.unique(within[self.rows].astype(str), return_inverse=True)[1]
        found = []
        for repeat, fold in enumerate(self.predictions.fold):
            strata = fold[self.rows] * (int(classes.max(initial=0)) + 1) + classes
            values = p[repeat, self.rows]
            found.append(metrics.concordant(self.y, values, self.weights, strata))
        return np.array([right for right, _ in found]), np.array([pairs for _, pairs in found])

    def averaged(self, metric: Metric, p: Array) -> Array:
        """Mean over the repeats of a metric on all tested items."""
        parts = [metric(self.y, values[self.rows], self.weights) for values in p]
        return np.asarray(np.mean(parts, axis=0))

    def outcome(self, metric: str, p: Array) -> Array:
        """Draws of one of :data:`OUTCOME_FIGURES`."""
        if metric == AUC:
            return self.auc(p)
        return self.averaged(metrics.OUTCOME_METRICS[metric], p)

    def share(self, hits: Array) -> Array:
        """Draws of a share of hits, shape (repeats, items) -> (draws,)."""
        return metrics.mean(hits[:, self.rows].mean(axis=0), self.weights)

    def part(self, chosen: NDArray[np.bool_]) -> Draws:
        """The tested items for which ``chosen`` (an entry a tested item) is true."""
        return Draws(self.sample, self.predictions, self.rows[chosen], self.weights[:, chosen])


def figures(draws: Draws, kinds: Mapping[tuple[str, str], Kind]) -> list[Figure]:
    """Every figure of every contender."""
    return [
        Figure(subject, name, kinds[subject, name], metric, metrics.estimate(values))
        for subject, name, metric, values in _all_draws(draws)
    ]


def _all_draws(draws: Draws) -> Iterator[tuple[str, str, str, Array]]:
    for name, p in draws.predictions.outcome.items():
        for metric in OUTCOME_FIGURES:
            yield "outcome", name, metric, draws.outcome(metric, p)
    for name, hits in draws.predictions.hits.items():
        for metric in HITS:
            yield "guideline", name, metric, draws.share(hits[metric])


def differences(draws: Draws) -> list[Difference]:
    """The model against every other, in the figures that are compared."""
    by_key = {(s, n, m): values for s, n, m, values in _all_draws(draws)}
    rows = []
    for (subject, name, metric), values in by_key.items():
        if name == MODEL or metric not in (*COMPARED, *COMPARED_HITS):
            continue
        gain = better_by(metric, by_key[subject, MODEL, metric], values)
        e = metrics.estimate(gain)
        if not np.isnan(e.value):
            rows.append(Difference(subject, name, metric, e, metrics.share_above(gain)))
    return rows


def better_by(metric: str, ours: Array, theirs: Array) -> Array:
    """How much better ``ours`` is, draw by draw; above 0 is better whatever the metric."""
    return theirs - ours if metric in LESS_IS_BETTER else ours - theirs
