"""`imr info`: which version, model and stores a command here would use."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from imr.data.paths import file_path
from imr.serve.messages import Refused
from imr.serve.model import STORE, resolve

LIBRARIES = ("lightgbm", "mlflow", "pandas", "pyarrow", "pypdfium2", "dask")
STORES = {"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs", "https": "aiohttp"}


def info(model: str) -> Iterator[tuple[str, str]]:
    """What is looked at and what was found; nothing is trained, fetched or written for it."""
    yield "imr", version("imr")
    yield "python", platform.python_version()
    yield "libraries", ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    yield "mlflow store", _store()
    try:
        found = resolve(model)
    except Refused as error:
        yield "model", str(error)
    else:
        yield "model", found.uri
        yield "model folder", str(found.folder)
    yield "object stores", ", ".join(f"{name}:// {_installed(p)}" for name, p in STORES.items())


def _store() -> str:
    address = os.environ.get("MLFLOW_TRACKING_URI")
    if address:  # without user and password
        named = str(file_path(address)) if "://" in address else address
        return f"{named} (MLFLOW_TRACKING_URI)"
    there = "" if STORE.exists() else ", which is not there yet"
    return f"{Path.cwd() / STORE}{there}"


def _installed(package: str) -> str:
    from importlib.util import find_spec

    return "ready" if find_spec(package) else f"needs {package}"
