"""Items paired with the labels they could be decided on, few enough to be ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.models.frame import Array, listed
from imr.models.guideline.catalogue import chapter_of
from imr.models.guideline.label_table import LabelTable
from imr.models.guideline.pair_features import PAIR_FEATURES, pair_features
from imr.models.guideline.request import CITED
from imr.models.guideline.shares import Shares

_KEPT_FOR_SURE = 10.0
_FINER = ("part", "term", "cited", "role_cited", "class_cited")
_PROMISING = (
    *(f"share_{name}" for name in _FINER),
    *("cited_label", "link", "is_none_cited", "is_non_mtus"),
    *("chapter_share_part", "cited_chapter", "wording"),
)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Kept candidates of each item: names (items, kept) and features (items, kept, features)."""

    names: npt.NDArray[Any]
    features: Array


def make_pairs(
    items: pd.DataFrame,
    labels: Sequence[str],
    shares: Shares,
    kept: int,
    decided: Sequence[str] | None = None,
) -> Pairs:
    """Pair every item with the ``kept`` labels that could be meant, and describe the pairs.

    ``decided``: the items' own relative labels in training (:meth:`Shares.by_context`).
    """
    names = np.array(_with_cited(labels, items[CITED]), dtype=object)
    tables = pair_features(items, list(names), shares, decided)
    promise = _promise(tables)
    cited = tables["cited_label"].by_item
    promise[_impossible(items, names, len(labels)) & (cited == 0)] = -np.inf
    best = np.argsort(-promise, axis=1, kind="stable")[:, :kept]
    features = np.empty((*best.shape, len(PAIR_FEATURES)), dtype=np.float32)
    for place, name in enumerate(PAIR_FEATURES):
        features[:, :, place] = tables[name].of_candidates(best)
    return Pairs(names[best], features.astype(np.float64))


def _impossible(items: pd.DataFrame, names: npt.NDArray[Any], known: int) -> npt.NDArray[np.bool_]:
    """Labels that only another item's administrator prints, and chapters not in force."""
    chapters = np.array([chapter_of(label) for label in names])
    mask = np.zeros((len(items), len(names)), dtype=bool)
    mask[:, known:] = True
    for retired in items["out_of_force"].unique():
        rows = (items["out_of_force"] == retired).to_numpy()
        mask[np.ix_(rows, np.isin(chapters, listed(retired)))] = True
    return mask


def _with_cited(labels: Sequence[str], cells: pd.Series[str]) -> list[str]:
    printed = {label for cell in cells.unique() for label in listed(cell)}
    return [*labels, *sorted(printed - set(labels))]


def _promise(tables: Mapping[str, LabelTable]) -> Array:
    """A first, rough order: which candidates are worth ranking."""
    values = {name: tables[name].by_item for name in _PROMISING}
    sure = values["cited_label"] + values["link"] + values["is_none_cited"] + values["is_non_mtus"]
    shares = sum(values[f"share_{name}"] for name in _FINER)
    chapters = values["chapter_share_part"] + values["cited_chapter"] + 20 * values["wording"]
    return np.asarray(_KEPT_FOR_SURE * sure + shares + 0.01 * chapters, dtype=np.float64)
