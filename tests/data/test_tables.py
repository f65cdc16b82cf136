"""Tables as people have them: one letter out of each, or one message that says how."""

from __future__ import annotations

import io
import json
from datetime import date
from typing import Any

import pytest

from imr.data.letter import LetterError
from imr.data.records import RawRecord, letter_from_record, raw_records

HEADER = ["letter_id", "case_summary", "title", "date_of_injury"]
ROWS = [
    ["A-1", "A cook, 50; left wrist\tpain.", "MRI of the left wrist", "3/2/2015"],
    ["A-1", "A cook, 50; left wrist\tpain.", "Wrist brace", "3/2/2015"],
]


def table(separator: str, header: list[str] = HEADER, rows: list[list[str]] = ROWS) -> str:
    lines = [header, *([f'"{cell}"' for cell in row] for row in rows)]
    return "".join(separator.join(line) + "\r\n" for line in lines)


def read(
    name: str, content: bytes, renames: dict[str, str] | None = None
) -> tuple[list[RawRecord | LetterError], list[str]]:
    told: list[str] = []
    return list(raw_records(name, io.BytesIO(content), renames, told.append)), told


FORMS = {
    "semicolons.csv": table(";").encode(),
    "tabs.csv": table("\t").encode(),
    "tabs.tsv": table("\t").encode(),
    "bars.csv": table("|").encode(),
    "marked.csv": table(";").encode("utf-8-sig"),
    "utf-16-le.csv": b"\xff\xfe" + table("\t").encode("utf-16-le"),
    "utf-16-be.csv": b"\xfe\xff" + table(",").encode("utf-16-be"),
    "separator-line.csv": ("sep=;\r\n" + table(";")).encode(),
    "other-case.csv": table(",", ["Letter ID", "Case Summary", "TITLE", "Date of injury"]).encode(),
    "other-names.csv": table(",", ["Case ID", "Summary", "Treatment", "DOI"]).encode(),
}


@pytest.mark.parametrize("name", FORMS)
def test_each_form_is_the_same_letter(name: str) -> None:
    [record], _ = read(name, FORMS[name])
    assert isinstance(record, RawRecord)
    letter = letter_from_record(record)
    assert letter.case.letter_id == "A-1"
    assert letter.case.case_summary == "A cook, 50; left wrist pain."
    assert [item.title for item in letter.case.items] == ["MRI of the left wrist", "Wrist brace"]
    assert letter.case.header.date_of_injury == date(2015, 3, 2)
    assert letter.warnings == ()


def test_what_is_read_under_another_name_is_told_once() -> None:
    _, told = read("t.csv", table(",", ["letter_id", "Summary", "title", "DOI"]).encode())
    assert told == [
        "t.csv: column 'Summary' is read as 'case_summary', 'DOI' is read as 'date_of_injury'",
    ]
    _, told = read("t.csv", b"letter_id,notes,title\nA,A cook.,Brace\n", {"notes": "case_summary"})
    assert told == []  # the user said so
    record = b'{"letter_id": "A", "summary": "A cook.", "items": [{"treatment": "Brace"}]}\n'
    found, told = read("t.jsonl", record * 3)
    assert told == [
        "t.jsonl: 'summary' is read as 'case_summary', 'treatment' is read as 'title'",
    ]
    assert all(letter_from_record(f).case.items for f in found if isinstance(f, RawRecord))
    both = b'{"letter_id": "A", "Letter ID": "B", "case_summary": "A cook.", "items": []}'
    [one], told = read("t.json", both)
    assert isinstance(one, RawRecord)
    assert (one.values["letter_id"], told) == ("A", [])


@pytest.mark.parametrize("claim", ["Claim No", "Claim No.", "Claim Number", "Claim #", "claim_id"])
def test_a_claim_number_names_the_letter_where_nothing_else_does(claim: str) -> None:
    [found], told = read("t.csv", table(",", [claim, "Summary", "title", "DOI"]).encode())
    assert isinstance(found, RawRecord)
    assert found.values["letter_id"] == "A-1"
    assert f"column {claim!r} is read as 'letter_id', 'Summary' is read as" in told[0]
    for name in ("Case ID", "letter_id"):
        rows = f"{claim},{name},case_summary,title\n7,A-1,A cook.,Brace\n"
        [found], _ = read("t.csv", rows.encode())
        assert isinstance(found, RawRecord)
        assert (found.values["letter_id"], found.values[claim]) == ("A-1", "7")
        entry = {claim: "7", name: "A-1", "case_summary": "A cook.", "items": [{"title": "Brace"}]}
        [found], _ = read("t.json", json.dumps(entry).encode())
        assert isinstance(found, RawRecord)
        assert found.values["letter_id"] == "A-1"


