"""Tables of case records as people have them -> rows with the names that records have.

CSV with commas, semicolons, tabs or bars (the separator is told by the header), in UTF-8 or, with
its mark, UTF-16; Excel workbooks (``.xlsx``); Parquet.  A fault of the whole table is one error, a
fault of a row an error of its own, and neither holds a cell's text.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from imr.data.columns import Columns, ColumnsError, Known, Renames, columns, recognised
from imr.data.letter import LetterError
from imr.data.office import Sheet, sheets

MAX_CELL_CHARS = 16 * 2**20
"""A cell of 16 MiB is no case summary."""

MAX_RATIO = 100
"""A table of letters shrinks to a third; one that grows a hundredfold is a bomb."""

BATCH_ROWS = 64
BATCH_BYTES = 64 * 2**20
"""Of a Parquet table, decoded at a time: a value of its dictionary costs a few bits a row there
and its full length here, so that large columns are taken in fewer rows."""

Notice = Callable[[str], None]
Numbered = tuple[int, dict[str, Any]]
"""A row of a table with its number, as a spreadsheet counts."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a table is read: what columns there may be, what the user calls them, whom to tell."""

    known: Known
    renames: Renames
    notice: Notice


def resolved(name: str, found: list[str], how: Reading) -> Columns | LetterError:
    """The columns of a table, or the one error of the file; what is recognised is told."""
    try:
        named = columns(found, how.known, how.renames)
    except ColumnsError as error:
        return LetterError(name, "columns", error.problem, error.remedy)
    guessed = [(printed, meant) for printed, meant in named.renamed if printed not in how.renames]
    for printed, meant in guessed:
        how.notice(f"{name}: column {printed!r} is read as {meant!r}")
    return named


# --- CSV ---------------------------------------------------------------------------------------

SEPARATORS = ",;\t|"
_HEAD_CHARS = 2**16
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def csv_rows(name: str, content: IO[bytes], how: Reading) -> Iterator[Numbered | LetterError]:
    """The rows of a CSV table, by the names that records have."""
    csv.field_size_limit(MAX_CELL_CHARS)
    text = io.TextIOWrapper(content, csv_encoding(content), newline="")
    reader = None
    try:
        before, separator = _separator(text, how)
        reader = csv.reader(text, delimiter=separator)
        found = next(reader, None)
        if found is None:
            remedy = f"the first row names the columns: {', '.join(how.known.required)}, …"
            yield LetterError(name, "empty", "the table is empty", remedy)
            return
        named = resolved(name, found, how)
        if isinstance(named, LetterError):
            yield named
            return
        yield from _csv_cells(name, reader, named, before + 2)
    except UnicodeError:
        yield LetterError(name, "not_utf8", "the table is not UTF-8 text", "save it as CSV UTF-8")
    except csv.Error as error:
        where = f"{name} line {reader.line_num if reader else 1}"
        yield LetterError(where, "not_csv", f"not CSV: {error}", "quote cells that hold separators")
    finally:
        text.detach()


def csv_encoding(content: IO[bytes]) -> str:
    """UTF-16 where the mark says so, else UTF-8; the file is left at its beginning."""
    mark = content.read(2)
    content.seek(0)
    return "utf-16" if mark in _MARKS else "utf-8-sig"


def _separator(text: io.TextIOWrapper, how: Reading) -> tuple[int, str]:
    """Lines before the header, and the separator with which most of its names are known.

    Spreadsheets may say it in a line of its own (``sep=;``).  The text is left at the header.
    """
    head = text.read(_HEAD_CHARS)
    text.seek(0)
    said = _SEPARATOR_LINE.match(head)
    if said:
        text.readline()
        return 1, said[1]

    def known(separator: str) -> int:
        try:
            row = next(csv.reader(io.StringIO(head, newline=""), delimiter=separator), [])
        except csv.Error:
            return 0
        return recognised(row, how.known, how.renames)

    return 0, max(SEPARATORS, key=known)  # the first of equals: the comma


