"""Where results go: files and tables on disk or store, each written whole or not at all.

A file is filled beside its target and renamed over the target when everything is on the disk:
until then an earlier file stands untouched, and a failed run leaves nothing behind.  The new file
gets the permissions that the umask allows.  On an object store the same is done with an object of
another name, which is moved when it is whole.

A table is Parquet, CSV, Excel or JSON Lines by the ending of its name, or a folder of Parquet
parts.  In CSV a text cell that a spreadsheet would take for a formula is written with a leading
apostrophe.  Lists are lists in Parquet and JSON Lines and one readable text in CSV and Excel.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import html
import io
import itertools
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import date, datetime
from importlib import resources
from pathlib import Path
from typing import IO, Any, Literal

from imr.data.paths import FilePath, LocalPath, UnsupportedPathError, file_path
from imr.serve.messages import Refused


@contextmanager
def open_atomic(path: FilePath, folder: FilePath | None = None) -> Iterator[IO[bytes]]:
    """A binary file that replaces ``path`` when the block ends well, and is removed otherwise.

    It is filled in ``folder`` (on the same disk or store), by default beside ``path``.
    """
    part = (folder or path.parent) / f".{path.name}.{os.getpid()}.part"
    with explained(path):
        file = part.create()
        try:
            yield file
            if not part.on_store:
                file.flush()
                os.fsync(file.fileno())
            file.close()
            part.move(path)
        except BaseException:
            # The disk or store that failed may fail again: the first fault is the one to tell.
            with contextlib.suppress(OSError):
                file.close()
            with contextlib.suppress(OSError):
                part.remove()
            raise


def output_path(text: str) -> FilePath:
    """Where a user wants a result."""
    path = file_path(text)
    return type(path)(path.address.rstrip("/")) if path.on_store else LocalPath(str(Path(path)))


@contextmanager
def explained(path: FilePath | Path) -> Iterator[None]:
    """Turn an error of the file system on ``path`` into a refusal that says what to do."""
    try:
        yield
    except UnsupportedPathError as error:
        raise Refused(error.problem, error.remedy) from None
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "write to a folder where you may create files")
        reason = error.strerror or type(error).__name__
        problem = f"{path}: cannot write: {reason[:1].lower()}{reason[1:]}"
        raise Refused(problem, remedy) from error


_FREE_SPACE = "free some space or write elsewhere; an earlier file of this name is unchanged"
_REMEDIES = {
    errno.ENOSPC: _FREE_SPACE,
    errno.EDQUOT: _FREE_SPACE,
    errno.EFBIG: "the limit for file sizes is reached; an earlier file of this name is unchanged",
    errno.ENOENT: "create the folder first",
    errno.ENOTDIR: "a part of the path is a file; write to a folder",
    errno.EISDIR: "this is a folder; name a file, or end it with / for scores in parts",
    errno.EROFS: "write to a folder or an object store",
    errno.EIO: "check the store and your rights; an earlier file of this name is unchanged",
}


def check_writable(path: FilePath) -> None:
    """Refuse now what could not be written at the end of a long run."""
    with explained(path):
        if path.is_folder():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        _try_beside(path)


def _try_beside(path: FilePath) -> None:
    probe = path.with_name(f".{path.name}.{os.getpid()}.probe")
    probe.write_bytes(b"probe")
    probe.remove()


# --- tables --------------------------------------------------------------------------------------

Kind = Literal["str", "int", "float", "bool", "date", "timestamp", "texts", "reasons"]
Row = Mapping[str, Any]

SUFFIXES = (".parquet", ".csv", ".xlsx", ".jsonl")
ROW_GROUP = 10_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

Columns = Mapping[str, Kind]
"""Name and kind of each column of a table, in their order; any value may be null."""

Write = Callable[[Iterable[Row]], None]
"""Appends rows to a table, each a mapping with a value or None for a column."""

Put = Callable[[Row], object]


def table_format(path: FilePath) -> str:
    """The ending, one of ``SUFFIXES``; any other is refused."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return suffix
    shown = suffix or "no ending"
    raise Refused(f"{path}: {shown} is no output format", f"name it {', '.join(SUFFIXES)}")


@contextmanager
def open_table(path: FilePath, columns: Columns, folder: FilePath | None = None) -> Iterator[Write]:
    """What writes to ``path``; the table appears under that name when the block ends well."""
    table = _TABLES[table_format(path)]
    with open_atomic(path, folder) as file, table(file, columns) as put:

        def write(rows: Iterable[Row]) -> None:
            for row in rows:
                put(row)

        yield write


