"""Letters a second from text to all signals, on one core, beside spaCy's sentence splitter.

    python -m benchmarks.signals [LETTERS] [--rounds N]

``LETTERS`` is a folder of letters (else the environment variable IMR_LETTERS, else the samples).
Processor time is counted, so that a busy machine disturbs little.  Reading and parsing are not
timed; tokens, sentences, mentions, scope and every signal are.  spaCy is timed where installed.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from data.letter import Case, LetterError
from data.parse import parse
from data.read import read
from features.context import read_summary
from features.table import signals

ROOT = Path(__file__).resolve().parent.parent


def cases(folder: Path) -> list[Case]:
    """The letters of a folder that can be read."""
    texts = (text for text in read([str(folder)]) if not isinstance(text, LetterError))
    return [parse(text).case for text in texts]


def rate(step: Callable[[Case], object], letters: Sequence[Case], rounds: int) -> float:
    """The best round's letters a second."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for letter in letters:
            step(letter)
        best = min(best, time.process_time() - start)
    return len(letters) / best


def sentence_splitter() -> Callable[[Case], object] | None:
    """spaCy's rule-based sentence splitter, None where spaCy is not installed."""
    try:
        spacy = import_module("spacy")
    except ImportError:
        return None
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    return lambda letter: list(pipeline(letter.case_summary).sents)


def main() -> None:
    """Print letters a second."""
    arguments = argparse.ArgumentParser(description=__doc__)
    named = os.environ.get("IMR_LETTERS") or str(ROOT / "data" / "samples")
    arguments.add_argument("letters", type=Path, nargs="?", default=Path(named))
    arguments.add_argument("--rounds", type=int, default=7)
    chosen = arguments.parse_args()
    letters = cases(chosen.letters)
    signals(letters[0])
    characters = sum(len(letter.case_summary) for letter in letters) / len(letters)
    print(f"{len(letters)} letters, {characters:.0f} characters a summary, best of {chosen.rounds}")
    steps: dict[str, Callable[[Case], object] | None] = {
        "tokens, sentences, mentions": lambda letter: read_summary(letter.case_summary),
        "all signals": signals,
        "all signals and their evidence": lambda letter: signals(letter).evidence,
        "spaCy sentence splitter": sentence_splitter(),
    }
    for name, step in steps.items():
        told = "not installed" if step is None else f"{rate(step, letters, chosen.rounds):,.0f}/s"
        print(f"{name:34} {told:>14}")


if __name__ == "__main__":
    main()
