"""Statements about studies, events and plans: what they show, of what region, how much."""

from __future__ import annotations

import pytest

from imr.data.letter import Item
from imr.features.context import read_summary
from imr.features.statements import Statement, statements
from tests.features.case_files import row_of


def told(text: str) -> list[Statement]:
    return [s for s in statements(read_summary(text)) if s.subject in ("study", "event", "plan")]


def said(text: str) -> set[tuple[str, str]]:
    return {(s.concept, s.polarity) for s in told(text)}


@pytest.mark.parametrize(
    ("text", "there", "not_there"),
    [
        ("The scan shows the disc pinching the left nerve root.",
         ("nerve: root", "affirmed"), ("nerve: root", "denied")),
        ("MRI: the L4-5 disc touches the right L5 root.",
         ("nerve: root", "affirmed"), ("nerve: root", "denied")),
        ("Lumbar MRI found a bulge, and the nerve is pinched.",
         ("nerve: root", "affirmed"), ("nerve: root", "denied")),
        ("Lumbar MRI: desiccation, the canal and foramina are patent.",
         ("nerve: root", "denied"), ("nerve: root", "affirmed")),
        ("Lumbar MRI showed a bulge with no root contact.",
         ("nerve: root", "denied"), ("nerve: root", "affirmed")),
        ("Lumbar MRI showed a bulge without contact with any nerve root.",
         ("nerve: root", "denied"), ("nerve: root", "affirmed")),
        ("MRI of the knee showed fraying, no discrete tear.",
         ("finding: tear", "denied"), ("finding: tear", "affirmed")),
        ("MRI of the knee was done in May. It showed a torn meniscus.",
         ("finding: tear", "affirmed"), ("finding: tear", "denied")),
        ("Bending films show the L4 vertebra slipping 6 mm.",
         ("finding: instability", "affirmed"), ("finding: instability", "denied")),
        ("Bending X-rays show no slipping or extra movement.",
         ("finding: instability", "denied"), ("finding: instability", "affirmed")),
        ("EMG of the right arm was normal.",
         ("nerve study: radiculopathy", "denied"), ("nerve study: radiculopathy", "affirmed")),
        ("EMG of the legs showed an L5 radiculopathy.",
         ("nerve study: radiculopathy", "affirmed"), ("nerve study: radiculopathy", "denied")),
        ("XR R shoulder neg.", ("finding: normal", "affirmed"), ("xray", "affirmed")),
        ("MRI of the knee was requested.", ("mri", "planned"), ("mri", "affirmed")),
        ("There was no MRI of the knee.", ("mri", "denied"), ("mri", "affirmed")),
        ("He slipped and fell on the ramp.", ("trauma", "affirmed"), ("trauma", "denied")),
        ("Her pain fell to 3/10.", ("", ""), ("trauma", "affirmed")),
        ("Plan: right L4-5 TFESI with fluoro.", ("fluoroscopy", "planned"), ("mri", "planned")),
        ("MRI of the hip: a signal which may represent a partial tear.",
         ("mri", "abnormal"), ("finding: tear", "affirmed")),
        ("MRI of the hip showed no labral tear. Her own reading of the MRI showed a labral tear.",
         ("finding: tear", "denied"), ("finding: tear", "affirmed")),
        ("His own reading of the MRI showed a labral tear.",
         ("finding: tear", "affirmed"), ("finding: tear", "denied")),
        ("She was diagnosed as having a lumbar disc protrusion.",
         ("", ""), ("nerve: herniation", "affirmed")),
    ],
)  # fmt: skip
def test_polarity(text: str, there: tuple[str, str], not_there: tuple[str, str]) -> None:
    found = said(text)
    assert there in found or there == ("", "")
    assert not_there not in found


@pytest.mark.parametrize(
    ("text", "finding", "degree"),
    [
        ("X-rays of the knee show severe narrowing.", "stenosis", "severe"),
        ("MRI of the shoulder showed mild tendinosis.", "tendinosis", "mild"),
        ("MRI of the shoulder showed a full-thickness supraspinatus tear.", "tear", "severe"),
        ("MRI of the shoulder showed a tear.", "tear", None),
        ("X-rays showed well-kept joint spaces with small spurs.", "degeneration", "mild"),
    ],
)
def test_degree(text: str, finding: str, degree: str | None) -> None:
    degrees = [s.degree for s in told(text) if s.concept == f"finding: {finding}"]
    assert degrees == [degree]


