"""What rated vignettes say of an item: the log odds of *overturned* from its signals.

Thirty-odd decided positives teach little, so judgement is elicited (policy capturing; Cooksey,
Judgment Analysis, 1996): invented cases, each with twins that differ in a fact or two, were rated
by writers who had seen no letter and no outcome (``data/vignettes``).  A LightGBM regression of
their log odds on our signals is shipped as ``judgement.txt`` with ``judgement.json`` beside it;
``python -m imr.training.vignettes`` builds both.  The writers were language models, not physicians.

Because the vignettes are written in several manners by turns, whatever the merit of the case, who
writes how cannot be learned from them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imr.models.frame import Array
from imr.models.outcome.trees import TreeContributions, inputs

if TYPE_CHECKING:
    import lightgbm as lgb

TREES, ABOUT = "judgement.txt", "judgement.json"
JUDGED = "judged:"
"""Before the name of a signal: what the signal adds through the judgement."""


@dataclass
class Judgement:
    """The regression; ``categories`` maps each column of labels to the labels it knows.

    ``columns`` are the booster's inputs in order, ``facts`` those that are read as 1 (said), -1
    (the contrary is said) and 0 (nothing is said).  ``about`` says what it was made from.
    """

    booster: lgb.Booster
    columns: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    facts: frozenset[str] = frozenset()
    about: dict[str, Any] = field(default_factory=dict)

    def log_odds(self, frame: pd.DataFrame) -> Array:
        """The expected log odds of every item, shape (items,)."""
        return self.log_odds_of(self.matrix(frame))

    def log_odds_of(self, matrix: Array) -> Array:
        """As :meth:`log_odds`, from the inputs of :meth:`matrix`."""
        if not len(matrix):
            return np.empty(0)
        return np.asarray(self.booster.predict(matrix, num_threads=1), dtype=np.float64)

    def contributions_of(self, matrix: Array) -> Array:
        """What each column adds to the log odds, shape (items, columns)."""
        return self._tree_contributions.contributions(matrix)

    @cached_property
    def _tree_contributions(self) -> TreeContributions:
        return TreeContributions.of(self.booster)

    def matrix(self, frame: pd.DataFrame) -> Array:
        """The columns as float64, labels as their place among the known ones, null as NaN."""
        return inputs(frame, self.columns, self.categories, self.facts)

    def to_json(self) -> dict[str, Any]:
        """Everything but the trees, as plain data."""
        return {
            "columns": list(self.columns),
            "categories": {name: list(known) for name, known in self.categories.items()},
            "facts": sorted(self.facts),
            "about": self.about,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], booster: lgb.Booster) -> Judgement:
        """The inverse of :meth:`to_json`, with the trees read from their own file."""
        return cls(
            booster=booster,
            columns=tuple(stored["columns"]),
            categories={name: tuple(known) for name, known in stored["categories"].items()},
            facts=frozenset(stored["facts"]),
            about=dict(stored["about"]),
        )


@cache
def shipped() -> Judgement:
    """The judgement that the project ships; raises ValueError where its two files disagree."""
    import lightgbm as lgb

    folder = resources.files("imr.models.outcome")
    text = (folder / TREES).read_text(encoding="utf-8")
    stored = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    if stored["about"]["trees_sha256"] != digest(text):
        raise ValueError(
            f"models/outcome/{TREES} is not what models/outcome/{ABOUT} describes "
            "(build both: python -m imr.training.vignettes)"
        )
    return Judgement.from_json(stored, lgb.Booster(model_str=text))


def digest(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
