"""What a statement is, how one is made from a mention, and whether it bears on a request; the words
that look like a statement and are none, or a weaker one: what is not stated, equivocal, slight,
told, or part of how the injury came about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal

from imr.features.context import Mention, Summary, clause_of
from imr.features.signal import table_rows
from imr.features.where_when import LIMB, is_or_explains, place_of

Subject = Literal[
    "treatment", "drug", "response", "function", "sign", "complaint", "study", "diagnosis", "plan",
    "event",
]  # fmt: skip
Polarity = Literal[
    "affirmed", "denied", "planned", "suspected", "normal", "abnormal",
    "helped", "some", "temporary", "failed", "persists", "unchanged", "worsened", "resolved",
    "not tolerated", "tolerated", "improved", "not improved", "limited", "independent", "worked",
    "medication reduced", "medication same", "stopped", "consistent", "inconsistent",
]  # fmt: skip
Source = Literal["record", "administrator", "guideline"]
Bearing = Literal["requested", "unplaced", "elsewhere"]


# Not frozen, which would take three times as long to make.
@dataclass(slots=True, eq=False)
class Statement:
    """One thing said; ``start`` and ``end`` are the clause's, characters of the summary.

    ``percent`` is a relief with ``comparator`` (``<``, ``>=``, ``=``) and ``weeks`` how long it
    lasted, or the share of a full motion or strength; ``count`` the sessions or injections had;
    ``days`` how long something went on and ``ago`` how many days before the summary it was.
    ``degree`` is how much of a finding (``mild``, ``partial``, ``severe``).  ``of`` is the
    treatment a response is to.
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

    @property
    def clause(self) -> str:
        """Its clause, in lower case."""
        return self.mention.summary.lower[self.start : self.end]

    @property
    def quote(self) -> tuple[int, str]:
        """Where its clause starts and the words of it, without the punctuation around them."""
        words = self.mention.summary.text[self.start : self.end]
        return self.end - len(words.lstrip(_EDGE)), words.strip(_EDGE)


_EDGE = " \t\n\r,;:.-–—"
SPINE = ("cervical spine", "thoracic spine", "lumbar spine")
# What the nerves of a spine reach: an ankle jerk speaks for the low back, a swollen ankle does not.
_SUPPLIED = {
    "cervical spine": LIMB["upper extremity"] | {"upper extremity"},
    "lumbar spine": LIMB["lower extremity"] | {"lower extremity"},
    # A numb thumb says that an aching trapezius may be the neck's.
    "trapezius": LIMB["upper extremity"] | {"upper extremity"},
}
_OF_NERVES = frozenset(
    {
        "dermatomal sensory loss", "myotomal weakness", "reflex deficit", "sensory loss",
        "weakness", "numbness", "radiating pain", "normal neurology", "neurological deficit",
        "neuropathic quality", "no neuropathic quality", "clumsy hands", "nerve study root",
        "no nerve study root", "nerve study abnormal", "nerve study normal", "worsening nerves",
    }
)  # fmt: skip
# What else goes from a spine to its limb and back; a broken forearm says nothing of the neck.
_ALONG_NERVES = _OF_NERVES | {
    "tension sign of the arm", "tension sign of the leg", "foot drop", "upper motor neuron",
    "abnormal gait", "cervical compression", "red flag", "no weight bearing", "stenosis",
    "disc_herniation", "radiculopathy_diagnosis", "neuropathic", "crps", "cord_or_cauda_equina",
    "spondylolisthesis", "failed_back_surgery", "recent onset",
}  # fmt: skip


def bearing(statement: Statement, parts: tuple[str, ...], side: str | None) -> Bearing:
    """Whether a statement is about the requested parts and side, or the region that explains them.

    A request without a part (most drugs) takes everything; a statement without a region is
    ``unplaced``.
    """
    if not parts:
        return "requested"
    if statement.side == "other" or {side, statement.side} == {"left", "right"}:
        placed = statement.regions or statement.subject in ("sign", "treatment")
        return "elsewhere" if placed else "unplaced"
    if not statement.regions:
        return "unplaced"
    stays = statement.subject in ("sign", "diagnosis") and statement.concept not in _ALONG_NERVES
    # A bunion that was removed is no operation of the back.
    stays = stays or (statement.subject, statement.concept) in _STAY
    reaches = _reach(statement.regions, statement.concept in _OF_NERVES, stays, parts)
    if not reaches and _CORD in parts and _sound(statement):
        reaches = not _LEGS.isdisjoint(statement.regions)
    return "requested" if reaches else "elsewhere"


