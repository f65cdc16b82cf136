"""Why: the strongest facts for and against *overturned*, in plain words, each with its quotes.

``features/rules/plain_words.csv`` says what a person would say of each signal: where it is
``said`` and where its ``contrary`` is.  Signals of one ``topic`` are one fact: their contributions
add up, and one line tells it.  ``sign`` is the way in which it can be a reason (``1``: said, it
speaks for an overturn; ``-1``: against; ``0``: either way): a correlate the other way round moves
the estimate, but it is no reason.  Two conditions (:mod:`imr.features.condition`) name requests:
``where`` those for which it can be a reason at all (empty: all), ``either`` those for which it
can be one either way.  ``asked_for`` holds where the criteria of the request or what indicates it
ask for something of the topic: a clean wound is no reason against a consultation about the spine.
Signals that are not in the table are never told.
"""

from __future__ import annotations

import math
from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
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
from imr.features.signal import table_rows
from imr.models.frame import Array
from imr.models.outcome.model import LEARNED, Inputs, OutcomeModel
from imr.models.outcome.start import JUDGED
from imr.models.prediction import Direction, Reason

# Weaker contributions than this (log odds) are noise of the fit, not reasons.
LEAST_CONTRIBUTION = 0.05
# What is no fact of the case is told last, and it and how old the injury is only where it matters.
NO_FACTS = ("letter", "year")
SELDOM_TOLD, LEAST_SELDOM = (*NO_FACTS, "chronicity"), 0.15
REASONS_EACH_WAY = 4
QUOTES = 2
NOT_DOCUMENTED = "Not documented: "
DRUGS = "Pharmaceuticals"
RECENT = 90
"""Days after an injury that is not chronic yet (8 CCR 9792.20)."""
POSTSURGICAL = 183
"""Days after most operations in which therapy is postsurgical (8 CCR 9792.24.3)."""
DIAGNOSED, DIAGNOSIS, ANY_TEAR = "requested_part_diagnosis", "Diagnosis: ", "diagnosis_tear_here"
# These signals rest on others, which have the quotes; the quotes of this one tell the direction.
INDICATED, INDICATION = "indication_documented", "indication"
# Of these, null is not spoken of and False is denied; of other truth values False is no more
# than not documented.
_THREEFOLD = frozenset((*FACTS, *HERE.values()))
_DENIALS = frozenset(("denied", "normal", "negated"))

Quotes = Mapping[str, list[Evidence]]
Row = dict[str, Any]
Filling = Callable[[Any, Direction, Row], str | None]
"""Value, direction and row of a fact -> what stands in the braces; None: it is not told so."""


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


@cache
def plain_words() -> Mapping[str, Words]:
    """The rows of ``plain_words.csv`` by signal."""
    read: dict[str, Callable[[str], Any]] = {"sign": int, "where": condition, "either": condition}
    rows = table_rows("plain_words")
    words = (Words(**{n: read.get(n, str)(row[n]) for n in Words.__slots__}) for row in rows)
    return {one.signal: one for one in words}


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
    # What judgement and letters say of one signal adds up, and so do the signals of a topic.
    names, codes = np.unique([signals[place] for place in told], return_inverse=True)
    by_signal = _summed(parts.to_numpy()[:, told], codes, len(names))
    topics, codes = np.unique([plain_words()[name].topic for name in names], return_inverse=True)
    by_topic = _summed(by_signal, codes, len(topics))
    cells = {
        name: [None if cell is pd.NA else cell for cell in table[name].tolist()]
        for name in outcome.columns
    }
    quotes = chain(*map(_by_item, cases, evidence))
    return [
        _chosen(
            _strongest(by_topic[row], by_signal[row], codes, names.tolist()),
            {name: column[row] for name, column in cells.items()},
            own,
        )
        for row, own in enumerate(quotes)
    ]


def _summed(values: Array, codes: npt.NDArray[np.intp], n: int) -> Array:
    """Columns of one code added up, shape (rows, n)."""
    totals = np.zeros((len(values), n))
    for place, code in enumerate(codes):
        totals[:, code] += values[:, place]
    return totals


def _strongest(
    by_topic: Array, by_signal: Array, topic_of: npt.NDArray[np.intp], signals: Sequence[str]
) -> Iterator[tuple[float, list[str]]]:
    """What the topics of an item add, each with its signals that push that way; strongest first."""
    for topic in np.argsort(-np.abs(by_topic), kind="stable").tolist():
        added = float(by_topic[topic])
        if abs(added) < LEAST_CONTRIBUTION:
            return
        members = np.flatnonzero(topic_of == topic).tolist()
        seldom = plain_words()[signals[members[0]]].topic in SELDOM_TOLD
        if not seldom or abs(added) >= LEAST_SELDOM:
            own = [(by_signal[member] * np.sign(added), member) for member in members]
            yield added, [signals[m] for part, m in sorted(own, reverse=True) if part > 0]


