"""What the hostile tests share: letters by our grammar, and models fitted to shipped decisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from imr.data.letter import Letter


@pytest.fixture(scope="session")
def made_letters() -> list[Letter]:
    """Decided letters of the grammar, the same every time."""
    from imr.data.synthetic import synthesize

    return [made.letter for made in synthesize(40, seed=20161013)]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both models fitted to the shipped decisions, as a folder."""
    from imr.models.predictor import Predictor
    from imr.training.decisions import inputs, load_decisions, outcomes

    table = load_decisions().table
    overturned = [bool(y) for y in outcomes(table)]
    predictor = Predictor.fit(inputs(table), overturned, table["label_guideline"].tolist())
    folder = tmp_path_factory.mktemp("model") / "imr"
    predictor.save(folder)
    return folder
