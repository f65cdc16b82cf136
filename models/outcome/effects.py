"""The effects a physician or a lawyer expects, as data: ``expected_effects*.csv``.

Thirty-odd overturned items cannot teach a model what the guidelines already say, so what is
expected is written down beforehand, a row an effect: *when* it applies, the *signal* it reads,
the *prior log odds* it adds, the *sign* that medicine or law fixes, and the source.  The outcome
model starts from these values and lets the decided letters move them.

The values are coarse on purpose (0.2, 0.4 or 0.8 log odds).  Two tables were written, by language
models and unreviewed by a physician.  The author of the first had read the shipped letters and
revised it after some twenty looks at cross-validation, so cross-validation on
those letters flatters that table; the other had seen no outcome.  Two more raters, who had seen
no outcome either, rated every row of both without knowing the authors' values (``rated_a``,
``rated_b``).  A row's value is the mean of its three opinions, and the model takes the mean
of the tables (:func:`expected_effects`), beside a third opinion (:mod:`imr.models.judgement`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.models.frame import Array, Distinct, numbers

RATINGS = ("rated_a", "rated_b")
OPINIONS = ("expected_effects.csv", "expected_effects_blind.csv")
ALWAYS = "1"
CONDITION_SEPARATOR = ";"
_LISTED = re.compile(r"\s*[;|]\s*")
SIGNS = {"+": 1, "-": -1, "": 0}
TRANSFORMS = ("flag", "absent", "missing", "log1p", "raw")
_CONDITION = re.compile(r"^(?P<column>\w+)(?P<operator>!=|>=|<=|=|~)(?P<value>.+)$")


@dataclass(frozen=True, slots=True)
class Condition:
    """``column operator value``: equal to one of, none of, a list that holds one of,
    at least, at most.
    """

    column: str
    operator: str
    values: tuple[str, ...]

    def holds(self, value: Any) -> bool:
        """Whether one cell meets the condition; null never does, except for ``!=``."""
        if pd.isna(value):
            return self.operator == "!="
        if self.operator in {">=", "<="}:
            number, limit = float(str(value)), float(self.values[0])
            return number >= limit if self.operator == ">=" else number <= limit
        if self.operator == "~":
            return not _listed(str(value)).isdisjoint(self.values)
        return (_printed(value) in self.values) == (self.operator == "=")


@dataclass(frozen=True, slots=True)
class Effect:
    """One expected effect on the odds of *overturned*.

    ``prior_log_odds`` per unit of the transformed signal; ``sign`` +1 or -1 where fixed, else 0.
    ``statement`` is the sentence a reader sees among the reasons.
    """

    effect: str
    when: str
    signal: str
    transform: str
    prior_log_odds: float
    sign: int
    statement: str
    source: str

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """``when`` taken apart; all conditions must hold."""
        return _conditions(self.when)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns this effect reads."""
        own = () if self.signal == ALWAYS else (self.signal,)
        return (*own, *(c.column for c in self.conditions))


def opinion(table: str) -> tuple[Effect, ...]:
    """One opinion on what to expect: a table of ``OPINIONS``."""
    text = (resources.files("imr.models.outcome") / table).read_text(encoding="utf-8")
    return effects_from_rows(csv.DictReader(text.splitlines()))


def expected_effects() -> tuple[Effect, ...]:
    """What the model starts from: the mean of the opinions, 0 where one is silent.

    One table was written with the decided letters in view, and cross-validation cannot
    see what that let in; the other by somebody who had seen no outcome.  Averaging pulls the
    first towards what the guidelines alone would say.
    """
    merged: dict[tuple[str, str, str], Effect] = {}
    for number, table in enumerate(OPINIONS):
        for effect in opinion(table):
            key = (effect.when, effect.signal, effect.transform)
            share = effect.prior_log_odds / len(OPINIONS)
            if key in merged:
                share += merged[key].prior_log_odds
            elif number:
                effect = replace(effect, effect=f"{effect.effect}_blind")
            merged[key] = replace(merged.get(key, effect), prior_log_odds=share)
    return tuple(merged.values())


def effects_from_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[Effect, ...]:
    """Effects from table rows; raises ValueError naming the row that is wrong."""
    effects = []
    for row in rows:
        effect = Effect(
            effect=str(row["effect"]),
            when=str(row["when"]),
            signal=str(row["signal"]),
            transform=str(row["transform"]),
            prior_log_odds=_mean_opinion(row),
            sign=SIGNS[row["sign"]] if isinstance(row["sign"], str) else int(row["sign"]),
            statement=str(row["statement"]),
            source=str(row["source"]),
        )
        _check(effect)
        effects.append(effect)
    return tuple(effects)


