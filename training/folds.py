"""Folds that never part a letter or an injured worker, and every contender run in all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from imr.models.frame import Array
from imr.models.guideline.candidates import chapter_of
from imr.training import contenders, shortened
from imr.training.config import TrainConfig
from imr.training.contenders import MODEL, Cited, Contender, Settings, cited
from imr.training.decisions import Sample, groups
from imr.training.workers import each

if TYPE_CHECKING:
    from imr.training.run_folder import Unfinished
    from imr.training.tuning import Study

# Of the test rows, the fitted models by name and the seed: what a study wants to know of them.
Examine = Callable[[Sample, Mapping[str, Any], int], Any]

# Repeats test the same letters with other folds, and more folds leave more letters to learn from:
# from so many letters on, one repeat of so few folds is enough.
FOLDS_OF_MANY = {1_000: 3, 10_000: 2}
BUDGET_SHARE = 0.6
NEEDS_LETTERS = "needs --letters"
UNTESTED = -1
HITS = tuple(
    f"{level}{cited}_top{k}"
    for cited in ("", "_any")
    for level in ("chapter", "section")
    for k in (1, 3)
)


class SplitError(ValueError):
    """Too few letters or positives for the asked split; the message says how many there are."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Row positions of one train/test split; ``name`` is ``repeat.fold`` or the date."""

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


