"""What a user would pick instead: every model is reported beside these.

All have ``fit`` and ``predict`` like the models, so that one loop can refit them on every fold.
Outcome baselines return probabilities of *overturned*, guideline baselines return the labels of
each item, likeliest first.  :func:`rationale_probe` is a warning, no rival: it shows what such text
would give away.  What style gives away: :mod:`imr.training.style`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from imr.models import candidates as cand

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]

Labels = list[list[str]]


class OutcomeBaseline(Protocol):
    """Probabilities of *overturned* from signals (``frame``) or from raw texts (``texts``)."""

    needs_texts: bool

    def fit(self, frame: pd.DataFrame, overturned: Sequence[bool]) -> OutcomeBaseline:
        """Fit to decided items."""

    def predict(self, frame: pd.DataFrame) -> Array:
        """p(overturned), one an item."""


class GuidelineBaseline(Protocol):
    """Labels of each item, likeliest first."""

    needs_texts: bool

    def fit(self, frame: pd.DataFrame, guideline: Sequence[str]) -> GuidelineBaseline:
        """Fit to decided items."""

    def predict(self, frame: pd.DataFrame, top: int = 3) -> Labels:
        """Up to ``top`` labels an item."""


@dataclass
class BaseRate:
    """The training letters' own share of overturned items, for every item."""

    rate: float = 0.0
    needs_texts: bool = False

    def fit(self, frame: pd.DataFrame, overturned: Sequence[bool]) -> BaseRate:
        """Count."""
        self.rate = sum(overturned) / len(frame)
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        """The same probability for all."""
        import numpy as np

        return np.full(len(frame), self.rate)


@dataclass
class CategoryBaseRate:
    """The share of overturned items of the treatment category; ``smoothing`` items of the overall
    share are added to each category.
    """

    column: str = "category"
    smoothing: float = 10.0
    rates: dict[str, float] = field(default_factory=dict)
    overall: float = 0.0
    needs_texts: bool = False

    def fit(self, frame: pd.DataFrame, overturned: Sequence[bool]) -> CategoryBaseRate:
        """Count by category."""
        self.overall = sum(overturned) / len(frame)
        hits: Counter[str] = Counter()
        names = [str(name) for name in frame[self.column]]
        for name, hit in zip(names, overturned, strict=True):
            hits[name] += int(hit)
        prior = self.smoothing * self.overall
        for name, count in Counter(names).items():
            self.rates[name] = (hits[name] + prior) / (count + self.smoothing)
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        """The category's share; the overall one for a category never met."""
        import numpy as np

        return np.array([self.rates.get(str(name), self.overall) for name in frame[self.column]])


@dataclass
class TextRegression:
    """TF-IDF of words and word pairs with logistic regression, on one or more text columns."""

    columns: tuple[str, ...]
    strength: float = 1.0
    pipeline: Any = None
    needs_texts: bool = True

    def fit(self, frame: pd.DataFrame, overturned: Sequence[bool]) -> TextRegression:
        """Fit to raw texts."""
        self.pipeline = _text_pipeline(self.strength, balanced=True)
        self.pipeline.fit(self._texts(frame), list(overturned))
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        """Probability of *overturned* as the regression gives it."""
        import numpy as np

        return np.asarray(self.pipeline.predict_proba(self._texts(frame))[:, 1])

    def _texts(self, frame: pd.DataFrame) -> list[str]:
        return [" ".join(map(str, row)) for row in frame[list(self.columns)].to_numpy()]


def rationale_probe() -> TextRegression:
    """TF-IDF on the reviewer's rationale: the leak.  A warning, never a rival."""
    return TextRegression(("rationale",))


@dataclass
class CopyAdministrator:
    """The reviewer cites what the claims administrator cited, in the same order."""

    fallback: tuple[str, ...] = ()
    needs_texts: bool = False

    def fit(self, frame: pd.DataFrame, guideline: Sequence[str]) -> CopyAdministrator:
        """Count labels, to fill places the administrator leaves open."""
        del frame
        self.fallback = tuple(label for label, _ in _counted(guideline))
        return self

    def predict(self, frame: pd.DataFrame, top: int = 3) -> Labels:
        """The administrator's labels, then the commonest ones."""
        cells = (cand.cited(cell) for cell in frame["administrator_labels"])
        return [list(dict.fromkeys((*cell, *self.fallback)))[:top] for cell in cells]


