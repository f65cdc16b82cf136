"""Facts about a request: what the statements of the summary say for and against each.

``rules/facts.csv`` is the table: a row names the statements (:mod:`imr.features.statements`) that
speak ``for`` or ``against`` a fact, by subject, concept and polarity, and by their bearing on the
request; ``where`` is a condition (:mod:`imr.features.condition`) on their :class:`Measures`.
``$same`` stands for the treatment or class of drug that is asked for, ``*`` for any concept.  The
row of the highest ``priority`` decides, for before against; without a statement a fact is null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, partial

from imr.data.letter import Case, Evidence, Item
from imr.data.quantity import find_quantity, spell_out
from imr.data.request import Service, request_lexicon
from imr.features.beside import beside, match_beside
from imr.features.condition import Condition, condition, holds
from imr.features.context import Summary, clause_of, once
from imr.features.families.diagnosis import case_parts
from imr.features.families.letter import denials_under_review
from imr.features.families.request import (
    VISITS,
    parts_named,
    per_day,
    region,
    requested_parts,
    same_concepts,
    sessions_printed,
    side_of,
    specialist_field,
    studies_in_dispute,
)
from imr.features.families.studies import in_dispute
from imr.features.signal import Findings, Value, computed, grouped, listed, table_rows
from imr.features.statements import Bearing, Statement, about
from imr.features.statements.care import MONITORING
from imr.features.statements.findings import study_of
from imr.features.where_when import (
    at_last_visit,
    dates,
    is_or_explains,
    nearest_date,
    spans_of_time,
    visit_of,
)
from imr.features.words import group, groups, kinds_in, pattern

SAME = "$same"
ANY = "*"
FACTS = tuple(column.name for column in listed()["facts"] if column.dtype == "bool")
"""The facts of ``facts.csv`` that are columns."""
FOR_CRITERIA = (
    *sorted({row["fact"] for row in table_rows("facts")}.difference(FACTS)),
    *(name for name, made_from in computed().items() if made_from == "summary"),
)
"""Those that only the criteria read, and what else they do: keys of a row, and no columns."""


@dataclass(frozen=True, slots=True)
class FactRule:
    """One row of ``facts.csv``."""

    fact: str
    speaks_for: bool
    subject: str
    concepts: frozenset[str]
    polarities: frozenset[str]
    bearings: frozenset[str]
    where: Condition
    priority: int
    source: str

    def names(self, concept: str, same: bool) -> bool:
        """Whether the row reads a concept; ``same`` where it is what the request asks for."""
        known = self.concepts
        return ANY in known or concept in known or (same and SAME in known)


@cache
def rules() -> Mapping[str, Sequence[FactRule]]:
    """The rows of ``facts.csv`` by the subject they read."""
    return grouped((row["subject"], _rule(row)) for row in table_rows("facts"))


def _rule(row: Mapping[str, str]) -> FactRule:
    return FactRule(
        fact=row["fact"],
        speaks_for=row["sign"] == "for",
        subject=row["subject"],
        concepts=frozenset(row["concepts"].split("|")),
        polarities=frozenset(row["polarity"].split("|")),
        bearings=frozenset(row["bearing"].split("|")),
        where=condition(row["where"]),
        priority=int(row["priority"]),
        source=row["source"],
    )


@cache
def _rows(
    subject: str, concept: str, polarity: str, bears: Bearing, same: bool
) -> tuple[FactRule, ...]:
    """The rows that read statements of a subject, concept, polarity and bearing."""
    return tuple(
        rule
        for rule in rules().get(subject, ())
        if polarity in rule.polarities and bears in rule.bearings and rule.names(concept, same)
    )


def _said_about(summary: Summary, item: Item) -> Sequence[tuple[Statement, Bearing]]:
    """The statements of the summary, each with its bearing on the request."""
    return about(summary, requested_parts(item), side_of(item.requested))


# What each row that reads a statement made of it, by fact.
_Spoken = dict[str, list[tuple[FactRule, Statement]]]


def _spoken(summary: Summary, case: Case, item: Item) -> _Spoken:
    same, named = same_concepts(item), {term.lower() for term in item.terms}
    spoken: _Spoken = {}
    disputed, foreign = bool(studies_in_dispute(item)), _of_no_part(summary, item)
    for said, bears in _said_about(summary, item):
        study = study_of(summary, said.mention) if disputed else None
        if study is not None and in_dispute(summary, item, study):
            continue
        asked = said.concept in same or _drug_of(said) in named
        if foreign and said.subject == "study" and bears == "unplaced":
            asked = False
        rows = _rows(said.subject, said.concept, said.polarity, bears, asked)
        if rows:
            measures = _measures(summary, said)
            measures.item, measures.case = item, case
            for rule in rows:
                if not rule.where or holds(rule.where, measures):
                    spoken.setdefault(rule.fact, []).append((rule, said))
    _only_of_a_course_had(spoken)
    for name in _OF_THE_LAST_VISIT & spoken.keys():
        spoken[name] = _told_last(summary, spoken[name])
    return spoken


def _only_of_a_course_had(spoken: _Spoken) -> None:
    """Drop benefit that is told of no treatment by name where no course of the requested kind was
    had: "feels better" is no response to a therapy that is yet to begin.
    """
    had = spoken.get("same_care_had", ())
    helped = [p for p in spoken.get("same_care_helped", ()) if p[1].concept != "care"]
    if had and _decides(had):
        return
    spoken.pop("same_care_helped", None)
    if helped:
        spoken["same_care_helped"] = helped


_OF_THE_LAST_VISIT = frozenset({"pain_goes_on", "pain_unrelieved"})


def _told_last(
    summary: Summary, said: list[tuple[FactRule, Statement]]
) -> list[tuple[FactRule, Statement]]:
    """What is told of a fact without what speaks against it of earlier visits than what speaks for
    it: pain that was gone in May and is complained of in June goes on.
    """
    days = [visit_of(summary, s.mention) for rule, s in said if rule.speaks_for]
    last = max((day for day in days if day is not None), default=None)
    if last is None:
        return said
    return [
        (rule, s)
        for rule, s in said
        if rule.speaks_for or (visit_of(summary, s.mention) or last) >= last
    ]


def _of_no_part(summary: Summary, item: Item) -> bool:
    """Whether the summary is about none of the requested parts: films that name no region are of
    those that it is about ("films were taken" of a shoulder is no film of the chest).
    """
    parts, known = requested_parts(item), case_parts(summary)
    return bool(parts and known) and not any(is_or_explains(k, p) for k in known for p in parts)


def _drug_of(said: Statement) -> str | None:
    """The drug that a statement is about, whatever class its tables put it in."""
    return said.of or said.mention.rule.extra.get("generic")


def _beside(name: str, said: Statement) -> bool:
    """Whether ``beside.csv`` says so of the words beside what a statement rests on."""
    return beside(name, said.mention)


def _decides(said: Sequence[tuple[FactRule, Statement]]) -> bool:
    """The value of a fact: by the highest priority, and among equals by what speaks for it."""
    return max((rule.priority, rule.speaks_for) for rule, _ in said)[1]


_ONE_COURSE = frozenset({"Physical Therapy", "Occupational Therapy"})
# Opioids after an operation are for its first weeks.
_OPIOID_DAYS = 42


def _postoperative(item: Item, known: Mapping[str, Value]) -> bool:
    """Whether the item is care after an operation: it says so, or is therapy of the part that was
    operated on lately, or an opioid of the first weeks after.
    """
    if known.get("request_postoperative"):
        return True
    if item.subcategory == "Opioids":
        days = known.get("operation_days_ago")
        return isinstance(days, int | float) and days <= _OPIOID_DAYS
    return item.subcategory in _ONE_COURSE and bool(known.get("operation_recent"))


def build_item(summary: Summary, case: Case, item: Item, found: dict[str, Value]) -> Findings:
    """Each fact about the request, with the statements it rests on."""
    spoken, numbers = _spoken(summary, case, item), _numbers(summary, case, item)
    own = Findings(dict.fromkeys(FOR_CRITERIA))
    own.values.update((name, _decides(said)) for name, said in spoken.items())
    own.values.update((name, value) for name, (value, _) in numbers.items())
    if spoken or numbers:
        own.more_quoted = partial(_quotes, item, spoken, numbers)
    disputed = denials_under_review(summary, case)
    if disputed:
        own.put("operation_disputed", True, *disputed)
    own.values |= {
        "postoperative_request": _postoperative(item, found | own.values),
        "course_sessions": course_sessions(summary, item),
        "sessions_told": course_asked(summary, case, item),
        "per_week_told": _per_week_told(summary, item),
        "certified_of_course": _certified(summary, item),
        "told_points": _points_told(summary, item),
        **_prescription(summary, item),
    }
    return own


def _quotes(
    item: Item, spoken: _Spoken, numbers: Mapping[str, tuple[float, Statement]]
) -> Iterator[Evidence]:
    for name, pairs in spoken.items():
        value = _decides(pairs)
        deciding = [(rule, said) for rule, said in pairs if rule.speaks_for == value]
        # A motion "with pain" proves no complaint where somebody complains.
        told = [
            (rule, said)
            for rule, said in deciding
            if said.subject != "complaint" or _beside("complained_of", said)
        ] or deciding
        # What a complaint is like now is told last.
        if name in _OF_THE_LAST_VISIT and value:
            told.reverse()
        # The statements of the row that decides come first, those that name a region before others.
        for _, said in sorted(told, key=lambda pair: (-pair[0].priority, not pair[1].regions)):
            yield _evidence(name, said, item)
    for name, (_, said) in numbers.items():
        yield _evidence(name, said, item)


def course_sessions(summary: Summary, item: Item) -> float | None:
    """Sessions asked for: printed in the request, else in the last sentence that asks for them."""
    if item.category not in group("for_course"):
        return None
    printed = sessions_printed(item)
    return _course_told(summary, item) if printed is None else printed


def course_asked(summary: Summary, case: Case, item: Item) -> float | None:
    """Sessions that are asked for, where the request prints no number of them.

    They stand beside the kind of care where it is planned ("plan: acup 2x3"), or at the end of the
    request; "six are requested" counts only where the letter asks for no other course.
    """
    if item.category != "Rehabilitation" or item.quantity_unit in ("sessions", "visits"):
        return None
    last = pattern("course_ends_with_number").search(item.requested)
    if last is not None:
        return float(last[1])
    planned = next((sessions for sessions, _ in _planned(summary, item)), None)
    if planned is not None:
        return planned
    others = (o for o in case.items if o.index != item.index and o.category == item.category)
    return None if any(others) else _course_told(summary, item)


def _planned(summary: Summary, item: Item) -> Iterator[tuple[float, str]]:
    """The sessions of the requested kind that the summary plans, with the words that say so."""
    kinds = same_concepts(item) - {"course"}
    for said, bears in _said_about(summary, item):
        planned = said.subject == "treatment" and said.polarity == "planned"
        if not planned or said.concept not in kinds or bears == "elsewhere":
            continue
        entry = _entry_after(summary, said)
        asked = find_quantity(entry, item.category or "")
        if asked is not None and asked.kind in ("sessions", "counted"):
            yield float(asked.value), entry


def _per_week_told(summary: Summary, item: Item) -> float | None:
    """How often a week the summary plans what is asked for."""
    if item.category != "Rehabilitation":
        return None
    weeks = (pattern("times_a_week").search(entry) for _, entry in _planned(summary, item))
    return next((float(week[1]) for week in weeks if week is not None), None)


def _certified(summary: Summary, item: Item) -> float | None:
    """What the review certified of the course of which this request is the rest."""
    rest = sessions_printed(item)
    if item.category != "Rehabilitation" or rest is None:
        return None
    text = spell_out(summary.lower)
    parts = [
        (float(found["part"] or found["part2"]), float(found["whole"] or found["whole2"]))
        for found in pattern("certified_of").finditer(text)
    ]
    wholes = {whole for whole, _ in _planned(summary, item)}
    certified = [
        float(found["part"] or found["some"]) for found in pattern("certified_alone").finditer(text)
    ]
    parts += [(part, whole) for whole in wholes for part in certified]
    return next((part for part, whole in parts if part + rest == whole), None)


_ENTRY_MOST = 50


def _entry_after(summary: Summary, said: Statement) -> str:
    """A planned treatment with what stands behind it in its entry of a list."""
    after = summary.after(said.mention, _ENTRY_MOST)
    return spell_out(said.mention.text + pattern("entry_ends").split(after, maxsplit=1)[0])


def _asking(summary: Summary) -> Iterator[str]:
    """The sentences that ask for something, the last first, with numbers as digits."""
    for number in reversed(range(len(summary.bounds))):
        said = summary.sentence_lower(number)
        recited = pattern("certified_or_recited").search(said)
        if pattern("asks_for_care").search(said) and not recited:
            yield spell_out(said)


def _course_told(summary: Summary, item: Item) -> float | None:
    """The sessions in the last sentence that asks for some of this kind, or of none named."""
    for sentence in _asking(summary):
        text = _of_this_course(sentence, item)
        found = find_quantity(text, "Rehabilitation")
        if found is not None and found.kind == "sessions":
            return float(found.value)
        bare = pattern("bare_course").search(text)
        if bare is not None:
            return float(bare["n"] or bare["times"])
    return None


def _of_this_course(sentence: str, item: Item) -> str:
    """What a sentence can say of the course of an item: all of it, or where it asks for other care
    too the entries that name this one; "plan: 8 visits of yoga" says nothing of acupuncture.
    """
    asked, told = ({region([part]) for part in parts} - {None}
                   for parts in (requested_parts(item), parts_named(sentence)))  # fmt: skip
    if asked and told and not asked & told:
        return ""
    named = request_lexicon().find(sentence).services
    kinds = {_of_kind(one.service, item) for one in named} - {None}
    if False not in kinds:
        return sentence
    entries = [
        entry
        for entry in pattern("entry_ends").split(sentence)
        if any(_of_kind(n.service, item) for n in request_lexicon().find(entry).services)
    ]
    return "; ".join(entries)


def _of_kind(service: Service, item: Item) -> bool | None:
    """Whether a service is the kind of course that an item asks for; None of what is no course."""
    counted = service.category in group("counted_in_sessions")
    if not counted or service.name in group("no_kind_of_care"):
        return None
    if {service.subcategory, item.subcategory} <= _ONE_COURSE:
        return True
    return (service.category, service.subcategory) == (item.category, item.subcategory)


# How the summary says that the drug asked for is to be taken, where it names the drug last.
_PRESCRIPTION_REACH = 70


def _prescription(summary: Summary, item: Item) -> dict[str, Value]:
    """Units, units a day and days of the drug asked for, where the summary names it last."""
    if item.category != "Pharmaceuticals":
        return {}
    names = {term.lower() for term in item.terms}
    drugs = summary.mentions("medication")
    said = [m for m in drugs if m.rule.extra["generic"] in names]
    if said and said[-1].qualifier in _NOT_TOLD:
        said = [m for m in said if m.qualifier not in {*_NOT_TOLD, "hypothetical"}]
    if not said:
        return {}
    last = said[-1]
    end = min(
        summary.sentence_span(last.sentence)[1],
        last.end + _PRESCRIPTION_REACH,
        *(m.start for m in drugs if m.start >= last.end and m.rule.extra["kind"] == "drug"),
    )
    words = spell_out(summary.lower[last.end : end])
    units, days = pattern("units_told").search(words), pattern("supply_told").search(words)
    told: dict[str, Value] = {"told_per_day": per_day(words)}
    told["told_units"] = float(units["n"] or units["m"]) if units else None
    if days is not None:
        number, unit = days["n"] or days["m"], days["unit"] or days["unit2"]
        long = {"d": 1.0, "w": 7.0, "m": 30.0}[unit[0]]
        told["told_supply_days"] = long * (float(number) if number.isdigit() else 1.0)
    told["course_begun"] = beside("course_begun", last)
    return told


def _points_told(summary: Summary, item: Item) -> float | None:
    """Trigger points to be injected, where a sentence that asks for it tells their number."""
    if "trigger" not in item.requested.lower():
        return None
    found = next(filter(None, map(pattern("points_told").search, _asking(summary))), None)
    return float(found["n"] or found["m"]) if found else None


_NOT_TOLD = frozenset({"denied_by_ur", "quoted_guideline", "negated"})
_USE_REACH = 50


Number = tuple[str, float | None, Statement]
"""The column of a number, the number and the statement that tells it."""


def _numbers(summary: Summary, case: Case, item: Item) -> dict[str, tuple[float, Statement]]:
    """How much of the same care was had, and how long ago; how far from normal a motion is.

    Of several the least counts, where a column is not of those of the most or of a count.
    """
    found: dict[str, tuple[float, Statement]] = {}
    for name, value, said in _told_numbers(summary, case, item):
        known = found[name][0] if name in found else None
        if value is None:
            continue
        if known is None:
            found[name] = (value, said)
        elif name == _COUNTED:
            found[name] = (known + value, said)
        elif value > known if name in _OF_THE_MOST else value < known:
            found[name] = (value, said)
    return found


_COUNTED = "same_test_count"
_OF_THE_MOST = frozenset(
    {"same_care_count", "same_care_at_least", "same_care_days", "morphine_dose", "lesion_extent"}
)


def _told_numbers(summary: Summary, case: Case, item: Item) -> Iterator[Number]:
    same, parts = same_concepts(item), requested_parts(item)
    for said, bears in _said_about(summary, item):
        concept, here = said.concept, bears != "elsewhere"
        repeated = here and concept in same
        if parts and here and said.subject == "sign":
            yield from _measured(summary, said)
        if repeated and said.subject == "study" and said.polarity in _DONE:
            days = _days_since(summary, case, said)
            yield _COUNTED, 1.0, said
            days = _days_before(summary, case, said) if days is None else days
            yield "same_test_days_ago", days, said
        if said.polarity not in _HAD:
            continue
        of_test = concept == "last_time" and pattern("drug_test_asked").search(item.requested)
        if of_test or concept == "urine_drug_test_done":
            yield "drug_test_days_ago", _days_since(summary, case, said), said
        if here and said.mention.value == "surgery" and said.mention.rule.family == "treatment":
            yield "operation_days_ago", _days_before(summary, case, said), said
        if concept == "morphine dose":
            yield "morphine_dose", said.count, said
        if repeated and said.subject == "treatment":
            one = 1.0 if _beside("one_injection", said) else None
            yield "same_care_count", one if said.count is None else said.count, said
            yield "same_care_at_least", said.count if _beside("at_least", said) else None, said
            yield "same_care_days_ago", _days_before(summary, case, said), said
        if repeated and said.subject == "drug":
            yield "same_care_days", _days_used(summary, said), said


_MEASURED = {"limited motion": "motion_share", "weak grip": "grip_share"}


def _measured(summary: Summary, said: Statement) -> Iterator[Number]:
    """How limited a motion, how large a measured lesion and how weak a graded muscle is now."""
    end = said.mention.end
    if said.concept in _MEASURED and not (
        pattern("told_of_earlier").search(summary.lower, said.start, end)
        or pattern("earlier_right_behind").match(summary.lower, end)
    ):
        yield _MEASURED[said.concept], said.percent, said
    if said.concept == "lesion extent":
        yield "lesion_extent", said.percent, said
    if said.concept in _GRADED_SIGNS:
        graded = pattern("strength_graded").search(said.mention.text)
        yield "strength_grade", float(graded[1]) if graded else None, said


_GRADED_SIGNS = frozenset({"weakness", "myotomal weakness", "rotator cuff"})
_DONE = frozenset({"affirmed", "normal", "abnormal"})
_HAD = frozenset({"affirmed", "consistent", "inconsistent", "stopped"})


def _days_used(summary: Summary, statement: Statement) -> float | None:
    """The duration next to a drug; None where the words between speak of a complaint."""
    mention = statement.mention
    for at, days, ago in spans_of_time(summary, clause_of(mention)):
        # A patch is worn, or a dose lasts, for hours.
        if days < 1 or pattern("dose_and_no_time").search(summary.lower, max(at - 16, 0), at):
            continue
        between = summary.lower[min(at, mention.end) : max(at, mention.end)]
        begun = ago and pattern("was_begun").search(between)
        if len(between) <= _USE_REACH and (
            begun or not (ago or pattern("time_of_complaint").search(between))
        ):
            return days
    return None


_DATE_REACH = 60


def _days_before(summary: Summary, case: Case, statement: Statement) -> float | None:
    """How long before the denial a treatment was: told, or by the date printed beside it."""
    denial, mention = case.header.ur_denial_date, statement.mention
    if statement.ago is not None or denial is None:
        return statement.ago
    day = nearest_date(summary, mention, _DATE_REACH, _DATE_REACH)
    if day is None:
        end = min(summary.sentence_span(mention.sentence)[1], mention.end + _DATE_REACH)
        year = pattern("year_told").search(summary.lower, mention.end, end)
        day = None if year is None else date(int(year["year"]), 7, 1)
    return None if day is None or day > denial else float((denial - day).days)


def _days_since(summary: Summary, case: Case, statement: Statement) -> float | None:
    """How long before the denial a test was: told, or by the last date printed after it."""
    denial = case.header.ur_denial_date
    if statement.ago is not None or denial is None:
        return statement.ago
    start, end = statement.mention.start, summary.sentence_span(statement.mention.sentence)[1]
    stop = summary.lower.find(";", start, end)
    end = end if stop < 0 else stop
    printed = [found.day for found in dates(summary) if start <= found.mention.start < end]
    printed += [
        date(2000 + int(found["year"]), int(found["month"]), 1)
        for found in pattern("month_and_year").finditer(summary.lower, start, end)
    ]
    last = max((day for day in printed if day <= denial), default=None)
    return None if last is None else float((denial - last).days)


def _evidence(name: str, said: Statement, item: Item) -> Evidence:
    start, words = said.quote
    quote = name, start, start + len(words), words, said.mention.rule_id, said.polarity
    return Evidence(*quote, item_index=item.index)


# --- measures of a statement ----------------------------------------------------------------------

_LONG_AGO_DAYS = 730
_STALE_YEARS, _STALE_DAYS = 2, 365
# Visits from which a course counts as a trial of care.
_TRIAL_VISITS = 4
_BY_HAND = ("chiropractic", "acupuncture", "massage")


def _kind_of_care(item: Item) -> str | None:
    """What a course puts the body to: water, hands, needles or exercise."""
    if item.category != "Rehabilitation":
        return None
    if pattern("care_in_water").search(item.requested):
        return "pool"
    same = same_concepts(item)
    named = next((kind for kind in _BY_HAND if kind in same), None)
    exercise = not same.isdisjoint({"physical_therapy", "occupational_therapy"})
    return named or ("exercise" if exercise else None)


class Measures(dict[str, Value]):
    """What ``where`` may name of a statement, worked out when it is asked for.

    What it tells by itself (``_OF_THE_STATEMENT``), beside the ``item`` (``_OF_THE_REQUEST``) and
    the ``case`` (``_OF_THE_CASE``); ``for_…`` where the request is for one of that group, ``by_…``
    where it is due to one (``groups.csv``); all else are words beside it (``beside.csv``).
    """

    def __init__(self, said: Statement) -> None:
        self.said = said
        self.item: Item
        self.case: Case

    def __missing__(self, name: str) -> Value:
        if name in _OF_THE_REQUEST:
            return _OF_THE_REQUEST[name](self.said, self.item)
        if name in _OF_THE_CASE:
            return _OF_THE_CASE[name](self.said, self.case)
        if name in groups():
            is_for = name.startswith("for_")
            return _asks_for(name, self.item) if is_for else self.said.of in group(name)
        of_statement = _OF_THE_STATEMENT.get(name)
        value = self[name] = of_statement(self.said) if of_statement else _beside(name, self.said)
        return value

    get = dict.__getitem__  # type: ignore[assignment]


@once
def _measures(_summary: Summary, said: Statement) -> Measures:
    return Measures(said)


def _percent(said: Statement) -> float | None:
    if said.percent is not None and said.comparator == "<":
        return said.percent - 0.5
    return said.percent


def _used_long(said: Statement) -> bool:
    """Whether the words around a drug say that its use goes on from before."""
    clause, mention = said.clause, said.mention
    if _beside("long_entry", said):
        return True
    # "Naproxen, an injection and continuation of her exercises": what goes on is named behind.
    goes_on = (
        found.start() < mention.start - said.start
        or not pattern("goes_on_of_its_own").match(clause, found.start())
        for found in pattern("goes_on_since").finditer(clause)
    )
    return any(goes_on) and not _beside("given_anew", said)


def _old(said: Statement) -> bool:
    """Care before the injury or years ago, which is no care for the complaint of today."""
    long_ago = said.ago is not None and said.ago >= _LONG_AGO_DAYS
    if long_ago or pattern("long_before").search(said.clause):
        return True
    # "Years before he was hired, a shot had not helped": the head of the sentence dates it.
    summary = said.mention.summary
    first = summary.bounds[said.mention.sentence]
    near = 0 < said.start - first <= _HEAD_MOST
    return near and pattern("long_before").search(summary.lower, first, said.start) is not None


_HEAD_MOST = 60


def _stale(said: Statement) -> bool:
    """Long before the injury, or a year before the latest day (two, where but years are told)."""
    long_ago = said.ago is not None and said.ago > _STALE_DAYS
    if long_ago or _old(said) or _beside("on_a_film", said):
        return True
    summary = said.mention.summary
    day, latest = nearest_date(summary, said.mention, 40, 40), _latest_date(summary)
    if day is not None and latest is not None and (latest - day).days > _STALE_DAYS:
        return True
    years = [int(y) for y in pattern("any_year").findall(summary.lower, said.start, said.end)]
    return bool(years) and max(years) <= _latest_year(summary) - _STALE_YEARS


def _of_numbness(said: Statement) -> bool:
    """Whether a response is told of numbness, swelling or the like, and of no pain."""
    before = said.mention.summary.lower[said.start : said.mention.start]
    return pattern("of_numbness_alone").search(before) is not None


def _aged(said: Statement, case: Case) -> bool:
    """Whether something was done more than a year before the denial."""
    days = _days_before(said.mention.summary, case, said)
    return days is not None and days > _STALE_DAYS


def _ahead(said: Statement, case: Case) -> bool:
    """Whether an operation is set for a day after the denial, which is none that was done."""
    denial, mention = case.header.ur_denial_date, said.mention
    if denial is None:
        return False
    first, last = mention.summary.sentence_span(mention.sentence)
    end = min(mention.end + _SET_FOR_REACH, last)
    start = max(first, mention.start - _SET_FOR_REACH)
    if pattern("was_done").search(mention.summary.lower, start, end):
        return False  # "Fusion was performed" on that day, while the review was under way
    near = [d.day for d in dates(mention.summary) if mention.start <= d.mention.start < end]
    return bool(near) and min(near) > denial


_SET_FOR_REACH = 16
_OF_THE_CASE: dict[str, Callable[[Statement, Case], bool]] = {"aged": _aged, "ahead": _ahead}


@once
def _latest_date(summary: Summary) -> date | None:
    return max((found.day for found in dates(summary)), default=None)


@once
def _latest_year(summary: Summary) -> int:
    return max((int(year) for year in pattern("any_year").findall(summary.lower)), default=0)


def _only_so_far(said: Statement) -> bool:
    """Whether a drug stands among treatments to date, and a list of current drugs lacks it."""
    summary, mention = said.mention.summary, said.mention
    if not _beside("among_care_to_date", said):
        return False
    lists = {
        summary.sentence_at(found.start())
        for found in pattern("list_of_current_drugs").finditer(summary.lower)
    }
    named = [m for m in summary.mentions("medication") if m.sentence in lists]
    return (
        mention.sentence not in lists
        and any(m.rule.extra["kind"] == "drug" for m in named)
        and all(m.value != mention.value for m in named)
    )


_RUBBED_REACH = 200


def _put_on(said: Statement, where: re.Pattern[str]) -> bool:
    summary, mention = said.mention.summary, said.mention
    put = match_beside("put_on", mention)
    rubbed = pattern("rubbed_on").search(summary.lower, mention.end, mention.end + _RUBBED_REACH)
    return any(found and where.fullmatch(found["where"]) for found in (put, rubbed))


def _on_film(said: Statement) -> bool:
    """Whether plain films are what tells of a finding."""
    study = study_of(said.mention.summary, said.mention)
    return study is not None and study.value == "xray"


def _within_hand_or_foot(said: Statement) -> bool:
    """Whether pain stays in hand or foot: "wrist pain with tingling into the thumb"."""
    if not said.regions or not group("hand_or_foot").issuperset(said.regions):
        return False
    parts = said.mention.summary.mentions("body_part")
    return any(said.start <= part.start < said.mention.start for part in parts)


_OF_THE_STATEMENT: dict[str, Callable[[Statement], Value]] = {
    "percent": _percent,
    "rated": lambda said: said.percent is not None,
    "weeks": lambda said: said.weeks,
    "count": lambda said: said.count,
    "few": lambda said: said.count is not None and said.count < _TRIAL_VISITS,
    "days": lambda said: said.days,
    "mild": lambda said: said.degree == "mild",
    "severe": lambda said: said.degree == "severe",
    "strong": lambda said: said.degree in ("moderate", "severe"),
    "old": _old,
    "stale": _stale,
    "long": _used_long,
    "past": lambda said: said.past,
    "only_so_far": _only_so_far,
    "due": lambda said: said.of is not None,
    # What has just begun cannot have failed.
    "begun": lambda said: said.count is None and said.days is None and _beside("just_begun", said),
    # What is prescribed at the last visit that is told was not tried before.
    "first_given": lambda said: (
        _beside("just_prescribed", said) and at_last_visit(said.mention.summary, said.mention)
    ),
    "of_numbness": _of_numbness,
    # Plain films show bone, and no tendon, meniscus or root.
    "film": _on_film,
    "mood_drug": lambda said: (
        _drug_of(said) in group("drug_for_mood_alone")
        or said.mention.text.lower().startswith("ssri")
    ),
    # "Twelve visits of therapy with strengthening": exercises of a course that is only asked for.
    "in_course": lambda said: (
        said.polarity == "planned"
        and said.mention.rule.id == "exercise"
        and not _beside("of_own_exercise", said)
    ),
    "put_on_limb": lambda said: _put_on(said, pattern("joint_rubbed")),
    "put_on_trunk": lambda said: _put_on(said, pattern("trunk_rubbed")),
    "of_swallowing": lambda said: said.mention.rule.id == "swallow",
    # A syndrome named after an operation tells nothing of when it was.
    "by_syndrome": lambda said: said.mention.rule.id == "fbss",
    "distal": _within_hand_or_foot,
    # Cramps of the fingers are no spasm of the muscles along a spine.
    "in_hand_or_foot": lambda said: (
        bool(said.regions) and group("hand_or_foot").issuperset(said.regions)
    ),
    # A bruise of the knee is no injury of the head, whatever is requested.
    "of_head": lambda said: "head" in said.regions,
}
_WHOLE_CLASS = frozenset({"medication", "care", "course"})


def _another_of_class(said: Statement, item: Item) -> bool:
    """Whether a drug is one of the requested class, and not the one requested."""
    extra = said.mention.rule.extra
    # "Anti-inflammatories" may be the very drug.
    generic = extra.get("generic", "") if extra.get("kind") == "drug" else ""
    asked = {term.lower() for term in item.terms}
    of_class = said.concept == item.subcategory and said.concept in group("one_drug_at_a_time")
    return of_class and bool(generic) and bool(asked) and generic not in asked


_ACID = frozenset({"Proton Pump Inhibitors", "H2 Blocker"})


def _asks_for(name: str, item: Item) -> bool:
    """Whether the class, the subclass or a drug of a request is in a group."""
    known = group(name)
    named = item.category in known or item.subcategory in known
    return named or any(term.lower() in known for term in item.terms)


def _drugs_beside(said: Statement, item: Item) -> tuple[bool, bool]:
    """Whether the clause of a statement names a drug that is not asked for, nor of the requested
    class where a class is all alike; and whether it names what is asked for or stands for it.
    """
    summary, other, same = said.mention.summary, False, False
    asked = {term.lower() for term in item.terms}
    if "methyl salicylate" in asked:
        asked.add("aspirin")
    for mention in summary.mentions("medication"):
        if not said.start <= mention.start < said.end:
            continue
        extra = mention.rule.extra
        if mention.value in MONITORING:
            continue
        of_class = mention.value == item.subcategory and item.subcategory not in _ACID
        named = of_class or extra["generic"] in asked
        same, other = same or named, other or not named
    return other, same or pattern("by_the_drug").search(said.clause) is not None


def _of_field(said: Statement, item: Item) -> bool:
    """Whether a consultation is asked of the field that a specialist seen already is of."""
    field = specialist_field(item.requested)
    groups = said.mention.groups.items()
    known = next((words for name, words in groups if name.startswith("field") and words), None)
    referred = pattern("referral_asked").search(item.requested.lower())
    consulted = item.subcategory in VISITS or referred
    return bool(consulted and field and known) and specialist_field(known or "") == field


def _such_device(said: Statement, item: Item) -> bool:
    """Whether a device is asked for that the one supplied may be: a splint is no hospital bed."""
    # Those of one kind may stand in for each other.
    given, asked = kinds_in("device", said.mention.text), kinds_in("device", item.requested)
    if item.subcategory == "Adjunct Surgical Services":
        return not given.isdisjoint(asked)  # the sling or walker that goes with an operation
    device = item.category in (None, "DMEPOS")
    return device and (not given or not asked or not given.isdisjoint(asked))


def _for_travel(item: Item) -> bool:
    return (
        item.category == "Transportation"
        or pattern("travel_asked").search(item.requested) is not None
    )


def _of_another(said: Statement, item: Item) -> bool:
    """Whether a response is due to another treatment than what is asked for."""
    if said.of is None or said.of in _WHOLE_CLASS or said.of in same_concepts(item):
        return False
    if item.category == "Pharmaceuticals":
        # "The patch" and the brands of a mixture are the one topical that is asked for.
        topical = said.concept == item.subcategory == "Topical Analgesics"
        return not topical and said.of not in {term.lower() for term in item.terms}
    return True


@once
def _sole(summary: Summary, parts: tuple[str, ...]) -> bool:
    """Whether the summary names no region but those of the request and what they explain."""
    named = {part.value for part in summary.mentions("body_part")}
    return all(any(is_or_explains(region, part) for part in parts) for region in named)


_OF_THE_REQUEST: dict[str, Callable[[Statement, Item], Value]] = {
    "field": lambda _said, item: specialist_field(item.requested),
    "same_field": _of_field,
    "beside": _another_of_class,
    "sole": lambda said, item: _sole(said.mention.summary, requested_parts(item)),
    "other": _of_another,
    # What strikes the head jars the neck.
    "head_for_neck": lambda said, item: (
        "cervical spine" in requested_parts(item) and not {"head", "face"}.isdisjoint(said.regions)
    ),
    # A worn joint of a limb; a spine wears in everybody, and a head not at all.
    "limb": lambda _said, item: (
        bool(group("region_of_a_limb") & set(requested_parts(item)))
        and not group("region_of_the_spine") & set(requested_parts(item))
    ),
    "such_device": _such_device,
    "care": lambda _said, item: _kind_of_care(item),
    "for_travel": lambda _said, item: _for_travel(item),
    # The last thoracic vertebrae, which a support of the low back holds.
    "thoracolumbar": lambda said, item: (
        "thoracic spine" in said.regions
        and "lumbar spine" in requested_parts(item)
        and pattern("lowest_thoracic").search(said.clause) is not None
    ),
    "other_drug": lambda said, item: _drugs_beside(said, item)[0],
    "same_beside": lambda said, item: _drugs_beside(said, item)[1],
    "by_same": lambda said, item: said.of is not None and said.of in same_concepts(item),
}
