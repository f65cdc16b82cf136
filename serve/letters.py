"""LETTERS as small tasks that any process can take on, and the letter behind a task."""

from __future__ import annotations

import contextlib
import csv
import difflib
import functools
import hashlib
import itertools
import json
import re
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, TypeGuard, TypeVar

from imr.data.letter import Letter, LetterError
from imr.data.parse import parse
from imr.data.paths import FilePath, UnsupportedPathError, file_path
from imr.data.read import load
from imr.data.records import FLAT, NESTED, RawRecord, letter_from_record, raw_records
from imr.data.sources import (
    KINDS,
    MAX_RECORD_BYTES,
    STANDARD_INPUT,
    Source,
    content,
    opened,
    sources,
)
from imr.data.tables import csv_encoding, sheets
from imr.serve.messages import Refused, say
from imr.serve.processes import made_apart

Task = Source | RawRecord | LetterError
"""A letter to read, a record to check, or what could not even be listed."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighbouring tasks that one process takes on together."""

    index: int
    tasks: tuple[Task, ...]

    def fingerprint(self) -> str:
        """Changes when the tasks or the files behind them change (size, time of change)."""
        all_of_them = "".join(map(_identity, self.tasks)).encode("utf-8", "replace")
        return hashlib.sha256(all_of_them).hexdigest()[:32]


def _identity(task: Task) -> str:
    if isinstance(task, RawRecord):
        return f"{task.source} {json.dumps(task.values, default=str)}"
    if isinstance(task, LetterError):
        return json.dumps(vars(task))
    if task.content is not None:
        return f"{task.name} {hashlib.sha256(task.content).hexdigest()}"
    try:
        return f"{task.name} {task.state or file_path(task.path).state()}"
    except OSError:
        return f"{task.name} missing"


def task_name(task: Task) -> str:
    """The name that results and errors give the task."""
    return task.name if isinstance(task, Source) else task.source


def task_letter_id(task: Task) -> str | None:
    """The id that the task's letter will have; None where there will be none."""
    if isinstance(task, LetterError):
        return None
    return task.letter_id if isinstance(task, Source) else str(task.values.get("letter_id"))


def chunked(tasks: Iterable[Task], size: int) -> Iterator[Chunk]:
    """The tasks in chunks of ``size``, numbered from 0."""
    stream = iter(tasks)
    batches = iter(lambda: tuple(itertools.islice(stream, size)), ())
    return itertools.starmap(Chunk, enumerate(batches))


# --- from LETTERS to tasks ------------------------------------------------------------------------

Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ReadAs:
    """What the user says of the input: other names of columns, the ending of standard input, and
    the id of the only letter that is wanted.
    """

    renames: Mapping[str, str] = field(default_factory=dict)
    ending: str = ""
    only: str | None = None

    @classmethod
    def told(cls, maps: Sequence[str] | None, form: str | None) -> ReadAs:
        """What ``--map NAME=COLUMN`` and ``--format`` say.

        Raises:
            Refused: for a column or format that there is none of.
        """
        known, renames = FLAT.names | NESTED.names, dict[str, str]()
        for text in maps or ():
            name, _, column = text.rpartition("=")
            if not name or column not in known:
                near = [*difflib.get_close_matches(column, known, n=1), "case_summary"][0]
                remedy = f"give NAME=COLUMN, such as {name or 'NAME'}={near}"
                raise Refused(f"--map {text}: {column!r} is no column of records", remedy)
            renames[name] = column
        if form is not None and f".{form}" not in KINDS:
            names = ", ".join(ending[1:] for ending in KINDS)
            raise Refused(f"--format {form}: not known", f"give one of {names}")
        return cls(renames, f".{form}" if form else "")


AS_FOUND = ReadAs()


