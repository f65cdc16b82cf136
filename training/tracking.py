"""A kept run -> MLflow: runs, datasets, tables, plots, the model and its registered version.

The store is ``MLFLOW_TRACKING_URI``, else the SQLite file ``mlflow.db`` in the working directory,
which is what ``mlflow ui`` opens there.  Anything that goes wrong ends in
:class:`TrackingError`; the run is then marked failed, and the kept folder stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pandas as pd

from imr.training.champion import Verdict, judge
from imr.training.run_folder import CARD, HEADLINE, JOURNALS, PREDICTIONS, RunFolder
from imr.training.tuning import BROKEN_OFF, COMPLETE, FAILED, LOSS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CANDIDATE = "champion", "candidate"
# A user's own settings win.  MLflow alone would try a dead server for several minutes.
QUIET_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
LOUD = ("mlflow", "alembic", "urllib3")
NOTE = "mlflow.note.content"
EXPERIMENT_KIND, MODEL_TRAINING = "mlflow.experimentKind", "custom_model_development"
ADDRESS = "MLFLOW_TRACKING_URI"
LOCAL_STORE = "sqlite:///mlflow.db"
LOCKED_SECONDS = 60
BATCH = 90
DESCRIPTION_LENGTH = 4900
EXPERIMENT_NOTE = """Runs of `imr train` and `imr evaluate`. Press *Model training* at the top left
to see them.

* A run is one training, or one evaluation without a model: its description says why it became
  champion or candidate, and what its figures mean. Below it stand a run a fold and, where settings
  were tuned, a run a study with a run a trial.
* To compare two: tick both, *Compare*, *Show diff only*. Or the table view (third button over the
  list): `evaluation/outcome.json` and `evaluation/guideline.json` put every contender of both runs
  side by side, with intervals; `evaluation/against_champion.json` has the paired differences.
"""
GUIDE = """**Metrics.** Measured on letters that the model of the fold had not seen. `auc`,
`average_precision` and `brier_skill` (more is better), `log_loss` and `calibration_error` (less is
better) are of p(overturned), in the group `outcome`; in the group `guideline` `chapter_top1` …
`section_top3` are shares of items whose cited guideline is among the first one or three, `_any_`
any of those cited. `_low` and `_high` are 95% intervals over letters. `alternatives/NAME …` is that
contender's own figure on the same folds.

**Where to look.** `plots/outcome_comparison.png` and `plots/guideline_comparison.png`: the model
beside everything else. `plots/outcome_calibration.png`: can the probabilities be believed.
`plots/*_permutation.png`: what the models rest on. `plots/outcome_style.png` (with letters): does
the house style of summaries carry the ranking. `evaluation/`: the tables that the UI compares
across runs. `tables/`: all figures as CSV. `MODEL_CARD.md`: what it is for, and what not.
"""
EVALUATED = "no model was registered"
FOLD_NOTE = (
    "One fold of the protocol: the figures are of the test letters, which the fold's model had "
    "not seen. A fold holds few overturned items; the run above has the figures with intervals."
)
STUDY_NOTE = (
    "Settings of the outcome model tried by Optuna, inside these training letters alone: a run a "
    "trial, the usual settings first. The log loss is that of inner folds; the parameters are the "
    "chosen ones. The journal among the artifacts takes the study up again."
)


class TrackingError(Exception):
    """The experiment log could not be written; one line, with the reason."""


@dataclass(frozen=True, slots=True)
class Logged:
    """Where a run lies; of a training also the registered ``name`` and version, its alias and why
    it has it, which are empty for an evaluation alone.
    """

    run_id: str
    experiment_id: str
    tracking_uri: str
    name: str = ""
    version: str = ""
    alias: str = ""
    reason: str = ""

    @property
    def model_uri(self) -> str:
        """The address of the registered model."""
        return f"models:/{self.name}/{self.version}" if self.version else ""

    @property
    def is_local(self) -> bool:
        """True for the SQLite store, which ``mlflow ui`` shows."""
        return self.tracking_uri.startswith("sqlite:")


@dataclass
class _Session:
    """What is under way, so that a failure can mark it."""

    client: MlflowClient
    deadline: float
    runs: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raise TimeoutError past the deadline."""
        if time.monotonic() > self.deadline:
            raise TimeoutError("the tracking server is too slow")


