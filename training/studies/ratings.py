"""What blind raters gave, and how estimates stand beside it.

*Real items.*  Three language models read each shipped case without its decision and gave a chance
that the item was overturned (``data/ratings.csv``, in percent).  The judgement learns from them
too, but what is compared here is said by judgements that lack the letter
(:func:`imr.training.decisions.judged_apart`).

*Twins of vignettes.*  A base case and its twin differ in a fact or two, and both were rated: the
change of the rated log odds beside that of judgements fitted without the base case, by the facts
that changed.  Where a twin documents just one criterion, the what-if (:mod:`imr.models.whatif`) is
asked the same, with its own sentence in the twin's place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from imr.features.families.facts import FACTS
from imr.models.frame import KEY_COLUMNS, Array, numbers, texts
from imr.models.whatif import case_with, statuses
from imr.training import metrics
from imr.training.decisions import DATA, keys_of
from imr.training.metrics import Estimate

if TYPE_CHECKING:
    from imr.features.table import CaseSignals
    from imr.training.metrics import Draws
    from imr.training.vignettes import Rated, Vignette

RATERS = ("rater_a", "rater_b", "rater_c")
RATED_FIGURES = ("auc", "average_precision", "brier_skill")
# Halves: a judgement of the one is asked about the other.
FOLDS = 2
LEAST_PAIRS = 30
ALL, UNSEEN = "all pairs", "no fact seen to change"
WHAT_IF = "what-if: a criterion documented in our words"
REQUEST = ("subcategory", "request_term")


def ratings(table: pd.DataFrame) -> Array:
    """The mean rated log odds of the items of a table; NaN where an item was not rated."""
    given = pd.read_csv(str(DATA / "ratings.csv"), dtype={"letter_id": str})
    p = given.set_index([*KEY_COLUMNS])[[*RATERS]] / 100
    return np.asarray(np.log(p / (1 - p)).mean(axis=1).reindex(keys_of(table)), dtype=np.float64)


def correlation(one: Array, other: Array) -> float:
    """Pearson's, over the items that both have."""
    known = ~(np.isnan(one) | np.isnan(other))
    return float(np.corrcoef(one[known], other[known])[0, 1])


@dataclass(frozen=True, slots=True)
class Raters:
    """``figures`` of the mean rating; contenders' ``agreement`` with it (Pearson, log odds)."""

    figures: dict[str, Estimate]
    agreement: dict[str, Estimate]


def raters_study(draws: Draws) -> Raters | None:
    """The raters' figures and agreement with them; None where not all items were rated."""
    rated = ratings(draws.sample.table)
    if np.isnan(rated).any():
        return None
    same = np.repeat(expit(rated)[None, :], len(draws.predictions.fold), axis=0)

    def agreed(_y: Array, p: Array, weights: Array) -> Array:
        return _weighted_correlation(metrics.log_odds(p), rated[draws.rows], weights)

    return Raters(
        figures={name: metrics.estimate(draws.outcome(name, same)) for name in RATED_FIGURES},
        agreement={
            name: metrics.estimate(draws.averaged(agreed, p))
            for name, p in draws.predictions.outcome.items()
            if np.ptp(p[:, draws.rows]) > 0
        },
    )


def _weighted_correlation(one: Array, other: Array, weights: Array) -> Array:
    """Pearson's correlation under each row of weights, shape (draws,)."""
    total = weights.sum(axis=1)

    def about(a: Array, b: Array) -> Array:
        return np.asarray(weights @ (a * b) / total - (weights @ a) * (weights @ b) / total**2)

    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(about(one, other) / np.sqrt(about(one, one) * about(other, other)))


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """``fact`` changed between ``pairs`` of a base case and a twin (an item each).

    ``rated_change`` is the mean absolute change of the rated log odds; ``slope`` the predicted
    change per unit of the rated one, 1 where the estimate moves as far as a reader's, ``r``
    their correlation about 0, and ``scatter`` the root mean square of what lies between them.
    """

    fact: str
    pairs: int
    rated_change: float
    slope: float
    r: float
    scatter: float


@dataclass(frozen=True, slots=True)
class Documented:
    """A base case with a sentence of ours (``changed``), in place of the twin that documents the
    same criterion; ``item`` is the item's place, ``base`` and ``twin`` those of the vignettes.
    """

    base: int
    twin: int
    item: int
    changed: Vignette


