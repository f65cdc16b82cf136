"""What decided letters teach: members that each learn from all letters but a share of their own.

A member has two parts, both LightGBM on every signal.  The *correction* goes on from the starting
odds with shallow trees; the *forest* has more capacity and does not know the start.

How much start and parts count is decided on the letters that a member left out, by a super
learner (van der Laan, Polley & Hubbard, Stat Appl Genet Mol Biol 2007; 6(1)): a logistic regression
weighs their log odds.  Its normal prior says that the start is right as it stands and that letters
add a little, so that few letters change little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit

from imr.features.families.facts import FACTS
from imr.features.table import all_columns
from imr.models.frame import KEY_COLUMNS, Array, SignalInputs
from imr.models.ranges import MOST_LEAVES, setting

if TYPE_CHECKING:
    import lightgbm as lgb

# A label of fewer training items than this is null: it would tell single letters apart.
LEAST_LABELLED = 5
# Prior of the weights: the level, the start, the correction of the start, the forest.
# The start counts as it stands until letters say otherwise; its slope may go either way.  The
# forest of few letters is flat by itself: it counts fully and still moves next to nothing.
PRIOR_MEAN = np.array([0.0, 1.0, 0.25, 1.0])
PRIOR_SD = np.array([1.0, 0.4, 0.5, 0.7])
ITEMS_AT_ONCE = 2_000
# A part that counts less than this is left out, and costs nothing when scoring.
LEAST_WEIGHT = 0.005


@dataclass(frozen=True, slots=True)
class OutcomeConfig:
    """Settings of the outcome model.

    ``members`` is the number of shares of the letters; each member leaves one share out and learns
    from ``most_letters`` of the others at most: of many, small draws vote as well as whole ones
    (Breiman, Machine Learning 1999; 36:85-103).  The settings of the correction stand first, those
    of the forest after ``forest_``.  Both have one tree for every ``positives_a_tree`` overturned
    items, for what the data can teach grows with them: at least ``trees``, at most ``most_trees``.
    ``sibling_correlation`` down-weights the items of one letter to
    ``1 / (1 + r (n - 1))``.  ``level`` is how often an interval should hold the rate;
    ``judgement_sd`` is how far (log odds) a reader's rating of a case nobody has seen lies from the
    judgement, as ``python -m imr.training.vignettes`` prints it.
    ``missed_cost`` is what a missed *overturned* costs in units of one false alarm; an item is
    predicted *Overturned* from ``1 / (1 + missed_cost)`` on, by default 0.2.
    """

    seed: int = setting(20161013)
    members: int = setting(6, 2)
    most_letters: int = setting(12_000, 2)
    positives_a_tree: float = setting(2.0, open_=True)
    trees: int = setting(20, 1)
    most_trees: int = setting(300, 1)
    leaves: int = setting(4, 2, MOST_LEAVES)
    learning_rate: float = setting(0.03, open_=True)
    min_items_leaf: int = setting(12, 1)
    l2: float = setting(20.0)
    signal_share: float = setting(0.5, 0.01, 1)
    forest_trees: int = setting(20, 1)
    forest_most_trees: int = setting(300, 1)
    forest_leaves: int = setting(15, 2, MOST_LEAVES)
    forest_learning_rate: float = setting(0.05, open_=True)
    forest_min_items_leaf: int = setting(20, 1)
    forest_l2: float = setting(5.0)
    forest_signal_share: float = setting(0.4, 0.01, 1)
    sibling_correlation: float = setting(0.3, 0, 1)
    missed_cost: float = setting(4.0, open_=True)
    level: float = setting(0.9, 0, 1, open_=True)
    judgement_sd: float = setting(0.95)
    class_sd: float = setting(0.6, open_=True)
    threads: int = setting(1, 1)

    @property
    def threshold(self) -> float:
        """The probability from which calling an item *Overturned* costs less."""
        return 1.0 / (1.0 + self.missed_cost)


@dataclass(frozen=True)
class TreeContributions:
    """What each input added on an item's way through the trees of a booster.

    A tree's answer is the value of its root plus the steps from node to node; each step is booked
    to the input that the node asked for (Saabas, "Interpreting random forests", 2014), so that the
    parts add up to the raw score exactly.  LightGBM's own ``pred_contrib`` shares a step out among
    the inputs that interact, at many times the cost (``benchmarks/bench_scoring.py``).
    ``table`` (leaves of all trees, inputs), sparse; ``starts`` is the first row of each tree.
    """

    booster: lgb.Booster
    table: Any
    starts: npt.NDArray[np.intp]

    @classmethod
    def of(cls, booster: lgb.Booster) -> TreeContributions:
        """Walk every tree once, in the text that LightGBM stores: its JSON takes six times as
        long.
        """
        from scipy.sparse import csr_array

        trees = [_Tree.of(block) for block in booster.model_to_string().split("\nTree=")[1:]]
        sizes = np.array([len(tree.leaf_values) for tree in trees], dtype=np.intp)
        starts = np.cumsum(sizes) - sizes
        cells = [
            np.empty((3, 0)),
            *(cell for tree, at in zip(trees, starts, strict=True) for cell in tree.steps(at)),
        ]
        rows, features, steps = np.concatenate(cells, axis=1)
        # Steps of one input on one way add up: the sparse array sums what stands twice.
        places = rows.astype(np.intp), features.astype(np.intp)
        shape = int(sizes.sum()), booster.num_feature()
        return cls(booster, csr_array((steps, places), shape=shape), starts)

    def contributions(self, matrix: Array) -> Array:
        """What each input adds to the raw score above the roots' values, shape (items, inputs)."""
        added = np.empty((len(matrix), self.table.shape[1]))
        # The leaves of all items in all trees would take gigabytes.
        for start in range(0, len(matrix), ITEMS_AT_ONCE):
            rows = slice(start, start + ITEMS_AT_ONCE)
            added[rows] = self._added(matrix[rows])
        return added

    def _added(self, matrix: Array) -> Array:
        from scipy.sparse import csr_array

        items, trees = len(matrix), len(self.starts)
        leaves = np.asarray(self.booster.predict(matrix, pred_leaf=True, num_threads=1))
        places = leaves.reshape(items, trees).astype(np.intp) + self.starts
        reached = csr_array(
            (np.ones(items * trees), places.ravel(), np.arange(items + 1) * trees),
            shape=(items, self.table.shape[0]),
        )
        return np.asarray((reached @ self.table).toarray(), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Tree:
    """A tree as LightGBM writes it, in arrays by node; a child below 0 is the complement of a
    leaf's number.
    """

    features: npt.NDArray[np.intp]
    children: npt.NDArray[np.intp]
    values: Array
    leaf_values: Array

    @classmethod
    def of(cls, block: str) -> _Tree:
        """From the lines of one tree; a tree that asks nothing is one leaf."""
        lines = dict(line.split("=", 1) for line in block.split("\n\n", 1)[0].split("\n")[1:])
        features, left, right = (
            np.array(lines.get(name, "").split(), dtype=np.intp)
            for name in ("split_feature", "left_child", "right_child")
        )
        values, leaf_values = (
            np.array(lines.get(name, "").split(), dtype=np.float64)
            for name in ("internal_value", "leaf_value")
        )
        return cls(features, np.array([left, right]), values, leaf_values)

    def steps(self, start: int) -> Iterator[Array]:
        """Leaves (numbered from ``start``), inputs and steps on the ways from leaves to root, shape
        (3, leaves still on their way), one storey after another.
        """
        nodes, leaves = len(self.features), np.arange(len(self.leaf_values))
        # Nodes by their number, then leaves by theirs: the node above each, -1 above the root.
        above = np.full(nodes + len(leaves), -1, dtype=np.intp)
        above[np.where(self.children < 0, nodes + ~self.children, self.children)] = np.arange(nodes)
        values = np.concatenate([self.values, self.leaf_values])
        at = nodes + leaves
        while (going_on := above[at] >= 0).any():
            at, leaves = at[going_on], leaves[going_on]
            over = above[at]
            yield np.array([start + leaves, self.features[over], values[at] - values[over]])
            at = over


@dataclass(frozen=True)
class Member:
    """The trees of correction and forest; a part that does not count has none."""

    correction: lgb.Booster | None
    forest: lgb.Booster | None

    def scores(self, start: Array, signals: Array) -> Array:
        """Log odds of start, correction and forest, shape (items, 3).

        The correction is what is added to the start; the forest counts from the base rate.  Neither
        holds the level of the member's own letters, which would tell its left-out letters apart
        from those of the other members.
        """
        scores = np.zeros((len(start), 3))
        scores[:, 0] = start
        for place, trees in enumerate((self.correction, self.forest), start=1):
            if trees is not None and len(start):
                scores[:, place] = trees.predict(signals, raw_score=True, num_threads=1)
        return scores

    def contributions(self, signals: Array, weights: Sequence[float]) -> Array:
        """What each signal adds through both parts by their weights, shape (items, signals)."""
        total = np.zeros(signals.shape)
        for weight, steps in zip(weights, self._steps, strict=True):
            if steps is not None:
                total += weight * steps.contributions(signals)
        return total

    @cached_property
    def _steps(self) -> list[TreeContributions | None]:
        parts = (self.correction, self.forest)
        return [None if trees is None else TreeContributions.of(trees) for trees in parts]


def signal_columns() -> tuple[str, ...]:
    """The signals that members read; dates are left out, for they would be one a letter."""
    return tuple(c.name for c in all_columns() if c.dtype != "date" and c.name not in KEY_COLUMNS)


def inputs_met(frame: pd.DataFrame) -> SignalInputs:
    """Every signal as a number, with the labels that a training frame holds often enough."""
    columns, labels = signal_columns(), {}
    for column in all_columns():
        if column.dtype == "str" and column.name in columns:
            counts = frame[column.name].value_counts()
            labels[column.name] = tuple(sorted(counts.index[counts >= LEAST_LABELLED]))
    return SignalInputs(columns, labels, frozenset(FACTS).intersection(columns))


def fit_trees(
    config: OutcomeConfig,
    part: Literal["", "forest_"],
    inputs: SignalInputs,
    signals: Array,
    start: Array,
    y: Array,
    weight: Array,
) -> lgb.Booster:
    """Trees that go on from ``start`` (log odds); ``part`` is before the names of its settings."""
    import lightgbm as lgb

    def own(name: str) -> Any:
        return getattr(config, part + name)

    labelled = [place for place, name in enumerate(inputs.columns) if name in inputs.labels]
    data = lgb.Dataset(
        signals, label=y, weight=weight, init_score=start, categorical_feature=labelled
    )
    settings = {
        "seed": config.seed,
        "num_threads": config.threads,
        "objective": "binary",
        "boost_from_average": False,
        "learning_rate": own("learning_rate"),
        "num_leaves": own("leaves"),
        "min_data_in_leaf": own("min_items_leaf"),
        "min_data_per_group": own("min_items_leaf"),
        "lambda_l2": own("l2"),
        "feature_fraction": own("signal_share"),
        "monotone_constraints": inputs.signs,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    rounds = min(max(int(y.sum() / config.positives_a_tree), own("trees")), own("most_trees"))
    return lgb.train(settings, data, num_boost_round=rounds)


def fit_logistic(
    x: Array,
    y: Array,
    offset: Array,
    weight: Array,
    mean: Array,
    sd: Array,
    positive: Sequence[int],
) -> Array:
    """The most probable coefficients of a logistic regression given ``y`` (0/1), starting odds and
    weights; ``mean`` and ``sd`` of their normal prior, and ``positive``: which are not below 0.
    """

    def loss(beta: Array) -> tuple[float, Array]:
        score = offset + x @ beta
        gap = (beta - mean) / sd
        nll = float(np.sum(weight * (np.logaddexp(0.0, score) - y * score)))
        gradient = x.T @ (weight * (expit(score) - y)) + gap / sd
        return nll + 0.5 * float(gap @ gap), gradient

    bounds = [(0.0 if place in positive else None, None) for place in range(len(mean))]
    fitted = minimize(loss, mean.copy(), jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(fitted.x, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Mixture:
    """Weights of level, start, correction and forest, and their covariance."""

    weights: Array
    covariance: Array

    @classmethod
    def fitted(cls, parts: Array, y: Array, weight: Array) -> Mixture:
        """From log odds of left-out letters, shape (items, 3), and what was decided (0/1)."""
        x = _with_level(parts)
        weights = fit_logistic(x, y, np.zeros(len(y)), weight, PRIOR_MEAN, PRIOR_SD, (1, 2, 3))
        p = expit(x @ weights)
        # Items of one letter count as fewer than they are, and so in the variance.
        information = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(PRIOR_SD**-2.0)
        covariance = np.linalg.inv(information)
        left_out = np.append(False, weights[1:] < LEAST_WEIGHT)
        covariance[left_out, :] = 0.0
        covariance[:, left_out] = 0.0
        return cls(np.where(left_out, 0.0, weights), covariance)

    def log_odds(self, parts: Array) -> Array:
        """Calibrated log odds, shape (items,), from those of the parts, shape (items, 3)."""
        return np.asarray(_with_level(parts) @ self.weights)

    def variance(self, parts: Array) -> Array:
        """Variance of the calibrated log odds from not knowing the weights."""
        x = _with_level(parts)
        return np.asarray(np.einsum("ij,jk,ik->i", x, self.covariance, x))

    def start_share(self, parts: Array) -> float:
        """The share (0-1) of the estimates' variance that the start gives, of the two together that
        start and learned parts give each by itself.
        """
        start = float(np.var(self.weights[1] * parts[:, 0]))
        learned = float(np.var(parts[:, 1:] @ self.weights[2:]))
        return start / (start + learned) if start > 0 else 0.0


def _with_level(parts: Array) -> Array:
    return np.column_stack([np.ones(len(parts)), parts])
