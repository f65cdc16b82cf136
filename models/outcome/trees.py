"""Signals as trees read them, and what each of them added on an item's way through the trees.

A tree's answer is the value of its root plus the steps from node to node; each step is booked to
the input that the node asked for (Saabas, "Interpreting random forests", 2014).  The parts add up
to the raw score exactly.  LightGBM's own ``pred_contrib`` shares a step out among the inputs that
interact (Lundberg & Lee 2017), at many times the cost (``benchmarks/bench_scoring.py``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.data import table_rows
from imr.models.frame import Array, by_value, numbers

if TYPE_CHECKING:
    import lightgbm as lgb


@cache
def fixed_signs() -> Mapping[str, int]:
    """The sign (+1, -1, or 0 where it may be either) that medicine or law fixes for a signal,
    whatever is asked for (``fixed_signs.csv``).
    """
    rows = table_rows("fixed_signs", Path(__file__).parent)
    return {row["signal"]: int(row["sign"]) for row in rows}


@dataclass(frozen=True)
class SignalInputs:
    """Signals as numbers; of ``labels`` the place among those that a column is known to hold.

    A fact lies between its contrary (-1) and itself (1) where nothing is said (0), so that what
    medicine or law fixes of its sign holds for all three.
    """

    columns: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    facts: frozenset[str] = frozenset()

    @property
    def signs(self) -> list[int]:
        """+1 or -1 for a signal that may move the odds one way only, else 0."""
        return [fixed_signs().get(name, 0) for name in self.columns]

    def only(self, columns: tuple[str, ...]) -> SignalInputs:
        """The same with some of the columns."""
        labels = {name: known for name, known in self.labels.items() if name in columns}
        return SignalInputs(columns, labels, self.facts.intersection(columns))

    def matrix(self, frame: pd.DataFrame) -> Array:
        """Shape (items, columns); null, and a label never met, as NaN."""
        matrix = np.empty((len(frame), len(self.columns)))
        for place, name in enumerate(self.columns):
            if name in self.labels:
                codes = {label: float(code) for code, label in enumerate(self.labels[name])}
                matrix[:, place] = by_value(frame[name], partial(_code, codes))
                continue
            matrix[:, place] = numbers(frame[name])
            if name in self.facts:
                matrix[:, place] = np.nan_to_num(2.0 * matrix[:, place] - 1.0)
        return matrix

    @classmethod
    def from_json(
        cls, columns: Sequence[str], labels: Mapping[str, Sequence[str]], facts: Sequence[str]
    ) -> SignalInputs:
        """From the fields as JSON holds them."""
        known = {name: tuple(values) for name, values in labels.items()}
        return cls(tuple(columns), known, frozenset(facts))


def _code(codes: Mapping[str, float], value: object) -> float:
    return codes.get(str(value), math.nan)


@dataclass(frozen=True)
class TreeContributions:
    """The steps to every leaf of a booster: ``table`` (leaves of all trees, inputs), sparse;
    ``starts`` is the first row of each tree.
    """

    booster: lgb.Booster
    table: Any
    starts: npt.NDArray[np.intp]

    @classmethod
    def of(cls, booster: lgb.Booster) -> TreeContributions:
        """Walk every tree once."""
        from scipy.sparse import csr_array

        trees = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
        walked = [sorted(_leaves(tree, ()), key=itemgetter(0)) for tree in trees]
        cells = [
            (row, feature, step)
            for row, (_, steps) in enumerate(leaf for leaves in walked for leaf in leaves)
            for feature, step in steps
        ]
        rows, features, steps = zip(*cells, strict=True) if cells else ((), (), ())
        shape = sum(map(len, walked)), booster.num_feature()
        # Steps of one input on one way add up: the sparse array sums what stands twice.
        table = csr_array((np.array(steps, dtype=float), (rows, features)), shape=shape)
        return cls(booster, table, np.cumsum([0, *map(len, walked)])[:-1])

    def contributions(self, matrix: Array) -> Array:
        """What each input adds to the raw score above the roots' values, shape (items, inputs)."""
        from scipy.sparse import csr_array

        items, trees = len(matrix), len(self.starts)
        if not items:
            return np.empty((0, self.table.shape[1]))
        leaves = np.asarray(self.booster.predict(matrix, pred_leaf=True, num_threads=1))
        places = leaves.reshape(items, trees).astype(np.intp) + self.starts
        reached = csr_array(
            (np.ones(items * trees), places.ravel(), np.arange(items + 1) * trees),
            shape=(items, self.table.shape[0]),
        )
        return np.asarray((reached @ self.table).toarray(), dtype=np.float64)


def _leaves(
    node: dict[str, Any], steps: tuple[tuple[int, float], ...]
) -> Iterator[tuple[int, tuple[tuple[int, float], ...]]]:
    """Each leaf's number, with the steps that lead to it."""
    if "split_feature" not in node:
        yield node.get("leaf_index", 0), steps
        return
    for side in ("left_child", "right_child"):
        child = node[side]
        step = node["split_feature"], _value(child) - _value(node)
        yield from _leaves(child, (*steps, step))


def _value(node: dict[str, Any]) -> float:
    return float(node["internal_value"] if "split_feature" in node else node["leaf_value"])
