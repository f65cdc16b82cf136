"""What a run keeps on disk, under ``runs-kept``: its folds while it is under way, and at its end
everything that the experiment log is to hold.  Figures and labels only, no text of a letter.

``unfinished-KEY/`` holds a file a fold until the run has ended well, and the same command takes
them up.  KEY is a digest of all that a fold's figures depend on, so that a run on other data, with
other settings or of another version begins anew, and says so.

A whole run is written before a tracking server is asked for anything, so a server that is down,
slow or fails half-way loses nothing; the folder can be logged later
(``python -m imr.training.tracking FOLDER``).
"""

from __future__ import annotations

import base64
import errno
import getpass
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from importlib import metadata, resources
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imr.models.bundle import sha256
from imr.models.guideline import GuidelineConfig
from imr.models.outcome import OutcomeConfig
from imr.training import metrics
from imr.training.config import ConfigError, TrainConfig
from imr.training.contenders import MODEL, Settings
from imr.training.decisions import Corpus, write_decisions
from imr.training.folds import Fold, FoldResult
from imr.training.metrics import COMPARED_HITS, flat
from imr.training.report.tables import OUTCOME_COLUMNS, headline, model_card, remarks
from imr.training.studies.importance import Permuted
from imr.training.tuning import FOLDER as JOURNAL_FOLDER
from imr.training.tuning import Study, Trial

if TYPE_CHECKING:
    from imr.models.predictor import Predictor
    from imr.training.train import Evaluation

RUN, CARD, MODEL_FOLDER, PREDICTIONS = "run.json", "MODEL_CARD.md", "model", "predictions.csv"
JOURNALS = "tuning"
PACKAGES = ("lightgbm", "mlflow", "numpy", "optuna", "pandas", "pypdfium2", "scikit-learn", "scipy")
RULE_TABLES = (
    "features/rules/lexicons/*.csv",
    "features/rules/*.csv",
    "data/reference/*.csv",
    "data/vignettes/*.jsonl",
    "models/outcome/*.csv",
    "models/guideline/*.csv",
    "models/outcome/judgement.[jt]*",
)
# Metrics stand in groups, as the pages of MLflow show them.
HEADLINE = (
    *(f"outcome/{name}" for name in OUTCOME_COLUMNS),
    *(f"guideline/{name}" for name in COMPARED_HITS),
)
OF_ALTERNATIVES = ("auc", "section_top1")
FOLD_FIGURES = ("average_precision", "brier", "log_loss")
SETTINGS = ("by", "folds", "time_parts", "gap_days", "seed", "tune", "outcome", "guideline")
"""The settings that a fold's figures depend on."""
_KEPT = (FoldResult, Fold, Permuted, Study, Trial, Settings, OutcomeConfig, GuidelineConfig)
_ROOM = "make room or name another folder, --set keep=FOLDER"
_REMEDIES = {errno.ENOSPC: _ROOM, errno.EDQUOT: _ROOM, errno.EFBIG: _ROOM}


@contextmanager
def written_to(folder: Path) -> Iterator[None]:
    """Failures to write to ``folder`` become a :class:`ConfigError` with reason and remedy."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "name another folder, --set keep=FOLDER")
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError(f"keep: {folder}: cannot write: {reason} ({remedy})") from error


def remove(folder: Path) -> None:
    """Remove a folder, and the one that it stands in where nothing else does."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()


# --- the folds of a run under way -----------------------------------------------------------------


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
            text = (self.folder / f"{fold.name}.fold").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        digest, _, stored = text.partition("\n")
        if digest != sha256(stored):
            return None
        found: FoldResult = json.loads(stored, object_hook=_unpacked)
        return replace(found, fold=fold)

    def keep(self, result: FoldResult) -> None:
        """Write what a fold gave, whole or not at all.  Raises :class:`ConfigError`."""
        # The rows of a fold follow from data and settings.
        nobody = Fold(result.fold.name, *(np.empty(0, dtype=np.intp),) * 2)
        text = json.dumps(replace(result, fold=nobody), default=_packed)
        path = self.folder / f"{result.fold.name}.fold"
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


def _packed(value: Any) -> Any:
    """What JSON has no form for, with every digit: numbers of arrays as their bytes."""
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: getattr(value, f.name) for f in fields(value)}
        return {"class": type(value).__name__, "fields": parts}
    if isinstance(value, np.ndarray):
        raw = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"dtype": value.dtype.str, "shape": value.shape, "bytes": raw}
    return value.item()  # a number of numpy


def _unpacked(stored: dict[str, Any]) -> Any:
    """The inverse of :func:`_packed`, from the innermost out."""
    if stored.keys() == {"class", "fields"}:
        (kept,) = (kept for kept in _KEPT if kept.__name__ == stored["class"])
        return kept(**stored["fields"])
    if stored.keys() == {"dtype", "shape", "bytes"}:
        raw = np.frombuffer(base64.b64decode(stored["bytes"]), dtype=stored["dtype"])
        return raw.reshape(stored["shape"]).copy()
    return stored


