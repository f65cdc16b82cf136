"""Statements: what a summary says of whom, where, whether, how much and when.

Between the text and the signals.  A mention (:mod:`imr.features.context`) is a cue with its scope;
a statement is what a careful reader takes from it: a subject (``treatment``, ``drug``,
``response``, ``function``, ``sign``, ``complaint``, ``study``, ``diagnosis``, ``plan``,
``event``), what was said of it (``polarity``), how much (``percent`` with a comparator, ``weeks``,
``count``), the body regions and the side it is about, and the clause that says so.  What a claims
administrator recites, what a guideline asks for and what is only planned are kept apart by
``source`` and ``polarity``.

A region is the statement's own (a test of the knee is about the knee), else the one its clause
names, else the one the sentence named before it, else that of the sentence before; what a response
belongs to is the treatment its clause names, else the last one before it.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from imr.data.request.quantity import number_words
from imr.features.context import Mention, Summary, once
from imr.features.families import examination, medication, studies, treatment
from imr.features.regions import parts_of, regions_of, same_region

CONCEPTS = Path(__file__).parent / "rules" / "concepts.csv"

Subject = Literal[
    "treatment",
    "drug",
    "response",
    "function",
    "sign",
    "complaint",
    "study",
    "diagnosis",
    "plan",
    "event",
]
Polarity = Literal[
    "affirmed", "denied", "planned", "suspected", "normal", "abnormal",
    "helped", "some", "temporary", "failed", "persists", "unchanged", "worsened", "resolved",
    "not tolerated", "tolerated", "improved", "not improved", "limited", "independent", "worked",
    "medication reduced", "medication same", "stopped", "consistent", "inconsistent",
]  # fmt: skip
Source = Literal["record", "administrator", "guideline"]
Bearing = Literal["requested", "unplaced", "elsewhere"]


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One thing said; ``start`` and ``end`` are the clause's, characters of the summary.

    ``percent`` is a relief with ``comparator`` (``<``, ``>=``, ``=``) and ``weeks`` how long it
    lasted; ``count`` the sessions or injections had; ``days`` how long something went on and
    ``ago`` how many days before the summary it was.  ``degree`` is how much of a finding
    (``mild``, ``partial``, ``severe``).  ``of`` is the treatment a response is to.
    """

    subject: Subject
    concept: str
    polarity: Polarity
    regions: tuple[str, ...]
    side: str | None
    source: Source
    past: bool
    start: int
    end: int
    mention: Mention
    of: str | None = None
    percent: float | None = None
    comparator: str = "="
    weeks: float | None = None
    count: float | None = None
    days: float | None = None
    ago: float | None = None
    degree: str | None = None


class Clause(NamedTuple):
    """A stretch of a sentence that says one thing."""

    sentence: int
    start: int
    end: int


_CLAUSE_END = re.compile(
    r";|\s[-–—]\s|,?\s\b(?:but|however|although|though|while|whereas|yet|except)\b|"
    r",\s(?:and\s)?(?=(?:he|she|they|it|there|the|his|her|no|an?|x-?rays?|mri|exam\w*)\s)|"
    r"\sand\s(?=(?:he|she|they|it|there|the|his|her|was|were|has|had|is|are)\s)|:\s"
)


@once
def clauses(summary: Summary) -> list[Clause]:
    """The clauses of every sentence, in order; together they cover the summary."""
    found: list[Clause] = []
    for sentence in range(len(summary.bounds)):
        start, end = summary.sentence_span(sentence)
        for stop in _CLAUSE_END.finditer(summary.lower, start, end):
            if stop.start() > start:
                found.append(Clause(sentence, start, stop.start()))
                start = stop.start()
        found.append(Clause(sentence, start, end))
    return found


def clause_of(summary: Summary, mention: Mention) -> Clause:
    """The clause a mention starts in."""
    at = bisect_right(_clause_starts(summary), mention.start) - 1
    return clauses(summary)[max(at, 0)]


@once
def _clause_starts(summary: Summary) -> list[int]:
    return [clause.start for clause in clauses(summary)]


@once
def statements(summary: Summary) -> list[Statement]:
    """Everything the summary says, in the order of the text."""
    found = [
        *_treatments(summary),
        *_drugs(summary),
        *_responses(summary),
        *_functions(summary),
        *_signs(summary),
        *_plain_signs(summary),
        *_complaints(summary),
        *_studies(summary),
        *_diagnoses(summary),
        *_plans(summary),
        *_background(summary),
    ]
    return sorted(found, key=lambda s: (s.mention.start, s.mention.end, s.subject))


# --- where ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Regions and side of a statement."""

    regions: tuple[str, ...]
    side: str | None


_SIDES = re.compile(
    r"\b(left|right|bilat(?:eral(?:ly)?)?\b|both|b/l\b|l(?=\s)|r(?=[\s.,;)])|lt\b(?!\s[lr]\b)|rt\b|"
    r"[rlb](?=[ul]es?\b))"
)
_SIDE = {"l": "left", "lt": "left", "r": "right", "rt": "right", "both": "both"}


def place_of(summary: Summary, mention: Mention, own: tuple[str, ...] = ()) -> Place:
    """Where a mention is: its own region, its clause's, the sentence's before it, or the last one
    of the sentence before.
    """
    setting = _setting(summary, clause_of(summary, mention))
    regions = own or tuple(regions_of(summary, mention)) or setting.inside
    heading = setting.heading
    if not regions and heading is not None:
        regions = (heading.value,)
    if setting.other:
        return Place(regions, "other")
    if setting.sides:
        nearest = min(setting.sides, key=lambda word: abs(word[0] - mention.start))
        return Place(regions, nearest[1])
    # "Right knee: ...", for a finding of the same region.
    if setting.side_of_heading and heading and any(_bears(r, heading.value) for r in regions):
        return Place(regions, setting.side_of_heading)
    return Place(regions, None)


@dataclass(frozen=True, slots=True)
class _Setting:
    """What a clause says of where: the regions named inside, the part that was named before it in
    its sentence or last in the one before, the sides with their positions, and whether it is about
    a side that is not claimed (``other``).
    """

    inside: tuple[str, ...]
    heading: Mention | None
    sides: tuple[tuple[int, str], ...]
    other: bool
    side_of_heading: str | None


