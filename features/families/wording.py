"""What the clinical terms of a summary say of a request, beyond the statements we understand.

A careful reader takes more from a summary than rules do.  Which terms stand in it (never how often,
nor how long it is) is weighed by a linear model of rated vignettes: ``rules/wording.json``, built
by ``python -m imr.training.vignettes`` from invented cases alone, never from letters.  A term is a
word that some lexicon of ours knows, or two such words side by side, in a clause of the record:
what an administrator or a guideline says, and clauses about another part of the body, are left out,
so that stock phrases, padding and the manner of writing weigh nothing.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, pairwise
from math import fsum
from pathlib import Path

from imr.data.letter import Case, Evidence, Item
from imr.features.context import Clause, Summary, clauses, once
from imr.features.families.measures import side_of
from imr.features.lexicon import ANY_NUMBER, lexicon
from imr.features.signal import Findings, Value
from imr.features.statements import Statement, bearing, statements

WEIGHTS = Path(__file__).parent.parent / "rules" / "wording.json"

_TITLE = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Weights:
    """The linear model: an intercept, and a weight a term; ``CLASS=term`` is a term's weight for
    one class of request.
    """

    intercept: float
    weights: dict[str, float]

    def log_odds(self, terms: frozenset[str]) -> float:
        """The log odds that a set of terms gives."""
        # The exact sum: the same whatever the order of the set.
        return self.intercept + fsum(self.weights.get(term, 0.0) for term in terms)


@cache
def shipped() -> Weights:
    """The weights of ``wording.json``."""
    stored = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return Weights(stored["intercept"], stored["weights"])


# A clause that names nothing of these is no clinical statement ("the copy was hard to read").
_CLINICAL = (
    "treatment", "medication", "response", "function", "examination", "complaint", "imaging",
    "electrodiagnostics", "nerve_root", "diagnosis", "comorbidity", "pain_score", "work_status",
    "body_part",
)  # fmt: skip
# Who the worker is, a date and a side say nothing of whether care is needed.
_WITHOUT_FAMILIES = frozenset({"person", "date"})
_WITHOUT = frozenset({"left", "right", "bilateral", "bilaterally", "l", "r", "lt", "rt", "both"})


@cache
def _vocabulary() -> frozenset[str]:
    """The words that start a pattern of some lexicon, and the sign for a number."""
    rules = (rule for rule in lexicon().rules if rule.family not in _WITHOUT_FAMILIES)
    return frozenset(word for rule in rules for word in rule.triggers) - _WITHOUT


Weighed = tuple[frozenset[str], tuple[Statement, ...], Clause]
"""The terms of a clause, its statements and its place."""


@once
def _clauses(summary: Summary) -> list[Weighed]:
    """The terms of each clause of the record, with its statements and place."""
    by_start: dict[int, list[Statement]] = {}
    for statement in statements(summary):
        by_start.setdefault(statement.start, []).append(statement)
    clinical = sorted(m.start for family in _CLINICAL for m in summary.mentions(family))
    found = []
    for clause in clauses(summary):
        first = bisect_left(clinical, clause.start)
        if first == len(clinical) or clinical[first] >= clause.end:
            continue
        if not _recited(summary, clause.sentence):
            said = tuple(by_start.get(clause.start, ()))
            stated = [f"{one.subject}: {one.concept}: {one.polarity}" for one in said]
            found.append((frozenset((*_terms(summary, clause), *stated)), said, clause))
    return found


def _recited(summary: Summary, sentence: int) -> bool:
    """Whether a sentence recites the administrator or a guideline."""
    return any(
        cue.kind in ("denied_by_ur", "quoted_guideline") for cue in summary.cues(sentence)[0]
    )


def _terms(summary: Summary, clause: Clause) -> list[str]:
    """The known words of a clause, and each two that follow each other."""
    vocabulary, triggers = _vocabulary(), summary.triggers
    first, last = (bisect_left(triggers, (at,)) for at in (clause.start, clause.end))
    words = [ANY_NUMBER if word <= "9" else word for _, word in triggers[first:last]]
    words = [word for word in words if word in vocabulary]
    return [*words, *map(" ".join, pairwise(words))]


@once
def _of_summary(summary: Summary, parts: tuple[str, ...], side: str | None) -> frozenset[str]:
    """The terms of the clauses that are not all about another part of the body."""
    return frozenset().union(
        *(terms for terms, said, _ in _clauses(summary) if _bears(said, parts, side))
    )


def _bears(said: Sequence[Statement], parts: tuple[str, ...], side: str | None) -> bool:
    """Whether a clause with these statements is not all about another part of the body."""
    return not said or any(bearing(one, parts, side) != "elsewhere" for one in said)


def _of_request(item: Item) -> frozenset[str]:
    asked = set(_TITLE.findall(item.requested.lower())) - _WITHOUT
    return frozenset(f"request: {word}" for word in asked)


def terms_of(summary: Summary, item: Item) -> frozenset[str]:
    """The terms of summary and request that are weighed for one item."""
    found = _of_summary(summary, item.body_parts, side_of(item.requested))
    of_class = (f"{item.subcategory}={term}" for term in found)
    return frozenset((*found, *of_class, *_of_request(item)))


def log_odds_of(summary: Summary, item: Item) -> float:
    """What the shipped weights give for the terms of an item (:func:`terms_of`)."""
    found = _of_summary(summary, item.body_parts, side_of(item.requested))
    for_all, for_class = _weights(item)
    weighed = chain(map(for_all.get, (*found, *_of_request(item))), map(for_class.get, found))
    return shipped().intercept + fsum(filter(None, weighed))


@cache
def _by_class() -> dict[str, dict[str, float]]:
    """The weights by class of request and term; those for all requests under no class."""
    found: dict[str, dict[str, float]] = {}
    for name, weight in shipped().weights.items():
        of_class, _, term = name.rpartition("=")
        found.setdefault(of_class, {})[term] = weight
    return found


def _weights(item: Item) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """The weights of terms for all requests, and for those of the item's class."""
    return _by_class().get("", {}), _by_class().get(str(item.subcategory), {})


