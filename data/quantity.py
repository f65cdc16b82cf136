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
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

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


_N = r"\d+(?:\.\d+)?"
_RANGE = rf"({_N})(?:\s*(?:-|to|or)\s*({_N}))?"
_WEEK = r"(?:weeks?|wks?|w(?=\s*x\s*\d)|days?|months?|mos?)\b"
_PER = r"(?:(?:in\s+)?(?:a|an|per|each|every|/|x)\s*)*"
_VISIT = r"(?:sessions?|visits?|treatments?|appointments?|classes|rides|trips|tx)\b"
_FREQUENCY_NEXT = r"(?!\s*(?:\)\s*)?(?:/|a\b|per\b|each\b|every\b|weekly\b|x?\s*(?:week|wk)))"

_SESSIONS = re.compile(
    rf"(?<![\d./-]){_RANGE}[\s-]*\)?\s*"
    r"(?:(?!a\b|per\b|times\b|x\b|for\b|week|wk|month|mg\b|days?\b|hours?\b|refills?\b)"
    rf"[a-z][a-z'-]*[\s/,-]+){{0,5}}?{_VISIT}{_FREQUENCY_NEXT}"
)
_SESSIONS_FIRST = re.compile(
    rf"\b{_VISIT}\s*[,:;(-]?\s*(?:x|times|#|qty|quantity)?\s*[:#]?\s*{_RANGE}\b"
    r"(?!\s*(?:x|/|times?\b|a\b|per\b|days?\b|hours?\b|weeks?\b|wks?\b|months?\b|-|%|mg|visits?"
    r"|more|minutes?))"
)
_HOURS_DAYS_WEEKS = re.compile(
    rf"(?<!\d){_RANGE}\s*(?:hours?|hrs?)\s*{_PER}day[\s,;x*-]*(?:for\s+)?"
    rf"{_RANGE}\s*days?\s*{_PER}(?:week|wk)[\s,;x*-]*(?:for\s+|times\s+)?{_RANGE}\s*{_WEEK}"
)
_FREQUENCY = re.compile(
    rf"(?<![\d./-]){_RANGE}\s*-?\s*(?:x|times?|visits?|sessions?|days?|treatments?|tx)?\s*"
    rf"{_PER}(week|wk|month|mo|day)(?:ly|s)?\b\.?"
    rf"[^\d#]{{0,60}}?(?<![a-z]){_RANGE}(?:\s*\(\d+\))?\s*[- ]?({_WEEK})?"
)
_FREQUENCY_LAST = re.compile(
    rf"(?<!\d){_RANGE}[\s-]*(weeks?|wks?|months?)\b[^\d#]{{0,25}}?{_RANGE}\s*(?:x|times?|visits?|sessions?"
    rf"|days?)\s*{_PER}(week|wk|month)(?:ly)?\b"
)
_WEEKLY = re.compile(
    r"\b(every other week|bi-?weekly|weekly|monthly|daily|(?:every|each) week|(?:every|each) day)\b"
    rf"[^\d#]{{0,40}}?(?<![a-z]){_RANGE}\s*[- ]?({_WEEK})?"
)
_TIMES = re.compile(
    r"(?<![\d./#-])(\d{1,2}(?:\s*(?:-|to)\s*\d{1,2})?)\s*(?:x|times)\s*(\d{1,2})\b(?!\s*mg)"
)
_HASH = re.compile(rf"(?<!tylenol )(?<!codeine )(?<!tooth )(?<!teeth )(?<!t)#\s*({_N})(?![\d.]*\d)")
_QTY = re.compile(
    r"\b(?:qty|quantity|quant|disp|dispense|number|total|count|series)\b\.?"
    rf"\s*(?:of|:|=|-|is|#|x)*\s*#?\s*({_N})\b(?!\s*(?:mg|mcg|days?\s+supply|hours?))"
)
_COUNTED = re.compile(
    r"(?<![\d./a-z-])(\d{1,4})\s*-?\s*"
    r"(?:tabs?|tablets?|caps?|capsules?|caplets?|pills?|patche?s?|count|ct|boxe?s?|tubes?|"
    r"bottles?|vials?|pairs?|sets?|ea|syringes?|suppositor(?:y|ies)|packs?|lozenges?|"
    r"injections?)\b"
    r"(?!\s*(?:\(?s\)?\s*)?(?:every|po\b|p\.o|by\b|orally|q\b|q\.?\d|qd|qhs|bid|b\.i\.d|tid|"
    r"t\.i\.d|prn|daily|a\b|per\b|at\b|once|twice|in\b|each|to\b|\d+\s*(?:x|times)\b|/))"
)
_UNITS = re.compile(r"(?<![\d./a-z-])(\d{1,4})\s*-?\s*units?\b(?!\s*(?:rental|/))")
_X = re.compile(
    r"(?<![a-z])(?:x|times)\s*[-:=]?\s*#?\s*(\d{1,4})\b(?:\s*\(\d+\))?"
    r"(?!\s*-?\s*(?:x\b|/|a\b|per\b|daily|weekly|week|wk|day|month|mo\b|year|yr|mg|mcg|hour|hr|min"
    r"|times|cm|inch|refill|\.\d|%))"
)
_LEADING = re.compile(
    r"(?:^|[:;]\s*)(?:(?:retrospective|retro|prospective|use|pharmacy|prescription|request|authorization|purchase|rental|"
    r"trial|additional|another|for|of|the|a|post-?\s?op(?:erative)?|pre-?\s?op(?:erative)?|(?:right|"
    r"left|bilateral))\s+)*\(?(\d{1,3})\)?\s+"
    r"(?!(?:mg|mcg|ml|cc|gm?|grams?|lbs?|pounds?|tesla|views?|levels?|panels?|phase|leads?|wheel"
    r"|wheeled|points?|in\b|x\b|times?|d\b|inch|channels?|days?|weeks?|wks?|months?|years?|hours?|"
    r"hrs?|minutes?|part|step|stage|-|to\b|or\b|piece|unit\s+sessions|percent|drug)\b)[a-z]"
)
_PAREN = re.compile(r"\((\d{1,3})\)")
_DURATION = re.compile(
    rf"(?<![\d./])(?<!q )(?<!every )(?<!per )(?<!each )(?<!in ){_RANGE}[\s-]*"
    r"(days?|weeks?|wks?|months?|mos?|years?|yrs?|hours?|hrs?)\b"
    r"(?!\s*-?\s*(?:follow|post|re-?check|re-?eval|old|on\b|off\b|ago|after|holter|release|a\b|per\b|/|daily|each))"
)
_DAILY_SIG = re.compile(r"\b(?:every|q)\s*\d+\s*(?:-\s*\d+\s*)?(?:hours?|hrs?|h)\b")
_DATE = re.compile(r"\b\d{1,2}[/-]\d{1,2}[/-]\d{2,4}\b")
_DATE_IN_WORDS = re.compile(
    r"\b(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)[a-z]{0,6}\.? \d{1,2}(?:st|nd|rd|th)?\b"
    r"(?:,? (?:19|20)\d\d\b)?|\bmay \d{1,2},? (?:19|20)\d\d\b"
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_DOUBLED = re.compile(r"\b(\d+)\s*\(\s*#?\1\s*\)")
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


def _periods(per: str, count: int | float, unit: str | None) -> float:
    """How often ``per`` (week, month, day) comes round in ``count`` of ``unit``."""
    if per[0] == (unit or per)[0]:
        return count
    return _weeks(count, unit) * {"m": 1 / 4, "d": 7}.get(per[0], 1)


def _sessions(text: str) -> Quantity | None:
    """How many times something is done at a frequency and for a duration; hours of a home aide."""
    if match := _HOURS_DAYS_WEEKS.search(text):
        weeks = _weeks(_upper(match[5], match[6]), re.split(r"[\d\s]+", match.group())[-1])
        hours = _upper(match[1], match[2]) * _upper(match[3], match[4]) * weeks
        return Quantity(_whole(hours), "hours")
    if match := _FREQUENCY.search(text):
        low, high, per, least, most, unit = match.groups()
    elif match := _FREQUENCY_LAST.search(text):
        least, most, unit, low, high, per = match.groups()
    elif match := _WEEKLY.search(text):
        word, least, most, unit = match.groups()
        if word.startswith("bi") or "other" in word:
            return Quantity(_whole(_weeks(_upper(least, most), unit) / 2), "sessions")
        low = high = "1"
        per = "month" if word.startswith("month") else "day" if "da" in word else "week"
    else:
        return None
    periods = _periods(per, _upper(least, most), unit)
    return Quantity(_whole(_upper(low, high) * periods), "sessions")


def _duration(text: str, hours: bool) -> Quantity | None:
    for match in _DURATION.finditer(_DAILY_SIG.sub(" ", text)):
        unit = _TIME_UNITS[match[3][0]]
        if unit != "hours" or hours:
            value = _upper(match[1], match[2])
            return Quantity(value * 12 if match[3].startswith("y") else value, unit)
    return None


_COUNTS = ((_HASH, "units"), (_QTY, "units"), (_COUNTED, "units"), (_X, "counted"),
           (_LEADING, "units"), (_PAREN, "units"))  # fmt: skip


def find_quantity(text: str, category: str, in_sessions: bool = False) -> Quantity | None:
    """The quantity that ``text`` requests of a service of ``category``; None where none is.

    ``text`` comes from :func:`spell_out`.  ``in_sessions`` allows frequencies for a service
    whose category has none (ultrasound or electrical stimulation, which may be a treatment).
    """
    if not any(character.isdigit() for character in text):
        return None
    if in_sessions or category not in _NO_FREQUENCY:
        if match := _SESSIONS.search(text) or _SESSIONS_FIRST.search(text):
            return Quantity(_upper(match[1], match[2]), "sessions")
        if found := _sessions(text):
            return found
        match = _TIMES.search(text) if in_sessions or category != "Diagnostic Testing" else None
        if match:
            times = _upper(re.split(r"\s*(?:-|to)\s*", match[1])[-1])
            return Quantity(_whole(times * _upper(match[2])), "sessions")
    in_units = ((_UNITS, "units"),) if category in _IN_UNITS else ()
    for pattern, kind in (*_COUNTS, *in_units):
        if match := pattern.search(text):
            return Quantity(_upper(match[1]), kind)
    return None if category in _NO_DURATION else _duration(text, category in _CLOCK)


def unit_of(quantity: Quantity, category: str, therapy: bool = False) -> str:
    """What ``quantity`` counts: therapy (``therapy``: in spite of the category) and visits are
    sessions, everything else units.
    """
    if quantity.kind not in ("units", "counted"):
        return quantity.kind
    return "sessions" if therapy or category in _BY_SESSION else "units"
