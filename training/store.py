"""The MLflow store of a run: opened by one process at a time, patient with locks, and quiet."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

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
ADDRESS = "MLFLOW_TRACKING_URI"
LOCAL_STORE = "sqlite:///mlflow.db"
LOCKED_SECONDS = 60


def opened(uri: str, deadline: float) -> MlflowClient:
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
