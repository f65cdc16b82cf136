"""An item beside a label it could be decided on: what the ranker sees of the pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from models import candidates as cand
from models.effects import Condition, by_value, numbers

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]

# The first of these that is known dates the request; never the decision.
DATE_COLUMNS = ("ur_denial_date", "application_received")
FLAGS = ("associated_with_surgery", "primary_surgery_in_letter", "request_postoperative")
CITED = "administrator_labels"
TEXT_COLUMNS = ("category", "subcategory", "request_terms", "request_body_parts", CITED)
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
UNSPECIFIED = ", unspecified"


def describe(frame: pd.DataFrame) -> pd.DataFrame:
    """The item's side of a pair: request columns and what follows from them, a row an item."""
    import pandas as pd

    items = pd.DataFrame({"letter_id": frame["letter_id"].astype(str).to_numpy()})
    for column in TEXT_COLUMNS:
        items[column] = [v if isinstance(v, str) else "" for v in frame[column]]
    items["n_items"] = numbers(frame["n_items"])
    for flag in FLAGS:
        items[flag] = numbers(frame[flag]) == 1
    items["request_term"] = _mapped(items["request_terms"], _first)
    items["body_chapters"] = _mapped(items["request_body_parts"], _body_chapters)
    items["body_chapter"] = _mapped(items["body_chapters"], _first)
    items["first_cited"] = _mapped(items[CITED], _first)
    items["cited_chapter"] = _mapped(items["first_cited"], cand.chapter_of)
    own = (items["cited_chapter"] == items["body_chapter"]) & (items["body_chapter"] != "")
    items["cited_chapter"] = items["cited_chapter"].mask(own, cand.RELATIVE)
    disputed = items["primary_surgery_in_letter"].map({True: "disputed", False: "not disputed"})
    items["surgical_role"] = disputed.where(items["associated_with_surgery"], "")
    items["out_of_force"] = _out_of_force(frame)
    return items


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
        shares = cls({name: {} for name in CONTEXTS}, smoothing)
        labels = relative_truth(items, truth)
        for name in CONTEXTS:
            table: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
            keys = context_keys(items, name)
            for key, label, weight in zip(keys, labels, _weights(items, keys), strict=True):
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

    @cached_property
    def dense(self) -> dict[str, tuple[dict[str, int], Array]]:
        """Counts as matrices, a row a key, with a last empty row for keys never met."""
        return {name: self._matrix(table) for name, table in self.counts.items()}

    def of(self, items: pd.DataFrame, own: Sequence[str] | None = None) -> dict[str, Array]:
        """Smoothed shares, each of shape (items, vocabulary + 1).

        ``own`` are the items' own relative labels where the items were counted: what their
        letter added is then taken out again.
        """
        import numpy as np

        result: dict[str, Array] = {}
        width = len(self.vocabulary) + 1
        for name, (_, parent) in CONTEXTS.items():
            rows, matrix = self.dense[name]
            keys = context_keys(items, name)
            counts = matrix[[rows.get(key, -1) for key in keys]]
            if own is not None:
                counts = np.clip(counts - self._of_own_letter(items, keys, own), 0.0, None)
            base = result[parent] if parent else np.full((len(items), width), 1.0 / width)
            total = counts.sum(axis=1, keepdims=True)
            result[name] = (counts + self.smoothing * base) / (total + self.smoothing)
        return result

    def _matrix(self, table: Mapping[str, Mapping[str, float]]) -> tuple[dict[str, int], Array]:
        import numpy as np

        matrix = np.zeros((len(table) + 1, len(self.vocabulary) + 1))
        for row, labels in enumerate(table.values()):
            for label, weight in labels.items():
                matrix[row, self.position[label]] = weight
        return {key: row for row, key in enumerate(table)}, matrix

    def _of_own_letter(self, items: pd.DataFrame, keys: Sequence[str], own: Sequence[str]) -> Array:
        import numpy as np
        import pandas as pd

        pairs = pd.factorize(items["letter_id"] + "\t" + pd.Series(list(keys), dtype=object))[0]
        matrix = np.zeros((pairs.max() + 1, len(self.vocabulary) + 1))
        places = np.array([self.position[label] for label in own], dtype=np.intp)
        np.add.at(matrix, (pairs, places), _weights(items, keys))
        return matrix[pairs]


