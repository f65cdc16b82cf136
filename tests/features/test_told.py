"""What record and review say of the request itself, and facts that decide on its form."""

from __future__ import annotations

import pytest

from imr.data.letter import Case, Item
from imr.data.records import RawRecord, letter_from_record
from imr.features.table import signals
from tests.features.case_files import undecided


def case_of(summary: str, *titles: str) -> Case:
    record = {
        "letter_id": "x",
        "case_summary": summary,
        "date_of_injury": "2015-01-01",
        "ur_denial_date": "2016-06-01",
        "items": [{"title": title} for title in titles],
    }
    return letter_from_record(RawRecord("x", record)).case


def told(name: str, summary: str, *titles: str) -> object:
    return signals(case_of(summary, *titles)).rows[0][name]


SCAN, PT = "MRI of the right knee", "Physical therapy, right knee, 12 sessions"


@pytest.mark.parametrize(
    ("summary", "title", "authorized"),
    [
        ("The note says that the MRI was approved in May.", SCAN, True),
        ("The MRI was previously authorized, so this is a duplicate request.", SCAN, True),
        ("Six therapy visits were previously authorized.", SCAN, False),
        ("The MRI was already approved and done in May.", SCAN, False),
        ("An MRI of the neck was already authorized.", SCAN, False),
        ("The reviewer approved therapy and denied the MRI.", SCAN, False),
        ("Six therapy visits were already authorized and attended.", PT, False),
    ],
)
def test_the_same_was_authorized_already(summary: str, title: str, authorized: bool) -> None:
    assert told("already_authorized", summary, title) is authorized


@pytest.mark.parametrize(
    ("summary", "titles", "missing"),
    [
        ("No rationale for the MRI is given.", (SCAN, PT), True),
        ("No rationale for the MRI is given.", (PT, SCAN), False),
        ("It is not stated how the scan would change the treatment.", (SCAN,), True),
        ("UR denied all for lack of rationale.", (PT, SCAN), True),
        ("UR gave no rationale.", (PT, SCAN), False),
        ("The rationale was to plan an operation.", (SCAN,), False),
        ("The MRI lacks a rationale.", ("Hospital bed rental",), False),
        ("A rationale is lacking.", ("Hospital bed rental",), True),
        ("The knee hurts.", (SCAN,), False),
    ],
)
def test_the_purpose_is_not_told(summary: str, titles: tuple[str, ...], missing: bool) -> None:
    assert told("purpose_not_told", summary, *titles) is missing


@pytest.mark.parametrize(
    ("summary", "title", "unspecified"),
    [
        ("Pain.", "Naproxen 500 mg", True),
        ("Pain.", "Naproxen 500 mg #60", False),
        ("Pain.", "Gabapentin oral suspension 420 ml", False),
        ("Pain.", "Disposable gloves", True),
        ("Pain.", "Disposable gloves, one box", False),
        ("Pain.", "Knee brace", False),
        ("Pain.", "Acupuncture, left knee", True),
        ("Plan: acupuncture 2x3 for the knee.", "Acupuncture, left knee", False),
        ("Pain.", "PT 12, left knee", False),
        ("Naproxen was refilled, quantity not specified.", "Naproxen 500 mg for 30 days", True),
        ("He had an unspecified number of visits.", "Naproxen 500 mg #60", False),
        ("The quantity of gloves and pads was not stated.", "Bedside rail rental 2 weeks", False),
    ],
)
def test_no_amount_is_told(summary: str, title: str, unspecified: bool) -> None:
    assert told("request_unspecified", summary, title) is unspecified


@pytest.mark.parametrize(
    ("summary", "open_"),
    [
        ("UR certified 6 of 12 therapy visits.", True),
        ("He had 8 visits of physical therapy. UR certified 6 of 12 therapy visits.", False),
        ("Physical therapy was authorized and has not started.", True),
        ("He had no therapy. UR non-certified twelve visits.", None),
    ],
)
def test_a_first_part_is_still_to_be_had(summary: str, open_: bool | None) -> None:
    assert told("trial_not_done", summary, PT) is open_


def test_what_remains_of_a_modified_course() -> None:
    known = {"category": "Rehabilitation", "subcategory": "Acupuncture"}
    item = Item(
        0, "Acupuncture 2 sessions", "Acupuncture 2 sessions", "modified",
        "Acupuncture 8 sessions", "Acupuncture 6 sessions", quantity=2, quantity_unit="sessions",
        **known,  # type: ignore[arg-type]
    )  # fmt: skip

    (row,) = signals(undecided("The acupuncture of 6 sessions was authorized.", item)).rows
    assert (row["trial_not_done"], row["already_authorized"]) == (True, False)


@pytest.mark.parametrize(
    ("summary", "cannot"),
    [
        ("A stricture makes it hard to swallow tablets.", True),
        ("She cannot take oral NSAIDs because of an ulcer.", True),
        ("Oral drugs are not tolerated.", True),
        ("He has no trouble swallowing tablets.", False),
        ("No note states that she cannot swallow tablets.", None),
        ("Oral medication was continued.", None),
    ],
)
def test_drugs_that_cannot_be_swallowed(summary: str, cannot: bool | None) -> None:
    assert told("cannot_take_oral", summary, "Diclofenac gel 100 g") is cannot


@pytest.mark.parametrize(
    ("summary", "suspected"),
    [
        ("Diagnosis: rule out complex regional pain syndrome.", True),
        ("The left foot is mottled and cool, with allodynia.", True),
        ("The left foot is swollen, and red at the scar.", None),
        ("The left foot has allodynia, with normal color and no swelling.", None),
        ("There are no signs of CRPS.", False),
    ],
)
def test_complex_regional_pain(summary: str, suspected: bool | None) -> None:
    assert told("crps_suspected", summary, "Bone scan of the left foot") is suspected


@pytest.mark.parametrize(
    ("summary", "title", "asked"),
    [
        ("The plan is an MRI of the right knee.", SCAN, True),
        ("The plan is a brace for the right knee.", SCAN, False),
        ("The plan is an MRI of the left knee.", SCAN, False),
        ("The UR denied the MRI of the right knee.", SCAN, None),
        ("Medications include naproxen.", "Naproxen 500 mg #60", True),
        ("Medications include tramadol.", "Naproxen 500 mg #60", False),
        ("A referral to a cardiologist is requested.", "Cardiology consultation", True),
        ("Therapy is requested.", "Cardiology consultation", False),
    ],
)
def test_the_record_asks_for_it(summary: str, title: str, asked: bool | None) -> None:
    assert told("request_told", summary, title) is asked
