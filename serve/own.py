"""What `imr` wrote itself, lying among the letters: recognised, so that it is not read as records.

By what stands in it, not by its name: the columns of a table, the keys of the first line, the
mark of the report.  What `imr parse` prints is meant to be read and is no such file.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import PurePosixPath
from typing import IO, Any

from imr.data.records import MAX_RECORD_BYTES

_RECORD_NAMES = frozenset({"case_summary", "items", "title"})
_KINDS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"p_overturned", "predicted_outcome", "model_uri"}), "scores"),
    (frozenset({"letter_id", "item_index", "chronicity_days"}), "signals"),
    (frozenset({"letter_id", "signal", "quote", "rule"}), "evidence"),
    (frozenset({"source", "reason", "message", "remedy"}), "list of letters not read"),
    (frozenset({"chunk", "fingerprint", "answer"}), "journal"),
)
"""Names that stand together in our files and in no record, and what the file is called."""

REPORT_MARK = b'<meta name="generator" content="imr score">'
REPORT_HEAD_BYTES = 2**16


def written_by_imr(name: str, file: IO[bytes]) -> str | None:
    """What a record file is that `imr` wrote (``"scores"``); None for any other.

    ``file`` is read from its beginning and left there.
    """
    if in_work_folder(name):
        return "journal"
    try:
        names = _names(name, file)
    finally:
        file.seek(0)
    if names & _RECORD_NAMES:
        return None
    return next((kind for needed, kind in _KINDS if needed <= names), None)


def in_work_folder(name: str) -> bool:
    """True for the journal of a run that is under way or was killed, also while it is empty."""
    path = PurePosixPath(name)
    return path.parent.suffix == ".partial" and path.name == "journal.jsonl"


def is_report(beginning: bytes) -> bool:
    """True where a page begins as the report of `imr score` does."""
    return REPORT_MARK in beginning[:REPORT_HEAD_BYTES]


def _names(name: str, file: IO[bytes]) -> frozenset[str]:
    """Columns of a table or keys of the first line; none where it cannot be told."""
    if name.lower().endswith(".parquet"):
        return _parquet_names(file)
    line = file.readline(MAX_RECORD_BYTES).decode("utf-8-sig", "replace")
    if name.lower().endswith(".csv"):
        return frozenset(next(csv.reader(io.StringIO(line.strip("\r\n"))), ()))
    try:
        first: Any = json.loads(line)
    except (ValueError, RecursionError):
        return frozenset()
    return frozenset(first) if isinstance(first, dict) else frozenset()


def _parquet_names(file: IO[bytes]) -> frozenset[str]:
    import pyarrow.parquet as pq

    try:
        return frozenset(pq.read_schema(file).names)
    except Exception:  # noqa: BLE001 - a damaged file makes Arrow raise anything; its reader says so
        return frozenset()
