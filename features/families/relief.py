"""Relief and function that past treatment is documented to have brought.

A percentage counts where the words around it speak of relief, improvement or reduced pain.
Stenosis, ejection fractions, strengths of creams, ranges of motion, impairment ratings, shares
of time and quoted or hypothetical thresholds are not relief.

Measured on 135 letters annotated by hand: every percentage, precision 1.00 and recall 1.00, but
on three letters with any; the signals in words were not annotated.  The rules were tuned on the
same letters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imr.data.letter import Case
from imr.data.quantity import number_words
from imr.features.context import Mention, Summary, once
from imr.features.signal import Findings

_GAIN = (
    r"(?:relie[fv]|improv|better|benefit|help|reduc|decreas|resol|effective|efficac|alleviat|"
    r"lessen|less (?!than)|pain[- ]free|response|respond|recover|pain control|diminish|gone|"
    r"ameliorat|tolerance (?:is |was |went )?(?:up|increas))"
)
_AHEAD = re.compile(
    rf"^(?:[^.;,%]{{0,45}}?|,? (?:temporary |pain )?)\b{_GAIN}"
    r"|^ of (?:his|her|the|their) (?:pain|sympt)"
)
_BEHIND = re.compile(rf"\b{_GAIN}\w*[^.;%]{{0,45}}$")
_DRUGS = (
    r"baclofen|menthol|camphor|capsaicin|lidocaine|gabapentin|cyclobenzaprine|ketoprofen|"
    r"flurbiprofen|tramadol|diclofenac|voltaren|amitriptyline|dexamethasone|salicylate"
)
_NOT_RELIEF_AHEAD = re.compile(
    r"^\s?(?:on room air|of (?:the )?(?:time|day|normal|expected|predicted|range|body|tbsa)|"
    r"of (?:workers|patients|cases)|chance|clear|"
    r"(?:whole|wpi|impairment|permanent|disab|apportion|stenosis|stenotic|cream|gel|lotion|patch|"
    r"ointment|solution|in (?:cream|base|gel)|topical|oxygen|saturation|ejection|loss|tear|"
    r"thickness|compression|body|/|narrowing|canal|foramin|range of motion|rom\b|motion|flexion|"
    rf"extension|rotation|strength|hearing|height|{_DRUGS}))"
)
_NOT_RELIEF_BEHIND = re.compile(
    r"(?:stenosis|saturation|fraction|range(?: of motion)?|rom|motion|flexion|extension|rotation|"
    r"bending|abduction|strength|grip|sensation|loss|impairment|disability|disabled|wpi|hearing|"
    rf"height|lordosis|bmi|weight|hgb|a1c|reduced to|decreased to|{_DRUGS})"
    r"(?:[\s,:(]+(?:\w+[\s,]+){0,3})$"
)
_CRITERION = re.compile(r"(?:at least|minimum of|must|should|required?|criteria)\b[^.;]{0,20}$")
_NUMBER_WORDS = {"a": 1, "an": 1} | number_words(12)
_WORDS = "|".join(number_words(12))
_TENS = {
    "ten": 10.0, "twenty": 20.0, "thirty": 30.0, "forty": 40.0, "fifty": 50.0, "sixty": 60.0,
    "seventy": 70.0, "eighty": 80.0, "ninety": 90.0, "hundred": 100.0,
}  # fmt: skip
_DURATION = re.compile(
    r"\b(?:for|lasting|lasted|x|over|of|approximately|about)\s"
    r"(?:(?:at least|approximately|about|over|nearly|more than|up to|only|almost|"
    r"the (?:first|past|next)) )*"
    rf"(?P<n>\d{{1,3}}(?:\.\d)?|{_WORDS}|an?)(?:\s?(?:-|to)\s?(?P<m>\d{{1,2}}|{_WORDS}))?"
    r"[\s-](?P<unit>hour|day|week|month|year)s?\b"
)
_WEEKS = {"hour": 1 / 168, "day": 1 / 7, "week": 1.0, "month": 52 / 12, "year": 52.0}
_SIDE = re.compile(r"\b(left|right)\b")


@dataclass(frozen=True, slots=True)
class Relief:
    """One documented percentage with what it belongs to; a range gives two."""

    percent: float
    side: str | None
    treatment: str | None
    weeks: float | None
    mention: Mention


@once
def reliefs(summary: Summary) -> list[Relief]:
    """Every documented percentage of relief or improvement, in order."""
    found: list[Relief] = []
    for mention in summary.mentions("relief"):
        if mention.value != "percent" or not _is_relief(summary, mention):
            continue
        about = (_side(summary, mention), _treatment(summary, mention), _weeks(summary, mention))
        printed = (mention.groups["low"], mention.groups["high"])
        percents = [_TENS.get(number) or float(number) for number in printed if number is not None]
        found.extend(Relief(percent, *about, mention) for percent in percents if percent <= 100)
    return found


def build(summary: Summary, _: Case) -> Findings:
    """Percentages, and relief, failure and function in words."""
    found, documented = Findings(), reliefs(summary)
    if documented:
        _put_percentages(found, documented)
    _put_words(found, summary, [relief.mention for relief in documented])
    return found


def _put_percentages(found: Findings, documented: list[Relief]) -> None:
    top = max(documented, key=lambda relief: relief.percent)
    low = min(documented, key=lambda relief: relief.percent)
    found.put("relief_percent_max", top.percent, top.mention)
    found.put("relief_percent_min", low.percent, low.mention)
    if top.treatment:
        found.put("relief_treatment", top.treatment, top.mention)
    for name, of_kind in (
        ("left", [r for r in documented if r.side == "left"]),
        ("right", [r for r in documented if r.side == "right"]),
        ("injection", [r for r in documented if r.treatment == "injection"]),
    ):
        if of_kind:
            best = max(of_kind, key=lambda relief: relief.percent)
            found.put(f"relief_percent_{name}", best.percent, best.mention)


def _put_words(found: Findings, summary: Summary, percents: list[Mention]) -> None:
    said: dict[str, list[Mention]] = {}
    for mention in summary.mentions("relief", overlapping=True):
        said.setdefault(mention.value, []).append(mention)
    helped = [m for m in said.get("relief", []) if _treatment(summary, m)]
    found.flag("relief_documented", [*percents, *helped, *said.get("temporary", [])])
    found.flag("relief_temporary", said.get("temporary", []))
    failed = [m for m in said.get("failed", []) if m.documented or _own_negation(m)]
    found.put("treatment_failed", bool(failed), *failed)
    found.flag("treatment_intolerance", said.get("intolerance", []))
    found.flag("function_improved", said.get("function", []))
    found.flag("medication_reduced", said.get("medication_reduced", []))
    found.flag("returned_to_work", said.get("return_to_work", []))
    _put_weeks(found, summary, [*percents, *helped, *said.get("temporary", [])])


def _own_negation(mention: Mention) -> bool:
    """Whether the negation is the rule's own word, as in "no improvement"."""
    return mention.rule.id in ("no_relief", "not_help") and mention.qualifier == "negated"