def _by_item(case: Case, evidence: Iterable[Evidence]) -> Iterable[Quotes]:
    """Of each item evidence by signal; what holds for the case holds for each of its items."""
    result: dict[int, dict[str, list[Evidence]]] = {i.index: defaultdict(list) for i in case.items}
    for quote in evidence:
        for index in result if quote.item_index is None else (quote.item_index,):
            result[index][quote.signal].append(quote)
    return (result[item.index] for item in case.items)


def _chosen(
    topics: Iterator[tuple[float, list[str]]], row: Row, quotes: Quotes
) -> tuple[Reason, ...]:
    """The strongest topics that can be told, a few each way; the same words never both ways, and
    no fact twice.
    """
    chosen: list[Reason] = []
    said: set[str] = set()
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
        text = reason.statement.partition(": ")[2] or reason.statement
        facts = {_continued(fact) for fact in text.split("; ")}
        if facts <= said:  # "walking is impaired", and it is the accepted ground
            continue
        said |= facts
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
    if statement is None:
        return None
    found = [] if statement.startswith(NOT_DOCUMENTED) else _quotes_of(words.signal, row, quotes)
    if words.signal == INDICATED:
        if value and not found:
            return None  # it rests on what the record does not say
        statement += "; the record denies it" if found and not value else ""
    distinct = {(q.field, q.start, q.end): q for q in reversed(found)}
    shown = tuple(distinct.values())[::-1][:QUOTES]
    return Reason(words.signal, value, added, direction, statement, shown)


def _quotes_of(signal: str, row: Row, quotes: Quotes) -> list[Evidence]:
    """The words behind a signal: of an indication those of the facts that make it, and of its lack
    what the record denies.
    """
    if signal == DIAGNOSED:
        return [quote for name in _diagnoses(row) for quote in quotes.get(name, ())]
    if signal != INDICATED or not isinstance(row[INDICATION], str):
        return quotes.get(signal, [])
    shown = row[INDICATED]
    return [
        quote
        for name in signals_of(row[INDICATION])
        if name in _THREEFOLD or (shown and row.get(name) is True)
        for quote in quotes.get(name, ())
        if (quote.qualifier in _DENIALS) != shown
    ]


def _statement(words: Words, value: Any, direction: Direction, row: Row) -> str | None:
    """What a person would say; None where the fact does not speak that way of such a request."""
    way = 1 if direction == "for" else -1
    if not isinstance(value, bool):  # a number or a label: 0 of what can be lacking is its lack
        value = False if value == 0 and words.contrary else value
        if value is None and words.signal not in ("year", *_THREEFOLD):
            return None
    denied = value is False and bool(words.contrary)
    lacking = not denied and (value is False or (value is None and words.signal in _THREEFOLD))
    sign = 0 if words.either and holds(words.either, row) else words.sign
    natural = -sign if denied or lacking else sign
    if natural not in (0, way):
        return None
    known = ChainMap({"asked_for": words.topic in _topics_of(row)}, row)
    if words.where and not holds(words.where, known):
        return None
    # Whether its lack can be a reason: the guideline asks for it.  A sound knee is none either
    # against a drug, which no region is asked about for.
    asked_for = words.sign == 1 and words.signal in _signals_of_class(row.get("criteria_class"))
    of_drug = row.get("category") == DRUGS and words.signal in _THREEFOLD and not words.where
    if not asked_for and (lacking or (denied and of_drug and sign == 1)):
        return None
    if words.signal == INDICATED and denied and row.get("criteria_met_share") == 1:
        return None  # "all criteria of the guideline are met" is told, and would be contradicted
    if lacking:
        return NOT_DOCUMENTED + _continued(words.said)
    text = words.contrary if denied else words.said
    if not text:
        return None
    named = [name for _, name, _, _ in Formatter().parse(text) if name]
    filled = {name: _PLACEHOLDERS[name](value, direction, row) for name in named}
    return text.format(**filled) if all(filled.values()) else None


@cache
def _signals_of_class(name: Any) -> frozenset[str]:
    return frozenset(s for rule in rules() if rule.applies == name for s in rule.signals)


def _topics_of(row: Row) -> frozenset[str]:
    """The topics that the criteria of a request or what indicates it ask for."""
    return _topics(row.get("criteria_class"), row.get(INDICATION))


@cache
def _topics(criteria_class: Any, indication: Any) -> frozenset[str]:
    asked = {*_signals_of_class(criteria_class), *signals_of(indication)}
    return frozenset(words.topic for name, words in plain_words().items() if name in asked)


def _diagnoses(row: Row) -> list[str]:
    """The signals of what is diagnosed in the region asked about and bears on such a request."""
    asked = _topics_of(row)
    return [
        name
        for name, words in plain_words().items()
        if name.startswith("diagnosis_") and row.get(name) and words.topic in asked
    ]


# --- what stands in braces ---


