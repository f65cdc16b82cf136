"""Heading of an item -> :class:`Item`: what is requested, its category, body parts and quantity.

The knowledge stands in the tables of ``data/reference/``; this module holds the priorities:

1. *Terms*: runs of words, compared in lower case without plural endings; a long word that no
   table knows is read as the known word one typing slip away (``accupuncture``).  At each word the
   longest term wins, and terms never overlap.  A service after "post" is past and does not count.
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
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from itertools import chain
from typing import Generic, TypeVar

from imr.data import table_rows
from imr.data.letter import Citation, Item, Outcome, UrAction
from imr.data.quantity import (
    NUMBER_WORDS,
    TIMES_WORDS,
    Quantity,
    find_quantity,
    spell_out,
    unit_of,
)
from imr.data.read import collapse

Value = TypeVar("Value")

SERVICE_TABLES = ("drugs", "procedures", "tests", "devices", "therapies", "visits", "generic_words")
MIN_CORRECTED = 7  # letters; shorter words have too many neighbours one slip away
NAMED = 40  # rank from which a term names a service rather than a kind of word

# --- tables ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Service:
    """One row of a service table; ``tags`` are for ``combinations.csv``, ``topical`` is the
    subcategory of a drug that is put on the skin (empty where that changes nothing).
    """

    name: str
    category: str
    subcategory: str
    tags: frozenset[str] = frozenset()
    rank: int = 0
    topical: str = ""


@dataclass(frozen=True, slots=True)
class NamedService:
    """A service term found in a request; ``start`` and ``end`` count words, not characters."""

    service: Service
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RequestWords:
    """Everything the tables say about one request; ``contexts`` are tags and where they stand,
    ``body_parts`` are in printed order, last those in the name of who treats ("hand therapy, left
    elbow").
    """

    words: tuple[str, ...]
    services: tuple[NamedService, ...]
    contexts: tuple[tuple[str, int], ...]
    body_parts: tuple[str, ...]

    @property
    def purpose(self) -> int:
        """The word at which the purpose of the service begins (the number of words if none)."""
        words = enumerate(self.words)
        return next((at for at, word in words if at and word in _PURPOSE), len(self.words))

    def said_with(self, head: NamedService) -> int:
        """Where the words end that say what ``head`` is: at the purpose, unless it stands there."""
        return self.purpose if head.start < self.purpose else len(self.words)


@dataclass(frozen=True, slots=True)
class BodyPart:
    """A body part; ``region`` is spine, upper_limb, lower_limb, head or trunk (None for an organ or
    a muscle), ``covers`` names the parts that a study or treatment of this one speaks to as well.
    """

    region: str | None
    covers: frozenset[str]


@cache
def body_parts() -> dict[str, BodyPart]:
    """The body parts by name."""
    return {
        row["body_part"]: BodyPart(row["region"] or None, frozenset(_split(row["covers"])))
        for row in table_rows("reference/body_parts")
        if row["body_part"]
    }


def _split(cell: str) -> list[str]:
    return [part for part in cell.split(";") if part]


_GIVER = frozenset(("therapy", "specialty"))
_NO_PLURAL = frozenset(("tens", "pens", "lens"))  # "tens unit" is not "ten units"
_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+(?:\.\d+)?|%")


def _singular(word: str) -> str:
    """``word`` without an English plural ending; words and terms are compared in this form."""
    plural = len(word) >= 4 and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    if not plural or word in _NO_PLURAL:
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("ches", "shes", "xes", "sses")) else word[:-1]


def _tokens(text: str) -> list[str]:
    """Lower-case words, numbers and percent signs of ``text``: ``"C5-6"`` is ``c 5 6``."""
    return _TOKEN.findall(text.lower().replace("\u2019", "'"))


class PhraseIndex(Generic[Value]):
    """Runs of words -> values; of the tables that name one, the first has it."""

    def __init__(self, phrases: Iterable[tuple[str, Value]]) -> None:
        self.values: dict[tuple[str, ...], Value] = {}
        lengths: dict[str, set[int]] = {}
        for phrase, value in phrases:
            if key := tuple(map(_singular, _tokens(phrase))):
                self.values.setdefault(key, value)
                lengths.setdefault(key[0], set()).add(len(key))
        self._lengths = {first: sorted(some, reverse=True) for first, some in lengths.items()}

    def longest(self, words: tuple[str, ...], at: int) -> tuple[int, Value] | None:
        """The end and value of the longest phrase that starts at word ``at``."""
        for length in self._lengths.get(words[at], ()):
            if (run := words[at : at + length]) in self.values:
                return at + len(run), self.values[run]
        return None


def _gaps(word: str) -> list[str]:
    """The word, and the word without each of its letters but the first."""
    return [word, *(word[:i] + word[i + 1 :] for i in range(1, len(word)))]


_SPINE = {"c": ("cervical spine", 8), "t": ("thoracic spine", 12), "l": ("lumbar spine", 6),
          "s": ("lumbar spine", 1)}  # fmt: skip
_LEVEL_WORDS = frozenset(("vitamin", "free", "tsh", "thyroid", "no", "schedule", "hepatitis"))


def _level(words: tuple[str, ...], at: int) -> str | None:
    """The region of a spinal level (``L4``, ``C 5``, ``T-2``) that starts at word ``at``."""
    number = words[at + 1] if at + 1 < len(words) else ""
    if words[at] not in _SPINE or not number.isdigit() or (at and words[at - 1] in _LEVEL_WORDS):
        return None
    name, most = _SPINE[words[at]]
    return name if 1 <= int(number) <= most else None


def _by_phrase(table: str, column: str) -> PhraseIndex[list[str]]:
    """Term -> what the rows that list it have in a column, where they have something."""
    values: dict[str, list[str]] = {}
    for row in table_rows(f"reference/{table}"):
        for phrase in _split(row["terms"]):
            values.setdefault(phrase, []).extend(filter(None, [row[column]]))
    return PhraseIndex(values.items())


def _services() -> Iterator[tuple[str, Service]]:
    """Term -> service, in the order of the tables."""
    for table in SERVICE_TABLES:
        for row in table_rows(f"reference/{table}"):
            kind = row["name"], row["category"], row["subcategory"]
            of_row = frozenset(_split(row["tags"])), int(row["rank"]), row.get("topical", "")
            service = Service(*kind, *of_row)
            yield from ((phrase, service) for phrase in _split(row["terms"]))


class RequestLexicon:
    """All service, context and body-part tables, indexed."""

    def __init__(self) -> None:
        self.services = PhraseIndex(_services())
        self.contexts = _by_phrase("contexts", "tag")
        self.body = _by_phrase("body_parts", "body_part")
        phrases = (*self.services.values, *self.contexts.values, *self.body.values)
        self.known = frozenset({*chain.from_iterable(phrases), *NUMBER_WORDS, *TIMES_WORDS})
        self._by_gap: dict[str, set[str]] = {}
        for word in self.known:
            if len(word) >= MIN_CORRECTED and word.isalpha():
                for gap in _gaps(word):
                    self._by_gap.setdefault(gap, set()).add(word)
        self.word = lru_cache(maxsize=65536)(self._known_word)

    def _known_word(self, printed: str) -> str:
        """The word as terms have it: of one that no table knows, the only known word one slip away
        (a letter more, less, changed, or two swapped).
        """
        word = _singular(printed)
        if len(word) >= MIN_CORRECTED and word not in self.known:
            near = {
                other
                for gap in _gaps(word)
                for other in self._by_gap.get(gap, ())
                if other[0] == word[0] and abs(len(other) - len(word)) <= 1
            }
            word = near.pop() if len(near) == 1 else word
        return _singular(word)

    def find(self, text: str) -> RequestWords:
        """All terms of ``text``: services, contexts and body parts."""
        words = tuple([self.word(word) for word in _tokens(text)])
        contexts: list[tuple[str, int]] = []
        services: list[NamedService] = []
        parts: dict[str, int] = {}
        busy = body_busy = 0
        for at in range(len(words)):
            if at >= body_busy:
                body_busy = self._body_at(words, at, parts)
            context = self.contexts.longest(words, at)
            if context:
                contexts.extend((tag, at) for tag in context[1])
            if at < busy:
                continue
            service = self.services.longest(words, at)
            if context and (service is None or context[0] > service[0]):
                busy = context[0]
            elif service:
                busy = service[0]
                if at == 0 or words[at - 1] != "post":
                    services.append(NamedService(service[1], at, service[0]))
        givers = [one for one in services if _GIVER & one.service.tags]
        in_order = sorted(parts, key=lambda p: any(g.start <= parts[p] < g.end for g in givers))
        return RequestWords(words, tuple(services), tuple(contexts), tuple(in_order))

    def _body_at(self, words: tuple[str, ...], at: int, parts: dict[str, int]) -> int:
        """Add the body parts named at a word; returns where the next may begin."""
        found = self.body.longest(words, at)
        if found:
            parts.update((part, at) for part in found[1] if part not in parts)
            return found[0]
        level = _level(words, at)
        if level is None:
            return at
        # The S1 of "L5-S1" is no part of its own: the level before it has named the region.
        after_level = at >= 2 and words[at - 1].isdigit() and words[at - 2] in _SPINE
        if not (words[at] == "s" and after_level):
            parts.setdefault(level, at)
        return at + 2


@cache
def service_names() -> frozenset[str]:
    """The names of all rows of the service tables."""
    return frozenset(service.name for _, service in _services())


@cache
def request_lexicon() -> RequestLexicon:
    """The lexicon, read at the first call."""
    return RequestLexicon()


# --- the class of a request --------------------------------------------------------------------

SPINE_PARTS = frozenset(("lumbar spine", "cervical spine", "thoracic spine", "spine", "sacrum"))
_PURPOSE = frozenset(("for", "following", "after", "status", "due", "secondary", "before"))
_IN_SESSIONS = frozenset(("electrical_modality", "ultrasound", "cold", "modality"))
_PERCENT = re.compile(r"\d\s?(?:%|percent)")
_TOPICAL = "Topical Analgesics"
_COMPOUND = "Topical Compounds"
_DISPENSED = re.compile(r"#\s?\d")  # of no known name, a drug
# "Bridge #3-#5": the teeth, not how many.
_TOOTH = re.compile(
    r"#\s?\d{1,2}(?:\s?(?:,|-|&|and|to|through)\s?#?\s?\d{1,2}(?!\d)){0,8}"
    r"(?!\d| ?(?:visit|session))"
)
_KINDLESS = frozenset(("treatment, unspecified", "therapy, unspecified"))
_SAYS_NO_KIND = frozenset(re.findall(r"\w+", """
    active additional another authorized care certified continuation continue continued continuing
    course current daily denied formal from further future hour initial more month monthly necessary
    office ongoing other outpatient patient prescribed program prospective recommended remaining
    requested restart resume retro retrospective same session skilled some supervised visit week
    weekly with year
"""))  # fmt: skip
"""What stands before "therapy" or "treatment" without saying of what kind it is."""
_SHORTEST_NAME = 4


@dataclass(frozen=True, slots=True)
class ItemClass:
    """What a request is for, as :class:`Item` has it; ``body_parts`` are sorted and carry no side,
    ``quantity_unit`` is sessions, units, days, weeks, months or hours.
    """

    category: str
    subcategory: str
    body_parts: tuple[str, ...] = ()
    quantity: int | float | None = None
    quantity_unit: str | None = None
    terms: tuple[str, ...] = ()


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
    unknown = "Pharmaceuticals" if _DISPENSED.search(requested) else "Other"
    service = head.service if head else Service("", unknown, "Other")
    text = spell_out(requested)
    if "dental" in service.tags:
        text = _TOOTH.sub(" ", text)
    quantity = find_quantity(text, service.category, not _IN_SESSIONS.isdisjoint(service.tags))
    category, subcategory = service.category, service.subcategory
    if head is not None:
        category, subcategory = _category(request, head, _tags(request, head, text, quantity))
    if quantity is not None and category != service.category:
        quantity = find_quantity(text, category, quantity.kind == "sessions")
    # Therapy that is requested along with an operation is counted in sessions.
    adjunct = category == "Surgery" and any("therapy" in n.service.tags for n in request.services)
    return ItemClass(
        category,
        subcategory,
        tuple(sorted(request.body_parts)),
        quantity.value if quantity else None,
        unit_of(quantity, category, adjunct) if quantity else None,
        tuple(dict.fromkeys(named.service.name for named in request.services)),
    )


def _of_unknown_kind(request: RequestWords, head: NamedService) -> bool:
    """True of "xyzzy therapy": a kind is named right before, and no table knows it."""
    if head.service.name not in _KINDLESS or head.start == 0:
        return False
    word = request.words[head.start - 1]
    no_kind = _SAYS_NO_KIND | request_lexicon().known
    return word.isalpha() and len(word) >= _SHORTEST_NAME and word not in no_kind


def _head(request: RequestWords) -> NamedService | None:
    """The term that names the service."""

    def priority(named: NamedService) -> tuple[int, int]:
        return named.service.rank, -named.start

    # The visits of "therapy, 12 visits" count the therapy.
    uncounted = [n for n in request.services if request.words[n.start] != "visit"]
    services = uncounted or request.services
    before = (n for n in services if n.start < request.purpose)
    best = max(before, key=priority, default=None)
    if best is not None and best.service.rank >= NAMED:
        return best
    return max(services, key=priority, default=None)


# A service by its way or by its sample -> the one that says what is done on that way.
_SAYS_MORE = {
    "arthroscopic": "arthroscopic_usual",  # "arthroscopy with labral repair"
    "esi": "adhesiolysis",  # "caudal epidural with a Racz catheter"
    "urine": "drug_test",  # "urinalysis, toxicology"
}
_BLOCKS = frozenset(("esi", "facet"))
COMBINED_BLOCKS = "combined spinal injections"
_WEAKEST_SERVICE = 30  # rank; "unit" and "tablet" say less than the heading of a service


def main_term(requested: str, title: str | None = None) -> str | None:
    """The name of what a request is for above all, by the tables: of "refill Soma" the drug, of
    "associated surgical service: sling" the sling, of an arthroscopy the repair it names.

    ``title`` helps only where ``requested`` names no service.
    """
    for text in filter(None, (requested, title)):
        request = request_lexicon().find(text)
        if head := _head(request):
            return _said_best(request, head)
    return None


def operation_named(text: str) -> str | None:
    """The name of the first operation of a text, as :func:`main_term` has it."""
    request = request_lexicon().find(text)
    operations = tuple(
        n
        for n in request.services
        if n.service.category == "Surgery"
        and n.service.rank >= NAMED
        and n.service.tags.isdisjoint(("adjunct", "adjunct_prefix"))
    )
    return _said_best(replace(request, services=operations), operations[0]) if operations else None


def _said_best(request: RequestWords, head: NamedService) -> str:
    if "adjunct_prefix" in head.service.tags:
        rest = tuple(n for n in request.services if n.service.rank < head.service.rank)
        thing = _head(replace(request, services=rest))
        if thing is None or thing.service.rank < _WEAKEST_SERVICE:
            return head.service.name
        return _said_best(replace(request, services=rest), thing)
    if structure := _of_structure(request, head.service.name):
        return structure
    services = [n.service for n in request.services if n.start < request.said_with(head)]
    tags = {tag for service in services for tag in service.tags}
    if tags >= _BLOCKS and not _BLOCKS.isdisjoint(head.service.tags):
        return COMBINED_BLOCKS
    more = {_SAYS_MORE[tag] for tag in head.service.tags if tag in _SAYS_MORE}
    for name in (s.name for s in services if not more.isdisjoint(s.tags)):
        # No "knee repair" is what an ankle arthroscopy with synovectomy would be.
        part, parts = name.split()[0], request.body_parts
        if part not in body_parts() or not parts or part in parts:
            return name
    return head.service.name


@cache
def _structures() -> dict[tuple[str, str], PhraseIndex[str]]:
    """A name that leaves open what is done, and the region -> structures, with the name that says
    it there.
    """
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in table_rows("reference/structures"):
        named = ((phrase, row["name"]) for phrase in _split(row["terms"]))
        found.setdefault((row["unspecified"], row["region"]), []).extend(named)
    return {key: PhraseIndex(phrases) for key, phrases in found.items()}


def _of_structure(request: RequestWords, unspecified: str) -> str | None:
    """What is done by the structure it is done to: "repair of the left thumb flexor" is a tendon
    operation, "L3-4 decompression and fusion" a spinal fusion.
    """
    region = "" if SPINE_PARTS.isdisjoint(request.body_parts) else "spine"
    index = _structures().get((unspecified, region))
    if index is None:
        return None
    named = (index.longest(request.words, at) for at in range(len(request.words)))
    return next((found[1] for found in named if found), None)


def parts_in_order(text: str) -> tuple[str, ...]:
    """The body parts that a request names, in printed order."""
    return request_lexicon().find(text).body_parts


@cache
def _combinations() -> list[tuple[set[str], set[str], set[str], tuple[str, str]]]:
    """Of each row of ``combinations.csv``: head tags, tags that must be there, tags that must not,
    category and subcategory.
    """
    found = []
    for row in table_rows("reference/combinations"):
        head, needed, without = (set(_split(row[tags])) for tags in ("head", "with", "without"))
        found.append((head, needed, without, (row["category"], row["subcategory"])))
    return found


def _category(request: RequestWords, head: NamedService, tags: frozenset[str]) -> tuple[str, str]:
    """Category and subcategory of a request that ``head`` names."""
    service = head.service
    for heads, needed, without, kind in _combinations():
        if heads & service.tags and needed <= tags and without.isdisjoint(tags):
            return kind
    if "drug" in service.tags:
        return service.category, _drug_subcategory(service, request, tags)
    return service.category, service.subcategory


def _tags(
    request: RequestWords, head: NamedService, text: str, quantity: Quantity | None
) -> frozenset[str]:
    """Everything ``combinations.csv`` can ask about the heading."""
    end = request.said_with(head)
    tags = {tag for tag, at in request.contexts if at < end}
    for named in request.services:
        if named.start < end or "injection" in named.service.tags:
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
    if "compound" in tags and service.topical:
        return _COMPOUND
    drugs = {n.service.name: n.service for n in request.services if "drug" in n.service.tags}
    topical = [drug.topical for drug in drugs.values()]
    if "branded" in service.name or not any(topical):
        return service.subcategory
    rubs_only = all(kind == _TOPICAL for kind in topical)
    if len(drugs) > 2 or (len(drugs) == 2 and not rubs_only):
        return _COMPOUND
    return service.topical or service.subcategory


# --- the heading of an item --------------------------------------------------------------------

_OUTCOME = re.compile(r"\s?[:;]?\s?\b(Upheld|Overturned)\s?[.:]?\Z", re.IGNORECASE)
# These read headings with their blanks collapsed.
_MODIFIED = re.compile(
    r"^(?P<original>.+?) (?:was|were|is) the original request\. ?(?P<rest>.+)$",
    re.DOTALL | re.IGNORECASE,
)
_AUTHORIZED = re.compile(
    r"^(?:(.+?) (?:was|were|has been|is) authorized by the Claims Administrator\b|"
    r"The Claims Administrator (?:has )?authorized (.+?)"
    r"(?:, ?leaving the original request|\. The (?:remaining|original)|\Z))",
    re.DOTALL | re.IGNORECASE,
)
_UNDER_REVIEW = re.compile(
    r"(?:The )?(?:remaining IMR[- ]eligible portion of the original request|"
    r"original request) ?, ?(?P<requested>.+?)"
    r"(?:,? (?:is|are|was))? ?[:;,.]?$",
    re.DOTALL | re.IGNORECASE,
)


def item_of_heading(
    index: int,
    title: str,
    guideline: Citation | None,
    *,
    requested: str | None = None,
    ur_action: UrAction | None = None,
    original_request: str | None = None,
    authorized: str | None = None,
) -> Item:
    """The item of a printed title (without its outcome), with its class from the taxonomy.

    A title may be the heading of a modified request; what is given beside it goes before that.
    """
    original, allowed, under_review = _modified_parts(title)
    original, allowed = original_request or original, authorized or allowed
    requested = requested or under_review
    return Item(
        index=index,
        title=title,
        requested=requested,
        ur_action=ur_action or ("modified" if original or allowed else "denied"),
        original_request=original,
        authorized=allowed,
        claims_administrator_guideline=guideline,
        ur_action_told=ur_action is not None,
        **asdict(classify(requested, title)),
    )


def split_outcome(heading: str) -> tuple[str, Outcome | None]:
    """A printed heading -> the title without the outcome, and the outcome (None: undecided)."""
    heading = collapse(heading)
    match = _OUTCOME.search(heading)
    if match is None:
        return heading.rstrip(" :;"), None
    outcome: Outcome = "Overturned" if match[1].lower() == "overturned" else "Upheld"
    return heading[: match.start()].rstrip(" :;"), outcome


def _modified_parts(title: str) -> tuple[str | None, str | None, str]:
    """``(original request, authorized, under review)`` of a heading; None, None where denied."""
    match = _MODIFIED.match(title)
    if match is None:
        return None, None, title
    rest = match["rest"]
    allowed = _AUTHORIZED.match(rest)
    review = None
    if found := list(re.finditer(r"remaining IMR|(?<=\.) ?The original request", rest)):
        review = _UNDER_REVIEW.search(rest, found[-1].start())
    requested = review["requested"] if review else match["original"]
    return match["original"], allowed and (allowed[1] or allowed[2]), requested.strip(" ,:;")
