"""Folds that never part what belongs together, and splits by time.

Items of one letter share their summary, and one worker's letters share the injury; both would
carry the answer from training to test.  So a group is a connected set of letters that share a
letter id or an injured worker (same injury date, age and sex).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class SplitError(ValueError):
    """Too few letters or positives for the asked split; the message says how many there are."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Row positions of one train/test split; ``name`` is ``repeat.fold`` or the date."""

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


def groups(table: pd.DataFrame) -> NDArray[np.intp]:
    """A group number a row: rows of one letter or one injured worker share it.

    Columns read: ``letter_id, injury_date, age, sex``.  A worker is recognised only where all
    three facts are known.
    """
    import pandas as pd

    facts: list[Any] = [table["age"].astype("string"), table["sex"]]
    worker: Any = table["injury_date"].str.cat(facts, sep="|")
    number: dict[Any, int] = {}
    letter_group: dict[str, int] = {}
    for letter, who in zip(table["letter_id"], worker, strict=True):
        known = letter_group.get(letter)
        if known is None:
            key = letter if pd.isna(who) else who
            known = number.setdefault(key, len(number))
        letter_group[letter] = known
        if not pd.isna(who):
            number.setdefault(who, known)
    return np.array([letter_group[letter] for letter in table["letter_id"]], dtype=np.intp)


def group_folds(
    table: pd.DataFrame, y: NDArray[np.int_], folds: int, repeats: int, seed: int
) -> Iterator[Fold]:
    """Stratified grouped folds, repeated with other shuffles.

    Raises :class:`SplitError` where fewer positives' groups than folds exist.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    group = groups(table)
    positive_groups = len(set(group[y == 1]))
    if positive_groups < folds or len(set(group)) < folds:
        raise SplitError(
            f"{folds} folds need at least {folds} letters with an overturned item; "
            f"there are {positive_groups} in {len(set(group))} letters"
        )
    for repeat in range(repeats):
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + repeat)
        for k, (train, test) in enumerate(splitter.split(table, y, group)):
            yield Fold(f"{repeat}.{k}", train, test)


def time_folds(
    table: pd.DataFrame, y: NDArray[np.int_], parts: int, gap_days: int
) -> Iterator[Fold]:
    """Train on earlier, test on later decisions, with a gap between them.

    The letters are cut at the quantiles of their decision dates into ``parts`` + 1 spans; fold
    k trains on all before span k + 1 less the gap and tests on that span.  Groups never stand
    on both sides.  Raises :class:`SplitError` where dates are missing or a side has one class.
    """
    import pandas as pd

    dates: Any = pd.to_datetime(table["label_decision_date"], errors="coerce")
    if dates.isna().all():
        raise SplitError("no decision dates: a split by time needs letters with a header block")
    known = dates.dropna()
    edges: Any = known.quantile(np.linspace(0, 1, parts + 2)[1:-1], interpolation="nearest")
    group = groups(table)
    for k, edge in enumerate(edges):
        upper = edges.iloc[k + 1] if k + 1 < len(edges) else known.max()
        test = np.flatnonzero((dates > edge) & (dates <= upper))
        early = np.flatnonzero(dates <= edge - pd.Timedelta(days=gap_days))
        train = early[~np.isin(group[early], group[test])]
        if len(set(y[train])) < 2 or len(test) == 0:
            raise SplitError(f"the span before {edge.date()} holds only one outcome")
        yield Fold(str(edge.date()), train, test)
