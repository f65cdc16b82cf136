"""What fuzzing, pumping and damaging letters brought to light; none of it comes back."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from imr.data.letter import MAX_ITEMS, Case, CaseHeader, Item, Letter, LetterError, Text
from imr.data.parse import parse
from imr.data.records import RawRecord, letter_from_record, raw_records
from tests.hostile.files import letter_text
from tests.serve.programs import environment
from tests.timing import MANY_LOOKS, looks


def signals_of(summary: str, title: str = "Physical therapy") -> dict[str, object]:
    from imr.data.request import classify
    from imr.features.table import signals

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
    assert looks(lambda: signals_of(summary, title)) < MANY_LOOKS


def test_a_list_of_a_thousand_studies_is_no_recursion() -> None:
    assert signals_of("MRI, " * 3_000 + "MRI of the knee showed a tear.")["imaging_mri"] is True


def test_a_damaged_parquet_file_ends_in_one_named_error(project: Path) -> None:
    content = (project / "fuzz" / "corpus" / "records" / "damaged.parquet").read_bytes()
    [error] = raw_records("cases.parquet", io.BytesIO(content))
    assert isinstance(error, LetterError)
    assert error.reason == "not_parquet"


@pytest.mark.slow
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


DICTIONARY_BOMB = """
import io, resource, sys
import pyarrow as pa, pyarrow.parquet as pq
from imr.data.records import raw_records

def told(rows, length, ids):
    codes, texts = pa.array([0] * rows, pa.int32()), pa.array(["a" * length])
    texts = pa.DictionaryArray.from_arrays(codes, texts)
    table = pa.table({"letter_id": ids[:rows], "case_summary": texts, "title": ["Brace"] * rows})
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", dictionary_pagesize_limit=2**30)
    assert len(out.getvalue()) < 10_000
    return out

