"""What a user would pick instead of the models: base rates, plain LightGBM, copying.

A baseline for p(overturned) gives a probability an item, one for the guideline :class:`Cited`.
All take ``(train, test)``: everything learned (vocabularies, rates, classes) comes from the
training rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from imr.models.frame import CLASS_COLUMNS, KEY_COLUMNS, LIST_SEPARATOR, Array, request_years
from imr.models.guideline.catalogue import chapter_of
from imr.models.outcome.start import published_odds
from imr.training.decisions import Sample

OutcomePredict = Callable[[Sample, Sample], Array]
Labels = list[list[str]]

PLACES = 3
# Items of the overall share that are added to each category's.
SMOOTHING = 10.0
CHAPTER_INPUTS = (
    "category",
    "subcategory",
    "request_body_parts",
    "request_terms",
    "administrator_labels",
)
CHAPTER_SETTINGS = {
    "n_estimators": 40,
    "num_leaves": 8,
    "learning_rate": 0.1,
    "min_child_samples": 5,
    "min_data_per_group": 5,
    "cat_smooth": 5.0,
    "reg_lambda": 1.0,
}


@dataclass(frozen=True, slots=True)
class Cited:
    """Predicted guidelines an item, likeliest first: full labels (None: it predicts chapters
    only), and chapters.
    """

    labels: Labels | None
    chapters: Labels


def base_rate(train: Sample, test: Sample) -> Array:
    """The training letters' own share of overturned items, for every item."""
    return np.full(len(test), train.y.mean())


def category_base_rate(train: Sample, test: Sample) -> Array:
    """The share of overturned items of the treatment category, drawn toward the overall one,
    which a category never met has.
    """
    overall = float(train.y.mean())
    by_category = pd.Series(train.y).groupby(train.frame["category"].astype(str).to_numpy())
    rates = (by_category.sum() + SMOOTHING * overall) / (by_category.count() + SMOOTHING)
    return test.frame["category"].astype(str).map(rates).fillna(overall).to_numpy(dtype=np.float64)


def published_rates(_train: Sample, test: Sample) -> Array:
    """What the published overturn rates say of an item's category and year; nothing is learned."""
    odds = published_odds()
    names = [test.frame[name].astype(object) for name in CLASS_COLUMNS]
    kinds = zip(*(column.where(column.notna(), None) for column in names), strict=True)
    of_kind = np.array([odds.ratio(*kind) for kind in kinds])
    return np.asarray(expit(odds.year_log_odds(request_years(test.frame)) + of_kind))


def plain_lightgbm(seed: int) -> OutcomePredict:
    """LightGBM as it comes, on all signals."""

    def predict(train: Sample, test: Sample) -> Array:
        a, b = plain_matrix(train.frame, test.frame)
        return np.asarray(plain_booster(seed).fit(a, train.y).predict_proba(b)[:, 1])

    return predict


def plain_matrix(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All signals as LightGBM reads them: numbers, and text as categories met in training.

    Dates are left out: their codes would be one a letter.
    """
    columns_a: dict[str, Any] = {}
    columns_b: dict[str, Any] = {}
    for name in map(str, train.columns):
        if name in KEY_COLUMNS or "date" in name or name == "application_received":
            continue
        a, b = train[name], test[name]
        if pd.api.types.is_string_dtype(a.dtype):
            columns_a[name], columns_b[name] = _categories(a, b)
        else:
            columns_a[name] = a.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
            columns_b[name] = b.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    return pd.DataFrame(columns_a), pd.DataFrame(columns_b)


def _categories(train: pd.Series[Any], test: pd.Series[Any]) -> tuple[Any, Any]:
    met = sorted(train.dropna().unique())
    return (
        pd.Categorical(train, categories=met),
        pd.Categorical(test.where(test.isin(met)), categories=met),
    )


def plain_booster(seed: int, **settings: Any) -> Any:
    """LightGBM as it comes, made repeatable."""
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        random_state=seed,
        n_jobs=1,
        deterministic=True,
        force_row_wise=True,
        verbosity=-1,
        **settings,
    )


def most_cited(train: Sample, test: Sample) -> Cited:
    """The labels and chapters cited most often, for every item."""
    labels, chapters = _by_count(train.guideline), _by_count(chapters_of(train))
    return Cited([labels] * len(test), [chapters] * len(test))


def most_cited_in_subcategory(train: Sample, test: Sample) -> Cited:
    """The labels and chapters cited most often in the subcategory, then those of all items."""
    return Cited(
        _by_subcategory(train, train.guideline, test),
        _by_subcategory(train, chapters_of(train), test),
    )


def _by_subcategory(train: Sample, truth: Iterable[str], test: Sample) -> Labels:
    truth = list(truth)
    by_name: dict[str, list[str]] = {}
    for name, label in zip(_subcategory(train), truth, strict=True):
        by_name.setdefault(name, []).append(label)
    ranked = {name: _by_count(labels) for name, labels in by_name.items()}
    overall = _by_count(truth)
    rows = ((*ranked.get(name, ()), *overall) for name in _subcategory(test))
    return [list(dict.fromkeys(row))[:PLACES] for row in rows]


def _subcategory(sample: Sample) -> list[str]:
    frame = sample.frame
    return (frame["category"].astype(str) + "/" + frame["subcategory"].astype(str)).tolist()


def copy_administrator(train: Sample, test: Sample) -> Cited:
    """The reviewer cites what the claims administrator cited, in the same order; places that the
    administrator leaves open go to the labels cited most often.
    """
    overall = _by_count(train.guideline, places=None)
    cells = test.frame["administrator_labels"]
    labels = [list(dict.fromkeys((*_labels_of(cell), *overall))) for cell in cells]
    chapters = [list(dict.fromkeys(map(chapter_of, row))) for row in labels]
    return Cited([row[:PLACES] for row in labels], [row[:PLACES] for row in chapters])


def chapter_lightgbm(seed: int) -> Callable[[Sample, Sample], Cited]:
    """LightGBM multiclass over the chapters met in training, on the class of the request and the
    administrator's first citation.
    """

    def predict(train: Sample, test: Sample) -> Cited:
        a, b = (
            pd.DataFrame(
                {
                    name: [next(iter(_labels_of(cell)), "") for cell in part.frame[name]]
                    for name in CHAPTER_INPUTS
                },
                dtype=object,
            )
            for part in (train, test)
        )
        coded = {name: _categories(a[name], b[name]) for name in CHAPTER_INPUTS}
        x, z = (pd.DataFrame({name: pair[side] for name, pair in coded.items()}) for side in (0, 1))
        model = plain_booster(seed, **CHAPTER_SETTINGS).fit(x, chapters_of(train))
        return Cited(None, likeliest(model, z))

    return predict


def _labels_of(cell: object) -> list[str]:
    return cell.split(LIST_SEPARATOR) if isinstance(cell, str) else []


def chapters_of(sample: Sample) -> list[str]:
    """The chapter of each reviewer's first citation."""
    return [chapter_of(label) for label in sample.guideline]


def _by_count(labels: Iterable[str], places: int | None = PLACES) -> list[str]:
    counts = sorted(Counter(labels).items(), key=lambda pair: (-pair[1], pair[0]))
    return [label for label, _ in counts[:places]]


def likeliest(model: Any, rows: Any) -> Labels:
    """The classes that a fitted classifier finds likeliest, :data:`PLACES` a row."""
    order = np.argsort(-model.predict_proba(rows), axis=1, kind="stable")[:, :PLACES]
    return [[str(name) for name in row] for row in model.classes_[order]]
