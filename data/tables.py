"""Tables of case records as people have them -> rows with the names that records have.

CSV (the separator is told by the header) in UTF-8 or, with its mark, UTF-16; Excel; Parquet.

A column's name is recognised where it differs only in case, blanks and signs (``Case Summary``),
where ``reference/columns.csv`` lists it (``doi`` for ``date_of_injury``), or where the user says so
(``--map notes=case_summary``).  What could be two columns, what looks misspelt and what is missing
is told in one message for the whole file.

A fault of the whole table is one error, a fault of a row an error of its own, and neither holds a
cell's text.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from itertools import chain, islice
from typing import IO, Any

from imr.data import table_rows
from imr.data.letter import LetterError
from imr.data.sources import MAX_RATIO, MAX_RECORD_BYTES, not_office, office_archive

NEAR = 0.8
"""Share of a name that must agree for it to look misspelt."""

LONGEST_NAME, SHOWN = 40, 20  # characters of a column's name, and names, that a message shows

Numbered = tuple[int, dict[str, Any]]
"""A row of a table with its number, as a spreadsheet counts."""


@dataclass(frozen=True, slots=True)
class Known:
    """The columns that a record may have, and those that it must have."""

    names: frozenset[str]
    required: Sequence[str]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read: its name, its columns, how the user calls some of them (``renames``: the
    user's name -> that of records), and who is told what was recognised.
    """

    file: str
    known: Known
    renames: Mapping[str, str]
    notice: Callable[[str], None]

    def meaning(self, name: str) -> tuple[str, int] | None:
        """What records call a column, and the rank of its name: 0 is theirs or what the user says,
        others stand in ``reference/columns.csv``.  None where it is not known.
        """
        if name in self.renames:
            return self.renames[name], 0
        plain = _plain(name)
        meant = (plain, 0) if plain in self.known.names else _aliases().get(plain)
        return meant if meant and meant[0] in self.known.names else None

    def names(self, found: Iterable[str]) -> list[str]:
        """What records call the columns of a table or the keys of an object, in their order.

        Of several that could be one, those of the lowest rank are.
        """
        meanings = {name: self.meaning(name) for name in found}
        best: dict[str, int] = {}
        for to, rank in filter(None, meanings.values()):
            best[to] = min(rank, best.get(to, rank))
        chosen = {name: m[0] for name, m in meanings.items() if m and best[m[0]] == m[1]}
        return [chosen.get(name, name) for name in found]

    def tell(self, renamed: Mapping[str, str], word: str = "") -> None:
        """Tell in one line which names are read as others."""
        if said := ", ".join(f"{name!r} is read as {meant!r}" for name, meant in renamed.items()):
            self.notice(f"{self.file}: {word}{said}")

    def recognised(self, cells: Iterable[Any]) -> int:
        """How many of the cells are names that are known in one way or another."""
        return sum(self.meaning(name) is not None for name in _texts(cells))

    def empty(self, what: str) -> LetterError:
        """The error of a file without a header."""
        remedy = f"the first row names the columns: {', '.join(self.known.required)}, …"
        return LetterError(self.file, "empty", f"the {what} is empty", remedy)


# --- columns -----------------------------------------------------------------------------------


def _plain(name: str) -> str:
    """A name without case, blanks and signs."""
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


@cache
def _aliases() -> dict[str, tuple[str, int]]:
    """What people call a column -> the column, and the rank of that name."""
    rows = table_rows("reference/columns")
    return {_plain(row["alias"]): (row["column"], int(row["rank"])) for row in rows}


def columns(found: Sequence[str], how: Reading) -> tuple[str, ...]:
    """What records call the columns of a table whose header says ``found``; guesses are told.

    Raises ``columns``, where a name stands twice, could be two columns, looks misspelt, or a column
    that is needed is missing.
    """
    names = tuple(how.names(found))
    for problem, remedy in _faults(found, names, how):
        raise LetterError(how.file, "columns", problem, remedy)
    pairs = zip(found, names, strict=True)
    how.tell({f: n for f, n in pairs if f != n and f not in how.renames}, "column ")
    return names


