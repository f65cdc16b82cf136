"""The case summary read once: cues, sentences, clauses, mentions, and the scope of each mention.

A lexicon is ``features/rules/lexicons/<family>.csv`` with the columns ``id, trigger, pattern,
value, source, example, counterexample`` and any further columns a family needs (``direction`` and
``reach`` are those of context cues).  All lexicons are one index from trigger word to rules.  The
text is tokenised once; where a token is a trigger, the rule's pattern is tried anchored at that
token's start.  Triggers are lower-case words of ``[a-z]+``; ``#`` stands for any number.  Patterns
are matched against the lower-cased text, so they are written in lower case.  A rule whose
``consumes`` column says ``yes`` (dates) takes its words for itself: no other rule starts inside its
match.

The scope of a mention follows the ConText algorithm (Harkema et al., J Biomed Inform 2009;
42:839-851): cues (``lexicons/context.csv``) qualify what follows, what precedes or the whole
sentence, within a reach in characters and up to a terminating cue.  Cues are found in the same
pass as everything else and resolved only for the mentions somebody asks about.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from inspect import signature
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, TypeVarTuple, cast

from imr.features.signal import RULES, table_rows
from imr.features.words import pattern

FOLDER = RULES / "lexicons"
TOKEN = re.compile(r"[a-zø]+|[0-9]+")  # "Ø" is a word of charts: none
ANY_NUMBER = "#"
_FIXED = frozenset({"id", "trigger", "pattern", "value", "source", "example", "counterexample"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a lexicon; ``extra`` holds the columns that only its family knows."""

    id: str
    family: str
    triggers: tuple[str, ...]
    pattern: re.Pattern[str]
    value: str
    source: str
    example: str
    counterexample: str
    extra: Mapping[str, str]
    direction: str = ""
    reach: int = 0


# A rule that matched; the offsets stand in the match.
Hit = tuple[Rule, "re.Match[str]"]
_Try = tuple[int, Callable[[str, int], "re.Match[str] | None"], Rule, bool]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All rules, and the index from trigger word to what is tried there."""

    families: Mapping[str, int]
    rules: tuple[Rule, ...]
    index: Mapping[str, tuple[_Try, ...]]

    def hits(self, lower: str) -> list[list[Hit]]:
        """Every match in a lower-cased text, a list a family, in order of position."""
        found: list[list[Hit]] = [[] for _ in self.families]
        look_up, numbers = self.index.get, self.index.get(ANY_NUMBER, ())
        taken = 0
        for token in TOKEN.finditer(lower):
            word = token[0]
            tries = numbers if word[0] <= "9" else look_up(word)
            if not tries:
                continue
            start = token.start()
            if start < taken:
                continue
            for family, match_at, rule, consumes in tries:
                match = match_at(lower, start)
                if match is not None:
                    found[family].append((rule, match))
                    if consumes:
                        taken = match.end()
                        break
        return found


@cache
def lexicon() -> Lexicon:
    """The index over every lexicon in ``features/rules/lexicons``, read on first use."""
    rules = tuple(rule for path in sorted(FOLDER.glob("*.csv")) for rule in read_rules(path))
    families = {name: i for i, name in enumerate(sorted({rule.family for rule in rules}))}
    return Lexicon(families, rules, _index(rules, families))


def read_rules(path: Path) -> list[Rule]:
    """The rules of one lexicon file; the file's name is the family's."""
    return [_rule(path.stem, row) for row in table_rows(f"lexicons/{path.stem}")]


def _rule(family: str, row: dict[str, str]) -> Rule:
    try:
        pattern = re.compile(row["pattern"])
    except re.error as error:
        raise ValueError(f"lexicon {family}, rule {row['id']}: {error}") from error
    extra = {name: cell or "" for name, cell in row.items() if name not in _FIXED}
    return Rule(
        id=row["id"],
        family=family,
        triggers=tuple(word.strip() for word in row["trigger"].split(";") if word.strip()),
        pattern=pattern,
        value=row["value"],
        source=row["source"],
        example=row["example"],
        counterexample=row["counterexample"] or "",
        extra=extra,
        direction=extra.get("direction", ""),
        reach=int(extra.get("reach") or 0),
    )


def _index(rules: Sequence[Rule], families: Mapping[str, int]) -> dict[str, tuple[_Try, ...]]:
    index: dict[str, list[_Try]] = {}
    for rule in rules:
        for trigger in rule.triggers:
            consumes = rule.extra.get("consumes") == "yes"
            entry = (families[rule.family], rule.pattern.match, rule, consumes)
            index.setdefault(trigger, []).append(entry)
    for tries in index.values():
        tries.sort(key=lambda entry: not entry[3])
    return {trigger: tuple(tries) for trigger, tries in index.items()}


# --- scope ----------------------------------------------------------------------------------------

Qualifier = Literal[
    "affirmed", "negated", "requested", "hypothetical", "quoted_guideline", "denied_by_ur",
    "historical", "other_person",
]  # fmt: skip
# A stop ends a sentence before white space, and before a letter where a space was lost
# ("10-18-2016.The", "elbow).The").  Titles and "e.g." end none.
_STOP = re.compile(
    r"""[.!?](?<!\bdr.)(?<!\bmr.)(?<!\bms.)(?<!\bmrs.)(?<!\bvs.)(?<!\be\.g.)(?<!\bi\.e.)(?<!approx.)
        [.!?]{0,8}["')\]]{0,8}(?:\s+|$|(?<=[0-9a-z)]\.)(?=[a-z]{2}))""",
    re.VERBOSE,
)
LONGEST_SENTENCE = 3_000
"""Characters; real sentences stay far below.  Within one, time grows with the square of it."""

