"""Treatment received before the request: therapies, injections, operations, sessions, response.

Received means done or under way ("completed five visits", "continue physical therapy", a list of
past treatments); ordered, requested, scheduled, authorized or denied care does not count.  An
operation also counts where a diagnosis implies it (failed back surgery syndrome, post-operative
visit).  Lexicon: ``lexicons/treatment.csv``.

Measured on the 135 annotated letters (130 in ``tests/annotations``, five in the reference set), of
which half were read while the rules were written: precision and recall 1.00 for each of physical
therapy (58 positive), surgery (14), chiropractic (13), injection (9) and acupuncture (5); session
counts 25 of 26.  Before any correction from these letters it was 0.97 and 0.98 for physical
therapy; of 80 phrases written afterwards, radicular signs among them, 77 came out right.

Source of the definitions: the reading rules of the annotations (``tests/annotations/GUIDE.md``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from imr.data.letter import Case, Item
from imr.data.quantity import COUNT, count_of
from imr.features.context import Mention, Summary, once
from imr.features.signal import Findings, Value

FAMILY = "treatment"
_PRIOR = (
    "physical_therapy", "chiropractic", "acupuncture", "injection", "surgery",
    "occupational_therapy", "home_exercise", "massage", "tens", "bracing", "heat_cold",
    "activity_modification", "psychotherapy", "shockwave", "traction", "radiofrequency",
    "medication",
)  # fmt: skip
_KINDS = ("epidural", "facet", "joint", "trigger_point")
_COUNTED = ("physical_therapy", "chiropractic", "acupuncture", "occupational_therapy")
# Which past treatment a request of a subcategory would repeat.
_SAME = {
    "Physical Therapy": "physical_therapy",
    "Occupational Therapy": "occupational_therapy",
    "Chiropractic": "chiropractic",
    "Acupuncture": "acupuncture",
    "Electrical Stimulation": "tens",
    "Therapies": "psychotherapy",
}
_CONSERVATIVE = (
    *_COUNTED, "home_exercise", "bracing", "tens", "massage", "conservative",
)  # fmt: skip
_N = COUNT
_UNIT = r"(?:sessions?|visits?|treatments?|sessions?'s|appointments?)"
_FILLER = (
    r"(?:[\s,(]+(?:a|an|the|of|hours?|days?|weeks?|months?|his|her|their|at|least|about|approximately|over|almost|nearly|only|"
    r"additional|more|out|some|several|multiple|few|number|total|course|rounds?|initial|formal|"
    r"prior|previous|past|recent|outpatient|post-?op(?:erative)?|for|with|to|both|any|far|"
    rf"left|right|bilateral|supervised|extensive|first|second|third|all|and|{_N}\)?|#\d+|x\d*|{_UNIT}|"
    r"authorized|approved|certified|prescribed|"
    r"physical therapy|pt|chiropractic|acupuncture|chiro|medications?|nsaids?|rest|"
    r"conservative (?:care|treatment|therapy)|including|such as|like)\)?)"
)
_RECEIVED_BEFORE = re.compile(
    r"(?P<not>\b(?:not|never|no|without|denie[sd]|denying|declined|refused|"
    r"(?:do|did|does|has|have|had|is|was|were|are)n['’]?t|yet to|if|until|"
    r"to be|will be|be|lack of|evidence of|documentation of|should|would|could|will|to|"
    r"unless)\s+(?:yet |previously |been |have |had |having |any |adequately |fully |"
    r"successfully )*)?\b(?:completed|completion of|attended|attending|underwent|undergone|"
    r"undergoing|finished|received(?! for\b)|receiving|tried|trialed|participated in|"
    r"participating in|began|begun|started|starting|initiated|gone to|going to|went to|been to|"
    r"been in|had|having had|has had|treated with|managed with|progress(?:ing)? (?:in|with)|"
    r"given(?! (?:to|for)\b)|administered|performed|doing|done|status[- ]post|s/p)"
    rf"{_FILLER}{{0,10}}[\s,(]*$"
)
# To continue a therapy says that it is under way; only right before it, not down a list.
_CONTINUED_BEFORE = re.compile(
    r"\b(?:continue[sd]?|continuing|continuation|resume[sd]?)(?: (?:with|of|to|attend|his|her|"
    r"the|in|current|attending|do|doing|outpatient|formal|post-?op(?:erative)?|\d+|sessions?|"
    r"visits?))* $"
)
_RESPONSE_BEFORE = re.compile(
    r"(?P<not>\b(?:would|may|might|could|should|will|can|(?<!failed )(?<!failing )(?<!failure )"
    r"(?<!seem )(?<!seems )(?<!seemed )(?<!appear )(?<!appears )(?<!appeared )to|"
    r"evidence of|documentation of)\s+(?:\w+\s+)?)?\b(?:relief|improve(?:d|ment)?|benefit(?:ed|s)?|"
    r"help(?:ed)?|respon(?:se|d(?:ed|ing)?)|progress|better|worse|gains?)\s+(?:with|from|after|"
    r"following|to|by)"
    rf"{_FILLER}{{0,6}}[\s,(]*$"
)
_FAILED_BEFORE = re.compile(
    rf"(?P<not>\b(?:not|no|without|evidence of|lack of|until)\s+(?:\w+ )?)?"
    r"\b(?:fail(?:ed|ing|ure)?(?: of| to (?:respond|improve|benefit|progress)(?: to| with|"
    r" from)?)?|despite|refractory to|unresponsive to|"
    rf"(?:not|never) (?:respond(?:ed)? to|helped by)){_FILLER}{{0,8}}[\s,(]*$"
)
_RECEIVED_AFTER = re.compile(
    # Possessive: the runs of blanks and commas meet where nothing stands between them.
    r"^(?:'s)?[\s,]*+(?:(?:sessions?|visits?|treatments?|therapy|care|program|modalities)\s*+)?"
    rf"(?:\(?(?:x|times|#)?\s*+{_N}\)?\s*+(?:{_UNIT}\s*+)?)?(?:for (?:(?:the|his|her) )?"
    r"[\w ]{2,24}?)?[\s,(]*+(?:(?:has |have |was |were |had |did |also |previously |significantly |"
    r"not |which )*(?:been )?(?:completed|attended|help(?:ed|ful|s|ing)?|provided|improved|"
    r"beneficial|performed|received|administered|effective|failed|given|done)\b|(?:progress |"
    r"daily |treatment )(?:notes?|reports?)\b|notes?\b|reports? (?:dated|of|on|noted)\b|"
    r"(?:that )?(?:he|she|the \w+(?: \w+)?) (?:has|had) (?:already |previously )?(?:had|received|"
    r"completed|attended|done|undergone)\b|(?:with(?:out)?|and) (?:\w+ )?(?:relief|benefit|"
    r"improvement)\b)"
)
# "Were approved and used": approval is no plan where use follows.
_USED_AFTER = re.compile(
    r"^(?: \w+){0,6} (?:approved|authorized|certified)(?: (?:on|in) [a-z0-9/-]{3,10}"
    r"(?: \d{1,2})?(?:,? (?:19|20)\d\d)?)?,? (?:and|of which|but only) "
    rf"(?:(?:all|both|(?P<n>{_N}))(?: of (?:them|these|which))? )?(?:(?:has|have|had|"
    r"was|were|been|now|already|so far) ){0,3}(?:used|attended|completed|done|had|finished)\b"
)
_NOT_DONE_AFTER = re.compile(
    r"^[\s,]*(?:(?!and\b|but\b)\w+ ){0,4}?(?:(?:is|are) (?:now |here )?(?:the |at |in )(?:issue|"
    r"question|dispute)|(?:was|were|is|are|has been|have been|being|be|had been) (?:not |also |"
    r"previously |again |then |still |now |likewise |similarly |both )*(?:request|recommend|"
    r"order|propos|sought|denied|pending|schedul|discuss|consider|non-?certif|authoriz|approv|"
    r"advised|planned|suggest|modified|prescri|asked for|sought|wanted)\w*)|"
    r"^\s+(?:is |was |now )?(?:asked|sought|requested)\b|"
    r"^\s+(?:\w+ )?(?:request|referral|authorization|evaluation|consult(?:ation)?|prescription|"
    r"order|candidate|planned|scheduled|arranged|set up)\b"
)
_NOT_DONE_BEFORE = re.compile(
    r"(?:\b(?:given to|avoid|prevent|discuss(?:ed|ion of|ing)?|need(?:ed|s)? for|option of|"
    r"risks? of|pre|eligible for|awaiting|deferred?|appropriate for|instead of|in lieu of|future|"
    r"possible|potential|another|waiting for|in line for|"
    r"consider(?:ed|ing|ation (?:of|for))?|prescri(?:be[ds]|bing|ption (?:for|"
    r"of))|refer(?:red|ral) (?:to|for)|prior to|before|until|including possible|scheduled for|"
    r"start(?:ing)?|begin|trial of)\s+(?:\w+ ){0,2}|pre-)$"
)
# "pending" and "asks for" govern a whole list, however long; a fragment without a verb goes on
# with the plan of the sentence before it ("The plan included films. Hand therapy and PT.").
_PENDING = re.compile(
    r"\b(?:pending|ask(?:s|ed|ing)? for|at issue (?:is|are)|in dispute (?:is|"
    r"are))\b(?:(?!\b(?:was|were|is|are|had|has|but)\b)[^.;]){0,300}$"
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|did|does|includ\w+|[a-z]{3,}ed|reports?|notes?|"
    r"shows?|continues?|uses?|takes?)\b"
)
_PLAN = re.compile(r"\b(?:plan|plans|recommend\w*|request\w*)\b")
_NOT_HAD = re.compile(
    r"\b(?:denie[sd]|denying|without|never|not|refused|declined) (?:having |ever )*(?:had|"
    r"undergone|received|tried|attended)(?: (?!but\b|and\b|however\b|which\b|who\b)[\w-]+){0,4} $"
)
_CARE_LIST = re.compile(
    r"(?:tx|rx|(?:prior |past |previous |conservative )*(?:treatments?|care|therap(?:y|ies)))"
    r"(?: to date| so far| history)?(?: includes?d?| has included)?:"
)
_OPEN = re.compile(
    r"\b(?:request|denied|pending|recommend|declin|refus|order|authoriz|sought|schedul|plan|propos|"
    r"consider|non-?certif|not )"
)
# A review that misses care ("no trial of therapy had been completed") does not document it.
_MISSED = re.compile(r"\b(?:no|not|without|lack of|absence of|never|insufficient)\b[^.;]{0,60}$")
_COUNT_BEFORE = re.compile(
    rf"(?<![\w/.-])(?P<n>{_N})(?!st|nd|rd|th)(?:\s*\(\d+\))?\s*"
    rf"(?:(?:of|out of|/)\s*(?:the\s+)?{_N}\s*)?"
    r"(?:\(\d+\)\s*)?"
    rf"(?:prior |previous |initial |authorized |additional |completed |approved |post-?op\w* |"
    rf"total |formal |supervised |outpatient )*(?:(?:{_UNIT}|hours)\s*)?(?:of\s+)?"
    # "From 8/10 to 5/10 by therapy" counts nothing, nor does "acupuncture x 12 and therapy".
    r"(?:(?!(?:by|with|after|from|since|despite|during|before|and|or|plus|then)\b)\w+ )?$"
)
_COUNT_AFTER = re.compile(
    r"^(?:\s*\((?:pt|ot)\))?\s*(?:(?:sessions?|visits?|treatments?|therapy)\s*)?(?:\((?:at least |"
    r"about |approximately )?|x\s?|times\s|#|for\s|- ?|, ?|: ?|of\s)?(?:at least )?"
    rf"(?P<n>{_N})\s*(?:(?:of|out of|/)\s*{_N}\s*)?(?:{_UNIT}|\))"
)
# Chart shorthand: "PT x14", "chiro x 28 in the past year"; "x 3 wks" is a duration.
_TIMES_AFTER = re.compile(
    rf"^\s?x\s?(?P<n>{_N})\b(?!\s?(?:-|/|x|\.\d|(?:more\s)?(?:days?|d|wee?ks?|wks?|w|months?|mos?|m|years?|yrs?|y)\b|times|hours))"
)
# "PT 6/6" is a course that was finished; "PT 12, chiro 8" an inventory; "PT 6/16" is a day.
_BARE_AFTER = re.compile(r"^\s(?P<n>\d{1,2})(?:/(?P=n)\b(?!/)|(?=\s?[,;:]\s|\s?\.?$))")
_PAPERS = re.compile(r"^\s*(?:progress |daily |treatment )?(?:notes?|reports?)\b")
_INJECTIONS = re.compile(rf"(?<![\w-])(?P<n>{_N}|an?)\s+(?:\w+\s+){{0,3}}?$")


def build(summary: Summary, _case: Case) -> Findings:
    """What was received, with session counts and response; False where nothing is documented."""
    found = Findings()
    received = [m for m in summary.mentions(FAMILY) if is_received(summary, m)]
    by_value: dict[str, list[Mention]] = {}
    for mention in received:
        by_value.setdefault(mention.value, []).append(mention)
    for name in (name for name in _PRIOR if name in by_value):
        found.put(f"{name}_prior", True, *by_value[name])
    for kind in _KINDS if "injection" in by_value else ():
        of_kind = [m for m in received if m.rule.extra["kind"] == kind]
        found.put(f"{kind}_injection_prior", bool(of_kind), *of_kind)
    for name in (name for name in _COUNTED if name in by_value):
        counted = [(n, m) for m in by_value[name] if (n := sessions_done(summary, m)) is not None]
        if counted:
            most, mention = max(counted, key=lambda pair: pair[0])
            found.put(f"{name}_sessions", float(most), mention)
    _put_epidurals(found, summary, received)
    physical = [m for m in received if m.value in _CONSERVATIVE]
    found.put("conservative_care_tried", bool(physical), *physical)
    return found


def build_item(_summary: Summary, _case: Case, item: Item, found: dict[str, Value]) -> Findings:
    """Whether the item's kind of treatment was had before, and how much of it."""
    own = Findings()
    name = same_treatment(item)
    own.values["same_treatment_prior"] = bool(name and found.get(f"{name}_prior"))
    own.values["same_treatment_sessions"] = found.get(f"{name}_sessions") if name else None
    return own


