"""What would change the estimate: each criterion that is open, as if it were documented.

``features/rules/documentation.csv`` says for criteria what can be done about them (``kind``), the
first row whose body parts and condition (``where``) fit the request deciding: *document* adds a
sentence of ours to the case summary and takes out the clauses that say the contrary, *amend* asks
for less, *advise* is told without an estimate, and *fixed* can be changed by no document (age,
dates, decided operations).  What was given before it was asked for can only be documented.  Where
the verdict is *not met*, ``not_met`` is the condition (:mod:`imr.features.condition`) under which
it can still be mended: what was not done can be done, what was found cannot be undone.  The changed
case is read anew from its first word, so that all that follows from the sentence counts; the
difference of the estimates is the gain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from imr.data.letter import Case, Item
from imr.features.condition import Condition, Row, condition, holds
from imr.features.criteria import Rule, Status, asked_of, judge, verdict
from imr.features.families.request import region, requested_parts, side_of
from imr.features.signal import Value, table_rows
from imr.features.table import CaseSignals, item_rows
from imr.models.frame import Array, signals_frame

DOCUMENT, AMEND, ADVISE, FIXED = "document", "amend", "advise", "fixed"
LEAST_MORE = 0.01
"""So much more (probability) than its better half a pair must give to be told."""
_PAIRED = frozenset(
    ("sacroiliac joint", "eye", "ear", "groin", "buttock", "trapezius", "kidney", "testicle")
)
"""Parts that have a side and are no limbs."""
CHANGE_SD = 1.4
"""How far (log odds, standard deviation) a reader's rating moves otherwise than the estimate when
such a fact is documented: measured on twins of rated vignettes
(:mod:`imr.training.studies.ratings`)."""
LEVEL = 0.9
MOST_ITEMS, LONGEST_SUMMARY = 30, 12_000
"""Of items of a letter, and of characters: half as much again, and three times as much, as the most
of real letters.  What is larger would take a worker minutes, and nobody sends it to be read."""
# What a limit counts with earlier care, and what it counts of the request alone.
_COUNTED = ("course_total", "injections_total")
_ASKED = ("request_sessions", "injections_asked", "quantity")


@dataclass(frozen=True, slots=True)
class Remedy:
    """One row of ``documentation.csv``: what can be done about criteria.

    ``body_parts`` are the requested parts that the row is for, none for all; ``where`` is the
    condition under which it is.
    """

    body_parts: frozenset[str]
    where: Condition
    kind: str
    action: str
    sentence: str
    not_met: Condition


@dataclass(frozen=True, slots=True)
class Step:
    """What can be done about one criterion of one item.

    ``struck`` are the spans of the case summary that say the contrary; ``quantity`` is what an
    amended request asks for.
    """

    criterion: str
    status: Status
    kind: str
    action: str
    sentence: str = ""
    struck: tuple[tuple[int, int], ...] = ()
    quantity: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One step or two and the estimate (0-1) after them, with its range; None where not estimated.

    ``gain`` is never below zero: what is documented in addition may be worth nothing.
    """

    steps: tuple[Step, ...]
    gain: float | None = None
    p_overturned: float | None = None
    p_overturned_low: float | None = None
    p_overturned_high: float | None = None


Place = tuple[Case, int, CaseSignals]
"""An item: its case, where it stands there, and the signals of the case."""
Estimate = Callable[[pd.DataFrame], Array]
"""A frame of items -> the log odds of *overturned*."""


