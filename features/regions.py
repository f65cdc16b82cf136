"""Body regions near a mention, and whether two of them are the same for a request."""

from __future__ import annotations

import re
from collections.abc import Iterable

from features.context import Mention, Summary

# Regions that a study or treatment of the one covers for a request about the other.
_COVERS = {
    "upper extremity": {
        "shoulder",
        "elbow",
        "forearm",
        "wrist",
        "hand",
        "cervical spine",
    },
    "lower extremity": {"hip", "knee", "leg", "ankle", "foot", "lumbar spine"},
    "hand": {"wrist"},
    "wrist": {"hand", "forearm"},
    "foot": {"ankle"},
    "ankle": {"foot"},
    "sacroiliac joint": {"lumbar spine"},
}
_JOINS = re.compile(
    r"(?:and|or|&|,|/|-|to|the|of|for|left|right|bilateral|both|his|her|spine|\s|\(|\))*$"
)


def regions_of(summary: Summary, mention: Mention, ahead: int = 50, behind: int = 24) -> list[str]:
    """The regions a study or treatment is about: a list right after it, else the one right before.

    "MRI of the cervical and thoracic spine" gives both, "lumbar MRI" one, "MRI" none.
    """
    start, end = summary.sentence_span(mention.sentence)
    near = [m for m in summary.mentions("body_part") if start <= m.start and m.end <= end]
    after = _chain(summary, mention.end, [m for m in near if m.start >= mention.end], ahead)
    if after:
        return after
    return _before(summary, mention, [m for m in near if m.end <= mention.start], behind)


def _before(summary: Summary, mention: Mention, near: list[Mention], reach: int) -> list[str]:
    if not near or mention.start - near[-1].end > reach:
        return []
    between = summary.lower[near[-1].end : mention.start]
    return [near[-1].value] if _JOINS.fullmatch(between) else []


def _chain(summary: Summary, position: int, near: list[Mention], reach: int) -> list[str]:
    found: list[str] = []
    for part in near:
        between = summary.lower[position : part.start]
        if found and not _JOINS.fullmatch(between):
            break
        if not found and (part.start - position > reach or not _LEADS.fullmatch(between)):
            break
        found.append(part.value)
        position = part.end
    return list(dict.fromkeys(found))


_LEADS = re.compile(
    r"[\s,(]*(?:(?:scans?|stud(?:y|ies)|films?|series|imaging|testing|tests?|report|\w+ done|performed|"
    r"done|obtained|completed|taken|dated|from|on|and/or|with|without|contrast|[\d/, -]{6,12}|"
    r"\(?[\d/-]{6,10}\)?|ncv|ncs|emg)[\s,)]*)*"
    r"(?:(?:of|for|to|on|over|involving|in)\s+)?(?:(?:the|his|her|a|both|bilateral|left|right|affected|"
    r"entire|upper|lower|-?sided)[\s,]+)*"
)


def same_region(one: str, other: str) -> bool:
    """Whether a study of ``one`` speaks to a request about ``other``."""
    return one == other or other in _COVERS.get(one, ()) or one in _COVERS.get(other, ())


def any_same_region(ones: Iterable[str], others: Iterable[str]) -> bool:
    """Whether any of the first regions is the same as any of the second."""
    wanted = list(others)
    return any(same_region(one, other) for one in ones for other in wanted)
