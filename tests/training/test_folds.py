"""Folds: disjoint by letter and by injured worker, stratified; later is later, with a gap."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imr.training.config import TrainConfig
from imr.training.folds import SplitError, folds_of, group_folds, groups, time_folds


@st.composite
def _table(draw: st.DrawFn) -> tuple[pd.DataFrame, np.ndarray]:
    letters = draw(st.integers(8, 30))
    rows = []
    for letter in range(letters):
        worker = draw(st.integers(0, letters))
        known = draw(st.booleans())
        row = {
            "letter_id": f"L{letter}",
            "injury_date": f"2015-01-{1 + worker % 28:02d}" if known else None,
            "age": 30 + worker // 28,
            "sex": "F",
            "label_decision_date": f"2017-{1 + letter % 12:02d}-15",
        }
        rows.extend(row | {"item_index": i} for i in range(draw(st.integers(1, 4))))
    table = pd.DataFrame(rows).astype(
        {"letter_id": "string", "injury_date": "string", "sex": "string", "age": "Int64"}
    )
    y = np.array([1 if draw(st.integers(0, 3)) == 0 else 0 for _ in rows])
    return table, y


def _workers(table: pd.DataFrame, rows: np.ndarray) -> set[str]:
    part = table.iloc[rows].dropna(subset=["injury_date"])
    return set(part["injury_date"] + "|" + part["age"].astype("string"))


@given(_table(), st.integers(0, 3))
def test_no_letter_and_no_worker_on_both_sides(case, seed):
    table, y = case
    try:
        folds = list(group_folds(table, y, 3, 2, seed))
    except SplitError:
        assert len(set(groups(table)[y == 1])) < 3 or len(set(groups(table))) < 3
        return
    assert len(folds) == 6
    for fold in folds:
        a, b = table.iloc[fold.train], table.iloc[fold.test]
        assert not set(a["letter_id"]) & set(b["letter_id"])
        assert not _workers(table, fold.train) & _workers(table, fold.test)
        assert len(fold.train) + len(fold.test) == len(table)
    for repeat in (folds[:3], folds[3:]):
        tested = np.sort(np.concatenate([fold.test for fold in repeat]))
        assert (tested == np.arange(len(table))).all()


@given(_table(), st.integers(0, 60))
def test_later_is_later_by_more_than_the_gap(case, gap):
    table, y = case
    dates = pd.to_datetime(table["label_decision_date"])
    try:
        folds = list(time_folds(table, y, 2, gap))
    except SplitError:
        return
    for fold in folds:
        distance = dates.iloc[fold.test].min() - dates.iloc[fold.train].max()
        assert distance > pd.Timedelta(days=gap)
        assert not _workers(table, fold.train) & _workers(table, fold.test)


@pytest.mark.parametrize(
    ("letters", "folds", "made"),
    [
        (300, 5, [5, 5, 5]), (999, 5, [5, 5]), (1_000, 5, [3]), (1_000, 2, [2]), (3_000, 5, [3]),
        (10_000, 5, [2]),
    ],
)  # fmt: skip
def test_many_letters_need_one_repeat_of_few_folds(letters, folds, made):
    table = pd.DataFrame({"letter_id": [f"L{n}" for n in range(letters)]}, dtype="string")
    table = table.assign(injury_date=table["letter_id"], sex=table["letter_id"], age=40)
    y = np.arange(letters) % 2
    repeats = folds_of(SimpleNamespace(table=table, frame=table, y=y), TrainConfig(folds=folds))
    assert [len(repeat) for repeat in repeats] == made
    for repeat in repeats:
        assert sorted(np.concatenate([fold.test for fold in repeat])) == list(range(letters))


def test_too_few_overturned_letters_are_named():
    table = pd.DataFrame(
        {
            "letter_id": ["a", "b", "c"],
            "injury_date": pd.Series([None] * 3, dtype="string"),
            "age": pd.Series([1, 2, 3], dtype="Int64"),
            "sex": pd.Series(["F"] * 3, dtype="string"),
        }
    )
    with pytest.raises(SplitError, match="there are 1 in 3 letters"):
        list(group_folds(table, np.array([1, 0, 0]), 2, 1, 0))
