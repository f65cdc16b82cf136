"""Treatments and drugs: had, going on, stopped, never had or only planned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from imr.data.quantity import COUNT, count_of
from imr.features.beside import beside
from imr.features.context import Mention, Summary, clause_of, once
from imr.features.families import medication, treatment
from imr.features.statements.statement import (
    SPINE,
    Polarity,
    Statement,
    Subject,
    state,
)
from imr.features.where_when import parts_of, side_told, times_of

# Plain words that deny, whatever their scope.
DENIALS: dict[str, tuple[Subject, str]] = {
    "no_care": ("treatment", "conservative"),  # "no care so far"
    "no_operation": ("treatment", "surgery"),  # "the surgeon advised non-operative care"
    "no_opioid": ("drug", "Opioids"),  # "naproxen is the only medication"
}


def treatments(summary: Summary) -> Iterator[Statement]:
    """Care by its name, in plain words or by a pronoun, with what was had of it and when."""
    for mention in care_named(summary):
        if mention.value in DENIALS:
            subject, concept = DENIALS[mention.value]
            # A drug is denied where the sentence names none of its class.
            if subject == "treatment" or not any(
                d.value == concept and d.sentence == mention.sentence
                for d in summary.mentions("medication")
            ):
                yield state(summary, mention, subject, concept, "denied")
        elif mention.value == IN_USE:
            yield from _used(summary, mention)
        elif mention.value == COURSE and (
            counted_by_kind(summary, mention) or _NO_COURSE.search(summary.before(mention, 30))
        ):
            continue
        elif not (
            _a_person(summary, mention)
            or _no_denial(summary, mention)
            or _NOT_KNOWN.search(summary.before(mention, 100))
            or _NOT_LISTED.match(summary.after(mention, 50))
            or (mention.value == "medication" and _NOT_TOLD.search(summary.before(mention, 120)))
        ):
            yield from _treatment(summary, mention)


# "Between visits", "at most sessions" count nothing that was had.
_NO_COURSE = re.compile(
    r"\b(?:between|at|on|during|follow-?\s?up|medical|doctor's|physician) (?:the |his |her |most |"
    r"some |all |both )*$"
)


def care_concept(mention: Mention) -> str:
    """What care or a drug is called in a statement: an injection by its kind."""
    return mention.rule.extra["kind"] if mention.value == "injection" else mention.value


def _treatment(summary: Summary, mention: Mention) -> Iterator[Statement]:
    concept, polarity = care_concept(mention), _whether_had(summary, mention)
    before = _had_before(summary, mention) if polarity == "planned" else None
    if before is not None:
        yield state(summary, mention, "treatment", concept, "affirmed", count=before)
    # "40 post-operative visits" are no 40 operations.
    counts = polarity == "affirmed" and mention.rule.extra["kind"] != "implied"
    count = sessions_had(summary, mention) if counts else None
    if _ZERO_AFTER.match(summary.after(mention, _ZERO_REACH)):
        count = 0.0  # "Chiro 0", though the plan goes on to "continue chiro"
    times = times_of(summary, mention)
    own = _place_by_nature(summary, mention)
    said = state(summary, mention, "treatment", concept, polarity, own, count=count, **times)
    # An ankle jerk told before an epidural does not place it at the ankle.
    elsewhere = concept in SPINAL and not any(r in SPINE for r in said.regions)
    if elsewhere or (not own and told_before(summary, mention)):
        said = replace(said, regions=(), side=None)
    elif not parts_of(summary, mention.sentence) and not side_told(summary, mention):
        said = replace(said, side=None)  # "Left arm normal. Care: sling" does not put it there
    yield said


# Where operations on organs, and devices that fit one part alone, are whatever stands beside them.
_ORGANS = (
    r"append\w+|hysterectom\w+|cholecystectom\w+|splenectom\w+|tonsillectom\w+|"
    r"prostatectom\w+|nephrectom\w+|thyroidectom\w+|mastectom\w+|(?:hemi)?colectom\w+|"
    r"vasectom\w+|lumpectom\w+|thoracotom\w+|lapar(?:oscop|otom)\w+|oophorectom\w+|"
    r"tracheostom\w+|c(?:a)?esarean|c-section|(?:gastric|coronary)[a-z ]*|"
    r"(?:gallbladder|appendix|spleen|uterus|tonsils)[a-z ]*"
)
_BY_NATURE = (
    (re.compile(_ORGANS), ("abdomen",)),
    (re.compile(r"bunionectomy"), ("foot",)),
    (re.compile(r"craniotom\w+"), ("head",)),
    (re.compile(r"boot"), ("ankle", "foot")),
    (re.compile(r"lso|corset"), ("lumbar spine",)),
)
_HISTORY_OF_ORGANS = re.compile(
    rf"[ :]*(?:(?:a|an|two|three|his|her|prior|breast|\d)\s)*(?:{_ORGANS}|reduction|augmentation)\b"
)


def _place_by_nature(summary: Summary, mention: Mention) -> tuple[str, ...]:
    """The region of care that its very name tells, where its sentence names none near it."""
    if mention.value not in ("surgery", "bracing"):
        return ()
    if mention.rule.id in _HISTORY and _HISTORY_OF_ORGANS.match(summary.after(mention, 60)):
        return ("abdomen",)
    if mention.value == "bracing" and parts_of(summary, mention.sentence):
        return ()
    words = mention.text.lower()
    return next((parts for known, parts in _BY_NATURE if known.fullmatch(words)), ())


_HISTORY = frozenset({"surgical_history", "surgery"})
IN_USE = "in_use"
_SENTENCES_BACK = 2


def _used(summary: Summary, mention: Mention) -> Iterator[Statement]:
    """What a pronoun says is used: the drug or device that was named last before it."""
    named = antecedent(summary, mention)
    if named is None or mention.qualifier in ("hypothetical", "other_person"):
        return
    polarity: Polarity = "affirmed"
    if _NO_LONGER.search(summary.before(mention, 30)):
        polarity = "stopped"
    elif (
        mention.qualifier == "negated"
        or _never_had(summary, mention)
        or _NOT_BEFORE.search(summary.before(mention, 12))
    ):
        polarity = "denied"
    subject: Subject = "drug" if named.rule.family == "medication" else "treatment"
    yield state(summary, mention, subject, named.value, polarity, **times_of(summary, mention))


_NO_LONGER = re.compile(r"\b(?:no longer|(?:stopped|quit)|used to)(?: \w+)? $")
_NOT_BEFORE = re.compile(r"\b(?:not|never)(?: \w+)? $")
_DEVICES = frozenset({"tens", "bracing", "traction", "heat_cold"})


def antecedent(summary: Summary, mention: Mention) -> Mention | None:
    """The drug or device named last before a pronoun, in its sentence or one of the two before."""
    named = [
        *(m for m in summary.mentions("medication") if m.value not in MONITORING),
        *(m for m in summary.mentions("treatment") if m.value in _DEVICES),
    ]
    before = (
        m
        for m in named
        if m.start < mention.start and m.sentence >= mention.sentence - _SENTENCES_BACK
    )
    return max(before, key=lambda m: m.start, default=None)


_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6}
_ORDINAL = r"(?P<order>first|second|third|fourth|fifth|sixth|[1-9](?=st|nd|rd|th))(?:st|nd|rd|th)?"
_ORDER_BEFORE = re.compile(
    rf"\b{_ORDINAL} (?!dorsal|mtp|cmc|opinion|toe|ray|met)(?:(?!and|or|in)[\w-]+ ){{0,4}}$"
)
_ORDER_AFTER = re.compile(
    rf"^,? (?:\(|the |number )?{_ORDINAL}\b(?! (?:dorsal|toe|ray|met|and|opin))"
)


def _had_before(summary: Summary, mention: Mention) -> float | None:
    """Injections had before the one that is asked for: "a third injection" says two."""
    if mention.value != "injection":
        return None
    after = _ORDER_AFTER.match(summary.after(mention, 40))
    number = _order(after or _ORDER_BEFORE.search(summary.before(mention, 60)))
    return float(number - 1) if number and number > 1 else None


def _order(found: re.Match[str] | None) -> int | None:
    return None if found is None else _ORDINALS.get(found["order"]) or int(found["order"])


# Care of the whole person, or of what is hurt: the sentence before does not place it.
_WHOLE_CARE = frozenset(
    {
        "physical_therapy", "occupational_therapy", "medication", "conservative", "home_exercise",
        "exercise", "chiropractic",
    }
)  # fmt: skip


def told_before(summary: Summary, mention: Mention) -> bool:
    """Whether only the sentence before names a region for care that it need not be of."""
    whole = mention.value in _WHOLE_CARE or mention.rule.family == "medication"
    return whole and not parts_of(summary, mention.sentence)


# "Whether he had therapy before cannot be told", "goal: independent with HEP", "nothing is written
# about her medicine".
_NOT_KNOWN = re.compile(
    r"\bwhether\b[^.;]{0,90}$|\bgoals?(?: is| are)?:? (?!\d)[^.;]{0,60}$|"
    r"\bnothing (?:is|was|has been) (?:\w+ )?(?:about|of|on) (?:\w+ )?$"
)
# "Medications have included: list not provided".
_NOT_LISTED = re.compile(
    r"^(?: (?:have|has|had|include[ds]?|regimen|list))*[:,]? (?:(?:list|names?|details?)\b )?"
    r"(?:(?:is|was|were|are) )?not (?:provided|given|listed|included|stated|documented|specified)\b"
)
# "No recent therapy", "no meds other than for back" deny no care.
_ONLY_NOW = re.compile(
    r"\b(?:recent|further|additional|more|other|new|current|present|repeat|second)(?: \w+)? $"
)
_ONLY_NOW_AFTER = re.compile(
    r"^ (?:now|at present|currently|recently|other than|for this|beyond)\b"
)
_MANAGED = re.compile(r"^ management\b")
_AND_THEN = re.compile(r"\b(?:no|not|without|never)\b[^.;]{0,60}\band $")


def _no_denial(summary: Summary, mention: Mention) -> bool:
    """Whether a denial of care is one of the paper, or of today only."""
    if mention.qualifier != "negated" or _NOT_BEGUN_AFTER.match(summary.after(mention, 40)):
        return False
    return bool(
        _ONLY_NOW.search(summary.before(mention, 30))
        or _ONLY_NOW_AFTER.match(summary.after(mention, 20))
        or beside("silent", summary, mention)
    )


def _whether_had(summary: Summary, mention: Mention) -> Polarity:
    """Whether a treatment was had, was not, or is still to come."""
    if mention.value == "home_exercise" and _NOT_DONE_AT_HOME.match(
        summary.lower, mention.end, mention.end + 100
    ):
        return "denied"
    if _never_had(summary, mention) or _ZERO_AFTER.match(summary.after(mention, _ZERO_REACH)):
        return "denied"
    if (
        mention.value == "surgery"
        and _NO_PLAN_BEFORE.search(summary.before(mention, 30))
        and _NONE_PLANNED.match(summary.after(mention, 40))
    ):
        return "denied"
    if mention.value in _INVASIVE and _CERTIFIED_AFTER.match(summary.after(mention, 50)):
        return "planned"
    if mention.value == "tens" and (
        _HANDED_OUT.search(summary.before(mention, 40))
        or _ADDED_AFTER.match(summary.after(mention, 40))
        or _AMONG_COURSES.search(summary.before(mention, 100))
    ):
        return "planned"  # what is asked for or was handed out, and no trial was had
    if mention.value == COURSE and _MORE.search(summary.before(mention, 24)):
        return "planned"  # "twelve more visits" are none that were had
    if treatment.is_received(summary, mention) or _ALL_HAD.match(summary.after(mention, 80)):
        return "affirmed"
    # "Takes no medication and exercises at home", "no acupuncture and medication management"
    another = mention.text.lower().startswith("exercis") or _MANAGED.match(
        summary.after(mention, 14)
    )
    if another and _AND_THEN.search(summary.before(mention, 60)):
        return "affirmed"
    return "denied" if mention.qualifier == "negated" else "planned"


# "He knows his home exercises. He doesn't do them."
_NOT_DONE_AT_HOME = re.compile(
    r"[^.;]{0,40}?(?:\.|;|,|\bbut|\band|\bthough) (?:he |she |the \w+ )?(?:but )?(?:does not|"
    r"doesn['’]?t|did not|didn['’]?t|has not been|hasn['’]?t been|is not|isn['’]?t|never|"
    r"no longer) (?:(?:really|always|actually) )?(?:do(?:es|ing)?|perform\w*|kept up|keeps? up|"
    r"keeping up)(?: with)? (?:them|it|any of (?:it|them)|those|these)\b"
)
_MORE = re.compile(r"(?<!had )\b(?:more|further|additional) (?:\w+ )?$")
# "No surgery is planned" plans none.
_NO_PLAN_BEFORE = re.compile(r"\b(?:no|without(?: any)?) (?:\w+ ){0,2}$")
_NONE_PLANNED = re.compile(
    r"^ (?:(?:is|was|has been|being) )?(?:planned|scheduled|proposed|contemplated|considered|"
    r"recommended|intended|on the horizon)\b"
)
_HANDED_OUT = re.compile(r"\b(?:dispens\w+|issued|supplied)(?: \w+)? $")
# "A support and a TENS unit were added"; "PT 2x4; knee brace; TENS" is a list of what is wanted.
_ADDED_AFTER = re.compile(
    r"^(?: (?:unit|device|machine|supplies))*,? (?:is|was|were|are)"
    r"(?: also| then| both| likewise| similarly| all)? "
    r"(?:added|asked|sought|requested|wanted|listed|ordered|prescribed|recommended|denied)\b"
)
_AMONG_COURSES = re.compile(
    r"\d ?x ?\d{1,2}\b(?:(?!\b(?:completed|done|had|attended|tried|finished|used|relief)\b)"
    r"[^.]){0,80}[;,] $"
)
_INVASIVE = frozenset({"surgery", "injection"})
# "Cuff repair certified for May", "ESI auth'd" are still to come.
_CERTIFIED_AFTER = re.compile(
    r"^(?: (?:\w+ )?(?:is|are|was|were|has been|have been))?,? (?:also )?(?:certified|authorized|"
    r"approved|auth(?:'?d)?\b|cert(?:'?d)?\b|ok'?d|scheduled|set for|planned|"
    r"(?:now |still |also )?(?:being )?(?:considered|contemplated|discussed)|"
    r"(?:now |still )?under consideration)\b(?! (?:and|"
    r"then) (?:done|performed))"
)
_BY_A_PERSON = re.compile(
    r"\b(?:treat\w*|visits?|saw|seen|seeing|sees|care|sessions?|adjust\w*|went|been|gone)"
    r"(?: (?:by|with|to|of|from|a|an|the|his|her|own))* $"
)
# "The chiropractor saw her for twelve visits": care had, where they are not merely asked for.
_VISITS_TO = re.compile(
    r"^(?:(?!request|ask|recommend|order|plan|seek|want|propos|prescri|author|certif|further|more)"
    rf"[^.;]){{0,60}}?\b{COUNT} (?:visits|sessions|treatments|adjustments)\b(?! (?:are|were|is) "
    r"(?:request|recommend|sought|asked|proposed|planned))"
)


def _a_person(summary: Summary, mention: Mention) -> bool:
    """Whether "chiropractor" names somebody, and no treatment."""
    person = mention.text.lower().endswith(("practor", "turist", "apist", "practors", "apists"))
    after = summary.after(mention, 90)
    if after.startswith(("'s care", "’s care")) or _VISITS_TO.match(after):
        return False
    return person and _BY_A_PERSON.search(summary.before(mention, 50)) is None


SPINAL = frozenset({"epidural", "facet", "radiofrequency"})
_NOT_HAD_AFTER = re.compile(
    r"^[^.;]{0,40}?\b(?:but|and|which|that|though) (?:he |she )?(?:has|have|had) not (?:yet )?"
    r"(?:had|done|undergone|started|received|begun)\b|"
    r"^(?::| -)? ?(?:never|not yet)\b(?: (?:been )?(?:tried|had|used|done|started|given))?"
    r"(?:[.;,]| \(|$)"
)
_NOT_BEGUN_AFTER = re.compile(
    r"^(?: trial| course)?(?: (?:has|have|had|is|was|were))? not (?:yet |been |yet been )*(?:begun|"
    r"started|done|had|wanted|desired|"
    r"completed|attended|given|tried|received|provided|undertaken)\b"
)


def _never_had(summary: Summary, mention: Mention) -> bool:
    """True of "never had PT" and of "is considering surgery but has not had it"."""
    after = summary.after(mention, 70)
    not_had = _NOT_HAD_AFTER.match(after) or _NOT_BEGUN_AFTER.match(after)
    return bool(not_had or _NEVER_HAD_BEFORE.search(summary.before(mention, 60)))


# "0 prior injections", "never been injected", "never got a single shot", "not compliant w/ HEP".
_NEVER_HAD_BEFORE = re.compile(
    r"\b(?:never|not|without|yet to) (?:ever |yet |previously |having |have |been )*(?:had|have|"
    r"received?|tried|attend(?:ed)?|undergone?|started|start|done|completed?)"
    r"(?: (?:any|a|an|formal|the|more|prior|further))* $|"
    r"(?:(?<![\d.,/])\b0|\bzero|ø) (?:(?:prior|previous|prev|past|formal) )?$|"
    r"\bnever (?:\w+ly )?(?:(?:been|got|gotten|get|gets|put|was) (?:in )?)?(?:(?:a|an|the|any|one|"
    r"single) ){0,3}$|\b(?:non-?\s?compl\w*|not compl\w+) (?:with|w/?) ?(?:the |his |her )?$|"
    r"\b(?:treatment|tx)[- ]naive (?:\w+ ){0,2}$|"
    r"\b(?:would|will) be (?:the|his|her|a) (?:very )?first $"
)
COURSE = "course"
_VISITED = frozenset(
    {
        "physical_therapy", "occupational_therapy", "chiropractic", "acupuncture", "massage",
        "psychotherapy",
    }
)  # fmt: skip


def counted_by_kind(summary: Summary, mention: Mention) -> bool:
    """Whether the clause names the kind of visits that another mention counts already."""
    clause = clause_of(summary, mention)
    return any(
        clause.start <= m.start < clause.end and m.value in _VISITED for m in care_named(summary)
    )


# "PT 12, chiro 0": an inventory that names what was not had.
_ZERO_REACH = 50
# The same in words: "Acupuncture to date: none", "PT visits so far: zero".
_ZERO_AFTER = re.compile(
    r"^(?: (?:visits|sessions|treatments?|therapy|care|so far|thus far|to date|tried|had|done|"
    r"prior|before))*"
    r"(?:(?::\s?|\sx?\s?)0(?!\.\d|[\d/-])|:\s?(?:none|nil|zero|never)\b(?! of))"
)
# "PT so far 42", "chiro 24 for this", "acup: 12 done", "ESIs: 6 in last year", "therapy 40 times".
_COUNT_SHORT = re.compile(
    r"^(?:/[a-z]{2,8}){0,3}(?: (?:visits|sessions|notes|since(?: then)?|so far|thus far|to date|"
    r"up to now|post-?op|done|had|total|about|already|treatments|completed|over|"
    r"some|(?:has|have|was|were)(?: been)?|given|attended|for))*(?:[:,] ?| |: x ?| x ?)"
    rf"(?P<n>{COUNT})(?:/(?P=n)| of (?P=n)|(?= of \d{{1,2}}\b))?"
    r"(?=\.?$|\.\s|[,;)]| (?:done|visits|sessions|times(?! (?:a|per|each|every) (?:day|week|month)|"
    r" weekly| daily)|tx|since|thru|through|to date|so far|"
    r"for this|had|of|completed|in (?:the )?(?:last|past)|last|w/|over|post-?op\w*)\b)"
)
# "PT visit 9 of 12", "PT #8 of 12 done"; "PT 2 of 6 approved" tells of an approval.
_NTH_VISIT = re.compile(
    r"^ (?:(?:visit|session|number|no\.) ?)?#? ?(?P<n>\d{1,2}) (?:of|out of) \d{1,2}\b"
    r"(?! (?:\w+ )?(?:approved|certified|authorized|requested|denied|allowed))"
)
# "Therapy: 6 authorized, all attended".
_ALL_HAD = re.compile(
    r"^(?::| -|,)? ?(?:(?:initial(?:ly)?|first|an|a|authoriz\w+|approv\w+|certifi\w+|allowed|for|"
    rf"of|was|were) ){{0,4}}(?P<n>{COUNT})(?: (?:visits|sessions|treatments))?(?: (?:were |was )?"
    r"(?:authorized|approved|certified|allowed))?,? (?:and |of which )?(?:all|every one|each)"
    r"(?: (?:of (?:them|these|which)|\d{1,2}|six|eight|ten|twelve))?"
    r"(?: (?:has|have|had|was|were|been|now)){0,2} "
    r"(?:attended|used|completed|done|had|finished|taken)\b"
)


def sessions_had(summary: Summary, mention: Mention) -> float | None:
    """The visits or injections had: in the mention, right after it, before it or in its clause."""
    printed = mention.groups.get("n")
    if printed is None:
        short = _ALL_HAD.match(summary.after(mention, 80))
        short = short or _COUNT_SHORT.match(summary.after(mention, 60))
        short = short or _NTH_VISIT.match(summary.after(mention, 40))
        printed = short["n"] if short is not None else None
    counted = treatment.sessions_done(summary, mention) if printed is None else count_of(printed)
    if counted is None and mention.value in _VISITED:
        return _visits_beside(summary, mention)
    if counted is None and mention.value == "injection":
        counted = _injections_told(summary, mention)
    return None if counted is None else float(counted)


_DAY = (
    r"(?:\d{1,2}/(?:\d{1,2}/)?(?:19|20)?\d\d|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"[a-z]{0,6}\.?,? (?:\d{1,2},? )?(?:of )?(?:19|20)\d\d)"
)
_DAYS_AFTER = re.compile(
    r"^(?: (?:on|in|from|of|dated|done|given|performed|were|was))*:? ?"
    rf"(?P<days>{_DAY}(?:(?:,? and |, ?| & |; ?){_DAY}){{1,5}})"
)
_NUMBERED = re.compile(r"^ ?# ?(?P<order>[1-6])\b")
_ONE_DAY = re.compile(_DAY)


def _injections_told(summary: Summary, mention: Mention) -> int | None:
    """Injections by the days that are listed behind them, or by their order ("his second")."""
    listed = _DAYS_AFTER.match(summary.after(mention, 120))
    if listed is not None:
        return len(_ONE_DAY.findall(listed["days"]))
    numbered = _NUMBERED.match(summary.after(mention, 8))
    return _order(numbered or _ORDER_BEFORE.search(summary.before(mention, 60)))


def _visits_beside(summary: Summary, mention: Mention) -> float | None:
    """The count of visits in a clause that names one kind of care."""
    clause = clause_of(summary, mention)
    inside = [m for m in care_named(summary) if clause.start <= m.start < clause.end]
    if sum(m.value in _VISITED for m in inside) != 1:
        return None
    counts = (sessions_had(summary, m) for m in inside if m.value == COURSE)
    return next((n for n in counts if n is not None), None)


@once
def care_named(summary: Summary) -> list[Mention]:
    """Treatments by their names and in plain words, without those inside a longer name."""
    named = summary.mentions("treatment")
    plain = (
        m
        for m in summary.mentions("plain_care")
        if not any(n.start <= m.start and m.end <= n.end for n in named)
    )
    return sorted([*named, *plain], key=lambda m: m.start)


_DRUG_TEST = "urine_drug_test_done"
MONITORING = frozenset({"opioid_agreement", "cures_checked", _DRUG_TEST, "opioid_risk_assessed"})
_STOPPED = re.compile(
    r"\b(?:(?<!was )(?<!were )(?<!been )(?:stop(?:ped)?|discontinued)|quit|weaned from|tapered off|"
    r"(?<!edge )(?<!half )(?<!\d )(?<!pain )(?<!and )off|"
    r"weaned off|(?:came|got) off|gave up|dropped|ran out of|"
    r"no longer (?:takes?|taking|uses?|using|on)|flushed|threw (?:out|away)|tossed|"
    r"used to (?:take|use|be on)(?! the edge))\b"
    r"(?:(?!\b(?:and|then|but) (?:\w+ )?(?:takes?|took|uses?|started|began|begun|now|switched|"
    r"continue[ds]?|is|was)\b)[^.;,]){0,40}$|"
    # "Had finished ibuprofen on May 24": a course that is over.
    r"\b(?:finished|completed|used up) (?:(?:all|her|his|the|a|taking|short|course|supply|"
    r"bottle|of|last|\d+[- ]day) ){0,4}$"
)
_STOPPED_AFTER = re.compile(
    r"^(?:[^.;,]{0,30}\b|(?: (?!replaced|and|or|with|for)[\w/.]+){0,3}, "
    r"(?:which|that|but (?:it|this|that)) )(?:was|were|is|has|"
    r"have|had)(?: been| since| later| then)? (?:stopped|discontinued|weaned|withdrawn|halted|"
    r"d/?c['’]?e?d)\b|"
    r"^[^.;,]{0,40}? (?:and|but)(?: then| was| were| later)* (?:stopped|discontinued|d/?c['’]?d)\b"
    r"(?! \w+ing\b| work)|"
    r"^(?: \d[\d/.]*(?: ?mg)?)?(?:,| -| –)? ?\(?(?:now |since |later )?"
    r"(?:stopped|discontinued|d/?c['’]?d)(?: (?:in|on|by|after|last|since|due|d/t|"
    r"2/2|because|secondary|\d|\w+ (?:\w+ )?ago)|"
    r"[.,;)])|"
    r"^[^.;]{0,40}?,? (?:but |and |then )?(?:has |had )?(?:finished|stopped|completed|quit) "
    r"(?:it|them)\b"
)
_TOOK = re.compile(
    r"\b(?:took|used|(?:had|was) (?:taken|used|taking|using|on))(?: [\w/.]+){0,3}? $"
)
_UNTIL = re.compile(r"^[^.;,]{0,24} until (?!now|today|present|the present|this|next|further|seen)")
_NOT_OVER = re.compile(
    r"^[^.;]{0,30}\b(?:if|unless|should)\b|"
    r"\b(?:resum\w+|restart\w+|re-?started|went back (?:on|to)|again)\b"
)
_NOT_USED = re.compile(
    r"\b(?:has not (?:taken|used)|not (?:been )?us(?:ed|ing)|not (?:been )?tak(?:en|ing))\b"
    r"[^.;]{0,40}$"
)
# "4/10 with Norco" after "8/10 without": the nearest word decides.
_WITH = re.compile(r"\bwith (?:the |his |her |use of )?$")
_NOT_USED_AFTER = re.compile(
    r"^[^.;,]{0,30}\b(?<!and )(?:was|were|is|has|have|had)(?: been)? (?:not (?:been )?"
    r"(?:used|tried|taken|prescribed|started)|never (?:used|tried|taken|started))"
)
# "DNA testing for opioid risk" names no drug.
_OF_A_RISK = re.compile(
    r"^ (?:risk|dependence|dependency|test\w*|metabol\w*|genetic\w*|use disorder|addiction|abuse|"
    r"misuse|sparing|guidelines?|tolerance|withdrawal|naive)\b"
)


def drugs(summary: Summary) -> Iterator[Statement]:
    """Drugs and classes of drugs, and what was done to watch over opioids."""
    yield from _stopped_later(list(_drugs(summary)))


def _drugs(summary: Summary) -> Iterator[Statement]:
    taken = set(map(id, medication.drugs_taken(summary)))
    for mention in summary.mentions("medication"):
        watched = mention.rule.extra["kind"] == "monitoring"
        if watched and _OF_A_RISK.match(summary.after(mention, 24)):
            continue
        if mention.value in MONITORING:
            polarity = _monitoring(summary, mention)
        else:
            polarity = _use(summary, mention, id(mention) in taken)
        # "No aspirin and no steroids" is a risk denied, and says nothing of other NSAIDs.
        denied = polarity == "denied" and mention.rule.id == "aspirin"
        if denied or medication.for_the_heart(summary, mention):
            continue
        yield state(summary, mention, "drug", mention.value, polarity, **times_of(summary, mention))


# "NSAIDs are contraindicated", "opioids might be started later" tell of no use.
_SPOKEN_OF = re.compile(
    r"^ (?:(?:is|are|was|were) (?:contraindicated|to be avoided|avoided)|(?:might|may|could|"
    r"would) be (?:started|needed|prescribed|tried|considered))\b"
)


def _use(summary: Summary, mention: Mention, taken: bool) -> Polarity:
    """Whether a drug is taken, was stopped, was never had or is only planned."""
    before, after = summary.before(mention, 60), summary.after(mention, 50)
    if _NOT_USED.search(before) or _NOT_USED_AFTER.match(after):
        return "denied"
    if _SPOKEN_OF.match(after) or _NOT_TOLD.search(summary.before(mention, 120)):
        return "planned"
    if mention.qualifier in _TOLD and _is_stopped(before, after):
        return "stopped"
    if mention.qualifier == "requested" and _TAKEN_NOW.match(after):
        return "affirmed"
    if taken or (mention.qualifier == "negated" and _WITH.search(before)):
        return "affirmed"
    return "denied" if mention.qualifier == "negated" else "planned"


# "Wants to come off the methadone he takes each morning": the wish is about a drug in use.
_TAKEN_NOW = re.compile(
    r"^(?: \d+(?: ?mg)?)? (?:that |which )?(?:he|she|i) (?:now |still |currently )?"
    r"(?:takes?|swallows?|uses?|is taking|is on|has been (?:on|taking))\b"
)
_TOLD = frozenset({"affirmed", "historical", "negated"})


def _is_stopped(before: str, after: str) -> bool:
    over = (
        _STOPPED.search(before)
        or _STOPPED_AFTER.match(after)
        or (_TOOK.search(before) and _UNTIL.match(after))
    )
    return bool(over) and not _NOT_OVER.search(after)


def _stopped_later(found: list[Statement]) -> Iterator[Statement]:
    """What was taken, and is said further on to be stopped, is taken no longer."""
    stopped: set[str] = set()
    told: list[Statement] = []
    for said in reversed(found):
        name = said.mention.rule.extra["generic"] or said.concept
        if said.source == "record" and said.polarity == "stopped":
            stopped.add(name)
        elif said.polarity == "affirmed" and name in stopped:
            said = replace(said, polarity="stopped")
        elif said.source == "record" and said.polarity == "planned":
            stopped.discard(name)
        told.append(said)
    return reversed(told)


_TEST_AGAINST = re.compile(
    r"\b(?:in-?consistent|not consistent|unexpected|aberrant|"
    r"positive for (?:[\w-]+ ){0,3}?(?:cocaine|meth\w*|amphetamine\w*|heroin|thc|"
    r"marijuana|cannab\w+|alcohol|illicit|non-?prescribed|unprescribed)|"
    r"(?:neg(?:ative)? for|did not show|showed no|and no) (?:the |his |her |all )?(?:prescribed|"
    r"hydrocodone|oxycodone|tramadol|morphine|norco|opi\w+))"
)
_TEST_FOR = re.compile(
    r"\b(?:consistent|compliant|as expected|appropriate|negative for illicit|"
    r"match(?:ed|es)|as (?:it|they) should be|(?:was|were|both) right|after a normal one)\b"
)


def _monitoring(summary: Summary, mention: Mention) -> Polarity:
    """Whether monitoring was done, and what a drug test showed."""
    if mention.value == _DRUG_TEST and _LAST_BEFORE.search(summary.before(mention, 8)):
        return _test_result(summary, mention)
    not_there = beside("not_stated_after", summary, mention)
    if not not_there and _NOT_TOLD.search(summary.before(mention, 120)):
        return "planned"
    if not medication.monitored(mention) and not beside("told_done", summary, mention):
        return "denied" if mention.qualifier == "negated" else "planned"
    if not_there:
        return "denied"
    return _test_result(summary, mention) if mention.value == _DRUG_TEST else "affirmed"


# "The notes do not discuss side effects, CURES or an agreement": a list of what is not told.
_NOT_TOLD = re.compile(
    r"\b(?:(?:do|does|did) not|never|fails? to|without) (?:discuss|mention|address|describ|"
    r"document|record|comment|speak|includ)\w*\b(?:(?!\bbut\b)[^.;])*$"
)
_LAST_BEFORE = re.compile(r"\blast $")


def _test_result(summary: Summary, mention: Mention) -> Polarity:
    clause = clause_of(summary, mention)
    if _TEST_AGAINST.search(summary.lower, clause.start, clause.end):
        return "inconsistent"
    return "consistent" if _TEST_FOR.search(summary.lower, clause.start, clause.end) else "affirmed"
