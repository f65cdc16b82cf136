"""A table as a folder of Parquet files ``part-00000.parquet`` …: one dataset for its readers.

A letter's rows stand in one part, and the parts in the order of their names hold the rows of the
single file in its order.  The parts are written in the run's work folder and take the place of an
earlier folder when all are whole; on an object store, which moves one object at a time, each part
replaces its forerunner, and parts that are no longer needed go last.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from imr.data.paths import FilePath
from imr.serve.refusal import Refused
from imr.serve.writers import (
    Row,
    TableColumn,
    TableWriter,
    check_folder_of,
    explained,
    known_store,
    open_table,
)

PART_LETTERS = 50_000
"""About 100,000 rows a part with reasons, some 50 MB: what readers like to take at a time."""

_PART = re.compile(r"part-\d{5,}\.parquet")


def part_name(number: int) -> str:
    """``part-00000.parquet`` for 0."""
    return f"part-{number:05}.parquet"


def check_parts(folder: FilePath) -> None:
    """Refuse now a folder of parts that could not be written, or would replace other files."""
    with known_store(), explained(folder):
        check_folder_of(folder)
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
    folder: FilePath, columns: Sequence[TableColumn], work: FilePath, letters: int, parts: int
) -> Iterator[TableWriter]:
    """A writer of ``parts`` files for so many letters, each given by one ``write``.

    They are in ``folder`` when the block ends well; ``work`` is the run's work folder.
    """
    fresh = work / "parts"
    with explained(folder):
        fresh.remove()
        fresh.make_folder()
        writer = _Parts(fresh, columns, letters, parts)
        try:
            yield writer
            writer.finish()
            _publish(fresh, folder, work, parts)
        except BaseException:
            writer.abandon()
            raise


class _AbandonedError(Exception):
    """Ends the part that is open; it never leaves the module."""


class _Parts:
    """Hands each letter's rows to the part whose turn it is."""

    def __init__(
        self, folder: FilePath, columns: Sequence[TableColumn], letters: int, parts: int
    ) -> None:
        self._folder, self._columns = folder, columns
        self._ends = [letters * (number + 1) // parts for number in range(parts)]
        self._written = 0
        self._begun = 0
        self._open = ExitStack()
        self._part: TableWriter = self._next()

    def write(self, rows: Iterable[Row]) -> None:
        """Append one letter's rows."""
        while self._written >= self._ends[self._begun - 1]:
            self._open.close()
            self._part = self._next()
        self._part.write(rows)
        self._written += 1

    def finish(self) -> None:
        """Close the last part, and write those that hold nothing: there are as many as asked."""
        self._open.close()
        while self._begun < len(self._ends):
            self._next()
            self._open.close()

    def abandon(self) -> None:
        """Let go of the part that is open, which is not kept."""
        fault = _AbandonedError()
        self._open.__exit__(_AbandonedError, fault, None)

    def _next(self) -> TableWriter:
        path = self._folder / part_name(self._begun)
        self._begun += 1
        return self._open.enter_context(open_table(path, self._columns))


def _publish(fresh: FilePath, folder: FilePath, work: FilePath, parts: int) -> None:
    if not folder.on_store:
        earlier = work / "earlier"
        earlier.remove()
        _exchange(fresh, folder, earlier)
        return
    names = [part_name(number) for number in range(parts)]
    for name in names:
        (fresh / name).move(folder / name)
    for name in folder.names():
        if name not in names:
            (folder / name).remove()


def _exchange(fresh: FilePath, folder: FilePath, earlier: FilePath) -> None:
    if folder.is_folder():
        folder.move(earlier)
    try:
        fresh.move(folder)
    except OSError:
        if earlier.is_folder():
            earlier.move(folder)
        raise
