"""The grammar of conditions: what a text means, and what is refused."""

from __future__ import annotations

import pytest

from imr.features.condition import condition, holds

ROW = {"term": "a & b", "listed": "knee | lower leg", "flag": True, "contrary": False, "n": 6}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('term="a & b"', True),
        ('term="a | b" | n>=6', True),
        ('flag & term="a & b" & n<6', False),
        ("listed~knee", True),
        ("listed~lower leg & flag", True),
        ("listed~leg", False),
        ("unknown~knee", False),
        ("!contrary & !unknown", False),
        ("!contrary | unknown", True),
    ],
)
def test_what_a_condition_means(text: str, expected: bool) -> None:
    assert holds(condition(text), ROW) is expected


@pytest.mark.parametrize(
    "text", ['term="a', "term~", "Term=a", "a;b", "-request_body_part=knee", "!age>=50"]
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot read the term"):
        condition(text)
