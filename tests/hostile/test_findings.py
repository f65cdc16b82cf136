"""What fuzzing, pumping and damaging letters brought to light; none of it comes back."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from data.letter import Case, CaseHeader, Item, Letter, LetterError, Text
from data.parse import parse
from data.records import RawRecord, letter_from_record, raw_records
from tests.hostile.files import letter_text


def signals_of(summary: str, title: str = "Physical therapy") -> dict[str, object]:
    from data.taxonomy import classify
    from features.table import signals

    found = classify(title, title)
    item = Item(0, title, title, category=found.category, subcategory=found.subcategory,
                body_parts=found.body_parts, quantity=found.quantity)  # fmt: skip
    [row] = signals(Case("x", "x", CaseHeader(), summary, (item,))).rows
    return dict(row)


@pytest.mark.parametrize(
    ("summary", "title"),
    [
        ("The Spurling test " + "1°" * 45 + " was done.", "Brace"),  # 2 ** 45 ways
        ("The Spurling test " + "both " * 18 + "was done.", "Brace"),
        ("An MRI " + "1" * 1000 + " of the left knee.", "Brace"),
        ("An MRI " + "1 " * 60 + " of the left knee.", "Brace"),
        ("Pain. " + "." * 30_000 + "x", "Brace"),
        ("L4-5, " * 6_000, "Brace"),
        ("Pain.", "1" * 9_000),  # pumped numbers in a request
        ("Pain.", "remaining IMR " * 700),
        ("Pain.", "a was the original request. " + "The original request, b is " * 300),
    ],
)
def test_what_took_minutes_takes_no_time(summary: str, title: str) -> None:
    start = time.monotonic()
    signals_of(summary, title)
    assert time.monotonic() - start < 10  # 0.2 on a free machine


def test_a_list_of_a_thousand_studies_is_no_recursion() -> None:
    assert signals_of("MRI, " * 3_000 + "MRI of the knee showed a tear.")["imaging_mri"] is True


def test_a_damaged_parquet_file_ends_in_one_named_error(project: Path) -> None:
    content = (project / "fuzz" / "corpus" / "records" / "damaged.parquet").read_bytes()
    [error] = raw_records("cases.parquet", io.BytesIO(content))
    assert isinstance(error, LetterError)
    assert error.reason == "not_parquet"


def test_a_table_that_would_grow_without_end_is_refused() -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    value = ["a" * (200 * 2**20)]
    table = pa.table({"letter_id": ["L"], "case_summary": value, "title": ["Brace"]})
    pq.write_table(table, out, compression="zstd", use_dictionary=False)
    assert len(out.getvalue()) < 2**20
    [error] = raw_records("cases.parquet", io.BytesIO(out.getvalue()))
    assert isinstance(error, LetterError)
    assert error.reason == "too_large"


def refusal(text: str) -> str:
    with pytest.raises(LetterError) as caught:
        parse(Text("x", "x", text))
    return caught.value.reason


def test_of_two_rationales_none_is_chosen() -> None:
    text = letter_text(2)
    assert refusal(text.replace("Decision rationale:", "Decision rationale: a.\n\nDecision rationale:", 1)) == "doubled"  # fmt: skip  # noqa: E501
    assert refusal(text.replace("MAXIMUS guideline:", "MAXIMUS guideline: a.\n\nMAXIMUS guideline:", 1)) == "doubled"  # fmt: skip  # noqa: E501


def test_two_letters_in_one_file_are_not_one_letter() -> None:
    assert refusal(letter_text(1) + "\n\n" + letter_text(1)) == "doubled"


def test_an_item_whose_labels_are_misread_is_not_swallowed() -> None:
    head, one, other = letter_text(2).partition("2. Knee brace")
    for label in ("Claims Administrator guideline", "MAXIMUS guideline", "Decision rationale"):
        other = other.replace(label, label.replace("i", "j"))
    assert refusal(head + one + other) == "unread_item"


def test_a_letter_that_ends_in_mid_sentence_says_so() -> None:
    text = letter_text(1).rstrip()
    assert parse(Text("x", "x", text)).warnings == ()
    [warning] = parse(Text("x", "x", text[:-20])).warnings
    assert "cut off" in warning


RECORD = {"letter_id": "L1", "case_summary": "A baker.", "items": [{"title": "Brace"}]}


def made(**change: object) -> Letter:
    return letter_from_record(RawRecord("cases.jsonl line 1", {**RECORD, **change}))


def test_control_characters_do_not_reach_a_terminal() -> None:
    letter = made(letter_id="a\x1b[2Jb", items=[{"title": "Br\x1b[31mace\x07\u202e"}])
    assert (letter.case.letter_id, letter.case.items[0].title) == ("a[2Jb", "Br[31mace")


@pytest.mark.parametrize(
    "change",
    [
        {"case_summary": "word " * 10_000},
        {"items": [{"title": "brace " * 2_000}]},
        {"items": [{"title": "Brace", "claims_administrator_guideline": "ODG " * 6_000}]},
        {"items": [{"title": "Brace"}] * 1_001},
    ],
)
def test_a_record_that_is_no_letter_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(LetterError) as caught:
        made(**change)
    assert caught.value.reason == "record"
    assert len(str(caught.value)) < 300


def test_a_table_without_header_puts_no_text_into_messages() -> None:
    told = "A baker hurt her knee at work and had an MRI."
    content = f"L1,{told},{told}\n".encode()
    [error] = raw_records("cases.csv", io.BytesIO(content + content))
    assert isinstance(error, LetterError)
    assert told not in str(error)
    letter_or_error: object
    try:
        letter_or_error = made(**{told: 1}).warnings
    except LetterError as error:
        letter_or_error = error
    assert told not in str(letter_or_error)


def test_a_served_text_is_laid_out_as_a_file_is() -> None:
    import pandas as pd

    from models.served import cases_from_frame

    text = letter_text(2)
    frame = pd.DataFrame({"text": [text.replace("\n", "\r\n"), "\ufeff" + text, text]})
    one, other, plain = (letter.case.items for letter in cases_from_frame(frame))
    assert one == other == plain
    with pytest.raises(LetterError):
        cases_from_frame(pd.DataFrame({"text": ["word " * 1_000_000]}))


def test_a_letter_that_fails_in_a_worker_is_listed_without_its_text(tmp_path: Path) -> None:
    from serve.letters import Failure
    from serve.stream import each_letter

    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(letter_text(1))
    failures: list[Failure] = []
    found = list(each_letter((str(tmp_path),), fails_on_a, 1, failures.append))
    assert found == [{"read": "b"}]
    [failure] = failures
    assert (Path(failure.source).name, failure.reason) == ("a.txt", "internal")
    assert "secret" not in failure.line()


def fails_on_a(letter: Letter) -> dict[str, str]:
    if letter.case.letter_id == "a":
        raise ValueError("a secret of the letter")
    return {"read": letter.case.letter_id}
