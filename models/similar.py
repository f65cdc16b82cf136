"""Similar decided items: how many, how many overturned, from which years."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from imr.models.frame import request_years

# With fewer items a share says nothing; the wider class is shown instead.
MIN_ITEMS = 5
ALL = "all requests"


@dataclass(frozen=True, slots=True)
class Similar:
    """Decided items of one class.  ``share_overturned`` is 0-1, years are those of the requests."""

    of: str
    items: int
    letters: int
    overturned: int
    first_year: int | None
    last_year: int | None

    @property
    def share_overturned(self) -> float:
        """Overturned items over all items."""
        return self.overturned / self.items


@dataclass(frozen=True)
class SimilarItems:
    """Counts by subcategory, category and over all."""

    classes: Mapping[str, Similar]

    @classmethod
    def counted(cls, frame: pd.DataFrame, overturned: Sequence[bool]) -> SimilarItems:
        """Count decided items; ``overturned`` runs parallel to the rows of signals."""
        table = pd.DataFrame(
            {
                "letter_id": frame["letter_id"].astype(str).to_numpy(),
                "category": frame["category"].astype("string").fillna("").to_numpy(),
                "subcategory": frame["subcategory"].astype("string").fillna("").to_numpy(),
                "year": request_years(frame),
                "overturned": list(overturned),
            }
        )
        classes = {ALL: _count(ALL, table)}
        for category, rows in table.groupby("category"):
            classes[str(category)] = _count(str(category), rows)
        table["class"] = [
            class_name(*n) for n in zip(table["category"], table["subcategory"], strict=True)
        ]
        for name, rows in table.groupby("class"):
            classes[str(name)] = _count(str(name), rows)
        return cls(classes)

    def of(self, category: str | None, subcategory: str | None) -> Similar:
        """The finest class with enough decided items."""
        for name in (class_name(category or "", subcategory or ""), category or ""):
            found = self.classes.get(name)
            if found is not None and found.items >= MIN_ITEMS:
                return found
        return self.classes[ALL]

    def to_json(self) -> list[dict[str, Any]]:
        """Plain mappings, for the bundle."""
        return [asdict(similar) for _, similar in sorted(self.classes.items())]

    @classmethod
    def from_json(cls, stored: Sequence[Mapping[str, Any]]) -> SimilarItems:
        """The inverse of :meth:`to_json`."""
        return cls({str(row["of"]): Similar(**row) for row in stored})


def class_name(category: str, subcategory: str) -> str:
    """``"Surgery: Spine"``; the category alone where the two are called the same."""
    return category if subcategory in {"", category} else f"{category}: {subcategory}"


def _count(name: str, rows: pd.DataFrame) -> Similar:
    years = rows["year"].dropna()
    return Similar(
        of=name,
        items=len(rows),
        letters=int(rows["letter_id"].nunique()),
        overturned=int(sum(rows["overturned"])),
        first_year=int(years.min()) if len(years) else None,
        last_year=int(years.max()) if len(years) else None,
    )
