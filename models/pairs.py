"""An item beside a label it could be decided on: what the ranker sees of the pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from imr.models import candidates as cand
from imr.models.effects import conditions_hold, numbers

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]
    Codes = npt.NDArray[np.intp]

# The first of these that is known dates the request; never the decision.
DATE_COLUMNS = ("ur_denial_date", "application_received")
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
# A context of an item and the coarser one it falls back on where few letters share it.
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
UNSPECIFIED = ", unspecified"
_DRUGS = "Pharmaceuticals"
_NO_TEXT = frozenset({"n_items", *FLAGS})


def describe(frame: pd.DataFrame) -> pd.DataFrame:
    """The item's side of a pair: request columns and what follows from them, a row an item."""
    import pandas as pd

    facts = _request(frame)
    facts["letter_id"] = frame["letter_id"].astype(str).tolist()
    facts["request_term"] = _mapped(facts["request_terms"], _first)
    facts["body_chapters"] = _mapped(facts["request_body_parts"], _body_chapters)
    facts["body_chapter"] = _mapped(facts["body_chapters"], _first)
    facts["first_cited"] = _mapped(facts[CITED], _first)
    chapters = zip(
        _mapped(facts["first_cited"], cand.chapter_of), facts["body_chapter"], strict=True
    )
    facts["cited_chapter"] = [cand.RELATIVE if own and own == c else c for c, own in chapters]
    roles = zip(facts["associated_with_surgery"], facts["primary_surgery_in_letter"], strict=True)
    facts["surgical_role"] = [_surgical_role(*role) for role in roles]
    # Objects, for rows are picked and compared far more often than columns are worked on.
    texts = {n: pd.Series(v, dtype=object) for n, v in facts.items() if n not in _NO_TEXT}
    return pd.DataFrame({**facts, **texts})


def _parts(facts: Mapping[str, Sequence[str]]) -> list[str]:
    """The requested body parts; a request that names none is about the region of the case.

    Drugs are decided under their own sections, whatever hurts.
    """
    columns = (facts[name] for name in ("request_body_parts", "case_body_part", "category"))
    return [
        asked or ("" if category == _DRUGS else case)
        for asked, case, category in zip(*columns, strict=True)
    ]