def _mean_opinion(row: Mapping[str, Any]) -> float:
    """The author's value, averaged with what blind raters gave where they rated the row."""
    given = [row["prior_log_odds"], *(row.get(name) for name in RATINGS)]
    values = [float(value) for value in given if value not in (None, "")]
    return sum(values) / len(values)


def effects_to_json(effects: Sequence[Effect]) -> list[dict[str, Any]]:
    """Plain mappings, for the bundle."""
    return [asdict(effect) for effect in effects]


@cache
def _conditions(when: str) -> tuple[Condition, ...]:
    return tuple(parse_condition(text) for text in when.split(CONDITION_SEPARATOR) if text)


@cache
def parse_condition(text: str) -> Condition:
    """``"category=Surgery|Injection"`` -> Condition; raises ValueError."""
    match = _CONDITION.match(text.strip())
    if match is None:
        raise ValueError(f"not a condition: {text!r} (use column=value|value, ~, !=, >=, <=)")
    return Condition(match["column"], match["operator"], tuple(match["value"].split("|")))


def columns_read(effects: Sequence[Effect]) -> tuple[str, ...]:
    """Every column the effects read, sorted."""
    return tuple(sorted({column for effect in effects for column in effect.columns}))


def effect_matrix(
    frame: pd.DataFrame,
    effects: Sequence[Effect],
    applies: npt.NDArray[np.bool_] | None = None,
) -> Array:
    """Values of the effects, shape (items, effects), float64; null where a ``raw`` signal is.

    ``applies`` is what :func:`applicable` says of them, where that is known already.
    """
    applies = applicable(frame, effects) if applies is None else applies
    memo: dict[str, Array] = {}
    matrix = np.empty((len(frame), len(effects)))
    for place, effect in enumerate(effects):
        if effect.signal not in memo and effect.signal != ALWAYS:
            memo[effect.signal] = numbers(frame[effect.signal])
        matrix[:, place] = np.where(applies[:, place], _signal(effect, memo), 0.0)
    return matrix


def applicable(frame: pd.DataFrame, effects: Sequence[Effect]) -> npt.NDArray[np.bool_]:
    """Whether each effect's conditions hold for each item, shape (items, effects)."""
    holds = conditions_hold(frame, {c for effect in effects for c in effect.conditions})
    matrix = np.ones((len(frame), len(effects)), dtype=bool)
    for place, effect in enumerate(effects):
        for condition in effect.conditions:
            matrix[:, place] &= holds[condition]
    return matrix


def conditions_hold(
    frame: pd.DataFrame, conditions: Iterable[Condition]
) -> dict[Condition, npt.NDArray[np.bool_]]:
    """Each condition for every item: a column's values are told apart once for all that ask."""
    by_column: dict[str, Distinct] = {}
    result = {}
    for condition in conditions:
        name = condition.column
        if name not in by_column:
            by_column[name] = Distinct.of(frame[name])
        result[condition] = by_column[name].each(condition.holds).astype(bool)
    return result


def _signal(effect: Effect, numbers_of: Mapping[str, Array]) -> Array | float:
    if effect.signal == ALWAYS:
        return 1.0
    values = numbers_of[effect.signal]
    if effect.transform == "raw":
        return values
    if effect.transform == "missing":
        return np.isnan(values).astype(np.float64)
    known = np.nan_to_num(values, nan=0.0)
    if effect.transform == "log1p":
        return np.log1p(np.clip(known, 0.0, None))
    flags = (known > 0).astype(np.float64)
    # "absent" reads a null as absent: a summary documents what is there.
    return 1.0 - flags if effect.transform == "absent" else flags


def _check(effect: Effect) -> None:
    if effect.transform not in TRANSFORMS:
        raise ValueError(f"{effect.effect}: unknown transform {effect.transform!r}")
    if effect.sign * effect.prior_log_odds < 0:
        raise ValueError(f"{effect.effect}: the prior contradicts its own sign")
    if not (effect.source and effect.statement):
        raise ValueError(f"{effect.effect}: source and statement must be given")
    _ = effect.conditions


@lru_cache(maxsize=4096)
def _listed(cell: str) -> frozenset[str]:
    """The entries of a list in one cell; many conditions ask for those of the same cell."""
    return frozenset(_LISTED.split(cell))


def _printed(value: object) -> str:
    text = str(value)
    return text.lower() if text in {"True", "False"} else text
