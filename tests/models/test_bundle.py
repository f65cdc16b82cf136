"""The model folder: the same figures after saving, and refusals that say why."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from imr.features.table import all_columns
from imr.models import bundle as bundles
from imr.models.bundle import MANIFEST, BundleError
from imr.models.predictor import Predictor


@pytest.fixture(scope="module")
def saved(predictor, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "model"
    predictor.about = {"created_by": "test", "decisions_sha256": "0" * 64}
    predictor.save(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


def test_loaded_model_predicts_the_same_bit_for_bit(predictor, saved, unseen):
    loaded = Predictor.load(saved)
    assert loaded.predict_frame(unseen).equals(predictor.predict_frame(unseen))
    assert loaded.outcome.contributions(unseen).equals(predictor.outcome.contributions(unseen))
    assert loaded.similar == predictor.similar
    assert loaded.about == predictor.about


def test_saving_again_gives_the_same_digest(saved, tmp_path):
    loaded = Predictor.load(saved)
    assert loaded.save(tmp_path / "again") == loaded.digest
    assert sorted(p.name for p in (tmp_path / "again").iterdir()) == sorted(
        p.name for p in saved.iterdir()
    )


def test_no_pickle_inside(saved):
    assert {p.suffix for p in saved.iterdir()} == {".json", ".txt"}


def test_saving_replaces_a_model_but_nothing_else(predictor, folder, tmp_path):
    predictor.save(folder)
    other = tmp_path / "papers"
    other.mkdir()
    (other / "letter.txt").write_text("mine")
    with pytest.raises(BundleError, match="something else than a model"):
        predictor.save(other)
    assert (other / "letter.txt").read_text() == "mine"


def test_any_changed_file_is_refused(folder):
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"1", b"2", 1))
        with pytest.raises(BundleError) as refusal:
            bundles.load(folder)
        assert refusal.value.reason == "tampered", path.name
        path.write_bytes(whole)
    bundles.load(folder)


def test_a_missing_file_is_refused(folder):
    (folder / "correction_00.txt").unlink()
    with pytest.raises(BundleError, match=r"correction_00\.txt is missing") as refusal:
        bundles.load(folder)
    assert refusal.value.reason == "truncated"


def test_half_a_manifest_is_refused(folder):
    manifest = folder / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:100])
    with pytest.raises(BundleError) as refusal:
        bundles.load(folder)
    assert refusal.value.reason == "truncated"


def test_a_file_outside_the_folder_is_not_read(folder):
    _rewrite(folder, lambda m: m["files"].update({"../outside.json": "0" * 64}))
    with pytest.raises(BundleError):
        bundles.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["libraries"].update(lightgbm="3.9.0"), r"made with lightgbm 3\.9\.0"),
        (lambda m: m.update(format_version=99), "format 99"),
    ],
)
def test_versions_that_do_not_fit_are_refused(folder, change, message):
    _rewrite(folder, change)
    with pytest.raises(BundleError, match=message) as refusal:
        bundles.load(folder)
    assert refusal.value.reason == "incompatible"


def test_a_model_of_an_older_format_is_refused_in_one_line(folder):
    """Whatever else its documents hold: they are not looked at."""
    (folder / "outcome.json").write_text("{}")
    sha = hashlib.sha256(b"{}").hexdigest()
    _rewrite(folder, lambda m: m.update(format_version=2, files=m["files"] | {"outcome.json": sha}))
    with pytest.raises(BundleError, match="format 2, this program reads") as refusal:
        Predictor.load(folder)
    assert refusal.value.reason == "incompatible"
    assert "train it again" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_other_contents_ask_for_another_format_version(saved):
    """What the documents hold belongs to the version: who changes the one raises the other."""
    outcome = json.loads((saved / "outcome.json").read_text())
    assert bundles.FORMAT_VERSION == 3
    assert {name: sorted(outcome[name]) for name in ("start", "inputs", "mixture")} == {
        "start": ["judged_centre", "judgement", "published", "usual_year", "year_centre"],
        "inputs": ["columns", "facts", "labels", "signs"],
        "mixture": ["covariance", "weights"],
    }
    assert sorted(outcome) == [
        "config",
        "inputs",
        "judged_share",
        "letters_by_class",
        "members",
        "mixture",
        "sibling_share",
        "signal_centre",
        "start",
    ]


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(BundleError) as refusal:
        Predictor.load(tmp_path)
    assert refusal.value.reason == "foreign"


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(BundleError, match="no such model folder") as refusal:
        Predictor.load(tmp_path / "none")
    assert refusal.value.reason == "missing"


def test_a_model_of_other_signals_is_refused(predictor, tmp_path, monkeypatch):
    predictor.save(tmp_path / "model")
    derived = tuple(column for column in all_columns() if column.name != "fracture")
    monkeypatch.setattr("imr.models.predictor.all_columns", lambda: derived)
    with pytest.raises(BundleError, match="fracture") as refusal:
        Predictor.load(tmp_path / "model")
    assert refusal.value.reason == "incompatible"


def _rewrite(folder, change):
    """Change the manifest and sign it again, as another version of the program would."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    manifest["digest"] = bundles.digest_of(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