bombs = [told(60, 16_000_000, [str(n) for n in range(60)]), told(60, 16_000_000, ["L"] * 60),
         told(5_000, 200_000, ["L"] * 5_000)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
counts = [sum(1 for _ in raw_records("cases.parquet", bomb)) for bomb in bombs]
print(*counts, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_a_long_text_of_a_dictionary_is_not_held_once_a_row(project: Path) -> None:
    """Two kilobytes that were gigabytes in memory: one text, named by every row."""
    done = subprocess.run(
        [sys.executable, "-c", DICTIONARY_BOMB], cwd=project, env=environment(),
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    *counts, kilobytes = map(int, done.stdout.split())
    assert counts == [60, 1, 1]
    assert kilobytes < 400_000  # more than a gigabyte where each row holds its own


def test_a_letter_of_too_many_rows_is_refused_without_holding_them() -> None:
    rows = "".join("L1,A baker.,Brace\n" for _ in range(5_000))
    [record] = raw_records(
        "cases.csv", io.BytesIO(f"letter_id,case_summary,title\n{rows}".encode())
    )
    assert isinstance(record, RawRecord)
    assert len(record.values["items"]) == MAX_ITEMS + 1
    with pytest.raises(LetterError) as caught:
        letter_from_record(record)
    assert "items" in str(caught.value)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_modes_of_a_model_follow_the_umask(umask: int, model: Path, tmp_path: Path) -> None:
    from imr.models import bundle

    before = os.umask(umask)
    try:
        bundle.save(bundle.load(model), tmp_path / "model")
    finally:
        os.umask(before)
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o777 & ~umask
    files = list((tmp_path / "model").iterdir())
    assert len(files) > 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o666 & ~umask}
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


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


LEAD = (
    "The expert reviewer developed the following clinical case summary based on a review of the "
    "case file, including all medical records:"
)
ISSUES_LEAD = (
    "The Final Determination was based on decisions for the disputed items/services set forth "
    "below:"
)


def whole_letter(items: int = 2) -> str:
    """As published: with its lead sentences and the heading above the reviewer."""
    text = letter_text(items).replace("SUMMARY\n\n", f"SUMMARY\n\n{LEAD}\n\n")
    text = text.replace("RATIONALES\n\n", f"RATIONALES\n\n{ISSUES_LEAD}\n\n")
    return f"HOW THE IMR FINAL DETERMINATION WAS MADE\n\nBy one reviewer.\n\n{text}"


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """The text with each change made once; it must be possible."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


LABELS_MISREAD = (
    ("Claims Administrator guideline", "Clairns Adninistrator guidelime"),
    ("MAXIMUS guideline", "MAXlMUS guide1ine"),
    ("Decision rationale", "Decisionratlonale"),
)


@pytest.mark.parametrize("item", [1, 2])
@pytest.mark.parametrize("outcome", ["Uphcld", "Upbeld.", ""])
def test_an_item_that_is_misread_from_end_to_end_is_not_swallowed(item: int, outcome: str) -> None:
    """Its outcome and all its labels: it would be part of the item before it or after it."""
    before, title, after = whole_letter().partition(f"{item}. Knee brace: ")
    misread = replaced(after, ("Upheld", outcome), *LABELS_MISREAD)
    assert refusal(before + title + misread) == "unread_item"


def test_the_only_item_that_is_misread_does_not_look_undecided() -> None:
    text = replaced(whole_letter(1), (": Upheld", ":"), *LABELS_MISREAD[1:])
    assert refusal(text) == "unread_item"


def test_a_letter_decided_in_part_is_refused() -> None:
    before, title, after = whole_letter().partition("2. Knee brace")
    undecided = after.replace(": Upheld", ":").split("MAXIMUS")[0]
    assert refusal(before + title + undecided) == "unread_item"


def test_the_reviewers_guideline_is_not_read_as_the_administrators() -> None:
    """Or a feature would be made of what was decided."""
    assert refusal(replaced(whole_letter(), LABELS_MISREAD[1])) == "unread_item"


def test_a_heading_that_holds_a_citation_is_no_heading() -> None:
    text = replaced(whole_letter(1), ("1. Knee", "She did. Decision based on MTUS.\n1. Knee"))
    assert refusal(text) == "unread_item"


@pytest.mark.parametrize("label", ["Decision rationa1e:", "decislon rationale;"])
def test_a_misread_label_in_the_summary_is_refused(label: str) -> None:
    """What follows it would be read as known before the decision."""
    hurt = "A baker hurt her knee."
    assert refusal(replaced(whole_letter(), (hurt, f"{hurt} {label} It is fit."))) == "misread"


def test_misread_lead_sentences_are_taken_out_and_reported() -> None:
    text = replaced(whole_letter(), ("developed", "deve1oped"), ("disputed", "dispufed"))
    letter, plain = parse(Text("x", "x", text)), parse(Text("x", "x", whole_letter()))
    assert letter.case == plain.case
    assert letter.determination == plain.determination
    assert [w for w in letter.warnings if "2 places" in w] == list(letter.warnings)
    assert plain.warnings == ()


def test_a_letter_whose_lead_sentences_are_full_of_errors_is_refused() -> None:
    text = replaced(whole_letter(), ("developed", "deve1oped"), ("review of", "rcview of"))
    assert refusal(replaced(text, ("set forth", "sct forth"))) == "misread"


@pytest.mark.parametrize("who", ["expert", "physician"])
@pytest.mark.parametrize("what", ["decisions for the disputed items/services",
                                  "decision for the disputed item/service"])  # fmt: skip
def test_every_wording_of_the_lead_sentences_is_read(who: str, what: str) -> None:
    text = whole_letter().replace("decisions for the disputed items/services", what)
    assert parse(Text("x", "x", text.replace("expert reviewer", f"{who} reviewer"))).warnings == ()


def test_parts_in_the_wrong_place_are_refused() -> None:
    text = whole_letter()
    head, _, rest = text.partition("CLINICAL CASE SUMMARY")
    assert refusal(f"CLINICAL CASE SUMMARY{rest}\n\n{head}") == "out_of_order"
    assert refusal(replaced(text, (LEAD, ""), ("1. Knee", f"{LEAD}\n\n1. Knee"))) == "out_of_order"
    assert refusal(replaced(text, (ISSUES_LEAD, ""), (LEAD, f"{LEAD} {ISSUES_LEAD}"))) == (
        "out_of_order"
    )


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

    from imr.models.predictor import cases_from_frame

    text = letter_text(2)
    frame = pd.DataFrame({"text": [text.replace("\n", "\r\n"), "\ufeff" + text, text]})
    one, other, plain = (letter.case.items for letter in cases_from_frame(frame))
    assert one == other == plain
    with pytest.raises(LetterError):
        cases_from_frame(pd.DataFrame({"text": ["word " * 1_000_000]}))


def test_a_letter_that_fails_in_a_worker_is_listed_without_its_text(tmp_path: Path) -> None:
    from imr.serve.derive import each_letter

    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(letter_text(1))
    failures: list[LetterError] = []
    found = list(each_letter((str(tmp_path),), fails_on_a, 1, failures.append))
    assert found == [{"read": "b"}]
    [failure] = failures
    assert (Path(failure.source).name, failure.reason) == ("a.txt", "internal")
    assert "secret" not in str(failure)


def fails_on_a(letter: Letter) -> dict[str, str]:
    if letter.case.letter_id == "a":
        raise ValueError("a secret of the letter")
    return {"read": letter.case.letter_id}
