"""The outcome model: what it must never read, what it must always promise."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from imr.models.frame import (
    DecisionColumnError,
    MissingColumnsError,
    TrainingDataError,
    fixed_signs,
)
from imr.models.outcome import OutcomeConfig, OutcomeModel
from imr.models.outcome.model import Mixture, any_overturned, sibling_share
from tests.models.conftest import inputs, made_table

QUICK = OutcomeConfig(members=3)


@pytest.fixture(scope="module")
def model(table, overturned):
    return OutcomeModel(QUICK).fit(inputs(table), overturned)


def test_planted_effect_is_learned_from_letters(model):
    """Letters move what was planted away from what was expected, and more of them move it more."""
    fresh = made_table(200, seed=3)
    planted = (fresh["subcategory"] == "EMG/NCV/NCS") & fresh["complaint_numbness"]
    more = made_table(500, seed=11)
    taught = OutcomeModel(QUICK).fit(inputs(more), more["label_outcome"] == "Overturned")
    learned = []
    for fitted in (model, taught):
        p = fitted.predict(inputs(fresh))["p_overturned"]
        moved = np.log(p / (1 - p)) - fitted.starting_odds(inputs(fresh))
        learned.append(moved[planted].mean() - moved[~planted].mean())
    assert 0 < learned[0] < learned[1]
    p = taught.predict(inputs(fresh))["p_overturned"]
    assert p[planted].mean() > 2 * p[~planted].mean()
    assert roc_auc_score(planted, p) > 0.9


def test_nothing_is_found_where_nothing_was_planted(table):
    random = np.random.default_rng(5)
    labels = random.permutation((table["label_outcome"] == "Overturned").to_numpy())
    fitted = OutcomeModel(QUICK).fit(inputs(table), labels)
    p = fitted.predict(inputs(made_table(80, seed=3)))["p_overturned"]
    assert abs(p.mean() - labels.mean()) < 0.1


def test_probabilities_and_intervals(model, unseen):
    found = model.predict(unseen)
    low, p, high = (found[f"p_overturned{end}"] for end in ("_low", "", "_high"))
    assert (low >= 0).all()
    assert (low <= p).all()
    assert (p <= high).all()
    assert (high <= 1).all()
    assert found.index.equals(unseen.index)


def test_calibrated_in_the_large(model, overturned):
    assert abs(np.mean(model.learned.left_out) - np.mean(overturned)) < 0.05


def test_interval_is_wider_for_an_unknown_class(model, unseen):
    known = unseen[unseen["subcategory"] == "NSAID"].head(1)
    unknown = known.assign(subcategory="Never Met")
    widths = [_width(model.predict(rows)) for rows in (known, unknown)]
    assert widths[1] > widths[0]


def _width(found):
    """Width of the first interval in log odds."""
    ends = found[["p_overturned_low", "p_overturned_high"]].to_numpy(dtype=float)[0]
    low, high = np.log(ends / (1 - ends))
    return high - low


@given(order=st.permutations(range(40)))
@settings(max_examples=10, deadline=None)
def test_order_of_rows_does_not_matter(model, unseen, order):
    rows = unseen.head(40)
    moved = model.predict(rows.iloc[list(order)]).sort_index()
    pd.testing.assert_frame_equal(moved, model.predict(rows))


def test_order_of_training_rows_does_not_matter(table, overturned, model, unseen):
    order = np.random.default_rng(1).permutation(len(table))
    shuffled = inputs(table).iloc[order]
    again = OutcomeModel(QUICK).fit(shuffled, np.array(overturned)[order])
    pd.testing.assert_frame_equal(again.predict(unseen), model.predict(unseen))


def test_same_seed_same_figures_and_another_seed_others(table, overturned, model, unseen):
    again = OutcomeModel(QUICK).fit(inputs(table), overturned).predict(unseen)
    other = dataclasses.replace(QUICK, seed=1)
    differs = OutcomeModel(other).fit(inputs(table), overturned).predict(unseen)
    assert again.equals(model.predict(unseen))
    assert not differs["p_overturned"].equals(again["p_overturned"])


def test_other_columns_are_ignored(model, unseen):
    more = unseen.assign(case_summary_words=1, reviewer_state="anything")
    assert model.predict(more).equals(model.predict(unseen))


@pytest.mark.parametrize("column", ["label_outcome", "label_guideline", "decision"])
def test_what_was_decided_is_refused(model, unseen, column):
    with pytest.raises(DecisionColumnError, match=column):
        model.predict(unseen.assign(**{column: "Upheld"}))


def test_missing_columns_are_named(model, unseen):
    with pytest.raises(MissingColumnsError, match="category, fracture"):
        model.predict(unseen.drop(columns=["fracture", "category"]))


def test_unseen_categories_and_all_null_columns(model, unseen):
    null = unseen.copy()
    for column in model.columns:
        if column not in {"letter_id", "item_index"}:
            null[column] = pd.Series(pd.NA, index=null.index, dtype=null[column].dtype)
    odd = unseen.assign(category="New", subcategory="Newer")
    for rows in (null, odd):
        assert model.predict(rows)["p_overturned"].between(0, 1).all()


def test_no_rows(model, unseen):
    assert model.predict(unseen.head(0)).empty


@pytest.mark.parametrize("sign", [1, -1])
def test_fixed_signs_hold(model, unseen, sign):
    """Raising a signal whose sign is fixed never moves the odds the other way."""
    signals = [s for s, fixed in fixed_signs().items() if fixed == sign]
    assert len(signals) >= (20 if sign > 0 else 1)
    for signal in signals:
        without = model.predict(unseen.assign(**{signal: False}))["p_overturned"]
        with_it = model.predict(unseen.assign(**{signal: True}))["p_overturned"]
        assert ((with_it - without) * sign >= -1e-12).all(), signal


def test_threshold_follows_the_costs(model, unseen):
    found = model.predict(unseen)
    assert model.config.threshold == pytest.approx(0.2)
    said = found["predicted_outcome"] == "Overturned"
    assert said.equals(found["p_overturned"] >= 0.2)
    generous = OutcomeModel(dataclasses.replace(QUICK, missed_cost=30.0))
    generous.__dict__.update({k: v for k, v in model.__dict__.items() if k != "config"})
    assert (generous.predict(unseen)["predicted_outcome"] == "Overturned").sum() > said.sum()
    assert OutcomeConfig(missed_cost=1.0).threshold == 0.5


@pytest.mark.parametrize(
    ("labels", "message"), [([True], "all .* items are Overturned"), ([False], "are Upheld")]
)
def test_one_outcome_only_is_refused(table, labels, message):
    with pytest.raises(TrainingDataError, match=message):
        OutcomeModel(QUICK).fit(inputs(table), labels * len(table))


def test_too_few_letters_are_refused(table, overturned):
    rows = table["letter_id"].isin(["letter-000", "letter-001"])
    with pytest.raises(TrainingDataError, match="at least 3"):
        OutcomeModel(QUICK).fit(inputs(table)[rows], np.array(overturned)[rows.to_numpy()])


def test_one_positive_is_enough_to_fit(table, unseen):
    labels = [False] * len(table)
    labels[4] = True
    p = OutcomeModel(QUICK).fit(inputs(table), labels).predict(unseen)["p_overturned"]
    assert p.mean() < 0.1


def test_predicting_unfitted_is_refused(unseen):
    with pytest.raises(TrainingDataError, match="not fitted"):
        OutcomeModel(QUICK).predict(unseen)


def test_contributions_add_up(model, unseen):
    """All contributions together are the calibrated log odds less those of the average item."""
    total = model.contributions(unseen).sum(axis=1).to_numpy()
    p = model.predict(unseen)["p_overturned"].to_numpy()
    gap = np.log(p / (1 - p)) - total
    assert gap == pytest.approx(np.full(len(gap), gap[0]), abs=1e-9)


@given(
    p=st.lists(st.floats(0.001, 0.999), min_size=1, max_size=12),
    share=st.floats(0.0, 1.0),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_any_overturned_is_coherent(p, share, data):
    """At least every item's own chance, at most their sum; of one item, its own."""
    letters = np.array(
        data.draw(st.lists(st.sampled_from("abc"), min_size=len(p), max_size=len(p)))
    )
    chances = np.array(p)
    found = any_overturned(letters, chances, share)
    for letter in set(letters):
        rows = letters == letter
        assert len(set(found[rows])) == 1
        assert chances[rows].max() <= found[rows][0] <= min(1.0, chances[rows].sum()) + 1e-12
        if rows.sum() == 1:
            assert found[rows] == chances[rows]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_how_siblings_go_together_is_learned(share):
    """Items decided alike, and items decided on their own."""
    random = np.random.default_rng(2)
    letters = np.repeat(np.arange(3_000), 3)
    p = np.full(len(letters), 0.3)
    alike = np.repeat(random.random(3_000) < 0.3, 3)
    alone = random.random(len(letters)) < 0.3
    y = (alike if share else alone).astype(float)
    assert sibling_share(p, y, letters) == pytest.approx(share, abs=0.15)


