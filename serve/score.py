"""Batch scoring: letters in, one row an item out, and every letter in exactly one place.

Chunks of letters are scored by worker processes and kept in a journal as they finish; the table
(one file, or a folder of parts), the error list and the report are then written from the journal
in the order of the input and renamed into place.  Memory does not grow with the number of letters.

The journal, ``FILE.partial/`` beside the output ``FILE``, holds each finished chunk as a file of
its own, so that a killed run loses only what was in flight.  The chunks hold the quotes (and for a
report the case summaries) of the letters: folder and files are readable by their owner only and
are removed when the output is complete.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imr import CHAMPION
from imr.data.letter import LetterError
from imr.data.paths import FilePath, LocalPath, StorePath
from imr.models.prediction import SCORE_COLUMNS
from imr.serve import outputs
from imr.serve.letter_json import run_detail
from imr.serve.letters import (
    AS_FOUND,
    Chunk,
    ReadAs,
    check_apart,
    chunked,
    count_letters,
    something_to_do,
)
from imr.serve.messages import STEPS, Advance, Refused, progress
from imr.serve.model import ModelAddress, ScoreSetup, import_models, load_in_worker, resolve
from imr.serve.report import Tally, open_report
from imr.serve.workers import Answer, Cluster, Pool

if TYPE_CHECKING:
    from imr.models.predictor import Predictor

CHUNK_LETTERS = 256
"""Letters a worker takes on at a time: enough to predict together (a batch costs some 20 ms of its
own, however small), few to lose."""

CHUNKS_AT_LEAST, FEW_LETTERS = 8, 8
"""Few letters are dealt out in smaller chunks, so that all processes have work; but no fewer at a
time than a process reads while another one starts."""

ROW_COLUMNS: outputs.Columns = {column.name: column.kind for column in SCORE_COLUMNS}
ERROR_COLUMNS: outputs.Columns = dict.fromkeys(("source", "reason", "message", "remedy"), "str")


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

    @property
    def errors(self) -> FilePath:
        """``FILE.errors.jsonl`` beside the output."""
        return self.output.with_name(f"{self.output.name}.errors.jsonl")


def check(run: ScoreRun) -> None:
    """Refuse now what does not go together, or could not be written at the end of a long run."""
    if run.engine not in ("local", "dask"):
        raise Refused(f"--engine {run.engine}: not known", "give local or dask")
    if run.scheduler and run.engine != "dask":
        raise Refused("--scheduler needs --engine dask")
    if run.explains and not run.reasons:
        raise Refused("--report and --details show the reasons", "leave out --no-reasons")
    if run.partitions is None:
        outputs.table_format(run.output)
        outputs.check_writable(run.output)
    else:
        outputs.check_parts(run.output)
    taken = [run.output, run.errors]
    for name, path in (("report", run.report), ("details", run.details)):
        if path is None:
            continue
        outputs.check_writable(path)
        if any(path.is_same(other) for other in taken):
            raise Refused(f"{path}: output and {name} are one file", "name two files")
        if run.partitions is not None and path.parent.is_same(run.output):
            problem = f"{path}: would stand among the parts of the table"
            raise Refused(problem, f"write the {name} elsewhere")
        taken.append(path)
    check_apart(run.letters, taken, run.how)


def score(run: ScoreRun, report_failure: Callable[[LetterError], None]) -> Tally:
    """Score everything and write the files; each letter not read is passed on, in order.

    Raises:
        Refused: where there is nothing to score, no model, or the output cannot be written.
    """
    check(run)
    work = something_to_do(run.letters, report_failure, run.how)
    first = list(itertools.islice(work, CHUNKS_AT_LEAST * CHUNK_LETTERS))
    few = len(first) <= FEW_LETTERS
    workers: Pool | Cluster
    with contextlib.ExitStack() as held:
        if run.engine == "dask":
            workers = Cluster(run.jobs, run.scheduler)
        else:  # for few letters one process, which begins to import at once
            workers = Pool(run.jobs, prepare=import_models if few else None)
            held.callback(workers.close)
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
        journal = held.enter_context(open_journal(run.output, settings, run.resume))
        letters = journal.settings.chunk_letters
        chunks = chunked(itertools.chain(first, work), letters)
        with bar as advance:
            for chunk, answer in workers.run(setup, journal.missing(chunks, advance)):
                journal.append(chunk, answer)
                advance(len(chunk.tasks))
        STEPS.info("scored: %d chunks of at most %d letters", journal.chunks, letters)
        return _write(run, journal, model.profile, report_failure)


def _write(
    run: ScoreRun,
    journal: Journal,
    profile: Mapping[str, Any] | None,
    report_failure: Callable[[LetterError], None],
) -> Tally:
    """From the journal to the files."""
    ids = Counter(journal.letter_ids())
    doubled = {letter_id for letter_id, letters in ids.items() if letters > 1}
    tally = Tally(profile=profile, doubled=len(doubled))
    started = {"model_uri": journal.settings.model, "scored_at": journal.settings.started}
    work = journal.folder
    with contextlib.ExitStack() as files:
        write = files.enter_context(_open_output(run, work, ids.total()))
        write_errors = files.enter_context(outputs.open_table(run.errors, ERROR_COLUMNS, work))
        report = run.report and files.enter_context(open_report(run.report, tally, started))
        details = run.details and files.enter_context(outputs.open_atomic(run.details))
        for answer in journal.answers():
            if "error" in answer:
                tally.add_failure(answer["error"])
                write_errors([answer["error"]])
                report_failure(LetterError(**answer["error"]))
                continue
            note = []
            if answer["letter_id"] in doubled:
                source = answer["source"]
                note = [f"more than one letter has this letter_id; this one is {source}"]
            rows = [{**r, **started, "warnings": r["warnings"] + note} for r in answer["rows"]]
            tally.add_letter(rows, answer.get("counts", {}))
            write(rows)
            if run.explains:
                detail = {**answer["detail"], "warnings": answer["detail"]["warnings"] + note}
                if report:
                    report.add(detail)
                if details:
                    details.write(outputs.json_line(run_detail(detail, journal.settings.model)))
    if not tally.failures:
        with outputs.explained(run.output):
            run.errors.remove()
    return tally


def _open_output(
    run: ScoreRun, work: FilePath, letters: int
) -> contextlib.AbstractContextManager[outputs.Write]:
    if run.partitions is None:
        return outputs.open_table(run.output, ROW_COLUMNS, work)
    parts = run.partitions or max(1, -(-letters // outputs.PART_LETTERS))
    return outputs.open_parts(run.output, ROW_COLUMNS, work, letters, parts)


def written(run: ScoreRun, tally: Tally) -> str:
    """The files of a run, for a person."""
    folder = "/" if run.partitions is not None else ""
    beside = (run.report, run.details, run.errors if tally.failures else None)
    return f"{run.output}{folder}" + "".join(f" and {path}" for path in beside if path)


# --- the journal ----------------------------------------------------------------------------------

FORMAT = 2
"""Raised when the files of a journal change: an older one is not resumed."""

_CHUNK = re.compile(r"chunk-\d{8}\.jsonl")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What must be the same for a run to be continued; ``started`` is kept from the first."""

    model: str
    reasons: bool
    detail: bool
    chunk_letters: int
    started: str
    format: int = FORMAT


