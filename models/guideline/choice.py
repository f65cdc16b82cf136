"""A conditional logit: which of its candidates an item's reviewer chooses.

With a few hundred decided items a log-linear score over a handful of pair features is what the
data can carry; the ranker of :mod:`imr.models.guideline.model` starts its trees from this score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import softmax

from imr.models.frame import Array
from imr.models.guideline.pairs import PAIR_FEATURES

# Shares are read as logarithms; this keeps a label never met in a context at a finite distance.
SHARE_FLOOR = 1e-3
# Facts of the item alone are equal for all its candidates: they count only as products.
OF_THE_ITEM = frozenset({"n_items", "cited_count", "none_cited_at_all", "surgical"})
PRODUCTS = (
    ("is_none_cited", "none_cited_at_all"),
    ("is_none_cited", "surgical", "none_cited_at_all"),
    ("is_non_mtus", "surgical"),
    ("is_non_mtus", "cited_first"),
    ("cited_label", "has_section"),
    ("link", "cited_chapter"),
)
PLAIN = tuple(name for name in PAIR_FEATURES if name not in OF_THE_ITEM)
INPUTS = (*PLAIN, *(" x ".join(product) for product in PRODUCTS))
# What is expected before any letter is read, in log odds: reviewers answer the administrator's
# citation, and a request is decided under the section about it.
EXPECTED = {
    "cited_first": 0.5,
    "cited_label": 0.5,
    "cited_chapter": 0.3,
    "link": 1.0,
    "body_part": 0.5,
    "wording": 1.0,
    "share_term": 0.3,
    "share_part": 0.3,
    "share_class_cited": 0.3,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """Weights of the inputs, one an entry of ``INPUTS``."""

    weights: Array

    def scores(self, features: Array) -> Array:
        """Log-linear score of every pair, shape (items, kept)."""
        return np.asarray(inputs(features) @ self.weights)


def inputs(features: Array) -> Array:
    """Pair features as the logit reads them, shape (items, kept, inputs)."""
    place = {name: column for column, name in enumerate(PAIR_FEATURES)}
    wide = features.astype(np.float64)
    columns = []
    for name in PLAIN:
        column = wide[:, :, place[name]]
        columns.append(np.log(column + SHARE_FLOOR) if "share" in name else column)
    columns.extend(
        np.prod([wide[:, :, place[name]] for name in product], axis=0) for product in PRODUCTS
    )
    return np.stack(columns, axis=2)


def fit_choice(features: Array, hits: npt.NDArray[np.bool_], weight: Array, l2: float) -> Choice:
    """The most probable weights; an item whose label is not among its candidates is left out."""
    usable = hits.any(axis=1)
    x, chosen, w = inputs(features[usable]), hits[usable].astype(np.float64), weight[usable]
    scale = x.reshape(-1, x.shape[2]).std(axis=0)
    scale[scale < 1e-9] = np.inf
    x = x / scale
    finite = np.where(np.isfinite(scale), scale, 0.0)
    expected = np.array([EXPECTED.get(name, 0.0) for name in INPUTS]) * finite

    def loss(beta: Array) -> tuple[float, Array]:
        p = softmax(x @ beta, axis=1)
        nll = -float(np.sum(w * np.log(np.sum(p * chosen, axis=1))))
        gradient = -np.einsum("i,ik,ikf->f", w, chosen - p, x)
        gap = beta - expected
        return nll + 0.5 * l2 * float(gap @ gap), gradient + l2 * gap

    found = minimize(loss, expected, jac=True, method="L-BFGS-B")
    return Choice(np.asarray(found.x / scale, dtype=np.float64))