# A reach of 0 in the lexicon: as far as the sentence goes.
_WHOLE_SENTENCE = 1_000_000
# Where two kinds of cue reach the same mention, the kind named first decides.
_PRIORITY: tuple[Qualifier, ...] = (
    "other_person",
    "quoted_guideline",
    "denied_by_ur",
    "negated",
    "requested",
    "hypothetical",
    "historical",
)
_RANK: dict[str, int] = {kind: rank for rank, kind in enumerate(_PRIORITY)}
# These scopes end at a semicolon; a plan, a request or a review goes on through a list.
_CLAUSE_KINDS = frozenset({"negated", "hypothetical", "historical"})
# "EMG showed a radiculopathy; UR denied ...": what stands in a clause of its own before the review
# is no part of what the review says.
_OWN_CLAUSE = re.compile(r";|,\s(?:and|but|so)\s(?:the\s)?$")
# A list under a negation goes on with these; a verb right after a mention is the mention's own,
# unless it only says that nothing was seen.
_LIST_GOES_ON = re.compile(r"\b(?:or|nor)\b")


class Cue:
    """A context cue in place: ``direction`` is ``after``, ``before`` or ``sentence``.

    ``rank`` is the place of its kind in the order of priority; terminators have none.
    """

    __slots__ = ("direction", "end", "kind", "rank", "reach", "start")

    def __init__(self, hit: Hit) -> None:
        rule, match = hit
        self.kind, self.direction = rule.value, rule.direction
        self.rank = _RANK.get(self.kind, len(_PRIORITY))
        self.reach = rule.reach or _WHOLE_SENTENCE
        self.start, self.end = match.span()


