"""What can be cited, and the pairs of items and labels that the ranker sees.

A label is ``Chapter``, ``Chapter > Section``, ``Non-MTUS`` or ``None cited``.  Labels of body-part
chapters are also known by their *relative* name, ``* > Special Studies``, where ``*`` stands for
the chapter of the requested body part: what reviewers cite for a knee study tells what they cite
for a shoulder study.

Most of what the ranker sees of a pair are shares: how often reviewers cited the label for items
alike, smoothed, by context.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.data import table_rows
from imr.features.condition import Condition, condition, holds
from imr.models.frame import DATE_COLUMNS, Array, listed, numbers, texts

NONE_CITED, NON_MTUS = "None cited", "Non-MTUS"
ARROW, RELATIVE = " > ", "*"

FLAGS = ("associated_with_surgery", "primary_surgery_in_letter", "request_postoperative")
CITED = "administrator_labels"
TEXT_COLUMNS = (
    *("category", "subcategory", "request_terms", "request_body_parts", "case_body_part"),
    CITED,
)
REQUEST_COLUMNS = (*TEXT_COLUMNS, "n_items", *FLAGS, *DATE_COLUMNS)
UNSPECIFIED = ", unspecified"
_DRUGS = "Pharmaceuticals"
# "Nerve studies of the upper extremities" are decided under the chapter of what hurts.
_IN_LIMB = {
    "upper extremity": frozenset({"cervical spine", "elbow"}),
    "lower extremity": frozenset({"knee", "ankle", "foot"}),
}
_WORD = re.compile(r"[a-z]{3,}")
_STOP = frozenset(
    ["and", "for", "the", "with", "chronic", "pain", "treatment", "medical", "therapy"]
)

Codes = npt.NDArray[np.intp]
Kind = tuple[str, str | None, str | None, str | None]
"""Category, subcategory, term and body chapter of requests; None stands for any."""
KIND_COLUMNS = ("category", "subcategory", "request_term", "body_chapter")

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
    *("share_readers", "cited_label", "cited_first", "cited_chapter", "cited_count"),
    *("link", "link_chapter", "body_part", "wording"),
    *("has_section", "is_none_cited", "is_non_mtus"),
    *("none_cited_at_all", "n_items", "surgical"),
)
_KEPT_FOR_SURE = 10.0
_FINER = ("part", "term", "cited", "role_cited", "class_cited")


# --- labels ---


@lru_cache(maxsize=4096)
def chapter_of(label: str) -> str:
    """``"Knee > Special Studies"`` -> ``"Knee"``."""
    return label.split(ARROW, 1)[0]


def section_of(label: str) -> str:
    """``"Knee > Special Studies"`` -> ``"Special Studies"``; nothing for a whole chapter."""
    return label.partition(ARROW)[2]


def relative(label: str, body_chapter: str | None) -> str:
    """The label with the chapter of the requested body part written as ``*``."""
    if not body_chapter or chapter_of(label) != body_chapter:
        return label
    return RELATIVE + label[len(body_chapter) :]


def absolute(label: str, body_chapter: str | None) -> str | None:
    """The inverse of :func:`relative`; None where no body part is known."""
    if not label.startswith(RELATIVE):
        return label
    return body_chapter + label[len(RELATIVE) :] if body_chapter else None


@lru_cache(maxsize=4096)
def words(text: str) -> frozenset[str]:
    """Words of three letters and more that tell sections apart, lower case, without plural s."""
    found = _WORD.findall(text.lower())
    return frozenset(word.rstrip("s") for word in found if word not in _STOP)


# --- tables ---


class Link(NamedTuple):
    """A guideline section that a kind of request falls under, with its source."""

    when: Condition
    label: str
    source: str


def rows_of(name: str) -> Sequence[Mapping[str, str]]:
    """The rows of a table beside this module."""
    return table_rows(name, Path(__file__).parent)


@cache
def guideline_links() -> tuple[Link, ...]:
    """``models/guideline/links.csv``: which section a kind of request falls under."""
    rows = rows_of("links")
    return tuple(Link(condition(row["when"]), row["label"], row["source"]) for row in rows)


@cache
def body_chapters() -> Mapping[str, str]:
    """Body part -> the chapter that treats it (``models/guideline/body_parts.csv``)."""
    return {row["body_part"]: row["chapter"] for row in rows_of("body_parts")}


@cache
def catalogue_labels() -> tuple[str, ...]:
    """Every label of the shipped catalogue, sections and whole chapters, sorted."""
    rows = table_rows("reference/mtus_sections")
    sections = {f"{row['chapter']}{ARROW}{row['section']}" for row in rows}
    chapters = {row["chapter"] for row in table_rows("reference/mtus_chapters")}
    return tuple(sorted({*sections, *chapters, NONE_CITED, NON_MTUS}))


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


@cache
def _cited_by_readers() -> Mapping[Kind, Mapping[str, float]]:
    asked: dict[tuple[str, ...], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows_of("readers"):
        label = relative(row["label"], row["body_chapter"])
        asked[tuple(row[name] for name in KIND_COLUMNS)][label] += float(row["percent"]) / 100
    within: dict[Kind, list[Mapping[str, float]]] = defaultdict(list)
    for names, shares in asked.items():
        for kind in _coarser(*names):
            within[kind].append(shares)
    return {
        kind: {label: sum(s.get(label, 0.0) for s in own) / len(own) for label in chain(*own)}
        for kind, own in within.items()
    }


def _coarser(category: str, subcategory: str, term: str, body: str) -> tuple[Kind, ...]:
    """A kind of request and the coarser ones it belongs to."""
    return (
        (category, subcategory, term, body),
        (category, subcategory, term, None),
        (category, subcategory, None, body),
        (category, subcategory, None, None),
        (category, None, None, None),
    )


@lru_cache(maxsize=4096)
def out_of_force(day: date | None) -> tuple[str, ...]:
    """Chapters of which no edition was in force on that day, sorted; none where the day is not
    known.  The windows are those of whole chapters in ``data/reference/guideline_catalogue.csv``.
    """
    if day is None:
        return ()
    in_force = {chapter for chapter, start, end in _windows() if start <= day <= end}
    return tuple(sorted({chapter for chapter, *_ in _windows()} - in_force))


@cache
def _windows() -> list[tuple[str, date, date]]:
    """Chapter, first and last day of its editions; a month or year alone means its first day."""
    return [
        (
            row["chapter_short"],
            date.fromisoformat((row["effective_from"] + "-01-01")[:10]),
            date.fromisoformat(row["effective_to"]) if row["effective_to"] else date.max,
        )
        for row in table_rows("reference/guideline_catalogue")
        if row["chapter_short"] and row["whole_chapter"] == "true" and row["effective_from"]
    ]


# --- requests ---


def describe(frame: pd.DataFrame) -> pd.DataFrame:
    """The request columns and what follows from them, a row an item.

    Adds ``out_of_force`` (chapters that could not be cited), ``request_term``, ``body_chapters``,
    ``body_chapter``, ``first_cited``, ``cited_chapter`` and ``surgical_role``.
    """
    facts = _request(frame)
    facts["letter_id"] = frame["letter_id"].astype(str).tolist()
    facts["request_term"] = [*map(_first_named, facts["request_terms"])]
    facts["body_chapters"] = [*map(_body_chapters, facts["request_body_parts"])]
    facts["body_chapter"] = [*map(_first_named, facts["body_chapters"])]
    facts["first_cited"] = [*map(_first_named, facts[CITED])]
    chapters = map(chapter_of, facts["first_cited"])
    facts["cited_chapter"] = [*map(relative, chapters, facts["body_chapter"])]
    roles = zip(facts["associated_with_surgery"], facts["primary_surgery_in_letter"], strict=True)
    facts["surgical_role"] = [
        ("disputed" if disputed else "not disputed") if associated else ""
        for associated, disputed in roles
    ]
    # Objects, for rows are picked and compared far more often than columns are worked on.
    return pd.DataFrame(facts, dtype=object)


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
    retired = (out_of_force(date.fromisoformat(day) if day else None) for day in days)
    facts["out_of_force"] = ["|".join(chapters) for chapters in retired]
    # A request that names no body part is about the region of the case; drugs are decided under
    # their own sections, whatever hurts.
    of_case = facts.pop("case_body_part")
    requests = zip(facts["request_body_parts"], of_case, facts["category"], strict=True)
    facts["request_body_parts"] = [
        part
        if part in _IN_LIMB.get(requested, ())
        else requested or ("" if category == _DRUGS else part)
        for requested, part, category in requests
    ]
    return facts


@lru_cache(maxsize=4096)
def _first_named(cell: str) -> str:
    """The first of a list that names something ("drug, unspecified" does not)."""
    return next((entry for entry in listed(cell) if not entry.endswith(UNSPECIFIED)), "")


@lru_cache(maxsize=4096)
def _body_chapters(cell: str) -> str:
    """The chapters of the requested body parts, in their order, joined; of a part without a row
    that of the longest name it contains.
    """
    known, found = body_chapters(), []
    for part in listed(cell):
        inside = [part] if part in known else [name for name in known if name in part.lower()]
        found += [known[max(inside, key=len)]] if inside else []
    return "|".join(filter(None, dict.fromkeys(found)))


# --- shares ---


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
        shares, labels = cls({}, smoothing), relative_truth(items, truth)
        for name in CONTEXTS:
            table: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
            keys = _context_keys(items, name)
            weights = _siblings(items, keys)[1].tolist()
            for key, label, weight in zip(keys, labels, weights, strict=True):
                table[key][label] += weight
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
    ) -> dict[str, Array]:
        """Smoothed shares of each context, shape (items, vocabulary and 'never cited').

        ``decided`` are the items' relative labels where these items were counted: what their
        letter added is then taken out again.
        """
        shares: dict[str, Array] = {}
        width = len(self.vocabulary) + 1
        for name, (_, coarser) in CONTEXTS.items():
            keys = _context_keys(items, name)
            row_of, matrix = self._matrices[name]
            counts = matrix[[row_of.get(key, -1) for key in keys]]
            if decided is not None:
                letter_of, weights = _siblings(items, keys)
                own = np.zeros((letter_of.max() + 1, width))
                places = np.array([self.position[label] for label in decided])
                np.add.at(own, (letter_of, places), weights)
                counts = np.clip(counts - own[letter_of], 0, None)
            base = shares[coarser] if coarser else 1.0 / width
            total = counts.sum(axis=1, keepdims=True)
            shares[name] = (counts + self.smoothing * base) / (total + self.smoothing)
        return shares

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


def relative_truth(items: pd.DataFrame, truth: Sequence[str]) -> list[str]:
    """The decided labels with the requested body part's chapter written as ``*``."""
    return [relative(*pair) for pair in zip(truth, items["body_chapter"], strict=True)]


