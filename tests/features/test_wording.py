"""The log odds of an item by the terms of its summary and request."""

from __future__ import annotations

import pytest

from imr.data.letter import Item
from imr.features.context import read_summary
from imr.features.families.wording import log_odds_of, shipped, terms_of

_SUMMARY = read_summary(
    "The worker has low back pain and a positive straight leg raise on the left. Naproxen gave "
    "partial relief. Six visits of physical therapy failed. The left knee is swollen and tender."
)


@pytest.mark.parametrize(
    ("title", "subcategory", "parts"),
    [
        ("MRI of the lumbar spine", "CT/MRI/PET Scans", ("lumbar spine",)),
        ("Physical therapy for the left knee", "Physical Therapy", ("knee",)),
        ("Naproxen 550 mg #60", "NSAID", ()),
        ("Something unheard of", None, ()),
    ],
)
def test_the_log_odds_of_an_item_are_those_of_its_terms(
    title: str, subcategory: str | None, parts: tuple[str, ...]
) -> None:
    item = Item(0, title, title, subcategory=subcategory, body_parts=parts)
    by_terms = shipped().log_odds(terms_of(_SUMMARY, item))
    assert by_terms != shipped().intercept
    assert log_odds_of(_SUMMARY, item) == pytest.approx(by_terms, abs=1e-9)
