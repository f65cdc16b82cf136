"""The model a command uses: its address with version and digest, and the predictor behind it;
and `imr info`, which tells it.

The address is resolved once, in the process that the user started; workers load the folder that
it stands for, so that all rows of a run come from one model and no worker asks MLflow.

What MLflow answered is remembered beside its default store: to import it takes longer than to read
and predict a letter.  A store that has changed since, in any way, is asked again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imr.serve.messages import Refused

if TYPE_CHECKING:
    from imr.models.predictor import Predictor

CHAMPION = "models:/imr@champion"
"""The model that `imr train` registered last, in the MLflow store of the working directory."""

_TRAIN = (
    "run imr train in this folder first, set MLFLOW_TRACKING_URI to the store that has a model, "
    "or name one with --model"
)
_SCHEMES = ("models:/", "runs:/")

STORE = Path("mlflow.db")
"""MLflow's store where no other is named; in the working directory."""

MEMORY = Path(".imr-model.json")
"""What the store answered, and in which state it was then."""


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """Where a model lies (``folder``) and what it is called in results (``uri``).

    ``profile`` is the training data's (:mod:`imr.models.drift`), where the model carries it.
    ``uri`` holds the registry's version, not an alias, and the beginning of the digest:
    ``models:/imr/3#sha256=0123456789abcdef``.
    """

    uri: str
    folder: Path
    profile: Mapping[str, Any] | None = None


def resolve(uri: str) -> ModelAddress:
    """The model at a registry address, a run's artifact or a folder.

    Raises:
        Refused: where there is no such model.
    """
    if not uri.startswith(_SCHEMES) and "://" not in uri:
        return _address(uri, _folder(Path(uri)))
    known = _remembered(uri)
    if known is not None:
        return _address(*known)
    before = _store_state()
    with _local_store():
        version, copy = _from_store(uri)
        folder = _folder(copy, uri)
    if before is not None and before == _store_state():
        _remember(uri, version, folder, before)
    return _address(version, folder)


def remember_champion() -> None:
    """Ask for the champion where MLflow is loaded already, so that the next command need not."""
    if _store_state() is not None:
        with contextlib.suppress(Refused):  # there is none: the next command says so
            resolve(CHAMPION)


def _address(uri: str, folder: Path) -> ModelAddress:
    from imr.models.bundle import MANIFEST, model_address

    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        digest, profile = str(manifest["digest"]), manifest["about"].get("profile")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Refused(f"{folder}: the model's {MANIFEST} is not whole", "train it again") from None
    return ModelAddress(model_address(uri, digest), folder, profile)


def load_predictor(folder: str) -> Predictor:
    """The predictor in a model folder.

    Raises:
        Refused: where the model is damaged, or made for other versions or signals.
    """
    from imr.models.bundle import BundleError
    from imr.models.predictor import Predictor

    try:
        return Predictor.load(folder)
    except BundleError as error:
        raise Refused(str(error)) from None


def _folder(root: Path, uri: str = "") -> Path:
    from imr.models.bundle import MANIFEST

    if (root / MANIFEST).is_file():
        return root
    inside = sorted(root.rglob(MANIFEST)) if root.is_dir() else []
    if len(inside) != 1:
        raise Refused(f"{uri or root}: no imr model there", _TRAIN)
    return inside[0].parent


def _from_store(uri: str) -> tuple[str, Path]:
    """The address with the version that an alias stands for now, and a copy of what lies there."""
    named = os.environ.get("MLFLOW_TRACKING_URI") or os.environ.get("MLFLOW_REGISTRY_URI")
    if not named and not STORE.exists() and not Path("mlruns").exists():
        # MLflow would make an empty store here before it says that it has no model.
        raise Refused(f"{uri}: no model has been trained in this folder", _TRAIN)
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    name, at, alias = uri.removeprefix("models:/").partition("@")
    try:
        if uri.startswith("models:/") and at:
            uri = f"models:/{name}/{MlflowClient().get_model_version_by_alias(name, alias).version}"
        return uri, Path(download_artifacts(artifact_uri=uri))
    except (MlflowException, OSError) as error:
        said = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise Refused(f"{uri}: no such model: {said}", _TRAIN) from None


@contextlib.contextmanager
def _local_store() -> Iterator[None]:
    """Ask the store of `imr train`, also beside an old ``mlruns``, which MLflow prefers."""
    if os.environ.get("MLFLOW_TRACKING_URI") or not STORE.exists():
        yield
        return
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{STORE}"
    try:
        yield
    finally:
        del os.environ["MLFLOW_TRACKING_URI"]


# --- what MLflow answered -------------------------------------------------------------------------


_SQLITE_HEADER_BYTES = 100
"""The header of a SQLite file counts its changes, also within one tick of the file's time."""


def _store_state() -> list[Any] | None:
    """What changes with the default store; None where another is asked, or it cannot be told."""
    if os.environ.get("MLFLOW_TRACKING_URI") or os.environ.get("MLFLOW_REGISTRY_URI"):
        return None
    try:
        status = STORE.stat()
        with STORE.open("rb") as file:
            header = file.read(_SQLITE_HEADER_BYTES).hex()
        log = STORE.with_name(f"{STORE.name}-wal")
        writes_ahead = log.stat().st_mtime_ns if log.exists() else None
    except OSError:
        return None
    return [status.st_ino, status.st_size, status.st_mtime_ns, header, writes_ahead]


def _remembered(uri: str) -> tuple[str, Path] | None:
    """Version and folder that the store named last time, where neither it nor they are gone."""
    state = _store_state()
    if state is None:
        return None
    try:
        memory = json.loads(MEMORY.read_bytes())
        version, folder = memory["models"][uri]
        return (version, _folder(Path(folder))) if memory["store"] == state else None
    except (OSError, ValueError, KeyError, TypeError, Refused):
        return None


def _remember(uri: str, version: str, folder: Path, state: list[Any]) -> None:
    """Only what lies below the working directory: a copy from elsewhere may go any time."""
    try:
        inside = folder.resolve().relative_to(Path.cwd())
    except ValueError:
        return
    part = MEMORY.with_name(f"{MEMORY.name}.{os.getpid()}")
    # Without it the next command takes longer, and no more.
    with contextlib.suppress(OSError):
        part.write_text(json.dumps({"store": state, "models": {uri: [version, str(inside)]}}))
        part.replace(MEMORY)


# --- imr info ------------------------------------------------------------------------------------

LIBRARIES = ("lightgbm", "mlflow", "pandas", "pyarrow", "pypdfium2", "dask")
STORES = {"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs", "https": "aiohttp"}


def info(model: str) -> Iterator[tuple[str, str]]:
    """What is looked at and what was found; nothing is trained, fetched or written for it."""
    import platform
    from importlib.metadata import version
    from importlib.util import find_spec

    yield "imr", version("imr")
    yield "python", platform.python_version()
    yield "libraries", ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    yield "mlflow store", _store_address()
    try:
        found = resolve(model)
    except Refused as error:
        yield "model", str(error)
    else:
        yield "model", found.uri
        yield "model folder", str(found.folder)
    yield (
        "object stores",
        ", ".join(
            f"{name}:// {'ready' if find_spec(package) else f'needs {package}'}"
            for name, package in STORES.items()
        ),
    )


def _store_address() -> str:
    from imr.data.paths import file_path

    address = os.environ.get("MLFLOW_TRACKING_URI")
    if address:  # without user and password
        named = str(file_path(address)) if "://" in address else address
        return f"{named} (MLFLOW_TRACKING_URI)"
    there = "" if STORE.exists() else ", which is not there yet"
    return f"{Path.cwd() / STORE}{there}"
