"""The work folder of a run: a killed run loses only what was in flight.

``FILE.partial/`` stands beside the output ``FILE`` while a run is under way.  Finished chunks are
appended to ``journal.jsonl``; a line cut short by a kill is dropped on the next start.  A lock on
the folder refuses a second run on the same output; the system drops it when its holder dies.
The journal holds the quotes (and for a report the case summaries) of the letters, so the folder
is readable by its owner only and is removed when the output is complete.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from serve.letters import Chunk
from serve.pool import Answer
from serve.refusal import Refused
from serve.writers import explained, json_line

FORMAT = 1
"""Raised when the lines of a journal change: an older one is not resumed."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What must be the same for a run to be continued; ``started`` is kept from the first."""

    model: str
    reasons: bool
    detail: bool
    chunk_letters: int
    started: str
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class _Finished:
    """A chunk in the journal: where its line starts, what it was made from, whose rows it holds."""

    offset: int
    fingerprint: str
    letter_ids: tuple[str, ...]


def _letter_ids(answer: Answer) -> tuple[str, ...]:
    return tuple(one["letter_id"] for one in answer if "letter_id" in one)


class Journal:
    """Finished chunks of one run, by number."""

    def __init__(self, folder: Path, settings: RunSettings) -> None:
        self.folder, self.settings = folder, settings
        self._file: IO[bytes] = _open_private(folder / "journal.jsonl")
        self._done: dict[int, _Finished] = {}
        self._end = 0
        for offset, line in self._lines():
            ids = _letter_ids(line["answer"])
            self._done[line["chunk"]] = _Finished(offset, line["fingerprint"], ids)
        self._file.truncate(self._end)

    def __len__(self) -> int:
        return len(self._done)

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        self._file.seek(0)
        for raw in self._file:
            line = _whole(raw)
            if line is None:
                return
            yield self._end, line
            self._end += len(raw)

    def has(self, chunk: Chunk) -> bool:
        """True where the same tasks on the same files were finished before."""
        done = self._done.get(chunk.index)
        return done is not None and done.fingerprint == chunk.fingerprint()

    def append(self, chunk: Chunk, answer: Answer) -> None:
        """Keep a finished chunk; it survives the end of this process."""
        fingerprint = chunk.fingerprint()
        raw = json_line({"chunk": chunk.index, "fingerprint": fingerprint, "answer": answer})
        with explained(self.folder):
            self._file.seek(self._end)
            self._file.write(raw)
            self._file.flush()
        self._done[chunk.index] = _Finished(self._end, fingerprint, _letter_ids(answer))
        self._end += len(raw)

    def answers(self, chunks: int) -> Iterator[dict[str, Any]]:
        """The answers of the first ``chunks`` chunks, in the order of the input."""
        for index in range(chunks):
            self._file.seek(self._done[index].offset)
            yield from json.loads(self._file.readline())["answer"]

    def letter_ids(self, chunks: int) -> Iterator[str]:
        """The ids of the letters in the first ``chunks`` chunks, without reading the file again."""
        for index in range(chunks):
            yield from self._done[index].letter_ids

    def close(self) -> None:
        """Close the file; the folder stays.  What a full disk did not take was never counted."""
        with contextlib.suppress(OSError):
            self._file.close()


def _whole(raw: bytes) -> dict[str, Any] | None:
    if not raw.endswith(b"\n"):
        return None
    try:
        line = json.loads(raw)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _open_private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")


def work_folder(output: Path) -> Path:
    """``FILE.partial`` beside the output."""
    return output.with_name(f"{output.name}.partial")


@contextlib.contextmanager
def open_journal(output: Path, settings: RunSettings, resume: bool) -> Iterator[Journal]:
    """The journal of a run on ``output``; removed when the block ends well, kept otherwise.

    Raises:
        Refused: where another run holds the output, or the earlier run had other settings.
    """
    folder = work_folder(output)
    with explained(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    with _locked(folder, output):
        journal = _begin(folder, settings, resume)
        try:
            yield journal
        finally:
            journal.close()
        shutil.rmtree(folder)


def _begin(folder: Path, settings: RunSettings, resume: bool) -> Journal:
    kept = folder / "settings.json"
    earlier = _earlier(kept) if resume else None
    if earlier is not None:
        return Journal(folder, _same(earlier, settings, folder))
    with explained(folder):
        (folder / "journal.jsonl").unlink(missing_ok=True)
        kept.write_text(json.dumps(asdict(settings)), encoding="utf-8")
        return Journal(folder, settings)


def _earlier(kept: Path) -> RunSettings | None:
    try:
        return RunSettings(**json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _same(earlier: RunSettings, now: RunSettings, folder: Path) -> RunSettings:
    for name in ("format", "model", "reasons", "detail"):
        before, after = getattr(earlier, name), getattr(now, name)
        if before != after:
            raise Refused(
                f"{folder}: cannot resume: {name} was {before}, now {after}",
                "give the same options, or leave out --resume to begin anew",
            )
    return earlier


@contextlib.contextmanager
def _locked(folder: Path, output: Path) -> Iterator[None]:
    import fcntl

    with explained(folder):
        file = (folder / "lock").open("a")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(output) from None
        if not _still_there(file, folder / "lock"):  # the other run ended just now
            raise _busy(output)
        yield


def _still_there(file: IO[str], path: Path) -> bool:
    try:
        return os.fstat(file.fileno()).st_ino == path.stat().st_ino
    except OSError:
        return False


def _busy(output: Path) -> Refused:
    return Refused(f"{output}: another run is writing it", "wait for it, or name another output")
