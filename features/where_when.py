"""Where a mention is and when: body regions and side, and whether two regions are the same for a
request; dates as printed (``10-18-2016``, ``5/22/02``, ``March 15, 2012``, ``10-30- 2016``), and
spans of time ("for six weeks", "two years ago").
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from imr.data.parse import full_year
from imr.data.quantity import number_words
from imr.data.request import body_parts
from imr.features.beside import beside
from imr.features.context import Clause, Mention, Summary, clause_of, once
from imr.features.signal import grouped
from imr.features.words import pairs, pattern, sets

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
_OBJECT = re.compile(
    r"\b(?:of|to|in)\s(?:the\s|his\s|her\s|both\s)?(?:left\s|right\s|bilateral\s)?$"
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
    ahead = [part for part in parts if part.start >= mention.end and part.end <= end]
    behind = [part for part in parts if part.end <= mention.start]
    return (
        _chain_ahead(summary, mention, ahead, _LEAD_OF)
        or _chain_behind(summary, mention, behind)
        or _chain_ahead(summary, mention, ahead, _LEAD_BARE)
    )


def regions_in_list(summary: Summary, mention: Mention) -> tuple[str, ...]:
    """The regions in a mention's own item of a list: of "sprain of the ligaments of the neck,
    contusion of the knee" the sprain is the neck's. Empty where the item names none.
    """
    if near := regions_of(summary, mention):
        return tuple(near)
    clause = clause_of(mention)
    ends = pattern("item_of_a_list_ends")
    before = ends.search(summary.lower[clause.start : mention.start][::-1])
    after = ends.search(summary.lower, mention.end, clause.end)
    first = mention.start - before.start() if before else clause.start
    last = after.start() if after else clause.end
    inside = [p for p in parts_of(summary, mention.sentence) if first <= p.start < last]
    if not inside:
        return ()
    # What is joined to them ("the muscles of the neck, left shoulder and arm").
    parts, final = parts_of(summary, mention.sentence), inside[-1]
    ahead = _chain_ahead(summary, final, [p for p in parts if p.start >= final.end], _JOINS)
    behind = []
    if inside[0].end <= mention.start:
        known = [p for p in parts if p.end <= inside[0].start]
        behind = _chain_behind(summary, inside[0], known, _JOINS)
    return tuple(dict.fromkeys([*behind, *(p.value for p in inside), *ahead]))


def parts_of(summary: Summary, sentence: int) -> Sequence[Mention]:
    """The body parts that start in a sentence, in order."""
    return _parts(summary).get(sentence, ())


@once
def _parts(summary: Summary) -> dict[int, list[Mention]]:
    return grouped((part.sentence, part) for part in summary.mentions("body_part"))


def _chain_ahead(
    summary: Summary, mention: Mention, parts: Sequence[Mention], lead: re.Pattern[str]
) -> list[str]:
    found: list[str] = []
    position, joined = mention.end, lead
    between = (summary.lower, mention.end, parts[0].start) if parts else ("", 0, 0)
    object_told = pattern("object_told").search(*between)
    for part in parts:
        if not joined.fullmatch(summary.lower, position, part.start):
            break
        if found and object_told and pattern("noun_of_its_own").match(summary.lower, part.end):
            break
        found.append(part.value)
        position, joined = part.end, _JOINS
    return list(dict.fromkeys(found))


def _chain_behind(
    summary: Summary, mention: Mention, parts: Sequence[Mention], lead: re.Pattern[str] = _ADJACENT
) -> list[str]:
    found: list[str] = []
    position, joined = mention.start, lead
    for part in reversed(parts):
        if not joined.fullmatch(summary.lower, part.end, position):
            break
        # "Strain of the neck and left wrist fracture": the neck has its own noun.
        # So has the hip of "pain in the hip, left elbow contusion".
        listed = lead is _JOINS and "," in summary.lower[part.end : position]
        if (found or listed) and _OBJECT.search(summary.lower, max(part.start - 24, 0), part.start):
            break
        found.insert(0, part.value)
        position, joined = part.start, _JOINS
    return list(dict.fromkeys(found))


def _chained(summary: Summary, parts: Sequence[Mention]) -> tuple[str, ...]:
    """The last of some parts of a sentence, with those it is joined to, in the order printed."""
    found: list[str] = []
    position = None
    for part in reversed(parts):
        if position is not None and not _JOINS.fullmatch(summary.lower, part.end, position):
            break
        found.insert(0, part.value)
        position = part.start
    return tuple(dict.fromkeys(found))


def starting_between(mentions: Sequence[Mention], start: int, end: int) -> Iterator[Mention]:
    """The mentions (in order) that start from ``start`` up to before ``end``."""
    for at in range(bisect_left(mentions, start, key=attrgetter("start")), len(mentions)):
        if mentions[at].start >= end:
            return
        yield mentions[at]


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


# --- regions and side -----------------------------------------------------------------------------

Place = tuple[tuple[str, ...], str | None]
"""The regions something is about, and the side: ``left``, ``right``, ``both`` or ``other``."""


@lru_cache(maxsize=4096)
def is_or_explains(region: str, part: str) -> bool:
    """Whether one is the same region as the other, or the spine or limb that explains it."""
    return (
        same_region(region, part)
        or region in sets("explains").get(part, ())
        or part in sets("explains").get(region, ())
    )


_DISCS = frozenset({"cervical spine", "thoracic spine", "lumbar spine"})
_SIDE = {"l": "left", "lt": "left", "left": "left", "r": "right", "rt": "right", "right": "right"}


def place_of(summary: Summary, mention: Mention, own: tuple[str, ...] = ()) -> Place:
    """Where a mention is: its own region, its clause's, the sentence's before it, or the last one
    of the sentence before.
    """
    setting = _setting(summary, clause_of(mention))
    regions = own or tuple(regions_of(summary, mention)) or setting.inside or setting.headed
    if setting.other:
        return regions, "other"
    if setting.sides:
        # "Left Lachman 3+, pivot shift positive, right stable": past a comma begins the other side.
        before = [word for word in setting.sides if word[0] < mention.end]
        ahead = [word for word in setting.sides if word[0] >= mention.end]
        if before and ahead and "," in summary.lower[mention.end : ahead[0][0]]:
            ahead = []
        nearest = min((*before, *ahead), key=lambda word: abs(word[0] - mention.start))
        return regions, nearest[1]
    # "Right knee: ...", for a finding of the same region; "right leg normal. L5-S1 extrusion" gives
    # the disc no side.
    heading = setting.heading
    headed = heading is not None and any(
        (same_region if region in _DISCS else is_or_explains)(region, heading.value)
        for region in regions
    )
    return regions, setting.side_of_heading if headed else None


def side_of_part(summary: Summary, part: Mention) -> str | None:
    """The side of a body part that is named: by the words before it, else those of its clause that
    follow ("shoulder pain on the left") and are of no other part; ``both`` of a plural.
    """
    lower, clause, sides = summary.lower, clause_of(part), pattern("word_for_a_side")
    before = sides.findall(lower, max(part.start - _NEAR, clause.start), part.end)
    if before:
        return _named_side(before[-1])
    if beside("names_both_sides", part):
        return "both"
    ahead = sides.search(lower, part.end, min(part.end + 2 * _NEAR, clause.end))
    if ahead is None or _left_over(summary, ahead):
        return None
    others = parts_of(summary, part.sentence)
    if any(part.end <= o.start < ahead.end() + _NEAR and o.start < clause.end for o in others):
        return None
    return _named_side(ahead[1])


_NEAR = 24


def side_told(summary: Summary, mention: Mention) -> bool:
    """Whether the clause of a mention names a side."""
    return bool(_setting(summary, clause_of(mention)).sides)


class _Setting(NamedTuple):
    """What a clause says of where: the regions named inside, the part that was named before it in
    its sentence or last in the one before, that with the parts it is joined to ("elbow and
    forearm"), the sides with their positions, and whether it is about a side that is not claimed
    (``other``).
    """

    inside: tuple[str, ...]
    heading: Mention | None
    headed: tuple[str, ...]
    sides: tuple[tuple[int, str], ...]
    other: bool
    side_of_heading: str | None


@once
def _setting(summary: Summary, clause: Clause) -> _Setting:
    parts = parts_of(summary, clause.sentence)
    before = [p for p in parts if p.start < clause.start]
    named = before or parts_of(summary, clause.sentence - 1)
    heading = named[-1] if named else None
    every = (
        pattern("all_places_meant").search(summary.lower, clause.start, clause.end)
        if named
        else None
    )
    inside = dict.fromkeys(p.value for p in parts if clause.start <= p.start < clause.end)
    compared = pattern("compared_with")
    # "(16 left)", "colder than left" compare with the other side.
    sides = tuple(
        (match.start(), _named_side(match[1]))
        for match in pattern("word_for_a_side").finditer(summary.lower, clause.start, clause.end)
        if not compared.search(summary.lower, max(match.start() - _NEAR, 0), match.start())
        and not _left_over(summary, match)
    )
    return _Setting(
        tuple(inside),
        heading,
        tuple(dict.fromkeys(p.value for p in named)) if every else _chained(summary, named),
        sides,
        pattern("side_not_claimed").search(summary.lower, clause.start, clause.end) is not None,
        None if sides or every or heading is None else _side_before(summary, heading),
    )


def _side_before(summary: Summary, part: Mention) -> str | None:
    """The side of a part, by the words before it."""
    found = pattern("word_for_a_side").findall(summary.lower, max(part.start - 24, 0), part.end)
    return _named_side(found[-1]) if found else None


def _left_over(summary: Summary, match: re.Match[str]) -> bool:
    """Whether the word "left" is a verb."""
    if match[1] != "left":
        return False
    lower, start = summary.lower, match.start()
    if pattern("left_is_a_verb").match(lower, start):
        return True
    before = pattern("what_remains").search(lower, max(start - 12, 0), start)
    return bool(before and pattern("left_behind_words").match(lower, start))


def _named_side(word: str) -> str:
    return _SIDE.get(word, "both")


# --- dates ----------------------------------------------------------------------------------------

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


@dataclass(frozen=True, slots=True)
class DateMention:
    """A date in place; ``exact`` is false where only month and year are printed (day = 1)."""

    day: date
    exact: bool
    mention: Mention


@once
def dates(summary: Summary) -> list[DateMention]:
    """The dates of a summary in order, without the impossible (month 13, year 20216)."""
    found = []
    for mention in summary.mentions("date"):
        groups = mention.groups
        month = groups.get("m") or str(_MONTHS.index(str(groups["mon"])[:3]) + 1)
        day = _valid(full_year(int(str(groups["y"]))), int(month), int(groups.get("d") or 1))
        if day is not None:
            found.append(DateMention(day, mention.value == "day", mention))
    return found


def nearest_date(
    summary: Summary, mention: Mention, before: int = 30, after: int = 90
) -> date | None:
    """The date that follows a mention in its sentence, else the one just before it."""
    start, end = summary.sentence_span(mention.sentence)
    near = [d for d in dates(summary) if start <= d.mention.start < end]
    ahead = [d for d in near if 0 <= d.mention.start - mention.end <= after]
    behind = [d for d in near if 0 <= mention.start - d.mention.end <= before]
    return ahead[0].day if ahead else behind[-1].day if behind else None


@once
def visits(summary: Summary) -> list[tuple[int, date]]:
    """Where the days of visits are printed, in order, and which days they are."""
    return [
        (found.mention.start, found.day)
        for found in dates(summary)
        if found.exact and not beside("no_day_of_a_visit", found.mention)
    ]


def visit_of(summary: Summary, mention: Mention) -> date | None:
    """The visit that a mention is told of: the last before it, else the one behind it."""
    start, end = summary.sentence_span(mention.sentence)
    before = [(at, day) for at, day in visits(summary) if at < mention.start]
    behind = [day for at, day in visits(summary) if mention.start <= at < end]
    if behind and not (before and before[-1][0] >= start):
        return behind[0]
    return before[-1][1] if before else None


def at_last_visit(summary: Summary, mention: Mention) -> bool:
    """Whether a mention is told of the latest visit, or of the only one."""
    day = visit_of(summary, mention)
    return day is None or day >= max(known for _, known in visits(summary))


@cache
def _valid(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


# --- spans of time --------------------------------------------------------------------------------

NUMBERS: dict[str, float] = number_words(20) | {
    "a": 1, "an": 1, "several": 3, "few": 3, "couple": 2, "half": 0.5, "twenty-four": 24,
    "thirty-six": 36, "forty-eight": 48, "seventy-two": 72, "a few": 3, "a couple of": 2,
    "half a": 0.5,
}  # fmt: skip
UNITS_OF_TIME: dict[str, float] = {"h": 1 / 24, "d": 1, "w": 7, "m": 365 / 12, "y": 365}

_LATELY_DAYS = {"yesterday": 1, "last night": 1, "last week": 7, "last month": 30, "last year": 365}
# Every span of time holds one of these; they are looked for once, for most clauses have none.
_UNIT_OF_TIME = re.compile(r"hour|hr|day|week|wk|mo|year|yr|pod|noon|even|night|\d ?[hd]\b")


@once
def _units_of_time(summary: Summary) -> list[int]:
    return [match.start() for match in _UNIT_OF_TIME.finditer(summary.lower)]


@once
def spans_of_time(summary: Summary, clause: Clause) -> list[tuple[int, float, bool]]:
    """Position, length in days and whether it is a time ago, of each span of time in a clause."""
    found: list[tuple[int, float, bool]] = []
    units = _units_of_time(summary)
    if bisect_left(units, clause.start) == bisect_left(units, clause.end):
        return found
    for match in pattern("span_of_time").finditer(summary.lower, clause.start, clause.end):
        number = match["m"] or match["n"]
        value = float(NUMBERS.get(number, number))
        after = summary.lower[match.end() : match.end() + 40]
        value += 0.5 * after.startswith(" and a half")
        before = summary.lower[max(match.start() - 8, clause.start) : match.start()]
        ago = pattern("time_is_ago").match(after) is not None
        told = summary.lower, max(match.start() - 16, clause.start), match.start()
        rate = number in ("a", "an") and pattern("stands_for_a_rate").search(*told)
        if ago or not (pattern("span_ahead").search(before) or rate):
            found.append((match.start(), value * UNITS_OF_TIME[match["unit"][0]], ago))
    parts = pattern("part_of_a_day").finditer(summary.lower, clause.start, clause.end)
    found += [(match.start(), 2.0 if match[1] == "weekend" else 0.5, False) for match in parts]
    recent = pattern("lately").finditer(summary.lower, clause.start, clause.end)
    found += [(match.start(), _LATELY_DAYS[match[1]], True) for match in recent]
    days_after = pattern("day_after_operation").finditer(summary.lower, clause.start, clause.end)
    return [*found, *((match.start(), float(match["n"]), True) for match in days_after)]


_UNTIL_REACH = 110


def days_until(summary: Summary, mention: Mention) -> float | None:
    """How long something lasted that a month or a season ended, from the last date told before."""
    end = min(summary.sentence_span(mention.sentence)[1], mention.end + _UNTIL_REACH)
    until = pattern("until_a_month").search(summary.lower, mention.start, end)
    if until is None:
        return None
    begun = [found.day for found in dates(summary) if found.mention.start < until.start()]
    if not begun:
        return None
    start, name = begun[-1], until["mon"]
    month = int(pairs("season").get(name) or 0) or _MONTHS.index(name[:3]) + 1
    day = 5 if "early" in until[0] else 25 if "late" in until[0] or "end" in until[0] else 15
    later = (month, day) <= (start.month, start.day)
    year = int(until["year"]) if until["year"] else start.year + later
    lasted = (date(year, month, day) - start).days
    return float(lasted) if 0 < lasted < _UNTIL_MOST else None


_UNTIL_MOST = 550


def times_of(summary: Summary, mention: Mention) -> dict[str, Any]:
    """``days`` and ``ago`` of the spans of time nearest to a mention in its clause."""
    found: dict[str, Any] = {}
    spans = spans_of_time(summary, clause_of(mention))
    for _, days, ago in sorted(spans, key=lambda span: abs(span[0] - mention.start)):
        found.setdefault("ago" if ago else "days", round(days, 1))
    return found
