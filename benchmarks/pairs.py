"""How many pairs of invented cases, which differ in one fact, move the estimate as a reader would.

    python -m benchmarks.pairs [--list]

``tests/cases/pairs.jsonl`` (48, each of them a test) and the ``tuned`` half of ``pairs_more.jsonl``
were in view when rules were written, its ``held`` half was not.  Directions and bounds are those of
``tests/models/test_pairs.py``.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

from tests.models.test_pairs import CASES, ENOUGH, SAME, moved

MORE = CASES.with_name("pairs_more.jsonl")


def right(pair: dict[str, Any], by: float) -> bool:
    """Whether a move of the log odds is in the pair's direction and enough, or none."""
    if pair["direction"] == "same":
        return abs(by) <= SAME
    return (by if pair["direction"] == "up" else -by) >= ENOUGH[pair["strength"]]


def main() -> None:
    """Print the shares by set and direction."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="name the pairs that are missed")
    show = parser.parse_args().list
    counts, of = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for path in (CASES, MORE):
        for pair in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            by = moved(pair)
            known = pair.get("half", "the 48 of the tests")
            for direction in (pair["direction"], "all"):
                of[known, direction] += 1
                counts[known, direction] += right(pair, by)
            if show and not right(pair, by):
                print(pair["id"], pair["items"][pair["item"]], pair["direction"], f"{by:+.2f}")
    for (known, direction), number in of.items():
        good = counts[known, direction]
        print(f"{known:22}{direction:6}{good:4} of {number:3}  {good / number:.2f}")


if __name__ == "__main__":
    main()
