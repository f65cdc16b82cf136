"""``imr train``: decided letters -> both models, evaluated, kept on disk, logged, registered."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imr.training.config import TrainConfig
from imr.training.decisions import Corpus
from imr.training.evaluate import Evaluation, evaluate, read
from imr.training.run_folder import KeptRun, keep
from imr.training.tracking import Logged, TrackingError, log

if TYPE_CHECKING:
    from rich.console import RenderableType

    from imr.models.predictor import Predictor
    from imr.training.contenders.compared import Settings
    from imr.training.tuning import Study

UI_ADDRESS = "http://127.0.0.1:5000"


@dataclass(frozen=True)
class TrainResult:
    """A trained predictor and its evaluation; ``logged`` where MLflow took the run, else ``kept``
    is the folder that holds it and ``error`` says why.
    """

    evaluation: Evaluation
    predictor: Predictor
    logged: Logged | None = None
    kept: KeptRun | None = None
    error: str = ""

    @property
    def exit_code(self) -> int:
        """0, or 1 where the run could not be logged or letters could not be read."""
        return int(self.logged is None or bool(self.evaluation.corpus.errors))

    @property
    def model_uri(self) -> str:
        """What ``imr score --model`` takes."""
        if self.logged is not None:
            return self.logged.model_uri
        return str(self.kept.model) if self.kept is not None else ""

    def table(self) -> RenderableType:
        """The protocol's table."""
        return self.evaluation.table()

    def message(self) -> str:
        """Where everything lies and what to type next; a remedy where the log failed."""
        lines = [f"{error}" for error in self.evaluation.corpus.errors]
        lines.extend(self._where())
        return "\n".join(lines)

    def _where(self) -> list[str]:
        if self.logged is None:
            assert self.kept is not None
            folder = self.kept.folder
            return [
                f"MLflow did not take the run: {self.error}",
                f"Nothing is lost: model, figures and plots lie in {folder}",
                f"Log it when the server is back: python -m imr.training.tracking {folder}",
                f"Score with it now: imr score LETTERS -o FILE --model {self.kept.model}",
            ]
        found = self.logged
        lines = [
            f"Model: {found.model_uri} (alias {found.alias}: {found.reason})",
            f"Run: {found.run_id} in experiment {found.experiment_id} of {_shown(found)}",
        ]
        if found.alias != "champion":
            lines.append(f"The champion stays; score with this one: --model {found.model_uri}")
        if found.is_local:
            lines.append(f"See it: mlflow ui, then {UI_ADDRESS}")
        else:
            lines.append(f"See it: {_shown(found)}")
        return lines


def _shown(found: Logged) -> str:
    """The store without a password that an address may carry."""
    from urllib.parse import urlsplit

    if found.is_local:
        return Path(found.tracking_uri.removeprefix("sqlite:///")).name
    parts = urlsplit(found.tracking_uri)
    return found.tracking_uri.replace(f"{parts.username}:{parts.password}@", "")


def train(config: TrainConfig, corpus: Corpus | None = None) -> TrainResult:
    """Evaluate, fit on all items, keep on disk, log to MLflow, register.

    Same seed and data give the same model and figures.  A tracking server that is down, slow or
    failing loses nothing: see :attr:`TrainResult.kept`.  Raises
    :class:`imr.training.decisions.NoDecisionsError` and :class:`imr.training.split.SplitError`.
    """
    started = _now_ms()
    corpus = corpus or read(config)
    evaluation = evaluate(config, corpus)
    study = _tuned(evaluation)
    predictor = fit(evaluation, study.chosen if study else None)
    name = datetime.fromtimestamp(started / 1000, UTC).strftime("train-%Y%m%d-%H%M%S")
    kept = keep(evaluation, predictor, name, (started, _now_ms()), study)
    try:
        logged = log(
            kept,
            config.experiment,
            config.registered_model,
            config.tracking_uri,
            config.tracking_timeout_seconds,
        )
    except TrackingError as error:
        return TrainResult(evaluation, predictor, kept=kept, error=str(error))
    _remove(kept.folder)
    return TrainResult(evaluation, predictor, logged=logged)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def _now_ms() -> int:
    return int(time.time() * 1000)


def _tuned(evaluation: Evaluation) -> Study | None:
    """The study on all items, where tuning was asked for: the folds' own chose for the folds."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from imr.training.tuning import tuned

    if not evaluation.config.tune:
        return None
    with threadpool_limits(1):
        return tuned(evaluation.sample, evaluation.config, "all")


def fit(evaluation: Evaluation, settings: Settings | None = None) -> Predictor:
    """Both models on all items; ``settings`` default to those of the configuration."""
    from threadpoolctl import threadpool_limits

    from imr.models.guideline import GuidelineModel
    from imr.models.outcome import OutcomeModel
    from imr.models.predictor import Predictor
    from imr.training.contenders.compared import Settings

    data = evaluation.sample
    settings = settings or Settings(seed=evaluation.config.seed)
    with threadpool_limits(1):
        return Predictor.fit(
            data.frame,
            data.overturned,
            data.guideline.tolist(),
            outcome_model=OutcomeModel(config=settings.outcome_config()),
            guideline_model=GuidelineModel(config=settings.guideline_config()),
            about=about(evaluation),
        )


def about(evaluation: Evaluation) -> dict[str, Any]:
    """What the model was made from, for its manifest: no path, no clock."""
    facts = evaluation.facts
    wanted = ("letters", "items", "overturned", "data_digest", "source")
    return {
        **{name: facts[name] for name in wanted},
        "seed": evaluation.config.seed,
        "profile": _profile(evaluation),
    }


def _profile(evaluation: Evaluation) -> dict[str, Any]:
    """Signals and out-of-fold scores of the training items, for the drift warning."""
    from imr.models.drift import profile
    from imr.models.outcome import OutcomeModel
    from imr.training.contenders.compared import MODEL

    tested = evaluation.predictions.tested
    frame = evaluation.sample.frame[tested]
    p = evaluation.predictions.per_item(MODEL)[tested]
    return profile(frame, OutcomeModel().columns, p.tolist())
