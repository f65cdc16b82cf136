"""The letter as a whole: how many items, of which classes, and how they belong together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from imr.data.letter import Case, Item
from imr.features.context import Summary
from imr.features.families.review import is_associated
from imr.features.signal import Column, Findings, Value

FAMILY = "letter_mix"

_OPERATIONS = ("Spine", "Arthroscopic Surgery", "Non-arthroscopic Surgery")
_MIX = {
    "letter_has_surgery": "Surgery",
    "letter_has_injection": "Injection",
    "letter_has_drug": "Pharmaceuticals",
    "letter_has_rehabilitation": "Rehabilitation",
    "letter_has_diagnostic_test": "Diagnostic Testing",
    "letter_has_equipment": "DMEPOS",
}


_LIST = "letter format: list of the disputed items"
_CATEGORIES = "treatment request categories of the DWC"
_POSTSURGICAL = "8 CCR §9792.24.3 (postsurgical treatment guidelines)"
_NO_OPERATION = "no service beside an operation, or nothing is known to indicate that"
# What a service takes from the operation it goes with.
_OF_THE_OPERATION = {
    "operation_indicated": "indication_documented",
    "operation_criteria_met_share": "criteria_met_share",
    "operation_wording": "wording",
}


def _count(name: str, definition: str) -> Column:
    return Column(name, "int", definition, unit="items", family=FAMILY, source=_LIST)


def _flag(name: str, definition: str, source: str = _LIST) -> Column:
    return Column(name, "bool", definition, family=FAMILY, source=source)


COLUMNS: tuple[Column, ...] = (
    _count("n_items", "Disputed items in the letter"),
    _count("same_category_items", "Other items of the item's category"),
    _count("same_subcategory_items", "Other items of the item's subcategory"),
    _flag("duplicate_item", "Another item asks for the same thing for the same part and side"),
    _flag("all_items_same_category", "All items of the letter are of one category", _CATEGORIES),
    *(
        _flag(name, f"An item of the letter is of the category {c}", _CATEGORIES)
        for name, c in _MIX.items()
    ),
    _flag("primary_surgery", "The item is an operation that others may go with", _POSTSURGICAL),
    _flag(
        "primary_surgery_in_letter",
        "Another item of the letter is a primary operation",
        _POSTSURGICAL,
    ),
    _flag(
        "associated_with_surgery",
        "The item goes with an operation, asked or done",
        "letter format: associated surgical service",
    ),
    _flag("several_actions", "Some items were denied and some modified"),
    Column(
        "operation_indicated",
        "bool",
        "Of a service: the operation of the letter has its indication documented",
        null=_NO_OPERATION,
        family=FAMILY,
        source=_POSTSURGICAL,
    ),
    Column(
        "operation_criteria_met_share",
        "float",
        "Of a service: share of the criteria that the operation of the letter meets, 0 to 1",
        null=_NO_OPERATION,
        family=FAMILY,
        source=_POSTSURGICAL,
    ),
    Column(
        "operation_wording",
        "float",
        "Of a service: log odds of the operation of the letter by its clinical terms",
        unit="log odds",
        null=_NO_OPERATION,
        family=FAMILY,
        source=_POSTSURGICAL,
    ),
)


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


def relate(case: Case, rows: Sequence[dict[str, Value]]) -> None:
    """A service stands or falls with its operation: it takes over how well that is supported.

    The operation is the first primary one of the letter.
    """
    operation = next(
        (r for i, r in zip(case.items, rows, strict=True) if is_primary_surgery(i)), None
    )
    if operation is None:
        return
    for row in rows:
        if row["associated_with_surgery"] and row is not operation:
            for own, source in _OF_THE_OPERATION.items():
                row[own] = operation[source]


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
