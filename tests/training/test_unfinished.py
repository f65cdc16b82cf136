"""An interrupted run is taken up by the same command, with the same figures, or says why not."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imr.models.predictor import Predictor
from imr.training import folds as folds_module
from imr.training import train as training
from imr.training.config import ConfigError
from imr.training.decisions import sample
from imr.training.folds import folds_of, run_folds
from imr.training.run_folder import SETTINGS, unfinished
from imr.training.studies.importance import permuted_families

# An evaluation that is ended from outside and begun again; the letters are those of conftest.py.
PROGRAM = """
from dataclasses import replace
from imr.data.synthetic import synthesize
from imr.training.decisions import build
from imr.training.train import evaluate_and_log
from tests.training.conftest import QUICK

if __name__ == "__main__":
    corpus = build(made.letter for made in synthesize(60, seed=3))
    result = evaluate_and_log(replace(QUICK, tracking_uri="sqlite:///mlflow.db"), corpus)
    result.evaluation.figures_table().to_csv("figures.csv", index=False)
    result.evaluation.predictions_table().to_csv("predictions.csv", index=False)
    assert result.logged, result.error
"""
PATIENCE_SECONDS = 600


@pytest.fixture
def dry(quick, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return replace(quick, keep="kept")


def _same(one, other) -> bool:
    """Whether two results agree in every bit of every number."""
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        return True
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, dict):
        return list(one) == list(other) and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if hasattr(one, "__dataclass_fields__"):
        return all(_same(getattr(one, k), getattr(other, k)) for k in one.__dataclass_fields__)
    return bool(one == other)


def test_a_fold_comes_back_to_the_last_bit(dry, corpus, evaluation):
    with unfinished(dry, corpus) as kept:
        for result in evaluation.predictions.results:
            kept.keep(result)
            assert _same(result, kept.result(result.fold))
        assert kept.done == 2
        assert not list(kept.folder.glob("*.part"))
    assert not Path("kept").exists()


def test_folds_done_are_not_done_again(dry, corpus, evaluation, monkeypatch):
    data = sample(evaluation.corpus)
    folds = folds_of(data, dry)
    with unfinished(dry, corpus) as kept:
        kept.keep(evaluation.predictions.results[0])
        asked = []

        def fold(sample, fold, *_):
            asked.append(fold.name)
            return evaluation.predictions.results[1]

        monkeypatch.setattr(folds_module, "run_fold", fold)
        found = run_folds(data, folds, dry, permuted_families, kept)
    assert asked == ["0.1"]
    assert _same(found.outcome, evaluation.predictions.outcome)
    assert _same(found.hits, evaluation.predictions.hits)


def _interrupted(config, corpus, result) -> None:
    with suppress(KeyboardInterrupt), unfinished(config, corpus) as kept:
        kept.keep(result)
        raise KeyboardInterrupt


def test_a_run_that_was_interrupted_is_taken_up_and_another_says_why_it_starts_anew(
    dry, corpus, evaluation, capsys
):
    result = evaluation.predictions.results[0]
    _interrupted(dry, corpus, result)
    (folder,) = Path("kept").glob("unfinished-*")
    assert capsys.readouterr().err == ""
    fewer = replace(corpus, table=corpus.table.iloc[:-1])
    others = [(replace(dry, seed=12), corpus, "differs in seed "), (dry, fewer, "differs in data ")]
    for config, letters, said in others:
        with unfinished(config, letters) as kept:
            assert kept.result(result.fold) is None
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("imr: this run starts anew: the interrupted one in kept/unfinished-")
        assert said in line
    texts = corpus.texts.assign(rationale="another")
    with unfinished(dry, replace(corpus, texts=texts)) as kept:
        assert kept.result(result.fold) is None
    assert "differs in data " in capsys.readouterr().err
    # What no figure of a fold depends on may change.
    with unfinished(replace(dry, jobs=2, bootstrap=50, experiment="other"), corpus) as kept:
        assert kept.folder == folder
        assert kept.result(result.fold) is not None
    assert f"taking up the interrupted run in {folder}: folds done: 1" in capsys.readouterr().err
    assert not Path("kept").exists()


def test_every_setting_that_changes_a_fold_is_known(dry):
    left = set(dry.as_params()) - set(SETTINGS)
    assert left == {
        "repeats", "bootstrap", "full", "experiment", "registered_model", "tracking_timeout_seconds"
    }  # fmt: skip


def test_a_damaged_fold_is_done_again(dry, corpus, evaluation):
    result = evaluation.predictions.results[0]
    with unfinished(dry, corpus) as kept:
        kept.keep(result)
        (path,) = kept.folder.glob("0.0.fold")
        whole = path.read_bytes()
        assert hashlib.sha256(whole[65:]).hexdigest().encode() == whole[:64]
        for damaged in (b"", whole[:-1], whole[:100] + b"\xff" + whole[101:]):
            path.write_bytes(damaged)
            assert kept.result(result.fold) is None


def test_beside_a_run_of_the_same_settings_nothing_is_shared(dry, corpus, evaluation, capsys):
    with unfinished(dry, corpus) as kept:
        kept.keep(evaluation.predictions.results[0])
        with unfinished(dry, corpus) as beside:
            assert beside is None
        with unfinished(replace(dry, seed=12), corpus):
            assert capsys.readouterr().err == ""  # a run under way is not an interrupted one
        assert kept.done == 1


def test_nothing_is_left_of_a_run_without_a_fold_and_of_a_dry_one(dry, corpus):
    with pytest.raises(ValueError, match="too few"), unfinished(dry, corpus):
        raise ValueError("too few")
    assert not Path("kept").exists()
    with unfinished(replace(dry, dry_run=True), corpus) as kept:
        assert kept is None
    assert not Path("kept").exists()


@pytest.mark.parametrize("keep", ["/proc/imr", "/dev/null/kept"])
def test_where_nothing_can_be_kept_is_told_before_the_work(dry, corpus, keep, monkeypatch):
    monkeypatch.setattr(training, "evaluate", lambda *_: pytest.fail("work was begun"))
    with pytest.raises(ConfigError, match=rf"^keep: {keep}: cannot write: .*set keep=FOLDER"):
        training.train(replace(dry, keep=keep), corpus)


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """The limit on file sizes stands for a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_with_the_first_fold_and_costs_none_that_is_kept(
    dry, corpus, evaluation
):
    first, second = evaluation.predictions.results

    def fills_up():
        with unfinished(dry, corpus) as kept:
            kept.keep(first)
            with full_disk(10_000):
                kept.keep(second)

    with pytest.raises(ConfigError) as told:
        fills_up()
    assert re.fullmatch(
        r"keep: kept/unfinished-\w+: cannot write: file too large "
        r"\(make room or name another folder, --set keep=FOLDER\)",
        str(told.value),
    )
    assert not list(Path("kept").rglob("*.part"))
    with unfinished(dry, corpus) as kept:
        assert kept.result(first.fold) is not None
        assert kept.result(second.fold) is None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("computed_once")
