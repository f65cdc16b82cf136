"""What the record and the review say of the request itself: that it was authorized already, that
its purpose is not told, or not how much is asked for.

A word counts where it names the item; where the letter asks for one thing only, a purpose that is
not told is that of this thing.  That a record is merely silent is never read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from imr.data.letter import Case, Evidence, Item
from imr.data.request import request_lexicon
from imr.features.beside import beside, match_beside
from imr.features.context import Mention, Summary, once
from imr.features.families.request import (
    VISITS,
    WORDS,
    names_of,
    request_mentions,
    requested_parts,
    same_concepts,
    side_of,
    specialist_field,
)
from imr.features.signal import Findings, Value
from imr.features.statements import statements
from imr.features.where_when import any_same_region, is_or_explains, parts_of, side_of_part
from imr.features.words import group, pattern, sets

FAMILY = "told"


def build_item(summary: Summary, case: Case, item: Item, row: dict[str, Value]) -> Findings:
    """What is told of the request, with the words that tell it."""
    found = Findings()
    found.values["trial_not_done"] = _trial_not_done(summary, case, item, row)
    granted = list(_authorized_before(summary, item))
    found.put("already_authorized", bool(granted), *granted)
    found.values["request_told"] = _request_told(summary, item)
    purpose = list(_purpose_not_told(summary, case, item))
    found.values["purpose_not_told"] = bool(purpose)
    found.quoted += [_evidence("purpose_not_told", s, summary, item) for s in purpose]
    amount = list(_amount_not_told(summary, item))
    if amount or _prints_no_amount(item, row):
        found.values["request_unspecified"] = True
        found.quoted += [_evidence("request_unspecified", s, summary, item) for s in amount]
    return found


def _evidence(name: str, span: tuple[int, int], summary: Summary, item: Item) -> Evidence:
    start, end = span
    words = summary.text[start:end]
    return Evidence(name, start, end, words, f"{FAMILY}.{name}", item_index=item.index)


# --- by which words an item is meant --------------------------------------------------------------


def _heads(item: Item) -> frozenset[str]:
    """The words that name what is asked for, without those of its body parts."""
    words = names_of(item) - group("word_of_any_request")
    parts = {word for part in requested_parts(item) for word in WORDS.findall(part)}
    named = words - parts
    return named | {other for word in named for other in sets("other_names").get(word, ())}


# --- authorized already ---------------------------------------------------------------------------


def _authorized_before(summary: Summary, item: Item) -> Iterator[Mention]:
    """The words that say that the same service was authorized already.

    What remains of a modified request is no such thing: its other part is authorized.
    """
    if item.ur_action == "modified":
        return
    for said in summary.mentions("authorization"):
        if said.value != "authorized" or said.qualifier == "negated":
            continue
        if not beside("told_of_before", said):
            continue
        once_only = item.category not in group("given_again_and_again") and not beside(
            "used_up_since", said
        )
        if (once_only or beside("told_as_duplicate", said)) and any(
            _is_the_item(summary, item, *part) for part in _granted(said)
        ):
            yield said


def _granted(said: Mention) -> Iterator[tuple[int, int]]:
    """Where the thing stands that a word of authorization is about: behind or before it."""
    behind = match_beside("what_behind", said)
    if behind is not None:
        yield said.end, said.end + behind.end()
    before = match_beside("what_before", said)
    if before is not None:
        yield said.start - len(before[0]), said.start


def _is_the_item(summary: Summary, item: Item, start: int, end: int) -> bool:
    """Whether a stretch of a sentence names what is asked for, and no part but its own."""
    parts = [p.value for p in parts_of(summary, summary.sentence_at(start)) if p.start >= start]
    asked = requested_parts(item)
    # "Of the neck and the shoulder" may go on behind the stretch.
    apart = parts and asked and not any(is_or_explains(p, a) for p in parts for a in asked)
    return not apart and not _heads(item).isdisjoint(WORDS.findall(summary.lower, start, end))


# --- asked for by the record ----------------------------------------------------------------------


def _request_told(summary: Summary, item: Item) -> bool | None:
    """Whether the record names what is asked for as requested, planned, prescribed or under way;
    False where nothing names it, None where only the past or the review does.
    """
    if not summary.bounds or not (_terms(item) or _heads(item) - group("word_for_a_visit")):
        return None  # no word of its own
    asking = [s for s in range(len(summary.bounds)) if _asks(summary.sentence_lower(s))]
    named = _naming(summary, item)
    classes = _class_in(summary, item)
    if not set(classes).isdisjoint(asking) or any(named(s) == "named" for s in asking):
        return True
    maybe = any(map(named, range(len(summary.bounds))))
    same = same_concepts(item) - {"medication"}
    spoken = any(m.value in same for m in summary.mentions("treatment"))
    # What goes with an operation is seldom listed.
    beside = {"associated_surgical", "preoperative"} & {
        m.value for m in request_mentions(f"{item.requested} {item.title}")
    }
    return None if maybe or classes or spoken or beside else False


def _asks(sentence: str) -> bool:
    return bool(
        pattern("asked_for_or_used").search(sentence)
        and not pattern("told_of_the_review").search(sentence)
    )


_STEM = 7


def _terms(item: Item) -> frozenset[str]:
    """The treatments of the tables that an item is, where their name is the thing itself."""
    if group("named_by_its_kind").isdisjoint((item.category, item.subcategory)):
        return frozenset()
    return frozenset(term for term in item.terms if not term.endswith("unspecified"))


def _class_in(summary: Summary, item: Item) -> list[int]:
    """The sentences that name the class of the drug that is asked for, and no drug of it."""
    return [
        said.mention.sentence
        for said in statements(summary)
        if said.subject == "drug"
        and said.concept == item.subcategory
        and said.mention.rule.extra.get("kind") != "drug"
    ]


def _naming(summary: Summary, item: Item) -> Callable[[int], str | None]:
    """Tells whether a sentence names the thing asked for (``named``) or a part of it (``like``)."""
    visit = item.subcategory in VISITS
    field = specialist_field(item.requested) if visit else None
    terms, known = _terms(item), {t for t in item.terms if not t.endswith("unspecified")}
    asked = set(WORDS.findall(item.requested.lower()))
    heads = _heads(item) - group("word_for_a_visit")
    stems = {w[:_STEM] for w in heads if w in asked or sets("other_names").keys() & asked}

    def naming(sentence: int) -> str | None:
        alike, services = stems & _stems(summary, sentence), _services(summary, sentence)
        named = bool(terms & services) or 2 * len(alike) >= len(stems) > 0
        if field:
            named = specialist_field(summary.sentence_lower(sentence)) == field
        like = named or alike or (known & services and not visit)
        if not like or _is_apart(summary, item, sentence):
            return None
        return "named" if named else "like"

    return naming


def _is_apart(summary: Summary, item: Item, sentence: int) -> bool:
    """Whether a sentence is about other parts only, or about the side that is not asked about."""
    asked, side = requested_parts(item), side_of(item.requested)
    parts = parts_of(summary, sentence)
    if not parts or not asked:
        return False
    own = [p for p in parts if any_same_region((p.value,), asked)]
    sides = {side_of_part(summary, p) for p in own}
    return not own or (side is not None and sides in ({"left"}, {"right"}) and side not in sides)


@once
def _services(summary: Summary, sentence: int) -> frozenset[str]:
    """The treatments that a sentence names in words of requests."""
    named = request_lexicon().find(summary.sentence_lower(sentence)).services
    return frozenset(s.service.name for s in named)


@once
def _stems(summary: Summary, sentence: int) -> frozenset[str]:
    """The beginnings of the words of a sentence."""
    words = WORDS.findall(summary.sentence_lower(sentence))
    return frozenset(word[:_STEM] for word in words)


# --- a first part that is still to be had ---------------------------------------------------------


def _trial_not_done(summary: Summary, case: Case, item: Item, row: dict[str, Value]) -> bool | None:
    """Whether a first part of the course that is asked for was authorized, and is still to be had
    or not told to have been had; None where no part of it was authorized.
    """
    if item.category != "Rehabilitation":
        return None
    same = same_concepts(item)
    courses = summary.mentions("treatment")
    for found in pattern("granted_and_not_had").finditer(summary.lower):
        clause = summary.sentence_span(summary.sentence_at(found.start()))
        if any(m.value in same for m in courses if clause[0] <= m.start < found.end()):
            return True
    # What was certified of another course of the kind, for another part, is not of this one.
    alone = not any(o.subcategory == item.subcategory for o in case.items if o is not item)
    granted = row["authorized_sessions"] or (alone and row["sessions_certified"])
    return None if not granted else row["same_care_had"] is not True


# --- purpose and amount ---------------------------------------------------------------------------

_NEAR = 40
_FEW_WORDS = 5


@once
def _no_purpose(summary: Summary) -> list[tuple[int, int]]:
    """Where the text says that a purpose is not told."""
    lower, by_review = summary.lower, pattern("words_of_the_review")
    return [
        found.span()
        for found in pattern("purpose_not_told").finditer(lower)
        if not by_review.search(lower, max(0, found.start() - 60), found.start())
        and not pattern("from_the_review").match(lower, found.end(), found.end() + 30)
    ]


def _purpose_not_told(summary: Summary, case: Case, item: Item) -> Iterator[tuple[int, int]]:
    """Where the purpose is said not to be told, of the item by its name or of all items."""
    heads = _heads(item)
    for start, end in _no_purpose(summary):
        first, last = summary.sentence_span(summary.sentence_at(start))
        stops = [
            m.end() for m in pattern("part_of_list_begins").finditer(summary.lower, first, last)
        ]
        left = max((stop for stop in stops if stop <= start), default=first)
        right = min((stop for stop in stops if stop >= end), default=last)
        words = WORDS.findall(summary.lower, left, right)
        others = (other for other in case.items if other.index != item.index)
        if not heads.isdisjoint(words):
            yield start, end
        elif all(_heads(other).isdisjoint(words) for other in others):
            near = max(first, start - _NEAR), min(last, end + _NEAR)
            alone = len(case.items) == 1 or len(words) <= _FEW_WORDS
            if pattern("all_items_meant").search(summary.lower, *near) or (
                alone and not _of_another(summary, item, left, right)
            ):
                yield start, end


_THINGS = ("imaging", "electrodiagnostics", "treatment", "medication")


def _of_another(summary: Summary, item: Item, left: int, right: int) -> bool:
    """Whether a part of a sentence, or where it names nothing the sentence before it, names another
    study or treatment than the item: a scan without a stated purpose is no bed without one.
    """
    same, heads = same_concepts(item), _heads(item)
    named = [m for family in _THINGS for m in summary.mentions(family)]
    here = [m for m in named if left <= m.start < right]
    sentence = summary.sentence_at(left)
    if not here and sentence > 0:
        first, last = summary.sentence_span(sentence - 1)
        if not heads.isdisjoint(WORDS.findall(summary.lower, first, last)):
            return False
        here = [m for m in named if first <= m.start < last]
    return bool(here) and not any(
        m.value in same or not heads.isdisjoint(WORDS.findall(m.text.lower())) for m in here
    )


_AMOUNT_REACH = 60


def _amount_not_told(summary: Summary, item: Item) -> Iterator[tuple[int, int]]:
    """Where dose, quantity or frequency of a drug or device is said not to be specified."""
    if item.category not in ("Pharmaceuticals", "DMEPOS"):
        return
    heads = _heads(item)
    for found in pattern("amount_not_told").finditer(summary.lower):
        first, last = summary.sentence_span(summary.sentence_at(found.start()))
        around = max(first, found.start() - _AMOUNT_REACH), min(last, found.end() + _AMOUNT_REACH)
        if heads.isdisjoint(WORDS.findall(summary.lower, *around)):
            continue
        if not pattern("told_of_past_care").search(summary.lower, around[0], found.end()):
            yield found.span()


# What the summary tells of the amount, where the request prints none.
_TOLD_BESIDE = (
    "request_supply_days", "course_sessions", "sessions_told", "told_units", "told_supply_days",
)  # fmt: skip


def _prints_no_amount(item: Item, row: dict[str, Value]) -> bool:
    """Whether drugs, supplies or visits are asked for, and no number of them is told anywhere."""
    asked = f"{item.original_request or ''} {item.requested}"
    if item.category == "Rehabilitation":
        counted = pattern("no_course").search(asked) is None
    elif item.subcategory == "Supplies":
        counted = pattern("consumed").search(asked) is not None
    else:
        counted = item.category == "Pharmaceuticals"
    if not counted or item.quantity is not None or pattern("some_amount").search(asked):
        return False
    return all(row.get(name) is None for name in _TOLD_BESIDE)
