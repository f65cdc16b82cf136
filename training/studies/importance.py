"""What the two models rest on: signals shuffled, families left out, contributions; and what more
letters of this kind would give.

Every loss or gain is the paired difference on the same unseen items (folds of the first repeat),
with the interval of that difference over letters.  The learning curve is measured on the letters at
hand and extended from them alone (letters made by program: ``benchmarks/bench_learning.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from imr.features.table import all_columns
from imr.models.frame import KEY_COLUMNS, Array, drawn_letters
from imr.training import contenders, metrics
from imr.training.config import TrainConfig
from imr.training.contenders import Settings, cited, fit_guideline, fit_outcome
from imr.training.decisions import Sample
from imr.training.folds import Fold, guideline_hits
from imr.training.metrics import OUTCOME_FIGURES, Draws, Estimate, better_by
from imr.training.workers import each

if TYPE_CHECKING:
    from imr.training.folds import FoldResult

    Values = dict[str, Array]

# At most so many shuffles of each fold, and no more than give so many shuffled items.
PERMUTATIONS = 5
ENOUGH_SHUFFLED = 600
# Of a fold's test letters so many are shuffled, once if there are more: an item costs as much as
# some forty predictions.
MOST_LETTERS = 50
# Column that the ranker reads -> what a reader of the table would call its family.
GUIDELINE_FAMILIES: Mapping[str, str] = {
    "administrator_labels": "administrator's citation",
    "category": "kind of request",
    "subcategory": "kind of request",
    "request_terms": "words of the request",
    "request_body_parts": "body part",
    "case_body_part": "body part",
    "associated_with_surgery": "role in surgery",
    "primary_surgery_in_letter": "role in surgery",
    "request_postoperative": "role in surgery",
    "n_items": "number of items",
    "ur_denial_date": "dates (edition in force)",
    "application_received": "dates (edition in force)",
}
# Known of every item; a model that is to do without it sees letters of one item.
ALWAYS_KNOWN: Mapping[str, Any] = {"n_items": 1}
# Sizes of the learning curve, and the smallest as a share of the letters.
POINTS, SMALLEST = 5, 0.25
# Figure of the learning curve -> what of the values an item it is made of.
CURVE_FIGURES: Mapping[str, tuple[str, str]] = {
    "auc": ("auc", "p"),
    "log_loss": ("log_loss", "p"),
    "auc_letters_alone": ("auc", "learned"),
    "chapter_top1": ("chapter_top1", "chapter_top1"),
    "section_top1": ("section_top1", "section_top1"),
}
EXTRAPOLATED_LETTERS = (1_000, 10_000)
# How fast an error falls with the letters: the usual root first, then slower and faster.
EXPONENTS = (0.5, 0.25, 1.0)


@dataclass(frozen=True, slots=True)
class Loss:
    """By how much each figure is worse without what ``columns`` columns of a family tell."""

    family: str
    columns: int
    worse: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Contribution:
    """Mean size and spread of what an effect adds to the log odds of unseen items."""

    effect: str
    mean_size: float
    spread: float


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A figure with so many training letters; not ``measured`` is extrapolated, no promise."""

    metric: str
    letters: int
    measured: bool
    value: Estimate


@dataclass(frozen=True, slots=True)
class Subject:
    """One of the two models: how it is fitted, what it gives an item, and the figures of that (name
    -> value an item that it is made of; the first one orders the tables).
    """

    name: str
    fit: Callable[[Sample, Settings], Any]
    predict: Callable[[Any, Sample], Values]
    families: Callable[[Iterable[str]], dict[str, list[str]]]
    figures: Mapping[str, str]


def signal_families(columns: Iterable[str]) -> dict[str, list[str]]:
    """Signal family -> those of its columns that a model reads; keys and dates have none."""
    family_of = {column.name: column.family for column in all_columns()}
    return _grouped(family_of.keys() & set(columns), family_of)


def guideline_families(columns: Iterable[str]) -> dict[str, list[str]]:
    """:data:`GUIDELINE_FAMILIES` of the columns read; a column in none is a family of its own."""
    return _grouped(columns, GUIDELINE_FAMILIES)