@dataclass(slots=True)
class FoldResult:
    """What one fold gave: predictions by contender on its test rows, failures by contender; of the
    model also the ``interval``, shape (2, items), and what each effect contributes.
    """

    fold: Fold
    outcome: dict[str, Array] = field(default_factory=dict)
    hits: dict[str, dict[str, Array]] = field(default_factory=dict)
    interval: Array | None = None
    contributions: dict[str, Array] = field(default_factory=dict)
    examined: Any = None
    study: Study | None = None
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Predictions:
    """Predictions on unseen letters, shape (repeats, items), NaN where an item was not tested.

    ``fold`` numbers the fold that tested an item (-1: none); ``hits`` holds, a contender and a
    figure of :data:`HITS`, 1 where the guideline was hit.
    """

    results: list[FoldResult]
    fold: NDArray[np.intp]
    outcome: dict[str, Array]
    hits: dict[str, dict[str, Array]]
    left_out: dict[str, str]

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Items that every repeat tested."""
        return np.asarray((self.fold != UNTESTED).all(axis=0))

    def per_item(self, name: str) -> Array:
        """Mean over the repeats, shape (items,)."""
        return np.asarray(self.outcome[name].mean(axis=0))


def group_folds(
    table: pd.DataFrame, y: NDArray[np.int_], folds: int, repeats: int, seed: int
) -> Iterator[Fold]:
    """Stratified grouped folds, shuffled anew each repeat; :class:`SplitError` where too few."""
    from sklearn.model_selection import StratifiedGroupKFold

    group = groups(table)
    positive_groups = len(set(group[y == 1]))
    if positive_groups < folds or len(set(group)) < folds:
        raise SplitError(
            f"{folds} folds need at least {folds} letters with an overturned item; "
            f"there are {positive_groups} in {len(set(group))} letters"
        )
    for repeat in range(repeats):
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + repeat)
        for k, (train, test) in enumerate(splitter.split(table, y, group)):
            yield Fold(f"{repeat}.{k}", train, test)


def time_folds(
    table: pd.DataFrame, y: NDArray[np.int_], parts: int, gap_days: int
) -> Iterator[Fold]:
    """Train on earlier, test on later decisions, with a gap between them.

    The letters are cut at the quantiles of their decision dates into ``parts`` + 1 spans; fold
    k trains on all before span k + 1 less the gap and tests on that span.  Groups never stand
    on both sides.  Raises :class:`SplitError` where dates are missing or a side has one class.
    """
    dates: Any = pd.to_datetime(table["label_decision_date"], errors="coerce")
    if dates.isna().all():
        raise SplitError("no decision dates: a split by time needs letters with a header block")
    known = dates.dropna()
    edges: Any = known.quantile(np.linspace(0, 1, parts + 2)[1:-1], interpolation="nearest")
    group = groups(table)
    for k, edge in enumerate(edges):
        upper = edges.iloc[k + 1] if k + 1 < len(edges) else known.max()
        test = np.flatnonzero((dates > edge) & (dates <= upper))
        early = np.flatnonzero(dates <= edge - pd.Timedelta(days=gap_days))
        train = early[~np.isin(group[early], group[test])]
        if len(set(y[train])) < 2 or len(test) == 0:
            raise SplitError(f"the span before {edge.date()} holds only one outcome")
        yield Fold(str(edge.date()), train, test)


def folds_of(sample: Sample, config: TrainConfig) -> list[list[Fold]]:
    """The folds of each repeat, fewer of both where letters are many; raises SplitError."""
    if config.by == "time":
        return [list(time_folds(sample.table, sample.y, config.time_parts, config.gap_days))]
    letters = sample.frame["letter_id"].nunique()
    repeats = min(config.repeats, math.ceil(min(FOLDS_OF_MANY) / letters))
    enough = [folds for least, folds in FOLDS_OF_MANY.items() if letters >= least]
    folds = min([config.folds, *enough])
    found = list(group_folds(sample.table, sample.y, folds, repeats, config.seed))
    return [found[at : at + folds] for at in range(0, len(found), folds)]


def run_folds(
    sample: Sample,
    repeats: Sequence[Sequence[Fold]],
    config: TrainConfig,
    examine: Examine | None = None,
    kept: Unfinished | None = None,
) -> Predictions:
    """Every contender in every fold; neither the number of processes nor folds that an interrupted
    run has ``kept`` change a figure.

    ``examine`` looks at the fitted models of the first repeat.  With a budget of time, repeats that
    would take more than :data:`BUDGET_SHARE` of it are left out, never the first.
    """
    started = time.monotonic()
    rounds = [repeats] if config.budget_minutes is None else [[repeat] for repeat in repeats]
    examined = {fold.name for fold in repeats[0]}
    results: dict[str, FoldResult] = {}
    done: list[Sequence[Fold]] = []
    for several in rounds:
        spent = (time.monotonic() - started) / 60
        if done and spent / len(done) + spent > BUDGET_SHARE * (config.budget_minutes or 0):
            break
        done += several
        folds = [fold for repeat in several for fold in repeat]
        results |= {fold.name: found for fold in folds if kept and (found := kept.result(fold))}
        tasks = [
            (fold, config, examine if fold.name in examined else None)
            for fold in folds
            if fold.name not in results
        ]
        new = each(run_fold, sample, tasks, config.jobs, "folds", kept.keep if kept else None)
        results |= {result.fold.name: result for result in new}
    in_order = [results[fold.name] for repeat in done for fold in repeat]
    return _with_shipped_texts(sample, _assembled(sample, done, in_order))


def _with_shipped_texts(sample: Sample, predictions: Predictions) -> Predictions:
    """What contenders on texts gave in these folds, where it is shipped and texts are not."""
    missing = {name for name, why in predictions.left_out.items() if why == NEEDS_LETTERS}
    found = contenders.shipped_for(sample, predictions.fold) if missing else None
    if found is None:
        return predictions
    outcome, hits = found
    return replace(
        predictions,
        outcome=predictions.outcome | outcome,
        hits=predictions.hits | hits,
        left_out={k: v for k, v in predictions.left_out.items() if k not in missing},
    )


def run_fold(
    sample: Sample, fold: Fold, config: TrainConfig, examine: Examine | None = None
) -> FoldResult:
    """One fold: tuned inside its training rows where asked, then all contenders."""
    train, test = sample.part(fold.train), sample.part(fold.test)
    result = FoldResult(fold)
    settings = Settings.of(config)
    if config.tune:
        from imr.training.tuning import tuned

        result.study = tuned(train, config, fold.name)
        settings = result.study.chosen
    outcome = contenders.fit_outcome(train, settings)
    guideline = contenders.fit_guideline(train, settings)
    found = outcome.predict(test.frame)
    names = ("p_overturned", "p_overturned_low", "p_overturned_high")
    p, low, high = (found[name].to_numpy(dtype=np.float64) for name in names)
    result.outcome[MODEL], result.interval = p, np.stack([low, high])
    contributions = outcome.contributions(test.frame)
    result.contributions = {name: values.to_numpy() for name, values in contributions.items()}
    result.hits[MODEL] = guideline_hits(cited(guideline, test), test)
    for contender in contenders.outcome_contenders(settings):
        if (p := _attempt(contender, train, test, result)) is not None:
            result.outcome[contender.name] = p
    for contender in contenders.guideline_contenders(settings):
        if (places := _attempt(contender, train, test, result)) is not None:
            result.hits[contender.name] = guideline_hits(places, test)
    if examine is not None:
        models = {"outcome": outcome, "guideline": guideline}
        result.examined = examine(test, models, config.seed)
    return result


def _attempt(contender: Contender, train: Sample, test: Sample, result: FoldResult) -> Any:
    """What the contender predicts; None where it cannot, and the reason is noted."""
    if contender.needs_texts and train.texts is None:
        result.failed[contender.name] = NEEDS_LETTERS
        return None
    try:
        return contender.predict(train, test)
    except ValueError as error:
        # An alternative that these letters are too few for is a row that says so, no crash.
        reason = shortened(str(error).splitlines()[0], 80)
        result.failed[contender.name] = f"could not be fitted ({reason})"
        return None


def guideline_hits(found: Cited, test: Sample) -> dict[str, Array]:
    """1 where a figure of :data:`HITS` is met: the first cited or any cited guideline among the
    first 1 or 3, by chapter or by full label (NaN for one who predicts chapters only).
    """
    hits: dict[str, Array] = {}
    chapters = [tuple(map(chapter_of, cited)) for cited in test.cited]
    for level, truths, places in (
        ("section", test.cited, found.labels),
        ("chapter", chapters, found.chapters),
    ):
        for k in (1, 3):
            if places is None:
                first = any_cited = [math.nan] * len(test)
            else:
                pairs = [(t, row[:k]) for t, row in zip(truths, places, strict=True)]
                first = [float(truth[0] in row) for truth, row in pairs]
                any_cited = [float(not set(truth).isdisjoint(row)) for truth, row in pairs]
            hits[f"{level}_top{k}"] = np.array(first)
            hits[f"{level}_any_top{k}"] = np.array(any_cited)
    return {name: hits[name] for name in HITS}


def _assembled(
    sample: Sample, repeats: Sequence[Sequence[Fold]], results: list[FoldResult]
) -> Predictions:
    shape = (len(repeats), len(sample))
    fold = np.full(shape, UNTESTED, dtype=np.intp)
    left_out = {name: why for result in results for name, why in result.failed.items()}
    places = [(r, k) for r, repeat in enumerate(repeats) for k in range(len(repeat))]
    for place, result in zip(places, results, strict=True):
        fold[place[0], result.fold.test] = place[1]

    def gathered(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        found = {name: np.full(shape, np.nan) for name in parts[0] if name not in left_out}
        for (r, _), result, part in zip(places, results, parts, strict=True):
            for name, values in found.items():
                values[r, result.fold.test] = part[name]
        return found

    return Predictions(
        results=results,
        fold=fold,
        outcome=gathered([result.outcome for result in results]),
        hits={
            name: gathered([result.hits[name] for result in results])
            for name in results[0].hits
            if name not in left_out
        },
        left_out=left_out,
    )