def request_keys(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """What the ranker sees of each item, and nothing else: items with one key rank alike."""
    return list(zip(*_request(frame).values(), strict=True))


def _request(frame: pd.DataFrame) -> dict[str, list[Any]]:
    facts: dict[str, list[Any]] = {name: _texts(frame[name]) for name in TEXT_COLUMNS}
    facts["n_items"] = numbers(frame["n_items"]).tolist()
    for flag in FLAGS:
        facts[flag] = (numbers(frame[flag]) == 1).tolist()
    facts["out_of_force"] = _out_of_force(frame)
    facts["request_body_parts"] = _parts(facts)
    del facts["case_body_part"]
    return facts


def _texts(column: pd.Series[Any]) -> list[str]:
    return [v if isinstance(v, str) else "" for v in column.to_numpy(dtype=object)]


def _surgical_role(associated: bool, disputed: bool) -> str:
    if not associated:
        return ""
    return "disputed" if disputed else "not disputed"


@dataclass
class Shares:
    """How often reviewers cited each label, by context; counts of letters, not of siblings.

    ``counts``: context -> key (values joined by a tab) -> relative label -> weight.
    """

    counts: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    smoothing: float = 2.0

    @classmethod
    def learned(cls, items: pd.DataFrame, truth: Sequence[str], smoothing: float) -> Shares:
        """Counts over decided items; siblings alike weigh together as much as their root."""
        import numpy as np
        import pandas as pd

        shares = cls({name: {} for name in CONTEXTS}, smoothing)
        label_of, names = pd.factorize(np.array(relative_truth(items, truth), dtype=object))
        for name in CONTEXTS:
            codes, _, keys = context_keys(items, name)
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

    @cached_property
    def dense(self) -> dict[str, tuple[dict[str, int], Array]]:
        """Counts as matrices, a row a key, with a last empty row for keys never met."""
        return {name: self._matrix(table) for name, table in self.counts.items()}

    def of(self, items: pd.DataFrame, own: Sequence[str] | None = None) -> dict[str, Table]:
        """Smoothed shares of each context, beside the vocabulary and 'never cited'.

        ``own`` are the items' own relative labels where the items were counted: what their
        letter added is then taken out again, so that each item has a row of its own.
        """
        import numpy as np

        result: dict[str, Table] = {}
        width = len(self.vocabulary) + 1
        for name, (_, parent) in CONTEXTS.items():
            codes, first, keys = context_keys(items, name)
            if own is not None:
                first = np.arange(len(items))
            places, matrix = self.dense[name]
            counts = matrix[[places.get(key, -1) for key in keys]]
            if own is not None:
                counts = np.clip(counts[codes] - self._of_own_letter(items, codes, own), 0.0, None)
                codes = first
            base = result[parent].at(first) if parent else np.full((1, width), 1.0 / width)
            total = counts.sum(axis=1, keepdims=True)
            result[name] = Table(codes, (counts + self.smoothing * base) / (total + self.smoothing))
        return result

    def _matrix(self, table: Mapping[str, Mapping[str, float]]) -> tuple[dict[str, int], Array]:
        import numpy as np

        matrix = np.zeros((len(table) + 1, len(self.vocabulary) + 1))
        for row, labels in enumerate(table.values()):
            for label, weight in labels.items():
                matrix[row, self.position[label]] = weight
        return {key: row for row, key in enumerate(table)}, matrix

    def _of_own_letter(self, items: pd.DataFrame, codes: Codes, own: Sequence[str]) -> Array:
        import numpy as np

        pairs = _letter_codes(items, codes)
        matrix = np.zeros((pairs.max() + 1, len(self.vocabulary) + 1))
        places = np.array([self.position[label] for label in own], dtype=np.intp)
        np.add.at(matrix, (pairs, places), _weights(items, codes))
        return matrix[pairs]


def relative_truth(items: pd.DataFrame, truth: Sequence[str]) -> list[str]:
    """The decided labels with the requested body part's chapter written as ``*``."""
    pairs = zip(truth, items["body_chapter"], strict=True)
    return [cand.relative(label, body or None) for label, body in pairs]


def context_keys(items: pd.DataFrame, context: str) -> tuple[Codes, Codes, list[str]]:
    """A context's value for each item: its number, the first item of each number, and the values
    as text.
    """
    columns = [items[column].to_numpy(dtype=object) for column in CONTEXTS[context][0]]
    first, codes = _combined(columns, len(items))
    if not columns:
        return codes, first, [""] * len(first)
    return codes, first, ["\t".join(row) for row in zip(*(c[first] for c in columns), strict=True)]


def _combined(columns: Sequence[npt.NDArray[Any]], rows: int) -> tuple[Codes, Codes]:
    """Rows alike in all columns share a number: the first row of each number, and the numbers."""
    import numpy as np
    import pandas as pd

    codes = np.zeros(rows, dtype=np.intp)
    for column in columns:
        own, values = pd.factorize(column)
        codes = np.unique(codes * max(len(values), 1) + own, return_inverse=True)[1]
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    return first, codes


@dataclass(frozen=True, slots=True)
class Table:
    """A feature as rows beside the labels; ``codes`` is the row of each item.

    Few rows stand for many items: most features depend on one part of the request.
    """

    codes: Codes
    rows: Array

    def at(self, items: Codes) -> Array:
        """The values of some items beside all labels."""
        return self.rows[self.codes[items]]

    def dense(self) -> Array:
        """The values of all items beside all labels."""
        return self.rows[self.codes]

    def beside(self, labels: Codes) -> Array:
        """The values of each item beside its own choice of labels, shape (items, kept)."""
        return self.rows[self.codes[:, None], labels]


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
    own: Sequence[str] | None = None,
) -> Pairs:
    """Pair every item with the ``kept`` labels that could be meant, and describe the pairs."""
    import numpy as np

    names = np.array(_with_cited(labels, items[CITED]), dtype=object)
    tables = _features(items, list(names), shares, own)
    promise = _promise(tables)
    cited = tables["cited_label"].dense()
    promise[_impossible(items, names, len(labels)) & (cited == 0)] = -np.inf
    best = np.argsort(-promise, axis=1, kind="stable")[:, :kept]
    features = np.empty((*best.shape, len(PAIR_FEATURES)), dtype=np.float32)
    for place, name in enumerate(PAIR_FEATURES):
        features[:, :, place] = tables[name].beside(best)
    return Pairs(names[best], features.astype(np.float64))


