"""Reasons say what a person would say, and nothing that only the model knows."""

from __future__ import annotations

import re

import pytest

from imr.data.letter import Evidence
from imr.features.condition import Condition
from imr.features.families.diagnosis import HERE
from imr.features.families.facts import FACTS, rules
from imr.features.table import all_columns
from imr.models.predictor import Predictor
from imr.models.reasons import NOT_DOCUMENTED, _chosen, _reason, _statement, plain_words
from tests.models.test_whatif import plain_case

JOINT = {"criteria_class": "mri_joint", "indication": "joint_scan"}
SUPPORTED = "The operation that this goes with is well supported by the record"
NORMAL = "Neurological examination is normal"
NERVES = {"category": "Diagnostic Testing"}
NONE_MET = {"criteria_met_share": 0.0, "criteria_not_met": 0, "criteria_missing": 3}
NONE_SAID = "None of the 3 criteria of the guideline is met"
HALF_MET = {"criteria_met_share": 0.5, "criteria_not_met": 1, "criteria_missing": 1}
LETTER = (
    "The make-up of the letter (3 disputed items); this is no fact of the case, but it counts in "
    "the estimate"
)


def test_every_fact_has_words_for_it_and_for_its_contrary() -> None:
    words = plain_words()
    assert set(FACTS) <= set(words)
    rows = [rule for of_subject in rules().values() for rule in of_subject]
    denied = {rule.fact for rule in rows if not rule.speaks_for} & set(FACTS)
    assert denied
    assert {fact for fact in FACTS if words[fact].contrary} >= denied
    assert all(words[fact].said != words[fact].contrary for fact in FACTS)


def test_the_words_are_of_known_signals_and_conditions() -> None:
    columns = {column.name for column in all_columns()} | {"year", "asked_for"}
    assert set(plain_words()) <= columns
    assert {*HERE.values()} <= set(plain_words())

    def names(of: Condition) -> set[str]:
        return {term.name for terms in of for term in terms}

    assert all(names(w.where) | names(w.either) <= columns for w in plain_words().values())


def test_no_words_name_a_rule() -> None:
    machinery = re.compile(r"signal|taxonomy|lexicon|wording|log odds|column|null|_", re.IGNORECASE)
    for words in plain_words().values():
        assert not machinery.search(re.sub(r"{\w+}", "", words.said + words.contrary))


@pytest.mark.parametrize(
    ("signal", "value", "direction", "row", "said"),
    [
        ("joint_signs", True, "for", JOINT, "Examination shows signs of a joint or tendon lesion"),
        ("joint_signs", True, "against", JOINT, None),  # a finding is no reason against its study
        ("joint_signs", False, "against", JOINT, "Examination of the joint is normal"),
        (
            "joint_signs",
            None,
            "against",
            JOINT,
            NOT_DOCUMENTED + "examination shows signs of a joint or tendon lesion",
        ),
        ("joint_signs", None, "against", {"criteria_class": "nsaid"}, None),  # nobody asks for it
        ("radicular_signs", True, "against", {"criteria_class": "epidural"}, None),
        (
            "radicular_signs",
            True,
            "against",
            {"criteria_class": "facet"},
            "Examination shows signs of a pinched nerve root",
        ),
        ("diagnosis_mild_here", True, "for", JOINT, None),
        ("course_sessions", 12.0, "against", {}, "Requested: 12 visits"),
        ("course_sessions", 12.0, "for", {}, None),  # much is no reason for, little none against
        ("course_sessions", 6.0, "for", {}, "Requested: only 6 visits"),
        ("course_sessions", 1.0, "for", {}, "Requested: only 1 visit"),
        ("course_sessions", 6.0, "against", {}, None),
        ("quantity", 3.0, "against", {"quantity_unit": "units"}, None),
        ("request_weeks", 6.0, "against", {}, "Requested: 6 weeks of care"),
        ("strength_grade", 5.0, "against", NERVES, "Strength is full or nearly full"),
        ("strength_grade", 5.0, "for", NERVES, None),
        ("strength_grade", 4.0, "for", NERVES, "The least strength is graded 4 of 5"),
        ("work_status", "off_work", "for", {}, "The patient is off work"),
        ("work_status", "off_work", "against", {}, None),
        ("operation_days_ago", 20.0, "against", {}, None),
        (
            "operation_days_ago",
            1900.0,
            "against",
            {},
            "The last operation was 5 years before the denial",
        ),
        ("criteria_missing", 3, "against", NONE_MET, NONE_SAID),
        ("mri_taken", True, "against", {"subcategory": "Physical Therapy"}, None),
        ("neurological_signs", False, "against", {"category": "Pharmaceuticals"}, None),
        (
            "requested_part_diagnosis",
            True,
            "for",
            {**JOINT, "diagnosis_rotator_cuff_tear_here": True, "diagnosis_tear_here": True},
            "Diagnosis of the body part asked about: tear of the rotator cuff",
        ),
        (
            "requested_part_diagnosis",
            True,
            "for",
            {**JOINT, "diagnosis_tear_here": True},
            "Diagnosis of the body part asked about: a tear",
        ),
        ("requested_part_diagnosis", True, "for", {}, None),
        (
            "requested_part_diagnosis",
            True,
            "for",
            {**JOINT, "diagnosis_sprain_strain_here": True},
            None,
        ),
        ("diagnosis_infection_here", False, "against", JOINT, None),  # nobody asks for it
        ("sign_normal_neurology_here", True, "against", {"criteria_class": "mri_spine"}, NORMAL),
        ("sign_normal_neurology_here", True, "against", {"criteria_class": "transport"}, None),
        ("operation_care_failed", True, "for", {"operation_criteria_met_share": 0.5}, None),
        ("operation_care_failed", True, "for", {"operation_criteria_met_share": 1.0}, SUPPORTED),
        ("request_sessions", 6.0, "for", {"sessions_certified": 6.0}, None),  # the half of twelve
        ("course_sessions", None, "against", {}, None),
        (
            "chronicity_days",
            49,
            "for",
            {"chronicity_days": 49},
            "The injury was only 7 weeks before the denial",
        ),
        (
            "chronicity_days",
            900,
            "against",
            {"chronicity_days": 900},
            "The injury was 2 years before the denial",
        ),
        (
            "criteria_not_met",
            1,
            "against",
            {"criteria_met_share": 0.25, "criteria_not_met": 1, "criteria_missing": 2},
            "Only 1 of 4 criteria of the guideline is met",
        ),
        ("criteria_not_met", 1, "for", HALF_MET, None),
        (
            "criteria_not_met",
            1,
            "against",
            HALF_MET,
            "2 of 4 criteria of the guideline are not met or not documented",
        ),
        (
            "n_items",
            3,
            "against",
            {"n_items": 3},
            LETTER,
        ),
    ],
)
def test_what_a_person_would_say(signal, value, direction, row, said) -> None:
    assert _statement(plain_words()[signal], value, direction, row) == said


