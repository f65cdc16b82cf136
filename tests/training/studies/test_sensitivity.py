"""Twins of vignettes: which pairs are compared, and what slope and correlation say of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imr.features.families.facts import FACTS
from imr.features.table import frame as signals_frame
from imr.training.studies.sensitivity import ALL, UNSEEN, sensitivity
from imr.training.vignettes import Rated

CASES = 40
FIRST, SECOND = FACTS[:2]


def _rated() -> Rated:
    """Cases with two twins: the first changes a fact by 2 log odds, the second what no signal sees;
    a third asks for something else.
    """
    rows, log_odds = [], []
    for case in range(CASES):
        size = 1.0 + case / CASES
        versions = ((None, "mri", 0.0), (True, "mri", size), (None, "mri", -1.0), (True, "ct", 9.0))
        for version, (fact, term, change) in enumerate(versions):
            key = {"letter_id": f"T-{case}.{version}", "item_index": 0, "request_term": term}
            rows.append({**key, "subcategory": "CT/MRI/PET Scans", FIRST: fact, SECOND: True})
            log_odds.append(-2.0 + change)
    frame = signals_frame(rows)
    base = frame["letter_id"].str.rpartition(".")[0].to_numpy(dtype=object)
    terms = np.full(len(frame), None, dtype=object)
    return Rated(pd.DataFrame(frame), terms, np.array(log_odds), base)


def test_slope_and_correlation_by_changed_fact() -> None:
    rated = _rated()
    seen = np.nan_to_num(rated.frame[FIRST].to_numpy(dtype=float, na_value=np.nan))
    found = {row.fact: row for row in sensitivity(rated, 0.75 * seen)}
    assert list(found) == [ALL, UNSEEN, FIRST]
    assert [found[name].pairs for name in found] == [2 * CASES, CASES, CASES]
    sizes = 1.0 + np.arange(CASES) / CASES
    assert found[FIRST].slope == pytest.approx(0.75 * sizes.sum() / (sizes**2).sum())
    assert found[FIRST].rated_change == pytest.approx(sizes.mean())
    assert 0.9 < found[FIRST].r < 1.0
    assert found[UNSEEN].slope == found[UNSEEN].r == 0.0


def test_an_estimate_that_follows_every_rating_has_slope_and_correlation_one() -> None:
    rated = _rated()
    for row in sensitivity(rated, rated.log_odds):
        assert row.slope == pytest.approx(1.0)
        assert row.r == pytest.approx(1.0)


def test_few_pairs_are_left_out() -> None:
    assert sensitivity(_rated(), np.zeros(4 * CASES), least_pairs=1_000) == []