@once
def _setting(summary: Summary, clause: Clause) -> _Setting:
    parts = parts_of(summary, clause.sentence)
    before = [p for p in parts if p.start < clause.start]
    named = before or parts_of(summary, clause.sentence - 1)
    heading = named[-1] if named else None
    inside = dict.fromkeys(p.value for p in parts if clause.start <= p.start < clause.end)
    found = _SIDES.finditer(summary.lower, clause.start, clause.end)
    sides = tuple((match.start(), _named_side(match[1])) for match in found)
    return _Setting(
        tuple(inside),
        heading,
        sides,
        _OTHER_SIDE.search(summary.lower, clause.start, clause.end) is not None,
        None if sides or heading is None else _side_before(summary, heading),
    )


def _side_before(summary: Summary, part: Mention) -> str | None:
    """The side of a part, by the words before it."""
    found = _SIDES.findall(summary.lower, max(part.start - 24, 0), part.end)
    return _named_side(found[-1]) if found else None


# The first letters before the looks behind: those are tried at every character.
_OTHER_SIDE = re.compile(
    r"\b(?=[ocun])(?<!than )(?<!than the )(?<!to )(?<!to the )(?<!with )(?<!with the )"
    r"(?<!as )(?<!as the )(?:opposite|contralateral|unaffected|uninvolved|uninjured|unclaimed|"
    r"other,? unclaimed|non-?\s?(?:industrial|claimed|injured)|other)"
    r"(?:,? (?:and|unclaimed|uninjured))? (?:side|knee|shoulder|leg|arm|hand|wrist|ankle|foot|"
    r"hip|elbow|limb|extremity)\b"
)


def _named_side(word: str) -> str:
    side = _SIDE.get(word, word)
    return side if side in ("left", "right") else "both"


# What explains what: the neck the arm, the low back the leg, and back.
_LIMB = {
    "cervical spine": {
        "upper extremity", "upper arm", "forearm", "hand", "trapezius", "thoracic spine",
    },
    "lumbar spine": {
        "lower extremity", "thigh", "lower leg", "foot", "buttock", "sacroiliac joint",
        "thoracic spine", "coccyx",
    },
    "upper extremity": {
        "cervical spine", "shoulder", "upper arm", "elbow", "forearm", "wrist", "hand", "finger",
        "thumb",
    },
    "lower extremity": {
        "lumbar spine", "hip", "thigh", "knee", "lower leg", "ankle", "foot", "toe",
    },
}  # fmt: skip


# What the nerves of a spine reach: an ankle jerk speaks for the low back, a swollen ankle does not.
_SUPPLIED = {
    "cervical spine": _LIMB["upper extremity"] | {"upper extremity"},
    "lumbar spine": _LIMB["lower extremity"] | {"lower extremity"},
}
_OF_NERVES = frozenset(
    {
        "dermatomal sensory loss", "myotomal weakness", "reflex deficit", "sensory loss",
        "weakness", "numbness", "radiating pain", "normal neurology", "neurological deficit",
        "neuropathic quality",
    }
)  # fmt: skip


def bearing(statement: Statement, parts: tuple[str, ...], side: str | None) -> Bearing:
    """Whether a statement is about the requested parts and side, or the region that explains them.

    A request without a part (most drugs) takes everything; a statement without a region is
    ``unplaced``.
    """
    if not parts:
        return "requested"
    if not statement.regions:
        return "unplaced"
    if statement.side == "other" or {side, statement.side} == {"left", "right"}:
        return "elsewhere"
    nerves = statement.concept in _OF_NERVES
    return "requested" if _reach(statement.regions, nerves, parts) else "elsewhere"


@lru_cache(maxsize=4096)
def _reach(regions: tuple[str, ...], nerves: bool, parts: tuple[str, ...]) -> bool:
    """Whether one of some regions is, or (by its nerves) explains, one of the requested parts."""
    return any(
        _bears(region, part) or (nerves and region in _SUPPLIED.get(part, ()))
        for region in regions
        for part in parts
    )


@lru_cache(maxsize=4096)
def _bears(region: str, part: str) -> bool:
    return (
        same_region(region, part) or region in _LIMB.get(part, ()) or part in _LIMB.get(region, ())
    )


# --- whose ----------------------------------------------------------------------------------


def _source(mention: Mention) -> Source:
    if mention.qualifier == "denied_by_ur":
        return "administrator"
    return "guideline" if mention.qualifier == "quoted_guideline" else "record"


def _make(
    summary: Summary,
    mention: Mention,
    subject: Subject,
    concept: str,
    polarity: Polarity,
    own: tuple[str, ...] = (),
    **more: object,
) -> Statement:
    clause, place = clause_of(summary, mention), place_of(summary, mention, own)
    return Statement(
        subject,
        concept,
        polarity,
        place.regions,
        place.side,
        _source(mention),
        mention.qualifier == "historical",
        clause.start,
        clause.end,
        mention,
        **more,  # type: ignore[arg-type]
    )


# --- when -----------------------------------------------------------------------------------

_NUMBERS: dict[str, float] = {"a": 1, "an": 1, "several": 3, "few": 3, "couple": 2, "half": 0.5}
_UNITS: dict[str, float] = {"h": 1 / 24, "d": 1, "w": 7, "m": 365 / 12, "y": 365}
_LOW, _HIGH = ("|".join(number_words(most)) for most in (20, 12))
_SPAN = re.compile(
    rf"(?<![\d/#.$-])\b(?P<n>\d{{1,3}}(?:\.\d)?|{_LOW}|an?|several|few|couple|half)(?: of| a)?"
    rf"(?:\s?(?:-|to|or)\s?(?P<m>\d{{1,2}}|{_HIGH}))?\+?[\s-]?"
    r"(?P<unit>hours?|hrs?|days?|(?<=\d )d|(?<=\d)d|weeks?|wks?|wk|months?|mos?|years?|yrs?|yr)"
    r"\b(?![- ]old)"
)
_AGO = re.compile(
    r"^\.?\s*(?:ago|earlier|before|prior|back\b(?! pain)|out\b|later|s/p|status[- ]post|"
    r"post-?op\w*|after (?:the |his |her |an? )?"
    r"(?:surg|oper|arthro|fusion|repair|replac|procedure|injury))"
)
_POD = re.compile(r"\b(?:pod|post-?op(?:erative)? day) ?#?(?P<n>\d{1,3})\b")
_PLANNED_SPAN = re.compile(r"\b(?:in|after|within|next|every|each|per|a|another)\s$")


