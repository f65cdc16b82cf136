"""What care did: relief, failure, function; each with the treatment it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from imr.data.quantity import count_of
from imr.features.beside import beside, each_beside, gives_beside
from imr.features.context import Mention, Summary, clause_of, once
from imr.features.signal import grouped
from imr.features.statements.care import (
    COURSE,
    DENIALS,
    IN_USE,
    MONITORING,
    SPINAL,
    antecedent,
    care_concept,
    care_named,
    counted_by_kind,
    sessions_had,
    told_before,
)
from imr.features.statements.statement import SPINE, Polarity, Statement, state
from imr.features.where_when import days_until, parts_of, place_of, spans_of_time
from imr.features.words import group, pairs, pattern


def _no_response(summary: Summary, mention: Mention) -> bool:
    """Whether a word for a response says nothing of what care did."""
    said = gives_beside("says_nothing_of_care", mention)
    if said == "nothing" or _only_planned(summary, mention):
        return True
    return said is not None and not any(
        said == "nothing without care" or m.start < mention.start
        for m in _care_in_clause(summary, mention)
    )


def _care_in_clause(summary: Summary, mention: Mention) -> list[Mention]:
    """The treatments and drugs that the clause of a mention names."""
    clause = clause_of(mention)
    return [
        m
        for m in _named(summary, mention.sentence)
        if clause.start <= m.start < clause.end
        and not beside("less_is_taken", m)
        and not (m.start >= mention.start and beside("is_what_care_lets_do", m))
    ]


def _care_of_function(summary: Summary, mention: Mention) -> list[Mention]:
    """The care that the clause names, or that heads it ("Chiro x8: rotation 45 → 65")."""
    causes, clause = _care_in_clause(summary, mention), clause_of(mention)
    if pattern("days_of_wearing_it").search(summary.lower, clause.start, mention.start):
        worn = antecedent(summary, mention)
        return causes if worn is None else [worn]
    before = [m for m in _named(summary, mention.sentence) if m.end <= clause.start]
    if not causes and summary.lower.startswith(":", clause.start):
        return before[-1:]
    if not causes and beside("after_what_was_told", mention):
        return [*_named(summary, mention.sentence - 1), *before][-1:]
    return causes


_WORKS_ON_PAIN = 30.0
"""Percent of relief from which a treatment counts as helping (MTUS Chronic Pain 2009 p. 16)."""


def responses(summary: Summary) -> Iterator[Statement]:
    """What care did, each with the treatment it belongs to."""
    for mention in summary.mentions("response"):
        if beside("all_care_failed", mention):
            yield state(mention, "response", "conservative", "failed", of="care")
        if _no_response(summary, mention):
            continue
        if mention.value == _MEASURED:
            yield from _score_change(summary, mention)
        elif "share" in mention.groups:
            percent = int(pairs("share_of_relief")[str(mention.groups["share"])])
            weeks = _longest(summary, mention)
            yield from _response(summary, mention, _worth(percent), percent, weeks=weeks)
        else:
            yield from _in_words(summary, mention)
    yield from _percents(summary)
    yield from _falls(summary)


def _longest(summary: Summary, mention: Mention) -> float | None:
    """The weeks of the longest time that the clause of a relief tells."""
    clause = clause_of(mention)
    spans = (days for _, days, ago in spans_of_time(summary, clause) if not ago)
    return _weeks(max(spans, default=None) or days_until(summary, mention))


def _weeks(days: float | None) -> float | None:
    return None if days is None else round(days / 7, 1)


def _in_words(summary: Summary, mention: Mention) -> Iterator[Statement]:
    """A response without a number, unless it is a half."""
    given = gives_beside("response_in_words_is", mention)
    polarity = cast("Polarity", given or mention.value)
    # What is gone is numbness or the like, while the pain goes on.
    other = polarity == "resolved" and beside("of_another_symptom_only", mention)
    if other and pattern("pain_persists").search(summary.lower):
        return
    rule = mention.rule.id
    percent = 50.0 if "half" in rule else _NEARLY_ALL if rule.startswith("strong") else None
    # "Much better" after an injection is no measure of its relief.
    if rule == "much_better" and not _of_injection(summary, mention):
        percent = _NEARLY_ALL
    # "Down to about one a week" is how often, not how long.
    unlasting = rule in ("works_well", "less_than_before")
    lasts = polarity in ("helped", "some", "temporary") and not unlasting
    weeks = _lasted(summary, mention) if lasts else None
    if weeks is not None and weeks <= _SHORT_RELIEF:
        polarity = "temporary"
    yield from _response(summary, mention, polarity, percent, weeks=weeks)


def _worth(percent: float, otherwise: Polarity = "failed") -> Polarity:
    return "helped" if percent >= _WORKS_ON_PAIN else otherwise


_NEARLY_ALL = 80.0
"""Percent of relief that words for nearly all of it stand for ("all but gone")."""


def _score_change(summary: Summary, mention: Mention) -> Iterator[Statement]:
    """A score before and after ("pain 9 -> 4"); "from 5 to 7" may be a range."""
    before, after = map(_number, _from_and_to(mention))
    percent = round(100 * (before - after) / before, 1) if before else 0.0
    if percent >= 0 or mention.groups.get("then"):
        helps = _worth(percent, "unchanged" if percent >= 0 else "worsened")
        yield from _response(summary, mention, helps, percent)


def _only_planned(summary: Summary, mention: Mention) -> bool:
    """Whether a plan tells neither of use so far ("continue it, on it 14 months, no relief"; "six
    visits were approved and used, disability from 60 to 40") nor of what is past ("therapy has
    failed and surgery is considered").
    """
    if mention.qualifier != "requested" or beside("past_in_a_plan", mention):
        return False
    return not any(
        m.value == IN_USE or beside("used_after_approval", m) or beside("approved_and_used", m)
        for m in _named(summary, mention.sentence)
        if m.start < mention.start and mention.start - m.end <= _USE_REACH
    )


_USE_REACH = 80
_SHORT_RELIEF = 2.0
"""Weeks up to which relief is temporary, whatever gave it."""
_LASTED_AFTER = 24


def _lasted(summary: Summary, mention: Mention) -> float | None:
    """The weeks that stand right beside a relief ("relief for two days", "0-1 wk relief")."""
    told = _told_span(mention.groups)
    if told is not None:
        return told
    noun = mention.text.lower() in _NOUNS
    for start, days, ago in spans_of_time(summary, clause_of(mention)):
        if mention.end <= start <= mention.end + _LASTED_AFTER:
            close = bool(pattern("lasting").fullmatch(summary.lower[mention.end : start]))
        else:
            close = noun and bool(
                pattern("span_right_before").fullmatch(summary.lower[start : mention.start])
            )
        if not ago and (close or mention.start <= start < mention.end):
            return _weeks(days)
    return _weeks(days_until(summary, mention))


_MONTHS_IN_ORDER = tuple("jan feb mar apr may jun jul aug sep oct nov dec".split())  # noqa: SIM905
_FEW = {"a": 1, "an": 1, "couple": 2, "few": 3, "several": 3}
_WEEKS = {"h": 1 / 168, "d": 1 / 7, "w": 1.0, "m": 4.3, "y": 52.0}


def _told_span(groups: Mapping[str, str | None]) -> float | None:
    """The weeks that the words tell: "wore off after three weeks", "March until June"."""
    first = groups.get("from") or groups.get("since")
    last = groups.get("to") or groups.get("till")
    if first and last:
        months = _MONTHS_IN_ORDER.index(last) - _MONTHS_IN_ORDER.index(first)
        return round(_WEEKS["m"] * (months % 12), 1)
    number, unit = groups.get("n") or groups.get("m"), groups.get("unit") or groups.get("of")
    if not number or not unit:
        return None
    return round((_FEW.get(number) or count_of(number) or 0) * _WEEKS[unit[0]], 1)


_NOUNS = frozenset({"relief", "benefit", "improvement"})


def _percents(summary: Summary) -> Iterator[Statement]:
    """Percentages of relief, with what they are compared to and how long it lasted."""
    for mention in summary.mentions("relief"):
        printed = pattern("percent_printed").match(summary.lower, mention.start)
        if printed is None or beside("percent_is_no_relief", mention):
            continue
        eased = beside("tells_of_relief", mention) or (
            beside("rated_after_care", mention) and _of_injection(summary, mention)
        )
        if not eased:
            continue
        less = beside("less_than_stated", mention)
        percent, weeks = float(printed["high"] or printed["low"]), _longest(summary, mention)
        helps = "failed" if less and percent == _WORKS_ON_PAIN else _worth(percent)
        yield from _response(summary, mention, helps, percent, "<" if less else "=", weeks)


def _of_injection(summary: Summary, mention: Mention) -> bool:
    """Whether what a response belongs to are injections or the like."""
    causes = _causes(summary, mention)
    return any(cause.value in ("injection", "radiofrequency") for cause in causes)


def _falls(summary: Summary) -> Iterator[Statement]:
    """Pain scores with and without a treatment, as a percentage of relief."""
    for mention in summary.mentions("pain_score"):
        start = clause_of(mention).start
        for told, match in each_beside("scores_before_and_after", mention):
            first, last = start + match.start(), start + match.end()
            if not (first < mention.end and mention.start < last):
                continue
            known = {k.rstrip("23"): float(v) for k, v in match.groupdict().items() if v}
            off, on = known["off"], known["on"]
            # Two scores that may be a range, or of two tasks, tell of relief only where the second
            # is less.
            most = 10 if told == "a fall" else off - told.startswith("perhaps a range")
            if 0 < off <= 10 and on <= most:
                percent = round(100 * (off - on) / off, 1)
                weeks = _longest(summary, mention) if told.endswith("for a time") else None
                yield from _response(summary, mention, _worth(percent), percent, weeks=weeks)
            break
        else:
            if beside("score_is_the_same_with_care", mention):
                yield from _response(summary, mention, "failed", 0.0)
            if beside("little_is_left_with_care", mention):
                yield from _response(summary, mention, "helped")


def _response(
    summary: Summary,
    mention: Mention,
    polarity: Polarity,
    percent: float | None = None,
    comparator: str = "=",
    weeks: float | None = None,
) -> Iterator[Statement]:
    """A response, once for each treatment of the list that it belongs to."""
    said: dict[str, Any] = {"percent": percent, "comparator": comparator, "weeks": weeks}
    causes = _causes_of(summary, mention, polarity)
    if any(cause.qualifier == "other_person" for cause in causes):
        return
    goes_on = mention.rule.id == "persists"
    if goes_on and (not causes or beside("care_helped_all_the_same", mention)):
        # Complaints that go on are what care did only where the sentence names the care.
        yield state(mention, "complaint", "pain", "affirmed")
        return
    # What fails is care that is named: "works full shifts despite her pain" tells of none.
    if not causes and mention.rule.id not in ("failed", "despite"):
        yield state(mention, "response", "care", polarity, **said)
    for concept, cause in {care_concept(cause): cause for cause in causes}.items():
        unplaced = told_before(summary, cause)
        own = () if unplaced else place_of(summary, cause)[0]
        if concept in SPINAL:
            own = tuple(region for region in own if region in SPINE)
        # The visits of a course of care that stand next to it.
        visits = sessions_had(summary, cause) if cause.value in group("course_of_care") else None
        more = {"of": _called(cause), "count": visits}
        found = state(mention, "response", concept, polarity, own, **more, **said)
        # Nor does the sentence before place what care of the whole person did.
        anywhere = unplaced and not parts_of(summary, mention.sentence)
        yield replace(found, regions=(), side=None) if anywhere else found


_EASING = frozenset({"helped", "temporary", "some", "percent"})


def _nearest_injection(causes: list[Mention], mention: Mention) -> list[Mention]:
    """Relief told after "therapy and one injection" is the injection's."""
    nearest = min(causes, key=lambda cause: abs(cause.start - mention.start), default=None)
    told_after = nearest and nearest.value == "injection" and nearest.end <= mention.start
    if not told_after or mention.value not in _EASING:
        return causes
    return [cause for cause in causes if cause.value == "injection"]


def _causes_of(summary: Summary, mention: Mention, polarity: Polarity) -> list[Mention]:
    """What a response is put down to; some only to care that their own sentence names.

    "Old ankle sprain, resolved" is not what the care before it did; what makes things worse stands
    before it.
    """
    causes = _nearest_injection(_causes(summary, mention), mention)
    near = [cause for cause in causes if cause.sentence == mention.sentence]
    if polarity == "worsened":
        return [cause for cause in near if cause.start < mention.start]
    if mention.rule.id in ("persists", "failed"):
        return near
    return [] if polarity == "resolved" and len(near) < len(causes) else causes


def _called(cause: Mention) -> str:
    """The generic name of a drug, the class where only that is named; of other care its kind."""
    return cause.rule.extra.get("generic") or care_concept(cause)


_NO_CAUSE = frozenset({*DENIALS, *MONITORING})
# What stands between the entries of a list: a comma or an "and", and a few words without a verb.
_IN_LIST_MOST = 70


def _causes(summary: Summary, mention: Mention) -> list[Mention]:
    """The treatment or drug a response belongs to: in its clause, else the last one before it in
    this sentence or the one before, else the next one of the sentence; with the rest of its list.
    """
    sentence = mention.sentence
    care = [
        m
        for m in (*_named(summary, sentence - 1), *_named(summary, sentence))
        if not pattern("what_changed").match(summary.lower[mention.end : m.start])
        and not beside("dose_went_down", m)
    ]
    cause = _cause(summary, mention, care)
    if cause is None:
        return []
    if cause.value == IN_USE:
        return [antecedent(summary, cause) or cause]
    at = care.index(cause)
    first = last = at
    while first and _listed(summary, care[first - 1], care[first], mention):
        first -= 1
    while last + 1 < len(care) and _listed(summary, care[last], care[last + 1], mention):
        between = summary.lower[care[last].end : care[last + 1].start]
        if mention.qualifier == "requested" and "," in between:
            break  # "despite gabapentin, tramadol #60": the next entry of a plan
        last += 1
    return care[first : last + 1]


@once
def _causes_named(summary: Summary) -> dict[int, list[Mention]]:
    """Care and drugs that a response can belong to, in order, by sentence."""
    named = [*care_named(summary), *summary.mentions("medication")]
    return grouped(
        (m.sentence, m)
        for m in sorted(named, key=lambda m: m.start)
        if m.value not in _NO_CAUSE
        and not beside("is_only_where_care_was", m)
        and not (m.value == COURSE and counted_by_kind(summary, m))
    )


def _named(summary: Summary, sentence: int) -> Sequence[Mention]:
    return _causes_named(summary).get(sentence, ())


_NOT_INTRODUCED = 500


def _distance(summary: Summary, mention: Mention, cause: Mention) -> int:
    """How far a cause is from a response, in characters; "70% relief and let her stop Fioricet"."""
    if mention.rule.id == "despite":  # "a patch for burning despite gabapentin"
        return abs(cause.start - mention.end) + _NOT_INTRODUCED * (cause.start < mention.start)
    if cause.start < mention.end:
        return mention.start - cause.end
    between = summary.lower[mention.end : cause.start]
    far = 0 if pattern("cause_introduced").search(between) else _NOT_INTRODUCED
    return cause.start - mention.end + far


def _cause(summary: Summary, mention: Mention, care: Sequence[Mention]) -> Mention | None:
    clause = clause_of(mention)
    inside = [m for m in care if clause.start <= m.start < clause.end]
    before = [m for m in care if m.start < mention.start]
    headed = before and summary.lower.startswith(":", clause.start)
    headed = headed and before[-1].sentence == mention.sentence and before[-1].end <= clause.start
    if headed and inside and "," in summary.lower[mention.end : inside[0].start]:
        return before[-1]  # "ESI in May: 60% relief, Norco 4->2"
    if inside:
        nearest = min(inside, key=lambda m: _distance(summary, mention, m))
        earlier = [m for m in before if m.sentence < mention.sentence]
        # "She had an epidural. It eased the leg, and she took half the pills": what "it" was.
        aside = earlier and _distance(summary, mention, nearest) >= _NOT_INTRODUCED
        it_did = aside and beside("sentence_starts_with_it", mention)
        return earlier[-1] if it_did else nearest
    if before:
        return before[-1]
    return next((m for m in care if m.sentence == mention.sentence), None)


def _listed(summary: Summary, one: Mention, other: Mention, response: Mention) -> bool:
    """Whether two mentions are neighbours in a list that the response does not cut."""
    if one.sentence != other.sentence or one.end <= response.start < other.start:
        return False
    between = summary.lower[one.end : other.start]
    if between in ("", " "):
        return True  # "topical diclofenac"
    return len(between) <= _IN_LIST_MOST and pattern("between_entries").match(between) is not None


_MEASURED = "measured"
_ARC_FROM = 15


def _closer(mention: Mention) -> Polarity:
    """Fingertips that come nearer to the palm or the floor are a gain."""
    before, after = map(float, _from_and_to(mention))
    return "improved" if after < before else "not improved"


def _from_and_to(mention: Mention) -> tuple[str, str]:
    """The numbers before and after, as printed; "0" where there is none."""
    groups = mention.groups
    before, after = groups.get("before") or groups.get("then"), groups.get("after")
    return before or "0", after or groups.get("now") or "0"


def _measured(mention: Mention) -> Polarity | None:
    """A motion, strength or load that grew ("from 60 to 115") is a gain; no other one is.

    "Motion is 20 to 65 degrees" is an arc, and no change.
    """
    told = gives_beside("numbers_are", mention)
    arc = told == "a change or an arc"
    if told is None or (arc and float(mention.groups.get("before") or 0) <= _ARC_FROM):
        return None
    before, after = _from_and_to(mention)
    units = _units(mention.text.lower() + mention.summary.after(mention, 12))
    if not (before in units and after in units):
        units = {}  # "20 to 45 minutes"
    more = _number(after) * units.get(after, 1.0) > _number(before) * units.get(before, 1.0)
    return "improved" if more else "not improved"


def _number(text: str) -> float:
    """A number in digits or in words."""
    return float(count_of(text) or 0)


_SCALES = {"h": 60.0, "mil": 10.0}


def _units(text: str) -> dict[str, float]:
    """The numbers with a unit of time or way, and its size: "15 minutes to 1 hour" is a gain."""
    found = pattern("number_with_unit").findall(text)
    return {
        number: next((size for start, size in _SCALES.items() if unit.startswith(start)), 1.0)
        for number, unit in found
    }


def _dose(mention: Mention) -> Polarity | None:
    """Whether fewer pills are taken than before ("Norco 4->2"); "1 to 2 a day" is a range."""
    if float(mention.groups["after"] or 0) < float(mention.groups["before"] or 0):
        return "medication reduced"
    text = mention.text.lower()
    return None if " to " in text and "from" not in text else "medication same"


# What two numbers, before and after, say of a task, a distance and a dose.
_CHANGES: dict[str, Callable[[Mention], Polarity | None]] = {
    _MEASURED: _measured,
    "distance": _closer,
    "dose": _dose,
}


def _told_of_function(mention: Mention) -> Polarity:
    """What words for a task say of it."""
    return cast("Polarity", gives_beside("function_is", mention) or mention.value)


_TASKS = frozenset({"can_again", "can_now_do", "let_me", "task_done"})
_LOSS = 0.85
"""The share of a measure below which it got worse: less is within the error of measurement."""
_OF_CARE = frozenset({"improved", "not improved", "worked", "medication reduced"})
_OF_THE_PERSON = frozenset({"worked", "medication reduced", "medication same"})


def _no_function(summary: Summary, mention: Mention) -> bool:
    """Whether words for a task say nothing of the function of the injured worker."""
    if beside("nothing_of_function", mention) or _only_planned(summary, mention):
        return True
    # "Is able to shop but tires" is no gain, nor is a return to work that the doctor ordered.
    rest = summary.lower, mention.end, summary.sentence_span(mention.sentence)[1]
    able = beside("barely_able", mention) and pattern("yet_with_trouble").search(*rest)
    no_gain = able or beside("only_sent_to_work", mention)
    return bool(no_gain) and not _care_in_clause(summary, mention)


def functions(summary: Summary) -> Iterator[Statement]:
    """Function, work and use of medication: better, the same or limited."""
    for mention in summary.mentions("function"):
        if _no_function(summary, mention):
            continue
        polarity = _CHANGES.get(mention.value, _told_of_function)(mention)
        if polarity is None:
            continue
        causes = _care_of_function(summary, mention) if polarity in _OF_CARE else []
        off = polarity == "not improved" and beside("says_off_work", mention)
        named = _named(summary, mention.sentence)
        if off and not any(m.start < mention.start for m in named):
            continue
        if polarity == "medication reduced":
            causes = [cause for cause in causes if cause.rule.family != "medication"]
        cause = min(causes, key=lambda m: abs(m.start - mention.start), default=None)
        of = cause and _called(cause)
        said = state(mention, "function", "function", polarity, of=of)
        # Work and pills are the whole person's, whatever part the sentence names.
        whole = polarity in _OF_THE_PERSON or mention.rule.id == "still_off"
        # Nor does a task place itself ("can turn my head again", "steps foot over foot").
        parts = parts_of(summary, mention.sentence) if mention.rule.id in _TASKS else ()
        whole = whole or any(mention.start <= part.start < mention.end for part in parts)
        yield replace(said, regions=(), side=None) if whole else said
        if mention.value == _MEASURED and polarity == "not improved":
            before, after = map(_number, _from_and_to(mention))
            if after < _LOSS * before:
                yield state(mention, "sign", "worsening", "affirmed")