def relative_truth(items: pd.DataFrame, truth: Sequence[str]) -> list[str]:
    """The decided labels with the requested body part's chapter written as ``*``."""
    pairs = zip(truth, items["body_chapter"], strict=True)
    return [cand.relative(label, body or None) for label, body in pairs]


def context_keys(items: pd.DataFrame, context: str) -> list[str]:
    """The value of a context for each item, as text."""
    columns = CONTEXTS[context][0]
    if not columns:
        return [""] * len(items)
    return ["\t".join(row) for row in zip(*(items[c] for c in columns), strict=True)]


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
    values = _features(items, list(names), shares, own)
    promise = _promise(values)
    promise[_impossible(items, names, len(labels)) & (values["cited_label"] == 0)] = -np.inf
    best = np.argsort(-promise, axis=1, kind="stable")[:, :kept]
    stacked = [np.take_along_axis(values[name], best, axis=1) for name in PAIR_FEATURES]
    return Pairs(names[best], np.stack(stacked, axis=2).astype(np.float32).astype(np.float64))


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


def _promise(values: Mapping[str, Array]) -> Array:
    """A first, rough order: which candidates are worth ranking."""
    import numpy as np

    sure = values["cited_label"] + values["link"] + values["is_none_cited"] + values["is_non_mtus"]
    finer = ("part", "term", "cited", "role_cited", "class_cited")
    shares = sum(values[f"share_{name}"] for name in finer)
    chapters = values["chapter_share_part"] + values["cited_chapter"] + 20 * values["wording"]
    return np.asarray(_KEPT_FOR_SURE * sure + shares + 0.01 * chapters, dtype=np.float64)


def _features(
    items: pd.DataFrame, labels: list[str], shares: Shares, own: Sequence[str] | None
) -> dict[str, Array]:
    import numpy as np

    shape = (len(items), len(labels))
    values = {name: np.zeros(shape) for name in PAIR_FEATURES}
    _add_shares(values, items, labels, shares.of(items, own), shares)
    _add_cited(values, items, labels)
    _add_links(values, items, labels)
    _add_item_facts(values, items, labels)
    return values


def _add_shares(
    values: dict[str, Array],
    items: pd.DataFrame,
    labels: list[str],
    tables: Mapping[str, Array],
    shares: Shares,
) -> None:
    import numpy as np

    never = len(shares.vocabulary)
    for body in items["body_chapter"].unique():
        rows = np.flatnonzero(items["body_chapter"] == body)
        own_names = [cand.relative(label, body or None) for label in labels]
        places = np.array([shares.position.get(name, never) for name in own_names])
        chapters, codes = np.unique([cand.chapter_of(n) for n in own_names], return_inverse=True)
        of_vocabulary = _chapter_indicator(shares.vocabulary, list(chapters))
        for name, table in tables.items():
            values[f"share_{name}"][rows] = table[rows][:, places]
            if name != "all":
                by_chapter = table[rows][:, :never] @ of_vocabulary
                values[f"chapter_share_{name}"][rows] = by_chapter[:, codes]


def _chapter_indicator(vocabulary: Sequence[str], chapters: Sequence[str]) -> Array:
    import numpy as np

    place = {chapter: column for column, chapter in enumerate(chapters)}
    matrix = np.zeros((len(vocabulary), len(chapters)))
    for row, label in enumerate(vocabulary):
        column = place.get(cand.chapter_of(label))
        if column is not None:
            matrix[row, column] = 1.0
    return matrix


def _add_cited(values: dict[str, Array], items: pd.DataFrame, labels: list[str]) -> None:
    import numpy as np

    chapters = np.array([cand.chapter_of(label) for label in labels], dtype=object)
    place = {label: column for column, label in enumerate(labels)}
    for cell in items[CITED].unique():
        rows = np.flatnonzero(items[CITED] == cell)
        printed = cand.cited(cell)
        values["cited_count"][rows] = len(printed)
        values["none_cited_at_all"][rows] = float(cand.NONE_CITED in printed)
        for label in printed:
            values["cited_label"][rows, place[label]] = 1.0
            same = np.flatnonzero(chapters == cand.chapter_of(label))
            values["cited_chapter"][np.ix_(rows, same)] = 1.0
        if printed:
            values["cited_first"][rows, place[printed[0]]] = 1.0


