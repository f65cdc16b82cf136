"""The protocol: same seed, same digits; labels out of reach; every row of the table there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from imr.models.outcome import OutcomeConfig
from imr.models.outcome.start import JUDGED_APART
from imr.training import metrics
from imr.training.config import TrainConfig
from imr.training.contenders import MODEL, Settings, fit_outcome, tfidf
from imr.training.decisions import LABEL_PREFIX, Corpus, sample
from imr.training.folds import NEEDS_LETTERS, folds_of
from imr.training.studies.importance import (
    EXPONENTS,
    extrapolated,
    nested_part,
    undocumented,
)
from imr.training.train import evaluate

OUTCOME = (
    "imr",
    "imr, before learning",
    "imr, letters alone",
    "base rate",
    "category base rate",
    "published rates",
    "plain LightGBM",
    "TF-IDF + LR, title",
    "TF-IDF + LR, title + admin.",
    "TF-IDF + LR, summary",
    "style probe",
    "rationale probe",
)
GUIDELINE = (
    "imr",
    "most cited",
    "most cited in subcategory",
    "copying the administrator",
    "LightGBM multiclass",
    "TF-IDF + LR, title",
    "TF-IDF + LR, title + admin.",
    "TF-IDF + LR, summary",
    "rationale probe",
)
QUICK = TrainConfig(folds=2, repeats=1, bootstrap=200, jobs=1, seed=11)


def test_the_table_has_every_contender(evaluation):
    for subject, names in (("outcome", OUTCOME), ("guideline", GUIDELINE)):
        found = [name for of, name in evaluation.kinds if of == subject]
        assert tuple(found) == names
        for name in names:
            assert name in evaluation.text()
    assert evaluation.predictions.left_out == {}
    assert evaluation.text().count("(warning)") == 3


def test_the_leak_is_found_by_its_probe_and_by_nobody_else(evaluation):
    # Rationales of synthetic letters state the outcome.
    assert evaluation.figure("outcome", "auc", "rationale probe").value > 0.95
    assert evaluation.figure("outcome", "auc").value < 0.9


def test_the_base_rate_ranks_nothing(evaluation):
    base = evaluation.figure("outcome", "auc", "base rate")
    assert (base.value, base.low, base.high) == (0.5, 0.5, 0.5)


def test_intervals_hold_their_figure_and_differences_are_those_of_the_figures(evaluation):
    checked = 0
    for figure in evaluation.figures:
        e = figure.value
        if not np.isnan(e.value) and figure.metric != "calibration_error":
            assert e.low <= e.value <= e.high, figure
            checked += 1
    assert checked > 100
    row = next(
        r for r in evaluation.differences if r.against == "base rate" and r.metric == "log_loss"
    )
    ours = evaluation.figure("outcome", "log_loss").value
    theirs = evaluation.figure("outcome", "log_loss", "base rate").value
    assert row.value.value == pytest.approx(theirs - ours)


@pytest.mark.slow
def test_seed_and_data_alone_give_the_digits(evaluation, corpus):
    """Once more, in two processes, on the rows in another order: every digit is the same."""
    order = np.random.default_rng(1).permutation(len(corpus.table))
    turned = replace(corpus, table=corpus.table.iloc[order], texts=corpus.texts.iloc[order])
    again = evaluate(replace(QUICK, jobs=2), turned)
    assert again.figures_table().equals(evaluation.figures_table())
    keys = ["letter_id", "item_index"]
    mine, theirs = (
        one.predictions_table().sort_values(keys, ignore_index=True) for one in (again, evaluation)
    )
    assert mine.equals(theirs)
    assert again.text() == evaluation.text()


def test_models_see_no_label(corpus):
    data = sample(corpus)
    assert not [c for c in data.frame if c.startswith(LABEL_PREFIX)]
    assert set(data.table.columns) | {JUDGED_APART} > set(data.frame.columns)


@pytest.mark.slow
def test_with_labels_dealt_out_anew_nothing_is_found(corpus):
    """Four shufflings: the mean AUC lies within 0.1 of a coin's, and the interval of most covers
    it.  A model that saw a label column would come near 1."""
    data, small = sample(corpus), Settings(outcome=OutcomeConfig(members=3))
    random = np.random.default_rng(5)
    found = []
    for _ in range(4):
        order = random.permutation(len(data))
        shuffled = replace(data, y=data.y[order])
        p = np.full((1, len(data)), np.nan)
        strata = np.zeros(len(data), dtype=np.intp)
        for k, fold in enumerate(folds_of(shuffled, QUICK)[0]):
            model = fit_outcome(shuffled.part(fold.train), small)
            p[0, fold.test] = model.predict(shuffled.part(fold.test).frame)["p_overturned"]
            strata[fold.test] = k
        weights = metrics.bootstrap_weights(data.groups, 200, 1)
        y = shuffled.y.astype(float)
        found.append(metrics.estimate(metrics.auc(y, p[0], weights, strata)))
    assert abs(np.mean([e.value for e in found]) - 0.5) < 0.1
    assert sum(e.low <= 0.5 <= e.high for e in found) >= 3


@pytest.mark.slow
def test_without_texts_the_rows_say_what_they_need(corpus):
    bare = Corpus(corpus.table)
    found = evaluate(replace(QUICK, bootstrap=50), bare)
    assert set(found.predictions.left_out.values()) == {NEEDS_LETTERS}
    assert len(found.predictions.left_out) == 5
    assert found.text().count(NEEDS_LETTERS) == 9
    assert found.studies.style is None


@pytest.mark.slow
def test_by_time_tests_later_letters_only(corpus):
    table = corpus.table.copy()
    days = np.arange(len(table)) // 4
    dates = pd.Timestamp("2016-12-01") + pd.to_timedelta(days, unit="D")
    table["label_decision_date"] = pd.Series(dates.strftime("%Y-%m-%d")).astype("string")
    by_time = replace(QUICK, by="time", time_parts=1, gap_days=2, bootstrap=50)
    found = evaluate(by_time, Corpus(table))
    tested = found.predictions.tested
    assert 0 < tested.sum() < len(table)
    assert found.facts["tested_items"] == tested.sum()
    assert len(found.predictions_table()) == tested.sum()
    assert "later spans" in found.text()


def test_tfidf_keeps_every_product():
    train = ["knee scan", "knee therapy visits", "scan of the spine", "spine therapy visits"]
    test = ["therapy of the knee", "nothing known"]
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    a, b = words.fit_transform(train), words.transform(test)
    x, z = tfidf(train, test)
    assert np.allclose(x @ x.T, (a @ a.T).toarray())
    assert np.allclose(z @ x.T, (b @ a.T).toarray())


def test_smaller_training_parts_lie_inside_larger_ones(corpus):
    data = sample(corpus)
    rows = np.arange(len(data))
    small, large = (nested_part(data, rows, share, 3) for share in (0.3, 0.7))
    assert set(small) < set(large) < set(rows)
    assert data.y[small].any()
    assert not set(data.groups[small]) & set(data.groups[np.setdiff1d(rows, small)])


def test_the_curve_is_extended_along_its_own_line_and_doubts_the_form():
    letters = np.array([25.0, 100.0, 400.0])
    rising = np.stack([0.8 - letters**-c for c in EXPONENTS], axis=1)
    found = extrapolated(letters, rising, 10_000, "auc")
    assert found == pytest.approx([0.8 - 10_000**-c for c in EXPONENTS])
    assert EXPONENTS[0] == 0.5
    same = np.repeat(rising[:, :1], len(EXPONENTS), axis=1)
    _, slow, fast = extrapolated(letters, same, 10_000, "auc")
    assert fast < 0.79 < slow


def test_an_undocumented_family_keeps_its_types(corpus):
    frame = sample(corpus).frame
    names = ["imaging_mri", "quantity", "work_status"]
    blank = undocumented(frame, names)
    assert (blank.dtypes == frame.dtypes).all()
    assert not blank["imaging_mri"].any()
    assert blank["quantity"].isna().all()


def test_tables_name_the_model_and_hold_no_text_of_a_letter(evaluation, corpus):
    summaries = corpus.texts["case_summary"].tolist()
    said = (
        evaluation.text()
        + evaluation.predictions_table().to_csv()
        + str(evaluation.studies.tables())
    )
    for summary in summaries:
        words = summary.split()
        for at in range(0, len(words) - 6, 3):
            assert " ".join(words[at : at + 6]) not in said
    assert MODEL in said