def tasks(
    paths: Iterable[str], notice: Notice = say, how: ReadAs = AS_FOUND, apart: bool = False
) -> Iterator[Task]:
    """Everything under ``paths`` in their order; a file of records gives one task a record.

    What `imr` wrote itself is passed over, and ``notice`` told so.  ``apart``: tables that only a
    library can read are read in a process of their own, with the bounds of a worker.  That of a
    script has to be guarded (``if __name__ == "__main__"``), so that commands alone ask for it.
    """
    for task in _joined(_tasks(paths, notice, how, apart)):
        if how.only is None or task_letter_id(task) == how.only:
            yield task


def _tasks(paths: Iterable[str], notice: Notice, how: ReadAs, apart: bool) -> Iterator[Task]:
    for source in sources(paths, ending=how.ending):
        name = task_name(source)
        folder, _, file = name.rpartition("/")
        if folder.endswith(".partial") and _WORK_FILE.fullmatch(file):  # of a run, empty ones too
            if file == _TOLD_OF:
                _pass_over(name, "journal", notice)
        elif isinstance(source, LetterError) and _is_report(source):
            _pass_over(name, "report", notice)
        elif isinstance(source, LetterError) or source.kind != "records":
            yield source
        else:
            make = functools.partial(_tasks_and_notices, source, how)
            by_library = apart and _table_name(source).lower().endswith(BY_LIBRARY)
            for one in made_apart(make, name) if by_library else make():
                if isinstance(one, str):
                    notice(one)
                else:
                    yield one


def _is_report(error: LetterError) -> bool:
    """True for our own page among what is no letter; one not opened keeps its error."""
    if error.reason == "unsupported" and error.source.endswith((".html", ".htm")):
        with contextlib.suppress(OSError, UnsupportedPathError):
            return _REPORT_MARK in file_path(error.source).read_bytes(_REPORT_HEAD_BYTES)
    return False


def _pass_over(name: str, kind: str, notice: Notice) -> None:
    notice(f"{name}: passed over: it is the {kind} that imr wrote, no letter and no record")


def something_to_do(
    paths: Iterable[str], report_failure: Callable[[LetterError], None], how: ReadAs = AS_FOUND
) -> Iterator[Task]:
    """The tasks under ``paths``, where one of them at least is a letter.

    Raises:
        Refused: where none is; what was found instead is passed on first.
    """
    work = tasks(paths, how=how, apart=True)
    failures: list[LetterError] = []
    for task in work:
        if not isinstance(task, LetterError):
            return itertools.chain(failures, [task], work)
        failures.append(task)
    for failure in failures:
        report_failure(failure)
    if how.only is not None:
        raise Refused(f"no letter {how.only}", "leave out --letter or correct it")
    told = "mend what is named above" if failures else "name PDF or text letters, or case records"
    raise Refused("nothing to do: no letters found", told)


def check_apart(paths: Iterable[str], outputs: Iterable[FilePath | None], how: ReadAs) -> None:
    """Refuse an output that is one of the letters: it would be read, and then be lost.

    An earlier output of `imr` is no letter, and is replaced.
    """
    there = []
    for output in outputs:
        with contextlib.suppress(OSError, UnsupportedPathError):  # unwritable: told later
            if output is not None and not output.look().folder:
                there.append(output)
    endings = {path.suffix.lower() for path in there}
    named = (path for path in paths if there and path != STANDARD_INPUT)
    for source in sources(named, how.ending):
        if isinstance(source, LetterError) or source.member is not None:
            continue
        path = file_path(source.path)
        is_output = path.suffix.lower() in endings and any(path.is_same(out) for out in there)
        if is_output and next(made_apart(functools.partial(_own, source), source.name)) is not True:
            problem = f"{source.name}: is one of the letters, and the output would replace it"
            raise Refused(problem, "name another file")


def _own(source: Source) -> Iterator[bool]:
    """Whether a file is an earlier output; one that cannot be read is not."""
    with contextlib.suppress(OSError, LetterError):
        if source.kind == "records":
            with opened(source) as file:
                yield written_by_imr(source.name, file) is not None
                return
    yield False


