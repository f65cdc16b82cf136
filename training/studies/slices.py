"""Parts of one evaluation: by threshold, by bin of predictions, by kind of item, by house style.

Reviewers write summaries after the fact, in house styles, and houses differ in how often they
overturn.  Some of that is the requests they get, some who they are.  So it is asked how far signals
know who wrote a summary, and whether that moves predictions.  A style is named by the stock opening
of its summaries (A is the commonest), so that no words of a letter are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from string import ascii_uppercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imr.models.frame import Array
from imr.training import contenders, metrics
from imr.training.config import TrainConfig
from imr.training.contenders import MODEL, OTHER, STYLE, by_count, stock_openings, style_of
from imr.training.folds import Fold
from imr.training.metrics import UNDEFINED, Draws, Estimate

Styles = NDArray[Any]

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
# Fewer overturned (or upheld) items than this have no AUC of their own.
FEW_OVERTURNED = 3
# Decimals of log odds; beyond them a difference of two equal ones would rank.
TIES = 9
LEVELS_OUT, SCORE_OUT = "lost with style levels out", "lost with style score out"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Shares when *Overturned* is called from ``threshold`` on; ``default`` is the model's own."""

    threshold: float
    default: bool
    flagged: Estimate
    precision: Estimate
    recall: Estimate


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Mean prediction and observed share overturned of about ``items`` items."""

    predicted: float
    items: float
    observed: Estimate


@dataclass(frozen=True, slots=True)
class Slice:
    """Figures of the items whose ``slice`` is ``value``; ``observed``, ``expected``: overturned."""

    slice: str
    value: str
    items: int
    overturned: int
    observed: Estimate
    expected: float
    auc: Estimate
    chapter_top1: Estimate
    section_top1: Estimate


def thresholds(draws: Draws, default: float) -> list[Threshold]:
    """Flagged share, precision and recall from each threshold on."""
    p = draws.predictions.outcome[MODEL]
    default = round(default, 6)
    rows = []
    for threshold in sorted({*THRESHOLDS, default}):
        flagged, precision, recall = (
            metrics.estimate(draws.averaged(partial(metric, threshold=threshold), p))
            for metric in (metrics.flagged_at, metrics.precision_at, metrics.recall_at)
        )
        rows.append(Threshold(threshold, threshold == default, flagged, precision, recall))
    return rows


def calibration_curve(draws: Draws) -> list[CalibrationBin]:
    """Predicted and observed shares over bins of about equal count, all repeats together."""
    values = draws.predictions.outcome[MODEL][:, draws.rows]
    codes = metrics.quantile_bins(values.ravel()).reshape(values.shape)
    rows = []
    for code in np.unique(codes):
        inside = (codes == code).astype(np.float64)
        # An item that a bin holds in one of two repeats counts half.
        share = inside.mean(axis=0)
        observed = metrics.estimate(metrics.mean(draws.y, draws.weights * share))
        predicted = float((values * inside).sum() / inside.sum())
        rows.append(CalibrationBin(predicted, float(share.sum()), observed))
    return rows


def sliced(draws: Draws) -> list[Slice]:
    """Figures by category, UR action, number of items, and edition of the reviewer's guideline."""
    frame = draws.sample.frame
    by: dict[str, NDArray[Any]] = {"edition of the reviewer's guideline": draws.sample.edition}
    for title, column in (("category", "category"), ("UR action", "ur_action")):
        by[title] = frame[column].astype("string").fillna("none").to_numpy(dtype=object)
    sizes = frame.groupby("letter_id")["letter_id"].transform("size").astype(int)
    named_sizes = ["1" if n == 1 else "2-3" if n <= 3 else "4 and more" for n in sizes]
    by["items in the letter"] = np.array(named_sizes, dtype=object)
    p, hits = draws.predictions.outcome[MODEL], draws.predictions.hits[MODEL]
    rows = []
    for title, values in by.items():
        for value in by_count(values[draws.rows]):
            part = draws.part(values[draws.rows] == value)
            rows.append(
                Slice(
                    slice=title,
                    value=value,
                    items=len(part.rows),
                    overturned=int(part.y.sum()),
                    observed=metrics.estimate(metrics.mean(part.y, part.weights)),
                    expected=float(p[:, part.rows].mean()),
                    auc=auc_where_enough(part),
                    chapter_top1=metrics.estimate(part.share(hits["chapter_top1"])),
                    section_top1=metrics.estimate(part.share(hits["section_top1"])),
                )
            )
    return rows


def auc_where_enough(part: Draws) -> Estimate:
    """The AUC of the model; undefined with fewer than :data:`FEW_OVERTURNED` of either outcome."""
    if not FEW_OVERTURNED <= part.y.sum() <= len(part.rows) - FEW_OVERTURNED:
        return UNDEFINED
    return metrics.estimate(part.auc(part.predictions.outcome[MODEL]))


def houses(summaries: Sequence[str]) -> Styles | None:
    """``house A`` … or ``other`` for each summary; None where no opening is common."""
    stock = stock_openings(summaries)
    if not stock:
        return None
    names = {name: f"house {ascii_uppercase[i % 26]}" for i, name in enumerate(stock)}
    return np.array([names.get(name, OTHER) for name in style_of(summaries, stock)], dtype=object)


@dataclass(frozen=True, slots=True)
class House:
    """One house style: share overturned, mean prediction, and how much that is too high."""

    house: str
    letters: int
    items: int
    overturned: int
    predicted: float
    observed: Estimate
    too_high: Estimate
    auc: Estimate


