"""Settings of the outcome model chosen by Optuna, inside the training rows only.

Trials are kept as journals in the folder ``tuning`` of the working directory, a file a study; a
study is named by its training rows and seed, so a run that was broken off goes on where it
stopped, and one that is repeated finds its trials done.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training import metrics
from training.contenders import Settings, fit_outcome
from training.sample import Sample
from training.split import group_folds

if TYPE_CHECKING:
    from training.config import TrainConfig

FOLDER = Path("tuning")
INNER_FOLDS = 3


def tuned(train: Sample, config: TrainConfig, name: str) -> tuple[Settings, dict[str, Any]]:
    """Settings with the least inner log loss of ``config.tune`` trials, and what was chosen."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    digest = hashlib.sha256(train.table.to_csv(index=False).encode()).hexdigest()[:12]
    study = optuna.create_study(
        study_name=f"outcome {name} {digest} seed {config.seed}",
        storage=_journal(f"{name}-{digest}-{config.seed}.log"),
        sampler=optuna.samplers.TPESampler(seed=config.seed),
        load_if_exists=True,
    )
    folds = list(group_folds(train.table, train.y, INNER_FOLDS, 1, config.seed + 1))
    done = len([t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE])
    study.optimize(
        lambda trial: _inner_loss(train, folds, _settings(trial, config)),
        n_trials=max(0, config.tune - done),
    )
    chosen = _settings(optuna.trial.FixedTrial(study.best_params), config)
    return chosen, {
        "inner_log_loss": study.best_value,
        "trials": len(study.trials),
        **study.best_params,
    }


def _journal(name: str) -> Any:
    """A file of its own a study: folds are tuned side by side."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    FOLDER.mkdir(exist_ok=True)
    path = str(FOLDER / name)
    return JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))


def _settings(trial: Any, config: TrainConfig) -> Settings:
    from models.outcome import OutcomeConfig

    chosen = replace(
        OutcomeConfig(),
        seed=config.seed,
        trees=trial.suggest_int("trees", 10, 120, log=True),
        leaves=trial.suggest_int("leaves", 3, 8),
        learning_rate=trial.suggest_float("learning_rate", 0.02, 0.1, log=True),
        l2=trial.suggest_float("l2", 1.0, 50.0, log=True),
        tree_share=trial.suggest_float("tree_share", 0.0, 1.0),
        effect_sd=trial.suggest_float("effect_sd", 0.1, 1.5, log=True),
    )
    return Settings(outcome=chosen, seed=config.seed)


def _inner_loss(train: Sample, folds: Any, settings: Settings) -> float:
    p = np.full(len(train), np.nan)
    for fold in folds:
        model = fit_outcome(train.part(fold.train), settings)
        found = model.predict(train.part(fold.test).frame)
        p[fold.test] = found["p_overturned"].to_numpy(dtype=np.float64)
    return float(metrics.log_loss(train.y.astype(float), p, np.ones((1, len(train))))[0])
