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
from pathlib import Path

from imr.data import remote
from imr.serve.places import Place, StorePath, is_folder, known_store, names_in, remove
from imr.serve.refusal import Refused
from imr.serve.writers import Row, TableColumn, TableWriter, check_place, explained, open_table

PART_LETTERS = 50_000
"""About 100,000 rows a part with reasons, some 50 MB: what readers like to take at a time."""

_PART = re.compile(r"part-\d{5,}\.parquet")


def part_name(number: int) -> str:
    """``part-00000.parquet`` for 0."""
    return f"part-{number:05}.parquet"


def check_parts(folder: Place) -> None:
    """Refuse now a folder of parts that could not be written, or would replace other files."""
    with known_store(), explained(folder):
        check_place(folder)
        if not is_folder(folder):
            if isinstance(folder, Path) and folder.exists():
                raise FileExistsError(errno.EEXIST, "a file has the name of the folder")
            return
        other = [name for name in names_in(folder) if not _PART.fullmatch(name)]
    if other:
        problem = f"{folder}: holds files that are no part of a table ({other[0]})"
        raise Refused(problem, "name a folder of its own for the parts")


@contextmanager
def open_parts(
    folder: Place, columns: Sequence[TableColumn], work: Place, letters: int, parts: int
) -> Iterator[TableWriter]:
    """A writer of ``parts`` files for so many letters, each given by one ``write``.

    They are in ``folder`` when the block ends well; ``work`` is the run's work folder.
    """
    fresh = work / "parts"
    with explained(folder):
        remove(fresh)
        if isinstance(fresh, Path):
            fresh.mkdir()
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
        self, folder: Place, columns: Sequence[TableColumn], letters: int, parts: int
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


def _publish(fresh: Place, folder: Place, work: Place, parts: int) -> None:
    if isinstance(fresh, Path) and isinstance(folder, Path) and isinstance(work, Path):
        earlier = work / "earlier"
        remove(earlier)
        _exchange(fresh, folder, earlier)
        return
    assert isinstance(fresh, StorePath)
    assert isinstance(folder, StorePath)
    names = [part_name(number) for number in range(parts)]
    for name in names:
        remote.move((fresh / name).url, (folder / name).url)
    for name in names_in(folder):
        if name not in names:
            remove(folder / name)


def _exchange(fresh: Path, folder: Path, earlier: Path) -> None:
    if folder.exists():
        os.rename(folder, earlier)
    try:
        os.rename(fresh, folder)
    except OSError:
        if earlier.exists():
            os.rename(earlier, folder)
        raise
