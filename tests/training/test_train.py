"""Training end to end: what MLflow holds, who is champion, and what a failing server costs."""

from __future__ import annotations

import getpass
import json
import re
import socket
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from imr.models.predictor import Predictor
from imr.serve.model import CHAMPION, resolve
from imr.training import shortened, tracking
from imr.training import train as training
from imr.training.report.tables import model_card
from imr.training.run_folder import HEADLINE, RunFolder
from imr.training.tracking import LOCKED_SECONDS, patient_sqlite

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # MLflow's own dependencies warn
    pytest.mark.usefixtures("computed_once"),
]


def _client(config):
    import mlflow

    return mlflow.MlflowClient(config.tracking_uri, config.tracking_uri)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def shared(store, evaluation):
    """Settings of the one training that several tests look at."""
    return replace(
        evaluation.config, tracking_uri=f"sqlite:///{store}/mlflow.db", keep=str(store / "kept")
    )


@pytest.fixture(scope="module")
def trained(shared, store, corpus, evaluated_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(store)
        evaluated_once(patch)
        return training.train(shared, corpus)


def test_a_run_holds_everything_a_reader_needs(trained, shared, corpus):
    assert trained.exit_code == 0
    assert not Path(shared.keep).exists()
    client = _client(shared)
    run = client.get_run(trained.logged.run_id)
    assert run.info.status == "FINISHED"
    for name in (
        "outcome/auc",
        "outcome/auc_low",
        "outcome/auc_high",
        "guideline/section_top1",
        "alternatives/base rate auc",
    ):
        assert name in run.data.metrics
    assert run.data.metrics["outcome/auc"] == trained.evaluation.figure("outcome", "auc").value
    # What a reader can take in; the rest stands in the tables.
    assert len(run.data.metrics) < 60
    assert set(HEADLINE) <= set(run.data.metrics)
    guide = run.data.tags["mlflow.note.content"]
    top = {f.path for f in client.list_artifacts(run.info.run_id)}
    named = set(re.findall(r"`((?:plots|evaluation)/\w+\.\w+)`", guide))
    held = {f.path for folder in ("plots", "evaluation") for f in
            client.list_artifacts(run.info.run_id, folder)}  # fmt: skip
    assert len(named) >= 3
    assert named <= held
    assert "Compare" in client.get_experiment(run.info.experiment_id).tags["mlflow.note.content"]
    assert run.data.params["folds"] == "2"
    assert run.data.params["outcome.seed"] == "11"
    assert run.data.tags["data_digest"] == trained.evaluation.corpus.digest
    assert run.data.tags["mlflow.user"] == getpass.getuser()
    assert re.fullmatch("[0-9a-f]{40}", run.data.tags["mlflow.source.git.commit"])
    assert {"lexicons_digest", "seed", "version.lightgbm", "alias_reason"} <= set(run.data.tags)
    assert run.inputs.dataset_inputs[0].dataset.digest == trained.evaluation.corpus.digest[:12]
    top = {f.path for f in client.list_artifacts(run.info.run_id)}
    assert top == {"plots", "tables", "evaluation", "MODEL_CARD.md", "lexicons.json"}
    plots = {Path(f.path).stem for f in client.list_artifacts(run.info.run_id, "plots")}
    assert {"outcome_roc", "outcome_precision_recall", "outcome_calibration"} <= plots
    children = client.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'"
    )
    assert sorted(c.info.run_name for c in children) == ["fold 0.0", "fold 0.1"]
    assert {c.data.tags["mlflow.user"] for c in children} == {getpass.getuser()}
    assert all("outcome/auc" in c.data.metrics for c in children)


