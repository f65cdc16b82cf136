"""The request's own fields: levels, side, course, strength and flags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imr.data.letter import Item
from imr.data.request import item_of_heading
from imr.features.families.request import build_item, region, spinal_levels
from imr.features.signal import Value, listed
from imr.features.table import signals
from tests.features.case_files import undecided


def row(requested: str, **known: object) -> dict[str, Value]:
    return signals(undecided("", Item(0, requested, requested, **known))).rows[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("Epidural steroid injection L4-5", ("L4-L5",)),
        ("Epidural steroid injection at L4-L5 and L5-S1", ("L4-L5", "L5-S1")),
        ("Fusion L4-S1", ("L4-L5", "L5-S1")),
        ("Block at L5-1", ("L5-S1",)),
        ("Injection C7-T1", ("C7-T1",)),
        ("L1, L2 and L3 injections", ("L1", "L2", "L3")),
        ("Facet blocks C3-4, C4-5", ("C3-C4", "C4-C5")),
        ("MRI of the knee", ()),
        ("Tramadol 50mg", ()),
        ("Injection at L9", ()),
    ],
)
def test_spinal_levels(text: str, levels: tuple[str, ...]) -> None:
    assert spinal_levels(text) == levels


@pytest.mark.parametrize(
    ("text", "column", "value"),
    [
        ("Therapy 2-3 times a week for 5 weeks", "request_per_week", 3.0),
        ("Therapy 2-3 times a week for 5 weeks", "request_weeks", 5.0),
        ("Acupuncture once a week for four weeks", "request_per_week", 1.0),
        ("Therapy three times weekly", "request_per_week", 3.0),
        ("Hydrocodone 5/325mg #60", "request_per_week", None),
        ("Hydrocodone 5/325mg #60", "request_dose_mg", 5.0),
        ("Ibuprofen 600mg with 2 refills", "request_refills", 2.0),
        ("Ibuprofen 600mg", "request_refills", None),
        ("Cream of gabapentin 10%, baclofen 5%", "request_ingredients", 2.0),
        ("Cream of gabapentin 10%, baclofen 5%", "request_compound", True),
        ("Lidocaine 5% patch", "request_compound", False),
        ("MRI of the knee without contrast", "request_contrast", "without"),
        ("CT with contrast", "request_contrast", "with"),
        ("MRI of the knee", "request_contrast", None),
        ("Left knee brace", "request_side", "left"),
        ("X-rays of the left and right wrist", "request_side", "bilateral"),
        ("Bilateral wrist splints", "request_side", "bilateral"),
        ("Bilateral wrist splints", "request_bilateral", True),
        ("Lumbar support", "request_side", None),
        ("Retrospective ketorolac injection", "request_retrospective", True),
        ("Post-op therapy", "request_postoperative", True),
        ("Post-injection therapy", "request_postoperative", False),
        ("Post-injection therapy", "request_post_injection", True),
        ("Associated surgical service: sling", "request_associated_surgical", True),
        ("Injection under fluoroscopy with sedation", "request_fluoroscopy", True),
        ("Injection under fluoroscopy with sedation", "request_sedation", True),
        ("Additional chiropractic visits", "request_additional", True),
        ("Chiropractic visits", "request_additional", False),
        ("TENS unit trial", "request_trial", True),
        ("TENS unit purchase", "request_trial", False),
        ("Refill naproxen", "request_continuing", True),
        ("Repeat lumbar MRI", "request_repeat", True),
    ],
)
def test_what_a_request_says(text: str, column: str, value: Value) -> None:
    assert row(text)[column] == value


def printed(*titles: str, summary: str = "") -> list[dict[str, Value]]:
    """The rows of items with these headings, classed as those of a letter are."""
    items = [item_of_heading(index, title, None) for index, title in enumerate(titles)]
    return signals(undecided(summary, *items)).rows


@pytest.mark.parametrize(
    ("title", "term"),
    [
        ("Refill meloxicam", "meloxicam"),
        ("Three refills of tizanidine 4mg #30", "tizanidine"),
        ("Two refills of medication", "drug, unspecified"),
        ("Pre-op labs: BMP", "blood test"),
        ("Pre-op labs", "laboratory test, unspecified"),
        ("Pre-op urinalysis", "urinalysis"),
        ("Urinalysis for toxicology", "urine drug test"),
        ("Urinalysis, random drug screen", "urine drug test"),
        ("Associated surgical service: ECG", "heart test"),
        ("Associated surgical service: polar care unit", "cold therapy unit"),
        ("Associated surgical service: two knee wraps", "wraps and pads"),
        ("Associated surgical service: arm sling", "limb orthosis"),
        ("Associated surgical service: kit", "associated surgical service"),
        ("Right shoulder arthroscopy with labral repair", "shoulder repair"),
        ("Right hip arthroscopy with labral repair", "arthroscopy"),
        ("Wrist arthroscopy", "arthroscopy"),
        ("Caudal epidural injection by Racz catheter", "adhesiolysis"),
        ("Caudal epidural injection with catheter", "epidural steroid injection"),
        ("Cervical ESI C6-7 and facet block C4-5", "combined spinal injections"),
        ("Lumbar ESI for facet syndrome", "epidural steroid injection"),
        ("Diclofenac 1.5% solution", "diclofenac topical"),
        ("Diclofenac 50mg #60", "diclofenac"),
        ("Consultation with a podiatrist", "medical specialist"),
        ("Re-evaluation by physical medicine specialist", "office visit"),
        ("Physical medicine, 6 sessions", "physical therapy"),
        ("Pool therapy for the hip", "aquatic therapy"),
        ("Paraffin bath and mitts", "heat device"),
        ("Free testosterone level", "hormone test"),
        ("Diagnostic facet block", "facet joint injection"),
        ("Repair of left index FDS", "tendon surgery"),
        ("Repair of the left elbow", "surgery, unspecified"),
        ("L2-3 decompression and fusion", "spinal fusion"),
        ("Great toe fusion", "fracture surgery"),
        ("Trigger digit injection", "steroid injection"),
        ("Ankle injection", "injection, unspecified"),
    ],
)
def test_the_term_is_what_is_asked_for_above_all(title: str, term: str) -> None:
    assert printed(title)[0]["request_term"] == term


@pytest.mark.parametrize(
    ("title", "column", "value"),
    [
        ("Ketoprofen gel 100 mg/g", "request_dose_mg", None),
        ("Morphine liquid 10 mg per 5 ml", "request_dose_mg", None),
        ("Naproxen 500 mg, gel for the knee", "request_dose_mg", 500.0),
        ("TENS unit, daily use", "request_per_day", None),
        ("Morphine ER 15 mg #28 day supply: 14", "request_supply_days", 14.0),
        ("Naproxen 500 mg, 30 day supply, 2 refills", "request_supply_days", 90.0),
        ("Morphine ER 15 mg #28", "request_extended_release", True),
        ("Morphine 15 mg #28", "request_extended_release", False),
        ("ER visit", "request_extended_release", False),
        ("Bridge #12-#14", "quantity", None),
        ("Dental cleaning #2 visits", "quantity", 2.0),
        ("Naproxen 500 mg daily", "request_per_day", 1.0),
        ("Two refills of naproxen 500 mg daily #30", "request_supply_days", 60.0),
        ("Naproxen 500 mg daily #30 with two refills", "request_supply_days", 90.0),
        ("Acupuncture of the low back and the ankle", "request_body_part", "lumbar spine"),
        ("Acupuncture of the ankle and the low back", "request_body_part", "ankle"),
        ("Hand therapy, left elbow", "request_body_part", "elbow"),
    ],
)
def test_what_a_heading_says(title: str, column: str, value: Value) -> None:
    assert printed(title)[0][column] == value


@pytest.mark.parametrize(
    ("summary", "term"),
    [
        ("He will undergo a ventral hernia repair.", "hernia repair"),
        ("He had a ventral hernia repair in 2009.", None),
        ("He will undergo surgery.", None),
    ],
)
def test_what_goes_with_an_operation_names_the_one_that_is_planned(
    summary: str, term: str | None
) -> None:
    clearance, therapy = printed("Pre-op labs: CBC", "Acupuncture", summary=summary)
    assert (clearance["operation_term"], therapy["operation_term"]) == (term, None)


def test_a_bare_course_counts_only_where_sessions_are_asked_for() -> None:
    assert row("Therapy 2x6", quantity=12, quantity_unit="sessions")["request_weeks"] == 6.0
    assert row("Gauze 2x6")["request_weeks"] is None


def test_contract_columns_come_from_the_item() -> None:
    known = row(
        "x", category="Injection", subcategory="Facet Injection", quantity=2, quantity_unit="units"
    )
    names = ("category", "subcategory", "quantity", "quantity_unit")
    assert [known[name] for name in names] == ["Injection", "Facet Injection", 2.0, "units"]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("lumbar spine",), "spine"),
        (("knee", "lumbar spine"), "lower_limb"),
        (("hand",), "upper_limb"),
        (("head",), "head"),
        ((), None),
    ],
)
def test_region(parts: tuple[str, ...], name: str | None) -> None:
    assert region(parts) == name


@given(st.text(max_size=120))
def test_any_request_gives_every_column_with_quotes_in_place(text: str) -> None:
    case = undecided("", Item(0, text, text))
    found = build_item(None, case, case.items[0], {})  # type: ignore[arg-type]
    of_criteria = {"request_medication_management"}
    assert set(found.values) == {column.name for column in listed()["request"]} | of_criteria
    assert all(e.quote == text[e.start : e.end] for e in found.quoted)


@given(st.sampled_from(["left", "right"]), st.sampled_from(["knee", "shoulder", "wrist"]))
def test_changing_the_side_moves_the_side_only(side: str, part: str) -> None:
    other = {"left": "right", "right": "left"}[side]
    one, two = row(f"MRI of the {side} {part}"), row(f"MRI of the {other} {part}")
    assert {name for name in one if one[name] != two[name]} == {"request_side"}
