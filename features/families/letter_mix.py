"""The letter as a whole: how many items, of which classes, and how they belong together; whether
the operation that it speaks of was authorized.

Services around an operation stand or fall with it.  A word of authorization or refusal counts
where its sentence names an operation; "authorized" under a negation is a refusal.  What the
utilization review says of the items in dispute counts too: it is known before the decision.
Lexicon: ``lexicons/authorization.csv``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from imr.data.letter import Case, Item
from imr.features.context import Summary
from imr.features.families.review import is_associated
from imr.features.signal import Findings, Value

_OPERATIONS = ("Spine", "Arthroscopic Surgery", "Non-arthroscopic Surgery")
_MIX = {
    "letter_has_surgery": "Surgery",
    "letter_has_injection": "Injection",
    "letter_has_drug": "Pharmaceuticals",
    "letter_has_rehabilitation": "Rehabilitation",
    "letter_has_diagnostic_test": "Diagnostic Testing",
    "letter_has_equipment": "DMEPOS",
}


# What a service takes from the operation it goes with.
_OF_THE_OPERATION = {
    "operation_indicated": "indication_documented",
    "operation_criteria_met_share": "criteria_met_share",
    "operation_lesion_imaged": "repairable_lesion",
    "operation_lesion_severe": "severe_lesion",
    "operation_lesion_extent": "lesion_extent",
    "operation_signs": "joint_signs",
    "operation_care_failed": "care_failed",
    "operation_organ_findings": "organ_findings",
    "operation_term": "request_term",
    "operation_levels": "request_level_count",
}


def build(_summary: Summary, case: Case) -> Findings:
    """The mix of the letter: its size, its classes, denied beside modified."""
    found = Findings()
    categories = {item.category for item in case.items}
    found.values["n_items"] = len(case.items)
    found.values["all_items_same_category"] = len(categories) == 1
    found.values["several_actions"] = len({item.ur_action for item in case.items}) > 1
    for name, category in _MIX.items():
        found.values[name] = category in categories
    return found


def build_item(_summary: Summary, case: Case, item: Item, _found: dict[str, Value]) -> Findings:
    """The item among its siblings."""
    own = Findings()
    others = [other for other in case.items if other.index != item.index]
    same = [o for o in others if item.category is not None and o.category == item.category]
    own.values["same_category_items"] = len(same)
    own.values["same_subcategory_items"] = sum(o.subcategory == item.subcategory for o in same)
    own.values["duplicate_item"] = any(_request_key(o) == _request_key(item) for o in others)
    own.values["primary_surgery"] = is_primary_surgery(item)
    own.values["primary_surgery_in_letter"] = any(is_primary_surgery(o) for o in others)
    own.values["associated_with_surgery"] = is_associated(item)
    return own


def relate(items: Sequence[Item], rows: Sequence[dict[str, Value]]) -> None:
    """A service stands or falls with its operation: it takes over how well that is supported.

    The operation is the first primary one of the letter.
    """
    operation = next((r for i, r in zip(items, rows, strict=True) if is_primary_surgery(i)), None)
    if operation is None:
        return
    for row in rows:
        if row["associated_with_surgery"] and row is not operation:
            for own, source in _OF_THE_OPERATION.items():
                row[own] = operation.get(source)


def is_primary_surgery(item: Item) -> bool:
    """An operation itself, not what goes with it."""
    operation = item.category == "Surgery" and item.subcategory in _OPERATIONS
    return operation and not is_associated(item)


_NOISE = re.compile(
    r"\b(?:additional|initial|continue[d]?|retrospective|for|the|of|to|a|an|x|times?|per|week(?:s|ly)?|"
    r"sessions?|visits?|one|two|three|four|six|eight|twelve|repeat|without|with|contrast)\b|[^a-z\s]+"
)


@lru_cache(maxsize=4096)
def _words(requested: str) -> frozenset[str]:
    return frozenset(_NOISE.sub(" ", requested.lower()).split())


def _request_key(item: Item) -> tuple[str | None, str | None, frozenset[str]]:
    return item.category, item.subcategory, _words(item.requested)


_WORD_FOR_OPERATION = re.compile(
    r"\b(?:surger(?:y|ies)|surgical (?:repair|procedure|intervention)|operation|arthroscop\w+|"
    r"arthroplasty|fusion|discectomy|laminectomy|laminotomy|decompression|release|repair|"
    r"reconstruction|replacement|fixation|\w{4,20}ectomy|removal of hardware|hardware removal|"
    r"transposition|osteotomy|debridement|recon|acdf|[pta]lif|orif|t[khs][ar]|excision|"
    r"amputation|tak(?:e|ing|en) (?:\w+ ){1,3}out)\b"
)


def build_authorization(summary: Summary, _case: Case) -> Findings:
    """Authorization and refusal of an operation, with the words that say so."""
    found = Findings()
    words = [
        m
        for m in summary.mentions("authorization")
        if _WORD_FOR_OPERATION.search(summary.sentence_lower(m.sentence))
    ]
    granted = [m for m in words if m.value == "authorized" and m.qualifier != "negated"]
    refused = [m for m in words if m.value != "authorized" or m.qualifier == "negated"]
    found.put("operation_authorized", bool(granted), *granted)
    found.put("operation_not_authorized", bool(refused), *refused)
    return found
