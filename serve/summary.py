"""What a run did, in a few honest lines: counts, predicted distribution, backtest."""

from __future__ import annotations

import itertools
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FEW_OF_A_KIND = 30
"""With fewer decisions of either kind the backtest's figures are shown with a caution."""


SHOWN = 6
"""Columns that a warning names."""


@dataclass(slots=True)
class Tally:
    """Counts over the rows of a run; memory does not grow but for the decided items' pairs."""

    letters: int = 0
    items: int = 0
    failures: int = 0
    doubled: int = 0
    predicted: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    expected: float = 0.0
    p_decided: array[float] = field(default_factory=lambda: array("d"))
    overturned: array[int] = field(default_factory=lambda: array("b"))
    agreed: int = 0
    guideline_decided: int = 0
    guideline_first: int = 0
    guideline_top3: int = 0
    profile: Mapping[str, Any] | None = None
    counts: dict[str, list[int]] = field(default_factory=dict)

    def add_letter(
        self, rows: Sequence[Mapping[str, Any]], counts: Mapping[str, list[int]]
    ) -> None:
        """Count a letter with its rows; ``counts`` are its batch's items by bin of the profile."""
        from imr.models.drift import add

        self.letters += 1
        add(self.counts, counts)
        for row in rows:
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row of the score table."""
        self.items += 1
        self.predicted[row["predicted_outcome"]] += 1
        self.categories[row["category"] or "not classified"] += 1
        self.expected += row["p_overturned"]
        if row["decision"] is not None:
            self._add_decided(row)

    def _add_decided(self, row: Mapping[str, Any]) -> None:
        self.p_decided.append(row["p_overturned"])
        self.overturned.append(row["decision"] == "Overturned")
        self.agreed += row["decision"] == row["predicted_outcome"]
        label = row["decision_guideline"]
        if label is not None:
            candidates = [row[f"guideline_{rank}"] for rank in (1, 2, 3)]
            self.guideline_decided += 1
            self.guideline_first += label == candidates[0]
            self.guideline_top3 += label in candidates

    @property
    def decided(self) -> int:
        """Items whose decision is known."""
        return len(self.p_decided)

    def backtest(self) -> dict[str, Any] | None:
        """Figures over the decided items, or None without any; ``auc`` None with one kind only."""
        if not self.decided:
            return None
        overturned = sum(self.overturned)
        pairs = list(zip(self.p_decided, self.overturned, strict=True))
        guidelines = self.guideline_decided
        return {
            "items": self.decided,
            "overturned": overturned,
            "expected": sum(self.p_decided),
            "brier": sum((p - y) ** 2 for p, y in pairs) / self.decided,
            "share_agreed": self.agreed / self.decided,
            "auc": self._auc() if 0 < overturned < self.decided else None,
            "few": min(overturned, self.decided - overturned) < FEW_OF_A_KIND,
            "guideline_first": self.guideline_first / guidelines if guidelines else None,
            "guideline_top3": self.guideline_top3 / guidelines if guidelines else None,
        }

    def _auc(self) -> float:
        """The share of pairs in their order, ties half.

        scikit-learn says the same, and to import it takes as long as to score a letter.
        """
        import numpy as np

        p, overturned = np.array(self.p_decided), np.array(self.overturned, dtype=bool)
        upheld = np.sort(p[~overturned])
        below, up_to = (np.searchsorted(upheld, p[overturned], side) for side in ("left", "right"))
        return float((below + up_to).mean() / 2 / len(upheld))

    def calibration(self) -> list[dict[str, float]]:
        """Decided items in five groups of equal size by p: mean p, share overturned, n."""
        pairs = sorted(zip(self.p_decided, self.overturned, strict=True))
        groups = min(5, len(pairs) // 10)
        bounds = [len(pairs) * k // groups for k in range(groups + 1)] if groups else []
        return [
            {
                "p": sum(p for p, _ in pairs[a:b]) / (b - a),
                "share": sum(y for _, y in pairs[a:b]) / (b - a),
                "n": b - a,
            }
            for a, b in itertools.pairwise(bounds)
        ]

    def drift_lines(self) -> Iterator[str]:
        """A warning where signals or scores differ from those of the training data."""
        from imr.models.drift import SHIFTED, shifts

        found = shifts(self.profile, self.counts) if self.profile else {}
        if found:
            named = ", ".join(f"{name} {index:.2f}" for name, index in list(found.items())[:SHOWN])
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            yield (
                f"warning: these letters differ from those the model was trained on "
                f"(population stability index above {SHIFTED}): {named}{more}"
            )

    def lines(self) -> Iterator[str]:
        """The summary of the run for a person."""
        yield (
            f"{_many(self.letters, 'letter')}, {_many(self.items, 'item')} scored; "
            f"{_many(self.failures, 'letter')} not read"
        )
        if self.items:
            called = ", ".join(f"{n} {name}" for name, n in sorted(self.predicted.items()))
            share = self.expected / self.items
            yield f"predicted: {called}; expected share overturned {share:.1%}"
        if self.doubled:
            stand = "stands" if self.doubled == 1 else "stand"
            yield (
                f"{_many(self.doubled, 'letter_id')} {stand} for more than one letter: "
                "see the column warnings"
            )
        yield from _backtest_lines(self.backtest())
        yield from self.drift_lines()


def _many(n: int, name: str) -> str:
    return f"{n:,} {name}" if n == 1 else f"{n:,} {name}s"


def _backtest_lines(result: dict[str, Any] | None) -> Iterator[str]:
    if result is None:
        return
    auc = "not defined (one kind of decision only)"
    if result["auc"] is not None:
        auc = f"{result['auc']:.3f}"
    yield (
        f"backtest on {_many(result['items'], 'decided item')} ({result['overturned']} overturned, "
        f"{result['expected']:.1f} expected): AUC {auc}, Brier {result['brier']:.3f}, "
        f"same outcome {result['share_agreed']:.1%}"
    )
    if result["guideline_first"] is not None:
        yield (
            f"reviewer's guideline: first candidate {result['guideline_first']:.1%}, "
            f"among three {result['guideline_top3']:.1%}"
        )
    if result["few"]:
        yield (
            f"caution: fewer than {FEW_OF_A_KIND} decisions of one kind, these figures are "
            "uncertain; letters that the model was trained on flatter it"
        )
    else:
        yield "caution: letters that the model was trained on flatter these figures"
