"""What care did: relief, failure, function; each with the treatment it belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from imr.data.quantity import count_of
from imr.features.beside import beside
from imr.features.context import Mention, Summary, clause_of, clause_text, once
from imr.features.statements.care import (
    COURSE,
    DENIALS,
    IN_USE,
    MONITORING,
    SPINAL,
    antecedent,
    care_concept,
    care_named,
    counted_by_kind,
    sessions_had,
    told_before,
)
from imr.features.statements.statement import (
    SPINE,
    Polarity,
    Statement,
    state,
)
from imr.features.where_when import days_until, parts_of, place_of, spans_of_time

# "Did not fail", "no side effects were seen": a denied response of these kinds says nothing.
_DENIED_CLOSE = re.compile(r"\b(?:no|not|without|never|denie[sd]|denying|w/o)\b[^.;,]{0,40}$")
_SAYS_NOTHING_DENIED = frozenset({"not tolerated", "worsened", "temporary"})
# "Helped by her husband with bathing" is no response, nor are drugs or duty that stayed the same.
_HELPED_BY_A_PERSON = re.compile(
    r"^ (?:by (?:his|her|a|the) (?:husband|wife|son|daughter|family|mother|father|friend|neighbor|"
    r"caregiver|aide|sister|brother|partner)\b|(?:him|her) (?:dress|bathe|cook|shop)|"
    r"with (?:(?:all|her|his|the|most) )*(?:bathing|dressing|chores|housework|cooking|transfers|"
    r"shopping|activities|adls?|self[- ]care|meals|laundry|toilet\w*)\b)"
)
_OF_DRUG_OR_DUTY = re.compile(
    r"\b(?:meds?|medications?|medicines?|doses?|dosage|regimen|duty|work(?: status)?|"
    r"restrictions?) (?:(?:is|are|was|were|has been|remain\w*|stay\w*) )?$"
)
_ATTEMPTED_WORK = re.compile(
    r"\b(?:return(?:ing)? to (?:\w+ )?(?:work|duty)|(?:modified|light|full|regular) (?:work|duty)|"
    r"work (?:trial|attempt|hardening attempt))\b[^.;,]{0,12}$|"
    r"^ (?:\w+ )?(?:(?:return to|attempts? (?:at|to)|to return to) (?:\w+ )?(?:work|duty)|"
    r"(?:full|modified|light|regular) duty)\b"
)
# "Reduced the pain some": the degree stands behind.
_SOME_AFTER = re.compile(
    r"^[^.;,]{0,24}?[\s\"'“](?:some(?:what)?|a little|slightly|minimally|a bit|partially|partly)"
    r"[\"'”]?(?=$|[.;,])"
)
# "Helpful, without numbers": a gain that the record itself calls unmeasured is no named one.
_UNMEASURED = re.compile(
    r"^[^.;]{0,30}?[,(-] ?(?:but |though |and )?(?:(?:without|with no|no) (?:(?:any|a|further|"
    r"specific) )*(?:numbers?|figures?|details?|specifics|quantif\w+|measur\w+|scores?|"
    r"percentages?|amounts?)\b|(?:not |never |is not |was not )(?:further )?(?:quantified|"
    r"measured|specified|detailed)\b|unquantified\b)"
)


def _no_response(summary: Summary, mention: Mention) -> bool:
    """Whether a word for a response says nothing of what care did."""
    before, after = summary.before(mention, 60), summary.after(mention, 60)
    rule, polarity, words = mention.rule.id, mention.value, mention.text.lower()
    if beside("unstated", summary, mention):
        return True
    if (polarity in _SAYS_NOTHING_DENIED or rule == "failed") and _DENIED_CLOSE.search(before):
        return True
    if rule == "not_tolerated" and _A_SYMPTOM.match(words):
        # "Headaches with nausea" are no side effect where no drug stands before them.
        return not any(m.start < mention.start for m in _care_in_clause(summary, mention))
    if rule == "failed" and (_ATTEMPTED_WORK.search(before) or _ATTEMPTED_WORK.match(after)):
        return True
    if rule == "by_half" and not _EASED_PART.search(clause_text(summary, mention)):
        return True
    if rule == "no_relief" and (_NO_WORD_OF.search(words) or _NOT_ON_PAPER.match(after)):
        return True
    if rule in _OF_A_PERSON and _OF_A_PERSON[rule].search(words):
        return not _care_in_clause(summary, mention)
    if rule == "unchanged" and _OF_DRUG_OR_DUTY.search(before):
        return True
    if rule == "held_for" and words.startswith(_LASTED_WORDS) and _COMPLAINT_LASTED.search(before):
        return True
    return bool(_WHETHER.search(before) or _HELPED_BY_A_PERSON.match(after))


_A_SYMPTOM = re.compile(
    r"(?:dyspepsia|gastr\w+|heartburn|stomach upset|nausea|drowsiness|sedation)$"
)
# "Cannot dress without help" is no therapy that did not help; who is not working is off work.
_OF_A_PERSON = {
    "no_relief": re.compile(r"^(?:no|without|w/o) (?:any )?help$"),
    "not_helped": re.compile(r"work(?:ing|ed)$"),
}
# "To see if it helps", "would do better in a gym" tell of no help.
_WHETHER = re.compile(
    r"\b(?:if|whether|hop(?:es?|ed|ing)|in case)(?: (?:that|it|they|this|the|\w+)){1,3} $|"
    r"\b(?:would|could|might|should) (?:(?:do|be|feel|get|perhaps|probably|also|even) )*$"
)
# "No documented improvement" tells of the paper.
_NO_WORD_OF = re.compile(r"\b(?:stated|documented|recorded|noted|described|mentioned|reported)\b")
# "No response to any was described".
_NOT_ON_PAPER = re.compile(
    r"^[^.;,]{0,24} (?:is|are|was|were) (?:described|documented|recorded|mentioned|stated)\b"
)
# "Pain has lasted four months" tells how long it hurts, "relief has lasted" what care did.
_LASTED_WORDS = ("lasted", "lasting", "persisted", "worked", "held")
_COMPLAINT_LASTED = re.compile(
    r"\b(?:pain|aching|ache|symptoms?|complaints?|numbness|tingling|spasms?|headaches?|stiffness)"
    r"(?: (?:of|at|rated))?(?: \d{1,2}(?:\s?/\s?10)?)?,?(?: (?:that|which))?"
    r"(?: (?:has|have|had|is|now))* $"
)
_EASED_PART = re.compile(
    r"\b(?:pain|symptoms?|numb\w*|burning|ach\w*|headaches?|spasms?|flares?)\b"
)


def _care_in_clause(summary: Summary, mention: Mention) -> list[Mention]:
    """The treatments and drugs that the clause of a mention names."""
    clause = clause_of(summary, mention)
    return [
        m
        for m in _named(summary, mention.sentence)
        if clause.start <= m.start < clause.end
        and not _LESS_OF.search(summary.before(m, 40))
        and not _DOSE_CHANGED.match(summary.after(m, 30))
        and not (m.start >= mention.start and _THE_TASK.search(summary.before(m, 40)))
    ]


def _care_of_function(summary: Summary, mention: Mention) -> list[Mention]:
    """The care that the clause names, or that heads it ("Chiro x8: rotation 45 → 65")."""
    causes, clause = _care_in_clause(summary, mention), clause_of(summary, mention)
    if _WEARING_IT.search(summary.lower, clause.start, mention.start):
        worn = antecedent(summary, mention)
        return causes if worn is None else [worn]
    before = [m for m in _named(summary, mention.sentence) if m.end <= clause.start]
    if not causes and summary.lower.startswith(":", clause.start):
        return before[-1:]
    if not causes and _AFTER_IT.search(summary.lower, clause.start, clause.end):
        return [*_named(summary, mention.sentence - 1), *before][-1:]
    return causes


# "An injection was given. Flexion rose from 70 to 95 degrees afterwards."
_AFTER_IT = re.compile(r"\b(?:afterwards?|thereafter|(?:after|following|with) (?:that|this|it))\b")
# "On the days she wore it she worked her whole shift": the device named last.
_WEARING_IT = re.compile(
    r"\b(?:days|when(?:ever)?|while|evenings|nights|times)(?: (?:that|on|which|he|she|i|they))* "
    r"(?:wears?|wore|wearing|uses?|used|using) (?:it|them|the (?:unit|machine|device))\b"
)
# "Stands 45 minutes, and a halving of oxycodone": the drug that is less is no cause.
_DOSE_CHANGED = re.compile(
    r"^(?: (?:use|intake|went|cut|came|dropped|reduced|down|from)){0,4} \d{1,3}(?: ?mg)?"
    r"(?: a day| ?/ ?d(?:ay)?)? ?(?:(?:cut |down |reduced )?to|-+>|→) ?\d|"
    # "Needed one pill where she had needed four".
    r"^s?(?: a day| daily)? (?:where|instead of|in place of|rather than) (?:(?:he|she|it|they|i) )?"
    r"(?:(?:had|used to|once) )?(?:need\w*|t[ao]k\w*|us\w*)? ?(?:two|three|four|five|six|\d)\b"
)
_LESS_OF = re.compile(
    r"\b(?:halv\w+|reduc\w+|less|fewer|stopp\w+|cut\w*|wean\w*|taper\w*|decreas\w+|off|half)"
    r"(?: \w+){0,2} $"
)
# "The drug lets him do his exercises", "permitting therapy": the task, and not its cause.
_THE_TASK = re.compile(
    r"\b(?:lets?|letting|allow\w*|enabl\w+|permit\w*|able to)(?: (?:him|her|them|me|to|do|"
    r"perform|attend|tolerate|participate|continue|in|with|his|her|the|a|some|more|home|self))*"
    r"[- ]$"
)
_LESS = re.compile(
    r"(?:less than|under|below|not (?:even|quite)|at most|<|only|no more than|up to)\s*(?:about )?$"
)
_PERCENT = re.compile(
    r"(?<![\d./])(?P<low>\d{1,3}(?:\.\d+)?)(?:\s?(?:-|to)\s?(?P<high>\d{1,3}))?\s?(?:%|per ?cent\b)"
)
_EASED = re.compile(
    r"cuts? (?:the |his |her )?(?:\w+ )?(?:pain|burning|tingling|numbness|symptoms|ache)|"
    r"edge off|relie|better|improve|benefit|took away|taken away|eased|gone|less pain|"
    r"of (?:the |his |her )?(?:\w+ )?(?:pain|symptoms|numbness)|reduc|decreas|lower|help|"
    r"(?:%|percent),?(?: (?:x|for|lasting))? ?~?\d{1,2}(?:\.\d)?(?: ?(?:-|to) ?\d{1,2})? ?"
    r"(?:h|hrs?|hours?|d|days?|wks?|weeks?|mos?|months?)\b"
)
_NOT_EASED = re.compile(
    r"stenosis|saturation|cream|gel|lidocaine|capsaicin|flurbiprofen|menthol|impairment|wpi|disab|"
    r"tear|thickness|of normal|motion|flexion|strength|compression|height|body"
)
_FALL = re.compile(
    r"\b(?:from|went|goes|down|drop\w{0,5}|f[ae]ll\w{0,5}|lower\w{0,5}|reduc\w{0,5}|"
    r"decreas\w{0,5})\b[^.;]{0,40}?\b(?P<off>\d{1,2})(?:\s?/\s?10)?(?: out of 10)?(?: \w+){0,3}? "
    r"(?:to|and is now|down to) (?:about )?(?:a )?(?P<on>\d{1,2})\b(?:\s?/\s?10)?(?!\s?(?:tablet|"
    r"pill|mg|degree|visit|week|day|°|minute))"
)
# "Leg pain 9 to 4 for 11 weeks": two scores and a time are a fall where the second is less.
_FELL_FOR = re.compile(
    r"\b(?P<off>\d{1,2})(?:\s?/\s?10)? (?:to|->|→) (?P<on>\d{1,2})(?:\s?/\s?10)? (?:for|x|lasting) "
    r"(?=~?\d|two|three|four|five|six|eight|several)"
)
# What stands behind "with" where it is no treatment ("7/10 with walking").
_NO_TASK = (
    r"(?!\s?(?:motion|activ|move|exam|palp|rest\b|use\b|walk|lift|work|flex|ext|abd|rot|range|"
    r"stand|sit|bend|stairs|any |all |driv|grip|no |spasm|radiat|numb|tingl))(?=\s?[a-z])"
)
_TREATED = rf"(?:with\b|w/(?!o\b)|w\b(?!/)|on\b|after\b) ?{_NO_TASK}"
# "Pain 7 to 2/10 w Norco", "8/10, which comes down to 4/10".
_TO_WITH = re.compile(
    r"(?P<off>\d{1,2})(?:\s?/\s?10)? ?(?:to|-+>|→) ?(?P<on>\d{1,2})(?:\s?/\s?10| out of 10)? "
    rf"(?:pain )?(?:{_TREATED}|(?:from|by) {_NO_TASK})|"
    r"(?P<off2>\d{1,2})\s?/\s?10,? (?:\w+ ){0,2}?(?:goes|comes|drops|falls|decreases|improves|"
    r"reduced|decreased|lowered|dropping|down)(?: down)? to (?:about |a )?"
    r"(?P<on2>\d{1,2})\s?/\s?10"
)
# "7/10 at rest, 4/10 w Norco", "3/10 with tramadol, baseline 6/10".
_BASE_WITH = re.compile(
    r"(?P<off>\d{1,2})(?:\s?/\s?10| out of 10) (?:at rest|at baseline|baseline)[^.;]{0,20}? "
    rf"(?P<on>\d{{1,2}})(?:\s?/\s?10| out of 10) {_TREATED}|"
    rf"(?P<on2>\d{{1,2}})(?:\s?/\s?10| out of 10) {_TREATED}"
    r"[^.;]{0,20}?, (?:at )?baseline(?: is| was| of)? (?P<off2>\d{1,2})\s?/\s?10|"
    r"(?P<off3>\d{1,2})(?:\s?/\s?10| out of 10)[,;] (?:and |but |now )?"
    rf"(?P<on3>\d{{1,2}})(?:\s?/\s?10| out of 10)? (?:with\b|w/(?!o\b)) ?{_NO_TASK}"
)
# "Pain is 8/10 with and without it".
_SAME_WITH = re.compile(
    r"(?:pain (?:is |was |of |at )?)?\d{1,2}(?:\s?/\s?10| out of 10),? (?:both )?"
    rf"(?:(?:with|w/|on) (?:and|or|&) (?:without|w/o|off)|regardless of) {_NO_TASK}"
)
_MONTHS = r"(?!mon|tues|jan|feb|mar|apr|may\b|jun|jul|aug|sep|oct|nov|dec)"
_DRUG_OR_IT = r"(?: (?:it|them|the \w+|(?!pain|is)[a-z]+))?"
# "9 before and 5 after the drugs": a score that is told as one need not say out of what.
_BEFORE_AFTER = re.compile(
    r"(?P<off>\d{1,2})(?:\s?/\s?10)? (?:before|without|w/o|off)\b(?: \w+){0,3}?,?"
    r"(?: and| but| to| vs\.?| is)? "
    rf"(?P<on>\d{{1,2}})(?:\s?/\s?10)? {_TREATED}{_MONTHS}|"
    rf"(?:without|w/o|off|before){_DRUG_OR_IT} (?:pain )?(?:(?:is|was|of|at) )?"
    r"(?P<off2>\d{1,2})(?:\s?/\s?10)?[,;]?(?: and| but)? "
    rf"(?:with|w/|w|on|after){_DRUG_OR_IT} (?:pain )?(?:(?:is|was|of|at) )?"
    r"(?P<on2>\d{1,2})\b(?:\s?/\s?10)?(?! ?(?:mg|min|day|week|month|hour|block|pound|lb|tab|pill))"
)
_WITHOUT_WITH = re.compile(
    r"(?P<off>\d{1,2})(?:\s?/\s?10| out of 10)? (?:pain )?(?:without|off|before|w/o)[^.;]{0,50}?"
    r"(?P<on>\d{1,2})(?:\s?/\s?10| out of 10) (?:pain )?(?:with\b|w\b|w/|on\b|after)|"
    r"(?P<on2>\d{1,2})(?:\s?/\s?10| out of 10)? (?:pain )?(?:with\b|w\b(?!/o)|w/(?!o)|on\b|after)"
    r"[^.;]{0,50}?(?P<off2>\d{1,2})(?:\s?/\s?10| out of 10)? (?:pain )?(?:without|off|before|w/o)"
)
# "Pain is 2/10 with acetaminophen": little is left of it.
_LITTLE_LEFT = re.compile(
    r"(?<![\d./])[0-3](?:\s?/\s?10| out of 10)(?: pain)? (?:with|on|while taking|w/) (?!motion|"
    r"activ|movement|exam|palp|rest|use|walk|lift|work|flex|ext|abd|rot|range|stand|sit|"
    rf"\d|the (?:left|right)|left|right|average|presentation){_MONTHS}"
)
_SCORES = (_WITHOUT_WITH, _FALL, _FELL_FOR, _TO_WITH, _BASE_WITH, _BEFORE_AFTER)
# Two scores that may be a range, or of two tasks, tell of relief only where the second is less.
_MAY_BE_RANGES = frozenset({_FELL_FOR, _TO_WITH, _BASE_WITH})
_WORKS_ON_PAIN = 30.0
"""Percent of relief from which a treatment counts as helping (MTUS Chronic Pain 2009 p. 16)."""
# Percent of relief that a share in words stands for ("three quarters of the pain").
_SHARES: dict[str | None, float] = {
    "all": 100, "nearly all": 90, "almost all": 90, "most": 70, "three quarters": 75,
    "three-quarters": 75, "two thirds": 67, "two-thirds": 67, "third": 33, "quarter": 25,
    "fifth": 20, "tenth": 10, "little": 10, "none": 0,
}  # fmt: skip


def responses(summary: Summary) -> Iterator[Statement]:
    """What care did, each with the treatment it belongs to."""
    for mention in summary.mentions("response"):
        if mention.rule.id in _IN_VAIN and _CARE_AFTER.match(summary.after(mention, 60)):
            yield state(summary, mention, "response", "conservative", "failed", of="care")
        if mention.value == "neutral" or mention.qualifier in ("hypothetical", "other_person"):
            continue
        planned = mention.qualifier == "requested" and mention.rule.id != _DESPITE
        if planned and not _of_use(summary, mention):
            continue
        if _no_response(summary, mention):
            continue
        if mention.value == _MEASURED:
            yield from _score_change(summary, mention)
        elif "share" in mention.groups:
            percent, weeks = _SHARES[mention.groups["share"]], _longest(summary, mention)
            helps: Polarity = "helped" if percent >= _WORKS_ON_PAIN else "failed"
            yield from _response(summary, mention, helps, percent, weeks=weeks)
        else:
            yield from _in_words(summary, mention)
    yield from _percents(summary)
    yield from _falls(summary)


# "Recommends a scan for lack of improvement": the reason of a plan tells what care did not do.
_REASON = re.compile(
    r"\b(?:for|due to|because of|given|owing to|secondary to|in (?:view|light) of|based on|after)"
    r"(?: (?:the|his|her|an?))? $"
)


def _longest(summary: Summary, mention: Mention) -> float | None:
    """The weeks of the longest time that the clause of a relief tells."""
    clause = clause_of(summary, mention)
    spans = (days for _, days, ago in spans_of_time(summary, clause) if not ago)
    return _weeks(max(spans, default=None) or days_until(summary, mention))


def _weeks(days: float | None) -> float | None:
    return None if days is None else round(days / 7, 1)


def _in_words(summary: Summary, mention: Mention) -> Iterator[Statement]:
    """A response without a number, unless it is a half."""
    polarity: Polarity = mention.value  # type: ignore[assignment]
    # Denied in its own part of the sentence: not by "no red flags, strain resolved".
    denied = mention.qualifier == "negated" and _DENIED_CLOSE.search(summary.before(mention, 60))
    if polarity in ("helped", "resolved", "some") and denied:
        polarity = "failed"
    after = summary.after(mention, 60)
    if polarity == "helped" and (_SOME_AFTER.match(after) or _UNMEASURED.match(after)):
        polarity = "some"
    if polarity == "resolved" and _one_of_several(summary, mention):
        return
    rule = mention.rule.id
    percent = 50.0 if "half" in rule else _NEARLY_ALL if rule.startswith("strong") else None
    # "Much better" after an injection is no measure of its relief.
    if rule == "much_better" and not _of_injection(summary, mention):
        percent = _NEARLY_ALL
    # "Down to about one a week" is how often, not how long.
    unlasting = rule in ("works_well", "less_than_before")
    lasts = polarity in ("helped", "some", "temporary") and not unlasting
    weeks = _lasted(summary, mention) if lasts else None
    if weeks is not None and weeks <= _SHORT_RELIEF:
        polarity = "temporary"
    yield from _response(summary, mention, polarity, percent, weeks=weeks)


_OTHER_SYMPTOM = re.compile(
    r"\b(?:numb\w*|tingl\w*|par[ae]?esthesi\w*|dysesthesi\w*|swelling|bruising|nausea|dizziness)\b"
)
_WHOLE = re.compile(r"\b(?:pain\w*|symptoms?|sx|complaints?|condition|injury|sprain|strain)\b")
_PAIN_PERSISTS = re.compile(
    r"\b(?:persist\w*|continu\w*|ongoing|still)\b[^.;]{0,60}\bpain\b|"
    r"\bpain\b[^.;]{0,40}\b(?:persists?|persisted|continues?|remains?)\b"
)


def _one_of_several(summary: Summary, mention: Mention) -> bool:
    """Whether what is gone is numbness or the like, while the pain goes on."""
    words = clause_text(summary, mention)
    other = _OTHER_SYMPTOM.search(words) and not _WHOLE.search(words)
    return bool(other and _PAIN_PERSISTS.search(summary.lower))


_NEARLY_ALL = 80.0
"""Percent of relief that words for nearly all of it stand for ("all but gone")."""


def _score_change(summary: Summary, mention: Mention) -> Iterator[Statement]:
    """A score before and after ("pain 9 -> 4"); "from 5 to 7" may be a range."""
    before, after = map(_number, _from_and_to(mention))
    percent = round(100 * (before - after) / before, 1) if before else 0.0
    if percent >= 0 or mention.groups.get("then"):
        less: Polarity = "unchanged" if percent >= 0 else "worsened"
        helps: Polarity = "helped" if percent >= _WORKS_ON_PAIN else less
        yield from _response(summary, mention, helps, percent)


def _of_use(summary: Summary, mention: Mention) -> bool:
    """Whether a plan tells of use so far ("continue it, on it 14 months, no relief"; "six visits
    were approved and used, disability from 60 to 40"), or of what is past ("therapy has failed and
    surgery is considered").
    """
    if _FAILED_SO_FAR.search(summary.before(mention, 24)):
        return True
    if mention.rule.id == "no_relief" and _REASON.search(summary.before(mention, 30)):
        return True
    before = (
        m
        for m in _named(summary, mention.sentence)
        if m.start < mention.start and mention.start - m.end <= _USE_REACH
    )
    return any(
        m.value == IN_USE
        or beside("used_after_approval", summary, m)
        or _HAD_APPROVED.search(summary.before(m, 60))
        or _DONE_NEXT.match(summary.after(m, 30))
        for m in before
    )


_FAILED_SO_FAR = re.compile(r"\b(?:has|have) (?:now |all |also |not |since |clearly )?$")
# "PT 2 of 6 approved; chiro x 6 done, no change".
_DONE_NEXT = re.compile(
    r"^(?: ?(?:x|#) ?\d{1,2})?(?: (?:visits|sessions))?(?: (?:was|were))? (?:done|completed|"
    r"attended|finished|tried|used)\b"
)
# "She had 12 of 12 authorized visits with flexion from 70 to 110": approval is no plan here.
_HAD_APPROVED = re.compile(
    r"\b(?:had|attended|completed|finished|used|did)(?: (?:all|his|her|the|of|six|eight|ten|twelve|"
    r"\d{1,2})){0,4} (?:authorized|approved|certified) (?:\w+ ){0,2}$"
)
_USE_REACH = 80
_SHORT_RELIEF = 2.0
"""Weeks up to which relief is temporary, whatever gave it."""
_LASTED_AFTER = 24


def _lasted(summary: Summary, mention: Mention) -> float | None:
    """The weeks that stand right beside a relief ("relief for two days", "0-1 wk relief")."""
    told = _told_span(mention.groups)
    if told is not None:
        return told
    noun = mention.text.lower() in _NOUNS
    for start, days, ago in spans_of_time(summary, clause_of(summary, mention)):
        if mention.end <= start <= mention.end + _LASTED_AFTER:
            beside = bool(_LASTING.fullmatch(summary.lower[mention.end : start]))
        else:
            beside = noun and bool(_SPAN_BEFORE.fullmatch(summary.lower[start : mention.start]))
        if not ago and (beside or mention.start <= start < mention.end):
            return _weeks(days)
    return _weeks(days_until(summary, mention))


_MONTHS_IN_ORDER = tuple("jan feb mar apr may jun jul aug sep oct nov dec".split())  # noqa: SIM905
_FEW = {"a": 1, "an": 1, "couple": 2, "few": 3, "several": 3}
_WEEKS = {"h": 1 / 168, "d": 1 / 7, "w": 1.0, "m": 4.3, "y": 52.0}


def _told_span(groups: Mapping[str, str | None]) -> float | None:
    """The weeks that the words tell: "wore off after three weeks", "March until June"."""
    first = groups.get("from") or groups.get("since")
    last = groups.get("to") or groups.get("till")
    if first and last:
        months = _MONTHS_IN_ORDER.index(last) - _MONTHS_IN_ORDER.index(first)
        return round(_WEEKS["m"] * (months % 12), 1)
    number, unit = groups.get("n") or groups.get("m"), groups.get("unit") or groups.get("of")
    if not number or not unit:
        return None
    return round((_FEW.get(number) or count_of(number) or 0) * _WEEKS[unit[0]], 1)


_NOUNS = frozenset({"relief", "benefit", "improvement"})
_LASTING = re.compile(
    r"(?: (?:him|her|me|them)\b)?"
    r"(?: ?(?:the|his|her|my)(?: \w+)? (?:pain|aching|ache|symptoms?))?[,:]? ?"
    r"(?:(?:for|of|lasting|lasted|x|only|about|just|some|up to|~) ?)*"
)
_SPAN_BEFORE = re.compile(r"[\w.-]{1,9}(?:[ -]?(?:to|or|-) ?\w{1,9})?[ -]?[a-z]{1,9} (?:of )?")
# "20% back and 80% leg" says where the pain is.
_SHARE_OF_PAIN = re.compile(
    r" ?(?:in (?:the |his |her )?)?(?:low |axial )?(?:back|neck|axial|legs?|arms?|radicular|"
    r"buttocks?)(?: pain)?(?=,| and\b| ?/|;|\.| vs\b| versus\b)"
)


def _percents(summary: Summary) -> Iterator[Statement]:
    """Percentages of relief, with what they are compared to and how long it lasted."""
    for mention in summary.mentions("relief"):
        printed = _PERCENT.match(summary.lower, mention.start)
        if mention.value != "percent" or printed is None:
            continue
        if mention.qualifier in ("requested", "hypothetical"):
            continue
        before, after = summary.before(mention, 30), summary.after(mention, 30)
        eased = _EASED.search(clause_text(summary, mention)) or (
            _RATED_AS.search(before) and _of_injection(summary, mention)
        )
        if not eased or _NOT_EASED.search(after) or _SHARE_OF_PAIN.match(after):
            continue
        less = _LESS.search(summary.before(mention, 24)) is not None
        percent, weeks = float(printed["high"] or printed["low"]), _longest(summary, mention)
        helps = percent > _WORKS_ON_PAIN or (percent == _WORKS_ON_PAIN and not less)
        polarity: Polarity = "helped" if helps else "failed"
        yield from _response(summary, mention, polarity, percent, "<" if less else "=", weeks)


# "ESI #1: 20-30% only", "TFESI 6/2 -> 80%", "which she graded at 85 percent": a bare percentage
# behind an injection is the relief it gave.
_RATED_AS = re.compile(
    r"(?:[:=→>]\s?|\b(?:graded|rated|estimated|put|scored|got|gave) (?:it |this |that )?"
    r"(?:at |as )?)(?:~|≈|only |about |just |maybe )?$"
)


def _of_injection(summary: Summary, mention: Mention) -> bool:
    """Whether what a response belongs to are injections or the like."""
    invasive = ("injection", "radiofrequency")
    return any(cause.value in invasive for cause in _causes(summary, mention))


def _falls(summary: Summary) -> Iterator[Statement]:
    """Pain scores with and without a treatment, as a percentage of relief."""
    for mention in summary.mentions("pain_score"):
        clause = clause_of(summary, mention)
        for pattern in _SCORES:
            match = pattern.search(summary.lower, clause.start, clause.end)
            if match is None or not (match.start() < mention.end and mention.start < match.end()):
                continue
            known = {k.rstrip("23"): float(v) for k, v in match.groupdict().items() if v}
            off, on = known["off"], known["on"]
            least = off - 1 if pattern in _MAY_BE_RANGES else off
            if 0 < off <= 10 and on <= (10 if pattern is _FALL else least):
                percent = round(100 * (off - on) / off, 1)
                helps: Polarity = "helped" if percent >= _WORKS_ON_PAIN else "failed"
                weeks = _longest(summary, mention) if pattern is _FELL_FOR else None
                yield from _response(summary, mention, helps, percent, weeks=weeks)
            break
        else:
            if _SAME_WITH.match(summary.lower, mention.start, clause.end):
                yield from _response(summary, mention, "failed", 0.0)
            if _LITTLE_LEFT.match(summary.lower, mention.start, clause.end):
                yield from _response(summary, mention, "helped")


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
    causes = _causes_of(summary, mention, polarity)
    if any(cause.qualifier == "other_person" for cause in causes):
        return
    goes_on = mention.rule.id == _PERSISTS
    if goes_on and (not causes or _helped_all_the_same(summary, mention)):
        # Complaints that go on are what care did only where the sentence names the care.
        yield state(summary, mention, "complaint", "pain", "affirmed")
        return
    if not causes and mention.rule.id not in _IN_VAIN:
        yield state(summary, mention, "response", "care", polarity, **said)
    for concept, cause in {care_concept(cause): cause for cause in causes}.items():
        unplaced = told_before(summary, cause)
        own = () if unplaced else place_of(summary, cause)[0]
        if concept in SPINAL:
            own = tuple(region for region in own if region in SPINE)
        # The visits of a course of care that stand next to it.
        visits = sessions_had(summary, cause) if cause.value in _COURSES_OF_CARE else None
        more = {"of": _called(cause), "count": visits}
        found = state(summary, mention, "response", concept, polarity, own, **more, **said)
        # Nor does the sentence before place what care of the whole person did.
        anywhere = unplaced and not parts_of(summary, mention.sentence)
        yield replace(found, regions=(), side=None) if anywhere else found


# "Massage has helped, but the neck is still stiff": what goes on is no failure of what helped.
_HELPED_BEFORE = re.compile(
    r"(?<!not )(?<!never )\b(?:has |have |had )?(?:helped|been helping|been (?:helpful|beneficial)|"
    r"helps|is helping|are helping|improved|improving|is helpful)\b"
    r"(?! (?:very )?(?:little|only|minimal|temporar|for a))[^.;]{0,40},? "
    r"(?:but|although|though|yet|however)\b[^.;]{0,40}$"
)


def _helped_all_the_same(summary: Summary, mention: Mention) -> bool:
    """Whether the words before complaints that go on say that care has helped."""
    return _HELPED_BEFORE.search(summary.before(mention, 120)) is not None


# "Has failed care": what failed is conservative care.
_CARE_AFTER = re.compile(
    r"^ (?:(?:all|conservative|non-?operative|non-?surgical|further|prior|attempts? at|other) )*"
    r"(?:care|treatments?|management|measures|modalities)\b"
)
_EASING = frozenset({"helped", "temporary", "some", "percent"})


def _nearest_injection(causes: list[Mention], mention: Mention) -> list[Mention]:
    """Relief told after "therapy and one injection" is the injection's."""
    nearest = min(causes, key=lambda cause: abs(cause.start - mention.start), default=None)
    told_after = nearest and nearest.value == "injection" and nearest.end <= mention.start
    if not told_after or mention.value not in _EASING:
        return causes
    return [cause for cause in causes if cause.value == "injection"]


# "Asks for a patch for burning despite gabapentin": the reason of a request tells of what failed.
_DESPITE = "despite"
_PERSISTS = "persists"
_FAILED = "failed"
_NAMED_BESIDE = frozenset({_PERSISTS, _FAILED})
# What fails is care that is named: "works full shifts despite her pain" tells of none.
_IN_VAIN = frozenset({_FAILED, _DESPITE})


def _causes_of(summary: Summary, mention: Mention, polarity: Polarity) -> list[Mention]:
    """What a response is put down to; some only to care that their own sentence names.

    "Old ankle sprain, resolved" is not what the care before it did; what makes things worse stands
    before it.
    """
    causes = _nearest_injection(_causes(summary, mention), mention)
    beside = [cause for cause in causes if cause.sentence == mention.sentence]
    if polarity == "worsened":
        return [cause for cause in beside if cause.start < mention.start]
    if mention.rule.id in _NAMED_BESIDE:
        return beside
    return [] if polarity == "resolved" and len(beside) < len(causes) else causes


def _called(cause: Mention) -> str:
    """The generic name of a drug, the class where only that is named; of other care its kind."""
    return cause.rule.extra.get("generic") or care_concept(cause)


_COURSES_OF_CARE = frozenset(
    {"physical_therapy", "occupational_therapy", "chiropractic", "acupuncture", "massage"}
)
_NO_CAUSE = frozenset({*DENIALS, *MONITORING})
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
    sentence = mention.sentence
    care = [
        m
        for m in (*_named(summary, sentence - 1), *_named(summary, sentence))
        if not _CHANGED.match(summary.lower[mention.end : m.start])
        and not _DOSE_CHANGED.match(summary.after(m, 40))
    ]
    cause = _cause(summary, mention, care)
    if cause is None:
        return []
    if cause.value == IN_USE:
        return [antecedent(summary, cause) or cause]
    at = care.index(cause)
    first = last = at
    while first and _listed(summary, care[first - 1], care[first], mention):
        first -= 1
    while last + 1 < len(care) and _listed(summary, care[last], care[last + 1], mention):
        between = summary.lower[care[last].end : care[last + 1].start]
        if mention.qualifier == "requested" and "," in between:
            break  # "despite gabapentin, tramadol #60": the next entry of a plan
        last += 1
    return care[first : last + 1]


# "TENS at PT: no benefit": where, and not what.
_AT = re.compile(
    r"\b(?:at|during) $|\b(?:tens|unit|traction|h-?wave|interferential|ultrasound|massage|heat)\b"
    r"[^.;,]{0,20}\bin (?:the |his |her )?$"
)


@once
def _causes_named(summary: Summary) -> dict[int, list[Mention]]:
    """Care and drugs that a response can belong to, in order, by sentence."""
    found: dict[int, list[Mention]] = {}
    for m in sorted([*care_named(summary), *summary.mentions("medication")], key=lambda m: m.start):
        if m.value in _NO_CAUSE or _AT.search(summary.before(m, 50)):
            continue
        if m.value != COURSE or not counted_by_kind(summary, m):
            found.setdefault(m.sentence, []).append(m)
    return found


def _named(summary: Summary, sentence: int) -> Sequence[Mention]:
    return _causes_named(summary).get(sentence, ())


# What stands behind a response is its cause where it is introduced as one.
_INTRODUCED = re.compile(
    r"\b(?:with|from|by|to|on|after|of|following|due to|using|for|in|during)\b[^,;]*$"
)
_NOT_INTRODUCED = 500
_IT_DID = re.compile(r"\s*(?:it|they|that|this|these) (?!is\b|are\b|was\b|were\b)")


def _distance(summary: Summary, mention: Mention, cause: Mention) -> int:
    """How far a cause is from a response, in characters; "70% relief and let her stop Fioricet"."""
    if mention.rule.id == _DESPITE:  # "a patch for burning despite gabapentin"
        return abs(cause.start - mention.end) + _NOT_INTRODUCED * (cause.start < mention.start)
    if cause.start < mention.end:
        return mention.start - cause.end
    between = summary.lower[mention.end : cause.start]
    far = 0 if _INTRODUCED.search(between) else _NOT_INTRODUCED
    return cause.start - mention.end + far


def _cause(summary: Summary, mention: Mention, care: Sequence[Mention]) -> Mention | None:
    clause = clause_of(summary, mention)
    inside = [m for m in care if clause.start <= m.start < clause.end]
    before = [m for m in care if m.start < mention.start]
    headed = before and summary.lower.startswith(":", clause.start)
    headed = headed and before[-1].sentence == mention.sentence and before[-1].end <= clause.start
    if headed and inside and "," in summary.lower[mention.end : inside[0].start]:
        return before[-1]  # "ESI in May: 60% relief, Norco 4->2"
    if inside:
        nearest = min(inside, key=lambda m: _distance(summary, mention, m))
        earlier = [m for m in before if m.sentence < mention.sentence]
        # "She had an epidural. It eased the leg, and she took half the pills": what "it" was.
        aside = earlier and _distance(summary, mention, nearest) >= _NOT_INTRODUCED
        it_did = aside and _IT_DID.match(summary.lower, summary.bounds[mention.sentence])
        return earlier[-1] if it_did else nearest
    if before:
        return before[-1]
    return next((m for m in care if m.sentence == mention.sentence), None)


def _listed(summary: Summary, one: Mention, other: Mention, response: Mention) -> bool:
    """Whether two mentions are neighbours in a list that the response does not cut."""
    if one.sentence != other.sentence or one.end <= response.start < other.start:
        return False
    between = summary.lower[one.end : other.start]
    if between in ("", " "):
        return True  # "topical diclofenac"
    return len(between) <= _IN_LIST_MOST and _IN_LIST.match(between) is not None


_MEASURED = "measured"
_CHANGED_FROM = re.compile(
    r"from|rose|ris(?:en|ing)|increas|improv|went|gone|\bup\b|gain|->|→|advanc|progress|fell|drop|"
    r"decreas|down|intake|visit|instead|formerly|rather|\bvs|versus|before|start|first|"
    r"previous|\bwas\b|had been|\bwere\b"
)
# "Chiro x 6: flexion 30 to 60, sits 20 to 45 min": what stands behind a course is a change, but
# for a motion that begins near zero, which may be an arc.
_AFTER_COURSE = re.compile(
    r"\b(?:visits?|sessions?|therapy|pt|ot|chiro\w*|acup\w*|treatments?|x ?\d{1,2}|progress\w*|"
    r"summary|discharge|final|quantif\w*|gains?|outcomes?|changes?)\b[^.;]{0,90}$"
)
# "The therapist reports pain 6/10 to 3/10; flexion 20 to 45": after one change stands another.
_AFTER_SCORES = re.compile(r"\d/10 (?:to|-+>|→) \d{1,2}(?:/10)?[,;] [^.;,\d]{0,30}$")
_FIRST_SEEN = re.compile(r"\b(?:eval\w*|exam\w*|initial|intake|baseline|goals?|normal|range)\b")
_AN_ARC = re.compile(r"\b(?:flex\w*|ext\w*|motion|rom|elevation)\b")
_ARC_FROM = 15


def _after_course(summary: Summary, mention: Mention) -> bool:
    """Whether two bare numbers ("flexion 30 to 60") are those before and after a course."""
    before, text = summary.before(mention, 120), mention.text.lower()
    course = _AFTER_COURSE.search(before) or _AFTER_SCORES.search(before)
    if not course or _FIRST_SEEN.search(before):
        return False
    arc = _AN_ARC.search(text) and float(mention.groups.get("before") or 0) <= _ARC_FROM
    return not arc


def _closer(_summary: Summary, mention: Mention) -> Polarity:
    """Fingertips that come nearer to the palm or the floor are a gain."""
    before, after = map(float, _from_and_to(mention))
    return "improved" if after < before else "not improved"


def _from_and_to(mention: Mention) -> tuple[str, str]:
    """The numbers before and after, as printed; "0" where there is none."""
    groups = mention.groups
    before, after = groups.get("before") or groups.get("then"), groups.get("after")
    return before or "0", after or groups.get("now") or "0"


def _measured(summary: Summary, mention: Mention) -> Polarity | None:
    """A motion, strength or load that grew ("from 60 to 115") is a gain; no other one is.

    "Motion is 20 to 65 degrees" is an arc, and no change.
    """
    if not _CHANGED_FROM.search(mention.text.lower()) and not _after_course(summary, mention):
        return None
    units = _units(mention.text.lower() + summary.after(mention, 12))
    before, after = _from_and_to(mention)
    if not (before in units and after in units):
        units = {}  # "20 to 45 minutes"
    more = _number(after) * units.get(after, 1.0) > _number(before) * units.get(before, 1.0)
    return "improved" if more else "not improved"


def _number(text: str) -> float:
    """A number in digits or in words."""
    return float(count_of(text) or 0)


_WITH_UNIT = re.compile(r"(\d{1,3}) ?(hours?|hrs?|min(?:ute)?s?|miles?|blocks?)\b")
_SCALES = {"h": 60.0, "mil": 10.0}


def _units(text: str) -> dict[str, float]:
    """The numbers with a unit of time or way, and its size: "15 minutes to 1 hour" is a gain."""
    found = _WITH_UNIT.findall(text)
    return {
        number: next((size for start, size in _SCALES.items() if unit.startswith(start)), 1.0)
        for number, unit in found
    }


def _dose(_summary: Summary, mention: Mention) -> Polarity | None:
    """Whether fewer pills are taken than before ("Norco 4->2"); "1 to 2 a day" is a range."""
    if float(mention.groups["after"] or 0) < float(mention.groups["before"] or 0):
        return "medication reduced"
    text = mention.text.lower()
    return None if " to " in text and "from" not in text else "medication same"


# What two numbers, before and after, say of a task, a distance and a dose.
_CHANGES: dict[str, Callable[[Summary, Mention], Polarity | None]] = {
    _MEASURED: _measured,
    "distance": _closer,
    "dose": _dose,
}
_NEGATED_FUNCTION: dict[Polarity, Polarity] = {
    "improved": "not improved",
    "worked": "not improved",
    "medication reduced": "medication same",
}
_TASKS = frozenset({"can_again", "can_now_do", "let_me", "task_done"})
_LOSS = 0.85
"""The share of a measure below which it got worse: less is within the error of measurement."""


def _lost(mention: Mention) -> bool:
    """Whether a motion, strength or load fell."""
    before, after = map(_number, _from_and_to(mention))
    return after < _LOSS * before


# Who is not back at work or at a sport may have gained all the same.
# "Was returned to modified work": what the doctor wrote, where no care is named that did it.
_SENT_BACK = re.compile(
    r"\b(?:was|were|is|be|been|being)(?: \w+)? (?:returned|released) to (?:\w+ ){0,2}?"
    r"(?:work|duty|duties|job)$"
)
_USUAL = re.compile(r"\b(?:full|regular|usual|normal|unrestricted|customary)\b")
# "Is able to shop but tires": what can be done tells of a gain beside what could not.
_BARELY_ABLE = re.compile(r"(?:(?:is|was|been|are) )?able to$")
_YET = re.compile(
    r"\b(?:but|although|though|however|yet|with (?:some )?(?:difficulty|pain|trouble))\b"
)
_OFF_WORK = re.compile(r"\b(?:work|duty|ttd|tpd|disability|disabled|working)$|^resumed\b")
_OF_CARE = frozenset({"improved", "not improved", "worked", "medication reduced"})
_OF_THE_PERSON = frozenset({"worked", "medication reduced", "medication same"})
_NOT_INSIDE = re.compile(
    r"\b(?:not|never|hardly|barely|no (?:better|more|further|longer|improve\w*|gains?|"
    r"increase\w*))\b"
)
# What somebody else does, a dose that cannot be raised, and a bare length of time ("sits 20
# minutes") are no gain and no loss.
_SOMEBODY_ELSE = re.compile(
    r"\b(?:husband|wife|spouse|son|daughter|family|mother|father|sister|brother|friend|neighbor|"
    r"someone|caregiver|aide|helper|roommate)\b[^.;,]{0,24}$"
)
_A_DOSE = re.compile(r"^[^.;,]{0,30}\b(?:dos(?:e|es|age)|nsaids?|opioids?|medicat\w+|pills?)\b")
_BARE_EXTENT = re.compile(
    r"(?:\d|one|two|three|four|five|six|an?) (?:min(?:ute)?s?|pounds|lbs|hours?|hrs?|blocks?)$"
)
# "Walks one block", "sits ten minutes": what most people exceed without a thought.
_SMALL_EXTENT = re.compile(
    r"(?:half a|one|an?|1) block$|\b(?:five|ten|fifteen|[2-9]|1[0-5]) min(?:ute)?s?$|"
    r"(?<!\d)(?:one|two|three|four|five|[1-5]) (?:pounds|lbs)$"
)
_COMPARED = re.compile(
    r"\b(?:now|again|farther|further|longer|more|better|lets?|allow\w*|able|after|since|vs|"
    r"w(?:/(?!o)|(?:ith)?\b(?!/| (?:an? |his |her |the |much |severe )?(?:pain|difficult|limp|cane|"
    r"walker|rest|crutch|help|assist|discomfort)| (?:the |an )?ability| \d+ (?:\w+ )?(?:sessions|"
    r"visits)))|"
    r"versus|instead|rather|(?<!ranging )(?<!ranges )from (?:\d|an?\b|one|two|five|ten)|before|"
    r"previously|formerly|up to|increas\w+|resumed|twice|because)\b|->|→"
)
# "VAS 8 off meds, 4 on meds" compares two scores.
_OFF_AT = re.compile(r"(?<![\d/])\d{1,2}(?: ?/ ?10)?,? (?:pain )?$")
# "Panic attacks are down from daily to weekly": no pills.
_OF_ATTACKS = re.compile(
    r"\b(?:panics?|attacks?|nightmares?|headaches?|migraines?|flashbacks?|seizures?|episodes?|"
    r"spells?)\b[^.;,]*$"
)


def _no_function(summary: Summary, mention: Mention) -> bool:
    """Whether words for a task say nothing of the function of the injured worker."""
    rule, before, words = mention.rule.id, summary.before(mention, 50), mention.text.lower()
    if mention.qualifier in ("hypothetical", "other_person") or beside(
        "unstated", summary, mention
    ):
        return True
    # "Since the last authorization he had to add oxycodone": no plan in spite of the word before.
    if mention.qualifier == "requested" and rule != "had_to_add" and not _of_use(summary, mention):
        return True
    if _SOMEBODY_ELSE.search(before) or (rule == "dose_frequency" and _OF_ATTACKS.search(before)):
        return True
    if not _care_in_clause(summary, mention) and _as_before(summary, mention):
        return True
    if words.startswith("off ") and _OFF_AT.search(summary.before(mention, 12)):
        return True
    if mention.value == "limited":
        return _A_DOSE.match(summary.after(mention, 50)) is not None
    return _bare(summary, mention) and not _SMALL_EXTENT.search(words)


def _as_before(summary: Summary, mention: Mention) -> bool:
    """Whether words for a gain only tell what somebody does or may do, without any change."""
    words = mention.text.lower()
    sent = _SENT_BACK.search(summary.before(mention, 24) + words)
    if sent is not None:
        return _USUAL.search(words) is None
    able = mention.rule.id == "able" and _BARELY_ABLE.fullmatch(words)
    sentence_end = summary.sentence_span(mention.sentence)[1]
    return bool(
        able
        and _YET.search(summary.lower, mention.end, sentence_end)
        and not _COMPARED.search(clause_text(summary, mention).replace("able", ""))
    )


def _bare(summary: Summary, mention: Mention) -> bool:
    """Whether an extent ("walks two blocks") is compared with none."""
    words = mention.text.lower()
    extent = words.startswith("walking ") or _BARE_EXTENT.search(words)
    bare = extent and mention.rule.id in ("does", "reaches")
    return bool(bare) and not _COMPARED.search(clause_text(summary, mention))


def _function_polarity(summary: Summary, mention: Mention) -> Polarity | None:
    """Whether words for a task tell of a gain; None where they tell of neither."""
    if mention.value in _CHANGES:
        return _CHANGES[mention.value](summary, mention)
    polarity: Polarity = mention.value  # type: ignore[assignment]
    if mention.qualifier == "negated":
        if polarity == "limited":
            return None
        if polarity != "worked" or _DENIED_CLOSE.search(summary.before(mention, 60)):
            polarity = _NEGATED_FUNCTION.get(polarity, polarity)
    if polarity == "improved" and _bare(summary, mention):
        polarity = "limited"
    if polarity == "improved" and _NOT_INSIDE.search(mention.text.lower()):
        polarity = "not improved"
    return polarity


def functions(summary: Summary) -> Iterator[Statement]:
    """Function, work and use of medication: better, the same or limited."""
    for mention in summary.mentions("function"):
        if _no_function(summary, mention):
            continue
        polarity = _function_polarity(summary, mention)
        if polarity is None:
            continue
        causes = _care_of_function(summary, mention) if polarity in _OF_CARE else []
        off = polarity == "not improved" and _OFF_WORK.search(mention.text.lower())
        named = _named(summary, mention.sentence)
        if off and not any(m.start < mention.start for m in named):
            continue
        if polarity == "medication reduced":
            causes = [cause for cause in causes if cause.rule.family != "medication"]
        cause = min(causes, key=lambda m: abs(m.start - mention.start), default=None)
        of = cause and _called(cause)
        said = state(summary, mention, "function", "function", polarity, of=of)
        # Work and pills are the whole person's, whatever part the sentence names.
        whole = polarity in _OF_THE_PERSON or mention.rule.id == "still_off"
        # Nor does a task place itself ("can turn my head again", "steps foot over foot").
        parts = parts_of(summary, mention.sentence) if mention.rule.id in _TASKS else ()
        whole = whole or any(mention.start <= part.start < mention.end for part in parts)
        yield replace(said, regions=(), side=None) if whole else said
        if mention.value == _MEASURED and polarity == "not improved" and _lost(mention):
            yield state(summary, mention, "sign", "worsening", "affirmed")