def _impossible(items: pd.DataFrame, names: npt.NDArray[Any], known: int) -> npt.NDArray[np.bool_]:
    """Labels that only another item's administrator prints, and chapters not in force."""
    import numpy as np

    chapters = np.array([cand.chapter_of(label) for label in names])
    mask = np.zeros((len(items), len(names)), dtype=bool)
    mask[:, known:] = True
    for retired in items["out_of_force"].unique():
        rows = (items["out_of_force"] == retired).to_numpy()
        mask[np.ix_(rows, np.isin(chapters, cand.cited(retired)))] = True
    return mask


def _with_cited(labels: Sequence[str], cells: pd.Series[str]) -> list[str]:
    printed = {label for cell in cells.unique() for label in cand.cited(cell)}
    return [*labels, *sorted(printed - set(labels))]


def _promise(tables: Mapping[str, Table]) -> Array:
    """A first, rough order: which candidates are worth ranking."""
    import numpy as np

    values = {name: tables[name].dense() for name in _PROMISING}
    sure = values["cited_label"] + values["link"] + values["is_none_cited"] + values["is_non_mtus"]
    shares = sum(values[f"share_{name}"] for name in _FINER)
    chapters = values["chapter_share_part"] + values["cited_chapter"] + 20 * values["wording"]
    return np.asarray(_KEPT_FOR_SURE * sure + shares + 0.01 * chapters, dtype=np.float64)


def _features(
    items: pd.DataFrame, labels: list[str], shares: Shares, own: Sequence[str] | None
) -> dict[str, Table]:
    return {
        **_shares(items, labels, shares.of(items, own), shares),
        **_cited(items, labels),
        **_links(items, labels),
        **_item_facts(items, labels),
    }


def _shares(
    items: pd.DataFrame, labels: list[str], tables: Mapping[str, Table], shares: Shares
) -> dict[str, Table]:
    """Shares of the labels and of their chapters; ``*`` stands for the item's own chapter."""
    import numpy as np

    bodies, body_of = np.unique(items["body_chapter"].to_numpy(dtype=str), return_inverse=True)
    relative = [_Relative.of(labels, str(body), shares) for body in bodies]
    result: dict[str, Table] = {}
    for name, table in tables.items():
        first, codes = _combined([table.codes, body_of], len(items))
        own, chapters = np.empty((len(first), len(labels))), np.empty((len(first), len(labels)))
        for number, view in enumerate(relative):
            chosen = np.flatnonzero(body_of[first] == number)
            rows = table.at(first[chosen])
            own[chosen], chapters[chosen] = rows[:, view.places], view.by_chapter(rows)
        result[f"share_{name}"] = Table(codes, own)
        if name != "all":
            result[f"chapter_share_{name}"] = Table(codes, chapters)
    return result


@dataclass(frozen=True, slots=True)
class _Relative:
    """The labels as an item with some body chapter sees them in the vocabulary of the shares."""

    places: Codes
    chapters: Codes
    of_vocabulary: Array

    @classmethod
    def of(cls, labels: Sequence[str], body: str, shares: Shares) -> _Relative:
        import numpy as np

        never = len(shares.vocabulary)
        names = [cand.relative(label, body or None) for label in labels]
        places = np.array([shares.position.get(name, never) for name in names], dtype=np.intp)
        chapters, codes = np.unique([cand.chapter_of(n) for n in names], return_inverse=True)
        return cls(places, codes, _chapter_indicator(shares.vocabulary, list(chapters)))

    def by_chapter(self, rows: Array) -> Array:
        """The shares of the labels' chapters from those of the vocabulary."""
        return (rows[:, : len(self.of_vocabulary)] @ self.of_vocabulary)[:, self.chapters]


