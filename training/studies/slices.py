"""Parts of one evaluation: by threshold, by bin of predictions, and by kind of item."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imr.training import metrics
from imr.training.contenders.compared import MODEL
from imr.training.metrics import UNDEFINED, Draws, Estimate

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
# Fewer overturned (or upheld) items than this have no AUC of their own.
FEW_OVERTURNED = 3


@dataclass(frozen=True, slots=True)
class Threshold:
    """What calling items *Overturned* from ``threshold`` on gives, as shares of items;
    ``default`` marks the threshold of the model.
    """

    threshold: float
    default: bool
    flagged: Estimate
    precision: Estimate
    recall: Estimate


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Mean prediction and observed share overturned of about ``items`` items."""

    predicted: float
    items: float
    observed: Estimate


@dataclass(frozen=True, slots=True)
class Slice:
    """Figures of the items whose ``slice`` (category, UR action …) is ``value``; ``observed`` and
    ``expected`` are shares overturned.
    """

    slice: str
    value: str
    items: int
    overturned: int
    observed: Estimate
    expected: float
    auc: Estimate
    chapter_top1: Estimate
    section_top1: Estimate


def thresholds(draws: Draws, default: float) -> list[Threshold]:
    """Flagged share, precision and recall from each threshold on."""
    p = draws.predictions.outcome[MODEL]
    default = round(default, 6)
    return [
        Threshold(
            threshold,
            threshold == default,
            *(
                metrics.estimate(draws.averaged(partial(metric, threshold=threshold), p))
                for metric in (metrics.flagged_at, metrics.precision_at, metrics.recall_at)
            ),
        )
        for threshold in sorted({*THRESHOLDS, default})
    ]


def calibration_curve(draws: Draws) -> list[CalibrationBin]:
    """Predicted and observed shares over bins of about equal count, all repeats together."""
    values = draws.predictions.outcome[MODEL][:, draws.rows]
    codes = metrics.quantile_bins(values.ravel()).reshape(values.shape)
    rows = []
    for code in np.unique(codes):
        inside = (codes == code).astype(np.float64)
        # An item that a bin holds in one of two repeats counts half.
        share = inside.mean(axis=0)
        observed = metrics.estimate(metrics.mean(draws.y, draws.weights * share))
        predicted = float((values * inside).sum() / inside.sum())
        rows.append(CalibrationBin(predicted, float(share.sum()), observed))
    return rows


def slices(draws: Draws) -> list[Slice]:
    """Figures by category, UR action, number of items, and edition of the reviewer's guideline."""
    frame = draws.sample.frame
    by: dict[str, NDArray[Any]] = {"edition of the reviewer's guideline": draws.sample.edition}
    for title, column in (("category", "category"), ("UR action", "ur_action")):
        by[title] = frame[column].astype("string").fillna("none").to_numpy(dtype=object)
    sizes = frame.groupby("letter_id")["letter_id"].transform("size").astype(int)
    named_sizes = ["1" if n == 1 else "2-3" if n <= 3 else "4 and more" for n in sizes]
    by["items in the letter"] = np.array(named_sizes, dtype=object)
    return [
        _slice(title, value, draws.part(values[draws.rows] == value))
        for title, values in by.items()
        for value in by_count(values[draws.rows])
    ]


def by_count(values: NDArray[Any]) -> list[Any]:
    """The distinct values, the commonest first."""
    distinct, counts = np.unique(values.astype(str), return_counts=True)
    return [str(value) for value in distinct[np.argsort(-counts, kind="stable")]]


def _slice(title: str, value: str, part: Draws) -> Slice:
    p, hits = part.predictions.outcome[MODEL], part.predictions.hits[MODEL]
    return Slice(
        slice=title,
        value=value,
        items=len(part.rows),
        overturned=int(part.y.sum()),
        observed=metrics.estimate(metrics.mean(part.y, part.weights)),
        expected=float(p[:, part.rows].mean()),
        auc=auc_where_enough(part),
        chapter_top1=metrics.estimate(part.share(hits["chapter_top1"])),
        section_top1=metrics.estimate(part.share(hits["section_top1"])),
    )


def auc_where_enough(part: Draws) -> Estimate:
    """The AUC of the model; undefined with fewer than :data:`FEW_OVERTURNED` of either outcome."""
    if not FEW_OVERTURNED <= part.y.sum() <= len(part.rows) - FEW_OVERTURNED:
        return UNDEFINED
    return metrics.estimate(part.auc(part.predictions.outcome[MODEL]))
