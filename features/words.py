"""Words as data: patterns that code looks for by their name, and groups that it asks about.

``rules/patterns.csv``: a ``pattern`` (tried on text in lower case; ``(?i)`` where the text is as
printed), with an ``example`` in which it finds what stands in brackets.  Rows of one name are
kinds of one thing, told apart by what they ``give`` (:func:`kinds`).  ``(?&name)`` stands for the
pattern of that name in ``rules/beside_parts.csv`` or in a row above, ``(?&count)`` for a number,
``(?&to_twelve)`` and ``(?&to_twenty)`` for one in words.

``rules/groups.csv``: the ``members`` of a group, with semicolons between.

``rules/pairs.csv``: what each ``key`` of a name stands for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from imr.data.quantity import COUNT, number_words
from imr.features.signal import table_rows

_PART = re.compile(r"\(\?&(\w+)\)")


def filled(pattern: str, known: Mapping[str, str]) -> str:
    """A pattern with those that it names put in their place."""
    return _PART.sub(lambda part: known[part[1]], pattern)


@cache
def parts() -> Mapping[str, str]:
    """The patterns that others may name."""
    found = {
        "count": COUNT,
        "to_twelve": "|".join(number_words(12)),
        "to_twenty": "|".join(number_words(20)),
    }
    for row in (*table_rows("beside_parts"), *table_rows("patterns")):
        found[row["name"]] = filled(row["pattern"], found)
    return found


@cache
def pattern(name: str) -> re.Pattern[str]:
    """The pattern of a name."""
    return re.compile(parts()[name])


@cache
def kinds(name: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """What each row of a name gives, and its pattern, in order."""
    return tuple(
        (row["gives"], re.compile(filled(row["pattern"], parts())))
        for row in table_rows("patterns")
        if row["name"] == name
    )


def kinds_in(name: str, text: str) -> set[str]:
    """What the rows of a name give whose pattern a text holds."""
    return {gives for gives, known in kinds(name) if known.search(text)}


@cache
def labelled(table: str, label: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The labels of a table of its own and the pattern of each, in order."""
    return tuple((row[label], re.compile(row["pattern"])) for row in table_rows(table))


@cache
def pairs(name: str) -> Mapping[str, str]:
    """What each key of a name stands for, in order."""
    return {row["key"]: row["value"] for row in table_rows("pairs") if row["name"] == name}


@cache
def sets(name: str) -> Mapping[str, frozenset[str]]:
    """As :func:`pairs`, of those that stand for several."""
    return {key: frozenset(cell.split(";")) for key, cell in pairs(name).items()}


@cache
def group(name: str) -> frozenset[str]:
    """The members of a group."""
    return groups()[name]


@cache
def groups() -> Mapping[str, frozenset[str]]:
    """The members of each group of ``groups.csv``."""
    return {row["name"]: frozenset(row["members"].split(";")) for row in table_rows("groups")}
