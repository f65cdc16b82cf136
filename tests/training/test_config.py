"""Settings: an unknown key fails, options beat the file, nothing impossible passes."""

from __future__ import annotations

import pytest

from imr.training.config import ConfigError, TrainConfig


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
