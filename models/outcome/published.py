"""Published overturn rates as the starting odds of a request.

Two bodies publish how often Independent Medical Review overturns a denial.  The Division of
Workers' Compensation (DWC) counts *treatment requests*, the unit of a disputed item; the
California Workers' Compensation Institute (CWCI) counts *primary services*.  Their figures are
never mixed: the level of a year comes from the DWC's treatment requests alone, and what a
category adds is an odds ratio taken inside one series (category against all, same body, same
unit, nearest year), so the unit cancels out.  A category with few figures is shrunken toward the
overall rate.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

LEVEL_SERIES = "DWC, treatment request"

# The published categories' names in the words of data/reference/taxonomy.csv.
PUBLISHED_NAMES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("Behavioral & Mental Health", ""): ("Psych Services", ""),
    ("Pharmaceuticals", "Antidepressants"): ("Pharmaceuticals", "Antidepressant"),
}

# Two figures pull a category half-way back to the overall rate: most categories have one to
# three figures, several of them rounded by a secondary source.
SHRINKAGE_FIGURES = 2.0


@dataclass(frozen=True, slots=True)
class PublishedRate:
    """One usable row of the table: the middle of the stated range, as a share (0-1).

    ``series`` is the publisher and what it counts.
    """

    series: str
    year: float
    category: str
    subcategory: str
    rate: float


@dataclass(frozen=True, slots=True)
class PublishedOdds:
    """Log odds of *overturned* by year and treatment category.

    ``level`` maps a year to the log odds over all requests; ``ratios`` maps
    ``(category, subcategory)`` (subcategory ``""`` for the whole category) to a log odds ratio.
    """

    level: tuple[tuple[float, float], ...]
    ratios: Mapping[tuple[str, str], float]

    def log_odds(
        self,
        categories: Sequence[str | None],
        subcategories: Sequence[str | None],
        years: Sequence[float | None],
    ) -> list[float]:
        """Log odds per item.  A null year takes the mean level, an unknown category adds 0."""
        memo: dict[tuple[str | None, str | None, float | None], float] = {}
        result = []
        for key in zip(categories, subcategories, years, strict=True):
            if key not in memo:
                memo[key] = self.year_log_odds(key[2]) + self.ratio(key[0], key[1])
            result.append(memo[key])
        return result

    def year_log_odds(self, year: float | None) -> float:
        """The level of a year, between published years by straight line, flat beyond them."""
        if year is None or math.isnan(year):
            return sum(v for _, v in self.level) / len(self.level)
        before = [p for p in self.level if p[0] <= year]
        after = [p for p in self.level if p[0] > year]
        if not before or not after:
            return (before[-1] if before else after[0])[1]
        (x0, y0), (x1, y1) = before[-1], after[0]
        return y0 + (y1 - y0) * (year - x0) / (x1 - x0)

    def ratio(self, category: str | None, subcategory: str | None) -> float:
        """Log odds ratio of the subcategory, else of its category, else 0."""
        fine = self.ratios.get((category or "", subcategory or ""))
        return fine if fine is not None else self.ratios.get((category or "", ""), 0.0)

    def to_json(self) -> dict[str, Any]:
        """Plain lists, for the bundle."""
        return {
            "level": [list(point) for point in self.level],
            "ratios": [[*key, value] for key, value in sorted(self.ratios.items())],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> PublishedOdds:
        """The inverse of :meth:`to_json`."""
        level = tuple((float(year), float(value)) for year, value in stored["level"])
        return cls(level, {(c, s): float(value) for c, s, value in stored["ratios"]})


def published_odds() -> PublishedOdds:
    """The odds from the rates that the project ships (``data/reference/overturn_rates.csv``)."""
    table = resources.files("imr.data") / "reference" / "overturn_rates.csv"
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return odds_from_rates(usable_rates(rows))


def usable_rates(rows: Iterable[Mapping[str, str]]) -> list[PublishedRate]:
    """Rows that speak of all requests or of one treatment category (not of some providers)."""
    rates = []
    for row in rows:
        if row["category"] == "ALL" and row["subcategory"]:
            continue
        series = f"{row['publisher']}, {row['counted']}"
        name = (row["category"], row["subcategory"])
        category, subcategory = PUBLISHED_NAMES.get(name, name)
        year = (float(row["year_from"]) + float(row["year_to"])) / 2
        rate = (float(row["overturn_rate_low"]) + float(row["overturn_rate_high"])) / 2
        rates.append(PublishedRate(series, year, category, subcategory, rate))
    return rates


def odds_from_rates(rates: Sequence[PublishedRate]) -> PublishedOdds:
    """Level by year from treatment requests, odds ratios inside each series, shrunken.

    Raises ValueError where that series has no figure over all requests.
    """
    overall = [r for r in rates if r.category == "ALL"]
    level = _mean_by_year(r for r in overall if r.series == LEVEL_SERIES)
    if not level:
        raise ValueError("overturn rates: no figure over all treatment requests (DWC)")
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for rate in rates:
        base = _nearest(overall, rate)
        if rate.category != "ALL" and base is not None:
            ratios[rate.category, rate.subcategory].append(_logit(rate.rate) - _logit(base.rate))
    return PublishedOdds(tuple(sorted(level.items())), {k: _shrunken(v) for k, v in ratios.items()})


def _mean_by_year(rates: Iterable[PublishedRate]) -> dict[float, float]:
    by_year: dict[float, list[float]] = defaultdict(list)
    for rate in rates:
        by_year[rate.year].append(_logit(rate.rate))
    return {year: sum(values) / len(values) for year, values in by_year.items()}


def _nearest(overall: Sequence[PublishedRate], rate: PublishedRate) -> PublishedRate | None:
    same = [o for o in overall if o.series == rate.series]
    return min(same, key=lambda o: abs(o.year - rate.year)) if same else None


def _shrunken(ratios: Sequence[float]) -> float:
    return sum(ratios) / (len(ratios) + SHRINKAGE_FIGURES)


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
