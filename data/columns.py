"""Names of columns as people write them -> the names that records have.

A name is recognised where it differs only in case, blanks and signs (``Case Summary``), where
``reference/columns.csv`` lists it (``doi`` for ``date_of_injury``), or where the user says so
(``--map notes=case_summary``).  What could be two columns, what looks misspelt and what is missing
is told in one message for the whole file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from imr.data import table_rows

LONGEST_NAME = 40
"""Characters of a column name that a message may show."""

NEAR = 0.8
"""Share of a name that must agree for it to look misspelt."""

SHOWN = 20
"""Names of columns that a message shows."""

Renames = Mapping[str, str]
"""What the user calls a column -> what records call it."""


class ColumnsError(Exception):
    """Why the columns of a table cannot be told; ``problem`` and ``remedy`` are one line each."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


@dataclass(frozen=True, slots=True)
class Known:
    """The columns that a record may have, and those that it must have."""

    names: frozenset[str]
    required: Sequence[str]


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a table are, in their order, and which were read under another name."""

    names: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...] = ()


def same(name: str) -> str:
    """A name without case, blanks and signs."""
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


@cache
def _aliases() -> dict[str, str]:
    return {same(row["alias"]): row["column"] for row in table_rows("reference/columns")}


def recognised(found: Iterable[str], known: Known, renames: Renames) -> int:
    """How many of the names are known in one way or another."""
    return sum(meaning(name, known, renames) is not None for name in found)


def meaning(name: str, known: Known, renames: Renames) -> str | None:
    """What records call a column; None where that is not known."""
    if name in renames:
        return renames[name]
    plain = same(name)
    meant = plain if plain in known.names else _aliases().get(plain)
    return meant if meant in known.names else None


def columns(found: Sequence[str], known: Known, renames: Renames) -> Columns:
    """The columns of a table whose header says ``found``.

    Raises:
        ColumnsError: where a name stands twice, could be two columns, looks misspelt, or a column
            that is needed is missing.
    """
    header = recognised(found, known, renames) > 0
    for name in found:
        if name and found.count(name) > 1:
            twice = shown(name, header) if header else "a name in the first row"
            raise ColumnsError(f"{twice} stands twice", "keep one")
    _check_renames(found, renames, header)
    meant = {name: meaning(name, known, renames) for name in found if name}
    # A column's own name, or what the user says, goes before what it is also called.
    sure = {to for name, to in meant.items() if to and (name in renames or same(name) == to)}
    names = [_name(name, meant.get(name), sure, renames) for name in found]
    _check_doubled(found, names, known)
    _check_complete(found, names, known, header)
    renamed = tuple((f, n) for f, n in zip(found, names, strict=True) if f != n)
    return Columns(tuple(names), renamed)


def _name(found: str, meant: str | None, sure: Collection[str], renames: Renames) -> str:
    if meant is None or (meant in sure and found not in renames and same(found) != meant):
        return found
    return meant


def _check_renames(found: Sequence[str], renames: Renames, header: bool) -> None:
    for name, to in renames.items():
        if name not in found and to not in found:
            problem = f"no column {name!r}, which --map names; found are {_listed(found, header)}"
            raise ColumnsError(problem, "name a column that is there")


def _check_doubled(found: Sequence[str], names: Sequence[str], known: Known) -> None:
    for name in known.names:
        ours = [f for f, n in zip(found, names, strict=True) if n == name]
        if len(ours) > 1:
            could = " and ".join(shown(one, header=True) for one in ours)
            remedy = f"say which: --map '{ours[0]}={name}', and rename the other"
            raise ColumnsError(f"{could} could both be {name!r}", remedy)


def _check_complete(found: Sequence[str], names: Sequence[str], known: Known, header: bool) -> None:
    """Refuse what lacks a needed column or has one that looks misspelt."""
    missing = [name for name in known.required if name not in names]
    near = dict(_nearest(names, known))
    if not missing and not near:
        return
    said = [
        f"found are {_listed(found, header or bool(near))}",
        f"needed are {', '.join(known.required)}",
    ]
    said += [f"{shown(name, header=True)} looks like {to!r}" for name, to in near.items()]
    what = f"no column {', '.join(map(repr, missing))}" if missing else "a name is not known"
    name, to = next(iter(near.items()), ("NAME", missing[0] if missing else ""))
    remedy = f"rename it, or add --map '{name}={to}'"
    if not header and not near:
        remedy = f"name the columns in the first row, or add {remedy.partition('add ')[2]}"
    raise ColumnsError(f"{what}: {'; '.join(said)}", remedy)


def _nearest(names: Sequence[str], known: Known) -> Iterable[tuple[str, str]]:
    for name in names:
        if name in known.names or not name:
            continue
        near = difflib.get_close_matches(same(name), known.names, n=1, cutoff=NEAR)
        if near:
            yield name, near[0]


def _listed(found: Sequence[str], header: bool) -> str:
    """The names for a message; a row of which none is known may be the text of a letter."""
    if not header:
        return f"{len(found)} names, none of them known"
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(shown(name, header, "") for name in found[:SHOWN]) + more


def shown(name: str, header: bool = False, word: str = "column ") -> str:
    """A column for a message; without a header row its name is the text of a letter.

    ``header`` says that the row is one: a name in it may then hold blanks.
    """
    if len(name) <= LONGEST_NAME and (header or " " not in name.strip()):
        return f"{word}{name!r}"
    return f"a column whose name has {len(name)} characters"