def log(
    kept: RunFolder,
    experiment: str = "imr",
    registered_model: str = "imr",
    tracking_uri: str | None = None,
    timeout_seconds: int = 300,
    *,
    promote: bool = False,
) -> Logged:
    """Log and register a kept run; with ``promote`` it becomes champion whatever the figures.

    Raises :class:`TrackingError`; the folder is left as it is.
    """
    with _quiet(), _patient_sqlite():
        import mlflow

        before = os.environ.get(ADDRESS)
        tracking_uri = tracking_uri or (None if before else LOCAL_STORE)
        try:
            if tracking_uri:
                mlflow.set_tracking_uri(tracking_uri)
            deadline = time.monotonic() + timeout_seconds
            session = _Session(_opened(mlflow.get_tracking_uri(), deadline), deadline)
            return _logged(session, kept, experiment, registered_model, promote)
        except TrackingError:
            raise
        except Exception as error:
            # Servers and stores fail in every way there is; the run must not be lost to any.
            raise TrackingError(_one_line(error)) from error
        finally:
            if tracking_uri:
                # MLflow keeps the address it was told in this variable; None takes it back.
                mlflow.set_tracking_uri(before)  # type: ignore[arg-type]


def _opened(uri: str, deadline: float) -> MlflowClient:
    """A client of the store.  An SQLite file gets its tables here, in one process at a time: two
    first runs side by side would each try to make them, and the slower one would fail.
    """
    import mlflow

    if not uri.startswith("sqlite:"):
        return mlflow.MlflowClient()
    name = hashlib.sha256(str(Path(uri.removeprefix("sqlite:///")).absolute()).encode()).hexdigest()
    # SQLite's own lock: it goes with the process that holds it, on every system.
    path = Path(tempfile.gettempdir()) / f"imr-{name[:16]}.lock"
    with contextlib.closing(sqlite3.connect(path, timeout=deadline - time.monotonic())) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        # To make a client is to open the store, and to make its tables where it has none.
        return mlflow.MlflowClient()


@contextmanager
def _patient_sqlite() -> Iterator[None]:
    """Connections to an SQLite store wait while another run writes, and do not fail at once."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def wait(connection: Any, _record: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute(f"PRAGMA busy_timeout = {LOCKED_SECONDS * 1000}")

    event.listen(Engine, "connect", wait)
    try:
        yield
    finally:
        event.remove(Engine, "connect", wait)


def old_runs_line() -> str:
    """What to do about runs that an older MLflow kept in the folder ``mlruns``; empty where there
    are none or another store is named.  MLflow alone would pick them as the store, and refuse it.
    """
    if os.environ.get(ADDRESS) or not any(Path("mlruns").glob("*/meta.yaml")):
        return ""
    return (
        "The folder mlruns holds runs of an older MLflow, so mlflow ui needs to be told: "
        f"mlflow ui --backend-store-uri {LOCAL_STORE} "
        f"(mlflow migrate-filestore --source . --target sqlite:///old.db makes a store of them)"
    )


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:240]}"


def _logged(
    session: _Session, kept: RunFolder, experiment: str, registered: str, promote: bool
) -> Logged:
    import mlflow

    experiment_id = _experiment(session.client, experiment)
    command = "imr train" if kept.model.exists() else "imr evaluate"
    run_id = _start(session, experiment_id, kept.run, {"mlflow.source.name": command})
    try:
        for step in (_figures, _dataset, _artifacts, _folds, _tuning):
            session.check()
            step(session, experiment_id, run_id, kept)
        session.check()
        logged = Logged(run_id, experiment_id, mlflow.get_tracking_uri())
        if kept.model.exists():
            logged = _registered(session, logged, registered, kept, promote)
        note = _note(kept, logged.alias or "evaluation", logged.reason or EVALUATED)
        session.client.set_tag(run_id, NOTE, note)
        session.client.set_terminated(run_id, "FINISHED", kept.run["ended_ms"])
    except BaseException:
        _mark_failed(session)
        raise
    return logged


def _registered(
    session: _Session, logged: Logged, name: str, kept: RunFolder, promote: bool
) -> Logged:
    """Log the model, register it, and say on the run what became of it."""
    client, run_id = session.client, logged.run_id
    model_id, model_uri = _model(run_id, kept)
    _log_metrics(client, run_id, kept.run, model_id)
    session.check()
    version, verdict = _register(session, name, run_id, model_uri, kept, promote)
    alias = CHAMPION if verdict.better else CANDIDATE
    _against_champion(client, run_id, verdict)
    client.set_tag(run_id, "alias", alias)
    client.set_tag(run_id, "alias_reason", verdict.reason)
    return replace(logged, version=version, alias=alias, reason=verdict.reason, name=name)


def _note(kept: RunFolder, title: str, reason: str) -> str:
    """The description on the run's page: what became of it and why, and the table's remarks."""
    remarks = "".join(f"* {line}\n" for line in kept.run["remarks"])
    return f"**{title}**: {reason}\n\n{remarks}\n{_unwrapped(GUIDE)}"


def _unwrapped(text: str) -> str:
    """A line a paragraph: the page keeps the line breaks that it is given."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _mark_failed(session: _Session) -> None:
    for run_id in session.runs:
        try:
            if session.client.get_run(run_id).info.status == "RUNNING":
                session.client.set_terminated(run_id, "FAILED")
        except Exception:  # noqa: BLE001 - the server may be gone; the first error is the news
            logging.getLogger(__name__).debug("run %s could not be marked failed", run_id)


