"""What stands against manipulation, needles, massage or the pool, and exercise on land."""

import pytest

from imr.data.letter import Item
from imr.data.records import RawRecord, letter_from_record
from tests.features.case_files import fact_of

SAID: list[tuple[str, str, str, bool | None]] = [
    ("Chiropractic 2 x 3, lumbar spine", "A T-score of -3.4 was measured.", "therapy_hazard", True),
    ("Chiropractic 2 x 3, lumbar spine", "A T-score of -1.1 was measured.", "therapy_hazard", None),
    ("Acupuncture x 6, lumbar spine", "A T-score of -3.4 was measured.", "therapy_hazard", None),
    ("Acupuncture x 6, lumbar spine", "Platelets fell to 31,000.", "therapy_hazard", True),
    ("Acupuncture x 6, lumbar spine", "He has had no fear of needles.", "therapy_hazard", None),
    ("Massage x 6, lumbar spine", "Two massages left her in bed.", "therapy_hazard", True),
    ("Massage x 6, lumbar spine", "Two massages eased the spasm.", "therapy_hazard", None),
    ("Aquatic therapy x 8, left knee", "The incision is still draining.", "therapy_hazard", True),
    ("Aquatic therapy x 8, left knee", "He jogs daily.", "land_exercise", True),
    ("Aquatic therapy x 8, left knee", "Land exercise was too painful.", "land_exercise", False),
    ("Physical therapy x 8, left knee", "He jogs daily.", "land_exercise", None),
]


def items_of_request(title: str) -> Item:
    record = {"letter_id": "own", "case_summary": title, "items": [{"title": title}]}
    return letter_from_record(RawRecord("0", record)).case.items[0]


@pytest.mark.parametrize(("request_text", "text", "fact", "value"), SAID)
def test_what_stands_against_a_therapy(
    request_text: str, text: str, fact: str, value: bool | None
) -> None:
    item = items_of_request(request_text)
    assert fact_of(text, item, fact) is value
