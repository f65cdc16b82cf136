"""House styles: the probe finds a planted one, and the harm checks tell content from style."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from imr.training import metrics
from imr.training.contenders import (
    MODEL,
    STYLE,
    opening,
    stock_openings,
    style_of,
    style_probability,
)
from imr.training.decisions import sample
from imr.training.folds import Predictions
from imr.training.metrics import Draws
from imr.training.studies.slices import LEVELS_OUT, SCORE_OUT, houses, style_checks, style_study

FORMS = ("This case involves a person hurt in year {}.", "The worker fell in month {} of {}.")
ITEMS = 400


def _summaries(style: np.ndarray) -> list[str]:
    return [FORMS[s].format(i, i) for i, s in enumerate(style)]


def test_openings_leave_numbers_out_and_need_company():
    assert opening("The 41-year-old man fell.") == "the year old"
    many = ["This case involves a fall."] * 3 + ["This case involves two falls.", "He fell twice."]
    assert stock_openings(many) == ["this case involves"]
    assert style_of(["He fell twice.", many[0]], ["this case involves"]).tolist() == [
        "other",
        "this case involves",
    ]


def test_the_probe_finds_a_planted_style_and_nothing_where_there_is_none():
    random = np.random.default_rng(4)
    style = random.integers(2, size=ITEMS)
    y = random.random(ITEMS) < np.where(style == 0, 0.05, 0.6)
    summaries = _summaries(style)
    half = ITEMS // 2
    one = np.ones((1, half))

    def auc(train: list[str], test: list[str]) -> float:
        p = style_probability(train, y[:half].tolist(), test)
        return float(metrics.auc(y[half:].astype(float), p, one)[0])

    assert auc(summaries[:half], summaries[half:]) > 0.75
    mixed = _summaries(random.permutation(style))
    assert abs(auc(mixed[:half], mixed[half:]) - 0.5) < 0.12


def test_the_probe_knows_only_openings_that_its_training_letters_share():
    train = _summaries(np.zeros(20, dtype=int))
    assert stock_openings(train) == ["this case involves"]
    p = style_probability(train, [True, False] * 10, ["The worker fell.", "A person felled."])
    assert len(set(p.tolist())) == 1


def _draws(corpus, style: np.ndarray, p: np.ndarray, probe: np.ndarray | None, y: np.ndarray):
    """Draws over made predictions: one repeat of two folds, each item a letter."""
    rows = np.arange(ITEMS) % len(corpus.table)
    data = sample(corpus).part(rows)
    texts = pd.DataFrame({"case_summary": _summaries(style)})
    data = replace(data, y=y.astype(int), groups=np.arange(ITEMS), texts=texts)
    outcome = {MODEL: p[None, :]} | ({} if probe is None else {STYLE: probe[None, :]})
    fold = (np.arange(ITEMS) % 2)[None, :]
    return Draws.of(data, Predictions([], fold, outcome, {}, {}), 200, 1)


def _checks(draws: Draws, style: np.ndarray) -> dict[str, metrics.Estimate]:
    found = style_checks(draws, houses(_summaries(style)))
    return {row.check: row.value for row in found}


@pytest.fixture(scope="module")
def made() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """House style, content, and an outcome that hangs on both."""
    random = np.random.default_rng(9)
    style, content = random.integers(2, size=ITEMS), random.random(ITEMS)
    y = random.random(ITEMS) < np.where(style == 0, 0.1, 0.5) + 0.4 * (content > 0.6)
    return style, content, y


def test_a_model_that_knows_the_style_alone_is_found_out(corpus, made):
    style, _, y = made
    p = np.where(style == 0, 0.1, 0.5)
    found = _checks(_draws(corpus, style, p, p, y), style)
    assert found["AUC of the model"].low > 0.6
    assert found["AUC inside one style"].value == 0.5
    assert found["AUC, style levels out"].value == 0.5
    for lost in (LEVELS_OUT, SCORE_OUT, "lost inside one style"):
        assert found[lost].low > 0, lost


def test_a_model_that_knows_content_alone_loses_nothing(corpus, made):
    style, content, y = made
    p = 0.1 + 0.8 * content
    probe = np.where(style == 0, 0.1, 0.5)
    found = _checks(_draws(corpus, style, p, probe, y), style)
    assert found["AUC inside one style"].low > 0.6
    for lost in (LEVELS_OUT, SCORE_OUT):
        assert abs(found[lost].value) < 0.03, lost


def test_houses_are_lettered_and_hold_no_words(evaluation):
    study = evaluation.studies.style
    assert {row.house.split()[0] for row in study.houses} <= {"house", "other"}
    assert sum(row.items for row in study.houses) == evaluation.facts["tested_items"]
    for row in study.houses:
        assert row.too_high.value == pytest.approx(row.predicted - row.observed.value)
    checks = {row.check: row.value.value for row in study.checks}
    assert checks["AUC of the model"] == evaluation.figure("outcome", "auc").value
    assert checks["AUC of the style probe"] == evaluation.figure("outcome", "auc", STYLE).value
    assert "Does style carry the AUC?" in evaluation.text()


def test_without_texts_or_a_common_opening_there_is_no_style(corpus, evaluation):
    draws = Draws.of(evaluation.sample, evaluation.predictions, 50, 1)
    bare = replace(draws, sample=replace(draws.sample, texts=None))
    assert style_study(bare, evaluation.folds[0], evaluation.config) is None
    names = ("One fell.", "Two fell.", "Three fell.")
    assert houses(names) is None