def _experiment(client: MlflowClient, name: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            # The kind opens the pages of model training, not those of language models.
            tags = {EXPERIMENT_KIND: MODEL_TRAINING, NOTE: EXPERIMENT_NOTE}
            return str(client.create_experiment(name, tags=tags))
        except MlflowException:
            # Another process was faster.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _start(session: _Session, experiment_id: str, run: dict[str, Any], tags: dict[str, str]) -> str:
    made = session.client.create_run(
        experiment_id,
        start_time=run.get("started_ms"),
        run_name=run["name"],
        tags={**run.get("tags", {}), **tags},
    )
    session.runs.append(made.info.run_id)
    return str(made.info.run_id)


def _figures(session: _Session, _experiment_id: str, run_id: str, kept: RunFolder) -> None:
    from mlflow.entities import Param

    params = [Param(k, str(v)) for k, v in kept.run["params"].items()]
    for at in range(0, len(params), BATCH):
        session.client.log_batch(run_id, params=params[at : at + BATCH])
    _log_metrics(session.client, run_id, kept.run)


def _log_metrics(
    client: MlflowClient, run_id: str, run: dict[str, Any], model_id: str | None = None
) -> None:
    """All figures of the run; with a model, its headline figures once more under the model."""
    from mlflow.entities import Metric

    found = [
        Metric(k, v, run["ended_ms"], 0, model_id=model_id)
        for k, v in run["metrics"].items()
        if model_id is None or k in HEADLINE
    ]
    for at in range(0, len(found), BATCH):
        client.log_batch(run_id, metrics=found[at : at + BATCH])


def _dataset(session: _Session, _experiment_id: str, run_id: str, kept: RunFolder) -> None:
    from mlflow.data.pandas_dataset import from_pandas
    from mlflow.entities import DatasetInput, InputTag

    path = kept.folder / "data" / "decisions.csv"
    dataset = from_pandas(
        _nullable(pd.read_csv(path)),
        source=_source(kept),
        name="decisions" if kept.run["facts"]["source"] == "decisions" else "letters",
        digest=kept.run["facts"]["data_digest"][:12],
    )
    tags = [InputTag("mlflow.data.context", "training and evaluation")]
    session.client.log_inputs(run_id, datasets=[DatasetInput(dataset._to_mlflow_entity(), tags)])


def _artifacts(session: _Session, _experiment_id: str, run_id: str, kept: RunFolder) -> None:
    client = session.client
    for name in ("plots", "tables"):
        client.log_artifacts(run_id, str(kept.folder / name), name)
        session.check()
    client.log_artifact(run_id, str(kept.folder / CARD))
    client.log_dict(run_id, kept.run["lexicons"], "lexicons.json")
    figures = pd.read_csv(kept.folder / "tables" / "figures.csv")
    for subject, part in figures.groupby("subject"):
        client.log_table(run_id, wide(part), artifact_file=f"evaluation/{subject}.json")


def wide(figures: pd.DataFrame) -> pd.DataFrame:
    """Figures as the UI compares them: a row a contender, a column a figure with its interval."""
    text = [
        "" if value != value else f"{value:.3f} ({low:.3f} to {high:.3f})"
        for value, low, high in zip(
            figures["value"], figures["value_low"], figures["value_high"], strict=True
        )
    ]
    named = figures.assign(text=text)
    order = list(dict.fromkeys(named["contender"]))
    columns = list(dict.fromkeys(named["metric"]))
    table = named.pivot_table(index="contender", columns="metric", values="text", aggfunc="first")
    table = table.reindex(index=order, columns=columns).fillna("").reset_index()
    table.columns.name = None
    return table


def _folds(session: _Session, experiment_id: str, run_id: str, kept: RunFolder) -> None:
    from mlflow.entities import Metric, Param, RunTag

    started, ended = kept.run["started_ms"], kept.run["ended_ms"]
    for fold in kept.run["folds"]:
        session.check()
        child = _start(
            session,
            experiment_id,
            {"name": fold["name"], "started_ms": started},
            {"mlflow.parentRunId": run_id},
        )
        session.client.log_batch(
            child,
            metrics=[Metric(k, v, ended, 0) for k, v in fold["metrics"].items()],
            params=[Param(k, str(v)) for k, v in fold["params"].items()],
            tags=[RunTag("kind", "fold"), RunTag(NOTE, FOLD_NOTE)],
        )
        session.client.set_terminated(child, "FINISHED", ended)


def _tuning(session: _Session, experiment_id: str, run_id: str, kept: RunFolder) -> None:
    """A run a study under the training run, a run a trial under the study."""
    from mlflow.entities import Metric, Param, RunTag

    for study in kept.run.get("tuning", ()):
        session.check()
        trials = study["trials"]
        ended = max(trial["ended_ms"] for trial in trials)
        child = _start(
            session,
            experiment_id,
            {"name": study["name"], "started_ms": min(trial["started_ms"] for trial in trials)},
            {"mlflow.parentRunId": run_id},
        )
        failed = sum(trial["state"] != COMPLETE for trial in trials)
        figures = {LOSS: study["value"], "trials": len(trials), "failed_trials": failed}
        session.client.log_batch(
            child,
            metrics=[Metric(k, v, ended, 0) for k, v in figures.items()],
            params=[Param(k, str(v)) for k, v in study["params"].items()],
            tags=[RunTag("kind", "tuning"), RunTag(NOTE, STUDY_NOTE)],
        )
        session.client.log_artifact(child, str(kept.folder / JOURNALS / study["journal"]))
        for trial in trials:
            session.check()
            _trial(session, experiment_id, child, trial)
        session.client.set_terminated(child, "FINISHED", ended)


TRIAL_STATUS = {COMPLETE: "FINISHED", FAILED: "FAILED", BROKEN_OFF: "KILLED"}


def _trial(session: _Session, experiment_id: str, study: str, trial: dict[str, Any]) -> None:
    """Settings, loss and the loss of each inner fold (a step a fold); a failed one its reason."""
    from mlflow.entities import Metric, Param, RunTag

    ended = trial["ended_ms"]
    child = _start(
        session,
        experiment_id,
        {"name": f"trial {trial['number']}", "started_ms": trial["started_ms"]},
        {"mlflow.parentRunId": study},
    )
    found = [Metric("fold_log_loss", v, ended, k) for k, v in enumerate(trial["fold_values"])]
    if trial["value"] is not None:
        found.append(Metric(LOSS, trial["value"], ended, 0))
    tags = {"kind": "trial", "state": trial["state"]}
    if trial["error"]:
        tags |= {"error": trial["error"], NOTE: trial["error"]}
    session.client.log_batch(
        child,
        metrics=found,
        params=[Param(k, str(v)) for k, v in trial["params"].items()],
        tags=[RunTag(k, v) for k, v in tags.items()],
    )
    session.client.set_terminated(child, TRIAL_STATUS[trial["state"]], ended)


def _model(run_id: str, kept: RunFolder) -> tuple[str, str]:
    """Log the predictor as a model from code; its id and address."""
    import mlflow

    from imr.models.mlflow_model import logging_arguments

    with mlflow.start_run(run_id=run_id), TemporaryDirectory() as staging:
        arguments = logging_arguments(kept.model, Path(staging))
        info = mlflow.pyfunc.log_model(name="model", **arguments)
    # Leaving the block marks the run finished; it is not, yet.
    mlflow.MlflowClient().update_run(run_id, status="RUNNING")
    return str(info.model_id), str(info.model_uri)


def _register(
    session: _Session, name: str, run_id: str, model_uri: str, kept: RunFolder, promote: bool
) -> tuple[str, Verdict]:
    import mlflow

    champion = _champion(session.client, name)
    verdict = _verdict(session.client, champion, kept)
    if promote and not verdict.better:
        verdict = replace(verdict, better=True, reason=f"promoted by hand; {verdict.reason}")
    client, description = session.client, kept.card()[:DESCRIPTION_LENGTH]
    # MLflow speaks to the terminal here, whatever its loggers are told.
    with contextlib.redirect_stderr(io.StringIO()):
        made = mlflow.register_model(model_uri, name, await_registration_for=60)
    version = str(made.version)
    client.update_model_version(name, version, f"{verdict.reason}\n\n{description}"[:4990])
    client.set_model_version_tag(name, version, "run_id", run_id)
    client.set_model_version_tag(name, version, "data_digest", kept.run["facts"]["data_digest"])
    if verdict.better:
        client.set_registered_model_alias(name, CHAMPION, version)
        client.update_registered_model(name, description)
        if champion is not None:
            _retire(client, champion, version)
    else:
        client.set_registered_model_alias(name, CANDIDATE, version)
    return version, verdict


def _champion(client: MlflowClient, name: str) -> ModelVersion | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, CHAMPION)
    except MlflowException:
        return None


