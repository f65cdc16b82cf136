"""The starting odds of an item: what is known before any decided letter is read.

They are the judgement of raters who saw no decision (policy capturing; Cooksey, Judgment Analysis,
1996): a LightGBM regression of the log odds they gave, to vignettes and to requests on real
summaries, on our signals, shipped as ``judgement.txt`` and ``judgement.json`` and built by
:mod:`imr.training.vignettes`; moved to the level that published overturn rates have in the year of
the request.

The level comes from the treatment requests of the Division of Workers' Compensation (DWC) alone,
the unit of a disputed item.  What a category adds, to the baseline of published rates only, is an
odds ratio inside one series (same body, same unit, nearest year), so that the unit cancels out.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.data import table_rows
from imr.models.bundle import sha256
from imr.models.frame import DATE_COLUMNS, Array, SignalInputs, request_years

if TYPE_CHECKING:
    import lightgbm as lgb

TREES, ABOUT = "judgement.txt", "judgement.json"
JUDGED = "judged:"
"""Before the name of a signal: what the signal adds through the judgement."""
YEAR = "year"
"""The name of what the published level of the year adds."""
JUDGED_APART = "judged_apart"
"""A column of frames to train or measure on: what to add (log odds) to an item whose letter the
judgement learned ratings of, so that it counts as one it has not seen."""

LEVEL_SERIES = "DWC, treatment request"

# The published categories' names in the words of data/reference/taxonomy.csv.
PUBLISHED_NAMES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("Behavioral & Mental Health", ""): ("Psych Services", ""),
    ("Pharmaceuticals", "Antidepressants"): ("Pharmaceuticals", "Antidepressant"),
}

# Two figures pull a category half-way back to the overall rate: most categories have one to
# three figures, several of them rounded by a secondary source.
SHRINKAGE_FIGURES = 2.0
# Items whose contributions are averaged into the "average decided item": more change nothing.
CENTRE_ITEMS = 2_000
# Items whose leaves are held at one time.
ITEMS_AT_ONCE = 2_000


@dataclass(frozen=True)
class TreeContributions:
    """What each input added on an item's way through the trees of a booster.

    A tree's answer is the value of its root plus the steps from node to node; each step is booked
    to the input that the node asked for (Saabas, "Interpreting random forests", 2014), so that the
    parts add up to the raw score exactly.  LightGBM's own ``pred_contrib`` shares a step out among
    the inputs that interact, at many times the cost (``benchmarks/bench_scoring.py``).
    ``table`` (leaves of all trees, inputs), sparse; ``starts`` is the first row of each tree.
    """

    booster: lgb.Booster
    table: Any
    starts: npt.NDArray[np.intp]

    @classmethod
    def of(cls, booster: lgb.Booster) -> TreeContributions:
        """Walk every tree once, in the text that LightGBM stores: its JSON takes six times as
        long.
        """
        from scipy.sparse import csr_array

        cells, starts, leaves = [np.empty((3, 0))], [], 0
        for tree in booster.model_to_string().split("\nTree=")[1:]:
            steps, more = _steps_to_root(tree, leaves)
            cells += steps
            starts.append(leaves)
            leaves += more
        rows, features, added = np.concatenate(cells, axis=1)
        # Steps of one input on one way add up: the sparse array sums what stands twice.
        places = rows.astype(np.intp), features.astype(np.intp)
        table = csr_array((added, places), shape=(leaves, booster.num_feature()))
        return cls(booster, table, np.array(starts, dtype=np.intp))

    def contributions(self, matrix: Array) -> Array:
        """What each input adds to the raw score above the roots' values, shape (items, inputs)."""
        from scipy.sparse import csr_array

        (rows, inputs), trees = self.table.shape, len(self.starts)
        added = [np.empty((0, inputs))]
        # The leaves of all items in all trees would take gigabytes.
        for first in range(0, len(matrix), ITEMS_AT_ONCE):
            some = matrix[first : first + ITEMS_AT_ONCE]
            leaves = np.asarray(self.booster.predict(some, pred_leaf=True, num_threads=1))
            places = leaves.reshape(len(some), trees).astype(np.intp) + self.starts
            ends = np.arange(len(some) + 1) * trees
            reached = csr_array((np.ones(places.size), places.ravel(), ends), (len(some), rows))
            added.append((reached @ self.table).toarray())
        return np.concatenate(added)


