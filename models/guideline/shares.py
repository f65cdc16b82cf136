"""How often reviewers cited each label for items alike: smoothed shares by context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.models.frame import Array
from imr.models.guideline.catalogue import relative

Codes = npt.NDArray[np.intp]
CONTEXTS: Mapping[str, tuple[tuple[str, ...], str | None]] = {
    "all": ((), None),
    "category": (("category",), "all"),
    "subcategory": (("category", "subcategory"), "category"),
    "part": (("category", "subcategory", "body_chapter"), "subcategory"),
    "term": (("category", "subcategory", "request_term"), "subcategory"),
    "cited": (("first_cited",), "all"),
    "role_cited": (("surgical_role", "first_cited"), "cited"),
    "class_cited": (("category", "subcategory", "cited_chapter"), "subcategory"),
}
"""A context of an item, and the coarser one it falls back on where few letters share it."""


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


@dataclass
class Shares:
    """Counts of letters (not of siblings) that were decided on each label, by context.

    ``counts``: context -> key (values joined by a tab) -> relative label -> weight.
    ``smoothing``: how many letters a context needs to outweigh the coarser one.
    """

    counts: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    smoothing: float = 2.0

    @classmethod
    def learned(cls, items: pd.DataFrame, truth: Sequence[str], smoothing: float) -> Shares:
        """Counts over decided items; siblings alike weigh together as much as their root."""
        shares = cls({name: {} for name in CONTEXTS}, smoothing)
        label_of, names = pd.factorize(np.array(relative_truth(items, truth), dtype=object))
        for name in CONTEXTS:
            codes, _, keys = context_keys(items, name)
            table: dict[str, dict[str, float]] = {key: {} for key in keys}
            met = codes * len(names) + label_of
            totals = np.bincount(met, _weights(items, codes), minlength=len(keys) * len(names))
            for place in np.unique(met):
                table[keys[place // len(names)]][names[place % len(names)]] = float(totals[place])
            shares.counts[name] = {key: dict(sorted(row.items())) for key, row in table.items()}
        return shares

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Relative labels with counts, sorted."""
        return tuple(sorted({label for row in self.counts["all"].values() for label in row}))

    @cached_property
    def position(self) -> dict[str, int]:
        """Place of each label in the vocabulary; the place after the last is 'never cited'."""
        return {label: place for place, label in enumerate(self.vocabulary)}

    def by_context(
        self, items: pd.DataFrame, decided: Sequence[str] | None = None
    ) -> dict[str, LabelTable]:
        """Smoothed shares of each context, beside the vocabulary and 'never cited'.

        ``decided`` are the items' relative labels where these items were counted: what their
        letter added is then taken out again, so that each item has a row of its own.
        """
        tables: dict[str, LabelTable] = {}
        width = len(self.vocabulary) + 1
        for name, (_, coarser) in CONTEXTS.items():
            codes, first, keys = context_keys(items, name)
            if decided is not None:
                first = np.arange(len(items))
            row_of, matrix = self._matrices[name]
            counts = matrix[[row_of.get(key, -1) for key in keys]]
            if decided is not None:
                counts = np.clip(
                    counts[codes] - self._of_own_letter(items, codes, decided), 0, None
                )
                codes = first
            base = tables[coarser].of_items(first) if coarser else np.full((1, width), 1.0 / width)
            total = counts.sum(axis=1, keepdims=True)
            tables[name] = LabelTable(
                codes, (counts + self.smoothing * base) / (total + self.smoothing)
            )
        return tables

    @cached_property
    def _matrices(self) -> dict[str, tuple[dict[str, int], Array]]:
        """Counts as matrices, a row a key, with a last empty row for keys never met."""
        return {name: self._matrix(table) for name, table in self.counts.items()}

    def _matrix(self, table: Mapping[str, Mapping[str, float]]) -> tuple[dict[str, int], Array]:
        matrix = np.zeros((len(table) + 1, len(self.vocabulary) + 1))
        for row, weights in enumerate(table.values()):
            for label, weight in weights.items():
                matrix[row, self.position[label]] = weight
        return {key: row for row, key in enumerate(table)}, matrix

    def _of_own_letter(self, items: pd.DataFrame, codes: Codes, decided: Sequence[str]) -> Array:
        pairs = _letter_codes(items, codes)
        matrix = np.zeros((pairs.max() + 1, len(self.vocabulary) + 1))
        places = np.array([self.position[label] for label in decided], dtype=np.intp)
        np.add.at(matrix, (pairs, places), _weights(items, codes))
        return matrix[pairs]


def relative_truth(items: pd.DataFrame, truth: Sequence[str]) -> list[str]:
    """The decided labels with the requested body part's chapter written as ``*``."""
    pairs = zip(truth, items["body_chapter"], strict=True)
    return [relative(label, body or None) for label, body in pairs]


def context_keys(items: pd.DataFrame, context: str) -> tuple[Codes, Codes, list[str]]:
    """A context's value for each item: its number, the first item of each number, and the values
    as text.
    """
    columns = [items[column].to_numpy(dtype=object) for column in CONTEXTS[context][0]]
    first, codes = alike(columns, len(items))
    if not columns:
        return codes, first, [""] * len(first)
    return codes, first, ["\t".join(row) for row in zip(*(c[first] for c in columns), strict=True)]


def _letter_codes(items: pd.DataFrame, codes: Codes) -> Codes:
    """Items of one letter with the same key share a number."""
    return alike([items["letter_id"].to_numpy(dtype=object), codes], len(items))[1]


def _weights(items: pd.DataFrame, codes: Codes) -> Array:
    """Siblings with the same key weigh together as the root of their number."""
    pairs = _letter_codes(items, codes)
    return np.asarray(1.0 / np.sqrt(np.bincount(pairs)[pairs]))