def _retire(client: MlflowClient, loser: ModelVersion, version: str) -> None:
    """What called the loser champion says what it was; its alias has moved already."""
    from mlflow.exceptions import MlflowException

    until = f"champion until version {version}"
    client.update_model_version(
        loser.name, loser.version, f"{until}. {loser.description or ''}"[:DESCRIPTION_LENGTH]
    )
    try:
        run = client.get_run(str(loser.run_id))
    except MlflowException:
        # Somebody deleted the run; the version tells what it was.
        return
    client.set_tag(run.info.run_id, "alias", "former champion")
    client.set_tag(run.info.run_id, "alias_reason", until)
    note = run.data.tags.get(NOTE, "").replace(f"**{CHAMPION}**", f"**{until}**", 1)
    client.set_tag(run.info.run_id, NOTE, note)


def _verdict(client: MlflowClient, champion: ModelVersion | None, kept: RunFolder) -> Verdict:
    """The first model is the champion; a later one has to be better on the same protocol."""
    import mlflow
    from mlflow.exceptions import MlflowException

    if champion is None:
        return Verdict(True, "the first model: there is no champion to beat")
    try:
        theirs = client.get_run(str(champion.run_id))
        path = mlflow.artifacts.download_artifacts(
            run_id=champion.run_id, artifact_path=f"tables/{PREDICTIONS}"
        )
        table = pd.read_csv(path, dtype={"letter_id": "string"})
    except (MlflowException, OSError) as error:
        return Verdict(False, f"not comparable: the champion's run is gone ({_one_line(error)})")
    ours = pd.read_csv(kept.folder / "tables" / PREDICTIONS, dtype={"letter_id": "string"})
    if theirs.data.params.get("by") != kept.run["params"]["by"]:
        return Verdict(False, "not comparable: the champion was evaluated by another protocol")
    verdict = judge(ours, table)
    return replace(verdict, reason=f"{verdict.reason} (champion: version {champion.version})")


