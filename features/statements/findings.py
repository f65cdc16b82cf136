"""Signs, complaints, studies and tests and what they showed, diagnoses, plans and background."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from imr.features.beside import beside
from imr.features.context import Mention, Summary, clause_of, clause_text, once
from imr.features.families import examination, studies
from imr.features.families.studies import contested, told_done
from imr.features.signal import table_rows
from imr.features.statements.statement import (
    SPINE,
    Polarity,
    Statement,
    concepts,
    diagnosis_polarity,
    equivocal,
    listed_regions,
    pain_degree,
    state,
)
from imr.features.where_when import (
    parts_of,
    place_of,
    regions_in_list,
    side_told,
    starting_between,
    times_of,
)


def signs(summary: Summary) -> Iterator[Statement]:
    """Tests and signs of an examination, each with its own result."""
    for mention in summary.mentions("examination", overlapping=True):
        known = concepts().get(("examination", mention.value))
        polarity = _sign_polarity(summary, mention)
        if known is None or polarity is None or _diagnosed(summary, mention):
            continue
        if _complained_of(summary, mention) or beside("long_ago", summary, mention):
            continue
        subject, concept, own = known
        if concept == "spasm" and _no_spasm(summary, mention):
            continue
        # A drawer or a stress test may be that of the ankle, the elbow, the thumb.
        if mention.value == "knee_instability_signs" and _within(summary, mention, _STRESSED):
            own = ()
        if concept == "impingement" and _within(summary, mention, _HIP):
            own = ("hip",)
        if mention.text.lower().startswith("effusion"):
            concept = "effusion"
        if mention.text.lower().startswith("twitch"):
            concept = "twitch response"
        concept = _root_or_nerve(summary, mention, concept)
        if concept == "fracture":
            own = _broken(summary, mention)
        degree = "mild" if beside("slight", summary, mention) else None
        said = state(summary, mention, subject, concept, polarity, own, degree=degree)
        yield replace(said, regions=(), side=None) if _of_radiation(summary, said) else said


def _broken(summary: Summary, mention: Mention) -> tuple[str, ...]:
    """Where a fracture is: in its own item of a list, or of a vertebra somewhere in the spine."""
    listed = regions_in_list(summary, mention)
    if not _OF_VERTEBRA.search(summary.before(mention, 50)):
        return listed
    named = {part.value for part in parts_of(summary, mention.sentence)}
    own = [[region for region in SPINE if region in told] for told in (listed, named)]
    return tuple(own[0] or own[1]) or SPINE


# "Soft abdomen without guarding" tells of no muscle of the back or a limb.
_BELLY = re.compile(r"\b(?:abd(?:omen|ominal)?|rebound|belly|bowel)\b")


def _no_spasm(summary: Summary, mention: Mention) -> bool:
    """Whether a spasm is what a drug is given for, or a belly is what is guarded."""
    if _GIVEN_FOR.search(summary.before(mention, 120)):
        return True
    guarded = mention.text.lower().startswith(("guarding", "rigidity"))
    return guarded and _BELLY.search(clause_text(summary, mention)) is not None


# "Knee contusion, unspecified vertebral fracture": of which spine is not told, but of no knee.
_OF_VERTEBRA = re.compile(
    r"\bvertebra[el]?(?: (?:body|column|compression|wedge|unspecified|type|of|closed|open|stable|"
    r"transverse|spinous|process)){0,4} $"
)
_HIP = frozenset({"hip", "groin"})
_STRESSED = frozenset({"ankle", "foot", "toe", "elbow", "thumb", "finger", "hand", "shoulder"})


def _within(summary: Summary, mention: Mention, regions: frozenset[str]) -> bool:
    """Whether the place that a test stands in is one of some regions."""
    place = place_of(summary, mention)[0]
    return bool(place) and regions.issuperset(place)


def _root_or_nerve(summary: Summary, mention: Mention, concept: str) -> str:
    """Sensory loss by its clause: patchy, or that of a glove or a stocking, it follows no root."""
    of_root = concept == "dermatomal sensory loss"
    patchy = of_root and _OF_NO_ROOT.search(clause_text(summary, mention))
    return "sensory loss" if patchy else concept


_OF_NO_ROOT = re.compile(
    r"\b(?:patchy|non-?\s?dermatom\w*|not (?:in a |follow(?:ing)? a )?dermatom\w*|non-?anatomic\w*|"
    r"(?:stocking|glove)(?: |-|$)|circumferential\w*)"
)
_DIAGNOSES = re.compile(r"\b(?:being treated for|diagnos(?:is|es|ed)|dx|impression|assessment)\b")
_ALSO_DIAGNOSES = frozenset({"spasm", "weakness", "rom", "swelling", "tenderness"})


def _diagnosed(summary: Summary, mention: Mention) -> bool:
    """Whether a word for a sign stands in a list of diagnoses, where nobody examined anything."""
    return mention.value in _ALSO_DIAGNOSES and _listed_as_diagnosis(summary, mention)


def _listed_as_diagnosis(summary: Summary, mention: Mention) -> bool:
    """Whether a mention stands after words that begin a list of diagnoses."""
    start = summary.bounds[mention.sentence]
    return _DIAGNOSES.search(summary.lower, start, mention.start) is not None


# "Complains of weakness" and "the pain is described as spasm" are no findings of an examination.
_COMPLAINED = re.compile(
    r"\b(?:complain(?:s|ed|ing|ts?)|c/o|feelings? of|pain (?:is|was) described|symptoms? (?:of|"
    r"include[sd]?)|"
    r"(?:patient|worker|applicant|claimant|employee|he|she)(?: also| has| had| currently)? "
    r"(?:reports?|reported|feels?|felt|experience[sd]?|endorse[sd]?))\b"
)
_EXAMINED = re.compile(
    r"\b(?:exam\w*|objective\w*|palpation|reveal\w*|show\w*|found|motion|rom|pe)\b"
)
_ALSO_COMPLAINTS = frozenset({"spasm", "weakness", "swelling"})


def _complained_of(summary: Summary, mention: Mention) -> bool:
    """Whether the worker, and no examiner, tells of a sign."""
    if mention.value not in _ALSO_COMPLAINTS:
        return False
    before = summary.lower[summary.bounds[mention.sentence] : mention.start]
    told = [found.end() for found in _COMPLAINED.finditer(before)]
    return bool(told) and _EXAMINED.search(before, told[-1]) is None


def _sign_polarity(summary: Summary, mention: Mention) -> Polarity | None:
    """What an examination says of a sign; None where it is not stated."""
    if mention.qualifier == "other_person":
        return None
    if mention.qualifier in ("requested", "hypothetical") and not _reason(summary, mention):
        return "planned" if mention.qualifier == "requested" else "suspected"
    if beside("sign_not_told", summary, mention):
        return None
    if mention.value in _WEAK and (
        beside("of_pain", summary, mention) or _of_cuff(summary, mention)
    ):
        return None
    if mention.value in examination.TESTS:
        return _result(summary, mention)
    if mention.value == "rom":
        motion = examination.motion(summary, mention)
        return None if motion is None else "affirmed" if motion == "limited" else "denied"
    if mention.value == "neuro_normal":
        return "affirmed" if examination.stated_normal(mention) else "denied"
    return "affirmed" if _is_there(summary, mention) else "denied"


def _result(summary: Summary, mention: Mention) -> Polarity | None:
    """The result printed beside a test; None where none is, or one that shows nothing."""
    shown = None if equivocal(summary, mention) else examination.polarity(summary, mention)
    return None if shown is None else "affirmed" if shown else "denied"


_WEAK = frozenset({"motor_deficit", "motor_myotomal", "weakness", "myotomal weakness"})
# "4/5 in external rotation" is the rotator cuff's.
_CUFF_BEFORE = re.compile(
    r"\b(?:external rotation|supraspinatus|infraspinatus|(?:rotator )?cuff)(?: (?:strength|power|"
    r"is|was|of|at|only))* $"
)
_CUFF_AFTER = re.compile(
    r"^(?: (?:strength|weakness|in|of|for|with|on|the|left|right|shoulder|resisted))* "
    r"(?:external rotation|supraspinatus|infraspinatus|(?:rotator )?cuff)\b"
)


def _of_cuff(summary: Summary, mention: Mention) -> bool:
    """Whether a grade of strength is that of the rotator cuff, and so of no nerve."""
    return mention.value == "motor_deficit" and bool(
        _CUFF_BEFORE.search(summary.before(mention, 50))
        or _CUFF_AFTER.match(summary.after(mention, 70))
    )


def _is_there(summary: Summary, mention: Mention) -> bool:
    """Whether a sign is not negated; a printed grade not by what stood before it in a list."""
    if beside("marked_absent", summary, mention) or _GONE_AFTER.match(summary.after(mention, 60)):
        return False
    if mention.qualifier != "negated" or _NOT_CHANGED.search(summary.before(mention, 40)):
        return True
    graded = mention.rule.id == "motor_grade"  # "no laxity, quadriceps 4/5"
    return graded and _NO_GRADE.search(summary.before(mention, 30)) is None


_NO_GRADE = re.compile(r"\b(?:no|not|without|never|denie[sd])\b[^,;.]*$")
# "Has not changed the spasms" says that there are some.
_NOT_CHANGED = re.compile(
    r"\bnot (?:changed|helped|relieved|eased|reduced|stopped|improved) (?:the |his |her |any )?$"
)
# "Needs a dressing change each day" is a need, whatever the request.
_NEEDS = frozenset(
    {
        "skilled need", "homemaker", "homebound", "no skilled need", "language barrier",
        "english spoken", "few visits", "full course", "work tried in vain",
        "device never supplied",
    }
)  # fmt: skip
# "MRI for progressive weakness of the leg" states the weakness; "to look for a tear" none.
_FOR = re.compile(
    r"(?<!look )(?<!looking )(?<!evaluate )(?<!assess )(?<!check )(?<!rule out )(?<!screen )"
    r"(?<!test )(?<!tests )(?<!request )(?<!requests )(?<!authorization )(?<!asks )(?<!asked )"
    r"(?<!ask )(?<!referral )(?<!referred )(?<!order )(?<!orders )(?<!prescription )(?<!approval )"
    r"\bfor ['\"“‘]?(?:(?!possible|suspected|any|presumed|further|pain|relief)"
    r"[\w/-]+,? (?:and )?){0,6}$"
)
# "Asked for a study, noting normal bulk", "because of a positive Lachman".
_NOTING = re.compile(
    r"\b(?:noting|noted|citing|finding|because(?: of)?|in view of|in light of|based on)\b"
    r"(?:(?!\b(?:possible|suspected|any|presumed|further|rule out|whether|will|would)\b)[^.;:])"
    r"{0,50}$"
)


def _reason(summary: Summary, mention: Mention) -> bool:
    """Whether a finding is what something is asked for, and so is stated."""
    before = summary.before(mention, 90)
    return mention.qualifier == "requested" and bool(_FOR.search(before) or _NOTING.search(before))


# "Pain with radiation to the leg, motion half of normal": the limb where pain goes moves freely.
_WHERE_PAIN_GOES = re.compile(
    r"\b(?:radiat\w+|shoot\w*|refer\w+|spread\w*|travel\w*|goes|going)(?: (?:pain|down|in|into|to|"
    r"the|his|her|both|left|right|l|r|le|lle|rle|leg|legs|arm|arms|thigh|calf|buttock|hand)){1,6}\b|"
    r"\b(?:leg|legs|arm|arms|thigh|calf)(?: pain)? radiat\w+"
)
_WHOLE_LIMBS = frozenset(
    {"lower extremity", "upper extremity", "thigh", "lower leg", "upper arm", "buttock"}
)


def _of_radiation(summary: Summary, said: Statement) -> bool:
    """Whether a motion is placed only by the limb that pain goes to in its clause."""
    if said.concept != "limited motion" or not said.regions:
        return False
    at = said.mention.start
    before = summary.lower[max(at - 90, 0) : at]
    return _WHOLE_LIMBS.issuperset(said.regions) and bool(_WHERE_PAIN_GOES.search(before))


def plain_signs(summary: Summary) -> Iterator[Statement]:
    """Signs in plain words and in chart shorthand (``lexicons/sign.csv``).

    ``kind`` says how a row reads: a ``finding`` is denied by a negation around it, a ``stated`` one
    holds its own negation ("cannot feel", "no ankle jerk"), a ``normal`` one states that the
    concept is absent (or that an examination is normal), ``degrees`` measures a motion,
    ``share`` a strength beside that of the other side, and a ``test`` has a result printed beside
    it ("positive FADIR").
    """
    for mention in summary.mentions("sign", overlapping=True):
        kind, concept = mention.rule.extra["kind"], mention.value
        own = listed_regions(mention.rule.extra["region"])
        if _no_sign(summary, mention):
            continue
        concept = _root_or_nerve(summary, mention, concept)
        if concept == "normal examination" and _OF_NERVES.search(summary.before(mention, 40)):
            concept = "normal neurology"
        if concept == "normal neurology" and _AT_EARLIER_VISITS.match(summary.after(mention, 60)):
            continue
        own = _own_place(summary, mention, concept) or own
        if kind in ("degrees", "share"):
            yield from _measured(summary, mention, own)
            continue
        polarity = _plain_polarity(summary, mention, concept)
        if polarity is not None:
            said = state(summary, mention, "sign", concept, polarity, own)
            # "Equals the other side" is about the injured one.
            yield replace(said, side=None) if concept == "no deficit shown" else said


def _own_place(summary: Summary, mention: Mention, concept: str) -> tuple[str, ...]:
    """The spines of the muscles with trigger points; every spine of a body that is normal; of a
    list of tender places the part that it ends with.
    """
    if concept in ("trigger points", "twitch response"):
        clause = clause_text(summary, mention)
        return tuple(spine for spine, muscles in _MUSCLES.items() if muscles.search(clause))
    if concept == "normal neurology" and _WHOLE_BODY.match(summary.after(mention, 60)):
        return SPINE
    if concept != "insertional tenderness":
        return ()
    ends = range(mention.end - len(" bursa"), mention.end + 1)
    return tuple(p.value for p in parts_of(summary, mention.sentence) if p.end in ends)[-1:]


# "Full strength at every earlier visit" is no finding of today.
_AT_EARLIER_VISITS = re.compile(
    r"^ (?:at|on|in|during) (?:(?:all|every|each|the|his|her|both) ){0,2}(?:earlier|prior|previous|"
    r"past|preceding) (?:visits?|exam\w*|notes?|reports?|evaluations?)\b"
)
_MUSCLES = {
    "cervical spine": re.compile(
        r"\b(?:trapez\w+|traps?|levators?|rhomboids?|scalenes?|splenius|suboccipitals?|"
        r"sternocleidomastoids?)\b"
    ),
    "lumbar spine": re.compile(
        r"\b(?:quadratus|ql|glute\w*|piriformis|multifid\w+|erector\w*|lumbar paraspinals?)\b"
    ),
}


def _plain_polarity(summary: Summary, mention: Mention, concept: str) -> Polarity | None:
    """What words for a sign say of it, by the kind of their row."""
    kind, negated = mention.rule.extra["kind"], mention.qualifier == "negated"
    if kind == "test":
        return _result(summary, mention)
    if kind == "finding":
        gone = _GONE_AFTER.match(summary.after(mention, 60)) is not None
        return (
            "denied" if negated or gone or beside("marked_absent", summary, mention) else "affirmed"
        )
    if kind != "normal":
        return "affirmed"
    if concept == "normal neurology" and _EXCEPT.match(summary.after(mention, 60)):
        return None
    if negated and not _OWN_NO.match(mention.text.lower()):
        return None
    return "affirmed" if concept in _NORMAL else "denied"


# "Touch is normal in the hand except the little finger" is no normal examination.
_EXCEPT = re.compile(r"[^.;:]{0,40}\b(?:except|other than|apart from|aside from)\b")
# "No swelling, no laxity": a row of what is normal may begin with its own negation.
_OWN_NO = re.compile(r"(?:no|neither|without|negative|neg|none|nothing)\b")
# "Asks for four visits; PHQ-9 2": a score is told and not asked for.
_SCORE = re.compile(r"(?:phq|gad|bdi)\b.*\d$")


def _no_sign(summary: Summary, mention: Mention) -> bool:
    """Whether words for a sign tell of none: asked for, supposed, complained of, not on paper."""
    before, concept = summary.before(mention, 120), mention.value
    if mention.qualifier == "other_person" or beside("of_a_thing", summary, mention):
        return True
    if concept in ("films had", "mri had") and _NOT_ON_FILE.match(summary.after(mention, 60)):
        return True
    told = bool(
        concept in _NEEDS
        # Who will watch over exercises that are asked for can only be told as a plan.
        or (concept == "supervised exercise" and mention.qualifier == "requested")
        or _reason(summary, mention)
        or _SCORE.match(mention.text.lower())
    )
    if mention.qualifier in ("requested", "hypothetical") and not told:
        return True
    if mention.rule.id == "weekly_course" and mention.qualifier == "requested":
        return True  # "asks for therapy twice a week for six weeks"
    if concept in _WEAK and beside("of_pain", summary, mention):
        return True
    if concept == "red flag" and _EXERCISED.search(before) and mention.text.startswith("lost"):
        return True
    if concept == "positive tests" and equivocal(summary, mention):
        return True
    if beside("silent", summary, mention) or beside("long_ago", summary, mention):
        return True
    return concept in _NO_SIGN_AFTER and bool(_NO_SIGN_AFTER[concept].search(before))


# "Has been swimming and lost 20 pounds" tells of no illness.
_EXERCISED = re.compile(
    r"\b(?:bik(?:es|ing)|cycl(?:es|ing)|diet\w*|exercis\w+|gym|swim\w*|jog\w*)\b[^.;]*$"
)
# "Baclofen, prescribed for muscle tightness" tells what it is for, and of no examination.
_GIVEN_FOR = re.compile(
    r"\b(?:(?:prescribed|given|taken|takes|used|uses|dispensed|ordered|started|\d ?mg|#\d+)"
    r"(?: \w+){0,3}? for|prn(?: for)?|as needed(?: for)?) (?:\w+ ){0,2}$"
)
# Words before that make of some sign another thing, by the sign.
_NO_SIGN_AFTER = {
    "acute flare": re.compile(r"\b(?:for|during|of|with|in case of) (?:the |his |her |any )?$"),
    "spasm": _GIVEN_FOR,
    # "Her sons were finding it more and more difficult": what others do gets harder for them.
    "worsening": re.compile(
        r"\b(?:husband|wife|spouse|sons?|daughters?|family|relatives|mother|father|parents|partner|"
        r"caregivers?)\b[^.;]{0,90}\b(?:finds?|finding|found) it $"
    ),
    # "X-rays of the elbow were normal".
    "normal examination": re.compile(
        r"\b(?:x-?rays?|films?|radiographs?|mri|ct|imaging|studies|scans?)(?: \w+){0,3} $"
    ),
    "dermatomal sensory loss": re.compile(
        r"\b(?:complain(?:s|ed|ing|ts?)|c/o|report(?:s|ed|ing)|symptoms?)\b[^.;]*$"
    ),
    # "Heartburn with burning of the throat" is of no nerve.
    "neuropathic quality": re.compile(
        r"\b(?:heartburn|gerd|reflux|stomach|epigastri\w+|urinat\w+|chest)\b[^.;]*$"
    ),
}
# "The neurologic examination is normal" is one of nerves only.
_OF_NERVES = re.compile(r"\b(?:neuro\w*|sensory|motor|cranial nerve) $")


def _measured(summary: Summary, mention: Mention, own: tuple[str, ...]) -> Iterator[Statement]:
    """A motion in degrees or a strength beside the other side's, in percent of what is normal."""
    if mention.rule.extra["kind"] == "degrees":
        motion = _motion_measured(summary, mention)
        if motion is None:
            return
        own, share, least = (motion[0],), motion[1], 100.0
    else:
        now, full = (float(mention.groups[name] or 0) for name in ("now", "full"))
        share, least = min(round(100 * now / full), 100) if full else 100, _FULL_STRENGTH
    polarity: Polarity = "affirmed" if share < least else "denied"
    yield state(summary, mention, "sign", mention.value, polarity, own, percent=share)


