"""Examination: radicular signs, other signs by joint, range of motion, deficits and red flags.

``radicular_findings`` holds objective signs only: straight leg raise or Spurling positive, sensory
loss in a named dermatome or nerve root, a reflex decreased or unequal, weakness in a named
myotome.  Complaints, diagnoses, weakness or numbness without a level, sciatic notch tenderness
and the signs of peripheral entrapment (Tinel, Phalen) are not among them.

A test (``kind`` test in ``lexicons/examination.csv``) counts with its own polarity: "positive"
or "negative" printed after it, else the nearest such word before it in the same clause; a test
without a result counts as neither.

Measured on 135 annotated letters: ``radicular_findings`` precision and recall 1.00 (19 positive);
the annotated spans were seen while the rules were written, the phrases of
``tests/cases/examination.csv`` after the first 70 were not.

Source: ACOEM 2004 chapters 8-13, annotation guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from imr.data.letter import Case
from imr.features.context import Mention, Summary, once
from imr.features.signal import Findings

FAMILY = "examination"
_SIGNS = (
    "facet_signs", "sacroiliac_signs", "cervical_compression", "entrapment_signs",
    "finkelstein", "impingement_signs", "rotator_cuff_signs", "labral_signs", "biceps_signs",
    "shoulder_instability_signs", "ac_joint_signs", "meniscal_signs",
    "knee_instability_signs", "patellofemoral_signs", "epicondylitis_signs",
    "upper_motor_neuron_signs", "nonorganic_signs",
)  # fmt: skip
_FINDINGS = (
    "joint_line_tenderness", "instability_finding", "mechanical_symptoms", "tenderness",
    "spasm", "trigger_points", "swelling", "gait_abnormal", "crepitus", "sensory_loss",
    "weakness", "foot_drop", "neuro_deficit", "fracture", "red_flag",
)  # fmt: skip
_POSITIVE_AFTER = re.compile(
    r"^(?:'s)?(?:[\s,(]*(?:tests?|testing|sign|signs|maneuver|examination|exam|sitting|supine|"
    r"seated|on|to|at|the|left|right|in|of|both|bilateral(?:ly)?|side|sides|leg|legs|lower|upper|"
    r"extremity|extremities|is|are|was|were|noted|be|also|remains?|degrees|tested|produced|and|"
    r"with|for|slightly|mildly|markedly|strongly|significantly|again|knee|shoulder|reported|as|"
    r"being|bilat|found|continued|elicited|tibial|neck|[lrb]|maneuvers?|all|x\d|\d+(?:-\d+)?)\b\)?°?"
    r")*?[\s:;,(-]*(?P<sign>positive|negative|neg\b|pos\b|\+|(?:re)?produc(?:es|ed|ing)|elicit(?:s|ed)|"
    r"caus(?:es|ed|ing)|provok(?:es|ed)|painful|painless|comfortable|hurts?\b|stable|normal|"
    r"unremarkable|(?:was |is |were )?abnormal|-(?=\)?[\s]*(?:[,.;/)]|$)))"
)
# "Spurling and axial compression were positive", "FABER, Gaenslen all negative": one result for
# tests that "and" or "all" joins.
_JOINED_AFTER = re.compile(
    r"^(?:[\w\s']{0,25}(?:,[\w\s']{1,30}){0,5}(?:,? and [\w\s']{1,40}?\b(?:were|are)(?: all| both|"
    r" also)?|(?:,? and [\w\s']{1,40}?)?\b(?:all|both)) |"
    r"(?:\s?/\s?[a-z']{2,14}){1,3}(?: (?:tests?|signs?|were|was|both|are|is)){0,3}:? )"
    r"(?P<sign>positive|negative|neg\b|pos\b|\+|normal|abnormal|unremarkable)"
)
# "Produces back pain only" is a negative tension sign.
_NOT_RADICULAR = re.compile(
    r"^(?:[\s(,]{1,2}(?:on the |to the )?(?:left|right|both|bilateral\w*))?[\s(,]{1,2}(?:only )?"
    r"(?:(?:for|with|causing|of) )?(?:(?:low(?:er)?|axial|local|the) )*"
    r"(?:(?:back |neck )?pain|hamstring \w+) (?:only|alone|without|but (?:no\b|nothing|not\b))"
)
# "McMurray causes nothing", "Tinel produces no tingling".
_NOTHING = re.compile(r"^ (?:no\b|nothing\b|none\b|neither\b)")
# "Facet loading positive bilaterally, SLR to 75 degrees": that was the result of the last test.
_OF_THE_LAST = re.compile(
    r"^(?: (?:bilat\w*|on|the|both|sides|left|right|l|r))*, (?:and )?(?:the )?$"
)
_OWN_DEGREES = re.compile(r"^(?: (?:tests?|is|was|to|at|of|limited|only))* ?\d{2}(?: ?deg|°)")
_TESTS_WERE = re.compile(
    r"\b(?:tests?|signs?|findings?|maneuvers?) (?:were|are|was|is|include[sd]?)\b:?"
)
_POSITIVE_BEFORE = re.compile(
    r"(?<![\w-])(?P<sign>positive|negative|pos\b|neg\b|no\b|without|stable (?:to|with)|\+ ?|"
    r"painful|abnormal|pain (?:on|with|upon|during)|radicul\w+ [^.;]{0,50}?(?:on|with|upon|during)|"
    r"radiat\w+ [^.;]{0,50}?(?:on|with|upon|during)|questionable|equivocal|possible)"
    r"(?P<gap>(?:(?!\b(?:positive|negative)\b)[^.;:])*)$"
)
_NEGATIVE = re.compile(r"^(?:neg|no\b|without|stable|normal|unremarkable|painless|comfortable|-)")
_UNSURE = re.compile(r"^(?:questionable|equivocal|possible)")
# A comma and a verb open a new statement: an earlier "positive" no longer speaks for the test.
_NEW_STATEMENT = re.compile(
    r"\b(?:but|however|was|were|is|are|with|has|had|revealed|showed|noted|reports?|tenderness|"
    r"spasms?|range|motion|strength|sensation|decreased|limited|intact|normal)\b"
)
# "Positive Neer's, Hawkins and O'Brien": what stands between is a list of tests.
_TEST_LIST = re.compile(r"[\s\w'/()-]{0,40}(?:,[\s\w'/()-]{0,40})*(?:,|\band\b|\bwith\b)\s*")
_NO_LIST = re.compile(
    r"\b(?:but|however|was|were|is|are|has|had|revealed|showed|reports?|decreased|limited)\b"
)
_LIMITED_BEFORE = re.compile(
    r"\b(?:decreased?|limited|limitations? (?:in|of)|restrict(?:ed|ions? (?:in|of))|reduced|"
    r"painful|diminished|loss of|los[st]|impaired|poor|guarded|abnormal|stiff(?:ness)?|"
    r"pain(?:-limited)?|limits?|lack of|deficits? in|reduction (?:in|of))\b(?:(?!\b(?:full|normal|"
    r"intact|was|were|is|are|no)\b)[^.;:]){0,60}$"
)
_LIMITED_AFTER = re.compile(
    r"^(?:(?!\b(?:full|normal|intact|no|without|unrestricted)\b)[^.;:]){0,70}?\b(?:decreased?|"
    r"limited|limitation|restrict(?:ed|ion)|reduced|painful|diminished|impaired|loss|guarded|"
    r"abnormal|with pain|pain\b|cannot|unable|lacking)"
)
_FULL_BEFORE = re.compile(
    r"\b(?:full|normal|unrestricted|intact|good|excellent|no (?:restrictions?|limitations?) (?:of|"
    r"in)|pain[- ]free|functional|unlimited)\b[^.;:,]{0,30}$"
)
_FULL_NEXT = re.compile(
    r"^:? ?(?:(?:is|was|are|were|remains?) )?(?:full|normal|wnl|unrestricted|intact)\b"
    r"(?! (?:but|except|with pain|with the exception))[^;,]{0,20}?(?:$|[.;,])"
)
_FULL_AFTER = re.compile(
    r"^[^.;:,]{0,45}?\b(?:full|normal|unrestricted|intact|within (?:normal|functional)|good|wnl|"
    r"not (?:limited|restricted))\b"
)
_UNDETECTED = re.compile(
    r"\b(?:no|not|without|unable to|denie[sd]|denying|negative for|rule out|absence of|lack of|nor|"
    r"never)\b(?:(?!\b(?:but|however|positive|was|were|is|are|had|has|noted|revealed)\b)[^.;])*$"
)
_SPINE = re.compile(
    r"\b(?:radicul|lumbar|cervical|low(?:er)? back|neck|sciatic|spondyl|spine|disc)"
)
_MUSCLE = re.compile(
    r"\b(?:ehl|extensor hallucis|dorsi-?flex\w*|plantar-?\s?flex\w*|(?:big|great) toe|"
    r"toe extension|ever(?:sion|tors)|[cls]-?\d(?!\s?(?:mg|/))|myotom\w+|triceps|deltoids?|"
    r"wrist (?:ext|flex)\w+|finger (?:ext|abd|flex)\w+|hip flex\w+|iliopsoas|quadriceps|biceps)\b"
)
_LEVELLED = re.compile(r"\b(?:ehl|extensor hallucis|great toe|big toe|[cls]-?\d|myotom\w+)\b")


def build(summary: Summary, _case: Case) -> Findings:
    """Signs found on examination; False where a sign is not documented or negative."""
    found = Findings()
    by_value: dict[str, list[Mention]] = {}
    for mention in summary.mentions(FAMILY, overlapping=True):
        by_value.setdefault(mention.value, []).append(mention)
    _put_radicular(found, summary, by_value)
    for name in _SIGNS:
        _put(found, name, (m for m in by_value.get(name, ()) if polarity(summary, m)))
    for name in _FINDINGS:
        _put(found, name, (m for m in by_value.get(name, ()) if _found(summary, m)))
    motions = [(motion(summary, m), m) for m in by_value.get("rom", ())]
    if not _put(found, "range_of_motion_limited", (m for kind, m in motions if kind == "limited")):
        _put(found, "range_of_motion_full", (m for kind, m in motions if kind == "full"))
    denied = [m for m in by_value.get("red_flags_named", ()) if not _found(summary, m)]
    _put(found, "red_flags_denied", denied)
    return found


@once
def polarity(summary: Summary, mention: Mention) -> bool | None:
    """True where a test is positive, False where negative, None where no result is printed."""
    if mention.qualifier in ("quoted_guideline", "denied_by_ur", "requested"):
        return None
    after = _POSITIVE_AFTER.match(summary.after(mention, 90))
    if after is not None:
        told = summary.after(mention, 150)[after.end() :]
        if _NOT_RADICULAR.match(told) or _NOTHING.match(told):
            return False
        return not _NEGATIVE.match(after["sign"].strip())
    joined = _JOINED_AFTER.match(summary.after(mention, 90))
    if joined is not None:
        return not _NEGATIVE.match(joined["sign"])
    before = _POSITIVE_BEFORE.search(summary.before(mention, 170))
    if before is None or _UNSURE.match(before["sign"]):
        return None
    if _OF_THE_LAST.match(before["gap"]) and _OWN_DEGREES.match(summary.after(mention, 30)):
        return None
    gap = _TESTS_WERE.sub(" ", before["gap"])
    listed = _TEST_LIST.fullmatch(gap) and not _NO_LIST.search(gap)
    if _NEW_STATEMENT.search(gap) and not listed:
        return None
    return not _NEGATIVE.match(before["sign"])


def _found(summary: Summary, mention: Mention) -> bool:
    """Whether a finding is stated as present."""
    if mention.value != "joint_line_tenderness" or "tender" in mention.text.lower():
        return mention.documented
    near = summary.around(mention, 60, 30)
    return mention.documented and ("tender" in near or "pain" in near)


def _put(found: Findings, column: str, mentions: Iterable[Mention]) -> list[Mention]:
    kept = list(mentions)
    if kept:
        found.put(column, True, *kept)
    return kept


def _put_radicular(found: Findings, summary: Summary, by: dict[str, list[Mention]]) -> None:
    tests = {name: [(m, polarity(summary, m)) for m in by.get(name, ())] for name in _TENSION}
    signs: list[Mention] = []
    for name, column in _TENSION.items():
        signs += _put(found, column, (m for m, result in tests[name] if result is True))
    sensory = (m for m in by.get("sensory_dermatomal", ()) if _objective(summary, m))
    signs += _put(found, "sensory_dermatomal", sensory)
    signs += _put(found, "reflex_deficit", _reflexes(summary, by))
    grades = [m for m in by.get("motor_deficit", ()) if _objective(summary, m)]
    _put(found, "motor_deficit", grades)
    signs += _put(found, "motor_myotomal", _myotomal(summary, by, grades))
    _put(found, "radicular_findings", signs)
    negative = [m for pairs in tests.values() for m, result in pairs if result is False]
    _put(found, "radicular_signs_negative", negative if not signs else ())
    lost = [m for m in by.get("sensory_loss", ()) if _found(summary, m)]
    normal = [m for m in by.get("neuro_normal", ()) if stated_normal(m)]
    _put(found, "neuro_normal", normal if not signs and not grades and not lost else ())


_TENSION = {"slr": "straight_leg_raise", "spurling": "spurling"}


def stated_normal(mention: Mention) -> bool:
    """A normal examination; "no deficits" carries its own negation."""
    if mention.documented or mention.qualifier != "negated":
        return mention.documented
    stated = mention.rule.extra["kind"] == "stated"
    return stated or _NOT_SOUND.search(mention.summary.before(mention, 40)) is None


# "No weakness, intact sensation": of a list under a negation only what it stands next to.
_NOT_SOUND = re.compile(
    r"\b(?:no|not|never|without|longer|nor|lacks?|lack of|absence of|n[o'’]t|den(?:ies|ied|ying))"
    r"(?: (?:an?|the|been|fully|entirely|completely|found|to|be|have|any|grossly|\w+ly)){0,3} $"
)


def _objective(summary: Summary, mention: Mention) -> bool:
    """Documented, and not a complaint, a plan or a denial that names the sign."""
    return mention.documented and not _UNDETECTED.search(summary.before(mention, 90))


def _reflexes(summary: Summary, by: dict[str, list[Mention]]) -> list[Mention]:
    decreased = [m for m in by.get("reflex_deficit", ()) if _objective(summary, m)]
    grades: dict[str, dict[str, str]] = {}
    graded = [m for m in by.get("reflex_grade", ()) if "reflex" in _near(summary, m)]
    for mention in graded:
        sides = grades.setdefault(_site(mention), {})
        sides.setdefault(str(mention.groups["side"]), str(mention.groups["grade"]))
    unequal = {site for site, sides in grades.items() if len(set(sides.values())) > 1}
    return [*decreased, *(m for m in graded if _site(m) in unequal)]


def _near(summary: Summary, mention: Mention) -> str:
    text = mention.text.lower().replace("dtr", "reflex").replace("jerk", "reflex")
    return f"{text} {summary.sentence_lower(mention.sentence)}"


def _site(mention: Mention) -> str:
    site = str(mention.groups["site"])
    for name, stems in (("ankle", ("ankle", "achilles")), ("knee", ("knee", "patell"))):
        if any(stem in site for stem in stems):
            return name
    return site.split(" ")[0]


def _myotomal(
    summary: Summary, by: dict[str, list[Mention]], grades: list[Mention]
) -> list[Mention]:
    """Weakness with a spinal level or a key muscle, in a case about the spine."""
    weak = [m for m in by.get("motor_myotomal", ()) if _objective(summary, m)]
    spine = bool(weak or grades) and _SPINE.search(summary.lower) is not None
    levelled = [
        m for m in weak if _LEVELLED.search(m.text.lower()) or (spine and _of_nerve(summary, m))
    ]
    graded = [m for m in grades if spine and _MUSCLE.search(_clause(summary, m))]
    drops = [m for m in by.get("foot_drop", ()) if _objective(summary, m)]
    return [*levelled, *(m for m in graded if _of_nerve(summary, m)), *drops]


def _clause(summary: Summary, mention: Mention) -> str:
    """The words around a grade up to the next clause."""
    before = re.split(r"[;:]", summary.before(mention, 70))[-1]
    after = re.split(r"[;:.]", summary.after(mention, 45))[0]
    return f"{before} {after}"


def _of_nerve(summary: Summary, mention: Mention) -> bool:
    """Key-muscle weakness speaks of a nerve root only where the injured joint does not explain it.

    In a case with radicular complaints or diagnosis, and not under a joint's own examination.
    """
    if _LEVELLED.search(_clause(summary, mention)):
        return True
    return re.search(r"\b(?:radicul\w+|sciatica|myelopath\w+)", summary.lower) is not None


TESTS = frozenset({*_TENSION, *_SIGNS})
"""Values of the lexicon that are tests with a result of their own (:func:`polarity`)."""


@once
def motion(summary: Summary, mention: Mention) -> str | None:
    """``limited``, ``full`` or None where nothing is said of a range of motion."""
    if mention.qualifier in ("quoted_guideline", "requested"):
        return None
    before, after = summary.before(mention, 80), summary.after(mention, 80)
    if _FULL_NEXT.match(after) and mention.qualifier != "negated":
        return "full"  # "c/o pain, ROM full"
    full = _FULL_BEFORE.search(before) is not None
    full_after = _FULL_AFTER.match(after) is not None
    limited = _LIMITED_BEFORE.search(before) or (not full_after and _LIMITED_AFTER.match(after))
    if limited and not full and mention.qualifier != "negated":
        return "limited"
    return "full" if full or full_after else None
