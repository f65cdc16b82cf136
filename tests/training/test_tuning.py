"""Tuning sees training rows only, is kept, goes on where it stopped, and shows every trial."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import optuna
import pytest

from imr.training import tuning
from imr.training.config import ConfigError, TrainConfig
from imr.training.decisions import sample
from imr.training.folds import Fold, run_fold
from imr.training.tuning import (
    BROKEN_OFF,
    COMPLETE,
    FAILED,
    FOLDER,
    TUNED,
    TuningError,
    tuned,
    usual,
)

CONFIG = TrainConfig(tune=2, seed=4)


@pytest.fixture
def train(corpus, tmp_path, monkeypatch):
    """Half of the items, in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    return sample(corpus).part(np.arange(len(corpus.table) // 2))


def _loss_of(value: float = 0.3):
    """An inner loss that needs no model: the further from one setting, the worse."""

    def loss(_train, folds, settings):
        found = value + abs(settings.outcome.l2 / 50 - 0.6)
        return found, [found] * len(folds)

    return loss


@pytest.mark.slow
def test_a_study_is_kept_and_taken_up_again(train):
    first = tuned(train, CONFIG, "0.0")
    assert [t.state for t in first.trials] == [COMPLETE] * 2
    assert [path.name for path in FOLDER.iterdir()] == [first.journal]
    assert all(len(t.fold_values) == tuning.INNER_FOLDS for t in first.trials)
    assert all(t.started_ms <= t.ended_ms for t in first.trials)
    assert first.value == min(t.value for t in first.trials)
    assert tuned(train, CONFIG, "0.0") == first
    more = tuned(train, replace(CONFIG, tune=3), "0.0")
    assert more.trials[:2] == first.trials
    assert more.settings["trials"] == 3
    assert more.value <= first.value


def test_a_study_taken_up_again_goes_the_way_it_would_have_gone(train, monkeypatch, tmp_path):
    monkeypatch.setattr(tuning, "inner_loss", _loss_of())
    whole = tuned(train, replace(CONFIG, tune=14), "0.0")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    for count in (3, 11, 14):
        parts = tuned(train, replace(CONFIG, tune=count), "0.0")
    assert [t.params for t in parts.trials] == [t.params for t in whole.trials]
    # No setting is tried twice: taken up again, the sampler does not start from its beginning.
    assert len({t.params["l2"] for t in parts.trials}) == 14


def test_the_usual_settings_are_tried_first(train, monkeypatch):
    monkeypatch.setattr(tuning, "inner_loss", _loss_of())
    study = tuned(train, replace(CONFIG, tune=3), "0.0")
    assert study.trials[0].params == usual()
    assert tuple(usual()) == TUNED
    assert study.value <= study.trials[0].value
    assert len({str(t.params) for t in study.trials}) == 3


def test_a_trial_that_cannot_be_fitted_is_a_failed_trial_with_its_reason(train, monkeypatch):
    calls = []

    def loss(_train, folds, _settings):
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("no such\nsetting")
        return 0.4, [0.4] * len(folds)

    monkeypatch.setattr(tuning, "inner_loss", loss)
    study = tuned(train, CONFIG, "0.0")
    failed, good = study.trials
    assert (failed.state, failed.value, failed.fold_values) == (FAILED, None, [])
    assert failed.error == "ValueError: no such setting"
    assert failed.params
    assert (good.state, good.error) == (COMPLETE, "")
    assert study.best == good.params
    tuned(train, CONFIG, "0.0")
    assert len(calls) == 2


def test_what_is_no_fault_of_the_setting_is_not_a_failed_trial(train, monkeypatch):
    def broken(*_):
        raise KeyError("a programming error")

    monkeypatch.setattr(tuning, "inner_loss", broken)
    with pytest.raises(KeyError):
        tuned(train, CONFIG, "0.0")


@pytest.mark.parametrize("stop", ["interrupted", "killed"])
def test_a_trial_that_was_broken_off_is_replaced(train, monkeypatch, stop):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tuning, "inner_loss", interrupted)
        if stop == "killed":
            # Nothing is written after the start of the trial.
            patch.setattr(optuna.Study, "optimize", lambda study, f, **_: f(study.ask()))
        with pytest.raises(KeyboardInterrupt):
            tuned(train, CONFIG, "0.0")
    monkeypatch.setattr(tuning, "inner_loss", _loss_of())
    study = tuned(train, CONFIG, "0.0")
    assert [t.state for t in study.trials] == [BROKEN_OFF, COMPLETE, COMPLETE]


def test_where_no_trial_fits_the_settings_are_refused(train, monkeypatch):
    def never(*_):
        raise ValueError("too few")

    monkeypatch.setattr(tuning, "inner_loss", never)
    with pytest.raises(TuningError, match=r"no trial could be fitted .*too few") as caught:
        tuned(train, CONFIG, "0.0")
    assert isinstance(caught.value, ConfigError)


def test_other_rows_have_a_study_of_their_own(train, monkeypatch):
    monkeypatch.setattr(tuning, "inner_loss", _loss_of())
    first = tuned(train, CONFIG, "0.0")
    changed = replace(train, table=train.table.assign(sex=None))
    assert tuned(changed, CONFIG, "0.0").journal != first.journal


@pytest.mark.slow
def test_tuning_sees_the_training_rows_of_the_fold_alone(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = sample(corpus)
    half = len(data) // 2
    fold = Fold("0.0", np.arange(half), np.arange(half, len(data)))
    seen = set()

    def loss(train, folds, _settings):
        for inner in folds:
            seen.update(train.frame["letter_id"].iloc[[*inner.train, *inner.test]])
        return 0.3, [0.3] * len(folds)

    monkeypatch.setattr(tuning, "inner_loss", loss)
    result = run_fold(data, fold, CONFIG)
    assert len(result.study.trials) == CONFIG.tune
    assert seen == set(data.frame["letter_id"].iloc[:half])


def test_without_being_asked_nothing_is_tuned(evaluation, tmp_path):
    assert TrainConfig().tune == 0
    assert all(result.study is None for result in evaluation.predictions.results)
    assert evaluation.studies.tuning == []
