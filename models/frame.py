"""What models read: the frame of cases (signals, and facts of the case that are no signals), a row
an item; what must not be in it, the order of its rows, how its cells are read, and signals as a
matrix for trees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.data import table_rows
from imr.data.citations import labels
from imr.data.letter import Case, Item
from imr.features.table import CaseSignals, arrays, signals

Array = npt.NDArray[np.float64]

KEY_COLUMNS = ("letter_id", "item_index")
CLASS_COLUMNS = ("category", "subcategory")
DATE_COLUMNS = ("ur_denial_date", "application_received")
"""The first of these that is known dates the request; never the decision."""
LIST_SEPARATOR = " | "
CASES_AT_ONCE = 500
CASE_FACTS: dict[str, str] = {
    "ur_denial_date": "string",
    "application_received": "string",
    "administrator_labels": "string",  # what the administrator cites, Chapter > Section, in order
    "request_terms": "string",  # lexicon names in the request
    "request_body_parts": "string",
}


class MissingColumnsError(ValueError):
    """A frame that lacks signals the model reads."""


class DecisionColumnError(ValueError):
    """A frame that carries labels where only what is known before the decision may stand."""


class TrainingDataError(ValueError):
    """Decided items from which nothing can be learned."""


def case_frame(cases: Iterable[Case]) -> pd.DataFrame:
    """Signals and facts of all items, one row an item, in the order of cases and items."""
    # What a summary was read into is let go a few cases on: of an archive it would take gigabytes.
    frames, cases = [], iter(cases)
    while few := list(islice(cases, CASES_AT_ONCE)):
        frames.append(signals_frame(few, [signals(case) for case in few]))
    return pd.concat(frames, ignore_index=True) if frames else signals_frame([], [])


def signals_frame(cases: Iterable[Case], derived: Iterable[CaseSignals]) -> pd.DataFrame:
    """As :func:`case_frame`, from signals that are already derived."""
    columns = arrays(row for one in derived for row in one.rows)
    facts = [_facts(case, item) for case in cases for item in case.items]
    make: Any = pd.array
    for name, dtype in CASE_FACTS.items():
        if name not in columns:
            columns[name] = make([fact[name] for fact in facts], dtype=dtype)
    return pd.DataFrame(columns, copy=False)


def _facts(case: Case, item: Item) -> dict[str, str | None]:
    """Facts of one item, known before the decision; what is not known is null."""
    citation = item.claims_administrator_guideline
    lists = {
        "administrator_labels": () if citation is None else labels(citation),
        "request_terms": item.terms,
        "request_body_parts": item.body_parts,
    }
    days = {name: getattr(case.header, name) for name in DATE_COLUMNS}
    return {
        **{name: day.isoformat() if day else None for name, day in days.items()},
        **{name: LIST_SEPARATOR.join(entries) or None for name, entries in lists.items()},
    }


def check_frame(frame: pd.DataFrame, columns: Iterable[str], reader: str) -> None:
    """Refuse a frame with labels, or without the columns that ``reader`` needs.

    Raises DecisionColumnError and MissingColumnsError.
    """
    decided = [str(c) for c in frame.columns if str(c).startswith(("label_", "decision"))]
    if decided:
        raise DecisionColumnError(
            f"the frame carries what was decided: {', '.join(decided)} (drop these columns)"
        )
    if missing := sorted(set(columns) - set(frame.columns)):
        raise MissingColumnsError(
            f"{reader}: the frame lacks {len(missing)} column(s): {', '.join(missing)} "
            "(build it with features.table.frame)"
        )


def row_order(frame: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Rows by letter and item, so that the order of a table never changes a model."""
    keys = frame[[*KEY_COLUMNS]].reset_index(drop=True).astype({"letter_id": str})
    return np.asarray(keys.sort_values([*KEY_COLUMNS], kind="stable").index)


