"""Twins of vignettes: which pairs are compared, and what slope and correlation say of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from imr.features.families.facts import FACTS
from imr.features.table import frame as signals_frame
from imr.features.table import signals
from imr.models.whatif import remedies
from imr.training.studies.ratings import ALL, UNSEEN, documented, sensitivity
from imr.training.vignettes import Rated, Vignette
from tests.models.test_whatif import BARE, plain_case

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
    return Rated(pd.DataFrame(frame), np.array(log_odds), base, np.ones(len(base)))


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


def test_our_words_stand_in_for_a_twin_that_documents_one_criterion() -> None:
    def version(number: int, said: str = "", title: str = "MRI of the left knee") -> Vignette:
        case = plain_case(title, f"{BARE} {said}")
        return Vignette(replace(case, letter_id=f"K.{number}"), "K", (0.1 + number / 10,))

    locks = "McMurray test of the left knee is positive."
    failed = "Physical therapy and ibuprofen for the left knee failed to relieve the pain."
    vignettes = [
        version(0),
        version(1, locks),
        version(2, f"{locks} X-rays of the left knee were taken."),
        version(3, locks, title="CT of the left knee"),
        version(4, "He likes to read."),
        version(5, f"{failed} {locks}"),
    ]
    [found] = documented(vignettes, [signals(vignette.case) for vignette in vignettes])
    assert (found.base, found.twin, found.item) == (0, 1, 0)
    assert found.changed.p == vignettes[1].p
    [remedy] = (r for r in remedies()["mri_joint_signs"] if "knee" in r.body_parts)
    assert found.changed.case.case_summary.endswith(remedy.sentence.format(part="left knee"))
    assert locks not in found.changed.case.case_summary
