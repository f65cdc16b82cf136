"""Tables on disk: Parquet, CSV and JSON Lines, written whole or not at all.

A writer fills a file beside its target and renames it over the target when everything is on
the disk: until then an earlier file stands untouched, and a failed run leaves nothing behind.
The new file gets the permissions that the umask allows.  On an object store the same is done with
an object of another name, which is moved when it is whole.

The ending of the name decides the format.  In CSV a text cell that a spreadsheet would take
for a formula (first character ``=``, ``+``, ``-``, ``@``, tab or line break) is written with
a leading apostrophe; numbers are not touched.  Lists are lists in Parquet and JSON Lines and
one readable text in CSV.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from imr.data.paths import FilePath, LocalPath, UnsupportedPathError, file_path
from imr.serve.refusal import Refused

Kind = Literal["str", "int", "float", "bool", "date", "timestamp", "texts", "reasons"]
Row = Mapping[str, Any]

SUFFIXES = (".parquet", ".csv", ".jsonl")
ROW_GROUP = 10_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of an output table: its name and the kind of its values (any may be null)."""

    name: str
    kind: Kind


class TableWriter(Protocol):
    """Takes rows one by one or many at once; the caller closes the file it writes to."""

    def write(self, rows: Iterable[Row]) -> None:
        """Append rows, each a mapping with a value or None for every column."""

    def finish(self) -> None:
        """Write what is still held back."""

    def abandon(self) -> None:
        """Let go of the file, which is not kept."""


def table_format(path: FilePath) -> str:
    """``.parquet``, ``.csv`` or ``.jsonl``; any other ending is refused."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return suffix
    shown = suffix or "no ending"
    raise Refused(f"{path}: {shown} is no output format", f"name it {', '.join(SUFFIXES)}")


@contextmanager
def open_table(
    path: FilePath, columns: Sequence[TableColumn], folder: FilePath | None = None
) -> Iterator[TableWriter]:
    """A writer for ``path``; the table appears under that name when the block ends well."""
    make = _WRITERS[table_format(path)]
    with open_atomic(path, folder) as file:
        writer = make(file, columns)
        try:
            yield writer
            writer.finish()
        except BaseException:
            writer.abandon()
            raise


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
def known_store() -> Iterator[None]:
    """Refuse a protocol that cannot be used, with what to install."""
    try:
        yield
    except UnsupportedPathError as error:
        raise Refused(error.problem, error.remedy) from None


@contextmanager
def explained(path: FilePath | Path) -> Iterator[None]:
    """Turn an error of the file system on ``path`` into a refusal that says what to do."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: FilePath | Path, error: OSError) -> Refused:
    """The refusal for an error of the file system while writing ``path``."""
    remedy = _REMEDIES.get(error.errno or 0, "write to a folder where you may create files")
    reason = error.strerror or type(error).__name__
    return Refused(f"{path}: cannot write: {reason[:1].lower()}{reason[1:]}", remedy)


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
    with known_store(), explained(path):
        if path.is_folder():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        check_folder_of(path)


def check_folder_of(path: FilePath) -> None:
    """Make and remove a file beside ``path``.

    Raises:
        OSError: where that cannot be done.
    """
    probe = path.with_name(f".{path.name}.{os.getpid()}.probe")
    probe.write_bytes(b"probe")
    probe.remove()


# --- Parquet -----------------------------------------------------------------------------------


def arrow_schema(columns: Sequence[TableColumn]) -> Any:
    """The pyarrow schema of a table: types do not depend on the values."""
    import pyarrow as pa

    text = pa.string()
    reason = pa.struct(
        {
            "signal": text,
            "value": text,
            "contribution": pa.float64(),
            "direction": text,
            "statement": text,
            "quotes": pa.list_(text),
        }
    )
    types = {
        "str": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "texts": pa.list_(pa.string()),
        "reasons": pa.list_(reason),
    }
    return pa.schema([(column.name, types[column.kind]) for column in columns])


class _ParquetTable:
    def __init__(self, file: IO[bytes], columns: Sequence[TableColumn]) -> None:
        import pyarrow.parquet as pq

        self._columns = columns
        self._schema = arrow_schema(columns)
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._held: list[Row] = []

    def write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._held.append(row)
            if len(self._held) >= ROW_GROUP:
                self._flush()

    def finish(self) -> None:
        if self._held:
            self._flush()
        self._writer.close()

    def abandon(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        arrays = [
            pa.array([_arrow_value(c.kind, row.get(c.name)) for row in self._held], field.type)
            for c, field in zip(self._columns, self._schema, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._held.clear()


def _arrow_value(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    if kind == "str":
        return encodable(value if isinstance(value, str) else str(value))
    if kind == "date" and isinstance(value, str):
        return date.fromisoformat(value)
    if kind == "timestamp" and isinstance(value, str):
        return datetime.fromisoformat(value)
    if kind == "texts":
        return [encodable(text) for text in value]
    if kind == "reasons":
        return [_encodable_reason(reason) for reason in value]
    return value


def _encodable_reason(reason: Row) -> dict[str, Any]:
    return {
        key: encodable(value) if isinstance(value, str) else value
        for key, value in {**reason, "quotes": [encodable(q) for q in reason["quotes"]]}.items()
    }


def encodable(text: str) -> str:
    """The text without lone surrogates, which no file format can hold; most has none at sight."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


# --- CSV ---------------------------------------------------------------------------------------


class _CsvTable:
    def __init__(self, file: IO[bytes], columns: Sequence[TableColumn]) -> None:
        import io

        self._text = io.TextIOWrapper(file, "utf-8", errors="replace", newline="")
        self._columns = columns
        # The standard's line ends; with "\n" alone a carriage return in a cell is not quoted.
        self._csv = csv.writer(self._text, lineterminator="\r\n")
        self._csv.writerow([column.name for column in columns])

    def write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._csv.writerow([csv_cell(c.kind, row.get(c.name)) for c in self._columns])

    def finish(self) -> None:
        self._text.detach()

    def abandon(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._text.detach()


def csv_cell(kind: Kind, value: Any) -> Any:
    """The value as a CSV cell: null is empty, text starts no formula, lists become text."""
    if value is None:
        return ""
    if kind in ("int", "float"):
        return value
    if kind == "bool":
        return "true" if value else "false"
    return formula_safe(_plain(kind, value))


def _plain(kind: Kind, value: Any) -> str:
    if kind == "texts":
        return "; ".join(value)
    if kind == "reasons":
        return " | ".join(reason_text(reason) for reason in value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def reason_text(reason: Row) -> str:
    """A reason as one readable line: ``for: MRI documented ("MRI of the knee")``."""
    quoted = "; ".join(f'"{quote}"' for quote in reason["quotes"])
    quotes = f" ({quoted})" if quoted else ""
    return f"{reason['direction']}: {reason['statement']}{quotes}"


def formula_safe(text: str) -> str:
    """The text with a leading apostrophe where a spreadsheet would run it as a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


# --- JSON Lines --------------------------------------------------------------------------------


class _JsonTable:
    def __init__(self, file: IO[bytes], columns: Sequence[TableColumn]) -> None:
        self._file = file
        self._names = [column.name for column in columns]

    def write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._file.write(json_line({name: row.get(name) for name in self._names}))

    def finish(self) -> None:
        pass

    def abandon(self) -> None:
        pass


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


_WRITERS: dict[str, Callable[[IO[bytes], Sequence[TableColumn]], TableWriter]] = {
    ".parquet": _ParquetTable,
    ".csv": _CsvTable,
    ".jsonl": _JsonTable,
}
