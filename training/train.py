"""``imr train``: decided letters -> both models, evaluated, kept on disk, logged, registered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from imr.models.drift import profile
from imr.models.guideline import GuidelineModel
from imr.models.outcome import OutcomeModel
from imr.models.predictor import Predictor
from imr.training.config import TrainConfig
from imr.training.contenders import MODEL, Settings
from imr.training.decisions import Corpus, ordered
from imr.training.evaluate import Evaluation, evaluate, read
from imr.training.run_folder import RunFolder, write_run_folder
from imr.training.store import old_runs_line
from imr.training.tracking import Logged, TrackingError, log
from imr.training.tuning import Study, tuned
from imr.training.unfinished import remove, unfinished, written_to

if TYPE_CHECKING:
    from rich.console import RenderableType


UI_ADDRESS = "http://127.0.0.1:5000"


@dataclass(frozen=True)
class TrainResult:
    """An evaluation, and the predictor that was trained, if one was; ``logged`` where MLflow took
    the run, else ``kept`` is the folder that holds it and ``error`` says why.  Both where the
    registry took the model and let no alias be set.
    """

    evaluation: Evaluation
    predictor: Predictor | None = None
    logged: Logged | None = None
    kept: RunFolder | None = None
    error: str = ""

    @property
    def exit_code(self) -> int:
        """0, or 1 where the run could not be logged, the model got no alias, or letters could not
        be read.
        """
        lost = self.logged is None and not self.evaluation.config.dry_run
        return int(lost or self.kept is not None or bool(self.evaluation.corpus.errors))

    def table(self) -> RenderableType:
        """The protocol's table."""
        return self.evaluation.table()

    def message(self) -> str:
        """Where everything lies and what to type next; a remedy where the log failed."""
        return "\n".join([*map(str, self.evaluation.corpus.errors), *self._where()])

    def _where(self) -> Iterator[str]:
        found, kept = self.logged, self.kept
        if found is None and kept is None:
            yield "A dry run: nothing was logged and nothing registered."
        elif found is None and kept is not None:
            yield f"MLflow did not take the run: {self.error}"
            yield f"Nothing is lost: figures, plots and what was trained lie in {kept.folder}"
            yield f"Log it once that is mended: python -m imr.training.tracking {kept.folder}"
            if kept.model.exists():
                yield f"Score with it now: imr score LETTERS -o FILE --model {kept.model}"
        elif found is not None:
            if found.version:
                alias = f"alias {found.alias}" if found.alias else "no alias"
                yield f"Model: {found.model_uri} ({alias}: {found.reason})"
            if kept is not None:
                yield f"The model lies in {kept.model}, too; score with it: --model {kept.model}"
            yield f"Run: {found.run_id} in experiment {found.experiment_id} of {_shown(found)}"
            if found.alias == "candidate":
                yield f"The champion stays; score with this one: --model {found.model_uri}"
            local = old_runs_line() or f"See it: mlflow ui, then {UI_ADDRESS}"
            yield local if found.is_local else f"See it: {_shown(found)}"


def _shown(found: Logged) -> str:
    """The store without a password that an address may carry."""
    if found.is_local:
        return Path(found.tracking_uri.removeprefix("sqlite:///")).name
    parts = urlsplit(found.tracking_uri)
    return found.tracking_uri.replace(f"{parts.username}:{parts.password}@", "")


def train(config: TrainConfig, corpus: Corpus | None = None) -> TrainResult:
    """Evaluate, fit on all items, keep on disk, log to MLflow, register.

    Same seed and data give the same model and figures, also where an interrupted run is taken up
    (:mod:`imr.training.unfinished`).  A tracking server that is down, slow or failing loses
    nothing: see :attr:`TrainResult.kept`.  Raises
    :class:`imr.training.decisions.NoDecisionsError`, :class:`imr.training.folds.SplitError`, and
    :class:`imr.training.config.ConfigError` where ``config.keep`` cannot be written to.
    """
    started = _now_ms()
    corpus = ordered(corpus or read(config))
    with unfinished(config, corpus) as kept:
        evaluation = evaluate(config, corpus, kept)
        study = None
        if config.tune:  # on all items: the folds' own studies chose for the folds
            with threadpool_limits(1):
                study = tuned(evaluation.sample, config, "all")
        predictor = fit(evaluation, study.chosen if study else None)
        if config.dry_run:
            return TrainResult(evaluation, predictor)
        return _recorded("train", evaluation, started, predictor, study)


def evaluate_and_log(config: TrainConfig, corpus: Corpus | None = None) -> TrainResult:
    """The evaluation of :func:`train` as a run of its own, without a model; raises as that does."""
    started = _now_ms()
    corpus = ordered(corpus or read(config))
    with unfinished(config, corpus) as kept:
        evaluation = evaluate(config, corpus, kept)
        return _recorded("evaluate", evaluation, started)


def _recorded(
    command: str,
    evaluation: Evaluation,
    started: int,
    predictor: Predictor | None = None,
    study: Study | None = None,
) -> TrainResult:
    """On disk first, then in the experiment log; what it took is removed from the disk."""
    config = evaluation.config
    name = datetime.fromtimestamp(started / 1000, UTC).strftime(f"{command}-%Y%m%d-%H%M%S")
    with written_to(Path(config.keep)):
        kept = write_run_folder(evaluation, predictor, name, (started, _now_ms()), study)
    try:
        logged = log(
            kept,
            config.experiment,
            config.registered_model,
            config.tracking_uri,
            config.tracking_timeout_seconds,
            promote=config.promote,
        )
    except TrackingError as error:
        return TrainResult(evaluation, predictor, kept=kept, error=str(error))
    if logged.version and not logged.alias:
        return TrainResult(evaluation, predictor, logged=logged, kept=kept)
    remove(kept.folder)
    return TrainResult(evaluation, predictor, logged=logged)


def _now_ms() -> int:
    return int(time.time() * 1000)


def fit(evaluation: Evaluation, settings: Settings | None = None) -> Predictor:
    """Both models on all items; ``settings`` default to those of the configuration."""
    data = evaluation.sample
    settings = settings or Settings.of(evaluation.config)
    with threadpool_limits(1):
        return Predictor.fit(
            data.frame,
            data.overturned,
            data.guideline.tolist(),
            outcome_model=OutcomeModel(config=settings.outcome),
            guideline_model=GuidelineModel(config=settings.guideline),
            about=about(evaluation),
        )


def about(evaluation: Evaluation) -> dict[str, Any]:
    """What the model was made from, for its manifest: no path, no clock."""
    facts, tested = evaluation.facts, evaluation.predictions.tested
    wanted = ("letters", "items", "overturned", "data_digest", "source")
    return {
        **{name: facts[name] for name in wanted},
        "seed": evaluation.config.seed,
        # Signals and out-of-fold scores of the training items, for the drift warning.
        "profile": profile(
            evaluation.sample.frame[tested],
            OutcomeModel().columns,
            evaluation.predictions.per_item(MODEL)[tested].tolist(),
        ),
    }
