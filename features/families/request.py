"""The request itself: what is asked for, where, how much, and in which role.

Everything is read from the item (``requested``, its title, and the fields that the taxonomy
filled).  A flag is True where its word stands in the request or the title; a number is null where
none is printed.  Lexicon: ``lexicons/request.csv``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache

from imr.data.letter import Case, Evidence, Item
from imr.data.quantity import number_words
from imr.data.request import (
    ItemClass,
    body_parts,
    classify,
    main_term,
    parts_in_order,
    service_names,
)
from imr.features.context import Mention, Summary, lexicon, read_summary
from imr.features.families.treatment import same_treatment
from imr.features.signal import Findings, Value, columns_like
from imr.features.words import group, kinds, kinds_in, labelled, pattern, sets

FAMILY = "request"
_LAST = {"c": 7, "t": 12, "l": 5, "s": 5}
_ORDER = [f"{region}{n}" for region, last in _LAST.items() for n in range(1, last + 1)]
_NUMBER = {"once": 1, "twice": 2} | number_words(20)
_HOURS_A_DAY = 24
DAYS_OF = {"days": 1, "weeks": 7, "months": 30}


def extended_release(item: Item) -> bool:
    """Whether a drug is asked for in a long-acting form."""
    return (
        item.category == _DRUGS and pattern("extended_release").search(item.requested) is not None
    )


@lru_cache(maxsize=4096)
def request_mentions(text: str) -> tuple[Mention, ...]:
    """The words of ``lexicons/request.csv`` in a request."""
    return tuple(read_summary(text).mentions(FAMILY, overlapping=True))


def build_item(_summary: Summary, _case: Case, item: Item, _found: dict[str, Value]) -> Findings:
    """The request's fields, amounts and flags; each flag quotes the words of the request."""
    findings = Findings()
    findings.values.update(_fields(item))
    findings.values.update(_amounts(item))
    _flags(item, findings)
    return findings


def _fields(item: Item) -> dict[str, Value]:
    parts = requested_parts(item)
    levels = spinal_levels(item.requested) or spinal_levels(item.title)
    return {
        "category": item.category,
        "subcategory": item.subcategory,
        "quantity": _float(item.quantity),
        "quantity_unit": item.quantity_unit,
        "request_term": _term(item),
        "request_body_part": parts[0] if parts else None,
        "request_region": region(parts),
        "request_several_parts": len(parts) > 1,
        "request_levels": ";".join(levels) or None,
        "request_level_count": float(len(levels)) if levels else None,
    }


_main_term = lru_cache(maxsize=4096)(main_term)


def _term(item: Item) -> str | None:
    """What the request is for above all; a drug that is put on the skin by its topical row."""
    term = _main_term(item.requested, item.title) if item.terms else None
    topical = f"{term} topical"
    on_skin = item.subcategory == "Topical Analgesics" and topical in service_names()
    return topical if on_skin else term


def sessions_printed(item: Item | ItemClass) -> float | None:
    """The sessions of a course that a request prints."""
    return _float(item.quantity) if item.quantity_unit in _SESSIONS else None


_SESSIONS = ("sessions", "visits")
_DRUGS = "Pharmaceuticals"


def _amounts(item: Item) -> dict[str, Value]:
    sessions = sessions_printed(item)
    per_week, weeks = _course(item.requested, sessions is not None)
    return {
        "request_sessions": sessions,
        "request_per_week": per_week,
        "request_weeks": weeks,
        "request_dose_mg": _dose(item.requested),
        "request_refills": refills(item.requested),
        # The "daily" of a device is no dosing.
        "request_per_day": per_day(item.requested) if item.category == _DRUGS else None,
        "request_supply_days": _supply_days(item),
        "request_extended_release": extended_release(item),
        "authorized_sessions": _authorized_sessions(item),
        "request_ingredients": float(_percents(item.requested)) or None,
    }


@lru_cache(maxsize=4096)
def _dose(text: str) -> float | None:
    return _last_number(pattern("dose_mg"), text)


@lru_cache(maxsize=4096)
def _percents(text: str) -> int:
    return len(pattern("percent_of_a_drug").findall(text))


@lru_cache(maxsize=4096)
def parts_named(text: str) -> tuple[str, ...]:
    """The body parts that the words of a request name."""
    return classify(text).body_parts


def requested_parts(item: Item) -> tuple[str, ...]:
    """The body parts of the request, else of the original one, in printed order."""
    if len(item.body_parts) > 1:
        return tuple(sorted(item.body_parts, key=_place_of(item.requested)))
    if item.body_parts or not item.original_request:
        return item.body_parts
    return _parts_in_order(item.original_request)


_parts_in_order = lru_cache(maxsize=4096)(parts_in_order)


def _place_of(text: str) -> Callable[[str], int]:
    """The place of a body part among those that a text names; what it does not name is last."""
    places = {part: place for place, part in enumerate(_parts_in_order(text))}
    return lambda part: places.get(part, len(places))


@lru_cache(maxsize=4096)
def sessions_in(text: str) -> float | None:
    """The sessions of a course that a text prints."""
    return sessions_printed(classify(text))


