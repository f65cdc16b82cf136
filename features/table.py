"""Case -> one row of signals an item, with the words behind each; and the column catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from imr.data.letter import Case, Evidence, Item
from imr.features import criteria
from imr.features.caveats import caveats
from imr.features.context import Mention, Summary, read_summary
from imr.features.families import (
    authorization,
    chronicity,
    comorbidity,
    complaints,
    diagnosis,
    electrodiagnostics,
    examination,
    facts,
    imaging,
    indication,
    letter_mix,
    medication,
    person,
    region_findings,
    relief,
    request,
    requested_part,
    review,
    severity,
    treatment,
    wording,
    work_status,
)
from imr.features.signal import Column, Family, Findings, Value

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

# Later families see what earlier ones found.
FAMILIES: tuple[Family, ...] = (
    Family(person.COLUMNS, build=person.build),
    Family(chronicity.COLUMNS, build=chronicity.build),
    Family(work_status.COLUMNS, build=work_status.build),
    Family(complaints.COLUMNS, build=complaints.build),
    Family(imaging.COLUMNS, build=imaging.build, build_item=imaging.build_item),
    Family(electrodiagnostics.COLUMNS, build=electrodiagnostics.build),
    Family(relief.COLUMNS, build=relief.build),
    Family(request.COLUMNS, build_item=request.build_item),
    Family(review.COLUMNS, build=review.build, build_item=review.build_item),
    Family(
        letter_mix.COLUMNS,
        build=letter_mix.build,
        build_item=letter_mix.build_item,
        relate=letter_mix.relate,
    ),
    Family(treatment.COLUMNS, build=treatment.build, build_item=treatment.build_item),
    Family(examination.COLUMNS, build=examination.build),
    Family(medication.COLUMNS, build=medication.build, build_item=medication.build_item),
    Family(comorbidity.COLUMNS, build=comorbidity.build),
    Family(diagnosis.COLUMNS, build=diagnosis.build, build_item=diagnosis.build_item),
    Family(requested_part.COLUMNS, build_item=requested_part.build_item),
    Family(severity.COLUMNS, build=severity.build),
    Family(authorization.COLUMNS, build=authorization.build),
    Family(facts.COLUMNS, build_item=facts.build_item),
    Family(region_findings.COLUMNS, build_item=region_findings.build_item),
    Family(indication.COLUMNS, build_item=indication.build_item),
    Family(wording.COLUMNS, build_item=wording.build_item),
    Family(criteria.COLUMNS, build_item=criteria.build_item),
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
    *(c for family in FAMILIES for c in family.columns),
)


@dataclass(slots=True)
class CaseSignals:
    """The rows of a case, one an item, keys in the order of ``COLUMNS``; what to warn of."""

    letter_id: str
    rows: list[dict[str, Value]]
    found: list[tuple[int | None, Item | None, Findings]] = field(default_factory=list, repr=False)
    warnings: tuple[str, ...] = ()

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
    shared = dict(_undocumented())
    found: list[tuple[int | None, Item | None, Findings]] = []
    for family in FAMILIES:
        if family.build is not None:
            _add(shared, found, family.build(summary, case), None)
    rows = [_row(summary, case, item, shared, found) for item in case.items]
    for family in FAMILIES:
        if family.relate is not None:
            family.relate(case, rows)
    told = caveats(summary, case, rows)
    summary.forget()
    return CaseSignals(case.letter_id, rows, found, told)


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
