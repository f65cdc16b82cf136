"""A real MLflow server: two trainings at once, a token, a proxy, a registry without rights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from imr.models.predictor import Predictor
from imr.training import train as training
from tests.training.real_servers import (
    PATIENCE_SECONDS,
    TOKEN,
    free_port,
    gate,
    mlflow_server,
    postgresql,
    postgresql_missing,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # MLflow's own dependencies warn
    pytest.mark.usefixtures("computed_once"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server(folder, f"sqlite:///{folder}/store.db") as address:
        yield address


@pytest.fixture
def alone(quick, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in [k for k in os.environ if k.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    return replace(quick, tracking_timeout_seconds=PATIENCE_SECONDS)


def _kept(result) -> None:
    assert result.exit_code == 1
    assert str(result.kept.folder) in result.message()
    assert Predictor.load(result.kept.model).digest == result.predictor.digest


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def store(request, tmp_path):
    if request.param == "SQLite":
        yield f"sqlite:///{tmp_path}/store.db"
        return
    if missing := postgresql_missing():
        pytest.skip(missing)
    with postgresql() as address:
        yield address


def test_two_trainings_at_once_are_both_logged_once(store, alone, corpus, tmp_path):
    down = replace(alone, tracking_uri=f"http://127.0.0.1:{free_port()}")
    folders = [training.train(down, corpus).kept.folder]
    folders.append(shutil.copytree(folders[0], tmp_path / "kept" / "second"))
    with mlflow_server(tmp_path, store) as address:
        command = [sys.executable, "-m", "imr.training.tracking", "--tracking-uri", address]
        runs = [subprocess.Popen([*command, str(folder)], stdout=subprocess.PIPE, text=True)
                for folder in folders]  # fmt: skip
        said = [run.communicate(timeout=PATIENCE_SECONDS)[0] for run in runs]
        assert [run.returncode for run in runs] == [0, 0], said
        assert sorted(line.split()[0] for line in said) == ["models:/imr/1", "models:/imr/2"]
        assert not any(folder.exists() for folder in folders)
        client = _client(address)
        (experiment,) = client.search_experiments(filter_string="name = 'imr'")
        found = client.search_runs([experiment.experiment_id])
        assert {run.info.status for run in found} == {"FINISHED"}
        parents = [r for r in found if "mlflow.parentRunId" not in r.data.tags]
        assert len(parents) == 2
        assert len(found) == 6  # each with its two folds
        versions = client.search_model_versions("name = 'imr'")
        assert {v.run_id for v in versions} == {run.info.run_id for run in parents}
        assert client.get_model_version_by_alias("imr", "champion").version in ("1", "2")


def _client(address):
    import mlflow

    return mlflow.MlflowClient(address, address)


def test_a_server_that_wants_a_token_says_how_to_give_it(server, alone, corpus, monkeypatch):
    with gate(server, "token") as address:
        asked = replace(alone, tracking_uri=address, registered_model="token")
        without = training.train(asked, corpus)
        _kept(without)
        assert "MLFLOW_TRACKING_TOKEN" in without.message()
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
        result = training.train(asked, corpus)
        assert result.error == ""
        assert result.logged.version == "1"


def test_a_registry_without_rights_to_aliases_has_the_version_and_its_run(server, alone, corpus):
    with gate(server, "no aliases") as address:
        result = training.train(
            replace(alone, tracking_uri=address, registered_model="no-aliases"), corpus
        )
    _kept(result)
    assert "models:/no-aliases/1 (no alias: the registry does not let you set" in result.message()
    assert "set it on version 1 of no-aliases" in result.message()
    run = _client(server).get_run(result.logged.run_id)
    assert (run.info.status, run.data.tags["alias"]) == ("FINISHED", "none")
    assert len(_client(server).search_model_versions("name = 'no-aliases'")) == 1


def test_a_server_that_lets_nothing_be_written_is_named(server, alone, corpus):
    with gate(server, "no writing") as address:
        result = training.train(replace(alone, tracking_uri=address), corpus)
    _kept(result)
    assert result.error.startswith("the tracking server does not allow it: ask whoever keeps it")


def test_through_a_proxy_and_not_through_a_closed_one(server, alone, corpus, monkeypatch):
    far = replace(alone, tracking_uri="http://tracking.invalid:5000", registered_model="far")
    with gate(server, "closed proxy") as address:
        monkeypatch.setenv("HTTP_PROXY", address)
        result = training.train(far, corpus)
    _kept(result)
    assert result.error.startswith("the proxy of HTTP_PROXY and HTTPS_PROXY does not let it")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    result = training.train(far, corpus)
    _kept(result)
    assert result.error.startswith("the proxy of HTTP_PROXY and HTTPS_PROXY does not let it")
    with gate(server, "open") as address:
        monkeypatch.setenv("HTTP_PROXY", address)
        assert training.train(far, corpus).logged.version == "1"
