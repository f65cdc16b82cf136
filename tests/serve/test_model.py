"""Which model a command takes, and when MLflow is asked for it."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from imr.models.bundle import MANIFEST
from imr.serve import model
from imr.serve.messages import Refused
from imr.serve.model import CHAMPION, MEMORY, remember_champion, resolve

DIGEST = "0123456789abcdef" * 4


class Store:
    """MLflow's default store with one model, and the questions that it was asked."""

    def __init__(self, folder: Path) -> None:
        self.asked = 0
        self.version = 1
        self.model = folder / "mlruns" / "0" / "model"
        self.write("CREATE TABLE alias (version INTEGER)")
        self.register()

    def write(self, statement: str) -> None:
        with sqlite3.connect("mlflow.db") as connection:
            connection.execute(statement)
        connection.close()

    def register(self) -> None:
        self.model.mkdir(parents=True, exist_ok=True)
        manifest = {"digest": DIGEST, "about": {"profile": {"items": 3}}}
        (self.model / MANIFEST).write_text(json.dumps(manifest))

    def answer(self, uri: str) -> tuple[str, Path]:
        self.asked += 1
        return f"models:/imr/{self.version}", self.model.parent


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
    made = Store(tmp_path)
    monkeypatch.setattr(model, "_from_store", made.answer)
    return made


def test_an_unchanged_store_is_asked_once(store: Store) -> None:
    first, second = resolve(CHAMPION), resolve(CHAMPION)
    assert store.asked == 1
    assert first.uri == second.uri == f"models:/imr/1#sha256={DIGEST[:16]}"
    assert first.folder.resolve() == second.folder.resolve() == store.model.resolve()
    assert second.profile == {"items": 3}


def test_a_store_that_changed_is_asked_again(store: Store) -> None:
    resolve(CHAMPION)
    store.version = 2
    store.write("INSERT INTO alias VALUES (2)")
    assert resolve(CHAMPION).uri.startswith("models:/imr/2#")
    assert store.asked == 2


def test_another_store_is_asked_always(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(CHAMPION)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    resolve(CHAMPION)
    resolve(CHAMPION)
    assert store.asked == 3


def test_another_address_is_no_answer(store: Store) -> None:
    resolve(CHAMPION)
    resolve("models:/imr@candidate")
    assert store.asked == 2


def test_a_model_that_went_is_asked_for_again(store: Store) -> None:
    resolve(CHAMPION)
    (store.model / MANIFEST).unlink()
    with pytest.raises(Refused, match="no imr model there"):
        resolve(CHAMPION)
    assert store.asked == 2


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"store": null}', '{"models": 3}'])
def test_a_damaged_memory_is_no_fault(damaged: str, store: Store) -> None:
    MEMORY.write_text(damaged)
    assert resolve(CHAMPION).uri.startswith("models:/imr/1#")
    assert resolve(CHAMPION).uri.startswith("models:/imr/1#")
    assert store.asked == 1


def test_a_copy_from_elsewhere_is_not_remembered(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store.model = tmp_path_factory.mktemp("downloaded") / "model"
    store.register()
    resolve(CHAMPION)
    resolve(CHAMPION)
    assert store.asked == 2
    assert not MEMORY.exists()


def test_a_store_that_changes_while_it_is_asked_is_not_remembered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changing(uri: str) -> tuple[str, Path]:
        store.write("INSERT INTO alias VALUES (3)")
        return store.answer(uri)

    monkeypatch.setattr(model, "_from_store", changing)
    resolve(CHAMPION)
    assert not MEMORY.exists()


def test_what_training_registered_is_remembered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_champion()
    resolve(CHAMPION)
    assert store.asked == 1
    (store.model / MANIFEST).unlink()
    remember_champion()  # no model: the next command says so
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    remember_champion()  # another store is not asked for nothing
    assert store.asked == 2


def test_the_store_of_imr_train_is_asked_beside_an_old_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import get_tracking_uri

    (store.model.parent / "meta.yaml").write_text("name: old\n")
    asked = []

    def noting(uri: str) -> tuple[str, Path]:
        asked.append(get_tracking_uri())
        return store.answer(uri)

    monkeypatch.setattr(model, "_from_store", noting)
    resolve(CHAMPION)
    assert asked == ["sqlite:///mlflow.db"]
    assert "MLFLOW_TRACKING_URI" not in os.environ
