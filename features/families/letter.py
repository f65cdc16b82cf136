"""The letter around an item: what else it asks for, whether its operation was authorized, and the
review so far, with what the claims administrator did, on what ground, and by which guideline.

Services around an operation stand or fall with it.  A word of authorization or refusal counts
where its sentence names an operation; "authorized" under a negation is a refusal.  What the
utilization review says of the items in dispute counts too: it is known before the decision.
Reasons are those that the case summary recites from the utilization review; where it recites
several, an item gets those of the sentences that name it.

Not for models: only one of the stock summary templates recites reasons (62% of its letters, none
of the others), so ``ur_reason_*``, ``request_date`` and ``days_request_to_denial`` tell the
template as much as the case.  They serve explanation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache

from imr.data.citations import catalogue_chapter, primary_label
from imr.data.letter import Case, Citation, Item
from imr.data.quantity import find_quantity, spell_out
from imr.data.request import operation_named
from imr.features.beside import beside
from imr.features.context import Mention, Summary, once
from imr.features.families.request import (
    WORDS,
    fills_asked,
    names_of,
    request_mentions,
    requested_parts,
    sessions_in,
    sessions_printed,
    side_of,
)
from imr.features.families.treatment import same_treatment
from imr.features.families.worker import told_after
from imr.features.signal import Findings, Value, columns_like
from imr.features.statements import statements
from imr.features.where_when import any_same_region, dates
from imr.features.words import pairs, pattern, sets

_OPERATIONS = ("Spine", "Arthroscopic Surgery", "Non-arthroscopic Surgery")


def build_mix(_summary: Summary, case: Case) -> Findings:
    """The mix of the letter: its size, its classes, denied beside modified."""
    found = Findings()
    categories = {item.category for item in case.items}
    found.values["n_items"] = len(case.items)
    found.values["all_items_same_category"] = len(categories) == 1
    found.values["several_actions"] = len({item.ur_action for item in case.items}) > 1
    found.values.update(
        (name, category in categories) for name, category in pairs("item_in_letter").items()
    )
    return found


def build_mix_item(summary: Summary, case: Case, item: Item, _found: dict[str, Value]) -> Findings:
    """The item among its siblings."""
    own = Findings()
    others = [other for other in case.items if other.index != item.index]
    own.values["same_course_in_letter"] = min(
        sum(_of_one_course(item, other) for other in others), _MOST_OF_COURSE
    )
    own.values["part_imaged_twice"] = any(_images_same(item, other) for other in others)
    own.values["primary_surgery"] = is_primary_surgery(item)
    own.values["primary_surgery_in_letter"] = any(is_primary_surgery(o) for o in others)
    own.values["associated_with_surgery"] = is_associated(item)
    if is_associated(item) and not own.values["primary_surgery_in_letter"]:
        # Pre-operative tests for a hernia repair that is not itself in dispute.
        planned = _operation_planned(summary)
        if planned is not None:
            own.put("operation_term", *planned)
    return own


@once
def _operation_planned(summary: Summary) -> tuple[str, Mention] | None:
    """The last operation that the summary plans, by the name that requests have for it."""
    operations = [s for s in statements(summary) if s.mention.value == "surgery"]
    for said in reversed([s for s in operations if s.polarity == "planned"]):
        name = operation_named(said.clause)
        if name is not None:
            return name, said.mention
    return None


def of_operation(operation: Mapping[str, Value]) -> dict[str, Value]:
    """What a service takes over from the row of its operation, with which it stands or falls."""
    return {own: operation.get(source) for own, source in pairs("taken_from_the_operation").items()}


def is_primary_surgery(item: Item) -> bool:
    """An operation itself, not what goes with it."""
    operation = item.category == "Surgery" and item.subcategory in _OPERATIONS
    return operation and not is_associated(item)


# Many items are a habit of the office that writes; some beside one course are a pattern of care.
_MOST_OF_COURSE = 3
_MODALITY = "Other Therapies"


def _course_of(item: Item) -> float | None:
    """The sessions of the whole course of which an item is asked for, or is what remains."""
    whole = sessions_in(item.original_request) if item.original_request else None
    return sessions_printed(item) if whole is None else whole


def _of_one_course(item: Item, other: Item) -> bool:
    """Whether two items are parts of one course of visits: therapy in the same number of sessions,
    by the same kind of therapist or as a modality beside it, and not for another part.
    """
    if not item.category == other.category == "Rehabilitation":
        return False
    both, kinds = (item, other), {item.subcategory, other.subcategory}
    if len(kinds) > 1 and _MODALITY not in kinds:
        return False
    sessions, parts, others = _course_of(item), requested_parts(item), requested_parts(other)
    apart = parts and others and not any_same_region(parts, others)
    sides = {side_of(item.requested), side_of(other.requested)}
    if (
        apart
        or sides == {"left", "right"}
        or any(pattern("course_of_its_own").search(i.requested) for i in both)
    ):
        return False
    return sessions is not None and sessions == _course_of(other)


_IMAGING = frozenset({"CT/MRI/PET Scans", "X-Ray/Ultrasound/other imaging"})


def _images_same(item: Item, other: Item) -> bool:
    """Whether both items ask to image one part, each in its own way: films beside a CT."""
    both = {item.subcategory, other.subcategory} <= _IMAGING
    return (
        both
        and item.terms[:1] != other.terms[:1]
        and any_same_region(requested_parts(item), requested_parts(other))
    )


@once
def _said_of_operations(summary: Summary) -> list[Mention]:
    """The words for authorization and refusal in sentences that name an operation."""
    said = summary.mentions("authorization")
    operations = {
        number
        for number in {m.sentence for m in said}
        if pattern("word_for_operation").search(summary.lower, *summary.sentence_span(number))
    }
    return [m for m in said if m.sentence in operations]


def build_authorization(summary: Summary, _case: Case) -> Findings:
    """Authorization and refusal of an operation, with the words that say so."""
    found = Findings()
    words = _said_of_operations(summary)
    granted = [m for m in words if beside("granted", m)]
    refused = [m for m in words if m not in granted and not beside("never_asked_for", m)]
    found.put("operation_authorized", bool(granted), *granted)
    found.put("operation_not_authorized", bool(refused), *refused)
    return found


def build_operation_item(
    summary: Summary, _case: Case, _item: Item, row: dict[str, Value]
) -> Findings:
    """Of what goes with an operation: whether that operation itself is in no dispute."""
    found = Findings()
    if not row["associated_with_surgery"]:
        return found
    if row["primary_surgery_in_letter"]:
        found.values["operation_undisputed"] = False
    elif row["operation_authorized"]:
        found.values["operation_undisputed"] = True
    elif row["operation_not_authorized"]:
        refused = _operations_refused(summary)
        if refused:
            found.put("operation_undisputed", False, *refused)
    elif _operation_told(summary):
        found.values["operation_undisputed"] = True
    return found


def _operation_told(summary: Summary) -> bool:
    """Whether a sentence tells an operation as done, planned or set."""
    sentences = (summary.sentence_lower(number) for number in range(len(summary.bounds)))
    return any(
        pattern("word_for_operation").search(said) and not pattern("only_thought_of").search(said)
        for said in sentences
    )


def _operations_refused(summary: Summary) -> list[Mention]:
    """Refusals beside its word: "denied the brace for the knee arthroscopy" refuses none."""
    return [
        m
        for m in _said_of_operations(summary)
        if m.value != "pending" and not beside("granted", m) and beside("of_an_operation", m)
    ]


def denials_under_review(summary: Summary, case: Case) -> list[Mention]:
    """Refusals of an operation by the very review that is disputed, by its printed day."""
    day = case.header.ur_denial_date
    dated = {d.mention.sentence for d in dates(summary) if d.day == day}
    said = _said_of_operations(summary)
    return [m for m in said if m.value == "not_authorized" and m.sentence in dated]


# --- the review so far ----------------------------------------------------------------------------


def build_review(summary: Summary, case: Case) -> Findings:
    """The dates of the review, from the header and the summary."""
    found = Findings()
    asked = _request_date(summary, case.header.ur_denial_date)
    denial, received = case.header.ur_denial_date, case.header.application_received
    if asked is not None:
        found.put("request_date", asked[0].isoformat(), asked[1])
    if asked is not None and denial is not None:
        found.put("days_request_to_denial", (denial - asked[0]).days, asked[1])
    if denial is not None:
        _put_later_note(found, summary, denial)
    if denial is not None and received is not None and received >= denial:
        found.values["days_denial_to_application"] = (received - denial).days
    found.values["priority_expedited"] = "expedited" in (case.header.priority or "").lower()
    return found


_LATEST_DAYS = 120
"""A review takes less after the denial; a later date is a misprint."""


def _put_later_note(found: Findings, summary: Summary, denial: date) -> None:
    """How long after the denial the record goes on, which may answer its reasons."""
    later = told_after(summary, denial, _LATEST_DAYS)
    if later:
        last = max(later, key=lambda at: at.day)
        found.put("note_days_after_denial", (last.day - denial).days, last.mention)


def build_review_item(
    summary: Summary, case: Case, item: Item, _found: dict[str, Value]
) -> Findings:
    """What the claims administrator did with the item, why, and what it cited."""
    own = Findings()
    own.values["ur_action"] = item.ur_action
    own.values["share_authorized"] = share_authorized(item)
    own.values["sessions_certified"] = sessions_certified(summary, item)
    reasons = _reasons(summary)
    if len(case.items) > 1:
        names = names_of(item)
        reasons = [m for m in reasons if not names.isdisjoint(_words_around(summary, m))]
    own.values.update(dict.fromkeys(columns_like("review", "ur_reason_{}").values(), False))
    for mention in reasons:
        own.put(f"ur_reason_{mention.value}", True, mention)
    own.values.update(_cited(item.claims_administrator_guideline, item.body_parts))
    return own


def share_authorized(item: Item) -> float | None:
    """Authorized amount over the original one; 0 for a denial, None where not comparable."""
    if item.ur_action == "denied":
        return 0.0
    granted = amount(item.authorized or "", item)
    asked = amount(item.original_request or "", item)
    if granted is None or asked is None or granted[1] != asked[1]:
        return None
    return round(granted[0] / asked[0], 3) if 0 < granted[0] <= asked[0] else None


_OF_COURSES = frozenset({"physical_therapy", "occupational_therapy", "chiropractic", "acupuncture"})


def sessions_certified(summary: Summary, item: Item) -> float | None:
    """Sessions of a course that the claims administrator certified: printed in the item's parts,
    else told by the summary of the review; None where no number is told, or for no course.
    """
    if item.category != "Rehabilitation":
        return None
    granted = amount(item.authorized or "", item)
    if granted is not None and granted[1] == "counted":
        return float(granted[0])
    told = [
        n for n, courses in _certified(summary) if not courses or same_treatment(item) in courses
    ]
    return told[-1] if told else None


@once
def _certified(summary: Summary) -> list[tuple[float, frozenset[str]]]:
    """The numbers that the review certified, each with the courses named beside it."""
    found = []
    for number in range(len(summary.bounds)):
        if not any(cue.kind == "denied_by_ur" for cue in summary.cues(number)[0]):
            continue
        start, end = summary.sentence_span(number)
        courses = [m for m in summary.mentions("treatment") if m.value in _OF_COURSES]
        of_sentence = frozenset(m.value for m in courses if start <= m.start < end)
        for stop in pattern("part_of_a_verdict").finditer(summary.lower, start, end):
            of_part = frozenset(m.value for m in courses if start <= m.start < stop.start())
            said = spell_out(summary.lower[start : stop.start()])
            numbers = (float(match["n"]) for match in pattern("certified_of_course").finditer(said))
            found += [(n, of_part or of_sentence) for n in numbers]
            start = stop.start()
    return found


def amount(text: str, item: Item) -> tuple[float, str] | None:
    """The amount a portion of a modified request prints, refills included, and what it counts."""
    in_sessions = item.quantity_unit == "sessions"
    found = find_quantity(spell_out(text), item.category or "", in_sessions)
    if found is None:
        return None
    return found.value * fills_asked(text), found.kind if found.kind in _TIMES_KINDS else "counted"


_TIMES_KINDS = ("days", "weeks", "months", "hours")


@once
def _reasons(summary: Summary) -> list[Mention]:
    """The reasons that the review gives, in the order of the columns."""
    reasons = [*columns_like("review", "ur_reason_{}")]
    given = [
        m
        for m in summary.mentions("review", overlapping=True)
        if m.value in reasons and m.qualifier in ("denied_by_ur", "quoted_guideline")
    ]
    return sorted(given, key=lambda m: reasons.index(m.value))


@once
def _words_around(summary: Summary, mention: Mention) -> set[str]:
    """The words of a reason's clause, which ends at a semicolon or full stop."""
    start, end = summary.sentence_span(mention.sentence)
    left = summary.lower.rfind(";", start, mention.start)
    right = summary.lower.find(";", mention.end, end)
    return set(WORDS.findall(summary.lower, left + 1 or start, end if right < 0 else right))


