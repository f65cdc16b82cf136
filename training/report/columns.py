"""The column catalogue, ``docs/columns.md``: every signal with its rates on the shipped decisions.

Built by one command, never edited, and held against the code by a test::

    python -m imr.training.report.columns
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from imr.features.table import Column, all_columns
from imr.training.decisions import load_decisions

HEAD = """# Columns of `imr features`

Made by `python -m imr.training.report.columns`; do not edit. *Known* is the share of shipped
decided items ({items} items of {letters} letters) whose value is not null, *true* the share of true
values among all items. A truth value without an entry under *null* is False where nothing is
documented.

"""


def catalogue(table: pd.DataFrame) -> str:
    """The catalogue as Markdown, a section a family; ``table`` as of ``load_decisions``."""
    head = HEAD.format(items=len(table), letters=table["letter_id"].nunique())
    return head + "\n".join(_lines(table))


def _lines(table: pd.DataFrame) -> Iterator[str]:
    family = None
    for column in all_columns():
        if column.family != family:
            family = column.family
            yield f"\n## {family.replace('_', ' ')}\n"
            yield "| column | type | unit | definition | null | known | true | source |"
            yield "|" + " --- |" * 8
        yield _row(column, table[column.name])
    yield ""


def _row(column: Column, values: pd.Series[Any]) -> str:
    true = f"{values.fillna(False).mean():.0%}" if column.dtype == "bool" else ""
    cells = (
        f"`{column.name}`",
        column.dtype,
        column.unit,
        column.definition,
        column.null,
        f"{values.notna().mean():.0%}",
        true,
        column.source,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def path() -> Path:
    """Where the catalogue stands in a checkout."""
    return Path(__file__).parent.parent.parent / "docs" / "columns.md"


if __name__ == "__main__":
    path().write_text(catalogue(load_decisions().table), encoding="utf-8")