def same_treatment(item: Item) -> str | None:
    """The past treatment that a request would repeat: a key of the ``…_prior`` columns."""
    if item.subcategory == "Epidural Steroid Injection":
        return "epidural_injection"
    if item.subcategory == "Facet Injection":
        return "facet_injection"
    if item.category == "Injection":
        return "injection"
    return _SAME.get(item.subcategory or "")


@once
def is_received(summary: Summary, mention: Mention) -> bool:
    """Whether a treatment was received; words of receipt next to it outweigh a wider scope."""
    before, qualifier = summary.before(mention, 110), mention.qualifier
    if qualifier in ("quoted_guideline", "other_person"):
        return False
    if qualifier == "denied_by_ur" and _MISSED.search(before):
        return False  # "no evidence that he tried and failed exercise" tells of no exercise
    stated = _stated_received(summary, mention, before)
    if stated is not None:
        return stated
    if qualifier in ("affirmed", "historical"):
        return not _merely_planned(summary, mention, before)
    return qualifier == "requested" and (
        _CONTINUED_BEFORE.search(before) is not None or _in_list_of_care(summary, mention)
    )


def _in_list_of_care(summary: Summary, mention: Mention) -> bool:
    """An entry of "Tx: PT (18), chiro (24), ESI denied" that is not itself denied or asked for."""
    sentence = summary.sentence_lower(mention.sentence)
    if _CARE_LIST.match(sentence) is None:
        return False
    start = mention.start - summary.bounds[mention.sentence]
    entry = sentence[sentence.rfind(",", 0, start) + 1 :].split(",", 1)[0]
    return _OPEN.search(entry) is None