def test_the_registered_model_predicts_and_is_described(trained, shared, corpus, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", shared.tracking_uri)
    client = _client(shared)
    version = client.get_model_version_by_alias("imr", "champion")
    assert str(version.version) == trained.logged.version == "1"
    assert version.description.startswith("the first model")
    assert client.get_registered_model("imr").description.startswith("# Model card")
    predictor = Predictor.load(resolve(CHAMPION).folder)
    assert predictor.digest == trained.predictor.digest
    run = client.get_run(trained.logged.run_id)
    held = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    assert held.name == f"imr-{run.info.run_name}"
    assert held.tags["mlflow.note.content"].startswith("# Model card")
    (used,) = run.inputs.dataset_inputs
    linked = {(m.dataset_name, m.dataset_digest) for m in held.metrics}
    assert linked == {(used.dataset.name, used.dataset.digest)}
    model = mlflow.pyfunc.load_model("models:/imr@champion")
    assert model.metadata.signature is not None
    scored = model.predict(
        model.input_example[0] if isinstance(model.input_example, tuple) else model.input_example
    )
    assert scored["p_overturned"].between(0, 1).all()


def test_a_description_is_cut_between_paragraphs_and_never_inside_a_number(trained, shared):
    text = shortened("AUC 0.71 (0.60 to 0.82) on 302 items", 16)
    assert text == "AUC 0.71 …"
    assert shortened("one.\n\ntwo is longer.", 18) == "one. …"
    card = " ".join(model_card(trained.evaluation).split())
    described = _client(shared).get_model_version("imr", trained.logged.version).description
    whole = described.removesuffix(" …").partition("\n\n")[2]
    assert whole != described
    assert card.startswith(f"{' '.join(whole.split())} ")
    assert (
        "\n\n* **What the default threshold finds.** *Overturned* is predicted from p = " in whole
    )


def test_no_text_of_a_letter_reaches_the_log(trained, corpus, store):
    # The code inside the model holds the phrases that synthetic letters are made of.
    files = [p for p in store.rglob("*") if p.is_file() and "code" not in p.parts]
    assert len(files) > 40
    held = b"".join(p.read_bytes() for p in files)
    runs = checked = 0
    for text in (*corpus.texts["case_summary"], *corpus.texts["rationale"]):
        words = text.split()
        for at in range(0, len(words) - 8, 40):
            checked += 1
            runs += " ".join(words[at : at + 8]).encode() in held
    assert checked > 100
    assert runs == 0


@pytest.mark.slow
def test_the_same_training_again_is_a_candidate_with_the_same_model(
    trained, shared, corpus, store, monkeypatch
):
    import mlflow

    monkeypatch.chdir(store)
    again = training.train(shared, corpus)
    assert again.predictor.digest == trained.predictor.digest
    assert again.logged.alias == "candidate"
    assert again.logged.reason.startswith("the same: ")
    assert "champion: version 1" in again.logged.reason
    client = _client(shared)
    assert int(client.get_model_version_by_alias("imr", "champion").version) == 1
    assert int(client.get_model_version_by_alias("imr", "candidate").version) == 2
    table = mlflow.MlflowClient(shared.tracking_uri).load_table(
        again.logged.experiment_id, "evaluation/against_champion.json", [again.logged.run_id]
    )
    assert set(table["figure"]) >= {"log_loss", "auc", "section_top1"}
    assert set(table["better by"]) == {"+0.0000 (+0.0000 to +0.0000)"}
    assert "The champion stays" in again.message()


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_that_is_down_loses_nothing(quick, corpus):
    down = replace(quick, tracking_uri=f"http://127.0.0.1:{_closed_port()}")
    result = training.train(down, corpus)
    assert result.exit_code == 1
    assert result.logged is None
    assert "python -m imr.training.tracking" in result.message()
    assert str(result.kept.folder) in result.message()
    _whole(result.kept, result)


def _whole(kept: RunFolder, result) -> None:
    assert Predictor.load(kept.model).digest == result.predictor.digest
    assert json.loads((kept.folder / "run.json").read_text())["metrics"]["outcome/auc"] > 0
    assert (kept.folder / "MODEL_CARD.md").read_text().startswith("# Model card")
    assert len(list((kept.folder / "plots").glob("*.png"))) >= 8
    assert (kept.folder / "tables" / "predictions.csv").stat().st_size > 0


def _full_disk(*_args):
    raise OSError("no space left on device")


def _broken_store(session, *_args):
    import sqlite3

    path = session.client.tracking_uri.removeprefix("sqlite:///")
    with sqlite3.connect(path) as store:
        store.execute("DROP TABLE metrics")
    store.close()
    session.client.log_metric(session.runs[0], "lost", 1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "failure", "said"),
    [
        ("_folds", _broken_store, "metrics"),
        ("register", _full_disk, "no space left on device"),
    ],
)
def test_a_store_that_fails_half_way_loses_nothing(
    quick, corpus, monkeypatch, tmp_path, step, failure, said
):
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(tracking, step, failure)
        result = training.train(quick, corpus)
    assert result.exit_code == 1
    assert said in result.error
    _whole(result.kept, result)
    assert _statuses(tmp_path / "mlflow.db") == {"FAILED"} | (
        {"FINISHED"} if step == "register" else set()
    )