def _context_keys(items: pd.DataFrame, context: str) -> list[str]:
    """A context's value for each item, as text."""
    return ["\t".join(row) for row in items[[*CONTEXTS[context][0]]].to_numpy(dtype=object)]


def _siblings(items: pd.DataFrame, keys: Sequence[str]) -> tuple[Codes, Array]:
    """Items of one letter with the same key share a number, and weigh together as the root of how
    many they are.
    """
    alike = items.groupby(["letter_id", np.array(keys, dtype=object)])
    numbers = np.asarray(alike.ngroup(), dtype=np.intp)
    return numbers, 1.0 / np.sqrt(np.bincount(numbers)[numbers])


# --- pairs ---


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
    facts = {
        **_shares(items, known, shares, decided),
        **_cited(items, known, chapters),
        **_links(items, known, chapters),
        **_item_facts(items, known, chapters),
    }
    # Labels that only another item's administrator prints, and chapters not in force.
    impossible = np.zeros((len(items), len(known)), dtype=bool)
    impossible[:, len(labels) :] = True
    for retired, rows in _groups(items, "out_of_force"):
        impossible[rows[:, None], np.isin(chapters, listed(retired))] = True
    promise = np.where(impossible & (facts["cited_label"] == 0), -np.inf, _promise(facts))
    best = np.argsort(-promise, axis=1, kind="stable")[:, :kept]
    pairs = [np.take_along_axis(facts[name], best, axis=1) for name in PAIR_FEATURES]
    return np.array(known, dtype=object)[best], np.stack(pairs, 2, dtype=np.float32).astype(float)


