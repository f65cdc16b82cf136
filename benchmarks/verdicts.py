"""Verdicts of the checklist against two readers who saw letter and criterion, not the program.

    python -m benchmarks.verdicts LETTERS [--half tuned|held] [--list]

``tests/annotations/criteria.jsonl`` holds what the readers said of 489 criterion lines of 75
letters; a verdict is defensible where it is one of theirs (first or second reading).  Rules were
tuned on the letters of one half; the other half tells how they do on letters not looked at.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.agreement import cases
from imr.data.letter import Case
from imr.features.checklist import Criterion, checklist
from imr.features.table import signals

READERS = Path(__file__).parent.parent / "tests" / "annotations" / "criteria.jsonl"
Key = tuple[str, int, str]


def half(letter_id: str) -> str:
    """``tuned`` or ``held``, by the digest of the letter's name."""
    digest = hashlib.sha256(f"half{letter_id}".encode()).hexdigest()
    return "held" if int(digest, 16) % 2 else "tuned"


def read_verdicts() -> dict[Key, dict[str, list[str]]]:
    """What the readers said, by letter, item and criterion."""
    lines = map(json.loads, READERS.read_text().splitlines())
    return {(one["letter_id"], one["item_index"], one["criterion"]): one for one in lines}


def judged(case: Case) -> Iterator[tuple[Key, Criterion]]:
    """The checklist of every item of a case."""
    found = signals(case)
    for item, row in zip(case.items, found.rows, strict=True):
        for criterion in checklist(case, item, row, found.evidence):
            yield (case.letter_id, item.index, criterion.id), criterion


def main() -> None:
    """Print the shares, and with ``--list`` every verdict that no reader shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("letters", nargs="+")
    parser.add_argument("--half", choices=("tuned", "held"))
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    counts = counted(arguments.letters, arguments.half, arguments.list)
    for share, of in SHARES.items():
        print(f"{share:28}{counts[share]:4} of {counts[of]:4}  {counts[share] / counts[of]:.3f}")


def counted(letters: list[str], which: str | None = None, show: bool = False) -> Counter[str]:
    """The counts over the letters of one half (``tuned``, ``held``) or all; with ``show`` every
    verdict that no reader shares is printed.
    """
    readers, counts = read_verdicts(), Counter[str]()
    for case in cases(letters):
        if which and half(case.letter_id) != which:
            continue
        for key, criterion in judged(case):
            if key in readers:
                count(counts, criterion, readers[key])
                if show and criterion.status not in accepted(readers[key]):
                    print(*key, criterion.status, readers[key]["readers"], sep="  ")
    return counts


def accepted(said: dict[str, list[str]]) -> set[str]:
    """The verdicts that are defensible."""
    return {*said["readers"], *said.get("also", ())}


SHARES = {
    "defensible": "judged",
    "met and defensible": "met",
    "not met and defensible": "not met",
    "contradictions found": "both say not met",
    "met found": "both say met",
}


def count(counts: Counter[str], criterion: Criterion, said: dict[str, list[str]]) -> None:
    """Add one verdict to the counts that :data:`SHARES` divides."""
    good, status = criterion.status in accepted(said), criterion.status
    counts.update({"judged": 1, "defensible": good, status: 1, f"{status} and defensible": good})
    for verdict, found in (("not met", "contradictions found"), ("met", "met found")):
        if set(said["readers"]) == {verdict}:
            counts.update({f"both say {verdict}": 1, found: status == verdict})


if __name__ == "__main__":
    main()
