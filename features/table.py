"""Case -> one row of signals an item, with the words behind each; and the column catalogue."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from imr.data.letter import Case, Evidence, Item
from imr.features import criteria
from imr.features.caveats import Urgent, caveats, urgent
from imr.features.context import Mention, Summary, read_summary
from imr.features.families import (
    complaints,
    diagnosis,
    examination,
    facts,
    letter_mix,
    medication,
    relief,
    request,
    requested_part,
    review,
    studies,
    treatment,
    worker,
)
from imr.features.families.letter_mix import is_primary_surgery
from imr.features.signal import Column, Family, Findings, Value, listed

if TYPE_CHECKING:
    import pandas as pd
    from pandas.api.extensions import ExtensionArray

__all__ = [
    "FAMILIES",
    "CaseSignals",
    "Column",
    "all_columns",
    "arrays",
    "catalogue",
    "frame",
    "signals",
]

# Later families see what earlier ones found.
FAMILIES: tuple[Family, ...] = (
    Family("person", build=worker.build_person),
    Family("chronicity", build=worker.build_injury),
    Family("work_status", build=worker.build_work_status),
    Family("complaints", build=complaints.build),
    Family("imaging", build=studies.build_imaging, build_item=studies.build_imaging_item),
    Family("electrodiagnostics", build=studies.build_electrodiagnostics),
    Family("relief", build=relief.build),
    Family("request", build_item=request.build_item),
    Family("review", build=review.build, build_item=review.build_item),
    Family(
        "letter_mix",
        build=letter_mix.build,
        build_item=letter_mix.build_item,
        relate=letter_mix.relate,
    ),
    Family("treatment", build=treatment.build, build_item=treatment.build_item),
    Family("examination", build=examination.build),
    Family("medication", build=medication.build, build_item=medication.build_item),
    Family("comorbidity", build=diagnosis.build_comorbidity),
    Family("diagnosis", build=diagnosis.build, build_item=diagnosis.build_item),
    Family("requested_part", build_item=requested_part.build_item),
    Family("severity", build=diagnosis.build_severity),
    Family("authorization", build=letter_mix.build_authorization),
    Family("facts", build_item=facts.build_item, made=facts.COLUMNS),
    Family(
        "region_findings",
        build_item=requested_part.build_findings,
        made=requested_part.COLUMNS_HERE,
    ),
    Family("indication", build_item=requested_part.build_indication),
    Family("criteria", build_item=criteria.build_item),
)


@cache
def all_columns() -> tuple[Column, ...]:
    """All signals, in the order of a row."""
    return (*listed()["key"], *(column for family in FAMILIES for column in family.columns))


@dataclass(slots=True)
class CaseSignals:
    """The rows of a case, one an item, keys in the order of ``all_columns()``; what to warn of, and
    what a physician must see today.
    """

    letter_id: str
    rows: list[dict[str, Value]]
    found: list[tuple[int | None, Item | None, Findings]] = field(default_factory=list, repr=False)
    warnings: tuple[str, ...] = ()
    urgent: tuple[Urgent, ...] = ()

    @property
    def evidence(self) -> list[Evidence]:
        """The words each signal rests on, made from the mentions when asked for."""
        made: list[Evidence] = []
        for index, item, findings in self.found:
            made.extend(_evidence(s, m, index, item) for s, m in findings.support)
            made.extend(findings.quoted)
            if findings.more_quoted is not None:
                made.extend(findings.more_quoted())
        return list(dict.fromkeys(made))


def signals(case: Case) -> CaseSignals:
    """All signals of a case; total (any text gives a row an item) and deterministic."""
    summary = read_summary(case.case_summary)
    rows, found = _derived(summary, case, case.items)
    told, today = caveats(summary, case, rows), urgent(summary)
    summary.forget()
    return CaseSignals(case.letter_id, rows, found, told, today)


def item_rows(case: Case, places: Collection[int]) -> dict[int, dict[str, Value]]:
    """The rows of :func:`signals` of some items only, by their places among the items."""
    summary = read_summary(case.case_summary)
    # An item takes something from the operation of the letter.
    first = next((n for n, item in enumerate(case.items) if is_primary_surgery(item)), None)
    needed = sorted({*places, *([] if first is None else [first])})
    rows, _ = _derived(summary, case, [case.items[place] for place in needed])
    summary.forget()
    return {place: row for place, row in zip(needed, rows, strict=True) if place in places}


def _derived(
    summary: Summary, case: Case, items: Sequence[Item]
) -> tuple[list[dict[str, Value]], list[tuple[int | None, Item | None, Findings]]]:
    """The rows of items of a case, and what was found."""
    shared = dict(_undocumented())
    found: list[tuple[int | None, Item | None, Findings]] = []
    for family in FAMILIES:
        if family.build is not None:
            _add(shared, found, family.build(summary, case), None)
    rows = [_row(summary, case, item, shared, found) for item in items]
    for family in FAMILIES:
        if family.relate is not None:
            family.relate(items, rows)
    return rows, found


def _row(
    summary: Summary,
    case: Case,
    item: Item,
    shared: dict[str, Value],
    found: list[tuple[int | None, Item | None, Findings]],
) -> dict[str, Value]:
    row = dict(shared)
    row["letter_id"], row["item_index"] = case.letter_id, item.index
    for family in FAMILIES:
        if family.build_item is not None:
            _add(row, found, family.build_item(summary, case, item, row), item)
    return row


def _add(
    values: dict[str, Value],
    found: list[tuple[int | None, Item | None, Findings]],
    findings: Findings,
    item: Item | None,
) -> None:
    values.update(findings.values)
    if findings.support or findings.quoted or findings.more_quoted:
        found.append((None if item is None else item.index, item, findings))


@cache
def _undocumented() -> dict[str, Value]:
    """A row that documents nothing: its keys keep every row in the order of the columns."""
    return {column.name: column.undocumented for column in all_columns()}


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
    names = [column.name for column in all_columns()]
    # All rows turned into columns at once: asking each row for each column took longest.
    cells = list(zip(*(map(row.get, names) for row in rows), strict=True)) or [()] * len(names)
    make = _makers()
    return {c.name: make[c.dtype](own) for c, own in zip(all_columns(), cells, strict=True)}


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
    for c in all_columns():
        null = c.null or "never"
        cells = (f"`{c.name}`", c.dtype, c.unit, c.definition, null, c.family, c.source)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
