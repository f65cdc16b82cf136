"""Who is compared: the models, what a user would pick instead, and probes for what leaks.

A contender learns from the training rows of one fold and predicts its test rows.  Everything it
learns (vocabularies, category rates, calibration) comes from the training rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from imr.training.dataset import chapter_of
from imr.training.sample import Sample

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from imr.models.guideline import GuidelineConfig
    from imr.models.outcome import OutcomeConfig

    Array = NDArray[np.float64]

Kind = Literal["model", "part", "alternative", "probe"]
Labels = list[list[str]]

MODEL = "imr"
PLACES = 3
ARROW = " > "
SUBCATEGORY_SMOOTHING = 1.0
_KEYS = ("letter_id", "item_index")


@dataclass(frozen=True, slots=True)
class Cited:
    """Predicted guidelines an item, likeliest first: full labels (None: it predicts chapters
    only), and chapters.
    """

    labels: Labels | None
    chapters: Labels


@dataclass(frozen=True, slots=True)
class Contender:
    """``predict(train, test)`` gives p(overturned) an item, or :class:`Cited`."""

    name: str
    kind: Kind
    predict: Callable[[Sample, Sample], Any]
    needs_texts: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """Of the two models under test; None takes their defaults."""

    outcome: OutcomeConfig | None = None
    guideline: GuidelineConfig | None = None
    seed: int = 20161013

    def outcome_config(self) -> OutcomeConfig:
        """Of the outcome model; the seed is this run's."""
        from imr.models.outcome import OutcomeConfig

        return self.outcome or replace(OutcomeConfig(), seed=self.seed)

    def guideline_config(self) -> GuidelineConfig:
        """Of the guideline model; the seed is this run's."""
        from imr.models.guideline import GuidelineConfig

        return self.guideline or replace(GuidelineConfig(), seed=self.seed)


BEFORE = "imr, before learning"
EFFECTS = "expected effects alone"
BLIND = "rated vignettes alone"
NOTHING = "imr, nothing expected"
STYLE = "style probe"
TITLE, REQUEST, SUMMARY = ("title",), ("title", "administrator"), ("case_summary",)


def outcome_contenders(settings: Settings) -> tuple[Contender, ...]:
    """All contenders for p(overturned), the model first."""
    from imr.models import baselines

    return (
        Contender(MODEL, "model", lambda a, b: fit_outcome(a, settings).predict(b.frame)),
        Contender(BEFORE, "part", _unlearned(settings)),
        Contender(EFFECTS, "part", _unlearned(settings, judgement_share=0.0)),
        Contender(BLIND, "part", _unlearned(settings, judgement_share=1.0)),
        Contender(NOTHING, "part", nothing_expected(settings)),
        Contender("base rate", "alternative", _outcome(baselines.BaseRate)),
        Contender("category base rate", "alternative", _outcome(baselines.CategoryBaseRate)),
        Contender("plain LightGBM", "alternative", _plain(settings.seed)),
        Contender("TF-IDF + LR, title", "alternative", _text(TITLE), True),
        Contender("TF-IDF + LR, title + admin.", "alternative", _text(REQUEST), True),
        Contender("TF-IDF + LR, summary", "alternative", _text(SUMMARY), True),
        Contender(STYLE, "probe", _style_probe, True),
        Contender("rationale probe", "probe", _text(("rationale",)), True),
    )


def guideline_contenders(settings: Settings) -> tuple[Contender, ...]:
    """All contenders for the cited guideline, the model first."""
    return (
        Contender(MODEL, "model", lambda a, b: cited(fit_guideline(a, settings), b)),
        Contender("most cited", "alternative", _most_cited),
        Contender("most cited in subcategory", "alternative", _most_cited_in_subcategory),
        Contender("copying the administrator", "alternative", _copy),
        Contender("LightGBM multiclass", "alternative", _multiclass(settings.seed)),
        Contender("TF-IDF + LR, title", "alternative", _text_labels(TITLE), True),
        Contender("TF-IDF + LR, title + admin.", "alternative", _text_labels(REQUEST), True),
        Contender("TF-IDF + LR, summary", "alternative", _text_labels(SUMMARY), True),
        Contender("rationale probe", "probe", _text_labels(("rationale",)), True),
    )


def fit_outcome(train: Sample, settings: Settings) -> Any:
    """The outcome model fitted to the training rows."""
    from imr.models.outcome import OutcomeModel

    return OutcomeModel(config=settings.outcome_config()).fit(train.frame, train.overturned)


def fit_guideline(train: Sample, settings: Settings) -> Any:
    """The guideline model fitted to the training rows."""
    from imr.models.guideline import GuidelineModel

    return GuidelineModel(config=settings.guideline_config()).fit(
        train.frame, train.guideline.tolist()
    )


