"""Treatments and drugs: had, going on, stopped, never had or only planned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from imr.data.quantity import count_of
from imr.features.beside import beside, gives_beside, match_beside
from imr.features.context import Mention, Summary, clause_of, once
from imr.features.families import medication, treatment
from imr.features.statements.statement import (
    SPINE,
    Polarity,
    Statement,
    Subject,
    polarity_beside,
    state,
)
from imr.features.where_when import parts_of, side_told, times_of
from imr.features.words import group, pattern

# Plain words that deny, whatever their scope.
DENIALS: dict[str, tuple[Subject, str]] = {
    "no_care": ("treatment", "conservative"),  # "no care so far"
    "no_operation": ("treatment", "surgery"),  # "the surgeon advised non-operative care"
    "no_opioid": ("drug", "Opioids"),  # "naproxen is the only medication"
}


def treatments(summary: Summary) -> Iterator[Statement]:
    """Care by its name, in plain words or by a pronoun, with what was had of it and when."""
    for mention in care_named(summary):
        if mention.value in DENIALS:
            subject, concept = DENIALS[mention.value]
            # A drug is denied where the sentence names none of its class.
            if subject == "treatment" or not any(
                d.value == concept and d.sentence == mention.sentence
                for d in summary.mentions("medication")
            ):
                yield state(mention, subject, concept, "denied")
        elif mention.value == IN_USE:
            yield from _used(summary, mention)
        elif mention.value == COURSE and counted_by_kind(summary, mention):
            continue
        elif not beside("tells_of_no_care", mention):
            yield from _treatment(summary, mention)


def care_concept(mention: Mention) -> str:
    """What care or a drug is called in a statement: an injection by its kind."""
    return mention.rule.extra["kind"] if mention.value == "injection" else mention.value


def _treatment(summary: Summary, mention: Mention) -> Iterator[Statement]:
    concept, polarity = care_concept(mention), _whether_had(summary, mention)
    if polarity == "planned" and mention.qualifier == "other_person":
        return  # "His mother had a fusion" plans none for him
    before = _had_before(mention) if polarity == "planned" else None
    if before is not None:
        yield state(mention, "treatment", concept, "affirmed", count=before)
    # "40 post-operative visits" are no 40 operations.
    counts = polarity == "affirmed" and mention.rule.extra["kind"] != "implied"
    count = sessions_had(summary, mention) if counts else None
    if beside("counted_as_none", mention):
        count = 0.0  # "Chiro 0", though the plan goes on to "continue chiro"
    times = times_of(summary, mention)
    own = _place_by_nature(summary, mention)
    said = state(mention, "treatment", concept, polarity, own, count=count, **times)
    # An ankle jerk told before an epidural does not place it at the ankle.
    elsewhere = concept in SPINAL and not any(r in SPINE for r in said.regions)
    if elsewhere or (not own and told_before(summary, mention)):
        said = replace(said, regions=(), side=None)
    elif not parts_of(summary, mention.sentence) and not side_told(summary, mention):
        said = replace(said, side=None)  # "Left arm normal. Care: sling" does not put it there
    yield said


def _place_by_nature(summary: Summary, mention: Mention) -> tuple[str, ...]:
    """The region of care that its very name tells, where its sentence names none near it."""
    if mention.value == "bracing" and parts_of(summary, mention.sentence):
        return ()
    place = gives_beside("place_by_nature", mention)
    return tuple(place.split(";")) if place else ()


IN_USE = "in_use"
_SENTENCES_BACK = 2


def _used(summary: Summary, mention: Mention) -> Iterator[Statement]:
    """What a pronoun says is used: the drug or device that was named last before it."""
    named = antecedent(summary, mention)
    if named is None or mention.qualifier in ("hypothetical", "other_person"):
        return
    polarity = polarity_beside("whether_used", mention) or "affirmed"
    subject: Subject = "drug" if named.rule.family == "medication" else "treatment"
    yield state(mention, subject, named.value, polarity, **times_of(summary, mention))


_DEVICES = frozenset({"tens", "bracing", "traction", "heat_cold"})


def antecedent(summary: Summary, mention: Mention) -> Mention | None:
    """The drug or device named last before a pronoun, in its sentence or one of the two before."""
    named = [
        *(m for m in summary.mentions("medication") if m.value not in MONITORING),
        *(m for m in summary.mentions("treatment") if m.value in _DEVICES),
    ]
    before = (
        m
        for m in named
        if m.start < mention.start and m.sentence >= mention.sentence - _SENTENCES_BACK
    )
    return max(before, key=lambda m: m.start, default=None)


_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6}


def _had_before(mention: Mention) -> float | None:
    """Injections had before the one that is asked for: "a third injection" says two."""
    number = _order(match_beside("which_is_asked_for", mention))
    return float(number - 1) if number and number > 1 else None


def _order(found: re.Match[str] | None) -> int | None:
    return None if found is None else _ORDINALS.get(found["order"]) or int(found["order"])


def told_before(summary: Summary, mention: Mention) -> bool:
    """Whether only the sentence before names a region for care that it need not be of."""
    whole = (
        mention.value in group("care_of_the_whole_person") or mention.rule.family == "medication"
    )
    return whole and not parts_of(summary, mention.sentence)


def _whether_had(summary: Summary, mention: Mention) -> Polarity:
    """Whether a treatment was had, was not, or is still to come."""
    told = summary.lower, mention.end, mention.end + 100
    if mention.value == "home_exercise" and pattern("not_done_at_home").match(*told):
        return "denied"
    if given := polarity_beside("whether_had", mention):
        return given
    if treatment.is_received(summary, mention) or beside("had_after_a_denial", mention):
        return "affirmed"
    return "denied" if mention.qualifier == "negated" else "planned"


SPINAL = frozenset({"epidural", "facet", "radiofrequency"})
COURSE = "course"


def counted_by_kind(summary: Summary, mention: Mention) -> bool:
    """Whether the clause names the kind of visits that another mention counts already."""
    clause = clause_of(mention)
    inside = (m.value for m in care_named(summary) if clause.start <= m.start < clause.end)
    return not group("care_in_visits").isdisjoint(inside)


def sessions_had(summary: Summary, mention: Mention) -> float | None:
    """The visits or injections had: in the mention, right after it, before it or in its clause."""
    printed = mention.groups.get("n")
    if printed is None:
        short = match_beside("all_of_them_had", mention)
        short = short or match_beside("number_of_visits", mention)
        printed = short["n"] if short is not None else None
    counted = treatment.sessions_done(summary, mention) if printed is None else count_of(printed)
    if counted is None and mention.value in group("care_in_visits"):
        return _visits_beside(summary, mention)
    if counted is None and mention.value == "injection":
        counted = _injections_told(summary, mention)
    return None if counted is None else float(counted)


def _injections_told(summary: Summary, mention: Mention) -> int | None:
    """Injections by the days that are listed behind them, or by their order ("his second")."""
    listed = pattern("days_listed_after").match(summary.after(mention, 120))
    if listed is not None:
        return len(pattern("day_printed").findall(listed["days"]))
    return _order(match_beside("which_was_had", mention))


def _visits_beside(summary: Summary, mention: Mention) -> float | None:
    """The count of visits in a clause that names one kind of care."""
    clause = clause_of(mention)
    inside = [m for m in care_named(summary) if clause.start <= m.start < clause.end]
    if sum(m.value in group("care_in_visits") for m in inside) != 1:
        return None
    counts = (sessions_had(summary, m) for m in inside if m.value == COURSE)
    return next((n for n in counts if n is not None), None)


@once
def care_named(summary: Summary) -> list[Mention]:
    """Treatments by their names and in plain words, without those inside a longer name."""
    named = summary.mentions("treatment")
    plain = (
        m
        for m in summary.mentions("plain_care")
        if not any(n.start <= m.start and m.end <= n.end for n in named)
    )
    return sorted([*named, *plain], key=lambda m: m.start)


_DRUG_TEST = "urine_drug_test_done"
MONITORING = frozenset({"opioid_agreement", "cures_checked", _DRUG_TEST, "opioid_risk_assessed"})


def drugs(summary: Summary) -> Iterator[Statement]:
    """Drugs and classes of drugs, and what was done to watch over opioids."""
    yield from _stopped_later(list(_drugs(summary)))


def _drugs(summary: Summary) -> Iterator[Statement]:
    taken = set(map(id, medication.drugs_taken(summary)))
    for mention in summary.mentions("medication"):
        if mention.rule.extra["kind"] == "monitoring" and beside("of_a_risk", mention):
            continue
        if mention.value in MONITORING:
            polarity = _monitoring(mention)
        else:
            polarity = _use(mention, id(mention) in taken)
        # "No aspirin and no steroids" is a risk denied, and says nothing of other NSAIDs.
        denied = polarity == "denied" and mention.rule.id == "aspirin"
        if denied or beside("for_the_heart", mention):
            continue
        yield state(mention, "drug", mention.value, polarity, **times_of(summary, mention))


def _use(mention: Mention, taken: bool) -> Polarity:
    """Whether a drug is taken, was stopped, was never had or is only planned."""
    if given := polarity_beside("use_of_a_drug", mention):
        return given
    if taken:
        return "affirmed"
    return "denied" if mention.qualifier == "negated" else "planned"


def _stopped_later(found: list[Statement]) -> Iterator[Statement]:
    """What was taken, and is said further on to be stopped, is taken no longer."""
    stopped: set[str] = set()
    told: list[Statement] = []
    for said in reversed(found):
        name = said.mention.rule.extra["generic"] or said.concept
        if said.source == "record" and said.polarity == "stopped":
            stopped.add(name)
        elif said.polarity == "affirmed" and name in stopped:
            said = replace(said, polarity="stopped")
        elif said.source == "record" and said.polarity == "planned":
            stopped.discard(name)
        told.append(said)
    return reversed(told)


def _monitoring(mention: Mention) -> Polarity:
    """Whether monitoring was done, and what a drug test showed."""
    shown = polarity_beside("result_of_a_drug_test", mention) or "affirmed"
    if beside("the_last_test", mention):
        return shown
    not_there = beside("not_stated_after", mention)
    if not not_there and beside("listed_as_not_told", mention):
        return "planned"
    if not medication.monitored(mention) and not beside("told_done", mention):
        return "denied" if mention.qualifier == "negated" else "planned"
    return "denied" if not_there else shown