# --- Parquet -----------------------------------------------------------------------------------


def _arrow_schema(columns: Columns) -> Any:
    """Types do not depend on the values."""
    import pyarrow as pa

    text, number, texts = pa.string(), pa.float64(), pa.list_(pa.string())
    parts = {"signal": text, "value": text, "contribution": number, "direction": text,
             "statement": text, "quotes": texts}  # fmt: skip
    types = {"str": text, "int": pa.int64(), "float": number, "bool": pa.bool_(),
             "date": pa.date32(), "timestamp": pa.timestamp("us", tz="UTC"), "texts": texts,
             "reasons": pa.list_(pa.struct(parts))}  # fmt: skip
    return pa.schema([(name, types[kind]) for name, kind in columns.items()])


@contextmanager
def _parquet_table(file: IO[bytes], columns: Columns) -> Iterator[Put]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _arrow_schema(columns)
    held: list[Row] = []

    def put(row: Row) -> None:
        held.append({name: _arrow_value(kind, row.get(name)) for name, kind in columns.items()})
        if len(held) >= ROW_GROUP:
            flush()

    def flush() -> None:
        table.write_table(pa.Table.from_pylist(held, schema))
        held.clear()

    with pq.ParquetWriter(file, schema, compression="zstd") as table:
        yield put
        if held:
            flush()