def _against_champion(client: MlflowClient, run_id: str, verdict: Verdict) -> None:
    if verdict.figures:
        table = pd.DataFrame(verdict.figures)
        client.log_table(run_id, table, artifact_file="evaluation/against_champion.json")


def _nullable(table: pd.DataFrame) -> pd.DataFrame:
    """Whole numbers as numbers that may be missing, as they may in other letters."""
    whole = table.select_dtypes("integer").columns
    return table.astype(dict.fromkeys(whole, "float64"))


def _source(kept: RunFolder) -> Any:
    """How to build the data, for the dataset's entry: no path of this machine."""
    from mlflow.data.code_dataset_source import CodeDatasetSource

    built = "data/decisions.csv" if kept.run["facts"]["source"] == "decisions" else "letters"
    return CodeDatasetSource({"built_by": "imr.training.decisions", "from": built})


@contextmanager
def _quiet() -> Iterator[None]:
    """Short waits for a dead server, no migration chatter; both undone at the end."""
    given = {k: v for k, v in QUIET_SETTINGS.items() if k not in os.environ}
    os.environ.update(given)
    import mlflow  # noqa: F401 - its import sets the levels of its loggers

    loggers = [logging.getLogger(name) for name in LOUD]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for name in given:
            os.environ.pop(name, None)


def main(argv: list[str] | None = None, say: Callable[[str], None] = print) -> int:
    """``python -m imr.training.tracking FOLDER``: log a run that was kept; removes it when done."""
    import argparse
    import shutil

    parser = argparse.ArgumentParser(description="Log a training run that was kept on disk.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tracking-uri")
    arguments = parser.parse_args(argv)
    try:
        kept = RunFolder.open(arguments.folder)
        logged = log(kept, tracking_uri=arguments.tracking_uri)
    except (ValueError, TrackingError) as error:
        say(f"imr: {error}")
        return 1
    shutil.rmtree(kept.folder)
    say(f"{logged.model_uri} ({logged.alias}): {logged.reason}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
