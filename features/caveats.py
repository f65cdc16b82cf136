"""What a reader of an estimate must know first.

Warnings for the letter, one line each, without words of the letter: dates that cannot be, too
little text, an unknown treatment, an edition that is not in the table of criteria.  And what a
physician must see today, whatever is forecast: ``urgent.csv`` names the statements (subject and
concept), and the words that must (``with``) and must not (``unless``) stand in the clause.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from imr.data.letter import Case, Evidence
from imr.features.condition import Row
from imr.features.context import Summary
from imr.features.criteria import edition_notes
from imr.features.statements import statements

FEWEST_WORDS = 25
"""Of a case summary that can be judged; real ones have a hundred and more."""
FEWEST_STATEMENTS = 2
_UNKNOWN = ("Other", "Other")
URGENT = Path(__file__).parent / "rules" / "urgent.csv"
NEWS_DAYS = 30
"""What is longer ago than this is known to somebody."""


@dataclass(frozen=True, slots=True)
class Urgent:
    """What a physician must see today, and the words that say it."""

    text: str
    quote: Evidence


def caveats(
    summary: Summary, case: Case, rows: Sequence[Row], today: date | None = None
) -> tuple[str, ...]:
    """The warnings of a case; ``rows`` are its signals; ``today`` bounds its dates."""
    found = [
        *_dates(case, rows, today or datetime.now(UTC).date()),
        *_thin(summary),
        *_unknown(case),
        *(note for row in rows for note in edition_notes(case, row)),
    ]
    return tuple(dict.fromkeys(found))


def _dates(case: Case, rows: Sequence[Row], today: date) -> Iterator[str]:
    header = case.header
    denial, injury = header.ur_denial_date, header.date_of_injury
    told = rows[0].get("injury_date") if rows else None
    if injury is None and isinstance(told, str):
        injury = date.fromisoformat(told)
    if injury is not None and denial is not None and denial < injury:
        yield f"implausible dates: the denial ({denial}) is before the injury ({injury})"
    named = {
        "injury": injury,
        "denial": denial,
        "application": header.application_received,
        "assignment": header.date_assigned,
    }
    for name, day in named.items():
        if day is not None and day > today:
            yield f"implausible date: the {name} ({day}) is in the future"


def _thin(summary: Summary) -> Iterator[str]:
    words = len(summary.text.split())
    if not words:
        return  # the reader of letters has said so
    if words < FEWEST_WORDS:
        yield f"the case summary has {words} words: too little to judge the request by"
        return
    told = [s for s in statements(summary) if s.source == "record" and s.polarity != "planned"]
    if len(told) < FEWEST_STATEMENTS:
        yield (
            "the case summary tells of no finding, treatment or complaint that was understood: "
            "too little to judge the request by"
        )


def _unknown(case: Case) -> Iterator[str]:
    for item in case.items:
        if (item.category, item.subcategory) == _UNKNOWN:
            yield (
                f"item {item.index}: the treatment is not one that the tables know; it has no "
                "class and no criteria"
            )


@dataclass(frozen=True, slots=True)
class _UrgentRule:
    with_: re.Pattern[str]
    unless: re.Pattern[str]
    text: str


@cache
def _urgent_rules() -> dict[tuple[str, str], list[_UrgentRule]]:
    found: dict[tuple[str, str], list[_UrgentRule]] = {}
    with URGENT.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            rule = _UrgentRule(re.compile(row["with"]), re.compile(row["unless"]), row["text"])
            found.setdefault((row["subject"], row["concept"]), []).append(rule)
    return found


def urgent(summary: Summary) -> tuple[Urgent, ...]:
    """What the record says of the patient that is a matter for a physician today."""
    found: dict[str, Urgent] = {}
    for said in statements(summary):
        rules = _urgent_rules().get((said.subject, said.concept), ())
        if not rules or said.polarity != "affirmed" or said.source != "record" or said.past:
            continue
        if said.ago is not None and said.ago > NEWS_DAYS:
            continue
        clause = summary.lower[said.start : said.end]
        for rule in rules:
            if rule.with_.search(clause) and not rule.unless.search(clause):
                words = summary.text[said.start : said.end]
                start = said.start + len(words) - len(words.lstrip(" ,;:.-–—"))
                words = words.strip(" ,;:.-–—")
                quote = Evidence("urgent", start, start + len(words), words, said.mention.rule_id)
                found.setdefault(rule.text, Urgent(rule.text, quote))
    return tuple(found.values())