def _authorized_sessions(item: Item) -> float | None:
    """Sessions that the review authorized of the same request."""
    if item.quantity_unit not in _SESSIONS or not item.authorized:
        return None
    return sessions_in(item.authorized)


@lru_cache(maxsize=4096)
def per_day(text: str) -> float | None:
    """Units a day by the printed dosing, at the most ("1-2 tablets every 6 hours" is eight)."""
    for times, known in kinds("doses_a_day"):
        match = known.search(text)
        if match is not None:
            often = float(times or 0) or _HOURS_A_DAY / max(float(match[1]), 1)
            return often * (_last_number(pattern("tablets_at_once"), text) or 1)
    return _last_number(pattern("units_a_day"), text)


def _supply_days(item: Item) -> float | None:
    """Days that the drug asked for lasts, by its dosing or by the duration printed."""
    if item.category != _DRUGS:
        return None
    fills = fills_asked(item.requested)
    if label := pattern("supply_label").search(item.requested):
        return float(label[1] or label[2]) * fills
    if item.quantity is not None and item.quantity_unit in DAYS_OF:
        return item.quantity * DAYS_OF[item.quantity_unit] * fills
    printed = pattern("days_of_supply").search(item.requested)
    if printed is not None:
        unit = {"d": 1, "w": 7, "m": 30}[printed[2][0].lower()]
        word = printed[1].lower()
        return float(_NUMBER.get(word) or word) * unit * fills
    often = per_day(item.requested)
    counted = item.quantity_unit == "units" and not pattern("by_weight").search(item.requested)
    if item.quantity is None or not counted or not often:
        return None
    return round(item.quantity * fills / often, 1)


@lru_cache(maxsize=4096)
def _course(text: str, is_course: bool) -> tuple[float | None, float | None]:
    """Sessions a week and weeks; a bare "2x6" counts only where sessions are asked for."""
    bare = pattern("times_and_weeks").search(text) if is_course else None
    if bare is not None:
        return float(bare[1]), float(bare[2])
    lower = text.lower()
    if "week" not in lower and "wk" not in lower:
        return None, None
    per_week = _last_number(pattern("sessions_a_week"), text) or _last_number(
        pattern("weekly"), text
    )
    return per_week, _last_number(pattern("weeks_of_course"), text)


@cache
def _flag_columns() -> Mapping[str, str]:
    """The columns that are named after words of the lexicon."""
    words = {rule.value for rule in lexicon().rules if rule.family == FAMILY}
    columns = columns_like(FAMILY, "request_{}").items()
    return {word: column for word, column in columns if word in words}


def _flags(item: Item, findings: Findings) -> None:
    """Flags from the request and, for the part that a modified request left out, its title."""
    mentions = request_mentions(item.requested)
    values = {m.value: m for m in (*request_mentions(item.title), *mentions)}
    # Only the classes of criteria ask.
    findings.values["request_medication_management"] = "medication_management" in values
    findings.values.update((column, word in values) for word, column in _flag_columns().items())
    mixed = _percents(item.requested) > 1 or _mixed(item)
    findings.values["request_compound"] = "compound" in values or mixed
    contrast = (kind for kind in ("without", "with") if f"contrast_{kind}" in values)
    findings.values["request_contrast"] = next(contrast, None)
    findings.values["request_side"] = _side(f"{item.requested} {item.title}", "bilateral" in values)
    flags = [(m.value, m.match, m.rule_id) for m in mentions if m.value in _flag_columns()]
    levels = [
        ("level_count", match, "request.spinal_levels")
        for match in pattern("spinal_level").finditer(item.requested)
        if _segment(*match.groups())
    ]
    findings.quoted.extend(_evidence(item, *quoted) for quoted in (*flags, *levels))


def _evidence(item: Item, name: str, match: re.Match[str], rule: str) -> Evidence:
    (start, end), signal = match.span(), f"request_{name}"
    words = item.requested[start:end]
    return Evidence(signal, start, end, words, rule, field="request", item_index=item.index)


def _mixed(item: Item) -> bool:
    # "UltraFlex-G": the brand of a mixture that names none of its drugs.
    if item.subcategory == "Topical Compounds":
        return True
    words = item.requested.lower()
    named = pattern("brand_of_a_mixture").search(words) or pattern("cream_of_several").search(words)
    return item.subcategory == "Topical Analgesics" and named is not None


@lru_cache(maxsize=4096)
def _side(text: str, bilateral: bool) -> str | None:
    sides = {
        {"l": "left", "r": "right"}[match[0][0].lower()]
        for match in pattern("side_printed").finditer(text)
    }
    if bilateral or len(sides) == 2:
        return "bilateral"
    return next(iter(sides), None)


def region(parts: Sequence[str]) -> str | None:
    """The region of the body that the first body part belongs to."""
    known = [body_parts()[part].region for part in parts if part in body_parts()]
    return next(filter(None, known), None)


