"""Items paired with the labels they could be decided on, and what the ranker sees of each pair.

Most of it are shares: how often reviewers cited each label for items alike, smoothed, by context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
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
    cited_by_readers,
    guideline_links,
    relative,
    section_of,
    words,
)

Codes = npt.NDArray[np.intp]
CONTEXTS: Mapping[str, tuple[tuple[str, ...], str | None]] = {
    "all": ((), None),
    "category": (("category",), "all"),
    "subcategory": (("category", "subcategory"), "category"),
    "part": (("category", "subcategory", "body_chapter"), "subcategory"),
    "term": (("category", "subcategory", "request_term"), "subcategory"),
    "cited": (("first_cited",), "all"),
    "role_cited": (("surgical_role", "first_cited"), "cited"),
    "class_cited": (("category", "subcategory", "cited_chapter"), "subcategory"),
}
"""A context of an item, and the coarser one it falls back on where few letters share it."""
PAIR_FEATURES = (
    *(f"share_{name}" for name in CONTEXTS),
    *(f"chapter_share_{name}" for name in CONTEXTS if name != "all"),
    "share_readers",
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
    *(f"share_{name}" for name in (*_FINER, "readers")),
    *("cited_label", "link", "is_none_cited", "is_non_mtus"),
    *("chapter_share_part", "cited_chapter", "wording"),
)


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Rows beside the labels, shape (rows, labels); ``codes`` is the row of each item.

    Few rows stand for many items: most features depend on one part of the request.
    """

    codes: Codes
    rows: Array

    @property
    def by_item(self) -> Array:
        """The values of every item, shape (items, labels)."""
        return self.rows[self.codes]

    def of_items(self, items: Codes) -> Array:
        """The values of some items, shape (items, labels)."""
        return self.rows[self.codes[items]]


def alike(columns: Sequence[npt.NDArray[Any]], rows: int) -> tuple[Codes, Codes]:
    """Rows alike in all columns share a number: the first row of each number, and the numbers."""
    codes = np.zeros(rows, dtype=np.intp)
    for column in columns:
        column_codes, values = pd.factorize(column)
        codes = np.unique(codes * max(len(values), 1) + column_codes, return_inverse=True)[1]
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    return first, codes


