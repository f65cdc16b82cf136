"""Cases -> the frame that models read: signals, and facts of the case that are no signals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from imr.data.citations import labels
from imr.data.letter import Case, Item

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from imr.features.table import CaseSignals

LIST_SEPARATOR = " | "
CASE_FACTS: dict[str, str] = {
    "ur_denial_date": "string",
    "application_received": "string",
    "administrator_labels": "string",  # what the administrator cites, Chapter > Section, in order
    "request_terms": "string",  # lexicon names in the request
    "request_body_parts": "string",
}


def case_frame(cases: Iterable[Case]) -> pd.DataFrame:
    """Signals and facts of all items, one row an item, in the order of cases and items."""
    from imr.features.table import signals

    known = list(cases)
    return signals_frame(known, [signals(case) for case in known])


def signals_frame(cases: Iterable[Case], derived: Iterable[CaseSignals]) -> pd.DataFrame:
    """As :func:`case_frame`, from signals that are already derived."""
    import pandas as pd

    from imr.features.table import arrays

    columns = arrays(row for one in derived for row in one.rows)
    facts = [item_facts(case, item) for case in cases for item in case.items]
    make: Any = pd.array
    for name, dtype in CASE_FACTS.items():
        if name not in columns:
            columns[name] = make([fact[name] for fact in facts], dtype=dtype)
    return pd.DataFrame(columns, copy=False)


def item_facts(case: Case, item: Item) -> dict[str, str | None]:
    """Facts of one item, known before the decision; an unknown citation is null."""
    citation = item.claims_administrator_guideline
    return {
        "ur_denial_date": _iso(case.header.ur_denial_date),
        "application_received": _iso(case.header.application_received),
        "administrator_labels": None if citation is None else _joined(labels(citation)),
        "request_terms": _joined(item.terms),
        "request_body_parts": _joined(item.body_parts),
    }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _joined(names: Iterable[str]) -> str | None:
    return LIST_SEPARATOR.join(names) or None
