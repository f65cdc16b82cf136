"""Figures against scikit-learn, against known values, and the coverage of their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from imr.training import metrics

ONE = np.ones((1, 1))


def covers(e: metrics.Estimate, value: float) -> bool:
    return e.low <= value <= e.high


@st.composite
def _scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = draw(st.integers(4, 40))
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)), dtype=float)
    y[:2] = 0.0, 1.0
    # Tenths: ties are common.
    p = np.array(draw(st.lists(st.integers(1, 9), min_size=n, max_size=n))) / 10
    w = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), dtype=float)
    w[:2] = 1.0
    return y, p, w


@given(_scored())
def test_weighted_figures_are_those_of_scikit_learn(case):
    y, p, w = case
    weights = w[None, :]
    assert metrics.auc(y, p, weights)[0] == pytest.approx(
        sk.roc_auc_score(y, p, sample_weight=w), abs=1e-12
    )
    assert metrics.average_precision(y, p, weights)[0] == pytest.approx(
        sk.average_precision_score(y, p, sample_weight=w), abs=1e-12
    )
    assert metrics.brier(y, p, weights)[0] == pytest.approx(
        sk.brier_score_loss(y, p, sample_weight=w), abs=1e-12
    )
    assert metrics.log_loss(y, p, weights)[0] == pytest.approx(
        sk.log_loss(y, p, sample_weight=w), abs=1e-12
    )


@given(_scored())
def test_a_weight_of_two_is_the_item_twice(case):
    y, p, w = case
    times = w.astype(int)
    twice_y, twice_p = np.repeat(y, times), np.repeat(p, times)
    for metric in (metrics.auc, metrics.average_precision, metrics.brier_skill):
        again = metric(twice_y, twice_p, np.ones((1, len(twice_y))))
        assert metric(y, p, w[None, :])[0] == pytest.approx(again[0], abs=1e-12)


def test_pairs_of_two_folds_are_not_compared():
    y = np.array([1.0, 0.0, 1.0, 0.0])
    p = np.array([0.2, 0.1, 0.9, 0.8])
    folds = np.array([0, 0, 1, 1])
    one = np.ones((1, 4))
    assert metrics.auc(y, p, one)[0] == 0.75
    assert metrics.auc(y, p, one, folds)[0] == 1.0


def test_known_values():
    y = np.array([1.0, 0.0, 0.0, 0.0])
    one = np.ones((1, 4))
    base = np.full(4, 0.25)
    assert metrics.brier_skill(y, base, one)[0] == pytest.approx(0.0)
    assert metrics.brier_skill(y, y, one)[0] == pytest.approx(1.0)
    assert metrics.calibration_error(y, base, one)[0] == pytest.approx(0.0)
    assert metrics.calibration_error(y, np.full(4, 0.5), one)[0] == pytest.approx(0.25)
    assert metrics.expected_over_observed(y, np.full(4, 0.5), one)[0] == pytest.approx(2.0)
    p = np.array([0.9, 0.8, 0.1, 0.1])
    assert metrics.precision_at(y, p, one, 0.5)[0] == pytest.approx(0.5)
    assert metrics.recall_at(y, p, one, 0.5)[0] == pytest.approx(1.0)


def test_a_draw_without_an_overturned_item_is_undefined_not_zero():
    y, p = np.array([1.0, 0.0]), np.array([0.9, 0.1])
    weights = np.array([[1.0, 1.0], [0.0, 2.0]])
    for metric in (metrics.auc, metrics.average_precision, metrics.expected_over_observed):
        value, undefined = metric(y, p, weights)
        assert not np.isnan(value)
        assert np.isnan(undefined)


@given(st.lists(st.integers(0, 6), min_size=2, max_size=30), st.integers(0, 5))
def test_bootstrap_draws_whole_groups(groups, seed):
    codes = np.array(groups)
    weights = metrics.bootstrap_weights(codes, 20, seed)
    assert (weights[0] == 1).all()
    for group in set(groups):
        assert (np.ptp(weights[:, codes == group], axis=1) == 0).all()
    first_of_group = [groups.index(group) for group in set(groups)]
    assert (weights[:, first_of_group].sum(axis=1) == len(set(groups))).all()
    assert (weights == metrics.bootstrap_weights(codes, 20, seed)).all()


def test_intervals_over_groups_cover_the_truth():
    # 200 samples of 60 letters with up to 4 items that share their letter's rate: the 95%
    # interval of a mean holds the truth in 89% to 99% of them (binomial noise of 200 trials).
    random = np.random.default_rng(7)
    covered = naive = 0
    for seed in range(200):
        sizes = random.integers(1, 5, size=60)
        codes = np.repeat(np.arange(60), sizes)
        rate = random.beta(1, 4, size=60)[codes]
        values = (random.random(len(codes)) < rate).astype(float)
        weights = metrics.bootstrap_weights(codes, 300, seed)
        covered += covers(metrics.estimate(metrics.mean(values, weights)), 0.2)
        alone = metrics.bootstrap_weights(np.arange(len(codes)), 300, seed)
        naive += covers(metrics.estimate(metrics.mean(values, alone)), 0.2)
    assert 178 <= covered <= 198
    assert naive < covered


def test_the_interval_of_a_calibration_error_holds_its_value():
    # Well calibrated predictions: all that is left is chance, and a draw adds its own to it.
    random = np.random.default_rng(5)
    plain = shifted = 0
    for seed in range(60):
        p = random.beta(2, 12, size=200)
        y = (random.random(200) < p).astype(float)
        weights = metrics.bootstrap_weights(np.arange(200), 200, seed)
        draws = metrics.calibration_error(y, p, weights)
        plain += covers(metrics.estimate(draws), draws[0])
        found = metrics.estimate(draws, biased=True)
        shifted += covers(found, draws[0])
        assert found.low >= 0
    assert shifted == 60
    assert plain < 60


def test_estimate_of_nothing_is_nothing():
    assert str(metrics.estimate(np.array([np.nan, 0.5]))) == "–"
    assert str(metrics.estimate(np.array([0.5, 0.4, 0.6]))).startswith("0.50 (0.4")
