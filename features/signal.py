"""What a signal family hands over: its columns, and its findings with the words behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from imr.data.letter import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from imr.data.letter import Case, Item
    from imr.features.context import Mention, Summary

Dtype = Literal["bool", "int", "float", "str", "date"]
Value = bool | int | float | str | None


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

    def flag(self, column: str, mentions: list[Mention]) -> None:
        """Set a truth value: True where any mention is documented, with all such as support."""
        documented = [m for m in mentions if m.documented]
        self.put(column, bool(documented), *documented)

    def cite(self, column: str, *mentions: Mention) -> None:
        """Name mentions that bear on a column without setting it (negated, conflicting)."""
        for mention in mentions:
            self.support.append((column, mention))


@dataclass(frozen=True, slots=True)
class Family:
    """Signals that belong together: their columns, and what finds them.

    ``build`` reads a summary once for all items; ``build_item`` reads it for one item and sees the
    row as earlier families filled it; ``relate`` is called last, with the rows of all items of the
    letter, where an item takes something from another.
    """

    columns: tuple[Column, ...]
    build: Callable[[Summary, Case], Findings] | None = None
    build_item: Callable[[Summary, Case, Item, dict[str, Value]], Findings] | None = None
    relate: Callable[[Case, list[dict[str, Value]]], None] | None = None

    @property
    def name(self) -> str:
        """What the columns call their family."""
        return self.columns[0].family
