"""A prediction, and the one schema of its rows: the columns of ``imr score``."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from imr.data.letter import Evidence

Direction = Literal["for", "against"]
Kind = Literal["str", "int", "float", "reasons", "texts", "timestamp"]
GUIDELINES = 3
"""Guidelines a prediction names, likeliest first."""
INTERVAL_MEANING = (
    "in about ninety of a hundred cases, the share that reviewers overturn among cases just like "
    "it lies within the interval"
)
"""What the interval of p(overturned) means, in words for users."""
WHAT_IF_MEANING = (
    "How far the estimate would move if the record said so. In nine of ten cases that were rated "
    "without and with such a fact, the rating with it lay within the range in brackets. Add only "
    "what is true and can be shown. A smaller request is a new request for authorization: the "
    "review decides the one that was made."
)
"""What a change of the estimate and its range mean (:mod:`imr.models.whatif`), for users."""


@dataclass(frozen=True, slots=True)
class ScoreColumn:
    """A column of ``imr score`` and of the MLflow model; only the keys are never null."""

    name: str
    kind: Kind
    definition: str


SCORE_COLUMNS = (
    ScoreColumn("letter_id", "str", "File name without its ending, or the record's own name"),
    ScoreColumn("item_index", "int", "Place of the item in its letter, from 0"),
    ScoreColumn("requested", "str", "What is under review"),
    ScoreColumn("category", "str", "Treatment request category"),
    ScoreColumn("subcategory", "str", "Treatment request subcategory"),
    ScoreColumn("p_overturned", "float", "Calibrated probability of Overturned, 0 to 1"),
    ScoreColumn("predicted_outcome", "str", "Upheld or Overturned, by the model's threshold"),
    ScoreColumn(
        "p_overturned_low",
        "float",
        f"Lower end of the interval of p_overturned: {INTERVAL_MEANING}",
    ),
    ScoreColumn("p_overturned_high", "float", "Upper end of the interval of p_overturned"),
    ScoreColumn("p_any_overturned", "float", "Chance that any item of the letter is overturned"),
    *(
        column
        for rank in range(1, GUIDELINES + 1)
        for column in (
            ScoreColumn(f"guideline_{rank}", "str", f"Guideline likely to be cited, number {rank}"),
            ScoreColumn(f"guideline_{rank}_p", "float", f"Probability of guideline_{rank}, 0 to 1"),
        )
    ),
    ScoreColumn("reasons", "reasons", "The strongest signals for and against, with quotes"),
    ScoreColumn("decision", "str", "The outcome, where the letter is decided"),
    ScoreColumn("decision_guideline", "str", "The reviewer's guideline, where decided"),
    ScoreColumn("warnings", "texts", "What was odd about the letter"),
    ScoreColumn("model_uri", "str", "Address of the model and the beginning of its digest"),
    ScoreColumn("scored_at", "timestamp", "Beginning of the run, UTC"),
)
"""The one output schema, in the contract's order."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One signal for or against *overturned*.

    ``contribution`` in log odds against the average decided item; ``quotes`` the words of the
    letter that the signal rests on (empty where the signal is that something is not documented).
    """

    signal: str
    value: Any
    contribution: float
    direction: Direction
    statement: str
    quotes: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Similar:
    """Decided items of one class: how many, how many overturned, and the years of the requests."""

    of: str
    items: int
    letters: int
    overturned: int
    first_year: int | None
    last_year: int | None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The contract's columns for one item, with reasons and similar decided items.

    ``meaning`` says what the estimate and the outcome called from it mean (:func:`meaning_of`).
    ``p_any_overturned`` is the letter's: at least every item's own chance, at most their sum.
    """

    letter_id: str
    item_index: int
    requested: str
    category: str | None
    subcategory: str | None
    p_overturned: float
    predicted_outcome: str
    p_overturned_low: float
    p_overturned_high: float
    p_any_overturned: float
    guideline_1: str
    guideline_1_p: float
    guideline_2: str
    guideline_2_p: float
    guideline_3: str
    guideline_3_p: float
    similar: Similar
    meaning: str = ""
    reasons: tuple[Reason, ...] = ()


_TIMES = (
    (0.4, "well below the average"),
    (0.65, "about half the average"),
    (0.85, "somewhat below the average"),
    (1.2, "about the average"),
    (1.75, "about one and a half times the average"),
    (2.5, "about twice the average"),
    (3.5, "about three times the average"),
    (math.inf, "more than three times the average"),
)
EVEN = 0.5
_NUMBERS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def meaning_of(p: float, average: float, missed_cost: float) -> str:
    """What an estimate and the outcome called from it mean, in a sentence for users.

    ``average`` is the share of decided items that were overturned, ``missed_cost`` what a missed
    *overturned* costs in units of one false alarm.
    """
    ratio = p / average if average else 1.0
    times = next(said for most, said in _TIMES if ratio < most)
    said, called_from = f"{times.capitalize()} of {average:.0%}", 1 / (1 + missed_cost)
    if p < called_from:
        return said
    whole = missed_cost in range(1, len(_NUMBERS))
    cost = _NUMBERS[int(missed_cost)] if whole else f"{missed_cost:g}"
    likelier = "still likelier upheld, but " if p < EVEN else ""
    alarms = f"false alarm{'' if missed_cost == 1 else 's'}"
    return (
        f"{said}; {likelier}called Overturned, as every estimate from {called_from:.0%} on, "
        f"because a missed overturn is taken to cost {cost} {alarms}"
    )


def prediction_row(
    prediction: Prediction,
    model_uri: str,
    scored_at: datetime,
    warnings: Sequence[str] = (),
    decision: str | None = None,
    decision_guideline: str | None = None,
) -> dict[str, Any]:
    """One row with the contract's columns; ``reasons`` (signal, value, contribution, direction,
    statement, quotes) and ``warnings`` as JSON texts.
    """
    copied = (c.name for c in SCORE_COLUMNS if c.name in Prediction.__slots__)
    row: dict[str, Any] = {name: getattr(prediction, name) for name in copied}
    reasons = [
        {
            **{name: getattr(reason, name) for name in Reason.__slots__},
            "contribution": round(reason.contribution, 4),
            "quotes": [quote.quote for quote in reason.quotes],
        }
        for reason in prediction.reasons
    ]
    return row | {
        "reasons": json.dumps(reasons, ensure_ascii=False, default=str),
        "decision": decision,
        "decision_guideline": decision_guideline,
        "warnings": json.dumps(list(warnings), ensure_ascii=False),
        "model_uri": model_uri,
        "scored_at": scored_at.isoformat(timespec="seconds"),
    }
