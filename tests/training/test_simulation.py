"""Letters of known truth: planted effects are recovered, and nothing where nothing is planted.

Never mixed into real figures.  The signals are the truth of the synthetic letters, so that this
checks models and evaluation, not the reading of text.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imr.data.synthetic import synthesize
from imr.features.table import frame as signals_frame
from imr.models.outcome import OutcomeModel
from imr.training import metrics

pytestmark = pytest.mark.slow

LETTERS = 900
PLANTED = {
    "radicular_findings": 0.9,
    "relief_percent_max": 1.1,
    "ur_action": -0.7,
    "category": 1.0,
}
"""Signal -> log odds, as ``data/grammar/effects.csv`` plants them; the strongest."""


def _letters(seed: int, effects: object) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rows, y, p = [], [], []
    for made in synthesize(LETTERS, seed=seed, effects=effects):
        rows.extend(made.signals)
        p.extend(made.p_overturned)
        y.extend(d.outcome == "Overturned" for d in made.letter.determination.decisions)
    dates = dict.fromkeys(("ur_denial_date", "application_received"), None)
    return signals_frame(rows).assign(**dates), np.array(y, dtype=float), np.array(p)


def _figures(frame: pd.DataFrame, y: np.ndarray, p: np.ndarray) -> dict[str, metrics.Estimate]:
    weights = metrics.bootstrap_weights(pd.factorize(frame["letter_id"])[0], 300, 1)
    return {
        "auc": metrics.estimate(metrics.auc(y, p, weights)),
        "in_the_large": metrics.estimate(metrics.expected_over_observed(y, p, weights)),
        "skill": metrics.estimate(metrics.brier_skill(y, p, weights)),
    }


@pytest.fixture(scope="module")
def planted() -> OutcomeModel:
    frame, y, _ = _letters(1, "planted")
    return OutcomeModel(judgement=None).fit(frame, (y > 0).tolist())


def test_planted_effects_are_recovered(planted):
    """What is planted on a signal moves the log odds that way; what is not planted moves little."""
    frame, _, _ = _letters(2, "planted")
    parts = planted.contributions(frame)
    asked = {
        "radicular_findings": frame["radicular_findings"].fillna(False),
        "relief_percent_max": frame["relief_percent_max"].fillna(0) >= 50,
        "ur_action": frame["ur_action"] == "modified",
        "category": frame["category"] == "Evaluation & Management",
        "imaging_xray": frame["imaging_xray"].fillna(False),
        "chiropractic_prior": frame["chiropractic_prior"].fillna(False),
    }
    moved = {}
    for signal, holds in asked.items():
        learned, rows = parts[f"learned:{signal}"], holds.to_numpy(dtype=bool)
        moved[signal] = learned[rows].mean() - learned[~rows].mean()
    for signal, truth in PLANTED.items():
        assert np.sign(moved[signal]) == np.sign(truth), moved
        assert abs(moved[signal]) > 0.2 * abs(truth), moved
    for signal in set(moved) - set(PLANTED):
        assert abs(moved[signal]) < 0.2, moved


def test_unseen_letters_are_ranked_nearly_as_well_as_the_truth_ranks_them(planted):
    frame, y, truth = _letters(2, "planted")
    p = planted.predict(frame)["p_overturned"].to_numpy()
    ours, best = _figures(frame, y, p), _figures(frame, y, truth)
    assert ours["auc"].value > best["auc"].value - 0.05
    assert ours["auc"].low > 0.55
    # Two samples of 900 letters differ in their overturned items by some 10%.
    assert abs(ours["in_the_large"].value / best["in_the_large"].value - 1) < 0.2
    assert ours["skill"].value > 0.0


@pytest.mark.parametrize("letters", [150, 600])
def test_nine_in_ten_intervals_hold_the_rate(letters):
    """With the judgement, which knows next to nothing of made letters, and with few and many."""
    frame, y, _ = _letters(5, "planted")
    rows = frame["letter_id"].isin(frame["letter_id"].unique()[:letters]).to_numpy()
    model = OutcomeModel().fit(frame[rows].reset_index(drop=True), (y[rows] > 0).tolist())
    unseen, _, truth = _letters(6, "planted")
    found = model.predict(unseen)
    low, high = (found[f"p_overturned_{end}"].to_numpy() for end in ("low", "high"))
    held = np.mean((low <= truth) & (truth <= high))
    assert 0.82 <= held <= 0.98
    assert np.mean(high - low) < 0.5


def test_nothing_is_found_where_nothing_was_planted():
    frame, y, _ = _letters(3, None)
    model = OutcomeModel(judgement=None).fit(frame, (y > 0).tolist())
    unseen, truth, _ = _letters(4, None)
    found = _figures(unseen, truth, model.predict(unseen)["p_overturned"].to_numpy())
    assert found["auc"].low < 0.5 < found["auc"].high
    assert found["skill"].value < 0.01
    assert found["in_the_large"].low < 1.0 < found["in_the_large"].high
