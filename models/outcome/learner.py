"""What decided letters teach: members that each learn from all letters but a share of their own.

A member has two parts, both LightGBM on every signal.  The *correction* goes on from the starting
odds with shallow trees; the *forest* has more capacity and does not know the start.  How much
each counts is decided on the letters that a member left out (:mod:`imr.models.outcome.mixture`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imr.features.families.facts import FACTS
from imr.features.table import COLUMNS
from imr.models.frame import KEY_COLUMNS, Array
from imr.models.outcome.judgement import fixed_signs, inputs
from imr.models.outcome.tree_contributions import TreeContributions

if TYPE_CHECKING:
    import lightgbm as lgb

# A label of fewer training items than this is null: it would tell single letters apart.
LEAST_LABELLED = 5


@dataclass(frozen=True, slots=True)
class TreeConfig:
    """Settings of one part.  One tree for every ``positives_a_tree`` overturned items: what the
    data can teach grows with them; at least ``least_trees``, at most ``most_trees``.
    """

    least_trees: int
    most_trees: int
    leaves: int
    learning_rate: float
    least_items_leaf: int
    l2: float
    signal_share: float
    positives_a_tree: float

    def trees(self, positives: float) -> int:
        """The number of trees for so many overturned items."""
        wanted = int(positives / self.positives_a_tree)
        return min(max(wanted, self.least_trees), self.most_trees)


@dataclass(frozen=True)
class SignalInputs:
    """Every signal as a number; labels by their place among those met in training.

    ``signs``: +1 or -1 for a signal that may move the odds one way only, else 0.  ``facts`` are
    read as 1, -1 where the contrary is documented, and 0 where nothing is.
    """

    columns: tuple[str, ...]
    labels: dict[str, tuple[str, ...]]
    signs: tuple[int, ...]
    facts: frozenset[str]

    @classmethod
    def met(cls, frame: pd.DataFrame) -> SignalInputs:
        """The signals of a training frame, with the signs that medicine and law fix."""
        labels = {}
        for column in COLUMNS:
            if column.dtype == "str" and column.name in signal_columns():
                counts = frame[column.name].value_counts()
                labels[column.name] = tuple(sorted(counts.index[counts >= LEAST_LABELLED]))
        columns, signs = signal_columns(), fixed_signs()
        facts = frozenset(FACTS) & frozenset(columns)
        return cls(columns, labels, tuple(signs.get(name, 0) for name in columns), facts)

    def matrix(self, frame: pd.DataFrame) -> Array:
        """Shape (items, columns); null as NaN."""
        return inputs(frame, self.columns, self.labels, self.facts)

    def to_json(self) -> dict[str, Any]:
        """Plain data, for the bundle."""
        labels = {name: list(known) for name, known in self.labels.items()}
        return {
            "columns": list(self.columns),
            "labels": labels,
            "signs": list(self.signs),
            "facts": sorted(self.facts),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> SignalInputs:
        """The inverse of :meth:`to_json`."""
        labels = {name: tuple(known) for name, known in stored["labels"].items()}
        facts = frozenset(stored["facts"])
        return cls(tuple(stored["columns"]), labels, tuple(stored["signs"]), facts)


@dataclass(frozen=True)
class Member:
    """A part that does not count has no trees."""

    correction: lgb.Booster | None
    forest: lgb.Booster | None

    def scores(self, start: Array, signals: Array) -> Array:
        """Log odds of start, correction and forest, shape (items, 3).

        The correction is what is added to the start; the forest counts from the base rate.  Neither
        holds the level of the member's own letters, which would tell its left-out letters apart
        from those of the other members.
        """
        return np.column_stack([start, _raw(self.correction, signals), _raw(self.forest, signals)])

    def contributions(self, signals: Array, correction: float, forest: float) -> Array:
        """What each signal adds through both parts, weighed, shape (items, signals)."""
        total = np.zeros(signals.shape)
        if self._correction_steps is not None:
            total += correction * self._correction_steps.contributions(signals)
        if self._forest_steps is not None:
            total += forest * self._forest_steps.contributions(signals)
        return total

    @cached_property
    def _correction_steps(self) -> TreeContributions | None:
        return None if self.correction is None else TreeContributions.of(self.correction)

    @cached_property
    def _forest_steps(self) -> TreeContributions | None:
        return None if self.forest is None else TreeContributions.of(self.forest)


def signal_columns() -> tuple[str, ...]:
    """The signals that members read; dates are left out, for they would be one a letter."""
    return tuple(c.name for c in COLUMNS if c.dtype != "date" and c.name not in KEY_COLUMNS)


def fit_trees(
    config: TreeConfig,
    common: Mapping[str, Any],
    inputs: SignalInputs,
    signals: Array,
    start: Array,
    y: Array,
    weight: Array,
) -> lgb.Booster:
    """Trees that go on from ``start`` (log odds); ``common`` are seed and threads."""
    import lightgbm as lgb

    labelled = [place for place, name in enumerate(inputs.columns) if name in inputs.labels]
    data = lgb.Dataset(
        signals, label=y, weight=weight, init_score=start, categorical_feature=labelled
    )
    settings = {
        **common,
        "objective": "binary",
        "boost_from_average": False,
        "learning_rate": config.learning_rate,
        "num_leaves": config.leaves,
        "min_data_in_leaf": config.least_items_leaf,
        "min_data_per_group": config.least_items_leaf,
        "lambda_l2": config.l2,
        "feature_fraction": config.signal_share,
        "monotone_constraints": list(inputs.signs),
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    return lgb.train(settings, data, num_boost_round=config.trees(float(y.sum())))


def _raw(booster: lgb.Booster | None, signals: Array) -> Array:
    """What the trees add to their starting odds, shape (items,); 0 without trees."""
    if booster is None or not len(signals):
        return np.zeros(len(signals))
    return np.asarray(booster.predict(signals, raw_score=True, num_threads=1), dtype=np.float64)
