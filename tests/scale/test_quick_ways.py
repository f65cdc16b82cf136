"""What was made quicker gives what the plain way gives: each beside the plain way, written out."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imr.data.read import visible
from imr.features.table import all_columns, frame
from imr.models import drift
from imr.models.frame import numbers
from imr.models.guideline import candidates as cand
from imr.models.guideline.candidates import _overlaps
from imr.models.outcome import OutcomeModel
from imr.serve.model import collected_once
from imr.serve.outputs import encodable
from tests.models.conftest import inputs, made_table

CELLS = {
    "bool": st.booleans(),
    "int": st.integers(0, 10_000),
    "float": st.floats(-1e6, 1e6),
    "str": st.text(max_size=8),
    "date": st.dates().map(str),
}
DTYPES = {"bool": "boolean", "int": "Int64", "float": "Float64", "str": "string", "date": "string"}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return made_table(40)


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, object]]:
    """Rows in which any column may be null or not there at all."""
    some = draw(st.lists(st.sampled_from(all_columns()), min_size=1, max_size=12, unique=True))
    return [
        {c.name: draw(st.none() | CELLS[c.dtype]) for c in some if draw(st.booleans())}
        for _ in range(draw(st.integers(0, 4)))
    ]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(rows())
def test_a_frame_holds_the_cells_of_its_rows(listed: list[dict[str, object]]) -> None:
    plain = pd.DataFrame(
        {
            c.name: pd.Series([r.get(c.name) for r in listed], dtype=DTYPES[c.dtype])
            for c in all_columns()
        }
    )
    pd.testing.assert_frame_equal(frame(listed), plain)


WORDS = sorted({w for label in cand.catalogue_labels() for w in cand.words(label)} | {"knee", "x"})


@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), max_size=4))
def test_common_words_are_those_of_both_sets(requests: list[str]) -> None:
    labels = cand.catalogue_labels()
    sections = [cand.words(cand.section_of(label)) for label in labels]
    plain = [[len(s & cand.words(r)) / max(len(s), 1) for s in sections] for r in requests]
    assert _overlaps(requests, labels).tolist() == plain


def test_inputs_made_once_give_the_same_predictions_and_reasons(table: pd.DataFrame) -> None:
    overturned = (table["label_outcome"] == "Overturned").tolist()
    model, seen = OutcomeModel().fit(inputs(table), overturned), inputs(made_table(10, seed=3))
    read = model.inputs(seen)
    pd.testing.assert_frame_equal(model.predict(seen, read), model.predict(seen))
    pd.testing.assert_frame_equal(model.contributions(seen, read), model.contributions(seen))


def test_counts_for_drift_are_those_of_the_frame(table: pd.DataFrame) -> None:
    seen, p = inputs(table), np.linspace(0, 1, len(table)).tolist()
    profile = drift.profile(seen, seen.columns, p)
    other = inputs(made_table(30, seed=8))
    found = drift.count(profile, other, [0.3] * len(other))
    assert set(found) == set(profile["columns"])
    for name, bins in profile["columns"].items():
        column = pd.Series([0.3] * len(other)) if name == drift.SCORE else other[name]
        missing = int(column.isna().sum())
        if "edges" in bins:
            values = column.dropna().astype("float64")
            places = [sum(value > edge for edge in bins["edges"]) for value in values]
            counts = [places.count(k) for k in range(len(bins["edges"]) + 1)]
        else:
            values = column.dropna().astype(str).tolist()
            counts = [values.count(value) for value in bins["values"]]
            counts.append(len(values) - sum(counts))
        assert found[name] == [*counts, missing], name


def test_numbers_of_a_masked_column_are_its_cells() -> None:
    column = pd.Series([True, None, False], dtype="boolean")
    assert numbers(column).tolist()[::2] == [1.0, 0.0]
    assert np.isnan(numbers(column)[1])


@given(st.text(alphabet="aé \t\n\x0b\x0c\r\x1c\x85\xa0\xad\u200b\u2028\ufeff"))
def test_a_page_is_made_visible_as_its_lines_are(page: str) -> None:
    lines = [visible(line) for line in page.split("\n")]
    assert visible(page).split("\n") == lines


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_can_be_written(text: str) -> None:
    assert encodable(text) == text.encode("utf-8", "replace").decode()


class Circle:
    """What only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


def test_a_chunk_leaves_no_garbage_and_the_collector_on() -> None:
    left: list[weakref.ref[Circle]] = []

    @collected_once()
    def work(fails: bool) -> str:
        assert not gc.isenabled()
        left.append(weakref.ref(Circle()))
        if fails:
            raise ValueError
        return "done"

    assert work(fails=False) == "done"
    assert gc.isenabled()
    assert left[0]() is None
    with pytest.raises(ValueError):
        work(fails=True)
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        assert collected_once()(lambda: gc.isenabled())() is False
        assert not gc.isenabled()
    finally:
        gc.enable()
