"""What there is to do: letters and case records as small tasks that any process can take on."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

from imr.data.letter import Letter, LetterError
from imr.data.paths import UnsupportedPathError, file_path
from imr.data.read import load
from imr.data.records import RawRecord, letter_from_record, raw_records
from imr.data.sources import Source, content, opened, sources
from imr.serve.own import REPORT_HEAD_BYTES, is_report, written_by_imr
from imr.serve.refusal import Refused


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one letter is not in the result: the line of ``FILE.errors.jsonl``."""

    source: str
    reason: str
    message: str
    remedy: str = ""

    @classmethod
    def of(cls, error: LetterError) -> Failure:
        """The failure that a :class:`~imr.data.letter.LetterError` reports."""
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
        try:
            return f"{task.name} {task.state or file_path(task.path).state()}"
        except OSError:
            return f"{task.name} missing"
    if isinstance(task, RawRecord):
        return f"{task.source} {json.dumps(task.values, default=str)}"
    return json.dumps(asdict(task))


Notice = Callable[[str], None]


def say(line: str) -> None:
    """Tell the user something that is no failure."""
    print(f"imr: {line}", file=sys.stderr)


def tasks(paths: Iterable[str], notice: Notice = say) -> Iterator[Task]:
    """Everything under ``paths`` in their order; a file of records gives one task a record.

    What `imr` wrote itself is passed over, and ``notice`` told so.
    """
    return _joined(_tasks(paths, notice))


def _tasks(paths: Iterable[str], notice: Notice) -> Iterator[Task]:
    for source in sources(paths):
        if isinstance(source, LetterError):
            if not _is_own_report(source, notice):
                yield Failure.of(source)
        elif source.kind == "records":
            yield from _record_tasks(source, notice)
        else:
            yield source


def _is_own_report(error: LetterError, notice: Notice) -> bool:
    name = error.source
    if error.reason != "unsupported" or not name.endswith((".html", ".htm")):
        return False
    try:
        found = is_report(file_path(name).read_bytes(REPORT_HEAD_BYTES))
    except (OSError, UnsupportedPathError):  # the error says already that it is not read
        return False
    if found:
        _pass_over(name, "report", notice)
    return found


def _pass_over(name: str, kind: str, notice: Notice) -> None:
    notice(f"{name}: passed over: it is the {kind} that imr wrote, no letter and no record")


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
    return None if "-" in paths else sum(1 for _ in tasks(paths, lambda _: None))


_PART = re.compile(r"part[-.]?\d[^/]*$")


def _joined(work: Iterable[Task]) -> Iterator[Task]:
    """The tasks, where a letter whose rows two parts of one table share is one letter."""
    last: RawRecord | None = None
    for task in work:
        if last is not None and isinstance(task, RawRecord) and _continues(last, task):
            items = [*last.values["items"], *task.values["items"]]
            last = replace(last, values={**last.values, "items": items})
            continue
        if last is not None:
            yield last
        last = task if isinstance(task, RawRecord) and task.flat else None
        if last is None:
            yield task
    if last is not None:
        yield last


def _continues(last: RawRecord, record: RawRecord) -> bool:
    """True for rows of one letter at the end of a part and at the beginning of the next."""
    before, after = _file_of(last), _file_of(record)
    return (
        record.flat
        and before != after
        and before.rpartition("/")[0] == after.rpartition("/")[0]
        and bool(_PART.search(before) and _PART.search(after))
        and all(last.values.get(n) == record.values.get(n) for n in ("letter_id", "case_summary"))
    )


def _file_of(record: RawRecord) -> str:
    return record.source.rpartition(" row ")[0]


def _record_tasks(source: Source, notice: Notice) -> Iterator[Task]:
    found = False
    try:
        with opened(source) as file:
            own = written_by_imr(_record_name(source), file)
            if own is not None:
                _pass_over(source.name, own, notice)
                return
            for record in raw_records(_record_name(source), file):
                found = True
                yield Failure.of(record) if isinstance(record, LetterError) else record
    except LetterError as error:
        yield Failure.of(error)
    except OSError as error:
        said = (error.strerror or type(error).__name__).lower()
        yield Failure(source.name, "unreadable", f"its end is not read: {said}", "read it again")
    else:
        if not found:
            yield Failure(source.name, "empty", "no records in the file", "see imr schema")


def _record_name(source: Source) -> str:
    if source.content is None:
        return source.name
    return "stdin.parquet" if source.content.startswith(b"PAR1") else "stdin.jsonl"


FETCHED_AHEAD = 8
"""Objects asked for at the same time: a store takes 20 to 100 ms to answer, a letter 5 to parse."""


def fetched(given: Sequence[Task]) -> Iterator[Task]:
    """The tasks in their order, those on a store with their bytes, some fetched ahead."""
    if not any(map(_to_fetch, given)):
        yield from given
        return
    with ThreadPoolExecutor(FETCHED_AHEAD) as threads:
        waiting: deque[Future[Task]] = deque()
        for task in given:
            waiting.append(threads.submit(_fetch, task))
            if len(waiting) >= FETCHED_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _to_fetch(task: Task) -> bool:
    """True for a letter that is an object of its own; members of an archive share one place."""
    return (
        isinstance(task, Source)
        and task.member is None
        and task.content is None
        and file_path(task.path).on_store
    )


def _fetch(task: Task) -> Task:
    if not isinstance(task, Source) or not _to_fetch(task):
        return task
    try:
        return replace(task, content=content(task))
    except LetterError as error:
        return Failure.of(error)
    except MemoryError:
        return Failure(task.name, "too_large", "needs too much memory", "check the file")


def read_letter(task: Task) -> Letter:
    """The letter of a task.

    Raises:
        LetterError: where it cannot be read, with the reason.
    """
    if isinstance(task, Failure):
        raise LetterError(task.source, task.reason, task.message, task.remedy)
    if isinstance(task, RawRecord):
        return letter_from_record(task)
    from imr.data.parse import parse

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
