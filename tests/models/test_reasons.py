"""Every fact has words for a person, for when it is said and for when its contrary is."""

from __future__ import annotations

from imr.features.families.facts import FACTS
from imr.models.reasons import _fact_texts


def test_every_fact_has_words_for_it_and_for_its_contrary() -> None:
    texts = _fact_texts()
    assert set(FACTS) <= set(texts)
    assert all(said and contrary and said != contrary for said, contrary in texts.values())