def _add_links(values: dict[str, Array], items: pd.DataFrame, labels: list[str]) -> None:
    import numpy as np

    chapters = np.array([cand.chapter_of(label) for label in labels], dtype=object)
    place = {label: column for column, label in enumerate(labels)}
    bodies, codes = np.unique(items["body_chapter"].to_numpy(dtype=str), return_inverse=True)
    holds = _conditions(items)
    for link in cand.guideline_links():
        applies = np.logical_and.reduce([holds[condition] for condition in link.conditions])
        for code in np.unique(codes[applies]):
            label = cand.absolute(link.label, str(bodies[code]) or None)
            if label in place:
                rows = np.flatnonzero(applies & (codes == code))
                values["link"][rows, place[label]] = 1.0
                same = np.flatnonzero(chapters == cand.chapter_of(label))
                values["link_chapter"][np.ix_(rows, same)] = 1.0


def _conditions(items: pd.DataFrame) -> dict[Condition, npt.NDArray[np.bool_]]:
    """Every condition of the links, tried once on each distinct value."""
    conditions = {c for link in cand.guideline_links() for c in link.conditions}
    return {c: by_value(items[c.column], c.holds).astype(bool) for c in conditions}


def _add_item_facts(values: dict[str, Array], items: pd.DataFrame, labels: list[str]) -> None:
    import numpy as np

    chapters = np.array([cand.chapter_of(label) for label in labels], dtype=object)
    for named in items["body_chapters"].unique():
        same = np.isin(chapters.astype(str), cand.cited(named))
        values["body_part"][np.ix_(items["body_chapters"] == named, same)] = 1.0
    values["has_section"][:] = [cand.ARROW in label for label in labels]
    values["is_none_cited"][:] = chapters == cand.NONE_CITED
    values["is_non_mtus"][:] = chapters == cand.NON_MTUS
    values["n_items"][:] = items["n_items"].to_numpy()[:, None]
    values["surgical"][:] = (items["surgical_role"] != "").to_numpy()[:, None]
    values["wording"][:] = _wording(items, labels)


def _wording(items: pd.DataFrame, labels: list[str]) -> Array:
    """The share of a section's words that the request's own class and term hold."""
    import numpy as np
    import pandas as pd

    terms = items["request_terms"].str.replace(UNSPECIFIED, "", regex=False)
    codes, distinct = pd.factorize(terms + " " + items["subcategory"])
    table = [_overlaps(str(text), tuple(labels)) for text in distinct]
    return np.array(table, dtype=np.float64)[codes]


@lru_cache(maxsize=4096)
def _overlaps(asked: str, labels: tuple[str, ...]) -> tuple[float, ...]:
    own = cand.words(asked)
    sections = (cand.words(cand.section_of(label) or "") for label in labels)
    return tuple(len(section & own) / max(len(section), 1) for section in sections)


def _weights(items: pd.DataFrame, keys: Sequence[str]) -> Array:
    """Siblings with the same key weigh together as the root of their number."""
    import numpy as np
    import pandas as pd

    pairs = items["letter_id"] + "\t" + pd.Series(list(keys), dtype=object, index=items.index)
    return np.asarray(1.0 / np.sqrt(pairs.map(pairs.value_counts()).to_numpy(dtype=np.float64)))


def _out_of_force(frame: pd.DataFrame) -> list[str]:
    """Chapters that could not be cited at the date of the request, joined; empty if undated."""
    import pandas as pd

    days = pd.Series(pd.NA, index=frame.index, dtype="string")
    for column in DATE_COLUMNS:
        days = days.fillna(frame[column].astype("string"))
    return _mapped(days.str.slice(0, 10).fillna(""), _retired)


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


def _mapped(column: pd.Series[Any], function: Any) -> list[str]:
    memo = {value: function(value) for value in column.unique()}
    return [memo[value] for value in column]
