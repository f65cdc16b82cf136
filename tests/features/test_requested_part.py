"""What a summary says of the requested region counts for it; what it says of another does not."""

from __future__ import annotations

import pytest

from imr.data.letter import Item
from imr.data.records import RawRecord, letter_from_record
from imr.features.table import signals
from tests.features.case_files import row_of, undecided

ELBOW = Item(0, "MRI of the elbow", "MRI of the elbow", body_parts=("elbow",))


def item_of(title: str) -> Item:
    record = {"letter_id": "x", "case_summary": title, "items": [{"title": title}]}
    return letter_from_record(RawRecord("x", record)).case.items[0]


NO_PART = Item(0, "Ibuprofen", "Ibuprofen")


@pytest.mark.parametrize(
    ("summary", "findings", "diagnosis", "complaint"),
    [
        ("The elbow is tender and swollen.", 2, False, False),
        ("The elbow is fractured.", 0, True, False),
        ("He has lateral epicondylitis of the elbow.", 0, True, False),
        ("He complains of elbow pain.", 0, False, True),
        ("The foot is fractured and swollen. The elbow is well.", 0, False, False),
        ("The foot is fractured.", 0, False, False),
        ("There is no tenderness of the elbow.", 0, False, False),
        ("Elbow: full motion. There was tenderness, and Cozen's was positive.", 2, False, False),
        ("The elbow has some discomfort. The wrist is tender.", 0, False, True),
    ],
)
def test_of_the_requested_region(
    summary: str, findings: int, diagnosis: bool, complaint: bool
) -> None:
    found = row_of(summary, ELBOW)
    assert found["requested_part_findings"] == findings
    assert found["requested_part_diagnosis"] is diagnosis
    assert found["requested_part_complaint"] is complaint


def test_a_request_without_a_region_has_none() -> None:
    found = row_of("The elbow is tender.", NO_PART)
    assert found["requested_part_findings"] is None
    assert found["requested_part_diagnosis"] is None


def test_a_service_takes_over_what_its_operation_rests_on() -> None:
    release = Item(
        0,
        "Carpal tunnel release",
        "Carpal tunnel release",
        category="Surgery",
        subcategory="Non-arthroscopic Surgery",
        body_parts=("wrist",),
        terms=("nerve decompression",),
    )
    sling = Item(
        1,
        "Associated surgical service: sling",
        "Associated surgical service: sling",
        category="Surgery",
        subcategory="Adjunct Surgical Services",
        terms=("associated surgical service",),
    )
    rows = signals(undecided("Carpal tunnel syndrome; Phalen's is positive.", release, sling)).rows
    assert [row["operation_indicated"] for row in rows] == [None, True]
    rows = signals(undecided("The wrist is sore.", release, sling)).rows
    assert [row["operation_indicated"] for row in rows] == [None, False]
    (alone,) = signals(undecided("Phalen's is positive.", sling)).rows
    assert alone["operation_indicated"] is None


def test_signs_of_the_spine_are_none_of_an_ear() -> None:
    aids, brace = (
        Item(0, title, title, category="DMEPOS", subcategory="DME")
        for title in ("Bilateral hearing aids", "A brace")
    )
    assert row_of("The spine is not tender.", brace)["sign_tenderness_here"] is False
    assert row_of("The spine is not tender.", aids)["sign_tenderness_here"] is None


