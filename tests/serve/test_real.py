"""Scoring with the real models, on the letters that the project ships and on made ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.serve.programs import REAL, lines, run

SAMPLES = 8


def sample_paths(samples: Path) -> list[Path]:
    found = [p for p in sorted(samples.iterdir()) if p.suffix in {".pdf", ".txt", ".jsonl"}]
    assert len(found) == SAMPLES
    return found


def rows(path: Path) -> list[dict[str, Any]]:
    return [{**row, "scored_at": None} for row in lines(path)]


def test_the_samples_are_scored_and_explained(model: Path, samples: Path, tmp_path: Path) -> None:
    paths = sample_paths(samples)
    arguments = ("-o", "s.jsonl", "--report", "r.html", "--model", model)
    done = run(REAL, "score", *paths, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = rows(tmp_path / "s.jsonl")
    assert {r["letter_id"] for r in found} >= {p.stem for p in paths if p.suffix != ".jsonl"}
    for row in found:
        assert 0 <= row["p_overturned_low"] <= row["p_overturned"] <= row["p_overturned_high"] <= 1
        assert row["guideline_1_p"] >= row["guideline_2_p"] >= row["guideline_3_p"] >= 0
        assert {reason["direction"] for reason in row["reasons"]} <= {"for", "against"}
        assert row["model_uri"].startswith(f"{model}#sha256=")
    assert any(reason["quotes"] for row in found for reason in row["reasons"])
    assert (tmp_path / "r.html").stat().st_size > 20_000
    explained = run(REAL, "explain", paths[0], "--json", "--model", model, cwd=tmp_path)
    detail = json.loads(explained.stdout)
    own = [row for row in found if row["letter_id"] == detail["letter_id"]]
    for item, row in zip(detail["items"], own, strict=True):
        for name in ("p_overturned", "predicted_outcome", "requested", "decision"):
            assert item[name] == row[name]


@pytest.mark.slow
def test_text_record_and_number_of_processes_make_no_difference(
    model: Path, tmp_path: Path
) -> None:
    run(REAL, "synthesize", "-n", 60, "-o", "made", "--seed", 3, cwd=tmp_path)
    (tmp_path / "made" / "truth.jsonl.gz").unlink()
    run(REAL, "parse", "made", "-o", "parsed.jsonl", cwd=tmp_path)
    for name, jobs, source in (("a", 1, "made"), ("b", 3, "made"), ("c", 2, "parsed.jsonl")):
        done = run(REAL, "score", source, "-o", f"{name}.jsonl", "--jobs", jobs, "--model", model,
                   cwd=tmp_path)  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert len({row["letter_id"] for row in rows(tmp_path / "a.jsonl")}) == 60
    assert rows(tmp_path / "a.jsonl") == rows(tmp_path / "b.jsonl")
    blank = {"warnings": None}
    assert [{**r, **blank} for r in rows(tmp_path / "c.jsonl")] == [
        {**r, **blank} for r in rows(tmp_path / "a.jsonl")
    ]
    assert "these letters differ from those the model was trained on" in done.stdout


@pytest.mark.slow
def test_a_changed_model_refuses(model: Path, samples: Path, tmp_path: Path) -> None:
    for name, change in (
        ("outcome.json", lambda p: p.write_text(p.read_text().replace("0.", "1.", 1))),
        ("manifest.json", lambda p: p.write_text(p.read_text()[:-20])),
        ("guideline.json", lambda p: p.unlink()),
    ):
        copy = tmp_path / name
        shutil.copytree(model, copy)
        change(copy / name)
        letter = sample_paths(samples)[0]
        done = run(REAL, "score", letter, "-o", "s.csv", "--model", copy, cwd=tmp_path)
        assert done.returncode == 2
        [line] = done.stderr.splitlines()
        assert str(copy) in line
        assert not (tmp_path / "s.csv").exists()


@pytest.mark.slow
def test_real_letters_lose_none(model: Path, real_letters: Path, tmp_path: Path) -> None:
    folders = (real_letters / "pdf", real_letters / "text")
    done = run(REAL, "score", *folders, "-o", "s.jsonl", "--model", model, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "s.jsonl")
    assert len({row["letter_id"] for row in found}) == 135
    assert len(found) == 302
    assert sum(row["decision"] == "Overturned" for row in found) == 33