@dataclass(frozen=True, slots=True)
class Check:
    """One figure that tells whether predictions live on style, and what it means."""

    check: str
    value: Estimate
    meaning: str


@dataclass(frozen=True, slots=True)
class Style:
    """``within``: AUC over pairs of summaries of one style, ``across``: of two; ``recognised``:
    AUC of the signals in telling the commonest style.
    """

    within: Estimate
    across: Estimate
    recognised: Estimate
    houses: list[House]
    checks: list[Check]


def style_study(draws: Draws, folds: Sequence[Fold], config: TrainConfig) -> Style | None:
    """None without texts, or where no opening is common."""
    texts = draws.sample.texts
    style = None if texts is None else houses(texts["case_summary"].tolist())
    if style is None:
        return None
    p = draws.predictions.outcome[MODEL]
    right, pairs = draws.concordant(p)
    right_in, pairs_in = draws.concordant(p, within=style)
    within, across = (
        metrics.ratio(over, under).mean(axis=0)
        for over, under in ((right_in, pairs_in), (right - right_in, pairs - pairs_in))
    )
    return Style(
        within=metrics.estimate(within),
        across=metrics.estimate(across),
        recognised=_recognised(draws, folds, style, config),
        houses=_houses(draws, style),
        checks=style_checks(draws, style),
    )


def style_checks(draws: Draws, style: Styles) -> list[Check]:
    """Does the prediction live on style?

    * Pairs of one style: nothing that is the same for a whole style can help there.
    * Levels taken out: each style's mean predicted log odds is subtracted, so that no style is
      favoured as a whole; what is lost is all that its level gave, content and style together.
    * Style score regressed out: the held-out log odds less what a line through the style probe's
      held-out log odds explains of them.
    """
    p = draws.predictions.outcome[MODEL]
    whole, inside = draws.auc(p), draws.auc(p, within=style)
    level = draws.auc(_levels_out(draws, p, style))
    rows = [
        ("AUC of the model", whole, "all pairs"),
        ("AUC inside one style", inside, "pairs of one house style only"),
        ("lost inside one style", whole - inside, "above 0: part of the AUC is style"),
        ("AUC, style levels out", level, "no style favoured as a whole"),
        (LEVELS_OUT, whole - level, "above 0: style levels helped"),
    ]
    probe = draws.predictions.outcome.get(STYLE)
    if probe is not None:
        partial = draws.auc(_regressed_out(draws, p, probe))
        rows += [
            ("AUC of the style probe", draws.auc(probe), "length and opening alone"),
            ("AUC, style score out", partial, "what the style score cannot explain"),
            (SCORE_OUT, whole - partial, "above 0: the style score helped"),
        ]
    return [Check(name, metrics.estimate(values), meaning) for name, values, meaning in rows]


def _levels_out(draws: Draws, p: Array, style: Styles) -> Array:
    """Log odds less their mean over the tested items of the same style, repeat by repeat."""
    score = metrics.log_odds(p)
    for name in set(style[draws.rows]):
        rows = draws.rows[style[draws.rows] == name]
        score[:, rows] -= score[:, rows].mean(axis=1, keepdims=True)
    return np.round(score, TIES)


def _regressed_out(draws: Draws, p: Array, by: Array) -> Array:
    """Log odds of ``p`` less a least-squares line through those of ``by``, fold by fold."""
    score, other = metrics.log_odds(p), metrics.log_odds(by)
    for repeat, fold in enumerate(draws.predictions.fold):
        for k in np.unique(fold[draws.rows]):
            rows = draws.rows[fold[draws.rows] == k]
            x, y = other[repeat, rows], score[repeat, rows]
            x, spread = x - x.mean(), x.var()
            slope = (x * (y - y.mean())).mean() / spread if spread > 0 else 0.0
            score[repeat, rows] = y - slope * x
    return np.round(score, TIES)


def _houses(draws: Draws, style: Styles) -> list[House]:
    tested = style[draws.rows]
    p = draws.predictions.per_item(MODEL)[draws.rows]
    letters = draws.sample.frame["letter_id"].to_numpy(dtype=object)[draws.rows]
    rows = []
    for name in by_count(tested):
        inside = tested == name
        part = draws.part(inside)
        rows.append(
            House(
                house=name,
                letters=len(set(letters[inside])),
                items=len(part.rows),
                overturned=int(part.y.sum()),
                predicted=float(p[inside].mean()),
                observed=metrics.estimate(metrics.mean(part.y, part.weights)),
                too_high=metrics.estimate(metrics.mean(p[inside] - part.y, part.weights)),
                auc=auc_where_enough(part),
            )
        )
    return rows


def _recognised(
    draws: Draws, folds: Sequence[Fold], style: Styles, config: TrainConfig
) -> Estimate:
    """AUC of plain LightGBM that guesses the commonest opening from the signals."""
    sample = draws.sample
    target = (style == "house A").astype(np.float64)
    p = np.full(len(sample), np.nan)
    for fold in folds:
        a, b = contenders.plain_matrix(sample.frame.iloc[fold.train], sample.frame.iloc[fold.test])
        y = target[fold.train].astype(int)
        p[fold.test] = contenders.plain_booster(config.seed).fit(a, y).predict_proba(b)[:, 1]
    strata = draws.predictions.fold[0, draws.rows]
    found = metrics.auc(target[draws.rows], p[draws.rows], draws.weights, strata)
    return metrics.estimate(found)