def twin_sensitivity() -> list[Sensitivity]:
    """The study on all shipped vignettes; their signals and two judgements take minutes."""
    from imr.features.table import signals
    from imr.training.vignettes import Rated, out_of_fold, shipped_vignettes

    shipped = shipped_vignettes()
    derived = [signals(vignette.case) for vignette in shipped]
    asked = list(documented(shipped, derived))
    changed = [one.changed for one in asked]
    both = Rated.of([*shipped, *changed], [*derived, *(signals(v.case) for v in changed)])
    rows = np.cumsum([0, *(len(v.p) for v in (*shipped, *changed))])
    rated = both.rows(np.arange(rows[len(shipped)]))
    predicted = out_of_fold(rated, FOLDS, both)
    own = [(rows[len(shipped) + n] + one.item) for n, one in enumerate(asked)]
    base, twin = ([rows[getattr(o, end)] + o.item for o in asked] for end in ("base", "twin"))
    moved = np.maximum(predicted[own] - predicted[base], 0.0)  # a gain is never below zero
    what_if = _moved(WHAT_IF, both.log_odds[twin] - both.log_odds[base], moved)
    return [what_if, *sensitivity(rated, predicted[: rows[len(shipped)]])]


def documented(
    vignettes: Sequence[Vignette], derived: Sequence[CaseSignals]
) -> Iterator[Documented]:
    """Twins that meet one criterion more than their base case, which our sentence meets, too."""
    first: dict[str, int] = {}
    for place, vignette in enumerate(vignettes):
        base = first.setdefault(vignette.base, place)
        pair, signals = (vignettes[base], vignette), (derived[base], derived[place])
        for item in range(len(vignette.p)) if base != place else ():
            if (changed := _in_our_words(pair, signals, item)) is not None:
                yield Documented(base, place, item, changed)


def _in_our_words(
    pair: tuple[Vignette, Vignette], derived: tuple[CaseSignals, CaseSignals], item: int
) -> Vignette | None:
    """The base case with our sentence; None where the twin changes the request, or another
    number of criteria than one, or that one cannot be documented.
    """
    base, twin = pair
    if [i.requested for i in base.case.items] != [i.requested for i in twin.case.items]:
        return None
    before, after = (
        statuses(vignette.case, item, found.rows[item])
        for vignette, found in zip(pair, derived, strict=True)
    )
    moved = [name for name in before.keys() & after.keys() if before[name] != after[name]]
    if len(moved) != 1 or after[moved[0]] != "met":
        return None
    case = case_with(base.case, item, derived[0], moved[0])
    if case is None:
        return None
    return replace(twin, case=replace(case, letter_id=f"{twin.case.letter_id} in our words"))


def sensitivity(
    rated: Rated, predicted: Array, least_pairs: int = LEAST_PAIRS
) -> list[Sensitivity]:
    """By fact, most pairs first, after all pairs together and those in which no fact is seen to
    change; facts of fewer pairs than ``least_pairs`` are left out.
    """
    base, twin = _pairs(rated.frame)
    known = np.column_stack([np.nan_to_num(2 * numbers(rated.frame[n]) - 1) for n in FACTS])
    changed = known[base] != known[twin]
    by_rating, by_model = (odds[twin] - odds[base] for odds in (rated.log_odds, predicted))
    named = [(ALL, np.full(len(base), True)), (UNSEEN, ~changed.any(axis=1))]
    facts = zip(FACTS, changed.T, strict=True)
    named += sorted(facts, key=lambda pair: (-int(pair[1].sum()), pair[0]))
    return [
        _moved(name, by_rating[rows], by_model[rows])
        for name, rows in named
        if rows.sum() >= least_pairs
    ]


def _pairs(frame: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of base cases and of their twins: the same item, asked for in the same words."""
    requests = zip(*(texts(frame[name]) for name in REQUEST), strict=True)
    keys = zip(frame["letter_id"].astype(str), frame["item_index"], requests, strict=True)
    base_rows: dict[tuple[Any, ...], int] = {}
    pairs = []
    for row, (letter, *asked) in enumerate(keys):
        base, _, version = letter.rpartition(".")
        if version == "0":
            base_rows[base, *asked] = row
        elif (base, *asked) in base_rows:
            pairs.append((base_rows[base, *asked], row))
    rows = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _moved(fact: str, rated: Array, predicted: Array) -> Sensitivity:
    both, own, model = float(rated @ predicted), float(rated @ rated), float(predicted @ predicted)
    return Sensitivity(
        fact=fact,
        pairs=len(rated),
        rated_change=float(np.abs(rated).mean()),
        slope=both / own if own else 0.0,
        r=both / np.sqrt(own * model) if own and model else 0.0,
        scatter=float(np.sqrt(np.mean((rated - predicted) ** 2))),
    )
