"""Dates as printed (``10-18-2016``, ``5/22/02``, ``March 15, 2012``, ``10-30- 2016``), and spans of
time ("for six weeks", "two years ago").
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from imr.data.parse import full_year
from imr.data.quantity import number_words
from imr.features.context import Clause, Mention, Summary, clause_of, once

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


# --- spans of time --------------------------------------------------------------------------------

_NUMBERS: dict[str, float] = {"a": 1, "an": 1, "several": 3, "few": 3, "couple": 2, "half": 0.5}
_UNITS: dict[str, float] = {"h": 1 / 24, "d": 1, "w": 7, "m": 365 / 12, "y": 365}
_LOW, _HIGH = ("|".join(number_words(most)) for most in (20, 12))
_SPAN = re.compile(
    rf"(?<![\d/#.$-])\b(?P<n>\d{{1,3}}(?:\.\d)?|{_LOW}|an?|several|few|couple|half)(?: of| a)?"
    rf"(?:\s?(?:-|to|or)\s?(?P<m>\d{{1,2}}|{_HIGH}))?\+?[\s-]?"
    r"(?P<unit>hours?|hrs?|days?|(?<=\d )d|(?<=\d)d|weeks?|wks?|wk|months?|mos?|years?|yrs?|yr)"
    r"\b(?![- ]old)"
)
_AGO = re.compile(
    r"^\.?\s*(?:ago|earlier|before|prior|back\b(?! pain)|out\b|later|s/p|status[- ]post|"
    r"post-?op\w*|after (?:the |his |her |an? )?"
    r"(?:surg|oper|arthro|fusion|repair|replac|procedure|injury))"
)
_POD = re.compile(r"\b(?:pod|post-?op(?:erative)? day) ?#?(?P<n>\d{1,3})\b")
_PLANNED_SPAN = re.compile(r"\b(?:in|after|within|next|every|each|per|a|another)\s$")
# "Five tablets a month" is a rate, and no time.
_RATE = re.compile(
    r"\b(?:tablets?|tabs?|pills?|capsules?|times?|once|twice|doses?|visits?|hours?|days?|units?|"
    r"sessions?|injections?|patches) $"
)
# Every span of time holds one of these; they are looked for once, for most clauses have none.
_UNIT_OF_TIME = re.compile(r"hour|hr|day|week|wk|mo|year|yr|pod")


@once
def _units_of_time(summary: Summary) -> list[int]:
    return [match.start() for match in _UNIT_OF_TIME.finditer(summary.lower)]


def _unit_of_time_in(summary: Summary, clause: Clause) -> bool:
    units = _units_of_time(summary)
    return bisect_left(units, clause.start) < bisect_left(units, clause.end)


@once
def spans_of_time(summary: Summary, clause: Clause) -> list[tuple[int, float, bool]]:
    """Position, length in days and whether it is a time ago, of each span of time in a clause."""
    found: list[tuple[int, float, bool]] = []
    if not _unit_of_time_in(summary, clause):
        return found
    for match in _SPAN.finditer(summary.lower, clause.start, clause.end):
        number = match["m"] or match["n"]
        value = _NUMBERS.get(number) or number_words(20).get(number)
        value = float(number) if value is None else float(value)
        after = summary.lower[match.end() : match.end() + 40]
        before = summary.lower[max(match.start() - 8, clause.start) : match.start()]
        ago = _AGO.match(after) is not None
        rate = number in ("a", "an") and _RATE.search(
            summary.lower, max(match.start() - 16, clause.start), match.start()
        )
        if ago or not (_PLANNED_SPAN.search(before) or rate):
            found.append((match.start(), value * _UNITS[match["unit"][0]], ago))
    days_after = _POD.finditer(summary.lower, clause.start, clause.end)
    return [*found, *((match.start(), float(match["n"]), True) for match in days_after)]


def times_of(summary: Summary, mention: Mention) -> dict[str, Any]:
    """``days`` and ``ago`` of the spans of time nearest to a mention in its clause."""
    found: dict[str, Any] = {}
    spans = spans_of_time(summary, clause_of(summary, mention))
    for _, days, ago in sorted(spans, key=lambda span: abs(span[0] - mention.start)):
        found.setdefault("ago" if ago else "days", round(days, 1))
    return found
