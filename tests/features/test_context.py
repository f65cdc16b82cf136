"""Sentences and the scope of a mention."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imr.features.context import read_summary


def _qualifier(text: str, family: str = "imaging") -> str:
    mentions = read_summary(text).mentions(family)
    assert len(mentions) == 1
    return mentions[0].qualifier


@pytest.mark.parametrize(
    ("text", "qualifier"),
    [
        ("An MRI showed a tear.", "affirmed"),
        ("A prior MRI showed a tear.", "historical"),
        ("No MRI was on file.", "negated"),
        ("He did not undergo an MRI.", "negated"),
        ("An MRI was never done.", "negated"),
        ("An MRI is recommended.", "requested"),
        ("He was scheduled for an MRI.", "requested"),
        ("Authorization for acupuncture and an MRI.", "requested"),
        ("If needed, an MRI follows.", "hypothetical"),
        ("The guidelines recommend an MRI for red flags.", "quoted_guideline"),
        ("Utilization review denied the MRI.", "denied_by_ur"),
        ("The MRI was denied due to a lack of red flags.", "denied_by_ur"),
        ("An MRI, per the claims administrator, showed a tear.", "affirmed"),
        ("He denies fever but an MRI showed a tear.", "affirmed"),
        ("There was no weakness; an MRI showed a tear.", "affirmed"),
        ("Therapy was requested. An MRI showed a tear.", "affirmed"),
        ("The MRI showed a tear and surgery was requested.", "affirmed"),
        ("His brother had an MRI.", "other_person"),
        ("The doctor asks for an MRI.", "requested"),
        ("At issue is an MRI.", "requested"),
        ("An MRI will be done.", "requested"),
        ("An MRI was discussed.", "requested"),
        ("The MRI findings were discussed.", "affirmed"),
        ("Future medical care allows for an MRI.", "requested"),
        ("The hope is for an MRI.", "hypothetical"),
        ("The guidelines call for an MRI.", "quoted_guideline"),
    ],
)
def test_the_scope_of_a_mention(text: str, qualifier: str) -> None:
    assert _qualifier(text) == qualifier


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One stands here. Two stands here.", 2),
        ("Hurt on 10-18-2016.The knee is sore.", 2),
        ("Seen by Dr. Doe vs. others.", 1),
        ("Weight 7.5 kg, e.g. light.", 1),
        ("MRI (right elbow).The review followed.", 2),
        ("", 1),
    ],
)
def test_sentences(text: str, sentences: int) -> None:
    bounds = [b for b in read_summary(text).bounds if b < len(text) or b == 0]
    assert len(bounds) == sentences


@given(st.text())
def test_any_text_is_read_without_moving_an_offset(text: str) -> None:
    summary = read_summary(text)
    assert len(summary.lower) == len(text)
    assert summary.bounds == sorted(summary.bounds)
    for mention in summary.mentions("date"):
        assert text[mention.start : mention.end] == mention.text
