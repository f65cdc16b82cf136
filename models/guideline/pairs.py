"""Items paired with the labels they could be decided on, and what the ranker sees of each pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.models.frame import Array, conditions_hold, listed
from imr.models.guideline.catalogue import (
    ARROW,
    CITED,
    NON_MTUS,
    NONE_CITED,
    UNSPECIFIED,
    absolute,
    chapter_of,
    guideline_links,
    relative,
    section_of,
    words,
)
from imr.models.guideline.shares import CONTEXTS, Codes, LabelTable, Shares, alike

PAIR_FEATURES = (
    *(f"share_{name}" for name in CONTEXTS),
    *(f"chapter_share_{name}" for name in CONTEXTS if name != "all"),
    "cited_label",
    "cited_first",
    "cited_chapter",
    "cited_count",
    "link",
    "link_chapter",
    "body_part",
    "wording",
    "has_section",
    "is_none_cited",
    "is_non_mtus",
    "none_cited_at_all",
    "n_items",
    "surgical",
)
_KEPT_FOR_SURE = 10.0
_FINER = ("part", "term", "cited", "role_cited", "class_cited")
_PROMISING = (
    *(f"share_{name}" for name in _FINER),
    *("cited_label", "link", "is_none_cited", "is_non_mtus"),
    *("chapter_share_part", "cited_chapter", "wording"),
)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Kept candidates of each item: names (items, kept) and features (items, kept, features)."""

    names: npt.NDArray[Any]
    features: Array


def make_pairs(
    items: pd.DataFrame,
    labels: Sequence[str],
    shares: Shares,
    kept: int,
    decided: Sequence[str] | None = None,
) -> Pairs:
    """Pair every item with the ``kept`` labels that could be meant, and describe the pairs.

    ``decided``: the items' own relative labels in training (:meth:`Shares.by_context`).
    """
    names = np.array(_with_cited(labels, items[CITED]), dtype=object)
    tables = pair_features(items, list(names), shares, decided)
    promise = _promise(tables)
    cited = tables["cited_label"].by_item
    promise[_impossible(items, names, len(labels)) & (cited == 0)] = -np.inf
    best = np.argsort(-promise, axis=1, kind="stable")[:, :kept]
    features = np.empty((*best.shape, len(PAIR_FEATURES)), dtype=np.float32)
    for place, name in enumerate(PAIR_FEATURES):
        features[:, :, place] = tables[name].of_candidates(best)
    return Pairs(names[best], features.astype(np.float64))


def _impossible(items: pd.DataFrame, names: npt.NDArray[Any], known: int) -> npt.NDArray[np.bool_]:
    """Labels that only another item's administrator prints, and chapters not in force."""
    chapters = np.array([chapter_of(label) for label in names])
    mask = np.zeros((len(items), len(names)), dtype=bool)
    mask[:, known:] = True
    for retired in items["out_of_force"].unique():
        rows = (items["out_of_force"] == retired).to_numpy()
        mask[np.ix_(rows, np.isin(chapters, listed(retired)))] = True
    return mask


def _with_cited(labels: Sequence[str], cells: pd.Series[str]) -> list[str]:
    printed = {label for cell in cells.unique() for label in listed(cell)}
    return [*labels, *sorted(printed - set(labels))]


def _promise(tables: Mapping[str, LabelTable]) -> Array:
    """A first, rough order: which candidates are worth ranking."""
    values = {name: tables[name].by_item for name in _PROMISING}
    sure = values["cited_label"] + values["link"] + values["is_none_cited"] + values["is_non_mtus"]
    shares = sum(values[f"share_{name}"] for name in _FINER)
    chapters = values["chapter_share_part"] + values["cited_chapter"] + 20 * values["wording"]
    return np.asarray(_KEPT_FOR_SURE * sure + shares + 0.01 * chapters, dtype=np.float64)