class Journal:
    """Finished chunks of one run, by number; ``check`` refuses where the lock is lost."""

    def __init__(self, folder: FilePath, settings: RunSettings, check: Callable[[], None]) -> None:
        self.folder, self.settings, self._check = folder, settings, check
        self.chunks = 0  # of the input: what ``missing`` has seen
        # What each chunk was made from, and the letters whose rows it holds.
        self._done: dict[int, tuple[str, tuple[str, ...]]] = {}
        for name in folder.names():
            # A chunk cut short by a kill lacks its line break.
            if _CHUNK.fullmatch(name) and (raw := (folder / name).read_bytes()).endswith(b"\n"):
                with contextlib.suppress(ValueError):
                    line = json.loads(raw)
                    if isinstance(line, dict):
                        self._note(line)

    def has(self, chunk: Chunk) -> bool:
        """True where the same tasks on the same files were finished before."""
        done = self._done.get(chunk.index)
        return done is not None and done[0] == chunk.fingerprint()

    def missing(self, chunks: Iterable[Chunk], advance: Advance) -> Iterator[Chunk]:
        """The chunks of the input that are not finished; over the others it advances."""
        for chunk in chunks:
            self.chunks = chunk.index + 1
            if self.has(chunk):
                advance(len(chunk.tasks))
            else:
                yield chunk

    def append(self, chunk: Chunk, answer: Answer) -> None:
        """Keep a finished chunk; it survives the end of this process."""
        line = {"chunk": chunk.index, "fingerprint": chunk.fingerprint(), "answer": answer}
        self._check()
        with outputs.explained(self.folder):
            self._file(chunk.index).write_bytes(outputs.json_line(line))
        self._note(line)

    def answers(self) -> Iterator[dict[str, Any]]:
        """The answers, in the order of the input."""
        for index in range(self.chunks):
            self._check()
            with outputs.explained(self.folder):
                raw = self._file(index).read_bytes()
            yield from json.loads(raw)["answer"]

    def letter_ids(self) -> Iterator[str]:
        """The ids of the letters, without reading the answers again."""
        for index in range(self.chunks):
            yield from self._done[index][1]

    def _file(self, index: int) -> FilePath:
        return self.folder / f"chunk-{index:08}.jsonl"

    def _note(self, line: dict[str, Any]) -> None:
        ids = tuple(one["letter_id"] for one in line["answer"] if "letter_id" in one)
        self._done[line["chunk"]] = line["fingerprint"], ids


