"""Which chapter a criterion stands in: that of the requested region.

``rules/chapters.csv``: by class of request (and criterion, where one stands elsewhere) the body
parts and their chapter with its edition and source; a row without body parts is for requests that
name none of the others.  A request for two regions shows both chapters.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).parent / "rules" / "chapters.csv"
REGIONAL = frozenset(("Low Back", "Knee", "General Approaches"))
"""Guidelines of ``criteria.csv`` that stand for the chapter of whatever region is asked about."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter with its edition, as shown (``Low Back 2004``), and where in it to look."""

    guideline: str
    source: str


@dataclass(frozen=True, slots=True)
class _Row:
    criterion: str
    body_parts: frozenset[str]
    chapter: Chapter


def chapter_of(request_class: str, criterion: str, body_parts: Sequence[str]) -> Chapter | None:
    """The chapter of the requested parts; None where the table has none for the class."""
    rows = [r for r in _table().get(request_class, ()) if r.criterion in ("", criterion)]
    of_part = (next((r.chapter for r in rows if part in r.body_parts), None) for part in body_parts)
    found = dict.fromkeys(chapter for chapter in of_part if chapter is not None)
    if not found:
        return next((row.chapter for row in rows if not row.body_parts), None)
    return Chapter(
        "; ".join(dict.fromkeys(chapter.guideline for chapter in found)),
        "; ".join(chapter.source for chapter in found),
    )


@cache
def _table() -> Mapping[str, tuple[_Row, ...]]:
    """The rows by class, those of one criterion first."""
    found: dict[str, list[_Row]] = {}
    with TABLE.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            parts = frozenset(filter(None, row["body_parts"].split("|")))
            label = f"{row['guideline']} {row['edition']}".strip()
            chapter = Chapter(label, row["source"])
            found.setdefault(row["class"], []).append(_Row(row["criterion"], parts, chapter))
    return {
        name: tuple(sorted(rows, key=lambda row: not row.criterion)) for name, rows in found.items()
    }