def _arrow_value(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    if kind == "date" and isinstance(value, str):
        return date.fromisoformat(value)
    if kind == "timestamp" and isinstance(value, str):
        return datetime.fromisoformat(value)
    return _encodable(value if kind != "str" or isinstance(value, str) else str(value))


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {name: _encodable(part) for name, part in value.items()}
    return [_encodable(part) for part in value] if isinstance(value, list | tuple) else value


def encodable(text: str) -> str:
    """The text without lone surrogates, which no file format can hold; most has none at sight."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


# --- CSV ---------------------------------------------------------------------------------------


@contextmanager
def _csv_table(file: IO[bytes], columns: Columns) -> Iterator[Put]:
    text = io.TextIOWrapper(file, "utf-8", errors="replace", newline="")
    # The standard's line ends; with "\n" alone a carriage return in a cell is not quoted.
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(columns)
    try:
        yield lambda row: table.writerow(csv_cell(kind, row.get(n)) for n, kind in columns.items())
    finally:
        text.detach()


def csv_cell(kind: Kind, value: Any) -> Any:
    """The value as a CSV cell: null is empty, text starts no formula, lists become text."""
    if value is None:
        return ""
    if kind in ("int", "float"):
        return value
    if kind == "bool":
        return "true" if value else "false"
    text = _plain_text(kind, value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _plain_text(kind: Kind, value: Any) -> str:
    if kind == "texts":
        return "; ".join(value)
    if kind == "reasons":
        return " | ".join(map(_reason_text, value))
    return value.isoformat() if isinstance(value, date) else str(value)


def _reason_text(reason: Row) -> str:
    """``for: MRI documented ("MRI of the knee")``."""
    quoted = "; ".join(f'"{quote}"' for quote in reason["quotes"])
    return f"{reason['direction']}: {reason['statement']}" + (f" ({quoted})" if quoted else "")


# --- JSON Lines --------------------------------------------------------------------------------


@contextmanager
def _json_table(file: IO[bytes], columns: Columns) -> Iterator[Put]:
    yield lambda row: file.write(json_line({name: row.get(name) for name in columns}))


def json_line(value: Any) -> bytes:
    """One JSON value and a line break as UTF-8; dates as ISO text, no NaN."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_json_value)
    return text.encode("utf-8", "replace") + b"\n"


def _json_value(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"no JSON form for {type(value).__name__}")


# --- Excel -------------------------------------------------------------------------------------
#
# The few parts that a workbook needs (workbook.json) are written straight into the file: pandas
# and openpyxl fill a temporary file elsewhere first, which a killed run would leave behind with the
# text of letters in it.  Text cells are marked as text, so that no spreadsheet takes one for a
# formula.

MAX_ROWS, MAX_CELL_CHARS = 1_048_576, 32_767
"""Of a sheet, as Excel allows; a longer text is cut and ends in an ellipsis."""

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SHEET = "xl/worksheets/sheet1.xml"


@contextmanager
def _excel_table(file: IO[bytes], columns: Columns) -> Iterator[Put]:
    parts = json.loads((resources.files("imr.serve") / "workbook.json").read_bytes())
    begun, head = parts.pop(_SHEET), "".join(map(_excel_text, columns))
    numbers = itertools.count(2)

    def put(row: Row) -> None:
        if next(numbers) > MAX_ROWS:
            problem = f"more than {MAX_ROWS - 1:,} rows, the most of an Excel sheet"
            raise Refused(problem, "write .parquet or .csv")
        cells = "".join(_excel_cell(kind, row.get(name)) for name, kind in columns.items())
        sheet.write(f"<row>{cells}</row>".encode())

    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
        with archive.open(_SHEET, "w", force_zip64=True) as sheet:
            sheet.write(f"{begun}<row>{head}</row>".encode())
            yield put
            sheet.write(b"</sheetData></worksheet>")


def _excel_cell(kind: Kind, value: Any) -> str:
    if value is None:
        return "<c/>"
    if kind == "bool":
        return f'<c t="b"><v>{int(value)}</v></c>'
    if kind in ("int", "float"):
        return f"<c><v>{value!r}</v></c>" if value == value else "<c/>"
    return _excel_text(_plain_text(kind, value))


def _excel_text(text: str) -> str:
    text = _NO_XML.sub("", encodable(text))
    if len(text) > MAX_CELL_CHARS:
        text = text[: MAX_CELL_CHARS - 1] + "…"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{html.escape(text, False)}</t></is></c>'


_TABLES: dict[str, Callable[[IO[bytes], Columns], AbstractContextManager[Put]]] = {
    ".parquet": _parquet_table,
    ".csv": _csv_table,
    ".xlsx": _excel_table,
    ".jsonl": _json_table,
}


# --- a folder of parts ---------------------------------------------------------------------------
#
# One dataset for its readers: a letter's rows stand in one part, and the parts in the order of
# their names hold the rows of the single file in its order.  The parts are written in the run's
# work folder and take the place of an earlier folder when all are whole; on an object store, which
# moves one object at a time, each part replaces its forerunner, and parts that are no longer
# needed go last.

PART_LETTERS = 50_000
"""About 100,000 rows a part with reasons, some 50 MB: what readers like to take at a time."""

_PART_NAME, _PART = "part-{:05}.parquet", re.compile(r"part-\d{5,}\.parquet")


def check_parts(folder: FilePath) -> None:
    """Refuse now a folder of parts that could not be written, or would replace other files."""
    with explained(folder):
        _try_beside(folder)
        if not folder.is_folder():
            if not folder.on_store and os.path.exists(folder):
                raise FileExistsError(errno.EEXIST, "a file has the name of the folder")
            return
        other = [name for name in folder.names() if not _PART.fullmatch(name)]
    if other:
        problem = f"{folder}: holds files that are no part of a table ({other[0]})"
        raise Refused(problem, "name a folder of its own for the parts")


@contextmanager
def open_parts(
    folder: FilePath, columns: Columns, work: FilePath, letters: int, parts: int
) -> Iterator[Write]:
    """What writes ``parts`` files of so many letters, each given by one call.

    They are in ``folder`` when the block ends well, those that hold nothing too; ``work`` is the
    run's work folder.
    """
    fresh = work / "parts"
    ends = [letters * (number + 1) // parts for number in range(parts)]
    number = written = 0
    append: Write

    def begin() -> Write:
        part.close()
        return part.enter_context(open_table(fresh / _PART_NAME.format(number), columns))

    def write(rows: Iterable[Row]) -> None:
        nonlocal number, written, append
        while written >= ends[number]:
            number += 1
            append = begin()
        append(rows)
        written += 1

    with explained(folder):
        fresh.remove()
        fresh.make_folder()
        with ExitStack() as part:  # the part whose turn it is
            append = begin()
            yield write
            while number + 1 < parts:
                number += 1
                begin()
        _publish(fresh, folder, work / "earlier")


def _publish(fresh: FilePath, folder: FilePath, earlier: FilePath) -> None:
    if folder.on_store:
        names = fresh.names()
        for name in names:
            (fresh / name).move(folder / name)
        for name in set(folder.names()).difference(names):
            (folder / name).remove()
        return
    earlier.remove()
    if folder.is_folder():
        folder.move(earlier)
    try:
        fresh.move(folder)
    except OSError:
        if earlier.is_folder():
            earlier.move(folder)
        raise