@lru_cache(maxsize=4096)
def spinal_levels(text: str) -> tuple[str, ...]:
    """Motion segments and single levels in printed order.

    ``L4-S1`` is L4-L5 and L5-S1; ``L4-5`` and ``L4-L5`` are one segment; "L1, L2 and L3" are
    three levels.  A level that a printed segment covers is not counted again.
    """
    segments = (_segment(*match.groups()) for match in pattern("spinal_level").finditer(text))
    return tuple(dict.fromkeys(level for levels in segments for level in levels))


def _segment(region_from: str, n_from: str, region_to: str | None, n_to: str | None) -> list[str]:
    first = f"{region_from.lower()}{n_from}"
    last = f"{(region_to or region_from).lower()}{n_to}"
    if n_to and not region_to and int(n_to) < int(n_from):  # "L5-1" is printed for L5-S1
        last = {"l5": "s1", "c7": "t1", "t12": "l1"}.get(first, last)
    if first not in _ORDER:
        return []
    if n_to is None or last not in _ORDER:
        return [first.upper()]
    start, end = sorted((_ORDER.index(first), _ORDER.index(last)))
    return [f"{_ORDER[i]}-{_ORDER[i + 1]}".upper() for i in range(start, end)] or [first.upper()]


def _last_number(pattern: re.Pattern[str], text: str) -> float | None:
    """The number of a pattern's first match: the last one of a printed range."""
    match = pattern.search(text)
    numbers = [g for g in match.groups() if g] if match else []
    if not numbers:
        return None
    word = numbers[-1].lower()
    return float(_NUMBER.get(word) or word)


@lru_cache(maxsize=4096)
def refills(text: str) -> float | None:
    """The number of refills printed ("with 2 refills", "refills x 3")."""
    if "refill" not in text.lower():
        return None
    return (
        0.0 if pattern("no_refill").search(text) else _last_number(pattern("refills_printed"), text)
    )


def fills_asked(text: str) -> float:
    """How often a drug would be dispensed: "with 2 refills" three times, "2 refills of" twice."""
    first = 0 if pattern("refills_alone").match(text) else 1
    return first + (refills(text) or 0)


def _float(value: int | float | None) -> float | None:
    return None if value is None else float(value)


# --- how a summary names it ---------------------------------------------------------------------

VISITS = frozenset({"Medical Specialties", "Surgical Consult", "Evaluation & Management"})
"""The subcategories of a visit to a specialist or physician."""
WORDS = re.compile(r"[a-z]{3,}")


@lru_cache(maxsize=4096)
def _names(requested: str, terms: Sequence[str]) -> frozenset[str]:
    words = set(WORDS.findall(requested.lower())) - group("common_word_of_requests")
    named = {word for term in terms for word in WORDS.findall(term.lower())}
    return frozenset(words | (named - group("word_of_no_name")))


def names_of(item: Item) -> frozenset[str]:
    """Words by which a summary would name an item."""
    return _names(item.requested, item.terms)


# --- what a request is about ----------------------------------------------------------------------


@lru_cache(maxsize=4096)
def same_concepts(item: Item) -> frozenset[str]:
    """The concepts that a request would repeat: its kind of treatment, or its class of drug."""
    name = same_treatment(item) or ""
    found = {name, name.removesuffix("_injection"), *sets("also_repeats").get(name, ())}
    if name == "injection":
        gel = pattern("joint_gel").search(item.requested)
        found |= {"viscosupplement"} if gel else {"joint", "trigger_point", "nerve_block"}
    if item.category in ("Injection", "Diagnostic Testing"):
        found |= {"last_time"}
    if name == "facet_injection" and pattern("ablation").search(item.requested):
        found |= {"radiofrequency"}
    if item.category == "Pharmaceuticals":
        found |= {"medication", item.subcategory or ""}
    found |= kinds_in("program", item.requested)
    tests = tests_and_organs(item.requested)
    if pattern("in_retrospect").search(item.requested):
        # The test of that day is the one that is asked for, and none before it.
        tests = frozenset(c for c in tests - _STUDIES if not c.startswith("test:"))
    return frozenset(filter(None, found)) | tests


_STUDIES = frozenset({"mri", "ct", "xray", "ultrasound", "electrodiagnostic"})


def studies_in_dispute(item: Item) -> frozenset[str]:
    """The kinds of studies that a request asks for in retrospect."""
    retrospective = pattern("in_retrospect").search(item.requested) is not None
    return tests_and_organs(item.requested) & _STUDIES if retrospective else frozenset()


@lru_cache(maxsize=4096)
def tests_and_organs(request: str) -> frozenset[str]:
    """The tests that a request would repeat, and the findings of the organ it looks after."""
    lower, known = request.lower(), labelled("tests_and_organs", "concepts")
    return frozenset(c for cell, p in known if p.search(lower) for c in cell.split("|"))


@lru_cache(maxsize=4096)
def side_of(request: str) -> str | None:
    """The one side a request names; None where it names none or both."""
    left, right = pattern("left_asked").search(request), pattern("right_asked").search(request)
    if bool(left) == bool(right):
        return None
    return "left" if left else "right"


@lru_cache(maxsize=4096)
def specialist_field(request: str) -> str | None:
    """The field of the specialist that a request names; None where it names none."""
    words = request.lower()
    return next((f for f, known in labelled("specialists", "field") if known.search(words)), None)
