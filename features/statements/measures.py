"""Tests other than imaging with their results, and findings that were measured."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imr.features.context import Mention, Summary, clause_of
from imr.features.dates import times_of
from imr.features.families.studies import told_done
from imr.features.statements.statement import Polarity, Statement, state

_NORMAL_TEST = re.compile(
    r"\b(?:normal|nl|wnl|negative|neg|unremarkable|within normal limits|clear|ok)\b"
)
_ABNORMAL_TEST = re.compile(
    r"\b(?:abnormal|elevated|raised|high|low|severe|moderate|loss|obstruction|prolonged|positive|"
    r"reduced|hypertrophy|apnea|notch|db|uptake|osteoporosis|deficits?|impaired|erosive)\b"
)
# "Have not been done in three years", "none on file".
_TEST_NOT_DONE = re.compile(
    r"^[^.;,]{0,20}\b(?:(?:has|have|was|were) (?:never|not)\b|none\b|"
    r"not (?:done|on file|available))"
)


def tests(summary: Summary) -> Iterator[Statement]:
    """Tests other than imaging and nerve studies, with what is said of their result."""
    for mention in summary.mentions("test"):
        clause, concept = clause_of(summary, mention), f"test: {mention.value}"
        if _TEST_NOT_DONE.match(summary.after(mention, 60)) or mention.qualifier == "negated":
            polarity: Polarity = "denied"
        elif not mention.documented and not told_done(summary, mention):
            polarity = "planned"
        elif _ABNORMAL_TEST.search(summary.lower, mention.end, clause.end):
            polarity = "abnormal"
        else:
            sound = _NORMAL_TEST.search(summary.lower, clause.start, clause.end)
            polarity = "normal" if sound else "affirmed"
        yield state(summary, mention, "study", concept, polarity, **times_of(summary, mention))


_AMOUNT = r"(?P<n>\d{1,3}(?:\.\d{1,2})?)\s?(?:-|to)?\s?(?P<more>\d{1,3})?"
_UNIT = r"\s?-?(?P<unit>mm|cm|%|percent|degrees?|deg\b|°)"
_AMOUNT_BEFORE = re.compile(
    rf"(?<![\d/.]){_AMOUNT}{_UNIT}(?: (?:of|or|to|in|the|more))*(?: \w+)?\s*$"
)
_AMOUNT_AFTER = re.compile(
    rf"^(?: (?:of|by|is|was|about|at|to|over|measures|measuring|dorsally|superiorly|plus|minus)|"
    rf"[:,])*\s*[+-]?{_AMOUNT}{_UNIT}"
)
_SAME_UNIT = {"percent": "%", "degree": "degrees", "deg": "degrees", "°": "degrees"}
_GRADES = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "two": 2, "three": 3, "four": 4}


def measures(summary: Summary) -> Iterator[Statement]:
    """Measured findings, as a share (percent) of the extent from which an operation is usual.

    ``usual`` of a row of ``lexicons/measure.csv`` is that extent in the row's ``unit``.
    """
    for mention in summary.mentions("measure", overlapping=True):
        row = mention.rule.extra
        if mention.qualifier in ("negated", "requested", "hypothetical", "other_person"):
            continue
        amount = _amount(summary, mention, row["unit"])
        if amount is not None:
            percent = round(100 * amount / float(row["usual"]), 1)
            own = tuple(filter(None, row["region"].split(";")))
            yield state(summary, mention, "sign", mention.value, "affirmed", own, percent=percent)


def _amount(summary: Summary, mention: Mention, unit: str) -> float | None:
    """The amount printed in, before or after a mention, in a unit; None where there is none."""
    printed = mention.groups.get("n")
    if printed is not None:
        return float(_GRADES.get(printed) or printed)
    for match in (
        _AMOUNT_AFTER.match(summary.after(mention, 40)),
        _AMOUNT_BEFORE.search(summary.before(mention, 40)),
    ):
        if match is None:
            continue
        said = match["unit"].rstrip("s") if match["unit"].startswith("deg") else match["unit"]
        said = _SAME_UNIT.get(said, said)
        amount = float(match["more"] or match["n"])
        if said == "cm" and unit == "mm":
            said, amount = "mm", 10 * amount
        if said == unit:
            return amount
    return None
