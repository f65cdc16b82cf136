"""Word letters and Excel tables: the letter that a reader sees, or a named error in time."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pytest

from imr.data import tables
from imr.data.letter import LetterError, Text
from imr.data.parse import parse
from imr.data.read import load, word_text
from imr.data.records import RawRecord, letter_from_record, raw_records
from imr.data.sources import Source, sources
from tests.data.office_files import (
    archive,
    docx,
    docx_of,
    paragraph,
    raw_xlsx,
    text_cell,
    xlsx,
)
from tests.hostile.files import letter_text
from tests.timing import MANY_LOOKS, looks

HEADER = ["Letter ID", "Case summary", "Treatment", "DOI", "quantity"]
ROW = ["A-1", "A cook, 50, with wrist pain.", "MRI of the left wrist", date(2015, 3, 2), 3.0]


def word(content: bytes) -> str:
    return word_text("a.docx", io.BytesIO(content))


def read(content: bytes) -> tuple[list[RawRecord | LetterError], list[str]]:
    told: list[str] = []
    return list(raw_records("a.xlsx", io.BytesIO(content), None, told.append)), told


def refusal(content: bytes, kind: str) -> LetterError:
    if kind == "xlsx":
        [error] = read(content)[0]
        assert isinstance(error, LetterError)
        return error
    with pytest.raises(LetterError) as caught:
        word(content)
    return caught.value


# --- Word --------------------------------------------------------------------------------------


@pytest.mark.parametrize("blank_lines", [True, False])
def test_a_letter_in_word_is_the_letter_in_text(blank_lines: bool) -> None:
    text = letter_text(3)
    lines = text.split("\n") if blank_lines else [" ".join(p.split()) for p in text.split("\n\n")]
    made = load(Source("x.docx", "word", content=docx_of(lines)))
    assert parse(made).case.items == parse(Text("x", "x", text)).case.items


def test_what_a_reader_sees_is_read() -> None:
    row = f"<w:tr><w:tc>{paragraph('Date:')}</w:tc><w:tc>{paragraph('1/2/2016')}</w:tc></w:tr>"
    body = (
        paragraph("Seen.") + f"<w:tbl>{row}</w:tbl>"
        + f"<w:del>{paragraph('Deleted.')}</w:del><w:ins>{paragraph('Inserted.')}</w:ins>"
        + paragraph("Hidden.", "<w:rPr><w:vanish/></w:rPr>")
        + paragraph("Shown.", "<w:rPr><w:vanish w:val='false'/></w:rPr>")
        + "<w:p><w:r><w:instrText>HYPERLINK \"http://x\"</w:instrText></w:r>"
        + "<w:hyperlink><w:r><w:t>a link</w:t><w:tab/><w:t>on</w:t></w:r></w:hyperlink></w:p>"
    )  # fmt: skip
    macros = {"word/vbaProject.bin": b"AutoOpen", "word/_rels/document.xml.rels": b"http://x"}
    expected = ["Seen.", "Date: 1/2/2016", "Inserted.", "", "Shown.", "a link\ton"]
    assert [line for line in word(docx(body, macros)).split("\n") if line] == [
        line for line in expected if line
    ]


# --- Excel -------------------------------------------------------------------------------------


def test_a_workbook_is_a_table() -> None:
    found, told = read(xlsx([[], HEADER, ROW, [None] * 5, ["A-1", ROW[1], "Brace"]]))
    [record] = found
    assert isinstance(record, RawRecord)
    assert record.source == "a.xlsx row 3"
    letter = letter_from_record(record)
    assert letter.case.header.date_of_injury == date(2015, 3, 2)
    assert [item.title for item in letter.case.items] == ["MRI of the left wrist", "Brace"]
    [line] = told
    assert line == (
        "a.xlsx: column 'Letter ID' is read as 'letter_id', 'Case summary' is read as "
        "'case_summary', 'Treatment' is read as 'title', 'DOI' is read as 'date_of_injury'"
    )


def test_of_several_sheets_the_table_of_cases_is_read_and_that_is_told() -> None:
    found, told = read(xlsx([["Prices"], [1]], [HEADER, ROW], []))
    assert [f.source for f in found] == ["a.xlsx row 2"]
    assert told[-1] == "a.xlsx: only the sheet 2 of 2 is read"


def test_a_title_may_stand_above_the_header() -> None:
    found, told = read(xlsx([["December denials"], [], ["Printed by", "Ann"], HEADER, ROW]))
    [record] = found
    assert isinstance(record, RawRecord)
    assert record.source == "a.xlsx row 5"
    assert letter_from_record(record).case.letter_id == "A-1"
    assert told[-1] == "a.xlsx: the columns are named in row 4"


def test_a_table_without_a_header_is_refused_as_before() -> None:
    [error], _ = read(xlsx([["December denials"], *[ROW] * 20]))
    assert isinstance(error, LetterError)
    assert error.reason == "columns"
    assert "found are one name, which is not known" in error.message
    found, _ = read(xlsx([HEADER, ROW, HEADER, ROW]))  # only the first row is a header
    assert [isinstance(one, RawRecord) for one in found] == [True, True, False]


def test_numbers_are_ids_and_a_row_with_more_cells_is_named() -> None:
    found, _ = read(xlsx([HEADER, [7.0, *ROW[1:]], ["B", "x", "y", None, None, "extra"]]))
    assert isinstance(found[0], LetterError | RawRecord)
    by_kind = {type(f): f for f in found}
    assert letter_from_record(by_kind[RawRecord]).case.letter_id == "7"  # type: ignore[arg-type]
    assert by_kind[LetterError].source == "a.xlsx row 3"


def test_a_formula_is_not_computed() -> None:
    saved = '<c t="str"><f>HYPERLINK("http://x","Brace")</f><v>=Brace</v></c>'
    rows = ["<row>" + "".join(map(text_cell, ["letter_id", "case_summary", "title"])) + "</row>"]
    rows += [f"<row>{text_cell('A')}{text_cell('A cook.')}{saved}</row>"]
    [record], told = read(raw_xlsx("".join(rows)))
    assert isinstance(record, RawRecord)
    assert letter_from_record(record).case.items[0].title == "=Brace"
    assert told == ["a.xlsx: formulas are not computed; their saved results are read"]
    [unsaved], _ = read(xlsx([HEADER, [*ROW[:2], "=1+1", *ROW[3:]]]))
    assert isinstance(unsaved, RawRecord)
    with pytest.raises(LetterError, match="column 'title': received nothing"):
        letter_from_record(unsaved)


# --- hostile -----------------------------------------------------------------------------------

ENTITIES = "<!DOCTYPE x [<!ENTITY a 'lol'><!ENTITY b '&a;&a;'>]>"
OUTSIDE = "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>"
HEAD = "<row>" + "".join(map(text_cell, ["letter_id", "case_summary", "title"])) + "</row>"
DEEP = "<w:tbl><w:tr><w:tc>" * 20_000


def blanks(mebibytes: int) -> bytes:
    return b" " * (mebibytes * 2**20)


HOSTILE = {
    "truncated": (lambda: docx(paragraph("x" * 999))[:-40], "docx", "not_docx"),
    "not-a-zip": (lambda: b"plain text", "docx", "not_docx"),
    "no-document": (lambda: archive({"a.txt": "x"}), "docx", "not_docx"),
    "old-word": (lambda: b"\xd0\xcf\x11\xe0" + b"\0" * 512, "docx", "encrypted"),
    "zip-bomb": (lambda: archive({"word/document.xml": blanks(101)}), "docx", "too_large"),
    "bomb-beside": (
        lambda: docx(paragraph("x"), {"word/styles.xml": blanks(17)}), "docx", "too_large"
    ),
    "entities": (lambda: docx("&b;", head=ENTITIES), "docx", "not_docx"),
    "a-file-as-entity": (lambda: docx("&a;", head=OUTSIDE), "docx", "not_docx"),
    "cut-xml": (lambda: archive({"word/document.xml": "<w:p"}),
                "docx", "not_docx"),
    "truncated-table": (lambda: xlsx([HEADER, ROW])[:-40], "xlsx", "not_xlsx"),
    "no-workbook": (lambda: archive({"a.txt": "x"}), "xlsx", "not_xlsx"),
    "table-bomb": (lambda: raw_xlsx("", {"xl/sharedStrings.xml": blanks(101)}),
                   "xlsx", "too_large"),
    "huge-cell": (lambda: raw_xlsx(HEAD + f"<row>{text_cell('x' * 40_000)}</row>"),
                  "xlsx", "too_large"),
    "far-cell": (lambda: raw_xlsx(HEAD + f"<row r='2'>{text_cell('x', 'IW2')}</row>"),
                 "xlsx", "too_large"),
    "entities-in-a-table": (
        lambda: raw_xlsx("", {"xl/worksheets/sheet1.xml": ENTITIES + "<worksheet>&b;</worksheet>"}),
        "xlsx", "not_xlsx",
    ),
    "an-empty-workbook": (lambda: raw_xlsx(""), "xlsx", "empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_in_one_named_error(name: str) -> None:
    make, kind, reason = HOSTILE[name]
    content, found = make(), list[LetterError]()
    assert looks(lambda: found.append(refusal(content, kind))) < MANY_LOOKS
    assert found[0].reason == reason
    assert found[0].remedy
    assert found[0].source == f"a.{kind}"


def test_a_row_without_end_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 1_000)
    found, _ = read(raw_xlsx(HEAD + f"<row r='99999999999'>{text_cell('A')}</row>"))
    assert found == []


def test_deep_tables_are_no_recursion() -> None:
    body = DEEP + paragraph("deep") + "</w:tc></w:tr></w:tbl>" * 20_000
    assert word(docx(body)) == "deep"


def test_one_text_that_every_cell_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_RATIO", 1)
    text = "x" * 30_000
    rows = [["letter_id", "case_summary", "title"]] + [[str(n), text, "Brace"] for n in range(60)]
    found, _ = read(xlsx(rows))
    errors = [one for one in found if isinstance(one, LetterError)]
    assert [error.reason for error in errors] == ["too_large"]
    assert 0 < len(found) < 60


def test_office_files_are_listed_and_told_by_their_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.docx").write_bytes(docx(paragraph("x")))
    (tmp_path / "b.xlsx").write_bytes(xlsx([HEADER, ROW]))
    (tmp_path / "~$a.docx").write_bytes(b"locked")
    found = [one for one in sources([str(tmp_path)]) if isinstance(one, Source)]
    assert [(Path(one.path).name, one.kind) for one in found] == [
        ("a.docx", "word"), ("b.xlsx", "records"),
    ]  # fmt: skip
    for one, ending in zip(found, (".docx", ".xlsx"), strict=True):
        content = io.BytesIO(Path(one.path).read_bytes())
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(content))
        [piped] = sources(["-"])
        assert isinstance(piped, Source)
        assert piped.ending == ending
