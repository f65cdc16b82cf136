"""Documents for the tests of reading, and what reading them gives."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from imr.data import read
from imr.data.letter import LetterError, Text
from imr.data.read import load
from imr.data.sources import Source, sources

PITCH = 13.8
REGULAR, BOLD = "Times-Roman", "Times-Bold"

Line = tuple[float, str, str]  # the distance to the line above in points, the font, the words


def pdf_bytes(*pages: list[Line], **options: object) -> bytes:
    """A PDF with the given lines on its pages."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(612, 792), **options)
    for page in pages:
        y = 720.0
        for gap, font, words in page:
            y -= gap
            canvas.setFont(font, 12)
            canvas.drawString(72, y, words)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def plain_pdf(words: str = "A letter of one line.") -> bytes:
    return pdf_bytes([(0, REGULAR, words)])


def text_of(content: bytes, tmp_path: Path, name: str = "letter.pdf") -> Text:
    file = tmp_path / name
    file.write_bytes(content)
    return load(only(sources([str(file)])))


def only(found: object) -> Source:
    [source] = found  # type: ignore[misc]
    assert isinstance(source, Source)
    return source


def failure(paths: list[str]) -> LetterError:
    """The one failure that reading the paths ends in."""
    [error] = list(read.read(paths))
    assert isinstance(error, LetterError)
    return error


def zipped(tmp_path: Path, members: dict[str, bytes], name: str = "letters.zip") -> str:
    path = tmp_path / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return str(path)
