"""The plain alternatives: what they learn comes from the training rows, and how."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from imr.training import contenders
from imr.training.decisions import Sample, sample


@pytest.fixture(scope="module")
def data(corpus) -> Sample:
    return sample(corpus)


@pytest.mark.parametrize(
    "predict",
    [
        contenders.base_rate,
        contenders.category_base_rate,
        partial(contenders.plain_lightgbm, 1),
        partial(contenders.text_outcome, ("title", "administrator")),
    ],
)
def test_outcome_baselines_give_a_probability_an_item(predict, data):
    p = predict(data, data)
    assert p.shape == (len(data),)
    assert ((p >= 0) & (p <= 1)).all()


def test_base_rates(data):
    rate = data.y.mean()
    assert set(contenders.base_rate(data, data)) == {rate}
    unmet = replace(data, frame=data.frame.assign(category="New"))
    assert set(contenders.category_base_rate(data, unmet)) == {rate}
    name = data.frame["category"].iloc[0]
    of_category = data.y[(data.frame["category"] == name).to_numpy()]
    expected = (of_category.sum() + 10 * rate) / (len(of_category) + 10)
    assert contenders.category_base_rate(data, data)[0] == pytest.approx(expected)


def test_the_rationale_is_a_leak(data):
    said = np.where(data.y == 1, "granted here", "denied here")
    told = replace(data, texts=pd.DataFrame({"rationale": said}))
    p = contenders.text_outcome(("rationale",), told, told)
    assert p[data.y == 1].min() > p[data.y == 0].max()


def test_copying_the_administrator(data):
    cells = ["Knee | Non-MTUS", "None cited"]
    two = replace(data.part(np.arange(2)), guideline=np.array(["Knee > Scans"] * 2, dtype=object))
    two = replace(two, frame=two.frame.assign(administrator_labels=cells))
    found = contenders.copy_administrator(two, two)
    assert found.labels == [["Knee", "Non-MTUS", "Knee > Scans"], ["None cited", "Knee > Scans"]]
    assert found.chapters == [["Knee", "Non-MTUS"], ["None cited", "Knee"]]


@pytest.mark.parametrize(
    "predict",
    [
        contenders.most_cited,
        contenders.most_cited_in_subcategory,
        contenders.copy_administrator,
        partial(contenders.chapter_lightgbm, 1),
        partial(contenders.text_guideline, ("title", "administrator")),
    ],
)
def test_guideline_baselines_give_three_places(predict, data):
    found = predict(data, data)
    for places in (found.labels, found.chapters):
        if places is not None:
            assert [len(set(row)) for row in places] == [3] * len(data)
