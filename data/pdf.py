"""Text of a PDF letter with its layout, through PDFium.

PDFium gives lines without the space between them.  The blank lines are rebuilt from the
baselines, and a bold line after a regular one opens a paragraph (headings and item titles are
bold), also across a page break, where no distance can be measured.

PDFium is not thread-safe: call this from one thread of a process, and use processes for more.
"""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from imr.data.letter import LetterError

MAX_PAGES = 300
"""Real letters have 2 to 6 pages; 21 items fill about 20.  A report of thousands is no letter."""

MAX_PAGE_CHARS = 200_000
"""A page set in 12 pt holds about 4,000 characters; a page of millions is made to stall."""

BOLD_WEIGHT = 600
SAME_BASELINE_PT = 2.0
PARAGRAPH_GAP = 1.3
"""A gap of more than 1.3 line pitches separates paragraphs (in real letters 1.45 or more)."""

_HEADER_WITHIN = 1024  # the PDF standard lets up to 1,024 bytes of other matter precede the mark
_END_WITHIN = 2048
_LOOK_BACK_ROWS = 4  # a piece of a table row stands at most this many lines after its row
_FONT_NAME_BYTES = 128
_TRIED_CHARS = 100  # of a page, to see which way its text stands
_PASSWORD, _SECURITY = 4, 5  # FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY
_SOFT_HYPHEN = "\ufffe"  # PDFium's sign for a hyphen at the end of a line


@dataclass(slots=True)
class Row:
    """A printed line: baseline in points (upwards), the gap to the line above, its text.

    ``gap`` is None for the first line of a page.
    """

    baseline: float
    left: float
    gap: float | None
    bold: bool
    text: str


def is_pdf(content: bytes) -> bool:
    """True where the bytes carry the PDF mark in the place where readers look for it."""
    return b"%PDF-" in content[:_HEADER_WITHIN]


def is_cut_off(content: bytes) -> bool:
    """True where the end mark of a PDF is missing, so that pages may be missing too."""
    return b"%%EOF" not in content[-_END_WITHIN:]


def pdf_text(content: bytes, source: str) -> str:
    """Text of a PDF, one printed line a line, paragraphs separated by one blank line.

    Raises:
        LetterError: reasons ``corrupt``, ``encrypted``, ``image_only``, ``too_many_pages``,
            ``too_large``.
    """
    text = _joined(_rows(content, source))
    if not text:
        problem = "the PDF has pages but no text, as a scan has"
        raise LetterError(source, "image_only", problem, "run text recognition (OCR) on it first")
    return text


def _rows(content: bytes, source: str) -> list[Row]:
    from pypdfium2 import raw as pdfium

    document = pdfium.FPDF_LoadMemDocument64(content, len(content), None)
    if not document:
        if pdfium.FPDF_GetLastError() in (_PASSWORD, _SECURITY):
            problem, remedy = "the PDF is encrypted", "save a copy without a password"
            raise LetterError(source, "encrypted", problem, remedy)
        raise _corrupt(source, "the PDF is damaged and cannot be opened")
    try:
        count = pdfium.FPDF_GetPageCount(document)
        if count < 1:
            raise _corrupt(source, "the PDF has no pages")
        if count > MAX_PAGES:
            problem = f"the PDF has {count} pages, a letter at most {MAX_PAGES}"
            raise LetterError(source, "too_many_pages", problem, "split it into letters")
        numbers = range(count)
        return [row for n in numbers for row in _page_rows(pdfium, document, n, source)]
    finally:
        pdfium.FPDF_CloseDocument(document)


def _corrupt(source: str, message: str) -> LetterError:
    return LetterError(source, "corrupt", message, "fetch the file again")


def _page_rows(pdfium: Any, document: Any, number: int, source: str) -> list[Row]:
    page = pdfium.FPDF_LoadPage(document, number)
    if not page:
        raise _corrupt(source, f"page {number + 1} of the PDF cannot be read")
    try:
        with _text_page(pdfium, page, number, source) as text_page:
            rotation = _text_rotation(pdfium, text_page)
            if rotation == pdfium.FPDFPage_GetRotation(page):
                return _merged(_pieces(pdfium, text_page, rotation, source))
        # The page was put on its side or head: PDFium reads it only as a reader would turn it.
        pdfium.FPDFPage_SetRotation(page, rotation)
        with _text_page(pdfium, page, number, source) as text_page:
            return _merged(_pieces(pdfium, text_page, rotation, source))
    finally:
        pdfium.FPDF_ClosePage(page)


@contextmanager
def _text_page(pdfium: Any, page: Any, number: int, source: str) -> Iterator[Any]:
    text_page = pdfium.FPDFText_LoadPage(page)
    if not text_page:
        raise _corrupt(source, f"the text of page {number + 1} of the PDF cannot be read")
    try:
        yield text_page
    finally:
        pdfium.FPDFText_ClosePage(text_page)


