"""Worker processes that crash, hang or cannot start: no letter is lost, none stops the others."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from imr.data.letter import LetterError
from imr.serve import processes
from imr.serve.letters import Chunk
from imr.serve.messages import Refused
from imr.serve.workers import Answer, Pool, Work, in_order


def chunks(*names: str) -> list[Chunk]:
    """One chunk a string, one task a word; a task's source says what the worker does."""
    return [
        Chunk(i, tuple(LetterError(word, "", "") for word in name.split()))
        for i, name in enumerate(names)
    ]


@dataclass(frozen=True)
class Obey:
    """A set-up whose work does what the task's source says."""

    def __call__(self) -> Work:
        return lambda chunk: [{"did": obey(task)} for task in chunk.tasks]


def obey(task: object) -> str:
    assert isinstance(task, LetterError)
    if task.source == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if task.source == "hang":
        time.sleep(60)
    if task.source == "spin":
        busy(60)
    if task.source.startswith("wait"):
        time.sleep(0.3)
    if task.source == "starved":  # as on a machine that gives it a tenth of a processor
        for _ in range(20):
            busy(0.02)
            time.sleep(0.18)
    return task.source


def busy(seconds: float) -> None:
    begun = time.process_time()
    while time.process_time() - begun < seconds:
        pass


@dataclass(frozen=True)
class Refuse:
    def __call__(self) -> Work:
        raise Refused("no model", "train one")


@dataclass(frozen=True)
class Die:
    def __call__(self) -> Work:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def outcomes(answer: Answer) -> list[str]:
    return [one["did"] if "did" in one else one["error"]["reason"] for one in answer]


def test_every_chunk_is_answered_once() -> None:
    names = [f"a{n} b{n} c{n}" for n in range(40)]
    done = list(Pool(jobs=2).run(Obey(), chunks(*names)))
    assert sorted(chunk.index for chunk, _ in done) == list(range(40))
    assert all(outcomes(answer) == names[chunk.index].split() for chunk, answer in done)


def test_a_crash_takes_only_its_own_letter() -> None:
    done = dict(enumerate(a for _, a in in_order(Pool(2).run(Obey(),
        chunks("a b", "c crash d", "e f", "crash", "g")))))  # fmt: skip
    assert [outcomes(done[i]) for i in range(5)] == [
        ["a", "b"], ["c", "crashed", "d"], ["e", "f"], ["crashed"], ["g"],
    ]  # fmt: skip


def test_a_letter_over_its_time_is_ended() -> None:
    done = [a for _, a in in_order(Pool(2, letter_seconds=5).run(Obey(), chunks("a hang b", "c")))]
    assert [outcomes(answer) for answer in done] == [["a", "too_slow", "b"], ["c"]]
    assert "5 seconds" in done[0][1]["error"]["message"]


def test_a_letter_that_the_machine_keeps_waiting_is_not_lost() -> None:
    """It takes 4 seconds by the clock and 0.4 of the processor; its time is 1 second."""
    [(_, answer)] = Pool(1, letter_seconds=1).run(Obey(), chunks("starved"))
    assert outcomes(answer) == ["starved"]


def test_a_letter_that_uses_its_time_is_ended() -> None:
    [(_, answer)] = Pool(1, letter_seconds=2).run(Obey(), chunks("spin"))
    assert outcomes(answer) == ["too_slow"]


def watched(monkeypatch: pytest.MonkeyPatch, used: list[float | None]) -> Iterator[Any]:
    """What is said of a process at each look, where it has had so much of the processor."""
    clock, had = [1000.0], iter(used)
    monkeypatch.setattr(processes.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(processes, "processor_seconds", lambda _: next(had))
    watch = processes.Watch(1, letter=60)
    while True:
        clock[0] = watch.next_look
        yield watch.over()


def test_time_is_the_processors_and_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = watched(monkeypatch, [0, 50, 58, 61])
    assert [next(looks), next(looks)] == [None, None]
    assert next(looks) == ("took more than 60 seconds", "check the file by hand")
    looks = watched(monkeypatch, [0, 50, 50])
    assert next(looks) is None
    assert next(looks)  # it sleeps
    looks = watched(monkeypatch, [0.1 * n for n in range(100)])
    said = list(itertools.islice(looks, 29))
    assert not any(said[:-1])
    assert said[-1][0].startswith("the machine was busy: it had 2.9 of its 60 seconds")
    assert next(watched(monkeypatch, [None, None]))  # a system that does not tell: the clock's time


def test_the_order_can_be_kept() -> None:
    done = in_order(Pool(2).run(Obey(), chunks("wait", "a", "b", "wait", "c")))
    assert [chunk.index for chunk, _ in done] == [0, 1, 2, 3, 4]


def test_a_refusal_at_the_start_ends_the_run() -> None:
    with pytest.raises(Refused) as caught:
        list(Pool(2).run(Refuse(), chunks("a", "b")))
    assert (caught.value.problem, caught.value.remedy) == ("no model", "train one")


def test_a_worker_that_cannot_start_ends_the_run() -> None:
    with pytest.raises(Refused, match="ended at its start"):
        list(Pool(1).run(Die(), chunks("a", "b")))


def test_chunks_are_asked_for_only_when_there_is_room() -> None:
    asked: list[int] = []

    def source() -> object:
        for chunk in chunks(*["a"] * 50):
            asked.append(chunk.index)
            yield chunk

    running = Pool(2).run(Obey(), source())  # type: ignore[arg-type]
    next(running)
    assert len(asked) <= 5
    running.close()  # type: ignore[attr-defined]