# The stronger hand grips a tenth more (AMA Guides, 5th ed., ch. 16.8).
_FULL_STRENGTH = 85.0
_WHOLE_BODY = re.compile(
    r"[^.;,]{0,30}\b(?:throughout|(?:entire|whole) body|all (?:four |4 )?(?:extremities|limbs))\b"
)
_GONE_AFTER = re.compile(
    r"^(?: (?:and|or) \w+)?"
    r"(?: (?:of|in|about|over|at)(?: (?:the|his|her|left|right|both|upper|lower)){0,3} \w+)?"
    r"\s(?:(?:has|have|had|is|are|was|were)(?: now| since| completely| all| fully)*\s)?"
    r"(?:resolved|gone\b|cleared\b|disappeared|subsided)|"
    r"^ (?:is|are|was|were) (?:also )?denied\b"
)
_NORMAL = frozenset({"normal neurology", "normal examination", "negative tests", "not homebound"})


def _motion_measured(summary: Summary, mention: Mention) -> tuple[str, float] | None:
    """The joint and its motion in percent of a full one; None where the joint is not known.

    "35 to 100 degrees" is an arc, "from 60 to 90" a change.  A list of measurements goes on about
    the joint that was named last, sentences before too.
    """
    words = str(mention.groups["move"]).split()
    move = words[0] if words[0] in ("internal", "external") else words[-1]
    degrees, most = (float(mention.groups[name] or 0) for name in ("degrees", "most"))
    if most:
        # "95-100 degrees" is an estimate of one motion, "35 to 100" an arc.
        arc = degrees >= _SHORT_OF_ZERO and most - degrees > _ESTIMATE
        degrees = most - degrees if arc and "from" not in mention.text.lower() else most
    named = [p.value for p in summary.mentions("body_part") if p.start < mention.start]
    regions = (*place_of(summary, mention)[0], *named[:-4:-1])
    known = _full_motions()
    move = _SHORT_MOVES.get(move, move)
    # "FF 85" beside "IR to L5" is of the shoulder named before, and of no spine.
    region = next((region for region in regions if move in known.get(region, {})), "")
    full = known.get(region, {}).get(move)
    if full is None or not 0 <= degrees <= 180 or (not degrees and move == "flexion"):
        return None
    return region, min(round(100 * degrees / full), 100)