def _steps_to_root(tree: str, start: int) -> tuple[list[Array], int]:
    """Of a tree as LightGBM writes it leaves (numbered from ``start``), inputs and steps on the
    ways from leaves to root, shape (3, leaves still on their way), one storey after another; and
    how many leaves it has.
    """
    lines = dict(line.split("=", 1) for line in tree.split("\n\n", 1)[0].split("\n")[1:])

    def read(name: str, dtype: Any) -> npt.NDArray[Any]:
        return np.array(lines.get(name, "").split(), dtype=dtype)

    features, leaf_values = read("split_feature", np.intp), read("leaf_value", np.float64)
    children = np.array([read(f"{side}_child", np.intp) for side in ("left", "right")])
    nodes, leaves = len(features), np.arange(len(leaf_values))
    # Nodes by their number, then leaves by theirs: the node above each, -1 above the root.  A child
    # below 0 is the complement of a leaf's number.
    above = np.full(nodes + len(leaves), -1, dtype=np.intp)
    above[np.where(children < 0, nodes + ~children, children)] = np.arange(nodes)
    values = np.concatenate([read("internal_value", np.float64), leaf_values])
    at, steps = nodes + leaves, []
    while (going_on := above[at] >= 0).any():
        at, leaves = at[going_on], leaves[going_on]
        over = above[at]
        steps.append(np.array([start + leaves, features[over], values[at] - values[over]]))
        at = over
    return steps, len(leaf_values)


@dataclass
class Judgement:
    """What rated vignettes say of an item: a regression of the log odds of *overturned*.

    Of ``inputs``, facts are read as 1 (said), -1 (the contrary is said) and 0 (nothing is said).
    ``about`` says what it was made from.
    """

    booster: lgb.Booster
    inputs: SignalInputs
    about: dict[str, Any] = field(default_factory=dict)

    def log_odds(self, frame: pd.DataFrame) -> Array:
        """The expected log odds of every item, shape (items,)."""
        return self.log_odds_of(self.inputs.matrix(frame))

    def log_odds_of(self, matrix: Array) -> Array:
        """As :meth:`log_odds`, from the inputs as a matrix."""
        if not len(matrix):
            return np.empty(0)
        return np.asarray(self.booster.predict(matrix, num_threads=1), dtype=np.float64)

    @cached_property
    def steps(self) -> TreeContributions:
        """What each input adds to the log odds."""
        return TreeContributions.of(self.booster)

    def to_json(self) -> dict[str, Any]:
        """Everything but the trees, as plain data."""
        return {
            "columns": list(self.inputs.columns),
            "categories": {name: list(known) for name, known in self.inputs.labels.items()},
            "facts": sorted(self.inputs.facts),
            "about": self.about,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], booster: lgb.Booster) -> Judgement:
        """The inverse of :meth:`to_json`, with the trees read from their own file."""
        inputs = SignalInputs.from_json(stored["columns"], stored["categories"], stored["facts"])
        return cls(booster, inputs, dict(stored["about"]))


@cache
def shipped() -> Judgement:
    """The judgement that the project ships; raises ValueError where its two files disagree."""
    import lightgbm as lgb

    folder = resources.files("imr.models.outcome")
    text = (folder / TREES).read_text(encoding="utf-8")
    stored = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    if stored["about"]["trees_sha256"] != sha256(text):
        raise ValueError(
            f"models/outcome/{TREES} is not what models/outcome/{ABOUT} describes "
            "(build both: python -m imr.training.vignettes)"
        )
    return Judgement.from_json(stored, lgb.Booster(model_str=text))


@dataclass(frozen=True, slots=True)
class PublishedOdds:
    """Log odds of *overturned* by year and treatment category.

    ``level`` maps a year to the log odds over all requests; ``ratios`` maps
    ``(category, subcategory)`` (subcategory ``""`` for the whole category) to a log odds ratio.
    """

    level: tuple[tuple[float, float], ...]
    ratios: Mapping[tuple[str, str], float]

    @property
    def usual(self) -> float:
        """The mean level of the published years."""
        return sum(value for _, value in self.level) / len(self.level)

    def year_log_odds(self, years: Array) -> Array:
        """The levels of years, between published ones by straight line, flat beyond them; the usual
        one of an unknown (NaN) year.
        """
        published, values = zip(*self.level, strict=True)
        return np.where(np.isnan(years), self.usual, np.interp(years, published, values))

    def ratio(self, category: str | None, subcategory: str | None) -> float:
        """Log odds ratio of the subcategory, else of its category, else 0."""
        whole = self.ratios.get((category or "", ""), 0.0)
        return self.ratios.get((category or "", subcategory or ""), whole)

    def to_json(self) -> dict[str, Any]:
        """Plain lists, for the bundle."""
        ratios = [[*key, value] for key, value in sorted(self.ratios.items())]
        return {"level": [list(point) for point in self.level], "ratios": ratios}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> PublishedOdds:
        """The inverse of :meth:`to_json`."""
        level = tuple((float(year), float(value)) for year, value in stored["level"])
        return cls(level, {(c, s): float(value) for c, s, value in stored["ratios"]})


def published_odds() -> PublishedOdds:
    """The odds from the rates that the project ships (``data/reference/overturn_rates.csv``)."""
    return odds_from_rates(table_rows("reference/overturn_rates"))


