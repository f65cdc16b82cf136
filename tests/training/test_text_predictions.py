"""The shipped predictions of contenders on texts: those of the usual folds, and numbers only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from imr.training.config import TrainConfig
from imr.training.contenders import (
    PREDICTIONS,
    Settings,
    guideline_contenders,
    outcome_contenders,
    shipped_for,
)
from imr.training.decisions import Sample, load_decisions, ordered, read_corpus, sample
from imr.training.folds import HITS, NEEDS_LETTERS, Predictions, _with_shipped_texts, folds_of


@pytest.fixture(scope="module")
def shipped() -> Sample:
    return sample(ordered(load_decisions()))


@pytest.fixture(scope="module")
def folds(shipped) -> np.ndarray:
    repeats = folds_of(shipped, TrainConfig())
    found = np.full((len(repeats), len(shipped)), -1, dtype=np.intp)
    for repeat, parts in enumerate(repeats):
        for k, fold in enumerate(parts):
            found[repeat, fold.test] = k
    return found


def test_they_are_shown_for_the_shipped_decisions_in_the_usual_folds(shipped, folds):
    """Other folds or letters ask for them anew: see the docstring of the module."""
    outcome, hits_of = shipped_for(shipped, folds)
    settings = Settings()
    texts = [c.name for c in outcome_contenders(settings) if c.needs_texts]
    assert list(outcome) == texts
    assert list(hits_of) == [c.name for c in guideline_contenders(settings) if c.needs_texts]
    for p in outcome.values():
        assert p.shape == folds.shape
        assert ((p > 0) & (p < 1)).all()
    for hits in hits_of.values():
        assert tuple(hits) == HITS
        assert all(set(np.unique(values)) <= {0.0, 1.0} for values in hits.values())


def test_they_are_not_shown_for_other_folds_or_letters(shipped, folds):
    assert shipped_for(shipped, np.roll(folds, 1, axis=1)) is None
    renamed = replace(shipped, frame=shipped.frame.assign(letter_id="another"))
    assert shipped_for(renamed, folds) is None
    untested = folds.copy()
    untested[0, 0] = -1
    assert shipped_for(shipped, untested) is None


def test_they_hold_numbers_only():
    table = pd.read_csv(PREDICTIONS)
    texts = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    assert texts == ["letter_id"]
    assert set(table["letter_id"]) == set(load_decisions().table["letter_id"])


def test_they_are_those_of_the_letters(real_letters: Path, shipped, folds):
    if len(list(real_letters.rglob("CM1*.pdf"))) != 130:
        pytest.skip("IMR_LETTERS is not the folder that the shipped table was built from")
    letters = sample(ordered(read_corpus([str(real_letters)])))
    outcome, _ = shipped_for(shipped, folds)
    contender = next(c for c in outcome_contenders(Settings()) if c.needs_texts)
    test = np.flatnonzero(folds[0] == 0)
    train = np.flatnonzero(folds[0] != 0)
    p = contender.predict(letters.part(train), letters.part(test))
    assert p == pytest.approx(outcome[contender.name][0, test], abs=1e-5)


def test_a_run_without_texts_takes_them(shipped, folds):
    settings = Settings()
    names = [c.name for c in outcome_contenders(settings) if c.needs_texts]
    names += [c.name for c in guideline_contenders(settings) if c.needs_texts]
    bare = Predictions([], folds, {}, {}, dict.fromkeys(names, NEEDS_LETTERS) | {"other": "why"})
    found = _with_shipped_texts(shipped, bare)
    assert found.left_out == {"other": "why"}
    assert set(found.outcome) | set(found.hits) == set(names)