def _faults(found: Sequence[str], names: Sequence[str], how: Reading) -> Iterator[tuple[str, str]]:
    """What is wrong with the columns, each with its remedy."""
    header = how.recognised(found) > 0
    for name in found:
        if name and found.count(name) > 1:
            twice = shown(name, header) if header else "a name in the first row"
            yield f"{twice} stands twice", "keep one"
    for name, to in how.renames.items():
        if name not in found and to not in found:
            problem = f"no column {name!r}, which --map names; found are {_listed(found, header)}"
            yield problem, "name a column that is there"
    for name in how.known.names:
        ours = [f for f, n in zip(found, names, strict=True) if n == name]
        if len(ours) > 1:
            could = " and ".join(shown(one, header=True) for one in ours)
            remedy = f"say which: --map '{ours[0]}={name}', and rename the other"
            yield f"{could} could both be {name!r}", remedy
    yield from _incomplete(found, names, how.known, header)


def _incomplete(
    found: Sequence[str], names: Sequence[str], known: Known, header: bool
) -> Iterator[tuple[str, str]]:
    """A needed column that is missing, or one that looks misspelt."""
    missing = [name for name in known.required if name not in names]
    near = {
        name: close[0]
        for name in names
        if name and name not in known.names
        if (close := difflib.get_close_matches(_plain(name), known.names, n=1, cutoff=NEAR))
    }
    if not missing and not near:
        return
    said = [
        f"found are {_listed(found, header or bool(near))}",
        f"needed are {', '.join(known.required)}",
        *(f"{shown(name, header=True)} looks like {to!r}" for name, to in near.items()),
    ]
    what = f"no column {', '.join(map(repr, missing))}" if missing else "a name is not known"
    name, to = next(iter(near.items()), ("NAME", missing[0] if missing else ""))
    otherwise = "rename it" if header or near else "name the columns in the first row"
    yield f"{what}: {'; '.join(said)}", f"{otherwise}, or add --map '{name}={to}'"


def _listed(found: Sequence[str], header: bool) -> str:
    """The names for a message; a row of which none is known may be the text of a letter."""
    if not header:
        one = len(found) == 1
        return "one name, which is not known" if one else f"{len(found)} names, none of them known"
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(shown(name, header, "") for name in found[:SHOWN]) + more


def shown(name: str, header: bool = False, word: str = "column ") -> str:
    """A column for a message; without a header row its name is the text of a letter.

    ``header`` says that the row is one: a name in it may then hold blanks.
    """
    if len(name) <= LONGEST_NAME and (header or " " not in name.strip()):
        return f"{word}{name!r}"
    return f"a column whose name has {len(name)} characters"


# --- CSV ---------------------------------------------------------------------------------------

SEPARATORS = ",;\t|"
_HEAD_CHARS = 2**16
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


def csv_rows(content: IO[bytes], how: Reading) -> Iterator[Numbered | LetterError]:
    """The rows of a CSV table, by the names that records have."""
    name = how.file
    csv.field_size_limit(MAX_RECORD_BYTES)
    text = io.TextIOWrapper(content, csv_encoding(content), newline="")
    reader = None
    try:
        before, separator = _separator(text, how)
        reader = csv.reader(text, delimiter=separator)
        found = next(reader, None)
        if found is None:
            raise how.empty("table")
        names = columns(found, how)
        remedy = "quote cells that hold separators"
        for number, cells in enumerate(reader, start=before + 2):
            if cells and len(cells) != len(names):
                problem = f"received {len(cells)} cells, the header names {len(names)}"
                yield LetterError(f"{name} row {number}", "not_csv", problem, remedy)
            elif cells:
                yield number, _row(names, cells)
    except LetterError as error:
        yield error
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
    return "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _separator(text: io.TextIOWrapper, how: Reading) -> tuple[int, str]:
    """Lines before the header, and the separator with which most of its names are known.

    Spreadsheets may say it in a line of its own (``sep=;``).  The text is left at the header.
    """
    head = text.read(_HEAD_CHARS)
    text.seek(0)
    if said := _SEPARATOR_LINE.match(head):
        text.readline()
        return 1, said[1]

    def known(separator: str) -> int:
        try:
            row = next(csv.reader(io.StringIO(head, newline=""), delimiter=separator), [])
        except csv.Error:
            return 0
        return how.recognised(row)

    return 0, max(SEPARATORS, key=known)  # the first of equals: the comma


