"""A kept run -> MLflow: runs, datasets, tables, plots, the model and its registered version.

The store is ``MLFLOW_TRACKING_URI``, else the SQLite file ``mlflow.db`` in the working directory,
which is what ``mlflow ui`` opens there; it is opened by one process at a time, patient with locks,
and quiet.  Anything that goes wrong ends in :class:`TrackingError`; the run is then marked failed,
and the kept folder stays.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING, Any

import pandas as pd

from imr.models.bundle import sha256
from imr.training import one_line
from imr.training.champion import DENIED, NOTE, described, register
from imr.training.config import TrainConfig
from imr.training.run_folder import CARD, HEADLINE, JOURNALS, RunFolder
from imr.training.tuning import BROKEN_OFF, COMPLETE, FAILED, LOSS

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARENT = "mlflow.parentRunId"
EXPERIMENT_KIND, MODEL_TRAINING = "mlflow.experimentKind", "custom_model_development"
TRIAL_STATUS = {COMPLETE: "FINISHED", FAILED: "FAILED", BROKEN_OFF: "KILLED"}
EVALUATED = "no model was registered"
# A user's own settings win.  MLflow alone would try a dead server for several minutes.
QUIET_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
LOUD = ("mlflow", "alembic", "urllib3")
ADDRESS = "MLFLOW_TRACKING_URI"
LOCAL_STORE = "sqlite:///mlflow.db"
LOCKED_SECONDS = 60
LOGIN = "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
_ROOM = "make room there, or name another store: --set tracking_uri=ADDRESS"
REMEDIES = {
    "the proxy of HTTP_PROXY and HTTPS_PROXY does not let it through: mend them, or name the "
    "server in NO_PROXY": re.compile(r"ProxyError|error code 407|Tunnel connection"),
    f"the tracking server asks who you are: {LOGIN}": re.compile(r"error code 401|UNAUTHENTICATED"),
    "the tracking server does not allow it: ask whoever keeps it for the right to write, or log in "
    f"as somebody who has it ({LOGIN})": DENIED,
    f"the disk is full: {_ROOM}": re.compile(
        r"disk is full|No space left|File too large|disk I/O error"
    ),
    "the store may not be written to: name another one, --set tracking_uri=ADDRESS": re.compile(
        r"readonly database|Read-only file system|unable to open database|Permission denied"
    ),
}
"""What is the matter, and the remedy -> what an error of a store or server then says."""


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
    """A kept run on its way to the log, and the ``runs`` begun, so that a failure can mark them."""

    client: MlflowClient
    kept: RunFolder
    deadline: float
    experiment_id: str = ""
    runs: list[str] = field(default_factory=list)

    @property
    def times(self) -> tuple[int, int]:
        """When the run began and ended, in ms."""
        return self.kept.run["started_ms"], self.kept.run["ended_ms"]

    def check(self) -> None:
        """Raise TimeoutError past the deadline."""
        if time.monotonic() > self.deadline:
            raise TimeoutError("the tracking server is too slow")

    def start(
        self,
        name: str,
        times: tuple[int, int],
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        metrics: Iterable[tuple[str, float, int]] = (),
    ) -> str:
        """Begin a run, with its ``metrics`` (name, value, step); its id."""
        from mlflow.entities import Metric, Param

        self.check()
        named = {"mlflow.user": self.kept.run["tags"]["mlflow.user"], **tags}
        run_id = str(self.client.create_run(self.experiment_id, times[0], named, name).info.run_id)
        self.runs.append(run_id)
        figures = [Metric(metric, value, times[1], step) for metric, value, step in metrics]
        given = [Param(k, str(v)) for k, v in params.items()]
        self.client.log_batch(run_id, metrics=figures, params=given)
        return run_id


def log(kept: RunFolder, config: TrainConfig) -> Logged:
    """Log and register a kept run, which is left as it is.  Raises :class:`TrackingError`."""
    with quiet(), patient_sqlite():
        import mlflow

        before = os.environ.get(ADDRESS)
        tracking_uri = config.tracking_uri or (None if before else LOCAL_STORE)
        try:
            if tracking_uri:
                mlflow.set_tracking_uri(tracking_uri)
            deadline = time.monotonic() + config.tracking_timeout_seconds
            client = opened(mlflow.get_tracking_uri(), deadline)
            return _logged(_Session(client, kept, deadline), config)
        except Exception as error:
            # Servers and stores fail in every way there is; the run must not be lost to any.
            line = one_line(error)
            known = (remedy for remedy, said in REMEDIES.items() if said.search(str(error)))
            remedy = next(known, "")
            raise TrackingError(f"{remedy} ({line})" if remedy else line) from error
        finally:
            if tracking_uri:
                # MLflow keeps the address it was told in this variable; None takes it back.
                mlflow.set_tracking_uri(before)  # type: ignore[arg-type]


def _logged(session: _Session, config: TrainConfig) -> Logged:
    import mlflow

    client, kept = session.client, session.kept
    session.experiment_id = _experiment(client, config.experiment)
    command = "imr train" if kept.model.exists() else "imr evaluate"
    tags = kept.run["tags"] | {"mlflow.source.name": command}
    try:
        run_id = session.start(kept.run["name"], session.times, kept.run["params"], tags)
        for step in (_dataset, _artifacts, _folds, _tuning):
            session.check()
            step(session, run_id)
        session.check()
        logged = Logged(run_id, session.experiment_id, mlflow.get_tracking_uri())
        if kept.model.exists():
            logged = _registered(session, logged, config)
        else:
            _log_metrics(session, run_id)
        # What became of it and why, the table's remarks, and what the figures mean.
        became = f"**{logged.alias or 'evaluation'}**: {logged.reason or EVALUATED}"
        remarks = "".join(f"* {line}\n" for line in kept.run["remarks"])
        client.set_tag(run_id, NOTE, f"{became}\n\n{remarks}\n{_page('run')}")
        client.set_terminated(run_id, "FINISHED", session.times[1])
    except BaseException:
        _mark_failed(session)
        raise
    return logged


def _registered(session: _Session, logged: Logged, config: TrainConfig) -> Logged:
    """Log the model, register it, and say on the run what became of it."""
    client, kept, run_id = session.client, session.kept, logged.run_id
    name = config.registered_model
    model_id, model_uri = _model(run_id, name, kept)
    _log_metrics(session, run_id, model_id)
    session.check()
    version, verdict = register(client, name, run_id, model_uri, kept, config.promote)
    if verdict.figures:
        table = pd.DataFrame(verdict.figures)
        client.log_table(run_id, table, artifact_file="evaluation/against_champion.json")
    client.set_tag(run_id, "alias", verdict.alias or "none")
    client.set_tag(run_id, "alias_reason", verdict.reason)
    return replace(logged, version=version, alias=verdict.alias, reason=verdict.reason, name=name)


def _page(name: str) -> str:
    """A text of MLflow's pages: a line is a paragraph, for they keep the line breaks given."""
    return (resources.files("imr.training.report") / f"{name}_page.txt").read_text("utf-8").rstrip()


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
            tags = {EXPERIMENT_KIND: MODEL_TRAINING, NOTE: _page("experiment")}
            return str(client.create_experiment(name, tags=tags))
        except MlflowException:
            # Another process was faster.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _log_metrics(session: _Session, run_id: str, model_id: str | None = None) -> None:
    """All figures of the run, the headline ones of its model, too, each with the data that it was
    measured on.  After the model is logged: MLflow gives it every figure that the run has by then,
    without the data.
    """
    from mlflow.entities import Metric

    name, digest = _data(session.kept.run["facts"])
    found = [
        Metric(k, v, session.times[1], 0, model_id if k in HEADLINE else None, name, digest)
        for k, v in session.kept.run["metrics"].items()
    ]
    session.client.log_batch(run_id, metrics=found)


