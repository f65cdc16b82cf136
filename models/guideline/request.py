"""The item's side of a pair: what a request says that decides which guideline is cited for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from imr.models.frame import DATE_COLUMNS, listed, numbers, texts
from imr.models.guideline.catalogue import RELATIVE, body_chapter, chapter_of, out_of_force

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
    facts["request_body_parts"] = _body_parts(facts)
    del facts["case_body_part"]
    return facts


def _body_parts(facts: Mapping[str, Sequence[str]]) -> list[str]:
    """The requested body parts; a request that names none is about the region of the case.

    Drugs are decided under their own sections, whatever hurts.
    """
    columns = (facts[name] for name in ("request_body_parts", "case_body_part", "category"))
    return [
        requested or ("" if category == _DRUGS else of_case)
        for requested, of_case, category in zip(*columns, strict=True)
    ]


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
