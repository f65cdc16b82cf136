"""The injured worker: age and sex, when the injury was and how long ago, the latest work status.

Chronic pain in the MTUS is pain that persists beyond the anticipated time of healing (8 CCR
§9792.20); the days come from ACOEM's phases of care: acute under one month, subacute one to
three months, chronic from there on.

Measured on 135 letters annotated by hand, precision and recall 1.00 each: age and sex (133
documented), injury date of the summary (134), work status (53).  The rules were tuned on the same
letters.
"""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

from imr.data.letter import Case
from imr.features.beside import beside, gives_beside, match_beside
from imr.features.context import Mention, Summary, once
from imr.features.signal import Findings
from imr.features.where_when import NUMBERS, UNITS_OF_TIME, DateMention, dates
from imr.features.words import kinds, pattern

_SEX = {"f": "female", "w": "female", "l": "female", "m": "male", "g": "male"}
# An adult worker; younger and older numbers are of children, events or misprints.
_AGES = range(14, 100)


def build_person(summary: Summary, _: Case) -> Findings:
    """Age and sex from the first phrase that gives each, an introduction before a title."""
    found = Findings()
    age = next(filter(None, (_age(m) for m in summary.mentions("person"))), None)
    if age:
        found.put("age", age[0], age[1])
    sexed = [m for m in summary.mentions("person", overlapping=True) if m.groups.get("sex")]
    if sexed:
        first = min(sexed, key=lambda mention: (mention.rule.id == "title", mention.start))
        word = str(first.groups["sex"])
        found.put("sex", "female" if word in ("ms", "mrs") else _SEX[word[0]], first)
    return found


def _age(mention: Mention) -> tuple[int, Mention] | None:
    printed = mention.groups.get("age")
    if printed is None or int(printed) not in _AGES:
        return None
    if mention.value != "age_sex" and beside("age_of_then", mention):
        return None
    return int(printed), mention


# --- the injury --------------------------------------------------------------------------------

ACUTE_DAYS, CHRONIC_DAYS = 30, 90
# An injury is told at the start of a summary; later falls are others.
_FIRST_SENTENCES = 3


def build_injury(summary: Summary, case: Case) -> Findings:
    """Injury date, conflict, days and class, and cumulative trauma."""
    found = Findings()
    printed = injury_in_summary(summary)
    header = case.header.date_of_injury
    injury = header or (printed.day if printed else None)
    support = [printed.mention] if printed and printed.day == injury else []
    found.put("injury_date", injury.isoformat() if injury else None, *support)
    conflict = [printed.mention] if header and printed and header != printed.day else []
    found.put("injury_date_conflict", bool(conflict), *conflict)
    _put_days(found, summary, case, injury, support)
    found.flag("cumulative_trauma", list(summary.mentions("chronicity")))
    return found


def injury_in_summary(summary: Summary) -> DateMention | None:
    """The first date that the summary calls the date of the injury or of the claim."""
    for printed in dates(summary):
        if not printed.exact:
            continue
        if beside("date_of_injury", printed.mention):
            return printed
        before = summary.lower[max(0, printed.mention.start - 110) : printed.mention.start]
        lead = pattern("leads_to_injury_date").search(before[-90:])
        if (
            lead
            and not pattern("leads_elsewhere").search(lead["gap"] or "")
            and not pattern("first_report").search(before)
        ):
            return printed
    return _event_in_summary(summary)


def _event_in_summary(summary: Summary) -> DateMention | None:
    """The first date that something happened on which could have injured the worker."""
    for printed in dates(summary):
        if not printed.exact or summary.sentence_at(printed.mention.start) > _FIRST_SENTENCES:
            continue
        if beside("date_of_event", printed.mention):
            return printed
        event = match_beside("event_before", printed.mention)
        if event and not pattern("leads_elsewhere").search(event["gap"]):
            return printed
    return None


def chronicity_class(days: int) -> str:
    """The phase of care a number of days since the injury falls into."""
    if days < ACUTE_DAYS:
        return "acute"
    return "subacute" if days < CHRONIC_DAYS else "chronic"


def _put_days(
    found: Findings, summary: Summary, case: Case, injury: date | None, support: list[Mention]
) -> None:
    end = case.header.ur_denial_date
    if end is None and case.header.date_of_injury is None:
        end = max((d.day for d in dates(summary)), default=None)
    if injury is None:
        days = days_told(summary)
    else:
        days = None if end is None or end < injury else (end - injury).days
    if days is not None:
        found.put("chronicity_days", days, *support)
        found.put("chronicity_class", chronicity_class(days), *support)
    if injury is not None:
        _put_duration(found, summary, case, injury)


def _put_duration(found: Findings, summary: Summary, case: Case, injury: date) -> None:
    """The days from injury to review and to the last visit, by all that tells of them."""
    last = last_visit(summary)
    end = case.header.ur_denial_date or case.header.application_received
    end = _reviewed_at_least(summary, case) if end is None else end
    # A claim dated after all visits that are told is misprinted, or is another one.
    if end >= injury and (last is None or last.day >= injury):
        found.put("duration_days", (end - injury).days)
    if last is not None and last.day >= injury:
        found.put("last_visit_days", (last.day - injury).days, last.mention)


