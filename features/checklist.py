"""The checklist of a request: each criterion with its verdict, its chapter and the words behind it.

Which chapter a criterion stands in is that of the requested region: ``rules/chapters.csv`` has by
class of request (and criterion, where one stands elsewhere) the body parts and their chapter with
its edition and source; a row without body parts is for requests that name none of the others.  A
request for two regions shows both chapters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from imr.data.letter import Case, Evidence, Item
from imr.features.condition import Row, Term, condition
from imr.features.criteria import (
    ACTIVE_THERAPY,
    Rule,
    Status,
    asked_of,
    at_least_had,
    invasive_beside,
    operation_beside,
    verdict,
)
from imr.features.families.diagnosis import LIST_SEPARATOR
from imr.features.families.letter import is_primary_surgery
from imr.features.families.request import parts_named, requested_parts
from imr.features.signal import Value, computed, table_rows


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion judged for one item; ``quotes`` are what decides it."""

    id: str
    guideline: str
    source: str
    text: str
    status: Status
    quotes: tuple[Evidence, ...] = ()


def checklist(
    case: Case, item: Item, row: Row, evidence: Sequence[Evidence] = ()
) -> list[Criterion]:
    """The criteria of the item's class, each judged from the signals, with their quotes."""
    known, asked = asked_of(case, item, row)
    quotes = _Quotes(case, item, known, evidence)
    return [_judged(rule, known, quotes) for rule in asked]


def _judged(rule: Rule, row: Row, quotes: _Quotes) -> Criterion:
    status, terms = verdict(rule, row)
    # The chapter of the requested region where the rule stands for it, else the rule's own.
    chapter = Chapter(f"{rule.guideline} {rule.edition}".strip(), rule.source)
    if rule.guideline in REGIONAL:
        chapter = chapter_of(rule.applies, rule.id, _parts_asked(quotes.item, row)) or chapter
    # Care in vain takes two: the care, and that the complaint goes on.
    if status == "met" and rule.id.endswith(_CARE_IN_VAIN):
        terms += next((told for told in _GOES_ON if told[0].holds(row)), ())
    # Not the same words twice, where two signals rest on them; and where the summary tells, not
    # the request, which only says of which part it has to.
    shown: dict[tuple[str, int, int, str], Evidence] = {}
    found = [(term, quote) for term in terms for quote in quotes.of(term)]
    told = any(quote.field == "case_summary" for _, quote in found)
    for term, quote in found:
        if told and quote.field == "request" and term.name in _OF_WHICH_PART:
            continue
        shown.setdefault((quote.field, quote.start, quote.end, quote.quote), quote)
    kept = tuple(shown.values())
    return Criterion(rule.id, chapter.guideline, chapter.source, rule.text, status, kept)


# --- quotes ---------------------------------------------------------------------------------------

_SPAN = "chronicity_days"
_QUOTES = 2
"""Most quotes of one signal: those that decide come first."""
_WORDS = 40
"""Characters below which a quote is shown with its clause."""
_AROUND = 90
_CLAUSE_STARTS = re.compile(r"[.;:](?:\s+|$)")
_CLAUSE_ENDS = re.compile(r"[.;](?:\s+|$)")
_OF_THE_REQUEST = ("request_", "quantity", "authorized_sessions")
_OF_WHICH_PART = frozenset(
    {"request_region", "request_body_part", "request_term", "spine_asked", "consult_field"}
)
# Computed terms that another item of the letter shows.
_OF_SAME_PART = {"invasive_in_letter": invasive_beside, "operation_beside": operation_beside}
_OF_THE_OPERATION = {
    "operation_indicated": "the operation has its indication documented",
    "operation_lesion_imaged": "a study shows a lesion that the operation can repair",
}
_CARE_IN_VAIN = "_conservative"
_GOES_ON = condition("pain_goes_on | neurological_complaint")