def cited(model: Any, test: Sample) -> Cited:
    """What a fitted guideline model ranks first, by label and by chapter."""
    labels = model.predict(test.frame, top=PLACES)
    chapters = model.chapters(test.frame, top=PLACES)
    return Cited(_places(labels, "guideline"), _places(chapters, "chapter"))


def _places(frame: pd.DataFrame, name: str) -> Labels:
    columns = [f"{name}_{place}" for place in range(1, PLACES + 1)]
    return [list(row) for row in frame[columns].itertuples(index=False)]


def _outcome(baseline: Callable[[], Any]) -> Callable[[Sample, Sample], Array]:
    def predict(train: Sample, test: Sample) -> Array:
        fitted = baseline().fit(train.frame, train.overturned)
        return np.asarray(fitted.predict(test.frame), dtype=np.float64)

    return predict


def _unlearned(
    settings: Settings, judgement_share: float | None = None
) -> Callable[[Sample, Sample], Array]:
    """The starting odds, moved to the training letters' base rate: what the model knows without
    having learned anything.

    With a ``judgement_share`` of 0 these are published rates and expected effects, of 1 the rated
    vignettes.  No writer of a vignette had seen a letter, so their figure is one that folds do not
    flatter.
    """

    def predict(train: Sample, test: Sample) -> Array:
        from imr.models.calibration import sigmoid
        from imr.models.outcome import OutcomeModel

        config = settings.outcome_config()
        if judgement_share is not None:
            config = replace(config, judgement_share=judgement_share)
        model = OutcomeModel(config=config)
        known, asked = (model.starting_odds(part.frame) for part in (train, test))
        return sigmoid(asked + _shift_to(known, float(train.y.mean())))

    return predict


def _shift_to(score: Array, rate: float) -> float:
    """What must be added to log odds for their mean probability to be ``rate``."""
    from scipy.optimize import brentq

    from imr.models.calibration import sigmoid

    return float(brentq(lambda shift: float(sigmoid(score + shift).mean()) - rate, -30, 30))


def nothing_expected(settings: Settings) -> Callable[[Sample, Sample], Array]:
    """The same model with every expected effect set to none: what these letters teach alone."""

    def predict(train: Sample, test: Sample) -> Array:
        from imr.models.effects import expected_effects
        from imr.models.outcome import OutcomeModel

        blind = tuple(replace(effect, prior_log_odds=0.0) for effect in expected_effects())
        model = OutcomeModel(config=settings.outcome_config(), effects=blind, judgement=None).fit(
            train.frame, train.overturned
        )
        return np.asarray(model.predict(test.frame)["p_overturned"], dtype=np.float64)

    return predict


def _style_probe(train: Sample, test: Sample) -> Array:
    from imr.training.style import StyleProbe

    fitted = StyleProbe().fit(_joined(train, SUMMARY), train.overturned)
    return fitted.predict(_joined(test, SUMMARY))


def _text(columns: Sequence[str]) -> Callable[[Sample, Sample], Array]:
    from imr.models.baselines import TextRegression

    def predict(train: Sample, test: Sample) -> Array:
        fitted = TextRegression(tuple(columns)).fit(_texts(train), train.overturned)
        p = np.asarray(fitted.predict(_texts(test)), dtype=np.float64)
        balanced = fitted.pipeline[-1].class_weight == "balanced"
        return at_base_rate(p, float(train.y.mean())) if balanced else p

    return predict


def at_base_rate(p: Array, rate: float) -> Array:
    """Probabilities of a regression with balanced classes, brought back to the base rate.

    The order stays; without this the rival's Brier score would suffer for a choice of weights.
    """
    odds = p / (1 - p) * rate / (1 - rate)
    return np.asarray(odds / (1 + odds))


def _texts(sample: Sample) -> pd.DataFrame:
    assert sample.texts is not None
    return sample.texts


def _text_labels(columns: Sequence[str]) -> Callable[[Sample, Sample], Cited]:
    def predict(train: Sample, test: Sample) -> Cited:
        a, b = rotated_tfidf(_joined(train, columns), _joined(test, columns))
        labels = _most_likely(a, train.guideline.tolist(), b)
        return Cited(labels, _most_likely(a, _chapters(train), b))

    return predict


def _joined(sample: Sample, columns: Sequence[str]) -> list[str]:
    return [" ".join(map(str, row)) for row in _texts(sample)[list(columns)].to_numpy()]


