"""The folds run: every contender learns and predicts in every fold, the same folds for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from imr.training.contenders.baselines import Cited
from imr.training.contenders.compared import (
    MODEL,
    Contender,
    Settings,
    guideline_contenders,
    outcome_contenders,
)
from imr.training.decisions import Sample, chapter_of
from imr.training.split import Fold, SplitError, group_folds, time_folds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imr.training.config import TrainConfig
    from imr.training.tuning import Study

    Array = NDArray[np.float64]

NEEDS_LETTERS = "needs --letters"
UNTESTED = -1
HITS = tuple(
    f"{level}{cited}_top{k}"
    for cited in ("", "_any")
    for level in ("chapter", "section")
    for k in (1, 3)
)


@dataclass(slots=True)
class FoldResult:
    """What one fold gave: predictions by contender on its test rows, failures by contender."""

    fold: Fold
    outcome: dict[str, Array] = field(default_factory=dict)
    hits: dict[str, dict[str, Array]] = field(default_factory=dict)
    guidelines: Cited | None = None
    interval: tuple[Array, Array] | None = None
    contributions: Any = None
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


def folds_of(sample: Sample, config: TrainConfig) -> list[list[Fold]]:
    """The folds of each repeat.  Raises :class:`imr.training.split.SplitError`."""
    if config.by == "time":
        return [list(time_folds(sample.table, sample.y, config.time_parts, config.gap_days))]
    found = list(group_folds(sample.table, sample.y, config.folds, config.repeats, config.seed))
    return [found[at : at + config.folds] for at in range(0, len(found), config.folds)]


def run_folds(
    sample: Sample, repeats: Sequence[Sequence[Fold]], config: TrainConfig
) -> Predictions:
    """Every contender in every fold; the number of processes changes no figure."""
    from joblib import Parallel, delayed

    folds = [fold for repeat in repeats for fold in repeat]
    work = (delayed(run_fold)(sample, fold, config) for fold in folds)
    results = list(Parallel(n_jobs=min(config.jobs, len(folds)))(work))
    return _assembled(sample, repeats, results)


def run_fold(sample: Sample, fold: Fold, config: TrainConfig) -> FoldResult:
    """One fold: tuned inside its training rows where asked, then all contenders."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # One thread: sums in another order would change the last digit.
    with threadpool_limits(1):
        return _run_fold(sample, fold, config)


def _run_fold(sample: Sample, fold: Fold, config: TrainConfig) -> FoldResult:
    from imr.training.tuning import tuned

    train, test = sample.part(fold.train), sample.part(fold.test)
    result = FoldResult(fold)
    settings = Settings(seed=config.seed)
    if config.tune:
        result.study = tuned(train, config, fold.name)
        settings = result.study.chosen
    _outcome_model(train, test, settings, result)
    for contender in outcome_contenders(settings)[1:]:
        _try(contender, train, test, result, result.outcome.__setitem__)
    for contender in guideline_contenders(settings):

        def score(name: str, found: Cited) -> None:
            result.hits[name] = guideline_hits(found, test)
            if name == MODEL:
                result.guidelines = found

        _try(contender, train, test, result, score)
    return result


def _outcome_model(train: Sample, test: Sample, settings: Settings, result: FoldResult) -> None:
    from imr.training.contenders.compared import fit_outcome

    model = fit_outcome(train, settings)
    found = model.predict(test.frame)
    result.outcome[MODEL] = found["p_overturned"].to_numpy(dtype=np.float64)
    result.interval = (
        found["p_overturned_low"].to_numpy(dtype=np.float64),
        found["p_overturned_high"].to_numpy(dtype=np.float64),
    )
    result.contributions = model.contributions(test.frame)


def _try(contender: Contender, train: Sample, test: Sample, result: FoldResult, keep: Any) -> None:
    if contender.needs_texts and train.texts is None:
        result.failed[contender.name] = NEEDS_LETTERS
        return
    try:
        keep(contender.name, contender.predict(train, test))
    except ValueError as error:
        # An alternative that these letters are too few for is a row that says so, no crash.
        if contender.kind == "model":
            raise
        result.failed[contender.name] = f"could not be fitted ({str(error).splitlines()[0][:80]})"


def guideline_hits(found: Cited, test: Sample) -> dict[str, Array]:
    """1 where a figure of :data:`HITS` is met: the first cited or any cited guideline among the
    first 1 or 3, by chapter or by full label (NaN for one who predicts chapters only).
    """
    hits: dict[str, Array] = {}
    for level, places in (("section", found.labels), ("chapter", found.chapters)):
        truths = [_truth(cited, level) for cited in test.cited]
        for k in (1, 3):
            for name, hit in (("", _first_hit), ("_any", _any_hit)):
                hits[f"{level}{name}_top{k}"] = (
                    np.full(len(test), np.nan)
                    if places is None
                    else np.array([hit(t, row[:k]) for t, row in zip(truths, places, strict=True)])
                )
    return {name: hits[name] for name in HITS}


def _first_hit(truth: Sequence[str], places: Sequence[str]) -> float:
    return float(truth[0] in places)


def _any_hit(truth: Sequence[str], places: Sequence[str]) -> float:
    return float(bool(set(truth) & set(places)))


def _truth(cited: Sequence[str], level: str) -> tuple[str, ...]:
    return tuple(cited) if level == "section" else tuple(chapter_of(label) for label in cited)


def _assembled(
    sample: Sample, repeats: Sequence[Sequence[Fold]], results: list[FoldResult]
) -> Predictions:
    shape = (len(repeats), len(sample))
    fold = np.full(shape, UNTESTED, dtype=np.intp)
    left_out: dict[str, str] = {}
    for result in results:
        left_out.update(result.failed)
    place = {id(f): (r, k) for r, repeat in enumerate(repeats) for k, f in enumerate(repeat)}
    order = [place[id(f)] for repeat in repeats for f in repeat]
    for (r, k), result in zip(order, results, strict=True):
        fold[r, result.fold.test] = k
    return Predictions(
        results=results,
        fold=fold,
        outcome=_gathered(shape, order, results, [r.outcome for r in results], left_out),
        hits=_gathered_hits(shape, order, results, left_out),
        left_out=left_out,
    )


def _gathered(
    shape: tuple[int, int],
    order: Sequence[tuple[int, int]],
    results: Sequence[FoldResult],
    parts: Sequence[Mapping[str, Array]],
    left_out: Mapping[str, str],
) -> dict[str, Array]:
    names = [name for name in parts[0] if name not in left_out]
    found = {name: np.full(shape, np.nan) for name in names}
    for (r, _), result, part in zip(order, results, parts, strict=True):
        for name in names:
            found[name][r, result.fold.test] = part[name]
    return found


def _gathered_hits(
    shape: tuple[int, int],
    order: Sequence[tuple[int, int]],
    results: Sequence[FoldResult],
    left_out: Mapping[str, str],
) -> dict[str, dict[str, Array]]:
    names = [name for name in results[0].hits if name not in left_out]
    return {
        name: _gathered(shape, order, results, [r.hits[name] for r in results], {})
        for name in names
    }


__all__ = [
    "HITS",
    "MODEL",
    "NEEDS_LETTERS",
    "FoldResult",
    "Predictions",
    "SplitError",
    "folds_of",
    "guideline_hits",
    "run_fold",
    "run_folds",
]
