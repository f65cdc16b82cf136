"""Is a new model better than the champion?  Judged on unseen letters that both were tested on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from imr.training import metrics
from imr.training.metrics import Metric, better_by

LEAST_ITEMS = 50
# A new champion is better in so many of the paired draws: half of them is a coin.
SURE = 0.9
DRAWS = 1000
# A worse guideline is not bought with a better probability: a hundredth is the noise of a fit.
GUIDELINE_SLACK = 0.01
KEYS = ["letter_id", "item_index"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``better`` decides the alias; ``reason`` is one line for the log and the terminal;
    ``figures`` a row a figure of both on the common items, for who wants to see why.
    """

    better: bool
    reason: str
    figures: tuple[dict[str, str], ...] = ()


def judge(new: pd.DataFrame, champion: pd.DataFrame, seed: int = 0) -> Verdict:
    """Compare two tables of predictions on unseen letters (``Evaluation.predictions_table``).

    Better is: less log loss of the outcome on the common items, in at least :data:`SURE` of the
    paired draws of letters, and no worse guideline.  Each
    table was predicted by models that had not seen the item, whatever else they were trained on.
    """
    both = new.merge(champion, on=KEYS, suffixes=("", "_champion"), validate="one_to_one")
    both = both[both["overturned"] == both["overturned_champion"]]
    overturned = int(both["overturned"].sum())
    if len(both) < LEAST_ITEMS or overturned in (0, len(both)):
        return Verdict(
            False,
            f"not comparable: {len(both)} items ({overturned} overturned) were tested for both "
            f"models, at least {LEAST_ITEMS} with both outcomes are needed",
        )
    weights = metrics.bootstrap_weights(both["group"].to_numpy(), DRAWS, seed)
    loss = [
        metrics.log_loss(_column(both, "overturned"), _column(both, name), weights)
        for name in ("p_overturned", "p_overturned_champion")
    ]
    gain = loss[1] - loss[0]
    hits = _column(both, "section_top1") - _column(both, "section_top1_champion")
    guideline = metrics.mean(hits, weights)
    sure = metrics.share_above(gain)
    said = (
        f"on {len(both)} common items log loss {loss[0][0]:.4f} against {loss[1][0]:.4f} "
        f"(better in {sure:.0%} of draws), guideline section top-1 "
        f"{guideline[0]:+.3f}"
    )
    figures = tuple(_figures(both, weights))
    if gain[0] == 0 and not hits.any():
        return Verdict(False, f"the same: {said}", figures)
    if not gain[0] > 0:
        return Verdict(False, f"not better: {said}", figures)
    if sure < SURE:
        return Verdict(False, f"not surely better (in {SURE:.0%} of draws): {said}", figures)
    if guideline[0] < -GUIDELINE_SLACK:
        return Verdict(False, f"guideline worse: {said}", figures)
    return Verdict(True, f"better: {said}", figures)


def _figures(both: pd.DataFrame, weights: Any) -> Iterator[dict[str, str]]:
    """Figures of the new model and of the champion, and by how much the new one is better."""
    y = _column(both, "overturned")
    for name, (column, metric) in FIGURES.items():
        if f"{column}_champion" not in both:
            # A champion of another version may not have kept this figure.
            continue
        ours, theirs = (
            metric(y, _column(both, c), weights) for c in (column, f"{column}_champion")
        )
        gain = better_by(name, ours, theirs)
        e = metrics.estimate(gain)
        yield {
            "figure": name,
            "this run": f"{ours[0]:.4f}",
            "champion": f"{theirs[0]:.4f}",
            "better by": f"{e.value:+.4f} ({e.low:+.4f} to {e.high:+.4f})",
            "better in draws": f"{metrics.share_above(gain):.0%}",
        }


def _share(_y: Any, hits: Any, weights: Any) -> Any:
    return metrics.mean(hits, weights)


FIGURES: Mapping[str, tuple[str, Metric]] = {
    "log_loss": ("p_overturned", metrics.log_loss),
    "brier": ("p_overturned", metrics.brier),
    "auc": ("p_overturned", metrics.auc),
    "average_precision": ("p_overturned", metrics.average_precision),
    **{name: (name, _share) for name in ("section_top1", "section_top3")},
    **{name: (name, _share) for name in ("chapter_top1", "chapter_top3")},
}


def _column(table: pd.DataFrame, name: str) -> Any:
    return table[name].to_numpy(dtype=np.float64)
