"""How much of a service is requested: numbers, frequencies and durations.

Rules, in the order they are tried (the hand-made annotations are the source of the first two):

1. A printed count of sessions or visits wins: ``(12 sessions)``, ``visits, 12``.
2. Frequency times duration: ``2 times a week for 6 weeks``, ``3x4``, ``weekly x 8`` is the
   number of sessions.  A range counts by its upper end (``2-3 times a week for 6 weeks`` is
   18, ``12-18 sessions`` is 18).  A month has four weeks, ``daily`` is seven times a week.
3. ``#60``, ``Qty 30``, ``60 tablets`` and ``x 2`` are units; refills are not multiplied in.
4. A number at the beginning (``1 knee scooter``).
5. A duration of rental, supply, stay or membership: ``14 days``; a year is twelve months.

Strengths, views, panels, levels, clock hours and volumes (``420 ml``) are no quantity.

How headings print it stands in ``reference/quantities.csv``: patterns of one name are tried in
their order, ``(?&name)`` is the part of that name, ``counts`` what the number counts.  Of a range
the groups are ``low`` and ``high``, of a duration ``least``, ``most`` and its ``unit``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from imr.data import table_rows

NUMBER_WORDS: dict[str, int] = {
    word: value
    for value, words in {
        0: "zero", 1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven",
        8: "eight", 9: "nine", 10: "ten", 11: "eleven", 12: "twelve", 13: "thirteen",
        14: "fourteen", 15: "fifteen", 16: "sixteen", 17: "seventeen", 18: "eighteen",
        19: "nineteen", 20: "twenty", 24: "twenty four|twenty-four", 30: "thirty",
        36: "thirty six|thirty-six", 40: "forty", 50: "fifty", 60: "sixty", 90: "ninety",
        100: "one hundred", 120: "one hundred twenty", 160: "one hundred sixty",
    }.items()
    for word in words.split("|")
}  # fmt: skip
"""The English numerals that letters print."""

TIMES_WORDS = {"once": 1, "twice": 2, "thrice": 3}
"""How often something is done, in one word."""

_BY_SESSION = frozenset(("Rehabilitation", "Psych Services", "Programs", "Home Health",
                         "Evaluation & Management", "Transportation"))  # fmt: skip
_NO_FREQUENCY = frozenset(("Pharmaceuticals", "DMEPOS", "Injection", "Other"))
_NO_DURATION = frozenset(("Diagnostic Testing", "Injection", "Evaluation & Management"))
_IN_UNITS = frozenset(("Injection", "Diagnostic Testing"))
_CLOCK = frozenset(("Home Health", "Programs", "Psych Services", "Transportation"))


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and what it counts; ``kind`` is ``sessions``, ``counted``, ``units`` or a time."""

    value: int | float
    kind: str


