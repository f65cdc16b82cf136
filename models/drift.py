"""Have the letters changed since training?  The population stability index, column by column.

A profile holds, for each signal and for the score, the shares of the training items in a few
bins.  New items are counted in the same bins, and

    PSI = sum over bins of (new - old) * ln(new / old).

By convention below 0.1 is stable and above 0.25 has shifted (Siddiqi, Credit Risk Scorecards,
2006).  Half an item is added to each bin, so that an empty one does not make it infinite.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# numpy and pandas are imported where items are counted: the process that adds the counts up
# (`imr score`) does without them, which is a good part of its start.

# From this index on a column has shifted.
SHIFTED = 0.25
# With fewer new items the index mostly measures chance: about (bins - 1) / items.
LEAST_ITEMS = 100
SCORE = "p_overturned"
BINS = 5
# Values of a text with a bin of their own; the others share one.
MOST_VALUES = 12
MOST_TEXTS = 50
Counts = dict[str, list[int]]


def profile(frame: pd.DataFrame, columns: Iterable[str], p: Sequence[float]) -> dict[str, Any]:
    """The shares of the training items: plain data, for the model's bundle.

    ``p`` are the items' probabilities, best those of folds that left them out.
    """
    table = frame[[c for c in columns if c in frame]].assign(**{SCORE: list(p)})
    binned = ((str(name), _bins(table[name])) for name in table)
    told = {n: {**bins, "counts": _count(bins, table[n])} for n, bins in binned if bins}
    return {"items": len(table), "columns": told}


def count(profile: Mapping[str, Any], frame: pd.DataFrame, p: Sequence[float]) -> Counts:
    """New items in the profile's bins, by column; the last bin is what is missing."""
    import pandas as pd

    scores = pd.Series(p, dtype="float64")
    return {
        name: _count(bins, scores if name == SCORE else frame[name])
        for name, bins in profile["columns"].items()
        if name == SCORE or name in frame
    }


def add(total: Counts, more: Mapping[str, Sequence[int]]) -> None:
    """Add counts of further items."""
    for name, counts in more.items():
        held = total.setdefault(name, [0] * len(counts))
        total[name] = [a + b for a, b in zip(held, counts, strict=True)]


def shifts(profile: Mapping[str, Any], counted: Counts) -> dict[str, float]:
    """The index of each column that has shifted, the largest first; empty for too few items."""
    items = max((sum(counts) for counts in counted.values()), default=0)
    if items < LEAST_ITEMS:
        return {}
    index = {n: psi(profile["columns"][n]["counts"], new) for n, new in counted.items()}
    found = {name: value for name, value in index.items() if value >= SHIFTED}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def psi(old: Sequence[int], new: Sequence[int]) -> float:
    """Population stability index of two counts over the same bins."""
    before, after = (
        [(n + 0.5) / (sum(counts) + 0.5 * len(counts)) for n in counts] for counts in (old, new)
    )
    return sum((b - a) * math.log(b / a) for a, b in zip(before, after, strict=True))


def _bins(column: pd.Series[Any]) -> dict[str, Any] | None:
    """None for days, which move on, and for texts that nearly every letter has of its own."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if is_bool_dtype(column.dtype):
        return {"values": ["False", "True"]}
    if is_numeric_dtype(column.dtype):
        cuts = column.dropna().astype("float64").quantile([k / BINS for k in range(1, BINS)])
        return {"edges": sorted(set(cuts.dropna().tolist()))}
    known = column.dropna().astype(str)
    if known.nunique() > MOST_TEXTS or known.str.match(r"\d{4}-\d\d-\d\d").any():
        return None
    return {"values": [str(v) for v in column.value_counts().index[:MOST_VALUES]]}


def _count(bins: Mapping[str, Any], column: pd.Series[Any]) -> list[int]:
    import numpy as np

    from imr.models.frame import numbers

    known = ~column.isna().to_numpy()
    missing = len(column) - int(known.sum())
    if "edges" in bins:
        values = numbers(column)[known]
        place = np.searchsorted(np.asarray(bins["edges"], dtype=float), values, side="left")
        return [*np.bincount(place, minlength=len(bins["edges"]) + 1).tolist(), missing]
    found = Counter(map(str, column.to_numpy(dtype=object)[known]))
    counts = [found[value] for value in bins["values"]]
    return [*counts, len(column) - missing - sum(counts), missing]