def count_letters(paths: Sequence[str], how: ReadAs = AS_FOUND) -> int | None:
    """How many tasks there are; None where standard input, which is read once, is among them."""
    if STANDARD_INPUT in paths:
        return None
    return sum(1 for _ in tasks(paths, lambda _: None, how, apart=True))  # told before


_PART = re.compile(r"part[-.]?\d[^/]*$")


def _joined(work: Iterable[Task]) -> Iterator[Task]:
    """The tasks, where a letter whose rows two parts of one table share is one letter."""
    last: Task | None = None
    for task in work:
        if isinstance(last, RawRecord) and isinstance(task, RawRecord) and _continues(last, task):
            items = [*last.values["items"], *task.values["items"]]
            last = replace(last, values={**last.values, "items": items})
            continue
        if last is not None:
            yield last
        last = task
    if last is not None:
        yield last


def _continues(last: RawRecord, record: RawRecord) -> bool:
    """True for rows of one letter at the end of a part and at the beginning of the next."""
    before, after = (one.source.rpartition(" row ")[0] for one in (last, record))
    return (
        (last.flat and record.flat)
        and before != after
        and before.rpartition("/")[0] == after.rpartition("/")[0]
        and bool(_PART.search(before) and _PART.search(after))
        and all(last.values.get(n) == record.values.get(n) for n in ("letter_id", "case_summary"))
    )


BY_LIBRARY = (".xlsx", ".parquet")
"""Tables in which a hostile file meets a library, which it may end or have take all memory."""


def _table_name(source: Source) -> str:
    """The name by whose ending a table is read."""
    return source.name if source.content is None else f"stdin{source.ending}"


def _tasks_and_notices(source: Source, how: ReadAs) -> Iterator[Task | str]:
    """The tasks, and what the user is told, in their order; a fault of ours is an error, too."""
    told: list[str] = []
    work = _record_tasks(source, told.append, how)
    while (task := safely(source.name, "reading", lambda: next(work, None))) is not None:
        yield from told
        told.clear()
        yield task
    yield from told


def _record_tasks(source: Source, notice: Notice, how: ReadAs) -> Iterator[Task]:
    found, name = False, _table_name(source)
    try:
        with opened(source) as file:
            if own := written_by_imr(name, file):
                _pass_over(source.name, own, notice)
                return
            for record in raw_records(name, file, how.renames, notice):
                found = True
                yield record
    except LetterError as error:
        yield error
    except OSError as error:
        said = (error.strerror or type(error).__name__).lower()
        problem = f"its end is not read: {said}"
        yield LetterError(source.name, "unreadable", problem, "read it again")
    else:
        if not found:
            remedy = "write a row below the header, or an object (imr schema)"
            yield LetterError(source.name, "empty", "no records in the file", remedy)


# --- from a task to its letter --------------------------------------------------------------------

FETCHED_AHEAD = 8
"""Objects asked for at the same time: a store takes 20 to 100 ms to answer, a letter 5 to parse."""

Made = TypeVar("Made")


def fetched(given: Sequence[Task]) -> Iterator[Task]:
    """The tasks in their order, those on a store with their bytes, some fetched ahead."""
    if not any(map(_to_fetch, given)):
        yield from given
        return

    def fetch(task: Task) -> Task:
        if not _to_fetch(task):
            return task
        return safely(task.name, "reading", lambda: replace(task, content=content(task)))

    with ThreadPoolExecutor(FETCHED_AHEAD) as threads:
        waiting: deque[Future[Task]] = deque()
        for task in given:
            waiting.append(threads.submit(fetch, task))
            if len(waiting) >= FETCHED_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _to_fetch(task: Task) -> TypeGuard[Source]:
    """True for a letter that is an object of its own; members of an archive share one place."""
    return (
        isinstance(task, Source)
        and task.member is None
        and task.content is None
        and file_path(task.path).on_store
    )


