"""What there is to do: letters and case records as small tasks that any process can take on."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from data.letter import Letter, LetterError
from data.read import Source, content, load, sources
from data.records import RawRecord, letter_from_record, raw_records
from serve.refusal import Refused


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one letter is not in the result: the line of ``FILE.errors.jsonl``."""

    source: str
    reason: str
    message: str
    remedy: str = ""

    @classmethod
    def of(cls, error: LetterError) -> Failure:
        """The failure that a :class:`~data.letter.LetterError` reports."""
        return cls(error.source, error.reason, error.message, error.remedy)

    def line(self) -> str:
        """One line for a person: what, why, what to do."""
        return f"{self.source}: {self.message}" + (f" ({self.remedy})" if self.remedy else "")


Task = Source | RawRecord | Failure
"""A letter to read, a record to check, or what could not even be listed."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighbouring tasks that one process takes on together."""

    index: int
    tasks: tuple[Task, ...]

    def fingerprint(self) -> str:
        """Changes when the tasks or the files behind them change (size, time of change)."""
        digest = hashlib.sha256()
        for task in self.tasks:
            digest.update(_identity(task).encode("utf-8", "replace"))
        return digest.hexdigest()[:32]


def _identity(task: Task) -> str:
    if isinstance(task, Source):
        if task.content is not None:
            return f"{task.name} {hashlib.sha256(task.content).hexdigest()}"
        return f"{task.name} {_state(task.path)}"
    if isinstance(task, RawRecord):
        return f"{task.source} {json.dumps(task.values, default=str)}"
    return json.dumps(asdict(task))


def _state(path: str) -> str:
    try:
        status = Path(path).stat()
    except OSError:
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"


def tasks(paths: Iterable[str]) -> Iterator[Task]:
    """Everything under ``paths`` in their order; a file of records gives one task a record."""
    for source in sources(paths):
        if isinstance(source, LetterError):
            yield Failure.of(source)
        elif source.kind == "records":
            yield from _record_tasks(source)
        else:
            yield source


def something_to_do(
    paths: Iterable[str], report_failure: Callable[[Failure], None]
) -> Iterator[Task]:
    """The tasks under ``paths``, where one of them at least is a letter.

    Raises:
        Refused: where none is; what was found instead is passed on first.
    """
    work = tasks(paths)
    failures: list[Failure] = []
    for task in work:
        if not isinstance(task, Failure):
            return itertools.chain(failures, [task], work)
        failures.append(task)
    for failure in failures:
        report_failure(failure)
    raise Refused("nothing to do: no letters found", "name PDF or text letters, or case records")


def count_letters(paths: Sequence[str]) -> int | None:
    """How many tasks there are; None where standard input, which is read once, is among them."""
    return None if "-" in paths else sum(1 for _ in tasks(paths))


def _record_tasks(source: Source) -> Iterator[Task]:
    found = False
    try:
        with _opened(source) as file:
            for record in raw_records(_record_name(source), file):
                found = True
                yield Failure.of(record) if isinstance(record, LetterError) else record
    except LetterError as error:
        yield Failure.of(error)
    else:
        if not found:
            yield Failure(source.name, "empty", "no records in the file", "see imr schema")


def _opened(source: Source) -> IO[bytes]:
    """The bytes of a record file: from the disk piece by piece, else from memory."""
    if source.member is not None or source.content is not None:
        return io.BytesIO(content(source))
    try:
        return Path(source.path).open("rb")
    except OSError as error:
        said = (error.strerror or "it cannot be opened").lower()
        raise LetterError(source.name, "unreadable", said, "check the path") from None


def _record_name(source: Source) -> str:
    if source.content is None:
        return source.name
    return "stdin.parquet" if source.content.startswith(b"PAR1") else "stdin.jsonl"


def read_letter(task: Task) -> Letter:
    """The letter of a task.

    Raises:
        LetterError: where it cannot be read, with the reason.
    """
    if isinstance(task, Failure):
        raise LetterError(task.source, task.reason, task.message, task.remedy)
    if isinstance(task, RawRecord):
        return letter_from_record(task)
    from data.parse import parse

    return parse(load(task))


def task_name(task: Task) -> str:
    """The name that results and errors give the task."""
    return task.name if isinstance(task, Source) else task.source


def chunked(tasks: Iterable[Task], size: int) -> Iterator[Chunk]:
    """The tasks in chunks of ``size``, numbered from 0."""
    stream = iter(tasks)
    for index in itertools.count():
        batch = tuple(itertools.islice(stream, size))
        if not batch:
            return
        yield Chunk(index, batch)
