"""What a signal family hands over: its columns, and its findings with the words behind them.

What each column means, its unit and where it comes from stand in ``rules/columns.csv``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from imr.data.letter import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from imr.data.letter import Case, Item
    from imr.features.context import Mention, Summary

RULES = Path(__file__).parent / "rules"
Dtype = Literal["bool", "int", "float", "str", "date"]
Value = bool | int | float | str | None
Key = TypeVar("Key")
Member = TypeVar("Member")


@dataclass(frozen=True, slots=True)
class Column:
    """One signal in the catalogue.

    ``unit`` is empty for truth values and labels.  ``null`` says when the value is unknown; an
    empty ``null`` means never: an undocumented truth value is False.  ``source`` names the
    guideline, paper or contract that the definition follows.
    """

    name: str
    dtype: Dtype
    definition: str
    unit: str = ""
    null: str = ""
    family: str = ""
    source: str = ""

    @property
    def undocumented(self) -> Value:
        """The value of a row whose builder found nothing."""
        return False if self.dtype == "bool" and not self.null else None


def table_rows(name: str) -> list[dict[str, str]]:
    """The rows of a table in ``features/rules``, named without its ending."""
    with (RULES / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def grouped(pairs: Iterable[tuple[Key, Member]]) -> dict[Key, list[Member]]:
    """The members of each key, in order."""
    found: dict[Key, list[Member]] = {}
    for key, member in pairs:
        found.setdefault(key, []).append(member)
    return found


@cache
def computed() -> Mapping[str, str]:
    """What conditions may name besides the columns, and what of: request, letter or summary."""
    return {row["name"]: row["from"] for row in table_rows("computed")}


@cache
def listed() -> Mapping[str, tuple[Column, ...]]:
    """The columns of ``columns.csv`` by family, in order."""
    columns = grouped((row["family"], Column(**row)) for row in table_rows("columns"))  # type: ignore[arg-type]
    return {family: tuple(of_family) for family, of_family in columns.items()}


@cache
def columns_like(family: str, form: str) -> Mapping[str, str]:
    """The columns of a family whose name has a form (``{}_diagnosed``), by what fills it."""
    head, tail = form.split("{}")
    names = (column.name for column in listed()[family])
    return {
        name.removeprefix(head).removesuffix(tail): name
        for name in names
        if name.startswith(head) and name.endswith(tail)
    }


@dataclass(slots=True)
class Findings:
    """The values of one family for a case or an item, and what each one rests on.

    Mentions are kept as they are; :class:`~imr.data.letter.Evidence` is made from them on demand,
    and so is what ``more_quoted`` gives, after ``quoted``.
    """

    values: dict[str, Value] = field(default_factory=dict)
    support: list[tuple[str, Mention]] = field(default_factory=list)
    quoted: list[Evidence] = field(default_factory=list)
    more_quoted: Callable[[], Iterable[Evidence]] | None = None

    def put(self, column: str, value: Value, *mentions: Mention) -> None:
        """Set a value and name the mentions it rests on."""
        self.values[column] = value
        for mention in mentions:
            self.support.append((column, mention))

    def flag(self, column: str, mentions: Iterable[Mention]) -> None:
        """Set a truth value: True where any mention is documented, with all such as support."""
        documented = [m for m in mentions if m.documented]
        self.put(column, bool(documented), *documented)

    def flag_each(self, columns: Mapping[str, str], mentions: Iterable[Mention]) -> None:
        """As :meth:`flag`, of the column of each value; what nothing documents stays False."""
        documented = grouped((m.value, m) for m in mentions if m.documented)
        for value, column in columns.items():
            if value in documented:
                self.put(column, True, *documented[value])


@dataclass(frozen=True, slots=True)
class Family:
    """Signals that belong together: the name their columns have for it, and what finds them.

    ``build`` reads a summary once for all items; ``build_item`` reads it for one item and sees the
    row as earlier families filled it.
    """

    name: str
    build: Callable[[Summary, Case], Findings] | None = None
    build_item: Callable[[Summary, Case, Item, dict[str, Value]], Findings] | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the family, in order."""
        return listed()[self.name]