def rotated_tfidf(train: Sequence[str], test: Sequence[str]) -> tuple[Array, Array]:
    """TF-IDF of words and word pairs, turned into the space that the training texts span.

    A regression with an L2 penalty predicts the same there (a rotation keeps lengths, and its
    weights lie in that span), with a hundred times fewer weights to find.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, max_features=20000)
    a, b = words.fit_transform(train), words.transform(test)
    if a.shape[0] >= a.shape[1]:
        return a.toarray(), b.toarray()
    values, vectors = np.linalg.eigh((a @ a.T).toarray())
    kept = values > 1e-9 * values.max()
    length = np.sqrt(values[kept])
    return vectors[:, kept] * length, np.asarray((b @ a.T) @ (vectors[:, kept] / length))


def _most_likely(a: Array, truth: Sequence[str], b: Array) -> Labels:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10.0, tol=1e-3, max_iter=500).fit(a, list(truth))
    order = np.argsort(-model.predict_proba(b), axis=1, kind="stable")[:, :PLACES]
    return [[str(name) for name in row] for row in model.classes_[order]]


def _chapters(sample: Sample) -> list[str]:
    return [chapter_of(label) for label in sample.guideline]


def _copy(train: Sample, test: Sample) -> Cited:
    from imr.models.baselines import CopyAdministrator

    guess = CopyAdministrator().fit(train.frame, train.guideline.tolist())
    labels = guess.predict(test.frame, top=20)
    return _by_order(labels)


def _by_order(labels: Labels) -> Cited:
    """A list of labels, and their chapters in the order of first mention."""
    chapters = [list(dict.fromkeys(chapter_of(label) for label in row)) for row in labels]
    return Cited([row[:PLACES] for row in labels], [row[:PLACES] for row in chapters])


def _multiclass(seed: int) -> Callable[[Sample, Sample], Cited]:
    def predict(train: Sample, test: Sample) -> Cited:
        from imr.models.baselines import ChapterClassifier

        fitted = ChapterClassifier(seed=seed).fit(train.frame, train.guideline.tolist())
        return Cited(None, fitted.predict(test.frame, PLACES))

    return predict


def _most_cited(train: Sample, test: Sample) -> Cited:
    one = _ranked(train.guideline.tolist()), _ranked(_chapters(train))
    return Cited([one[0]] * len(test), [one[1]] * len(test))


def _most_cited_in_subcategory(train: Sample, test: Sample) -> Cited:
    return Cited(
        _by_subcategory(train, train.guideline.tolist(), test),
        _by_subcategory(train, _chapters(train), test),
    )


def _by_subcategory(train: Sample, truth: Sequence[str], test: Sample) -> Labels:
    own: dict[str, list[str]] = {}
    for subcategory, label in zip(_subcategory(train), truth, strict=True):
        own.setdefault(subcategory, []).append(label)
    overall = _ranked(truth)
    known = {name: _ranked(labels) for name, labels in own.items()}
    rows = ((*known.get(name, ()), *overall) for name in _subcategory(test))
    return [list(dict.fromkeys(row))[:PLACES] for row in rows]


def _ranked(labels: Sequence[str]) -> list[str]:
    counts = sorted(Counter(labels).items(), key=lambda pair: (-pair[1], pair[0]))
    return [label for label, _ in counts[:PLACES]]


def _subcategory(sample: Sample) -> list[str]:
    frame = sample.frame
    return (frame["category"].astype(str) + "/" + frame["subcategory"].astype(str)).tolist()


def plain_matrix(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All signals as LightGBM reads them: numbers, and text as categories met in training.

    Dates are left out: their codes would be one a letter.
    """
    import pandas as pd

    columns_a: dict[str, Any] = {}
    columns_b: dict[str, Any] = {}
    for name in map(str, train.columns):
        if name in _KEYS or "date" in name or name == "application_received":
            continue
        a, b = train[name], test[name]
        if pd.api.types.is_string_dtype(a.dtype):
            known = sorted(a.dropna().unique())
            columns_a[name] = pd.Categorical(a, categories=known)
            columns_b[name] = pd.Categorical(b.where(b.isin(known)), categories=known)
        else:
            columns_a[name] = a.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
            columns_b[name] = b.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    return pd.DataFrame(columns_a), pd.DataFrame(columns_b)


def plain_booster(seed: int) -> Any:
    """LightGBM as it comes, made repeatable."""
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        random_state=seed, n_jobs=1, deterministic=True, force_row_wise=True, verbosity=-1
    )


def _plain(seed: int) -> Callable[[Sample, Sample], Array]:
    def predict(train: Sample, test: Sample) -> Array:
        a, b = plain_matrix(train.frame, test.frame)
        return np.asarray(plain_booster(seed).fit(a, train.y).predict_proba(b)[:, 1])

    return predict
