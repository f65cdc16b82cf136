"""PDF letters: their paragraphs, and a name for every fault."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import pytest
from pypdfium2 import PdfDocument
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from imr.data import read
from imr.data.letter import LetterError, Text
from imr.data.read import load
from imr.data.sources import Source
from tests.data.documents import (
    BOLD,
    PITCH,
    REGULAR,
    failure,
    pdf_bytes,
    plain_pdf,
    text_of,
)

# --- PDF layout ------------------------------------------------------------------------------


def test_a_wide_gap_and_a_bold_start_open_a_paragraph(tmp_path: Path) -> None:
    content = pdf_bytes(
        [
            (0, BOLD, "A HEADING"),
            (20, REGULAR, "First line of a paragraph,"),
            (PITCH, REGULAR, "its second line,"),
            (PITCH, REGULAR, "its third."),
            (2 * PITCH, REGULAR, "Next paragraph."),
            (PITCH, BOLD, "Bold title without a gap"),
            (PITCH, BOLD, "on two lines: Upheld"),
            (PITCH, REGULAR, "going on below it"),
        ],
        [(0, REGULAR, "and on the next page."), (PITCH, BOLD, "Bold after the page")],
        [(0, BOLD, "Bold goes on"), (PITCH, REGULAR, "and ends.")],
        [(0, BOLD, "Bold opens a page.")],
    )
    assert text_of(content, tmp_path).text == (
        "A HEADING\n\n"
        "First line of a paragraph,\nits second line,\nits third.\n\n"
        "Next paragraph.\n\n"
        "Bold title without a gap\non two lines: Upheld\ngoing on below it\n"
        "and on the next page.\n\n"
        "Bold after the page\nBold goes on\nand ends.\n\n"
        "Bold opens a page."
    )


def test_cells_on_one_baseline_stand_on_one_line(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(612, 792))
    canvas.setFont(BOLD, 12)
    for x, y, words in [
        (72, 700, "Priority: Standard"),
        (329, 700, "Application"),
        (329, 687, "Received:"),
        (427, 700, "03/04/2017"),
        (72, 660, "Next"),
    ]:
        canvas.drawString(x, y, words)
    canvas.save()
    lines = text_of(buffer.getvalue(), tmp_path).text.split("\n")
    assert lines == ["Priority: Standard Application 03/04/2017", "Received:", "", "Next"]


def test_double_spacing_is_no_paragraph(tmp_path: Path) -> None:
    lines = [(2 * PITCH, REGULAR, f"line {n} of a letter set wide") for n in range(12)]
    read_back = text_of(pdf_bytes(lines), tmp_path)
    assert "\n\n" not in read_back.text
    assert len(read_back.text.split("\n")) == 12


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_rotated_page_keeps_its_paragraphs(tmp_path: Path, rotation: int) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(792, 612) if rotation in (90, 270) else (612, 792))
    canvas.setPageRotation(rotation)
    if rotation == 90:
        canvas.translate(792, 0)
    elif rotation == 180:
        canvas.translate(612, 792)
    elif rotation == 270:
        canvas.translate(0, 612)
    canvas.rotate(rotation)
    for y, words in [(500, "one"), (486, "two"), (472, "three"), (440, "four"), (426, "five")]:
        canvas.drawString(72, y, words)
    canvas.save()
    assert text_of(buffer.getvalue(), tmp_path).text == "one\ntwo\nthree\n\nfour\nfive"


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize("pages", ["every page", "the last page"])
def test_a_letter_on_its_side_or_head_is_read(
    turn: int, pages: str, samples: Path, tmp_path: Path
) -> None:
    """As a scanner or a printer leaves it: the text stays, the page is shown turned."""
    letters = sorted(samples.glob("*.pdf"))
    assert letters
    for letter in letters:
        document = PdfDocument(letter)
        for page in list(document)[0 if pages == "every page" else -1 :]:
            page.set_rotation(turn)
        turned = io.BytesIO()
        document.save(turned)
        document.close()
        read_back = text_of(turned.getvalue(), tmp_path, letter.name)
        assert read_back.text == load(Source(str(letter), "pdf")).text


def test_a_hyphen_at_a_line_end_stays_a_hyphen(tmp_path: Path) -> None:
    content = pdf_bytes([(0, REGULAR, "relief of right-"), (PITCH, REGULAR, "sided pain")])
    assert text_of(content, tmp_path).text == "relief of right-sided pain"


def test_a_pdf_without_its_end_is_read_with_a_warning(tmp_path: Path) -> None:
    content = plain_pdf()
    whole = text_of(content, tmp_path)
    cut = text_of(content[: content.rindex(b"startxref")], tmp_path)
    assert (whole.text, whole.warnings) == ("A letter of one line.", ())
    assert cut.text == whole.text
    assert cut.warnings == ("the end mark of the PDF is missing: pages may be lost",)


# --- faults in PDFs --------------------------------------------------------------------------


def pdf_faults() -> dict[str, tuple[bytes, str]]:
    locked = StandardEncryption("secret", ownerPassword="owner", strength=128)
    return {
        "no bytes": (b"", "empty"),
        "white space": (b" \n\n ", "empty"),
        "text": (b"A letter in plain words.", "not_pdf"),
        "a page of the web": (b"<html><body>Not found</body></html>", "not_pdf"),
        "mark only": (b"%PDF-1.7\n", "corrupt"),
        "cut in half": (plain_pdf()[:300], "corrupt"),
        "password": (pdf_bytes([(0, REGULAR, "hidden")], encrypt=locked), "encrypted"),
        "empty page": (pdf_bytes([]), "image_only"),
        "a drawing": (pdf_bytes([(0, REGULAR, " ")]), "image_only"),
        "a book": (pdf_bytes(*[[] for _ in range(read.MAX_PAGES + 1)]), "too_many_pages"),
    }


@pytest.mark.parametrize("name", pdf_faults())
def test_a_fault_of_a_pdf_has_its_name(name: str, tmp_path: Path) -> None:
    content, reason = pdf_faults()[name]
    file = tmp_path / "letter.pdf"
    file.write_bytes(content)
    error = failure([str(file)])
    assert error.reason == reason
    assert error.source == str(file)
    assert error.remedy
    assert "\n" not in str(error)


def test_a_page_of_too_many_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MAX_PAGE_CHARS", 10)
    with pytest.raises(LetterError) as caught:
        text_of(plain_pdf(), tmp_path)
    assert caught.value.reason == "too_large"


def test_an_owner_password_alone_does_not_lock_a_letter(tmp_path: Path) -> None:
    free = StandardEncryption("", ownerPassword="owner", strength=128)
    assert text_of(pdf_bytes([(0, REGULAR, "Open.")], encrypt=free), tmp_path).text == "Open."


# --- real letters ----------------------------------------------------------------------------


def test_headings_of_real_letters_open_paragraphs(real_letters: Path) -> None:
    """But for a heading right under a line that opens bold too: three in these letters."""
    headings = ("CLINICAL CASE SUMMARY", "MAXIMUS guideline:", "Decision rationale:")
    above = [
        above
        for text in read.read([str(real_letters / "pdf")])
        if isinstance(text, Text)
        for above, line in pairwise(text.text.split("\n"))
        if line.startswith(headings)
    ]
    assert len(above) == 130 + 2 * 286
    assert [line for line in above if line and not line.startswith(headings)] == []
    assert len([line for line in above if line]) == 3
