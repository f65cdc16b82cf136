"""Figures of merit, each for many reweightings of the letters at once.

Every figure takes the truth ``y`` (items,), the prediction (items,) and ``weights``
(draws, items), and gives one value a draw, NaN where the draw leaves it undefined (no overturned
item drawn).  A row of ones gives the figure itself; the rows of :func:`bootstrap_weights` (how
often each letter was drawn) its sampling distribution, and the same rows for two contenders the
distribution of their difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imr.models.frame import Array
from imr.training.contenders import MODEL, Kind, contender_kinds
from imr.training.decisions import Sample
from imr.training.folds import HITS, Predictions

Codes = NDArray[np.intp]
Metric = Callable[[Array, Array, Array], Array]
Key = tuple[str, str, str]
"""Subject, contender, figure."""

AUC = "auc"
LEVEL = 0.95
CALIBRATION_BINS = 8
SMALLEST_P = 1e-6
# Draws x items are held in memory; many items have narrow intervals, which few draws tell.
MOST_CELLS, FEWEST_DRAWS = 20_000_000, 200


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its bootstrap interval over letters (95%): see :func:`estimate`."""

    value: float
    low: float
    high: float

    def shown(self, form: str = "{:.2f} ({:.2f}–{:.2f})") -> str:
        """Value and ends in that form; a dash where there is no figure."""
        return "–" if np.isnan(self.value) else form.format(self.value, self.low, self.high)

    __str__ = shown


UNDEFINED = Estimate(float("nan"), float("nan"), float("nan"))


def flat(row: Any) -> dict[str, Any]:
    """A dataclass as columns of a table: an estimate ``x`` gives ``x``, ``x_low``, ``x_high``, and
    a mapping of estimates the columns of each; a list is a table of its own and left out.
    """
    found: dict[str, Any] = {}
    for field in fields(row):
        value = getattr(row, field.name)
        parts = value if isinstance(value, Mapping) else {field.name: value}
        for name, part in parts.items():
            if isinstance(part, Estimate):
                found |= {name: part.value, f"{name}_low": part.low, f"{name}_high": part.high}
            elif not isinstance(part, list):
                found[name] = part
    return found


def bootstrap_weights(groups: Codes, draws: int, seed: int) -> Array:
    """How often each item counts, shape (1 + draws, items): groups drawn with replacement, their
    items together.  Row 0 is the sample itself (ones).
    """
    _, codes = np.unique(groups, return_inverse=True)
    n = int(codes.max()) + 1 if len(codes) else 0
    if n == 0:
        return np.ones((1 + draws, 0))
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=draws)
    return np.vstack([np.ones(len(codes)), counts[:, codes]]).astype(np.float64)


