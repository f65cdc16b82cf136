"""Rated vignettes: what is shipped, how a line becomes cases, and that the judgement is theirs."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from imr.models.outcome.start import ABOUT, TREES, Judgement, shipped
from imr.training.rated_letters import rated_letters
from imr.training.studies.ratings import correlation, ratings
from imr.training.vignettes import (
    INPUTS,
    Rated,
    described,
    fit_judgement,
    shipped_vignettes,
    vignettes,
    write,
)

# The signals of all vignettes take seconds: once, on one worker.
pytestmark = pytest.mark.xdist_group("vignettes")

WRITTEN = {
    "id": "T-001",
    "age": 40,
    "sex": "female",
    "injury_date": "2016-03-01",
    "denial_date": "2016-10-01",
    "sentences": ["The patient is a 40 year old female.", "The knee locks.", "It hurts."],
    "items": ["MRI of the left knee", "Ibuprofen 600 mg #60"],
    "p": [40, 20],
    "twins": [
        {"change": {"1": "The knee does not lock."}, "p": [10, 20]},
        {"change": {"2": ""}, "items": ["MRI of the left knee", "Soma 350 mg #60"], "p": [39, 2]},
    ],
}


@pytest.fixture(scope="module")
def rated() -> Rated:
    return Rated.of(shipped_vignettes())


def test_a_line_is_a_case_and_its_twins() -> None:
    base, first, second = vignettes([json.dumps(WRITTEN), ""], "made.jsonl")
    assert [v.case.letter_id for v in (base, first, second)] == ["T-001.0", "T-001.1", "T-001.2"]
    assert {v.base for v in (base, first, second)} == {"T-001"}
    assert base.p == (0.4, 0.2)
    assert "The knee locks." in base.case.case_summary
    assert "The knee does not lock." in first.case.case_summary
    assert "It hurts." not in second.case.case_summary
    assert [item.title for item in second.case.items] == ["MRI of the left knee", "Soma 350 mg #60"]


@pytest.mark.parametrize(
    "change",
    [{"p": [40]}, {"p": [40, 100]}, {"twins": [{"change": {"9": "x"}, "p": [1, 2]}]}, {"items": 3}],
)
def test_a_wrong_line_is_named(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"made\.jsonl line 2"):
        list(vignettes(["", json.dumps(WRITTEN | change)], "made.jsonl"))


@pytest.mark.slow
def test_the_shipped_judgement_is_that_of_the_shipped_ratings(rated: Rated) -> None:
    """Rules or ratings that change ask for it anew: python -m imr.training.vignettes."""
    everything = Rated.joined([rated, rated_letters()])
    assert described(everything).items() <= shipped().about.items()
    assert len(set(rated.base)) > 1_000


def test_no_summary_length_author_or_label_is_an_input() -> None:
    read = set(shipped().inputs.columns)
    with (resources.files("imr.training") / INPUTS).open(encoding="utf-8") as lines:
        left_out = {row["name"] for row in csv.DictReader(lines) if row["rule"] == "no column"}
    assert {"ca_guideline", "imaging_mri"} < left_out
    assert not read & {*left_out, "age", "sex", "letter_id", "item_index"}
    assert not {name for name in read if "label" in name or "decision" in name}
    assert not {name for name in read if name.startswith("ur_reason_")}


@pytest.mark.slow
def test_it_repeats_judgements_on_cases_it_has_not_seen(rated: Rated) -> None:
    """A fifth of the base cases left out: far beyond chance, and not learned by heart."""
    bases = np.unique(rated.base.astype(str))
    unseen = np.isin(rated.base.astype(str), bases[::5])
    fitted = fit_judgement(rated.rows(~unseen))
    asked = rated.rows(unseen)
    predicted = fitted.log_odds(asked.frame)
    assert correlation(predicted, asked.log_odds) > 0.5
    shuffled = np.random.default_rng(1).permutation(asked.log_odds)
    assert abs(correlation(predicted, shuffled)) < 0.1


@pytest.mark.slow
def test_contributions_add_up(rated: Rated) -> None:
    few = shipped().inputs.matrix(rated.frame.head(40))
    parts = shipped().steps.contributions(few)
    level = shipped().log_odds_of(few) - parts.sum(axis=1)
    assert parts.shape == (40, len(shipped().inputs.columns))
    assert np.allclose(level, level[0])


@pytest.mark.slow
def test_written_and_read_back(tmp_path, rated: Rated) -> None:
    import lightgbm as lgb

    kept = shipped()
    write(replace(kept, about=dict(kept.about)), tmp_path)
    stored = json.loads((tmp_path / ABOUT).read_text(encoding="utf-8"))
    again = Judgement.from_json(stored, lgb.Booster(model_str=(tmp_path / TREES).read_text()))
    some = rated.frame.head(50)
    assert np.array_equal(again.log_odds(some), kept.log_odds(some))


def test_ratings_are_there_for_every_shipped_item() -> None:
    from imr.training.decisions import load_decisions

    table = load_decisions().table
    given = ratings(table)
    assert not np.isnan(given).any()
    assert np.isnan(ratings(table.assign(letter_id="unknown"))).all()