def _dataset(session: _Session, run_id: str) -> None:
    """The table, and how it is built: no path of this machine."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.pandas_dataset import from_pandas
    from mlflow.entities import DatasetInput, InputTag
    from mlflow.exceptions import MlflowException

    name, digest = _data(session.kept.run["facts"])
    built_from = "data/decisions.csv" if name == "decisions" else name
    source = CodeDatasetSource({"built_by": "imr.training.decisions", "from": built_from})
    table = pd.read_csv(session.kept.folder / "data" / "decisions.csv", low_memory=False)
    # Whole numbers as numbers that may be missing, as they may in other letters.
    table = table.astype(dict.fromkeys(table.select_dtypes("integer").columns, "float64"))
    dataset = from_pandas(table, source=source, name=name, digest=digest)
    tags = [InputTag("mlflow.data.context", "training and evaluation")]
    datasets = [DatasetInput(dataset._to_mlflow_entity(), tags)]
    try:
        session.client.log_inputs(run_id, datasets=datasets)
    except MlflowException as error:
        # Two runs on the same data, at once, find no entry of the data, and both make one.
        if not re.search(r"UniqueViolation|UNIQUE constraint|[Dd]uplicate", str(error)):
            raise
        session.client.log_inputs(run_id, datasets=datasets)


def _data(facts: Mapping[str, Any]) -> tuple[str, str]:
    """Name and digest of the data in the log."""
    return facts["source"], facts["data_digest"][:12]


def _artifacts(session: _Session, run_id: str) -> None:
    client, kept = session.client, session.kept
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
    cells = figures[["value", "value_low", "value_high"]].itertuples(index=False)
    text = ["" if e[0] != e[0] else f"{e[0]:.3f} ({e[1]:.3f} to {e[2]:.3f})" for e in cells]
    table = figures.assign(text=text).pivot(index="contender", columns="metric", values="text")
    rows, columns = (figures[name].unique() for name in ("contender", "metric"))
    table = table.reindex(index=rows, columns=columns).fillna("")
    return table.rename_axis(None, axis=1).reset_index()


def _folds(session: _Session, run_id: str) -> None:
    for fold in session.kept.run["folds"]:
        figures = ((name, value, 0) for name, value in fold["metrics"].items())
        tags = {PARENT: run_id, "kind": "fold", NOTE: _page("fold")}
        child = session.start(fold["name"], session.times, fold["params"], tags, figures)
        session.client.set_terminated(child, "FINISHED", session.times[1])


def _tuning(session: _Session, run_id: str) -> None:
    """A run a study, below it a run a trial: settings, loss, loss by inner fold, or the reason."""
    client, kept = session.client, session.kept
    for study in kept.run.get("tuning", ()):
        trials = study["trials"]
        times = min(t["started_ms"] for t in trials), max(t["ended_ms"] for t in trials)
        failed = sum(trial["state"] != COMPLETE for trial in trials)
        counts = {LOSS: study["value"], "trials": len(trials), "failed_trials": failed}
        figures = [(name, value, 0) for name, value in counts.items()]
        tags = {PARENT: run_id, "kind": "tuning", NOTE: _page("study")}
        parent = session.start(study["name"], times, study["params"], tags, figures)
        client.log_artifact(parent, str(kept.folder / JOURNALS / study["journal"]))
        for trial in trials:
            figures = [("fold_log_loss", v, step) for step, v in enumerate(trial["fold_values"])]
            if trial["value"] is not None:
                figures.append((LOSS, trial["value"], 0))
            tags = {PARENT: parent, "kind": "trial", "state": trial["state"]}
            if trial["error"]:
                tags |= {"error": trial["error"], NOTE: trial["error"]}
            name, own = f"trial {trial['number']}", (trial["started_ms"], trial["ended_ms"])
            child = session.start(name, own, trial["params"], tags, figures)
            client.set_terminated(child, TRIAL_STATUS[trial["state"]], own[1])
        client.set_terminated(parent, "FINISHED", times[1])


def _model(run_id: str, name: str, kept: RunFolder) -> tuple[str, str]:
    """Log the predictor as a model from code, named and described; its id and address."""
    import mlflow

    from imr.models.mlflow_model import logging_arguments

    # Of characters that MLflow allows: imr-train-20260102-030405.
    named = "".join("-" if c in "/:.%\"'" else c for c in f"{name}-{kept.run['name']}")
    with mlflow.start_run(run_id=run_id), TemporaryDirectory() as staging:
        arguments = logging_arguments(kept.model, Path(staging))
        note = {NOTE: described(kept.card())}
        info = mlflow.pyfunc.log_model(name=named, tags=note, **arguments)
    # Leaving the block marks the run finished; it is not, yet.
    mlflow.MlflowClient().update_run(run_id, status="RUNNING")
    return str(info.model_id), str(info.model_uri)


def opened(uri: str, deadline: float) -> MlflowClient:
    """A client of the store.  An SQLite file gets its tables here, in one process at a time: two
    first runs side by side would each try to make them, and the slower one would fail.
    """
    import mlflow

    if not uri.startswith("sqlite:"):
        return mlflow.MlflowClient()
    name = sha256(str(Path(uri.removeprefix("sqlite:///")).absolute()))
    # SQLite's own lock: it goes with the process that holds it, on every system.
    path = Path(gettempdir()) / f"imr-{name[:16]}.lock"
    with closing(sqlite3.connect(path, timeout=deadline - time.monotonic())) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        # To make a client is to open the store, and to make its tables where it has none.
        return mlflow.MlflowClient()


@contextmanager
def patient_sqlite() -> Iterator[None]:
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


@contextmanager
def quiet() -> Iterator[None]:
    """Short waits for a dead server, no migration chatter; both undone at the end."""
    given = {k: v for k, v in QUIET_SETTINGS.items() if k not in os.environ}
    os.environ.update(given)
    import mlflow  # noqa: F401 - its import sets the levels of its loggers

    levels = {logger: logger.level for logger in map(logging.getLogger, LOUD)}
    for logger in levels:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
        for name in given:
            os.environ.pop(name, None)


def main(argv: list[str] | None = None, say: Callable[[str], None] = print) -> int:
    """``python -m imr.training.tracking FOLDER``: log a run that was kept; removes it when done."""
    parser = argparse.ArgumentParser(description="Log a training run that was kept on disk.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tracking-uri")
    arguments = parser.parse_args(argv)
    try:
        kept = RunFolder.open(arguments.folder)
        logged = log(kept, TrainConfig(tracking_uri=arguments.tracking_uri))
    except (ValueError, TrackingError) as error:
        say(f"imr: {error}")
        return 1
    shutil.rmtree(kept.folder)
    say(f"{logged.model_uri} ({logged.alias}): {logged.reason}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
