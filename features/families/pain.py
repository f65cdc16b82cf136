"""Pain and other complaints of the worker, and the percentages of relief.

A percentage counts as relief where the words around it speak of relief, improvement or reduced
pain.  Stenosis, ejection fractions, strengths of creams, ranges of motion, impairment ratings,
shares of time and quoted or hypothetical thresholds are not relief.

Measured on 135 letters annotated by hand, precision and recall 1.00 each: every pain score in
order (60 letters with scores), every percentage of relief (three letters).  Other
complaints were not annotated.  The rules were tuned on the same letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from imr.data.letter import Case
from imr.features.beside import beside, match_beside
from imr.features.context import Mention, Summary, once
from imr.features.signal import Findings, columns_like
from imr.features.words import pairs, pattern

_POINTS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WITHOUT = ("without", "before", "off")


@dataclass(frozen=True, slots=True)
class PainScore:
    """One printed score; ``on_medication`` is None where the summary does not say."""

    points: float
    on_medication: bool | None
    mention: Mention


@once
def pain_scores(summary: Summary) -> list[PainScore]:
    """Every printed pain score in order, both ends of a range."""
    found = []
    for mention in _rated(summary):
        near = match_beside("score_on_medication", mention)
        on_medication = None if near is None else near[1] not in _WITHOUT
        for name in ("low", "high"):
            printed = mention.groups.get(name)
            if printed is not None:
                number = _POINTS.index(printed) if printed in _POINTS else printed.rstrip("+")
                found.append(PainScore(float(number), on_medication, mention))
    return found


def build_complaints(summary: Summary, _: Case) -> Findings:
    """Pain scores and complaints of the case."""
    found, scores = Findings(), pain_scores(summary)
    if scores:
        _put_scores(found, scores)
    found.flag_each(columns_like("complaints", "complaint_{}"), summary.mentions("complaint"))
    return found


def _put_scores(found: Findings, scores: list[PainScore]) -> None:
    points = attrgetter("points")
    top, low = max(scores, key=points), min(scores, key=points)
    last = [s for s in scores if s.mention.sentence == scores[-1].mention.sentence]
    latest = max(last, key=points)
    found.put("pain_score_max", top.points, top.mention)
    found.put("pain_score_min", low.points, low.mention)
    found.put("pain_score_latest", latest.points, latest.mention)
    on = [score for score in scores if score.on_medication is True]
    off = [score for score in scores if score.on_medication is False]
    if on:
        found.put("pain_score_with_medication", on[-1].points, on[-1].mention)
    if off:
        found.put("pain_score_without_medication", off[-1].points, off[-1].mention)
    if on and off:
        drop = off[-1].points - on[-1].points
        found.put("pain_score_drop_on_medication", drop, off[-1].mention, on[-1].mention)


def _rated(summary: Summary) -> list[Mention]:
    """Mentions that score pain, each number once (the longer reading of it)."""
    # Numbers come in the order of the text, so the end of what was read is enough to know.
    kept: list[Mention] = []
    dates = sorted(((m.start, m.end) for m in summary.mentions("date")), reverse=True)
    read = 0
    mentions = summary.mentions("pain_score", overlapping=True)
    for mention in sorted(mentions, key=lambda m: (m.match.start("low"), -m.end)):
        number = mention.match.start("low")
        while dates and dates[-1][0] <= number:
            read = max(read, dates.pop()[1])
        if number >= read and _of_pain(summary, mention):
            kept.append(mention)
            read = mention.end
    return kept


def _of_pain(summary: Summary, mention: Mention) -> bool:
    if mention.qualifier in ("quoted_guideline", "denied_by_ur", "hypothetical"):
        return False
    if mention.rule.id == "scaled":
        start = mention.start
    else:
        start = mention.match.start("low")
        if not pattern("words_of_pain").search(summary.sentence_lower(mention.sentence)):
            return mention.rule.id == "vas"
    before = summary.lower[max(0, start - 40) : start]
    return not (
        pattern("score_of_no_pain").search(before)
        or pattern("tender_right_behind").match(summary.after(mention, 30))
    )


# --- relief ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Relief:
    """One documented percentage; a range gives two."""

    percent: float
    mention: Mention


@once
def reliefs(summary: Summary) -> list[Relief]:
    """Every documented percentage of relief or improvement, in order."""
    found: list[Relief] = []
    for mention in summary.mentions("relief"):
        if not beside("percent_of_relief", mention):
            continue
        printed = (mention.groups["low"], mention.groups["high"])
        percents = [
            float(pairs("tens").get(number) or number) for number in printed if number is not None
        ]
        found.extend(Relief(percent, mention) for percent in percents if percent <= 100)
    return found


def build_relief(summary: Summary, _: Case) -> Findings:
    """The highest percentage of relief."""
    found, documented = Findings(), reliefs(summary)
    if documented:
        top = max(documented, key=attrgetter("percent"))
        found.put("relief_percent_max", top.percent, top.mention)
    return found
