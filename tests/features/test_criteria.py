"""The table of criteria: readable, sourced, complete, and judged from the signals."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date

import pytest

from imr.data.letter import Case, CaseHeader, Item
from imr.features.criteria import (
    CLASSES,
    COMPUTED,
    Criterion,
    checklist,
    condition,
    holds,
    judge,
    review_day,
    rules,
)
from imr.features.table import COLUMNS, signals
from tests.features.case_files import undecided

EPIDURAL = Item(
    0,
    "Left L4-5 transforaminal epidural steroid injection under fluoroscopy",
    "Left L4-5 transforaminal epidural steroid injection under fluoroscopy",
    category="Injection",
    subcategory="Epidural Steroid Injection",
    body_parts=("lumbar spine",),
    quantity=1,
    quantity_unit="units",
)
IN_2015 = CaseHeader(ur_denial_date=date(2015, 5, 1))
IN_2017 = CaseHeader(ur_denial_date=date(2017, 1, 5))


def judged(summary: str, item: Item = EPIDURAL, header: CaseHeader = IN_2015) -> dict[str, str]:
    return {criterion.id: criterion.status for criterion in listed(summary, item, header)}


def listed(summary: str, item: Item = EPIDURAL, header: CaseHeader = IN_2015) -> list[Criterion]:
    case = undecided(summary, item, header=header)
    found = signals(case)
    return checklist(case, item, found.rows[0], found.evidence)


def test_every_class_has_criteria_with_a_source_and_dates_in_order() -> None:
    with CLASSES.open(encoding="utf-8", newline="") as lines:
        assert {rule.applies for rule in rules()} == {row["class"] for row in csv.DictReader(lines)}
    assert all(rule.source and rule.text and rule.guideline for rule in rules())
    assert all(rule.effective_from < rule.effective_to for rule in rules())
    keys = [(rule.id, rule.applies, rule.edition, rule.effective_from) for rule in rules()]
    assert len(set(keys)) == len(keys)


def test_conditions_name_known_signals() -> None:
    known = {column.name for column in COLUMNS} | set(COMPUTED)
    named = {
        term.name
        for rule in rules()
        for part in (rule.when, rule.met_if, rule.not_met_if)
        for terms in part
        for term in terms
    }
    assert named <= known


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("a", {"a": True}, True),
        ("a", {"a": None}, False),
        ("!a", {"a": False}, True),
        ("!a", {"a": None}, False),
        ("n>=50", {"n": 50.0}, True),
        ("n>=50", {"n": None}, False),
        ("n<50", {"n": None}, False),
        ("s=spine", {"s": "spine"}, True),
        ("a & b | c", {"a": True, "b": False, "c": True}, True),
        ("a & b | c", {"a": True, "b": False, "c": False}, False),
        ("", {}, False),
    ],
)
def test_conditions(text: str, row: dict[str, bool | float | str | None], expected: bool) -> None:
    assert holds(condition(text), row) is expected


def test_an_unreadable_condition_is_an_error() -> None:
    with pytest.raises(ValueError, match="cannot read the term"):
        condition("a ++ b")


def test_a_complete_first_epidural() -> None:
    summary = (
        "Straight leg raise was positive on the left. MRI of the lumbar spine dated 3/4/2015 "
        "showed a disc herniation at L4-5 compressing the nerve root. He failed physical therapy."
    )
    status = judged(summary)
    assert status == {
        "esi_examination": "met",
        "esi_corroboration": "met",
        "esi_conservative": "met",
        "esi_fluoroscopy": "met",
        "esi_levels_transforaminal": "met",
        "esi_series": "met",
    }
    quotes = {c.id: c.quotes for c in listed(summary)}
    assert any("traight leg raise" in quote.quote for quote in quotes["esi_examination"])


def test_a_bare_repeat_epidural() -> None:
    status = judged("He had an epidural steroid injection. Straight leg raise was negative.")
    assert status["esi_examination"] == "not met"
    assert status["esi_corroboration"] == "not documented"
    assert status["esi_repeat_relief"] == "not documented"
    helped = judged("The epidural steroid injection gave 30% relief for two weeks.")
    assert helped["esi_repeat_relief"] == "not met"
    enough = judged("The epidural steroid injection gave 60% relief for eight weeks.")
    assert enough["esi_repeat_relief"] == "met"


@pytest.mark.parametrize(
    ("requested", "status"),
    [
        ("L3-4, L4-5, L5-S1 transforaminal epidural injection", "not met"),
        ("L4-5, L5-S1 transforaminal epidural injection", "met"),
        ("Transforaminal epidural injection", "not documented"),
    ],
)
def test_levels(requested: str, status: str) -> None:
    item = replace(EPIDURAL, requested=requested, title=requested)
    assert judged("", item)["esi_levels_transforaminal"] == status


def test_the_edition_is_that_of_the_day() -> None:
    assert {c.guideline for c in listed("")} == {"Chronic Pain 2009"}
    assert {c.guideline for c in listed("", header=IN_2017)} == {"Low Back 2004"}
    later = listed("", header=CaseHeader(ur_denial_date=date(2019, 1, 1)))
    assert {c.guideline for c in later} == {"Low Back 2004"}
    assert listed("", header=CaseHeader(ur_denial_date=date(2001, 1, 1))) == []


def test_the_day_without_a_header_is_the_last_one_told() -> None:
    case = Case("c", "test", CaseHeader(), "", ())
    row = {"injury_date": "2015-01-01", "chronicity_days": 31}
    assert review_day(case, row) == date(2015, 2, 1)
    assert review_day(case, {}) is None


@pytest.mark.parametrize(
    ("sessions", "summary", "status"),
    [
        (6, "", "met"),
        (12, "", "not met"),
        (6, "He completed 8 sessions of physical therapy.", "not met"),
        (2, "He completed 6 sessions of physical therapy.", "met"),
        (6, "He completed physical therapy.", "not documented"),
    ],
)
def test_a_course_counts_what_was_had(sessions: int, summary: str, status: str) -> None:
    item = Item(
        0,
        "Physical therapy",
        "Physical therapy",
        category="Rehabilitation",
        subcategory="Physical Therapy",
        quantity=sessions,
        quantity_unit="sessions",
    )
    assert judged(summary, item)["pt_number"] == status


def test_therapy_after_an_operation_goes_by_the_postsurgical_rules() -> None:
    title = "Post-op physical therapy for the shoulder"
    item = Item(
        0,
        title,
        title,
        category="Rehabilitation",
        subcategory="Physical Therapy",
        body_parts=("shoulder",),
        quantity=12,
        quantity_unit="sessions",
    )
    status = judged("He underwent rotator cuff repair on 3-4-2015.", item)
    assert status["postop_operation"] == "met"
    assert status["postop_shoulder"] == "met"
    assert "pt_number" not in status


def test_met_is_looked_at_first_and_columns_count_the_rest() -> None:
    assert {judge(rule, {}) for rule in rules()} == {"not documented"}
    case = undecided("Straight leg raise was positive.", EPIDURAL, header=IN_2015)
    row = signals(case).rows[0]
    statuses = list(judged("Straight leg raise was positive.").values())
    assert row["criteria_class"] == "epidural"
    assert row["criteria_not_met"] == statuses.count("not met")
    assert row["criteria_missing"] == statuses.count("not documented")
    assert row["criteria_met_share"] == round(statuses.count("met") / len(statuses), 3)
    assert signals(undecided("")).rows[0]["criteria_class"] is None
