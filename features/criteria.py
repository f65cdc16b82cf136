"""What the guideline asks for, item by item: met, not met or not documented.

``criteria.csv`` (beside this module) is the dated table: one row a criterion and edition, with
its source, its conditions in the grammar of :mod:`imr.features.condition`; the quotes and the
chapter shown stand in :mod:`imr.features.checklist`.  ``when`` says for which requests a
criterion is asked at all; ``met_if`` is looked at before ``not_met_if``; where neither holds
the criterion is *not documented*, which is what a resubmission can mend.  Edition:
the one in effect on the day of the utilization review, else the nearest before it, else the first;
where that is another one, the letter carries a warning (:mod:`imr.features.table`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import Any, Literal

from imr.data.letter import Case, Item
from imr.features.condition import Condition, Row, Term, condition, holds
from imr.features.context import Summary
from imr.features.families.letter import is_primary_surgery
from imr.features.families.request import DAYS_OF, region, requested_parts, specialist_field
from imr.features.families.treatment import same_treatment
from imr.features.signal import Findings, Value, computed, table_rows
from imr.features.where_when import any_same_region
from imr.features.words import group, kinds, pairs, pattern

Status = Literal["met", "not met", "not documented"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of ``criteria.csv``, its conditions as alternatives of conjunctions."""

    id: str
    applies: str
    guideline: str
    edition: str
    effective_from: date
    effective_to: date
    source: str
    text: str
    when: Condition
    met_if: Condition
    not_met_if: Condition

    @property
    def signals(self) -> frozenset[str]:
        """The signals that the judgement reads."""
        conditions = (self.met_if, self.not_met_if)
        return frozenset(t.name for c in conditions for terms in c for t in terms)


@cache
def rules() -> tuple[Rule, ...]:
    """The rows of ``criteria.csv``."""
    days = dict.fromkeys(("effective_from", "effective_to"), date.fromisoformat)
    conditions = dict.fromkeys(("when", "met_if", "not_met_if"), condition)
    read: dict[str, Callable[[str], Any]] = {**days, **conditions}
    return tuple(
        Rule(**{name: read.get(name, str)(cell) for name, cell in row.items()})
        for row in table_rows("criteria")
    )


@cache
def _editions(request_class: str) -> Mapping[str, tuple[Rule, ...]]:
    """The editions of each criterion of a class, oldest first."""
    found: dict[str, list[Rule]] = {}
    for rule in rules():
        if rule.applies == request_class:
            found.setdefault(rule.id, []).append(rule)
    return {
        name: tuple(sorted(same, key=lambda rule: rule.effective_from))
        for name, same in found.items()
    }


@lru_cache(maxsize=4096)
def _in_force(request_class: str, day: date | None) -> tuple[Rule, ...]:
    """The edition of each criterion of a class on a day: in effect, else the latest before it;
    before the first edition of them all, that one; without a day the latest.
    """
    editions = _editions(request_class).values()
    begun = [[r for r in same if day is None or r.effective_from <= day] for same in editions]
    asked = [same[-1] for same in begun if same]
    if not asked:
        first = min(same[0].effective_from for same in editions)
        asked = [same[0] for same in editions if same[0].effective_from == first]
    return tuple(asked)


@cache
def _request_classes() -> tuple[tuple[str, Condition], ...]:
    """The classes of ``request_classes.csv`` and the requests each is for, first match first."""
    return tuple((row["class"], condition(row["when"])) for row in table_rows("request_classes"))


def request_class(row: Row) -> str | None:
    """The class of request whose criteria apply; None where the table has none."""
    return _class_of(tuple(map(row.get, _class_signals())))


# Asked several times an item, and letters ask for the same things.
@lru_cache(maxsize=4096)
def _class_of(values: tuple[Value, ...]) -> str | None:
    row = dict(zip(_class_signals(), values, strict=True))
    return next((name for name, when in _request_classes() if holds(when, row)), None)


@cache
def _class_signals() -> tuple[str, ...]:
    """The signals that the classes are told apart by."""
    conditions = (when for _, when in _request_classes())
    return tuple({term.name: None for when in conditions for terms in when for term in terms})


def asked_of(case: Case, item: Item, row: Row) -> tuple[Row, list[Rule]]:
    """The criteria of an item, and its row with the computed terms that they read."""
    known = _with_course(case, item, row)
    return known, _asked(case, known)


def judge(rule: Rule, row: Row) -> Status:
    """Met before not met; not documented where neither condition holds."""
    return verdict(rule, row)[0]


def verdict(rule: Rule, row: Row) -> tuple[Status, tuple[Term, ...]]:
    """The verdict and the terms that decide it: all true alternatives of the condition."""
    verdicts: tuple[tuple[Status, Condition], ...]
    verdicts = (("met", rule.met_if), ("not met", rule.not_met_if))
    for status, alternatives in verdicts:
        true = [terms for terms in alternatives if holds((terms,), row)]
        if true:
            return status, tuple(dict.fromkeys(term for terms in true for term in terms))
    return "not documented", ()