def drawn_letters(letters: npt.NDArray[Any], most: int, seed: int) -> npt.NDArray[np.bool_]:
    """The rows of ``most`` letters drawn at random; all rows where there are no more letters."""
    names, codes = np.unique(letters, return_inverse=True)
    if len(names) <= most:
        return np.ones(len(letters), dtype=bool)
    chosen = np.zeros(len(names), dtype=bool)
    chosen[np.random.default_rng(seed).choice(len(names), most, replace=False)] = True
    return np.asarray(chosen[codes])


def request_years(frame: pd.DataFrame) -> Array:
    """The year of each request from the first known date, shape (items,); NaN if none is known."""
    years = np.full(len(frame), np.nan)
    for column in DATE_COLUMNS:
        years = np.where(np.isnan(years), by_value(frame[column], _year), years)
    return years


def numbers(column: pd.Series[Any]) -> Array:
    """A column of booleans or numbers as float64, null as NaN."""
    if getattr(column.dtype, "kind", "O") not in "biuf":
        column = pd.to_numeric(column, errors="coerce").astype("Float64")
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))


def texts(column: pd.Series[Any]) -> list[str]:
    """A column of texts, null as the empty text."""
    return [v if isinstance(v, str) else "" for v in column.to_numpy(dtype=object)]


def listed(cell: object) -> tuple[str, ...]:
    """The entries of a list in one cell, in their order: ``"knee | hip"`` -> knee, hip."""
    parts = cell.split(LIST_SEPARATOR.strip()) if isinstance(cell, str) else ()
    return tuple(filter(None, map(str.strip, parts)))


def by_value(column: pd.Series[Any], function: Callable[[Any], float | None]) -> Array:
    """``function`` of every cell, null as None and the reverse, called once a distinct value."""
    codes, values = pd.factorize(column)
    # The code of null is -1: the last.
    return np.array([function(v) for v in [*values.tolist(), None]], dtype=np.float64)[codes]


def _year(day: object) -> float:
    try:
        return float(date.fromisoformat(str(day)[:10]).year)
    except ValueError:
        return float("nan")


@cache
def fixed_signs() -> Mapping[str, int]:
    """The sign (+1, -1, or 0 where it may be either) that medicine or law fixes for a signal,
    whatever is asked for (``models/outcome/fixed_signs.csv``).
    """
    rows = table_rows("outcome/fixed_signs", Path(__file__).parent)
    return {row["signal"]: int(row["sign"]) for row in rows}


@dataclass(frozen=True)
class SignalInputs:
    """Signals as numbers; of ``labels`` the place among those that a column is known to hold.

    A fact lies between its contrary (-1) and itself (1) where nothing is said (0), so that what
    medicine or law fixes of its sign holds for all three.
    """

    columns: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    facts: frozenset[str] = frozenset()

    @property
    def signs(self) -> list[int]:
        """+1 or -1 for a signal that may move the odds one way only, else 0."""
        return [fixed_signs().get(name, 0) for name in self.columns]

    def only(self, columns: tuple[str, ...]) -> SignalInputs:
        """The same with some of the columns."""
        labels = {name: known for name, known in self.labels.items() if name in columns}
        return SignalInputs(columns, labels, self.facts.intersection(columns))

    def matrix(self, frame: pd.DataFrame) -> Array:
        """Shape (items, columns); null, and a label never met, as NaN."""
        matrix = np.empty((len(frame), len(self.columns)))
        for place, name in enumerate(self.columns):
            if name in self.labels:
                codes = {label: code for code, label in enumerate(self.labels[name])}
                matrix[:, place] = by_value(frame[name], codes.get)
            elif name in self.facts:
                matrix[:, place] = np.nan_to_num(2.0 * numbers(frame[name]) - 1.0)
            else:
                matrix[:, place] = numbers(frame[name])
        return matrix

    @classmethod
    def from_json(
        cls, columns: Sequence[str], labels: Mapping[str, Sequence[str]], facts: Sequence[str]
    ) -> SignalInputs:
        """From the fields as JSON holds them."""
        known = {name: tuple(values) for name, values in labels.items()}
        return cls(tuple(columns), known, frozenset(facts))
