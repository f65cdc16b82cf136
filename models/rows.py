"""Predictions as the contract's columns: plain rows for tables and for the MLflow model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from imr.models.predictor import Prediction, Reason

# Column -> type, in the contract's order; every value may be null except the keys.
COLUMNS: dict[str, str] = {
    "letter_id": "string",
    "item_index": "Int64",
    "requested": "string",
    "category": "string",
    "subcategory": "string",
    "p_overturned": "Float64",
    "predicted_outcome": "string",
    "p_overturned_low": "Float64",
    "p_overturned_high": "Float64",
    "guideline_1": "string",
    "guideline_1_p": "Float64",
    "guideline_2": "string",
    "guideline_2_p": "Float64",
    "guideline_3": "string",
    "guideline_3_p": "Float64",
    "reasons": "string",
    "decision": "string",
    "decision_guideline": "string",
    "warnings": "string",
    "model_uri": "string",
    "scored_at": "string",
}
_COPIED = tuple(COLUMNS)[:15]


def prediction_row(
    prediction: Prediction,
    model_uri: str,
    scored_at: datetime,
    warnings: Sequence[str] = (),
    decision: str | None = None,
    decision_guideline: str | None = None,
) -> dict[str, Any]:
    """One row with the contract's columns; ``reasons`` and ``warnings`` as JSON texts."""
    row = {name: getattr(prediction, name) for name in _COPIED}
    return row | {
        "reasons": reasons_json(prediction.reasons),
        "decision": decision,
        "decision_guideline": decision_guideline,
        "warnings": json.dumps(list(warnings), ensure_ascii=False),
        "model_uri": model_uri,
        "scored_at": scored_at.isoformat(timespec="seconds"),
    }


def reasons_json(reasons: Sequence[Reason]) -> str:
    """Reasons as a JSON list: signal, value, contribution, direction, statement, quotes."""
    return json.dumps([_plain(reason) for reason in reasons], ensure_ascii=False, default=str)


def _plain(reason: Reason) -> dict[str, Any]:
    return {
        "signal": reason.signal,
        "value": reason.value,
        "contribution": round(reason.contribution, 4),
        "direction": reason.direction,
        "statement": reason.statement,
        "quotes": [quote.quote for quote in reason.quotes],
    }