@pytest.mark.parametrize(
    ("summary", "column", "value"),
    [
        # The report of a scan decides over a list of diagnoses.
        ("Dx: labral tear of the shoulder. MRI of the shoulder showed no labral tear.",
         "labral_tear", False),
        ("Dx: labral tear of the shoulder. MRI of the shoulder showed swelling.",
         "labral_tear", True),
        # What the last note says of an infection holds.
        ("Dx: infection of the shoulder. On exam there is no infection of the shoulder.",
         "infection", False),
        ("There was no infection of the shoulder. Today there is infection of the shoulder.",
         "infection", True),
        ("The infraspinatus and supraspinatus tendinitis test was positive.",
         "shoulder_impingement", None),
        ("Diagnoses: labral tear, possible biceps rupture.", "labral_tear", True),
        ("Diagnoses: labral tear, rule out.", "labral_tear", None),
        ("Diagnoses: shoulder strain and unspecified vertebral fracture.", "fracture", None),
        ("Diagnoses: shoulder strain and fracture.", "fracture", True),
        # Each item of a list is of its own region; one without a region may be of any of them.
        ("Diagnoses: sprain of the capsule of the knee, pain of the shoulder.",
         "sprain_strain", None),
        ("Diagnoses: strain of the muscles of the neck, back and shoulder.",
         "sprain_strain", True),
        ("Diagnoses: shoulder pain, low back strain and a contusion.", "contusion", True),
        ("Diagnoses: sprain of the knee, shoulder pain.", "sprain_strain", None),
        ("Diagnoses: shoulder sprain, closed fracture of a bone of the foot.", "fracture", None),
        # A crush may leave the skin whole; a hernia is of the abdomen.
        ("Crush injury of the shoulder.", "open_wound", None),
        ("Crush injury of the shoulder.", "crush_injury", True),
        ("Ventral hernia. Shoulder pain.", "hernia", None),
        # A structure is sound, not the nerves that pass by it.
        ("The shoulder was examined: the supraspinatus tendon was intact.", "sound", True),
        ("The shoulder was examined: sensation was intact.", "sound", None),
        ("Shoulder pain. Her condition is stable.", "sound", None),
        ("Signal of the rotator cuff consistent with at least a partial tear.",
         "rotator_cuff_tear", True),
    ],
)  # fmt: skip
def test_what_decides_a_diagnosis(summary: str, column: str, value: bool | None) -> None:
    shoulder = Item(0, "MRI of the shoulder", "MRI of the shoulder", body_parts=("shoulder",))
    assert row_of(summary, shoulder)[f"diagnosis_{column}_here"] is value


@pytest.mark.parametrize(
    ("summary", "request_", "not_told", "complaint"),
    [
        ("She has left wrist pain. The wrist is tender.", "X-ray of the right wrist", True, False),
        ("She has left wrist pain. The wrist is tender.", "X-ray of the left wrist", False, True),
        ("She has left wrist pain.", "X-ray of both wrists", True, True),
        ("She has pain in the wrists.", "X-ray of both wrists", False, True),
        ("She has wrist pain. She is right hand dominant.", "X-ray of the left wrist", None, True),
        ("He may not lift with the left arm. The shoulder hurts.", "MRI of the right shoulder",
         True, False),
        ("Pain in the left shoulder and the right knee.", "MRI of the right knee", False, True),
    ],
)  # fmt: skip
def test_of_the_other_side(
    summary: str, request_: str, not_told: bool | None, complaint: bool
) -> None:
    found = row_of(summary, item_of(request_))
    assert found["side_not_told"] is not_told
    assert found["requested_part_complaint"] is complaint
    if not_told and "tender" in summary:
        assert found["sign_tenderness_here"] is None


@pytest.mark.parametrize(
    ("summary", "request_", "not_told"),
    [
        ("The neck hurts.", "Chiropractic for the neck and the knee", True),
        ("The neck and the knee hurt.", "Chiropractic for the neck and the knee", False),
        ("The low back pain goes down the leg.", "EMG of the lower extremities", False),
        ("No tenderness of the knee.", "Chiropractic for the knee", False),
        ("The neck hurts.", "Pre-operative chest x-ray", None),
    ],
)
def test_parts_of_which_nothing_is_told(summary: str, request_: str, not_told: bool | None) -> None:
    assert row_of(summary, item_of(request_))["part_not_told"] is not_told


