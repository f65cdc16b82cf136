"""The shipped decisions: facts only, built by the code that stands here."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd
import pytest

from imr.features.table import all_columns
from imr.training.decisions import (
    CASE_FACTS,
    LABELS,
    LIST_SEPARATOR,
    SHIPPED,
    NoDecisionsError,
    case_frame,
    dtypes,
    inputs,
    load_decisions,
    outcomes,
    read_corpus,
    write_decisions,
)


def test_shipped_columns_are_those_of_the_builders() -> None:
    with SHIPPED.open(encoding="utf-8", newline="") as handle:
        header = next(csv.reader(handle))
    assert header == list(dtypes())
    assert {c.name for c in all_columns()} | set(CASE_FACTS) | set(LABELS) == set(header)


def test_shipped_table_holds_the_real_items() -> None:
    table = load_decisions().table
    assert len(table) == 302
    assert table["letter_id"].nunique() == 135
    assert int(outcomes(table).sum()) == 33
    assert not table.duplicated(["letter_id", "item_index"]).any()
    assert table["label_guideline"].notna().all()


def test_shipped_table_holds_no_sentences() -> None:
    """Nine words in a row are a sentence; guideline section titles are the catalogue's names."""
    free = [c for c in dtypes() if not c.startswith(("label_guideline", "administrator_labels"))]
    table = load_decisions().table[free].drop(columns=["ca_guideline"])
    cells = {
        (name, part)
        for name in table
        for cell in table[name].dropna().astype(str)
        for part in cell.split(LIST_SEPARATOR)
    }
    assert len(cells) > 1_000
    assert not [(name, cell) for name, cell in cells if len(re.findall(r"\w+", cell)) >= 9]


def test_models_see_no_label() -> None:
    table = load_decisions().table
    assert set(table) - set(inputs(table)) == set(LABELS)


def test_table_survives_writing_and_reading(tmp_path: Path) -> None:
    corpus = load_decisions()
    write_decisions(corpus, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == SHIPPED.read_bytes()
    pd.testing.assert_frame_equal(load_decisions(tmp_path / "again.csv").table, corpus.table)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not a table of decisions"),
        ("letter_id,item_index\nA,0\n", "lacks"),
        (",".join(dtypes()) + "\n", "no decided item"),
    ],
)
def test_a_table_of_another_kind_is_refused(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "table.csv"
    file.write_text(content)
    with pytest.raises(NoDecisionsError, match=said):
        load_decisions(file)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoDecisionsError, match=r"nowhere\.csv: no such file"):
        load_decisions(tmp_path / "nowhere.csv")


def test_samples_give_a_table_with_labels_of_decided_items_only(samples: Path) -> None:
    corpus = read_corpus([str(samples)])
    assert set(corpus.table["label_outcome"]) <= {"Upheld", "Overturned"}
    assert len(corpus.table) == len(corpus.texts if corpus.texts is not None else ())
    assert case_frame([]).empty


def test_folder_without_decisions_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("Nothing to see.")
    with pytest.raises(NoDecisionsError, match="no letter could be read"):
        read_corpus([str(tmp_path)])


def test_real_letters_rebuild_the_shipped_table(real_letters: Path, tmp_path: Path) -> None:
    if len(list(real_letters.rglob("CM1*.pdf"))) != 130:
        pytest.skip("IMR_LETTERS is not the folder that the shipped table was built from")
    write_decisions(read_corpus([str(real_letters)]), tmp_path / "rebuilt.csv")
    assert (tmp_path / "rebuilt.csv").read_bytes() == SHIPPED.read_bytes()
