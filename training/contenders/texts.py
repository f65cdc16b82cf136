"""Contenders on texts: TF-IDF, and a probe that knows only who wrote the summary.

Reviewers write summaries after the fact and have house styles, and styles differ in how often
they overturn.  A model that recognises the style would look good and know nothing of the case.
:func:`style_probability` measures what style alone gives; :mod:`imr.training.studies.style` tells
whether models live on it.

The shipped table holds no text, so that these contenders cannot be fitted on it; texts are the
strongest alternative, and a table without them would flatter the models.  So ``PREDICTIONS`` holds
what they predicted, numbers only: a row an item and repeat with the fold that tested it,
p(overturned) by contender, and whether each place of the guideline was hit.  They are shown where
a run has the same folds.  Built by one command, never edited, after letters or folds changed::

    python -m imr.training.contenders.texts LETTERS...
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from imr.models.frame import KEY_COLUMNS, Array
from imr.training.contenders.baselines import Cited, OutcomePredict, chapters_of, likeliest
from imr.training.decisions import Sample

if TYPE_CHECKING:
    from imr.training.folds import Predictions

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
PREDICTIONS = "text_predictions.csv"


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
            likeliest(_regression(GUIDELINE_STRENGTH).fit(a, list(truth)), b)
            for truth in (train.guideline, chapters_of(train))
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


def opening(summary: str) -> str:
    """The first three words, lower case, numbers left out."""
    return " ".join(_WORD.findall(summary[:200].lower())[:OPENING_WORDS])


def stock_openings(summaries: Sequence[str]) -> list[str]:
    """Openings that many summaries share, the commonest first; a summary counts once."""
    distinct = sorted(set(summaries))
    counts = Counter(opening(summary) for summary in distinct)
    least = max(2.0, STOCK_SHARE * len(distinct))
    common = [(name, n) for name, n in counts.items() if n >= least and name]
    return [name for name, _ in sorted(common, key=lambda pair: (-pair[1], pair[0]))]


def style_of(summaries: Sequence[str], stock: Sequence[str]) -> NDArray[Any]:
    """The stock opening of each summary, else ``"other"``."""
    known = set(stock)
    found = (opening(summary) for summary in summaries)
    return np.array([name if name in known else OTHER for name in found], dtype=object)


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
    regression = LogisticRegression(C=STYLE_STRENGTH, max_iter=1000)
    fitted = make_pipeline(StandardScaler(), regression)
    fitted.fit(style_matrix(train, stock), list(overturned))
    return np.asarray(fitted.predict_proba(style_matrix(test, stock))[:, 1], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class TextPredictions:
    """As in :class:`imr.training.folds.Predictions`: p(overturned) by contender, and hits by
    contender and figure, shape (repeats, items).
    """

    outcome: dict[str, Array]
    hits: dict[str, dict[str, Array]]


def shipped_path() -> Path:
    """Where the predictions stand."""
    return Path(str(resources.files("imr.data") / PREDICTIONS))


def shipped_for(sample: Sample, fold: NDArray[np.intp]) -> TextPredictions | None:
    """The shipped predictions of these items in these folds (repeats, items); None where an item
    is not among them or was tested in another fold.
    """
    table = pd.read_csv(shipped_path(), dtype={"letter_id": "string"})
    items = sample.frame[[*KEY_COLUMNS]].astype({"letter_id": "string", "item_index": "int64"})
    outcome: dict[str, list[Array]] = {}
    hits: dict[str, dict[str, list[Array]]] = {}
    for repeat, tested_in in enumerate(fold):
        rows = items.merge(table[table["repeat"] == repeat], on=[*KEY_COLUMNS], how="left")
        if len(rows) != len(items) or not (rows["fold"] == tested_in).all():
            return None
        for column in rows.columns[4:]:
            subject, name, *figure = column.split("/")
            values = rows[column].to_numpy(dtype=np.float64)
            if subject == "outcome":
                outcome.setdefault(name, []).append(values)
            else:
                hits.setdefault(name, {}).setdefault(figure[0], []).append(values)
    return TextPredictions(
        {name: np.array(parts) for name, parts in outcome.items()},
        {
            name: {figure: np.array(parts) for figure, parts in figures.items()}
            for name, figures in hits.items()
        },
    )


def table_of(sample: Sample, predictions: Predictions) -> pd.DataFrame:
    """Predictions as the shipped table."""
    parts = []
    for repeat, fold in enumerate(predictions.fold):
        part = sample.frame[[*KEY_COLUMNS]].assign(repeat=repeat, fold=fold)
        columns = {
            f"outcome/{name}": p[repeat].round(6) for name, p in predictions.outcome.items()
        } | {
            f"guideline/{name}/{figure}": values[repeat].astype(int)
            for name, hits in predictions.hits.items()
            for figure, values in hits.items()
        }
        parts.append(part.assign(**columns))
    return pd.concat(parts, ignore_index=True)


def main() -> None:
    """Run the contenders on texts in the folds of the usual protocol, and write the table."""
    from imr.training.config import TrainConfig
    from imr.training.decisions import ordered, read_corpus, sample
    from imr.training.folds import folds_of, run_texts

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("letters", nargs="+")
    data = sample(ordered(read_corpus(parser.parse_args().letters)))
    config = TrainConfig()
    table = table_of(data, run_texts(data, folds_of(data, config), config))
    table.to_csv(shipped_path(), index=False, lineterminator="\n")
    print(f"{shipped_path()}: {len(table)} rows of {len(data)} items")


if __name__ == "__main__":
    main()
