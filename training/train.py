"""``imr train`` and ``imr evaluate``: decided letters -> an evaluation; both models, kept on disk,
logged, registered.

One protocol, one table: the models and everything a user would pick instead, in the same folds.
Everything learned is learned inside the training rows of a fold; every figure carries a bootstrap
interval over letters and injured workers, which leaves out that training on other letters would
give another model.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from imr.models.drift import profile
from imr.models.guideline import GuidelineModel
from imr.models.outcome import OutcomeModel
from imr.models.predictor import Predictor
from imr.training import metrics, run_folder
from imr.training.config import TrainConfig
from imr.training.contenders import MODEL, Kind, Settings, contender_kinds
from imr.training.decisions import Corpus, Sample, load_decisions, ordered, read_corpus, sample
from imr.training.folds import Fold, Predictions, folds_of, run_folds
from imr.training.metrics import Difference, Draws, Estimate, Figure, differences, figures, flat
from imr.training.report.tables import as_text, evaluation_tables
from imr.training.run_folder import RunFolder, Unfinished, write_run_folder
from imr.training.studies import Studies, studied
from imr.training.studies.importance import permuted_families
from imr.training.tracking import Logged, TrackingError, log, old_runs_line
from imr.training.tuning import Study, tuned

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Evaluation:
    """What the protocol found; ``differences`` are those of the model to each other contender."""

    config: TrainConfig
    sample: Sample
    corpus: Corpus
    folds: list[list[Fold]]
    predictions: Predictions
    figures: list[Figure]
    differences: list[Difference]
    studies: Studies

    def figure(self, subject: str, metric: str, contender: str = MODEL) -> Estimate:
        """One figure; KeyError where there is none."""
        for figure in self.figures:
            if (figure.subject, figure.contender, figure.metric) == (subject, contender, metric):
                return figure.value
        raise KeyError(f"{subject}/{contender}/{metric}")

    @property
    def facts(self) -> dict[str, Any]:
        """The size of the sample and the protocol, for tables and the log."""
        letters = self.sample.frame["letter_id"]
        tested = self.predictions.tested
        return {
            "letters": int(letters.nunique()),
            "items": len(self.sample),
            "overturned": int(self.sample.y.sum()),
            "groups": len(set(self.sample.groups)),
            "tested_items": int(tested.sum()),
            "tested_overturned": int(self.sample.y[tested].sum()),
            "with_texts": self.sample.texts is not None,
            "unreadable": len(self.corpus.errors),
            "data_digest": self.corpus.digest,
            "source": "letters" if self.sample.texts is not None else "decisions",
        }

    @property
    def kinds(self) -> dict[tuple[str, str], Kind]:
        """(subject, contender) -> model, alternative or probe, in the order of the table."""
        return contender_kinds()

    def predictions_table(self) -> pd.DataFrame:
        """Predictions on unseen letters, an item a row, the mean over the repeats: keys, truth,
        probability with interval, hits.  Facts and figures only, no text of a letter.
        """
        predictions, frame = self.predictions, self.sample.frame
        sums, counts = np.zeros((2, len(frame))), np.zeros(len(frame))
        for result in predictions.results:
            if result.interval is not None:
                sums[:, result.fold.test] += result.interval
                counts[result.fold.test] += 1
        low, high = metrics.ratio(sums, counts)
        columns = {
            "letter_id": frame["letter_id"].to_numpy(dtype=object),
            "item_index": frame["item_index"].to_numpy(dtype=np.int64),
            "group": self.sample.groups,
            "category": frame["category"].astype(object).to_numpy(),
            "overturned": self.sample.y,
            "p_overturned": predictions.per_item(MODEL),
            "p_overturned_low": low,
            "p_overturned_high": high,
        }
        columns |= {name: hits.mean(axis=0) for name, hits in predictions.hits[MODEL].items()}
        return pd.DataFrame({name: v[predictions.tested] for name, v in columns.items()})

    def figures_table(self) -> pd.DataFrame:
        """All figures, a row a contender and figure."""
        return pd.DataFrame([flat(figure) for figure in self.figures])

    def table(self) -> RenderableType:
        """The protocol's table for the terminal."""
        return evaluation_tables(self)

    def text(self) -> str:
        """The table as plain text."""
        return as_text(self.table())


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
        """0, or 1 where the run was not logged, the model got no alias, or a letter not read."""
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
            local = old_runs_line() or "See it: mlflow ui, then http://127.0.0.1:5000"
            yield local if found.is_local else f"See it: {_shown(found)}"