class Mention:
    """A rule's match in the summary; ``qualifier`` is worked out when first asked for.

    ``value`` is what the rule stands for (a modality, a class, a label), ``sentence`` the number
    of the sentence it starts in.
    """

    __slots__ = (
        "_clause", "_qualifier", "end", "match", "rule", "sentence", "start", "summary", "value",
    )  # fmt: skip

    def __init__(self, summary: Summary, rule: Rule, match: re.Match[str]) -> None:
        self.summary, self.rule, self.match = summary, rule, match
        self.start, self.end = match.span()
        self.value: str = rule.value
        self.sentence = bisect_right(summary.bounds, self.start) - 1
        self._qualifier: Qualifier | None = None
        self._clause: Clause | None = None

    @property
    def rule_id(self) -> str:
        """The lexicon row, as ``family.id``."""
        return f"{self.rule.family}.{self.rule.id}"

    @property
    def groups(self) -> dict[str, str | None]:
        """The named groups of the pattern."""
        return self.match.groupdict()

    @property
    def text(self) -> str:
        """The words as printed."""
        return self.summary.text[self.start : self.end]

    @property
    def qualifier(self) -> Qualifier:
        """What the context makes of it."""
        if self._qualifier is None:
            self._qualifier = self.summary.qualify(self.start, self.end, self.sentence)
        return self._qualifier

    @property
    def documented(self) -> bool:
        """True where the summary states it as done or found, now or in the past."""
        return self.qualifier in ("affirmed", "historical")

    def __repr__(self) -> str:
        return f"Mention({self.rule_id}, {self.start}-{self.end}, {self.text!r})"