@contextlib.contextmanager
def open_journal(output: FilePath, settings: RunSettings, resume: bool) -> Iterator[Journal]:
    """The journal of a run on ``output``; removed when the block ends well, kept otherwise.

    Raises:
        Refused: where another run holds the output, or the earlier run had other settings.
    """
    folder = output.with_name(f"{output.name}.partial")
    with contextlib.ExitStack() as held:
        with outputs.explained(folder):
            check = held.enter_context(
                _store_lock(folder, output)
                if isinstance(folder, StorePath)
                else _disk_lock(folder, output)
            )
            journal = Journal(folder, _begun(folder, settings, resume), check)
        yield journal
        with outputs.explained(folder):
            folder.remove()


def _begun(folder: FilePath, now: RunSettings, resume: bool) -> RunSettings:
    """The settings to go on with: those of the run to resume, or a folder with nothing but ours."""
    kept, earlier = folder / "settings.json", None
    if resume:
        with contextlib.suppress(OSError, ValueError, TypeError):
            earlier = RunSettings(**json.loads(kept.read_bytes()))
    if earlier is None:
        for name in folder.names():
            if name != "lock":
                (folder / name).remove()
        kept.write_bytes(json.dumps(asdict(now)).encode())
        return now
    for name in ("format", "model", "reasons", "detail"):
        before, after = getattr(earlier, name), getattr(now, name)
        if before != after:
            raise Refused(
                f"{folder}: cannot resume: {name} was {before}, now {after}",
                "give the same options, or leave out --resume to begin anew",
            )
    return earlier


# --- its lock: no second run on the same output ---------------------------------------------------


def _busy(output: FilePath) -> Refused:
    return Refused(f"{output}: another run is writing it", "wait for it, or name another output")


@contextlib.contextmanager
def _disk_lock(folder: LocalPath, output: FilePath) -> Iterator[Callable[[], None]]:
    """A lock that cannot be lost; the system drops it when its holder dies."""
    import fcntl

    Path(folder).mkdir(mode=0o700, exist_ok=True)
    with open(folder / "lock", "a", encoding="utf-8") as file:  # noqa: PTH123 - a path of ours
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(output) from None
        try:
            held = os.path.samestat(os.fstat(file.fileno()), os.stat(folder / "lock"))
        except OSError:
            held = False
        if not held:  # the other run ended just now, and took its folder along
            raise _busy(output)
        yield lambda: None


BEAT_SECONDS = 5.0
"""How often the holder of a lock object changes it; longer than a store takes to answer."""

BEATS_WATCHED = 3


@contextlib.contextmanager
def _store_lock(folder: StorePath, output: FilePath) -> Iterator[Callable[[], None]]:
    """An object that its holder changes again and again, for no store drops a dead run's lock.

    Entering takes ``BEATS_WATCHED`` beats where an earlier run left its lock behind.  Of two runs
    that begin in the same moment the one that wrote last keeps it; the other is refused with its
    next chunk.
    """
    lock, mine = folder / "lock", uuid.uuid4().hex.encode()
    ended, lost = threading.Event(), threading.Event()

    def check() -> None:
        if lost.is_set():
            raise _busy(output)

    if seen := _held(lock):
        time.sleep(BEATS_WATCHED * BEAT_SECONDS)
        if _held(lock) not in (seen, b""):
            raise _busy(output)
    lock.write_bytes(mine + b" 0")
    if not _held(lock).startswith(mine):
        raise _busy(output)
    thread = threading.Thread(target=_beat, args=(lock, mine, ended, lost), daemon=True)
    thread.start()
    try:
        yield check
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(OSError):  # one that stays costs the next run a wait
            if _held(lock).startswith(mine):
                lock.remove()


def _beat(lock: StorePath, mine: bytes, ended: threading.Event, lost: threading.Event) -> None:
    """Change the lock until the run has ``ended`` or another one has taken it."""
    for beats in itertools.count(1):
        if ended.wait(BEAT_SECONDS) or lost.is_set():
            return
        with contextlib.suppress(OSError):  # a store may answer again at the next beat
            if _held(lock).startswith(mine):
                lock.write_bytes(b"%s %d" % (mine, beats))
            else:
                lost.set()


def _held(lock: StorePath) -> bytes:
    """What its holder wrote into a lock; nothing where there is none."""
    with contextlib.suppress(FileNotFoundError):
        return lock.read_bytes()
    return b""