def _asked(case: Case, row: Row) -> list[Rule]:
    """The rules of the item's class that apply on its day and to its circumstances."""
    name = request_class(row)
    known = () if name is None else _in_force(name, review_day(case, row))
    asked = holds if case.case_summary else _may_hold
    return [rule for rule in known if not rule.when or asked(rule.when, row)]


def _may_hold(alternatives: Condition, row: Row) -> bool:
    """As :func:`holds`, where earlier care is not known to be none before a summary is written."""
    return any(all(t.holds(row) or _of_summary(t) for t in terms) for terms in alternatives)


def _of_summary(term: Term) -> bool:
    """Whether a term asks for what only a case summary tells."""
    of_letter = computed().get(term.name, "summary") != "summary"
    return not (term.negated or term.op or of_letter or term.name.startswith("request_"))


def edition_notes(case: Case, row: Row) -> list[str]:
    """What to know of the edition shown, where none was in force or no day of review is told."""
    day, asked = review_day(case, row), _asked(case, row)
    if not asked:
        return []
    if _told_day(case, row) is None:
        used = "the latest" if day is None else f"that of the last day it tells ({day})"
        note = (
            "the letter gives no day of the denial, the request or the application: the edition of "
            f"the guidelines in force could not be dated, and {used} is used"
        )
        return [note]
    assert day is not None
    used = ", ".join(dict.fromkeys(f"{rule.guideline} {rule.edition}".strip() for rule in asked))
    last = max(rule.effective_to for rule in asked)
    later = [rule.effective_from for rule in asked if rule.effective_from > day]
    if day > last:
        note = (
            f"the guidelines in force on {day} are not in the table of criteria, which ends on "
            f"{last}: the last edition before is used instead ({used})"
        )
    elif later:
        note = (
            f"no guideline of the table of criteria was in force on {day}: the first one, of "
            f"{min(later)}, is used instead ({used})"
        )
    else:
        return []
    return [note]


def review_day(case: Case, row: Row) -> date | None:
    """The day whose edition of a guideline counts: of the utilization review's denial, without
    one of the request or the application, without these the last day the summary tells.
    """
    told = _told_day(case, row)
    if told is not None:
        return told
    injury, days = row.get("injury_date"), row.get("chronicity_days")
    if isinstance(injury, str) and isinstance(days, int):
        return date.fromisoformat(injury) + timedelta(days=days)
    return None


def _told_day(case: Case, row: Row) -> date | None:
    header, asked = case.header, row.get("request_date")
    requested = date.fromisoformat(asked) if isinstance(asked, str) else None
    return header.ur_denial_date or requested or header.application_received or header.date_assigned


# Units a day that a prescription without dosing is taken at, at least and at most.
_PER_DAY = {"muscle_relaxant": (1.0, 3.0), "sedative": (1.0, 1.0), "acute_opioid": (2.0, 6.0)}
_LONG_ACTING_A_DAY, _PATCHES_A_DAY, _ONCE_A_DAY = (1.0, 2.0), (1 / 7, 1.0), (1.0, 1.0)


def _with_course(case: Case, item: Item, row: Row) -> dict[str, Value]:
    """The row with what ``computed.csv`` lists, and no earlier care where the summary denies it."""
    known = dict(row)
    known["injections_asked"] = row.get("quantity") or 1
    had = care_had(row)
    if had is None and row.get("certified_of_course") and not row.get("same_care_had"):
        had = 0.0  # the rest of a course of which a part was certified is no second course
    same = same_treatment(item)
    if same and row.get("same_care_had") is False:
        known[f"{same}_prior"] = False  # "further visits" are asked for, but "he has had none"
    known["care_counted"] = had
    known["injections_total"] = None if had is None else had + _float(row, "quantity", 1)
    for own, told in pairs("told_instead").items():
        if row.get(own) is None:
            known[own] = row.get(told)
    asked = known["request_sessions"]
    if isinstance(asked, int | float):
        known["course_least"] = (had or 0) + _float(known, "authorized_sessions") + asked
        counted = had is not None and not at_least_had(row)
        known["course_total"] = known["course_least"] if counted else None
    known.update(_supply(item, row))
    known.update(_kind_of_request(case, item, row))
    known["invasive_in_letter"] = any(invasive_beside(item, other) for other in case.items)
    known["operation_beside"] = any(operation_beside(item, other) for other in case.items)
    return known


def _kind_of_request(case: Case, item: Item, row: Row) -> dict[str, Value]:
    """What the words of the request, and its neighbours, make of it."""
    said = _said_of(f"{item.requested} {item.original_request or ''}".lower())
    days, flag = row.get("chronicity_days"), bool(row.get("red_flag_stated"))
    recent = isinstance(days, int | float) and days <= _ACUTE_DAYS
    acute = (said["acute"] and not said["late"]) or said["emergency"] or flag
    others = [other for other in case.items if other.index != item.index]
    operations = [_said_of(o.requested.lower()) for o in others if is_primary_surgery(o)]
    knee = [said, *operations]
    return {
        # The other words tell whether an operation is acute.
        **{name: told for name, told in said.items() if name in computed()},
        "acute_operation": recent and acute,
        "meniscectomy_alone": any(o["meniscectomy"] for o in knee)
        and not any(o["larger_of_knee"] or o["replacement_asked"] for o in knee),
        "consult_field": specialist_field(item.requested),
        "spine_asked": any(region((part,)) == "spine" for part in requested_parts(item)),
        "rental_days": _rental_days(item, row),
        "parts_reached": _parts_reached(row),
        "therapy_in_letter": any(o.subcategory in ACTIVE_THERAPY for o in others),
    }