@cache
def _full_motions() -> Mapping[str, Mapping[str, float]]:
    """Degrees from which a motion counts as full, by region and move; a motion of a region that is
    not named is left alone.
    """
    found: dict[str, dict[str, float]] = {}
    for row in table_rows("full_motion"):
        found.setdefault(row["region"], {})[row["move"]] = float(row["degrees"])
    return found


# Less than this is within the error of measurement (AMA Guides, 5th ed., ch. 16.4).
_SHORT_OF_ZERO = 10
_ESTIMATE = 15
_SHORT_MOVES = {
    "flex": "flexion", "ext": "extension", "flexes": "flexion", "bends": "flexion",
    "range": "motion", "df": "dorsiflexion", "pf": "plantarflexion",
}  # fmt: skip
# Pain that goes to the buttock or the shoulder blade is referred, and radiates along no nerve.
_NEAR_BY = re.compile(
    r"^ (?:in)?to (?:the |his |her |both |left |right |bilateral )*(?:buttocks?|hips?|shoulders?|"
    r"shoulder blades?|trapezius|scapula|upper back|head|skull|groin|neck)\b(?! and| or|,|/)"
)


# "Knee, ankle and leg pain", or leg pain of a case without a back, is the leg's own.
_JOINTS = frozenset({"shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot"})
_JOINTS_LISTED = 3