def _grouped(columns: Iterable[str], family_of: Mapping[str, str]) -> dict[str, list[str]]:
    read = set(columns) - set(KEY_COLUMNS)
    found: dict[str, list[str]] = {}
    for name in (*family_of, *sorted(read - family_of.keys())):
        if name in read:
            found.setdefault(family_of.get(name, name), []).append(name)
    return found


def predicted(model: Any, test: Sample) -> Values:
    """p(overturned) as ``p``."""
    return {"p": contenders.p_overturned(model, test)}


def hit(model: Any, test: Sample) -> Values:
    """The figures of :func:`imr.training.folds.guideline_hits`."""
    return guideline_hits(cited(model, test), test)


OUTCOME = Subject("outcome", fit_outcome, predicted, signal_families, {"log_loss": "p", "auc": "p"})
_FIGURES = {name: name for name in ("section_top1", "section_top3", "chapter_top1")}
GUIDELINE = Subject("guideline", fit_guideline, hit, guideline_families, _FIGURES)


@dataclass(frozen=True, slots=True)
class Permuted:
    """Values of the items at ``rows`` of one fold's test items: as they are, shape (1, items), and
    with a family's values shuffled, (shuffles, items); ``columns`` counts those of each family.
    """

    rows: NDArray[np.intp]
    plain: Values
    shuffled: dict[str, Values]
    columns: dict[str, int]


def permuted_families(test: Sample, models: Mapping[str, Any], seed: int) -> dict[str, Permuted]:
    """Both fitted models with each family shuffled, by the subject's name."""
    return {s.name: _permuted(s, models[s.name], test, seed) for s in (OUTCOME, GUIDELINE)}


def permutation(
    draws: Draws, folds: Sequence[Fold], parts: Sequence[Permuted], subject: Subject
) -> list[Loss]:
    """What each figure loses when a family is shuffled among unseen items, the mean of shuffles."""
    pairs = zip(folds, parts, strict=True)
    folds = [replace(fold, test=fold.test[part.rows]) for fold, part in pairs]
    draws = draws.part(np.isin(draws.rows, np.concatenate([fold.test for fold in folds])))
    plain = filled(draws, folds, [part.plain for part in parts])
    # Folds of many items are shuffled fewer times than those of few.
    fewest = min(len(v) for part in parts for by in part.shuffled.values() for v in by.values())
    rows = []
    for name, columns in parts[0].columns.items():
        values = [{of: v[:fewest] for of, v in part.shuffled[name].items()} for part in parts]
        worse = _worse(draws, subject, plain, filled(draws, folds, values))
        rows.append(Loss(name, columns, worse))
    return _sorted(rows)


def permutation_by_column(draws: Draws, folds: Sequence[Fold], config: TrainConfig) -> list[Loss]:
    """As :func:`permutation`, of the outcome, signal by signal; the models are fitted anew."""
    tasks = [(fold, config) for fold in folds]
    parts = each(_permuted_columns, draws.sample, tasks, config.jobs, "permutation by signal")
    return permutation(draws, folds, parts, OUTCOME)


def _permuted_columns(sample: Sample, fold: Fold, config: TrainConfig) -> Permuted:
    model = fit_outcome(sample.part(fold.train), Settings.of(config))
    return _permuted(OUTCOME, model, sample.part(fold.test), config.seed, by_column=True)


