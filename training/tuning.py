"""Settings of the outcome model chosen by Optuna, inside the training rows only.

Trials are kept as journals in the folder ``tuning`` of the working directory, a file a study.  A
study is named by its training rows, the seed and the code and tables of the models: broken off, it
goes on where it stopped; repeated, it finds its trials done; of another model, it starts anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imr.models.outcome import OutcomeConfig
from imr.training import metrics, one_line
from imr.training.config import ConfigError, TrainConfig
from imr.training.contenders import Settings, fit_outcome, p_overturned
from imr.training.decisions import Sample
from imr.training.folds import Fold, group_folds

if TYPE_CHECKING:
    import optuna

FOLDER = Path("tuning")
INNER_FOLDS = 3
TUNED = ("trees", "leaves", "learning_rate", "l2", "forest_trees", "forest_leaves")
LOSS = "inner_log_loss"
COMPLETE, FAILED, BROKEN_OFF = "complete", "failed", "broken off"
_FOLDS, _ERROR = "fold_log_loss", "error"


class TuningError(ConfigError):
    """No trial of a study could be fitted; the message holds the last reason."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting tried: ``value`` is the log loss over the inner folds together (None where it
    failed), ``fold_values`` of each; times in ms since 1970; ``error`` one line.
    """

    number: int
    state: str
    params: dict[str, int | float]
    value: float | None
    fold_values: list[float]
    started_ms: int
    ended_ms: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """The trials of one training part, and what they chose; ``journal`` is their file."""

    name: str
    journal: str
    chosen: Settings
    best: dict[str, int | float]
    value: float
    trials: list[Trial] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, Any]:
        """What was chosen, for tables."""
        return {LOSS: self.value, "trials": len(self.trials), **self.best}


def tuned(train: Sample, config: TrainConfig, name: str) -> Study:
    """The study of ``config.tune`` trials on these rows: taken up where its journal ends.  Raises
    :class:`TuningError`, and :class:`SplitError` where the rows are too few for the inner folds.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    digest = _digest(train)
    journal = f"{name}-{digest}-{config.seed}.log"
    # A file of its own a study: folds are tuned side by side.
    FOLDER.mkdir(exist_ok=True)
    path = str(FOLDER / journal)
    study = optuna.create_study(
        study_name=f"outcome {name} {digest} seed {config.seed}",
        storage=JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path))),
        load_if_exists=True,
    )
    _run(study, train, config)
    trials = [_trial(t) for t in _begun(study)]
    if not any(trial.state == COMPLETE for trial in trials):
        last = trials[-1].error if trials else "none was run"
        raise TuningError(f"tuning {name}: no trial could be fitted (the last: {last})")
    chosen = _settings(optuna.trial.FixedTrial(study.best_params), config)
    return Study(name, journal, chosen, study.best_params, study.best_value, trials)


def _digest(train: Sample) -> str:
    """Of the training rows, and of code and tables of the models."""
    found = hashlib.sha256(train.table.to_csv(index=False).encode())
    models = Path(str(resources.files("imr.models")))
    for path in sorted([*models.rglob("*.py"), *models.rglob("*.csv")]):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _run(study: optuna.Study, train: Sample, config: TrainConfig) -> None:
    """The trials that are missing; the first tries the usual settings, so that no study ends with a
    choice that its own folds find worse.  Each draws from a seed of its own, so that a study taken
    up again goes the way it would have gone.  Failed trials count, else a setting that never fits
    would be tried for ever.
    """
    import optuna
    from lightgbm.basic import LightGBMError

    # What a setting that does not suit the letters raises.
    unfittable = (ValueError, ArithmeticError, LightGBMError)
    folds = list(group_folds(train.table, train.y, INNER_FOLDS, 1, config.seed + 1))

    def loss(trial: optuna.Trial) -> float:
        try:
            value, by_fold = inner_loss(train, folds, _settings(trial, config))
            if np.isnan(value):
                raise ValueError("the loss is no number")
        except unfittable as error:
            # The study marks the trial failed; the reason is kept with it.
            trial.set_user_attr(_ERROR, one_line(error))
            raise
        trial.set_user_attr(_FOLDS, by_fold)
        return value

    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(usual())
    done = sum(_trial(t).state != BROKEN_OFF for t in _begun(study))
    for number in range(done, config.tune):
        study.sampler = optuna.samplers.TPESampler(seed=config.seed + number)
        study.optimize(loss, n_trials=1, catch=unfittable)


def _begun(study: optuna.Study) -> list[Any]:
    return [t for t in study.get_trials(deepcopy=False) if t.datetime_start is not None]


def _trial(found: Any) -> Trial:
    from optuna.trial import TrialState

    complete, ended = found.state == TrialState.COMPLETE, found.datetime_complete
    started = int(found.datetime_start.timestamp() * 1000)
    # Without a value and without a reason it was broken off: the process was stopped.
    failed = FAILED if _ERROR in found.user_attrs else BROKEN_OFF
    return Trial(
        number=found.number,
        state=COMPLETE if complete else failed,
        params=dict(found.params),
        value=found.value if complete else None,
        fold_values=list(found.user_attrs.get(_FOLDS, [])),
        started_ms=started,
        ended_ms=started if ended is None else int(ended.timestamp() * 1000),
        error=found.user_attrs.get(_ERROR, ""),
    )


def usual() -> dict[str, int | float]:
    """The settings that are tuned, as they stand in the code."""
    return {name: getattr(OutcomeConfig(), name) for name in TUNED}


def _settings(trial: Any, config: TrainConfig) -> Settings:
    told = Settings.of(config)
    chosen = replace(
        told.outcome,
        trees=trial.suggest_int("trees", 10, 120, log=True),
        leaves=trial.suggest_int("leaves", 3, 8),
        learning_rate=trial.suggest_float("learning_rate", 0.02, 0.1, log=True),
        l2=trial.suggest_float("l2", 1.0, 50.0, log=True),
        forest_trees=trial.suggest_int("forest_trees", 10, 120, log=True),
        forest_leaves=trial.suggest_int("forest_leaves", 3, 31, log=True),
    )
    return replace(told, outcome=chosen)


def inner_loss(
    train: Sample, folds: Sequence[Fold], settings: Settings
) -> tuple[float, list[float]]:
    """Log loss of the held-out rows of all inner folds together, and of each."""
    y, p = train.y.astype(np.float64), np.full(len(train), np.nan)
    for fold in folds:
        model = fit_outcome(train.part(fold.train), settings)
        p[fold.test] = p_overturned(model, train.part(fold.test))
    parts = [np.arange(len(train)), *(fold.test for fold in folds)]
    of_all, *by_fold = (
        float(metrics.log_loss(y[rows], p[rows], np.ones((1, len(rows))))[0]) for rows in parts
    )
    return of_all, by_fold
