"""Letters in: from files to what is known of a case, and the tables of the project's knowledge."""

from __future__ import annotations

import csv
from pathlib import Path


def table_rows(table: str, folder: Path = Path(__file__).parent) -> list[dict[str, str]]:
    """The rows of ``<table>.csv`` in a folder, that of ``data`` by default (``reference/drugs``,
    ``grammar/items``), as printed.
    """
    with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