def _chapter_indicator(vocabulary: Sequence[str], chapters: Sequence[str]) -> Array:
    import numpy as np

    place = {chapter: column for column, chapter in enumerate(chapters)}
    matrix = np.zeros((len(vocabulary), len(chapters)))
    for row, label in enumerate(vocabulary):
        column = place.get(cand.chapter_of(label))
        if column is not None:
            matrix[row, column] = 1.0
    return matrix


def _cited(items: pd.DataFrame, labels: list[str]) -> dict[str, Table]:
    """What the administrator's citation, a row each, says of the labels."""
    import numpy as np
    import pandas as pd

    codes, cells = pd.factorize(items[CITED])
    chapters = np.array([cand.chapter_of(label) for label in labels], dtype=object)
    place = {label: column for column, label in enumerate(labels)}
    names = ("cited_label", "cited_first", "cited_chapter", "cited_count", "none_cited_at_all")
    values = {name: np.zeros((len(cells), len(labels))) for name in names}
    for row, cell in enumerate(cells):
        printed = cand.cited(cell)
        values["cited_count"][row] = len(printed)
        values["none_cited_at_all"][row] = float(cand.NONE_CITED in printed)
        for label in printed:
            values["cited_label"][row, place[label]] = 1.0
            values["cited_chapter"][row, chapters == cand.chapter_of(label)] = 1.0
        if printed:
            values["cited_first"][row, place[printed[0]]] = 1.0
    return {name: Table(codes, rows) for name, rows in values.items()}


def _links(items: pd.DataFrame, labels: list[str]) -> dict[str, Table]:
    """The sections that the kind of request falls under, and their chapters."""
    import numpy as np

    chapters = np.array([cand.chapter_of(label) for label in labels], dtype=object)
    place = {label: column for column, label in enumerate(labels)}
    columns = sorted({c.column for link in cand.guideline_links() for c in link.conditions})
    read = [items[name].to_numpy(dtype=object) for name in (*columns, "body_chapter")]
    first, codes = _combined(read, len(items))
    alike = items.iloc[first].reset_index(drop=True)
    linked, linked_chapter = (np.zeros((len(alike), len(labels))) for _ in range(2))
    bodies, body_of = np.unique(alike["body_chapter"].to_numpy(dtype=str), return_inverse=True)
    conditions = {c for link in cand.guideline_links() for c in link.conditions}
    holds = conditions_hold(alike, conditions)
    for link in cand.guideline_links():
        applies = np.logical_and.reduce([holds[condition] for condition in link.conditions])
        for code in np.unique(body_of[applies]):
            label = cand.absolute(link.label, str(bodies[code]) or None)
            if label in place:
                rows = np.flatnonzero(applies & (body_of == code))
                linked[rows, place[label]] = 1.0
                same = np.flatnonzero(chapters == cand.chapter_of(label))
                linked_chapter[np.ix_(rows, same)] = 1.0
    return {"link": Table(codes, linked), "link_chapter": Table(codes, linked_chapter)}


def _item_facts(items: pd.DataFrame, labels: list[str]) -> dict[str, Table]:
    """Facts of the item alone, and of the label alone."""
    import numpy as np
    import pandas as pd

    chapters = np.array([cand.chapter_of(label) for label in labels], dtype=object)
    bodies, named = pd.factorize(items["body_chapters"])
    about = [np.isin(chapters.astype(str), cand.cited(cell)) for cell in named]
    asked, requests = _asked(items)
    return {
        "body_part": Table(bodies, np.array(about, dtype=np.float64)),
        "wording": Table(asked, _overlaps(requests, tuple(labels))),
        "has_section": _of_labels(items, [cand.ARROW in label for label in labels]),
        "is_none_cited": _of_labels(items, chapters == cand.NONE_CITED),
        "is_non_mtus": _of_labels(items, chapters == cand.NON_MTUS),
        "n_items": _of_items(items["n_items"], len(labels)),
        "surgical": _of_items(items["surgical_role"] != "", len(labels)),
    }


