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
from collections.abc import Callable, Mapping, Sequence
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
from imr.features.condition import Condition, condition
from imr.models.frame import DATE_COLUMNS, Array, conditions_hold, listed, numbers, texts

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


def _rows(name: str) -> Sequence[Mapping[str, str]]:
    return table_rows(name, Path(__file__).parent)


@cache
def guideline_links() -> tuple[Link, ...]:
    """``models/guideline/links.csv``: which section a kind of request falls under."""
    rows = _rows("links")
    return tuple(Link(condition(row["when"]), row["label"], row["source"]) for row in rows)


@cache
def body_chapters() -> Mapping[str, str]:
    """Body part -> the chapter that treats it (``models/guideline/body_parts.csv``)."""
    return {row["body_part"]: row["chapter"] for row in _rows("body_parts")}


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
    for row in _rows("readers"):
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


def out_of_force(day: date | None) -> tuple[str, ...]:
    """Chapters of which no edition was in force on that day, sorted; none where the day is not
    known.  The windows are those of whole chapters in ``data/reference/guideline_catalogue.csv``.
    """
    if day is None:
        return ()
    in_force: dict[str, bool] = {}
    for chapter, start, end in _windows():
        in_force[chapter] = in_force.get(chapter, False) or start <= day <= end
    return tuple(sorted(chapter for chapter, ever in in_force.items() if not ever))


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
    facts["request_term"] = _mapped(facts["request_terms"], _first_named)
    facts["body_chapters"] = _mapped(facts["request_body_parts"], _body_chapters)
    facts["body_chapter"] = _mapped(facts["body_chapters"], _first_named)
    facts["first_cited"] = _mapped(facts[CITED], _first_named)
    chapters = zip(_mapped(facts["first_cited"], chapter_of), facts["body_chapter"], strict=True)
    facts["cited_chapter"] = [relative(cited, body) for cited, body in chapters]
    roles = zip(facts["associated_with_surgery"], facts["primary_surgery_in_letter"], strict=True)
    facts["surgical_role"] = [
        ("disputed" if disputed else "not disputed") if associated else ""
        for associated, disputed in roles
    ]
    # Objects, for rows are picked and compared far more often than columns are worked on.
    typed = ("n_items", *FLAGS)
    columns = {n: v if n in typed else pd.Series(v, dtype=object) for n, v in facts.items()}
    return pd.DataFrame(columns)


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
    facts["out_of_force"] = _mapped(
        days, lambda day: "|".join(out_of_force(date.fromisoformat(day) if day else None))
    )
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


def _mapped(values: Sequence[str], function: Callable[[str], str]) -> list[str]:
    """``function`` of every value, called once a distinct value."""
    results = {value: function(value) for value in set(values)}
    return [results[value] for value in values]


def _first_named(cell: str) -> str:
    """The first of a list that names something ("drug, unspecified" does not)."""
    return next((entry for entry in listed(cell) if not entry.endswith(UNSPECIFIED)), "")


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


def alike(columns: Sequence[npt.NDArray[Any]], rows: int) -> tuple[Codes, Codes]:
    """Rows alike in all columns share a number: the first row of each number, and the numbers."""
    codes = np.zeros(rows, dtype=np.intp)
    for column in columns:
        column_codes, values = pd.factorize(column)
        codes = np.unique(codes * max(len(values), 1) + column_codes, return_inverse=True)[1]
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    return first, codes