def _row(names: Sequence[str], cells: Sequence[Any]) -> dict[str, Any]:
    """A row by its names; a column without a name is told where it holds something."""
    return {
        name: None if value == "" else value
        for name, value in zip(names, cells, strict=True)
        if name or value is not None
    }


# --- Excel -------------------------------------------------------------------------------------

MAX_ROWS, MAX_COLUMNS, MAX_CELL_CHARS = 1_048_576, 256, 32_767
"""Rows and characters of a cell are what Excel allows itself; no table of cases is so wide."""


TITLE_ROWS, NAMES_OF_A_HEADER = 10, 2
"""Rows below the first among which the header is looked for, and names that make one."""


def excel_rows(content: IO[bytes], how: Reading) -> Iterator[Numbered | LetterError]:
    """The rows of the sheet whose first row names the most columns that are known."""
    try:
        found = [_headed(sheet, how) for sheet in sheets(how.file, content)]
        if not found:
            raise how.empty("workbook")
        counts = [how.recognised(sheet.head) for sheet in found]
        chosen = counts.index(max(counts))
        sheet = found[chosen]
        head = _texts(sheet.head)
        while head and not head[-1]:
            head.pop()
        names, width = columns(head, how), len(head)
        for said, told in (
            (sheet.above, f"the columns are named in row {sheet.first}"),
            (len(found) > 1, f"only the sheet {chosen + 1} of {len(found)} is read"),
            (sheet.formulas, "formulas are not computed; their saved results are read"),
        ):
            if said:
                how.notice(f"{how.file}: {told}")
        for number, cells in enumerate(sheet.rows, start=sheet.first + 1):
            if any(cell is not None for cell in cells[width:]):
                where = f"{how.file} row {number}"
                problem = f"cells beyond the {width} columns that the header names"
                yield LetterError(where, "not_xlsx", problem, "name the column")
            elif any(cell is not None for cell in cells):
                yield number, _row(names, cells[:width])
    except LetterError as error:
        yield error


@dataclass(frozen=True, slots=True)
class Sheet:
    """A visible sheet with cells in it; ``rows`` begins with the first row that has any.

    ``above`` says that other rows stand above the header, which is ``head`` and the row ``first``.
    ``formulas`` says that it has some: they are not computed, what was saved as their result is
    read.  To read a row may raise :class:`~imr.data.letter.LetterError`.
    """

    head: list[Any]
    first: int
    rows: Iterator[list[Any]]
    formulas: bool
    above: bool = False


def _texts(row: Iterable[Any]) -> list[str]:
    return ["" if cell is None else str(cell) for cell in row]


def _headed(sheet: Sheet, how: Reading) -> Sheet:
    """The sheet from its header on, where a title stands above it: the first row of several names
    that are known, if the first row of all has none.
    """
    if how.recognised(sheet.head):
        return sheet
    above: list[list[Any]] = []
    for row in islice(sheet.rows, TITLE_ROWS):
        above.append(row)
        if how.recognised(row) >= NAMES_OF_A_HEADER:
            return replace(sheet, head=row, first=sheet.first + len(above), above=True)
    return replace(sheet, rows=chain(above, sheet.rows))