_DATE = re.compile(r"\b\d{1,2}[/-]\d{1,2}[/-]\d{2,4}\b")
_DATE_IN_WORDS = re.compile(
    r"\b(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)[a-z]{0,6}\.? \d{1,2}(?:st|nd|rd|th)?\b"
    r"(?:,? (?:19|20)\d\d\b)?|\bmay \d{1,2},? (?:19|20)\d\d\b"
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_DOUBLED = re.compile(r"\b(\d+)\s*\(\s*#?\1\s*\)")
_DAILY_SIG = re.compile(r"\b(?:every|q)\s*\d+\s*(?:-\s*\d+\s*)?(?:hours?|hrs?|h)\b")
_TIME_UNITS = {"d": "days", "w": "weeks", "m": "months", "y": "months", "h": "hours"}
_DIGITS = {word: str(value) for word, value in NUMBER_WORDS.items()} | {
    word: f"{value} times" for word, value in TIMES_WORDS.items()
}
_NUMBER_WORD = re.compile(rf"\b({'|'.join(sorted(_DIGITS, key=len, reverse=True))})\b")


@cache
def number_words(most: int) -> dict[str, int]:
    """The numerals of one word from one to ``most`` with their values, in ascending order."""
    return {w: v for w, v in NUMBER_WORDS.items() if w.isalpha() and 1 <= v <= most}


_ONES = "|".join(number_words(9))
_TENS = {f"{ten}ty": 10 * n for n, ten in enumerate(
    ("twen", "thir", "for", "fif", "six", "seven", "eigh", "nine"), 2)}  # fmt: skip
COUNT = (
    rf"(?:\d{{1,3}}|(?:{'|'.join(_TENS)})(?:[- ](?:{_ONES})\b)?|"
    rf"{'|'.join(reversed(number_words(19)))})"
)
"""A pattern: a count in digits, or in words up to ninety-nine."""


def count_of(text: str) -> int | None:
    """The value of a count in digits or in words; None for other words."""
    if text.isdigit():
        return int(text)
    parts = re.split(r"[- ]", text)
    values = [_TENS.get(part) or number_words(19).get(part) for part in parts]
    return None if None in values else sum(filter(None, values))


def spell_out(text: str) -> str:
    """``text`` in lower case with number words as digits and calendar dates removed."""
    text = text.lower().replace("\u00d7", "x")
    if "," in text:
        text = _THOUSANDS.sub("", text)
    if "/" in text or "-" in text:
        text = _DATE.sub(" ", text)
    text = _DATE_IN_WORDS.sub(" ", text)
    text = _NUMBER_WORD.sub(lambda match: _DIGITS[match.group()], text)
    if "(" in text:
        text = _DOUBLED.sub(r"\1", text)
    if "1 times" in text or "2 times" in text:
        text = re.sub(r"\b([123] times) times\b", r"\1", text)
    return text


def _whole(value: float) -> int | float:
    return int(value) if float(value).is_integer() else round(value, 2)


def _upper(low: str, high: str | None = None) -> int | float:
    """The upper end of a printed range."""
    value = float(high or low)
    return int(value) if value.is_integer() else value


def _weeks(count: int | float, unit: str | None) -> float:
    """``count`` of ``unit`` in weeks; without a unit, weeks are meant."""
    in_weeks = {"m": count * 4, "d": count / 7}
    return in_weeks.get((unit or "w")[0], count)


@cache
def _patterns() -> dict[str, list[tuple[re.Pattern[str], str]]]:
    """The patterns of each name, with what they count."""
    parts: dict[str, str] = {}
    found: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    for row in table_rows("reference/quantities"):
        pattern = re.sub(r"\(\?&(\w+)\)", lambda part: parts[part[1]], row["pattern"])
        if row["counts"] == "part":
            parts[row["name"]] = pattern
        else:
            found.setdefault(row["name"], []).append((re.compile(pattern), row["counts"]))
    return found


def _first(name: str, text: str) -> dict[str, Any]:
    """The groups of the first pattern of a name that finds something, and what it ``counts``."""
    for pattern, counts in _patterns()[name]:
        if match := pattern.search(text):
            return {**match.groupdict(), "counts": counts}
    return {}


def _repeated(text: str) -> Quantity | None:
    """How many times something is done at a frequency and for a duration; hours of a home aide."""
    said = _first("hours_a_day", text) or _first("frequency", text)
    if not said:
        return None
    often = _upper(said.get("low") or "1", said.get("high"))
    count, unit = _upper(said["least"], said["most"]), said["unit"]
    if "days" in said:
        hours = often * _upper(said["days"], said["most_days"]) * _weeks(count, unit)
        return Quantity(_whole(hours), "hours")
    rhythm = said.get("rhythm", "")
    if rhythm.startswith("bi") or "other" in rhythm:
        return Quantity(_whole(_weeks(count, unit) / 2), "sessions")
    per = "month" if rhythm.startswith("month") else "day" if "da" in rhythm else "week"
    per = said.get("per", per)
    in_weeks = _weeks(count, unit) * {"m": 1 / 4, "d": 7}.get(per[0], 1)
    periods = count if per[0] == (unit or per)[0] else in_weeks
    return Quantity(_whole(often * periods), "sessions")


def _duration(text: str, hours: bool) -> Quantity | None:
    [(pattern, _)] = _patterns()["duration"]
    for match in pattern.finditer(_DAILY_SIG.sub(" ", text)):
        unit = _TIME_UNITS[match["unit"][0]]
        if unit != "hours" or hours:
            value = _upper(match["low"], match["high"])
            return Quantity(value * 12 if match["unit"].startswith("y") else value, unit)
    return None


def find_quantity(text: str, category: str, in_sessions: bool = False) -> Quantity | None:
    """The quantity that ``text`` requests of a service of ``category``; None where none is.

    ``text`` comes from :func:`spell_out`.  ``in_sessions`` allows frequencies for a service
    whose category has none (ultrasound or electrical stimulation, which may be a treatment).
    """
    if not any(character.isdigit() for character in text):
        return None
    if in_sessions or category not in _NO_FREQUENCY:
        if said := _first("counted_sessions", text):
            return Quantity(_upper(said["low"], said["high"]), "sessions")
        if found := _repeated(text):
            return found
        if (in_sessions or category != "Diagnostic Testing") and (said := _first("times", text)):
            times = _upper(said["low"], said["high"]) * _upper(said["least"])
            return Quantity(_whole(times), "sessions")
    said = _first("count", text) or (_first("units", text) if category in _IN_UNITS else {})
    if said:
        return Quantity(_upper(said["low"]), said["counts"])
    return None if category in _NO_DURATION else _duration(text, category in _CLOCK)


def unit_of(quantity: Quantity, category: str, therapy: bool = False) -> str:
    """What ``quantity`` counts: therapy (``therapy``: in spite of the category) and visits are
    sessions, everything else units.
    """
    if quantity.kind not in ("units", "counted"):
        return quantity.kind
    return "sessions" if therapy or category in _BY_SESSION else "units"
