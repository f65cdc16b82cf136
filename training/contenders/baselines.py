"""What a user would pick instead of the models: base rates, plain LightGBM, TF-IDF, copying.

A baseline for p(overturned) gives a probability an item, one for the guideline :class:`Cited`.
All take ``(train, test)``: everything learned (vocabularies, rates, classes) comes from the
training rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imr.models.frame import CLASS_COLUMNS, LIST_SEPARATOR, request_years
from imr.training.decisions import Sample, chapter_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    OutcomePredict = Callable[[Sample, Sample], Array]

Labels = list[list[str]]

PLACES = 3
# Items of the overall share that are added to each category's.
SMOOTHING = 10.0
# Inverse L2 penalties: two classes of which one is rare, and many classes.
OUTCOME_STRENGTH, GUIDELINE_STRENGTH = 1.0, 10.0
# A regression over a hundred labels and more learns from no more items than this.
MOST_TEXTS = 1_000
KEYS = ("letter_id", "item_index")
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
    from scipy.special import expit

    from imr.models.outcome.start import published_odds

    names = [test.frame[name].astype(object) for name in CLASS_COLUMNS]
    category, subcategory = (column.where(column.notna(), None).tolist() for column in names)
    log_odds = published_odds().log_odds(category, subcategory, request_years(test.frame))
    return np.asarray(expit(np.array(log_odds)))


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
        if name in KEYS or "date" in name or name == "application_received":
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


def text_outcome(columns: Sequence[str]) -> OutcomePredict:
    """TF-IDF with logistic regression on these columns of the texts."""

    def predict(train: Sample, test: Sample) -> Array:
        a, b = tfidf(joined_texts(train, columns), joined_texts(test, columns))
        model = _regression(OUTCOME_STRENGTH, 1e-6, balanced=True).fit(a, train.y)
        return at_base_rate(model.predict_proba(b)[:, 1], float(train.y.mean()))

    return predict


def text_guideline(columns: Sequence[str]) -> Callable[[Sample, Sample], Cited]:
    """TF-IDF with logistic regression over the labels, and over the chapters, met in training: of
    at most :data:`MOST_TEXTS` items, for its time grows with items times labels.
    """

    def predict(train: Sample, test: Sample) -> Cited:
        if len(train) > MOST_TEXTS:
            rows = np.random.default_rng(0).permutation(len(train))[:MOST_TEXTS]
            train = train.part(np.sort(rows))
        a, b = tfidf(joined_texts(train, columns), joined_texts(test, columns))
        labels, chapters = (
            _likeliest(_regression(GUIDELINE_STRENGTH).fit(a, list(truth)), b)
            for truth in (train.guideline, _chapters(train))
        )
        return Cited(labels, chapters)

    return predict


def joined_texts(sample: Sample, columns: Sequence[str]) -> list[str]:
    """Columns of the texts, one string an item."""
    assert sample.texts is not None
    return [" ".join(map(str, row)) for row in sample.texts[list(columns)].to_numpy()]


def tfidf(train: Sequence[str], test: Sequence[str]) -> tuple[Any, Any]:
    """TF-IDF of words and word pairs: THE recipe of every rival and probe on texts.

    With fewer texts than words it is turned into the space that the training texts span.  A
    regression with an L2 penalty predicts the same there (a rotation keeps lengths, and its
    weights lie in that span), with a hundred times fewer weights to find.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, max_features=20000)
    a, b = words.fit_transform(train), words.transform(test)
    if a.shape[0] >= min(a.shape[1], MOST_TEXTS + 1):
        return a, b
    values, vectors = np.linalg.eigh((a @ a.T).toarray())
    kept = values > 1e-9 * values.max()
    length = np.sqrt(values[kept])
    return vectors[:, kept] * length, np.asarray((b @ a.T) @ (vectors[:, kept] / length))


def _regression(strength: float, tolerance: float = 1e-3, *, balanced: bool = False) -> Any:
    from sklearn.linear_model import LogisticRegression

    weight = "balanced" if balanced else None
    return LogisticRegression(C=strength, class_weight=weight, tol=tolerance, max_iter=500)


def at_base_rate(p: Array, rate: float) -> Array:
    """Probabilities of a regression with balanced classes, brought back to the base rate.

    The order stays; without this the rival's Brier score would suffer for a choice of weights.
    """
    odds = p / (1 - p) * rate / (1 - rate)
    return np.asarray(odds / (1 + odds))


def most_cited(train: Sample, test: Sample) -> Cited:
    """The labels and chapters cited most often, for every item."""
    labels, chapters = _by_count(train.guideline), _by_count(_chapters(train))
    return Cited([labels] * len(test), [chapters] * len(test))


def most_cited_in_subcategory(train: Sample, test: Sample) -> Cited:
    """The labels and chapters cited most often in the subcategory, then those of all items."""
    return Cited(
        _by_subcategory(train, train.guideline, test),
        _by_subcategory(train, _chapters(train), test),
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
            pd.DataFrame({name: _firsts(part.frame[name]) for name in CHAPTER_INPUTS})
            for part in (train, test)
        )
        coded = {name: _categories(a[name], b[name]) for name in CHAPTER_INPUTS}
        x, z = (pd.DataFrame({name: pair[side] for name, pair in coded.items()}) for side in (0, 1))
        model = plain_booster(seed, **CHAPTER_SETTINGS).fit(x, _chapters(train))
        return Cited(None, _likeliest(model, z))

    return predict


def _firsts(column: pd.Series[Any]) -> pd.Series[Any]:
    return pd.Series([(_labels_of(cell) or [""])[0] for cell in column], dtype=object)


def _labels_of(cell: object) -> list[str]:
    return cell.split(LIST_SEPARATOR) if isinstance(cell, str) else []


def _chapters(sample: Sample) -> list[str]:
    return [chapter_of(label) for label in sample.guideline]


def _by_count(labels: Iterable[str], places: int | None = PLACES) -> list[str]:
    counts = sorted(Counter(labels).items(), key=lambda pair: (-pair[1], pair[0]))
    return [label for label, _ in counts[:places]]


def _likeliest(model: Any, rows: Any) -> Labels:
    order = np.argsort(-model.predict_proba(rows), axis=1, kind="stable")[:, :PLACES]
    return [[str(name) for name in row] for row in model.classes_[order]]