_CASE_YEAR = re.compile(r"\bCM(\d\d)-")
FIRST_REVIEWS = date(2013, 1, 1)
"""No independent medical review is older (SB 863)."""


def _reviewed_at_least(summary: Summary, case: Case) -> date:
    """The earliest day of a review without a date: not before the year of its number, nor before
    what the summary tells; a study of long ago does not date it.
    """
    year = _CASE_YEAR.search(case.header.case_number or "")
    told = (r.at.day for r in recorded(summary) if r.kind != "care")
    numbered = FIRST_REVIEWS if year is None else date(2000 + int(year[1]), 1, 1)
    return max([numbered, *told])


# --- when the record was written ------------------------------------------------------------------


class Recorded(NamedTuple):
    """A date on which a visit or note is told (``visit``), a study, operation or injection was
    done (``care``), or the care was asked for or reviewed (``review``).
    """

    kind: str
    at: DateMention


@once
def recorded(summary: Summary) -> list[Recorded]:
    """The days that are printed, each with its kind, but those of the injury and those to come."""
    told = ((_kind_of_day(summary, at), at) for at in dates(summary) if at.exact)
    return [Recorded(kind, at) for kind, at in told if kind is not None]


def _kind_of_day(summary: Summary, at: DateMention) -> str | None:
    if beside("no_day_of_record", at.mention) or _led_by_injury(summary, at.mention):
        return None
    kind = gives_beside("kind_of_day", at.mention)
    if kind is not None:
        return kind
    if _governs(match_beside("reviewed_before", at.mention)):
        return "review"
    # "The progress report and RFA of 3/1/2017" are of one day.
    asked = match_beside("asked_before", at.mention)
    if asked and not pattern("word_for_a_note").search(asked.string[max(0, asked.start() - 40) :]):
        return "review"
    return "care" if _governs(match_beside("care_before", at.mention)) else "visit"


def _governs(found: re.Match[str] | None) -> bool:
    """Whether words before a date govern it, with no word for a note between."""
    return found is not None and not pattern("word_for_a_note").search(found["gap"])


def _led_by_injury(summary: Summary, mention: Mention) -> bool:
    before = summary.before(mention, 90)
    lead = (
        None
        if pattern("first_report").search(before)
        else pattern("leads_to_injury_date").search(before)
    )
    return lead is not None and not pattern("leads_elsewhere").search(lead["gap"] or "")


def told_after(summary: Summary, day: date, most: int) -> list[DateMention]:
    """The dates, up to some days after another, on which a visit, note or study is told."""
    return [
        r.at
        for r in recorded(summary)
        if r.kind != "review"
        and 0 < (r.at.day - day).days <= most
        and beside("told_there", r.at.mention)
    ]


def last_visit(summary: Summary) -> DateMention | None:
    """The latest day on which the summary tells a visit or note."""
    told = (r.at for r in recorded(summary) if r.kind == "visit")
    return max(told, key=lambda at: at.day, default=None)


def days_told(summary: Summary) -> int | None:
    """The longest time since the injury that the summary tells, where it prints no date of it."""
    days = [
        float(NUMBERS.get(found["n"], found["n"])) * UNITS_OF_TIME[found["unit"][0]]
        for _, known in kinds("injury_told_ago")
        for found in known.finditer(summary.lower)
    ]
    return round(max(days)) if days else None


# --- work --------------------------------------------------------------------------------


def build_work_status(summary: Summary, _: Case) -> Findings:
    """The stated status with the latest date; a bare mention of restrictions only alone."""
    found = Findings()
    stated = [m for m in summary.mentions("work_status") if _stated(m)]
    stated = [m for m in stated if not beside("returns_later", m)] or stated
    if not stated:
        return found
    ranks = [int(mention.rule.extra["rank"]) for mention in stated]
    strongest = [m for m, rank in zip(stated, ranks, strict=True) if rank == max(ranks)]
    latest = _latest(summary, strongest)
    found.put("work_status", latest.value, latest)
    found.put("work_status_changed", len({m.value for m in strongest}) > 1, *strongest)
    return found


def _stated(mention: Mention) -> bool:
    if mention.qualifier in ("negated", "hypothetical", "quoted_guideline", "denied_by_ur"):
        # Cues of negation inside the phrase ("not working") do not count.
        return mention.qualifier == "negated" and mention.rule.id in _DENIES_ITSELF
    return not beside("status_not_told", mention)


_DENIES_ITSELF = ("no_restrictions", "not_working", "no_work", "no_return")


def _latest(summary: Summary, stated: list[Mention]) -> Mention:
    """The mention under the latest date; among equals the last one."""
    printed = [(d.mention.start, d.day) for d in dates(summary) if d.exact]

    def key(mention: Mention) -> tuple[date, int]:
        before = [day for start, day in printed if start < mention.start]
        return (before[-1] if before else date.min, mention.start)

    return max(stated, key=key)
