"""Who is compared: the two models, parts of them, what a user would pick instead (base rates, plain
LightGBM, copying the administrator, regressions on texts), and probes for leaks.

A contender learns from the training rows of one fold and predicts its test rows: a probability an
item, or for the guideline :class:`Cited`.

The shipped decisions hold no text, and a table without its strongest rivals would flatter the
models.  So ``PREDICTIONS`` holds what contenders on texts predicted, numbers only, shown where a
run has the same folds.  Built by one command, never edited, after letters or folds changed::

    python -m imr.training.contenders LETTERS...
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from imr.models.config import out_of_range
from imr.models.frame import CLASS_COLUMNS, KEY_COLUMNS, Array, listed, numbers, request_years
from imr.models.guideline import GuidelineConfig, GuidelineModel
from imr.models.guideline.candidates import chapter_of
from imr.models.outcome import OutcomeConfig, OutcomeModel
from imr.models.outcome.start import JUDGED_APART, published_odds
from imr.training.config import ConfigError, TrainConfig, checked
from imr.training.decisions import DATA, Sample

if TYPE_CHECKING:
    from imr.training.folds import Predictions

T = TypeVar("T", bound=OutcomeConfig | GuidelineConfig)
Kind = Literal["model", "part", "alternative", "probe"]
Labels = list[list[str]]

MODEL = "imr"
BEFORE = "imr, before learning"
LETTERS_ALONE = "imr, letters alone"
STYLE = "style probe"
ON_TEXTS = {
    "TF-IDF + LR, title": ("title",),
    "TF-IDF + LR, title + admin.": ("title", "administrator"),
    "TF-IDF + LR, summary": ("case_summary",),
}
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
# Inverse L2 penalties: two classes of which one is rare, and many classes.
OUTCOME_STRENGTH, GUIDELINE_STRENGTH = 1.0, 10.0
# A regression over a hundred labels and more learns from no more items than this.
MOST_TEXTS = 1_000
# Inverse L2 penalty of the probe, small for the few overturned items there are; on the 135 real
# letters any value from 0.01 to 1 gives an AUC of 0.65 to 0.68.
STYLE_STRENGTH = 0.1
OPENING_WORDS = 3
# An opening that this share of the summaries share is a stock template.
STOCK_SHARE = 0.02
OTHER = "other"
_WORD = re.compile(r"[a-z]+")
_SENTENCE = re.compile(r"[.!?]\s")
PREDICTIONS = Path(str(DATA / "text_predictions.csv"))


@dataclass(frozen=True, slots=True)
class Cited:
    """Guidelines an item, likeliest first; ``labels`` None of who predicts chapters only."""

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
    """Of the two models under test, and the seed of the alternatives."""

    outcome: OutcomeConfig = field(default_factory=OutcomeConfig)
    guideline: GuidelineConfig = field(default_factory=GuidelineConfig)
    seed: int = 20161013

    @classmethod
    def of(cls, config: TrainConfig) -> Settings:
        """What a run was told; :class:`ConfigError` for what a model lacks or does not allow."""
        seeded = {"seed": config.seed}
        return cls(
            outcome=_told("outcome", OutcomeConfig(), {**seeded, **config.outcome}),
            guideline=_told("guideline", GuidelineConfig(), {**seeded, **config.guideline}),
            seed=config.seed,
        )


def _told(model: str, defaults: T, values: Mapping[str, Any]) -> T:
    """A model's settings with some of them set."""
    types = {f.name: type(getattr(defaults, f.name)) for f in fields(defaults)}
    told = checked(values, types, f"{model}.")
    if said := out_of_range(defaults, told, f"{model}."):
        raise ConfigError(said)
    return replace(defaults, **told)


def outcome_contenders(settings: Settings) -> tuple[Contender, ...]:
    """All for p(overturned) beside the model under test."""
    return (
        Contender(BEFORE, "part", partial(before_learning, settings)),
        Contender(LETTERS_ALONE, "part", partial(letters_alone, settings)),
        Contender("base rate", "alternative", base_rate),
        Contender("category base rate", "alternative", category_base_rate),
        Contender("published rates", "alternative", published_rates),
        Contender("plain LightGBM", "alternative", partial(plain_lightgbm, settings.seed)),
        *(Contender(n, "alternative", partial(text_outcome, c), True) for n, c in ON_TEXTS.items()),
        Contender(STYLE, "probe", style_probe, True),
        Contender("rationale probe", "probe", partial(text_outcome, ("rationale",)), True),
    )


