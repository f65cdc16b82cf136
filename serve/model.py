"""The model a command uses: where it lies, what it says of letters, and `imr info`.

The address is resolved once, in the process that the user started; workers load the folder that
it stands for, so that all rows of a run come from one model and no worker asks MLflow.

What MLflow answered is remembered beside its default store: to import it takes longer than to read
and predict a letter.  A store that has changed since, in any way, is asked again.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imr import CHAMPION
from imr.data.letter import Letter, LetterError
from imr.data.paths import file_path
from imr.serve.letter_json import letter_detail, score_rows
from imr.serve.letters import Chunk, fetched, read_safely, safely
from imr.serve.messages import Refused
from imr.serve.workers import Answer, Work, failure_answer

if TYPE_CHECKING:
    from imr.models.predictor import Predictor

_TRAIN = (
    "run imr train in this folder first, set MLFLOW_TRACKING_URI to the store that has a model, "
    "or name one with --model"
)

STORE = Path("mlflow.db")
"""MLflow's store where no other is named; in the working directory."""

MEMORY = Path(".imr-model.json")
"""What the store answered, and in which state it was then."""


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """Where a model lies (``folder``), what it is called in results (``uri``, with the registry's
    version and the beginning of the digest: ``models:/imr/3#sha256=0123456789abcdef``) and, where
    the model carries it, the training data's ``profile`` (:mod:`imr.models.drift`).
    """

    uri: str
    folder: Path
    profile: Mapping[str, Any] | None = None


def resolve(uri: str) -> ModelAddress:
    """The model at a registry address, a run's artifact or a folder.

    Raises:
        Refused: where there is no such model.
    """
    if not uri.startswith(("models:/", "runs:/")) and "://" not in uri:
        return _address(uri, _folder(Path(uri)))
    before = _store_state()
    if before is not None and (known := _remembered(uri, before)) is not None:
        return _address(*known)
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


def _folder(root: Path, uri: str = "") -> Path:
    from imr.models.bundle import MANIFEST

    if (root / MANIFEST).is_file():
        return root
    inside = sorted(root.rglob(MANIFEST)) if root.is_dir() else []
    if len(inside) != 1:
        raise Refused(f"{uri or root}: no imr model there", _TRAIN)
    return inside[0].parent


# --- what MLflow answers, and answered ------------------------------------------------------------


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


def _from_store(uri: str) -> tuple[str, Path]:
    """The address with the version that an alias stands for now, and a copy of what lies there."""
    named = os.environ.get("MLFLOW_TRACKING_URI") or os.environ.get("MLFLOW_REGISTRY_URI")
    if not named and not Path("mlruns").exists():
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


def _remembered(uri: str, state: list[Any]) -> tuple[str, Path] | None:
    """Version and folder that the store named in this state, where the folder is still there."""
    try:
        memory = json.loads(MEMORY.read_bytes())
        version, folder = memory["models"][uri]
        return (version, _folder(Path(folder))) if memory["store"] == state else None
    except (OSError, ValueError, KeyError, TypeError, Refused):
        return None


def _remember(uri: str, version: str, folder: Path, state: list[Any]) -> None:
    """Only what lies below the working directory: a copy from elsewhere may go any time."""
    part = MEMORY.with_name(f"{MEMORY.name}.{os.getpid()}")
    with contextlib.suppress(OSError, ValueError):  # without it the next command takes longer
        inside = folder.resolve().relative_to(Path.cwd())
        part.write_text(json.dumps({"store": state, "models": {uri: [version, str(inside)]}}))
        part.replace(MEMORY)


# --- what it says of letters ----------------------------------------------------------------------


def load_predictor(folder: str) -> Predictor:
    """The predictor in a model folder; a damaged one, or one for other signals, is refused."""
    from imr.models.bundle import BundleError
    from imr.models.predictor import Predictor

    try:
        return Predictor.load(folder)
    except BundleError as error:
        raise Refused(str(error)) from None


def import_models() -> None:
    """Import what predicting needs, in a process that does nothing else.

    LightGBM imports scikit-learn for estimators that nothing here uses, which takes half of a
    worker's start; it does without where scikit-learn is not installed, as it seems to be then.
    """
    if not {"lightgbm", "sklearn"} & sys.modules.keys():
        sys.modules["sklearn"] = None  # type: ignore[assignment]
        try:
            import lightgbm  # noqa: F401
        finally:
            del sys.modules["sklearn"]
    import imr.features.criteria
    import imr.features.table
    import imr.models.predictor  # noqa: F401


