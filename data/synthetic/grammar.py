"""The grammar of the synthetic letters: tables of sentences, requests, regions and citations.

The tables stand in ``data/grammar/`` as CSV.  A sentence names the facts that it states
(``sets``) and the body regions it fits (``regions``, empty for any, ``joint`` for every region
but the two of the spine); words in braces are slots.  Nothing here knows of a letter.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

from imr.data import table_rows

Template = tuple[tuple[str, str], ...]
"""A sentence cut at its slots: pairs of the words before a slot and the slot's name."""

SPINE = ("lumbar", "cervical")
_REGION_WORDS = ("body_part", "phrase", "part", "chapter")
_REGION_LISTS = ("diagnoses", "levels", "findings", "xray_findings")
_REQUEST_WORDS = ("kind", "category", "subcategory", "body_part", "quantity", "guideline")
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the grammar and the facts it states."""

    template: Template
    sets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """A body region with the words that go with it."""

    name: str
    body_part: str
    phrase: str
    part: str
    sided: bool
    diagnoses: tuple[str, ...]
    levels: tuple[str, ...]
    findings: tuple[str, ...]
    xray_findings: tuple[str, ...]
    chapter: str


@dataclass(frozen=True, slots=True)
class Request:
    """A disputed item of the grammar: its title and what the title means.

    ``body_part`` is ``(region)`` for the region's own, or a name, or "".
    ``quantity`` is ``"n"`` (the slot ``n``), ``"fw"`` (times a week x weeks), a number, or "".
    """

    kind: str
    title: Template
    category: str
    subcategory: str
    body_part: str
    quantity: str
    unit: str | None
    modified: bool
    guideline: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter that is cited for a kind of request; ``(region)`` stands for the region's own."""

    chapter: str
    edition: str
    sections: tuple[str, ...]
    pages: str | None


def compiled(text: str) -> Template:
    """``text`` cut at its slots."""
    pieces = [*_SLOT.split(text), ""]
    return tuple(zip(pieces[::2], pieces[1::2], strict=True))


def _fits(regions: str, region: str) -> bool:
    names = regions.split(";") if regions else [region]
    return region in names or ("joint" in names and region not in SPINE)


def _parts(cell: str) -> tuple[str, ...]:
    return tuple(cell.split("|")) if cell else ()


@functools.cache
def regions() -> tuple[Region, ...]:
    """The body regions, each as often as its weight says."""
    found: list[Region] = []
    for row in table_rows("grammar/regions"):
        words: dict[str, Any] = {name: row[name] for name in _REGION_WORDS}
        words |= {name: _parts(row[name]) for name in _REGION_LISTS}
        region = Region(name=row["region"], sided=row["sided"] == "yes", **words)
        found.extend([region] * int(row["weight"]))
    return tuple(found)


def _sentence(row: dict[str, str]) -> Sentence:
    return Sentence(compiled(row["text"]), tuple(filter(None, row["sets"].split(";"))))


@functools.cache
def sentences(group: str, about: str, region: str) -> tuple[Sentence, ...]:
    """Sentences of a group that state the fact ``about`` ("" for none) and fit the region."""
    return tuple(
        _sentence(row)
        for row in table_rows("grammar/sentences")
        if row["group"] == group
        and row["sets"].partition(";")[0] == about
        and _fits(row["regions"], region)
    )


@functools.cache
def openings() -> tuple[tuple[str, tuple[Sentence, ...]], ...]:
    """The house styles with their opening sentences."""
    styles: dict[str, list[Sentence]] = {}
    for row in table_rows("grammar/sentences"):
        if row["group"] == "opening":
            styles.setdefault(row["style"], []).append(_sentence(row))
    return tuple((style, tuple(found)) for style, found in styles.items())


@functools.cache
def requests(region: str) -> tuple[Request, ...]:
    """The requests that fit a region, each as often as its weight says."""
    found: list[Request] = []
    for row in table_rows("grammar/items"):
        if _fits(row["regions"], region):
            plain = {name: row[name] for name in _REQUEST_WORDS}
            title, unit, modified = compiled(row["title"]), row["unit"] or None, row["modified"]
            request = Request(title=title, unit=unit, modified=modified == "yes", **plain)
            found.extend([request] * int(row["weight"]))
    return tuple(found)


@functools.cache
def chapters(guideline: str, last_edition: int) -> tuple[Chapter, ...]:
    """Chapters cited for a kind of request up to an edition, each as often as its weight says.

    Before the edition of 2016, its chronic pain sections are those of 2009.
    """
    found: list[Chapter] = []
    for row in table_rows("grammar/citations"):
        if row["guideline"] != guideline:
            continue
        new = int(row["edition"]) > last_edition
        if new and row["chapter"] == "Opioid Treatment":
            continue
        edition = "2009" if new else row["edition"]
        chapter = Chapter(row["chapter"], edition, _parts(row["sections"]), row["pages"] or None)
        found.extend([chapter] * int(row["weight"]))
    return tuple(found)


@functools.cache
def words(kind: str) -> tuple[str, ...]:
    """The words of a kind (``who``, ``job``, ``drug``, ``state`` ...)."""
    return tuple(row["text"] for row in table_rows("grammar/words") if row["kind"] == kind)


@functools.cache
def effects() -> dict[str, float]:
    """The planted effects: term -> log-odds (``data/grammar/effects.csv``)."""
    return {row["term"]: float(row["log_odds"]) for row in table_rows("grammar/effects")}