def _stays_near(summary: Summary, mention: Mention) -> bool:
    """Whether pain goes but a little way, or a limb that aches is one of a list of parts."""
    if mention.rule.id not in ("limb_pain", "limb_pain_bare"):
        return _NEAR_BY.match(summary.after(mention, 50)) is not None
    clause = clause_of(summary, mention)
    named = {
        part.value
        for part in parts_of(summary, mention.sentence)
        if clause.start <= part.start < clause.end
    }
    spines = any(part.value.endswith(" spine") for part in summary.mentions("body_part"))
    alone = mention.rule.id == "limb_pain_bare" and not spines
    listed = len(named & _JOINTS) >= _JOINTS_LISTED
    return mention.qualifier != "negated" and (alone or listed)


# What the lexicon of signs reads as well.
_ALSO_FOUND = frozenset({"weakness", "feeling_lost"})
_BY_EXAMINER = re.compile(
    r"\b(?:exam(?:ination)?|objective(?: \w+)?|palpation|(?:physician|doctor|provider|surgeon)"
    r"(?: also)? (?:noted|found|observed|documented))\b"
)


_SENSATION = re.compile(r"(?:altered|abnormal|decreased|diminished|reduced) sensations?")


def _by_examiner(summary: Summary, mention: Mention) -> bool:
    """Whether an examiner, and not the worker, tells of weakness or of lost feeling; "sensation" is
    the examiner's word, where nobody complains.
    """
    before = summary.lower[summary.bounds[mention.sentence] : mention.start]
    told = [found.end() for found in _COMPLAINED.finditer(before)]
    if not told and _SENSATION.fullmatch(mention.text.lower()):
        return True
    return _BY_EXAMINER.search(before, told[-1] if told else 0) is not None


