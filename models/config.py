"""Settings of both models, each with the range that it may have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

# LightGBM reads whole numbers into 32 bits and grows no larger trees.
MOST_WHOLE = 2**31 - 1
MOST_LEAVES = 131_072


@dataclass(frozen=True, slots=True)
class Range:
    """From ``least`` to ``most``; ``open_`` means that neither end belongs to it."""

    least: float
    most: float
    open_: bool

    def holds(self, value: float) -> bool:
        """False for what is not a number or infinite, too."""
        if (isinstance(value, int) and abs(value) > MOST_WHOLE) or not math.isfinite(value):
            return False
        if self.open_:
            return self.least < value < self.most
        return self.least <= value <= self.most

    def __str__(self) -> str:
        if math.isinf(self.most):
            return f"{'above' if self.open_ else 'at least'} {self.least:g}"
        if self.open_:
            return f"between {self.least:g} and {self.most:g}"
        return f"from {self.least:g} to {self.most:.10g}"


def setting(default: Any, least: float = 0, most: float = math.inf, *, open_: bool = False) -> Any:
    """A field of that default and range, both ends of which belong to it unless ``open_``."""
    return field(default=default, metadata={"range": Range(least, most, open_)})


def ranges(settings: Any) -> dict[str, Range]:
    """The ranges of a settings class or object by field."""
    return {f.name: f.metadata["range"] for f in fields(settings) if "range" in f.metadata}


def out_of_range(settings: Any, values: Mapping[str, Any], of: str = "") -> str | None:
    """What to say of the first value outside the range of its field, named with ``of`` before it;
    None where there is none.  A value of None was not given.
    """
    for name, allowed in ranges(settings).items():
        value = values.get(name)
        if value is not None and not allowed.holds(value):
            return f"{of}{name}: {value} is out of range (allowed is {allowed})"
    return None


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


@dataclass(frozen=True, slots=True)
class GuidelineConfig:
    """Settings of the ranker; the defaults suit a few hundred decided items.

    ``smoothing`` is how many letters of its own a context needs to outweigh the coarser one;
    ``pruned`` how many candidates an item keeps before ranking.  The shares are counted over all
    letters, the ranker's few weights are learned from ``most_letters`` of them at most.
    """

    seed: int = setting(20161013)
    choice_l2: float = setting(16.0, open_=True)
    objective: str = "lambdarank"
    rounds: int = setting(30, 1)
    leaves: int = setting(6, 2, MOST_LEAVES)
    learning_rate: float = setting(0.05, open_=True)
    min_pairs_leaf: int = setting(20, 1)
    l2: float = setting(10.0)
    feature_share: float = setting(0.6, 0.01, 1)
    members: int = setting(3, 1)
    smoothing: float = setting(2.0, open_=True)
    pruned: int = setting(32, 2)
    most_letters: int = setting(3_000, 2)
    inner_folds: int = setting(4, 2)
    threads: int = setting(1, 1)