def _request_date(summary: Summary, denial: date | None) -> tuple[date, Mention] | None:
    """The latest date printed after "request for authorization" that is not after the denial."""
    asked = [
        (d.day, d.mention)
        for d in dates(summary)
        if d.exact
        and (denial is None or d.day <= denial)
        and beside("authorization_asked", d.mention)
    ]
    return max(asked, key=lambda pair: pair[0], default=None)


@lru_cache(maxsize=4096)
def _cited(citation: Citation | None, parts: Sequence[str]) -> dict[str, Value]:
    if citation is None:
        return {}
    label = primary_label(citation)
    sources = len(citation.mtus) + len(citation.non_mtus)
    return {
        "ca_guideline": label,
        "ca_chapter": label.split(" > ")[0],
        "ca_none_cited": citation.none_cited,
        "ca_mtus": bool(citation.mtus),
        "ca_non_mtus": bool(citation.non_mtus),
        "ca_several": sources > 1,
        "ca_body_part_matches": body_part_matches(citation, parts),
    }


def body_part_matches(citation: Citation, parts: Sequence[str]) -> bool | None:
    """Whether a cited body-part chapter is about a requested part; None where neither can tell."""
    chapters = {catalogue_chapter(m.chapter) for m in citation.mtus}
    stems = [
        stem for chapter in chapters for stem in sets("parts_of_a_chapter").get(chapter or "", ())
    ]
    if not stems or not parts:
        return None
    return any(stem in part for part in parts for stem in stems)


def is_associated(item: Item) -> bool:
    """Whether an item goes with an operation: associated, assistant, pre- or post-operative."""
    return _is_associated(item.title, item.requested)


@lru_cache(maxsize=4096)
def _is_associated(title: str, requested: str) -> bool:
    """Remembered, for each item of a letter asks it of all its siblings."""
    texts = {title, requested}
    return any(m.value in _WITH_AN_OPERATION for text in texts for m in request_mentions(text))


_WITH_AN_OPERATION = frozenset({"associated_surgical", "preoperative", "postoperative"})