def _parts(items, seed=4):
    """Odds of a start that knows something, of a noisy correction, and of a forest that knows
    more; with what was decided.
    """
    random = np.random.default_rng(seed)
    start, more = random.normal(-2, 0.6, items), random.normal(0, 1.0, items)
    y = random.random(items) < 1 / (1 + np.exp(-(start + more)))
    return np.column_stack([start, random.normal(0, 0.3, items), more]), y.astype(float)


def test_few_letters_leave_the_start_as_it_is():
    """The spread of the start is not shrunken by thirty letters whose decisions are noise."""
    parts, _ = _parts(30)
    noise = (np.arange(30) % 8 == 0).astype(float)
    mixture = Mixture.fitted(parts, noise, np.ones(30))
    _, start, correction, _ = mixture.weights
    assert 0.7 < start < 1.3
    assert correction < 0.5


def test_many_letters_give_each_part_the_weight_it_earns():
    parts, y = _parts(20_000)
    mixture = Mixture.fitted(parts, y, np.ones(len(y)))
    _, start, correction, forest = mixture.weights
    assert start == pytest.approx(1.0, abs=0.1)
    assert forest == pytest.approx(1.0, abs=0.1)
    assert correction < 0.15
    few = Mixture.fitted(parts[:60], y[:60], np.ones(60))
    asked = parts[:5]
    assert (few.variance(asked) > 10 * mixture.variance(asked)).all()


