"""Body regions near a mention, and whether two of them are the same for a request."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from imr.data.request.terms import body_parts
from imr.features.context import Mention, Summary, once

_JOINS = re.compile(
    r"(?:[\s,/()&-]|"
    r"\b(?:and|or|to|the|of|for|left|right|bilateral|both|his|her|spine|as well as)\b)*"
)
# What may stand between "MRI" and "of the left shoulder": kind of study, date, contrast.
_KIND = (
    r"(?:\(?\s?\d \w+ ?views?\s?\)?|\(?[\d/ -]{6,12}\)?|\(\w{2,8}\)|(?:scans?|stud(?:y|ies)|films?|"
    r"series|imaging|testing|tests?|report|views?|performed|done|obtained|completed|taken|were|was|"
    r"with(?:out)?|and|or|contrast|dated|from|on|multiple|ncv|ncs|emg)\b)"
)
# Each word is taken in one way only (atomic), for a run of digits could be cut in many.
_LEAD_OF = re.compile(
    rf"\s*(?:(?>{_KIND}[\s,/-]*))*(?:of|for|to|on|over|involving|in)\s+"
    r"(?:(?:the|his|her|a|an|both|bilateral|left|right|affected|entire|upper|lower|index|middle|ring|"
    r"little|small|long|first|second|third|fourth|fifth|\d+(?:st|nd|rd|th)|proximal|mid)[\s,/-]+)*"
)
_LEAD_BARE = re.compile(r"\s*(?:(?:scan|study|the|both|bilateral|left|right|\()\s*)*")
_ADJACENT = re.compile(
    r"[\s-]*(?:(?:spine|joints?|plain|open|weight[- ]bearing|3t|repeat|region)\s*)*"
)


def regions_of(summary: Summary, mention: Mention) -> list[str]:
    """The regions a study or treatment is about, in the order printed; empty where none is near.

    "MRI of the cervical and thoracic spine" gives both; so does "cervical and lumbar x-rays";
    "lumbar x-ray, left shoulder MRI" gives the MRI the shoulder.
    """
    parts = parts_of(summary, mention.sentence)
    if not parts:
        return []
    end = summary.sentence_span(mention.sentence)[1]
    parts = [part for part in parts if part.end <= end]
    ahead = [part for part in parts if part.start >= mention.end]
    behind = [part for part in parts if part.end <= mention.start]
    return (
        _chain_ahead(summary, mention, ahead, _LEAD_OF)
        or _chain_behind(summary, mention, behind)
        or _chain_ahead(summary, mention, ahead, _LEAD_BARE)
    )


def parts_of(summary: Summary, sentence: int) -> Sequence[Mention]:
    """The body parts that start in a sentence, in order."""
    return _parts(summary).get(sentence, ())


@once
def _parts(summary: Summary) -> dict[int, list[Mention]]:
    found: dict[int, list[Mention]] = {}
    for part in summary.mentions("body_part"):
        found.setdefault(part.sentence, []).append(part)
    return found


def _chain_ahead(
    summary: Summary, mention: Mention, parts: Sequence[Mention], lead: re.Pattern[str]
) -> list[str]:
    found: list[str] = []
    position, joined = mention.end, lead
    for part in parts:
        if not joined.fullmatch(summary.lower, position, part.start):
            break
        found.append(part.value)
        position, joined = part.end, _JOINS
    return list(dict.fromkeys(found))


def _chain_behind(summary: Summary, mention: Mention, parts: Sequence[Mention]) -> list[str]:
    found: list[str] = []
    position, joined = mention.start, _ADJACENT
    for part in reversed(parts):
        if not joined.fullmatch(summary.lower, part.end, position):
            break
        found.insert(0, part.value)
        position, joined = part.start, _JOINS
    return list(dict.fromkeys(found))


def starting_between(mentions: Sequence[Mention], start: int, end: int) -> Iterator[Mention]:
    """The mentions (in order) that start from ``start`` up to before ``end``."""
    for at in range(bisect_left(mentions, start, key=_start), len(mentions)):
        if mentions[at].start >= end:
            return
        yield mentions[at]


def _start(mention: Mention) -> int:
    return mention.start


def same_region(one: str, other: str) -> bool:
    """Whether a study of ``one`` speaks to a request about ``other``."""
    return one == other or _covers(one, other) or _covers(other, one)


def _covers(one: str, other: str) -> bool:
    part = body_parts().get(one)
    return part is not None and other in part.covers


def any_same_region(ones: Iterable[str], others: Iterable[str]) -> bool:
    """Whether any of the first regions is the same as any of the second."""
    wanted = list(others)
    return any(same_region(one, other) for one in ones for other in wanted)