def _csv_cells(
    name: str, reader: Any, named: Columns, first: int
) -> Iterator[Numbered | LetterError]:
    for number, cells in enumerate(reader, start=first):
        if cells and len(cells) != len(named.names):
            problem = f"received {len(cells)} cells, the header names {len(named.names)}"
            remedy = "quote cells that hold separators"
            yield LetterError(f"{name} row {number}", "not_csv", problem, remedy)
        elif cells:
            yield number, _row(named, cells)


def _row(named: Columns, cells: Any) -> dict[str, Any]:
    """A row by its names; a column without a name is told where it holds something."""
    pairs = zip(named.names, cells, strict=True)
    return {
        name: None if value == "" else value for name, value in pairs if name or value is not None
    }


# --- Excel -------------------------------------------------------------------------------------


def excel_rows(name: str, content: IO[bytes], how: Reading) -> Iterator[Numbered | LetterError]:
    """The rows of the sheet whose first row names the most columns that are known."""
    try:
        found = sheets(name, content)
        if not found:
            remedy = f"the first row names the columns: {', '.join(how.known.required)}, …"
            yield LetterError(name, "empty", "the workbook is empty", remedy)
            return
        heads = [["" if cell is None else str(cell) for cell in sheet.head] for sheet in found]
        counts = [recognised(head, how.known, how.renames) for head in heads]
        chosen = counts.index(max(counts))
        yield from _excel_cells(name, found, chosen, heads[chosen], how)
    except LetterError as error:
        yield error


def _excel_cells(
    name: str, found: list[Sheet], chosen: int, head: list[str], how: Reading
) -> Iterator[Numbered | LetterError]:
    while head and not head[-1]:
        head.pop()
    named = resolved(name, head, how)
    if isinstance(named, LetterError):
        yield named
        return
    sheet = found[chosen]
    if len(found) > 1:
        how.notice(f"{name}: only the sheet {chosen + 1} of {len(found)} is read")
    if sheet.formulas:
        how.notice(f"{name}: formulas are not computed; their saved results are read")
    width = len(head)
    for number, cells in enumerate(sheet.rows, start=sheet.first + 1):
        if any(cell is not None for cell in cells[width:]):
            problem = f"cells beyond the {width} columns that the header names"
            yield LetterError(f"{name} row {number}", "not_xlsx", problem, "name the column")
        elif any(cell is not None for cell in cells):
            yield number, _row(named, cells[:width])


# --- Parquet -----------------------------------------------------------------------------------


def parquet_rows(
    name: str, content: IO[bytes], flat: Reading, nested: Reading
) -> Iterator[tuple[bool, int, dict[str, Any]] | LetterError]:
    """The rows of a Parquet table with whether they are nested, that is: have an ``items`` list."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(content)
        metadata = table.metadata
        sizes = [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
        packed = max(content.seek(0, io.SEEK_END), 2**20)
        if sum(sizes) > MAX_RATIO * packed:
            problem = f"the table would grow more than {MAX_RATIO} times when read"
            yield LetterError(name, "too_large", problem, "check where it comes from")
            return
        found = list(table.schema_arrow.names)
        is_nested = "items" in found
        named = resolved(name, found, nested if is_nested else flat)
        if isinstance(named, LetterError):
            yield named
            return
        # So few rows at a time that the longest value there may be, in each of them, is in bounds.
        rows_at_a_time = max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, *sizes)))
        batches = table.iter_batches(batch_size=rows_at_a_time)
        rows = (row for batch in batches for row in batch.to_pylist())
        for number, row in enumerate(rows, start=1):
            pairs = zip(named.names, row.values(), strict=True)
            yield is_nested, number, dict(pairs)
    except (pa.ArrowException, OSError) as error:
        fault = " ".join(str(error).split())[:120]
        problem = f"cannot read it as Parquet: {fault}"
        yield LetterError(name, "not_parquet", problem, "write it again")
    except Exception as error:  # noqa: BLE001 - a damaged file makes Arrow raise anything
        problem = f"cannot read it as Parquet ({type(error).__name__})"
        yield LetterError(name, "not_parquet", problem, "write it again")
