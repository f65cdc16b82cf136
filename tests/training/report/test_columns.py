"""The column catalogue in the docs is the one that the code makes."""

from __future__ import annotations

from imr.features.table import all_columns
from imr.training.decisions import load_decisions
from imr.training.report.columns import catalogue, path


def test_docs_hold_the_catalogue_of_the_code() -> None:
    assert path().read_text(encoding="utf-8") == catalogue(load_decisions().table)


def test_every_column_is_defined_and_has_a_unit_or_a_kind() -> None:
    text = catalogue(load_decisions().table)
    for column in all_columns():
        assert f"| `{column.name}` |" in text
        assert column.definition, column.name
        assert column.unit or column.dtype != "float" or "share" in column.name, column.name
