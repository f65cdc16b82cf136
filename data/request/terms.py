"""The lexicon tables of ``data/reference/`` and the search for their terms in a request.

A term is a run of words.  Words are compared in lower case without plural endings, and a long
word that no table knows is read as the known word one typing slip away (``accupuncture``).
At each word the longest term wins, and terms never overlap.  The tables are read once, at the
first request; nothing happens on import.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from imr.data import table_rows
from imr.data.request.quantity import NUMBER_WORDS, TIMES_WORDS

Value = TypeVar("Value")

SERVICE_TABLES = ("drugs", "procedures", "tests", "devices", "therapies", "visits", "generic_words")
MIN_CORRECTED = 7  # letters; shorter words have too many neighbours one slip away

_NO_PLURAL = frozenset(("tens", "pens", "lens"))  # "tens unit" is not "ten units"
_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+(?:\.\d+)?|%")


@dataclass(frozen=True, slots=True)
class Service:
    """One row of a service table: what a run of words stands for.

    ``rank`` orders the rows (a named service 50, a weak heading word below 40); ``tags`` name
    what the row is for ``combinations.csv``; ``topical`` is the subcategory of a drug that is
    put on the skin (empty where that changes nothing).
    """

    name: str
    category: str
    subcategory: str
    tags: frozenset[str]
    rank: int
    topical: str = ""


@dataclass(frozen=True, slots=True)
class NamedService:
    """A service term found in a request; ``start`` and ``end`` count words, not characters."""

    service: Service
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RequestWords:
    """Everything the tables say about one request."""

    words: tuple[str, ...]
    services: tuple[NamedService, ...]
    contexts: tuple[tuple[str, int], ...]
    body_parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BodyPart:
    """A body part of ``body_parts.csv``.

    ``region`` is spine, upper_limb, lower_limb, head or trunk (None for an organ or a muscle);
    ``covers`` names the parts that a study or treatment of this one speaks to as well.
    """

    region: str | None
    covers: frozenset[str]


@lru_cache(maxsize=1)
def body_parts() -> dict[str, BodyPart]:
    """The body parts by name."""
    return {
        row["body_part"]: BodyPart(row["region"] or None, frozenset(_split(row["covers"])))
        for row in table_rows("reference/body_parts")
        if row["body_part"]
    }


def singular(word: str) -> str:
    """``word`` without an English plural ending; words and terms are compared in this form."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word in _NO_PLURAL:
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1]


def tokens(text: str) -> list[str]:
    """Lower-case words, numbers and percent signs of ``text``: ``"C5-6"`` is ``c 5 6``."""
    return _TOKEN.findall(text.lower().replace("\u2019", "'"))


def _split(cell: str) -> list[str]:
    return [part for part in cell.split(";") if part]


class PhraseIndex(Generic[Value]):
    """Runs of words -> values, looked up by first word, longest first."""

    def __init__(self) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], Value]]] = {}
        self._values: dict[tuple[str, ...], Value] = {}

    def add(self, phrase: str, value: Value) -> None:
        """Add one phrase; the first table that names a phrase keeps it."""
        key = tuple(singular(word) for word in tokens(phrase))
        if not key or key in self._values:
            return
        self._values[key] = value
        rows = self._by_first.setdefault(key[0], [])
        rows.append((key, value))
        rows.sort(key=lambda row: -len(row[0]))

    def words(self) -> set[str]:
        """Every word of every phrase."""
        return {word for key in self._values for word in key}

    def longest(self, words: Sequence[str], at: int) -> tuple[int, Value] | None:
        """The end and value of the longest phrase that starts at word ``at``."""
        for key, value in self._by_first.get(words[at], ()):
            end = at + len(key)
            if len(key) == 1 or tuple(words[at:end]) == key:
                return end, value
        return None


