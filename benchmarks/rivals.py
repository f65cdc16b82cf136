"""Times spaCy and medspaCy on texts; a program of its own, for they need another environment.

    PYTHON benchmarks/rivals.py < request.json > answer.json

The request has ``texts``, ``rounds`` and ``cues`` (label -> trigger words, as in the lexicons).
The answer has the name of each rival with its processor seconds, and the versions.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any


def sentencizer() -> Callable[[str], object]:
    """spaCy's rule-based sentence splitter, and nothing else."""
    pipeline = import_module("spacy").blank("en")
    pipeline.add_pipe("sentencizer")
    return lambda text: list(pipeline(text).sents)


def medspacy_with(cues: dict[str, list[str]]) -> Callable[[str], object]:
    """medspaCy: its sentences, our trigger words as targets, and ConText on what they match."""
    medspacy = import_module("medspacy")
    rule: Any = import_module("medspacy.ner").TargetRule
    pipeline = medspacy.load(
        medspacy_enable=["medspacy_pyrush", "medspacy_target_matcher", "medspacy_context"]
    )
    rules = [rule(word, label) for label, words in cues.items() for word in words]
    pipeline.get_pipe("medspacy_target_matcher").add(rules)
    return lambda text: [
        (span.text, span._.is_negated, span._.is_historical) for span in pipeline(text).ents
    ]


def seconds(step: Callable[[str], object], texts: list[str], rounds: int) -> float:
    """The least processor seconds of a round."""
    step(texts[0])
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for text in texts:
            step(text)
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    """Answer the request on standard input."""
    request = json.load(sys.stdin)
    texts, rounds = request["texts"], request["rounds"]
    rivals = {
        "spaCy sentence splitter alone": (sentencizer(), rounds),
        "medspaCy: sentences, targets, ConText": (medspacy_with(request["cues"]), 1),
    }
    measured = {name: seconds(step, texts, n) for name, (step, n) in rivals.items()}
    versions = {name: version(name) for name in ("spacy", "medspacy", "numpy")}
    json.dump({"seconds": measured, "versions": versions}, sys.stdout)


if __name__ == "__main__":
    main()
