"""Which version is the champion: better on common unseen items, else not, and why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imr.training.champion import judge


def _table(p: float, hit: float = 0.5, n: int = 100, start: int = 0) -> pd.DataFrame:
    numbers = np.arange(start, start + n)
    overturned = (numbers % 10 == 0).astype(int)
    return pd.DataFrame(
        {
            "letter_id": [f"L{i}" for i in numbers],
            "item_index": 0,
            "group": numbers,
            "overturned": overturned,
            # p is given to what was overturned, the complement to the rest.
            "p_overturned": np.where(overturned == 1, p, 1 - p),
            "section_top1": hit,
        }
    )


def _unsure() -> pd.DataFrame:
    """Better than p = 0.7 on the whole, but by half of the overturned items alone."""
    table = _table(0.7)
    overturned = np.flatnonzero(table["overturned"] == 1)
    table.loc[overturned[::2], "p_overturned"] = 0.99
    table.loc[overturned[1::2], "p_overturned"] = 0.54
    return table


@pytest.mark.parametrize(
    ("new", "old", "better", "said"),
    [
        (_table(0.9), _table(0.7), True, "better: on 100 common items"),
        (_table(0.7), _table(0.9), False, "not better: on 100 common items"),
        (_table(0.7), _table(0.7), False, "the same: on 100 common items"),
        (_table(0.9, hit=0.4), _table(0.7), False, "guideline worse"),
        (_table(0.9, hit=0.495), _table(0.7), True, "better"),
        (_table(0.9), _table(0.7, start=70), False, "not comparable: 30 items"),
        (_unsure(), _table(0.7), False, "not surely better (in 90% of draws)"),
    ],
)
def test_verdicts(new, old, better, said):
    verdict = judge(new, old)
    assert verdict.better is better
    assert verdict.reason.startswith(said)


def test_items_whose_outcome_was_read_otherwise_are_left_out():
    other = _table(0.7)
    other["overturned"] = 1 - other["overturned"]
    assert "0 items" in judge(_table(0.9), other).reason


def test_the_figures_of_both_stand_side_by_side():
    verdict = judge(_table(0.9, hit=0.6), _table(0.3, hit=0.4))
    found = {row["figure"]: row for row in verdict.figures}
    assert list(found) == ["log_loss", "brier", "auc", "average_precision", "section_top1"]
    assert (found["auc"]["this run"], found["auc"]["champion"]) == ("1.0000", "0.0000")
    for name, row in found.items():
        assert row["better by"].startswith("+"), name
        assert row["better in draws"] == "100%", name
    assert judge(_table(0.9), _table(0.7, start=70)).figures == ()