def _stated_received(summary: Summary, mention: Mention, before: str) -> bool | None:
    """What the words next to a treatment say of its receipt; None where they say nothing."""
    match = _RECEIVED_BEFORE.search(before)
    if match is not None:
        return match["not"] is None
    response = _RESPONSE_BEFORE.search(before)
    if response is not None:
        return response["not"] is None and mention.qualifier != "denied_by_ur"
    if mention.qualifier == "negated":
        return None
    failed = _FAILED_BEFORE.search(before)
    if failed is not None:
        return failed["not"] is None or None
    if mention.qualifier in ("requested", "denied_by_ur") and mention.value == "surgery":
        return mention.rule.id in ("fbss", "status_post")
    after = summary.after(mention, 90)
    return True if _RECEIVED_AFTER.match(after) or _USED_AFTER.match(after) else None


def used_after_approval(summary: Summary, mention: Mention) -> bool:
    """Whether care "was approved and used"."""
    return _USED_AFTER.match(summary.after(mention, 90)) is not None


def _merely_planned(summary: Summary, mention: Mention, before: str) -> bool:
    after = summary.after(mention, 70)
    if _NOT_DONE_AFTER.match(after) or _NOT_DONE_BEFORE.search(before[-50:]):
        return True
    if _A_COURSE.match(after) and not _TOLD_OF_PAST.search(
        summary.sentence_lower(mention.sentence)
    ):
        return True
    if _NOT_HAD.search(before) or _PENDING.search(summary.before(mention, 320)):
        return True
    return mention.qualifier != "historical" and _goes_on_with_plan(summary, mention)


