"""Is what is documented what the request is for?  The table, and judgements on our own cases."""

from __future__ import annotations

import pytest

from imr.data.letter import Item
from imr.data.request import classify
from imr.features.families.diagnosis import NAMED_BY_REQUEST, indications
from imr.features.table import all_columns
from tests.features.case_files import row_of

NAMES = {column.name for column in all_columns()}


def _asked(requested: str) -> Item:
    known = classify(requested)
    return Item(
        0,
        requested,
        requested,
        category=known.category,
        subcategory=known.subcategory,
        body_parts=known.body_parts,
        terms=known.terms,
    )


@pytest.mark.parametrize("row", indications(), ids=lambda row: row.id)
def test_a_row_reads_known_signals_and_names_its_source(row: object) -> None:
    conditions = (row.when, row.indicated_if)  # type: ignore[attr-defined]
    read = {term.name for c in conditions for terms in c for term in terms}
    assert read
    assert read <= NAMES | set(NAMED_BY_REQUEST)
    assert row.source  # type: ignore[attr-defined]
    assert row.text  # type: ignore[attr-defined]


def test_ids_are_unique() -> None:
    assert len({row.id for row in indications()}) == len(indications())


@pytest.mark.parametrize(
    ("requested", "summary", "row", "documented"),
    [
        ("Left carpal tunnel release", "Carpal tunnel syndrome; Tinel's is positive.", True, True),
        ("Left carpal tunnel release", "The left wrist is sore.", True, False),
        ("Omeprazole 20 mg #60", "She has gastritis from naproxen.", True, True),
        ("Omeprazole 20 mg #60", "She denies gastritis.", True, False),
        ("MRI of the lumbar spine", "Strength of the EHL is 3/5, with a foot drop.", True, True),
        ("MRI of the lumbar spine", "The lumbar spine is tender.", True, False),
        ("X-ray of the skull", "He has a scalp contusion and headaches.", True, False),
        ("Shower chair", "She is unsteady and fell twice.", True, True),
        ("Fanatrex oral suspension 420 ml", "She has a radiculopathy.", False, False),
        ("Interpreter", "The lumbar spine is tender.", False, False),
        ("Gloves", "He broke his tibia and was operated on.", True, False),
        ("Wipes", "The open wound of the shin drains.", True, True),
        ("Physical therapy 6 visits, shoulder", "Frozen left shoulder.", True, True),
        ("Physical therapy 6 visits, lumbar spine", "He had a knee arthroscopy.", True, False),
        ("Bone scan of the foot", "The foot burns and is swollen. Neuropathic pain.", True, True),
        ("Docusate 100 mg #60", "Plan: Norco after the hernia repair.", True, True),
        ("Blood test for testosterone", "The lumbar spine is tender.", True, False),
        ("Heating pad, low back", "He strained his back.", True, False),
        ("Neurolytic injection, lumbar spine", "Metastatic cancer of the spine.", True, True),
        ("Neurolytic injection, lumbar spine", "He has a radiculopathy.", True, False),
        ("Blood test for testosterone", "He takes naproxen; diabetes.", True, False),
        ("Testosterone level", "Low libido for a year.", True, True),
        ("Crown, tooth #19", "The lumbar spine is tender.", True, False),
        ("Crown, tooth #19", "He fell and chipped two teeth.", True, True),
        ("Ophthalmology consultation", "She has no visual complaint.", True, False),
        ("Allergist consultation", "Hives after the latex gloves.", True, True),
        ("Cardiology consultation", "Sprain of the knee, severe tear on MRI.", True, False),
        ("Umbilical hernia repair", "There is an inguinal hernia.", True, False),
        ("Right inguinal hernia repair", "There is an inguinal hernia.", True, True),
        ("CT of the lumbar spine", "Foot drop and a positive straight leg raise.", True, False),
        ("CT of the lumbar spine", "She broke L1 in the fall. L1 fracture on films.", True, True),
        ("Post-injection physical therapy, neck", "Neck spasm; no injection given.", True, False),
        ("Acetaminophen 500 mg #60", "The knee hurts all day.", True, True),
        ("Gym membership", "The knee hurts all day.", True, False),
        ("Weight loss program", "A thumb wound.", True, False),
    ],
)
def test_documented(requested: str, summary: str, row: bool, documented: bool) -> None:
    found = row_of(summary, _asked(requested))
    assert (found["indication"] is not None) is row
    assert found["indication_documented"] is (documented if row else None)
