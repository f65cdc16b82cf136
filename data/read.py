"""A source -> the text of one letter, its paragraphs separated by one blank line.

``load`` reads one of the sources that :mod:`imr.data.sources` lists, ``read`` lists and reads: PDF
(:mod:`imr.data.pdf`), Word (:mod:`imr.data.office`), and plain text in the layouts met: lines as
``pdftotext -layout`` prints them (indented, form feeds between pages), every line doubled by a
blank one (a paragraph ends at a line of one space or at more blank lines), no blank line at all,
and any line end.

PDFium is not thread-safe: letters are read in parallel by processes, never by threads.

Every failure is a :class:`~imr.data.letter.LetterError` with a reason: those of listing and, of
the content, ``empty``, ``corrupt``, ``encrypted``, ``image_only``, ``too_many_pages``,
``too_large``, ``not_pdf``, ``not_text``, ``not_docx``, ``records``.
"""

from __future__ import annotations

import codecs
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from imr.data.letter import LetterError, Text
from imr.data.office import word_text
from imr.data.sources import Source, content, sources

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
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
    """Read one letter.

    Raises:
        LetterError: for any content that is not a letter's text (see the module's reasons).
    """
    from imr.data.pdf import is_cut_off, is_pdf, pdf_text

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
        warnings = (cut,) if is_cut_off(data) else ()
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

    Raises:
        LetterError: reason ``not_text`` for NUL or many control bytes, or a broken encoding.
    """
    not_text = LetterError(
        source, "not_text", "binary content, not text", "save it as UTF-8 text or as PDF"
    )
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


# --- layout ------------------------------------------------------------------------------------

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

# A hyphen at the end of a line belongs to the word or date it breaks ("x-/ray", "10-30-/2016");
# a dash with a space before it does not.
# It begins with the hyphen, so that the search skips from hyphen to hyphen.
_BROKEN_WORD = re.compile(r"-(?<=\w-)[ \t]*\n\s*(?=\w)")

_FULL_LINE_SHARE = 0.6
"""A line that fills this share of the usual width and ends in mid-sentence goes on below."""

_DOUBLED_MAX_ADJACENT = 0.1
"""Of the lines of a doubled text at most one in ten stands right under another."""
_DOUBLED_MIN_CONTINUED = 0.2
"""Where one line in five goes on in lower case after a blank one, the blank ends no paragraph."""

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
    """Text with its paragraphs separated by one blank line, and whether it showed any.

    Lines keep their order and their words; white space at their ends is dropped.  Without a
    blank line in the text, the lines stand as they are.
    """
    lines = list(_printed(text))
    filler = _filler(lines[1:])
    widths = sorted(len(line) for *_, line in lines)
    full = _FULL_LINE_SHARE * widths[len(widths) * 9 // 10] if widths else 0.0
    result: list[str] = []
    for blanks, spaced, line in lines:
        ends = blanks > filler[0] or (spaced and not filler[1])
        if result and ends:
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
    if (
        not continued
        or adjacent > _DOUBLED_MAX_ADJACENT * len(lines)
        or len(continued) < _DOUBLED_MIN_CONTINUED * len(lines)
    ):
        return 0, True
    return Counter(continued).most_common(1)[0][0]