def build_item(summary: Summary, _case: Case, item: Item, _found: dict[str, Value]) -> Findings:
    """The log odds by the terms of summary and request, and the clauses that carry them."""
    own = Findings()
    own.values["wording"] = round(log_odds_of(summary, item), 4)
    own.more_quoted = partial(_quotes, summary.text, _clauses(summary), item)
    return own


# A clause of less weight (log odds) carries nothing by itself.
_LEAST_CLAUSE = 0.15
_EDGE = " \t\n\r,;:.-–—"
_FINDINGS = frozenset({"sign", "study", "diagnosis", "response", "function"})
_CONTRARY = frozenset({"denied", "normal", "resolved", "unchanged", "not improved", "none"})


def _speaks(said: Sequence[Statement]) -> str | None:
    """Which way a physician would take the statements of a clause; None where neither way.

    What weighs otherwise than it speaks is a correlate, and no words to show.
    """
    found = [one for one in said if one.subject in _FINDINGS]
    if not found:
        return None
    contrary = [
        one.polarity in _CONTRARY or one.degree == "mild" or one.concept.startswith("normal")
        for one in found
    ]
    return "against" if all(contrary) else None if any(contrary) else "for"


def _quotes(text: str, clauses: Sequence[Weighed], item: Item) -> Iterator[Evidence]:
    """The clauses of most weight that speak as they weigh, heaviest first; the qualifier says
    which way.
    """
    side, weights = side_of(item.requested), _weights(item)
    weighed = []
    for terms, said, clause in clauses:
        if _bears(said, item.body_parts, side):
            weight = fsum(known.get(term, 0.0) for known in weights for term in terms)
            if abs(weight) >= _LEAST_CLAUSE and _speaks(said) == _way(weight):
                weighed.append((weight, clause))
    for weight, clause in sorted(weighed, key=lambda pair: -abs(pair[0])):
        words = text[clause.start : clause.end]
        start = clause.start + len(words) - len(words.lstrip(_EDGE))
        quote = words.strip(_EDGE)
        yield Evidence(
            signal="wording",
            start=start,
            end=start + len(quote),
            quote=quote,
            rule="wording.json",
            qualifier=_way(weight),
            item_index=item.index,
        )


def _way(weight: float) -> str:
    return "for" if weight > 0 else "against"
