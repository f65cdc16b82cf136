"""Everything there is to show about a scored letter, as one JSON-ready object.

`imr explain`, its ``--json``, the HTML report and the score table all read this object, so they
cannot disagree.  Quotes are spans (start, end) into ``case_summary``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from imr.data.letter import CaseHeader, Decision, Evidence, Item, Letter
from imr.serve.parsed import iso
from imr.serve.rows import GUIDELINES

if TYPE_CHECKING:
    from imr.features.criteria import Criterion
    from imr.models.prediction import Prediction, Reason

DIGITS = 6
"""Of a probability: sums over a chunk of another size may differ in the sixteenth digit."""

NOTICE = (
    "An estimate from decided cases: it says how similar requests were decided before. "
    "It is no medical and no legal verdict."
)


Checklist = Sequence[tuple["Criterion", Sequence[Evidence]]]
"""Criteria with the words that each one rests on."""


def letter_detail(
    letter: Letter, predictions: Sequence[Prediction], checklists: Sequence[Checklist]
) -> dict[str, Any]:
    """The letter's facts and, an item each, its prediction with reasons, criteria and cohort.

    ``predictions`` and ``checklists`` run parallel to the items.
    """
    case = letter.case
    decisions = letter.determination.decisions or (None,) * len(case.items)
    each = zip(case.items, decisions, predictions, checklists, strict=True)
    return {
        "letter_id": case.letter_id,
        "source": case.source,
        "header": _header(case.header),
        "case_summary": case.case_summary,
        "warnings": list(letter.warnings),
        "items": [_item(*parts) for parts in each],
    }


def _header(header: CaseHeader) -> dict[str, str | None]:
    return {
        "case_number": header.case_number,
        "date_of_injury": iso(header.date_of_injury),
        "ur_denial_date": iso(header.ur_denial_date),
        "application_received": iso(header.application_received),
        "priority": header.priority,
    }


def _item(
    item: Item,
    decision: Decision | None,
    prediction: Prediction,
    checklist: Checklist,
) -> dict[str, Any]:
    return {
        "item_index": item.index,
        "title": item.title,
        "requested": item.requested,
        "ur_action": item.ur_action,
        "original_request": item.original_request,
        "authorized": item.authorized,
        "category": item.category,
        "subcategory": item.subcategory,
        "claims_administrator_guideline": _raw(item),
        "p_overturned": round(prediction.p_overturned, DIGITS),
        "p_overturned_low": round(prediction.p_overturned_low, DIGITS),
        "p_overturned_high": round(prediction.p_overturned_high, DIGITS),
        "predicted_outcome": prediction.predicted_outcome,
        "guidelines": _guidelines(prediction),
        "reasons": [_reason(reason) for reason in prediction.reasons],
        "checklist": [_criterion(*pair) for pair in checklist],
        "similar": asdict(prediction.similar),
        "decision": None if decision is None else decision.outcome,
        "decision_guideline": _cited(decision),
    }


def _guidelines(prediction: Prediction) -> list[dict[str, Any]]:
    candidates = (
        (prediction.guideline_1, prediction.guideline_1_p),
        (prediction.guideline_2, prediction.guideline_2_p),
        (prediction.guideline_3, prediction.guideline_3_p),
    )
    return [{"guideline": name, "p": round(p, DIGITS)} for name, p in candidates if name]


def _criterion(criterion: Criterion, quotes: Sequence[Evidence]) -> dict[str, Any]:
    return {
        "id": criterion.id,
        "guideline": criterion.guideline,
        "source": criterion.source,
        "text": criterion.text,
        "status": criterion.status,
        "quotes": [quote_object(evidence) for evidence in quotes],
    }


def _raw(item: Item) -> str | None:
    citation = item.claims_administrator_guideline
    return None if citation is None else citation.raw


def _cited(decision: Decision | None) -> str | None:
    if decision is None or decision.guideline is None:
        return None
    from imr.data.citations import primary_label

    return primary_label(decision.guideline)


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "signal": reason.signal,
        "value": _printed(reason.value),
        "contribution": round(reason.contribution, 4),
        "direction": reason.direction,
        "statement": reason.statement,
        "quotes": [quote_object(evidence) for evidence in reason.quotes],
    }


def _printed(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def reason_sentence(reason: Mapping[str, Any]) -> str:
    """The reason's statement, with the value found where that is a number."""
    value = reason["value"]
    number = isinstance(value, str) and value.replace(".", "", 1).replace("-", "", 1).isdigit()
    return f"{reason['statement']}: {value}" if number else str(reason["statement"])


def similar_sentence(similar: dict[str, Any]) -> str:
    """Similar decided items in a sentence: share overturned, how many, which years."""
    items, overturned = similar["items"], similar["overturned"]
    first, last = similar["first_year"], similar["last_year"]
    years = "" if first is None else f", {first}" if first == last else f", {first} to {last}"
    return (
        f"Similar decided items ({similar['of']}): {overturned} of {items} overturned "
        f"({overturned / items:.0%}{years})."
    )


def quote_object(evidence: Evidence) -> dict[str, Any]:
    """The quoted words and where they stand."""
    return {
        "field": evidence.field,
        "start": evidence.start,
        "end": evidence.end,
        "quote": evidence.quote,
        "qualifier": evidence.qualifier,
    }


def score_rows(detail: dict[str, Any]) -> list[dict[str, Any]]:
    """The letter's rows of the score table, without ``model_uri`` and ``scored_at``."""
    return [_row(detail, item) for item in detail["items"]]


def _row(detail: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    return {
        "letter_id": detail["letter_id"],
        **{name: item[name] for name in _COPIED},
        **_guideline_cells(item["guidelines"]),
        "reasons": [_row_reason(reason) for reason in item["reasons"]],
        "warnings": detail["warnings"],
    }


def _guideline_cells(candidates: list[dict[str, Any]]) -> dict[str, Any]:
    """``guideline_1`` … ``guideline_3_p``; null where there are fewer candidates."""
    cells: dict[str, Any] = {}
    for rank in range(1, GUIDELINES + 1):
        found = candidates[rank - 1] if rank <= len(candidates) else {}
        cells[f"guideline_{rank}"] = found.get("guideline")
        cells[f"guideline_{rank}_p"] = found.get("p")
    return cells


_COPIED = (
    "item_index",
    "requested",
    "category",
    "subcategory",
    "p_overturned",
    "predicted_outcome",
    "p_overturned_low",
    "p_overturned_high",
    "decision",
    "decision_guideline",
)


def _row_reason(reason: dict[str, Any]) -> dict[str, Any]:
    return {**reason, "quotes": [quote["quote"] for quote in reason["quotes"]]}