class Summary:
    """A case summary after its one pass: ``text`` as printed, ``lower`` of the same length.

    ``known`` holds what was read from it (:func:`once`).  Mentions and what is made of them point
    back to the summary: :meth:`forget` undoes the circle, so that nothing waits for the collector.
    """

    __slots__ = (
        "_cue_starts", "_cues", "_ends", "_hits", "_mentions", "bounds", "known", "lower", "text",
    )  # fmt: skip

    def __init__(self, text: str) -> None:
        self.text, self.lower = text, _lower(text)
        self.bounds: list[int] = _bounds(self.lower)
        self._ends = [*self.bounds[1:], len(text)]
        self._hits = lexicon().hits(self.lower)
        self._mentions: dict[tuple[str, bool], list[Mention]] = {}
        self._cues: dict[int, tuple[list[Cue], list[Cue]]] = {}
        self._cue_starts = [match.start() for _, match in self._context_hits()]
        self.known: dict[object, Any] = {}

    def mentions(self, family: str, overlapping: bool = False) -> Sequence[Mention]:
        """The mentions of a family in order; one inside a longer one is left out by default."""
        known = self._mentions.get((family, overlapping))
        if known is None:
            hits = self._hits[lexicon().families[family]]
            found = [Mention(self, rule, match) for rule, match in hits]
            known = found if overlapping else _outermost(found)
            self._mentions[family, overlapping] = known
        return known

    def forget(self) -> None:
        """Let go of mentions and all that was read; whoever asks again reads anew."""
        self._mentions.clear()
        self.known.clear()

    def sentence_at(self, position: int) -> int:
        """The number of the sentence that holds a character position."""
        return bisect_right(self.bounds, position) - 1

    def sentence_span(self, sentence: int) -> tuple[int, int]:
        """Start and end of a sentence."""
        return self.bounds[sentence], self._ends[sentence]

    def sentence_lower(self, sentence: int) -> str:
        """A sentence in lower case."""
        return self.lower[self.bounds[sentence] : self._ends[sentence]]

    def before(self, mention: Mention, reach: int = 80) -> str:
        """The lower-case text of the same sentence before a mention, ``reach`` characters."""
        return self.lower[max(self.bounds[mention.sentence], mention.start - reach) : mention.start]

    def after(self, mention: Mention, reach: int = 80) -> str:
        """The lower-case text of the same sentence after a mention, ``reach`` characters."""
        return self.lower[mention.end : min(self._ends[mention.sentence], mention.end + reach)]

    def cues(self, sentence: int) -> tuple[Sequence[Cue], Sequence[Cue]]:
        """The cues that start in a sentence, in order: those with a scope, and the terminators."""
        known = self._cues.get(sentence)
        if known is None:
            start, end = self.sentence_span(sentence)
            first, last = (bisect_left(self._cue_starts, place) for place in (start, end))
            cues = [Cue(hit) for hit in self._context_hits()[first:last]]
            scopes = [cue for cue in cues if cue.kind != "end"]
            known = scopes, [cue for cue in cues if cue.kind == "end"]
            self._cues[sentence] = known
        return known

    def _context_hits(self) -> list[Hit]:
        return self._hits[lexicon().families["context"]]

    def qualify(self, start: int, end: int, sentence: int | None = None) -> Qualifier:
        """The qualifier of a span: the strongest kind of cue whose scope reaches it."""
        cues, ends = self.cues(self.sentence_at(start) if sentence is None else sentence)
        best = len(_PRIORITY)
        for cue in cues:
            if cue.rank < best and self._reaches(cue, start, end, ends):
                best = cue.rank
        return _PRIORITY[best] if best < len(_PRIORITY) else "affirmed"

    def _reaches(self, cue: Cue, start: int, end: int, ends: Sequence[Cue]) -> bool:
        """Whether a cue's scope holds a span: direction, reach, and no terminator between."""
        if cue.direction == "sentence":
            return not (end <= cue.start and _OWN_CLAUSE.search(self.lower, end, cue.start))
        forward = cue.direction == "after"
        first, last = (cue.end, start) if forward else (end, cue.start)
        if not 0 <= last - first <= cue.reach:
            return False
        if any(_terminates(stop, cue, first, last) for stop in ends):
            return False
        if cue.kind == "negated" and forward and self._bracket_closed(first, last):
            return False
        if cue.kind not in _CLAUSE_KINDS:
            asked = cue.kind == "requested" and forward
            return not (
                asked and pattern("told_of_the_worker").search(self.lower, first, start + 12)
            )
        if self.lower.find(";", first, last) >= 0:
            return False
        return not (cue.kind == "negated" and forward and self._new_clause(first, start))

    def _bracket_closed(self, first: int, last: int) -> bool:
        """Of "therapy (visits not counted) and ibuprofen" no ibuprofen is denied."""
        closed = self.lower.find(")", first, last)
        return closed >= 0 and self.lower.find("(", first, closed) < 0

    def _new_clause(self, first: int, start: int) -> bool:
        """Whether a comma after a negation opens a clause with a verb of its own.

        "No therapy yet, naproxen started" denies the therapy only; "no fever, chills or sweats
        were noted" denies all. "No early refills, CURES clean" tells of CURES.
        """
        comma = self.lower.rfind(",", first, start)
        if comma >= 0 and pattern("monitored_behind").match(self.lower, comma):
            return True
        if comma < 0 or _LIST_GOES_ON.search(self.lower, comma, start):
            return False
        return bool(
            pattern("own_verb_behind").match(self.lower, start)
            or self._list_ended(first, comma, start)
        )

    def _list_ended(self, first: int, comma: int, start: int) -> bool:
        """Whether a list under a negation was closed by "or" before a comma.

        "No bruising or effusion, tenderness over the bursa" denies no tenderness; in "no bruising
        or effusion, warmth or tenderness" the list goes on.
        """
        part = self.lower.rfind(",", first, comma) + 1
        if not _LIST_GOES_ON.search(self.lower, max(part, first), comma):
            return False
        return pattern("finding_with_its_place").match(self.lower, start) is not None


def _bounds(lower: str) -> list[int]:
    """Where sentences start; words that go on without a stop are cut into pieces."""
    bounds = [0]
    for stop in _STOP.finditer(lower):
        bounds += [*range(bounds[-1] + LONGEST_SENTENCE, stop.end(), LONGEST_SENTENCE), stop.end()]
    return [*bounds, *range(bounds[-1] + LONGEST_SENTENCE, len(lower), LONGEST_SENTENCE)]


def read_summary(text: str) -> Summary:
    """Read a case summary (any text) once; everything else is looked up in the result."""
    return Summary(text)


