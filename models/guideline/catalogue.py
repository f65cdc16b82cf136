"""What can be cited: the catalogue of guideline labels, and how an item relates to each.

A label is ``Chapter``, ``Chapter > Section``, ``Non-MTUS`` or ``None cited``.  Labels of body-part
chapters are also known by their *relative* name, ``* > Special Studies``, where ``*`` stands for
the chapter of the requested body part: what reviewers cite for a knee study tells what they cite
for a shoulder study.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from importlib import resources

from imr.features.condition import Condition, condition

NONE_CITED, NON_MTUS = "None cited", "Non-MTUS"
ARROW = " > "
RELATIVE = "*"

_WORD = re.compile(r"[a-z]{3,}")
_STOP = frozenset(
    ["and", "for", "the", "with", "chronic", "pain", "treatment", "medical", "therapy"]
)


@dataclass(frozen=True, slots=True)
class Link:
    """A guideline section that a kind of request falls under, with its source."""

    when: Condition
    label: str
    source: str


@lru_cache(maxsize=4096)
def chapter_of(label: str) -> str:
    """``"Knee > Special Studies"`` -> ``"Knee"``."""
    return label.split(ARROW, 1)[0]


def section_of(label: str) -> str | None:
    """``"Knee > Special Studies"`` -> ``"Special Studies"``; None for a whole chapter."""
    return label.split(ARROW, 1)[1] if ARROW in label else None


def relative(label: str, body_chapter: str | None) -> str:
    """The label with the chapter of the requested body part written as ``*``."""
    if body_chapter is None or chapter_of(label) != body_chapter:
        return label
    return RELATIVE + label[len(body_chapter) :]


def absolute(label: str, body_chapter: str | None) -> str | None:
    """The inverse of :func:`relative`; None where no body part is known."""
    if not label.startswith(RELATIVE):
        return label
    return body_chapter and body_chapter + label[len(RELATIVE) :]


@lru_cache(maxsize=4096)
def words(text: str) -> frozenset[str]:
    """Words of three letters and more that tell sections apart, lower case, without plural s."""
    found = _WORD.findall(text.lower())
    return frozenset(word.rstrip("s") for word in found if word not in _STOP)


@cache
def catalogue_labels() -> tuple[str, ...]:
    """Every label of the shipped catalogue, sections and whole chapters, sorted."""
    rows = _rows("imr.data", "reference/mtus_sections.csv")
    sections = {f"{row['chapter']}{ARROW}{row['section']}" for row in rows}
    chapters = {row["chapter"] for row in _rows("imr.data", "reference/mtus_chapters.csv")}
    return tuple(sorted({*sections, *chapters, NONE_CITED, NON_MTUS}))


@cache
def body_chapters() -> Mapping[str, str]:
    """Body part -> the chapter that treats it (``models/guideline/body_parts.csv``)."""
    rows = _rows("imr.models", "guideline/body_parts.csv")
    return {row["body_part"]: row["chapter"] for row in rows}


@cache
def guideline_links() -> tuple[Link, ...]:
    """``models/guideline/links.csv``: which section a kind of request falls under."""
    return tuple(
        Link(condition(row["when"]), row["label"], row["source"])
        for row in _rows("imr.models", "guideline/links.csv")
    )


def out_of_force(day: date | None) -> tuple[str, ...]:
    """Chapters of which no edition was in force on that day; none where the day is not known.

    The windows are those of whole chapters in ``data/reference/guideline_catalogue.csv``.
    """
    if day is None:
        return ()
    return tuple(
        chapter
        for chapter, windows in _windows().items()
        if not any(start <= day <= end for start, end in windows)
    )


@cache
def _windows() -> Mapping[str, tuple[tuple[date, date], ...]]:
    """Chapter -> the days its editions were in force; a month or year alone means its first day."""
    windows: dict[str, list[tuple[date, date]]] = {}
    for row in _rows("imr.data", "reference/guideline_catalogue.csv"):
        if row["chapter_short"] and row["whole_chapter"] == "true" and row["effective_from"]:
            start = date.fromisoformat((row["effective_from"] + "-01-01")[:10])
            end = date.fromisoformat(row["effective_to"]) if row["effective_to"] else date.max
            windows.setdefault(row["chapter_short"], []).append((start, end))
    return {chapter: tuple(found) for chapter, found in sorted(windows.items())}


def body_chapter(part: object) -> str | None:
    """The chapter of a body part: its own row, else that of the longest name it contains."""
    if not isinstance(part, str):
        return None
    known = body_chapters()
    if part in known:
        return known[part]
    inside = [name for name in known if name in part.lower()]
    return known[max(inside, key=len)] if inside else None


def _rows(package: str, path: str) -> list[dict[str, str]]:
    table = resources.files(package).joinpath(*path.split("/"))
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