def _distinct(items: pd.DataFrame, names: Sequence[str]) -> tuple[list[tuple[Any, ...]], Codes]:
    """The distinct rows of some columns, and which of them each item is."""
    columns = [items[name].to_numpy(dtype=object) for name in names]
    first, codes = alike(columns, len(items))
    return list(zip(*(column[first] for column in columns), strict=True)), codes


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
        shares = cls({}, smoothing)
        label_of, names = pd.factorize(np.array(relative_truth(items, truth), dtype=object))
        for name in CONTEXTS:
            codes, _, keys = _context_keys(items, name)
            table: dict[str, dict[str, float]] = {key: {} for key in keys}
            met = codes * len(names) + label_of
            totals = np.bincount(met, _letter_weights(items, codes)[1])
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
            row_of, matrix = self._matrices[name]
            counts = matrix[[row_of.get(key, -1) for key in keys]]
            if decided is not None:
                own = self._of_own_letter(items, codes, decided)
                counts = np.clip(counts[codes] - own, 0, None)
                codes = first = np.arange(len(items))
            base = np.full((1, width), 1.0 / width)
            if coarser:
                base = tables[coarser].rows[tables[coarser].codes[first]]
            total = counts.sum(axis=1, keepdims=True)
            smoothed = (counts + self.smoothing * base) / (total + self.smoothing)
            tables[name] = LabelTable(codes, smoothed)
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
        pairs, weights = _letter_weights(items, codes)
        matrix = np.zeros((pairs.max() + 1, len(self.vocabulary) + 1))
        places = np.array([self.position[label] for label in decided], dtype=np.intp)
        np.add.at(matrix, (pairs, places), weights)
        return matrix[pairs]


def relative_truth(items: pd.DataFrame, truth: Sequence[str]) -> list[str]:
    """The decided labels with the requested body part's chapter written as ``*``."""
    return [relative(*pair) for pair in zip(truth, items["body_chapter"], strict=True)]


def _context_keys(items: pd.DataFrame, context: str) -> tuple[Codes, Codes, list[str]]:
    """A context's value for each item: its number, the first item of each number, and the values
    as text.
    """
    columns = [items[column].to_numpy(dtype=object) for column in CONTEXTS[context][0]]
    first, codes = alike(columns, len(items))
    return codes, first, ["\t".join(column[row] for column in columns) for row in first]


def _letter_weights(items: pd.DataFrame, codes: Codes) -> tuple[Codes, Array]:
    """Items of one letter with the same key share a number, and weigh together as the root of how
    many they are.
    """
    pairs = alike([items["letter_id"].to_numpy(dtype=object), codes], len(items))[1]
    return pairs, np.asarray(1.0 / np.sqrt(np.bincount(pairs)[pairs]))


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

    def total(*names: str) -> Any:
        return sum(tables[name].by_item for name in names)

    sure = total("cited_label", "link", "is_none_cited", "is_non_mtus")
    shares = total(*(f"share_{name}" for name in _FINER)) + 2 * total("share_readers")
    chapters = total("chapter_share_part", "cited_chapter") + 20 * total("wording")
    return np.asarray(_KEPT_FOR_SURE * sure + shares + 0.01 * chapters, dtype=np.float64)


def _shares(
    items: pd.DataFrame, labels: list[str], shares: Shares, decided: Sequence[str] | None
) -> dict[str, LabelTable]:
    """Shares of the labels and of their chapters; ``*`` stands for the item's own chapter."""
    bodies, body_of = np.unique(items["body_chapter"].to_numpy(dtype=str), return_inverse=True)
    # The labels as an item with some body chapter sees them: their places in the vocabulary,
    # their chapters, and which words of the vocabulary belong to each chapter.
    never = len(shares.vocabulary)
    vocabulary = np.array([*map(chapter_of, shares.vocabulary)], dtype=str)
    views = []
    for body in bodies.tolist():
        names = [relative(label, body) for label in labels]
        places = [shares.position.get(name, never) for name in names]
        chapters, codes = np.unique([*map(chapter_of, names)], return_inverse=True)
        views.append((places, codes, (vocabulary[:, None] == chapters).astype(np.float64)))
    result: dict[str, LabelTable] = {}
    for name, table in shares.by_context(items, decided).items():
        first, codes = alike([table.codes, body_of], len(items))
        own, of_chapter = np.empty((2, len(first), len(labels)))
        for number, (places, chapters, belongs) in enumerate(views):
            chosen = np.flatnonzero(body_of[first] == number)
            rows = table.rows[table.codes[first[chosen]]]
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
    whens = [link.when for link in guideline_links()]
    columns = sorted({term.name for when in whens for terms in when for term in terms})
    read = [items[name].to_numpy(dtype=object) for name in (*columns, "body_chapter")]
    first, codes = alike(read, len(items))
    requests = items.iloc[first].reset_index(drop=True)
    linked, linked_chapter = np.zeros((2, len(requests), len(labels)))
    bodies, body_of = np.unique(requests["body_chapter"].to_numpy(dtype=str), return_inverse=True)
    for link, applies in zip(guideline_links(), conditions_hold(requests, whens), strict=True):
        for code in np.unique(body_of[applies]):
            label = absolute(link.label, str(bodies[code]))
            if label in place:
                rows = np.flatnonzero(applies & (body_of == code))
                linked[rows, place[label]] = 1.0
                same = np.flatnonzero(chapters == chapter_of(label))
                linked_chapter[np.ix_(rows, same)] = 1.0
    return {"link": LabelTable(codes, linked), "link_chapter": LabelTable(codes, linked_chapter)}