# Every span of time holds one of these; they are looked for once, for most clauses have none.
_UNIT_OF_TIME = re.compile(r"hour|hr|day|week|wk|mo|year|yr|pod")


@once
def _units_of_time(summary: Summary) -> list[int]:
    return [match.start() for match in _UNIT_OF_TIME.finditer(summary.lower)]


def _unit_of_time_in(summary: Summary, clause: Clause) -> bool:
    units = _units_of_time(summary)
    return bisect_left(units, clause.start) < bisect_left(units, clause.end)


@once
def spans_of_time(summary: Summary, clause: Clause) -> list[tuple[int, float, bool]]:
    """Position, length in days and whether it is a time ago, of each span of time in a clause."""
    found: list[tuple[int, float, bool]] = []
    if not _unit_of_time_in(summary, clause):
        return found
    for match in _SPAN.finditer(summary.lower, clause.start, clause.end):
        number = match["m"] or match["n"]
        value = _NUMBERS.get(number) or number_words(20).get(number)
        value = float(number) if value is None else float(value)
        after = summary.lower[match.end() : match.end() + 40]
        before = summary.lower[max(match.start() - 8, clause.start) : match.start()]
        ago = _AGO.match(after) is not None
        if ago or not _PLANNED_SPAN.search(before):
            found.append((match.start(), value * _UNITS[match["unit"][0]], ago))
    days_after = _POD.finditer(summary.lower, clause.start, clause.end)
    return [*found, *((match.start(), float(match["n"]), True) for match in days_after)]


def _times(summary: Summary, mention: Mention) -> dict[str, Any]:
    """``days`` and ``ago`` of the spans of time nearest to a mention in its clause."""
    found: dict[str, Any] = {}
    spans = spans_of_time(summary, clause_of(summary, mention))
    for _, days, ago in sorted(spans, key=lambda span: abs(span[0] - mention.start)):
        found.setdefault("ago" if ago else "days", round(days, 1))
    return found


# --- treatments, drugs and the response to them ----------------------------------------------


# Plain words: "no care so far" denies conservative care whatever its scope.
_NO_CARE = "no_care"
# "Naproxen is the only medication", where the sentence names no opioid.
_NO_OPIOID = "no_opioid"


def _treatments(summary: Summary) -> Iterator[Statement]:
    for mention in _care(summary):
        if mention.value == _NO_CARE:
            yield _make(summary, mention, "treatment", "conservative", "denied")
            continue
        if mention.value == _NO_OPIOID:
            if not any(d.value == "Opioids" for d in _drugs_of(summary, mention.sentence)):
                yield _make(summary, mention, "drug", "Opioids", "denied")
            continue
        concept = mention.rule.extra["kind"] if mention.value == "injection" else mention.value
        if _never_had(summary, mention):
            polarity: Polarity = "denied"
        elif treatment.is_received(summary, mention):
            polarity = "affirmed"
        elif mention.qualifier == "negated":
            polarity = "denied"
        else:
            polarity = "planned"
        if mention.value == _COURSE and _kind_named(summary, mention):
            continue
        if _ZERO_AFTER.match(summary.after(mention, 6)):
            polarity = "denied"
        count = _sessions(summary, mention) if polarity == "affirmed" else None
        times = _times(summary, mention)
        said = _make(summary, mention, "treatment", concept, polarity, count=count, **times)
        # An ankle jerk told before an epidural does not place it at the ankle.
        placed = concept not in _SPINAL or any(r in _SPINE for r in said.regions)
        yield said if placed else replace(said, regions=(), side=None)


_SPINAL = frozenset({"epidural", "facet", "radiofrequency"})
_NEVER_HAD_BEFORE = re.compile(
    r"\b(?:never|not|without|yet to) (?:ever |yet |previously |having |have |been )*(?:had|have|"
    r"received?|tried|attend(?:ed)?|undergone?|started|start|done|completed?)"
    r"(?: (?:any|a|an|formal|the|more|prior|further))* $"
)
_NOT_HAD_AFTER = re.compile(
    r"^[^.;]{0,40}?\b(?:but|and|which|that|though) (?:he |she )?(?:has|have|had) not (?:yet )?"
    r"(?:had|done|undergone|started|received|begun)\b"
)


def _never_had(summary: Summary, mention: Mention) -> bool:
    """True of "never had PT" and of "is considering surgery but has not had it"."""
    before, after = summary.before(mention, 60), summary.after(mention, 70)
    return bool(_NEVER_HAD_BEFORE.search(before) or _NOT_HAD_AFTER.match(after))


_COURSE = "course"


def _kind_named(summary: Summary, mention: Mention) -> bool:
    """Whether the clause names the kind of visits that another mention counts already."""
    clause = clause_of(summary, mention)
    return any(
        clause.start <= m.start < clause.end and m.value not in (_COURSE, "medication")
        for m in _care(summary)
    )


# "PT 12, chiro 0": an inventory that names what was not had.
_ZERO_AFTER = re.compile(r"^(?::\s?|\sx?\s?)0(?!\.\d|[\d/-])")


# "PT so far 42", "chiro 24 for this", "acup: 12 done", "ESIs: 6 in last year", "therapy 40 times".
_COUNT_SHORT = re.compile(
    r"^(?: (?:visits|sessions|so far|to date|post-?op|done|had|total|about|over|some))*"
    r"(?:[:,] ?| |: x ?)"
    rf"(?P<n>\d{{1,3}}|{'|'.join(number_words(40))})(?:/(?P=n))?"
    r"(?=\.?$|\.\s|[,;)]| (?:done|visits|sessions|times|tx|since|to date|so far|for this|had|"
    r"completed|in (?:the )?(?:last|past)|last|w/|over)\b)"
)


def _sessions(summary: Summary, mention: Mention) -> float | None:
    printed = mention.groups.get("n")
    if printed is None:
        short = _COUNT_SHORT.match(summary.after(mention, 60))
        if short is not None:
            counted = short["n"]
            return float(counted if counted.isdigit() else number_words(40)[counted])
        return treatment.sessions_done(summary, mention)
    return float(printed) if printed.isdigit() else float(number_words(40)[printed])


def _drugs_of(summary: Summary, sentence: int) -> list[Mention]:
    return [m for m in summary.mentions("medication") if m.sentence == sentence]