def pair_features(
    items: pd.DataFrame, labels: list[str], shares: Shares, decided: Sequence[str] | None
) -> dict[str, LabelTable]:
    """Every feature of ``PAIR_FEATURES`` for all items beside all labels."""
    return {
        **_shares(items, labels, shares.by_context(items, decided), shares),
        **_cited(items, labels),
        **_links(items, labels),
        **_item_facts(items, labels),
    }


def _shares(
    items: pd.DataFrame, labels: list[str], tables: Mapping[str, LabelTable], shares: Shares
) -> dict[str, LabelTable]:
    """Shares of the labels and of their chapters; ``*`` stands for the item's own chapter."""
    bodies, body_of = np.unique(items["body_chapter"].to_numpy(dtype=str), return_inverse=True)
    relative = [_Relative.of(labels, str(body), shares) for body in bodies]
    result: dict[str, LabelTable] = {}
    for name, table in tables.items():
        first, codes = alike([table.codes, body_of], len(items))
        own, chapters = np.empty((len(first), len(labels))), np.empty((len(first), len(labels)))
        for number, view in enumerate(relative):
            chosen = np.flatnonzero(body_of[first] == number)
            rows = table.of_items(first[chosen])
            own[chosen], chapters[chosen] = rows[:, view.places], view.by_chapter(rows)
        result[f"share_{name}"] = LabelTable(codes, own)
        if name != "all":
            result[f"chapter_share_{name}"] = LabelTable(codes, chapters)
    return result


@dataclass(frozen=True, slots=True)
class _Relative:
    """The labels as an item with some body chapter sees them in the vocabulary of the shares."""

    places: Codes
    chapters: Codes
    of_vocabulary: Array

    @classmethod
    def of(cls, labels: Sequence[str], body: str, shares: Shares) -> _Relative:
        never = len(shares.vocabulary)
        names = [relative(label, body or None) for label in labels]
        places = np.array([shares.position.get(name, never) for name in names], dtype=np.intp)
        chapters, codes = np.unique([chapter_of(n) for n in names], return_inverse=True)
        return cls(places, codes, _chapter_indicator(shares.vocabulary, list(chapters)))

    def by_chapter(self, rows: Array) -> Array:
        """The shares of the labels' chapters from those of the vocabulary."""
        return (rows[:, : len(self.of_vocabulary)] @ self.of_vocabulary)[:, self.chapters]


def _chapter_indicator(vocabulary: Sequence[str], chapters: Sequence[str]) -> Array:
    place = {chapter: column for column, chapter in enumerate(chapters)}
    matrix = np.zeros((len(vocabulary), len(chapters)))
    for row, label in enumerate(vocabulary):
        column = place.get(chapter_of(label))
        if column is not None:
            matrix[row, column] = 1.0
    return matrix


def _cited(items: pd.DataFrame, labels: list[str]) -> dict[str, LabelTable]:
    """What the administrator's citation, a row each, says of the labels."""
    codes, cells = pd.factorize(items[CITED])
    chapters = np.array([chapter_of(label) for label in labels], dtype=object)
    place = {label: column for column, label in enumerate(labels)}
    names = ("cited_label", "cited_first", "cited_chapter", "cited_count", "none_cited_at_all")
    values = {name: np.zeros((len(cells), len(labels))) for name in names}
    for row, cell in enumerate(cells):
        printed = listed(cell)
        values["cited_count"][row] = len(printed)
        values["none_cited_at_all"][row] = float(NONE_CITED in printed)
        for label in printed:
            values["cited_label"][row, place[label]] = 1.0
            values["cited_chapter"][row, chapters == chapter_of(label)] = 1.0
        if printed:
            values["cited_first"][row, place[printed[0]]] = 1.0
    return {name: LabelTable(codes, rows) for name, rows in values.items()}