def _promise(facts: Mapping[str, Array]) -> Array:
    """A first, rough order: which candidates are worth ranking."""

    def total(*names: str) -> Any:
        return sum(facts[name] for name in names)

    sure = total("cited_label", "link", "is_none_cited", "is_non_mtus")
    shares = total(*(f"share_{name}" for name in _FINER)) + 2 * total("share_readers")
    chapters = total("chapter_share_part", "cited_chapter") + 20 * total("wording")
    return np.asarray(_KEPT_FOR_SURE * sure + shares + 0.01 * chapters, dtype=np.float64)


def _groups(items: pd.DataFrame, names: str | list[str]) -> Iterable[tuple[Any, Codes]]:
    """The distinct values of columns, each with the places of its items."""
    groups: Any = items.groupby(names, dropna=False).indices
    return [*groups.items()]


# --- features of pairs by name, shape (items, labels) ---


def _shares(
    items: pd.DataFrame, labels: list[str], shares: Shares, decided: Sequence[str] | None
) -> dict[str, Array]:
    """Shares of the labels and of their chapters; ``*`` stands for the item's own chapter."""
    facts: dict[str, Array] = defaultdict(lambda: np.empty((len(items), len(labels))))
    never = len(shares.vocabulary)
    vocabulary = np.array([*map(chapter_of, shares.vocabulary)], dtype=str)
    tables = shares.by_context(items, decided)
    for body, rows in _groups(items, "body_chapter"):
        # The labels as an item with that body chapter sees them: their places in the vocabulary,
        # their chapters, and which words of the vocabulary belong to each chapter.
        names = [relative(label, body) for label in labels]
        places = [shares.position.get(name, never) for name in names]
        chapters, codes = np.unique([*map(chapter_of, names)], return_inverse=True)
        belongs = (vocabulary[:, None] == chapters).astype(np.float64)
        for name, table in tables.items():
            facts[f"share_{name}"][rows] = table[rows[:, None], places]
            facts[f"chapter_share_{name}"][rows] = (table[rows, :never] @ belongs)[:, codes]
    return facts