def test_the_user_says_what_a_column_is() -> None:
    content = table(",", ["letter_id", "dictated", "title", "summary"]).encode()
    [record], _ = read("t.csv", content, {"dictated": "case_summary"})
    assert isinstance(record, RawRecord)
    assert record.values["case_summary"] == ROWS[0][1]
    assert record.values["summary"] == "3/2/2015"  # left as it is: the user has said which


@pytest.mark.parametrize(
    ("header", "problem", "remedy"),
    [
        (["letter_id", "case_sumary", "title", "date_of_injury"],
         ("no column 'case_summary': found are 'letter_id', 'case_sumary', 'title', "
         "'date_of_injury'; needed are letter_id, case_summary, title; "
         "column 'case_sumary' looks like 'case_summary'"),
         "rename it, or add --map 'case_sumary=case_summary'"),
        (["letter_id", "case_summary", "title", "date_of_injry"],
         ("a name is not known: found are 'letter_id', 'case_summary', 'title', 'date_of_injry'; "
         "needed are letter_id, case_summary, title; "
         "column 'date_of_injry' looks like 'date_of_injury'"),
         "rename it, or add --map 'date_of_injry=date_of_injury'"),
        (["letter_id", "Clinical Summary", "Summary", "title"],
         "column 'Clinical Summary' and column 'Summary' could both be 'case_summary'",
         "say which: --map 'Clinical Summary=case_summary', and rename the other"),
        (["letter_id", "Dictated notes", "title", "age"],
         ("no column 'case_summary': found are 'letter_id', 'Dictated notes', 'title', 'age'; "
         "needed are letter_id, case_summary, title"),
         "rename it, or add --map 'NAME=case_summary'"),
    ],
)  # fmt: skip
def test_one_message_a_file(header: list[str], problem: str, remedy: str) -> None:
    [error], _ = read("t.csv", table(",", header, ROWS * 50).encode())
    assert isinstance(error, LetterError)
    assert (error.source, error.message, error.remedy) == ("t.csv", problem, remedy)


def test_a_row_that_may_be_the_text_of_a_letter_is_not_shown() -> None:
    for row in (b"Meyer,The knee,Brace\n", b"Meyer,Meyer,Brace\n"):
        [error], _ = read("t.csv", row * 3)
        assert isinstance(error, LetterError)
        assert not [word for word in ("Meyer", "knee", "Brace") if word in str(error)]


def test_the_user_may_say_which_of_two() -> None:
    content = table(",", ["letter_id", "Clinical Summary", "Summary", "title"]).encode()
    [first, *_], _ = read("t.csv", content, {"Clinical Summary": "case_summary"})
    assert isinstance(first, RawRecord)
    assert first.values["case_summary"] == ROWS[0][1]


def test_a_map_that_names_no_column_is_told() -> None:
    [error], _ = read("t.csv", table(",", ["a", "b", "title", "d"]).encode(), {"x": "letter_id"})
    assert isinstance(error, LetterError)
    assert error.message == ("no column 'x', which --map names; found are 'a', 'b', 'title', 'd'")


@pytest.mark.parametrize(
    ("printed", "meant"),
    [("11/21/2016", date(2016, 11, 21)), ("1/2/2016 0:00", date(2016, 1, 2)),
     ("01/02/2016 12:00:00 AM", date(2016, 1, 2)), ("2016-11-21", date(2016, 11, 21)),
     ("2016-11-21 00:00:00", date(2016, 11, 21)),
     ("21/11/2016", None), ("11/21/16", None), ("2/30/2016", None), ("1/2/2016 at noon", None)],
)  # fmt: skip
def test_dates_of_the_united_states(printed: str, meant: date | None) -> None:
    values: dict[str, Any] = {"letter_id": "A", "case_summary": "A cook.", "date_assigned": printed}
    record = RawRecord("r", {**values, "items": [{"title": "Brace"}]})
    if meant is None:
        with pytest.raises(LetterError, match="allowed is a date such as"):
            letter_from_record(record)
        return
    assert letter_from_record(record).case.header.date_assigned == meant