@once
def _care(summary: Summary) -> list[Mention]:
    """Treatments by their names and in plain words, without those inside a longer name."""
    named = summary.mentions("treatment")
    plain = (
        m
        for m in summary.mentions("plain_care")
        if not any(n.start <= m.start and m.end <= n.end for n in named)
    )
    return sorted([*named, *plain], key=lambda m: m.start)


_DRUG_TEST = "urine_drug_test_done"
_MONITORING = frozenset(
    {"opioid_agreement", "cures_checked", "urine_drug_test_done", "opioid_risk_assessed"}
)
_STOPPED = re.compile(
    r"\b(?:stop(?:ped)?|quit|discontinued|weaned from|tapered off|"
    r"(?<!edge )(?<!half )off|weaned off|came off|ran out of|"
    r"no longer (?:takes?|taking|uses?|using|on))\b[^.;,]{0,40}$"
)
_STOPPED_AFTER = re.compile(
    r"^[^.;,]{0,30}\b(?:was|were|is|has|have|had)(?: been)? (?:stopped|discontinued|weaned)\b"
)
_NOT_USED = re.compile(
    r"\b(?:has not (?:taken|used)|not (?:been )?us(?:ed|ing)|not (?:been )?tak(?:en|ing))\b"
    r"[^.;]{0,40}$"
)
# "4/10 with Norco" after "8/10 without": the nearest word decides.
_WITH = re.compile(r"\bwith (?:the |his |her |use of )?$")
_NOT_USED_AFTER = re.compile(
    r"^[^.;,]{0,30}\b(?:was|were|is|has|have|had)(?: been)? (?:not (?:been )?"
    r"(?:used|tried|taken|prescribed|started)|never (?:used|tried|taken|started))"
)


def _drugs(summary: Summary) -> Iterator[Statement]:
    taken = set(map(id, medication.drugs_taken(summary)))
    for mention in summary.mentions("medication"):
        if mention.value in _MONITORING:
            polarity = _monitoring(summary, mention)
        else:
            polarity = _use(summary, mention, id(mention) in taken)
        yield _make(summary, mention, "drug", mention.value, polarity, **_times(summary, mention))


def _use(summary: Summary, mention: Mention, taken: bool) -> Polarity:
    """Whether a drug is taken, was stopped, was never had or is only planned."""
    before, after = summary.before(mention, 60), summary.after(mention, 50)
    if _NOT_USED.search(before) or _NOT_USED_AFTER.match(after):
        return "denied"
    if (_STOPPED.search(before) or _STOPPED_AFTER.match(after)) and mention.qualifier in (
        "affirmed",
        "historical",
        "negated",
    ):
        return "stopped"
    if taken or (mention.qualifier == "negated" and _WITH.search(before)):
        return "affirmed"
    return "denied" if mention.qualifier == "negated" else "planned"


_TEST_AGAINST = re.compile(
    r"\b(?:in-?consistent|not consistent|unexpected|aberrant|"
    r"positive for (?:[\w-]+ ){0,3}?(?:cocaine|meth\w*|amphetamine\w*|heroin|thc|"
    r"marijuana|cannab\w+|alcohol|illicit|non-?prescribed|unprescribed)|"
    r"negative for (?:the |his |her |all )?(?:prescribed|hydrocodone|oxycodone|tramadol|morphine|"
    r"opi\w+))"
)
_TEST_FOR = re.compile(r"\b(?:consistent|compliant|as expected|appropriate|negative for illicit)\b")


def _monitoring(summary: Summary, mention: Mention) -> Polarity:
    """Whether monitoring was done, and what a drug test showed."""
    if not medication.monitored(mention):
        return "denied" if mention.qualifier == "negated" else "planned"
    if mention.value == _DRUG_TEST:
        clause = clause_of(summary, mention)
        if _TEST_AGAINST.search(summary.lower, clause.start, clause.end):
            return "inconsistent"
        if _TEST_FOR.search(summary.lower, clause.start, clause.end):
            return "consistent"
    return "affirmed"


_NEUTRAL = "neutral"
_LESS = re.compile(
    r"(?:less than|under|below|not (?:even|quite)|at most|<|only|no more than|up to)\s*(?:about )?$"
)
_PERCENT = re.compile(
    r"(?<![\d./])(?P<low>\d{1,3}(?:\.\d+)?)(?:\s?(?:-|to)\s?(?P<high>\d{1,3}))?\s?(?:%|per ?cent\b)"
)
_EASED = re.compile(
    r"relie|better|improve|benefit|took away|taken away|eased|gone|less pain|of (?:the |his |her )?"
    r"(?:\w+ )?(?:pain|symptoms|numbness)|reduc|decreas|lower|help|"
    r"(?:%|percent) (?:x|for) ?~?\d"
)
_NOT_EASED = re.compile(
    r"stenosis|saturation|cream|gel|lidocaine|capsaicin|flurbiprofen|menthol|impairment|wpi|disab|"
    r"tear|thickness|of normal|motion|flexion|strength|compression|height|body"
)
_FALL = re.compile(
    r"\b(?:from|went|goes|down|drop\w{0,5}|f[ae]ll\w{0,5}|lower\w{0,5}|reduc\w{0,5}|decreas\w{0,5})\b[^.;]{0,40}?\b"
    r"(?P<off>\d{1,2})(?:\s?/\s?10)?(?: out of 10)?(?: \w+){0,3}? (?:to|and is now|down to) "
    r"(?:about )?(?:a )?(?P<on>\d{1,2})\b(?:\s?/\s?10)?"
    r"(?!\s?(?:tablet|pill|mg|degree|visit|week|day|°|minute))"
)
_WITHOUT_WITH = re.compile(
    r"(?P<off>\d{1,2})\s?/\s?10 (?:pain )?(?:without|off|before)[^.;]{0,50}?"
    r"(?P<on>\d{1,2})\s?/\s?10 (?:pain )?(?:with\b|on\b|after)|"
    r"(?P<on2>\d{1,2})\s?/\s?10 (?:pain )?(?:with\b|on\b|after)[^.;]{0,50}?"
    r"(?P<off2>\d{1,2})\s?/\s?10 (?:pain )?(?:without|off|before)"
)
_WORKS_ON_PAIN = 30.0
"""Percent of relief from which a treatment counts as helping (MTUS Chronic Pain 2009 p. 16)."""


