"""Tables of case records as people have them -> rows with the names that records have.

CSV with commas, semicolons, tabs or bars (the separator is told by the header), in UTF-8 or, with
its mark, UTF-16; Excel workbooks (``.xlsx``); Parquet.

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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import IO, Any

from imr.data import table_rows
from imr.data.letter import LetterError
from imr.data.office import sheets

MAX_CELL_CHARS = 16 * 2**20
"""A cell of 16 MiB is no case summary."""

MAX_RATIO = 100
"""A table of letters shrinks to a third; one that grows a hundredfold is a bomb."""

BATCH_ROWS = 64
BATCH_BYTES = 64 * 2**20
"""Of a Parquet table, decoded at a time: a value of its dictionary costs a few bits a row there
and its full length here, so that large columns are taken in fewer rows."""

LONGEST_NAME = 40
"""Characters of a column name that a message may show."""

NEAR = 0.8
"""Share of a name that must agree for it to look misspelt."""

SHOWN = 20
"""Names of columns that a message shows."""

Numbered = tuple[int, dict[str, Any]]
"""A row of a table with its number, as a spreadsheet counts."""


@dataclass(frozen=True, slots=True)
class Known:
    """The columns that a record may have, and those that it must have."""

    names: frozenset[str]
    required: Sequence[str]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read: its name, what columns there may be, which the user calls otherwise
    (``renames``: the user's name -> that of records), and who is told what was recognised.
    """

    file: str
    known: Known
    renames: Mapping[str, str]
    notice: Callable[[str], None]

    def meaning(self, name: str) -> str | None:
        """What records call a column; None where that is not known."""
        if name in self.renames:
            return self.renames[name]
        plain = _plain(name)
        meant = plain if plain in self.known.names else _aliases().get(plain, ("", 0))[0]
        return meant if meant in self.known.names else None

    def names(self, found: Iterable[str]) -> list[str]:
        """What records call the columns of a table or the keys of an object, in their order.

        Of several that could be one, its own name and what the user says go before what it is
        also called, and of these the lower rank of ``reference/columns.csv``.
        """
        ranked = {}
        for name in filter(None, found):
            if meant := self.meaning(name):
                own = name in self.renames or _plain(name) == meant
                ranked[name] = meant, 0 if own else _aliases()[_plain(name)][1]
        best = {to: min(r for t, r in ranked.values() if t == to) for to, _ in ranked.values()}
        return [
            ranked[name][0] if name in ranked and ranked[name][1] == best[ranked[name][0]] else name
            for name in found
        ]

    def tell(self, renamed: Mapping[str, str], word: str = "") -> None:
        """Tell in one line which names are read as others."""
        said = [f"{name!r} is read as {meant!r}" for name, meant in renamed.items()]
        if said:
            self.notice(f"{self.file}: {word}{', '.join(said)}")

    def recognised(self, found: Iterable[str]) -> int:
        """How many of the names are known in one way or another."""
        return sum(self.meaning(name) is not None for name in found)

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

    Raises:
        LetterError: reason ``columns``, where a name stands twice, could be two columns, looks
            misspelt, or a column that is needed is missing.
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
    """What lacks a needed column or has one that looks misspelt."""
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
        return f"{len(found)} names, none of them known"
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
    csv.field_size_limit(MAX_CELL_CHARS)
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
    said = _SEPARATOR_LINE.match(head)
    if said:
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


def excel_rows(content: IO[bytes], how: Reading) -> Iterator[Numbered | LetterError]:
    """The rows of the sheet whose first row names the most columns that are known."""
    try:
        found = sheets(how.file, content)
        if not found:
            raise how.empty("workbook")
        heads = [["" if cell is None else str(cell) for cell in sheet.head] for sheet in found]
        counts = [how.recognised(head) for head in heads]
        chosen = counts.index(max(counts))
        sheet, head = found[chosen], heads[chosen]
        while head and not head[-1]:
            head.pop()
        names, width = columns(head, how), len(head)
        if len(found) > 1:
            how.notice(f"{how.file}: only the sheet {chosen + 1} of {len(found)} is read")
        if sheet.formulas:
            how.notice(f"{how.file}: formulas are not computed; their saved results are read")
        for number, cells in enumerate(sheet.rows, start=sheet.first + 1):
            if any(cell is not None for cell in cells[width:]):
                where = f"{how.file} row {number}"
                problem = f"cells beyond the {width} columns that the header names"
                yield LetterError(where, "not_xlsx", problem, "name the column")
            elif any(cell is not None for cell in cells):
                yield number, _row(names, cells[:width])
    except LetterError as error:
        yield error


# --- Parquet -----------------------------------------------------------------------------------


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
        yield LetterError(
            name, "not_parquet", f"cannot read it as Parquet{fault}", "write it again"
        )
