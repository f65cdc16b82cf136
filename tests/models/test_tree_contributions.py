"""Parts of a score by input: they add up to it, and go to the inputs that were asked."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from imr.models.outcome.start import TreeContributions


@pytest.fixture(scope="module", params=[1, 7, 40])
def booster(request: pytest.FixtureRequest) -> lgb.Booster:
    random = np.random.default_rng(3)
    x = random.normal(size=(600, 6))
    x[:, 5] = random.integers(0, 5, size=600)
    x[random.random(x.shape) < 0.1] = np.nan
    y = np.nan_to_num(x[:, 0]) * 2 + (np.nan_to_num(x[:, 5]) == 3) + random.normal(size=600)
    settings = {"objective": "regression", "num_leaves": 6, "verbosity": -1, "num_threads": 1}
    data = lgb.Dataset(x, y, categorical_feature=[5])
    return lgb.train(settings, data, num_boost_round=request.param)


@pytest.fixture(scope="module")
def asked() -> np.ndarray:
    random = np.random.default_rng(4)
    matrix = random.normal(size=(200, 6))
    matrix[:, 5] = random.integers(0, 7, size=200)
    return matrix


def test_parts_add_up_to_the_score(booster: lgb.Booster, asked: np.ndarray) -> None:
    paths = TreeContributions.of(booster)
    parts = paths.contributions(asked)
    assert parts.shape == asked.shape
    level = booster.predict(asked) - parts.sum(axis=1)
    assert np.allclose(level, level[0])
    assert np.ptp(parts.sum(axis=1)) > 0.1


def test_an_input_that_no_tree_asks_for_adds_nothing(
    booster: lgb.Booster, asked: np.ndarray
) -> None:
    used = booster.feature_importance("split") > 0
    parts = TreeContributions.of(booster).contributions(asked)
    assert (parts[:, ~used] == 0).all()
    assert (np.abs(parts[:, used]).sum(axis=0) > 0).all()


def test_the_strongest_input_is_that_of_lightgbm(booster: lgb.Booster, asked: np.ndarray) -> None:
    parts = TreeContributions.of(booster).contributions(asked)
    own = np.asarray(booster.predict(asked, pred_contrib=True))[:, :-1]
    strongest = [int(np.abs(side).sum(axis=0).argmax()) for side in (parts, own)]
    assert strongest[0] == strongest[1] == 0


def test_no_items_and_a_tree_without_a_split() -> None:
    random = np.random.default_rng(5)
    x = random.normal(size=(50, 3))
    settings = {"objective": "regression", "min_data_in_leaf": 40, "verbosity": -1}
    flat = lgb.train(settings, lgb.Dataset(x, np.ones(50)), num_boost_round=2)
    paths = TreeContributions.of(flat)
    assert paths.contributions(x[:0]).shape == (0, 3)
    assert (paths.contributions(x) == 0).all()
