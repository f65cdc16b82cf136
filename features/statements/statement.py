"""What a statement is, how one is made from a mention, and whether it bears on a request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal, cast

from imr.features.beside import beside, gives_beside, match_beside
from imr.features.context import Mention, Summary, clause_of
from imr.features.signal import table_rows
from imr.features.where_when import is_or_explains, place_of
from imr.features.words import group, pattern, sets

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

    @property
    def clause(self) -> str:
        """Its clause, in lower case."""
        return self.mention.summary.lower[self.start : self.end]

    @property
    def quote(self) -> tuple[int, str]:
        """Where its clause starts and the words of it, without the punctuation around them."""
        words = self.mention.summary.text[self.start : self.end]
        return self.end - len(words.lstrip(_EDGE)), words.strip(_EDGE)


_EDGE = " \t\n\r,;:.-–—"
SPINE = ("cervical spine", "thoracic spine", "lumbar spine")


def bearing(statement: Statement, parts: tuple[str, ...], side: str | None) -> Bearing:
    """Whether a statement is about the requested parts and side, or the region that explains them.

    A request without a part (most drugs) takes everything; a statement without a region is
    ``unplaced``.
    """
    if not parts:
        return "requested"
    if statement.side == "other" or {side, statement.side} == {"left", "right"}:
        placed = statement.regions or statement.subject in ("sign", "treatment")
        return "elsewhere" if placed else "unplaced"
    if not statement.regions:
        return "unplaced"
    goes_along = statement.concept in group("along_nerves")
    stays = statement.subject in ("sign", "diagnosis") and not goes_along
    # A bunion that was removed is no operation of the back.
    stays = stays or (statement.subject, statement.concept) in _STAY
    reaches = _reach(statement.regions, statement.concept in group("of_nerves"), stays, parts)
    if not reaches and _CORD in parts and _sound(statement):
        legs = sets("supplied_by_nerves")["lumbar spine"].difference(SPINE)
        reaches = not legs.isdisjoint(statement.regions)
    return "requested" if reaches else "elsewhere"


# Nor does a film of the neck show the forearm.
_STAY = frozenset({("treatment", "surgery"), ("study", "xray"), ("study", "finding: fracture")})
_CORD = "thoracic spine"


def _sound(statement: Statement) -> bool:
    """Whether nerves are found sound, as they then are from the cord down."""
    if statement.subject != "sign" or statement.concept not in group("of_nerves"):
        return False
    normal = statement.concept in ("normal neurology", "nerve study normal")
    return statement.polarity == ("affirmed" if normal else "denied")


def reaches(regions: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Whether one of some regions is one of the requested parts."""
    return _reach(regions, False, True, parts)


@lru_cache(maxsize=8192)
def _reach(regions: tuple[str, ...], nerves: bool, stays: bool, parts: tuple[str, ...]) -> bool:
    """Whether one of some regions is, or (by its nerves) explains, one of the requested parts.

    What ``stays`` where it is does not pass between a spine and a limb.
    """
    return any(
        (is_or_explains(region, part) and not (stays and _spine_and_limb(region, part)))
        or (nerves and region in sets("supplied_by_nerves").get(part, ()))
        for region in regions
        for part in parts
    )


def _spine_and_limb(one: str, other: str) -> bool:
    limbs = group("region_of_a_limb")
    return (one in SPINE and other in limbs) or (other in SPINE and one in limbs)


def state(
    mention: Mention,
    subject: Subject,
    concept: str,
    polarity: Polarity,
    own: tuple[str, ...] = (),
    **more: Any,
) -> Statement:
    """The statement a mention makes; ``own`` are regions it is always about."""
    clause, qualifier = clause_of(mention), mention.qualifier
    regions, side = place_of(mention.summary, mention, own)
    source = _SOURCES.get(qualifier, "record")
    past = qualifier == "historical"
    return Statement(
        subject, concept, polarity, regions, side, source, past, clause.start, clause.end, mention,
        **more,
    )  # fmt: skip


_SOURCES: dict[str, Source] = {"denied_by_ur": "administrator", "quoted_guideline": "guideline"}


@cache
def listed_regions(cell: str) -> tuple[str, ...]:
    """The regions in a cell of a table, with semicolons between."""
    return tuple(filter(None, cell.split(";")))


@cache
def concepts() -> dict[tuple[str, str], tuple[Subject, str, tuple[str, ...]]]:
    """Family and value of a lexicon row -> subject, concept and the regions it is always about."""
    return {
        (row["family"], row["value"]): (
            row["subject"],  # type: ignore[misc]
            row["concept"],
            listed_regions(row["region"]),
        )
        for row in table_rows("concepts")
    }


_EQUIVOCAL_REACH = 40


def equivocal(summary: Summary, mention: Mention) -> bool:
    """Whether the result of a test next to it is none."""
    clause = clause_of(mention)
    start = max(clause.start, mention.start - _EQUIVOCAL_REACH)
    end = min(clause.end, mention.end + _EQUIVOCAL_REACH)
    found = pattern("equivocal_result").search(summary.lower, start, end)
    if found is None:
        return False
    between = summary.lower[min(found.end(), mention.end) : max(found.start(), mention.start)]
    return "," not in between


def pain_degree(mention: Mention) -> str | None:
    """How strong pain is said to be; two of ten at most is mild."""
    if beside("pain_is_mild", mention):
        return "mild"
    strong = match_beside("pain_is_strong", mention)
    return strong and ("severe" if strong["severe"] else "moderate")


def polarity_beside(name: str, mention: Mention) -> Polarity | None:
    """The polarity that the words beside a mention give it."""
    return cast("Polarity | None", gives_beside(name, mention))
