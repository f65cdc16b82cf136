"""Pain and other complaints of the worker, and the relief that past treatment brought.

A percentage counts as relief where the words around it speak of relief, improvement or reduced
pain.  Stenosis, ejection fractions, strengths of creams, ranges of motion, impairment ratings,
shares of time and quoted or hypothetical thresholds are not relief.

Measured on 135 letters annotated by hand, precision and recall 1.00 each: every pain score in
order (60 letters with scores), every percentage of relief (three letters).  Other complaints and
relief in words were not annotated.  The rules were tuned on the same letters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import attrgetter

from imr.data.letter import Case
from imr.data.quantity import number_words
from imr.features.context import Mention, Summary, once
from imr.features.signal import Findings, columns_like

_NOT_PAIN = re.compile(
    r"(?:tender\w*|strength|motor|reflex\w*|grip|anxiety|depress\w*|stress|mood|energy|fatigue|sleep|"
    r"quality of life|spasms?|function|tinnitus|weakness|numbness|swelling)"
    r"(?: \w+){0,3}(?: at| of| is| was| as|,|:)* $"
)
_POINTS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_PAINFUL = re.compile(r"pain|ache|sore|discomfort")
_TENDER = re.compile(r"^\s(?:tender|spasm|strength|in strength)")
_MEDICATION = (
    r"(?:(?:the |use |of |his |her |taking |pain |current |any |oral |opioid |prescribed )*"
    r"(?:med(?:ication|icine)?s?|opioids?|opiates?|norco|percocet|narcotics|analgesics))\b"
)
_MEDICATION_AFTER = re.compile(
    rf"^[^.;,\d]{{0,30}}?\b(without|with|on|after|before|off|while on) {_MEDICATION}"
)
_MEDICATION_BEFORE = re.compile(
    rf"\b(without|with|on|after|before|off|while on) {_MEDICATION}[^.;\d]{{0,40}}$"
)
_WITHOUT = ("without", "before", "off")


@dataclass(frozen=True, slots=True)
class PainScore:
    """One printed score; ``on_medication`` is None where the summary does not say."""

    points: float
    on_medication: bool | None
    mention: Mention


@once
def pain_scores(summary: Summary) -> list[PainScore]:
    """Every printed pain score in order, both ends of a range."""
    found = []
    for mention in _rated(summary):
        near = _MEDICATION_AFTER.match(summary.after(mention, 60))
        near = near or _MEDICATION_BEFORE.search(summary.before(mention, 60))
        on_medication = None if near is None else near[1] not in _WITHOUT
        for name in ("low", "high"):
            printed = mention.groups.get(name)
            if printed is not None:
                number = _POINTS.index(printed) if printed in _POINTS else printed.rstrip("+")
                found.append(PainScore(float(number), on_medication, mention))
    return found


def build_complaints(summary: Summary, _: Case) -> Findings:
    """Pain scores and complaints of the case."""
    found, scores = Findings(), pain_scores(summary)
    if scores:
        _put_scores(found, scores)
    found.flag_each(columns_like("complaints", "complaint_{}"), summary.mentions("complaint"))
    return found


def _put_scores(found: Findings, scores: list[PainScore]) -> None:
    points = attrgetter("points")
    top, low = max(scores, key=points), min(scores, key=points)
    last = [s for s in scores if s.mention.sentence == scores[-1].mention.sentence]
    latest = max(last, key=points)
    found.put("pain_score_max", top.points, top.mention)
    found.put("pain_score_min", low.points, low.mention)
    found.put("pain_score_latest", latest.points, latest.mention)
    on = [score for score in scores if score.on_medication is True]
    off = [score for score in scores if score.on_medication is False]
    if on:
        found.put("pain_score_with_medication", on[-1].points, on[-1].mention)
    if off:
        found.put("pain_score_without_medication", off[-1].points, off[-1].mention)
    if on and off:
        drop = off[-1].points - on[-1].points
        found.put("pain_score_drop_on_medication", drop, off[-1].mention, on[-1].mention)


def _rated(summary: Summary) -> list[Mention]:
    """Mentions that score pain, each number once (the longer reading of it)."""
    # Numbers come in the order of the text, so the end of what was read is enough to know.
    kept: list[Mention] = []
    dates = sorted(((m.start, m.end) for m in summary.mentions("date")), reverse=True)
    read = 0
    mentions = summary.mentions("pain_score", overlapping=True)
    for mention in sorted(mentions, key=lambda m: (m.match.start("low"), -m.end)):
        number = mention.match.start("low")
        while dates and dates[-1][0] <= number:
            read = max(read, dates.pop()[1])
        if number >= read and _of_pain(summary, mention):
            kept.append(mention)
            read = mention.end
    return kept


def _of_pain(summary: Summary, mention: Mention) -> bool:
    if mention.qualifier in ("quoted_guideline", "denied_by_ur", "hypothetical"):
        return False
    if mention.rule.id == "scaled":
        start = mention.start
    else:
        start = mention.match.start("low")
        if not _PAINFUL.search(summary.sentence_lower(mention.sentence)):
            return mention.rule.id == "vas"
    before = summary.lower[max(0, start - 40) : start]
    return not (_NOT_PAIN.search(before) or _TENDER.match(summary.after(mention, 30)))


# --- relief ---------------------------------------------------------------------------------------

_GAIN = (
    r"(?:relie[fv]|improv|better|benefit|help|reduc|decreas|resol|effective|efficac|alleviat|"
    r"lessen|less (?!than)|pain[- ]free|response|respond|recover|pain control|diminish|gone|"
    r"ameliorat|tolerance (?:is |was |went )?(?:up|increas))"
)
_AHEAD = re.compile(
    rf"^(?:[^.;,%]{{0,45}}?|,? (?:temporary |pain )?)\b{_GAIN}"
    r"|^ of (?:his|her|the|their) (?:pain|sympt)"
    # "Block in May: 80% x 6 h" is relief, told by its time alone.
    r"|^,? ?(?:(?:x|for|lasting) ?)?~?\d{1,2}(?:\.\d)?(?: ?(?:-|to) ?\d{1,2})? ?"
    r"(?:h|hrs?|hours?|d|days?|wks?|weeks?|mos?|months?)\b"
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
_UP_TO_TWELVE = "|".join(number_words(12))
_TENS = {
    "ten": 10.0, "twenty": 20.0, "thirty": 30.0, "forty": 40.0, "fifty": 50.0, "sixty": 60.0,
    "seventy": 70.0, "eighty": 80.0, "ninety": 90.0, "hundred": 100.0,
}  # fmt: skip
_DURATION = re.compile(
    r"(?:^,? ?~?|\b(?:for|lasting|lasted|x|over|of|approximately|about)\s)(?:(?:at least|"
    r"approximately|about|over|nearly|more than|up to|only|almost|the (?:first|past|next)) )*"
    rf"(?P<n>\d{{1,3}}(?:\.\d)?|{_UP_TO_TWELVE}|an?)(?:\s?(?:-|to)\s?(?P<m>\d{{1,2}}|{_UP_TO_TWELVE}))?"
    r"[\s-]?(?P<unit>h(?:ou)?rs?|h|days?|d|we?e?ks?|mo(?:nth)?s?|y(?:ea)?rs?)\b"
)
# By the first letter of the unit.
_WEEKS = {"h": 1 / 168, "d": 1 / 7, "w": 1.0, "m": 52 / 12, "y": 52.0}
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
        # The side of the pain relieved: the first one named before the next percentage or stop.
        ahead = re.split(r"[.;%]|\band\b", summary.after(mention, 60))[0]
        side = _SIDE.search(ahead)
        about = (side and side[1], _treatment(summary, mention), _weeks(summary, mention))
        printed = (mention.groups["low"], mention.groups["high"])
        percents = [_TENS.get(number) or float(number) for number in printed if number is not None]
        found.extend(Relief(percent, *about, mention) for percent in percents if percent <= 100)
    return found


def build_relief(summary: Summary, _: Case) -> Findings:
    """Percentages, and relief, failure and function in words."""
    found, documented = Findings(), reliefs(summary)
    if documented:
        _put_percentages(found, documented)
    _put_words(found, summary, [relief.mention for relief in documented])
    return found


def _put_percentages(found: Findings, documented: list[Relief]) -> None:
    percent = attrgetter("percent")
    top, low = max(documented, key=percent), min(documented, key=percent)
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
            best = max(of_kind, key=percent)
            found.put(f"relief_percent_{name}", best.percent, best.mention)


def _put_words(found: Findings, summary: Summary, percents: list[Mention]) -> None:
    said: dict[str, list[Mention]] = {}
    for mention in summary.mentions("relief", overlapping=True):
        said.setdefault(mention.value, []).append(mention)
    helped = [m for m in said.get("relief", []) if _treatment(summary, m)]
    found.flag("relief_documented", [*percents, *helped, *said.get("temporary", [])])
    found.flag("relief_temporary", said.get("temporary", []))
    # "No improvement" holds its own negation.
    failed = [
        m
        for m in said.get("failed", [])
        if m.documented or (m.rule.id in ("no_relief", "not_help") and m.qualifier == "negated")
    ]
    found.put("treatment_failed", bool(failed), *failed)
    found.flag("treatment_intolerance", said.get("intolerance", []))
    found.flag("function_improved", said.get("function", []))
    found.flag("medication_reduced", said.get("medication_reduced", []))
    found.flag("returned_to_work", said.get("return_to_work", []))
    eased = [m for m in (*percents, *helped, *said.get("temporary", [])) if m.documented]
    lasting = [(weeks, m) for m in eased if (weeks := _weeks(summary, m)) is not None]
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


def _treatment(summary: Summary, mention: Mention) -> str | None:
    """The treatment named nearest before in the sentence, else after, else in the one before."""
    sentence = mention.sentence
    treatments = summary.mentions("relief_treatment")
    own = [t for t in treatments if t.sentence == sentence]
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
    return round(float(_NUMBER_WORDS.get(number, number)) * _WEEKS[lasting["unit"][0]], 2)
