"""What each input added on an item's way through the trees: additive, and cheap for every row.

A tree's answer is the value of its root plus the steps from node to node; each step is booked to
the input that the node asked for (Saabas, "Interpreting random forests", 2014).  The parts add up
to the raw score exactly.  LightGBM's own ``pred_contrib`` shares a step out among the inputs that
interact (Lundberg & Lee 2017), at many times the cost (``benchmarks/bench_scoring.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from imr.models.frame import Array

if TYPE_CHECKING:
    import lightgbm as lgb


@dataclass(frozen=True)
class TreeContributions:
    """The steps to every leaf of a booster: ``table`` (leaves of all trees, inputs), sparse.

    ``starts`` is the first row of each tree, ``base`` the sum of the roots' values.
    """

    booster: lgb.Booster
    table: Any
    starts: npt.NDArray[np.intp]
    base: float

    @classmethod
    def of(cls, booster: lgb.Booster) -> TreeContributions:
        """Walk every tree once."""
        from scipy.sparse import csr_array

        trees = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
        walked = [sorted(_leaves(tree, ()), key=_number) for tree in trees]
        cells = [
            (row, feature, step)
            for row, (_, steps) in enumerate(leaf for leaves in walked for leaf in leaves)
            for feature, step in steps
        ]
        rows, features, steps = zip(*cells, strict=True) if cells else ((), (), ())
        shape = sum(map(len, walked)), booster.num_feature()
        # Steps of one input on one way add up: the sparse array sums what stands twice.
        table = csr_array((np.array(steps, dtype=float), (rows, features)), shape=shape)
        starts = np.cumsum([0, *map(len, walked)])[:-1]
        return cls(booster, table, starts, float(sum(map(_value, trees))))

    def contributions(self, matrix: Array) -> Array:
        """What each input adds to the raw score above ``base``, shape (items, inputs)."""
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


def _number(leaf: tuple[int, Any]) -> int:
    return leaf[0]
