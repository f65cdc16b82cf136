"""A letter as the JSON object that `imr parse` prints."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from imr.data.letter import Citation, Decision, Item, Letter


def letter_object(letter: Letter) -> dict[str, Any]:
    """The contract's object of one letter: keys in the contract's order, dates ISO."""
    case, determination = letter.case, letter.determination
    decisions = determination.decisions or (None,) * len(case.items)
    header = case.header
    return {
        "letter_id": case.letter_id,
        "source": case.source,
        "header": {
            "case_number": header.case_number,
            "date_assigned": iso(header.date_assigned),
            "date_of_injury": iso(header.date_of_injury),
            "decision_date": iso(determination.decision_date),
            "ur_denial_date": iso(header.ur_denial_date),
            "application_received": iso(header.application_received),
            "priority": header.priority,
        },
        "reviewer": {
            "states": list(determination.states),
            "specialties": list(determination.specialties),
        },
        "case_summary": case.case_summary,
        "items": [_item(i, d) for i, d in zip(case.items, decisions, strict=True)],
        "warnings": list(letter.warnings),
    }


def _item(item: Item, decision: Decision | None) -> dict[str, Any]:
    return {
        "index": item.index,
        "title": item.title,
        "requested": item.requested,
        "ur_action": item.ur_action,
        "original_request": item.original_request,
        "authorized": item.authorized,
        "category": item.category,
        "subcategory": item.subcategory,
        "body_parts": list(item.body_parts),
        "quantity": item.quantity,
        "quantity_unit": item.quantity_unit,
        "claims_administrator_guideline": citation_object(item.claims_administrator_guideline),
        "decision": _decision(decision),
    }


def _decision(decision: Decision | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    return {
        "outcome": decision.outcome,
        "guideline": citation_object(decision.guideline),
        "rationale": decision.rationale,
    }


def citation_object(citation: Citation | None) -> dict[str, Any] | None:
    """``{raw, none_cited, mtus[{chapter, edition, sections[], pages}], non_mtus[]}`` or None."""
    if citation is None:
        return None
    mtus = [{**asdict(m), "sections": list(m.sections)} for m in citation.mtus]
    return {
        "raw": citation.raw,
        "none_cited": citation.none_cited,
        "mtus": mtus,
        "non_mtus": list(citation.non_mtus),
    }


def iso(day: date | None) -> str | None:
    """The day as ``2016-10-13``."""
    return None if day is None else day.isoformat()
