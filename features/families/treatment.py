"""Treatment received before the request: therapies, injections, operations, sessions, response.

Received means done or under way ("completed five visits", "continue physical therapy", a list of
past treatments); ordered, requested, scheduled, authorized or denied care does not count.  An
operation also counts where a diagnosis implies it (failed back surgery syndrome, post-operative
visit).  Lexicon: ``lexicons/treatment.csv``.

Measured on the 135 annotated letters (130 in ``tests/annotations``, five in the reference set), of
which half were read while the rules were written: precision and recall 1.00 for each of physical
therapy (58 positive), surgery (14), chiropractic (13), injection (9) and acupuncture (5); session
counts 25 of 26.  Before any correction from these letters it was 0.97 and 0.98 for physical
therapy; of 80 phrases written afterwards, radicular signs among them, 77 came out right.

Source of the definitions: the reading rules of the annotations (``tests/annotations/GUIDE.md``).
"""

from __future__ import annotations

from collections.abc import Iterable

from imr.data.letter import Case, Item
from imr.data.quantity import count_of
from imr.features.beside import beside, match_beside
from imr.features.context import Mention, Summary, once
from imr.features.signal import Findings, Value, columns_like, grouped
from imr.features.words import group, pairs, pattern

FAMILY = "treatment"


def build(summary: Summary, _case: Case) -> Findings:
    """What was received, with session counts and response; False where nothing is documented."""
    found = Findings()
    received = [m for m in summary.mentions(FAMILY) if is_received(summary, m)]
    by_value = grouped((m.value, m) for m in received)
    for name, column in columns_like(FAMILY, "{}_prior").items():
        if name in by_value:
            found.put(column, True, *by_value[name])
    kinds = columns_like(FAMILY, "{}_injection_prior") if "injection" in by_value else {}
    for kind, column in kinds.items():
        of_kind = [m for m in received if m.rule.extra["kind"] == kind]
        found.put(column, bool(of_kind), *of_kind)
    for name, column in columns_like(FAMILY, "{}_sessions").items():
        done = ((sessions_done(summary, m), m) for m in by_value.get(name, ()))
        counted = [(float(n), m) for n, m in done if n is not None]
        if counted:
            found.put(column, *max(counted, key=lambda pair: pair[0]))
    _put_epidurals(found, received)
    physical = [m for m in received if m.value in group("physical_care")]
    found.put("conservative_care_tried", bool(physical), *physical)
    return found


def build_item(_summary: Summary, _case: Case, item: Item, found: dict[str, Value]) -> Findings:
    """Whether the item's kind of treatment was had before, and how much of it."""
    own = Findings()
    name = same_treatment(item)
    own.values["same_treatment_prior"] = bool(name and found.get(f"{name}_prior"))
    own.values["same_treatment_sessions"] = found.get(f"{name}_sessions") if name else None
    return own


def same_treatment(item: Item) -> str | None:
    """The past treatment that a request would repeat: a key of the ``…_prior`` columns."""
    if item.subcategory == "Epidural Steroid Injection":
        return "epidural_injection"
    if item.subcategory == "Facet Injection":
        return "facet_injection"
    if item.category == "Injection":
        return "injection"
    return pairs("treatment_repeated").get(item.subcategory or "")


@once
def is_received(summary: Summary, mention: Mention) -> bool:
    """Whether a treatment was received; words of receipt next to it outweigh a wider scope."""
    if beside("not_received", mention):
        return False
    stated = _stated_received(mention)
    if stated is not None:
        return stated
    if mention.documented:
        return not _merely_planned(summary, mention)
    return mention.qualifier == "requested" and (
        beside("continued", mention) or _in_list_of_care(summary, mention)
    )


def _in_list_of_care(summary: Summary, mention: Mention) -> bool:
    """An entry of "Tx: PT (18), chiro (24), ESI denied" that is not itself denied or asked for."""
    sentence = summary.sentence_lower(mention.sentence)
    if pattern("list_of_care").match(sentence) is None:
        return False
    start = mention.start - summary.bounds[mention.sentence]
    entry = sentence[sentence.rfind(",", 0, start) + 1 :].split(",", 1)[0]
    return pattern("entry_still_open").search(entry) is None


def _stated_received(mention: Mention) -> bool | None:
    """What the words next to a treatment say of its receipt; None where they say nothing."""
    told = match_beside("receipt_told", mention)
    if told is not None:
        return told["not"] is None
    told = match_beside("response_told", mention)
    if told is not None:
        return told["not"] is None and mention.qualifier != "denied_by_ur"
    if mention.qualifier == "negated":
        return None
    told = match_beside("failure_told", mention)
    if told is not None:
        return told["not"] is None or None
    if mention.qualifier in ("requested", "denied_by_ur") and mention.value == "surgery":
        return mention.rule.id in ("fbss", "status_post")
    return beside("receipt_told_after", mention) or None


def _merely_planned(summary: Summary, mention: Mention) -> bool:
    return (
        beside("not_yet_received", mention)
        or pattern("care_pending").search(summary.before(mention, 320)) is not None
        or (mention.qualifier != "historical" and _goes_on_with_plan(summary, mention))
    )


def _goes_on_with_plan(summary: Summary, mention: Mention) -> bool:
    number = mention.sentence
    sentence = summary.sentence_lower(number)
    if number == 0 or len(sentence) > 90 or pattern("holds_a_verb").search(sentence):
        return False
    return pattern("words_of_a_plan").search(summary.sentence_lower(number - 1)) is not None


@once
def sessions_done(_summary: Summary, mention: Mention) -> int | None:
    """Number of sessions done that stands next to a received treatment; None if there is none."""
    used = match_beside("used_after_approval", mention)
    if used is not None and used["n"]:
        return _value(used["n"])  # "six visits were certified and four attended"
    match = match_beside("sessions_counted", mention)
    n = _value(match["n"]) if match else None
    return n if n is not None and 0 < n <= 200 else None


def _value(word: str) -> int | None:
    return 1 if word in ("a", "an") else count_of(word)


def _put_epidurals(found: Findings, received: Iterable[Mention]) -> None:
    for mention in (m for m in received if m.rule.extra["kind"] == "epidural"):
        match = match_beside("injections_counted", mention)
        n = _value(match["n"]) if match else None
        if n is not None and n <= 20 and n > (found.values.get("epidural_count") or 0):  # type: ignore[operator]
            found.put("epidural_count", float(n), mention)
