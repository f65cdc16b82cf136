"""Tuning sees training rows only, is kept, and goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.config import TrainConfig
from training.sample import sample
from training.tuning import FOLDER, tuned


def test_a_study_is_kept_and_taken_up_again(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = sample(corpus).part(np.arange(len(corpus.table) // 2))
    config = TrainConfig(tune=2, seed=4)
    first, chosen = tuned(train, config, "0.0")
    assert chosen["trials"] == 2
    assert [path.suffix for path in FOLDER.iterdir()] == [".log"]
    again, same = tuned(train, config, "0.0")
    assert (again, same) == (first, chosen)
    _, more = tuned(train, replace(config, tune=3), "0.0")
    assert more["trials"] == 3
    assert more["inner_log_loss"] <= chosen["inner_log_loss"]
