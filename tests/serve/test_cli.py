"""The command line as a user meets it: real processes, exit status, one line an error."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from imr.serve import cli
from tests.serve.programs import (
    FAKE,
    PROJECT,
    REAL,
    command,
    environment,
    lines,
    record,
    run,
    write_records,
)

COMMANDS = [
    "parse", "features", "train", "evaluate", "validate", "info", "score", "explain", "new",
    "schema", "synthesize",
]  # fmt: skip


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    return write_records(tmp_path / "cases.jsonl", ["A", "B"])


def test_help_imports_nothing_heavy() -> None:
    heavy = {"pandas", "pyarrow", "numpy", "lightgbm", "mlflow", "sklearn", "rich", "jinja2",
             "pypdfium2", "dask", "distributed"}  # fmt: skip
    code = "import sys, imr.serve.cli; print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "typer" in loaded
    assert not heavy & loaded


def test_the_commands(tmp_path: Path) -> None:
    done = run(REAL, "--help", cwd=tmp_path)
    listed = done.stdout.split("Commands:")[1]
    assert re.findall(r"^  (\w+) ", listed, re.MULTILINE)[: len(COMMANDS)] == COMMANDS


def test_several_paths_may_follow_letters() -> None:
    given = ["train", "--letters", "a", "b", "--decisions", "x", "y"]
    assert cli.spread(given) == [
        "train", "--letters", "a", "--letters", "b", "--decisions", "x", "y",
    ]  # fmt: skip
    assert cli.spread(["evaluate", "--by", "time", "--letters", "-"])[-2:] == ["--letters", "-"]


def test_parse_prints_the_object_of_the_contract(letters: Path, tmp_path: Path) -> None:
    done = run(REAL, "parse", letters, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["letter_id"], second["letter_id"]) == ("A", "B")
    assert list(first) == [
        "letter_id", "source", "header", "reviewer", "case_summary", "items", "warnings",
    ]  # fmt: skip
    assert list(first["header"]) == [
        "case_number", "date_assigned", "date_of_injury", "decision_date", "ur_denial_date",
        "application_received", "priority",
    ]  # fmt: skip
    assert list(first["items"][0]) == [
        "index", "title", "requested", "ur_action", "original_request", "authorized", "category",
        "subcategory", "body_parts", "quantity", "quantity_unit",
        "claims_administrator_guideline", "decision",
    ]  # fmt: skip
    assert first["items"][0]["decision"] is None


def test_parse_reads_what_it_wrote(letters: Path, tmp_path: Path) -> None:
    assert run(REAL, "parse", letters, "-o", "1.jsonl", cwd=tmp_path).returncode == 0
    assert run(REAL, "parse", "1.jsonl", "-o", "2.jsonl", cwd=tmp_path).returncode == 0
    first, second = lines(tmp_path / "1.jsonl"), lines(tmp_path / "2.jsonl")
    assert len(first) == 2
    assert [{**x, "source": ""} for x in first] == [{**x, "source": ""} for x in second]


def test_parse_reads_standard_input(tmp_path: Path) -> None:
    done = subprocess.run(
        command(REAL, "parse", "-"), input=json.dumps(record("piped")), cwd=tmp_path,
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["letter_id"] == "piped"


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    many = write_records(tmp_path / "many.jsonl", [f"L{n}" for n in range(400)])
    with subprocess.Popen(
        command(REAL, "parse", many), cwd=tmp_path, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == ""


def test_features_writes_rows_and_evidence(letters: Path, tmp_path: Path) -> None:
    arguments = ("features", letters, "-o", "f.jsonl", "--evidence", "e.jsonl")
    assert run(REAL, *arguments, cwd=tmp_path).returncode == 0
    rows, evidence = lines(tmp_path / "f.jsonl"), lines(tmp_path / "e.jsonl")
    assert [(r["letter_id"], r["item_index"]) for r in rows] == [
        ("A", 0), ("A", 1), ("B", 0), ("B", 1),
    ]  # fmt: skip
    assert {r["imaging_mri"] for r in rows} == {True}
    mri = [e for e in evidence if e["signal"] == "imaging_mri"]
    assert [e["letter_id"] for e in mri] == ["A", "B"]
    summary = record("A")["case_summary"]
    assert all(summary[e["start"] : e["end"]] == e["quote"] for e in mri)


def test_a_letter_that_cannot_be_read_is_named_and_the_others_are_done(
    letters: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 and nothing more")
    (tmp_path / "letter.docx").write_bytes(b"PK")
    for arguments in (
        ("parse", "broken.pdf", "missing.pdf", "letter.docx", letters, "-o", "out.jsonl"),
        ("features", "broken.pdf", "missing.pdf", "letter.docx", letters, "-o", "out.csv"),
    ):
        done = run(REAL, *arguments, cwd=tmp_path)
        assert done.returncode == 1
        told = done.stderr.splitlines()
        assert [line.split(":")[1].strip() for line in told] == [
            "broken.pdf", "missing.pdf", "letter.docx",
        ]  # fmt: skip
        assert (tmp_path / arguments[-1]).exists()
    assert len(lines(tmp_path / "out.jsonl")) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("parse", "missing.pdf"), "no letters found"),
        (("parse", "empty"), "no letters found"),
        (("features", "cases.jsonl", "-o", "x.xls"), ".xls is no output format"),
        (("features", "cases.jsonl", "-o", "x"), "no ending is no output format"),
        (("score", "cases.jsonl", "-o", "x.xls"), ".xls is no output format"),
        (("score", "missing.pdf", "-o", "x.csv"), "no letters found"),
        (("score", "cases.jsonl", "-o", "no/such/x.csv"), "create the folder first"),
        (("score", "cases.jsonl", "-o", "cases.jsonl/x.csv"), "write to a folder"),
        (("score", "cases.jsonl", "-o", "folder.csv"), "this is a folder; name a file"),
        (("score", "cases.jsonl", "-o", "x.csv", "--engine", "spark"), "give local or dask"),
        (("score", "cases.jsonl", "-o", "x.csv", "--scheduler", "tcp://x"), "needs --engine dask"),
        (("score", "cases.jsonl", "-o", "x.csv", "--report", "x.csv"), "one file"),
        (("score", "cases.jsonl", "-o", "x.csv"), "run imr train"),
        (("score", "cases.jsonl", "-o", "x.csv", "--model", "none"), "run imr train"),
        (("explain", "cases.jsonl"), "2 letters, explain takes one"),
        (("explain", "missing.pdf"), "no such file or folder"),
        (("evaluate", "--by", "week"), "give group or time"),
        (("train", "--letters", "x", "--decisions", "y"), "not both"),
        (("synthesize", "-n", "1", "-o", "d", "--format", "doc"), "give pdf, txt or jsonl"),
    ],
)  # fmt: skip
def test_what_a_user_gets_wrong_is_one_line_and_status_2(
    arguments: tuple[str, ...], said: str, letters: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder.csv").mkdir()
    before = sorted(tmp_path.iterdir())
    done = run(REAL, *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("imr: ")
    assert said in last
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert sorted(tmp_path.iterdir()) == before


def test_wrong_options_are_status_2(tmp_path: Path) -> None:
    for arguments in (("score", "x"), ("nonsense",), ("score", "x", "-o", "y.csv", "--jobs", "-1")):
        done = run(REAL, *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_schema_is_json(tmp_path: Path) -> None:
    done = run(REAL, "schema", cwd=tmp_path)
    assert json.loads(done.stdout)["required"] == ["letter_id", "case_summary", "items"]


def test_synthesize_writes_letters_that_can_be_read(tmp_path: Path) -> None:
    done = run(REAL, "synthesize", "-n", 3, "-o", "made", "--seed", 4, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run(REAL, "parse", "made", cwd=tmp_path)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)


def test_quiet_in_a_pipe(letters: Path, tmp_path: Path) -> None:
    done = run(FAKE, "score", letters, "-o", "s.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_version_is_the_project_s(tmp_path: Path) -> None:
    done = run(REAL, "--version", cwd=tmp_path)
    said = re.search(r'^version = "(.+)"', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)
    assert said is not None
    assert done.stdout.strip() in (said[1], "not installed")
