"""Why: the strongest signals for and against *overturned*, each with the words it rests on."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.data.letter import Case, Evidence
from imr.features.families import region_findings
from imr.features.families.indication import signals_of
from imr.features.table import COLUMNS
from imr.models.outcome.judgement import JUDGED
from imr.models.outcome.model import LEARNED, Inputs, OutcomeModel
from imr.models.prediction import Reason

# Weaker contributions than this (log odds) are noise of the fit, not reasons.
LEAST_CONTRIBUTION = 0.02
REASONS_EACH_WAY = 4
QUOTES = 2
STATEMENTS = {
    "year": "Published overturn rate of the year",
    "wording": "What else summary and request say, by their clinical terms",
    "operation_wording": "What is said of the operation that the service goes with",
}
# Their value is a figure of ours that tells a reader nothing.
_FIGURES = frozenset({"wording", "operation_wording"})
NOT_DOCUMENTED = "Not documented: "
# This signal rests on others, which have the quotes.
INDICATED, INDICATION = "indication_documented", "indication"


Quotes = Mapping[str, list[Evidence]]


def reasons_of(
    outcome: OutcomeModel,
    cases: Sequence[Case],
    table: pd.DataFrame,
    inputs: Inputs,
    evidence: Sequence[Iterable[Evidence]],
) -> list[tuple[Reason, ...]]:
    """The reasons of every item, strongest first; ``evidence`` has one list a case."""
    parts = outcome.contributions(table, inputs)
    names, values = list(parts.columns), parts.to_numpy()
    quotes = [_by_item(case, found) for case, found in zip(cases, evidence, strict=True)]
    places = [(c, i.index) for c, case in enumerate(cases) for i in case.items]
    signals = [_signal(name) for name in names]
    cells = {column: table[column].tolist() for column in outcome.columns}
    result = []
    for row, chosen in enumerate(_strongest(signals, values)):
        case_place, item_index = places[row]
        found = quotes[case_place][item_index]
        result.append(tuple(_reason(signal, v, row, cells, found) for signal, v in chosen))
    return result


def _by_item(case: Case, evidence: Iterable[Evidence]) -> Mapping[int, Quotes]:
    """Evidence by item and signal; what holds for the case holds for each of its items."""
    result: dict[int, dict[str, list[Evidence]]] = {i.index: defaultdict(list) for i in case.items}
    for quote in evidence:
        indices = result if quote.item_index is None else (quote.item_index,)
        for index in indices:
            result[index][quote.signal].append(quote)
    return result


def _strongest(
    signals: Sequence[str], values: npt.NDArray[np.float64]
) -> Iterator[list[tuple[str, float]]]:
    """For each row, the strongest contributions each way, strongest first; one a signal, for what
    judgement and letters say of one signal adds up.
    """
    names, codes = np.unique(signals, return_inverse=True)
    totals = np.zeros((len(values), len(names)))
    for place, code in enumerate(codes):
        totals[:, code] += values[:, place]
    each_way = [_largest(side) for side in (totals, -totals)]
    for row in range(len(values)):
        found = [(str(names[g]), float(totals[row, g])) for way in each_way for g in way[row]]
        strong = [pair for pair in found if abs(pair[1]) >= LEAST_CONTRIBUTION]
        yield sorted(strong, key=lambda pair: (-abs(pair[1]), pair[0]))


def _largest(totals: npt.NDArray[np.float64]) -> list[list[int]]:
    """The places of the largest positive values of each row, ``REASONS_EACH_WAY`` at most."""
    few = min(REASONS_EACH_WAY, totals.shape[1])
    places = np.argpartition(-totals, few - 1, axis=1)[:, :few]
    positive = np.take_along_axis(totals, places, axis=1) > 0
    return [row[known].tolist() for row, known in zip(places, positive, strict=True)]


def _signal(name: str) -> str:
    """The signal that a contribution is of."""
    return name.removeprefix(JUDGED).removeprefix(LEARNED)


def _reason(
    signal: str,
    contribution: float,
    row: int,
    cells: Mapping[str, list[Any]],
    quotes: Quotes,
) -> Reason:
    value = cells[signal][row] if signal in cells else None
    value = None if value is pd.NA or value is pd.NaT else value
    value = None if signal in _FIGURES else value
    indicated = signal == INDICATED and isinstance(kind := cells[INDICATION][row], str)
    columns = signals_of(kind) if indicated else (signal,)
    found = [quote for column in columns for quote in quotes.get(column, ())]
    return Reason(
        signal=signal,
        value=value,
        contribution=contribution,
        direction="for" if contribution > 0 else "against",
        statement=STATEMENTS.get(signal) or _definition(signal, value),
        quotes=tuple(dict.fromkeys(found))[:QUOTES],
    )


def _definition(signal: str, value: Any) -> str:
    """The definition of the signal, or that what it speaks of is not documented."""
    definition = _definitions()[signal]
    if signal in _fact_texts() and value is not None:
        return _fact_texts()[signal][0 if value else 1]
    if signal in _fact_texts():
        definition = _fact_texts()[signal][0]
    if value is None or value is False:
        return NOT_DOCUMENTED + definition[0].lower() + definition[1:]
    return f"{definition} ({value})" if isinstance(value, str) else definition


@cache
def _fact_texts() -> Mapping[str, tuple[str, str]]:
    """What a person would say where a fact is said, and where its contrary is."""
    table = resources.files("imr.features") / "rules" / "fact_texts.csv"
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    texts = {row["fact"]: (row["said"], row["contrary"]) for row in rows}
    return texts | {
        column.name: (column.definition, f"Denied or not found. {column.definition}")
        for column in region_findings.COLUMNS
    }


@cache
def _definitions() -> Mapping[str, str]:
    return {column.name: column.definition for column in COLUMNS}