def guideline_contenders(settings: Settings) -> tuple[Contender, ...]:
    """All for the cited guideline beside the model under test."""
    on_texts = text_guideline
    return (
        Contender("most cited", "alternative", most_cited),
        Contender("most cited in subcategory", "alternative", most_cited_in_subcategory),
        Contender("copying the administrator", "alternative", copy_administrator),
        Contender("LightGBM multiclass", "alternative", partial(chapter_lightgbm, settings.seed)),
        *(Contender(n, "alternative", partial(on_texts, c), True) for n, c in ON_TEXTS.items()),
        Contender("rationale probe", "probe", partial(on_texts, ("rationale",)), True),
    )


def contender_kinds() -> dict[tuple[str, str], Kind]:
    """(subject, contender) -> kind, in the order of the table, the model first."""
    kinds: dict[tuple[str, str], Kind] = {("outcome", MODEL): "model"}
    kinds |= {("outcome", c.name): c.kind for c in outcome_contenders(Settings())}
    kinds["guideline", MODEL] = "model"
    return kinds | {("guideline", c.name): c.kind for c in guideline_contenders(Settings())}


# --- the models under test, and parts of them -----------------------------------------------------


def fit_outcome(train: Sample, settings: Settings) -> Any:
    """The outcome model fitted to the training rows."""
    return OutcomeModel(config=settings.outcome).fit(train.frame, train.overturned)


def p_overturned(model: Any, test: Sample) -> Array:
    """What a fitted outcome model predicts for the test rows."""
    return np.asarray(model.predict(test.frame)["p_overturned"], dtype=np.float64)


def fit_guideline(train: Sample, settings: Settings) -> Any:
    """The guideline model fitted to the training rows."""
    model = GuidelineModel(config=settings.guideline)
    return model.fit(train.frame, train.guideline.tolist())


def cited(model: Any, test: Sample) -> Cited:
    """What a fitted guideline model ranks first, by label and by chapter."""
    names = [f"guideline_{place}" for place in range(1, PLACES + 1)]
    labels = model.predict(test.frame, top=PLACES)[names].to_numpy().tolist()
    return Cited(labels, model.chapters(test.frame, top=PLACES))


def before_learning(settings: Settings, train: Sample, test: Sample) -> Array:
    """The starting odds, moved to the training letters' base rate: what the model knows without
    having learned anything.  No rater had seen a decision, and ratings of the letter itself are
    kept out (``JUDGED_APART``), so that folds do not flatter this figure.
    """
    model = OutcomeModel(config=settings.outcome)
    known, asked = (model.starting_odds(part.frame) for part in (train, test))
    rate = float(train.y.mean())
    shift = brentq(lambda shift: float(expit(known + shift).mean()) - rate, -30, 30)
    return np.asarray(expit(asked + float(shift)))


def letters_alone(settings: Settings, train: Sample, test: Sample) -> Array:
    """The same model without the judgement: what these letters teach alone."""
    model = OutcomeModel(config=settings.outcome, judgement=None)
    return p_overturned(model.fit(train.frame, train.overturned), test)


# --- what a user would pick instead, from signals -------------------------------------------------


def base_rate(train: Sample, test: Sample) -> Array:
    """The training letters' own share of overturned items, for every item."""
    return np.full(len(test), train.y.mean())


def category_base_rate(train: Sample, test: Sample) -> Array:
    """The share overturned of the treatment category, drawn toward the overall one."""
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


def plain_lightgbm(seed: int, train: Sample, test: Sample) -> Array:
    """LightGBM as it comes, on all signals."""
    a, b = plain_matrix(train.frame, test.frame)
    return np.asarray(plain_booster(seed).fit(a, train.y).predict_proba(b)[:, 1])


