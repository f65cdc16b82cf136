"""How reading falls off when letters are damaged: cut, shuffled, doubled, badly recognised.

    python benchmarks/robustness.py [--letters FOLDER] [-n 135] [--seed 7]

Letters come from ``--letters`` or the environment variable IMR_LETTERS, else from our own grammar.
What is read from the undamaged letter is the truth.  A damaged letter is *right* where everything
is as in the truth (items, requests, outcomes, guidelines, summary), *refused* where it ends in a
named error, *short* where whole items at the end are missing and all others are right, *marred*
where only the wording differs (outcomes and number of items as they were), and *wrong* otherwise.
Wrong is what must not happen.  *Warned* is the share of the short and marred that carry a warning.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from imr.data.letter import Letter, LetterError, Text
from imr.data.parse import parse

Damage = Callable[[str, random.Random], Iterator[str]]
KINDS = ("right", "refused", "short", "marred", "wrong")
MOST_CUTS = 40

LOOKALIKES = {
    "0": "O", "O": "0", "1": "l", "l": "1", "I": "l", "5": "S", "S": "5", "8": "B", "B": "8",
    "m": "rn", "w": "vv", "e": "c", "c": "e", "h": "b", "n": "u", "u": "n", "t": "f", "g": "q",
    "a": "o", "o": "a", "i": "j", "r": "n", ".": ",", ",": ".", ":": ";", "-": " ", "d": "cl",
}  # fmt: skip


def cut_at_paragraphs(text: str, chance: random.Random) -> Iterator[str]:
    """The letter up to each paragraph (a sample of forty where there are more)."""
    places = [match.start() for match in re.finditer(r"\n\s*\n", text)]
    yield from (
        text[:place] for place in sorted(chance.sample(places, min(MOST_CUTS, len(places))))
    )


def cut_anywhere(text: str, chance: random.Random) -> Iterator[str]:
    yield from (text[: chance.randrange(len(text))] for _ in range(10))


def lost_paragraph(text: str, chance: random.Random) -> Iterator[str]:
    """One paragraph is missing, as where a page was lost."""
    parts = re.split(r"\n\s*\n", text)
    for at in sorted(chance.sample(range(len(parts)), min(MOST_CUTS, len(parts)))):
        yield "\n\n".join(parts[:at] + parts[at + 1 :])


def shuffled_sections(text: str, _: random.Random) -> Iterator[str]:
    """Head, case summary and issues in another order."""
    parts = re.split(r"(?m)^(?=[ \t]*(?:CLINICAL CASE SUMMARY|IMR ISSUES, DECISIONS))", text)
    if len(parts) == 3:
        for order in ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
            yield "\n".join(parts[i] for i in order)


def shuffled_paragraphs(text: str, chance: random.Random) -> Iterator[str]:
    for _ in range(5):
        parts = re.split(r"\n\s*\n", text)
        chance.shuffle(parts)
        yield "\n\n".join(parts)


LABELS = (
    r"^[ \t]*CLINICAL CASE SUMMARY.*$",
    r"^[ \t]*IMR ISSUES, DECISIONS AND RATIONALES.*$",
    r"^Claims Administrator guideline:",
    r"^MAXIMUS guideline:",
    r"^Decision rationale:",
)


def doubled_headings(text: str, chance: random.Random) -> Iterator[str]:
    """One heading or label stands twice, each time another one."""
    for label in LABELS:
        found = list(re.finditer(label, text, re.MULTILINE))
        if found:
            one = chance.choice(found)
            yield f"{text[: one.start()]}{one.group()}\n{text[one.start() :]}"


def two_letters(text: str, _: random.Random) -> Iterator[str]:
    yield f"{text}\n\n{text}"


def misread(share: float) -> Damage:
    """Characters taken for others that look alike, dropped, or parted by a blank."""

    def damage(text: str, chance: random.Random) -> Iterator[str]:
        for _ in range(2):
            yield "".join(_misread(c, chance) if chance.random() < share else c for c in text)

    return damage


def _misread(char: str, chance: random.Random) -> str:
    if char.isspace():
        return chance.choice((char, char, "" if char == " " else char))
    kind = chance.random()
    if kind < 0.75:
        return LOOKALIKES.get(char, chance.choice("aeinorst"))
    return "" if kind < 0.9 else f"{char} "


DAMAGES: dict[str, Damage] = {
    "cut at a paragraph": cut_at_paragraphs,
    "cut anywhere": cut_anywhere,
    "one paragraph lost": lost_paragraph,
    "sections shuffled": shuffled_sections,
    "paragraphs shuffled": shuffled_paragraphs,
    "a heading doubled": doubled_headings,
    "two letters in one": two_letters,
    "misread 0.1%": misread(0.001),
    "misread 1%": misread(0.01),
    "misread 2%": misread(0.02),
    "misread 5%": misread(0.05),
}


@dataclass
class Result:
    """What became of one kind of damage."""

    kinds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    cells: int = 0
    cells_kept: int = 0
    warned: int = 0
    slowest: float = 0.0


def facts(letter: Letter) -> list[tuple[object, ...]]:
    """An entry an item: what was requested, what either side cites, how it was decided."""
    from imr.data.citations import primary_label

    decisions = letter.determination.decisions
    return [
        (item.requested, item.ur_action, item.category, item.subcategory, item.quantity,
         primary_label(item.claims_administrator_guideline),
         decision and decision.outcome, decision and primary_label(decision.guideline))
        for item, decision in zip(letter.case.items, decisions, strict=True)
    ]  # fmt: skip


def outcomes(letter: Letter) -> list[str | None]:
    return [decision and decision.outcome for decision in letter.determination.decisions]


def judged(damaged: Letter, truth: Letter) -> str:
    mine, its = facts(damaged), facts(truth)
    same_summary = damaged.case.case_summary == truth.case.case_summary
    if mine == its and same_summary:
        return "right"
    if len(mine) < len(its) and mine == its[: len(mine)] and same_summary:
        return "short"
    return "marred" if outcomes(damaged) == outcomes(truth) else "wrong"


def signal_cells(letter: Letter) -> list[dict[str, object]]:
    from imr.features.table import signals

    return [dict(row) for row in signals(letter.case).rows]


def measure(text: Text, damage: Damage, result: Result, seed: int, with_signals: bool) -> None:
    truth = parse(text)
    its = signal_cells(truth) if with_signals else []
    for content in damage(text.text, random.Random(f"{text.letter_id} {seed}")):
        start = time.perf_counter()
        try:
            damaged = parse(Text("damaged", "damaged", content))
        except LetterError as error:
            result.kinds["refused"] += 1
            result.reasons[error.reason] += 1
            continue
        finally:
            result.slowest = max(result.slowest, time.perf_counter() - start)
        kind = judged(damaged, truth)
        result.kinds[kind] += 1
        result.warned += kind != "right" and bool(damaged.warnings)
        if with_signals and len(damaged.case.items) == len(truth.case.items):
            _compare_cells(signal_cells(damaged), its, result)


def _compare_cells(
    mine: list[dict[str, object]], its: list[dict[str, object]], result: Result
) -> None:
    """Over the cells that either letter documents: the empty ones are equal anyway."""
    for one, other in zip(mine, its, strict=True):
        for name in one:
            if name != "letter_id" and (one[name] or other[name]):
                result.cells += 1
                result.cells_kept += one[name] == other[name]


def letters(folder: str | None, n: int, seed: int) -> tuple[str, list[Text]]:
    if folder:
        from imr.data.read import read

        found = [text for text in read([folder]) if not isinstance(text, LetterError)]
        return f"{len(found[:n])} real letters", found[:n]
    from imr.data.synthetic import synthesize
    from imr.data.synthetic.page import render_text

    made = [one.letter for one in synthesize(n, seed=seed)]
    texts = [Text(x.case.letter_id, x.case.letter_id, render_text(x)) for x in made]
    return f"{n} letters of our grammar", texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--letters", default=os.environ.get("IMR_LETTERS"))
    parser.add_argument("-n", type=int, default=135)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    title, texts = letters(options.letters, options.n, options.seed)
    print(f"{title}, seed {options.seed}\n")
    print("| damage | tried | " + " | ".join(KINDS) + " | warned | signals kept | refused as |")
    print("| --- |" + " ---: |" * (len(KINDS) + 3) + " --- |")
    slowest = 0.0
    for name, damage in DAMAGES.items():
        result = Result()
        for text in texts:
            measure(text, damage, result, options.seed, name.startswith("misread"))
        print(row(name, result))
        slowest = max(slowest, result.slowest)
    print(f"\nslowest letter: {1000 * slowest:.0f} ms to parse")


def row(name: str, result: Result) -> str:
    tried = sum(result.kinds.values())
    shares = [f"{result.kinds[kind] / max(tried, 1):.1%}" for kind in KINDS]
    kept = f"{result.cells_kept / result.cells:.1%}" if result.cells else ""
    changed = sum(result.kinds[kind] for kind in ("short", "marred", "wrong"))
    warned = f"{result.warned / changed:.0%}" if changed else ""
    reasons = ", ".join(f"{reason} {n}" for reason, n in result.reasons.most_common(3))
    return f"| {name} | {tried:,} | " + " | ".join(shares) + f" | {warned} | {kept} | {reasons} |"


if __name__ == "__main__":
    main()