def _readers(items: pd.DataFrame, labels: list[str]) -> LabelTable:
    """The share that readers of kinds of requests give each label."""
    kinds, codes = _distinct(items, KIND_COLUMNS)
    rows = np.zeros((len(kinds), len(labels)))
    for row, kind in enumerate(kinds):
        if shares := cited_by_readers(*kind):
            rows[row] = [shares.get(relative(label, kind[-1]), 0.0) for label in labels]
    return LabelTable(codes, rows)


def _item_facts(
    items: pd.DataFrame, labels: list[str], chapters: npt.NDArray[Any]
) -> dict[str, LabelTable]:
    """Facts of the item alone, and of the label alone."""
    bodies, named = pd.factorize(items["body_chapters"])
    about = [np.isin(chapters, listed(cell)) for cell in named]
    kinds, asked = _distinct(items, ("request_terms", "subcategory"))
    requests = [f"{terms.replace(UNSPECIFIED, '')} {kind}" for terms, kind in kinds]

    def of_labels(values: Any) -> LabelTable:
        return LabelTable(np.zeros(len(items), dtype=np.intp), np.array([values], dtype=np.float64))

    def of_items(values: pd.Series[Any]) -> LabelTable:
        codes, distinct = pd.factorize(values, use_na_sentinel=False)
        rows = np.array(distinct, dtype=np.float64)[:, None]
        return LabelTable(codes, np.broadcast_to(rows, (len(distinct), len(labels))))

    return {
        "body_part": LabelTable(bodies, np.array(about, dtype=np.float64)),
        "wording": LabelTable(asked, _overlaps(requests, tuple(labels))),
        "has_section": of_labels([ARROW in label for label in labels]),
        "is_none_cited": of_labels(chapters == NONE_CITED),
        "is_non_mtus": of_labels(chapters == NON_MTUS),
        "n_items": of_items(items["n_items"]),
        "surgical": of_items(items["surgical_role"] != ""),
    }


def _overlaps(requests: Sequence[str], labels: tuple[str, ...]) -> Array:
    """The share of each section's words that a request has, shape (requests, labels)."""
    holding, sizes = _section_words(labels)
    common = np.zeros((len(requests), len(labels)))
    for row, asked in enumerate(requests):
        for word in words(asked) & holding.keys():
            common[row, holding[word]] += 1.0
    return common / sizes


@lru_cache(maxsize=64)
def _section_words(labels: tuple[str, ...]) -> tuple[dict[str, list[int]], Array]:
    """The labels whose section holds a word, by word, and how many words each section has."""
    sections = [words(section_of(label)) for label in labels]
    holding: dict[str, list[int]] = defaultdict(list)
    for place, section in enumerate(sections):
        for word in section:
            holding[word].append(place)
    return holding, np.array([max(len(section), 1) for section in sections], dtype=np.float64)
