"""Where the processor time of scoring goes: seconds a step, and the functions that take most.

    python benchmarks/profile_score.py [--model FOLDER] [--letters N] [--rounds N] [--top N]

PDF letters through the steps of a worker one after the other, a batch at a time as in a run; each
step's figure is the least of some rounds.  The predictor is loaded fresh for a round ("first
batches") and kept for another ("requests known").  Then cProfile over the whole: its own
cost makes Python functions look dearer than C ones, so take the order from it and no more.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from bench_letters import bare_text
from machine import describe, table
from material import pdf_letters, trained, workplace

from imr.data.letter import Letter
from imr.data.parse import parse
from imr.data.read import load
from imr.features.table import signals
from imr.models.drift import count
from imr.models.frame import signals_frame
from imr.models.prediction import GUIDELINES, Prediction
from imr.models.predictor import Predictor
from imr.serve.letter_json import letter_detail, score_rows
from imr.serve.letters import Chunk, chunked, tasks
from imr.serve.model import ScoreSetup
from imr.serve.score import CHUNK_LETTERS

Result = TypeVar("Result")


class Watch:
    """Processor seconds by step; the steps of a round add up, of several rounds the least stays."""

    def __init__(self) -> None:
        self.best: dict[str, float] = {}
        self._round: dict[str, float] = {}

    def step(self, name: str, work: Callable[[], Result]) -> Result:
        start = time.process_time()
        result = work()
        self._round[name] = self._round.get(name, 0.0) + time.process_time() - start
        return result

    def end_round(self) -> None:
        for name, seconds in self._round.items():
            self.best[name] = min(seconds, self.best.get(name, seconds))
        self._round.clear()


def steps(watch: Watch, predictor: Predictor, chunk: Chunk, ending: str) -> None:
    """One batch through the steps of a worker, one at a time; the last two hold what precedes."""
    paths = [task.path for task in chunk.tasks]  # type: ignore[union-attr]
    watch.step("bare pypdfium2 text, for reference", lambda: [bare_text(p) for p in paths])
    texts = watch.step("read PDF", lambda: [load(task) for task in chunk.tasks])  # type: ignore[arg-type]
    letters = watch.step("parse", lambda: [parse(text) for text in texts])
    cases = [letter.case for letter in letters]
    derived = watch.step("signals", lambda: [signals(case) for case in cases])
    frame = watch.step("frame of signals", lambda: signals_frame(cases, derived))
    watch.step("outcome", lambda: predictor.outcome.predict(frame))
    watch.step(f"guideline{ending}", lambda: predictor.guideline.predict(frame, GUIDELINES))
    plain = watch.step("predictions, requests known", lambda: predictor.predict_rows(cases, frame))
    predictions = iter(plain)
    watch.step("rows", lambda: [_rows(letter, predictions) for letter in letters])
    profile, p = predictor.about.get("profile"), [one.p_overturned for one in plain]
    watch.step("counts for drift", lambda: profile and count(profile, frame, p))
    evidence = watch.step("evidence", lambda: [one.evidence for one in derived])
    watch.step("predictions with reasons", lambda: predictor.predict_rows(cases, frame, evidence))


def _rows(letter: Letter, predictions: Iterator[Prediction]) -> list[dict[str, Any]]:
    items = len(letter.case.items)
    nothing = [()] * items
    return score_rows(letter_detail(letter, list(islice(predictions, items)), nothing, nothing))


def main() -> None:
    """Print milliseconds a letter and step, then the profile."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", help="a model folder (default: one trained on synthetic)")
    arguments.add_argument("--letters", type=int, default=300, help="synthetic letters to write")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--top", type=int, default=30, help="functions to list")
    chosen = arguments.parse_args()
    describe("Where scoring spends its time")
    with workplace() as folder:
        model: Path = trained(folder, chosen.model)
        pdfs, kind = pdf_letters(folder, chosen.letters)
        chunks = list(chunked(tasks([str(pdfs)]), CHUNK_LETTERS))
        letters = sum(len(chunk.tasks) for chunk in chunks)
        watch = Watch()
        gc.collect()
        gc.freeze()  # as a worker does
        for _ in range(chosen.rounds):
            predictor = Predictor.load(model)
            for ending in (", first batches", ", requests known"):
                for chunk in chunks:
                    steps(watch, predictor, chunk, ending)
                watch.end_round()
        print(f"{letters} {kind}, best of {chosen.rounds} rounds\n")
        rows = [(name, 1e3 * seconds / letters) for name, seconds in watch.best.items()]
        table(("step", "ms a letter"), rows)
        work = ScoreSetup(str(model))()
        profile = cProfile.Profile()
        profile.runcall(lambda: [work(chunk) for chunk in chunks])
    pstats.Stats(profile).sort_stats("tottime").print_stats(chosen.top)


if __name__ == "__main__":
    main()