def odds_from_rates(rows: Iterable[Mapping[str, str]]) -> PublishedOdds:
    """Level by year from treatment requests, odds ratios inside each series (publisher, and what it
    counts), shrunken; a rate is the middle of the stated range.

    Raises ValueError where treatment requests have no figure over all of them.
    """
    overall: dict[str, list[tuple[float, float]]] = defaultdict(list)
    by_kind = []
    for row in rows:
        year = (float(row["year_from"]) + float(row["year_to"])) / 2
        rate = (float(row["overturn_rate_low"]) + float(row["overturn_rate_high"])) / 2
        series, log_odds = f"{row['publisher']}, {row['counted']}", math.log(rate / (1 - rate))
        kind = row["category"], row["subcategory"]
        if kind == ("ALL", ""):
            overall[series].append((year, log_odds))
        elif kind[0] != "ALL":  # and not of some providers
            by_kind.append((series, PUBLISHED_NAMES.get(kind, kind), year, log_odds))
    if not overall[LEVEL_SERIES]:
        raise ValueError("overturn rates: no figure over all treatment requests (DWC)")
    by_year: dict[float, list[float]] = defaultdict(list)
    for year, log_odds in overall[LEVEL_SERIES]:
        by_year[year].append(log_odds)
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for series, kind, year, log_odds in by_kind:
        if same := overall[series]:
            _, base = min(same, key=lambda one: abs(one[0] - year))
            ratios[kind].append(log_odds - base)
    shrunken = {kind: sum(v) / (len(v) + SHRINKAGE_FIGURES) for kind, v in ratios.items()}
    level = ((year, sum(values) / len(values)) for year, values in sorted(by_year.items()))
    return PublishedOdds(tuple(level), shrunken)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of items before any decided letter, a row an item.

    ``log_odds`` are the starting odds and ``year`` the part of them that the year adds, both
    (items,); ``judged`` the inputs of the judgement, None without one.
    """

    log_odds: Array
    year: Array
    judged: Array | None = None


@dataclass
class Start:
    """The judgement of vignettes at the published level of the year; without a judgement, that
    level alone.

    ``usual_year`` is the year of an undated request; ``year_centre`` and ``judged_centre`` are the
    averages that contributions are told against, known after :meth:`centred`.
    """

    published: PublishedOdds = field(default_factory=published_odds)
    judgement: Judgement | None = field(default_factory=shipped)
    usual_year: float | None = None
    year_centre: float = 0.0
    judged_centre: Array | None = None

    @property
    def judged_columns(self) -> tuple[str, ...]:
        """The columns that the judgement reads."""
        return self.judgement.inputs.columns if self.judgement else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that must be there."""
        return (*DATE_COLUMNS, *self.judged_columns)

    @property
    def names(self) -> list[str]:
        """Names of the columns of :meth:`contributions`."""
        return [YEAR, *(JUDGED + column for column in self.judged_columns)]

    def known(self, frame: pd.DataFrame) -> Known:
        """What is known of the items of a frame."""
        years, usual = request_years(frame), self.published.usual
        if self.usual_year is not None:
            years = np.where(np.isnan(years), self.usual_year, years)
        year = self.published.year_log_odds(years) - usual
        if self.judgement is None:
            return Known(year + usual, year)
        judged = self.judgement.inputs.matrix(frame)
        log_odds = year + self.judgement.log_odds_of(judged)
        if JUDGED_APART in frame:
            log_odds = log_odds + frame[JUDGED_APART].to_numpy(dtype=np.float64)
        return Known(log_odds, year, judged)

    def centred(self, known: Known) -> Start:
        """The same with the averages of these items, against which contributions are told."""
        judged = None
        if self.judgement and known.judged is not None:
            judged = self.judgement.steps.contributions(some_rows(known.judged)).mean(axis=0)
        return replace(self, year_centre=float(known.year.mean()), judged_centre=judged)

    def contributions(self, known: Known) -> Array:
        """What each of ``names`` adds to the starting odds, against the average item."""
        parts = [(known.year - self.year_centre)[:, None]]
        if self.judgement and known.judged is not None:
            judged = self.judgement.steps.contributions(known.judged)
            parts.append(judged - np.asarray(self.judged_centre))
        return np.column_stack(parts)

    def with_usual_year(self, frame: pd.DataFrame) -> Start:
        """The same with the median year of these requests for undated ones."""
        years = request_years(frame)
        known = np.sort(years[~np.isnan(years)])
        return replace(self, usual_year=float(known[len(known) // 2]) if len(known) else None)

    def to_json(self) -> dict[str, Any]:
        """Everything but the judgement's trees, as plain data."""
        judgement = self.judgement.to_json() if self.judgement else None
        return {**vars(self), "published": self.published.to_json(), "judgement": judgement}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], judgement: lgb.Booster | None) -> Start:
        """The inverse of :meth:`to_json`, with the judgement's trees read from their own file."""
        fields = {**stored, "published": PublishedOdds.from_json(stored["published"])}
        if judgement is not None:
            fields["judgement"] = Judgement.from_json(stored["judgement"], judgement)
            fields["judged_centre"] = np.array(stored["judged_centre"], dtype=np.float64)
        return cls(**fields)


def some_rows(matrix: Array) -> Array:
    """Evenly spaced rows, ``CENTRE_ITEMS`` at most, for averages."""
    return matrix[:: len(matrix) // CENTRE_ITEMS + 1]