def _of_labels(items: pd.DataFrame, values: Any) -> Table:
    import numpy as np

    return Table(np.zeros(len(items), dtype=np.intp), np.array([values], dtype=np.float64))


def _of_items(values: pd.Series[Any], labels: int) -> Table:
    import numpy as np
    import pandas as pd

    codes, distinct = pd.factorize(values, use_na_sentinel=False)
    rows = np.array(distinct, dtype=np.float64)[:, None]
    return Table(codes, np.broadcast_to(rows, (len(distinct), labels)))


def _asked(items: pd.DataFrame) -> tuple[Codes, list[str]]:
    """The terms and the class of each request, as text, numbered."""
    columns = [items[name].to_numpy(dtype=object) for name in ("request_terms", "subcategory")]
    first, codes = _combined(columns, len(items))
    pairs = zip(*(column[first] for column in columns), strict=True)
    return codes, [f"{terms.replace(UNSPECIFIED, '')} {kind}" for terms, kind in pairs]


def _overlaps(requests: Sequence[str], labels: tuple[str, ...]) -> Array:
    """The share of each section's words that a request has, shape (requests, labels)."""
    import numpy as np

    holding, sizes = _section_words(labels)
    common = np.zeros((len(requests), len(labels)))
    for row, asked in enumerate(requests):
        for word in cand.words(asked):
            if word in holding:
                common[row, holding[word]] += 1.0
    return common / sizes


@lru_cache(maxsize=64)
def _section_words(labels: tuple[str, ...]) -> tuple[dict[str, Codes], Array]:
    """The labels whose section holds a word, by word, and how many words each section has."""
    import numpy as np

    sections = [cand.words(cand.section_of(label) or "") for label in labels]
    holding: dict[str, list[int]] = {}
    for place, section in enumerate(sections):
        for word in section:
            holding.setdefault(word, []).append(place)
    sizes = np.array([max(len(section), 1) for section in sections], dtype=np.float64)
    return {word: np.array(places) for word, places in holding.items()}, sizes


def _letter_codes(items: pd.DataFrame, codes: Codes) -> Codes:
    """Items of one letter with the same key share a number."""
    return _combined([items["letter_id"].to_numpy(dtype=object), codes], len(items))[1]


def _weights(items: pd.DataFrame, codes: Codes) -> Array:
    """Siblings with the same key weigh together as the root of their number."""
    import numpy as np

    pairs = _letter_codes(items, codes)
    return np.asarray(1.0 / np.sqrt(np.bincount(pairs)[pairs]))


def _out_of_force(frame: pd.DataFrame) -> list[str]:
    """Chapters that could not be cited at the date of the request, joined; empty if undated."""
    dates = zip(*(_texts(frame[column].astype("string")) for column in DATE_COLUMNS), strict=True)
    return _mapped([next(filter(None, known), "")[:10] for known in dates], _retired)


def _retired(day: str) -> str:
    return "|".join(cand.out_of_force(date.fromisoformat(day) if day else None))


def _first(cell: str) -> str:
    """The first of a list that names something ("drug, unspecified" does not)."""
    listed = cand.cited(cell)
    return next((part for part in listed if not part.endswith(UNSPECIFIED)), "")


def _body_chapters(cell: str) -> str:
    """The chapters of the requested body parts, in their order."""
    chapters = (cand.body_chapter(part) for part in cand.cited(cell))
    return "|".join(dict.fromkeys(chapter for chapter in chapters if chapter))


def _mapped(values: Sequence[str], function: Callable[[str], str]) -> list[str]:
    memo = {value: function(value) for value in set(values)}
    return [memo[value] for value in values]