def complaints(summary: Summary) -> Iterator[Statement]:
    """What the worker reports, and pain that goes on."""
    for mention in summary.mentions("complaint"):
        without = mention.value.startswith("no_")
        known = concepts().get(("complaint", mention.value.removeprefix("no_")))
        if known is None or mention.qualifier in ("requested", "hypothetical", "other_person"):
            continue
        if beside("long_ago", summary, mention) or beside("silent", summary, mention):
            continue
        if mention.value == "radiating_pain" and _stays_near(summary, mention):
            continue
        if mention.rule.id in _ALSO_FOUND and _by_examiner(summary, mention):
            continue
        gone = _GONE_AFTER.match(summary.after(mention, 60)) or beside(
            "marked_absent", summary, mention
        )
        denied = without or gone or mention.qualifier == "negated"
        polarity: Polarity = "denied" if denied else "affirmed"
        yield state(summary, mention, "complaint", known[1], polarity, known[2])
    for mention in summary.mentions("pain"):
        before = summary.before(mention, 60)
        at_onset = _AT_ONSET.search(before) and not _LASTING.search(before)
        if mention.qualifier in ("affirmed", "negated") and not at_onset:
            there = mention.qualifier == "affirmed" or _WITHOUT_IT.search(before)
            polarity = "affirmed" if there else "denied"
            degree = pain_degree(summary, mention)
            yield state(summary, mention, "complaint", "pain", polarity, degree=degree)


_LASTING = re.compile(
    r"\b(?:chronic|persistent|ongoing|continued|continuous|constant)(?: [\w-]+){0,3} $"
)
# "Cannot lift a cup without it stabbing".
_WITHOUT_IT = re.compile(r"\bwithout (?:it|(?:my|his|her|the) \w+) $")
# Pain of the day of injury is no complaint that goes on.
_AT_ONSET = re.compile(
    r"\b(?:at the (?:er|ed|emergency\b)|on the (?:doi|date of injury|day of (?:the )?injury))\b"
    r"[^.;]{0,40}$|"
    r"\b(?:felt|feeling|immediate\w*|sudden\w*|developed|onset|injur(?:y|ed|ies)(?! (?:worker|"
    r"employee))|initially|while|when) [^.;]{0,60}$"
)


@dataclass(frozen=True, slots=True)
class _Report:
    """A study that was done, and the stretch of text that tells its findings."""

    mention: Mention
    regions: tuple[str, ...]
    end: int
    side: str | None


_GOES_ON = re.compile(
    r"\s*(?:(?:it|this|these|the (?:study|scan|films?|report|impression|findings))\b|impression|"
    r"findings|there (?:is|was|were|are)\b|also\b)"
)
# "Films of the hip are not in the file": whether some were taken is not known.
_NOT_ON_FILE = re.compile(
    r"^[^.;:,]{0,30}?\b(?:(?:is|are|was|were) )?not (?:in (?:the |this )?(?:notes?|records?|"
    r"charts?|file|packet)|on file|available|included|provided|submitted|enclosed)\b"
)


@once
def _reports(summary: Summary) -> list[_Report]:
    """The imaging studies done, each with what is told of it: up to the next study, and in the
    next sentence where that goes on with the study ("It showed …", "There is a tear …").
    """
    found = []
    done = summary.mentions("imaging")
    for place, mention in enumerate(done):
        away, sentence = _NOT_ON_FILE.match(summary.after(mention, 60)), mention.sentence
        if away or not studies.performed(summary, mention):
            continue
        end = summary.sentence_span(sentence)[1]
        if sentence + 1 < len(summary.bounds) and _GOES_ON.match(summary.lower, end):
            end = summary.sentence_span(sentence + 1)[1]
        following = done[place + 1].start if place + 1 < len(done) else end
        regions = tuple(r for r in studies.regions_studied(summary, mention) if r)
        side = place_of(summary, mention, regions)[1]
        found.append(_Report(mention, regions, min(end, max(following, mention.end)), side))
    return found


def _report_of(summary: Summary, mention: Mention) -> _Report | None:
    """The study that a finding is told of."""
    told = (r for r in _reports(summary) if r.mention.end <= mention.start < r.end)
    return next(told, None)


def study_of(summary: Summary, mention: Mention) -> Mention | None:
    """The study that a mention is, or is told of as a finding."""
    told = (r.mention for r in _reports(summary) if r.mention.start <= mention.start < r.end)
    return next(told, None)


@cache
def _kinds() -> tuple[tuple[str, re.Pattern[str]], ...]:
    rows = table_rows("imaging_findings")
    return tuple((row["finding"], re.compile(row["pattern"])) for row in rows)


# The word of degree nearest before a finding, in its own part of a list.
_DEGREE = re.compile(
    r"\b(?:(?P<mild>mild(?:ly)?|minimal(?:ly)?|slight(?:ly)?|small|minor|tiny|trace|low[- ]grade)|"
    r"(?P<severe>severe(?:ly)?|marked(?:ly)?|advanced|large|massive|complete|full[- ]thickness|"
    r"high[- ]grade|end[- ]stage|bone[- ]on[- ]bone|profound|gross)|"
    r"(?P<partial>partial(?:[- ]thickness)?|intrasubstance))\b(?! to moderate to)"
)
_BONE_ON_BONE = re.compile(
    r"bones?[- ](?:on|to|are|touch|rub|grind)|ball and|\b(?:gone|lost|oblit)|"
    r"eaton|kellgren|\bkl\b|nnis|outerbr"
)
_DEGREE_ENDS = re.compile(r"[,;:.]|\b(?:but|with|without|no)\b")
_DEGREE_REACH = 60


