"""The starting odds of an item: what is known before any decided letter is read.

They are the judgement of rated vignettes (:mod:`imr.models.outcome.judgement`), moved to the level
that published overturn rates have in the year of the request.  The judgement knows the kinds of
request; of the published rates only the year counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imr.models.frame import DATE_COLUMNS, Array, request_years
from imr.models.outcome.judgement import JUDGED, Judgement, shipped
from imr.models.outcome.published import PublishedOdds, published_odds

if TYPE_CHECKING:
    import lightgbm as lgb

# Items whose contributions are averaged into the "average decided item": more change nothing.
CENTRE_ITEMS = 2_000
YEAR = "year"
"""The name of what the published level of the year adds."""


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
    def columns(self) -> tuple[str, ...]:
        """The columns that must be there."""
        judged = self.judgement.columns if self.judgement else ()
        return tuple({*DATE_COLUMNS, *judged})

    @property
    def names(self) -> list[str]:
        """Names of the columns of :meth:`contributions`."""
        judged = self.judgement.columns if self.judgement else ()
        return [YEAR, *(JUDGED + column for column in judged)]

    def known(self, frame: pd.DataFrame) -> Known:
        """What is known of the items of a frame."""
        year = self._year(frame)
        if self.judgement is None:
            return Known(year + self.published.year_log_odds(None), year)
        judged = self.judgement.matrix(frame)
        return Known(year + self.judgement.log_odds_of(judged), year, judged)

    def centred(self, known: Known) -> Start:
        """The same with the averages of these items, against which contributions are told."""
        judged = None
        if self.judgement and known.judged is not None:
            judged = self.judgement.contributions_of(some_rows(known.judged)).mean(axis=0)
        return replace(self, year_centre=float(known.year.mean()), judged_centre=judged)

    def contributions(self, known: Known) -> Array:
        """What each of ``names`` adds to the starting odds, against the average item."""
        parts = [(known.year - self.year_centre)[:, None]]
        if self.judgement and known.judged is not None:
            judged = self.judgement.contributions_of(known.judged)
            parts.append(judged - np.asarray(self.judged_centre))
        return np.column_stack(parts)

    def with_usual_year(self, frame: pd.DataFrame) -> Start:
        """The same with the median year of these requests for undated ones."""
        years = sorted(year for year in request_years(frame) if year is not None)
        return replace(self, usual_year=years[len(years) // 2] if years else None)

    def to_json(self) -> dict[str, Any]:
        """Everything but the judgement's trees, as plain data."""
        return {
            "published": self.published.to_json(),
            "judgement": self.judgement.to_json() if self.judgement else None,
            "usual_year": self.usual_year,
            "year_centre": self.year_centre,
            "judged_centre": None if self.judged_centre is None else self.judged_centre.tolist(),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], judgement: lgb.Booster | None) -> Start:
        """The inverse of :meth:`to_json`, with the judgement's trees read from their own file."""
        judged = None if judgement is None else Judgement.from_json(stored["judgement"], judgement)
        centre = stored["judged_centre"]
        return cls(
            published=PublishedOdds.from_json(stored["published"]),
            judgement=judged,
            usual_year=stored["usual_year"],
            year_centre=float(stored["year_centre"]),
            judged_centre=None if centre is None else np.array(centre, dtype=np.float64),
        )

    def _year(self, frame: pd.DataFrame) -> Array:
        """The published level of each item's year, against the mean of the published years."""
        usual = self.published.year_log_odds(None)
        years = [self.usual_year if year is None else year for year in request_years(frame)]
        level = {year: self.published.year_log_odds(year) - usual for year in set(years)}
        return np.array([level[year] for year in years], dtype=np.float64)


def some_rows(matrix: Array) -> Array:
    """Evenly spaced rows, ``CENTRE_ITEMS`` at most, for averages."""
    return matrix[:: len(matrix) // CENTRE_ITEMS + 1]