# Nor does a film of the neck show the forearm.
_STAY = frozenset({("treatment", "surgery"), ("study", "xray"), ("study", "finding: fracture")})
_CORD, _LEGS = "thoracic spine", _SUPPLIED["lumbar spine"] - {*SPINE}


def _sound(statement: Statement) -> bool:
    """Whether nerves are found sound: so they are from the cord down, which legs that are weak do
    not tell of it.
    """
    if statement.subject != "sign" or statement.concept not in _OF_NERVES:
        return False
    normal = statement.concept in ("normal neurology", "nerve study normal")
    return statement.polarity == ("affirmed" if normal else "denied")


def reaches(regions: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Whether one of some regions is one of the requested parts."""
    return _reach(regions, False, True, parts)


@lru_cache(maxsize=8192)
def _reach(regions: tuple[str, ...], nerves: bool, stays: bool, parts: tuple[str, ...]) -> bool:
    """Whether one of some regions is, or (by its nerves) explains, one of the requested parts.

    What ``stays`` where it is does not pass between a spine and a limb.
    """
    return any(
        (is_or_explains(region, part) and not (stays and _spine_and_limb(region, part)))
        or (nerves and region in _SUPPLIED.get(part, ()))
        for region in regions
        for part in parts
    )


def _spine_and_limb(one: str, other: str) -> bool:
    return (one in SPINE and other in _LIMBS) or (other in SPINE and one in _LIMBS)


_LIMBS = frozenset().union(*_SUPPLIED.values()) - {*SPINE}


def state(
    summary: Summary,
    mention: Mention,
    subject: Subject,
    concept: str,
    polarity: Polarity,
    own: tuple[str, ...] = (),
    **more: Any,
) -> Statement:
    """The statement a mention makes; ``own`` are regions it is always about."""
    clause, qualifier = clause_of(summary, mention), mention.qualifier
    regions, side = place_of(summary, mention, own)
    source = _SOURCES.get(qualifier, "record")
    past = qualifier == "historical"
    return Statement(
        subject, concept, polarity, regions, side, source, past, clause.start, clause.end, mention,
        **more,
    )  # fmt: skip


_SOURCES: dict[str, Source] = {"denied_by_ur": "administrator", "quoted_guideline": "guideline"}


@cache
def listed_regions(cell: str) -> tuple[str, ...]:
    """The regions in a cell of a table, with semicolons between."""
    return tuple(filter(None, cell.split(";")))


@cache
def concepts() -> dict[tuple[str, str], tuple[Subject, str, tuple[str, ...]]]:
    """Family and value of a lexicon row -> subject, concept and the regions it is always about."""
    return {
        (row["family"], row["value"]): (
            row["subject"],  # type: ignore[misc]
            row["concept"],
            listed_regions(row["region"]),
        )
        for row in table_rows("concepts")
    }


# --- doubt ----------------------------------------------------------------------------------------

# "No documentation of failure", "the records do not discuss side effects": nothing is said.
_NOT_STATED = re.compile(
    r"(?:\b(?:no|lack of|without|absence of|lacks?|insufficient|inadequate|scant)"
    r"(?: (?:any|clear|specific|objective|further|"
    r"new))* (?:documentation|evidence|records?|mention|notes?|indication|discussion|comments?|"
    r"descriptions?|comparison|statement|details|account|reasons?)\b|\b(?:not|never|"
    r"nor) (?:been )?(?:written (?:down|about)|documented?|discuss\w*|mention\w*|address\w*|"
    r"comment\w*|describe\w*|say|tell|state[ds]?|record(?:ed)?|specif\w+)\b|"
    r"\b(?:nothing (?:is|was|has been) (?:written|said|recorded|documented|noted|"
    r"reported)|nobody (?:wrote|said|recorded|asked))\b|"
    r"\b(?:unclear|unknown|whether)\b)[^.;]*$"
)
NOT_STATED_AFTER = re.compile(
    r"^[^.;,]{0,40}?\b(?:(?:is|are|was|were|has been|have been)(?: also)? )?(?:not (?:been )?"
    r"(?:documented|discussed|mentioned|recorded|stated|specified|listed|named|described|"
    r"addressed|found|on file|signed|checked|reviewed|available|done|measured|quantified|"
    r"in (?:the )?(?:notes?|records?|charts?|reports?|file))|undocumented|missing)\b"
)
# "The section named 'functional improvement' has been left empty": a form, and no finding.
_LEFT_EMPTY = re.compile(
    r"^[^.;]{0,40}?\b(?:(?:was|were|is|are|been) )?(?:left )?(?:empty|blank|unfilled|"
    r"not (?:filled|completed|checked|ticked))\b"
)


def unstated(summary: Summary, mention: Mention) -> bool:
    """Whether the record is said to be silent of a thing."""
    return bool(
        _PAPER.search(mention.text.lower())
        or _LEFT_EMPTY.match(summary.after(mention, 70))
        or _NOT_STATED.search(summary.before(mention, 120))
        or NOT_STATED_AFTER.match(summary.after(mention, 70))
    )


# "No therapy is described", "no OT notes" tell of the paper, and deny nothing.
_TOLD_NOWHERE = re.compile(
    r"^(?:[^.;]{0,60}\b(?:is|are|was|were|has been|have been)(?: also)? (?:documented|listed|"
    r"described|recorded|mentioned|included|provided|stated|specified|submitted|available)\b|"
    r" (?:(?!and\b|will\b|to\b)\w+ )?(?:notes?|records?|reports?|logs?)\b)"
)
_PAPER = re.compile(r"\b(?:mention|documentation|descriptions?|records?|evidence|account) of\b")


def silent(summary: Summary, mention: Mention) -> bool:
    """Whether a denial is only that of a record: what is not on paper may well have been."""
    if mention.qualifier != "negated":
        return False
    told = _TOLD_NOWHERE.match(summary.after(mention, 90))
    return told is not None or unstated(summary, mention)


# "In high school", "as a young man", "eighteen years before the work injury": a former trouble.
_LONG_AGO = re.compile(
    r"\b(?:as an? (?:kid|child|boy|girl|teen\w*|youth|young (?:man|woman))|when (?:he|she|i) was "
    r"(?:a (?:kid|child|boy|girl|teen\w*)|young|in (?:school|college|high school))|"
    r"(?:in|back in|during|since) (?:high school|college|childhood|the (?:navy|army|military|"
    r"marines|service))|(?:during|after) (?:a |her |the )?(?:\w+ )?(?:pregnancy|childbirth)|"
    r"(?:years|decades|long|well) before (?:the|this|his|her|he|she|i|that) (?:\w+ )?(?:\w+ )?"
    r"(?:injury|accident|claim|job|employ\w+|hired|was hired|started|present|fell)|decades "
    r"(?:ago|before)|(?:that|the old|the earlier) claim (?:was )?(?:settled|closed))\b"
)
_OF_TODAY = re.compile(
    r"\b(?:but now|now|currently|today|still|again|since the (?:injury|accident)|on exam\w*)\b"
)


def long_ago(summary: Summary, mention: Mention) -> bool:
    """Whether the sentence tells of a trouble long before the injury, and of nothing since."""
    sentence = summary.sentence_lower(mention.sentence)
    return _LONG_AGO.search(sentence) is not None and _OF_TODAY.search(sentence) is None


# "(-) spasm", "neg spasm", "spasm absent", "spasm (-)".
_MINUS_BEFORE = re.compile(r"(?:\(-\)|\bneg(?:ative)?\.?)\s?$")
_ABSENT_AFTER = re.compile(
    r"^:?\s?(?:(?:is|was|are|were) )?(?:absent\b|none\b|\(-\)|ø|"
    r"not (?:present|found|seen|noted|palpable|palpated|felt|elicited|reproduced)\b)"
)


def marked_absent(summary: Summary, mention: Mention) -> bool:
    """Whether a mark or a word right beside a sign says that there is none."""
    return bool(
        _MINUS_BEFORE.search(summary.before(mention, 12))
        or _ABSENT_AFTER.match(summary.after(mention, 24))
    )


def clause_text(summary: Summary, mention: Mention) -> str:
    """The clause of a mention, in lower case."""
    clause = clause_of(summary, mention)
    return summary.lower[clause.start : clause.end]


_SLIGHT = (
    r"(?:very |only )?(?:slight(?:ly)?|minimal(?:ly)?|mild(?:ly)?|trace|small|tiny|faint(?:ly)?)"
)
_SLIGHT_BEFORE = re.compile(rf"\b{_SLIGHT}(?: (?:\w+ )?)$")
_SLIGHT_AFTER = re.compile(rf"^(?: (?:is|was|are|were|remains))? {_SLIGHT}\b")


def slight(summary: Summary, mention: Mention) -> bool:
    """Whether a sign is said to be slight."""
    return bool(
        _SLIGHT_BEFORE.search(summary.before(mention, 24))
        or _SLIGHT_AFTER.match(summary.after(mention, 30))
    )


# A test that is equivocal or "only slightly positive" shows nothing, nor does what is told.
_EQUIVOCAL = re.compile(
    r"\b(?:equivocal(?:ly)?|questionabl[ey]|borderline|indeterminate|inconclusive|doubtful|"
    r"(?:slightly|minimally|mildly|weakly|trace|faintly) (?:positive|pos\b|\+))|\+ ?/ ?-"
)
_EQUIVOCAL_REACH = 40
BY_HISTORY = re.compile(
    r"^[^.;,]{0,16}\b(?:by (?:history|report)|per (?:the )?(?:patient|history))\b"
)


def equivocal(summary: Summary, mention: Mention) -> bool:
    """Whether the result of a test next to it is none."""
    clause = clause_of(summary, mention)
    start = max(clause.start, mention.start - _EQUIVOCAL_REACH)
    found = _EQUIVOCAL.search(summary.lower, start, min(clause.end, mention.end + _EQUIVOCAL_REACH))
    if found is None:
        return False
    between = summary.lower[min(found.end(), mention.end) : max(found.start(), mention.start)]
    return "," not in between


# Strength that pain limits, or that gives way with poor effort, shows no lesion of a nerve.
_BY_PAIN_AFTER = re.compile(
    r"^(?: \w+){0,4}?,? \(?(?:due to|because of|secondary to|2/2|limited by|owing to|from) "
    r"(?:the |his |her |his or her )?(?:\w+ )?(?:pain|guarding|poor effort|effort)\b"
)
_BY_PAIN_BEFORE = re.compile(
    r"\b(?:pain[- ](?:limited|inhibited|related)|give-?way|breakaway|cogwheel)(?: \w+){0,2} $"
)
# "Resisted wrist extension 4/5, painful" tells of a tendon.
_RESISTED_BEFORE = re.compile(r"\bresist(?:ed|ive|ance to) (?:[\w-]+ ){0,4}$")
_PAINFUL_AFTER = re.compile(
    r"^,? ?\(?(?:(?:with|and|but|minimally|mildly|slightly|also|is|was|some) )*pain(?:ful)?\b"
)


def of_pain(summary: Summary, mention: Mention) -> bool:
    """Whether weakness is put down to pain or effort."""
    resisted = _RESISTED_BEFORE.search(summary.before(mention, 60))
    return bool(
        (resisted and _PAINFUL_AFTER.match(summary.after(mention, 40)))
        or _BY_PAIN_AFTER.match(summary.after(mention, 60))
        or _BY_PAIN_BEFORE.search(summary.before(mention, 40))
    )


# "The shelf gave way" tells how it happened.
_A_THING = re.compile(
    r"\b(?:shel(?:f|ves)|ladder|step|stairs?|chair|floor|board|scaffold\w*|platform|ground|plank|"
    r"lift|door|pallet|rope|railing|bed|cart|rack|stool|box|hoist|rung|branch|roof|grate|pipe|hook|"
    r"strap|gurney|ramp|tire|beam|crate)s? (?:\w+ )?$"
)
# "Catching a falling patient", "the knee buckled on a ramp on 11/22" tell how it happened.
_CATCHES = re.compile(
    r"^ (?:an?|the|his|her|himself|herself|falling|heavy|boxes|it|up|some|two|one|them|hold)\b"
)
_GAVE_ONCE = re.compile(r"\b(?:gave|buckled|popped|snapped|slid|locked)\b")
_THEN = re.compile(
    r"\b(?:when|while|as (?:he|she)|on (?:a|the) (?:ramp|step|stair|ladder|floor|curb)|(?:on|"
    r"injured on|injury of) (?:\d{1,2}[/-]|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)))"
)


def of_the_mechanism(summary: Summary, mention: Mention) -> bool:
    """Whether a word for a symptom tells how the injury came about."""
    if mention.value not in ("mechanical_symptoms", "mechanical symptoms"):
        return False
    words = mention.text.lower()
    if words.startswith(("catch", "lock")) and _CATCHES.match(summary.after(mention, 20)):
        return True
    return bool(_GAVE_ONCE.search(words) and _THEN.search(clause_text(summary, mention)))


def of_a_thing(summary: Summary, mention: Mention) -> bool:
    """Whether it was a thing that gave way, or the mechanism that is told."""
    gives = mention.value in ("mechanical symptoms", "instability")
    thing = gives and _A_THING.search(summary.before(mention, 40))
    return bool(thing) or of_the_mechanism(summary, mention)


_LITTLE_BEFORE = re.compile(
    r"\b(?:slight|minimal|mild|occasional|little|minor|residual|trace of|some)(?: \w+)? $"
)
_LITTLE_AFTER = re.compile(
    r"^(?: (?:is|was|now|of|at|rated|level|intensity|only|about|with \w+|a))*:? ?[0-2](?: ?/ ?10|"
    r" out of 10|-[12]/10)|^ (?:is|was) (?:slight|minimal|mild|occasional)\b"
)
_STRONG_BEFORE = re.compile(
    r"\b(?:(?P<severe>severe?|intense|excruciating|intolerable|unbearable|debilitating)|moderate)"
    r"(?:(?: to|-to-) (?:moderate|severe))?(?: [\w-]+){0,2}? $"
)


def pain_degree(summary: Summary, mention: Mention) -> str | None:
    """How strong pain is said to be; two of ten at most is mild."""
    before = summary.before(mention, 40)
    if _LITTLE_BEFORE.search(before[-30:]) or _LITTLE_AFTER.match(summary.after(mention, 50)):
        return "mild"
    strong = _STRONG_BEFORE.search(before)
    return strong and ("severe" if strong["severe"] else "moderate")


# "Radiculitis, rule out", "CRPS is listed as a possible diagnosis"; "ankle sprain, possible
# fracture" doubts the fracture.
_POSSIBLE_AFTER = re.compile(
    r"^ ?\(?(?:rule[sd]? out|r/o|ruled out|possible|suspected|questionable|vs\.?|versus)\b|"
    r"^[,;] ?\(?(?:(?:rule[sd]? out|r/o|ruled out|possible|suspected|questionable)\b"
    r"(?! (?!(?:and|or|but|per|by|diagnosis|\w+ly)\b)[a-z])|(?:vs\.?|versus)\b)|"
    r"^ (?:is|was|has been) (?:listed as |being )?(?:a )?"
    r"(?:possib|suspect|question|differential|considered|entertained)"
)
_DOUBTED_BEFORE = re.compile(
    r"\b(?:possible|suspected|questionable|probable|rule out|r/o|ruling out|concern for|"
    r"differential(?: diagnosis)?(?: of)?)(?: \w+){0,2} $"
)
# "PTSD resolved"; "is status post" and "healed" are read elsewhere.
_DIAGNOSIS_GONE = re.compile(
    r"^(?: (?:disorder|syndrome|symptoms|pain))?,? (?:has |have |is |are |was )?(?:now |since |"
    r"fully )?(?:resolved|in remission)\b|"
    r"^[^.;]{0,50}\b(?:found none|none (?:was|were) found|(?:was|were|been) (?:ruled out|"
    r"excluded))\b"
)


def diagnosis_polarity(summary: Summary, mention: Mention) -> Polarity:
    """Whether a diagnosis is made, excluded or gone, or only suspected."""
    after = summary.after(mention, 80)
    if mention.qualifier == "negated" or _DIAGNOSIS_GONE.match(after):
        return "denied"
    doubted = _POSSIBLE_AFTER.match(after) or _DOUBTED_BEFORE.search(summary.before(mention, 40))
    return "suspected" if doubted or mention.qualifier == "hypothetical" else "affirmed"