@dataclass
class Shares:
    """Counts of letters (not of siblings) that were decided on each label, by context.

    ``counts``: context -> key (values joined by a tab) -> relative label -> weight.
    ``smoothing``: how many letters a context needs to outweigh the coarser one.
    """

    counts: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    smoothing: float = 2.0

    @classmethod
    def learned(cls, items: pd.DataFrame, truth: Sequence[str], smoothing: float) -> Shares:
        """Counts over decided items; siblings alike weigh together as much as their root."""
        shares = cls({name: {} for name in CONTEXTS}, smoothing)
        label_of, names = pd.factorize(np.array(relative_truth(items, truth), dtype=object))
        for name in CONTEXTS:
            codes, _, keys = _context_keys(items, name)
            table: dict[str, dict[str, float]] = {key: {} for key in keys}
            met = codes * len(names) + label_of
            totals = np.bincount(met, _weights(items, codes), minlength=len(keys) * len(names))
            for place in np.unique(met):
                table[keys[place // len(names)]][names[place % len(names)]] = float(totals[place])
            shares.counts[name] = {key: dict(sorted(row.items())) for key, row in table.items()}
        return shares

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Relative labels with counts, sorted."""
        return tuple(sorted({label for row in self.counts["all"].values() for label in row}))

    @cached_property
    def position(self) -> dict[str, int]:
        """Place of each label in the vocabulary; the place after the last is 'never cited'."""
        return {label: place for place, label in enumerate(self.vocabulary)}

    def by_context(
        self, items: pd.DataFrame, decided: Sequence[str] | None = None
    ) -> dict[str, LabelTable]:
        """Smoothed shares of each context, beside the vocabulary and 'never cited'.

        ``decided`` are the items' relative labels where these items were counted: what their
        letter added is then taken out again, so that each item has a row of its own.
        """
        tables: dict[str, LabelTable] = {}
        width = len(self.vocabulary) + 1
        for name, (_, coarser) in CONTEXTS.items():
            codes, first, keys = _context_keys(items, name)
            if decided is not None:
                first = np.arange(len(items))
            row_of, matrix = self._matrices[name]
            counts = matrix[[row_of.get(key, -1) for key in keys]]
            if decided is not None:
                counts = np.clip(
                    counts[codes] - self._of_own_letter(items, codes, decided), 0, None
                )
                codes = first
            base = tables[coarser].of_items(first) if coarser else np.full((1, width), 1.0 / width)
            total = counts.sum(axis=1, keepdims=True)
            tables[name] = LabelTable(
                codes, (counts + self.smoothing * base) / (total + self.smoothing)
            )
        return tables

    @cached_property
    def _matrices(self) -> dict[str, tuple[dict[str, int], Array]]:
        """Counts as matrices, a row a key, with a last empty row for keys never met."""
        matrices = {}
        for name, table in self.counts.items():
            matrix = np.zeros((len(table) + 1, len(self.vocabulary) + 1))
            for row, weights in enumerate(table.values()):
                matrix[row, [self.position[label] for label in weights]] = [*weights.values()]
            matrices[name] = {key: row for row, key in enumerate(table)}, matrix
        return matrices

    def _of_own_letter(self, items: pd.DataFrame, codes: Codes, decided: Sequence[str]) -> Array:
        pairs = _letter_codes(items, codes)
        matrix = np.zeros((pairs.max() + 1, len(self.vocabulary) + 1))
        places = np.array([self.position[label] for label in decided], dtype=np.intp)
        np.add.at(matrix, (pairs, places), _weights(items, codes))
        return matrix[pairs]


def make_pairs(
    items: pd.DataFrame,
    labels: Sequence[str],
    shares: Shares,
    kept: int,
    decided: Sequence[str] | None = None,
) -> tuple[npt.NDArray[Any], Array]:
    """Pair every item with the ``kept`` labels that could be meant, and describe the pairs.

    ``decided``: the items' own relative labels in training (:meth:`Shares.by_context`).  Returns
    the names, shape (items, kept), and ``PAIR_FEATURES``, shape (items, kept, features).
    """
    printed = {label for cell in items[CITED].unique() for label in listed(cell)}
    known = [*labels, *sorted(printed - set(labels))]
    chapters = np.array([chapter_of(label) for label in known])
    tables = {
        **_shares(items, known, shares, decided),
        **_cited(items, known, chapters),
        **_links(items, known, chapters),
        "share_readers": _readers(items, known),
        **_item_facts(items, known, chapters),
    }
    # Labels that only another item's administrator prints, and chapters not in force.
    impossible = np.zeros((len(items), len(known)), dtype=bool)
    impossible[:, len(labels) :] = True
    for retired in items["out_of_force"].unique():
        rows = (items["out_of_force"] == retired).to_numpy()
        impossible[np.ix_(rows, np.isin(chapters, listed(retired)))] = True
    promise = _promise(tables)
    promise[impossible & (tables["cited_label"].by_item == 0)] = -np.inf
    best = np.argsort(-promise, axis=1, kind="stable")[:, :kept]
    features = np.empty((*best.shape, len(PAIR_FEATURES)), dtype=np.float32)
    for place, name in enumerate(PAIR_FEATURES):
        features[:, :, place] = tables[name].rows[tables[name].codes[:, None], best]
    return np.array(known, dtype=object)[best], features.astype(np.float64)


def _promise(tables: Mapping[str, LabelTable]) -> Array:
    """A first, rough order: which candidates are worth ranking."""
    values = {name: tables[name].by_item for name in _PROMISING}
    sure = values["cited_label"] + values["link"] + values["is_none_cited"] + values["is_non_mtus"]
    shares = sum(values[f"share_{name}"] for name in _FINER) + 2 * values["share_readers"]
    chapters = values["chapter_share_part"] + values["cited_chapter"] + 20 * values["wording"]
    return np.asarray(_KEPT_FOR_SURE * sure + shares + 0.01 * chapters, dtype=np.float64)


def _shares(
    items: pd.DataFrame, labels: list[str], shares: Shares, decided: Sequence[str] | None
) -> dict[str, LabelTable]:
    """Shares of the labels and of their chapters; ``*`` stands for the item's own chapter."""
    bodies, body_of = np.unique(items["body_chapter"].to_numpy(dtype=str), return_inverse=True)
    # The labels as an item with some body chapter sees them: their places in the vocabulary,
    # their chapters, and which words of the vocabulary belong to each chapter.
    never, chapter_of_known = len(shares.vocabulary), [chapter_of(n) for n in shares.vocabulary]
    views = []
    for body in bodies:
        names = [relative(label, str(body) or None) for label in labels]
        places = np.array([shares.position.get(name, never) for name in names], dtype=np.intp)
        chapters, codes = np.unique([chapter_of(name) for name in names], return_inverse=True)
        belongs = np.array(chapter_of_known, dtype=object)[:, None] == chapters.astype(object)
        views.append((places, codes, belongs.astype(np.float64)))
    result: dict[str, LabelTable] = {}
    for name, table in shares.by_context(items, decided).items():
        first, codes = alike([table.codes, body_of], len(items))
        own, of_chapter = np.empty((2, len(first), len(labels)))
        for number, (places, chapters, belongs) in enumerate(views):
            chosen = np.flatnonzero(body_of[first] == number)
            rows = table.of_items(first[chosen])
            own[chosen] = rows[:, places]
            of_chapter[chosen] = (rows[:, :never] @ belongs)[:, chapters]
        result[f"share_{name}"] = LabelTable(codes, own)
        if name != "all":
            result[f"chapter_share_{name}"] = LabelTable(codes, of_chapter)
    return result


def _cited(
    items: pd.DataFrame, labels: list[str], chapters: npt.NDArray[Any]
) -> dict[str, LabelTable]:
    """What the administrator's citation, a row each, says of the labels."""
    codes, cells = pd.factorize(items[CITED])
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


def _links(
    items: pd.DataFrame, labels: list[str], chapters: npt.NDArray[Any]
) -> dict[str, LabelTable]:
    """The sections that the kind of request falls under, and their chapters."""
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


def _readers(items: pd.DataFrame, labels: list[str]) -> LabelTable:
    """The share that readers of kinds of requests give each label."""
    names = ("category", "subcategory", "request_term", "body_chapter")
    columns = [items[name].to_numpy(dtype=object) for name in names]
    first, codes = alike(columns, len(items))
    rows = np.zeros((len(first), len(labels)))
    for row, kind in enumerate(zip(*(column[first] for column in columns), strict=True)):
        shares, body = cited_by_readers(*kind), str(kind[-1]) or None
        if shares:
            rows[row] = [shares.get(relative(label, body), 0.0) for label in labels]
    return LabelTable(codes, rows)


def _item_facts(
    items: pd.DataFrame, labels: list[str], chapters: npt.NDArray[Any]
) -> dict[str, LabelTable]:
    """Facts of the item alone, and of the label alone."""
    bodies, named = pd.factorize(items["body_chapters"])
    about = [np.isin(chapters, listed(cell)) for cell in named]
    columns = [items[name].to_numpy(dtype=object) for name in ("request_terms", "subcategory")]
    first, asked = alike(columns, len(items))
    pairs = zip(*(column[first] for column in columns), strict=True)
    requests = [f"{terms.replace(UNSPECIFIED, '')} {kind}" for terms, kind in pairs]
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


def relative_truth(items: pd.DataFrame, truth: Sequence[str]) -> list[str]:
    """The decided labels with the requested body part's chapter written as ``*``."""
    pairs = zip(truth, items["body_chapter"], strict=True)
    return [relative(label, body or None) for label, body in pairs]


def _context_keys(items: pd.DataFrame, context: str) -> tuple[Codes, Codes, list[str]]:
    """A context's value for each item: its number, the first item of each number, and the values
    as text.
    """
    columns = [items[column].to_numpy(dtype=object) for column in CONTEXTS[context][0]]
    first, codes = alike(columns, len(items))
    if not columns:
        return codes, first, [""] * len(first)
    return codes, first, ["\t".join(row) for row in zip(*(c[first] for c in columns), strict=True)]


def _letter_codes(items: pd.DataFrame, codes: Codes) -> Codes:
    """Items of one letter with the same key share a number."""
    return alike([items["letter_id"].to_numpy(dtype=object), codes], len(items))[1]


def _weights(items: pd.DataFrame, codes: Codes) -> Array:
    """Siblings with the same key weigh together as the root of their number."""
    pairs = _letter_codes(items, codes)
    return np.asarray(1.0 / np.sqrt(np.bincount(pairs)[pairs]))
