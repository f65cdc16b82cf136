"""`imr parse` and `imr features`: what is made of each letter on its own."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import IO, Any

from imr.data.letter import Letter
from imr.serve.letter_json import letter_object
from imr.serve.letters import (
    AS_FOUND,
    Chunk,
    Failure,
    ReadAs,
    chunked,
    count_letters,
    something_to_do,
)
from imr.serve.messages import ended_well, progress
from imr.serve.outputs import (
    TableColumn,
    check_writable,
    json_line,
    open_atomic,
    open_table,
    output_path,
    table_format,
)
from imr.serve.worker import fetched, read_safely, unexpected
from imr.serve.workers import Answer, Pool, Work, default_jobs, failure_answer, in_order

ReportFailure = Callable[[Failure], None]

CHUNK_LETTERS = 16
"""Letters that a worker reads at a time, or derives signals of."""


def each_letter(
    letters: tuple[str, ...],
    make: Callable[[Letter], dict[str, Any]],
    jobs: int,
    report: ReportFailure,
    how: ReadAs = AS_FOUND,
) -> Iterator[dict[str, Any]]:
    """What ``make`` made of each letter, in order; a letter not read is passed on instead."""
    chunks = chunked(something_to_do(letters, report, how), CHUNK_LETTERS)
    with progress("reading", lambda: count_letters(letters, how)) as advance:
        for chunk, answer in in_order(Pool(jobs or default_jobs()).run(EachLetter(make), chunks)):
            advance(len(chunk.tasks))
            for one in answer:
                if "error" in one:
                    report(Failure(**one["error"]))
                else:
                    yield one


def parse_letters(
    letters: tuple[str, ...],
    output: str | None,
    jobs: int,
    report: ReportFailure,
    how: ReadAs = AS_FOUND,
) -> None:
    """`imr parse`: one JSON object a line, in the order of the input."""
    found = each_letter(letters, parsed, jobs, report, how)
    lines = (json_line(answer["letter"]) for answer in found)
    if output is None:
        with ended_well():
            _write_lines(sys.stdout.buffer, lines)
        return
    target = output_path(output)
    check_writable(target)
    with ended_well(f"{target} not written"), open_atomic(target) as file:
        _write_lines(file, lines)


def _write_lines(file: IO[bytes], lines: Iterable[bytes]) -> None:
    for line in lines:
        file.write(line)
    file.flush()


def write_features(
    letters: tuple[str, ...],
    output: str,
    evidence: str | None,
    jobs: int,
    report: ReportFailure,
    how: ReadAs = AS_FOUND,
) -> None:
    """`imr features`: the table of signals and, where asked for, the words behind them."""
    from imr.features.table import all_columns

    target = output_path(output)
    words = output_path(evidence) if evidence else None
    table_format(target)
    check_writable(target)
    if words:
        check_writable(words)
    columns = [TableColumn(column.name, column.dtype) for column in all_columns()]
    make = signal_rows_with_evidence if evidence else signal_rows
    with ended_well(f"{target} not written"), contextlib.ExitStack() as files:
        table = files.enter_context(open_table(target, columns))
        quotes = files.enter_context(open_atomic(words)) if words else None
        for answer in each_letter(letters, make, jobs, report, how):
            table.write(answer["rows"])
            if quotes:
                _write_lines(quotes, map(json_line, answer["evidence"]))


# --- in a worker ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EachLetter:
    """A worker's set-up: read each letter and hand back what ``make`` makes of it."""

    make: Callable[[Letter], dict[str, Any]]

    def __call__(self) -> Work:
        """Nothing to load."""
        return self._chunk

    def _chunk(self, chunk: Chunk) -> Answer:
        return [self._one(read_safely(task)) for task in fetched(chunk.tasks)]

    def _one(self, letter: Letter | Failure) -> dict[str, Any]:
        if isinstance(letter, Failure):
            return failure_answer(letter)
        try:
            return self.make(letter)
        except Exception as error:  # noqa: BLE001 - whatever one letter does, the others go on
            return failure_answer(unexpected(letter.case.source, "deriving", error))


def parsed(letter: Letter) -> dict[str, Any]:
    """The object of `imr parse`."""
    return {"letter": letter_object(letter)}


def signal_rows(letter: Letter) -> dict[str, Any]:
    """The letter's rows of `imr features`."""
    from imr.features.table import signals

    return {"rows": signals(letter.case).rows}


def signal_rows_with_evidence(letter: Letter) -> dict[str, Any]:
    """The letter's rows of `imr features` and the words behind them."""
    from imr.features.table import signals

    found = signals(letter.case)
    evidence = [{"letter_id": letter.case.letter_id, **asdict(e)} for e in found.evidence]
    return {"rows": found.rows, "evidence": evidence}