def sheets(name: str, content: IO[bytes]) -> list[Sheet]:
    """The visible sheets of a workbook that have cells: text, numbers, truth values, dates, None.

    Raises ``not_xlsx``, ``encrypted``, ``too_large``.
    """
    archive = office_archive(name, "xlsx", content)
    packed = max(content.seek(0, io.SEEK_END), 2**20)
    content.seek(0)
    try:
        import openpyxl

        warnings.filterwarnings("ignore", module="openpyxl")  # it leaves out pictures and styles
        book = openpyxl.load_workbook(content, read_only=True, data_only=True, keep_links=False)
    except Exception as error:  # noqa: BLE001 - a damaged file makes zipfile and XML raise anything
        raise not_office(name, "xlsx", error) from None
    found = []
    for sheet in book.worksheets:
        rows = _rows(name, sheet, MAX_RATIO * packed)
        numbered = enumerate(rows, start=1) if sheet.sheet_state == "visible" else ()
        for number, row in numbered:
            if any(cell is not None for cell in row):
                with archive.open(sheet._worksheet_path) as part:
                    found.append(Sheet(row, number, rows, _has_formulas(part)))
                break
    return found


def _has_formulas(sheet: IO[bytes]) -> bool:
    before = b""
    while piece := sheet.read(2**20):
        if any(mark in before + piece for mark in (b"<f>", b"<f ")):
            return True
        before = piece[-2:]
    return False


def _rows(name: str, sheet: Any, most: int) -> Iterator[list[Any]]:
    """The rows of a sheet; ``most`` characters at most, for one text may be named by every cell."""
    told = 0
    try:
        for row in sheet.iter_rows(1, MAX_ROWS, 1, MAX_COLUMNS + 1, values_only=True):
            cells = [_cell(value) for value in row]
            lengths = [len(cell) for cell in cells if isinstance(cell, str)]
            told += sum(lengths)
            too_long = max(lengths, default=0) > MAX_CELL_CHARS
            if too_long or told > most or cells[MAX_COLUMNS] is not None:
                problem = (
                    f"a cell of more than {MAX_CELL_CHARS:,} characters, more than {MAX_COLUMNS} "
                    f"columns, or a text that is repeated without end"
                )
                raise LetterError(name, "too_large", problem, "save the table as CSV")
            yield cells[:MAX_COLUMNS]
    except LetterError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged file makes zipfile and XML raise anything
        raise not_office(name, "xlsx", error) from None


def _cell(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, (str, bool, int, float, date)):
        return value
    return str(value)


# --- Parquet -----------------------------------------------------------------------------------

BATCH_ROWS, BATCH_BYTES = 64, 64 * 2**20
"""Decoded at a time: a value of a table's dictionary costs a few bits a row there and its full
length here, so that large columns are taken in fewer rows."""


def parquet_rows(
    content: IO[bytes], flat: Reading, nested: Reading
) -> Iterator[tuple[bool, int, dict[str, Any]] | LetterError]:
    """The rows of a Parquet table with whether they are nested, that is: have an ``items`` list."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = flat.file
    try:
        table = pq.ParquetFile(content)
        metadata = table.metadata
        sizes = [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
        packed = max(content.seek(0, io.SEEK_END), 2**20)
        if sum(sizes) > MAX_RATIO * packed:
            problem = f"the table would grow more than {MAX_RATIO} times when read"
            raise LetterError(name, "too_large", problem, "check where it comes from")
        found = list(table.schema_arrow.names)
        is_nested = "items" in found
        names = columns(found, nested if is_nested else flat)
        # So few rows at a time that the longest value there may be, in each of them, is in bounds.
        rows_at_a_time = max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, *sizes)))
        batches = table.iter_batches(batch_size=rows_at_a_time)
        rows = (row for batch in batches for row in batch.to_pylist())
        for number, row in enumerate(rows, start=1):
            yield is_nested, number, dict(zip(names, row.values(), strict=True))
    except LetterError as error:
        yield error
    except Exception as error:  # noqa: BLE001 - a damaged file makes Arrow raise anything
        told = isinstance(error, (pa.ArrowException, OSError))
        fault = f": {' '.join(str(error).split())[:120]}" if told else f" ({type(error).__name__})"
        problem = f"cannot read it as Parquet{fault}"
        yield LetterError(name, "not_parquet", problem, "write it again")
