"""What a statement is, how one is made from a mention, and whether it bears on a request."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from imr.features.context import Mention, Summary, clause_of
from imr.features.regions import LIMB, is_or_explains, place_of

CONCEPTS = Path(__file__).parent.parent / "rules" / "concepts.csv"
Subject = Literal[
    "treatment", "drug", "response", "function", "sign", "complaint", "study", "diagnosis", "plan",
    "event",
]  # fmt: skip
Polarity = Literal[
    "affirmed", "denied", "planned", "suspected", "normal", "abnormal",
    "helped", "some", "temporary", "failed", "persists", "unchanged", "worsened", "resolved",
    "not tolerated", "tolerated", "improved", "not improved", "limited", "independent", "worked",
    "medication reduced", "medication same", "stopped", "consistent", "inconsistent",
]  # fmt: skip
Source = Literal["record", "administrator", "guideline"]
Bearing = Literal["requested", "unplaced", "elsewhere"]


# Not frozen, which would take three times as long to make.
@dataclass(slots=True, eq=False)
class Statement:
    """One thing said; ``start`` and ``end`` are the clause's, characters of the summary.

    ``percent`` is a relief with ``comparator`` (``<``, ``>=``, ``=``) and ``weeks`` how long it
    lasted, or the share of a full motion or strength; ``count`` the sessions or injections had;
    ``days`` how long something went on and ``ago`` how many days before the summary it was.
    ``degree`` is how much of a finding (``mild``, ``partial``, ``severe``).  ``of`` is the
    treatment a response is to.
    """

    subject: Subject
    concept: str
    polarity: Polarity
    regions: tuple[str, ...]
    side: str | None
    source: Source
    past: bool
    start: int
    end: int
    mention: Mention
    of: str | None = None
    percent: float | None = None
    comparator: str = "="
    weeks: float | None = None
    count: float | None = None
    days: float | None = None
    ago: float | None = None
    degree: str | None = None


SPINE = ("cervical spine", "thoracic spine", "lumbar spine")
# What the nerves of a spine reach: an ankle jerk speaks for the low back, a swollen ankle does not.
_SUPPLIED = {
    "cervical spine": LIMB["upper extremity"] | {"upper extremity"},
    "lumbar spine": LIMB["lower extremity"] | {"lower extremity"},
}
_OF_NERVES = frozenset(
    {
        "dermatomal sensory loss", "myotomal weakness", "reflex deficit", "sensory loss",
        "weakness", "numbness", "radiating pain", "normal neurology", "neurological deficit",
        "neuropathic quality",
    }
)  # fmt: skip


def bearing(statement: Statement, parts: tuple[str, ...], side: str | None) -> Bearing:
    """Whether a statement is about the requested parts and side, or the region that explains them.

    A request without a part (most drugs) takes everything; a statement without a region is
    ``unplaced``.
    """
    if not parts:
        return "requested"
    if not statement.regions:
        return "unplaced"
    if statement.side == "other" or {side, statement.side} == {"left", "right"}:
        return "elsewhere"
    nerves = statement.concept in _OF_NERVES
    return "requested" if _reach(statement.regions, nerves, parts) else "elsewhere"


@lru_cache(maxsize=4096)
def _reach(regions: tuple[str, ...], nerves: bool, parts: tuple[str, ...]) -> bool:
    """Whether one of some regions is, or (by its nerves) explains, one of the requested parts."""
    return any(
        is_or_explains(region, part) or (nerves and region in _SUPPLIED.get(part, ()))
        for region in regions
        for part in parts
    )


def state(
    summary: Summary,
    mention: Mention,
    subject: Subject,
    concept: str,
    polarity: Polarity,
    own: tuple[str, ...] = (),
    **more: Any,
) -> Statement:
    """The statement a mention makes; ``own`` are regions it is always about."""
    clause, qualifier = clause_of(summary, mention), mention.qualifier
    regions, side = place_of(summary, mention, own)
    source = _SOURCES.get(qualifier, "record")
    past = qualifier == "historical"
    return Statement(
        subject, concept, polarity, regions, side, source, past, clause.start, clause.end, mention,
        **more,
    )  # fmt: skip


_SOURCES: dict[str, Source] = {"denied_by_ur": "administrator", "quoted_guideline": "guideline"}


@cache
def concepts() -> dict[tuple[str, str], tuple[Subject, str, tuple[str, ...]]]:
    """Family and value of a lexicon row -> subject, concept and the regions it is always about."""
    with CONCEPTS.open(encoding="utf-8", newline="") as lines:
        return {
            (row["family"], row["value"]): (
                row["subject"],  # type: ignore[misc]
                row["concept"],
                tuple(filter(None, row["region"].split(";"))),
            )
            for row in csv.DictReader(lines)
        }
