"""Letters, a model and a cluster that are really there: nothing is faked under tests/scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from imr.data.synthetic import write
from imr.models.predictor import Predictor
from imr.training.decisions import inputs, read_corpus

LETTERS = 240


@pytest.fixture(scope="session")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic letters as text files, and two files that are no letters."""
    folder = tmp_path_factory.mktemp("letters")
    write(LETTERS, folder, seed=7, fmt="txt")
    (folder / "empty.txt").write_text("")
    (folder / "no_letter.txt").write_text("A shopping list: bread, butter, salt.")
    return folder


@pytest.fixture(scope="session")
def model(letters: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model trained on them."""
    table = read_corpus([str(letters)]).table
    overturned = (table["label_outcome"] == "Overturned").tolist()
    folder = tmp_path_factory.mktemp("model") / "imr"
    Predictor.fit(inputs(table), overturned, table["label_guideline"].tolist()).save(folder)
    return folder
