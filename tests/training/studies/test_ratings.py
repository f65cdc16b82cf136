"""Agreement with blind raters: the figure itself, and when there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imr.training.studies.ratings import _weighted_correlation, correlation


@given(st.integers(0, 2**32), st.integers(5, 40))
def test_weighted_correlation_is_that_of_repeated_rows(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    one, other = random.normal(size=(2, n))
    weights = random.integers(0, 4, size=n)
    weights[:3] = 1
    repeated = np.repeat(np.arange(n), weights)
    found = _weighted_correlation(one, other, weights[None, :].astype(float))
    assert found[0] == pytest.approx(np.corrcoef(one[repeated], other[repeated])[0, 1])


def test_correlation_leaves_out_what_one_lacks() -> None:
    one = np.array([1.0, 2.0, np.nan, 4.0, 7.0])
    assert correlation(one, np.array([1.0, 2.0, 3.0, 4.0, 7.0])) == pytest.approx(1.0)


def test_letters_that_nobody_rated_have_no_report(evaluation) -> None:
    assert evaluation.studies.raters is None
    assert "Three language models" not in evaluation.text()