# Percent of relief that a share in words stands for ("three quarters of the pain").
_SHARES: dict[str | None, float] = {
    "all": 100, "nearly all": 90, "almost all": 90, "most": 70, "three quarters": 75,
    "three-quarters": 75, "two thirds": 67, "two-thirds": 67, "third": 33, "quarter": 25,
    "fifth": 20, "tenth": 10, "little": 10, "none": 0,
}  # fmt: skip


def _responses(summary: Summary) -> Iterator[Statement]:
    """What care did, each with the treatment it belongs to."""
    for mention in summary.mentions("response"):
        if mention.value == _NEUTRAL or mention.qualifier in (
            "requested",
            "hypothetical",
            "other_person",
        ):
            continue
        polarity: Polarity = mention.value  # type: ignore[assignment]
        if polarity in ("helped", "resolved", "some") and mention.qualifier == "negated":
            polarity = "failed"
        percent = 50.0 if "half" in mention.rule.id else _SHARES.get(mention.groups.get("share"))
        weeks = None
        if "share" in mention.groups and percent is not None:
            polarity = "helped" if percent >= _WORKS_ON_PAIN else "failed"
            spans = [
                d for _, d, ago in spans_of_time(summary, clause_of(summary, mention)) if not ago
            ]
            weeks = round(max(spans) / 7, 1) if spans else None
        yield from _response(summary, mention, polarity, percent, weeks=weeks)
    yield from _percents(summary)
    yield from _falls(summary)


def _percents(summary: Summary) -> Iterator[Statement]:
    """Percentages of relief, with what they are compared to and how long it lasted."""
    for mention in summary.mentions("relief"):
        clause = clause_of(summary, mention)
        text = summary.lower[clause.start : clause.end]
        printed = _PERCENT.match(summary.lower, mention.start)
        if mention.value != "percent" or printed is None or not _EASED.search(text):
            continue
        if mention.qualifier in ("requested", "hypothetical") or _NOT_EASED.search(
            summary.after(mention, 30)
        ):
            continue
        less = _LESS.search(summary.before(mention, 24)) is not None
        percent = float(printed["high"] or printed["low"])
        helps = percent > _WORKS_ON_PAIN or (percent == _WORKS_ON_PAIN and not less)
        spans = [days for at, days, ago in spans_of_time(summary, clause) if not ago]
        yield from _response(
            summary,
            mention,
            "helped" if helps else "failed",
            percent,
            "<" if less else "=",
            round(max(spans) / 7, 1) if spans else None,
        )


def _falls(summary: Summary) -> Iterator[Statement]:
    """Pain scores with and without a treatment, as a percentage of relief."""
    for mention in summary.mentions("pain_score"):
        clause = clause_of(summary, mention)
        for pattern in (_WITHOUT_WITH, _FALL):
            match = pattern.search(summary.lower, clause.start, clause.end)
            if match is None or not match.start() <= mention.start < match.end():
                continue
            known = {k.rstrip("2"): float(v) for k, v in match.groupdict().items() if v}
            off, on = known["off"], known["on"]
            if 0 < off <= 10 and on <= 10:
                percent = round(100 * (off - on) / off, 1)
                helped = percent >= _WORKS_ON_PAIN
                yield from _response(summary, mention, "helped" if helped else "failed", percent)
            break


def _response(
    summary: Summary,
    mention: Mention,
    polarity: Polarity,
    percent: float | None = None,
    comparator: str = "=",
    weeks: float | None = None,
) -> Iterator[Statement]:
    """A response, once for each treatment of the list that it belongs to."""
    said: dict[str, Any] = {"percent": percent, "comparator": comparator, "weeks": weeks}
    causes = _causes(summary, mention)
    if any(cause.qualifier == "other_person" for cause in causes):
        return
    if polarity == "resolved" and causes and causes[0].sentence != mention.sentence:
        causes = []  # "old ankle sprain, resolved" is not what the care before it did
    if not causes:
        yield _make(summary, mention, "response", "care", polarity, **said)
    for concept, cause in {_concept(cause): cause for cause in causes}.items():
        own = place_of(summary, cause).regions
        if concept in _SPINAL:
            own = tuple(region for region in own if region in _SPINE)
        yield _make(summary, mention, "response", concept, polarity, own, of=concept, **said)


def _concept(cause: Mention) -> str:
    kind = cause.rule.extra.get("kind") if cause.value == "injection" else cause.value
    return kind or "care"


_NO_CAUSE = frozenset({_NO_CARE, _NO_OPIOID, *_MONITORING})
# What stands between the entries of a list: a comma or an "and", and a few words without a verb.
_NO_VERB = (
    r"(?!(?:was|were|is|are|has|had|have|did|does|gave|but|failed|helped|helps|made|no|not|without|"
    r"then|now|which|after)\b)[\w%#-]+"
)
_IN_LIST = re.compile(
    rf"^(?:\s+{_NO_VERB}){{0,3}}\s?(?:\([^()]{{0,40}}\))?\s?(?:,|/|&|\+|\b(?:and|or|nor|plus|with|"
    rf"as well as|including|such as|like)\b)(?:[\s,/&+]+{_NO_VERB}){{0,5}}[\s,/&+(]*$"
)
_IN_LIST_MOST = 70
# "No change in pain, work or medication": what changed is not what changed it.
_CHANGED = re.compile(
    r"^\s(?:in|of)\b(?![^.;]*\b(?:with|from|after|by|on|for|using)\b)[^.;]{0,60}$"
)


def _causes(summary: Summary, mention: Mention) -> list[Mention]:
    """The treatment or drug a response belongs to: in its clause, else the last one before it in
    this sentence or the one before, else the next one of the sentence; with the rest of its list.
    """
    known, sentence = _causes_named(summary), mention.sentence
    care = [
        m
        for m in (*known.get(sentence - 1, ()), *known.get(sentence, ()))
        if not _CHANGED.match(summary.lower[mention.end : m.start])
    ]
    cause = _cause(summary, mention, care)
    if cause is None:
        return []
    at = care.index(cause)
    first = last = at
    while first and _listed(summary, care[first - 1], care[first], mention):
        first -= 1
    while last + 1 < len(care) and _listed(summary, care[last], care[last + 1], mention):
        last += 1
    return care[first : last + 1]


@once
def _causes_named(summary: Summary) -> dict[int, list[Mention]]:
    """Care and drugs that a response can belong to, in order, by sentence."""
    found: dict[int, list[Mention]] = {}
    for m in sorted([*_care(summary), *summary.mentions("medication")], key=lambda m: m.start):
        if m.value not in _NO_CAUSE:
            found.setdefault(m.sentence, []).append(m)
    return found