def test_a_finding_is_of_the_study_that_showed_it() -> None:
    text = "MRI of the left knee showed a tear. X-rays of the right wrist showed no fracture."
    places = {s.concept: s.regions for s in told(text) if s.concept.startswith("finding")}
    assert places == {"finding: tear": ("knee",), "finding: fracture": ("wrist",)}


@pytest.mark.parametrize(
    ("text", "concept", "polarity"),
    [
        ("She never had PT for the wrist.", "physical_therapy", "denied"),
        ("He is thinking of surgery but has not had it.", "surgery", "denied"),
        ("He finished twelve therapy visits.", "physical_therapy", "affirmed"),
        ("The plan is eight therapy visits.", "physical_therapy", "planned"),
    ],
)
def test_care_had_or_not(text: str, concept: str, polarity: str) -> None:
    found = [s for s in statements(read_summary(text)) if s.subject == "treatment"]
    assert [(s.concept, s.polarity) for s in found] == [(concept, polarity)]


@pytest.mark.parametrize(
    ("text", "count"),
    [("Chiro x14 last year.", 14), ("PT x 6 weeks.", None), ("A left L4-5 ESI in May.", None),
     ("She attended 30 therapy visits.", 30)],
)  # fmt: skip
def test_counts(text: str, count: int | None) -> None:
    found = [s.count for s in statements(read_summary(text)) if s.subject == "treatment"]
    assert found == [count]


@pytest.mark.parametrize(
    ("title", "had"),
    [("CT of the head", True), ("Retrospective CT of the head (DOS 1/5/2017)", None)],
)
def test_a_retrospective_study_is_none_before_itself(title: str, had: bool | None) -> None:
    row = row_of(
        "A CT of the head was normal on 1/5/2017.",
        Item(
            0,
            title,
            title,
            category="Diagnostic Testing",
            subcategory="CT/MRI/PET Scans",
            body_parts=("head",),
        ),
    )
    assert row["same_test_had"] is had


@pytest.mark.parametrize(
    ("title", "taken"),
    [("Retrospective CT of the neck (DOS 1/5/2017)", None), ("CT of the neck", True)],
)
def test_what_is_asked_for_in_retrospect_is_no_study_before(title: str, taken: bool | None) -> None:
    item = Item(0, title, title, category="Diagnostic Testing", body_parts=("cervical spine",))
    row = row_of("CT of the neck of 1/5/2017 showed a fracture.", item)
    assert (row["advanced_study_taken"], row["lesion_imaged"]) == (taken, taken)
    assert row["imaging_of_requested_part"] is bool(taken)


KNEE = "Right knee arthroscopy"


@pytest.mark.parametrize(
    ("summary", "fact", "value"),
    [
        # Plain films show no meniscus.
        ("X-rays of the right knee were normal.", "repairable_lesion", None),
        ("MRI of the right knee was normal.", "repairable_lesion", False),
        # A finding is of the side of its study.
        ("MRI of the left knee showed swelling. There is a torn tendon at the patella.",
         "repairable_lesion", None),
        ("MRI of the right knee showed swelling. There is a torn tendon at the patella.",
         "repairable_lesion", True),
        ("X-rays of the right knee showed mild arthrosis.", "lesion_imaged", None),
        ("X-rays of the right knee showed mild arthrosis and a fracture.", "lesion_imaged", True),
        ("MRI of the left knee showed a tear.", "imaging_of_requested_part", False),
        ("MRI of the left knee and the right knee was done.", "imaging_of_requested_part", True),
    ],
)  # fmt: skip
def test_what_a_study_says_of_a_knee(summary: str, fact: str, value: bool | None) -> None:
    item = Item(0, KNEE, KNEE, category="Surgery", body_parts=("knee",))
    assert row_of(summary, item)[fact] is value


def test_films_that_name_no_region_are_of_the_region_of_the_case() -> None:
    item = Item(0, "Chest x-ray", "Chest x-ray", body_parts=("chest",))
    films = "Films were taken; x-rays showed a spur."
    assert row_of(f"The shoulder is sore. {films}", item)["same_test_had"] is None
    assert row_of(f"The chest is sore. {films}", item)["same_test_had"] is True