def _rental_days(item: Item, row: Row) -> float | None:
    """How many days equipment is to be rented for; None where the request does not tell."""
    unit = DAYS_OF.get(item.quantity_unit or "")
    if not row.get("request_rental") or unit is None or item.quantity is None:
        return None
    return item.quantity * unit


def _parts_reached(row: Row) -> bool | None:
    """Whether a case is about joints under thin skin alone, and nobody says where a drug is put;
    None where it is about others too.
    """
    if row.get("request_body_part") is not None or row.get("topical_place") is not None:
        return None
    named = {part.strip() for part in str(row.get("case_body_parts") or "").split("|")}
    joints, reached = (
        named - group("region_of_no_joint") - {""},
        group("joint_reached_by_a_topical"),
    )
    if not joints or (joints & reached and not joints <= reached):
        return None
    return joints <= reached


@lru_cache(maxsize=4096)
def _said_of(words: str) -> dict[str, bool]:
    return {name: known.search(words) is not None for name, known in kinds("request")}


_ACUTE_DAYS = 90
ACTIVE_THERAPY = frozenset(("Physical Therapy", "Occupational Therapy"))


def care_had(row: Row) -> float | None:
    """Sessions or injections had; 0 where none is documented, None where none is counted."""
    if row.get("same_care_had") is False:
        return 0.0
    counts = [row.get(name) for name in ("same_care_count", "same_treatment_sessions")]
    known = [float(n) for n in counts if isinstance(n, int | float)]
    if row.get("same_care_had") and known:
        return max(known)
    more = row.get("request_additional") or row.get("request_continuing")
    return None if row.get("same_care_had") or more else 0.0


def at_least_had(row: Row) -> bool:
    """Whether the number of sessions had is told as one that may be larger: "at least five"."""
    least = row.get("same_care_at_least")
    return isinstance(least, int | float) and least >= (care_had(row) or 0)


def _float(row: Row, name: str, absent: float = 0.0) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else absent


def _supply(item: Item, row: Row) -> dict[str, Value]:
    """Bounds of the days that the drug asked for lasts; empty where no amount is told."""
    days, quantity = row.get("request_supply_days"), row.get("quantity")
    if days is None and quantity is None:
        days, quantity = row.get("told_supply_days"), row.get("told_units")
    elif row.get("quantity_unit") != "units":
        quantity = None
    if isinstance(days, int | float):
        return {"supply_days_least": days, "supply_days_most": days}
    if not isinstance(quantity, int | float):
        return {}
    pace, words = _PER_DAY.get(request_class(row) or ""), item.requested.lower()
    often = row.get("told_per_day")
    if isinstance(often, int | float) and often:
        pace = pace and (often, often)
    elif pace and pattern("patch_asked").search(words):
        pace = _PATCHES_A_DAY
    elif pace and pattern("taken_twice_a_day").search(words):
        pace = (2.0, 2.0)
    elif pace and row.get("request_extended_release"):
        pace = _ONCE_A_DAY if pattern("taken_once_a_day").search(words) else _LONG_ACTING_A_DAY
    if pace is None:
        return {}
    units = quantity * (1 + _float(row, "request_refills"))
    return {"supply_days_least": units / pace[1], "supply_days_most": units / pace[0]}


def invasive_beside(item: Item, other: Item) -> bool:
    """Whether another item is an operation or injection of a region of this one."""
    small = pattern("small_injection").search(other.requested.lower())
    large = other.category == "Injection" and not small
    return operation_beside(item, other) or (large and _of_same_part(item, other))


def operation_beside(item: Item, other: Item) -> bool:
    """Whether another item is an operation of a region of this one."""
    return is_primary_surgery(other) and _of_same_part(item, other)


def _of_same_part(item: Item, other: Item) -> bool:
    """Whether another item is about a region of this one, or one of them names none."""
    mine, others = requested_parts(item), requested_parts(other)
    same = not others or not mine or any_same_region(mine, others)
    return other.index != item.index and same


def build_item(_summary: Summary, case: Case, item: Item, found: dict[str, Value]) -> Findings:
    """Class of request, and how many of its criteria are met, not met, not documented."""
    own = Findings()
    known, asked = asked_of(case, item, found)
    judged = [judge(rule, known) for rule in asked]
    own.values["criteria_class"] = request_class(known) if judged else None
    if judged:
        own.values["criteria_met_share"] = round(judged.count("met") / len(judged), 3)
        own.values["criteria_not_met"] = judged.count("not met")
        own.values["criteria_missing"] = judged.count("not documented")
    return own
