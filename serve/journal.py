"""The work folder of a run: a killed run loses only what was in flight.

``FILE.partial/`` stands beside the output ``FILE`` while a run is under way.  Each finished chunk
is a file of its own there; one cut short by a kill is dropped on the next start.  A lock refuses a
second run on the same output: on a disk the system drops it when its holder dies; on an object
store its holder changes it every few seconds, and a second run takes over where nothing moves.

The chunks hold the quotes (and for a report the case summaries) of the letters, so folder and files
are readable by their owner only and are removed when the output is complete.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imr.data.paths import FilePath, LocalPath, StorePath
from imr.serve.letters import Chunk
from imr.serve.messages import Refused
from imr.serve.outputs import explained, json_line
from imr.serve.workers import Answer

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
        # What each chunk was made from, and the letters whose rows it holds.
        self._done: dict[int, tuple[str, tuple[str, ...]]] = {}
        for name in folder.names():
            if _CHUNK.fullmatch(name):
                line = _whole((folder / name).read_bytes())
                if line is not None:
                    self._note(line)

    def __len__(self) -> int:
        return len(self._done)

    def has(self, chunk: Chunk) -> bool:
        """True where the same tasks on the same files were finished before."""
        done = self._done.get(chunk.index)
        return done is not None and done[0] == chunk.fingerprint()

    def append(self, chunk: Chunk, answer: Answer) -> None:
        """Keep a finished chunk; it survives the end of this process."""
        line = {"chunk": chunk.index, "fingerprint": chunk.fingerprint(), "answer": answer}
        self._check()
        with explained(self.folder):
            self._file(chunk.index).write_bytes(json_line(line))
        self._note(line)

    def answers(self, chunks: int) -> Iterator[dict[str, Any]]:
        """The answers of the first ``chunks`` chunks, in the order of the input."""
        for index in range(chunks):
            self._check()
            with explained(self.folder):
                raw = self._file(index).read_bytes()
            yield from json.loads(raw)["answer"]

    def letter_ids(self, chunks: int) -> Iterator[str]:
        """The ids of the letters in the first ``chunks`` chunks, without reading them again."""
        for index in range(chunks):
            yield from self._done[index][1]

    def _file(self, index: int) -> FilePath:
        return self.folder / f"chunk-{index:08}.jsonl"

    def _note(self, line: dict[str, Any]) -> None:
        ids = tuple(one["letter_id"] for one in line["answer"] if "letter_id" in one)
        self._done[line["chunk"]] = line["fingerprint"], ids


def _whole(raw: bytes) -> dict[str, Any] | None:
    if not raw.endswith(b"\n"):
        return None
    try:
        line = json.loads(raw)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


@contextlib.contextmanager
def open_journal(output: FilePath, settings: RunSettings, resume: bool) -> Iterator[Journal]:
    """The journal of a run on ``output``; removed when the block ends well, kept otherwise.

    Raises:
        Refused: where another run holds the output, or the earlier run had other settings.
    """
    folder = output.with_name(f"{output.name}.partial")
    with contextlib.ExitStack() as held:
        with explained(folder):
            if isinstance(folder, StorePath):
                check = held.enter_context(_StoreLock(folder, output))
            else:
                check = held.enter_context(_locked(folder, output))
            journal = Journal(folder, _begun(folder, settings, resume), check)
        yield journal
        with explained(folder):
            folder.remove()


def _begun(folder: FilePath, now: RunSettings, resume: bool) -> RunSettings:
    """The settings to go on with: those of the run to resume, or a folder with nothing but ours."""
    kept = folder / "settings.json"
    earlier = _earlier(kept) if resume else None
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


def _earlier(kept: FilePath) -> RunSettings | None:
    try:
        return RunSettings(**json.loads(kept.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


@contextlib.contextmanager
def _locked(folder: LocalPath, output: FilePath) -> Iterator[Callable[[], None]]:
    """The lock on a disk, which cannot be lost."""
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


def _busy(output: FilePath) -> Refused:
    return Refused(f"{output}: another run is writing it", "wait for it, or name another output")


# --- the lock on a store -----------------------------------------------------------------------

BEAT_SECONDS = 5.0
"""How often the holder of a lock object changes it; longer than a store takes to answer."""

BEATS_WATCHED = 3


class _StoreLock:
    """An object that its holder changes again and again, for no store drops a dead run's lock.

    Entering takes ``BEATS_WATCHED`` beats where an earlier run left its lock behind.  Of two runs
    that begin in the same moment the one that wrote last keeps it; the other is refused with its
    next chunk.
    """

    def __init__(self, folder: StorePath, output: FilePath) -> None:
        self._lock, self._output = folder / "lock", output
        self._mine = uuid.uuid4().hex
        self._end, self._lost = threading.Event(), False
        self._thread = threading.Thread(target=self._beat, name="lock", daemon=True)

    def __enter__(self) -> Callable[[], None]:
        seen = self._read()
        if seen is not None:
            self._end.wait(BEATS_WATCHED * BEAT_SECONDS)
            if self._read() not in (seen, None):
                raise _busy(self._output)
        self._write(0)
        if not self._is_mine():
            raise _busy(self._output)
        self._thread.start()
        return self._check

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        # One that cannot be removed costs the next run a wait.
        with contextlib.suppress(OSError):
            if self._is_mine():
                self._lock.remove()

    def _check(self) -> None:
        """Refuse to go on where another run has taken the lock."""
        if self._lost:
            raise _busy(self._output)

    def _beat(self) -> None:
        beats = 0
        while not self._end.wait(BEAT_SECONDS):
            beats += 1
            # A store that does not answer now may answer at the next beat.
            with contextlib.suppress(OSError):
                if not self._is_mine():
                    self._lost = True
                    return
                self._write(beats)

    def _is_mine(self) -> bool:
        return (self._read() or b"").startswith(self._mine.encode())

    def _read(self) -> bytes | None:
        try:
            return self._lock.read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, beats: int) -> None:
        self._lock.write_bytes(f"{self._mine} {beats}".encode())
