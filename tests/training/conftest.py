"""A corpus of synthetic letters, evaluated and trained once for all tests of training."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imr.data.synthetic import synthesize
from imr.training import train
from imr.training.config import TrainConfig
from imr.training.decisions import Corpus, build
from imr.training.report import plots
from imr.training.train import Evaluation, evaluate

QUICK = TrainConfig(folds=2, repeats=1, bootstrap=200, jobs=1, seed=11)


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    return build(made.letter for made in synthesize(60, seed=3))


@pytest.fixture(scope="session")
def evaluation(corpus: Corpus) -> Evaluation:
    return evaluate(QUICK, corpus)


@pytest.fixture(scope="session")
def drawn(evaluation: Evaluation, tmp_path_factory) -> Path:
    """The plots of the evaluation, for trainings that are about something else."""
    from imr.training.report.plots import draw_all

    folder = tmp_path_factory.mktemp("drawn") / "plots"
    draw_all(evaluation, folder)
    return folder


@pytest.fixture(scope="session")
def evaluated_once(evaluation: Evaluation) -> Callable[[pytest.MonkeyPatch], None]:
    """What makes a training take the figures that are there already."""

    def patched(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(train, "evaluate", lambda config, *_: replace(evaluation, config=config))
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    return patched


@pytest.fixture
def computed_once(monkeypatch, evaluated_once, drawn) -> None:
    """Figures and plots are made once; each test trains, keeps and logs."""

    def copied(_: Evaluation, folder: Path) -> list[Path]:
        return list(Path(shutil.copytree(drawn, folder)).iterdir())

    evaluated_once(monkeypatch)
    monkeypatch.setattr(plots, "draw_all", copied)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """A store of MLflow with its tables and no run, which takes a second to make."""
    import mlflow

    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own dependencies warn
        mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def quick(tmp_path, empty_store) -> TrainConfig:
    """Settings that write to a folder of the test alone."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return replace(
        QUICK, tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", keep=str(tmp_path / "kept")
    )