def load_in_worker(folder: str) -> Predictor:
    """The predictor in a model folder, in a process that does nothing else."""
    import_models()
    return load_predictor(folder)


@contextlib.contextmanager
def collected_once() -> Iterator[None]:
    """One look for garbage at the end of the work instead of hundreds on the way.

    Nearly all that a chunk makes is alive to its end, so that looking earlier finds nothing; it
    took a fifth of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
            gc.collect(0)


@dataclass(frozen=True, slots=True)
class ScoreSetup:
    """How a worker gets ready to score; ``load`` turns the model's address into a predictor."""

    model: str
    reasons: bool = True
    detail: bool = False
    load: Callable[[str], Predictor] = load_in_worker

    def __call__(self) -> Work:
        """Load the model once and score chunks with it."""
        predictor = self.load(self.model)
        # Lexicons and model stay to the end: looking through them again and again is wasted.
        gc.collect()
        gc.freeze()
        return lambda chunk: self._score(predictor, chunk)

    @collected_once()
    def _score(self, predictor: Predictor, chunk: Chunk) -> Answer:
        read = [read_safely(task) for task in fetched(chunk.tasks)]
        letters = [letter for letter in read if isinstance(letter, Letter)]
        answers = iter(self._scored(predictor, letters) if letters else ())
        return [failure_answer(r) if isinstance(r, LetterError) else next(answers) for r in read]

    def _scored(self, predictor: Predictor, letters: list[Letter]) -> Answer:
        def score() -> Answer:
            return scored(predictor, letters, self.reasons, self.detail)

        found = safely(letters[0].case.source, "scoring", score)
        if not isinstance(found, LetterError):
            return found
        if len(letters) > 1:  # find the one that does it
            return [answer for one in letters for answer in self._scored(predictor, [one])]
        return [failure_answer(found)]


def scored(
    predictor: Predictor, letters: Sequence[Letter], reasons: bool = True, detail: bool = False
) -> Answer:
    """For each letter its ``rows`` of the score table and, where asked for, all there is to show
    of it as ``detail`` (:func:`imr.serve.letter_json.letter_detail`).

    The first also has the ``counts`` of all of them in the bins of the model's training data.
    Nothing of a decision reaches the predictor: it gets ``letter.case`` alone.
    """
    from imr.features.checklist import checklist
    from imr.features.table import signals
    from imr.models.drift import count
    from imr.models.frame import signals_frame

    cases = [letter.case for letter in letters]
    derived = [signals(case) for case in cases]
    table = signals_frame(cases, derived)
    evidence = [found.evidence for found in derived] if reasons else None
    predicted = predictor.predict_rows(cases, table, evidence)
    changed = predictor.what_if(cases, derived, predicted) if detail else [()] * len(predicted)
    each, changes = iter(predicted), iter(changed)
    answers: Answer = []
    for letter, found in zip(letters, derived, strict=True):
        case, items = letter.case, len(found.rows)
        lists = [
            checklist(case, item, row, found.evidence) if detail else ()
            for item, row in zip(case.items, found.rows, strict=True)
        ]
        warned = replace(letter, warnings=(*letter.warnings, *found.warnings))
        item_predictions, item_changes = list(islice(each, items)), list(islice(changes, items))
        shown = letter_detail(warned, item_predictions, lists, item_changes, found.urgent)
        answer = {"letter_id": case.letter_id, "source": case.source, "rows": score_rows(shown)}
        answers.append({**answer, "detail": shown} if detail else answer)
    profile, p = getattr(predictor, "about", {}).get("profile"), [x.p_overturned for x in predicted]
    answers[0]["counts"] = count(profile, table, p) if profile else {}
    return answers


# --- imr info -------------------------------------------------------------------------------------

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
    if address := os.environ.get("MLFLOW_TRACKING_URI"):  # shown without user and password
        named = str(file_path(address)) if "://" in address else address
        yield "mlflow store", f"{named} (MLFLOW_TRACKING_URI)"
    else:
        there = "" if STORE.exists() else ", which is not there yet"
        yield "mlflow store", f"{Path.cwd() / STORE}{there}"
    try:
        found = resolve(model)
    except Refused as error:
        yield "model", str(error)
    else:
        yield "model", found.uri
        yield "model folder", str(found.folder)
    ready = {name: find_spec(package) for name, package in STORES.items()}
    stores = (f"{n}:// {'ready' if ready[n] else f'needs {STORES[n]}'}" for n in ready)
    yield "object stores", ", ".join(stores)
