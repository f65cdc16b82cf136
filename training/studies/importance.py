"""What the two models rest on: signals dealt out anew, families left out, and contributions.

Every loss or gain is the paired difference on the same unseen items (folds of the first repeat),
with the interval of that difference over letters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from imr.training import metrics
from imr.training.bootstrap import Draws
from imr.training.contenders.compared import Settings, cited, fit_guideline, fit_outcome
from imr.training.decisions import Sample
from imr.training.folds import guideline_hits
from imr.training.split import Fold

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from imr.training.config import TrainConfig

    Array = NDArray[np.float64]
    Values = dict[str, Array]

PERMUTATIONS = 5
KEYS = ("letter_id", "item_index")
# What the ranker reads, by what a reader of the table would call it.
GUIDELINE_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "administrator's citation": ("administrator_labels",),
    "kind of request": ("category", "subcategory"),
    "words of the request": ("request_terms",),
    "body part": ("request_body_parts", "case_body_part"),
    "role in surgery": (
        "associated_with_surgery",
        "primary_surgery_in_letter",
        "request_postoperative",
    ),
    "number of items": ("n_items",),
    "dates (edition in force)": ("ur_denial_date", "application_received"),
}
# Known of every item; a model that is to do without it sees letters of one item.
ALWAYS_KNOWN: Mapping[str, Any] = {"n_items": 1}


@dataclass(frozen=True, slots=True)
class Subject:
    """One of the two models: how it is fitted, what it gives an item, and the figures of that.

    ``figures``: name -> value an item that it is made of; the first one orders the tables.
    """

    fit: Callable[[Sample, Settings], Any]
    predict: Callable[[Any, Sample], Values]
    families: Callable[[Iterable[str]], dict[str, tuple[str, ...]]]
    figures: Mapping[str, str]


def families(columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Signal family -> those of its columns that a model reads (keys left out)."""
    from imr.features.table import COLUMNS

    read = set(columns)
    found: dict[str, list[str]] = {}
    for column in COLUMNS:
        if column.name in read and column.family != "key":
            found.setdefault(column.family, []).append(column.name)
    return {family: tuple(names) for family, names in found.items()}