@dataclass
class TextGuideline:
    """TF-IDF with logistic regression over the labels of the training letters."""

    columns: tuple[str, ...] = ("title", "administrator")
    strength: float = 10.0
    pipeline: Any = None
    needs_texts: bool = True

    def fit(self, frame: pd.DataFrame, guideline: Sequence[str]) -> TextGuideline:
        """Fit to raw texts."""
        self.pipeline = _text_pipeline(self.strength, balanced=False)
        self.pipeline.fit(self._texts(frame), list(guideline))
        return self

    def predict(self, frame: pd.DataFrame, top: int = 3) -> Labels:
        """Labels by probability."""
        p = self.pipeline.predict_proba(self._texts(frame))
        return _top(p, list(self.pipeline.classes_), top)

    def _texts(self, frame: pd.DataFrame) -> list[str]:
        return [" ".join(map(str, row)) for row in frame[list(self.columns)].to_numpy()]


@dataclass
class ChapterClassifier:
    """LightGBM multiclass over the chapters met in training: a fixed class list."""

    seed: int = 20161013
    rounds: int = 40
    chapters: tuple[str, ...] = ()
    levels: dict[str, dict[str, int]] = field(default_factory=dict)
    booster: Any = None
    needs_texts: bool = False

    INPUTS = (
        "category",
        "subcategory",
        "request_body_parts",
        "request_terms",
        "administrator_labels",
    )

    def fit(self, frame: pd.DataFrame, guideline: Sequence[str]) -> ChapterClassifier:
        """Fit to item class and the administrator's first citation."""
        import lightgbm as lgb

        truth = [cand.chapter_of(label) for label in guideline]
        self.chapters = tuple(sorted(set(truth)))
        self.levels = {
            column: {value: code for code, value in enumerate(sorted(set(_firsts(frame, column))))}
            for column in self.INPUTS
        }
        settings = {
            "objective": "multiclass",
            "num_class": len(self.chapters),
            "num_leaves": 8,
            "learning_rate": 0.1,
            "min_data_in_leaf": 5,
            "min_data_per_group": 5,
            "cat_smooth": 5.0,
            "lambda_l2": 1.0,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        data = lgb.Dataset(
            self._codes(frame),
            label=[self.chapters.index(chapter) for chapter in truth],
            categorical_feature=list(range(len(self.INPUTS))),
        )
        self.booster = lgb.train(settings, data, num_boost_round=self.rounds)
        return self

    def predict(self, frame: pd.DataFrame, top: int = 3) -> Labels:
        """Chapters by probability."""
        p = self.booster.predict(self._codes(frame), num_threads=1)
        return _top(p.reshape(len(frame), -1), list(self.chapters), top)

    def _codes(self, frame: pd.DataFrame) -> Array:
        import numpy as np

        columns = [
            [float(self.levels[column].get(value, -1)) for value in _firsts(frame, column)]
            for column in self.INPUTS
        ]
        return np.array(columns, dtype=np.float64).T


def outcome_baselines(with_texts: bool) -> Mapping[str, OutcomeBaseline]:
    """Fresh outcome baselines by name; those on raw texts only where texts are at hand."""
    signals: dict[str, OutcomeBaseline] = {
        "base rate": BaseRate(),
        "category base rate": CategoryBaseRate(),
    }
    texts: dict[str, OutcomeBaseline] = {
        "TF-IDF title": TextRegression(("title",)),
        "TF-IDF title + administrator": TextRegression(("title", "administrator")),
        "TF-IDF summary": TextRegression(("case_summary",)),
    }
    return {**signals, **texts} if with_texts else signals


def guideline_baselines(with_texts: bool) -> Mapping[str, GuidelineBaseline]:
    """Fresh guideline baselines by name."""
    signals: dict[str, GuidelineBaseline] = {
        "copy the administrator": CopyAdministrator(),
        "LightGBM multiclass (chapter)": ChapterClassifier(),
    }
    texts: dict[str, GuidelineBaseline] = {"TF-IDF title + administrator": TextGuideline()}
    return {**signals, **texts} if with_texts else signals


def _text_pipeline(strength: float, *, balanced: bool) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, max_features=20000)
    weight = "balanced" if balanced else None
    return make_pipeline(words, LogisticRegression(C=strength, class_weight=weight, max_iter=2000))


def _firsts(frame: pd.DataFrame, column: str) -> list[str]:
    return [(cand.cited(cell) or ("",))[0] for cell in frame[column]]


def _counted(labels: Sequence[str]) -> list[tuple[str, int]]:
    return sorted(Counter(labels).items(), key=lambda pair: (-pair[1], pair[0]))


def _top(p: Array, names: Sequence[str], top: int) -> Labels:
    import numpy as np

    order = np.argsort(-p, axis=1, kind="stable")[:, :top]
    return [[names[column] for column in row] for row in order]
