"""Settings: an unknown key fails, options beat the file, nothing impossible passes."""

from __future__ import annotations

import pytest

from imr.training.config import ConfigError, TrainConfig
from imr.training.contenders import Settings


def test_an_unknown_key_is_named_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown setting fold .*folds"):
        TrainConfig.of({"fold": 5})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"folds": 1}, "folds: 1 is below 2"),
        ({"folds": "5"}, "folds: '5' is not of type int"),
        ({"folds": True}, "folds: True is not of type int"),
        ({"by": "letter"}, "neither group nor time"),
        ({"letters": "a.pdf"}, "a list of paths"),
        ({"letters": ["a"], "decisions": "b.csv"}, "not both"),
    ],
)
def test_what_cannot_hold_is_refused(values, said):
    with pytest.raises(ConfigError, match=said):
        TrainConfig.of(values)


def test_options_beat_the_file(tmp_path):
    path = tmp_path / "train.toml"
    path.write_text("[train]\nfolds = 3\nseed = 1\n")
    config = TrainConfig.read(path, seed=2, repeats=None, letters=["x"])
    assert (config.folds, config.seed, config.repeats, config.letters) == (3, 2, 3, ("x",))


def test_assignments_set_the_run_and_both_models(tmp_path):
    path = tmp_path / "train.toml"
    path.write_text("folds = 3\n[outcome]\nmissed_cost = 9\nmembers = 4\n")
    told = ["folds=4", "outcome.missed_cost=2", "guideline.rounds=7", "experiment=mine"]
    config = TrainConfig.read(path, told)
    assert (config.folds, config.experiment) == (4, "mine")
    settings = Settings.of(config)
    outcome = settings.outcome
    assert (outcome.missed_cost, outcome.members, outcome.seed) == (2, 4, config.seed)
    assert outcome.threshold == pytest.approx(1 / 3)
    assert settings.guideline.rounds == 7


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("folds", "key=value is expected"),
        ("=3", "key=value is expected"),
        ("fold=3", r"unknown setting fold .*folds"),
        ("outcome.cost=3", r"unknown setting outcome\.cost .*missed_cost"),
        ("outcome.members=many", "outcome.members: 'many' is not of type int"),
        ("folds.x=3", r"folds: \{'x': 3\} is not of type int"),
        ("outcome=3", "outcome: 3 is not of type dict"),
    ],
)
def test_assignments_that_cannot_hold_are_refused(assignment, said):
    with pytest.raises(ConfigError, match=said):
        Settings.of(TrainConfig.read(None, [assignment]))


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "train.toml"
    path.write_text("folds =")
    with pytest.raises(ConfigError, match="not a TOML file"):
        TrainConfig.read(path)
    with pytest.raises(ConfigError, match="no such file"):
        TrainConfig.read(tmp_path / "none.toml")


def test_parameters_of_the_log_hold_no_path():
    config = TrainConfig(letters=("secret/place",), keep="other/place")
    assert "place" not in str(config.as_params())