def what_if(
    cases: Sequence[Case], derived: Sequence[CaseSignals], p: Sequence[float], estimate: Estimate
) -> list[tuple[Change, ...]]:
    """For every item, in the order of cases and items, what would change its estimate ``p``, by
    what it gains: first the two best steps together, where they give more than either, then the
    single ones, then those without an estimate.
    """
    places: list[Place] = [
        (case, position, found)
        for case, found in zip(cases, derived, strict=True)
        for position in range(len(case.items))
    ]
    steps = [
        _steps(case, position, found)
        if position < MOST_ITEMS and len(case.case_summary) <= LONGEST_SUMMARY
        else []
        for case, position, found in places
    ]
    before = logit(np.clip(np.asarray(p, dtype=np.float64), 1e-6, 1 - 1e-6))
    alone = [[(step,) for step in own if step.kind != ADVISE] for own in steps]
    single = [_told_once(own) for own in _changes(places, alone, before, estimate)]
    pairs = _changes(places, [_pair(own) for own in single], before, estimate)
    advised = (
        [Change((s,)) for s in {s.action: s for s in own if s.kind == ADVISE}.values()]
        for own in steps
    )
    return [
        (*(pair for pair in both if _gain(pair) >= _gain(own[0]) + LEAST_MORE), *own, *told)
        for own, both, told in zip(single, pairs, advised, strict=True)
    ]


def _told_once(ranked: Sequence[Change]) -> list[Change]:
    """Single steps, of those that add the same sentence the best."""
    told: dict[object, Change] = {}
    for change in ranked:
        told.setdefault(change.steps[0].sentence or change, change)
    return [*told.values()]


@cache
def remedies() -> dict[str, tuple[Remedy, ...]]:
    """The rows of ``documentation.csv`` by criterion, in the order of the table."""
    found: dict[str, list[Remedy]] = defaultdict(list)
    for row in table_rows("documentation"):
        parts = frozenset(filter(None, row["body_parts"].split("|")))
        texts = row["kind"], row["action"], row["sentence"]
        remedy = Remedy(parts, condition(row["where"]), *texts, condition(row["not_met"]))
        for criterion in row["criteria"].split(" | "):
            found[criterion].append(remedy)
    return {criterion: tuple(own) for criterion, own in found.items()}


def _steps(case: Case, position: int, found: CaseSignals) -> list[Step]:
    """What can be done about the open criteria of an item."""
    item = case.items[position]
    row, asked = asked_of(case, item, found.rows[position])
    part = next(iter(requested_parts(item)), "affected area")
    side = side_of(item.requested)
    # Of an injection at a left root, the spine has no side.
    if side and (part in _PAIRED or region([part]) in ("upper_limb", "lower_limb")):
        part = f"{side} {part}"
    steps: list[Step] = []
    for rule in asked:
        status, terms = verdict(rule, row)
        remedy = remedy_of(rule.id, item, row)
        if status == "met" or remedy is None or remedy.kind == FIXED:
            continue
        if row["request_retrospective"] and remedy.kind != DOCUMENT:
            continue
        if remedy.kind == AMEND:
            steps += _amended(rule, remedy, status, row)
        elif status == "not documented" or holds(remedy.not_met, row):
            names = {term.name for term in terms} if status == "not met" else set()
            struck = tuple(
                (quote.start, quote.end)
                for quote in found.evidence
                if quote.signal in names
                and quote.field == "case_summary"
                and quote.item_index in (None, item.index)
            )
            sentence = remedy.sentence.format(part=part)
            steps.append(Step(rule.id, status, remedy.kind, remedy.action, sentence, struck))
        elif remedy.kind == ADVISE:
            steps.append(Step(rule.id, status, ADVISE, remedy.action))
    return steps


def remedy_of(criterion: str, item: Item, row: Row) -> Remedy | None:
    """What can be done about a criterion of an item; None where the table has nothing."""
    parts = set(requested_parts(item))
    for remedy in remedies().get(criterion, ()):
        fits = not remedy.body_parts or remedy.body_parts & parts
        if fits and (not remedy.where or holds(remedy.where, row)):
            return remedy
    return None


def _amended(rule: Rule, remedy: Remedy, status: Status, row: Row) -> list[Step]:
    """A smaller request, where the limit of the criterion leaves one."""
    asked = row.get("quantity")
    for term in chain(*rule.met_if):
        if term.op != "<=" or term.name not in (*_COUNTED, *_ASKED):
            continue
        counted = row.get(term.name) if term.name in _COUNTED else asked
        if not isinstance(asked, int | float) or not isinstance(counted, int | float):
            continue
        left = float(term.value or 0) - (counted - asked)
        if 1 <= left < asked:
            action = remedy.action.format(n=f"{left:g}")
            return [Step(rule.id, status, AMEND, action, quantity=left)]
    return []


