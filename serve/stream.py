"""Letters through worker processes in the order of the input: what parse and features share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from imr.data.letter import Letter
from imr.serve.letters import Chunk, Failure, chunked, count_letters, fetched, something_to_do
from imr.serve.parsed import letter_object
from imr.serve.pool import Answer, Pool, Setup, Work, failure_answer, in_order
from imr.serve.progress import progress
from imr.serve.work import read_safely, unexpected

CHUNK_LETTERS = 16


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
    from dataclasses import asdict

    from imr.features.table import signals

    found = signals(letter.case)
    evidence = [{"letter_id": letter.case.letter_id, **asdict(e)} for e in found.evidence]
    return {"rows": found.rows, "evidence": evidence}


def each_letter(
    letters: tuple[str, ...],
    make: Callable[[Letter], dict[str, Any]],
    jobs: int,
    report_failure: Callable[[Failure], None],
) -> Iterator[dict[str, Any]]:
    """What ``make`` made of each letter, in order; a letter not read is passed on instead."""
    setup: Setup = EachLetter(make)
    chunks = chunked(something_to_do(letters, report_failure), CHUNK_LETTERS)
    with progress("reading", lambda: count_letters(letters)) as advance:
        for chunk, answer in in_order(Pool(setup, jobs).run(chunks)):
            advance(len(chunk.tasks))
            yield from _split(answer, report_failure)


def _split(answer: Iterable[dict[str, Any]], report: Callable[[Failure], None]) -> Iterator[Any]:
    for one in answer:
        if "error" in one:
            report(Failure(**one["error"]))
        else:
            yield one
