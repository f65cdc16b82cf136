"""Case records in a data frame, predictions in a data frame: the two ends of the MLflow model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from imr.data.letter import Letter, LetterError, Text
from imr.data.parse import parse
from imr.data.read import paragraphs, visible
from imr.data.records import RawRecord, letter_from_record
from imr.data.sources import MAX_TEXT_BYTES
from imr.features.table import signals
from imr.models.bundle import model_address
from imr.models.frame import signals_frame
from imr.models.prediction import SCORE_COLUMNS, prediction_row
from imr.models.predictor import Predictor

RECORD_COLUMNS = (
    "letter_id",
    "case_summary",
    "items",
    "text",
    "case_number",
    "date_assigned",
    "date_of_injury",
    "ur_denial_date",
    "application_received",
    "priority",
)
BY_LETTER = "predictions"
NAME = "imr"
"""The model's name in its rows: inside a logged model nobody knows the address it was loaded by."""
FRAME_TYPES = {"int": "Int64", "float": "Float64"} | dict.fromkeys(
    ("str", "reasons", "texts", "timestamp"), "string"
)


def cases_from_frame(frame: pd.DataFrame) -> list[Letter]:
    """One letter a row; raises LetterError that names the row and what is allowed.

    Rows count from 0.  A frame without any known column is refused even if it has no rows:
    MLflow drops columns that it does not know, and their rows with them.
    """
    if not {"text", "items"} & set(frame.columns):
        raise LetterError(
            "input",
            "columns",
            f"received the columns {', '.join(map(str, frame.columns))[:200] or 'none'}",
            "give text, or letter_id, case_summary and items",
        )
    return [
        _letter(place, {str(k): v for k, v in row.items()})
        for place, row in enumerate(frame.to_dict("records"))
    ]


def predictions_frame(
    predictor: Predictor, letters: Sequence[Letter], explain: bool
) -> pd.DataFrame:
    """The contract's columns with stable nullable types, one row an item."""
    cases = [letter.case for letter in letters]
    derived = [signals(case) for case in cases]
    evidence = [one.evidence for one in derived] if explain else None
    table = signals_frame(cases, derived)
    predictions = iter(predictor.predict_rows(cases, table, evidence))
    now, uri = datetime.now(UTC), model_address(NAME, predictor.digest)
    rows = [
        prediction_row(next(predictions), uri, now, (*letter.warnings, *found.warnings))
        for letter, found in zip(letters, derived, strict=True)
        for _ in letter.case.items
    ]
    dtypes = {column.name: FRAME_TYPES[column.kind] for column in SCORE_COLUMNS}
    return pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)


def letters_frame(found: pd.DataFrame, letters: Sequence[Letter]) -> pd.DataFrame:
    """:func:`predictions_frame` with one row a letter: a JSON list of its rows, in one column.

    Spark's functions return a row for every row they are given, whatever its items.
    """
    rows = iter(found.astype(object).where(found.notna(), None).to_dict("records"))
    texts = [
        json.dumps([next(rows) for _ in letter.case.items], ensure_ascii=False)
        for letter in letters
    ]
    return pd.DataFrame({BY_LETTER: pd.Series(texts, dtype=object)})


def example_input() -> pd.DataFrame:
    """One undecided case record, written for this purpose."""
    items = [
        {
            "title": "MRI of the right knee without contrast",
            "claims_administrator_guideline": (
                "Decision based on MTUS Knee Complaints 2004, Section(s): Special Studies."
            ),
        },
        {"title": "Physical therapy, 12 sessions for the right knee"},
    ]
    summary = (
        "A 41-year-old woman twisted her right knee at work on 08-02-2016. Plain films showed no "
        "fracture. She had six visits of physical therapy and took naproxen. The knee locks, and "
        "the McMurray sign is positive."
    )
    record = {
        "letter_id": "example",
        "case_summary": summary,
        "items": json.dumps(items),
        "ur_denial_date": "2016-09-30",
    }
    return pd.DataFrame([record])


def _letter(place: int, row: Mapping[str, Any]) -> Letter:
    values = {k: _plain(v) for k, v in row.items()}
    source = f"row {place}"
    text = values.pop("text", None)
    if text is not None:
        name = str(values.get("letter_id") or f"row-{place}")
        return parse(_as_read(name, source, str(text)))
    items = values.get("items")
    if isinstance(items, str):
        values["items"] = _items(source, items)
    return letter_from_record(RawRecord(source, {k: v for k, v in values.items() if v is not None}))


def _as_read(name: str, source: str, text: str) -> Text:
    """A whole letter in a cell, its layout brought in order as that of a file is."""
    if len(text) > MAX_TEXT_BYTES:
        raise LetterError(source, "too_large", f"the text has {len(text)} characters", "one letter")
    shown, has_paragraphs = paragraphs(text)
    return Text(visible(name), source, shown, has_paragraphs)


def _items(source: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise LetterError(
            source, "not_json", "column 'items': not JSON", "give a JSON list of items"
        ) from None


def _plain(value: Any) -> Any:
    """Frame cells as JSON would hold them: null as None, arrays as lists, dates as text."""
    if isinstance(value, (str, list, dict, bool)):
        return value
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    # Before the dates: pandas' NaT is one.
    if pd.isna(value):
        return None
    return value.isoformat() if isinstance(value, (date, datetime)) else value