def estimate(draws: Array, *, biased: bool = False) -> Estimate:
    """The first value, with the central interval of the others; undefined draws are left out.

    Of a ``biased`` figure, which draws with replacement push up and which is never below 0, the
    percentiles are shifted by the bootstrap's estimate of the bias, the mean of the draws less the
    value (Efron and Tibshirani 1993, chapter 10): so they lie around the value.
    """
    value, others = float(draws[0]), draws[1:][~np.isnan(draws[1:])]
    if np.isnan(value) or not len(others):
        return replace(UNDEFINED, value=value)
    low, high = np.quantile(others, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    if biased:
        low, high = (max(0.0, end - float(others.mean()) + value) for end in (low, high))
    return Estimate(value, float(low), float(high))


def share_above_0(draws: Array) -> float:
    """The share of bootstrap draws above 0: how sure the sign of a difference is."""
    others = draws[1:][~np.isnan(draws[1:])]
    return float(np.mean(others > 0)) if len(others) else float("nan")


def log_odds(p: Array) -> Array:
    """Of probabilities, kept off 0 and 1 by 1e-6."""
    kept = np.clip(p, SMALLEST_P, 1 - SMALLEST_P)
    return np.asarray(np.log(kept / (1 - kept)))


def ratio(over: Array, under: Array) -> Array:
    """Element by element; not finite, without a warning, where ``under`` is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(over / under)


def mean(values: Array, weights: Array) -> Array:
    """Weighted mean of a value an item (shares of hits, losses)."""
    return ratio(weights @ values, weights.sum(axis=1))


def concordant(y: Array, p: Array, weights: Array, strata: Codes | None = None) -> tuple[Any, Any]:
    """Pairs of an overturned and an upheld item ranked rightly (ties half), and all such pairs;
    with ``strata`` inside one stratum only, for two folds have two models.
    """
    right, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    codes = np.zeros(len(y), dtype=np.intp) if strata is None else strata
    for stratum in np.unique(codes):
        inside = np.flatnonzero(codes == stratum)
        drawn, truth = weights[:, inside], y[inside]
        positive, negative = _by_rank(p[inside], drawn * truth, drawn * (1 - truth))
        below = np.cumsum(negative, axis=1) - negative
        right += (positive * (below + 0.5 * negative)).sum(axis=1)
        pairs += positive.sum(axis=1) * negative.sum(axis=1)
    return right, pairs


def _by_rank(score: Array, *weights: Array) -> list[Array]:
    """Weights summed over items of equal score, lowest score first, shape (draws, scores)."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    return [np.add.reduceat(one[:, order], starts, axis=1) for one in weights]


def auc(y: Array, p: Array, weights: Array, strata: Codes | None = None) -> Array:
    """Area under the ROC curve: the share of pairs ranked rightly."""
    return ratio(*concordant(y, p, weights, strata))


def average_precision(y: Array, p: Array, weights: Array) -> Array:
    """Precision averaged over the overturned items found, from the highest score down."""
    positive, everything = _by_rank(-p, weights * y, weights)
    # Draws may leave the top of the list empty: nothing found there, nothing to average.
    precision = np.nan_to_num(ratio(np.cumsum(positive, axis=1), np.cumsum(everything, axis=1)))
    return ratio((positive * precision).sum(axis=1), positive.sum(axis=1))


def brier(y: Array, p: Array, weights: Array) -> Array:
    """Mean squared distance of probability and outcome; 0 is perfect."""
    return mean((p - y) ** 2, weights)


def brier_skill(y: Array, p: Array, weights: Array) -> Array:
    """1 - Brier / Brier of the base rate of the draw; 0 is no skill."""
    base = mean(y, weights)
    return 1.0 - ratio(brier(y, p, weights), base * (1 - base))


def log_loss(y: Array, p: Array, weights: Array) -> Array:
    """Mean negative log likelihood in nats, probabilities kept off 0 and 1 by 1e-6."""
    kept = np.clip(p, SMALLEST_P, 1 - SMALLEST_P)
    return mean(-np.where(y > 0, np.log(kept), np.log1p(-kept)), weights)


def quantile_bins(p: Array) -> Codes:
    """A bin number an item, bins of about equal count, equal predictions in one bin."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]))
    return np.searchsorted(edges, p, side="left").astype(np.intp)


def calibration_error(y: Array, p: Array, weights: Array) -> Array:
    """Mean distance of predicted and observed share over bins of about equal count; not zero even
    for a perfect model, for in a bin of few items the observed share varies by chance.
    """
    codes = quantile_bins(p)
    distance = np.zeros(len(weights))
    for code in np.unique(codes):
        inside = codes == code
        distance += np.abs(weights[:, inside] @ (p[inside] - y[inside]))
    return ratio(distance, weights.sum(axis=1))


def expected_over_observed(y: Array, p: Array, weights: Array) -> Array:
    """Overturned items expected, an overturned item observed: 1 is calibration in the large."""
    observed = weights @ y
    return np.where(observed > 0, ratio(weights @ p, observed), np.nan)


def flagged_at(_y: Array, p: Array, weights: Array, threshold: float) -> Array:
    """Share of items predicted at ``threshold`` or above."""
    return mean((p >= threshold).astype(np.float64), weights)


def precision_at(y: Array, p: Array, weights: Array, threshold: float) -> Array:
    """Share of overturned among items predicted at ``threshold`` or above."""
    chosen = (p >= threshold).astype(np.float64)
    return ratio(weights @ (chosen * y), weights @ chosen)


def recall_at(y: Array, p: Array, weights: Array, threshold: float) -> Array:
    """Share of the overturned items that are predicted at ``threshold`` or above."""
    return ratio(weights @ ((p >= threshold) * y), weights @ y)


OUTCOME_METRICS: Mapping[str, Metric] = {
    "average_precision": average_precision,
    "brier": brier,
    "brier_skill": brier_skill,
    "log_loss": log_loss,
    "calibration_error": calibration_error,
    "expected_over_observed": expected_over_observed,
}
OUTCOME_FIGURES = (AUC, *OUTCOME_METRICS)
# A mean distance of bins: chance makes it larger, never smaller, and a draw adds its own.
BIASED = frozenset({"calibration_error"})
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
    """The model against another; above 0 it is better, in the share ``p_better`` of draws."""

    subject: str
    against: str
    metric: str
    value: Estimate
    p_better: float


@dataclass(frozen=True)
class Draws:
    """The bootstrap of one evaluation, the same drawn letters for every figure and difference:
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
        weights = bootstrap_weights(sample.groups[rows], draws, seed)
        return cls(sample, predictions, rows, weights)

    @property
    def y(self) -> Array:
        """1 where overturned, of the tested items."""
        return self.sample.y[self.rows].astype(np.float64)

    def auc(self, p: Array, within: NDArray[Any] | None = None) -> Array:
        """Mean over the repeats of the AUC inside folds (and inside ``within``'s classes)."""
        return np.asarray(ratio(*self.concordant(p, within)).mean(axis=0))

    def concordant(self, p: Array, within: NDArray[Any] | None = None) -> tuple[Array, Array]:
        """Pairs ranked rightly and all pairs, shape (repeats, draws)."""
        classes = np.zeros(len(self.rows), dtype=np.intp)
        if within is not None:
            classes = np.unique(within[self.rows].astype(str), return_inverse=True)[1]
        strata = self.predictions.fold[:, self.rows] * (int(classes.max(initial=0)) + 1) + classes
        repeats = zip(p[:, self.rows], strata, strict=True)
        found = [concordant(self.y, values, self.weights, stratum) for values, stratum in repeats]
        right, pairs = zip(*found, strict=True)
        return np.array(right), np.array(pairs)

    def averaged(self, metric: Metric, p: Array) -> Array:
        """Mean over the repeats of a metric on all tested items."""
        parts = [metric(self.y, values[self.rows], self.weights) for values in p]
        return np.asarray(np.mean(parts, axis=0))

    def outcome(self, metric: str, p: Array) -> Array:
        """Draws of one of :data:`OUTCOME_FIGURES`."""
        return self.auc(p) if metric == AUC else self.averaged(OUTCOME_METRICS[metric], p)

    def share(self, hits: Array) -> Array:
        """Draws of a share of hits, shape (repeats, items) -> (draws,)."""
        return mean(hits[:, self.rows].mean(axis=0), self.weights)

    def all(self) -> dict[Key, Array]:
        """The draws of every figure of every contender."""
        outcome, hits = self.predictions.outcome, self.predictions.hits
        return {
            ("outcome", name, metric): self.outcome(metric, p)
            for name, p in outcome.items()
            for metric in OUTCOME_FIGURES
        } | {
            ("guideline", name, metric): self.share(values[metric])
            for name, values in hits.items()
            for metric in HITS
        }

    def part(self, chosen: NDArray[np.bool_]) -> Draws:
        """The tested items for which ``chosen`` (an entry a tested item) is true."""
        return Draws(self.sample, self.predictions, self.rows[chosen], self.weights[:, chosen])


def figures(all_draws: Mapping[Key, Array]) -> list[Figure]:
    """Every figure of every contender, of :meth:`Draws.all`."""
    kinds = contender_kinds()
    return [
        Figure(of, name, kinds[of, name], metric, estimate(values, biased=metric in BIASED))
        for (of, name, metric), values in all_draws.items()
    ]


def differences(all_draws: Mapping[Key, Array]) -> list[Difference]:
    """The model against every other, in the figures that are compared, of :meth:`Draws.all`."""
    rows = []
    for (subject, name, metric), values in all_draws.items():
        if name == MODEL or metric not in (*COMPARED, *COMPARED_HITS):
            continue
        gain = better_by(metric, all_draws[subject, MODEL, metric], values)
        e = estimate(gain)
        if not np.isnan(e.value):
            rows.append(Difference(subject, name, metric, e, share_above_0(gain)))
    return rows


def better_by(metric: str, ours: Array, theirs: Array) -> Array:
    """How much better ``ours`` is, draw by draw; above 0 is better whatever the metric."""
    return theirs - ours if metric in LESS_IS_BETTER else ours - theirs
