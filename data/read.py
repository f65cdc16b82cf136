"""A source -> the text of one letter, with its layout kept.

``load`` reads one of the sources that :mod:`imr.data.sources` lists; ``read`` lists and reads.
PDFium is not thread-safe: letters are read in parallel by processes, never by threads.

Every failure is a :class:`~imr.data.letter.LetterError` with a reason: those of listing and, of
the content, ``empty``, ``corrupt``, ``encrypted``, ``image_only``, ``too_many_pages``,
``too_large``, ``not_pdf``, ``not_text``, ``not_docx``, ``records``.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from imr.data.layout import paragraphs, visible
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


def read(paths: Iterable[str], stdin: BinaryIO | None = None) -> Iterator[Text | LetterError]:
    """Read every letter under ``paths``, one at a time; a letter that fails yields its error."""
    for source in sources(paths, stdin):
        if isinstance(source, LetterError):
            yield source
            continue
        try:
            yield load(source)
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
    if source.kind == "word":
        return _laid_out(source, word_text(name, io.BytesIO(data)))
    if source.kind == "text":
        if is_pdf(data):
            problem, remedy = "a PDF in spite of its ending", "give it the ending .pdf"
            raise LetterError(name, "not_text", problem, remedy)
        return _laid_out(source, decoded(data, name))
    if not is_pdf(data):
        problem, remedy = "not a PDF in spite of its ending", "give it its true ending"
        raise LetterError(name, "not_pdf", problem, remedy)
    text = visible(pdf_text(data, name))
    cut = "the end mark of the PDF is missing: pages may be lost"
    return Text(source.letter_id, name, text, "\n\n" in text, (cut,) if is_cut_off(data) else ())


def _laid_out(source: Source, text: str) -> Text:
    text, has_paragraphs = paragraphs(text)
    if not text:
        raise LetterError(source.name, "empty", "the file is empty", "fetch the file again")
    return Text(source.letter_id, source.name, text, has_paragraphs)


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
