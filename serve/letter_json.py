"""Everything there is to show about a scored letter, as one JSON-ready object.

`imr explain`, its ``--json``, the HTML report and the score table all read this object, so they
cannot disagree.  Quotes are spans (start, end) into ``case_summary``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from imr.data.citations import primary_label
from imr.data.letter import Case, Decision, Evidence, Item, Letter
from imr.models.prediction import GUIDELINES, INTERVAL_MEANING, SCORE_COLUMNS, WHAT_IF_MEANING

if TYPE_CHECKING:
    from imr.features.checklist import Criterion
    from imr.features.table import Urgent
    from imr.models.prediction import Prediction, Reason
    from imr.models.whatif import Change

DIGITS = 6
"""Of a probability: sums over a chunk of another size may differ in the sixteenth digit."""

NOTICE = (
    "An estimate from decided cases: it says how similar requests were decided before. "
    "It is no medical and no legal verdict."
)
NOTICES = {
    "notice": NOTICE,
    "interval_meaning": f"What an interval means: {INTERVAL_MEANING}.",
    "what_if_meaning": WHAT_IF_MEANING,
    "urgent_notice": "This is a matter for a physician today, not for a forecast.",
}
"""The sentences that go with every letter, by their keys."""


_HEADER = ("case_number", "date_assigned", "date_of_injury", "decision_date", "ur_denial_date",
          "application_received", "priority")  # fmt: skip
_REQUEST = ("title", "requested", "ur_action", "original_request", "authorized", "category",
            "subcategory")  # fmt: skip
_PARSED = ("index", *_REQUEST, "body_parts", "quantity", "quantity_unit",
           "claims_administrator_guideline")  # fmt: skip


def letter_object(letter: Letter) -> dict[str, Any]:
    """The contract's object of one letter: keys in the contract's order, dates ISO."""
    case = letter.case
    return {
        **_fields(case, ("letter_id", "source")),
        "header": _header(letter),
        "reviewer": _fields(letter.determination, ("states", "specialties")),
        "case_summary": case.case_summary,
        "items": [
            {**_fields(item, _PARSED), "decision": _plain(decision)}
            for item, decision in _decided(letter)
        ],
        "warnings": list(letter.warnings),
    }


def _header(letter: Letter) -> dict[str, str | None]:
    known = asdict(letter.case.header) | {"decision_date": letter.determination.decision_date}
    return {name: _plain(known[name]) for name in _HEADER}


def _decided(letter: Letter) -> Iterator[tuple[Item, Decision | None]]:
    """Each item with its decision, None where the letter is undecided."""
    items = letter.case.items
    return zip(items, letter.determination.decisions or (None,) * len(items), strict=True)


def _fields(of: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: _plain(getattr(of, name)) for name in names}


def _plain(value: Any) -> Any:
    """The value as JSON has it: objects, lists, days as ISO text."""
    if is_dataclass(value):
        return _fields(value, [field.name for field in fields(value)])
    if isinstance(value, tuple):
        return list(map(_plain, value))
    return value.isoformat() if isinstance(value, date) else value


# --- predicted ------------------------------------------------------------------------------------

CRITERION_QUOTES = 3
"""Quotes shown of a criterion."""


def letter_detail(
    letter: Letter,
    predictions: Sequence[Prediction],
    checklists: Sequence[Sequence[Criterion]],
    changes: Sequence[Sequence[Change]],
    urgent: Sequence[Urgent] = (),
) -> dict[str, Any]:
    """The letter's facts and, an item each, its prediction with reasons, criteria and cohort.

    ``predictions``, ``checklists`` and ``changes`` (what would move the estimate) run parallel to
    the items; ``urgent`` is what a physician must see today.
    """
    case, decisions = letter.case, ("date_assigned", "decision_date")
    each = zip(_decided(letter), predictions, checklists, changes, strict=True)
    return {
        "letter_id": case.letter_id,
        "source": case.source,
        "header": {k: v for k, v in _header(letter).items() if k not in decisions},
        "case_summary": case.case_summary,
        "warnings": list(letter.warnings),
        "urgent": [{"text": u.text, "quotes": [quote_object(u.quote)]} for u in urgent],
        "items": [
            _item(case, *decided, p, criteria, found) for decided, p, criteria, found in each
        ],
    }


def run_detail(detail: Mapping[str, Any], model_uri: str) -> dict[str, Any]:
    """What `imr explain --json` prints and ``--details`` holds: the letter, its model, notices."""
    return {**detail, "model_uri": model_uri, **NOTICES}


_DENIAL = re.compile(
    r"\b(?:denials?|(?:was|were|been|is|are) denied|non-?certif\w+|not certified|"
    r"utilization review)\b",
    re.IGNORECASE,
)


def _denied(case: Case, item: Item, decision: Decision | None) -> bool:
    """True where something tells that a utilization review has acted: not of a draft."""
    told = (item.ur_action_told, item.ur_action == "modified", item.claims_administrator_guideline,
            decision, case.header.ur_denial_date, case.header.application_received)  # fmt: skip
    return any(told) or _DENIAL.search(case.case_summary) is not None


def _item(
    case: Case,
    item: Item,
    decision: Decision | None,
    prediction: Prediction,
    checklist: Sequence[Criterion],
    changes: Sequence[Change],
) -> dict[str, Any]:
    cited = item.claims_administrator_guideline
    label = primary_label(decision.guideline) if decision and decision.guideline else None
    chances = (c.name for c in SCORE_COLUMNS if c.name.startswith("p_"))
    return {
        "item_index": item.index,
        **_fields(item, _REQUEST),
        "ur_action": item.ur_action if _denied(case, item, decision) else None,
        "claims_administrator_guideline": cited and cited.raw,
        **{name: round(getattr(prediction, name), DIGITS) for name in chances},
        "predicted_outcome": prediction.predicted_outcome,
        "meaning": prediction.meaning,
        "what_if": [_change(change) for change in changes],
        "guidelines": _guidelines(prediction),
        "reasons": [_reason(reason) for reason in prediction.reasons],
        "checklist": [_criterion(criterion) for criterion in checklist],
        "similar": asdict(prediction.similar),
        "decision": decision and decision.outcome,
        "decision_guideline": label,
    }


def _change(change: Change) -> dict[str, Any]:
    figures = _fields(change, ("p_overturned", "p_overturned_low", "p_overturned_high", "gain"))
    steps = ("criterion", "status", "kind", "action", "sentence")
    return {
        **{k: v if v is None else round(v, DIGITS) for k, v in figures.items()},
        "steps": [_fields(step, steps) for step in change.steps],
    }


def change_sentence(change: Mapping[str, Any], p: float) -> str:
    """What a change gives, in words: "12% → 31% (up to 58%)"."""
    after, low, high = (change[f"p_overturned{end}"] for end in ("", "_low", "_high"))
    if after is None:
        return "not estimated"
    least = "up to" if low <= p else f"{_percent(low)} to"
    return f"{_percent(p)} → {_percent(after)} ({least} {_percent(high)})"


def changes_told(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What would change an item's estimate, without what moves it by nothing that can be seen."""
    p = _percent(item["p_overturned"])
    after = ((change, change["p_overturned"]) for change in item["what_if"])
    return [change for change, moved in after if moved is None or _percent(moved) != p]