Reading = TypeVar("Reading")
About = TypeVarTuple("About")


def once(read: Callable[[Summary, *About], Reading]) -> Callable[[Summary, *About], Reading]:
    """Read a thing once a summary and further arguments; later calls give the first result."""

    def remembered(summary: Summary, *about: *About) -> Reading:
        known, key = summary.known, (read, *about)
        try:
            found: Reading = known[key]
        except KeyError:
            found = known[key] = read(summary, *about)
        return found

    def remembered_alone(summary: Summary) -> Reading:
        try:
            found: Reading = summary.known[read]
        except KeyError:
            found = summary.known[read] = cast("Callable[[Summary], Reading]", read)(summary)
        return found

    alone = len(signature(read).parameters) == 1
    chosen: Callable[..., Reading] = remembered_alone if alone else remembered
    return cast("Callable[[Summary, *About], Reading]", wraps(read)(chosen))


class Clause(NamedTuple):
    """A stretch of a sentence that says one thing."""

    sentence: int
    start: int
    end: int


# Signs first, the looks behind after them: a search goes from sign to sign.
_CLAUSE_END = re.compile(
    r"[;,:\s](?:(?<=;)|(?<=:)\s|(?<=,)\s(?:(?:but|however|although|though|while|whereas|yet|"
    r"except)\b|(?:and\s)?(?=(?:he|she|they|it|there|the|his|her|no|an?|x-?rays?|mri|exam\w*)\s))|"
    r"(?<=\s)(?:[-–—]\s|(?:but|however|although|though|while|whereas|yet|except)\b|and\s(?=(?:he|"
    r"she|they|it|there|the|his|her|was|were|has|had|is|are)\s)))"
)


@once
def _clauses(summary: Summary) -> tuple[list[Clause], list[int]]:
    """The clauses of every sentence, in order, which together cover it, and where each starts."""
    found: list[Clause] = []
    for sentence in range(len(summary.bounds)):
        start, end = summary.sentence_span(sentence)
        for stop in _CLAUSE_END.finditer(summary.lower, start, end):
            if stop.start() > start:
                found.append(Clause(sentence, start, stop.start()))
                start = stop.start()
        found.append(Clause(sentence, start, end))
    return found, [clause.start for clause in found]


def clause_of(mention: Mention) -> Clause:
    """The clause a mention starts in."""
    if mention._clause is None:
        found, starts = _clauses(mention.summary)
        mention._clause = found[bisect_right(starts, mention.start) - 1]
    return mention._clause


def clause_text(mention: Mention) -> str:
    """The clause of a mention, in lower case."""
    clause = clause_of(mention)
    return mention.summary.lower[clause.start : clause.end]


def _terminates(stop: Cue, cue: Cue, first: int, last: int) -> bool:
    """Whether a terminator ends the scope of a cue between two positions.

    Its ``direction`` names the kind of scope it ends, ``any`` for all; a scope that runs backward
    ends at any terminator.
    """
    between = first <= stop.start and stop.end <= last
    return between and (cue.direction == "before" or stop.direction in ("any", cue.kind))


def _outermost(mentions: list[Mention]) -> list[Mention]:
    """Mentions without those inside a longer one (the earlier and longer one stays)."""
    if len(mentions) < 2:
        return mentions
    kept: list[Mention] = []
    for mention in sorted(mentions, key=lambda m: (m.start, -m.end)):
        if not kept or mention.end > kept[-1].end:
            kept.append(mention)
    return kept


_BREAKS = ("\n", "\r", "\t", "\f", "\u00a0", "\u202f")


def _lower(text: str) -> str:
    """Lower case with line breaks and tabs as spaces, without changing an offset."""
    lower = text.lower()
    if len(lower) != len(text):  # some letters grow when lowered
        lower = "".join(low if len(low := char.lower()) == 1 else char for char in text)
    for char in _BREAKS:
        lower = lower.replace(char, " ")
    return lower
