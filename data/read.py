"""A source -> the text of one letter, its paragraphs separated by one blank line.

``load`` reads one of the sources that :mod:`imr.data.sources` lists, ``read`` lists and reads: PDF,
Word, and plain text in the layouts met.

Every failure is a :class:`~imr.data.letter.LetterError` with a reason: those of listing and, of
the content, ``empty``, ``corrupt``, ``encrypted``, ``image_only``, ``too_many_pages``,
``too_large``, ``not_pdf``, ``not_text``, ``not_docx``, ``records``.
"""

from __future__ import annotations

import codecs
import ctypes
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import IO, Any

from imr.data.letter import LetterError, Text
from imr.data.sources import Source, content, is_pdf, not_office, office_archive, sources

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_END_WITHIN = 2048  # bytes: where the end mark of a PDF stands
_MAX_CONTROL_SHARE = 0.01
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b"))


def read(paths: Iterable[str]) -> Iterator[Text | LetterError]:
    """Read every letter under ``paths``, one at a time; a letter that fails yields its error."""
    for source in sources(paths):
        try:
            yield source if isinstance(source, LetterError) else load(source)
        except LetterError as error:
            yield error


def load(source: Source) -> Text:
    """Read one letter; a :class:`LetterError` for any content that is not a letter's text."""
    name = source.name
    if source.kind == "records":
        problem, remedy = "a file of case records, not a letter", "read it as records"
        raise LetterError(name, "records", problem, remedy)
    data = content(source)
    if source.kind == "pdf":
        if not is_pdf(data):
            problem, remedy = "not a PDF in spite of its ending", "give it its true ending"
            raise LetterError(name, "not_pdf", problem, remedy)
        text = visible(pdf_text(data, name))
        cut = "the end mark of the PDF is missing: pages may be lost"
        warnings = (cut,) if b"%%EOF" not in data[-_END_WITHIN:] else ()
        return Text(source.letter_id, name, text, warnings)
    if source.kind == "text" and is_pdf(data):
        problem, remedy = "a PDF in spite of its ending", "give it the ending .pdf"
        raise LetterError(name, "not_text", problem, remedy)
    word = source.kind == "word"
    text = paragraphs(word_text(name, io.BytesIO(data)) if word else decoded(data, name))
    if not text:
        raise LetterError(name, "empty", "the file is empty", "fetch the file again")
    return Text(source.letter_id, name, text)


def decoded(data: bytes, source: str) -> str:
    """Text in UTF-8, UTF-16 or UTF-32 with its mark, else in Windows' Western code page.

    NUL, many control bytes or a broken encoding raise ``not_text``.
    """
    remedy = "save it as UTF-8 text or as PDF"
    not_text = LetterError(source, "not_text", "binary content, not text", remedy)
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                raise not_text from None
    controls = len(data) - len(data.translate(None, _CONTROL_BYTES))
    if b"\0" in data or controls > _MAX_CONTROL_SHARE * max(len(data), 1):
        raise not_text
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


# --- the layout of a text ----------------------------------------------------------------------
#
# Lines as ``pdftotext -layout`` prints them (indented, form feeds between pages), every line
# doubled by a blank one (a paragraph ends at a line of one space or at more blank lines), no blank
# line at all, and any line end.

_SENTENCE_END = ".:?!"
_LINE_END = re.compile(r"\r\n?|[\x0b\x1c-\x1e\x85\u2028]")
_PARAGRAPH_END = "\u2029"
_INVISIBLE = {
    code: None
    for span in ((0x00, 0x08), (0x0E, 0x1B), (0x7F, 0x84), (0x86, 0x9F), (0xAD, 0xAD),
                 (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2069), (0xD800, 0xDFFF),
                 (0xFEFF, 0xFEFF), (0xFFFE, 0xFFFF))
    for code in range(span[0], span[1] + 1)
}  # fmt: skip
"""Characters without width: they would split a word that a reader sees whole."""
_SPACES = dict.fromkeys(
    (0x09, 0x0B, 0x0C, 0x0D, *range(0x1C, 0x20), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
     0x2028, 0x2029, 0x202F, 0x205F, 0x3000),
    " ",
)  # fmt: skip
_PLAIN = _INVISIBLE | _SPACES

