"""What a physician must see today: said of the patient, now, and by the record."""

from __future__ import annotations

import pytest

from imr.features.context import read_summary
from imr.features.table import urgent

CAUDA = "Signs of cauda equina: bladder or bowel or the saddle area"
SUICIDE = "Thoughts of suicide or self-harm"
LEGS = "Weakness and numbness of both legs"
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
        ("He is incontinent of stool since Monday.", CAUDA),
        ("She could not hold her urine on the way home.", CAUDA),
        ("He is able to hold his urine.", None),
        ("Back pain goes down both legs, with numbness and weakness in both legs.", LEGS),
        ("She has new weakness of both legs.", "New weakness of both legs"),
        ("There is weakness and numbness of both arms.", None),
        ("He denies weakness and numbness of both legs.", None),
        ("He has weakness of both legs but no numbness.", None),
    ],
)
def test_what_is_urgent(said: str, expected: str | None) -> None:
    summary = read_summary(f"The injured worker is a 40-year-old man. {said} He takes ibuprofen.")
    found = urgent(summary)
    assert [one.text for one in found] == [expected] * (expected is not None)
    for one in found:
        assert summary.text[one.quote.start : one.quote.end] == one.quote.quote
        assert one.quote.quote in said


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("A wound infection is diagnosed. On the last visit there is no sign of infection.", []),
        ("CT showed an abscess of the thigh. This was drained in the ward.", []),
        ("She had an abscess of the thigh. Later the abscess was drained.", []),
        ("There was no sign of infection. In June the wound is infected.", ["An infection"]),
        ("He lost control of his bladder. He denies fever.", [CAUDA]),
    ],
)
def test_what_is_over_is_not_urgent(said: str, expected: list[str]) -> None:
    """What a later sentence denies or tells to be gone; another finding denied leaves it."""
    assert [one.text for one in urgent(read_summary(said))] == expected
