"""What blind raters gave for the items of real letters, and how predictions stand beside it.

Three language models read each shipped case (summary, requests, the administrator's citation; not
the decision) and gave a chance that the item was overturned: ``data/ratings.csv``, in percent.
They had seen no outcome.  The ratings train nothing.  They show how much of the outcome a reader
can tell from the case, and they measure agreement without touching an outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import expit

from imr.models.frame import KEY_COLUMNS, Array
from imr.training import metrics
from imr.training.metrics import Estimate

if TYPE_CHECKING:
    from imr.training.metrics import Draws

RATERS = ("rater_a", "rater_b", "rater_c")
RATED_FIGURES = ("auc", "average_precision", "brier_skill")


def ratings(table: pd.DataFrame) -> Array:
    """The mean rated log odds of the items of a table; NaN where an item was not rated.

    Columns read: ``letter_id``, ``item_index``.
    """
    given = pd.read_csv(str(resources.files("imr.data") / "ratings.csv"), dtype={"letter_id": str})
    p = given.set_index([*KEY_COLUMNS])[[*RATERS]] / 100
    keys: Any = [table["letter_id"].astype(str), table["item_index"].astype("int64")]
    found = np.log(p / (1 - p)).mean(axis=1).reindex(pd.MultiIndex.from_arrays(keys))
    return np.asarray(found, dtype=np.float64)


def correlation(one: Array, other: Array) -> float:
    """Pearson's, over the items that both have."""
    known = ~(np.isnan(one) | np.isnan(other))
    return float(np.corrcoef(one[known], other[known])[0, 1])


@dataclass(frozen=True, slots=True)
class Raters:
    """``figures`` of the mean rating by metric; ``agreement`` by contender: Pearson's correlation
    of its log odds with the mean rating.
    """

    figures: dict[str, Estimate]
    agreement: dict[str, Estimate]


def raters_study(draws: Draws) -> Raters | None:
    """The raters' own figures and each contender's agreement with them; None where not all items
    were rated.
    """
    rated = ratings(draws.sample.table)
    if np.isnan(rated).any():
        return None
    same = np.repeat(expit(rated)[None, :], len(draws.predictions.fold), axis=0)
    return Raters(
        figures={name: metrics.estimate(draws.outcome(name, same)) for name in RATED_FIGURES},
        agreement={
            name: metrics.estimate(_agreement(draws, p, rated))
            for name, p in draws.predictions.outcome.items()
            if np.ptp(p[:, draws.rows]) > 0
        },
    )


def _agreement(draws: Draws, p: Array, rated: Array) -> Array:
    """Correlation with the ratings in every draw, the mean over the repeats."""
    found = []
    for values in p:
        known = np.clip(values[draws.rows], metrics.SMALLEST_P, 1 - metrics.SMALLEST_P)
        log_odds = np.log(known / (1 - known))
        found.append(_weighted_correlation(log_odds, rated[draws.rows], draws.weights))
    return np.asarray(np.mean(found, axis=0))


def _weighted_correlation(one: Array, other: Array, weights: Array) -> Array:
    """Pearson's correlation under each row of weights, shape (draws,)."""
    total = weights.sum(axis=1)

    def about(a: Array, b: Array) -> Array:
        return np.asarray(weights @ (a * b) / total - (weights @ a) * (weights @ b) / total**2)

    return metrics.ratio(about(one, other), np.sqrt(about(one, one) * about(other, other)))
