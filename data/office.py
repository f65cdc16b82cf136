"""Text of Word letters (``.docx``) and rows of Excel tables (``.xlsx``).

Both are zip archives of XML.  Nothing in them is run or followed: macros, links, embedded objects
and pictures are not opened, no formula is computed, an entity of the XML is refused.
What is unpacked is bounded before it is read.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import IO, Any

from imr.data.letter import LetterError

MAX_UNPACKED_BYTES = 128 * 2**20
"""A letter has some 50 KB of XML, a table of 10,000 letters 40 MB; more is for Parquet or CSV."""

MAX_RATIO = 100
MAX_PARTS = 10_000
MAX_OTHER_BYTES = 16 * 2**20
"""Of a part that is read as a whole: styles, names of sheets."""

MAX_ROWS, MAX_COLUMNS, MAX_CELL_CHARS = 1_048_576, 256, 32_767
"""Rows and characters of a cell are what Excel allows itself; no table of cases is so wide."""

_OLD_OFFICE = b"\xd0\xcf\x11\xe0"  # encrypted files, and those of Office before 2007
_STREAMED = ("xl/worksheets/", "xl/sharedStrings.xml", "word/document.xml")


def _unreadable(name: str, kind: str, what: str) -> LetterError:
    return LetterError(name, f"not_{kind}", f"cannot read it as .{kind}: {what}", "save it again")


def _checked(name: str, kind: str, content: IO[bytes]) -> zipfile.ZipFile:
    """The archive, where it is one and unpacks within bounds.

    Raises:
        LetterError: ``not_docx``, ``not_xlsx``, ``encrypted``, ``too_large``.
    """
    start = content.read(4)
    packed = content.seek(0, 2)
    content.seek(0)
    if start == _OLD_OFFICE:
        problem = "encrypted, or a file of Office before 2007"
        raise LetterError(name, "encrypted", problem, f"save it as .{kind} without a password")
    try:
        archive = zipfile.ZipFile(content)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _unreadable(name, kind, f"damaged or cut off ({type(error).__name__})") from None
    parts = archive.infolist()
    whole = sum(part.file_size for part in parts)
    read_whole = (
        part.file_size
        for part in parts
        if part.filename.endswith((".xml", ".rels")) and not part.filename.startswith(_STREAMED)
    )
    most = min(MAX_UNPACKED_BYTES, MAX_RATIO * max(packed, 2**20))
    if len(parts) > MAX_PARTS or whole > most or max(read_whole, default=0) > MAX_OTHER_BYTES:
        problem = f"it would unpack to more than {most // 2**20} MiB or in too many or large parts"
        remedy = "check where it comes from; split it, or save a table as CSV"
        raise LetterError(name, "too_large", problem, remedy)
    return archive


# --- Word --------------------------------------------------------------------------------------

# Taken out or moved away by a tracked change; instructions of a field; a second form of a text box.
_NOT_SHOWN = {"del", "moveFrom", "instrText", "Fallback"}
_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_OFF = ("0", "false", "off")


def word_text(name: str, content: IO[bytes]) -> str:
    """The body of a Word letter, a paragraph or table row a line, as a reader sees it.

    Where no paragraph is blank they are set apart by a blank line, as Word does by a distance.

    Raises:
        LetterError: ``not_docx``, ``encrypted``, ``too_large``.
    """
    archive = _checked(name, "docx", content)
    try:
        with archive.open("word/document.xml") as body:
            lines = list(_word_lines(body))
    except KeyError:
        raise _unreadable(name, "docx", "it holds no text of a Word letter") from None
    except Exception as error:  # noqa: BLE001 - a damaged archive makes zipfile and XML raise anything
        raise _unreadable(name, "docx", f"damaged or cut off ({type(error).__name__})") from None
    while lines and not lines[-1].strip():
        lines.pop()
    apart = "\n" if any(not line.strip() for line in lines) else "\n\n"
    return apart.join(lines)


def _word_lines(body: IO[bytes]) -> Iterator[str]:
    from defusedxml.ElementTree import iterparse

    reading = _Reading()
    for event, element in iterparse(body, ("start", "end"), forbid_dtd=True):
        tag = element.tag.rpartition("}")[2]
        if event == "start":
            reading.start(tag)
            continue
        line = reading.end(tag, element)
        if tag in ("p", "tr"):
            element.clear()
        if line is not None:
            yield from line.split("\n")


class _Reading:
    """Where in a document the reading is: paragraphs in rows of tables, and what is not shown."""

    def __init__(self) -> None:
        self._skipped, self._hidden = 0, False
        self._paragraphs: list[list[str]] = []
        self._rows: list[list[str]] = []

    def start(self, tag: str) -> None:
        self._skipped += tag in _NOT_SHOWN
        if tag == "r":
            self._hidden = False
        elif tag == "p":
            self._paragraphs.append([])
        elif tag == "tr":
            self._rows.append([])

    def end(self, tag: str, element: Any) -> str | None:
        """The line that ends here, where one does and stands in no row."""
        self._skipped -= tag in _NOT_SHOWN
        if tag == "vanish":
            self._hidden = not any(value in _OFF for value in element.attrib.values())
        elif self._paragraphs and not self._skipped and not self._hidden:
            if tag == "t":
                self._paragraphs[-1].append(element.text or "")
            elif tag in _SIGNS:
                self._paragraphs[-1].append(_SIGNS[tag])
        if tag not in ("p", "tr"):
            return None
        row = tag == "tr"
        line = " ".join(filter(None, self._rows.pop())) if row else "".join(self._paragraphs.pop())
        if self._skipped or not self._rows:
            return None if self._skipped else line
        self._rows[-1].append(line.strip())
        return None


# --- Excel -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sheet:
    """A visible sheet with cells in it; ``rows`` begins with the first row that has any.

    ``formulas`` says that it has some: they are not computed, what was saved as their result is
    read.  To read a row may raise :class:`~imr.data.letter.LetterError`.
    """

    head: list[Any]
    first: int
    rows: Iterator[list[Any]]
    formulas: bool


def sheets(name: str, content: IO[bytes]) -> list[Sheet]:
    """The visible sheets of a workbook that have cells: text, numbers, truth values, dates, None.

    Raises:
        LetterError: ``not_xlsx``, ``encrypted``, ``too_large``.
    """
    archive = _checked(name, "xlsx", content)
    packed = max(content.seek(0, 2), 2**20)
    content.seek(0)
    try:
        import openpyxl

        warnings.filterwarnings("ignore", module="openpyxl")  # it leaves out pictures and styles
        book = openpyxl.load_workbook(content, read_only=True, data_only=True, keep_links=False)
    except Exception as error:  # noqa: BLE001 - a damaged file makes zipfile and XML raise anything
        raise _unreadable(name, "xlsx", f"damaged or cut off ({type(error).__name__})") from None
    found = []
    for sheet in book.worksheets:
        rows = _rows(name, sheet, MAX_RATIO * packed)
        numbered = enumerate(rows, start=1) if sheet.sheet_state == "visible" else ()
        for number, row in numbered:
            if any(cell is not None for cell in row):
                with archive.open(sheet._worksheet_path) as part:
                    formulas = _holds(part, b"<f")
                found.append(Sheet(row, number, rows, formulas))
                break
    return found


def _holds(part: IO[bytes], mark: bytes) -> bool:
    before = b""
    while piece := part.read(2**20):
        if mark + b">" in before + piece or mark + b" " in before + piece:
            return True
        before = piece[-len(mark) :]
    return False


def _rows(name: str, sheet: Any, most: int) -> Iterator[list[Any]]:
    """The rows of a sheet; ``most`` characters at most, for one text may be named by every cell."""
    told = 0
    try:
        for row in sheet.iter_rows(1, MAX_ROWS, 1, MAX_COLUMNS + 1, values_only=True):
            cells = [_cell(value) for value in row]
            longest = max((len(cell) for cell in cells if isinstance(cell, str)), default=0)
            told += sum(len(cell) for cell in cells if isinstance(cell, str))
            if longest > MAX_CELL_CHARS or told > most or cells[MAX_COLUMNS] is not None:
                problem = (
                    f"a cell of more than {MAX_CELL_CHARS:,} characters, more than {MAX_COLUMNS} "
                    f"columns, or a text that is repeated without end"
                )
                raise LetterError(name, "too_large", problem, "save the table as CSV")
            yield cells[:MAX_COLUMNS]
    except LetterError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged file makes zipfile and XML raise anything
        raise _unreadable(name, "xlsx", f"damaged or cut off ({type(error).__name__})") from None


def _cell(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, (str, bool, int, float, date)):
        return value
    return str(value)
