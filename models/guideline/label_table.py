"""Values of items beside labels, held once for all items that are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.models.frame import Array

Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Rows beside the labels, shape (rows, labels); ``codes`` is the row of each item.

    Few rows stand for many items: most features depend on one part of the request.
    """

    codes: Codes
    rows: Array

    @property
    def by_item(self) -> Array:
        """The values of every item, shape (items, labels)."""
        return self.rows[self.codes]

    def of_items(self, items: Codes) -> Array:
        """The values of some items, shape (items, labels)."""
        return self.rows[self.codes[items]]

    def of_candidates(self, candidates: Codes) -> Array:
        """The values of each item for its own choice of labels, both of shape (items, kept)."""
        return self.rows[self.codes[:, None], candidates]


def alike(columns: Sequence[npt.NDArray[Any]], rows: int) -> tuple[Codes, Codes]:
    """Rows alike in all columns share a number: the first row of each number, and the numbers."""
    codes = np.zeros(rows, dtype=np.intp)
    for column in columns:
        column_codes, values = pd.factorize(column)
        codes = np.unique(codes * max(len(values), 1) + column_codes, return_inverse=True)[1]
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    return first, codes