def _cause(summary: Summary, mention: Mention, care: Sequence[Mention]) -> Mention | None:
    clause = clause_of(summary, mention)
    inside = [m for m in care if clause.start <= m.start < clause.end]
    before = [m for m in care if m.start < mention.start]
    headed = before and summary.lower.startswith(":", clause.start)
    headed = headed and before[-1].sentence == mention.sentence and before[-1].end <= clause.start
    if headed and inside and "," in summary.lower[mention.end : inside[0].start]:
        return before[-1]  # "ESI in May: 60% relief, Norco 4->2"
    if inside:
        return min(inside, key=lambda m: max(m.start - mention.end, mention.start - m.end))
    if before:
        return before[-1]
    after = [m for m in care if m.sentence == mention.sentence]
    return after[0] if after else None


def _listed(summary: Summary, one: Mention, other: Mention, response: Mention) -> bool:
    """Whether two mentions are neighbours in a list that the response does not cut."""
    if one.sentence != other.sentence or one.end <= response.start < other.start:
        return False
    if other.start <= one.end:
        return True
    between = summary.lower[one.end : other.start]
    return len(between) <= _IN_LIST_MOST and _IN_LIST.match(between) is not None


_MEASURED = "measured"
_DOSE = "dose"


def _measured(mention: Mention) -> Polarity:
    """A motion, strength or load that grew ("from 60 to 115") is a gain; no other one is."""
    known = {name: float(n) for name, n in mention.groups.items() if n}
    before = known.get("before", known.get("then", 0.0))
    return "improved" if known.get("after", known.get("now", 0.0)) > before else "not improved"


_NEGATED_FUNCTION: dict[Polarity, Polarity] = {
    "improved": "not improved",
    "worked": "not improved",
    "medication reduced": "medication same",
}


_OF_THE_PERSON = frozenset({"worked", "medication reduced", "medication same"})


def _functions(summary: Summary) -> Iterator[Statement]:
    for mention in summary.mentions("function"):
        if mention.qualifier in ("requested", "hypothetical"):
            continue
        polarity: Polarity = mention.value  # type: ignore[assignment]
        if mention.qualifier == "negated":
            if polarity == "limited":
                continue
            polarity = _NEGATED_FUNCTION.get(polarity, polarity)
        if mention.value == _MEASURED:
            polarity = _measured(mention)
        if mention.value == _DOSE:
            less = float(mention.groups["after"] or 0) < float(mention.groups["before"] or 0)
            polarity = "medication reduced" if less else "medication same"
        said = _make(summary, mention, "function", "function", polarity)
        # Work and pills are the whole person's, whatever part the sentence names.
        whole = polarity in _OF_THE_PERSON or mention.rule.id == "still_off"
        yield replace(said, regions=(), side=None) if whole else said


# --- findings ---------------------------------------------------------------------------------


@cache
def _concepts() -> dict[tuple[str, str], tuple[Subject, str, tuple[str, ...]]]:
    """Family and value of a lexicon row -> subject, concept and the regions it is always about."""
    with CONCEPTS.open(encoding="utf-8", newline="") as lines:
        return {
            (row["family"], row["value"]): (
                row["subject"],  # type: ignore[misc]
                row["concept"],
                tuple(filter(None, row["region"].split(";"))),
            )
            for row in csv.DictReader(lines)
        }


def _signs(summary: Summary) -> Iterator[Statement]:
    for mention in summary.mentions("examination", overlapping=True):
        known = _concepts().get(("examination", mention.value))
        polarity = _sign_polarity(summary, mention)
        if known is not None and polarity is not None and not _diagnosed(summary, mention):
            subject, concept, own = known
            yield _make(summary, mention, subject, concept, polarity, own)


_DIAGNOSES = re.compile(r"\b(?:being treated for|diagnos(?:is|es|ed)|dx|impression|assessment)\b")
_ALSO_DIAGNOSES = frozenset({"spasm", "weakness", "rom", "swelling", "tenderness"})


def _diagnosed(summary: Summary, mention: Mention) -> bool:
    """Whether a word for a sign stands in a list of diagnoses, where nobody examined anything."""
    if mention.value not in _ALSO_DIAGNOSES:
        return False
    start = summary.bounds[mention.sentence]
    return _DIAGNOSES.search(summary.lower, start, mention.start) is not None


def _sign_polarity(summary: Summary, mention: Mention) -> Polarity | None:
    """What an examination says of a sign; None where it is not stated."""
    if mention.qualifier == "other_person":
        return None
    if mention.qualifier in ("requested", "hypothetical"):
        return "planned" if mention.qualifier == "requested" else "suspected"
    if mention.value in examination.TESTS:
        result = examination.polarity(summary, mention)
        return None if result is None else "affirmed" if result else "denied"
    if mention.value == "rom":
        motion = examination.motion(summary, mention)
        return None if motion is None else "affirmed" if motion == "limited" else "denied"
    if mention.value == "neuro_normal":
        return "affirmed" if examination.stated_normal(mention) else "denied"
    return "denied" if mention.qualifier == "negated" else "affirmed"


# Degrees from which a motion counts as full (AMA Guides, 5th ed., ch. 15-17, rounded down); a
# motion of a region that is not named is left alone.
_FULL_MOTION: dict[str, dict[str, float]] = {
    "shoulder": {
        "flexion": 150,
        "ff": 150,
        "elevation": 150,
        "abduction": 150,
        "abd": 150,
        "external": 60,
        "er": 60,
        "ir": 40,
    },
    "elbow": {"flexion": 130},
    "wrist": {"flexion": 50, "extension": 50},
    "hip": {"flexion": 95, "abduction": 25},
    "knee": {"flexion": 115, "motion": 115, "rom": 115},
    "hand": {"flexion": 80, "motion": 85},
    "cervical spine": {"flexion": 40, "extension": 45, "rotation": 60},
    "lumbar spine": {"flexion": 50, "extension": 18},
}
# "Needs a dressing change each day" is a need, whatever the request.
_NEEDS = frozenset({"skilled need", "homemaker", "homebound"})


