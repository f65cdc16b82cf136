"""Request heading -> treatment request category, body parts and quantity.

The knowledge stands in the tables of ``data/reference/``; this module holds the priorities:

1. *Terms* (``drugs``, ``procedures``, ``tests``, ``devices``, ``therapies``, ``visits``,
   ``generic_words``): at each word the longest term wins.  A service after "post" is past and
   does not count.
2. *Heading*: what stands before the first "for", "after", "following" … names the service, what
   follows names its purpose; the purpose counts only where the heading has no named service.
3. *Rank* of the row (70 heading of associated services, 50 a named service, below 40 a weak
   word such as "evaluation"), then the first in the text.
4. *Combinations* (``combinations.csv``): the first row whose ``head`` is a tag of the winner,
   whose ``with`` tags are all in the heading and whose ``without`` tags are not, sets the class.
5. *Topical drugs*: a drug in a cream, gel or patch, or given in percent, takes the ``topical``
   subcategory of its row; several drugs mixed are Topical Compounds, except two over-the-counter
   rubs, which are Topical Analgesics.

What no table knows is Other / Other, with a dispensed number (``#60``) an other drug.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from imr.data import table_rows
from imr.data.request.quantity import Quantity, find_quantity, spell_out, unit_of
from imr.data.request.terms import NamedService, RequestWords, Service, request_lexicon

SPINE_PARTS = frozenset(("lumbar spine", "cervical spine", "thoracic spine", "spine", "sacrum"))
NAMED = 40  # rank from which a term names a service rather than a kind of word
_PURPOSE = frozenset(("for", "following", "after", "status", "due", "secondary", "before"))
_IN_SESSIONS = frozenset(("electrical_modality", "ultrasound", "cold", "modality"))
_PERCENT = re.compile(r"\d\s?(?:%|percent)")
_TOPICAL = "Topical Analgesics"
_COMPOUND = "Topical Compounds"


@dataclass(frozen=True, slots=True)
class ItemClass:
    """What a request is for.

    ``category`` and ``subcategory`` are a pair of ``data/reference/taxonomy.csv``;
    ``body_parts`` are sorted and carry no side; ``quantity`` counts ``quantity_unit``
    (``sessions``, ``units``, ``days``, ``weeks``, ``months``, ``hours``); ``terms`` are the
    names of the table rows found, in the order of the text.
    """

    category: str
    subcategory: str
    body_parts: tuple[str, ...] = ()
    quantity: int | float | None = None
    quantity_unit: str | None = None
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Combination:
    """One row of ``combinations.csv``."""

    with_tags: frozenset[str]
    without: frozenset[str]
    category: str
    subcategory: str


@lru_cache(maxsize=1)
def _combinations() -> dict[str, list[Combination]]:
    """Head tag -> its combinations, in the order of the table."""
    by_head: dict[str, list[Combination]] = {}
    for row in table_rows("reference/combinations"):
        combination = Combination(
            frozenset(filter(None, row["with"].split(";"))),
            frozenset(filter(None, row["without"].split(";"))),
            row["category"],
            row["subcategory"],
        )
        for head in row["head"].split(";"):
            by_head.setdefault(head, []).append(combination)
    return by_head


def classify(requested: str, title: str | None = None) -> ItemClass:
    """The class of a request, from what is under review.

    ``title`` (the whole heading) helps only where ``requested`` names no service.
    """
    request = request_lexicon().find(requested)
    head = _head(request)
    if head is None and title and title != requested:
        head = _head(request_lexicon().find(title))
    if head is not None and _of_unknown_kind(request, head):
        head = None
    service = head.service if head else _unknown(requested)
    text = spell_out(requested)
    quantity = find_quantity(text, service.category, not _IN_SESSIONS.isdisjoint(service.tags))
    category, subcategory = _category(service, request, head, text, quantity)
    if quantity is not None and category != service.category:
        quantity = find_quantity(text, category, quantity.kind == "sessions")
    return ItemClass(
        category,
        subcategory,
        request.body_parts,
        quantity.value if quantity else None,
        unit_of(quantity, category, _adjunct_therapy(request, category)) if quantity else None,
        tuple(dict.fromkeys(named.service.name for named in request.services)),
    )


_UNKNOWN = Service("", "Other", "Other", frozenset(), 0)
_UNKNOWN_DRUG = Service("", "Pharmaceuticals", "Other", frozenset(), 0)  # "#60" of no known name
_DISPENSED = re.compile(r"#\s?\d")


def _unknown(requested: str) -> Service:
    """The class of a request without a known word: a dispensed number means a drug."""
    return _UNKNOWN_DRUG if _DISPENSED.search(requested) else _UNKNOWN


_KINDLESS = frozenset(("treatment, unspecified", "therapy, unspecified"))
# What stands before "therapy" or "treatment" without saying of what kind it is.
_SAYS_NO_KIND = frozenset(
    re.findall(
        r"\w+",
        """
    active additional another authorized care certified continuation continue continued continuing
    course current daily denied formal from further future hour initial more month monthly necessary
    office ongoing other outpatient patient prescribed program prospective recommended remaining
    requested restart resume retro retrospective same session skilled some supervised visit week
    weekly with year
    """,
    )
)
_SHORTEST_NAME = 4


def _of_unknown_kind(request: RequestWords, head: NamedService) -> bool:
    """True of "xyzzy therapy": a kind is named right before, and no table knows it."""
    if head.service.name not in _KINDLESS or head.start == 0:
        return False
    word = request.words[head.start - 1]
    named = word.isalpha() and len(word) >= _SHORTEST_NAME and word not in _SAYS_NO_KIND
    return named and word not in request_lexicon().known


def _adjunct_therapy(request: RequestWords, category: str) -> bool:
    """True for therapy sessions that are requested along with an operation."""
    return category == "Surgery" and any(
        "therapy" in named.service.tags for named in request.services
    )


def _purpose_start(words: tuple[str, ...]) -> int:
    """The word at which the purpose of the service begins (the number of words if none)."""
    for at, word in enumerate(words):
        if at and word in _PURPOSE:
            return at
    return len(words)


def _head(request: RequestWords) -> NamedService | None:
    """The term that names the service."""
    if not request.services:
        return None
    # The visits of "therapy, 12 visits" count the therapy.
    uncounted = [n for n in request.services if request.words[n.start] != "visit"]
    services = uncounted or request.services
    purpose = _purpose_start(request.words)
    best = max((n for n in services if n.start < purpose), key=_priority, default=None)
    if best is not None and best.service.rank >= NAMED:
        return best
    return max(services, key=_priority)


def _priority(named: NamedService) -> tuple[int, int]:
    return named.service.rank, -named.start


def _category(
    service: Service,
    request: RequestWords,
    head: NamedService | None,
    text: str,
    quantity: Quantity | None,
) -> tuple[str, str]:
    if head is None:
        return service.category, service.subcategory
    tags = _tags(request, head, text, quantity)
    for tag in service.tags:
        for row in _combinations().get(tag, ()):
            if row.with_tags <= tags and row.without.isdisjoint(tags):
                return row.category, row.subcategory
    if "drug" in service.tags:
        return service.category, _drug_subcategory(service, request, tags)
    return service.category, service.subcategory


def _tags(
    request: RequestWords, head: NamedService, text: str, quantity: Quantity | None
) -> frozenset[str]:
    """Everything ``combinations.csv`` can ask about the heading."""
    purpose = _purpose_start(request.words)
    if head.start >= purpose:
        purpose = len(request.words)
    tags = {tag for tag, at in request.contexts if at < purpose}
    for named in request.services:
        if named.start < purpose or "injection" in named.service.tags:
            tags |= named.service.tags
    if request.body_parts:
        tags.add("body_part")
        if not SPINE_PARTS.isdisjoint(request.body_parts):
            tags.add("spine_part")
    if quantity is not None and quantity.value >= 2:
        tags.add(quantity.kind)
    if _PERCENT.search(text):
        tags.add("percent")
    return frozenset(tags)


def _drug_subcategory(service: Service, request: RequestWords, tags: frozenset[str]) -> str:
    """The subcategory of a drug, alone or mixed, by mouth or on the skin."""
    if tags.isdisjoint(("topical_form", "percent", "compound")) or "kit" in service.name:
        return service.subcategory
    drugs = {
        named.service.name: named.service
        for named in request.services
        if "drug" in named.service.tags
    }
    if "compound" in tags and service.topical:
        return _COMPOUND
    if "branded" in service.name or not any(drug.topical for drug in drugs.values()):
        return service.subcategory
    rubs_only = all(drug.topical == _TOPICAL for drug in drugs.values())
    if len(drugs) > 2 or (len(drugs) == 2 and not rubs_only):
        return _COMPOUND
    return service.topical or service.subcategory
