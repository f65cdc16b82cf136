"""The cues of all families as one index from trigger word to rules, matched in a single pass.

A lexicon is ``features/rules/lexicons/<family>.csv`` with the columns ``id, trigger, pattern,
value, source, example, counterexample`` and any further columns a family needs (``direction`` and
``reach`` are those of context cues).  The text is tokenised
once; where a token is a trigger, the rule's pattern is tried anchored at that token's start.
Triggers are lower-case words of ``[a-z]+``; ``#`` stands for any number.  Patterns are matched
against the lower-cased text, so they are written in lower case.  A rule whose ``consumes`` column
says ``yes`` (dates) takes its words for itself: no other rule starts inside its match.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "rules" / "lexicons"
TOKEN = re.compile(r"[a-z]+|[0-9]+")
ANY_NUMBER = "#"
_FIXED = frozenset({"id", "trigger", "pattern", "value", "source", "example", "counterexample"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a lexicon; ``extra`` holds the columns that only its family knows."""

    id: str
    family: str
    triggers: tuple[str, ...]
    pattern: re.Pattern[str]
    value: str
    source: str
    example: str
    counterexample: str
    extra: Mapping[str, str]
    direction: str = ""
    reach: int = 0


# A rule that matched; the offsets stand in the match.
Hit = tuple[Rule, "re.Match[str]"]
_Try = tuple[int, Callable[[str, int], "re.Match[str] | None"], Rule, bool]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All rules, and the index from trigger word to what is tried there."""

    families: Mapping[str, int]
    rules: tuple[Rule, ...]
    index: Mapping[str, tuple[_Try, ...]]

    def hits(self, lower: str) -> tuple[list[list[Hit]], list[tuple[int, str]]]:
        """Every match in a lower-cased text, a list a family, in order of position; and the words
        and numbers that are triggers, with their positions.
        """
        found: list[list[Hit]] = [[] for _ in self.families]
        triggers: list[tuple[int, str]] = []
        look_up, numbers = self.index.get, self.index.get(ANY_NUMBER, ())
        taken = 0
        for token in TOKEN.finditer(lower):
            word = token[0]
            tries = numbers if word[0] <= "9" else look_up(word)
            if not tries:
                continue
            start = token.start()
            triggers.append((start, word))
            if start < taken:
                continue
            for family, match_at, rule, consumes in tries:
                match = match_at(lower, start)
                if match is not None:
                    found[family].append((rule, match))
                    if consumes:
                        taken = match.end()
                        break
        return found, triggers


@cache
def lexicon() -> Lexicon:
    """The index over every lexicon in ``features/rules/lexicons``, read on first use."""
    rules = tuple(rule for path in sorted(FOLDER.glob("*.csv")) for rule in read_rules(path))
    families = {name: i for i, name in enumerate(sorted({rule.family for rule in rules}))}
    return Lexicon(families, rules, _index(rules, families))


def read_rules(path: Path) -> list[Rule]:
    """The rules of one lexicon file; the file's name is the family's."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [_rule(path.stem, row) for row in csv.DictReader(lines)]


def _rule(family: str, row: dict[str, str]) -> Rule:
    try:
        pattern = re.compile(row["pattern"])
    except re.error as error:
        raise ValueError(f"lexicon {family}, rule {row['id']}: {error}") from error
    extra = {name: cell or "" for name, cell in row.items() if name not in _FIXED}
    return Rule(
        id=row["id"],
        family=family,
        triggers=tuple(word.strip() for word in row["trigger"].split(";") if word.strip()),
        pattern=pattern,
        value=row["value"],
        source=row["source"],
        example=row["example"],
        counterexample=row["counterexample"] or "",
        extra=extra,
        direction=extra.get("direction", ""),
        reach=int(extra.get("reach") or 0),
    )


def _index(rules: Sequence[Rule], families: Mapping[str, int]) -> dict[str, tuple[_Try, ...]]:
    index: dict[str, list[_Try]] = {}
    for rule in rules:
        for trigger in rule.triggers:
            consumes = rule.extra.get("consumes") == "yes"
            entry = (families[rule.family], rule.pattern.match, rule, consumes)
            index.setdefault(trigger, []).append(entry)
    for tries in index.values():
        tries.sort(key=lambda entry: not entry[3])
    return {trigger: tuple(tries) for trigger, tries in index.items()}