class Speller:
    """Known words one slip (a letter more, less, changed, or two swapped) from an unknown one."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = frozenset(known)
        self._by_gap: dict[str, set[str]] = {}
        for word in self._known:
            if len(word) >= MIN_CORRECTED and word.isalpha():
                for gap in (word, *_gaps(word)):
                    self._by_gap.setdefault(gap, set()).add(word)

    def correct(self, word: str) -> str:
        """The one known word that ``word`` can be a slip of, else ``word`` itself."""
        if len(word) < MIN_CORRECTED or word in self._known:
            return word
        near: set[str] = set()
        for gap in (word, *_gaps(word)):
            near |= self._by_gap.get(gap, set())
        near = {w for w in near if w[0] == word[0] and abs(len(w) - len(word)) <= 1}
        return near.pop() if len(near) == 1 else word


def _gaps(word: str) -> Iterable[str]:
    return (word[:i] + word[i + 1 :] for i in range(1, len(word)))


_SPINE = {
    "c": ("cervical spine", 1, 8),
    "t": ("thoracic spine", 1, 12),
    "l": ("lumbar spine", 1, 6),
    "s": ("lumbar spine", 1, 1),
}
_LEVEL_WORDS = frozenset(("vitamin", "free", "tsh", "thyroid", "no", "schedule", "hepatitis"))


def _level(words: Sequence[str], at: int) -> str | None:
    """The region of a spinal level (``L4``, ``C 5``, ``T-2``) that starts at word ``at``."""
    region = _SPINE.get(words[at])
    if region is None or at + 1 >= len(words) or not words[at + 1].isdigit():
        return None
    if at and words[at - 1] in _LEVEL_WORDS:
        return None
    name, low, high = region
    return name if low <= int(words[at + 1]) <= high else None


class RequestLexicon:
    """All service, context and body-part tables, indexed."""

    def __init__(self) -> None:
        self.services: PhraseIndex[Service] = PhraseIndex()
        self.contexts: PhraseIndex[frozenset[str]] = PhraseIndex()
        self.body: PhraseIndex[tuple[str, ...]] = PhraseIndex()
        self._load_services()
        self._load_contexts()
        self._load_body_parts()
        numbers = {*NUMBER_WORDS, *TIMES_WORDS}
        known = self.services.words() | self.contexts.words() | self.body.words() | numbers
        self.known = frozenset(known)
        self._speller = Speller(known)
        self.word = lru_cache(maxsize=65536)(self._word)

    def _load_services(self) -> None:
        for table in SERVICE_TABLES:
            for row in table_rows(f"reference/{table}"):
                service = Service(
                    row["name"],
                    row["category"],
                    row["subcategory"],
                    frozenset(_split(row["tags"])),
                    int(row["rank"]),
                    row.get("topical", ""),
                )
                for phrase in _split(row["terms"]):
                    self.services.add(phrase, service)

    def _load_contexts(self) -> None:
        tags: dict[str, set[str]] = {}
        for row in table_rows("reference/contexts"):
            for phrase in _split(row["terms"]):
                tags.setdefault(phrase, set()).add(row["tag"])
        for phrase, found in tags.items():
            self.contexts.add(phrase, frozenset(found))

    def _load_body_parts(self) -> None:
        parts: dict[str, list[str]] = {}
        for row in table_rows("reference/body_parts"):
            for phrase in _split(row["terms"]):
                parts.setdefault(phrase, []).append(row["body_part"])
        for phrase, names in parts.items():
            self.body.add(phrase, tuple(name for name in names if name))

    def _word(self, word: str) -> str:
        return singular(self._speller.correct(singular(word)))

    def find(self, text: str) -> RequestWords:
        """All terms of ``text``: services, contexts and body parts."""
        words = tuple([self.word(word) for word in tokens(text)])
        contexts: list[tuple[str, int]] = []
        services: list[NamedService] = []
        parts: set[str] = set()
        busy = body_busy = 0
        for at in range(len(words)):
            if at >= body_busy:
                body_busy = self._body_at(words, at, parts)
            context = self.contexts.longest(words, at)
            if context:
                contexts.extend((tag, at) for tag in context[1] if tag)
            if at < busy:
                continue
            service = self.services.longest(words, at)
            if context and (service is None or context[0] > service[0]):
                busy = context[0]
            elif service:
                busy = service[0]
                if at == 0 or words[at - 1] != "post":
                    services.append(NamedService(service[1], at, busy))
        return RequestWords(words, tuple(services), tuple(contexts), tuple(sorted(parts)))

    def _body_at(self, words: tuple[str, ...], at: int, parts: set[str]) -> int:
        found = self.body.longest(words, at)
        if found:
            parts.update(found[1])
            return found[0]
        level = _level(words, at)
        if level is None:
            return at
        if level == "lumbar spine" and words[at] == "s" and _after_level(words, at):
            return at + 2
        parts.add(level)
        return at + 2


def _after_level(words: tuple[str, ...], at: int) -> bool:
    """True for the S1 of ``L5-S1``: the level before it has named the region."""
    return at >= 2 and words[at - 1].isdigit() and words[at - 2] in _SPINE


@lru_cache(maxsize=1)
def request_lexicon() -> RequestLexicon:
    """The lexicon, read at the first call and kept."""
    return RequestLexicon()