def _plain_signs(summary: Summary) -> Iterator[Statement]:
    """Signs in plain words and in chart shorthand (``lexicons/sign.csv``).

    ``kind`` says how a row reads: a ``finding`` is denied by a negation around it, a ``stated`` one
    holds its own negation ("cannot feel", "no ankle jerk"), a ``normal`` one states that the
    concept is absent (or that an examination is normal), and ``degrees`` measures a motion.
    """
    for mention in summary.mentions("sign", overlapping=True):
        kind, concept = mention.rule.extra["kind"], mention.value
        own = tuple(filter(None, mention.rule.extra["region"].split(";")))
        negated = mention.qualifier == "negated"
        if mention.qualifier == "other_person":
            continue
        if concept == "normal neurology" and _WHOLE_BODY.match(summary.after(mention, 60)):
            own = _SPINE
        if mention.qualifier in ("requested", "hypothetical") and concept not in _NEEDS:
            continue
        if concept == "dermatomal sensory loss" and _COMPLAINS.search(summary.before(mention, 120)):
            continue  # a complaint, and no sign
        if kind == "degrees":
            measured = _degrees_limited(summary, mention)
            if measured is not None:
                polarity: Polarity = "affirmed" if measured[1] else "denied"
                own = (measured[0],)
                yield _make(summary, mention, "sign", concept, polarity, own)
        elif kind == "normal" and not negated:
            polarity = "affirmed" if concept in _NORMAL else "denied"
            yield _make(summary, mention, "sign", concept, polarity, own)
        elif kind in ("finding", "stated"):
            denied = negated and kind == "finding"
            yield _make(summary, mention, "sign", concept, "denied" if denied else "affirmed", own)


_WHOLE_BODY = re.compile(
    r"[^.;,]{0,30}\b(?:throughout|(?:entire|whole) body|all (?:four |4 )?(?:extremities|limbs))\b"
)
_SPINE = ("cervical spine", "thoracic spine", "lumbar spine")
_RESOLVED = re.compile(
    r"^\s(?:(?:has|have|had|is|are|was|were)(?: now| since| completely| all| fully)*\s)?"
    r"(?:resolved|gone\b|cleared\b|disappeared|subsided)"
)
_COMPLAINS = re.compile(r"\b(?:complain(?:s|ed|ing|ts?)|c/o|report(?:s|ed|ing)|symptoms?)\b[^.;]*$")
_NORMAL = frozenset({"normal neurology", "normal examination", "negative tests", "not homebound"})


def _degrees_limited(summary: Summary, mention: Mention) -> tuple[str, bool] | None:
    """The joint and whether its motion in degrees falls short; None where the joint is not known.

    A list of measurements goes on about the joint that was named last, sentences before too.
    """
    words = str(mention.groups["move"]).split()
    move = words[0] if words[0] in ("internal", "external") else words[-1]
    degrees = float(mention.groups["most"] or mention.groups["degrees"] or 0)
    named = [p.value for p in summary.mentions("body_part") if p.start < mention.start]
    for region in (*place_of(summary, mention).regions, *named[:-4:-1]):
        full = _FULL_MOTION.get(region, {}).get(_SHORT_MOVES.get(move, move))
        if full is not None:
            return (region, degrees < full) if degrees <= 180 else None
    return None


_SHORT_MOVES = {"flex": "flexion", "ext": "extension", "flexes": "flexion", "bends": "flexion"}


def _complaints(summary: Summary) -> Iterator[Statement]:
    for mention in summary.mentions("complaint"):
        known = _concepts().get(("complaint", mention.value))
        if known is None or mention.qualifier in ("requested", "hypothetical"):
            continue
        gone = mention.qualifier == "negated" or _RESOLVED.match(summary.after(mention, 40))
        polarity: Polarity = "denied" if gone else "affirmed"
        yield _make(summary, mention, "complaint", known[1], polarity, known[2])
    for mention in summary.mentions("pain"):
        if mention.qualifier in ("affirmed", "negated") and not _AT_ONSET.search(
            summary.before(mention, 60)
        ):
            polarity = "denied" if mention.qualifier == "negated" else "affirmed"
            yield _make(summary, mention, "complaint", "pain", polarity)


# Pain of the day of injury is no complaint that goes on.
_AT_ONSET = re.compile(
    r"\b(?:felt|feeling|immediate\w*|sudden\w*|developed|onset|injur\w+|initially|while|when) "
    r"[^.;]{0,60}$"
)


@dataclass(frozen=True, slots=True)
class _Report:
    """A study that was done, and the stretch of text that tells its findings."""

    mention: Mention
    regions: tuple[str, ...]
    end: int


_GOES_ON = re.compile(
    r"\s*(?:(?:it|this|these|the (?:study|scan|films?|report|impression|findings))\b|impression|"
    r"findings|there (?:is|was|were|are)\b|also\b)"
)


@once
def _reports(summary: Summary) -> list[_Report]:
    """The imaging studies done, each with what is told of it: up to the next study, and in the
    next sentence where that goes on with the study ("It showed …", "There is a tear …").
    """
    found = []
    done = summary.mentions("imaging")
    for place, mention in enumerate(done):
        if not studies.performed(summary, mention):
            continue
        sentence = mention.sentence
        end = summary.sentence_span(sentence)[1]
        if sentence + 1 < len(summary.bounds) and _GOES_ON.match(summary.lower, end):
            end = summary.sentence_span(sentence + 1)[1]
        following = done[place + 1].start if place + 1 < len(done) else end
        regions = tuple(r for r in studies.regions_studied(summary, mention) if r)
        found.append(_Report(mention, regions, min(end, max(following, mention.end))))
    return found


def _report_of(summary: Summary, mention: Mention) -> _Report | None:
    """The study that a finding is told of."""
    told = (r for r in _reports(summary) if r.mention.end <= mention.start < r.end)
    return next(told, None)