def _cited(items: pd.DataFrame, labels: list[str], chapters: npt.NDArray[Any]) -> dict[str, Array]:
    """What the administrator's citation says of the labels."""
    place = {label: column for column, label in enumerate(labels)}
    facts: dict[str, Array] = defaultdict(lambda: np.zeros((len(items), len(labels))))
    for cell, rows in _groups(items, CITED):
        printed = listed(cell)
        columns = [place[label] for label in printed]
        of_chapter = np.isin(chapters, [*map(chapter_of, printed)])
        facts["cited_count"][rows] = len(printed)
        facts["none_cited_at_all"][rows] = NONE_CITED in printed
        facts["cited_label"][rows[:, None], columns] = 1.0
        facts["cited_first"][rows[:, None], columns[:1]] = 1.0
        facts["cited_chapter"][rows[:, None], of_chapter] = 1.0
    return facts


def _links(items: pd.DataFrame, labels: list[str], chapters: npt.NDArray[Any]) -> dict[str, Array]:
    """The sections that the kind of request falls under, and their chapters."""
    place = {label: column for column, label in enumerate(labels)}
    linked, linked_chapter = np.zeros((2, len(items), len(labels)))
    asked = {term.name for link in guideline_links() for terms in link.when for term in terms}
    columns = sorted(asked | {"body_chapter"})
    for values, rows in _groups(items, columns):
        request = dict(zip(columns, values, strict=True))
        for link in guideline_links():
            label = absolute(link.label, request["body_chapter"])
            if label in place and holds(link.when, request):
                linked[rows, place[label]] = 1.0
                linked_chapter[rows[:, None], chapters == chapter_of(label)] = 1.0
    return {"link": linked, "link_chapter": linked_chapter}


def _item_facts(
    items: pd.DataFrame, labels: list[str], chapters: npt.NDArray[Any]
) -> dict[str, Array]:
    """What readers of kinds of requests expect; facts of the item alone, and of the label alone."""
    shape = len(items), len(labels)
    readers, about = np.empty((2, *shape))
    for kind, rows in _groups(items, [*KIND_COLUMNS]):
        shares = cited_by_readers(*kind)
        readers[rows] = [shares.get(relative(label, kind[-1]), 0.0) for label in labels]
    for named, rows in _groups(items, "body_chapters"):
        about[rows] = np.isin(chapters, listed(named))
    terms = items["request_terms"].str.replace(UNSPECIFIED, "")
    of_labels = {
        "has_section": [ARROW in label for label in labels],
        "is_none_cited": chapters == NONE_CITED,
        "is_non_mtus": chapters == NON_MTUS,
    }
    of_items = {"n_items": items["n_items"], "surgical": items["surgical_role"] != ""}
    return {
        "share_readers": readers,
        "body_part": about,
        "wording": _overlaps(terms + " " + items["subcategory"], labels),
        **{n: np.broadcast_to(np.array(v, float), shape) for n, v in of_labels.items()},
        **{n: np.broadcast_to(np.array(v, float)[:, None], shape) for n, v in of_items.items()},
    }


def _overlaps(requests: Iterable[str], labels: Sequence[str]) -> Array:
    """The share of each section's words that a request has, shape (requests, labels)."""
    sections = [words(section_of(label)) for label in labels]
    common = [[len(own & asked) for own in sections] for asked in map(words, requests)]
    return np.reshape(common, (-1, len(labels))) / [max(len(own), 1) for own in sections]
