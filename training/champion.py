"""Is a new model better than the champion?  Judged on unseen letters that both were tested on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training import metrics

if TYPE_CHECKING:
    import pandas as pd

LEAST_ITEMS = 50
DRAWS = 1000
# A worse guideline is not bought with a better probability: a hundredth is the noise of a fit.
GUIDELINE_SLACK = 0.01
KEYS = ["letter_id", "item_index"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``better`` decides the alias; ``reason`` is one line for the log and the terminal."""

    better: bool
    reason: str


def judge(new: pd.DataFrame, champion: pd.DataFrame, seed: int = 0) -> Verdict:
    """Compare two tables of predictions on unseen letters (``Evaluation.predictions_table``).

    Better is: less log loss of the outcome on the common items, and no worse guideline.  Each
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
    said = (
        f"on {len(both)} common items log loss {loss[0][0]:.4f} against {loss[1][0]:.4f} "
        f"(better in {metrics.share_above(gain):.0%} of draws), guideline section top-1 "
        f"{guideline[0]:+.3f}"
    )
    if not gain[0] > 0:
        same = gain[0] == 0 and not hits.any()
        return Verdict(False, f"{'the same' if same else 'not better'}: {said}")
    if guideline[0] < -GUIDELINE_SLACK:
        return Verdict(False, f"guideline worse: {said}")
    return Verdict(True, f"better: {said}")


def _column(table: pd.DataFrame, name: str) -> Any:
    return table[name].to_numpy(dtype=np.float64)