def guideline_families(columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """:data:`GUIDELINE_FAMILIES` of the columns read; a column in none is a family of its own."""
    read = set(columns) - set(KEYS)
    found = {
        name: tuple(column for column in members if column in read)
        for name, members in GUIDELINE_FAMILIES.items()
    }
    rest = sorted(read - {column for members in found.values() for column in members})
    return {name: members for name, members in found.items() if members} | {
        column: (column,) for column in rest
    }


def _p_overturned(model: Any, test: Sample) -> Values:
    return {"p": np.asarray(model.predict(test.frame)["p_overturned"], dtype=np.float64)}


def _hits(model: Any, test: Sample) -> Values:
    return guideline_hits(cited(model, test), test)


_GUIDELINE_FIGURES = ("section_top1", "section_top3", "chapter_top1")
OUTCOME = Subject(fit_outcome, _p_overturned, families, {"log_loss": "p", "auc": "p"})
GUIDELINE = Subject(
    fit_guideline, _hits, guideline_families, {name: name for name in _GUIDELINE_FIGURES}
)


def permutation(
    draws: Draws,
    folds: Sequence[Fold],
    config: TrainConfig,
    subject: Subject = OUTCOME,
    *,
    by_column: bool = False,
) -> list[dict[str, Any]]:
    """What each figure loses when a family's (or column's) values are dealt out anew among the
    unseen items of a fold, the mean over :data:`PERMUTATIONS` deals.
    """
    from joblib import Parallel, delayed

    work = (delayed(_permuted)(draws.sample, fold, config, subject, by_column) for fold in folds)
    parts = list(Parallel(n_jobs=min(config.jobs, len(folds)))(work))
    plain = filled(draws, folds, [part[0] for part in parts])
    rows = []
    for name in parts[0][1]:
        dealt = filled(draws, folds, [part[1][name] for part in parts])
        lost = {f: _lost(draws, f, plain[of], dealt[of]) for f, of in subject.figures.items()}
        rows.append({"signal": name, **_ends(lost, "loss")})
    return _sorted(rows, subject, "loss")


def _permuted(
    sample: Sample, fold: Fold, config: TrainConfig, subject: Subject, by_column: bool
) -> tuple[Values, dict[str, Values]]:
    """Values an item as they are, shape (1, items), and by family, (deals, items)."""
    model = subject.fit(sample.part(fold.train), Settings(seed=config.seed))
    groups = subject.families(model.columns)
    if by_column:
        groups = {name: (name,) for names in groups.values() for name in names}
    test = sample.part(fold.test)
    random = np.random.default_rng(config.seed)
    orders = [random.permutation(len(test)) for _ in range(PERMUTATIONS)]
    frames = [test.frame]
    frames += [_dealt(test.frame, names, order) for names in groups.values() for order in orders]
    found = _predicted(model, subject, test, frames)
    by_group = {
        name: {of: v[1 + at * PERMUTATIONS :][:PERMUTATIONS] for of, v in found.items()}
        for at, name in enumerate(groups)
    }
    return {of: v[:1] for of, v in found.items()}, by_group


def _dealt(frame: pd.DataFrame, columns: Sequence[str], order: NDArray[np.intp]) -> pd.DataFrame:
    return frame.assign(**{column: frame[column].array[order] for column in columns})


def _predicted(
    model: Any, subject: Subject, test: Sample, frames: Sequence[pd.DataFrame]
) -> Values:
    """Values an item of all frames, shape (frames, items): asked at once, which is far faster."""
    import pandas as pd

    repeated = test.part(np.tile(np.arange(len(test)), len(frames)))
    asked = replace(repeated, frame=pd.concat(frames, ignore_index=True))
    found = subject.predict(model, asked)
    return {of: values.reshape(len(frames), len(test)) for of, values in found.items()}


def filled(draws: Draws, folds: Sequence[Fold], parts: Sequence[Values]) -> Values:
    """Fold parts (k, test items) -> (k, items)."""
    found: Values = {}
    for fold, part in zip(folds, parts, strict=True):
        for name, values in part.items():
            shape = (len(values), len(draws.sample))
            found.setdefault(name, np.full(shape, np.nan))[:, fold.test] = values
    return found


def _lost(draws: Draws, figure: str, before: Array, after: Array) -> Array:
    """How much worse the figure is, draw by draw; above 0 is a loss whatever the figure."""
    had = np.mean([first_repeat(draws, figure, values) for values in before], axis=0)
    has = np.mean([first_repeat(draws, figure, values) for values in after], axis=0)
    return np.asarray(has - had if figure == "log_loss" else had - has)


def first_repeat(draws: Draws, figure: str, values: Array) -> Array:
    """Draws of a figure on the folds of the first repeat; ``values`` one an item of the sample."""
    tested = values[draws.rows]
    if figure == "auc":
        strata = draws.predictions.fold[0, draws.rows]
        return metrics.auc(draws.y, tested, draws.weights, strata)
    if figure in metrics.OUTCOME_METRICS:
        return metrics.OUTCOME_METRICS[figure](draws.y, tested, draws.weights)
    return metrics.mean(tested, draws.weights)


def _ends(found: Mapping[str, Array], word: str) -> dict[str, float]:
    row: dict[str, float] = {}
    for figure, values in found.items():
        e = metrics.estimate(values)
        row |= {
            f"{figure}_{word}": e.value,
            f"{figure}_{word}_low": e.low,
            f"{figure}_{word}_high": e.high,
        }
    return row


def _sorted(rows: list[dict[str, Any]], subject: Subject, word: str) -> list[dict[str, Any]]:
    first = next(iter(subject.figures))
    return sorted(rows, key=lambda row: -row[f"{first}_{word}"])


def ablation(
    draws: Draws, folds: Sequence[Fold], config: TrainConfig, subject: Subject = OUTCOME
) -> list[dict[str, Any]]:
    """Gain of each family: the figures with it less those of a model fitted without it.

    A family is left out by making its columns undocumented, in training and in test.
    """
    from joblib import Parallel, delayed

    model = subject.fit(draws.sample.part(folds[0].train), Settings(seed=config.seed))
    left_out = subject.families(model.columns)
    work = (
        delayed(_without)(draws.sample, fold, config, subject, columns)
        for columns in ((), *left_out.values())
        for fold in folds
    )
    found = list(Parallel(n_jobs=config.jobs)(work))
    n = len(folds)
    full, *parts = (filled(draws, folds, found[at : at + n]) for at in range(0, len(found), n))
    rows = []
    for (name, columns), part in zip(left_out.items(), parts, strict=True):
        gained = {f: _lost(draws, f, full[of], part[of]) for f, of in subject.figures.items()}
        rows.append({"family": name, "columns": len(columns), **_ends(gained, "gain")})
    return _sorted(rows, subject, "gain")


def _without(
    sample: Sample, fold: Fold, config: TrainConfig, subject: Subject, columns: Sequence[str]
) -> Values:
    blanked = replace(sample, frame=undocumented(sample.frame, columns))
    model = subject.fit(blanked.part(fold.train), Settings(seed=config.seed))
    found = subject.predict(model, blanked.part(fold.test))
    return {name: values[None, :] for name, values in found.items()}


def undocumented(frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """The frame with these columns as they stand where a letter says nothing of them."""
    import pandas as pd

    absent = dict(_absent())
    changed = frame.copy()
    for name in columns:
        value = absent.get(name)
        cells = [pd.NA if value is None else value] * len(frame)
        changed[name] = pd.Series(cells, index=frame.index, dtype=frame[name].dtype)
    return changed


def _absent() -> Iterator[tuple[str, Any]]:
    from imr.features.table import COLUMNS

    yield from ((column.name, column.undocumented) for column in COLUMNS)
    yield from ALWAYS_KNOWN.items()


def contributions(results: Sequence[Any]) -> list[dict[str, Any]]:
    """Mean size and spread of each effect's contribution (log odds) on unseen items."""
    import pandas as pd

    parts = pd.concat([r.contributions for r in results], ignore_index=True).fillna(0.0)
    size = parts.abs().mean().sort_values(ascending=False, kind="stable")
    spread = parts.std(ddof=0)
    return [
        {"effect": str(name), "mean_size": float(value), "spread": float(spread[name])}
        for name, value in size.items()
        if value > 0
    ]