def _put_weeks(found: Findings, summary: Summary, mentions: list[Mention]) -> None:
    lasting = [(w, m) for m in mentions if m.documented and (w := _weeks(summary, m)) is not None]
    if lasting:
        weeks, mention = max(lasting, key=lambda pair: pair[0])
        found.put("relief_weeks", weeks, mention)


def _is_relief(summary: Summary, mention: Mention) -> bool:
    if not mention.documented:
        return False
    ahead, behind = summary.after(mention, 70), summary.before(mention, 70)
    if _NOT_RELIEF_AHEAD.match(ahead) or _NOT_RELIEF_BEHIND.search(behind):
        return False
    if _CRITERION.search(behind) and mention.qualifier != "affirmed":
        return False
    return bool(_AHEAD.match(ahead) or _BEHIND.search(behind))


def _side(summary: Summary, mention: Mention) -> str | None:
    """The side of the pain relieved: the first one named before the next percentage or stop."""
    ahead = re.split(r"[.;%]|\band\b", summary.after(mention, 60))[0]
    side = _SIDE.search(ahead)
    return side[1] if side else None


def _treatment(summary: Summary, mention: Mention) -> str | None:
    """The treatment named nearest before in the sentence, else after, else in the one before."""
    sentence = mention.sentence
    treatments = summary.mentions("relief_treatment")
    own = [t for t in treatments if t.sentence == sentence and t.rule.id]
    before = [t for t in own if t.end <= mention.start]
    after = [t for t in own if t.start >= mention.end]
    earlier = [t for t in treatments if t.sentence == sentence - 1]
    nearest = before[-1:] or after[:1] or earlier[-1:]
    return nearest[0].value if nearest else None


def _weeks(summary: Summary, mention: Mention) -> float | None:
    lasting = _DURATION.search(summary.after(mention, 90))
    if lasting is None:
        return None
    number = lasting["m"] or lasting["n"]
    value = _NUMBER_WORDS.get(number) or float(number)
    return round(value * _WEEKS[lasting["unit"]], 2)
