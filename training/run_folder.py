"""A training run as a folder: everything the experiment log is to hold, on disk first.

The model and its figures are written here before a tracking server is asked for anything, so a
server that is down, slow or fails half-way loses nothing; the folder can be logged later
(``python -m imr.training.tracking FOLDER``).  Facts and figures only, no text of a letter.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imr.models.bundle import sha256
from imr.training import metrics
from imr.training.contenders import MODEL, Settings
from imr.training.decisions import write_decisions
from imr.training.folds import FoldResult
from imr.training.metrics import COMPARED_HITS, flat
from imr.training.report.tables import OUTCOME_COLUMNS, headline, model_card, remarks
from imr.training.tuning import FOLDER as JOURNAL_FOLDER

if TYPE_CHECKING:
    from imr.models.predictor import Predictor
    from imr.training.train import Evaluation
    from imr.training.tuning import Study

RUN, CARD, MODEL_FOLDER, PREDICTIONS = "run.json", "MODEL_CARD.md", "model", "predictions.csv"
JOURNALS = "tuning"
PACKAGES = ("lightgbm", "mlflow", "numpy", "optuna", "pandas", "pypdfium2", "scikit-learn", "scipy")
# Metrics stand in groups, as the pages of MLflow show them.
HEADLINE = (
    *(f"outcome/{name}" for name in OUTCOME_COLUMNS),
    *(f"guideline/{name}" for name in COMPARED_HITS),
)
OF_ALTERNATIVES = ("auc", "section_top1")
FOLD_FIGURES = ("average_precision", "brier", "log_loss")


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
    folder = _new_folder(Path(evaluation.config.keep), name)
    try:
        return _written(folder, evaluation, predictor, name, times, study)
    except OSError:
        # Half a run is none, and a full disk needs the room.
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _written(
    folder: Path,
    evaluation: Evaluation,
    predictor: Predictor | None,
    name: str,
    times: tuple[int, int],
    study: Study | None,
) -> RunFolder:
    from imr.training.report.plots import draw_all

    if predictor is not None:
        predictor.save(folder / MODEL_FOLDER)
    (folder / CARD).write_text(model_card(evaluation), encoding="utf-8")
    draw_all(evaluation, folder / "plots")
    _write_tables(evaluation, folder / "tables")
    (folder / "data").mkdir()
    write_decisions(evaluation.corpus, folder / "data" / "decisions.csv")
    studies = [r.study for r in evaluation.predictions.results if r.study is not None]
    studies += [study] if study else []
    for one in studies:
        (folder / JOURNALS).mkdir(exist_ok=True)
        shutil.copyfile(JOURNAL_FOLDER / one.journal, folder / JOURNALS / one.journal)
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
        "tuning": [study_run(study) for study in studies],
    }
    text = json.dumps(_plain(run), ensure_ascii=False, indent=1, allow_nan=False)
    (folder / RUN).write_text(text + "\n", encoding="utf-8")
    return RunFolder.open(folder)


def study_run(study: Study) -> dict[str, Any]:
    """Name, choice and trials of one study."""
    return {
        "name": f"tuning {'on all letters' if study.name == 'all' else f'fold {study.name}'}",
        "journal": study.journal,
        "params": study.best,
        "value": study.value,
        "trials": [asdict(trial) for trial in study.trials],
    }


def _new_folder(parent: Path, name: str) -> Path:
    for number in range(1, 1000):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"{parent}: a thousand runs are called {name}")


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
                found[f"alternatives/{_name(figure.contender)} {figure.metric}"] = e.value
            continue
        name = f"{figure.subject}/{figure.metric}"
        found[name] = e.value
        if name in HEADLINE:
            found |= {f"{name}_low": e.low, f"{name}_high": e.high}
    own = evaluation.studies.default_threshold
    found["outcome/precision_at_threshold"] = own.precision.value
    found["outcome/recall_at_threshold"] = own.recall.value
    return {name: value for name, value in found.items() if not np.isnan(value)}


def _name(contender: str) -> str:
    """A name that MLflow takes: letters, digits, dashes, dots, single blanks."""
    return " ".join("".join(c if c.isalnum() or c in "-. _" else " " for c in contender).split())


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


RULE_TABLES = (
    "features/rules/lexicons/*.csv",
    "features/rules/*.csv",
    "data/reference/*.csv",
    "data/vignettes/*.jsonl",
    "models/outcome/*.csv",
    "models/guideline/*.csv",
    "models/outcome/judgement.[jt]*",
)


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
    """Who MLflow's pages name beside the run: the name given to the tracking server, else that of
    the system, which some containers have not.
    """
    try:
        return os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
    except (ImportError, KeyError, OSError):
        return "unknown"


def git_tags() -> dict[str, str]:
    """The commit of the code and whether files differ from it, under MLflow's own names; empty
    outside a repository.
    """
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


def _write_tables(evaluation: Evaluation, folder: Path) -> None:
    folder.mkdir(parents=True)
    evaluation.predictions_table().to_csv(folder / PREDICTIONS, index=False)
    evaluation.figures_table().to_csv(folder / "figures.csv", index=False)
    pd.DataFrame(map(flat, evaluation.differences)).to_csv(folder / "differences.csv", index=False)
    for name, rows in evaluation.studies.tables().items():
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
    (folder / "table.txt").write_text(evaluation.text(), encoding="utf-8")


def _plain(value: Any) -> Any:
    """JSON has no NaN: null there."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return None if np.isnan(value) else float(value)
    return value.item() if isinstance(value, np.generic) else value
