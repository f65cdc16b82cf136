"""What a physician must see today: said of the patient, now, and by the record."""

from __future__ import annotations

import pytest

from imr.features.context import read_summary
from imr.features.table import urgent

CAUDA = "Signs of cauda equina: bladder or bowel or the saddle area"
SUICIDE = "Thoughts of suicide or self-harm"
FRACTURE = "An unstable or open fracture"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Bladder incontinence began two days ago.", CAUDA),
        ("He lost control of his bladder yesterday and has saddle numbness.", CAUDA),
        ("MRI shows cauda equina compression.", CAUDA),
        ("There is no bowel or bladder incontinence.", None),
        ("She leaks urine when she coughs.", None),
        ("She reports suicidal ideation.", SUICIDE),
        ("His wife says he wants to end his life.", SUICIDE),
        ("He denies suicidal ideation.", None),
        ("She attempted suicide in 2009.", None),
        ("His brother died by suicide.", None),
        ("Tenderness of the L SI, FABER is positive.", None),
        ("The wound is infected with purulent drainage.", "An infection"),
        ("The infection has resolved.", None),
        ("A deep abscess was drained on September 14, 2016.", None),
        ("Fever of 102 with redness of the wound.", "Fever"),
        ("His only other drug is for hay fever.", None),
        ("If fever develops, he should return.", None),
        ("He has a new left foot drop since last Friday.", "A new foot drop"),
        ("He has a chronic foot drop.", None),
        ("CT shows an unstable burst fracture of L1.", FRACTURE),
        ("The fracture of the wrist is stable.", None),
        ("DVT of the left calf was found on ultrasound.", "A blood clot in a vein or the lung"),
        ("DVT prophylaxis is requested.", None),
        (
            "Since late October he has had increasing headache and confusion.",
            "Warning signs after a head injury",
        ),
        ("Gabapentin was stopped for confusion.", None),
    ],
)
def test_what_is_urgent(said: str, expected: str | None) -> None:
    summary = read_summary(f"The injured worker is a 40-year-old man. {said} He takes ibuprofen.")
    found = urgent(summary)
    assert [one.text for one in found] == [expected] * (expected is not None)
    for one in found:
        assert summary.text[one.quote.start : one.quote.end] == one.quote.quote
        assert one.quote.quote in said
