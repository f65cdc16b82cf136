"""Batch scoring: letters in, one row an item out, and every letter in exactly one place.

Chunks of letters are scored by worker processes and appended to a journal as they finish; the
table (one file, or a folder of parts), the error list and the report are then written from the
journal in the order of the input and renamed into place.  Memory does not grow with the number of
letters.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from imr.data.letter import LetterError
from imr.data.paths import FilePath
from imr.models.prediction import SCORE_COLUMNS
from imr.serve.journal import Journal, RunSettings, open_journal
from imr.serve.letter_json import run_detail
from imr.serve.letters import (
    AS_FOUND,
    Chunk,
    ReadAs,
    chunked,
    count_letters,
    something_to_do,
)
from imr.serve.messages import STEPS, Refused, progress
from imr.serve.model import CHAMPION, ModelAddress, resolve
from imr.serve.outputs import (
    PART_LETTERS,
    Columns,
    Write,
    check_parts,
    check_writable,
    explained,
    json_line,
    open_atomic,
    open_parts,
    open_table,
    table_format,
)
from imr.serve.report import Tally, open_report
from imr.serve.worker import ScoreSetup, import_models, load_in_worker
from imr.serve.workers import Cluster, Pool, default_jobs

if TYPE_CHECKING:
    from imr.models.predictor import Predictor

CHUNK_LETTERS = 256
"""Letters a worker takes on at a time: enough to predict together (a batch costs some 20 ms of its
own, however small), few to lose."""

CHUNKS_AT_LEAST, FEW_LETTERS = 8, 8
"""Few letters are dealt out in smaller chunks, so that all processes have work; but no fewer at a
time than a process reads while another one starts."""


ROW_COLUMNS: Columns = {column.name: column.kind for column in SCORE_COLUMNS}
ERROR_COLUMNS: Columns = dict.fromkeys(("source", "reason", "message", "remedy"), "str")


@dataclass(frozen=True, slots=True)
class ScoreRun:
    """What `imr score` was asked to do.

    ``partitions`` makes the output a folder of so many files; 0 of as many as are useful.
    """

    letters: tuple[str, ...]
    output: FilePath
    report: FilePath | None = None
    details: FilePath | None = None
    partitions: int | None = None
    model: str = CHAMPION
    jobs: int = 0
    engine: str = "local"
    scheduler: str | None = None
    resume: bool = False
    reasons: bool = True
    how: ReadAs = AS_FOUND
    load: Callable[[str], Predictor] = load_in_worker
    resolve: Callable[[str], ModelAddress] = resolve

    @property
    def explains(self) -> bool:
        """True where more of a letter is asked for than its rows."""
        return self.report is not None or self.details is not None


def errors_file(output: FilePath) -> FilePath:
    """``FILE.errors.jsonl`` beside the output."""
    return output.with_name(f"{output.name}.errors.jsonl")


def written(run: ScoreRun, tally: Tally) -> str:
    """The files of a run, for a person."""
    folder = "/" if run.partitions is not None else ""
    errors = errors_file(run.output) if tally.failures else None
    beside = (path for path in (run.report, run.details, errors) if path)
    return f"{run.output}{folder}" + "".join(f" and {path}" for path in beside)


def score(run: ScoreRun, report_failure: Callable[[LetterError], None]) -> Tally:
    """Score everything and write the files; each letter not read is passed on, in order.

    Raises:
        Refused: where there is nothing to score, no model, or the output cannot be written.
    """
    check(run)
    work = something_to_do(run.letters, report_failure, run.how)
    first = list(itertools.islice(work, CHUNKS_AT_LEAST * CHUNK_LETTERS))
    few = len(first) <= FEW_LETTERS
    with _workers(run, few) as workers:
        model = run.resolve(run.model)
        STEPS.info("model %s", model.uri)
        settings = RunSettings(
            model=model.uri,
            reasons=run.reasons,
            detail=run.explains,
            chunk_letters=max(FEW_LETTERS, min(CHUNK_LETTERS, -(-len(first) // CHUNKS_AT_LEAST))),
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        setup = ScoreSetup(str(model.folder), run.reasons, run.explains, run.load)
        bar = (
            contextlib.nullcontext(lambda _: None)
            if few
            else progress("scoring", lambda: count_letters(run.letters, run.how))
        )
        with open_journal(run.output, settings, run.resume) as journal:
            letters = journal.settings.chunk_letters
            with bar as advance:
                chunks = chunked(itertools.chain(first, work), letters)
                count = _score_chunks(workers, setup, chunks, journal, advance)
            STEPS.info("scored: %d chunks of at most %d letters", count, letters)
            return _write(run, journal, count, model.profile, report_failure)


def _score_chunks(
    workers: Pool | Cluster,
    setup: ScoreSetup,
    chunks: Iterable[Chunk],
    journal: Journal,
    advance: Callable[[int], None],
) -> int:
    """Score what the journal does not hold yet; gives the number of all chunks."""
    count = 0

    def missing() -> Iterator[Chunk]:
        nonlocal count
        for chunk in chunks:
            count = chunk.index + 1
            if len(journal) and journal.has(chunk):
                advance(len(chunk.tasks))
            else:
                yield chunk

    for chunk, answer in workers.run(setup, missing()):
        journal.append(chunk, answer)
        advance(len(chunk.tasks))
    return count


@contextlib.contextmanager
def _workers(run: ScoreRun, few: bool) -> Iterator[Pool | Cluster]:
    """Where the chunks run; for few letters one process, which begins to import at once."""
    if run.engine == "dask":
        yield Cluster(run.jobs or default_jobs(), run.scheduler)
        return
    pool = Pool(run.jobs or default_jobs())
    try:
        if few:
            pool.start(import_models)
        yield pool
    finally:
        pool.stop()


def check(run: ScoreRun) -> None:
    """Refuse now what does not go together, or could not be written at the end of a long run."""
    if run.engine not in ("local", "dask"):
        raise Refused(f"--engine {run.engine}: not known", "give local or dask")
    if run.scheduler and run.engine != "dask":
        raise Refused("--scheduler needs --engine dask")
    if run.explains and not run.reasons:
        raise Refused("--report and --details show the reasons", "leave out --no-reasons")
    if run.partitions is None:
        table_format(run.output)
        check_writable(run.output)
    else:
        check_parts(run.output)
    taken = [run.output, errors_file(run.output)]
    for name, path in (("report", run.report), ("details", run.details)):
        if path is None:
            continue
        check_writable(path)
        if any(path.is_same(other) for other in taken):
            raise Refused(f"{path}: output and {name} are one file", "name two files")
        if run.partitions is not None and path.parent.is_same(run.output):
            problem = f"{path}: would stand among the parts of the table"
            raise Refused(problem, f"write the {name} elsewhere")
        taken.append(path)


# --- from the journal to the files -------------------------------------------------------------

_SAME_ID = "more than one letter has this letter_id; this one is "


def _write(
    run: ScoreRun,
    journal: Journal,
    chunks: int,
    profile: Mapping[str, Any] | None,
    report_failure: Callable[[LetterError], None],
) -> Tally:
    ids = Counter(journal.letter_ids(chunks))
    doubled = {letter_id for letter_id, letters in ids.items() if letters > 1}
    tally = Tally(profile=profile, doubled=len(doubled))
    started = {"model_uri": journal.settings.model, "scored_at": journal.settings.started}
    with contextlib.ExitStack() as files:
        write = files.enter_context(_open_output(run, journal, chunks))
        write_errors = files.enter_context(
            open_table(errors_file(run.output), ERROR_COLUMNS, journal.folder)
        )
        report = run.report and files.enter_context(open_report(run.report, tally, started))
        details = run.details and files.enter_context(open_atomic(run.details))
        for answer in journal.answers(chunks):
            if "error" in answer:
                tally.failures += 1
                write_errors([answer["error"]])
                report_failure(LetterError(**answer["error"]))
                continue
            note = [_SAME_ID + answer["source"]] if answer["letter_id"] in doubled else []
            rows = [{**r, **started, "warnings": r["warnings"] + note} for r in answer["rows"]]
            tally.add_letter(rows, answer.get("counts", {}))
            write(rows)
            if run.explains:
                detail = {**answer["detail"], "warnings": answer["detail"]["warnings"] + note}
                if report:
                    report.add(detail)
                if details:
                    details.write(json_line(run_detail(detail, started["model_uri"])))
    if not tally.failures:
        with explained(run.output):
            errors_file(run.output).remove()
    return tally


def _open_output(
    run: ScoreRun, journal: Journal, chunks: int
) -> contextlib.AbstractContextManager[Write]:
    if run.partitions is None:
        return open_table(run.output, ROW_COLUMNS, journal.folder)
    letters = sum(1 for _ in journal.letter_ids(chunks))
    parts = run.partitions or max(1, -(-letters // PART_LETTERS))
    return open_parts(run.output, ROW_COLUMNS, journal.folder, letters, parts)
