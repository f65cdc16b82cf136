"""What facts look at: the measures of a statement, and what a request is about.

:class:`Measures` is what the column ``where`` of ``rules/facts.csv`` may name; the concepts, side
and field of a request tell which statements are about the same.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

from imr.data.letter import Item
from imr.features.context import Summary, once
from imr.features.families.request import requested_parts
from imr.features.families.treatment import same_treatment
from imr.features.regions import is_or_explains
from imr.features.signal import Value
from imr.features.statements import Statement

# --- of a request ---------------------------------------------------------------------------------

# Where visits are counted without their kind, they are those of the course asked for.
_COURSES = frozenset({"physical_therapy", "occupational_therapy", "chiropractic", "acupuncture"})

_THERAPIES = frozenset({"physical_therapy", "occupational_therapy"})

_ABLATION = re.compile(r"radio-?\s?frequency|rhizotom|neurotom|\brf[an]s?\b", re.IGNORECASE)


def same_concepts(item: Item) -> frozenset[str]:
    """The concepts that a request would repeat: its kind of treatment, or its class of drug."""
    name = same_treatment(item)
    found = {item.subcategory} if item.category == "Pharmaceuticals" else set()
    if name:
        found |= {name, name.removesuffix("_injection")}
    if name == "injection":
        found |= {"joint", "trigger_point", "visco", "prp", "unspecified", "nerve_block"}
    if name in ("epidural_injection", "facet_injection"):
        found |= {"unspecified"}
    if name in _COURSES:
        found |= {"course"}
    if name in _THERAPIES:
        found |= _THERAPIES  # one course of physical medicine, whoever gives it
    if item.category in ("Injection", "Diagnostic Testing"):
        found |= {"last_time"}
    if name == "facet_injection" and _ABLATION.search(item.requested):
        found |= {"radiofrequency"}
    if item.category == "Pharmaceuticals":
        found |= {"medication"}
    found |= {concept for asked, concept in _PROGRAMS if asked.search(item.requested)}
    tests = tests_and_organs(item.requested)
    if _RETROSPECTIVE.search(item.requested):
        # The test of that day is the one that is asked for, and none before it.
        tests = frozenset(c for c in tests - _STUDIES if not c.startswith("test:"))
    return frozenset(filter(None, found)) | tests


_STUDIES = frozenset({"mri", "ct", "xray", "ultrasound", "electrodiagnostic"})
_RETROSPECTIVE = re.compile(
    r"\bretro(?:spective|active)?\b|\bdos\b|\bdate of service\b", re.IGNORECASE
)


TESTS_AND_ORGANS = Path(__file__).parent.parent / "rules" / "tests_and_organs.csv"


@cache
def _tests_and_organs() -> tuple[tuple[re.Pattern[str], frozenset[str]], ...]:
    with TESTS_AND_ORGANS.open(encoding="utf-8", newline="") as lines:
        return tuple(
            (re.compile(row["pattern"]), frozenset(row["concepts"].split("|")))
            for row in csv.DictReader(lines)
        )


@lru_cache(maxsize=4096)
def tests_and_organs(request: str) -> frozenset[str]:
    """The tests that a request would repeat, and the findings of the organ it looks after."""
    lower = request.lower()
    named = (concepts for pattern, concepts in _tests_and_organs() if pattern.search(lower))
    return frozenset().union(*named)


_PROGRAMS = (
    (re.compile(r"restoration|\bfrp\b|(?:multi|inter)-?disciplinary", re.IGNORECASE),
     "restoration_program"),
    (re.compile(r"\bwork (?:hardening|conditioning)", re.IGNORECASE), "work_hardening"),
)  # fmt: skip
_LEFT = re.compile(r"\b(?:left|lt|l)\b(?!\s?-?\d)", re.IGNORECASE)
_RIGHT = re.compile(r"\b(?:right|rt|r)\b(?!\s?-?\d)", re.IGNORECASE)


@lru_cache(maxsize=4096)
def side_of(request: str) -> str | None:
    """The one side a request names; None where it names none or both."""
    left, right = _LEFT.search(request), _RIGHT.search(request)
    if bool(left) == bool(right):
        return None
    return "left" if left else "right"


@lru_cache(maxsize=4096)
def specialist_field(request: str) -> str | None:
    """The field of the specialist that a request names; None where it names none."""
    words = request.lower()
    return next((field for field, known in _FIELDS if known.search(words)), None)


_BONES_AND_JOINTS = (
    r"ortho|spine|spinal|hand|podiat|physiat|pm&r|physical medicine|shoulder|knee|foot|ankle|wrist|"
    r"elbow|hip\b|back\b|neck|sports"
)
_FIELDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (field, re.compile(words))
    for field, words in (
        ("psychology", r"psych|behavio|mental"),
        ("musculoskeletal", r"neuro-?surg"),
        ("neurology", r"neurol|headache"),
        ("heart", r"cardio"),
        ("stomach", r"gastro|\bgi\b"),
        ("ear", r"\bent\b|otolaryn|audiolog|\bear\b"),
        ("eye", r"ophthal|optom|\beye\b"),
        ("lung", r"pulmon|\blung"),
        ("sleep", r"sleep"),
        ("internal", r"internal|internist"),
        ("jaw", r"dent|oral|maxillo|\bjaw|tmj"),
        ("hernia", r"general surg|hernia"),
        ("pain", r"\bpain\b"),
        ("musculoskeletal", _BONES_AND_JOINTS),
    )
)


# --- of a statement -------------------------------------------------------------------------------

# Visits from which a course counts as a trial of care.
_TRIAL_VISITS = 4


class Measures(dict[str, Value]):
    """What ``where`` may name of a statement, worked out when it is asked for."""

    def __init__(self, summary: Summary, said: Statement, item: Item) -> None:
        self.about = summary, said, item

    def __missing__(self, name: str) -> Value:
        return _MEASURES[name](*self.about)

    get = dict.__getitem__  # type: ignore[assignment]


def _percent(said: Statement) -> float | None:
    below = said.percent is not None and said.comparator == "<"
    return said.percent - 0.5 if below and said.percent is not None else said.percent


_GOES_ON = re.compile(
    r"\b(?:continu\w+|current(?:ly)?|ongoing|now|daily|is doing|does|performs?|under way|"
    r"in progress|"
    r"started|begun|attends|attending|so far|concurrent\w*|(?:along|together) with|in addition|"
    r"combin\w+|adjunct|remaining|\d+ of \d+|hep|home (?:exercises?|program))\b"
)
_GONE_BY = re.compile(
    r"\b(?:completed|done|finished|discharged|exhausted|failed|failure|without|no (?:benefit|gain|"
    r"relief)|"
    r"w/o|did not|ended|stopped|in (?:19|20)\d\d|pre-?op\w*|before)\b"
)


def _under_way(summary: Summary, statement: Statement) -> bool:
    """Care that is asked for, or goes on."""
    if statement.polarity == "planned":
        return True
    said = summary.lower[statement.start : statement.end]
    return _GOES_ON.search(said) is not None and _GONE_BY.search(said) is None


# A drug that is refilled, continued or taken since a date goes on; what was begun today does not.
_REFILLED = re.compile(
    r"\b(?:refill(?:ed|s|ing)?|continu(?:e[sd]?|ing|ation|ous(?:ly)?)|renew(?:ed|al|s)?|"
    r"chronic(?:ally)?|"
    r"long[- ]term|ongoing|maintain(?:ed|s)|same (?:dose|medic\w+)|still (?:takes?|taking|uses?|"
    r"on)|"
    r"(?:been|was) (?:taking|using|on|prescribed|given|taken|used)\b[^.;]{0,40}?\b(?:since|"
    r"for (?:over|more|many|several|"
    r"\w+ (?:months|years)))|since (?:at least|before|(?:19|20)\d\d|\d{1,2}/)|"
    r"for (?:over |more than |at least |about )?(?:many|several|\d+|two|three|four|five|six|seven|"
    r"eight|nine|"
    r"ten|twelve) (?:months?|years?))\b"
)
_FIRST_GIVEN = re.compile(
    r"\b(?:start(?:ed|ing|s)?|began|begun|initiat\w+|first (?:prescri\w+|time|trial)|new(?:ly)? |"
    r"discontinu\w+|to continue working|continued (?:pain|complaints?|symptoms?))\b"
)


def _used_long(summary: Summary, statement: Statement) -> bool:
    """Whether the clause of a drug says that its use goes on from before."""
    said = summary.lower[statement.start : statement.end]
    return _REFILLED.search(said) is not None and _FIRST_GIVEN.search(said) is None


_BEGUN = re.compile(
    r"\b(?:(?:has |had |have )?(?:just |reportedly )?(?:started|begun|began)|starting)\b"
)


def _only_begun(summary: Summary, statement: Statement) -> bool:
    """Care that has just begun, which cannot have failed."""
    uncounted = statement.count is None and statement.days is None
    said = _BEGUN.search(summary.lower, statement.start, statement.end)
    return uncounted and said is not None


_WALKING = re.compile(r"\b(?:walk|ambulat|weight|stairs|stand|transfer)")


def _of_walking(summary: Summary, statement: Statement) -> bool:
    mention = statement.mention
    return _WALKING.search(summary.lower, mention.start, mention.end) is not None


@once
def _sole(summary: Summary, parts: tuple[str, ...]) -> bool:
    """Whether the summary names no region but those of the request and what they explain."""
    named = {part.value for part in summary.mentions("body_part")}
    return all(any(is_or_explains(region, part) for part in parts) for region in named)


_LONG_AGO = re.compile(
    r"\b(?:years (?:ago|earlier|back|before|prior)|before (?:the|his|her|this) (?:injury|accident)|"
    r"prior to (?:the|his|her|this) (?:injury|accident)|as a (?:child|teen\w*))\b"
)
_LONG_AGO_DAYS = 730


def _old(summary: Summary, statement: Statement) -> bool:
    """Care before the injury or years ago, which is no care for the complaint of today."""
    long_ago = statement.ago is not None and statement.ago >= _LONG_AGO_DAYS
    return long_ago or _LONG_AGO.search(summary.lower, statement.start, statement.end) is not None


_YEAR = re.compile(r"(?<![\d/])(?:19|20)\d\d\b|(?<=\d/)(?:19|20)\d\d\b")
_STALE_YEARS = 2


def _stale(summary: Summary, statement: Statement) -> bool:
    """Long before the injury or two years before the latest year that the summary prints."""
    if _old(summary, statement):
        return True
    years = [int(y) for y in _YEAR.findall(summary.lower, statement.start, statement.end)]
    return bool(years) and max(years) <= _latest_year(summary) - _STALE_YEARS


@once
def _latest_year(summary: Summary) -> int:
    return max((int(year) for year in _YEAR.findall(summary.lower)), default=0)


_ONE_AT_A_TIME = frozenset(
    {
        "NSAID", "Muscle Relaxant", "Opioids", "Anti-epilepsy drugs", "Antidepressant",
        "Sedative-hypnotics", "Benzodiazepines", "Proton Pump Inhibitors",
    }
)  # fmt: skip


def _another_of_class(said: Statement, item: Item) -> bool:
    """Whether a drug is one of the requested class, and not the one requested."""
    generic = said.mention.rule.extra.get("generic", "")
    asked = {term.lower() for term in item.terms}
    of_class = said.concept == item.subcategory and said.concept in _ONE_AT_A_TIME
    return of_class and bool(generic) and bool(asked) and generic not in asked


_CONSULTATIONS = frozenset({"Medical Specialties", "Surgical Consult", "Evaluation & Management"})


def _of_field(said: Statement, item: Item) -> bool:
    """Whether a consultation is asked of the field that a specialist seen already is of."""
    field = specialist_field(item.requested)
    known = said.mention.groups.get("field")
    consulted = item.subcategory in _CONSULTATIONS and field is not None
    return consulted and known is not None and specialist_field(known) == field


_MEASURES: dict[str, Callable[[Summary, Statement, Item], Value]] = {
    "percent": lambda _summary, said, _item: _percent(said),
    "rated": lambda _summary, said, _item: said.percent is not None,
    "weeks": lambda _summary, said, _item: said.weeks,
    "count": lambda _summary, said, _item: said.count,
    "few": lambda _summary, said, _item: said.count is not None and said.count < _TRIAL_VISITS,
    "days": lambda _summary, said, _item: said.days,
    "ago": lambda _summary, said, _item: said.ago,
    "past": lambda _summary, said, _item: said.past,
    "mild": lambda _summary, said, _item: said.degree == "mild",
    "severe": lambda _summary, said, _item: said.degree == "severe",
    "old": lambda summary, said, _item: _old(summary, said),
    "stale": lambda summary, said, _item: _stale(summary, said),
    "now": lambda summary, said, _item: _under_way(summary, said),
    "long": lambda summary, said, _item: _used_long(summary, said),
    "begun": lambda summary, said, _item: _only_begun(summary, said),
    "walking": lambda summary, said, _item: _of_walking(summary, said),
    "field": lambda _summary, _said, item: specialist_field(item.requested),
    "same_field": lambda _summary, said, item: _of_field(said, item),
    "beside": lambda _summary, said, item: _another_of_class(said, item),
    "sole": lambda summary, _said, item: _sole(summary, requested_parts(item)),
    "other": lambda _summary, said, item: _of_another(said, item),
}


_WHOLE_CLASS = frozenset({"medication", "care"})


def _of_another(said: Statement, item: Item) -> bool:
    if said.of is None or said.of in _WHOLE_CLASS or said.of in same_concepts(item):
        return False
    if item.category == "Pharmaceuticals":
        return said.of not in {term.lower() for term in item.terms}
    return True
