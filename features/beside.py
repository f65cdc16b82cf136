"""The words beside a mention, and what they make of it, as ``rules/beside.csv`` lists them.

A row holds where all its cells do: the mention is ``of`` one of some rules or values of a lexicon
(``response.failed`` is the rule alone where a value has its name too) and has one of some
``qualifier``; the patterns find something: ``before`` in the ``reach`` characters of its sentence
that end where it starts, ``after`` right behind it, ``ahead`` anywhere in the ``reach`` characters
behind it ("60/40" where the two differ), ``text`` in its own words, ``clause`` and ``sentence`` in
those; the rows named in ``also`` hold, and those in ``unless`` do not.  Rows of one name are
alternatives; the first that holds decides, and ``gives`` what it says.  Lists have semicolons
between; ``(?&name)`` stands for the pattern of that name in ``rules/beside_parts.csv``, of which
each may use those above it, and ``(?&count)`` for a number.

``example`` is a sentence of our own with the mention in brackets; the tests hold each row's
patterns against it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from imr.features.context import Mention, Summary, clause_text
from imr.features.signal import grouped, table_rows
from imr.features.words import filled, parts

Words = Callable[[Summary, Mention, int], str]
# Where a pattern of each column looks.
PLACES: Mapping[str, Words] = {
    "before": Summary.before,
    "after": Summary.after,
    "ahead": Summary.after,
    "text": lambda summary, mention, _reach: summary.lower[mention.start : mention.end],
    "clause": lambda _summary, mention, _reach: clause_text(mention),
    "sentence": lambda summary, mention, _reach: summary.sentence_lower(mention.sentence),
}


Matches = tuple[re.Match[str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table; ``looks`` are its patterns, each with where and how far it looks."""

    rules: frozenset[str]
    values: frozenset[str]
    qualifiers: frozenset[str]
    looks: tuple[tuple[Words, int, Callable[[str], re.Match[str] | None]], ...]
    also: tuple[str, ...]
    unless: tuple[str, ...]
    gives: str

    def is_of(self, rule: str, value: str) -> bool:
        """Whether it is about mentions of a rule and a value."""
        return not self.rules or rule in self.rules or value in self.values

    def matches(self, mention: Mention) -> Matches | None:
        """What its patterns found; None where the row does not hold."""
        if self.qualifiers and mention.qualifier not in self.qualifiers:
            return None
        found: Matches = ()
        for words, reach, find in self.looks:
            match = find(words(mention.summary, mention, reach))
            if match is None:
                return None
            found += (match,)
        for name in self.also:
            if not beside(name, mention):
                return None
        for name in self.unless:
            if beside(name, mention):
                return None
        return found


@cache
def table() -> Mapping[str, Sequence[Row]]:
    """The rows by name; raises ValueError where a pattern cannot be read."""
    return grouped((cells["name"], _row(cells)) for cells in table_rows("beside"))


def _row(cells: Mapping[str, str]) -> Row:
    # "60/40": so many characters before the mention, and so many behind it.
    reaches = [int(part) for part in cells["reach"].split("/") if part] or [0]
    looks = []
    for place, words in PLACES.items():
        if cells[place]:
            try:
                pattern = re.compile(filled(cells[place], parts()))
            except re.error as error:
                raise ValueError(f"beside.csv, {cells['name']}, {place}: {error}") from error
            reach = reaches[0] if place == "before" else reaches[-1]
            looks.append((words, reach, pattern.match if place == "after" else pattern.search))
    return Row(
        rules=frozenset(one.rpartition(".")[2] for one in _listed(cells["of"])),
        values=frozenset(one for one in _listed(cells["of"]) if "." not in one),
        qualifiers=frozenset(_listed(cells["qualifier"])),
        looks=tuple(looks),
        also=_listed(cells["also"]),
        unless=_listed(cells["unless"]),
        gives=cells["gives"],
    )


def _listed(cell: str) -> tuple[str, ...]:
    return tuple(filter(None, cell.split(";")))


@cache
def _about(name: str, rule: str, value: str) -> tuple[Row, ...]:
    """The rows of a name that are about mentions of a rule and a value."""
    return tuple(row for row in table()[name] if row.is_of(rule, value))


def beside(name: str, mention: Mention) -> bool:
    """Whether one of the rows of a name holds."""
    return gives_beside(name, mention) is not None


def each_beside(name: str, mention: Mention) -> Iterator[tuple[str, re.Match[str]]]:
    """What each row that holds ``gives``, and what its first pattern found."""
    for row in _about(name, mention.rule.id, mention.value):
        found = row.matches(mention)
        if found:
            yield row.gives, found[0]


def match_beside(name: str, mention: Mention) -> re.Match[str] | None:
    """What the first pattern of the first row that holds found, for its groups."""
    return next((match for _, match in each_beside(name, mention)), None)


def gives_beside(name: str, mention: Mention) -> str | None:
    """What the first row that holds ``gives``; None where none does."""
    for row in _about(name, mention.rule.id, mention.value):
        if row.matches(mention) is not None:
            return row.gives
    return None
