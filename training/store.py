"""The store of the experiment log: how it is opened, with patience and quietly; what an error of a
store, server or registry means, and what to do about it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from imr.models.bundle import sha256
from imr.training import one_line

if TYPE_CHECKING:
    from mlflow import MlflowClient

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
DENIED = re.compile(r"error code 403|PERMISSION_DENIED")
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


def is_denied(error: BaseException) -> bool:
    """Whether a server says that the user may not do this."""
    return DENIED.search(str(error)) is not None


def was_made_beside(error: BaseException) -> bool:
    """Whether a store refuses an entry because another run has just made it: two runs on the same
    data, at once, find no entry of the data, and both make one.
    """
    return re.search(r"UniqueViolation|UNIQUE constraint|[Dd]uplicate", str(error)) is not None


def told(error: BaseException) -> str:
    """An error of a store or server in one line, with its remedy where that is known."""
    line = one_line(error)
    known = (remedy for remedy, pattern in REMEDIES.items() if pattern.search(str(error)))
    return next((f"{remedy} ({line})" for remedy in known), line)


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
    with contextlib.closing(sqlite3.connect(path, timeout=deadline - time.monotonic())) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        # To make a client is to open the store, and to make its tables where it has none.
        return mlflow.MlflowClient()


@contextlib.contextmanager
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


@contextlib.contextmanager
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