def _degree(summary: Summary, start: int, mention: Mention) -> str | None:
    """How much of a finding, by the words before it."""
    first = max(start, mention.start - _DEGREE_REACH)
    ends = [end.end() for end in _DEGREE_ENDS.finditer(summary.lower, first, mention.start)]
    words = list(_DEGREE.finditer(summary.lower, max([first, *ends]), mention.start))
    before, after = summary.before(mention, 20), summary.after(mention, 20)
    if _BONE_ON_BONE.search(mention.text.lower()):
        return "severe"
    if _SMALL_BEFORE.search(before) or _SMALL_AFTER.match(after):
        return "mild"
    return words[-1].lastgroup if words else None


# "A 2 mm protrusion", "a partial tear of 20%".
_SMALL_BEFORE = re.compile(r"\b(?:(?:1|2)(?:\.\d)?(?: ?- ?[23])? ?mm|[1-4]\d ?%)(?: \w+){0,2} $")
_SMALL_AFTER = re.compile(r"^ of (?:(?:1|2)(?:\.\d)? ?mm|[1-4]\d ?%)(?! (?:displ|gap|step))")


def studies_done(summary: Summary) -> Iterator[Statement]:
    """Studies done, planned or denied, and what those that were done showed."""
    done = {report.mention.start for report in _reports(summary)}
    for report in _reports(summary):
        result = studies.result_of(summary, report.mention)
        polarity: Polarity = "affirmed" if result == "not_stated" else result
        times = times_of(summary, report.mention)
        value, regions = report.mention.value, report.regions
        degree = "mild" if _only_mild_wear(summary, report) else None
        said = state(
            summary, report.mention, "study", value, polarity, regions, degree=degree, **times
        )
        yield said if result == "not_stated" else _with_finding(summary, report, said)
    for mention in summary.mentions("imaging"):
        if mention.start not in done:
            away = _NOT_ON_FILE.match(summary.after(mention, 60))
            polarity = "denied" if mention.qualifier == "negated" and not away else "planned"
            regions = tuple(r for r in studies.regions_studied(summary, mention) if r)
            yield state(summary, mention, "study", mention.value, polarity, regions)
    yield from _findings(summary)
    yield from _nerve_studies(summary)


def _only_mild_wear(summary: Summary, report: _Report) -> bool:
    """Whether mild degeneration is all that a study shows."""
    told = starting_between(summary.mentions("imaging_result"), report.mention.end, report.end)
    shown = [f for f in told if f.value == "abnormal" and f.qualifier != "negated"]
    return bool(shown) and all(
        _kind_of_finding(f.text.lower()) == "degeneration"
        and _degree(summary, report.mention.end, f) == "mild"
        for f in shown
    )


def _with_finding(summary: Summary, report: _Report, said: Statement) -> Statement:
    """A study whose clause goes on to its first finding ("MRI: partial tear")."""
    told = starting_between(summary.mentions("imaging_result"), report.mention.end, report.end)
    ends = (clause_of(summary, first).end for first in told)
    return replace(said, end=max(said.end, next(ends, said.end)))


# A "possible nonunion" is none yet, nor is a signal that "may represent a partial tear".
_PERHAPS = re.compile(
    r"\b(?:possible|possibly|questionable|suspected|equivocal for|cannot exclude|"
    r"(?:may|might|could) (?:be|represent|reflect|indicate|relate to|be due to))"
    r"(?: (?:an?|the|early|small|subtle|partial|low[- ]grade|intrasubstance|interstitial|"
    r"degenerative|old)){0,3} $"
)
_HEALED = re.compile(
    r"\b(?:(?<!not )(?<!un)(?<!non)heal(?:ed|ing well)|(?<!not )united|solid union|consolidated)\b"
)


def _findings(summary: Summary) -> Iterator[Statement]:
    """What the studies showed, one statement a finding, of the study's region."""
    for mention in summary.mentions("imaging_result"):
        report = _report_of(summary, mention)
        if report is None:
            continue
        kind = _kind_of_finding(mention.text.lower())
        none = mention.value == "normal" and kind != "normal"
        polarity: Polarity = "denied" if none or mention.qualifier == "negated" else "affirmed"
        if polarity == "affirmed" and (
            _PERHAPS.search(summary.before(mention, 60)) or contested(summary, report.mention)
        ):
            continue
        if kind == "fracture" and _HEALED.search(clause_text(summary, mention)):
            kind = "healed fracture"
        concept, degree = f"finding: {kind}", _degree(summary, report.mention.end, mention)
        said = state(summary, mention, "study", concept, polarity, report.regions, degree=degree)
        yield said if side_told(summary, mention) else replace(said, side=report.side)
    for mention in summary.mentions("nerve_root"):
        report = _report_of(summary, mention)
        if report is None and (
            mention.qualifier == "hypothetical"
            or studies.sought(summary, mention)
            or (mention.value == "herniation" and _listed_as_diagnosis(summary, mention))
        ):
            continue
        sound = mention.value == "none"
        concept = "nerve: root" if sound else f"nerve: {mention.value}"
        polarity = "denied" if sound or mention.qualifier == "negated" else "affirmed"
        regions, degree = report.regions if report else (), _narrowed(summary, report, mention)
        yield state(summary, mention, "study", concept, polarity, regions, degree=degree)


_TO_MODERATE = re.compile(r"\bmild(?:ly)?(?: to |-to-| ?- ?|/)mod(?:erate(?:ly)?)?\b[^.;,]*$")


def _narrowed(summary: Summary, report: _Report | None, mention: Mention) -> str | None:
    """How narrow a study shows the way of a nerve; "mild to moderate" is not mild."""
    if report is None or _TO_MODERATE.search(summary.before(mention, 50)):
        return None
    return _degree(summary, report.mention.end, mention)


@lru_cache(maxsize=4096)
def _kind_of_finding(words: str) -> str:
    return next((name for name, pattern in _kinds() if pattern.search(words)), "other")