# "PT 2x4 left knee; acupuncture 1x6" prescribes, where the sentence tells of nothing done.
_A_COURSE = re.compile(r"^ ?\(?\d ?x ?\d{1,2}\b(?! ?(?:days|weeks ago))")
_TOLD_OF_PAST = re.compile(
    r"\b(?:complet\w+|done|had|attend\w*|finish\w*|received|s/p|tried|failed|without|relief|"
    r"benefit|help\w*|so far|thus far|to date|prior|previous|past|tx|treatments?|since|started|"
    r"began|went|was|were|did|gave|gain\w*|improv\w*|thru|through|(?:19|20)\d\d)\b"
)


def _goes_on_with_plan(summary: Summary, mention: Mention) -> bool:
    number = mention.sentence
    sentence = summary.sentence_lower(number)
    if number == 0 or len(sentence) > 90 or _VERB.search(sentence):
        return False
    return _PLAN.search(summary.sentence_lower(number - 1)) is not None


@once
def sessions_done(summary: Summary, mention: Mention) -> int | None:
    """Number of sessions done that stands next to a received treatment; None if there is none."""
    after = summary.after(mention, 40)
    used = _USED_AFTER.match(summary.after(mention, 90))
    if used is not None and used["n"]:
        return _value(used["n"])  # "six visits were certified and four attended"
    match = _TIMES_AFTER.match(after) or _COUNT_BEFORE.search(summary.before(mention, 70))
    match = match or _COUNT_AFTER.match(after) or _BARE_AFTER.match(after)
    if match is None or _PAPERS.match(after):
        return None
    n = _value(match["n"])
    return n if n is not None and 0 < n <= 200 else None


def _value(word: str) -> int | None:
    return 1 if word in ("a", "an") else count_of(word)


def _put_epidurals(found: Findings, summary: Summary, received: Iterable[Mention]) -> None:
    for mention in (m for m in received if m.rule.extra["kind"] == "epidural"):
        match = _INJECTIONS.search(summary.before(mention, 40))
        n = _value(match["n"]) if match else None
        if n is not None and n <= 20 and n > (found.values.get("epidural_count") or 0):  # type: ignore[operator]
            found.put("epidural_count", float(n), mention)