def _text_rotation(pdfium: Any, text_page: Any) -> int:
    """The quarter turns of a page at which most of its text stands upright for a reader."""
    count = pdfium.FPDFText_CountChars(text_page)
    step = max(1, count // _TRIED_CHARS)
    angles = (pdfium.FPDFText_GetCharAngle(text_page, at) for at in range(0, count, step))
    turns = Counter(round(-2 * angle / math.pi) % 4 for angle in angles if angle >= 0)
    return turns.most_common(1)[0][0] if turns else 0


def _characters(pdfium: Any, text_page: Any, source: str) -> tuple[str, bool]:
    """The page's characters, and whether an index into them is PDFium's character index."""
    count = pdfium.FPDFText_CountChars(text_page)
    if count > MAX_PAGE_CHARS:
        problem = f"a page of the PDF holds {count} characters, at most {MAX_PAGE_CHARS} are read"
        raise LetterError(source, "too_large", problem, "check that it is a letter")
    if count < 1:
        return "", True
    buffer = (ctypes.c_ushort * (count + 1))()
    written = pdfium.FPDFText_GetText(text_page, 0, count, buffer)
    text = bytes(buffer)[: 2 * max(written - 1, 0)].decode("utf-16-le", "replace")
    return text, len(text) == count


def _pieces(pdfium: Any, text_page: Any, rotation: int, source: str) -> Iterator[Row]:
    """The runs of text between PDFium's line ends, each with the place of its first character.

    A run with a soft hyphen spans two printed lines: its row then has the baseline of the
    second, for the distance to the line below is what counts.
    """
    text, same_index = _characters(pdfium, text_page, source)
    x, y = ctypes.c_double(), ctypes.c_double()
    origin = pdfium.FPDFText_GetCharOrigin
    start = 0
    for line in text.split("\r\n"):
        printed = line.strip()
        if printed:
            index = start if line[0] != " " else start + len(line) - len(line.lstrip())
            if not same_index:
                index = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, index)
            origin(text_page, index, x, y)
            baseline, left = _upright(x.value, y.value, rotation)
            row = Row(baseline, left, 0.0, _is_bold(pdfium, text_page, index), printed)
            if _SOFT_HYPHEN in line:
                last = index + printed.rindex(_SOFT_HYPHEN) + 1
                if origin(text_page, last, x, y):
                    row.gap = baseline - _upright(x.value, y.value, rotation)[0]
                row.text = printed.replace(_SOFT_HYPHEN, "-")
            yield row
        start += len(line) + 2


def _is_bold(pdfium: Any, text_page: Any, index: int) -> bool:
    """By the font's weight, or by its name: the standard fonts of PDF state no weight."""
    weight: int = pdfium.FPDFText_GetFontWeight(text_page, index)
    if weight > 0:
        return weight >= BOLD_WEIGHT
    name, flags = ctypes.create_string_buffer(_FONT_NAME_BYTES), ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(text_page, index, name, _FONT_NAME_BYTES, flags)
    return b"bold" in name.value.lower()


def _upright(x: float, y: float, rotation: int) -> tuple[float, float]:
    """Baseline (upwards) and left edge as the reader of a rotated page sees them."""
    if rotation == 0:
        return y, x
    return ((-x, y), (-y, -x), (x, -y))[rotation - 1]


def _merged(pieces: Iterator[Row]) -> list[Row]:
    """Rows of a page: pieces on one baseline (cells of the header table) joined on one row.

    On the way in, ``gap`` holds how far a piece reaches below its first line; on the way out
    it is the distance to the row above.
    """
    rows: list[Row] = []
    bottom: float | None = None
    for piece in pieces:
        if bottom is not None and piece.baseline > bottom - SAME_BASELINE_PT:
            row = _row_of(rows, piece)
            if row is not None:
                row.text, row.left = f"{row.text} {piece.text}", piece.left
                continue
        below = piece.gap or 0.0
        piece.gap = None if bottom is None else bottom - piece.baseline
        bottom = piece.baseline - below
        rows.append(piece)
    return rows


def _row_of(rows: list[Row], piece: Row) -> Row | None:
    """The recent row on whose baseline a piece stands, to the right of what it holds."""
    recent = reversed(rows[-_LOOK_BACK_ROWS:])
    beside = (r for r in recent if abs(r.baseline - piece.baseline) <= SAME_BASELINE_PT)
    return next((row for row in beside if piece.left > row.left), None)


def _joined(rows: list[Row]) -> str:
    """Lines joined, a blank one where the distance or the change to bold says a new paragraph."""
    # The usual distance of two lines: the smallest that one gap in seven has.
    gaps = Counter(round(2 * row.gap) / 2 for row in rows if row.gap is not None and row.gap > 0)
    usual = [gap for gap, times in gaps.items() if times >= sum(gaps.values()) / 7]
    widest = PARAGRAPH_GAP * min(usual, default=0.0)
    lines: list[str] = []
    bold = True
    for row in rows:
        if (row.gap is not None and row.gap > widest) or (row.bold and not bold):
            lines.append("")
        lines.append(row.text)
        bold = row.bold
    return "\n".join(lines)