def _links(items: pd.DataFrame, labels: list[str]) -> dict[str, LabelTable]:
    """The sections that the kind of request falls under, and their chapters."""
    chapters = np.array([chapter_of(label) for label in labels], dtype=object)
    place = {label: column for column, label in enumerate(labels)}
    links = guideline_links()
    columns = sorted({term.name for link in links for terms in link.when for term in terms})
    read = [items[name].to_numpy(dtype=object) for name in (*columns, "body_chapter")]
    first, codes = alike(read, len(items))
    requests = items.iloc[first].reset_index(drop=True)
    linked, linked_chapter = (np.zeros((len(requests), len(labels))) for _ in range(2))
    bodies, body_of = np.unique(requests["body_chapter"].to_numpy(dtype=str), return_inverse=True)
    for link, applies in zip(
        links, conditions_hold(requests, [link.when for link in links]), strict=True
    ):
        for code in np.unique(body_of[applies]):
            label = absolute(link.label, str(bodies[code]) or None)
            if label in place:
                rows = np.flatnonzero(applies & (body_of == code))
                linked[rows, place[label]] = 1.0
                same = np.flatnonzero(chapters == chapter_of(label))
                linked_chapter[np.ix_(rows, same)] = 1.0
    return {"link": LabelTable(codes, linked), "link_chapter": LabelTable(codes, linked_chapter)}


def _item_facts(items: pd.DataFrame, labels: list[str]) -> dict[str, LabelTable]:
    """Facts of the item alone, and of the label alone."""
    chapters = np.array([chapter_of(label) for label in labels], dtype=object)
    bodies, named = pd.factorize(items["body_chapters"])
    about = [np.isin(chapters.astype(str), listed(cell)) for cell in named]
    asked, requests = _asked(items)
    return {
        "body_part": LabelTable(bodies, np.array(about, dtype=np.float64)),
        "wording": LabelTable(asked, _overlaps(requests, tuple(labels))),
        "has_section": _of_labels(items, [ARROW in label for label in labels]),
        "is_none_cited": _of_labels(items, chapters == NONE_CITED),
        "is_non_mtus": _of_labels(items, chapters == NON_MTUS),
        "n_items": _of_items(items["n_items"], len(labels)),
        "surgical": _of_items(items["surgical_role"] != "", len(labels)),
    }


def _of_labels(items: pd.DataFrame, values: Any) -> LabelTable:
    return LabelTable(np.zeros(len(items), dtype=np.intp), np.array([values], dtype=np.float64))


def _of_items(values: pd.Series[Any], labels: int) -> LabelTable:
    codes, distinct = pd.factorize(values, use_na_sentinel=False)
    rows = np.array(distinct, dtype=np.float64)[:, None]
    return LabelTable(codes, np.broadcast_to(rows, (len(distinct), labels)))


def _asked(items: pd.DataFrame) -> tuple[Codes, list[str]]:
    """The terms and the class of each request, as text, numbered."""
    columns = [items[name].to_numpy(dtype=object) for name in ("request_terms", "subcategory")]
    first, codes = alike(columns, len(items))
    pairs = zip(*(column[first] for column in columns), strict=True)
    return codes, [f"{terms.replace(UNSPECIFIED, '')} {kind}" for terms, kind in pairs]


def _overlaps(requests: Sequence[str], labels: tuple[str, ...]) -> Array:
    """The share of each section's words that a request has, shape (requests, labels)."""
    holding, sizes = _section_words(labels)
    common = np.zeros((len(requests), len(labels)))
    for row, asked in enumerate(requests):
        for word in words(asked):
            if word in holding:
                common[row, holding[word]] += 1.0
    return common / sizes


@lru_cache(maxsize=64)
def _section_words(labels: tuple[str, ...]) -> tuple[dict[str, Codes], Array]:
    """The labels whose section holds a word, by word, and how many words each section has."""
    sections = [words(section_of(label) or "") for label in labels]
    holding: dict[str, list[int]] = {}
    for place, section in enumerate(sections):
        for word in section:
            holding.setdefault(word, []).append(place)
    sizes = np.array([max(len(section), 1) for section in sections], dtype=np.float64)
    return {word: np.array(places) for word, places in holding.items()}, sizes
