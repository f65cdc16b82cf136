"""How far the estimate follows a deciding fact: twins of rated vignettes as the truth.

A base case and its twin differ in a fact or two, and both were rated.  The change of the rated log
odds is set against that of the predicted ones, by the facts whose signals changed.  Predictions
come from judgements fitted without the base case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from imr.features.families.facts import FACTS
from imr.models.frame import Array, numbers, texts

if TYPE_CHECKING:
    from imr.training.vignettes import Rated

# Halves: a judgement of the one is asked about the other.
FOLDS = 2
LEAST_PAIRS = 30
ALL, UNSEEN = "all pairs", "no fact seen to change"
REQUEST = ("subcategory", "request_term")


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """``fact`` changed between ``pairs`` of a base case and a twin (an item each).

    ``rated_change`` is the mean absolute change of the rated log odds; ``slope`` the predicted
    change per unit of the rated one, 1 where the estimate moves as far as a reader's, and ``r``
    their correlation about 0.
    """

    fact: str
    pairs: int
    rated_change: float
    slope: float
    r: float


def twin_sensitivity() -> list[Sensitivity]:
    """The study on all shipped vignettes; their signals and two judgements take minutes."""
    from imr.training.vignettes import Rated, out_of_fold, shipped_vignettes

    rated = Rated.of(shipped_vignettes())
    return sensitivity(rated, out_of_fold(rated, FOLDS))


def sensitivity(
    rated: Rated, predicted: Array, least_pairs: int = LEAST_PAIRS
) -> list[Sensitivity]:
    """By fact, most pairs first, after all pairs together and those in which no fact is seen to
    change; facts of fewer pairs than ``least_pairs`` are left out.
    """
    base, twin = _pairs(rated.frame)
    known = np.column_stack([np.nan_to_num(2 * numbers(rated.frame[n]) - 1) for n in FACTS])
    changed = known[base] != known[twin]
    by_rating, by_model = (
        rated.log_odds[twin] - rated.log_odds[base],
        predicted[twin] - predicted[base],
    )
    named = [(ALL, np.full(len(base), True)), (UNSEEN, ~changed.any(axis=1))]
    facts = zip(FACTS, changed.T, strict=True)
    order = sorted(facts, key=lambda pair: (-int(pair[1].sum()), pair[0]))
    return [
        _moved(name, by_rating[rows], by_model[rows])
        for name, rows in (*named, *order)
        if rows.sum() >= least_pairs
    ]


def _pairs(frame: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of base cases and of their twins: the same item, asked for in the same words."""
    pairs = list(_twins(frame))
    rows = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _twins(frame: pd.DataFrame) -> Iterator[tuple[int, int]]:
    requests = zip(*(texts(frame[name]) for name in REQUEST), strict=True)
    keys = zip(frame["letter_id"].astype(str), frame["item_index"], requests, strict=True)
    base_rows: dict[tuple[str, Any, Any], int] = {}
    for row, (letter, item, request) in enumerate(keys):
        base, _, version = letter.rpartition(".")
        if version == "0":
            base_rows[base, item, request] = row
        elif (base, item, request) in base_rows:
            yield base_rows[base, item, request], row


def _moved(fact: str, rated: Array, predicted: Array) -> Sensitivity:
    both, own, model = float(rated @ predicted), float(rated @ rated), float(predicted @ predicted)
    return Sensitivity(
        fact=fact,
        pairs=len(rated),
        rated_change=float(np.abs(rated).mean()),
        slope=both / own if own else 0.0,
        r=both / np.sqrt(own * model) if own and model else 0.0,
    )
