"""Dates as printed: ``10-18-2016``, ``5/22/02``, ``March 15, 2012``, ``10-30- 2016``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

from imr.data.header import full_year
from imr.features.context import Mention, Summary, once

_MONTHS = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)


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
        day = _day(mention)
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


def _day(mention: Mention) -> date | None:
    groups = mention.groups
    month = groups.get("m") or str(_MONTHS.index(str(groups["mon"])[:3]) + 1)
    return _valid(full_year(int(str(groups["y"]))), int(month), int(groups.get("d") or 1))


@cache
def _valid(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
