"""The sample letters: rendered from their truth, and read back to it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imr.data.letter import LetterError, Text
from imr.data.parse import parse
from imr.data.read import read
from imr.data.records import letter_from_record, raw_records
from imr.serve.letter_json import letter_object
from tests.data.synthetic.samples import DATA, TRUTH, letter_of, render_samples

SAMPLES = DATA / "samples"
LAYOUTS: list[dict[str, Any]] = json.loads((TRUTH / "layouts.json").read_text(encoding="utf-8"))
FILES = [f"{row['letter_id']}.{row['ending']}" for row in LAYOUTS]


def expected(file: str) -> dict[str, Any]:
    path = TRUTH / "expected" / f"{Path(file).stem}.json"
    truth: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return truth


def parsed(file: str) -> dict[str, Any]:
    path = SAMPLES / file
    if path.suffix == ".jsonl":
        with path.open("rb") as content:
            (raw,) = raw_records(path.name, content)
        assert not isinstance(raw, LetterError)
        return letter_object(letter_from_record(raw))
    (text,) = read([str(path)])
    assert isinstance(text, Text)
    return letter_object(replace_source(parse(text)))


def replace_source(letter: Any) -> Any:
    return replace(letter, case=replace(letter.case, source=""))


def test_there_are_eight_letters_of_every_kind() -> None:
    assert len(FILES) == 8
    assert {row["ending"] for row in LAYOUTS} == {"pdf", "txt", "jsonl"}
    assert {row["layout"] for row in LAYOUTS} == {None, "doubled", "formfeed", "tight", "crlf"}
    decided = {file: expected(file)["items"][0]["decision"] is not None for file in FILES}
    assert sorted(decided.values()) == [False] * 3 + [True] * 5
    actions = {i["ur_action"] for file in FILES for i in expected(file)["items"]}
    assert actions == {"denied", "modified"}


@pytest.mark.parametrize("file", FILES)
def test_sample_is_read_back_to_its_truth(file: str) -> None:
    truth, found = expected(file), parsed(file)
    del truth["source"], found["source"]
    assert found == truth


def test_samples_are_what_the_renderer_writes(tmp_path: Path) -> None:
    written = render_samples(tmp_path)
    assert [path.name for path in written] == FILES
    for path in written:
        assert path.read_bytes() == (SAMPLES / path.name).read_bytes(), path.name


@pytest.mark.parametrize("file", FILES)
def test_truth_survives_its_own_round_trip(file: str) -> None:
    truth = expected(file)
    assert letter_object(letter_of(truth)) == truth


def test_a_date_is_broken_over_a_page() -> None:
    """Page one of the first sample ends inside a date, as pages of real letters do."""
    import pypdfium2

    pages = pypdfium2.PdfDocument(SAMPLES / FILES[0])
    assert pages[0].get_textpage().get_text_range().rstrip().endswith("09-20-")
    assert "on 09-20-2016, writing" in expected(FILES[0])["case_summary"]


def test_folder_of_samples_holds_nothing_else_that_reads_as_a_letter() -> None:
    found = list(read([str(SAMPLES)]))
    assert len([text for text in found if isinstance(text, Text)]) == 7  # the record is no text