def plain_matrix(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All signals as LightGBM reads them: numbers, and text as categories met in training; no dates
    (their codes would be one a letter), nor what tells what raters of a letter saw.
    """
    left_out = {*KEY_COLUMNS, JUDGED_APART, "application_received"}
    read = [str(name) for name in train if name not in left_out and "date" not in str(name)]
    a, b = {}, {}
    for name in read:
        if pd.api.types.is_string_dtype(train[name].dtype):
            a[name], b[name] = _categories(train[name], test[name])
        else:
            a[name], b[name] = numbers(train[name]), numbers(test[name])
    return pd.DataFrame(a), pd.DataFrame(b)


def _categories(train: pd.Series[Any], test: pd.Series[Any]) -> tuple[Any, Any]:
    met = sorted(train.dropna().unique())
    known = test.where(test.isin(met))
    return pd.Categorical(train, categories=met), pd.Categorical(known, categories=met)


def plain_booster(seed: int, **settings: Any) -> Any:
    """LightGBM as it comes, made repeatable."""
    from lightgbm import LGBMClassifier

    settings |= {"n_jobs": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1}
    return LGBMClassifier(random_state=seed, **settings)


def most_cited(train: Sample, test: Sample) -> Cited:
    """The labels and chapters cited most often, for every item."""
    labels, chapters = by_count(train.guideline)[:PLACES], by_count(chapters_of(train))[:PLACES]
    return Cited([labels] * len(test), [chapters] * len(test))


def most_cited_in_subcategory(train: Sample, test: Sample) -> Cited:
    """The labels and chapters cited most often in the subcategory, then those of all items."""
    known, asked = (
        part.frame["category"].astype(str) + "/" + part.frame["subcategory"].astype(str)
        for part in (train, test)
    )

    def ranked(truth: Iterable[str]) -> Labels:
        labels = pd.Series(list(truth))
        overall = by_count(labels)
        own = {str(name): by_count(cited) for name, cited in labels.groupby(known.to_numpy())}
        rows = ((*own.get(name, ()), *overall) for name in asked)
        return [list(dict.fromkeys(row))[:PLACES] for row in rows]

    return Cited(ranked(train.guideline), ranked(chapters_of(train)))


def copy_administrator(train: Sample, test: Sample) -> Cited:
    """What the administrator cited, in the same order, then the labels cited most often."""
    overall = by_count(train.guideline)
    cells = test.frame["administrator_labels"]
    labels = [list(dict.fromkeys((*listed(cell), *overall))) for cell in cells]
    chapters = [list(dict.fromkeys(map(chapter_of, row))) for row in labels]
    return Cited([row[:PLACES] for row in labels], [row[:PLACES] for row in chapters])


def chapter_lightgbm(seed: int, train: Sample, test: Sample) -> Cited:
    """LightGBM multiclass over the chapters met in training, on :data:`CHAPTER_INPUTS`."""
    a, b = pd.DataFrame(), pd.DataFrame()
    for name in CHAPTER_INPUTS:
        first = (
            [next(iter(listed(cell)), "") for cell in part.frame[name]] for part in (train, test)
        )
        a[name], b[name] = _categories(*(pd.Series(cells, dtype=object) for cells in first))
    model = plain_booster(seed, **CHAPTER_SETTINGS).fit(a, chapters_of(train))
    return Cited(None, likeliest(model, b))


def chapters_of(sample: Sample) -> list[str]:
    """The chapter of each reviewer's first citation."""
    return [chapter_of(label) for label in sample.guideline]


def by_count(values: Iterable[str]) -> list[str]:
    """The distinct values, the commonest first."""
    return [name for name, _ in sorted(Counter(values).items(), key=lambda one: (-one[1], one[0]))]


def likeliest(model: Any, rows: Any) -> Labels:
    """The classes that a fitted classifier finds likeliest, :data:`PLACES` a row."""
    order = np.argsort(-model.predict_proba(rows), axis=1, kind="stable")[:, :PLACES]
    return [[str(name) for name in row] for row in model.classes_[order]]


# --- from texts -----------------------------------------------------------------------------------


def text_outcome(columns: Sequence[str], train: Sample, test: Sample) -> Array:
    """TF-IDF with logistic regression on these columns of the texts."""
    a, b = tfidf(joined_texts(train, columns), joined_texts(test, columns))
    model = _regression(OUTCOME_STRENGTH, 1e-6, balanced=True).fit(a, train.y)
    p, rate = model.predict_proba(b)[:, 1], float(train.y.mean())
    # Brought back from balanced classes to the base rate.  The order stays; without this the
    # rival's Brier score would suffer for a choice of weights.
    odds = p / (1 - p) * rate / (1 - rate)
    return np.asarray(odds / (1 + odds))


def text_guideline(columns: Sequence[str], train: Sample, test: Sample) -> Cited:
    """TF-IDF with logistic regression over labels and chapters, of :data:`MOST_TEXTS` items."""
    if len(train) > MOST_TEXTS:
        rows = np.random.default_rng(0).permutation(len(train))[:MOST_TEXTS]
        train = train.part(np.sort(rows))
    a, b = tfidf(joined_texts(train, columns), joined_texts(test, columns))
    labels, chapters = (
        likeliest(_regression(GUIDELINE_STRENGTH).fit(a, list(truth)), b)
        for truth in (train.guideline, chapters_of(train))
    )
    return Cited(labels, chapters)


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


# --- who wrote the summary: studies/slices.py asks whether the ranking lives on it ----------------


def opening(summary: str) -> str:
    """The first three words, lower case, numbers left out."""
    return " ".join(_WORD.findall(summary[:200].lower())[:OPENING_WORDS])


def stock_openings(summaries: Sequence[str]) -> list[str]:
    """Openings that many summaries share, the commonest first; a summary counts once."""
    distinct = sorted(set(summaries))
    counts = Counter(opening(summary) for summary in distinct)
    least = max(2.0, STOCK_SHARE * len(distinct))
    return [name for name in by_count(counts.elements()) if counts[name] >= least and name]


def style_of(summaries: Sequence[str], stock: Sequence[str]) -> NDArray[Any]:
    """The stock opening of each summary, else ``"other"``."""
    found = (opening(summary) for summary in summaries)
    return np.array([name if name in stock else OTHER for name in found], dtype=object)


def style_matrix(summaries: Sequence[str], stock: Sequence[str]) -> Array:
    """Length in characters and words (logarithms), words a sentence, and the opening's flags."""
    styles = style_of(summaries, stock)
    rows = []
    for summary, style in zip(summaries, styles, strict=True):
        words, sentences = len(summary.split()), len(_SENTENCE.findall(summary)) + 1
        flags = [float(style == name) for name in stock]
        rows.append([np.log1p(len(summary)), np.log1p(words), words / sentences, *flags])
    return np.array(rows, dtype=np.float64)


def style_probability(
    train: Sequence[str], overturned: Sequence[bool], test: Sequence[str]
) -> Array:
    """p(overturned) of the test summaries from length and stock opening alone: a warning, never a
    rival.  The openings are those that the training summaries share; words inside a summary are
    not read, for they would be content.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    stock = stock_openings(train)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=STYLE_STRENGTH, max_iter=1000))
    model.fit(style_matrix(train, stock), list(overturned))
    return np.asarray(model.predict_proba(style_matrix(test, stock))[:, 1], dtype=np.float64)


def style_probe(train: Sample, test: Sample) -> Array:
    """:func:`style_probability` of samples."""
    known, asked = (joined_texts(part, ("case_summary",)) for part in (train, test))
    return style_probability(known, train.overturned, asked)


# --- what contenders on texts gave for the shipped decisions --------------------------------------


def shipped_for(
    sample: Sample, fold: NDArray[np.intp]
) -> tuple[dict[str, Array], dict[str, dict[str, Array]]] | None:
    """The shipped p(overturned) by contender, and hits by contender and figure, all (repeats,
    items); None where an item is not among them or was tested in another fold.
    """
    keys = ["repeat", *KEY_COLUMNS]
    table = pd.read_csv(PREDICTIONS, dtype={"letter_id": "string"}).set_index(keys)
    items = sample.frame[[*KEY_COLUMNS]].astype({"letter_id": "string", "item_index": "int64"})
    asked = pd.concat([items.assign(repeat=repeat) for repeat in range(len(fold))])
    rows = table.reindex(pd.MultiIndex.from_frame(asked[keys]))
    if (rows.pop("fold").to_numpy().reshape(fold.shape) != fold).any():
        return None
    outcome: dict[str, Array] = {}
    hits: dict[str, dict[str, Array]] = {}
    for column in rows:
        subject, name, *figure = str(column).split("/")
        values = rows[column].to_numpy(dtype=np.float64).reshape(fold.shape)
        if subject == "outcome":
            outcome[name] = values
        else:
            hits.setdefault(name, {})[figure[0]] = values
    return outcome, hits


def table_of(sample: Sample, predictions: Predictions, names: Collection[str]) -> pd.DataFrame:
    """The predictions of these contenders as the shipped table: a row an item and repeat."""
    parts = []
    for repeat, fold in enumerate(predictions.fold):
        part = sample.frame[[*KEY_COLUMNS]].assign(repeat=repeat, fold=fold)
        for name in (name for name in predictions.outcome if name in names):
            part[f"outcome/{name}"] = predictions.outcome[name][repeat].round(6)
        for name in (name for name in predictions.hits if name in names):
            for figure, values in predictions.hits[name].items():
                part[f"guideline/{name}/{figure}"] = values[repeat].astype(int)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def main() -> None:
    """Run all contenders in the folds of the usual protocol, and write what those on texts gave."""
    from imr.training.decisions import ordered, read_corpus, sample
    from imr.training.folds import folds_of, run_folds

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("letters", nargs="+")
    data = sample(ordered(read_corpus(parser.parse_args().letters)))
    config = TrainConfig()
    names = {c.name for c in outcome_contenders(Settings()) if c.needs_texts}
    table = table_of(data, run_folds(data, folds_of(data, config), config), names)
    table.to_csv(PREDICTIONS, index=False, lineterminator="\n")
    print(f"{PREDICTIONS}: {len(table)} rows of {len(data)} items")


if __name__ == "__main__":
    main()