def _permuted(
    subject: Subject, model: Any, test: Sample, seed: int, *, by_column: bool = False
) -> Permuted:
    groups = subject.families(model.columns)
    if by_column:
        groups = {name: [name] for names in groups.values() for name in names}
    letters = test.frame["letter_id"].astype(str).to_numpy()
    rows = np.flatnonzero(drawn_letters(letters, MOST_LETTERS, seed))
    most = PERMUTATIONS if len(rows) == len(test) else 1
    test = test.part(rows)
    random = np.random.default_rng(seed)
    shuffles = min(most, max(1, ENOUGH_SHUFFLED // len(test)))
    orders = [random.permutation(len(test)) for _ in range(shuffles)]
    frames = [test.frame]
    frames += [
        test.frame.assign(**{name: test.frame[name].array[order] for name in names})
        for names in groups.values()
        for order in orders
    ]
    # All frames are asked at once, which is far faster.
    repeated = test.part(np.tile(np.arange(len(test)), len(frames)))
    asked = replace(repeated, frame=pd.concat(frames, ignore_index=True))
    found = {
        of: values.reshape(len(frames), len(test))
        for of, values in subject.predict(model, asked).items()
    }
    by_group = {
        name: {of: v[1 + at * shuffles :][:shuffles] for of, v in found.items()}
        for at, name in enumerate(groups)
    }
    sizes = {name: len(columns) for name, columns in groups.items()}
    return Permuted(rows, {of: v[:1] for of, v in found.items()}, by_group, sizes)


def filled(draws: Draws, folds: Sequence[Fold], parts: Sequence[Values]) -> Values:
    """Fold parts (k, test items) -> (k, items)."""
    found: Values = {}
    for fold, part in zip(folds, parts, strict=True):
        for name, values in part.items():
            shape = (len(values), len(draws.sample))
            found.setdefault(name, np.full(shape, np.nan))[:, fold.test] = values
    return found


def _worse(draws: Draws, subject: Subject, before: Values, after: Values) -> dict[str, Estimate]:
    """How much worse each figure is; above 0 is a loss whatever the figure."""
    found = {}
    for figure, of in subject.figures.items():
        had, has = (
            np.mean([first_repeat(draws, figure, values) for values in side[of]], axis=0)
            for side in (before, after)
        )
        found[figure] = metrics.estimate(better_by(figure, had, has))
    return found


def _sorted(rows: Iterable[Loss]) -> list[Loss]:
    """The largest loss of the first figure first."""
    return sorted(rows, key=lambda row: -next(iter(row.worse.values())).value)


def first_repeat(draws: Draws, figure: str, values: Array) -> Array:
    """Draws of a figure on the folds of the first repeat; ``values`` one an item of the sample."""
    once = replace(draws.predictions, fold=draws.predictions.fold[:1])
    first = replace(draws, predictions=once)
    one = values[None, :]
    return first.outcome(figure, one) if figure in OUTCOME_FIGURES else first.share(one)


def ablation(
    draws: Draws, folds: Sequence[Fold], config: TrainConfig, subject: Subject = OUTCOME
) -> list[Loss]:
    """What each figure loses when a family is made undocumented, in training and in test."""
    model = subject.fit(draws.sample.part(folds[0].train), Settings.of(config))
    left_out = subject.families(model.columns)
    tasks = [
        (fold, config, subject, columns) for columns in ((), *left_out.values()) for fold in folds
    ]
    found = each(_without, draws.sample, tasks, config.jobs, f"ablation of the {subject.name}")
    n = len(folds)
    full, *parts = (filled(draws, folds, found[at : at + n]) for at in range(0, len(found), n))
    return _sorted(
        Loss(name, len(columns), _worse(draws, subject, full, part))
        for (name, columns), part in zip(left_out.items(), parts, strict=True)
    )


def _without(
    sample: Sample, fold: Fold, config: TrainConfig, subject: Subject, columns: Sequence[str]
) -> Values:
    blanked = replace(sample, frame=undocumented(sample.frame, columns))
    model = subject.fit(blanked.part(fold.train), Settings.of(config))
    found = subject.predict(model, blanked.part(fold.test))
    return {name: values[None, :] for name, values in found.items()}


def undocumented(frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """The frame with these columns as they stand where a letter says nothing of them."""
    absent = {column.name: column.undocumented for column in all_columns()} | dict(ALWAYS_KNOWN)
    changed = frame.copy()
    for name in columns:
        value = absent.get(name)
        cell = pd.NA if value is None else value
        changed[name] = pd.Series(cell, index=frame.index, dtype=frame[name].dtype)
    return changed


def contributions(results: Sequence[FoldResult]) -> list[Contribution]:
    """Mean size and spread of each effect's contribution (log odds) on unseen items."""
    frames = [pd.DataFrame(r.contributions) for r in results]
    parts = pd.concat(frames, ignore_index=True).fillna(0.0)
    size = parts.abs().mean().sort_values(ascending=False, kind="stable")
    spread = parts.std(ddof=0)
    return [
        Contribution(str(name), float(value), float(spread[str(name)]))
        for name, value in size.items()
        if value > 0
    ]


# --- more letters ---------------------------------------------------------------------------------


def learning_curve(draws: Draws, folds: Sequence[Fold], config: TrainConfig) -> list[CurvePoint]:
    """Figures against the number of training letters, and what lines through them would give."""
    shares = np.geomspace(SMALLEST, 1.0, POINTS)
    tasks = [(fold, config, share) for share in shares for fold in folds]
    found = each(_part_trained, draws.sample, tasks, config.jobs, "learning curve")
    n = len(folds)
    rows: list[CurvePoint] = []
    curves: dict[str, list[Array]] = {name: [] for name in CURVE_FIGURES}
    letters: list[float] = []
    for at in range(0, len(found), n):
        part = filled(draws, folds, [one for one, _ in found[at : at + n]])
        letters.append(float(np.mean([count for _, count in found[at : at + n]])))
        for name, (figure, of) in CURVE_FIGURES.items():
            curves[name].append(first_repeat(draws, figure, part[of][0]))
            value = metrics.estimate(curves[name][-1])
            rows.append(CurvePoint(name, round(letters[-1]), True, value))
    for name, values in curves.items():
        for count in EXTRAPOLATED_LETTERS:
            beyond = extrapolated(np.array(letters), np.array(values), count, name)
            rows.append(CurvePoint(name, count, False, metrics.estimate(beyond)))
    return rows


def _part_trained(
    sample: Sample, fold: Fold, config: TrainConfig, share: float
) -> tuple[dict[str, Array], int]:
    rows = nested_part(sample, fold.train, share, config.seed)
    train, test = sample.part(rows), sample.part(fold.test)
    settings = Settings.of(config)
    found = {
        **predicted(fit_outcome(train, settings), test),
        "learned": contenders.letters_alone(settings, train, test),
        **hit(fit_guideline(train, settings), test),
    }
    count = int(train.frame["letter_id"].nunique())
    return {name: values[None, :] for name, values in found.items()}, count


def nested_part(
    sample: Sample, rows: NDArray[np.intp], share: float, seed: int
) -> NDArray[np.intp]:
    """Rows of that share of the groups, by outcome; a smaller share lies inside a larger one."""
    random = np.random.default_rng(seed)
    group = sample.groups[rows]
    positive = set(group[sample.y[rows] == 1])
    chosen: set[int] = set()
    for of_kind in (sorted(positive), sorted(set(group) - positive)):
        order = random.permutation(np.array(of_kind, dtype=np.intp))
        chosen.update(order[: max(2, round(share * len(order)))].tolist())
    return np.asarray(rows[np.isin(group, sorted(chosen))])


def extrapolated(letters: Array, values: Array, count: float, name: str) -> Array:
    """Value at ``count`` letters of ``a + b / letters ** c`` through the curve, draw by draw.

    ``values`` (sizes, draws).  The figure itself (the first draw) takes ``c`` = 1/2; the others
    take the :data:`EXPONENTS` in turn, so that the interval holds the doubt about the form as well
    as the letters'.  Shares and AUC are kept within 0 and 1.
    """
    known = ~np.isnan(values).any(axis=0)
    beyond = np.full(values.shape[1], np.nan)
    for place, exponent in enumerate(EXPONENTS):
        own = known & (np.arange(values.shape[1]) % len(EXPONENTS) == place)
        design = np.column_stack([np.ones_like(letters), letters**-exponent])
        line, *_ = np.linalg.lstsq(design, values[:, own], rcond=None)
        beyond[own] = line[0] + line[1] * count**-exponent
    upper = np.inf if name == "log_loss" else 1.0
    return np.asarray(np.clip(beyond, 0.0, upper))
