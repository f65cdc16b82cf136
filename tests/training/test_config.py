"""Settings: an unknown key fails, options beat the file, nothing impossible passes."""

from __future__ import annotations

from dataclasses import fields

import pytest

from imr.models.config import ranges
from imr.models.guideline import GuidelineConfig
from imr.models.outcome import OutcomeConfig
from imr.training.config import ConfigError, TrainConfig
from imr.training.contenders import Settings
from imr.training.train import train


def test_an_unknown_key_is_named_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown setting fold.*folds"):
        TrainConfig.read(fold=5)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"folds": 1}, r"folds: 1 is out of range \(allowed is at least 2\)"),
        ({"folds": "5"}, "folds: '5' is not of type int"),
        ({"folds": True}, "folds: True is not of type int"),
        ({"by": "letter"}, "neither group nor time"),
        ({"letters": "a.pdf"}, "a list of paths"),
        ({"letters": ["a"], "decisions": "b.csv"}, "not both"),
    ],
)
def test_what_cannot_hold_is_refused(values, said):
    with pytest.raises(ConfigError, match=said):
        TrainConfig.read(**values)


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
        ("fold=3", r"unknown setting fold; did you mean folds\?"),
        ("outcome.missed_costs=3", r"missed_costs; did you mean outcome\.missed_cost\?"),
        ("outcome.x=3", r"unknown setting outcome\.x .*missed_cost"),
        ("outcome.members=many", "outcome.members: 'many' is not of type int"),
        ("folds.x=3", r"folds: \{'x': 3\} is not of type int"),
        ("outcome=3", "outcome: 3 is not of type dict"),
    ],
)
def test_assignments_that_cannot_hold_are_refused(assignment, said):
    with pytest.raises(ConfigError, match=said):
        Settings.of(TrainConfig.read(None, [assignment]))


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("outcome.missed_cost=-1", "outcome.missed_cost: -1 is out of range (allowed is above 0)"),
        ("outcome.missed_cost=nan", "outcome.missed_cost: nan is out of range"),
        ("outcome.level=1.0", "outcome.level: 1.0 is out of range (allowed is between 0 and 1)"),
        ("outcome.forest_leaves=1", "outcome.forest_leaves: 1 is out of range (allowed is from 2"),
        ("outcome.signal_share=2", "outcome.signal_share: 2 is out of range"),
        ("outcome.trees=9999999999", "outcome.trees: 9999999999 is out of range"),
        ("guideline.members=0", "guideline.members: 0 is out of range (allowed is at least 1)"),
        ("budget_minutes=inf", "budget_minutes: inf is out of range"),
    ],
)
def test_a_value_outside_its_range_is_refused_before_letters_are_read(assignment, said):
    with pytest.raises(ConfigError) as told:
        train(TrainConfig.read(None, [assignment, "letters=['nowhere']"]))
    assert str(told.value).startswith(said)


@pytest.mark.parametrize("settings", [TrainConfig, OutcomeConfig, GuidelineConfig])
def test_every_number_has_a_range_and_its_default_lies_in_it(settings):
    kept = ranges(settings)
    for one in fields(settings):
        if type(one.default) in (int, float):
            assert kept[one.name].holds(one.default), one.name


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
