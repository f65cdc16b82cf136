"""The items of one letter stand or fall together in part: the chance that any is overturned."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from imr.models.frame import Array

_LEAST = 1e-9


def any_overturned(letters: npt.NDArray[Any], p: Array, share: float) -> Array:
    """For each item, the chance that any item of its letter is overturned, shape (items,).

    It lies between the largest single chance (all stand or fall together) and that of independent
    items; ``share`` (0-1) weighs the first.  So it is at least every item's own chance, and at
    most their sum.
    """
    codes, together, alone = _extremes(letters, np.asarray(p, dtype=np.float64))
    chance = share * together + (1.0 - share) * alone
    # Whatever rounding does: of one item exactly its own chance, of several at least the largest.
    single = np.bincount(codes) == 1
    return np.asarray(np.where(single, together, np.maximum(chance, together))[codes])


def sibling_share(p: Array, y: Array, letters: npt.NDArray[Any]) -> float:
    """The share (0-1, steps of 0.05) under which 'any overturned' was most likely."""
    codes, together, alone = _extremes(letters, p)
    overturned = np.bincount(codes, y) > 0
    shares = np.linspace(0.0, 1.0, 21)
    chances = np.clip(
        shares[:, None] * together + (1 - shares)[:, None] * alone, _LEAST, 1 - _LEAST
    )
    likelihood = np.where(overturned, np.log(chances), np.log1p(-chances)).sum(axis=1)
    return float(shares[int(np.argmax(likelihood))])


def _extremes(letters: npt.NDArray[Any], p: Array) -> tuple[npt.NDArray[np.intp], Array, Array]:
    """The number of each item's letter; of each letter the largest chance, and that of
    independent items.
    """
    names, codes = np.unique(letters, return_inverse=True)
    alone = -np.expm1(np.bincount(codes, np.log1p(-np.clip(p, 0.0, 1 - _LEAST)), len(names)))
    together = np.zeros(len(names))
    np.maximum.at(together, codes, p)
    return codes, together, alone