def test_a_timid_start_is_spread():
    """Starting odds at half their true spread get a slope above one from letters."""
    parts, _ = _parts(4_000)
    random = np.random.default_rng(9)
    y = (random.random(4_000) < 1 / (1 + np.exp(-(2 * (parts[:, 0] + 2) - 2)))).astype(float)
    assert Mixture.fitted(parts, y, np.ones(len(y))).weights[1] > 1.5


def test_the_mixture_is_not_behind_the_best_of_its_parts():
    more, fresh = made_table(300, seed=21), made_table(1_500, seed=22)
    truth = (fresh["label_outcome"] == "Overturned").to_numpy()
    fitted = OutcomeModel().fit(inputs(more), more["label_outcome"] == "Overturned")
    asked = fitted.inputs(inputs(fresh))
    scores = [m.scores(asked.known.log_odds, asked.signals) for m in fitted.learned.members]
    start, correction, forest = np.mean(scores, axis=0).T
    best = max(roc_auc_score(truth, part) for part in (start, start + correction, forest))
    p = fitted.predict(inputs(fresh), asked)["p_overturned"]
    assert roc_auc_score(truth, p) > best - 0.01


def test_many_letters_are_drawn_from(table, overturned, unseen):
    """Members learn from so many letters at most; letters are counted over all."""
    config = dataclasses.replace(QUICK, most_letters=10)
    fitted = OutcomeModel(config).fit(inputs(table), overturned)
    left_out = fitted.learned.left_out
    letters = table["letter_id"].to_numpy()
    assert len(set(letters[~np.isnan(left_out)])) == 30
    assert (
        fitted.learned.letters_by_class
        == OutcomeModel(QUICK).fit(inputs(table), overturned).learned.letters_by_class
    )
    assert fitted.predict(unseen)["p_overturned"].between(0, 1).all()