def _nerve_studies(summary: Summary) -> Iterator[Statement]:
    """Electrodiagnostic studies with their result, and whether radiculopathy was found."""
    for mention in summary.mentions("electrodiagnostics"):
        times = times_of(summary, mention)
        if not mention.documented and not studies.told_done(summary, mention):
            polarity: Polarity = "denied" if mention.qualifier == "negated" else "planned"
            yield state(summary, mention, "study", "electrodiagnostic", polarity)
            continue
        result = studies.nerve_result_of(summary, mention)
        polarity = "affirmed" if result is None else "normal" if result == "normal" else "abnormal"
        yield state(summary, mention, "study", "electrodiagnostic", polarity, **times)
        if result is not None:
            shown: Polarity = "affirmed" if result == "radiculopathy" else "denied"
            yield state(summary, mention, "study", "nerve study: radiculopathy", shown)


_DETAILS = frozenset({"fluoroscopy", "transforaminal", "interlaminar", "series_of_three"})


def plans(summary: Summary) -> Iterator[Statement]:
    """How an injection is to be done, or was done."""
    for mention in summary.mentions("request"):
        if mention.value in _DETAILS:
            negated = mention.qualifier == "negated"
            polarity: Polarity = "planned" if mention.qualifier == "requested" else "affirmed"
            yield state(summary, mention, "plan", mention.value, "denied" if negated else polarity)


# Said in plans: a taper, a supply, the time of a rental, the extent of an operation, what goes on
# beside the care that is asked for.
_ASKED = frozenset(
    {
        "baseline_test", "taper", "large_supply", "short_use", "large_operation",
        "operation_planned", "care_beside", "motivated", "taper_refused", "fluoroscopy",
    }
)  # fmt: skip
# "Prednisone taper", "PT tapering to once a week", "the risks of misuse were discussed" are about
# another drug, about visits, and about nobody's use.
_OF_NO_DRUG = {
    "taper": re.compile(
        r"\b(?:prednisone|medrol|steroids?|methylprednisolone|dexamethasone|dose-?\s?pac?k|pt|ot|"
        r"therapy|visits|sessions|treatments?|recommend(?:ed|s)?) (?:\w+ )?$"
    ),
    "misuse": re.compile(
        r"\b(?:risks?|dangers?|potential|possibility|signs|monitor\w*|screen\w*|assess\w*|warned|"
        r"counsel\w*|educat\w*|question\w*) (?:(?:of|for|about|on|against|re) )"
        r"(?:[\w/+]+,? ){0,5}$"
    ),
    # "No record shows that he is unable to swallow tablets".
    "oral_hindered": re.compile(
        r"\b(?:no|nothing|nobody|not|never|whether|nor) (?:\w+ )?(?:shows?|states?|says?|said|"
        r"stated|indicates?|documents?|documented|describes?|suggests?|mentions?) (?:\w+ ){0,4}$|"
        r"\bwhether (?:\w+ ){0,3}$"
    ),
}


def background(summary: Summary) -> Iterator[Statement]:
    """How the injury came about, general health and its hazards, what else was looked into, is
    owned or under way, and how the request is to be used.

    A value that starts with ``no_`` states the contrary of what follows.
    """
    for mention in summary.mentions("background", overlapping=True):
        known = concepts().get(("background", mention.value))
        if known is None or mention.qualifier == "other_person":
            continue
        value = mention.value.removeprefix("no_")
        if value == "large_operation" and study_of(summary, mention) is not None:
            continue  # "films show a two level slip" tells of the spine, and of no operation
        if value not in _ASKED and mention.qualifier in ("requested", "hypothetical"):
            continue
        no_drug = _OF_NO_DRUG.get(mention.value)
        if beside("silent", summary, mention) or (
            no_drug and no_drug.search(summary.before(mention, 60))
        ):
            continue
        contrary = value != mention.value
        # "No other illness" says of itself that there is none.
        denied = contrary or (mention.qualifier == "negated" and value != "healthy")
        count = float(mention.groups["n"] or 0) if "n" in mention.groups else None
        polarity: Polarity = "denied" if denied else "affirmed"
        yield state(summary, mention, known[0], known[1], polarity, count=count)


# "Has tried no drug for neuropathic pain" denies the drug, and not the pain.
_DRUG_FOR = re.compile(
    r"\b(?:drugs?|medic\w+|agents?|pills?|treatments?|therapy|care|anything|nothing)(?: \w+)? for "
    r"(?:(?:the|his|her|any) )?$"
)


# "The infraspinatus tendinitis test was positive" names a test.
_OF_A_TEST = re.compile(
    r"^ (?:tests?|testing|sign|man(?:eu|oeu)vers?|provocation)\b|"
    r"^ signs? (?:(?:is|are|was|were) )?(?:neg|absent|none)"
)
# "Gout was considered" suspects it, and asks for nothing.
_THOUGHT_OF = re.compile(r"^ (?:is|was|has been) (?:being )?(?:considered|entertained)\b")


def diagnoses(summary: Summary) -> Iterator[Statement]:
    """Diagnoses, comorbidity and words of severity."""
    for family in ("diagnosis", "comorbidity", "severity"):
        for mention in summary.mentions(family):
            if mention.qualifier == "other_person":
                continue
            thought_of = _THOUGHT_OF.match(summary.after(mention, 30))
            if mention.qualifier == "requested" and not (thought_of or _reason(summary, mention)):
                continue
            if _OF_A_TEST.match(summary.after(mention, 20)):
                continue
            if mention.value == "sound" and not _structure_sound(summary, mention):
                continue
            polarity = diagnosis_polarity(summary, mention)
            study = study_of(summary, mention)
            if polarity == "affirmed" and study is not None and contested(summary, study):
                polarity = "suspected"
            if polarity == "denied" and _DRUG_FOR.search(summary.before(mention, 40)):
                continue
            apnea = mention.value == "sleep" and "apnea" in mention.text.lower()
            concept = "sleep_apnea" if apnea else mention.value
            own = concepts().get((family, mention.value), ("diagnosis", concept, ()))[2]
            if concept != "new_event":
                own = own or regions_in_list(summary, mention)
            said = state(summary, mention, "diagnosis", concept, polarity, own)
            # Screws are where the operation was, and not where the sentence before looked.
            inherited = concept in _IMPLANTED and not parts_of(summary, mention.sentence)
            yield replace(said, regions=(), side=None) if inherited else said


_IMPLANTED = frozenset({"hardware_problem", "nonunion"})

