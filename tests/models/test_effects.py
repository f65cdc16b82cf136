"""The table of expected effects: reviewable data that reads signals which exist."""

from __future__ import annotations

import csv
from importlib import resources

import pandas as pd
import pytest

from imr.features.table import COLUMNS
from imr.models.frame import CASE_FACTS
from imr.models.outcome.effects import (
    columns_read,
    effect_matrix,
    effects_from_rows,
    expected_effects,
    parse_condition,
)

ROW = {
    "effect": "x",
    "when": "",
    "signal": "fracture",
    "transform": "flag",
    "prior_log_odds": "0.4",
    "sign": "+",
    "statement": "A fracture",
    "source": "a guideline",
}


def test_every_column_that_is_read_exists():
    known = {column.name for column in COLUMNS} | set(CASE_FACTS)
    assert set(columns_read(expected_effects())) <= known


def test_categories_named_in_conditions_exist():
    table = resources.files("imr.data") / "reference" / "taxonomy.csv"
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    for effect in expected_effects():
        for condition in effect.conditions:
            if condition.column in {"category", "subcategory"}:
                known = {row[condition.column] for row in rows}
                assert set(condition.values) <= known, effect.effect


def test_names_are_unique():
    names = [effect.effect for effect in expected_effects()]
    assert len(names) == len(set(names))


def test_no_style_and_no_reviewer_is_read():
    read = set(columns_read(expected_effects()))
    assert not {c for c in read if "words" in c or "length" in c or "reviewer" in c}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transform": "square"}, "unknown transform"),
        ({"sign": "-"}, "contradicts its own sign"),
        ({"source": ""}, "source and statement"),
        ({"when": "no operator"}, "not a condition"),
    ],
)
def test_wrong_rows_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        effects_from_rows([ROW | change])


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("category=Surgery|Injection", "Injection", True),
        ("category=Surgery", "Injection", False),
        ("category=Surgery", None, False),
        ("category!=Surgery", None, True),
        ("parts~knee", "hip | knee", True),
        ("parts~knee", "kneecap", False),
        ("sessions>=12", 12.0, True),
        ("sessions<=6", 7, False),
        ("sessions<=6", pd.NA, False),
        ("flag=true", True, True),
        ("flag=false", True, False),
    ],
)
def test_conditions(text, value, holds):
    assert parse_condition(text).holds(value) is holds


@pytest.mark.parametrize(
    ("transform", "values"),
    [
        ("flag", [1.0, 0.0, 0.0]),
        ("absent", [0.0, 1.0, 1.0]),
        ("missing", [0.0, 0.0, 1.0]),
    ],
)
def test_transforms_of_true_false_null(transform, values):
    effects = effects_from_rows([ROW | {"transform": transform}])
    frame = pd.DataFrame({"fracture": pd.array([True, False, pd.NA], dtype="boolean")})
    assert effect_matrix(frame, effects)[:, 0].tolist() == values


def test_an_effect_is_nought_where_its_conditions_do_not_hold():
    effects = effects_from_rows([ROW | {"when": "category=Surgery"}])
    frame = pd.DataFrame(
        {
            "fracture": pd.array([True, True], dtype="boolean"),
            "category": pd.array(["Surgery", pd.NA], dtype="string"),
        }
    )
    assert effect_matrix(frame, effects)[:, 0].tolist() == [1.0, 0.0]
