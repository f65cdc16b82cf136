"""Batch scoring: letters in, one row an item out, and every letter in exactly one place.

Chunks of letters are scored by worker processes and appended to a journal as they finish; the
table (one file, or a folder of parts), the error list and the report are then written from the
journal in the order of the input and renamed into place.  Memory does not grow with the number of
letters.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imr.data.paths import FilePath
from imr.serve.engine import EngineName, make_engine
from imr.serve.journal import Journal, RunSettings, open_journal
from imr.serve.letters import Chunk, Failure, chunked, count_letters, something_to_do
from imr.serve.model import CHAMPION, ModelAddress, load_predictor, resolve
from imr.serve.partitions import PART_LETTERS, check_parts, open_parts
from imr.serve.progress import progress
from imr.serve.refusal import Refused
from imr.serve.report import open_report
from imr.serve.rows import ERROR_COLUMNS, SCORE_COLUMNS
from imr.serve.summary import Tally
from imr.serve.work import Predicts, ScoreSetup
from imr.serve.writers import TableWriter, check_writable, explained, open_table, table_format

CHUNK_LETTERS = 256
"""Letters a worker takes on at a time: enough to predict together (a batch costs some 20 ms of its
own, however small), few to lose."""


CHUNKS_AT_LEAST = 8
"""Few letters are dealt out in smaller chunks, so that all processes have work."""


def default_jobs() -> int:
    """The cores this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class ScoreRun:
    """What `imr score` was asked to do.

    ``partitions`` makes the output a folder of so many files; 0 of as many as are useful.
    """

    letters: tuple[str, ...]
    output: FilePath
    report: FilePath | None = None
    partitions: int | None = None
    model: str = CHAMPION
    jobs: int = 0
    engine: EngineName = "local"
    scheduler: str | None = None
    resume: bool = False
    reasons: bool = True
    load: Callable[[str], Predicts] = load_predictor
    resolve: Callable[[str], ModelAddress] = resolve


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """What became of it: the counts, and the letters that could not be read."""

    tally: Tally
    model_uri: str


def errors_file(output: FilePath) -> FilePath:
    """``FILE.errors.jsonl`` beside the output."""
    return output.with_name(f"{output.name}.errors.jsonl")


def score(run: ScoreRun, report_failure: Callable[[Failure], None]) -> ScoreResult:
    """Score everything and write the files; each letter not read is passed on, in order.

    Raises:
        Refused: where there is nothing to score, no model, or the output cannot be written.
    """
    _check_outputs(run)
    jobs = run.jobs or default_jobs()
    work = something_to_do(run.letters, report_failure)
    model = run.resolve(run.model)
    first = list(itertools.islice(work, CHUNKS_AT_LEAST * CHUNK_LETTERS))
    settings = RunSettings(
        model=model.uri,
        reasons=run.reasons,
        detail=run.report is not None,
        chunk_letters=max(1, min(CHUNK_LETTERS, -(-len(first) // CHUNKS_AT_LEAST))),
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )
    with open_journal(run.output, settings, run.resume) as journal:
        chunks = _Counted(chunked(itertools.chain(first, work), journal.settings.chunk_letters))
        _score_chunks(run, model.folder, jobs, journal, chunks)
        tally = _write(run, journal, chunks.count, model.profile, report_failure)
    return ScoreResult(tally, model.uri)


def _check_outputs(run: ScoreRun) -> None:
    if run.partitions is None:
        table_format(run.output)
        check_writable(run.output)
    else:
        check_parts(run.output)
    if run.report is not None:
        check_writable(run.report)
        if run.report.is_same(run.output):
            raise Refused(f"{run.report}: output and report are one file", "name two files")
        if run.partitions is not None and run.report.parent.is_same(run.output):
            problem = f"{run.report}: would stand among the parts of the table"
            raise Refused(problem, "write the report elsewhere")


class _Counted:
    """The chunks, and how many of them there were."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks, self.count = chunks, 0

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._chunks:
            self.count = chunk.index + 1
            yield chunk


def _score_chunks(
    run: ScoreRun, model: Path, jobs: int, journal: Journal, chunks: Iterable[Chunk]
) -> None:
    setup = ScoreSetup(str(model), run.reasons, run.report is not None, run.load)
    engine = make_engine(run.engine, setup, jobs, run.scheduler)
    with progress("scoring", lambda: count_letters(run.letters)) as advance:
        for chunk, answer in engine.run(_missing(journal, chunks, advance)):
            journal.append(chunk, answer)
            advance(len(chunk.tasks))


def _missing(
    journal: Journal, chunks: Iterable[Chunk], advance: Callable[[int], None]
) -> Iterator[Chunk]:
    for chunk in chunks:
        if len(journal) and journal.has(chunk):
            advance(len(chunk.tasks))
        else:
            yield chunk


# --- from the journal to the files -------------------------------------------------------------


def _write(
    run: ScoreRun,
    journal: Journal,
    chunks: int,
    profile: Mapping[str, Any] | None,
    report_failure: Callable[[Failure], None],
) -> Tally:
    tally, doubled = Tally(profile=profile), _doubled(journal, chunks)
    tally.doubled = len(doubled)
    started = {"model_uri": journal.settings.model, "scored_at": journal.settings.started}
    with contextlib.ExitStack() as files:
        table = files.enter_context(_open_output(run, journal, chunks))
        errors = files.enter_context(
            open_table(errors_file(run.output), ERROR_COLUMNS, journal.folder)
        )
        report = run.report and files.enter_context(open_report(run.report, tally, started))
        for answer in journal.answers(chunks):
            if "error" in answer:
                tally.failures += 1
                errors.write([answer["error"]])
                report_failure(Failure(**answer["error"]))
                continue
            note = _doubled_note(answer, doubled)
            rows = [{**r, **started, "warnings": r["warnings"] + note} for r in answer["rows"]]
            tally.letters += 1
            tally.add_counts(answer.get("counts", {}))
            for row in rows:
                tally.add(row)
            table.write(rows)
            if report:
                report.add({**answer["detail"], "warnings": rows[0]["warnings"]})
    if not tally.failures:
        with explained(run.output):
            errors_file(run.output).remove()
    return tally


def _open_output(
    run: ScoreRun, journal: Journal, chunks: int
) -> contextlib.AbstractContextManager[TableWriter]:
    if run.partitions is None:
        return open_table(run.output, SCORE_COLUMNS, journal.folder)
    letters = sum(1 for _ in journal.letter_ids(chunks))
    parts = run.partitions or max(1, -(-letters // PART_LETTERS))
    return open_parts(run.output, SCORE_COLUMNS, journal.folder, letters, parts)


def _doubled(journal: Journal, chunks: int) -> set[str]:
    """Letter ids that more than one letter goes by."""
    seen: set[str] = set()
    doubled: set[str] = set()
    for letter_id in journal.letter_ids(chunks):
        (doubled if letter_id in seen else seen).add(letter_id)
    return doubled


def _doubled_note(answer: dict[str, Any], doubled: set[str]) -> list[str]:
    if answer["letter_id"] not in doubled:
        return []
    return [f"more than one letter has this letter_id; this one is {answer['source']}"]