class _Quotes:
    """The words, or the computation, behind a term of a condition, for one item."""

    def __init__(self, case: Case, item: Item, row: Row, evidence: Sequence[Evidence]) -> None:
        self.case, self.item, self.row = case, item, row
        self.by_signal: dict[str, list[Evidence]] = {}
        for one in evidence:
            if one.item_index in (None, item.index):
                self.by_signal.setdefault(one.signal, []).append(one)

    def of(self, term: Term) -> list[Evidence]:
        """The quotes of a term; where the summary has none, the computation or the request.

        A span of time is a computation, whatever words its dates rest on. What a term asks
        not to be documented, and is not told of at all, has no words.
        """
        if term.negated and self.row.get(term.name) is None:
            return []
        words = [] if term.name == _SPAN else self.by_signal.get(term.name, [])
        return [self._clause(quote) for quote in words[:_QUOTES]] or [self._computed(term)]

    def _clause(self, quote: Evidence) -> Evidence:
        """A quote of a word or two with what stands around it in its clause."""
        text = self.case.case_summary
        if quote.field != "case_summary" or quote.end - quote.start >= _WORDS:
            return quote
        start = max(quote.start - _AROUND, 0)
        for before in _CLAUSE_STARTS.finditer(text, start, quote.start):
            start = before.end()
        stop = _CLAUSE_ENDS.search(text, quote.end, quote.end + _AROUND)
        end = stop.start() if stop else min(quote.end + _AROUND, len(text))
        while 0 < start < quote.start and not text[start - 1].isspace():
            start += 1
        while not stop and quote.end < end < len(text) and not text[end].isspace():
            end -= 1
        return replace(quote, start=start, end=end, quote=text[start:end])

    def _computed(self, term: Term) -> Evidence:
        value = self.row.get(term.name)
        if term.name in ("course_total", "course_least"):
            said = self._sum(term, "visits", self.row.get("request_sessions"))
        elif term.name == "injections_total":
            said = self._sum(term, "injections", self.row.get("injections_asked"))
        elif term.name == _SPAN:
            dated = self.case.header.ur_denial_date is not None
            until = "the denial" if dated else "the last day that the summary tells"
            said = f"{_number(value)} days from the injury to {until}"
        elif term.name in ("case_body_parts", "parts_reached", "requested_part_documented"):
            named = self.row.get("case_body_parts")
            said = f"the case is about: {str(named).replace(LIST_SEPARATOR, ', ')}"
        elif term.name in _OF_SAME_PART:
            is_beside = _OF_SAME_PART[term.name]
            said = _beside(o for o in self.case.items if is_beside(self.item, o))
        elif term.name == "primary_surgery_in_letter":
            others = (o for o in self.case.items if o.index != self.item.index)
            said = _beside(filter(is_primary_surgery, others))
        elif term.name == "therapy_in_letter":
            said = _beside(o for o in self.case.items if o.subcategory in ACTIVE_THERAPY)
        elif term.name.startswith(_OF_THE_REQUEST) or computed().get(term.name) == "request":
            return self._evidence(term, self._request_words(term), "request")
        elif term.name.endswith("_prior") and not value:
            earlier = term.name.removesuffix("_prior").replace("_", " ")
            said = f"no earlier {earlier} is documented"
        else:
            named = _OF_THE_OPERATION.get(term.name) or term.name.replace("_", " ")
            said = f"{named}: {_number(value)}"
        return self._evidence(term, said, "computation")

    def _request_words(self, term: Term) -> str:
        """The request; where its region stands in the heading or the original, that."""
        item = self.item
        if term.name not in ("request_region", "request_body_part", "spine_asked"):
            return item.requested
        shown = (item.requested, item.title, item.original_request or "")
        return next((words for words in shown if words and parts_named(words)), item.requested)

    def _sum(self, term: Term, what: str, asked: Value) -> str:
        """An addition as a reader would write it: "6 + 8 = 14 visits, limit 10"."""
        authorized = self.row.get("authorized_sessions")
        had = self.row.get("care_counted")
        open_ended = "at least " if had is None or at_least_had(self.row) else ""
        parts = [had or 0, authorized if what == "visits" else None, asked]
        shown = [_number(part) for part in parts if part is not None]
        shown[0] = "those had, of unknown number," if had is None else f"{open_ended}{shown[0]}"
        limit = f", limit {term.value}" if term.value else ""
        total = f"{open_ended}{_number(self.row.get(term.name))}"
        return f"{' + '.join(shown)} = {total} {what}{limit}"

    def _evidence(self, term: Term, said: str, field: str) -> Evidence:
        length = len(said) if field == "request" else 0
        rule, index = f"criteria.{field}", self.item.index
        return Evidence(term.name, 0, length, said, rule, field=field, item_index=index)


def _beside(others: Iterable[Item]) -> str:
    """The operation or injection that is asked for in the same letter, or that there is none."""
    other = next(iter(others), None)
    if other is None:
        return "no operation is asked for beside it in the letter"
    return f"also asked for in the letter, item {other.index}: {other.requested}"


def _number(value: Value) -> str:
    """A value as a reader would write it."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not stated"}[value]
    return f"{value:g}" if isinstance(value, int | float) else str(value)


# "Of the upper extremity": the parts of it, or the neck, that the case is about.
_WHOLE_ARM = "upper extremity"
_WITHIN_ARM = frozenset({"cervical spine", "elbow", "forearm", "wrist", "hand", "finger", "thumb"})


def _parts_asked(item: Item, row: Row) -> tuple[str, ...]:
    """The parts whose chapter is shown: those requested, and for a whole arm what of it the case
    is about.
    """
    parts = requested_parts(item)
    named = str(row.get("case_body_parts") or "").split(LIST_SEPARATOR)
    within = [part for part in named if part in _WITHIN_ARM]
    if _WHOLE_ARM not in parts or not within:
        return tuple(parts)
    return tuple(dict.fromkeys([*(p for p in parts if p != _WHOLE_ARM), *within]))


# --- chapters -------------------------------------------------------------------------------------

REGIONAL = frozenset(("Low Back", "Knee", "General Approaches"))
"""Guidelines of ``criteria.csv`` that stand for the chapter of whatever region is asked about."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter with its edition, as shown (``Low Back 2004``), and where in it to look."""

    guideline: str
    source: str


@dataclass(frozen=True, slots=True)
class _Row:
    criterion: str
    body_parts: frozenset[str]
    chapter: Chapter


def chapter_of(request_class: str, criterion: str, body_parts: Sequence[str]) -> Chapter | None:
    """The chapter of the requested parts; None where the table has none for the class."""
    rows = [r for r in _table().get(request_class, ()) if r.criterion in ("", criterion)]
    of_part = (next((r.chapter for r in rows if part in r.body_parts), None) for part in body_parts)
    found = dict.fromkeys(chapter for chapter in of_part if chapter is not None)
    if not found:
        return next((row.chapter for row in rows if not row.body_parts), None)
    return Chapter(
        "; ".join(dict.fromkeys(chapter.guideline for chapter in found)),
        "; ".join(chapter.source for chapter in found),
    )


@cache
def _table() -> Mapping[str, tuple[_Row, ...]]:
    """The rows by class, those of one criterion first."""
    found: dict[str, list[_Row]] = {}
    for row in table_rows("chapters"):
        parts = frozenset(filter(None, row["body_parts"].split("|")))
        chapter = Chapter(f"{row['guideline']} {row['edition']}".strip(), row["source"])
        found.setdefault(row["class"], []).append(_Row(row["criterion"], parts, chapter))
    return {
        name: tuple(sorted(rows, key=lambda row: not row.criterion)) for name, rows in found.items()
    }
