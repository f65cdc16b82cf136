"""The table of criteria: readable, sourced, complete, and judged from the signals."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from imr.data.letter import Case, CaseHeader, Item
from imr.data.request import item_of_heading
from imr.features.checklist import Criterion, checklist
from imr.features.condition import condition, holds
from imr.features.context import read_summary
from imr.features.criteria import edition_notes, judge, review_day, rules
from imr.features.families.facts import FOR_CRITERIA
from imr.features.signal import computed, table_rows
from imr.features.table import all_columns, caveats, signals
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
    assert {rule.applies for rule in rules()} == {r["class"] for r in table_rows("request_classes")}
    assert all(rule.source and rule.text and rule.guideline for rule in rules())
    assert all(rule.effective_from < rule.effective_to for rule in rules())
    keys = [(rule.id, rule.applies, rule.edition, rule.effective_from) for rule in rules()]
    assert len(set(keys)) == len(keys)


def test_conditions_name_known_signals() -> None:
    known = {column.name for column in all_columns()} | {*computed(), *FOR_CRITERIA}
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


@pytest.mark.parametrize(
    ("denied", "guideline", "warned"),
    [
        (date(2015, 5, 1), "Chronic Pain 2009", ""),
        (date(2017, 1, 5), "Low Back 2004", ""),
        (date(2019, 1, 1), "Low Back 2004", "the last edition before is used instead (Low Back"),
        (date(2001, 1, 1), "Chronic Pain 2009", "is used instead (Chronic Pain 2009)"),
    ],
)
def test_the_edition_is_that_of_the_day(denied: date, guideline: str, warned: str) -> None:
    header = CaseHeader(ur_denial_date=denied)
    assert {c.guideline for c in listed("", header=header)} == {guideline}
    notes = [n for n in _caveats(LONG, EPIDURAL, header) if "instead" in n]
    assert [warned in note for note in notes] == ([True] if warned else [])


LONG = (
    "The worker is 40 years old. He has low back pain that radiates to the left leg. Straight leg "
    "raise was positive on the left. He had physical therapy and took naproxen."
)


NOTHING_TOLD = (
    "the case summary tells of no finding, treatment or complaint that was understood: too little "
    "to judge the request by"
)


def _caveats(
    summary: str, item: Item, header: CaseHeader = IN_2015, today: date = date(2020, 1, 1)
) -> tuple[str, ...]:
    case = undecided(summary, item, header=header)
    return caveats(read_summary(summary), case, signals(case).rows, today)


@pytest.mark.parametrize(
    ("item", "chapters"),
    [
        (("Cervical epidural steroid injection", "Epidural Steroid Injection", "cervical spine"),
         {"Neck and Upper Back 2004"}),
        (("Lumbar epidural steroid injection", "Epidural Steroid Injection", "lumbar spine"),
         {"Low Back 2004"}),
        (("MRI of the ankle", "CT/MRI/PET Scans", "ankle"), {"Ankle and Foot 2004"}),
        (("MRI of the left shoulder", "CT/MRI/PET Scans", "shoulder"), {"Shoulder 2004"}),
        (("MRI of the elbow", "CT/MRI/PET Scans", "elbow"), {"Elbow 2007"}),
        (("MRI of the hip", "CT/MRI/PET Scans", "hip"), {"Non-MTUS"}),
        (("CT of the cervical spine", "CT/MRI/PET Scans", "cervical spine"),
         {"Neck and Upper Back 2004"}),
    ],
)  # fmt: skip
def test_the_chapter_is_that_of_the_region(item: tuple[str, str, str], chapters: set[str]) -> None:
    title, subcategory, part = item
    asked = Item(0, title, title, subcategory=subcategory, body_parts=(part,))
    assert {c.guideline for c in listed("", asked, IN_2017)} == chapters


def test_a_whole_arm_stands_for_the_part_of_it_that_the_case_is_about() -> None:
    title = "EMG of the right upper extremity"
    item = Item(0, title, title, subcategory="EMG/NCV/NCS", body_parts=("upper extremity",))

    def shown(summary: str) -> set[str]:
        return {c.guideline for c in listed(summary, item) if c.id == "emg_symptoms"}

    assert shown("Her right hand is numb.") == {"Forearm Wrist and Hand 2004"}
    assert shown("His right arm is numb.") == {"Neck and Upper Back 2004"}
    assert shown("She has neck pain with a numb right arm.") == {"Neck and Upper Back 2004"}


def test_two_regions_show_both_chapters() -> None:
    title = "EMG of the arms and legs"
    parts = ("lower extremity", "upper extremity")
    item = Item(0, title, title, subcategory="EMG/NCV/NCS", body_parts=parts)
    shown = {c.guideline for c in listed("", item) if c.id == "emg_symptoms"}
    assert shown == {"Neck and Upper Back 2004; Low Back 2004"}


@pytest.mark.parametrize(
    ("summary", "header", "warned"),
    [
        (LONG, CaseHeader(date_of_injury=date(2014, 1, 1), ur_denial_date=date(2015, 1, 1)), []),
        (LONG, CaseHeader(date_of_injury=date(2016, 1, 1), ur_denial_date=date(2015, 1, 1)),
         ["implausible dates: the denial (2015-01-01) is before the injury (2016-01-01)"]),
        (LONG + " On 3/1/2013 he was seen.",
         CaseHeader(date_of_injury=date(2014, 1, 1), ur_denial_date=date(2015, 1, 1)),
         ["implausible dates: the latest visit (2013-03-01) is before the injury (2014-01-01)"]),
        (LONG, CaseHeader(application_received=date(2021, 1, 1), ur_denial_date=date(2015, 1, 1)),
         ["implausible date: the application (2021-01-01) is in the future"]),
        ("He has back pain.", IN_2015,
         ["the case summary has 4 words: too little to judge the request by"]),
        ("The forms were sent to the office and the office has sent them on to the board, " * 3,
         IN_2015, [NOTHING_TOLD]),
    ],
)  # fmt: skip
def test_what_a_reader_must_know_first(summary: str, header: CaseHeader, warned: list[str]) -> None:
    assert list(_caveats(summary, EPIDURAL, header)) == warned


def test_an_unknown_treatment_is_said_to_be_unknown() -> None:
    item = Item(0, "xyzzy treatment", "xyzzy treatment", category="Other", subcategory="Other")
    assert listed(LONG, item) == []
    assert _caveats(LONG, item) == (
        "item 0: the treatment is not one that the tables know; it has no class and no criteria",
    )


def test_a_criterion_of_a_later_edition_is_not_asked_before_it() -> None:
    title = "EMG of the legs"
    item = Item(0, title, title, subcategory="EMG/NCV/NCS", body_parts=("lower extremity",))
    assert "emg_conservative" not in judged(LONG, item, IN_2015)
    assert "emg_conservative" in judged(LONG, item, IN_2017)


def test_the_day_without_a_header_is_the_last_one_told() -> None:
    case = Case("c", "test", CaseHeader(), "", ())
    row = {"injury_date": "2015-01-01", "chronicity_days": 31}
    assert review_day(case, row) == date(2015, 2, 1)
    assert review_day(case, {}) is None
    asked = signals(undecided("", EPIDURAL)).rows[0]
    [note] = edition_notes(case, {**asked, **row})
    assert "could not be dated, and that of the last day it tells (2015-02-01) is used" in note
    [note] = edition_notes(case, asked)
    assert "could not be dated, and the latest is used" in note
    assert note in caveats(read_summary(""), case, [asked])


def test_the_day_of_request_or_application_stands_for_that_of_the_denial() -> None:
    row = {
        **signals(undecided("", EPIDURAL)).rows[0],
        "injury_date": "2010-01-01",
        "chronicity_days": 2000,
    }
    assigned = CaseHeader(date_assigned=date(2016, 12, 1))
    received = replace(assigned, application_received=date(2016, 11, 1))
    denied = replace(received, ur_denial_date=date(2016, 10, 1))
    asked = {**row, "request_date": "2016-09-01"}
    for header, known, day in (
        (assigned, row, date(2016, 12, 1)),
        (received, row, date(2016, 11, 1)),
        (received, asked, date(2016, 9, 1)),
        (denied, asked, date(2016, 10, 1)),
    ):
        case = Case("c", "test", header, "", ())
        assert review_day(case, known) == day
        assert edition_notes(case, known) == []


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


@pytest.mark.parametrize(
    ("title", "summary", "wanted", "absent"),
    [
        (
            "Post-op Norco 5/325 mg #30",
            "The plan is to schedule the hernia repair.",
            {"postop_service": "met"},
            "acute_opioid_pain",
        ),
        (
            "Gabapentin 25 mg/ml oral suspension",
            "He has numb feet.",
            {"liquid_reason": "not documented"},
            "antiepileptic_neuropathic",
        ),
        (
            "Gabapentin 300 mg #90",
            "He has trouble swallowing pills.",
            {"antiepileptic_neuropathic": "not documented"},
            "liquid_reason",
        ),
        (
            "MRI of the thoracic spine",
            "Plan: MRI to rule out a compression fracture.",
            {"mri_spine_neurology": "met"},
            "mri_spine_conservative",
        ),
        (
            "MRI of the thoracic spine",
            "The thoracic spine is tender.",
            {"mri_spine_conservative": "not documented"},
            "mri_spine_repeat",
        ),
        (
            "Medication management consultation",
            "The neck is sore.",
            {"management_drug": "not documented"},
            "visit_reason",
        ),
        (
            "Medication management visit",
            "He takes tramadol.",
            {"management_drug": "met"},
            "visit_reason",
        ),
        (
            "Physical exam 2 times 8",
            "The neck is sore.",
            {"visit_number": "not met"},
            "pt_number",
        ),
        (
            "Platelet-rich plasma injection, left foot",
            "He has plantar fasciitis.",
            {"prp_condition": "not met"},
            "joint_injection_signs",
        ),
    ],
)
def test_each_kind_of_request_is_asked_its_own_criteria(
    title: str, summary: str, wanted: dict[str, str], absent: str
) -> None:
    status = judged(summary, item_of_heading(0, title, None))
    assert wanted.items() <= status.items()
    assert absent not in status


@pytest.mark.parametrize(
    ("injured", "status"), [(date(2016, 12, 1), "met"), (date(2014, 1, 5), "not documented")]
)
def test_a_recent_strain_is_what_an_nsaid_treats(injured: date, status: str) -> None:
    header = replace(IN_2017, date_of_injury=injured)
    item = item_of_heading(0, "Naproxen 500 mg #60", None)
    assert judged("She has a lumbar strain.", item, header)["nsaid_condition"] == status


def topical(title: str) -> Item:
    return item_of_heading(0, title, None)


@pytest.mark.parametrize(
    "title",
    [
        "Voltaren gel 1% 100g",
        "Flector patch 1.3% #60",
        "Pennsaid 2% solution",
        "Diclofenac topical",
        "Diclofenac sodium 1.5% topical solution",
    ],
)
def test_a_topical_nsaid_is_no_drug_for_nerves(title: str) -> None:
    assert set(judged("", topical(title))) == {
        "topical_nsaid_condition",
        "topical_nsaid_joint",
        "topical_nsaid_oral",
        "topical_nsaid_short",
    }


@pytest.mark.parametrize(
    "title", ["Lidocaine patch 5% #30", "Diclofenac/gabapentin/lidocaine cream", "Ketoprofen cream"]
)
def test_other_topical_drugs_are_asked_for_nerve_pain(title: str) -> None:
    assert "topical_neuropathic" in judged("", topical(title))


@pytest.mark.parametrize(
    ("title", "summary", "expected"),
    [
        (
            "Voltaren gel for the right knee",
            """He has osteoarthritis of the right knee and used Voltaren gel for four weeks. Oral
            anti-inflammatory drugs were not tolerated.""",
            ("met", "met", "met", "met"),
        ),
        (
            "Voltaren gel for the lumbar spine",
            """He has osteoarthritis of the right knee. He takes naproxen without side effects and
            tolerates it. He has used Voltaren gel for two years.""",
            ("not documented", "not met", "not met", "not met"),
        ),
        (
            "Voltaren gel 1%",
            "The patient has lateral epicondylitis and a history of gastric ulcer.",
            ("met", "not documented", "met", "not documented"),
        ),
        (
            "Pennsaid for the left shoulder",
            "There is no osteoarthritis of the left shoulder.",
            ("not met", "not met", "not documented", "not documented"),
        ),
    ],
)
def test_a_topical_nsaid_is_for_a_joint_it_reaches_and_a_short_time(
    title: str, summary: str, expected: tuple[str, ...]
) -> None:
    header = replace(IN_2015, date_of_injury=date(2012, 1, 1))
    assert tuple(judged(" ".join(summary.split()), topical(title), header).values()) == expected


def test_a_topical_nsaid_goes_by_the_edition_of_the_day() -> None:
    shown = {c.guideline for c in listed("", topical("Voltaren gel"), IN_2017)}
    assert shown == {"Chronic Pain 2016"}


MENISCECTOMY = "Right knee arthroscopy with partial medial meniscectomy"


@pytest.mark.parametrize(
    ("title", "beside", "expected"),
    [
        ("Post-op physical therapy after right knee meniscectomy, {} visits", (), (6, 12)),
        ("Post-op physical therapy for the right knee, {} visits", (MENISCECTOMY,), (6, 12)),
        ("Post-op physical therapy for the right knee, {} visits", (), (12, 24)),
        (
            "Post-op physical therapy for the right knee, {} visits",
            ("Right knee ACL reconstruction and meniscectomy",),
            (12, 24),
        ),
        (
            "Post-op physical therapy for the right knee, {} visits",
            (MENISCECTOMY, "Right knee ligament reconstruction"),
            (12, 24),
        ),
    ],
)
def test_therapy_after_a_meniscectomy_is_shorter_than_after_other_operations_of_the_knee(
    title: str, beside: tuple[str, ...], expected: tuple[int, int]
) -> None:
    first, whole = expected

    def status(visits: int, had: int = 0) -> str:
        titles = (title.format(visits), *beside)
        items = tuple(item_of_heading(n, named, None) for n, named in enumerate(titles))
        told = f"He completed {had} sessions of physical therapy." if had else ""
        case = replace(undecided(told, items[0], header=IN_2015), items=items)
        found = {c.id: c.status for c in checklist(case, items[0], signals(case).rows[0])}
        [limit] = found.keys() & {"postop_knee", "postop_meniscectomy"}
        return found[limit]

    assert status(first) == "met"
    assert status(first + 2) == "not met"
    assert status(first, had=first) == "met"
    assert status(first, had=whole - first + 2) == "not met"


@pytest.mark.parametrize(
    ("title", "continued"),
    [
        (
            "Norco 10/325 #120",
            {"opioid_relief", "opioid_function", "opioid_monitoring", "opioid_agreement"},
        ),
        ("Naproxen 550 mg #60", {"nsaid_efficacy"}),
        ("Acupuncture 6 visits", {"acupuncture_benefit"}),
    ],
)
def test_without_a_summary_continued_use_is_asked_about_too(
    title: str, continued: set[str]
) -> None:
    item = item_of_heading(0, title, None)
    assert continued <= judged("", item).keys()
    assert not continued & judged("He has low back pain.", item).keys()


def test_without_a_summary_the_request_decides_what_is_asked() -> None:
    known = judged("", item_of_heading(0, "Post-op physical therapy, right knee, 6 visits", None))
    assert "postop_knee" in known
    assert not {"postop_meniscectomy", "postop_shoulder"} & known.keys()
