"""A record to fill in asks what the guideline asks for, and says what an edit moved."""

from __future__ import annotations

import copy
import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

import imr
from imr.data.letter import Letter, LetterError
from imr.features.criteria import rules
from imr.serve.derive import NO_CRITERIA, new_record, write_new
from imr.serve.explain import is_draft, moved
from imr.serve.letters import AS_FOUND
from imr.serve.messages import Refused

TITLES = ["MRI of the lumbar spine", "Physical therapy, 12 visits", "=Hovercraft"]


def filled(path: Path) -> Letter:
    text = path.read_bytes().decode("utf-8-sig")
    if path.suffix == ".json":
        text = text.replace('"case_summary": ""', '"case_summary": "A cook with back pain."')
        text = text.replace('"ur_denial_date": null', '"ur_denial_date": "11/21/2016"')
    else:
        rows = list(csv.DictReader(text.splitlines()))
        lines = [",".join(rows[0])]
        for row in rows:
            row |= {"case_summary": "A cook with back pain.", "ur_denial_date": "11/21/2016"}
            lines.append(",".join(f'"{cell}"' for cell in row.values()))
        text = "\n".join(lines)
    path.write_text(text)
    [letter] = imr.read_letters(path)
    return letter


@pytest.mark.parametrize("name", ["case.json", "case.csv"])
def test_a_record_filled_in_is_a_letter_without_warnings(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write_new(new_record(TITLES, "case-1"), str(path))
    assert is_draft(str(path), None, AS_FOUND)
    letter = filled(path)
    titles = [item.title.removeprefix("'") for item in letter.case.items]
    assert titles == TITLES
    assert letter.warnings == ()
    assert str(letter.case.header.ur_denial_date) == "2016-11-21"


def test_the_questions_are_those_of_the_class_of_request() -> None:
    record = new_record(TITLES, "case-1")
    mri, therapy, other = (item["questions"] for item in record["items"])
    known = {rule.text for rule in rules() if rule.applies == "physical_therapy"}
    assert therapy
    assert {text for text in known if any(asked.startswith(text) for asked in therapy)}
    assert any("conservative" in asked for asked in mri)
    assert other == [NO_CRITERIA]
    assert "{" not in json.dumps([mri, therapy])


def test_what_is_not_filled_in_and_what_is_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    write_new(new_record(TITLES, "case-1"), str(path))
    table = tmp_path / "case.csv"
    write_new(new_record(TITLES, "case-1"), str(table))
    said = (
        r"not filled in: its case_summary is empty \(write into it what the records document, and "
        r"into ur_denial_date the day"
    )
    for source in (str(path), f"{table} row 2"):
        with pytest.raises(LetterError, match=rf"{re.escape(source)}: the record is {said}"):
            imr.read_letters(path if source == str(path) else table)
    for name, said in (("case.json", "is there already"), ("case.xlsx", "no record to fill in")):
        with pytest.raises(Refused, match=said):
            write_new(new_record(TITLES, "case-1"), str(tmp_path / name))
    with pytest.raises(Refused, match="titles that are not empty"):
        new_record([" "], "case-1")


def result(p: float, status: str) -> dict[str, Any]:
    criterion = {"id": "a", "text": "Care was tried", "status": status}
    other = {"id": "b", "text": "Findings", "status": "met"}
    item = {"item_index": 0, "requested": "MRI of the secret knee", "p_overturned": p,
            "checklist": [criterion, other]}  # fmt: skip
    return {"letter_id": "case-1", "model_uri": "m#1", "items": [item]}


def test_what_moved_is_told_and_no_word_of_the_record_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_text("{}")
    before, after = result(0.12, "not documented"), result(0.31, "met")
    assert moved(str(path), before) == []
    kept = (tmp_path / ".case.json.last").read_text()
    assert not [word for word in ("secret", "case-1", "tried") if word in kept]
    first, *lines = moved(str(path), after)
    assert re.fullmatch(r"Since \d{4}-\d\d-\d\d \d\d:\d\d UTC:", first)
    assert lines == ["  Item 0: 12.0% → 31.0%", "    not documented → met: Care was tried"]
    assert moved(str(path), after)[1:] == ["  Item 0: still 31.0%"]
    changed = copy.deepcopy(after)
    changed["model_uri"] = "m#2"
    changed["items"][0]["requested"] = "Brace"
    lines = moved(str(path), changed)
    assert lines[1].startswith("  another model was used then")
    assert lines[2:] == ["  Item 0: new, 31.0%", "  1 item is no longer asked for"]
    assert moved(str(path), {**changed, "letter_id": "case-2"}) == []
    (tmp_path / ".case.json.last").write_text("[")
    assert moved(str(path), after) == []