def test_an_indication_that_lacks_is_not_told_where_all_criteria_are_met() -> None:
    words = plain_words()["indication_documented"]
    row = {"indication_documented": False, "indication": "spine_scan", "criteria_met_share": 1.0}
    assert _reason(words, -0.5, "against", row, {}) is None
    assert _reason(words, -0.5, "against", row | {"criteria_met_share": 0.5}, {}) is not None


def test_a_drug_fact_is_no_reason_for_a_study() -> None:
    words = plain_words()["drug_helped"]
    row = {"drug_helped": True, "category": "Diagnostic Testing"}
    assert _reason(words, 0.5, "for", row, {}) is None
    assert _reason(words, 0.5, "for", row | {"category": "Pharmaceuticals"}, {}) is not None


def test_one_fact_is_told_once_and_one_way(predictor: Predictor) -> None:
    summary = (
        "The injured worker is a 40-year-old man. The left knee locks and McMurray test of the "
        "left knee is positive. MRI of the left knee shows a meniscal tear. Physical therapy of "
        "the left knee failed. Sensation is normal."
    )
    titles = ("MRI of the left knee", "Left knee arthroscopy with meniscectomy")
    for prediction in predictor.predict([plain_case(t, summary) for t in titles], explain=True):
        topics = [plain_words()[reason.signal].topic for reason in prediction.reasons]
        assert len(set(topics)) == len(topics)
        ways: dict[tuple[int, int], set[str]] = {}
        for reason in prediction.reasons:
            for quote in reason.quotes:
                ways.setdefault((quote.start, quote.end), set()).add(reason.direction)
        assert all(len(way) == 1 for way in ways.values())
        assert not any(
            r.quotes for r in prediction.reasons if r.statement.startswith(NOT_DOCUMENTED)
        )


def test_a_quote_under_what_is_not_shown_says_why_it_is_there() -> None:
    words = plain_words()["indication_documented"]
    row = {"indication_documented": False, "indication": "spine_scan"}
    said = _reason(words, -0.5, "against", row, {})
    assert said is not None
    assert said.statement == (
        "No accepted ground for such a request is documented (a neurological deficit, a red flag "
        "or a suspected fracture)"
    )
    denial = Evidence("radicular_signs", 0, 12, "Strength 5/5", "rule", "denied")
    other = Evidence("radicular_signs", 20, 30, "weak thumb", "rule", "affirmed")
    denied = _reason(words, -0.5, "against", row, {"radicular_signs": [other, denial]})
    assert denied is not None
    assert denied.quotes == (denial,)
    assert denied.statement == f"{said.statement}; the record denies it"


def test_no_fact_is_told_twice() -> None:
    row = {
        "indication_documented": True, "indication": "spine_scan", "criteria_class": "mri_spine",
        "radicular_signs": True,
    }  # fmt: skip
    sign = Evidence("radicular_signs", 20, 30, "weak thumb", "rule", "affirmed")
    topics = [(0.9, ["indication_documented"]), (0.4, ["radicular_signs"])]
    for order in (topics, topics[::-1]):
        told = _chosen(iter(order), row, {"radicular_signs": [sign]})
        assert [reason.signal for reason in told] == order[0][1]


def test_the_record_shows_what_it_is_quoted_for() -> None:
    words = plain_words()["indication_documented"]
    row = {"indication_documented": True, "indication": "spine_scan", "radicular_signs": True}
    assert _reason(words, 0.5, "for", row, {}) is None
    found = Evidence("radicular_signs", 20, 30, "weak thumb", "rule", "affirmed")
    denial = Evidence("radicular_signs", 0, 12, "Strength 5/5", "rule", "denied")
    shown = _reason(words, 0.5, "for", row, {"radicular_signs": [denial, found]})
    assert shown is not None
    assert shown.quotes == (found,)
    assert shown.statement == (
        "An accepted ground for such a request is documented: examination shows signs of a "
        "pinched nerve root"
    )
