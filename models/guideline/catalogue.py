"""What can be cited: the catalogue of guideline labels, and what of a request decides among them.

A label is ``Chapter``, ``Chapter > Section``, ``Non-MTUS`` or ``None cited``.  Labels of body-part
chapters are also known by their *relative* name, ``* > Special Studies``, where ``*`` stands for
the chapter of the requested body part: what reviewers cite for a knee study tells what they cite
for a shoulder study.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from imr.data import table_rows
from imr.features.condition import Condition, condition
from imr.models.frame import DATE_COLUMNS, listed, numbers, texts

NONE_CITED, NON_MTUS = "None cited", "Non-MTUS"
ARROW = " > "
RELATIVE = "*"

FLAGS = ("associated_with_surgery", "primary_surgery_in_letter", "request_postoperative")
CITED = "administrator_labels"
TEXT_COLUMNS = (
    "category",
    "subcategory",
    "request_terms",
    "request_body_parts",
    "case_body_part",
    CITED,
)
REQUEST_COLUMNS = (*TEXT_COLUMNS, "n_items", *FLAGS, *DATE_COLUMNS)
UNSPECIFIED = ", unspecified"
_DRUGS = "Pharmaceuticals"
_NO_TEXT = frozenset({"n_items", *FLAGS})
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


Kind = tuple[str, str | None, str | None, str | None]
"""Category, subcategory, term and body chapter of requests; None stands for any."""


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
    rows = table_rows("reference/mtus_sections")
    sections = {f"{row['chapter']}{ARROW}{row['section']}" for row in rows}
    chapters = {row["chapter"] for row in table_rows("reference/mtus_chapters")}
    return tuple(sorted({*sections, *chapters, NONE_CITED, NON_MTUS}))


@cache
def body_chapters() -> Mapping[str, str]:
    """Body part -> the chapter that treats it (``models/guideline/body_parts.csv``)."""
    rows = table_rows("body_parts", Path(__file__).parent)
    return {row["body_part"]: row["chapter"] for row in rows}


@cache
def guideline_links() -> tuple[Link, ...]:
    """``models/guideline/links.csv``: which section a kind of request falls under."""
    return tuple(
        Link(condition(row["when"]), row["label"], row["source"])
        for row in table_rows("links", Path(__file__).parent)
    )


@cache
def _cited_by_readers() -> Mapping[Kind, Mapping[str, float]]:
    found: dict[Kind, dict[str, dict[str, float]]] = {}
    for row in table_rows("readers", Path(__file__).parent):
        names = (row["category"], row["subcategory"], row["request_term"], row["body_chapter"])
        label = relative(row["label"], row["body_chapter"] or None)
        for kind in _coarser(*names):
            shares = found.setdefault(kind, {}).setdefault("\t".join(names), {})
            shares[label] = shares.get(label, 0.0) + float(row["percent"]) / 100
    return {
        kind: {
            label: sum(one.get(label, 0.0) for one in kinds.values()) / len(kinds)
            for label in {label for one in kinds.values() for label in one}
        }
        for kind, kinds in found.items()
    }


def cited_by_readers(
    category: str, subcategory: str, request_term: str, body_chapter: str
) -> Mapping[str, float]:
    """How the first citations of many reviewers would be spread over (relative) labels for a kind
    of request, by two readers who saw kinds and no decision (``models/guideline/readers.csv``);
    for a kind they were not asked about the mean over those that share most with it.
    """
    known = _cited_by_readers()
    kinds = _coarser(category, subcategory, request_term, body_chapter)
    return next((known[kind] for kind in kinds if kind in known), {})


def _coarser(category: str, subcategory: str, term: str, body: str) -> tuple[Kind, ...]:
    """A kind of request and the coarser ones it belongs to; None stands for any."""
    return (
        (category, subcategory, term, body),
        (category, subcategory, term, None),
        (category, subcategory, None, body),
        (category, subcategory, None, None),
        (category, None, None, None),
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
    for row in table_rows("reference/guideline_catalogue"):
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


def describe(frame: pd.DataFrame) -> pd.DataFrame:
    """The request columns and what follows from them, a row an item.

    Adds ``out_of_force`` (chapters that could not be cited), ``request_term``, ``body_chapters``,
    ``body_chapter``, ``first_cited``, ``cited_chapter`` and ``surgical_role``.
    """
    facts = _request(frame)
    facts["letter_id"] = frame["letter_id"].astype(str).tolist()
    facts["request_term"] = _mapped(facts["request_terms"], _first_named)
    facts["body_chapters"] = _mapped(facts["request_body_parts"], _body_chapters)
    facts["body_chapter"] = _mapped(facts["body_chapters"], _first_named)
    facts["first_cited"] = _mapped(facts[CITED], _first_named)
    chapters = zip(_mapped(facts["first_cited"], chapter_of), facts["body_chapter"], strict=True)
    facts["cited_chapter"] = [
        RELATIVE if body and body == cited else cited for cited, body in chapters
    ]
    roles = zip(facts["associated_with_surgery"], facts["primary_surgery_in_letter"], strict=True)
    facts["surgical_role"] = [
        ("disputed" if disputed else "not disputed") if associated else ""
        for associated, disputed in roles
    ]
    # Objects, for rows are picked and compared far more often than columns are worked on.
    columns = {n: pd.Series(v, dtype=object) for n, v in facts.items() if n not in _NO_TEXT}
    return pd.DataFrame({**facts, **columns})


def request_keys(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """What the ranker sees of each item, and nothing else: items with one key rank alike."""
    return list(zip(*_request(frame).values(), strict=True))


def _request(frame: pd.DataFrame) -> dict[str, list[Any]]:
    facts: dict[str, list[Any]] = {name: texts(frame[name]) for name in TEXT_COLUMNS}
    facts["n_items"] = numbers(frame["n_items"]).tolist()
    for flag in FLAGS:
        facts[flag] = (numbers(frame[flag]) == 1).tolist()
    dates = zip(*(texts(frame[column].astype("string")) for column in DATE_COLUMNS), strict=True)
    days = [next(filter(None, known), "")[:10] for known in dates]
    facts["out_of_force"] = _mapped(days, _out_of_force)
    # A request that names no body part is about the region of the case; drugs are decided under
    # their own sections, whatever hurts.
    of_case = facts.pop("case_body_part")
    facts["request_body_parts"] = [
        part
        if part in _IN_LIMB.get(requested, ())
        else requested or ("" if category == _DRUGS else part)
        for requested, part, category in zip(
            facts["request_body_parts"], of_case, facts["category"], strict=True
        )
    ]
    return facts


# "Nerve studies of the upper extremities" are decided under the chapter of what hurts.
_IN_LIMB = {
    "upper extremity": frozenset({"cervical spine", "elbow"}),
    "lower extremity": frozenset({"knee", "ankle", "foot"}),
}


def _out_of_force(day: str) -> str:
    """Chapters that could not be cited on that day, joined; empty if undated."""
    return "|".join(out_of_force(date.fromisoformat(day) if day else None))


def _first_named(cell: str) -> str:
    """The first of a list that names something ("drug, unspecified" does not)."""
    return next((entry for entry in listed(cell) if not entry.endswith(UNSPECIFIED)), "")


def _body_chapters(cell: str) -> str:
    """The chapters of the requested body parts, in their order, joined."""
    chapters = (body_chapter(part) for part in listed(cell))
    return "|".join(dict.fromkeys(chapter for chapter in chapters if chapter))


def _mapped(values: Sequence[str], function: Callable[[str], str]) -> list[str]:
    """``function`` of every value, called once a distinct value."""
    results = {value: function(value) for value in set(values)}
    return [results[value] for value in values]
