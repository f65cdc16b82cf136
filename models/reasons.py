"""Why: the strongest facts for and against *overturned*, in plain words, each with its quotes.

``features/rules/plain_words.csv`` says what a person would say of each signal: where it is
``said`` and where its ``contrary`` is.  Signals of one ``topic`` are one fact: their contributions
add up, and one line tells it.  ``sign`` is the way in which it can be a reason (``1``: said, it
speaks for an overturn; ``-1``: against; ``0``: either way): a correlate the other way round moves
the estimate, but it is no reason.  Two conditions (:mod:`imr.features.condition`) name requests:
``where`` those for which it can be a reason at all (empty: all), ``either`` those for which it
can be one either way.  Signals that are not in the table are never told.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from string import Formatter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.data.letter import Case, Evidence
from imr.features.condition import Condition, condition, holds
from imr.features.criteria import rules
from imr.features.families.diagnosis import HERE, indications, signals_of
from imr.features.families.facts import FACTS
from imr.models.outcome.model import LEARNED, Inputs, OutcomeModel
from imr.models.outcome.start import JUDGED
from imr.models.prediction import Direction, Reason

# Weaker contributions than this (log odds) are noise of the fit, not reasons.
LEAST_CONTRIBUTION = 0.05
# What is no fact of the case is told where it matters.
NO_FACTS, LEAST_NO_FACT = ("letter", "year"), 0.15
REASONS_EACH_WAY = 4
QUOTES = 2
NOT_DOCUMENTED = "Not documented: "
# These signals rest on others, which have the quotes; the quotes of this one tell the direction.
INDICATED, INDICATION = "indication_documented", "indication"
# Of these, null is not spoken of and False is denied; of other truth values False is no more
# than not documented.
_THREEFOLD = frozenset((*FACTS, *HERE.values()))
_DENIALS = frozenset(("denied", "normal", "negated"))

Quotes = Mapping[str, list[Evidence]]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """One row of ``plain_words.csv``; ``sign`` is 1, -1 or 0."""

    signal: str
    topic: str
    sign: int
    said: str
    contrary: str
    where: Condition
    either: Condition

    def told_of(self, row: Row) -> bool:
        """Whether the fact can be a reason for the request of a row."""
        return not self.where or holds(self.where, row)

    def sign_for(self, row: Row) -> int:
        """Which way the fact speaks for the request of a row; 0 is either way."""
        return 0 if self.either and holds(self.either, row) else self.sign


@cache
def plain_words() -> Mapping[str, Words]:
    """The rows of ``plain_words.csv`` by signal."""
    table = resources.files("imr.features") / "rules" / "plain_words.csv"
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return {
        row["signal"]: Words(
            row["signal"],
            row["topic"],
            int(row["sign"]),
            row["said"],
            row["contrary"],
            condition(row["where"]),
            condition(row["either"]),
        )
        for row in rows
    }


def reasons_of(
    outcome: OutcomeModel,
    cases: Sequence[Case],
    table: pd.DataFrame,
    inputs: Inputs,
    evidence: Sequence[Iterable[Evidence]],
) -> list[tuple[Reason, ...]]:
    """The reasons of every item, strongest first, and last what is no fact of the case;
    ``evidence`` has one list a case.
    """
    parts = outcome.contributions(table, inputs)
    signals = [name.removeprefix(JUDGED).removeprefix(LEARNED) for name in parts.columns]
    told = [place for place, signal in enumerate(signals) if signal in plain_words()]
    names, codes = np.unique([signals[place] for place in told], return_inverse=True)
    # What judgement and letters say of one signal adds up.
    totals = _summed(parts.to_numpy()[:, told], codes, len(names))
    topics = _Topics.of([str(name) for name in names], totals)
    cells = {name: _cells(table[name]) for name in outcome.columns}
    quotes = [_by_item(case, found) for case, found in zip(cases, evidence, strict=True)]
    places = [(c, item.index) for c, case in enumerate(cases) for item in case.items]
    return [
        _chosen(
            topics.strongest(row), {n: column[row] for n, column in cells.items()}, quotes[c][i]
        )
        for row, (c, i) in enumerate(places)
    ]


def _cells(column: pd.Series[Any]) -> list[Any]:
    """The cells of a column, null as None."""
    return [None if cell is pd.NA else cell for cell in column.tolist()]


def _summed(values: npt.NDArray[Any], codes: npt.NDArray[Any], n: int) -> npt.NDArray[np.float64]:
    """Columns of one code added up, shape (rows, n)."""
    totals = np.zeros((len(values), n))
    for place, code in enumerate(codes):
        totals[:, code] += values[:, place]
    return totals


@dataclass(frozen=True)
class _Topics:
    """Contributions by topic (rows, topics), and by signal (rows, signals) with its topic."""

    signals: list[str]
    names: list[str]
    by_signal: npt.NDArray[np.float64]
    by_topic: npt.NDArray[np.float64]
    members: list[list[int]]

    @classmethod
    def of(cls, signals: list[str], totals: npt.NDArray[np.float64]) -> _Topics:
        names, codes = np.unique([plain_words()[s].topic for s in signals], return_inverse=True)
        members = [np.flatnonzero(codes == n).tolist() for n in range(len(names))]
        by_topic = _summed(totals, codes, len(names))
        return cls(signals, names.tolist(), totals, by_topic, members)

    def strongest(self, row: int) -> Iterator[tuple[float, list[str]]]:
        """What the topics of a row add, strongest first, each with the signals that push that
        way, strongest first.
        """
        values = self.by_topic[row]
        for topic in np.argsort(-np.abs(values), kind="stable").tolist():
            added = float(values[topic])
            if abs(added) < LEAST_CONTRIBUTION:
                return
            if self.names[topic] in NO_FACTS and abs(added) < LEAST_NO_FACT:
                continue
            own = [(self.by_signal[row, m] * np.sign(added), m) for m in self.members[topic]]
            yield added, [self.signals[m] for part, m in sorted(own, reverse=True) if part > 0]


def _by_item(case: Case, evidence: Iterable[Evidence]) -> Mapping[int, Quotes]:
    """Evidence by item and signal; what holds for the case holds for each of its items."""
    result: dict[int, dict[str, list[Evidence]]] = {i.index: defaultdict(list) for i in case.items}
    for quote in evidence:
        indices = result if quote.item_index is None else (quote.item_index,)
        for index in indices:
            result[index][quote.signal].append(quote)
    return result


def _chosen(
    topics: Iterator[tuple[float, list[str]]], row: Row, quotes: Quotes
) -> tuple[Reason, ...]:
    """The strongest topics that can be told, a few each way, what is no fact of the case last; the
    same words never both ways.
    """
    chosen: list[Reason] = []
    shown: dict[tuple[int, int], Direction] = {}
    room = {"for": REASONS_EACH_WAY, "against": REASONS_EACH_WAY}
    for added, signals in topics:
        direction: Direction = "for" if added > 0 else "against"
        if not room[direction]:
            continue
        told = (_reason(plain_words()[s], added, direction, row, quotes) for s in signals)
        reason = next(filter(None, told), None)
        spans = [(q.start, q.end) for q in reason.quotes if q.field != "request"] if reason else []
        if reason is None or any(shown.get(span, direction) != direction for span in spans):
            continue
        shown.update(dict.fromkeys(spans, direction))
        room[direction] -= 1
        chosen.append(reason)
    return tuple(sorted(chosen, key=lambda r: plain_words()[r.signal].topic in NO_FACTS))


def _reason(
    words: Words, added: float, direction: Direction, row: Row, quotes: Quotes
) -> Reason | None:
    """The reason that a signal gives; None where it cannot be one."""
    value = row.get(words.signal)
    statement = _statement(words, value, direction, row)
    if statement is None or not words.told_of(row):
        return None
    found = [] if statement.startswith(NOT_DOCUMENTED) else _quotes_of(words.signal, row, quotes)
    if words.signal == INDICATED and direction == "against" and found:
        statement += "; it says the contrary"
    return Reason(
        signal=words.signal,
        value=value,
        contribution=added,
        direction=direction,
        statement=statement,
        quotes=tuple({(q.field, q.start, q.end): q for q in reversed(found)}.values())[::-1][
            :QUOTES
        ],
    )


def _quotes_of(signal: str, row: Row, quotes: Quotes) -> list[Evidence]:
    """The words behind a signal; what an indication lacks is shown where the record denies it."""
    if signal != INDICATED or not isinstance(row[INDICATION], str):
        return quotes.get(signal, [])
    columns = (name for name in signals_of(row[INDICATION]) if name in _THREEFOLD)
    found = (quote for column in columns for quote in quotes.get(column, ()))
    return [quote for quote in found if (quote.qualifier in _DENIALS) != row[INDICATED]]


def _statement(words: Words, value: Any, direction: Direction, row: Row) -> str | None:
    """What a person would say; None where the fact does not speak that way."""
    way = 1 if direction == "for" else -1
    if not isinstance(value, bool):  # a number or a label: 0 of what can be lacking is its lack
        value = False if value == 0 and words.contrary else value
        if value is None and words.signal not in ("year", *_THREEFOLD):
            return None
    denied = value is False and bool(words.contrary)
    lacking = not denied and (value is False or (value is None and words.signal in _THREEFOLD))
    sign = words.sign_for(row)
    natural = -sign if denied or lacking else sign
    if natural not in (0, way) or (lacking and not _asked_for(words, row)):
        return None
    if lacking:
        return NOT_DOCUMENTED + words.said[0].lower() + words.said[1:]
    return _filled(words.contrary if denied else words.said, value, direction, row)


def _asked_for(words: Words, row: Row) -> bool:
    """Whether the lack of a fact can be a reason: the guideline asks for it."""
    asked = _signals_of_class(row.get("criteria_class"))
    return words.sign == 1 and words.signal in asked


@cache
def _signals_of_class(name: Any) -> frozenset[str]:
    return frozenset(s for rule in rules() if rule.applies == name for s in rule.signals)


# --- what stands in braces ---


def _filled(text: str, value: Any, direction: Direction, row: Row) -> str | None:
    """The text with its placeholders filled; None where one cannot be."""
    named = [name for _, name, _, _ in Formatter().parse(text) if name]
    filled = {name: _PLACEHOLDERS[name](value, direction, row) for name in named}
    if not all(filled.values()):
        return None
    return text.format(**filled)


def _span(days: Any) -> str | None:
    """A number of days as a person would say it."""
    for unit, long, most in (("day", 1, 14), ("week", 7, 90), ("month", 30.44, 730)):
        if days < most:
            return _counted(round(days / long), unit)
    return _counted(round(days / 365.25), "year")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _criteria(direction: Direction, row: Row) -> str | None:
    """How many criteria are met, where that can speak this way."""
    share, open_ = row["criteria_met_share"], row["criteria_not_met"] + row["criteria_missing"]
    if share == 1:
        return "All criteria of the guideline are met" if direction == "for" else None
    if direction == "for" and share < 0.5:
        return None
    asked = round(open_ / (1 - share))
    met = asked - open_
    what = "criterion" if asked == 1 else "criteria"
    return f"{met} of {asked} {what} of the guideline {'is' if met == 1 else 'are'} met"


def _indication(row: Row) -> str | None:
    found = next((i.text for i in indications() if i.id == row[INDICATION]), None)
    return found and found[0].lower() + found[1:]


def _either(for_: str, against: str) -> Callable[[Any, Direction, Row], str | None]:
    return lambda _value, direction, _row: for_ if direction == "for" else against


_PLACEHOLDERS: Mapping[str, Callable[[Any, Direction, Row], str | None]] = {
    "value": lambda value, _direction, _row: (
        f"{value:g}" if isinstance(value, int | float) else str(value)
    ),
    "span": lambda value, _direction, _row: _span(value),
    "days": lambda _value, _direction, row: _span(row["chronicity_days"]),
    "status": lambda value, _direction, _row: str(value).replace("_", " "),
    "kind": lambda _value, _direction, row: row["subcategory"] or row["category"],
    "indication": lambda _value, _direction, row: _indication(row),
    "criteria": lambda _value, direction, row: _criteria(direction, row),
    "items": lambda _value, _direction, row: _counted(row["n_items"], "disputed item"),
    "more": _either("more", "less"),
    "well": _either("well", "weakly"),
    "approval": _either("approval", "denial"),
}
