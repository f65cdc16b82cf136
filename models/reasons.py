"""Why: the strongest signals for and against *overturned*, each with the words it rests on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.data.letter import Case, Evidence
from imr.features.families.indication import signals_of
from imr.features.table import COLUMNS
from imr.models.outcome.effects import ALWAYS, Effect
from imr.models.outcome.judgement import JUDGED
from imr.models.outcome.model import LEARNED, Inputs, OutcomeModel
from imr.models.prediction import Reason

# Weaker contributions than this (log odds) are noise of the fit, not reasons.
LEAST_CONTRIBUTION = 0.02
REASONS_EACH_WAY = 4
QUOTES = 2
STATEMENTS = {
    "category": "Published overturn rate of this kind of request",
    "year": "Published overturn rate of the year",
}
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
    names, values = list(parts.columns), parts.to_numpy(copy=True)
    # An effect that does not concern the item is no reason, whatever its small share.
    applies = inputs.known.applies
    values[:, : applies.shape[1]][~applies] = 0.0
    effects = {effect.effect: effect for effect in outcome.effects}
    quotes = [_by_item(case, found) for case, found in zip(cases, evidence, strict=True)]
    places = [(c, i.index) for c, case in enumerate(cases) for i in case.items]
    signals = [effects[n].columns[0] if n in effects else _signal(n) for n in names]
    cells = {column: table[column].tolist() for column in outcome.columns}
    result = []
    for row, chosen in enumerate(_strongest(names, signals, values)):
        case_place, item_index = places[row]
        found = quotes[case_place][item_index]
        result.append(tuple(_reason(effects.get(n), n, v, row, cells, found) for n, v in chosen))
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
    names: Sequence[str], signals: Sequence[str], values: npt.NDArray[np.float64]
) -> Iterator[list[tuple[str, float]]]:
    """For each row, the strongest contributions each way, strongest first; one a signal.

    What several names say of one signal adds up.  It stands under the strongest expected effect
    that says anything, whose sentence tells more than the definition of the signal.
    """
    order = np.argsort(np.array(signals), kind="stable")
    sorted_signals = np.array(signals)[order]
    starts = np.flatnonzero(np.append(True, sorted_signals[1:] != sorted_signals[:-1]))
    groups = np.split(order, starts[1:])
    totals = np.add.reduceat(values[:, order], starts, axis=1)
    each_way = [_largest(side) for side in (totals, -totals)]
    for row in range(len(values)):
        found = []
        for group in (g for way in each_way for g in way[row]):
            total = float(totals[row, group])
            if abs(total) >= LEAST_CONTRIBUTION:
                found.append((_speaker(names, groups[group], values[row]), total))
        yield sorted(found, key=lambda pair: (-abs(pair[1]), pair[0]))


def _largest(totals: npt.NDArray[np.float64]) -> list[list[int]]:
    """The places of the largest positive values of each row, ``REASONS_EACH_WAY`` at most."""
    few = min(REASONS_EACH_WAY, totals.shape[1])
    places = np.argpartition(-totals, few - 1, axis=1)[:, :few]
    positive = np.take_along_axis(totals, places, axis=1) > 0
    return [row[known].tolist() for row, known in zip(places, positive, strict=True)]


def _signal(name: str) -> str:
    """The signal of a contribution that is no expected effect."""
    return name.removeprefix(JUDGED).removeprefix(LEARNED)


def _speaker(names: Sequence[str], group: Iterable[int], values: npt.NDArray[np.float64]) -> str:
    """The name that a signal's contribution stands under."""
    sizes = [(":" not in names[p], abs(values[p]), names[p]) for p in group if values[p]]
    return max(sizes)[2]


def _reason(
    effect: Effect | None,
    name: str,
    contribution: float,
    row: int,
    cells: Mapping[str, list[Any]],
    quotes: Quotes,
) -> Reason:
    columns = effect.columns if effect is not None else (_signal(name),)
    signal = columns[0] if columns else name
    value = cells[signal][row] if signal in cells else None
    value = None if value is pd.NA or value is pd.NaT else value
    if signal == INDICATED and isinstance(kind := cells[INDICATION][row], str):
        columns = signals_of(kind)
    found = [quote for column in columns for quote in quotes.get(column, ())]
    return Reason(
        signal=signal,
        value=value,
        contribution=contribution,
        direction="for" if contribution > 0 else "against",
        statement=_statement(effect, name, value),
        quotes=tuple(dict.fromkeys(found))[:QUOTES],
    )


def _statement(effect: Effect | None, name: str, value: Any) -> str:
    """The effect's sentence, or that what it speaks of is not documented."""
    if effect is None:
        return STATEMENTS.get(name) or _definition(_signal(name), value)
    absent = effect.transform in {"flag", "log1p"} and effect.signal != ALWAYS and not value
    if not absent:
        return effect.statement
    return NOT_DOCUMENTED + effect.statement[0].lower() + effect.statement[1:]


def _definition(signal: str, value: Any) -> str:
    """The definition of the signal, or that what it speaks of is not documented."""
    definition = _definitions()[signal]
    if value is None or value is False:
        return NOT_DOCUMENTED + definition[0].lower() + definition[1:]
    return f"{definition} ({value})" if isinstance(value, str) else definition


@cache
def _definitions() -> Mapping[str, str]:
    return {column.name: column.definition for column in COLUMNS}
