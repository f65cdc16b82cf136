"""The Python API: its example, and that it says what the commands say."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest

import imr
from imr.data.letter import LetterError
from imr.serve.messages import Refused
from tests.serve.programs import REAL, run


def test_importing_it_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import imr; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    tops = {name.split(".")[0] for name in done.stdout.split()}
    assert tops - set(sys.stdlib_module_names) == {"imr"}
    assert "imr.data" not in done.stdout.split()


def test_the_version_is_the_installed_one() -> None:
    from importlib.metadata import version

    assert imr.__version__ == version("imr")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        imr.nothing  # noqa: B018


def test_the_example_runs(model: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As printed, with the model at hand in the place of a registered one."""
    assert imr.__doc__
    block = imr.__doc__.split("::\n")[1].split("\nCases that")[0]
    code = textwrap.dedent(block).replace("load_model()", f"load_model({str(model)!r})")
    assert str(model) in code
    monkeypatch.chdir(project)
    names: dict[str, object] = {}
    exec(code, names)
    signals, scores, why = names["signals"], names["scores"], names["why"]
    assert isinstance(signals, pd.DataFrame)
    assert isinstance(scores, pd.DataFrame)
    keys = ["letter_id", "item_index"]
    assert scores[keys].astype(str).equals(signals[keys].astype(str))
    assert isinstance(why, dict)
    assert why["letter_id"] == scores["letter_id"][0]
    more = names["more"]
    assert isinstance(more, pd.DataFrame)
    estimated = more[more["gain"].notna()]
    assert len(estimated)
    assert (estimated["p_overturned"] >= estimated["p_before"]).all()
    told = [
        float("nan") if change["gain"] is None else change["gain"]
        for item in why["items"]
        for change in item["what_if"]
    ]
    own = more[more["letter_id"] == why["letter_id"]]["gain"]
    assert own.to_numpy(dtype=float, na_value=float("nan")).tolist() == pytest.approx(
        told, abs=1e-6, nan_ok=True
    )


def test_the_api_says_what_the_commands_say(model: Path, samples: Path, tmp_path: Path) -> None:
    letter = samples / "CM16-9000005.txt"
    for arguments in (
        ["score", letter, "-o", "s.parquet", "--model", model],
        ["features", letter, "-o", "f.jsonl"],
        ["explain", letter, "--json", "--model", model],
    ):
        done = run(REAL, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    loaded, [read] = imr.load_model(model), imr.read_letters(letter)
    assert imr.explain(read, loaded) == printed
    scores, said = imr.predict([read], loaded), pd.read_parquet(tmp_path / "s.parquet")
    assert list(scores) == list(said)
    for name in set(scores) - {"scored_at", "decision", "decision_guideline", "reasons"}:
        if name.startswith("p_") or name.endswith("_p"):  # printed to some digits
            assert scores[name].tolist() == pytest.approx(said[name].tolist(), abs=1e-6), name
        else:
            assert scores[name].astype(str).tolist() == said[name].astype(str).tolist(), name
    assert scores["decision"].isna().all()
    signals = imr.signals_frame([read]).astype(object)
    written = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    assert signals.where(signals.notna(), None).to_dict("records") == written


def test_open_cases_come_as_a_data_frame(model: Path) -> None:
    cases = pd.DataFrame({
        "letter_id": ["a", "b"],
        "case_summary": ["A 44-year-old man hurt his left knee.", "A 50-year-old woman fell."],
        "items": [[{"title": "MRI of the left knee"}], [{"title": "Norco"}, {"title": "Brace"}]],
    })  # fmt: skip
    loaded = imr.load_model(model)
    scores = imr.predict(cases, loaded, reasons=False)
    assert scores["letter_id"].tolist() == ["a", "b", "b"]
    assert scores["p_overturned"].between(0, 1).all()
    assert set(scores["model_uri"]) == {loaded.uri}
    with pytest.raises(LetterError, match="row 0"):
        imr.predict(cases.drop(columns="case_summary"), loaded)


def test_what_cannot_be_read_is_raised_or_collected(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    places = [tmp_path / "empty.txt", samples / "CM16-9000005.txt"]
    with pytest.raises(LetterError, match="empty"):
        imr.read_letters(*places)
    unreadable: list[LetterError] = []
    [letter] = imr.read_letters(*places, unreadable=unreadable)
    assert letter.case.letter_id == "CM16-9000005"
    assert [error.reason for error in unreadable] == ["empty"]


def test_no_model_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(Refused, match=r"imr train.*MLFLOW_TRACKING_URI.*--model"):
        imr.load_model()
