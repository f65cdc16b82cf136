"""The learning curve: what more letters of this kind would give, measured on the letters at hand
and extended from them alone (letters made by program: ``benchmarks/bench_learning.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imr.models.frame import Array
from imr.training import metrics
from imr.training.config import TrainConfig
from imr.training.contenders import Settings, fit_guideline, fit_outcome, letters_alone
from imr.training.decisions import Sample
from imr.training.folds import Fold
from imr.training.metrics import Draws, Estimate
from imr.training.studies.importance import filled, first_repeat, hit, predicted
from imr.training.workers import each

POINTS = 5
SMALLEST = 0.25
# Figure -> what of the values an item it is made of.
FIGURES: Mapping[str, tuple[str, str]] = {
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
class CurvePoint:
    """A figure with so many training letters; not ``measured`` is extrapolated, no promise."""

    metric: str
    letters: int
    measured: bool
    value: Estimate


def learning_curve(draws: Draws, folds: Sequence[Fold], config: TrainConfig) -> list[CurvePoint]:
    """Figures against the number of training letters, and what lines through them would give at
    1,000 and 10,000.  Sizes are spaced by the logarithm.
    """
    shares = np.geomspace(SMALLEST, 1.0, POINTS)
    tasks = [(fold, config, share) for share in shares for fold in folds]
    found = each(_part_trained, draws.sample, tasks, config.jobs, "learning curve")
    n = len(folds)
    rows: list[CurvePoint] = []
    curves: dict[str, list[Array]] = {name: [] for name in FIGURES}
    letters: list[float] = []
    for at in range(0, len(found), n):
        part = filled(draws, folds, [one for one, _ in found[at : at + n]])
        letters.append(float(np.mean([count for _, count in found[at : at + n]])))
        for name, (figure, of) in FIGURES.items():
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
        "learned": letters_alone(settings, train, test),
        **hit(fit_guideline(train, settings), test),
    }
    count = int(train.frame["letter_id"].nunique())
    return {name: values[None, :] for name, values in found.items()}, count


def nested_part(
    sample: Sample, rows: NDArray[np.intp], share: float, seed: int
) -> NDArray[np.intp]:
    """Rows of that share of the groups with and without an overturned item; a smaller share is
    part of a larger one.
    """
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
