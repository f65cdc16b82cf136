"""The plain alternatives: the same two calls as the models."""

from __future__ import annotations

import pandas as pd
import pytest

from imr.models import baselines
from tests.models.conftest import inputs


@pytest.fixture
def texts(table):
    """Raw texts beside the table; the rationale gives the outcome away."""
    said = table["label_outcome"].map({"Overturned": "granted here", "Upheld": "denied here"})
    return pd.DataFrame(
        {
            "title": table["request_terms"],
            "administrator": table["administrator_labels"],
            "case_summary": ["The injured worker was seen."] * len(table),
            "rationale": said,
        }
    )


@pytest.mark.parametrize("name", list(baselines.outcome_baselines(True)))
def test_outcome_baselines(name, table, texts, overturned):
    baseline = baselines.outcome_baselines(True)[name]
    rows = texts if baseline.needs_texts else inputs(table)
    p = baseline.fit(rows, overturned).predict(rows)
    assert len(p) == len(table)
    assert ((p >= 0) & (p <= 1)).all()


def test_base_rates(table, overturned):
    frame = inputs(table)
    rate = sum(overturned) / len(overturned)
    assert set(baselines.BaseRate().fit(frame, overturned).predict(frame)) == {rate}
    by_category = baselines.CategoryBaseRate().fit(frame, overturned)
    assert by_category.predict(frame.head(1).assign(category="New"))[0] == rate


def test_the_rationale_is_a_leak(texts, overturned):
    probe = baselines.rationale_probe().fit(texts, overturned)
    assert ((probe.predict(texts) > 0.5) == overturned).all()


def test_copying_the_administrator(table):
    frame = inputs(table).head(2).assign(administrator_labels=["Knee | Non-MTUS", "None cited"])
    copied = baselines.CopyAdministrator().fit(frame, ["Knee", "Knee"]).predict(frame)
    assert copied == [["Knee", "Non-MTUS"], ["None cited", "Knee"]]


@pytest.mark.parametrize("name", list(baselines.guideline_baselines(True)))
def test_guideline_baselines(name, table, texts):
    baseline = baselines.guideline_baselines(True)[name]
    rows = texts.fillna("") if baseline.needs_texts else inputs(table)
    found = baseline.fit(rows, table["label_guideline"].tolist()).predict(rows, 3)
    assert [len(set(labels)) for labels in found] == [3] * len(table)
