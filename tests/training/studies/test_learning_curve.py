"""The learning curve: measured on smaller parts, extended beyond, and said in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imr.training.contenders import LETTERS_ALONE
from imr.training.metrics import Draws
from imr.training.report.tables import model_card, remarks
from imr.training.studies import importance as curve
from imr.training.studies.importance import CURVE_FIGURES, EXTRAPOLATED_LETTERS, learning_curve

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows(evaluation):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curve, "POINTS", 2)
        draws = Draws.of(evaluation.sample, evaluation.predictions, 60, 1)
        return learning_curve(draws, evaluation.folds[0], evaluation.config)


def test_sizes_are_measured_and_only_beyond_them_extrapolated(rows, evaluation):
    letters = evaluation.facts["letters"]
    for name in CURVE_FIGURES:
        own = [row for row in rows if row.metric == name]
        assert [row.measured for row in own] == [True, True, False, False]
        assert [row.letters for row in own[2:]] == list(EXTRAPOLATED_LETTERS)
        assert 0 < own[0].letters < own[1].letters < letters
        assert all(row.value.low <= row.value.high for row in own)


def test_the_largest_size_is_the_protocol_itself(rows, evaluation):
    largest = {row.metric: row.value.value for row in rows if row.measured}
    assert largest["auc"] == pytest.approx(evaluation.figure("outcome", "auc").value)
    assert largest["section_top1"] == pytest.approx(
        evaluation.figure("guideline", "section_top1").value
    )
    learned = evaluation.figure("outcome", "auc", LETTERS_ALONE).value
    assert largest["auc_letters_alone"] == pytest.approx(learned)


def test_the_line_says_that_nobody_measured_it(rows, evaluation):
    extended = replace(evaluation, studies=replace(evaluation.studies, learning_curve=rows))
    said = remarks(extended)[-1]
    last = max(row.letters for row in rows if row.measured)
    assert said.startswith("With 10,000 letters like these: AUC ")
    assert f"extrapolated from {last} training letters" in said
    card = model_card(extended)
    assert said in card
    assert "10000 (extrapolated, not measured)" in card