def _statuses(path) -> set[str]:
    import sqlite3

    store = sqlite3.connect(path)
    found = {status for (status,) in store.execute("SELECT status FROM runs")}
    store.close()
    return found


@pytest.mark.slow
def test_a_kept_run_can_be_logged_later(quick, corpus, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(tracking, "_artifacts", _full_disk)
        result = training.train(quick, corpus)
    lines: list[str] = []
    arguments = [str(result.kept.folder), "--tracking-uri", quick.tracking_uri]
    assert tracking.main(arguments, lines.append) == 0
    assert lines == ["models:/imr/1 (champion): the first model: there is no champion to beat"]
    assert not result.kept.folder.exists()
    assert _statuses(tmp_path / "mlflow.db") == {"FAILED", "FINISHED"}


@pytest.mark.slow
def test_a_slow_server_is_given_up(quick, corpus, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        tracking._Session,
        "check",
        lambda self: (_ for _ in ()).throw(TimeoutError("the tracking server is too slow")),
    )
    result = training.train(quick, corpus)
    assert "too slow" in result.error
    _whole(result.kept, result)


def test_what_is_no_kept_run_is_named(tmp_path):
    said: list[str] = []
    assert tracking.main([str(tmp_path)], said.append) == 1
    assert "no kept run" in said[0]


def test_the_message_never_shows_a_password(trained):
    shown = replace(
        trained,
        logged=replace(trained.logged, tracking_uri="https://user:secret@mlflow.example"),
    )
    assert "secret" not in shown.message()
    assert "https://mlflow.example" in shown.message()


def test_the_card_holds_the_figures(evaluation):
    card = model_card(evaluation)
    auc = evaluation.figure("outcome", "auc")
    assert f"{auc.value:.2f} ({auc.low:.2f} to {auc.high:.2f})" in card
    assert "must not be used" in card
    first = card.split("## Data")[0]
    chosen = evaluation.studies.default_threshold
    assert f"{100 * chosen.flagged.value:.0f}%" in first
    assert f"finds {chosen.recall.value:.2f} (" in " ".join(first.split())
    assert "No physician and no attorney" in first
    assert "nan" not in card
    assert "<" not in card
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model_card(evaluation) == card


def _tuned_once(folder, monkeypatch, evaluation):
    """The evaluation as if a study had been made in its first fold: one trial good, one failed."""
    from imr.training import tuning
    from imr.training.decisions import sample

    answers = iter([ValueError("a setting that does not suit"), 0.4, 0.4, ValueError("again")])

    def loss(_train, folds, _settings):
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer, [answer] * len(folds)

    monkeypatch.chdir(folder)
    monkeypatch.setattr(tuning, "inner_loss", loss)
    config = replace(evaluation.config, tune=2)
    fold = evaluation.predictions.results[0]
    train = sample(evaluation.corpus).part(fold.fold.train)
    results = [replace(fold, study=tuning.tuned(train, config, fold.fold.name))]
    results += evaluation.predictions.results[1:]
    return replace(evaluation, predictions=replace(evaluation.predictions, results=results))


@pytest.mark.slow
def test_trials_are_runs_under_their_study_and_failed_ones_are_failed_runs(
    quick, corpus, evaluation, monkeypatch, tmp_path
):
    tuned = _tuned_once(tmp_path, monkeypatch, evaluation)
    monkeypatch.setattr(training, "evaluate", lambda config, *_: replace(tuned, config=config))
    logged = training.train(replace(quick, tune=2), corpus).logged
    client = _client(quick)

    def children(run_id, kind):
        asked = f"tags.mlflow.parentRunId = '{run_id}' and tags.kind = '{kind}'"
        return client.search_runs([logged.experiment_id], asked, order_by=["start_time"])

    assert len(children(logged.run_id, "fold")) == 2
    studies = {run.info.run_name: run for run in children(logged.run_id, "tuning")}
    assert set(studies) == {"tuning fold 0.0", "tuning on all letters"}
    study = studies["tuning fold 0.0"]
    assert study.data.metrics == {"inner_log_loss": 0.4, "trials": 2, "failed_trials": 1}
    (journal,) = client.list_artifacts(study.info.run_id)
    assert journal.path.startswith("0.0-")
    trials = {run.info.run_name: run for run in children(study.info.run_id, "trial")}
    assert {name: run.info.status for name, run in trials.items()} == {
        "trial 0": "FAILED",
        "trial 1": "FINISHED",
    }
    assert trials["trial 0"].data.tags["error"] == "ValueError: a setting that does not suit"
    assert trials["trial 0"].data.metrics == {}
    good = trials["trial 1"]
    assert good.data.params == study.data.params
    assert set(good.data.params) == {
        "trees", "leaves", "learning_rate", "l2", "forest_trees", "forest_leaves"
    }  # fmt: skip
    steps = client.get_metric_history(good.info.run_id, "fold_log_loss")
    assert [(m.step, m.value) for m in steps] == [(0, 0.4), (1, 0.4), (2, 0.4)]
    assert good.data.metrics["inner_log_loss"] == 0.4
    whole = studies["tuning on all letters"]
    chosen = client.get_run(logged.run_id).data.params
    for name, value in whole.data.params.items():
        assert chosen[f"outcome.{name}"] == value


def test_a_promoted_model_takes_every_mark_of_the_champion(quick, corpus, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    first = training.train(quick, corpus).logged
    second = training.train(replace(quick, promote=True), corpus).logged
    assert (first.alias, second.alias) == ("champion", "champion")
    assert second.reason.startswith("promoted by hand; the same: ")
    client = _client(quick)
    assert int(client.get_model_version_by_alias("imr", "champion").version) == 2
    loser = client.get_run(first.run_id).data.tags
    assert loser["alias"] == "former champion"
    assert loser["alias_reason"] == "champion until version 2"
    assert loser["mlflow.note.content"].startswith("**champion until version 2**")
    described = client.get_model_version("imr", "1").description
    assert described.startswith("champion until version 2. the first model")
    winner = client.get_run(second.run_id).data.tags
    assert winner["alias"] == "champion"
    assert winner["mlflow.note.content"].startswith("**champion**: promoted by hand")


def test_an_evaluation_is_a_run_without_a_model(quick, corpus, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = training.evaluate_and_log(quick, corpus)
    assert (result.exit_code, result.predictor, result.error) == (0, None, "")
    client = _client(quick)
    run = client.get_run(result.logged.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name.startswith("evaluate-")
    assert run.data.metrics["outcome/auc"] == result.evaluation.figure("outcome", "auc").value
    assert run.data.tags["mlflow.source.name"] == "imr evaluate"
    assert run.data.tags["mlflow.note.content"].startswith("**evaluation**: no model")
    assert client.search_registered_models() == []
    assert "Model:" not in result.message()
    assert result.logged.run_id in result.message()


def test_a_dry_run_logs_nothing(quick, corpus, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = training.train(replace(quick, dry_run=True), corpus)
    assert result.exit_code == 0
    assert result.logged is None
    assert result.kept is None
    assert "nothing was logged" in result.message()
    assert _statuses(tmp_path / "mlflow.db") == set()
    assert not Path(quick.keep).exists()


def test_old_runs_in_files_do_not_turn_a_run_away(quick, corpus, monkeypatch, tmp_path):
    """MLflow alone would take the folder mlruns for the store, and then refuse it."""
    old = tmp_path / "mlruns" / "0"
    old.mkdir(parents=True)
    (old / "meta.yaml").write_text("name: Default\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    result = training.train(replace(quick, tracking_uri=None), corpus)
    assert result.error == ""
    assert _statuses(tmp_path / "mlflow.db") == {"FINISHED"}
    assert "mlflow ui --backend-store-uri sqlite:///mlflow.db" in result.message()
    assert "mlflow migrate-filestore" in result.message()


OPENED = """
import sys, time
from pathlib import Path
import mlflow
from imr.training.tracking import opened, quiet

with quiet():
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    Path(sys.argv[1]).touch()
    while len(list(Path().glob("ready-*"))) < 3:
        time.sleep(0.01)
    opened(mlflow.get_tracking_uri(), time.monotonic() + 300)
"""


@pytest.mark.slow
def test_first_runs_side_by_side_make_one_store(tmp_path):
    runs = [
        subprocess.Popen([sys.executable, "-c", OPENED, f"ready-{n}"], cwd=tmp_path)
        for n in range(3)
    ]
    assert [run.wait(timeout=300) for run in runs] == [0, 0, 0]


def test_a_locked_store_is_waited_for(tmp_path):
    from sqlalchemy import create_engine, text

    with patient_sqlite():
        engine = create_engine(f"sqlite:///{tmp_path}/store.db")
        with engine.connect() as connection:
            waits = connection.execute(text("PRAGMA busy_timeout")).scalar()
        engine.dispose()
    assert waits == LOCKED_SECONDS * 1000
