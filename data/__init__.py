"""Letters in: from files to what is known of a case, and the tables of the project's knowledge."""

from __future__ import annotations

import csv
from importlib import resources


def table_rows(table: str) -> list[dict[str, str]]:
    """The rows of ``data/<table>.csv`` (``reference/drugs``, ``grammar/items``), as printed."""
    path = resources.files("imr.data") / f"{table}.csv"
    with path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