# A hyphen at the end of a line belongs to the word or date it breaks ("x-/ray", "10-30-/2016"); a
# dash with a space before it does not.  The search skips from hyphen to hyphen.
_BROKEN_WORD = re.compile(r"-(?<=\w-)[ \t]*\n\s*(?=\w)")

_FULL_LINE_SHARE = 0.6
"""A line that fills this share of the usual width and ends in mid-sentence goes on below."""

_DOUBLED_MAX_ADJACENT = 0.1  # of the lines of a doubled text, those right under another
_DOUBLED_MIN_CONTINUED = 0.2  # and those that go on in lower case after a blank one

Printed = tuple[int, bool, str]
"""How many blank lines stand above a printed line, whether they hold a space, and the line."""


def visible(text: str) -> str:
    """The text without characters of no width, every kind of space a plain one."""
    return text.translate(_PLAIN)


def collapse(text: str) -> str:
    """White space collapsed to single blanks, words broken at a line end joined again."""
    if "-" in text:
        text = _BROKEN_WORD.sub("-", text)
    return " ".join(text.split())


def paragraphs(text: str) -> str:
    """Text with its paragraphs separated by one blank line; lines keep their order and words, and
    without a blank line in the text they stand as they are.
    """
    lines = list(_printed(text))
    filler_blanks, filler_spaced = _filler(lines[1:])
    widths = sorted(len(line) for *_, line in lines)
    full = _FULL_LINE_SHARE * widths[len(widths) * 9 // 10] if widths else 0.0
    result: list[str] = []
    for blanks, spaced, line in lines:
        if result and (blanks > filler_blanks or (spaced and not filler_spaced)):
            last = result[-1]
            # Blank lines stand inside of a sentence at page ends.
            if not line[0].islower() or last[-1] in _SENTENCE_END or len(last) < full:
                result.append("")
        result.append(line)
    return "\n".join(result)


def _printed(text: str) -> Iterator[Printed]:
    """The printed lines, stripped; a page break is a blank line only where a sentence ends."""
    last, blanks, spaced = "", 0, False
    for page in _LINE_END.sub("\n", text).replace(_PARAGRAPH_END, "\n\n").split("\f"):
        lines = visible(page).strip().split("\n")
        if last and last[-1] in _SENTENCE_END and lines[0] and not lines[0][0].islower():
            blanks, spaced = 1, True
        for line in lines if lines[0] else ():
            if printed := line.strip():
                yield blanks, spaced, printed
                last, blanks, spaced = printed, 0, False
            else:
                blanks, spaced = blanks + 1, spaced or line != ""


def _filler(lines: list[Printed]) -> tuple[int, bool]:
    """What is put between any two lines of a doubled text: how many blank lines, and whether they
    hold a space; none of a text that is not doubled.
    """
    adjacent = sum(not blanks for blanks, *_ in lines)
    continued = [(blanks, spaced) for blanks, spaced, line in lines if blanks and line[0].islower()]
    few = len(continued) < _DOUBLED_MIN_CONTINUED * len(lines)
    if not continued or few or adjacent > _DOUBLED_MAX_ADJACENT * len(lines):
        return 0, True
    return Counter(continued).most_common(1)[0][0]


# --- Word --------------------------------------------------------------------------------------

# Taken out or moved away by a tracked change; instructions of a field; a second form of a text box.
_NOT_SHOWN = {"del", "moveFrom", "instrText", "Fallback"}
_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_OFF = ("0", "false", "off")


def word_text(name: str, content: IO[bytes]) -> str:
    """The body of a Word letter, a paragraph or table row a line, as a reader sees it.

    Where no paragraph is blank they are set apart by a blank line, as Word does by a distance.
    Raises ``not_docx``, ``encrypted``, ``too_large``.
    """
    archive = office_archive(name, "docx", content)
    try:
        with archive.open("word/document.xml") as body:
            lines = [line for text in _word_lines(body) for line in text.split("\n")]
    except KeyError:
        raise not_office(name, "docx", "it holds no text of a Word letter") from None
    except Exception as error:  # noqa: BLE001 - a damaged archive makes zipfile and XML raise anything
        raise not_office(name, "docx", error) from None
    while lines and not lines[-1].strip():
        lines.pop()
    apart = "\n" if any(not line.strip() for line in lines) else "\n\n"
    return apart.join(lines)


def _word_lines(body: IO[bytes]) -> Iterator[str]:
    """The text of each paragraph and table row that stands in no other row, as it ends."""
    from defusedxml.ElementTree import iterparse

    skipped, hidden = 0, False
    texts: list[list[str]] = []  # of the paragraphs that have begun
    rows: list[list[str]] = []
    for event, element in iterparse(body, ("start", "end"), forbid_dtd=True):
        tag = element.tag.rpartition("}")[2]
        if event == "start":
            skipped += tag in _NOT_SHOWN
            hidden = hidden and tag != "r"
            if tag in ("p", "tr"):
                (texts if tag == "p" else rows).append([])
            continue
        skipped -= tag in _NOT_SHOWN
        if tag == "vanish":
            hidden = not any(value in _OFF for value in element.attrib.values())
        elif (tag == "t" or tag in _SIGNS) and texts and not skipped and not hidden:
            texts[-1].append(_SIGNS.get(tag, element.text or ""))
        elif tag in ("p", "tr"):
            element.clear()
            line = "".join(texts.pop()) if tag == "p" else " ".join(filter(None, rows.pop()))
            if rows and not skipped:
                rows[-1].append(line.strip())
            elif not skipped:
                yield line


# --- PDF -----------------------------------------------------------------------------------------
#
# PDFium is not thread-safe: letters are read in parallel by processes, never by threads.
#
# It gives lines without the space between them.  Blank lines are rebuilt from the baselines, and
# a bold line after a regular one opens a paragraph (headings and item titles are bold), also across
# a page break, where no distance can be measured.

MAX_PAGES = 300
"""Real letters have 2 to 6 pages; 21 items fill about 20.  A report of thousands is no letter."""

MAX_PAGE_CHARS = 200_000
"""A page set in 12 pt holds about 4,000 characters; a page of millions is made to stall."""

BOLD_WEIGHT = 600
SAME_BASELINE_PT = 2.0
PARAGRAPH_GAP = 1.3
"""A gap of more than 1.3 line pitches separates paragraphs (in real letters 1.45 or more)."""

_LOOK_BACK_ROWS = 4  # a piece of a table row stands at most this many lines after its row
_FONT_NAME_BYTES = 128
_TRIED_CHARS = 100  # of a page, to see which way its text stands
_SOFT_HYPHEN = "\ufffe"  # PDFium's sign for a hyphen at the end of a line


@dataclass(slots=True)
class Row:
    """A printed line: baseline in points (upwards), its text, and the gap to the line above, which
    is None for the first line of a page.
    """

    baseline: float
    left: float
    gap: float | None
    bold: bool
    text: str


def pdf_text(content: bytes, source: str) -> str:
    """Text of a PDF, one printed line a line, paragraphs separated by one blank line.

    Raises ``corrupt``, ``encrypted``, ``image_only``, ``too_many_pages``, ``too_large``.
    """
    from pypdfium2 import PdfDocument, raw

    handle = raw.FPDF_LoadMemDocument64(content, len(content), None)
    if not handle:
        if raw.FPDF_GetLastError() in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            problem, remedy = "the PDF is encrypted", "save a copy without a password"
            raise LetterError(source, "encrypted", problem, remedy)
        raise _corrupt(source, "the PDF is damaged and cannot be opened")
    with closing(PdfDocument(handle)) as document:
        count = len(document)
        if count < 1:
            raise _corrupt(source, "the PDF has no pages")
        if count > MAX_PAGES:
            problem = f"the PDF has {count} pages, a letter at most {MAX_PAGES}"
            raise LetterError(source, "too_many_pages", problem, "split it into letters")
        rows = [row for number in range(count) for row in _page_rows(document, number, source)]
    if not rows:
        problem = "the PDF has pages but no text, as a scan has"
        raise LetterError(source, "image_only", problem, "run text recognition (OCR) on it first")
    return _joined(rows)


def _corrupt(source: str, message: str) -> LetterError:
    return LetterError(source, "corrupt", message, "fetch the file again")


def _page_rows(document: Any, number: int, source: str) -> list[Row]:
    from pypdfium2 import PdfiumError

    what = f"page {number + 1} of the PDF"
    try:
        with closing(document[number]) as page:
            what = f"the text of {what}"
            text_page = page.get_textpage()
            rotation = _text_rotation(text_page)
            if rotation * 90 != page.get_rotation():
                # The page was put on its side or head: PDFium reads it only as a reader would.
                page.set_rotation(rotation * 90)
                text_page = page.get_textpage()
            return _merged(_pieces(text_page, rotation, source))
    except PdfiumError:
        raise _corrupt(source, f"{what} cannot be read") from None


def _text_rotation(text_page: Any) -> int:
    """The quarter turns of a page at which most of its text stands upright for a reader."""
    from pypdfium2.raw import FPDFText_GetCharAngle as angle_of

    count = text_page.count_chars()
    angles = (angle_of(text_page, at) for at in range(0, count, max(1, count // _TRIED_CHARS)))
    turns = Counter(round(-2 * angle / math.pi) % 4 for angle in angles if angle >= 0)
    return turns.most_common(1)[0][0] if turns else 0


def _characters(text_page: Any, source: str) -> str:
    """The page's characters, as many as PDFium counts or some less."""
    from pypdfium2.raw import FPDFText_GetText

    count = text_page.count_chars()
    if count > MAX_PAGE_CHARS:
        problem = f"a page of the PDF holds {count} characters, at most {MAX_PAGE_CHARS} are read"
        raise LetterError(source, "too_large", problem, "check that it is a letter")
    buffer = (ctypes.c_ushort * (count + 1))()
    written = FPDFText_GetText(text_page, 0, count, buffer) if count else 0
    return bytes(buffer)[: 2 * max(written - 1, 0)].decode("utf-16-le", "replace")


def _pieces(text_page: Any, rotation: int, source: str) -> Iterator[Row]:
    """The runs of text between PDFium's line ends, each with the place of its first character.

    A run with a soft hyphen spans two printed lines: its row then has the baseline of the
    second, for the distance to the line below is what counts.
    """
    from pypdfium2 import raw as pdfium

    def place(index: int) -> tuple[float, float]:
        """Baseline (upwards) and left edge of a character, as the reader sees them."""
        to_right, to_top = ctypes.c_double(), ctypes.c_double()
        pdfium.FPDFText_GetCharOrigin(text_page, index, to_right, to_top)
        x, y = to_right.value, to_top.value
        return ((y, x), (-x, y), (-y, -x), (x, -y))[rotation]

    text = _characters(text_page, source)
    start = 0
    for line in text.split("\r\n"):
        if printed := line.strip():
            index = start if line[0] != " " else start + len(line) - len(line.lstrip())
            if len(text) != text_page.count_chars():
                index = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, index)
            baseline, left = place(index)
            row = Row(baseline, left, 0.0, _is_bold(text_page, index), printed)
            if _SOFT_HYPHEN in line:
                row.gap = baseline - place(index + printed.rindex(_SOFT_HYPHEN) + 1)[0]
                row.text = printed.replace(_SOFT_HYPHEN, "-")
            yield row
        start += len(line) + 2


def _is_bold(text_page: Any, index: int) -> bool:
    from pypdfium2 import raw as pdfium

    weight: int = pdfium.FPDFText_GetFontWeight(text_page, index)
    if weight > 0:
        return weight >= BOLD_WEIGHT
    # The standard fonts of PDF state no weight.
    name, flags = ctypes.create_string_buffer(_FONT_NAME_BYTES), ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(text_page, index, name, _FONT_NAME_BYTES, flags)
    return b"bold" in name.value.lower()


def _merged(pieces: Iterator[Row]) -> list[Row]:
    """Rows of a page: pieces on one baseline (cells of the header table) joined on one row.

    On the way in, ``gap`` holds how far a piece reaches below its first line; on the way out
    it is the distance to the row above.
    """
    rows: list[Row] = []
    bottom: float | None = None
    for piece in pieces:
        if bottom is not None and piece.baseline > bottom - SAME_BASELINE_PT:
            # The recent row on whose baseline it stands, to the right of what that holds.
            recent = reversed(rows[-_LOOK_BACK_ROWS:])
            beside = (r for r in recent if abs(r.baseline - piece.baseline) <= SAME_BASELINE_PT)
            if row := next((row for row in beside if piece.left > row.left), None):
                row.text, row.left = f"{row.text} {piece.text}", piece.left
                continue
        below = piece.gap or 0.0
        piece.gap = None if bottom is None else bottom - piece.baseline
        bottom = piece.baseline - below
        rows.append(piece)
    return rows


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
