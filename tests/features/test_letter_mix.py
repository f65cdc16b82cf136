"""Items among their siblings: classes, duplicates, operations and what goes with them."""

from __future__ import annotations

import pytest

from imr.data.letter import Item
from imr.data.request import item_of_heading
from imr.features.table import signals
from tests.features.case_files import undecided

SURGERY = {"category": "Surgery", "subcategory": "Arthroscopic Surgery"}
REHAB = {"category": "Rehabilitation", "subcategory": "Physical Therapy"}


def rows(*titles: tuple[str, dict[str, str]]) -> list[dict[str, object]]:
    items = [Item(i, title, title, **known) for i, (title, known) in enumerate(titles)]  # type: ignore[arg-type]
    return signals(undecided("", *items)).rows  # type: ignore[return-value]


def test_an_operation_and_what_goes_with_it() -> None:
    operation, therapy, pills = rows(
        ("Knee arthroscopy", SURGERY),
        ("Post-op physical therapy", REHAB),
        ("Ibuprofen", {"category": "Pharmaceuticals", "subcategory": "NSAID"}),
    )
    assert (operation["primary_surgery"], operation["primary_surgery_in_letter"]) == (True, False)
    assert (therapy["primary_surgery"], therapy["primary_surgery_in_letter"]) == (False, True)
    assert (therapy["associated_with_surgery"], pills["associated_with_surgery"]) == (True, False)
    assert {row["n_items"] for row in (operation, therapy, pills)} == {3}
    assert operation["letter_has_drug"] is True
    assert operation["letter_has_injection"] is False


def test_siblings_of_one_category() -> None:
    first, *_ = rows(
        ("Physical therapy, left knee", REHAB),
        ("Physical therapy 6 sessions for the left knee", REHAB),
        ("Physical therapy, right knee", REHAB),
    )
    assert first["all_items_same_category"] is True


def test_a_single_item() -> None:
    (row,) = rows(("Office visit", {}))
    assert row["n_items"] == 1
    assert row["several_actions"] is False


TORN = (
    "An MRI of the left shoulder showed a labral tear. O'Brien test is positive. He had 12 visits "
    "of physical therapy, which did not help."
)
SOUND = (
    "MRI of the left shoulder showed no labral tear. The surgeon reads a labral tear in it. "
    "O'Brien test is positive. He had 1 session of physical therapy."
)


@pytest.mark.parametrize(("summary", "indicated"), [(TORN, True), (SOUND, False)])
def test_a_service_falls_with_its_operation(summary: str, indicated: bool) -> None:
    titles = (
        "Arthroscopic labral repair, left shoulder",
        "Associated surgical service: Sling",
        "Associated surgical service: Chest x-ray",
        "Post-op physical therapy 12 visits, left shoulder",
    )
    items = [item_of_heading(place, title, None) for place, title in enumerate(titles)]
    operation, sling, film, therapy = signals(undecided(summary, *items)).rows
    assert operation["indication_documented"] is indicated
    assert sling["operation_indicated"] is indicated
    assert therapy["indication_documented"] is indicated
    assert (film["request_term"], film["criteria_class"]) == ("x-ray", "preoperative_clearance")
    assert (sling["criteria_not_met"] == 0) is indicated


def course(title: str, sessions: int, kind: str = "Physical Therapy") -> tuple[str, dict[str, str]]:
    known: dict[str, object] = {"category": "Rehabilitation", "subcategory": kind}
    known |= {"quantity": sessions, "quantity_unit": "sessions"}
    return title, known  # type: ignore[return-value]


def test_parts_of_one_course() -> None:
    counts = [
        row["same_course_in_letter"]
        for row in rows(
            course("Therapeutic exercise 8 sessions", 8),
            course("Manual therapy 8 sessions", 8),
            course("Heat packs 8 sessions", 8, "Other Therapies"),
            course("Acupuncture 8 sessions", 8, "Acupuncture"),
            course("Manual therapy 12 sessions", 12),
        )
    ]
    assert counts == [2, 2, 3, 1, 0]


def test_courses_for_other_parts_are_not_one() -> None:
    left, right, voice = rows(
        course("Physical therapy 8 sessions, left knee", 8),
        course("Physical therapy 8 sessions, right knee", 8),
        course("Voice therapy 8 sessions", 8),
    )
    assert {row["same_course_in_letter"] for row in (left, right, voice)} == {0}


IMAGING = {"category": "Diagnostic Testing", "body_parts": ("ankle",)}


def test_a_part_imaged_in_two_ways() -> None:
    film: dict[str, object] = {**IMAGING, "subcategory": "X-Ray/Ultrasound/other imaging"}
    scan: dict[str, object] = {**IMAGING, "subcategory": "CT/MRI/PET Scans"}
    items = (
        ("X-ray of the ankle", film | {"terms": ("x-ray",)}),
        ("CT of the ankle", scan | {"terms": ("ct",)}),
        ("CT of the neck", scan | {"terms": ("ct",), "body_parts": ("cervical spine",)}),
    )
    told = [row["part_imaged_twice"] for row in rows(*items)]  # type: ignore[arg-type]
    assert told == [True, True, False]


@pytest.mark.parametrize(
    ("summary", "undisputed"),
    [
        ("A meniscectomy is set for May.", True),
        ("UR certified the meniscectomy but denied the drugs and the brace after it.", True),
        ("The meniscectomy was denied by the same review.", False),
        ("The surgeon is considering a meniscectomy.", None),
        ("The knee hurts.", None),
    ],
)
def test_an_operation_out_of_dispute(summary: str, undisputed: bool | None) -> None:
    therapy = Item(0, "Post-op physical therapy", "Post-op physical therapy", **REHAB)  # type: ignore[arg-type]
    (row,) = signals(undecided(summary, therapy)).rows
    assert row["operation_undisputed"] is undisputed


def test_an_operation_of_the_letter_is_disputed() -> None:
    _, therapy = rows(("Knee arthroscopy", SURGERY), ("Post-op physical therapy", REHAB))
    assert therapy["operation_undisputed"] is False