def test_a_disk_that_fills_up_at_the_end_leaves_folds_and_no_half_a_run(
    dry, corpus, evaluation, monkeypatch
):
    def evaluated(config, _corpus, kept):
        kept.keep(evaluation.predictions.results[0])
        return replace(evaluation, config=config)

    write = training.write_run_folder

    def limited(*arguments):
        with full_disk(50_000):
            return write(*arguments)

    monkeypatch.setattr(training, "evaluate", evaluated)
    monkeypatch.setattr(training, "write_run_folder", limited)
    with pytest.raises(ConfigError, match=r"^keep: kept: cannot write: file too large .make room"):
        training.train(dry, corpus)
    assert [path.name[:11] for path in Path("kept").iterdir()] == ["unfinished-"]
    assert not list(Path().glob("mlflow.db-*"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("computed_once")
@pytest.mark.parametrize(
    ("store", "limit", "said"),
    [
        ("sqlite:////proc/mlflow.db", None, "the store may not be written to: name another one"),
        ("sqlite:///mlflow.db", 4096, "the disk is full: make room there, or name another store"),
    ],
)
def test_a_store_that_cannot_be_written_is_named_and_the_run_kept(
    dry, corpus, monkeypatch, store, limit, said
):
    log = training.log

    def limited(*arguments, **options):
        with full_disk(limit) if limit else nullcontext():
            return log(*arguments, **options)

    monkeypatch.setattr(training, "log", limited)
    result = training.train(replace(dry, tracking_uri=store), corpus)
    assert result.exit_code == 1
    assert result.error.startswith(said)
    assert "--set tracking_uri=" in result.error
    assert f"lie in {result.kept.folder}" in result.message()
    assert Predictor.load(result.kept.model).digest == result.predictor.digest


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("home", [None, "/nonexistent"])
def test_a_run_needs_no_home(tmp_path, home):
    environment = {k: v for k, v in _environment().items() if k not in ("HOME", "MPLCONFIGDIR")}
    if home:
        environment["HOME"] = home
    command = [sys.executable, "-m", "imr", "evaluate"]
    for setting in ("folds=2", "repeats=1", "bootstrap=50", "jobs=1"):
        command += ["--set", setting]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "Run: " in done.stdout


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_killed_and_resumed_it_ends_as_an_undisturbed_run(tmp_path, evaluation):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    repository = Path(__file__).parents[2]
    run = [sys.executable, str(program)]
    options = {"cwd": tmp_path, "stderr": subprocess.PIPE, "text": True}
    options["env"] = {**_environment(), "PYTHONPATH": str(repository)}
    killed = subprocess.Popen(run, **options)
    end = time.monotonic() + PATIENCE_SECONDS
    while not list(tmp_path.glob("runs-kept/unfinished-*/0.0.fold")):
        assert killed.poll() is None, killed.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "figures.csv").exists()
    again = subprocess.run(run, timeout=PATIENCE_SECONDS, check=True, **options)
    assert "taking up the interrupted run in runs-kept/unfinished-" in again.stderr
    for name, table in (
        ("figures", evaluation.figures_table()),
        ("predictions", evaluation.predictions_table()),
    ):
        assert (tmp_path / f"{name}.csv").read_text() == table.to_csv(index=False)
    assert not (tmp_path / "runs-kept").exists()


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}


def test_what_a_run_is_made_from_is_written_down(dry, corpus):
    with unfinished(dry, corpus) as kept:
        told = json.loads((kept.folder / "made_from.json").read_text())
    assert set(told) == {"data", *SETTINGS, "code", "libraries"}
