"""The starting odds of an item: what is known before any decided letter is read.

The published overturn rate of its category and year, the effects expected from guidelines and law,
and what rated vignettes say of it; the first two together weigh against the third.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.models.frame import CLASS_COLUMNS, DATE_COLUMNS, Array, request_years
from imr.models.outcome.effects import (
    Effect,
    applicable,
    columns_read,
    effect_matrix,
    effects_from_rows,
    effects_to_json,
    expected_effects,
)
from imr.models.outcome.judgement import JUDGED, Judgement, shipped
from imr.models.outcome.published import PublishedOdds, published_odds

if TYPE_CHECKING:
    import lightgbm as lgb

# Items whose contributions are averaged into the "average decided item": more change nothing.
CENTRE_ITEMS = 2_000


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of items before any decided letter, a row an item.

    ``effects`` holds the values of the effects (items, effects) with 0 for null, ``raw`` the same
    with null, ``applies`` whether an effect concerns the item; ``opinion`` what published rates
    and the judgement say and ``log_odds`` the starting odds with the expected effects, both
    (items,); ``judged`` the inputs of the judgement.
    """

    raw: Array
    effects: Array
    applies: npt.NDArray[np.bool_]
    opinion: Array
    log_odds: Array
    judged: Array | None = None

    def part(self, rows: npt.NDArray[Any]) -> Known:
        """Some of the items."""
        return Known(
            self.raw[rows],
            self.effects[rows],
            self.applies[rows],
            self.opinion[rows],
            self.log_odds[rows],
            None if self.judged is None else self.judged[rows],
        )


@dataclass
class Start:
    """Published rates, expected effects and the judgement of vignettes, weighed.

    ``judgement_share`` (0-1) weighs the judgement against the two others.  ``usual_year`` is the
    year of an undated request; ``published_centre``, ``effects_centre`` and ``judged_centre`` are
    the averages that contributions are told against, known after :meth:`centred`.
    """

    effects: tuple[Effect, ...] = field(default_factory=expected_effects)
    published: PublishedOdds = field(default_factory=published_odds)
    judgement: Judgement | None = field(default_factory=shipped)
    judgement_share: float = 1 / 3
    usual_year: float | None = None
    effects_centre: Array | None = None
    published_centre: float = 0.0
    judged_centre: Array | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that must be there."""
        judged = self.judgement.columns if self.judgement else ()
        return tuple({*CLASS_COLUMNS, *DATE_COLUMNS, *columns_read(self.effects), *judged})

    @property
    def expected(self) -> Array:
        """What each effect adds to the starting odds, per unit of its value."""
        values = np.array([effect.prior_log_odds for effect in self.effects])
        return (1 - self._judged_share) * values

    @property
    def names(self) -> list[str]:
        """Names of the columns of :meth:`contributions`."""
        effects = [effect.effect for effect in self.effects]
        judged = self.judgement.columns if self.judgement else ()
        return [*effects, "category", "year", *(JUDGED + column for column in judged)]

    def known(self, frame: pd.DataFrame) -> Known:
        """What is known of the items of a frame."""
        opinion, judged = (1 - self._judged_share) * self._published(frame), None
        if self.judgement:
            judged = self.judgement.matrix(frame)
            opinion = opinion + self._judged_share * self.judgement.log_odds_of(judged)
        applies = applicable(frame, self.effects)
        raw = effect_matrix(frame, self.effects, applies)
        values = np.nan_to_num(raw)
        return Known(raw, values, applies, opinion, opinion + values @ self.expected, judged)

    def centred(self, frame: pd.DataFrame, known: Known) -> Start:
        """The same with the averages of these items, against which contributions are told."""
        judged = None
        if self.judgement and known.judged is not None:
            some = known.judged[:: len(known.judged) // CENTRE_ITEMS + 1]
            judged = self.judgement.contributions_of(some).mean(axis=0)
        return replace(
            self,
            effects_centre=known.effects.mean(axis=0),
            published_centre=float(self._published(frame).mean()),
            judged_centre=judged,
        )

    def contributions(self, frame: pd.DataFrame, known: Known) -> Array:
        """What each of ``names`` adds to the starting odds, against the average item."""
        of_class = np.array(self.published.log_odds(*_classes(frame), [None] * len(frame)))
        level = self.published.year_log_odds(None)
        of_year = self._published(frame) - of_class + level - self.published_centre
        published = np.column_stack([of_class - level, of_year])
        parts = [
            (known.effects - np.asarray(self.effects_centre)) * self.expected,
            (1 - self._judged_share) * published,
        ]
        if self.judgement and known.judged is not None:
            judged = self.judgement.contributions_of(known.judged)
            parts.append(self._judged_share * (judged - np.asarray(self.judged_centre)))
        return np.column_stack(parts)

    def with_usual_year(self, frame: pd.DataFrame) -> Start:
        """The same with the median year of these requests for undated ones."""
        years = sorted(year for year in request_years(frame) if year is not None)
        return replace(self, usual_year=years[len(years) // 2] if years else None)

    def to_json(self) -> dict[str, Any]:
        """Everything but the judgement's trees, as plain data."""
        return {
            "effects": effects_to_json(self.effects),
            "published": self.published.to_json(),
            "judgement": self.judgement.to_json() if self.judgement else None,
            "judgement_share": self.judgement_share,
            "usual_year": self.usual_year,
            "effects_centre": _plain(self.effects_centre),
            "published_centre": self.published_centre,
            "judged_centre": _plain(self.judged_centre),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], judgement: lgb.Booster | None) -> Start:
        """The inverse of :meth:`to_json`, with the judgement's trees read from their own file."""
        judged = None if judgement is None else Judgement.from_json(stored["judgement"], judgement)
        return cls(
            effects=effects_from_rows(stored["effects"]),
            published=PublishedOdds.from_json(stored["published"]),
            judgement=judged,
            judgement_share=float(stored["judgement_share"]),
            usual_year=stored["usual_year"],
            effects_centre=_array(stored["effects_centre"]),
            published_centre=float(stored["published_centre"]),
            judged_centre=_array(stored["judged_centre"]),
        )

    @property
    def _judged_share(self) -> float:
        return self.judgement_share if self.judgement else 0.0

    def _published(self, frame: pd.DataFrame) -> Array:
        """The published log odds of each item's category and year."""
        years = [self.usual_year if year is None else year for year in request_years(frame)]
        return np.array(self.published.log_odds(*_classes(frame), years), dtype=np.float64)


def _classes(frame: pd.DataFrame) -> tuple[list[str | None], list[str | None]]:
    category, subcategory = (
        [value if isinstance(value, str) else None for value in frame[name].to_numpy(dtype=object)]
        for name in CLASS_COLUMNS
    )
    return category, subcategory


def _plain(values: Array | None) -> list[float] | None:
    return None if values is None else [float(value) for value in values]


def _array(values: list[float] | None) -> Array | None:
    return None if values is None else np.array(values, dtype=np.float64)