# "Sensation intact", "full motion", "a stable mood" call nerves, joints and persons well; only of
# a structure ("the cuff is intact", "normal alignment") does it mean that no lesion is there.
_STRUCTURE = (
    r"(?:ligaments?|ligamentous(?:ly)?|tendons?|cuff|menisc(?:us|i|al)|labr(?:um|al)|grafts?|"
    r"repairs?|fusion|hardware|implants?|prosthes[ie]s|components?|cartilage|cruciates?|acl|pcl|mcl|"
    r"lcl|collaterals?|achilles|biceps|supraspinatus|infraspinatus|subscapularis|dis[ck]s?|bones?|"
    r"bony|cort(?:ex|ical)|fractures?|vertebra[el]?|alignment|mortise|syndesmosis|retinaculum|"
    r"fascia|nerve root|cord|mri|x-?rays?|films?|radiographs?|ct|scan|stud(?:y|ies)|imaging)"
)
_STRUCTURE_BEFORE = re.compile(rf"\b{_STRUCTURE}\b(?:[ ,/&-]+[\w'’-]+){{0,5}}[ ,:]*$")
_STRUCTURE_AFTER = re.compile(rf"^(?: [\w-]+){{0,2}} {_STRUCTURE}\b")
_JOINT_BEFORE = re.compile(
    r"\b(?:knee|shoulder|ankle|wrist|elbow|hip|thumb|patella|joint|spine)s?(?: (?:is|are|was|were|"
    r"remains?|appears?|seems|exam(?:ination)?|otherwise|ligamentously))*:? $"
)
_OF_THE_BODY = re.compile(
    r"\b(?:sens\w+|neuro\w+|motor|strength|reflex\w*|dtrs?|pulses?|vascular\w*|gait|motion|rom|"
    r"skin|incisions?|wounds?|scars?|sutures?|vitals?|tone|light touch|cranial|condition)\b"
)


def _structure_sound(summary: Summary, mention: Mention) -> bool:
    """Whether what is called intact, stable or normal is a structure of the body or a study."""
    if mention.text.lower().startswith(_SOUND_BY_ITSELF):
        return True
    before, after = summary.before(mention, 60), summary.after(mention, 40)
    told = _STRUCTURE_BEFORE.search(before)
    if told and not _OF_THE_BODY.search(told[0]) and not _OF_THE_BODY.match(after.lstrip()):
        return True
    ahead = _STRUCTURE_AFTER.match(after)
    return bool(_JOINT_BEFORE.search(before) or (ahead and not _OF_THE_BODY.search(ahead[0])))


_SOUND_BY_ITSELF = ("solid", "consolidat", "normal alignment", "normal stud")


# --- tests and measures ---------------------------------------------------------------------------

_NORMAL_TEST = re.compile(
    r"\b(?:normal|nl|wnl|negative|neg|unremarkable|within normal limits|clear|ok)\b"
)
_ABNORMAL_TEST = re.compile(
    r"\b(?:abnormal|elevated|raised|high|low|severe|moderate|loss|obstruction|prolonged|positive|"
    r"reduced|hypertrophy|apnea|notch|db|uptake|osteoporosis|deficits?|impaired|erosive)\b"
)
# "Have not been done in three years", "none on file".
_TEST_NOT_DONE = re.compile(
    r"^[^.;,]{0,20}\b(?:(?:has|have|was|were) (?:never|not)\b|none\b|"
    r"not (?:done|on file|available))"
)


def tests(summary: Summary) -> Iterator[Statement]:
    """Tests other than imaging and nerve studies, with what is said of their result."""
    for mention in summary.mentions("test"):
        clause, concept = clause_of(summary, mention), f"test: {mention.value}"
        if _TEST_NOT_DONE.match(summary.after(mention, 60)) or mention.qualifier == "negated":
            polarity: Polarity = "denied"
        elif not mention.documented and not told_done(summary, mention):
            polarity = "planned"
        elif _ABNORMAL_TEST.search(summary.lower, mention.end, clause.end):
            polarity = "abnormal"
        else:
            sound = _NORMAL_TEST.search(summary.lower, clause.start, clause.end)
            polarity = "normal" if sound else "affirmed"
        yield state(summary, mention, "study", concept, polarity, **times_of(summary, mention))


_AMOUNT = r"(?P<n>\d{1,3}(?:\.\d{1,2})?)\s?(?:-|to)?\s?(?P<more>\d{1,3})?"
_UNIT = r"\s?-?(?P<unit>mm|cm|%|percent|degrees?|deg\b|°)"
_AMOUNT_BEFORE = re.compile(
    rf"(?<![\d/.]){_AMOUNT}{_UNIT}(?: (?:of|or|to|in|the|more))*(?: \w+)?\s*$"
)
_AMOUNT_AFTER = re.compile(
    rf"^(?: (?:of|by|is|was|about|at|to|over|measures|measuring|dorsally|superiorly|plus|minus)|"
    rf"[:,])*\s*[+-]?{_AMOUNT}{_UNIT}"
)
_SAME_UNIT = {"percent": "%", "degree": "degrees", "deg": "degrees", "°": "degrees"}
_GRADES = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "two": 2, "three": 3, "four": 4}


def measures(summary: Summary) -> Iterator[Statement]:
    """Measured findings, as a share (percent) of the extent from which an operation is usual.

    ``usual`` of a row of ``lexicons/measure.csv`` is that extent in the row's ``unit``.
    """
    for mention in summary.mentions("measure", overlapping=True):
        row = mention.rule.extra
        if mention.qualifier in ("negated", "requested", "hypothetical", "other_person"):
            continue
        amount = _amount(summary, mention, row["unit"])
        if amount is not None:
            percent = round(100 * amount / float(row["usual"]), 1)
            own = listed_regions(row["region"])
            yield state(summary, mention, "sign", mention.value, "affirmed", own, percent=percent)


def _amount(summary: Summary, mention: Mention, unit: str) -> float | None:
    """The amount printed in, before or after a mention, in a unit; None where there is none."""
    printed = mention.groups.get("n")
    if printed is not None:
        return float(_GRADES.get(printed) or printed)
    for match in (
        _AMOUNT_AFTER.match(summary.after(mention, 40)),
        _AMOUNT_BEFORE.search(summary.before(mention, 40)),
    ):
        if match is None:
            continue
        said = _SAME_UNIT.get(match["unit"], match["unit"])
        amount = float(match["more"] or match["n"])
        if said == "cm" and unit == "mm":
            said, amount = "mm", 10 * amount
        if said == unit:
            return amount
    return None
