"""Fixtures that every test may use, and how Hypothesis runs here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from hypothesis import settings

# The machines that run the tests differ in speed, so no example has a deadline; unattended runs
# take the same examples every time, for a failure there must be one that can be repeated.
settings.register_profile("imr", deadline=None)
settings.register_profile("unattended", deadline=None, derandomize=True)
settings.load_profile("unattended" if os.environ.get("CI") else "imr")

PROJECT = Path(__file__).resolve().parent.parent

COSTLY = {"evaluation", "corpus", "trained", "server", "bundle", "model", "alone", "derived"}
"""Fixtures that train, evaluate or start a server: with several workers, each is made once."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file on one worker, for they share fixtures (--dist loadgroup).

    Files that need a costly one are kept together with the others of their package that do.
    """
    costly = {
        item.path
        for item in items
        if isinstance(item, pytest.Function) and not COSTLY.isdisjoint(item.fixturenames)
    }
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            package = item.path.relative_to(PROJECT / "tests").parts[0]
            group = package if item.path in costly else str(item.path)
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's folder."""
    return PROJECT


@pytest.fixture(scope="session")
def samples(project: Path) -> Path:
    """The folder of the letters we wrote ourselves."""
    return project / "data" / "samples"


@pytest.fixture(scope="session")
def real_letters() -> Path:
    """The folder of real letters (``pdf/`` and ``text/`` in it), named by IMR_LETTERS."""
    named = os.environ.get("IMR_LETTERS")
    if not named:
        pytest.skip("no real letters: set IMR_LETTERS to their folder")
    folder = Path(named)
    assert folder.is_dir(), f"IMR_LETTERS names {folder}, which is no folder"
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both models fitted to the shipped decisions, as a folder."""
    from imr.models import drift
    from imr.models.predictor import Predictor
    from imr.training.decisions import inputs, load_decisions, outcomes

    table = load_decisions().table
    frame = inputs(table)
    overturned = [bool(y) for y in outcomes(table)]
    predictor = Predictor.fit(frame, overturned, table["label_guideline"].tolist())
    p = predictor.predict_frame(frame)["p_overturned"].tolist()
    predictor.about["profile"] = drift.profile(frame, predictor.columns, p)
    folder = tmp_path_factory.mktemp("model") / "imr"
    predictor.save(folder)
    return folder


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """The store ``memory://``, empty before and after."""
    made = fsspec.filesystem("memory")
    made.store.clear()
    yield made
    made.store.clear()