_FINDINGS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("bulge", r"annul"),
        ("tear", r"tear|torn|ruptur|avuls|detach|perforat"),
        ("loose or foreign body", r"(?:loose|foreign) bod"),
        ("chondral defect", r"chondr|necrosis|avn"),
        ("fracture", r"fractur|union|dislocat|displaced|sublux"),
        ("herniation", r"herniat|protrus|extru|hnp"),
        ("stenosis", r"stenosis|stenotic|narrow|encroach|compress|abut|effac|indent"),
        ("instability", r"instab|listhesis|slip|translat|motion at"),
        ("hardware", r"loosen|lucency|subsid|broken"),
        ("bulge", r"bulg|dis[ck]"),
        ("degeneration", r"degen|arthr|spondyl|osteophyt|spur|hypertroph|joint space"),
        ("tendinosis", r"tend[io]n|bursit|synovit|effusion|edema|calcif|inflam|fascii"),
        (
            "normal",
            r"normal|unremarkable|\bneg|\bnl\b|wnl|intact|well|maintained|patent|preserved|abnormalit|findings?$",
        ),
    )
)
_SOUND = frozenset(("normal",))
# The word of degree nearest before a finding, in its own part of a list.
_DEGREE = re.compile(
    r"\b(?:(?P<mild>mild(?:ly)?|minimal(?:ly)?|slight(?:ly)?|small|minor|tiny|trace|low[- ]grade)|"
    r"(?P<severe>severe(?:ly)?|marked(?:ly)?|advanced|large|massive|complete|full[- ]thickness|"
    r"high[- ]grade|end[- ]stage|bone[- ]on[- ]bone|profound|gross)|"
    r"(?P<partial>partial(?:[- ]thickness)?|intrasubstance))\b(?! to moderate to)"
)
_DEGREE_ENDS = re.compile(r"[,;:.]|\b(?:but|with|without|no)\b")
_DEGREE_REACH = 60


def _degree(summary: Summary, start: int, mention: Mention) -> str | None:
    """How much of a finding, by the words before it."""
    first = max(start, mention.start - _DEGREE_REACH)
    ends = [end.end() for end in _DEGREE_ENDS.finditer(summary.lower, first, mention.start)]
    words = list(_DEGREE.finditer(summary.lower, max([first, *ends]), mention.start))
    return words[-1].lastgroup if words else None


def _studies(summary: Summary) -> Iterator[Statement]:
    done = {report.mention.start for report in _reports(summary)}
    for report in _reports(summary):
        result = studies.result_of(summary, report.mention)
        polarity: Polarity = "affirmed" if result == "not_stated" else result
        times = _times(summary, report.mention)
        value, regions = report.mention.value, report.regions
        yield _make(summary, report.mention, "study", value, polarity, regions, **times)
    for mention in summary.mentions("imaging"):
        if mention.start not in done:
            polarity = "denied" if mention.qualifier == "negated" else "planned"
            regions = tuple(r for r in studies.regions_studied(summary, mention) if r)
            yield _make(summary, mention, "study", mention.value, polarity, regions)
    yield from _findings(summary)
    yield from _nerve_studies(summary)


def _findings(summary: Summary) -> Iterator[Statement]:
    """What the studies showed, one statement a finding, of the study's region."""
    for mention in summary.mentions("imaging_result"):
        report = _report_of(summary, mention)
        if report is None:
            continue
        kind = _kind_of_finding(mention.text.lower())
        denied = (mention.value == "normal" and kind not in _SOUND) or (
            mention.qualifier == "negated"
        )
        degree = _degree(summary, report.mention.end, mention)
        yield _make(
            summary,
            mention,
            "study",
            f"finding: {kind}",
            "denied" if denied else "affirmed",
            report.regions,
            degree=degree,
        )
    for mention in summary.mentions("nerve_root"):
        report = _report_of(summary, mention)
        sound = mention.value == "none"
        yield _make(
            summary,
            mention,
            "study",
            "nerve: root" if sound else f"nerve: {mention.value}",
            "denied" if sound or mention.qualifier == "negated" else "affirmed",
            report.regions if report else (),
        )


@lru_cache(maxsize=4096)
def _kind_of_finding(words: str) -> str:
    return next((name for name, pattern in _FINDINGS if pattern.search(words)), "other")


def _nerve_studies(summary: Summary) -> Iterator[Statement]:
    """Electrodiagnostic studies with their result, and whether radiculopathy was found."""
    for mention in summary.mentions("electrodiagnostics"):
        if not mention.documented:
            polarity: Polarity = "denied" if mention.qualifier == "negated" else "planned"
            yield _make(summary, mention, "study", "electrodiagnostic", polarity)
            continue
        result = studies.nerve_result_of(summary, mention)
        polarity = "affirmed" if result is None else "normal" if result == "normal" else "abnormal"
        yield _make(summary, mention, "study", "electrodiagnostic", polarity)
        if result is not None:
            shown: Polarity = "affirmed" if result == "radiculopathy" else "denied"
            yield _make(summary, mention, "study", "nerve study: radiculopathy", shown)


_DETAILS = frozenset(("fluoroscopy", "transforaminal", "interlaminar", "series_of_three"))


def _plans(summary: Summary) -> Iterator[Statement]:
    """How an injection is to be done, or was done."""
    for mention in summary.mentions("request"):
        if mention.value in _DETAILS:
            negated = mention.qualifier == "negated"
            polarity: Polarity = "planned" if mention.qualifier == "requested" else "affirmed"
            yield _make(summary, mention, "plan", mention.value, "denied" if negated else polarity)


# Said in plans: a taper, a supply, the time of a rental, the extent of an operation.
_ASKED = frozenset({"taper", "large_supply", "short_use", "large_operation"})


def _background(summary: Summary) -> Iterator[Statement]:
    """How the injury came about, general health and its hazards, what else was looked into, is
    owned or under way, and how the request is to be used.

    A value that starts with ``no_`` states the contrary of what follows.
    """
    for mention in summary.mentions("background"):
        known = _concepts().get(("background", mention.value))
        if known is None or mention.qualifier == "other_person":
            continue
        value = mention.value.removeprefix("no_")
        if value not in _ASKED and mention.qualifier in ("requested", "hypothetical"):
            continue
        contrary = value != mention.value
        # "No other illness" says of itself that there is none.
        denied = contrary or (mention.qualifier == "negated" and value != "healthy")
        yield _make(summary, mention, known[0], known[1], "denied" if denied else "affirmed")


def _diagnoses(summary: Summary) -> Iterator[Statement]:
    for family in ("diagnosis", "comorbidity", "severity"):
        for mention in summary.mentions(family):
            if mention.qualifier in ("requested", "other_person"):
                continue
            polarity: Polarity = (
                "denied"
                if mention.qualifier == "negated"
                else "suspected"
                if mention.qualifier == "hypothetical"
                else "affirmed"
            )
            yield _make(summary, mention, "diagnosis", mention.value, polarity)


@once
def about(
    summary: Summary, parts: tuple[str, ...], side: str | None
) -> list[tuple[Statement, Bearing]]:
    """The statements of the record with their bearing on a request."""
    return [(s, bearing(s, parts, side)) for s in statements(summary) if s.source == "record"]
