"""Looking before scoring: what would be read, what not and why; what is installed; the log."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imr.data.letter import LetterError
from imr.serve import score as scoring
from imr.serve.cli import app
from imr.serve.derive import validate
from imr.serve.letters import ReadAs
from imr.serve.messages import Refused
from imr.serve.model import info
from tests.serve.programs import REAL, command, environment

SECRET = "A cook with wrist pain and a story of her own."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = f"File;Summary;Treatment\nA;{SECRET};MRI\nA;{SECRET};Brace\nB;;Brace\n"
    (tmp_path / "cases.csv").write_text(rows)
    record = {"letter_id": "C", "case_summary": SECRET, "items": [{"title": "Cane"}], "phone": "1"}
    (tmp_path / "one.json").write_text(json.dumps(record, indent=2))
    (tmp_path / "many.json").write_text(json.dumps([record, {**record, "letter_id": "D"}, 7]))
    (tmp_path / "photo.heic").write_bytes(b"x")
    return tmp_path


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The log's handlers belong to the process: taken off again."""
    logger = logging.getLogger("imr")
    yield
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True


def test_what_would_be_read_and_what_not(folder: Path) -> None:
    failures: list[LetterError] = []
    how = ReadAs.told(["File=letter_id"], None)
    found = validate((str(folder),), 1, failures.append, how)
    lines = [line.replace(f"{folder}/", "") for line in found.lines(each_file=True)]
    assert lines == [
        "cases.csv: 1 letter, 2 items",
        "many.json: 2 letters (2 with a warning), 2 items",
        "one.json: 1 letter (1 with a warning), 1 item",
        "would be read: 4 letters (3 with a warning), 5 items; not read: 3",
        "warning in 3: column 'phone' is not read",
    ]
    named = [(Path(f.source).name, f.reason) for f in failures]
    assert named == [
        ("cases.csv row 4", "record"), ("many.json record 3", "not_a_record"),
        ("photo.heic", "unsupported"),
    ]  # fmt: skip


def test_a_dry_run_scores_and_writes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "score", lambda *_: pytest.fail("scored"))
    before = sorted(folder.iterdir())
    out = str(folder / "out.csv")
    done = CliRunner().invoke(
        app, ["score", str(folder / "one.json"), "-o", out, "--dry-run", "--jobs", "1"]
    )
    assert done.exit_code == 0, done.output
    assert "would be read: 1 letter (1 with a warning), 1 item; not read: 0" in done.output
    assert sorted(folder.iterdir()) == before


def test_the_log_has_steps_and_messages_and_no_text_of_letters(folder: Path) -> None:
    log = folder.parent / "imr-test.log"
    done = CliRunner().invoke(app, ["--log", str(log), "validate", str(folder), "--jobs", "1"])
    assert done.exit_code == 1, done.output
    said = log.read_text()
    assert "reading: " in said
    assert "photo.heic: the ending .heic is not read" in said
    assert SECRET not in said
    assert SECRET[:12] not in said


def test_a_map_that_names_no_column_is_refused() -> None:
    with pytest.raises(Refused, match=r"no column of records.*case_summary"):
        ReadAs.told(["notes=case_sumary"], None)
    with pytest.raises(Refused, match="--format docs: not known"):
        ReadAs.told(None, "docs")


def test_info_shows_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hidden@example.org/mlflow")
    found = dict(info(str(tmp_path / "no-model")))
    assert found["mlflow store"] == "https://example.org/mlflow (MLFLOW_TRACKING_URI)"
    assert "no imr model there" in found["model"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("note.txt", "Low back pain.", "write an open case into a record: imr new)"),
        ("-", "a;b\n1;2\n", "imr new; of a table say --format csv)"),
        ("head.csv", "letter_id,case_summary,title\n", "(write a row below the header, or an"),
        ("head.csv", "letter_id,case_summary,title\n", "no letters found (mend what is named ab"),
    ],
)
def test_what_is_said_leads_on(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    done = subprocess.run(
        command(REAL, "validate", name), cwd=tmp_path, env=environment(), input=text,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert said in done.stderr
    assert done.returncode in (1, 2)