@pytest.mark.parametrize(
    ("summary", "title", "parts", "column", "value"),
    [
        ("A left inguinal hernia was felt.", "Therapy, groin", ("groin",), "diagnosis_hernia_here",
         True),
        ("A hiatal hernia is known.", "Therapy, groin", ("groin",), "diagnosis_hernia_here", None),
        ("Tenderness over the carpal tunnel.", "Wrist brace", ("wrist",),
         "diagnosis_carpal_tunnel_here", None),
        ("Tendinopathy of the lateral epicondyle.", "Elbow strap", ("elbow",),
         "diagnosis_epicondylitis_here", True),
        ("The third metatarsal was still very tender.", "X-ray of the foot", ("foot",),
         "fracture_suspected", True),
        ("Contusion of the knee.", "Tramadol", (), "head_injured", None),
        ("Laceration of the scalp.", "MRI of the neck", ("cervical spine",), "head_injured", True),
        # A film of the neck shows no forearm.
        ("X-rays of the neck showed no fracture.", "X-ray of the forearm", ("forearm",),
         "films_taken", None),
    ],
)  # fmt: skip
def test_what_is_said_of_a_part(
    summary: str, title: str, parts: tuple[str, ...], column: str, value: bool | None
) -> None:
    assert row_of(summary, Item(0, title, title, body_parts=parts))[column] is value


def test_a_study_of_the_other_side_is_none_of_the_requested_part() -> None:
    title = "MRI of the left hip"
    item = Item(0, title, title, body_parts=("hip",))
    told = "MRI of the right hip showed a cyst. The MRI was read again."
    assert row_of(told, item)["imaging_of_requested_part"] is False
    assert row_of("MRI of the hip showed a cyst.", item)["imaging_of_requested_part"] is True


@pytest.mark.parametrize(
    ("summary", "normal"),
    [
        ("Strength of the legs is 5/5.", True),
        ("Strength of the legs is 5/5. Sensation is decreased in the left leg.", False),
        ("Strength of the arms is 4/5. Sensation of the legs is intact.", True),
    ],
)
def test_nerves_are_sound_where_none_fails(summary: str, normal: bool) -> None:
    """A deficit of the same region speaks against it, one of another does not."""
    row = row_of(summary, item_of("MRI of the lumbar spine"))
    assert row["sign_normal_neurology_here"] is normal


def test_what_is_denied_is_no_quote_of_what_is_there() -> None:
    """Numbness that is denied of the arm and told of the thumb."""
    record = {
        "letter_id": "x",
        "case_summary": "No numbness of the left arm is noted. He has tingling of the left thumb.",
        "items": [{"title": "EMG of the left upper extremity"}],
    }
    found = signals(letter_from_record(RawRecord("x", record)).case)
    assert found.rows[0]["complaint_numbness_here"] is True
    told = [e.quote for e in found.evidence if e.signal == "complaint_numbness_here"]
    assert told == ["tingling"]


RELAXANT = Item(
    0, "Baclofen", "Baclofen", category="Pharmaceuticals", subcategory="Muscle Relaxant"
)
VIAGRA = Item(
    0, "Viagra", "Viagra", category="Pharmaceuticals", subcategory="Other", terms=("sildenafil",)
)
DICLOFENAC = Item(
    0,
    "Diclofenac gel",
    "Diclofenac gel",
    category="Pharmaceuticals",
    subcategory="Topical Analgesics",
    terms=("diclofenac",),
)


@pytest.mark.parametrize(
    ("summary", "item", "signal", "value"),
    [
        ("There is spasm of the neck.", RELAXANT, "indication_documented", True),
        ("She takes lisinopril.", VIAGRA, "same_class_taken", False),
        ("She takes Viagra.", VIAGRA, "same_class_taken", True),
        ("She is to receive a brace and a topical cream.", DICLOFENAC, "request_told", True),
        ("She is to receive a brace.", DICLOFENAC, "request_told", False),
    ],
)
def test_of_a_drug(summary: str, item: Item, signal: str, value: bool) -> None:
    """One reading of spasm; what has no class of its own shares none; a class by its name."""
    assert row_of(summary, item)[signal] is value