@contextmanager
def unfinished(config: TrainConfig, corpus: Corpus) -> Iterator[Unfinished | None]:
    """The folder of this run's folds, until the block is left without an error; None of a dry run,
    and beside a run of the same settings.  Raises :class:`ConfigError` where it cannot be written
    to.
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
            _say_others(kept.folder, told)
        ended_well = False
        try:
            yield kept
            ended_well = True
        finally:
            if ended_well or not kept.done:
                remove(kept.folder)


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


def _say_others(folder: Path, told: Mapping[str, str]) -> None:
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
        _say(
            f"this run starts anew: the interrupted one in {path.parent} differs in {other} "
            "(remove that folder if it is not to be continued)"
        )


def _say(line: str) -> None:
    print(f"imr: {line}", file=sys.stderr, flush=True)


# --- a whole run ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder with ``run.json`` (name, params, metrics, tags, folds, times in ms), ``model/``,
    ``tables/``, ``plots/``, ``data/decisions.csv``, the model card, and where settings were tuned
    the journals of the trials.
    """

    folder: Path
    run: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path) -> RunFolder:
        """Read a folder.  Raises ValueError where it is none."""
        path = Path(folder)
        try:
            return cls(path, json.loads((path / RUN).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: no kept run ({error})") from error

    @property
    def model(self) -> Path:
        """The model folder; ``imr score --model`` takes it."""
        return self.folder / MODEL_FOLDER

    def card(self) -> str:
        """The model card."""
        return (self.folder / CARD).read_text(encoding="utf-8")


def write_run_folder(
    evaluation: Evaluation,
    predictor: Predictor | None,
    name: str,
    times: tuple[int, int],
    study: Study | None = None,
) -> RunFolder:
    """Write the run to a new folder under ``config.keep``, whole or not at all; ``study`` is that
    on all items, and an evaluation alone has no ``predictor``.  Raises OSError.
    """
    studies = [r.study for r in evaluation.predictions.results if r.study is not None]
    studies += [study] if study else []
    run = {
        "name": name,
        "started_ms": times[0],
        "ended_ms": times[1],
        "params": params(evaluation, study.chosen if study else Settings.of(evaluation.config)),
        "metrics": run_metrics(evaluation),
        "tags": tags(evaluation),
        "lexicons": lexicon_digests(),
        "facts": evaluation.facts,
        "remarks": [headline(evaluation), *remarks(evaluation)],
        "folds": [fold_run(evaluation, result) for result in evaluation.predictions.results],
        "tuning": [study_run(one) for one in studies],
    }
    folder = _new_folder(Path(evaluation.config.keep), name)
    try:
        if predictor is not None:
            predictor.save(folder / MODEL_FOLDER)
        _write_evaluation(evaluation, folder)
        for one in studies:
            (folder / JOURNALS).mkdir(exist_ok=True)
            shutil.copyfile(JOURNAL_FOLDER / one.journal, folder / JOURNALS / one.journal)
        text = json.dumps(run, default=_packed, ensure_ascii=False, indent=1, allow_nan=False)
        (folder / RUN).write_text(text + "\n", encoding="utf-8")
        return RunFolder.open(folder)
    except OSError:
        # Half a run is none, and a full disk needs the room.
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _new_folder(parent: Path, name: str) -> Path:
    for number in range(1, 1000):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"{parent}: a thousand runs are called {name}")


def _write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Card, plots, tables and the decisions."""
    from imr.training.report.plots import draw_all

    (folder / CARD).write_text(model_card(evaluation), encoding="utf-8")
    draw_all(evaluation, folder / "plots")
    (folder / "tables").mkdir()
    (folder / "tables" / "table.txt").write_text(evaluation.text(), encoding="utf-8")
    tables = {
        PREDICTIONS: evaluation.predictions_table(),
        "figures.csv": evaluation.figures_table(),
        "differences.csv": pd.DataFrame(map(flat, evaluation.differences)),
    }
    tables |= {f"{n}.csv": pd.DataFrame(rows) for n, rows in evaluation.studies.tables().items()}
    for name, table in tables.items():
        table.to_csv(folder / "tables" / name, index=False)
    (folder / "data").mkdir()
    write_decisions(evaluation.corpus, folder / "data" / "decisions.csv")


def params(evaluation: Evaluation, settings: Settings) -> dict[str, Any]:
    """The protocol, the settings of both models and the size of the data."""
    found: dict[str, Any] = dict(evaluation.config.as_params())
    if evaluation.config.by == "group":
        # As many as were made: the settings are the most.
        found |= {"folds": len(evaluation.folds[0]), "repeats": len(evaluation.folds)}
    found |= {f"outcome.{name}": value for name, value in asdict(settings.outcome).items()}
    found |= {f"guideline.{name}": value for name, value in asdict(settings.guideline).items()}
    facts = evaluation.facts
    return found | {f"data.{k}": facts[k] for k in ("letters", "items", "overturned", "groups")}


def run_metrics(evaluation: Evaluation) -> dict[str, float]:
    """Figures of the model by subject (``outcome/auc``), those of :data:`HEADLINE` with ``_low``
    and ``_high``; of each other contender one figure a subject (``alternatives/NAME auc``).  The
    rest stands in the tables: a list that nobody reads to its end helps nobody.  Undefined ones
    are left out.
    """
    found: dict[str, float] = {}
    for figure in evaluation.figures:
        e = figure.value
        if figure.contender != MODEL:
            if figure.metric in OF_ALTERNATIVES:
                # A name that MLflow takes: letters, digits, dashes, dots, single blanks.
                known_as = " ".join(re.sub(r"[^\w. -]", " ", figure.contender).split())
                found[f"alternatives/{known_as} {figure.metric}"] = e.value
            continue
        name = f"{figure.subject}/{figure.metric}"
        found[name] = e.value
        if name in HEADLINE:
            found |= {f"{name}_low": e.low, f"{name}_high": e.high}
    own = evaluation.studies.default_threshold
    found["outcome/precision_at_threshold"] = own.precision.value
    found["outcome/recall_at_threshold"] = own.recall.value
    return {name: value for name, value in found.items() if not np.isnan(value)}


def fold_run(evaluation: Evaluation, result: FoldResult) -> dict[str, Any]:
    """Name, settings and figures of one fold."""
    test = result.fold.test
    y, p = evaluation.sample.y[test].astype(np.float64), result.outcome[MODEL]
    one = np.ones((1, len(test)))
    figures = {"outcome/auc": metrics.auc(y, p, one)[0]}
    figures |= {f"outcome/{m}": metrics.OUTCOME_METRICS[m](y, p, one)[0] for m in FOLD_FIGURES}
    figures |= {f"guideline/{name}": hits.mean() for name, hits in result.hits[MODEL].items()}
    return {
        "name": f"fold {result.fold.name}",
        "params": {
            "train_items": len(result.fold.train),
            "test_items": len(test),
            "test_overturned": int(y.sum()),
            **(result.study.settings if result.study else {}),
        },
        "metrics": {k: float(v) for k, v in figures.items() if not np.isnan(v)},
    }


def tags(evaluation: Evaluation) -> dict[str, str]:
    """Who ran it, and the versions of code, data, lexicons and libraries."""
    digests = lexicon_digests()
    found = {
        "data_digest": evaluation.facts["data_digest"],
        "data_source": evaluation.facts["source"],
        "lexicons_digest": sha256("".join(f"{k}{v}" for k, v in digests.items())),
        "seed": str(evaluation.config.seed),
        "protocol": evaluation.config.by,
        "python": platform.python_version(),
        "mlflow.user": user(),
        "mlflow.source.type": "LOCAL",
    }
    found |= {f"version.{name}": v for name, v in package_versions().items()}
    return found | git_tags()


def package_versions() -> dict[str, str]:
    """Installed versions of the libraries that figures depend on."""
    return {name: metadata.version(name) for name in PACKAGES}


def lexicon_digests() -> dict[str, str]:
    """SHA-256 of every rule table: lexicons, criteria, reference data, effects, vignettes."""
    found = {}
    for shown in RULE_TABLES:
        package, *folders = Path(shown).parent.parts
        root = Path(str(resources.files(f"imr.{package}"))).joinpath(*folders)
        for path in sorted(root.glob(Path(shown).name)):
            found[f"{Path(shown).parent}/{path.name}"] = sha256(path.read_bytes())
    return found


def user() -> str:
    """Who MLflow's pages name: the user of the tracking server, else that of the system."""
    try:
        return os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
    except (ImportError, KeyError, OSError):
        return "unknown"


def git_tags() -> dict[str, str]:
    """Commit of the code, and whether files differ from it; empty outside a repository."""
    root = Path(str(resources.files("imr.training"))).parent
    if not (root / ".git").exists():
        return {}
    asked = ["status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(root), *asked],  # noqa: S607 - the git of the user's path
            capture_output=True,
            check=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    head, *lines = done.stdout.splitlines()
    changed = any(not line.startswith("#") for line in lines)
    commit = head.removeprefix("# branch.oid ")
    return {"mlflow.source.git.commit": commit, "mlflow.source.git.dirty": str(changed)}


def study_run(study: Study) -> dict[str, Any]:
    """Name, choice and trials of one study."""
    return {
        "name": f"tuning {'on all letters' if study.name == 'all' else f'fold {study.name}'}",
        "journal": study.journal,
        "params": study.best,
        "value": study.value,
        "trials": [asdict(trial) for trial in study.trials],
    }
