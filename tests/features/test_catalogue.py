"""Every column says what it means and where that comes from."""

from __future__ import annotations

import pytest

from imr.features.signal import Column
from imr.features.table import all_columns


@pytest.mark.parametrize("column", all_columns(), ids=lambda column: column.name)
def test_a_column_has_a_definition_a_family_and_a_source(column: Column) -> None:
    assert len(column.definition) >= 8
    assert column.family
    assert len(column.source) >= 5


@pytest.mark.parametrize("column", all_columns(), ids=lambda column: column.name)
def test_a_number_has_a_unit(column: Column) -> None:
    if column.dtype in ("int", "float") and column.family not in ("key", "criteria"):
        assert column.unit or "share" in column.name


def test_columns_that_tell_the_house_style_say_so() -> None:
    telling = {c.name for c in all_columns() if "house style" in c.definition}
    reasons = {c.name for c in all_columns() if c.name.startswith("ur_reason_")}
    assert telling == reasons | {"request_date", "days_request_to_denial"}
