"""Verdicts of the checklist against readers who saw case and criterion, not the program.

    python -m benchmarks.verdicts [LETTERS ...] [--half tuned|held] [--list]

``tests/annotations/criteria.jsonl`` holds what readers said of criterion lines of real letters (two
readers of 489 lines, one of the others) and of requests that raters set against their summaries
(:mod:`imr.training.rated_letters`), ``criteria_vignettes.jsonl`` what one reader said of lines of
the shipped vignettes, which are judged where no letters are named.  A verdict is defensible where
it is one of theirs (first or second reading).  Rules were tuned on the lines of one part; the
other, ``held``, tells how they do on lines not looked at: of letters a quarter, whose summaries
nobody looked at for a rule.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.agreement import cases
from imr.data.letter import Case
from imr.features.checklist import Criterion, checklist
from imr.features.table import signals
from imr.training.rated_letters import request_cases
from imr.training.vignettes import shipped_vignettes

ANNOTATIONS = Path(__file__).parent.parent / "tests" / "annotations"
OF_LETTERS, OF_VIGNETTES = "criteria.jsonl", "criteria_vignettes.jsonl"
Key = tuple[str, int, str]


def half(letter_id: str) -> str:
    """``tuned``, or ``held`` for a quarter of the letters, by digests of the letter's name."""
    digests = (hashlib.sha256(f"{salt}{letter_id}".encode()) for salt in ("half", "quarter"))
    return "held" if [int(one.hexdigest(), 16) % 2 for one in digests] == [1, 0] else "tuned"


def read_verdicts(which: str | None = None, name: str = OF_LETTERS) -> dict[Key, dict[str, Any]]:
    """What the readers said, by letter, item and criterion; of one half (``tuned``, ``held``) or
    all.
    """
    lines = map(json.loads, (ANNOTATIONS / name).read_text().splitlines())
    return {
        (one["letter_id"], one["item_index"], one["criterion"]): one
        for one in lines
        if which in (None, one.get("half") or half(one["letter_id"]))
    }


def judged(case: Case) -> Iterator[tuple[Key, Criterion]]:
    """The checklist of every item of a case."""
    found = signals(case)
    for item, row in zip(case.items, found.rows, strict=True):
        for criterion in checklist(case, item, row, found.evidence):
            yield (case.letter_id, item.index, criterion.id), criterion


def main() -> None:
    """Print the shares, and with ``--list`` every verdict that no reader shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("letters", nargs="*")
    parser.add_argument("--half", choices=("tuned", "held"))
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    counts = counted(arguments.letters, arguments.half, arguments.list)
    for share, of in SHARES.items():
        part = counts[share] / counts[of] if counts[of] else float("nan")
        print(f"{share:28}{counts[share]:4} of {counts[of]:4}  {part:.3f}")


def counted(letters: list[str], which: str | None = None, show: bool = False) -> Counter[str]:
    """The counts over the lines of one half (``tuned``, ``held``) or all, of letters or (without
    any) of vignettes; with ``show`` every verdict that no reader shares is printed.
    """
    readers, counts = read_verdicts(which, OF_LETTERS if letters else OF_VIGNETTES), Counter[str]()
    named = {letter for letter, *_ in readers}
    for case in _cases(letters):
        if case.letter_id not in named:
            continue
        for key, criterion in judged(case):
            if key in readers:
                count(counts, criterion, readers[key])
                if show and criterion.status not in accepted(readers[key]):
                    print(*key, criterion.status, readers[key]["readers"], sep="  ")
    return counts


def _cases(letters: list[str]) -> Iterable[Case]:
    """The cases of letters and of the requests set against them; without letters vignettes."""
    if letters:
        return [*cases(letters), *request_cases(letters)]
    return [one.case for one in shipped_vignettes()]


def accepted(said: dict[str, Any]) -> set[str]:
    """The verdicts that are defensible."""
    return {*said["readers"], *said.get("also", ())}


SHARES = {
    "defensible": "judged",
    "met and defensible": "met",
    "not met and defensible": "not met",
    "contradictions found": "both say not met",
    "met found": "both say met",
}


def count(counts: Counter[str], criterion: Criterion, said: dict[str, Any]) -> None:
    """Add one verdict to the counts that :data:`SHARES` divides."""
    good, status = criterion.status in accepted(said), criterion.status
    counts.update({"judged": 1, "defensible": good, status: 1, f"{status} and defensible": good})
    for verdict, found in (("not met", "contradictions found"), ("met", "met found")):
        if set(said["readers"]) == {verdict}:
            counts.update({f"both say {verdict}": 1, found: status == verdict})


if __name__ == "__main__":
    main()