def _span(days: Any) -> str:
    """A number of days as a person would say it."""
    units = (("day", 1, 14), ("week", 7, 90), ("month", 30.44, 730), ("year", 365.25, math.inf))
    unit, long = next((unit, long) for unit, long, most in units if days < most)
    return _counted(round(days / long), unit)


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _criteria(_value: Any, direction: Direction, row: Row) -> str | None:
    """How many criteria are met, where that can speak this way: two of four are no reason for."""
    share, open_ = row["criteria_met_share"], row["criteria_not_met"] + row["criteria_missing"]
    if share == 1:
        return "All criteria of the guideline are met" if direction == "for" else None
    if direction == "for" and share <= 0.5:
        return None
    asked = round(open_ / (1 - share))
    if asked == open_ == 1:
        return "The one criterion of the guideline is not met or not documented"
    if asked == open_:
        return f"None of the {asked} criteria of the guideline is met"
    lacking = direction == "against" and share >= 0.5
    number = open_ if lacking else asked - open_
    how = "not met or not documented" if lacking else "met"
    only = "Only " if direction == "against" and not lacking else ""
    verb = "is" if number == 1 else "are"
    return f"{only}{number} of {asked} criteria of the guideline {verb} {how}"


def _size(value: Any, direction: Direction, unit: str, few: int, many: int) -> str | None:
    """The size of a request: for it where it is small, against it where it is large."""
    if direction == "for":
        return f"only {_counted(int(value), unit)}" if int(value) <= few else None
    return _counted(int(value), unit) if int(value) >= many else None


def _strength(value: Any, direction: Direction, _row: Row) -> str | None:
    """Muscle strength (0 to 5, where 5- counts as 5): loss is for, full strength against."""
    if direction == "against":
        return "Strength is full or nearly full" if value >= 5 else None
    return f"The least strength is graded {value:g} of 5" if value < 5 else None


def _well(_value: Any, direction: Direction, row: Row) -> str | None:
    """How far an operation is supported, where the share of its criteria that are met says so too:
    "well" stands beside no open criterion of it.
    """
    share = row.get("operation_criteria_met_share")
    if share is None or (share == 1) != (direction == "for"):
        return None
    return "well" if direction == "for" else "weakly"


def _diagnosis(_value: Any, _direction: Direction, row: Row) -> str | None:
    """The first diagnoses of the region asked about, by name."""
    diagnoses = _diagnoses(row)
    said = (plain_words()[name].said for name in diagnoses if name != ANY_TEAR)
    names = [text.removeprefix(DIAGNOSIS) for text in said if text.startswith(DIAGNOSIS)]
    if ANY_TEAR in diagnoses and not any("tear" in name for name in names):
        names.insert(0, plain_words()[ANY_TEAR].said.removeprefix(DIAGNOSIS))
    return "; ".join(names[:2]) or None


def _indication(value: Any, _direction: Direction, row: Row) -> str | None:
    """Two facts at most of what is documented of an indication; else what it would be."""
    if value:
        facts = [
            plain_words()[name].said.removeprefix(DIAGNOSIS)
            for name in signals_of(row[INDICATION])
            if row.get(name) is True and name in plain_words()
        ]
        if facts:
            return "; ".join(_continued(fact) for fact in facts[:2])
    found = next((i.text for i in indications() if i.id == row[INDICATION]), None)
    return found and _continued(found)


def _continued(text: str) -> str:
    """A text as the second part of a sentence."""
    return text if text[1:2].isupper() else text[0].lower() + text[1:]


# Six visits are a usual trial (MTUS Chronic Pain 2009, manual therapy; ACOEM; ODG), over two to
# three weeks; twelve in six weeks are more than one.
_PLACEHOLDERS: Mapping[str, Filling] = {
    "value": lambda value, _direction, _row: (
        f"{value:g}" if isinstance(value, int | float) else str(value)
    ),
    "span": lambda value, _direction, _row: _span(value),
    "days": lambda _value, _direction, row: (
        f"{'only ' if row['chronicity_days'] < RECENT else ''}{_span(row['chronicity_days'])}"
    ),
    "recently": lambda value, direction, _row: (
        _span(value) if (value <= POSTSURGICAL) == (direction == "for") else None
    ),
    "status": lambda value, direction, _row: {
        ("off_work", "for"): "is off work",
        ("full_duty", "against"): "works full duty",
    }.get((value, direction)),
    "visits": lambda value, direction, _row: _size(value, direction, "visit", 6, 8),
    "weeks": lambda value, direction, _row: _size(value, direction, "week", 3, 6),
    "strength": _strength,
    "diagnosis": _diagnosis,
    "indication": _indication,
    "criteria": _criteria,
    "items": lambda _value, _direction, row: _counted(row["n_items"], "disputed item"),
    "more": lambda _value, direction, _row: "more" if direction == "for" else "less",
    "well": _well,
}
