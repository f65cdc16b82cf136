"""The tables that stand in ``data/reference`` and ``data/grammar``, as rows."""

from __future__ import annotations

import csv
from importlib import resources


def table_rows(table: str) -> list[dict[str, str]]:
    """The rows of ``data/<table>.csv`` (``reference/drugs``, ``grammar/items``), as printed."""
    path = resources.files("imr.data") / f"{table}.csv"
    with path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
