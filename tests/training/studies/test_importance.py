"""Permutation and ablation: a column that decides is found, one that is not read costs nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imr.models.guideline import GuidelineModel
from imr.training.decisions import sample
from imr.training.metrics import Draws
from imr.training.studies import importance
from imr.training.studies.importance import (
    ALWAYS_KNOWN,
    GUIDELINE,
    GUIDELINE_FAMILIES,
    OUTCOME,
    _permuted,
    ablation,
    guideline_families,
    permutation,
    undocumented,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def draws(evaluation) -> Draws:
    return Draws.of(evaluation.sample, evaluation.predictions, 100, 3)


def test_every_column_of_the_ranker_has_a_family_and_only_one():
    columns = GuidelineModel().columns
    found = guideline_families(columns)
    listed = [name for names in found.values() for name in names]
    assert sorted(listed) == sorted(set(columns) - {"letter_id", "item_index"})
    assert set(found) == set(GUIDELINE_FAMILIES.values())
    assert guideline_families([*columns, "something_new"])["something_new"] == ["something_new"]


def test_both_models_are_permuted_in_every_run(evaluation):
    for rows, figure in (
        (evaluation.studies.outcome_permutation, "log_loss"),
        (evaluation.studies.guideline_permutation, "section_top1"),
    ):
        assert len(rows) >= 6
        found = [row.worse[figure] for row in rows]
        values = [e.value for e in found]
        assert values == sorted(values, reverse=True)
        assert all(e.low <= e.high for e in found)


def test_the_guideline_hangs_on_the_kind_of_request(evaluation):
    rows = evaluation.studies.guideline_permutation
    lost = {row.family: row.worse["section_top1"] for row in rows}
    assert lost["kind of request"].low > 0
    assert max(lost, key=lambda name: lost[name].value) == "kind of request"


def test_shuffling_what_is_the_same_everywhere_loses_nothing(evaluation, draws):
    constant = evaluation.sample.frame.assign(ur_denial_date=None, application_received=None)
    same = replace(draws, sample=replace(evaluation.sample, frame=constant.astype(
        evaluation.sample.frame.dtypes.to_dict()
    )))  # fmt: skip
    parts = []
    for fold in evaluation.folds[0]:
        model = GUIDELINE.fit(same.sample.part(fold.train), _settings())
        parts.append(_permuted(GUIDELINE, model, same.sample.part(fold.test), 1))
    rows = permutation(same, evaluation.folds[0], parts, GUIDELINE)
    dates = next(row for row in rows if row.family == "dates (edition in force)")
    assert dates.columns == 2
    lost = [end for e in dates.worse.values() for end in (e.value, e.low, e.high)]
    assert len(lost) == 9
    assert lost == pytest.approx([0.0] * 9, abs=1e-12)


def test_of_many_letters_some_are_shuffled_once(evaluation, draws, monkeypatch):
    monkeypatch.setattr(importance, "MOST_LETTERS", 12)
    parts = []
    for fold in evaluation.folds[0]:
        train, test = (evaluation.sample.part(rows) for rows in (fold.train, fold.test))
        part = _permuted(GUIDELINE, GUIDELINE.fit(train, _settings()), test, 1)
        letters = test.frame["letter_id"].to_numpy()
        assert len(set(letters[part.rows])) == 12
        assert np.isin(letters, letters[part.rows]).sum() == len(part.rows)  # whole letters
        assert {v["section_top1"].shape for v in part.shuffled.values()} == {(1, len(part.rows))}
        parts.append(part)
    rows = permutation(draws, evaluation.folds[0], parts, GUIDELINE)
    assert rows[0].worse["section_top1"].value > 0
    assert not any(np.isnan(row.worse["section_top1"].value) for row in rows)


def test_folds_of_many_and_of_few_items_are_shuffled_alike_often(evaluation, draws, monkeypatch):
    parts = []
    for fold, most in zip(evaluation.folds[0], (50, 12), strict=True):
        monkeypatch.setattr(importance, "MOST_LETTERS", most)
        train, test = (evaluation.sample.part(rows) for rows in (fold.train, fold.test))
        parts.append(_permuted(GUIDELINE, GUIDELINE.fit(train, _settings()), test, 1))
    assert len({len(v["section_top1"]) for part in parts for v in part.shuffled.values()}) == 2
    rows = permutation(draws, evaluation.folds[0], parts, GUIDELINE)
    assert not any(np.isnan(row.worse["section_top1"].value) for row in rows)


def test_a_family_left_out_is_left_out_of_both_sides(draws, evaluation, monkeypatch):
    seen = []

    def fit(train, settings):
        seen.append(train.frame)
        return OUTCOME.fit(train, settings)

    def predict(model, test):
        seen.append(test.frame)
        return OUTCOME.predict(model, test)

    watched = replace(OUTCOME, fit=fit, predict=predict, families=lambda _: {"one": ["sex"]})
    rows = ablation(draws, evaluation.folds[0], evaluation.config, watched)
    assert [(row.family, row.columns) for row in rows] == [("one", 1)]
    folds = len(evaluation.folds[0])
    without = seen[1 + 2 * folds :]
    assert len(without) == 2 * folds
    assert all(frame["sex"].isna().all() for frame in without)
    assert not any(frame["sex"].isna().all() for frame in seen[: 1 + 2 * folds])


def test_the_guideline_model_can_do_without_any_family(corpus):
    data = sample(corpus)
    found = GuidelineModel().columns
    for names in guideline_families(found).values():
        blank = undocumented(data.frame, names)
        assert (blank.dtypes == data.frame.dtypes).all()
        model = GUIDELINE.fit(replace(data, frame=blank), _settings())
        hits = GUIDELINE.predict(model, replace(data, frame=blank))
        assert np.isfinite(hits["section_top1"]).all()
    assert undocumented(data.frame, ALWAYS_KNOWN)["n_items"].eq(1).all()


def _settings():
    from imr.models.guideline import GuidelineConfig
    from imr.training.contenders import Settings

    return Settings(guideline=GuidelineConfig(rounds=3, members=1))