def _percent(p: float) -> str:
    return f"{p:.1%}" if p < 0.0995 else f"{p:.0%}"


def change_action(change: Mapping[str, Any]) -> str:
    """What to do, in words; of what the record denies now, that it does."""
    said: list[str] = []
    for step in change["steps"]:
        against = step["status"] == "not met" and step["kind"] == "document"
        said.append(step["action"] + " (the record says the contrary now)" * against)
    both = "; ".join(said)
    return f"Both: {both}" if len(said) > 1 else both[0].upper() + both[1:]


def _guidelines(prediction: Prediction) -> list[dict[str, Any]]:
    names = [f"guideline_{rank}" for rank in range(1, GUIDELINES + 1)]
    found = ((getattr(prediction, name), getattr(prediction, f"{name}_p")) for name in names)
    return [{"guideline": name, "p": round(p, DIGITS)} for name, p in found if name]


def _criterion(criterion: Criterion) -> dict[str, Any]:
    shown = _fields(criterion, ("id", "guideline", "source", "text", "status"))
    return {**shown, "quotes": [quote_object(q) for q in criterion.quotes[:CRITERION_QUOTES]]}


def _reason(reason: Reason) -> dict[str, Any]:
    value = reason.value
    if isinstance(value, bool):
        value = "yes" if value else "no"
    elif value is not None:
        value = f"{value:g}" if isinstance(value, float) else str(value)
    return {
        "signal": reason.signal,
        "value": value,
        "contribution": round(reason.contribution, 4),
        **_fields(reason, ("direction", "statement")),
        "quotes": list(map(quote_object, reason.quotes)),
    }


def similar_sentence(similar: dict[str, Any]) -> str:
    """Similar decided items in a sentence: share overturned, how many, which years."""
    items, overturned = similar["items"], similar["overturned"]
    first, last = similar["first_year"], similar["last_year"]
    years = "" if first is None else f", {first}" if first == last else f", {first} to {last}"
    return (
        f"Similar decided items ({similar['of']}): {overturned} of {items} overturned "
        f"({overturned / items:.0%}{years})."
    )


def distinct(quotes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The quotes to show: none twice, and none that is a part of another one."""
    return [
        quote
        for at, quote in enumerate(quotes)
        if not any(
            _part(quote, other) and (n < at or not _part(other, quote))
            for n, other in enumerate(quotes)
            if n != at
        )
    ]


def _part(quote: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    inside = whole["start"] <= quote["start"] and quote["end"] <= whole["end"]
    return inside and quote["field"] == whole["field"] and quote["quote"] in whole["quote"]


def quote_object(evidence: Evidence) -> dict[str, Any]:
    """The quoted words and where they stand."""
    return _fields(evidence, ("field", "start", "end", "quote", "qualifier"))


def score_rows(detail: dict[str, Any]) -> list[dict[str, Any]]:
    """The letter's rows of the score table, without the columns that a run's rows share."""
    columns = [c.name for c in SCORE_COLUMNS if c.name not in ("model_uri", "scored_at")]
    rows = []
    for item in detail["items"]:
        cells = {**item, "letter_id": detail["letter_id"], "warnings": detail["warnings"]}
        cells["reasons"] = [
            {**reason, "quotes": [quote["quote"] for quote in reason["quotes"]]}
            for reason in item["reasons"]
        ]
        for rank, found in enumerate(item["guidelines"], 1):
            cells[f"guideline_{rank}"], cells[f"guideline_{rank}_p"] = found.values()
        rows.append({name: cells.get(name) for name in columns})  # null: fewer guidelines
    return rows