def _shown(found: Logged) -> str:
    """The store without a password that an address may carry."""
    if found.is_local:
        return Path(found.tracking_uri.removeprefix("sqlite:///")).name
    parts = urlsplit(found.tracking_uri)
    return found.tracking_uri.replace(f"{parts.username}:{parts.password}@", "")


def train(config: TrainConfig, corpus: Corpus | None = None) -> TrainResult:
    """Evaluate, fit on all items, keep on disk, log to MLflow, register.

    Same seed and data give the same model and figures, also where an interrupted run is taken up.
    A tracking server that fails loses nothing: see :attr:`TrainResult.kept`.  Raises
    :class:`NoDecisionsError`, :class:`SplitError`, and :class:`ConfigError` where ``config.keep``
    cannot be written to.
    """
    return _run("train", config, corpus)


def evaluate_and_log(config: TrainConfig, corpus: Corpus | None = None) -> TrainResult:
    """The evaluation of :func:`train` as a run of its own, without a model; raises as that does."""
    return _run("evaluate", config, corpus)


def _run(command: str, config: TrainConfig, corpus: Corpus | None) -> TrainResult:
    Settings.of(config)  # refused before the letters are read
    started = _now_ms()
    corpus = ordered(corpus or read(config))
    with run_folder.unfinished(config, corpus) as kept:
        evaluation = evaluate(config, corpus, kept)
        if command == "evaluate":
            return _recorded(command, evaluation, started)
        study = None
        if config.tune:  # on all items: the folds' own studies chose for the folds
            with threadpool_limits(1):
                study = tuned(evaluation.sample, config, "all")
        predictor = fit(evaluation, study.chosen if study else None)
        if config.dry_run:
            return TrainResult(evaluation, predictor)
        return _recorded(command, evaluation, started, predictor, study)


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
    with run_folder.written_to(Path(config.keep)):
        kept = write_run_folder(evaluation, predictor, name, (started, _now_ms()), study)
    try:
        logged = log(kept, config)
    except TrackingError as error:
        return TrainResult(evaluation, predictor, kept=kept, error=str(error))
    if logged.version and not logged.alias:
        return TrainResult(evaluation, predictor, logged=logged, kept=kept)
    run_folder.remove(kept.folder)
    return TrainResult(evaluation, predictor, logged=logged)


def _now_ms() -> int:
    return int(time.time() * 1000)


def read(config: TrainConfig) -> Corpus:
    """The decided items that the configuration names.  Raises :class:`NoDecisionsError`."""
    if config.letters:
        return read_corpus(config.letters)
    return load_decisions(config.decisions)


def evaluate(
    config: TrainConfig, corpus: Corpus | None = None, kept: Unfinished | None = None
) -> Evaluation:
    """The whole protocol on a corpus (default: what ``config`` names); folds are taken from
    ``kept``, and kept there.  Same seed and data give the same figures to the last digit, on any
    number of processes.  Raises as :func:`train`.
    """
    Settings.of(config)  # refuses what a model does not know before hours of work
    corpus = ordered(corpus or read(config))
    data = sample(corpus)
    # One thread a process: sums in another order would change the last digit.
    with threadpool_limits(1):
        folds = folds_of(data, config)
        predictions = run_folds(data, folds, config, permuted_families, kept)
        draws = Draws.of(data, predictions, config.bootstrap, config.seed)
        all_draws = draws.all()
        return Evaluation(
            config=config,
            sample=data,
            corpus=corpus,
            folds=folds[: len(predictions.fold)],
            predictions=predictions,
            figures=figures(all_draws),
            differences=differences(all_draws),
            studies=studied(draws, folds[0], config),
        )


def fit(evaluation: Evaluation, settings: Settings | None = None) -> Predictor:
    """Both models on all items; ``settings`` default to those of the configuration."""
    data, facts, tested = evaluation.sample, evaluation.facts, evaluation.predictions.tested
    settings = settings or Settings.of(evaluation.config)
    p = evaluation.predictions.per_item(MODEL)[tested].tolist()
    # What it was made from: no path, no clock; and for the drift warning, of the training items
    # signals and out-of-fold scores.
    wanted = ("letters", "items", "overturned", "data_digest", "source")
    about = {name: facts[name] for name in wanted}
    about["seed"] = evaluation.config.seed
    about["profile"] = profile(data.frame[tested], OutcomeModel().columns, p)
    with threadpool_limits(1):
        return Predictor.fit(
            data.frame,
            data.overturned,
            data.guideline.tolist(),
            outcome_model=OutcomeModel(config=settings.outcome),
            guideline_model=GuidelineModel(config=settings.guideline),
            about=about,
        )
