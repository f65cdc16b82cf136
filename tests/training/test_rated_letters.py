"""Ratings of real letters: what is shipped, and that no figure rests on a letter's own ratings."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from imr.models.guideline import GuidelineModel
from imr.models.outcome.model import signal_columns
from imr.models.outcome.start import JUDGED_APART, Start, shipped
from imr.training.contenders import CHAPTER_INPUTS, plain_matrix
from imr.training.decisions import inputs, judged_apart, load_decisions, sample
from imr.training.rated_letters import (
    RATERS,
    changed,
    derive,
    rated_letters,
    requests,
    signals_path,
)
from imr.training.studies.ratings import correlation, ratings


def test_every_request_is_rated_and_no_letters_own() -> None:
    given, table = requests(), load_decisions().table
    assert set(given["letter_id"]) <= set(table["letter_id"])
    assert ((given[[*RATERS]] > 0) & (given[[*RATERS]] < 100)).all().all()
    invented = given["request"].notna()
    assert (invented ^ given["of_letter"].notna()).all()
    assert (given["of_letter"] != given["letter_id"]).all()
    p = given[[*RATERS]].to_numpy() / 100
    first, second = np.log(p / (1 - p)).T
    assert correlation(first, second) > 0.8


def test_items_and_requests_are_rows_of_their_workers() -> None:
    table, real = load_decisions().table, rated_letters()
    assert len(real.frame) == len(real.base) == len(real.weight) == len(table) + len(requests())
    assert np.array_equal(real.log_odds[: len(table)], ratings(table))
    of_letter = dict(zip(table["letter_id"], real.base, strict=False))
    assert real.base[len(table)] == of_letter[requests()["letter_id"][0]]
    assert not [name for name in real.frame if name.startswith("label_")]


def test_a_rated_letter_counts_as_unseen_where_models_are_measured() -> None:
    table = load_decisions().table
    frame = sample(load_decisions()).frame
    assert np.array_equal(frame[JUDGED_APART], judged_apart(table))
    start = Start()
    seen, unseen = (start.known(one).log_odds for one in (inputs(table), frame))
    assert np.allclose(unseen - seen, judged_apart(table))
    given = ratings(table)
    assert correlation(unseen, given) < correlation(seen, given) - 0.02


def test_a_letter_that_nobody_rated_is_judged_as_it_is() -> None:
    table = load_decisions().table.assign(letter_id="unknown")
    assert not judged_apart(table).any()


def test_requests_that_do_not_fit_the_record_are_told_from_those_that_do() -> None:
    """Of each letter with enough of both, the better rated half is judged higher than the other."""
    given, real = requests(), rated_letters()
    places = np.arange(len(real.frame) - len(given), len(real.frame))
    judged = shipped().log_odds(real.rows(places).frame)
    higher = pd.Series(real.log_odds[places]).groupby(given["letter_id"]).transform("median")
    better = real.log_odds[places] > higher.to_numpy()
    gap = pd.Series(judged[better]).groupby(given["letter_id"][better].to_numpy()).mean() - (
        pd.Series(judged[~better]).groupby(given["letter_id"][~better].to_numpy()).mean()
    )
    assert (gap > 0).mean() > 0.9


def test_the_signals_are_those_of_the_letters(real_letters, tmp_path) -> None:
    again = tmp_path / "again.csv.gz"
    assert derive([str(real_letters)], again) == len(requests())
    assert gzip.decompress(again.read_bytes()) == gzip.decompress(signals_path().read_bytes())


def test_a_fact_of_a_record_is_changed_where_the_table_says() -> None:
    summary = "Neck pain. Therapy failed. Motion is full."
    assert changed(summary, "", "") == summary
    assert changed(summary, "10-26", "") == "Neck pain. Motion is full."
    assert changed(summary, "0-10;26-42", "He smokes.") == " Therapy failed. He smokes."


def test_a_rated_letter_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(ValueError, match="rated letter"):
        derive(["data/samples"], tmp_path / "x.csv.gz")


def test_what_sets_a_rated_letter_apart_tells_no_other_contender() -> None:
    """It holds what raters saw in the case: plain LightGBM rose from 0.51 to 0.72 with it."""
    frame = sample(load_decisions()).frame
    assert JUDGED_APART in frame
    for matrix in plain_matrix(frame, frame):
        assert JUDGED_APART not in matrix
    assert JUDGED_APART not in {*signal_columns(), *shipped().inputs.columns}
    assert JUDGED_APART not in {*CHAPTER_INPUTS, *GuidelineModel().columns}
