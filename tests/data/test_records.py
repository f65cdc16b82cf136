"""Case records in every form they come in, and what is said about those that are not right."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imr.data import records
from imr.data.letter import Letter, LetterError
from imr.data.records import (
    MAX_ITEMS,
    RawRecord,
    letter_from_record,
    raw_records,
    record_schema,
)

RECORD: dict[str, Any] = {
    "letter_id": "A-1",
    "case_summary": "A 50 year old cook hurt the left wrist.",
    "date_of_injury": "2015-03-02",
    "items": [
        {"title": "MRI of the left wrist", "claims_administrator_guideline": "No guideline cited."},
        {"title": "Wrist brace", "ur_action": "modified", "authorized": "one brace"},
    ],
}


def read(name: str, content: bytes) -> list[RawRecord | LetterError]:
    return list(raw_records(name, io.BytesIO(content)))


def letters(name: str, content: bytes) -> list[Letter]:
    found = read(name, content)
    assert not [f for f in found if isinstance(f, LetterError)]
    return [letter_from_record(f) for f in found if isinstance(f, RawRecord)]


def problem(record: dict[str, Any]) -> str:
    with pytest.raises(LetterError) as caught:
        letter_from_record(RawRecord("cases.jsonl line 1", record))
    assert caught.value.source == "cases.jsonl line 1"
    assert "\n" not in str(caught.value)
    return caught.value.message


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), content)
    return content.getvalue()


FLAT = [
    {"letter_id": RECORD["letter_id"], "case_summary": RECORD["case_summary"],
     "date_of_injury": RECORD["date_of_injury"], "title": item["title"],
     "claims_administrator_guideline": item.get("claims_administrator_guideline"),
     "ur_action": item.get("ur_action"), "authorized": item.get("authorized")}
    for item in RECORD["items"]
]  # fmt: skip

FORMS = {
    "cases.jsonl": json.dumps(RECORD).encode() + b"\n",
    "flat.csv": as_csv(FLAT),
    "bom.csv": b"\xef\xbb\xbf" + as_csv(FLAT),
    "flat.parquet": as_parquet(FLAT),
    "nested.parquet": as_parquet([RECORD]),
}


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_the_same_case(name: str) -> None:
    [letter] = letters(name, FORMS[name])
    case = letter.case
    assert (case.letter_id, case.case_summary) == ("A-1", RECORD["case_summary"])
    assert case.header.date_of_injury == date(2015, 3, 2)
    assert [i.title for i in case.items] == ["MRI of the left wrist", "Wrist brace"]
    assert [i.index for i in case.items] == [0, 1]
    assert [i.ur_action for i in case.items] == ["denied", "modified"]
    cited = case.items[0].claims_administrator_guideline
    assert cited is not None
    assert cited.raw == "No guideline cited."
    assert case.items[1].claims_administrator_guideline is None
    assert letter.determination.decisions == (None, None)
    assert letter.warnings == ()


def test_source_names_file_and_row() -> None:
    lines = b"\n" + json.dumps(RECORD).encode()
    assert [f.source for f in read("x/cases.jsonl", lines)] == ["x/cases.jsonl line 2"]
    table = as_csv([*FLAT, {**FLAT[0], "letter_id": "A-2"}])
    assert [f.source for f in read("t.csv", table)] == ["t.csv row 2", "t.csv row 4"]


def test_items_are_classified_and_white_space_is_collapsed() -> None:
    record = {**RECORD, "items": [{"title": "  MRI of\n the left   wrist "}]}
    letter = letter_from_record(RawRecord("r", record))
    [item] = letter.case.items
    assert item.title == item.requested == "MRI of the left wrist"
    assert item.category == "Diagnostic Testing"


def test_a_known_decision_is_carried_beside_the_case() -> None:
    items = [
        {"title": "Brace", "decision": "Upheld", "decision_guideline": "Decision based on X."},
        {"title": "Cane", "decision": {"outcome": "Overturned", "rationale": "Needed."}},
    ]
    letter = letter_from_record(RawRecord("r", {**RECORD, "items": items}))
    assert letter.decided
    first, second = letter.determination.decisions
    assert first is not None
    assert second is not None
    assert (first.outcome, second.outcome, second.rationale) == ("Upheld", "Overturned", "Needed.")
    assert first.guideline is not None
    assert first.guideline.raw == "Decision based on X."
    undecided = letter_from_record(RawRecord("r", {**RECORD, "items": [{"title": "Brace"}]}))
    assert letter.case.items[0] == undecided.case.items[0]


DECISION = "'Upheld', 'Overturned' or an object with outcome"
GUIDELINE = "'claims_administrator_guideline'"
DATE = "a date such as 2016-10-13 or 10/13/2016, its year in four digits"
CITED = "text or an object with raw"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"letter_id": None}, "column 'letter_id': received nothing, allowed is text"),
        ({"letter_id": ""}, "column 'letter_id': received nothing, allowed is text"),
        ({"letter_id": ["a"]}, "column 'letter_id': received a list of 1, allowed is text"),
        ({"case_summary": True}, "column 'case_summary': received True, allowed is text"),
        ({"items": []}, "column 'items': received a list of 0, allowed is a list of items"),
        ({"items": "MRI"}, "column 'items': received 'MRI', allowed is a list of items"),
        ({"items": ["MRI"]}, "items[0]: received 'MRI', allowed is an object with title"),
        ({"items": [{}]}, "items[0]: column 'title': received nothing, allowed is text"),
        ({"items": [{"title": "x"}] * (MAX_ITEMS + 1)},
         f"column 'items': received {MAX_ITEMS + 1} items, allowed are {MAX_ITEMS}"),
        ({"date_of_injury": "21/11/2016"},
         "column 'date_of_injury': received '21/11/2016', allowed is " + DATE),
        ({"date_of_injury": 7},
         "column 'date_of_injury': received 7, allowed is " + DATE),
        ({"header": "none"}, "column 'header': received 'none', allowed is an object"),
        ({"items": [{"title": "x", "ur_action": "Denied!"}]},
         "items[0]: column 'ur_action': received 'Denied!', allowed is 'denied' or 'modified'"),
        ({"items": [{"title": "x", "decision": {}}]},
         "items[0]: column 'decision': received an object, allowed is " + DECISION),
        ({"items": [{"title": "x", "claims_administrator_guideline": {}}]},
         f"items[0]: column {GUIDELINE}: received an object, allowed is {CITED}"),
        ({"case_sumary": "x"}, "column 'case_sumary' is not known, allowed is 'case_summary'"),
        ({"items": [{"titel": "x"}]}, "items[0]: column 'titel' is not known, allowed is 'title'"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_named(change: dict[str, Any], said: str) -> None:
    assert problem({**RECORD, **change}) == said


def test_no_text_of_a_record_stands_in_an_error() -> None:
    secret = "The patient told the doctor everything about it"
    said = problem({**RECORD, "date_of_injury": secret})
    assert said.endswith(f"received text of 47 characters, allowed is {DATE}")


def test_a_column_that_is_not_known_is_told_and_not_read() -> None:
    letter = letter_from_record(RawRecord("r", {**RECORD, "adjuster_phone": "1"}))
    assert letter.warnings == ("column 'adjuster_phone' is not read",)


def test_a_bad_line_does_not_end_the_file() -> None:
    good = json.dumps(RECORD).encode()
    found = read("c.jsonl", b"\n".join([good, b"{", b"[1]", b"\xff", good]))
    shown = [(f.source, f.reason) if isinstance(f, LetterError) else f.source for f in found]
    assert shown == [
        "c.jsonl line 1",
        ("c.jsonl line 2", "not_json"),
        ("c.jsonl line 3", "not_a_record"),
        ("c.jsonl line 4", "not_utf8"),
        "c.jsonl line 5",
    ]


@pytest.mark.parametrize("name", ["c.json", "c.jsonl"])
def test_a_tab_in_a_text_of_json_is_read(name: str) -> None:
    raw = json.dumps({**RECORD, "case_summary": "Pain.@Numbness."}).replace("@", "\t")
    [letter] = letters(name, raw.encode())
    assert letter.case.case_summary.split() == ["Pain.", "Numbness."]


def test_paragraphs_pasted_into_a_text_of_json_are_read() -> None:
    raw = json.dumps({**RECORD, "case_summary": "Pain.@Numbness."}, indent=2).replace("@", "\r\n\n")
    [letter] = letters("c.json", raw.encode())
    assert letter.case.case_summary.split() == ["Pain.", "Numbness."]


CURLY, COMMA = 'likely curly quotes where straight ones (") belong', "likely a comma too many"


@pytest.mark.parametrize("name", ["c.json", "c.jsonl"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{“letter_id”: "1"}', CURLY),
        ('{"letter_id": “1”}', CURLY),
        ('{"letter_id": "1”, "items": []}', CURLY),
        ('{"letter_id": "1”}', CURLY),
        ('{"letter_id": "1",, "items": []}', COMMA),
        ('{"letter_id": "1", }', COMMA),
        ('{"items": ["MRI", , "EMG"]}', COMMA),
        ('{"items": ["MRI",]}', COMMA),
        ('{"letter_id": 1 "items": []}', ""),
        ('{"letter_id": ', ""),
    ],
)
def test_the_likely_fault_of_json_is_named(name: str, text: str, said: str) -> None:
    [error] = read(name, text.encode())
    assert isinstance(error, LetterError)
    assert error.reason == "not_json"
    assert error.message.endswith(said) if said else "likely" not in error.message


def test_a_line_that_is_too_long_is_named_and_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    good = json.dumps(RECORD).encode()
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", len(good) + 1)
    found = read("c.jsonl", b"\n".join([good, good + b" " * 5000, good]))
    shown = [(f.source, f.reason) if isinstance(f, LetterError) else f.source for f in found]
    assert shown == ["c.jsonl line 1", ("c.jsonl line 2", "too_large"), "c.jsonl line 3"]


def test_a_flat_line_of_json_is_a_letter_of_one_item() -> None:
    [letter] = letters("c.jsonl", json.dumps(FLAT[0]).encode())
    assert [i.title for i in letter.case.items] == ["MRI of the left wrist"]


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"", [("t.csv", "empty")]),
        (b"letter_id,title,title\n", [("t.csv", "columns")]),
        (b"letter_id,case_summary,title\na,b\n", [("t.csv row 2", "not_csv")]),
        (b"letter_id,case_summary,title\na,\xff\n", [("t.csv", "not_utf8")]),
        (b"id,title\n" + b"a,b\n" * 9, [("t.csv", "columns")]),
    ],
)
def test_a_broken_table_is_named(content: bytes, shown: list[tuple[str, str]]) -> None:
    found = read("t.csv", content)
    assert [(f.source, f.reason) for f in found if isinstance(f, LetterError)] == shown
    assert len(found) == len(shown)


def test_a_broken_parquet_file_is_named() -> None:
    [error] = read("t.parquet", FORMS["flat.parquet"][:-20])
    assert isinstance(error, LetterError)
    assert (error.source, error.reason) == ("t.parquet", "not_parquet")


def test_rows_of_a_letter_that_stand_apart_are_refused() -> None:
    table = as_csv([FLAT[0], {**FLAT[0], "letter_id": "B"}, FLAT[1]])
    found = read("t.csv", table)
    assert [f.reason if isinstance(f, LetterError) else "" for f in found] == ["", "", "rows_apart"]


def test_flat_rows_may_have_what_nobody_reads() -> None:
    [letter] = letters("t.csv", as_csv([{**row, "employer": "x"} for row in FLAT]))
    assert letter.warnings == ("column 'employer' is not read",)


def test_the_schema_names_every_column_and_what_is_required() -> None:
    schema = record_schema()
    assert schema["required"] == ["letter_id", "case_summary", "items"]
    assert schema["properties"]["items"]["items"]["required"] == ["title"]
    assert set(RECORD) <= set(schema["properties"])
    assert set(RECORD["items"][0]) <= set(schema["properties"]["items"]["items"]["properties"])


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from([*RECORD, *FLAT[0], "decision", "header", "requested"]) | st.text()


@given(st.dictionaries(NAMES, ANY_JSON), st.lists(st.dictionaries(NAMES, ANY_JSON), max_size=2))
def test_any_object_is_a_letter_or_a_named_error(
    values: dict[str, Any], items: list[dict[str, Any]]
) -> None:
    record = RawRecord("r", {**RECORD, **values, "items": items or RECORD["items"]})
    read_or_refused = None
    try:
        read_or_refused = letter_from_record(record).case.source
    except LetterError as error:
        read_or_refused = error.source
    assert read_or_refused == "r"


@given(st.binary(max_size=200), st.sampled_from(["x.jsonl", "x.csv", "x.parquet"]))
def test_any_bytes_are_read_or_refused(content: bytes, name: str) -> None:
    for found in read(name, content):
        assert isinstance(found, RawRecord | LetterError)
