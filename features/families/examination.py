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
from imr.features.beside import beside, gives_beside, match_beside
from imr.features.context import Mention, Summary, once
from imr.features.signal import Findings, grouped, listed
from imr.features.words import pattern

FAMILY = "examination"
# What the signs of a nerve root decide together.
_OF_ROOTS = (
    "spurling", "sensory_dermatomal", "reflex_deficit", "motor_myotomal", "motor_deficit",
    "neuro_normal",
)  # fmt: skip


def build(summary: Summary, _case: Case) -> Findings:
    """Signs found on examination; False where a sign is not documented or negative."""
    found = Findings()
    by_value = grouped((m.value, m) for m in summary.mentions(FAMILY, overlapping=True))
    _put_radicular(found, summary, by_value)
    for name in (column.name for column in listed()[FAMILY] if column.name not in _OF_ROOTS):
        told = by_value.get(name, ())
        _put(found, name, (m for m in told if (polarity(summary, m) if is_test(m) else _found(m))))
    motions = [(motion(summary, m), m) for m in by_value.get("rom", ())]
    if not _put(found, "range_of_motion_limited", (m for kind, m in motions if kind == "limited")):
        _put(found, "range_of_motion_full", (m for kind, m in motions if kind == "full"))
    denied = [m for m in by_value.get("red_flags_named", ()) if not _found(m)]
    _put(found, "red_flags_denied", denied)
    return found


@once
def polarity(summary: Summary, mention: Mention) -> bool | None:
    """True where a test is positive, False where negative, None where no result is printed."""
    if mention.qualifier in ("quoted_guideline", "denied_by_ur", "requested"):
        return None
    after = match_beside("result_behind", mention)
    if after is not None:
        told = summary.after(mention, 150)[after.end() :]
        if pattern("back_pain_alone").match(told) or pattern("test_shows_nothing").match(told):
            return False
        return not pattern("result_is_negative").match(after["sign"].strip())
    joined = match_beside("result_of_all_behind", mention)
    if joined is not None:
        return not pattern("result_is_negative").match(joined["sign"])
    before = match_beside("result_before", mention)
    if before is None or pattern("result_is_unsure").match(before["sign"]):
        return None
    if pattern("result_of_the_last_test").match(before["gap"]) and beside("in_degrees", mention):
        return None
    gap = pattern("tests_were").sub(" ", before["gap"])
    listed = pattern("list_of_tests").fullmatch(gap) and not pattern("no_list_of_tests").search(gap)
    if pattern("new_statement").search(gap) and not listed:
        return None
    return not pattern("result_is_negative").match(before["sign"])


def _found(mention: Mention) -> bool:
    """Whether a finding is stated as present."""
    any_will_do = mention.value != "joint_line_tenderness"
    return mention.documented and (any_will_do or beside("tender_there", mention))


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
    signs += _put(found, "sensory_dermatomal", _seen(by, "sensory_dermatomal"))
    signs += _put(found, "reflex_deficit", _reflexes(summary, by))
    grades = _seen(by, "motor_deficit")
    _put(found, "motor_deficit", grades)
    signs += _put(found, "motor_myotomal", _myotomal(summary, by, grades))
    _put(found, "radicular_findings", signs)
    negative = [m for pairs in tests.values() for m, result in pairs if result is False]
    _put(found, "radicular_signs_negative", negative if not signs else ())
    lost = [m for m in by.get("sensory_loss", ()) if _found(m)]
    normal = [m for m in by.get("neuro_normal", ()) if stated_normal(m)]
    _put(found, "neuro_normal", normal if not signs and not grades and not lost else ())


_TENSION = {"slr": "straight_leg_raise", "spurling": "spurling"}


def stated_normal(mention: Mention) -> bool:
    """A normal examination; "no deficits" carries its own negation."""
    if mention.documented or mention.qualifier != "negated":
        return mention.documented
    stated = mention.rule.extra["kind"] == "stated"
    return stated or not beside("right_behind_a_no", mention)


def _seen(by: dict[str, list[Mention]], name: str) -> list[Mention]:
    """The signs of a name that are documented, and no complaints, plans or denials."""
    return [m for m in by.get(name, ()) if beside("seen_by_an_examiner", m)]


def _reflexes(summary: Summary, by: dict[str, list[Mention]]) -> list[Mention]:
    grades: dict[str, dict[str, str]] = {}
    graded = [m for m in by.get("reflex_grade", ()) if "reflex" in _near(summary, m)]
    for mention in graded:
        sides = grades.setdefault(_site(mention), {})
        sides.setdefault(str(mention.groups["side"]), str(mention.groups["grade"]))
    unequal = {site for site, sides in grades.items() if len(set(sides.values())) > 1}
    return [*_seen(by, "reflex_deficit"), *(m for m in graded if _site(m) in unequal)]


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
    weak = _seen(by, "motor_myotomal")
    spine = bool(weak or grades) and pattern("case_of_the_spine").search(summary.lower) is not None
    levelled = [
        m
        for m in weak
        if pattern("level_of_a_root").search(m.text.lower()) or (spine and _of_nerve(summary, m))
    ]
    graded = [m for m in grades if spine and pattern("key_muscle").search(_clause(summary, m))]
    return [*levelled, *(m for m in graded if _of_nerve(summary, m)), *_seen(by, "foot_drop")]


def _clause(summary: Summary, mention: Mention) -> str:
    """The words around a grade up to the next clause."""
    before = re.split(r"[;:]", summary.before(mention, 70))[-1]
    after = re.split(r"[;:.]", summary.after(mention, 45))[0]
    return f"{before} {after}"


def _of_nerve(summary: Summary, mention: Mention) -> bool:
    """Key-muscle weakness speaks of a nerve root only where the injured joint does not explain it.

    In a case with radicular complaints or diagnosis, and not under a joint's own examination.
    """
    if pattern("level_of_a_root").search(_clause(summary, mention)):
        return True
    return re.search(r"\b(?:radicul\w+|sciatica|myelopath\w+)", summary.lower) is not None


def is_test(mention: Mention) -> bool:
    """Whether it is a test with a result of its own (:func:`polarity`)."""
    return mention.rule.extra["kind"] == "test"


@once
def motion(_summary: Summary, mention: Mention) -> str | None:
    """``limited``, ``full`` or None where nothing is said of a range of motion."""
    if mention.qualifier in ("quoted_guideline", "requested"):
        return None
    return gives_beside("motion", mention)