def _changes(
    places: Sequence[Place],
    chosen: Sequence[Sequence[tuple[Step, ...]]],
    before: Array,
    estimate: Estimate,
) -> list[list[Change]]:
    """For every item what its chosen steps give, most first; ``before`` are the log odds without
    them, below which nothing falls.
    """
    found: list[list[Change]] = [[] for _ in places]
    read = _read_anew(places, chosen)
    if not read:
        return found
    numbers, steps, cases, rows = zip(*read, strict=True)
    frame = signals_frame(cases, [CaseSignals("", [row]) for row in rows])
    start = before[[*numbers]]
    after = start + np.maximum(0.0, estimate(frame) - start)
    reach = NormalDist().inv_cdf(0.5 + LEVEL / 2) * CHANGE_SD
    now, p, low, high = expit([start, after, after - reach, after + reach])
    figures = np.stack([p - now, p, np.maximum(now, low), high], axis=1)
    for number, own, row in zip(numbers, steps, figures.tolist(), strict=True):
        found[number].append(Change(own, *row))
    return [sorted(own, key=_gain, reverse=True) for own in found]


def _read_anew(
    places: Sequence[Place], chosen: Sequence[Sequence[tuple[Step, ...]]]
) -> list[tuple[int, tuple[Step, ...], Case, dict[str, Value]]]:
    """The steps after which their criteria are all met: the item (its number), the steps, and of
    the changed case that item alone and its signals.

    Each changed case is read once: items of one letter share what is added.
    """
    asked = [
        (number, position, steps, changed_case(case, position, steps))
        for number, ((case, position, _), own) in enumerate(zip(places, chosen, strict=True))
        for steps in own
    ]
    wanted: dict[Case, set[int]] = defaultdict(set)
    for _, position, _, changed in asked:
        wanted[changed].add(position)
    read = {changed: item_rows(changed, positions) for changed, positions in wanted.items()}
    found = []
    for number, position, steps, changed in asked:
        row = read[changed][position]
        status = statuses(changed, position, row)
        if all(status.get(step.criterion) == "met" for step in steps):
            alone = replace(changed, items=(changed.items[position],))
            found.append((number, steps, alone, row))
    return found


def statuses(case: Case, position: int, row: Row) -> dict[str, Status]:
    """The status of each criterion of an item, from its row of signals."""
    known, asked = asked_of(case, case.items[position], row)
    return {rule.id: judge(rule, known) for rule in asked}


def case_with(case: Case, position: int, found: CaseSignals, criterion: str) -> Case | None:
    """The case with one criterion of an item documented; None where that cannot be."""
    steps = [s for s in _steps(case, position, found) if s.criterion == criterion]
    chosen = [(s,) for s in steps if s.kind == DOCUMENT]
    read = _read_anew([(case, position, found)], [chosen])
    return changed_case(case, position, read[0][1]) if read else None


def changed_case(case: Case, position: int, steps: Sequence[Step]) -> Case:
    """The case with the sentences added, the contrary taken out and the request amended."""
    text, parts, kept = case.case_summary, [], 0
    for start, end in sorted(span for step in steps for span in step.struck):
        parts.append(text[kept : max(start, kept)])
        kept = max(end, kept)
    kept_text = "".join([*parts, text[kept:]]).strip()
    added = dict.fromkeys(step.sentence for step in steps)
    summary = " ".join(filter(None, (kept_text, *added)))
    items = list(case.items)
    if asked := [step.quantity for step in steps if step.quantity is not None]:
        items[position] = replace(items[position], quantity=min(asked))
    return replace(case, case_summary=summary, items=tuple(items))


def _pair(ranked: Sequence[Change]) -> Sequence[tuple[Step, ...]]:
    """The step that gains most, with the next that does something else."""
    steps = [change.steps[0] for change in ranked]
    others = (s for s in steps if (s.sentence, s.kind) != (steps[0].sentence, steps[0].kind))
    return [(steps[0], step) for step in others][:1]


def _gain(change: Change) -> float:
    return change.gain or 0.0