def read_letter(task: Task) -> Letter:
    """The letter of a task.

    Raises:
        LetterError: where it cannot be read, with the reason.
    """
    if isinstance(task, LetterError):
        raise task
    if isinstance(task, RawRecord):
        return letter_from_record(task)
    try:
        return parse(load(task))
    except LetterError as error:
        if task.path == STANDARD_INPUT and error.reason == "unknown_format":
            remedy = f"{error.remedy}; of a table say --format csv"
            raise LetterError(error.source, error.reason, error.message, remedy) from None
        raise


def read_safely(task: Task) -> Letter | LetterError:
    """The letter, or why there is none."""
    return safely(task_name(task), "reading", lambda: read_letter(task))


def safely(source: str, stage: str, make: Callable[[], Made]) -> Made | LetterError:
    """What is made of a letter, or why nothing: whatever one letter does, the others go on.

    Of a fault of ours only kind and place are told, for its message can hold letter text.
    """
    try:
        return make()
    except LetterError as error:
        return error.with_traceback(None)
    except Exception as error:  # noqa: BLE001 - whatever one letter does, the others go on
        if isinstance(error, MemoryError) and stage == "reading":
            return LetterError(source, "too_large", "needs too much memory", "check the file")
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        message = f"{stage} failed ({type(error).__name__} in {place})"
        return LetterError(source, "internal", message, "please report it with the letter's source")


# --- what `imr` wrote itself, lying among the letters ---------------------------------------------
#
# Recognised by what stands in it, not by its name: the columns of a table, the keys of the first
# line, the mark of the report.  What `imr parse` prints is meant to be read and is no such file.

_RECORD_NAMES = frozenset({"case_summary", "items", "title"})
_DETAIL_NAMES = frozenset({"case_summary", "items", "model_uri", "notice"})
_KINDS = {
    "details": _DETAIL_NAMES,
    "scores": frozenset({"p_overturned", "predicted_outcome", "model_uri"}),
    "signals": frozenset({"letter_id", "item_index", "chronicity_days"}),
    "evidence": frozenset({"letter_id", "signal", "quote", "rule"}),
    "list of letters not read": frozenset({"source", "reason", "message", "remedy"}),
    "journal": frozenset({"chunk", "fingerprint", "answer"}),
}
"""What our files are called, and names that stand together in each and in no record."""

_TOLD_OF = "settings.json"
"""Of the files in a work folder, the one that is named for all."""

_WORK_FILE = re.compile(rf"chunk-\d{{8}}\.jsonl|{re.escape(_TOLD_OF)}|lock")
_REPORT_MARK = b'<meta name="generator" content="imr score">'
_REPORT_HEAD_BYTES = 2**16


def written_by_imr(name: str, file: IO[bytes]) -> str | None:
    """What a record file is that `imr` wrote (``"scores"``); None for any other.

    ``file`` is read from its beginning and left there.
    """
    names = _names(name, file)
    file.seek(0)
    if names & _RECORD_NAMES and not names >= _DETAIL_NAMES:
        return None
    return next((kind for kind, needed in _KINDS.items() if needed <= names), None)


def _names(name: str, file: IO[bytes]) -> frozenset[str]:
    """Columns of a table or keys of the first line; none where it cannot be told."""
    ending = PurePosixPath(name).suffix.lower()
    try:
        if ending == ".parquet":
            import pyarrow.parquet as pq

            return frozenset(pq.read_schema(file).names)
        if ending == ".xlsx":
            return frozenset(str(cell) for sheet in sheets(name, file)[:1] for cell in sheet.head)
        encoding = csv_encoding(file)
        if encoding == "utf-16":
            return frozenset()  # we write UTF-8
        line = file.readline(MAX_RECORD_BYTES).decode(encoding, "replace")
        if ending == ".csv":
            return frozenset(next(csv.reader([line.strip("\r\n")]), ()))
        first = json.loads(line)
        return frozenset(first if isinstance(first, dict) else ())
    except Exception:  # noqa: BLE001 - a damaged file makes Arrow raise anything; its reader says so
        return frozenset()
