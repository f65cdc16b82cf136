"""Predictions on unseen letters -> figures with intervals: one row a contender and figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
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
OUTCOME_FIGURES = (AUC, *metrics.OUTCOME_METRICS)
# Where less is better; a difference is turned so that above 0 means the model is better.
LESS_IS_BETTER = frozenset({"brier", "log_loss", "calibration_error"})
COMPARED = (AUC, "average_precision", "brier_skill", "log_loss")
COMPARED_HITS = tuple(name for name in HITS if "any" not in name)
THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
FEW_OVERTURNED = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one contender; ``subject`` is outcome or guideline."""

    subject: str
    contender: str
    kind: Kind
    metric: str
    value: float
    low: float
    high: float

    @property
    def estimate(self) -> Estimate:
        """Value and interval."""
        return Estimate(self.value, self.low, self.high)


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
        """Drawn over the groups of the tested items."""
        rows = np.flatnonzero(predictions.tested)
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


def figures(draws: Draws, kinds: dict[tuple[str, str], Kind]) -> list[Figure]:
    """Every figure of every contender."""
    found = []
    for subject, name, metric, values in _all_draws(draws):
        e = metrics.estimate(values)
        kind = kinds[subject, name]
        found.append(Figure(subject, name, kind, metric, e.value, e.low, e.high))
    return found


def _all_draws(draws: Draws) -> Iterator[tuple[str, str, str, Array]]:
    for name, p in draws.predictions.outcome.items():
        for metric in OUTCOME_FIGURES:
            yield "outcome", name, metric, draws.outcome(metric, p)
    for name, hits in draws.predictions.hits.items():
        for metric in HITS:
            yield "guideline", name, metric, draws.share(hits[metric])


def differences(draws: Draws) -> list[dict[str, Any]]:
    """The model against every other, on the same drawn letters; above 0 the model is better.

    ``p_better`` is the share of draws in which it is.
    """
    by_key = {(s, n, m): values for s, n, m, values in _all_draws(draws)}
    rows = []
    for (subject, name, metric), values in by_key.items():
        if name == MODEL or metric not in (*COMPARED, *COMPARED_HITS):
            continue
        ours = by_key[subject, MODEL, metric]
        gain = values - ours if metric in LESS_IS_BETTER else ours - values
        e = metrics.estimate(gain)
        if not np.isnan(e.value):
            rows.append(
                {
                    "subject": subject,
                    "against": name,
                    "metric": metric,
                    **asdict(e),
                    "p_better": metrics.share_above(gain),
                }
            )
    return rows


def thresholds(draws: Draws, p: Array, own: float) -> list[dict[str, Any]]:
    """What calling items *Overturned* from a threshold on would give; ``own`` is the model's."""
    rows = []
    for threshold in sorted({*THRESHOLDS, round(own, 6)}):

        def flagged(_y: Array, q: Array, w: Array, t: float = threshold) -> Array:
            return metrics.mean((q >= t).astype(np.float64), w)

        def precision(y: Array, q: Array, w: Array, t: float = threshold) -> Array:
            return metrics.precision_at(y, q, w, t)

        def recall(y: Array, q: Array, w: Array, t: float = threshold) -> Array:
            return metrics.recall_at(y, q, w, t)

        row: dict[str, Any] = {"threshold": threshold, "default": threshold == round(own, 6)}
        for name, metric in (("flagged", flagged), ("precision", precision), ("recall", recall)):
            row |= _prefixed(name, metrics.estimate(draws.averaged(metric, p)))
        rows.append(row)
    return rows


def calibration_curve(draws: Draws, p: Array) -> list[dict[str, Any]]:
    """Predicted and observed shares over bins of about equal count, all repeats together."""
    values = p[:, draws.rows]
    codes = metrics.quantile_bins(values.ravel()).reshape(values.shape)
    rows = []
    for code in np.unique(codes):
        inside = (codes == code).astype(np.float64)
        # An item that a bin holds in one of two repeats counts half.
        weights = draws.weights * inside.mean(axis=0)
        predicted = float((values * inside).sum() / inside.sum())
        observed = metrics.estimate(metrics.mean(draws.y, weights))
        items = float(inside.mean(axis=0).sum())
        rows.append({"predicted": predicted, "items": items, **_prefixed("observed", observed)})
    return rows


def slices(draws: Draws) -> list[dict[str, Any]]:
    """Figures by category, UR action, number of items, and edition of the reviewer's guideline."""
    frame, predictions = draws.sample.frame, draws.predictions
    by: dict[str, NDArray[Any]] = {"edition of the reviewer's guideline": draws.sample.edition}
    for title, column in (("category", "category"), ("UR action", "ur_action")):
        if column in frame:
            by[title] = frame[column].astype("string").fillna("none").to_numpy(dtype=object)
    sizes = frame.groupby("letter_id")["letter_id"].transform("size").astype(int)
    by["items in the letter"] = np.array([_size(n) for n in sizes], dtype=object)
    rows = []
    for title, values in by.items():
        tested = values[draws.rows]
        for value in sorted(set(tested), key=lambda v: (-int((tested == v).sum()), v)):
            part = draws.part(tested == value)
            rows.append({"slice": title, "value": value, **_slice(part, predictions)})
    return rows


def _size(n: int) -> str:
    return "1" if n == 1 else "2-3" if n <= 3 else "4 and more"


def _slice(part: Draws, predictions: Predictions) -> dict[str, Any]:
    overturned = int(part.y.sum())
    p, hits = predictions.outcome[MODEL], predictions.hits[MODEL]
    row: dict[str, Any] = {"items": len(part.rows), "overturned": overturned}
    row |= _prefixed("observed", metrics.estimate(metrics.mean(part.y, part.weights)))
    row["expected"] = float(p[:, part.rows].mean())
    if FEW_OVERTURNED <= overturned <= len(part.rows) - FEW_OVERTURNED:
        row |= _prefixed("auc", metrics.estimate(part.auc(p)))
    for name in ("chapter_top1", "section_top1"):
        row |= _prefixed(name, metrics.estimate(part.share(hits[name])))
    return row


def _prefixed(name: str, e: Estimate) -> dict[str, float]:
    return {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}


def of(found: Sequence[Figure], subject: str, contender: str, metric: str) -> Estimate:
    """One figure; KeyError where there is none."""
    for figure in found:
        if (figure.subject, figure.contender, figure.metric) == (subject, contender, metric):
            return figure.estimate
    raise KeyError(f"{subject}/{contender}/{metric}")
