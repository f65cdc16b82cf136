"""Case -> one row of signals an item, with the words behind each; and the column catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from imr.data.letter import Case, Evidence, Item
from imr.features import (
    authorization,
    chronicity,
    comorbidity,
    complaints,
    criteria,
    diagnosis,
    electrodiagnostics,
    examination,
    imaging,
    indication,
    letter_mix,
    medication,
    person,
    relief,
    request,
    requested_part,
    review,
    severity,
    treatment,
    work_status,
)
from imr.features.context import Mention, Summary, read_summary
from imr.features.signal import Column, Findings, Value

if TYPE_CHECKING:
    import pandas as pd
    from pandas.api.extensions import ExtensionArray

__all__ = [
    "COLUMNS",
    "FAMILIES",
    "CaseSignals",
    "Column",
    "arrays",
    "catalogue",
    "frame",
    "signals",
]

# A family is a module with COLUMNS and build(summary, case) and/or
# build_item(summary, case, item, found); later families see what earlier ones found.  A family's
# relate(case, rows) is called last, where an item takes something from another of its letter.
FAMILIES: tuple[ModuleType, ...] = (
    person,
    chronicity,
    work_status,
    complaints,
    imaging,
    electrodiagnostics,
    relief,
    request,
    review,
    letter_mix,
    treatment,
    examination,
    medication,
    comorbidity,
    diagnosis,
    requested_part,
    severity,
    authorization,
    indication,
    criteria,
)

KEYS = (
    Column(
        "letter_id",
        "str",
        "File name without ending, or the record's own id",
        family="key",
        source="contract of the column set",
    ),
    Column(
        "item_index",
        "int",
        "Position of the item in the letter, from 0",
        family="key",
        source="contract of the column set",
    ),
)
COLUMNS: tuple[Column, ...] = (
    *KEYS,
    *(c for family in FAMILIES for c in family.COLUMNS),
)


@dataclass(slots=True)
class CaseSignals:
    """The rows of a case, one an item, keys in the order of ``COLUMNS``."""

    letter_id: str
    rows: list[dict[str, Value]]
    found: list[tuple[int | None, Item | None, Findings]] = field(default_factory=list, repr=False)

    @property
    def evidence(self) -> list[Evidence]:
        """The words each signal rests on, made from the mentions when asked for."""
        made: list[Evidence] = []
        for index, item, findings in self.found:
            made.extend(_evidence(s, m, index, item) for s, m in findings.support)
            made.extend(findings.quoted)
        return list(dict.fromkeys(made))


def signals(case: Case) -> CaseSignals:
    """All signals of a case; total (any text gives a row an item) and deterministic."""
    summary = read_summary(case.case_summary)
    shared = dict(_undocumented())
    found: list[tuple[int | None, Item | None, Findings]] = []
    for build in _builders("build"):
        _add(shared, found, build(summary, case), None)
    rows = [_row(summary, case, item, shared, found) for item in case.items]
    for relate in _relations():
        relate(case, rows)
    return CaseSignals(case.letter_id, rows, found)


def _row(
    summary: Summary,
    case: Case,
    item: Item,
    shared: dict[str, Value],
    found: list[tuple[int | None, Item | None, Findings]],
) -> dict[str, Value]:
    row = dict(shared)
    row["letter_id"], row["item_index"] = case.letter_id, item.index
    for build_item in _builders("build_item"):
        _add(row, found, build_item(summary, case, item, row), item)
    return row


def _add(
    values: dict[str, Value],
    found: list[tuple[int | None, Item | None, Findings]],
    findings: Findings,
    item: Item | None,
) -> None:
    values.update(findings.values)
    if findings.support or findings.quoted:
        found.append((None if item is None else item.index, item, findings))


@cache
def _builders(name: str) -> tuple[Callable[..., Findings], ...]:
    """The families' builders of one scope, in order."""
    return tuple(getattr(family, name) for family in FAMILIES if hasattr(family, name))


@cache
def _relations() -> tuple[Callable[..., None], ...]:
    return tuple(family.relate for family in FAMILIES if hasattr(family, "relate"))


@cache
def _undocumented() -> dict[str, Value]:
    """A row that documents nothing: its keys keep every row in the order of the columns."""
    return {column.name: column.undocumented for column in COLUMNS}


def _evidence(signal: str, mention: Mention, index: int | None, item: Item | None) -> Evidence:
    in_request = item is not None and mention.summary.text == item.requested
    return Evidence(
        signal=signal,
        start=mention.start,
        end=mention.end,
        quote=mention.text,
        rule=mention.rule_id,
        qualifier=mention.qualifier,
        field="request" if in_request else "case_summary",
        item_index=index,
    )


def frame(rows: Iterable[Mapping[str, Value]]) -> pd.DataFrame:
    """Rows as a data frame with the catalogue's columns and nullable types (dates as text)."""
    import pandas as pd

    return pd.DataFrame(arrays(rows), copy=False)


def arrays(rows: Iterable[Mapping[str, Value]]) -> dict[str, ExtensionArray]:
    """The catalogue's columns with nullable types, before they make a frame (maybe with others)."""
    names = [column.name for column in COLUMNS]
    # All rows turned into columns at once: asking each row for each column took longest.
    cells = list(zip(*(map(row.get, names) for row in rows), strict=True)) or [()] * len(names)
    make = _makers()
    return {c.name: make[c.dtype](own) for c, own in zip(COLUMNS, cells, strict=True)}


@cache
def _makers() -> dict[str, Callable[[Sequence[Any]], ExtensionArray]]:
    """What makes a column of a type; much faster than a frame of objects with its types changed."""
    import numpy as np
    import pandas as pd

    def masked(kind: Callable[..., ExtensionArray], dtype: type, absent: Value) -> Any:
        def make(cells: Sequence[Value]) -> ExtensionArray:
            n = len(cells)
            if None not in cells:  # as in most columns, for what is not documented is False
                return kind(np.fromiter(cells, dtype, n), np.zeros(n, dtype=bool))
            mask = np.array([cell is None for cell in cells], dtype=bool)
            known = [absent if cell is None else cell for cell in cells]
            return kind(np.array(known, dtype=dtype), mask)

        return make

    string: Any = pd.StringDtype()
    text: Any = partial(pd.array, dtype=string)
    return {
        "bool": masked(pd.arrays.BooleanArray, np.bool_, False),
        "int": masked(pd.arrays.IntegerArray, np.int64, 0),
        "float": masked(pd.arrays.FloatingArray, np.float64, 0.0),
        "str": text,
        "date": text,
    }


def catalogue() -> str:
    """The column catalogue as a Markdown table."""
    head = "| column | type | unit | definition | null | family | source |"
    lines = [head, "|" + " --- |" * 7]
    for c in COLUMNS:
        null = c.null or "never"
        cells = (f"`{c.name}`", c.dtype, c.unit, c.definition, null, c.family, c.source)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
