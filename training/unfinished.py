"""What an interrupted run had done: its folds on disk, taken up by the same command.

``runs-kept/unfinished-KEY/`` holds a file a fold until the run has ended well.  KEY is a digest of
all that a fold's figures depend on, so that a run on other data, with other settings or of another
version begins anew, and says so.  Figures and labels only, no text of a letter.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from importlib import resources
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from imr.models.bundle import sha256
from imr.models.guideline import GuidelineConfig
from imr.models.outcome import OutcomeConfig
from imr.training.config import ConfigError, TrainConfig
from imr.training.contenders import Settings
from imr.training.decisions import Corpus
from imr.training.folds import Fold, FoldResult
from imr.training.run_folder import lexicon_digests, package_versions
from imr.training.studies.importance import Permuted
from imr.training.tuning import Study, Trial

SETTINGS = ("by", "folds", "time_parts", "gap_days", "seed", "tune", "outcome", "guideline")
"""The settings that a fold's figures depend on."""
_KEPT = (FoldResult, Fold, Permuted, Study, Trial, Settings, OutcomeConfig, GuidelineConfig)
_CLASSES: Mapping[str, Any] = {kept.__name__: kept for kept in _KEPT}
_ROOM = "make room or name another folder, --set keep=FOLDER"
_REMEDIES = {errno.ENOSPC: _ROOM, errno.EDQUOT: _ROOM, errno.EFBIG: _ROOM}


@contextmanager
def written_to(folder: Path) -> Iterator[None]:
    """What the file system says while a run is written to ``folder`` becomes a
    :class:`ConfigError` with folder, reason and remedy.
    """
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "name another folder, --set keep=FOLDER")
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError(f"keep: {folder}: cannot write: {reason} ({remedy})") from error


class Unfinished:
    """The folds of one run that are done, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def done(self) -> int:
        """The number of folds that are done."""
        return len(list(self.folder.glob("*.fold")))

    def result(self, fold: Fold) -> FoldResult | None:
        """What the fold gave; None where it is not done, or its file is damaged."""
        try:
            digest, _, text = self._path(fold).read_text(encoding="utf-8").partition("\n")
        except (OSError, UnicodeDecodeError):
            return None
        if digest != sha256(text):
            return None
        found: FoldResult = _unpacked(json.loads(text))
        return replace(found, fold=fold)

    def keep(self, result: FoldResult) -> None:
        """Write what a fold gave, whole or not at all.  Raises :class:`ConfigError`."""
        # The rows of a fold follow from data and settings.
        nobody = Fold(result.fold.name, *(np.empty(0, dtype=np.intp),) * 2)
        text = json.dumps(_packed(replace(result, fold=nobody)))
        path = self._path(result.fold)
        part = path.with_suffix(".part")
        with written_to(self.folder):
            try:
                with part.open("w", encoding="utf-8") as file:
                    file.write(f"{sha256(text)}\n{text}")
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(path)
            except OSError:
                part.unlink(missing_ok=True)
                raise

    def _path(self, fold: Fold) -> Path:
        return self.folder / f"{fold.name}.fold"


@contextmanager
def unfinished(config: TrainConfig, corpus: Corpus) -> Iterator[Unfinished | None]:
    """The folder of this run's folds, until the block is left without an error.

    None where nothing is to be kept: of a dry run, and beside a run of the same settings that is
    under way.  Raises :class:`ConfigError` where the folder cannot be written to.
    """
    if config.dry_run:
        yield None
        return
    parent, told = Path(config.keep), made_from(config, corpus)
    kept = Unfinished(parent / f"unfinished-{sha256(json.dumps(told, sort_keys=True))[:12]}")
    with written_to(parent):
        kept.folder.mkdir(parents=True, exist_ok=True)
        lock = (kept.folder / "lock").open("a", encoding="utf-8")
    with lock:
        if not _held(lock):
            yield None
            return
        with written_to(kept.folder):
            (kept.folder / "made_from.json").write_text(json.dumps(told), encoding="utf-8")
        if kept.done:
            _say(f"taking up the interrupted run in {kept.folder}: folds done: {kept.done}")
        else:
            for line in _others(kept.folder, told):
                _say(line)
        ended_well = False
        try:
            yield kept
            ended_well = True
        finally:
            if ended_well or not kept.done:
                remove(kept.folder)


def remove(folder: Path) -> None:
    """Remove a folder, and the one that it stands in where nothing else does."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def made_from(config: TrainConfig, corpus: Corpus) -> dict[str, str]:
    """All that the figures of a fold depend on, each as a line or a digest."""
    texts = "" if corpus.texts is None else corpus.texts.to_csv(index=False)
    settings = {name: json.dumps(getattr(config, name), sort_keys=True) for name in SETTINGS}
    code = hashlib.sha256("".join(lexicon_digests().values()).encode())
    for package in ("data", "features", "models", "training"):
        for path in sorted(Path(str(resources.files(f"imr.{package}"))).rglob("*.py")):
            code.update(path.read_bytes())
    return {
        "data": sha256(corpus.digest + sha256(texts)),
        **settings,
        "code": code.hexdigest(),
        "libraries": json.dumps(package_versions()),
    }


def _held(lock: IO[str]) -> bool:
    """Whether the lock is ours now; it goes with the process that holds it."""
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _others(folder: Path, told: Mapping[str, str]) -> Iterator[str]:
    """A line for each interrupted run in the same place that this one cannot go on with."""
    for path in sorted(folder.parent.glob("unfinished-*/made_from.json")):
        if path.parent == folder or not Unfinished(path.parent).done:
            continue
        try:
            with (path.parent / "lock").open("a", encoding="utf-8") as lock:
                if not _held(lock):
                    continue  # a run under way
            theirs = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # somebody else's, or ended before it was written
        other = ", ".join(name for name in told if theirs.get(name) != told[name])
        yield (
            f"this run starts anew: the interrupted one in {path.parent} differs in {other} "
            "(remove that folder if it is not to be continued)"
        )


def _say(line: str) -> None:
    print(f"imr: {line}", file=sys.stderr, flush=True)


def _packed(value: Any) -> Any:
    """As JSON that holds every digit: numbers of arrays as their bytes."""
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: _packed(getattr(value, f.name)) for f in fields(value)}
        return {"class": type(value).__name__, "fields": parts}
    if isinstance(value, pd.DataFrame):
        return {"columns": list(value.columns), "values": _packed(value.to_numpy(np.float64))}
    if isinstance(value, np.ndarray):
        raw = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"dtype": value.dtype.str, "shape": value.shape, "bytes": raw}
    if isinstance(value, Mapping):
        return {"items": [[key, _packed(part)] for key, part in value.items()]}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_packed(part) for part in value]}
    return value.item() if isinstance(value, np.generic) else value


def _unpacked(stored: Any) -> Any:
    """The inverse of :func:`_packed`."""
    if not isinstance(stored, dict):
        return stored
    if "class" in stored:
        parts = {name: _unpacked(part) for name, part in stored["fields"].items()}
        return _CLASSES[stored["class"]](**parts)
    if "columns" in stored:
        return pd.DataFrame(_unpacked(stored["values"]), columns=stored["columns"])
    if "bytes" in stored:
        raw = np.frombuffer(base64.b64decode(stored["bytes"]), dtype=stored["dtype"])
        return raw.reshape(stored["shape"]).copy()
    if "items" in stored:
        return {key: _unpacked(part) for key, part in stored["items"]}
    kind, parts = next(iter(stored.items()))
    return (tuple if kind == "tuple" else list)(_unpacked(part) for part in parts)
