"""Signs, complaints, studies and tests and what they showed, diagnoses, plans and background."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from imr.features.beside import beside, gives_beside, match_beside
from imr.features.context import Mention, Summary, clause_of, once
from imr.features.families import examination, studies
from imr.features.families.studies import contested
from imr.features.signal import table_rows
from imr.features.statements.statement import (
    SPINE,
    Polarity,
    Statement,
    concepts,
    equivocal,
    listed_regions,
    pain_degree,
    polarity_beside,
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
from imr.features.words import group, labelled, pairs, pattern


def signs(summary: Summary) -> Iterator[Statement]:
    """Tests and signs of an examination, each with its own result."""
    for mention in summary.mentions("examination", overlapping=True):
        known = concepts().get(("examination", mention.value))
        polarity = _sign_polarity(summary, mention)
        if known is None or polarity is None:
            continue
        if beside("of_no_muscle", mention) or beside("long_ago", mention):
            continue
        if mention.value in group("sign_or_diagnosis") and _listed_as_diagnosis(summary, mention):
            continue
        if mention.value in _ALSO_COMPLAINTS and _complained_of(summary, mention):
            continue
        subject, concept, own = known
        # A drawer or a stress test may be that of the ankle, the elbow, the thumb.
        if mention.value == "knee_instability_signs" and _within(
            summary, mention, group("stressed_elsewhere")
        ):
            own = ()
        if concept == "impingement" and _within(summary, mention, _HIP):
            own = ("hip",)
        concept = gives_beside("more_exact_sign", mention) or concept
        if concept == "fracture":
            own = _broken(summary, mention)
        degree = "mild" if beside("slight", mention) else None
        said = state(mention, subject, concept, polarity, own, degree=degree)
        yield replace(said, regions=(), side=None) if _of_radiation(summary, said) else said


def _broken(summary: Summary, mention: Mention) -> tuple[str, ...]:
    """Where a fracture is: in its own item of a list, or of a vertebra somewhere in the spine."""
    listed = regions_in_list(summary, mention)
    if not beside("of_a_vertebra", mention):
        return listed
    named = {part.value for part in parts_of(summary, mention.sentence)}
    own = [[region for region in SPINE if region in told] for told in (listed, named)]
    return tuple(own[0] or own[1]) or SPINE


_HIP = frozenset({"hip", "groin"})


def _within(summary: Summary, mention: Mention, regions: frozenset[str]) -> bool:
    """Whether the place that a test stands in is one of some regions."""
    place = place_of(summary, mention)[0]
    return bool(place) and regions.issuperset(place)


def _listed_as_diagnosis(summary: Summary, mention: Mention) -> bool:
    """Whether a mention stands after words that begin a list of diagnoses."""
    return pattern("list_of_diagnoses").search(_sentence_before(summary, mention)) is not None


def _sentence_before(summary: Summary, mention: Mention) -> str:
    return summary.lower[summary.bounds[mention.sentence] : mention.start]


_ALSO_COMPLAINTS = frozenset({"spasm", "weakness", "swelling"})


def _complained_of(summary: Summary, mention: Mention) -> bool:
    """Whether the worker, and no examiner, tells of a sign."""
    *complained, since = pattern("somebody_complains").split(_sentence_before(summary, mention))
    return bool(complained) and pattern("somebody_examines").search(since) is None


def _sign_polarity(summary: Summary, mention: Mention) -> Polarity | None:
    """What an examination says of a sign; None where it is not stated."""
    if mention.qualifier == "other_person":
        return None
    asked_for = mention.qualifier in ("requested", "hypothetical")
    if asked_for and not beside("is_the_reason", mention):
        return "planned" if mention.qualifier == "requested" else "suspected"
    untold = beside("sign_not_told", mention)
    if untold or beside("weak_by_no_nerve", mention):
        return None
    if examination.is_test(mention):
        return _result(summary, mention)
    if mention.value == "rom":
        motion = examination.motion(summary, mention)
        return None if motion is None else "affirmed" if motion == "limited" else "denied"
    if mention.value == "neuro_normal":
        return "affirmed" if examination.stated_normal(mention) else "denied"
    return polarity_beside("sign", mention) or "affirmed"


def _result(summary: Summary, mention: Mention) -> Polarity | None:
    """The result printed beside a test; None where none is, or one that shows nothing."""
    shown = None if equivocal(summary, mention) else examination.polarity(summary, mention)
    return None if shown is None else "affirmed" if shown else "denied"


def _of_radiation(summary: Summary, said: Statement) -> bool:
    """Whether a motion is placed only by the limb that pain goes to in its clause."""
    if said.concept != "limited motion" or not said.regions:
        return False
    at = said.mention.start
    before = summary.lower[max(at - 90, 0) : at]
    return group("whole_limb").issuperset(said.regions) and bool(
        pattern("where_pain_goes").search(before)
    )


def plain_signs(summary: Summary) -> Iterator[Statement]:
    """Signs in plain words and in chart shorthand (``lexicons/sign.csv``).

    ``kind`` says how a row reads: a ``finding`` is denied by a negation around it, a ``stated`` one
    holds its own negation ("cannot feel", "no ankle jerk"), a ``normal`` one states that the
    concept is absent (or that an examination is normal), ``degrees`` measures a motion,
    ``share`` a strength beside that of the other side, and a ``test`` has a result printed beside
    it ("positive FADIR").
    """
    for mention in summary.mentions("sign", overlapping=True):
        kind = mention.rule.extra["kind"]
        if beside("tells_of_no_sign", mention):
            continue
        if mention.value == "positive tests" and equivocal(summary, mention):
            continue
        concept = gives_beside("more_exact_sign", mention) or mention.value
        if concept == "normal neurology" and beside("at_earlier_visits", mention):
            continue
        listed = listed_regions(mention.rule.extra["region"])
        own = _own_place(summary, mention, concept) or listed
        if kind in ("degrees", "share"):
            yield from _measured(summary, mention, own)
            continue
        polarity = _plain_polarity(summary, mention, concept)
        if polarity is not None:
            said = state(mention, "sign", concept, polarity, own)
            if concept in group("told_of_things") and not parts_of(summary, mention.sentence):
                said = replace(said, regions=(), side=None)
            # "Equals the other side" is about the injured one.
            yield replace(said, side=None) if concept == "no deficit shown" else said


def _own_place(summary: Summary, mention: Mention, concept: str) -> tuple[str, ...]:
    """The spines of the muscles with trigger points; every spine of a body that is normal; of a
    list of tender places the part that it ends with.
    """
    if concept in ("trigger points", "twitch response"):
        return listed_regions(gives_beside("spine_of_the_muscles", mention) or "")
    if concept == "normal neurology" and beside("of_the_whole_body", mention):
        return SPINE
    if concept != "insertional tenderness":
        return ()
    ends = range(mention.end - len(" bursa"), mention.end + 1)
    return tuple(p.value for p in parts_of(summary, mention.sentence) if p.end in ends)[-1:]


def _plain_polarity(summary: Summary, mention: Mention, concept: str) -> Polarity | None:
    """What words for a sign say of it, by the kind of their row."""
    kind, negated = mention.rule.extra["kind"], mention.qualifier == "negated"
    if kind == "test":
        return _result(summary, mention)
    if kind == "finding":
        return "denied" if negated or beside("is_gone", mention) else "affirmed"
    if kind != "normal":
        return "affirmed"
    if concept == "normal neurology" and beside("with_an_exception", mention):
        return None
    if negated and not beside("begins_with_no", mention):
        return None
    return "affirmed" if concept in group("sign_that_is_normal") else "denied"


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
    yield state(mention, "sign", mention.value, polarity, own, percent=share)


# The stronger hand grips a tenth more (AMA Guides, 5th ed., ch. 16.8).
_FULL_STRENGTH = 85.0


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
    move = pairs("short_move").get(move, move)
    # "FF 85" beside "IR to L5" is of the shoulder named before, and of no spine.
    region = next((region for region in regions if move in known.get(region, {})), "")
    full = known.get(region, {}).get(move)
    if full is None or not 0 <= degrees <= 180 or (not degrees and move == "flexion"):
        return None
    return region, min(round(100 * degrees / full), 100)


@cache
def _full_motions() -> Mapping[str, Mapping[str, float]]:
    """Degrees from which a motion counts as full, by region and move; others are left alone."""
    found: dict[str, dict[str, float]] = {}
    for row in table_rows("full_motion"):
        found.setdefault(row["region"], {})[row["move"]] = float(row["degrees"])
    return found


# Less than this is within the error of measurement (AMA Guides, 5th ed., ch. 16.4).
_SHORT_OF_ZERO = 10
_ESTIMATE = 15
_JOINTS_LISTED = 3


def _stays_near(summary: Summary, mention: Mention) -> bool:
    """Whether pain goes but a little way, or a limb that aches is one of a list of parts."""
    if mention.rule.id not in ("limb_pain", "limb_pain_bare"):
        return beside("goes_only_near_by", mention)
    clause = clause_of(mention)
    named = {
        part.value
        for part in parts_of(summary, mention.sentence)
        if clause.start <= part.start < clause.end
    }
    spines = any(part.value.endswith(" spine") for part in summary.mentions("body_part"))
    alone = mention.rule.id == "limb_pain_bare" and not spines
    listed = len(named & group("joint_that_aches")) >= _JOINTS_LISTED
    return mention.qualifier != "negated" and (alone or listed)


# What the lexicon of signs reads as well.
_ALSO_FOUND = frozenset({"weakness", "feeling_lost"})


def _by_examiner(summary: Summary, mention: Mention) -> bool:
    """Whether an examiner tells of a sign; "sensation" is his word where nobody complains."""
    *complained, since = pattern("somebody_complains").split(_sentence_before(summary, mention))
    if not complained and pattern("sensation_altered").fullmatch(mention.text.lower()):
        return True
    return pattern("examiner_tells").search(since) is not None


def complaints(summary: Summary) -> Iterator[Statement]:
    """What the worker reports, and pain that goes on."""
    for mention in summary.mentions("complaint"):
        without = mention.value.startswith("no_")
        known = concepts().get(("complaint", mention.value.removeprefix("no_")))
        if known is None or mention.qualifier in ("requested", "hypothetical", "other_person"):
            continue
        if beside("long_ago", mention) or beside("silent", mention):
            continue
        if mention.value == "radiating_pain" and _stays_near(summary, mention):
            continue
        if mention.rule.id in _ALSO_FOUND and _by_examiner(summary, mention):
            continue
        negated = without or mention.qualifier == "negated"
        denied = negated or beside("is_gone", mention)
        polarity: Polarity = "denied" if denied else "affirmed"
        yield state(mention, "complaint", known[1], polarity, known[2])
    for mention in summary.mentions("pain"):
        if mention.qualifier not in ("affirmed", "negated"):
            continue
        if beside("pain_at_onset", mention):
            continue  # pain of the day of injury is no complaint that goes on
        affirmed = mention.qualifier == "affirmed" and not beside("is_gone", mention)
        there = affirmed or beside("without_it_something_fails", mention)
        polarity = "affirmed" if there else "denied"
        degree = pain_degree(mention)
        yield state(mention, "complaint", "pain", polarity, degree=degree)


@dataclass(frozen=True, slots=True)
class _Report:
    """A study that was done, and the stretch of text that tells its findings."""

    mention: Mention
    regions: tuple[str, ...]
    end: int
    side: str | None


@once
def _reports(summary: Summary) -> list[_Report]:
    """The imaging studies done, each with what is told of it: up to the next study, and in the
    next sentence where that goes on with the study ("It showed …", "There is a tear …").
    """
    found = []
    done = summary.mentions("imaging")
    for place, mention in enumerate(done):
        if beside("not_on_file", mention) or not beside("performed", mention):
            continue
        sentence = mention.sentence
        end = summary.sentence_span(sentence)[1]
        last = sentence + 1 == len(summary.bounds)
        if not last and pattern("report_goes_on").match(summary.lower, end):
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


_DEGREE_REACH = 60


def _degree(summary: Summary, start: int, mention: Mention) -> str | None:
    """How much of a finding, by its own words and those before it."""
    measured = gives_beside("degree_of_finding", mention)
    if measured:
        return measured
    first = max(start, mention.start - _DEGREE_REACH)
    ends = [
        end.end()
        for end in pattern("part_of_finding_ends").finditer(summary.lower, first, mention.start)
    ]
    words = list(
        pattern("degree_of_a_finding").finditer(summary.lower, max([first, *ends]), mention.start)
    )
    return words[-1].lastgroup if words else None


def studies_done(summary: Summary) -> Iterator[Statement]:
    """Studies done, planned or denied, and what those that were done showed."""
    done = {report.mention.start for report in _reports(summary)}
    for report in _reports(summary):
        result = studies.result_of(summary, report.mention)
        if result == "abnormal" and _all_gone(summary, report):
            result = "normal"
        polarity: Polarity = "affirmed" if result == "not_stated" else result
        times = times_of(summary, report.mention)
        value, regions = report.mention.value, report.regions
        degree = "mild" if _only_mild_wear(summary, report) else None
        said = state(report.mention, "study", value, polarity, regions, degree=degree, **times)
        yield said if result == "not_stated" else _with_finding(summary, report, said)
    for mention in summary.mentions("imaging"):
        if mention.start not in done:
            unknown = mention.qualifier != "negated" or beside("not_on_file", mention)
            polarity = "planned" if unknown else "denied"
            regions = tuple(r for r in studies.regions_studied(summary, mention) if r)
            yield state(mention, "study", mention.value, polarity, regions)
    yield from _findings(summary)
    yield from _nerve_studies(summary)


def _all_gone(summary: Summary, report: _Report) -> bool:
    """Whether a study shows what is normal, and all else that is told of it is gone."""
    told, shown = _told_by(summary, report)
    sound = any(f.value == "normal" for f in told)
    return sound and bool(shown) and all(beside("is_gone", f) for f in shown)


def _told_by(summary: Summary, report: _Report) -> tuple[list[Mention], list[Mention]]:
    """What is told of a study, and what of that is abnormal and there."""
    results = summary.mentions("imaging_result")
    told = list(starting_between(results, report.mention.end, report.end))
    return told, [f for f in told if f.value == "abnormal" and f.qualifier != "negated"]


def _only_mild_wear(summary: Summary, report: _Report) -> bool:
    """Whether mild degeneration is all that a study shows."""
    shown = _told_by(summary, report)[1]
    return bool(shown) and all(
        _kind_of_finding(f.text.lower()) == "degeneration"
        and _degree(summary, report.mention.end, f) == "mild"
        for f in shown
    )


def _with_finding(summary: Summary, report: _Report, said: Statement) -> Statement:
    """A study whose clause goes on to its first finding ("MRI: partial tear")."""
    ends = (clause_of(first).end for first in _told_by(summary, report)[0])
    return replace(said, end=max(said.end, next(ends, said.end)))


def _findings(summary: Summary) -> Iterator[Statement]:
    """What the studies showed, one statement a finding, of the study's region."""
    for mention in summary.mentions("imaging_result"):
        report = _report_of(summary, mention)
        if report is None or beside("not_told_apart", mention):
            continue
        kind = _kind_of_finding(mention.text.lower())
        none = mention.value == "normal" and kind != "normal"
        gone = kind not in group("worse_when_gone") and beside("is_gone", mention)
        none = none or gone or mention.qualifier == "negated"
        polarity: Polarity = "denied" if none else "affirmed"
        if polarity == "affirmed" and (
            beside("perhaps_found", mention) or contested(summary, report.mention)
        ):
            continue
        if kind == "fracture" and beside("is_healed", mention):
            kind = "healed fracture"
        concept, degree = f"finding: {kind}", _degree(summary, report.mention.end, mention)
        said = state(mention, "study", concept, polarity, report.regions, degree=degree)
        yield said if side_told(summary, mention) else replace(said, side=report.side)
    for mention in summary.mentions("nerve_root"):
        report = _report_of(summary, mention)
        if report is None and (
            mention.qualifier == "hypothetical"
            or beside("is_sought", mention)
            or (mention.value == "herniation" and _listed_as_diagnosis(summary, mention))
        ):
            continue
        sound = mention.value == "none"
        concept = "nerve: root" if sound else f"nerve: {mention.value}"
        polarity = "denied" if sound or mention.qualifier == "negated" else "affirmed"
        regions, degree = report.regions if report else (), None
        if report and not beside("mild_to_moderate", mention):
            degree = _degree(summary, report.mention.end, mention)
        yield state(mention, "study", concept, polarity, regions, degree=degree)


@lru_cache(maxsize=4096)
def _kind_of_finding(words: str) -> str:
    known = labelled("imaging_findings", "finding")
    return next((name for name, shown in known if shown.search(words)), "other")


def _nerve_studies(summary: Summary) -> Iterator[Statement]:
    """Electrodiagnostic studies with their result, and whether radiculopathy was found."""
    for mention in summary.mentions("electrodiagnostics"):
        times = times_of(summary, mention)
        if not mention.documented and not beside("told_done", mention):
            unknown = mention.qualifier != "negated" or beside("not_on_file", mention)
            polarity: Polarity = "planned" if unknown else "denied"
            yield state(mention, "study", "electrodiagnostic", polarity)
            continue
        result = studies.nerve_result_of(summary, mention)
        polarity = "affirmed" if result is None else "normal" if result == "normal" else "abnormal"
        yield state(mention, "study", "electrodiagnostic", polarity, **times)
        if result is not None:
            shown: Polarity = "affirmed" if result == "radiculopathy" else "denied"
            yield state(mention, "study", "nerve study: radiculopathy", shown)


def plans(summary: Summary) -> Iterator[Statement]:
    """How an injection is to be done, or was done."""
    for mention in summary.mentions("request"):
        if mention.value in group("way_of_injecting"):
            negated = mention.qualifier == "negated"
            polarity: Polarity = "planned" if mention.qualifier == "requested" else "affirmed"
            yield state(mention, "plan", mention.value, "denied" if negated else polarity)


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
        if value not in group("background_of_plans") and mention.qualifier in (
            "requested",
            "hypothetical",
        ):
            continue
        if beside("silent", mention) or beside("of_no_drug", mention):
            continue
        contrary = value != mention.value
        # "No other illness" says of itself that there is none.
        denied = contrary or (mention.qualifier == "negated" and value != "healthy")
        count = float(mention.groups["n"] or 0) if "n" in mention.groups else None
        polarity: Polarity = "denied" if denied else "affirmed"
        yield state(mention, known[0], known[1], polarity, count=count)


def diagnoses(summary: Summary) -> Iterator[Statement]:
    """Diagnoses, comorbidity and words of severity."""
    for family in ("diagnosis", "comorbidity", "severity"):
        for mention in summary.mentions(family):
            if beside("names_no_diagnosis", mention):
                continue
            if mention.value == "sound" and not _structure_sound(summary, mention):
                continue
            polarity = polarity_beside("diagnosis", mention) or "affirmed"
            study = study_of(summary, mention)
            if polarity == "affirmed" and study is not None and contested(summary, study):
                polarity = "suspected"
            if polarity == "denied" and beside("of_a_drug_for_it", mention):
                continue
            apnea = mention.value == "sleep" and "apnea" in mention.text.lower()
            concept = "sleep_apnea" if apnea else mention.value
            own = concepts().get((family, mention.value), ("diagnosis", concept, ()))[2]
            if concept != "new_event":
                own = own or regions_in_list(summary, mention)
            said = state(mention, "diagnosis", concept, polarity, own)
            # Screws are where the operation was, and not where the sentence before looked.
            inherited = concept in _IMPLANTED and not parts_of(summary, mention.sentence)
            yield replace(said, regions=(), side=None) if inherited else said


_IMPLANTED = frozenset({"hardware_problem", "nonunion"})


def _structure_sound(summary: Summary, mention: Mention) -> bool:
    """Whether what is called intact, stable or normal is a structure of the body or a study."""
    if beside("sound_by_its_words", mention):
        return True
    told = match_beside("structure_before", mention)
    if told and pattern("sound_of_the_body").match(summary.after(mention, 40).lstrip()):
        told = None
    ahead = match_beside("structure_behind", mention)
    return any(
        named and not pattern("sound_of_the_body").search(named[0]) for named in (told, ahead)
    )


# --- tests and measures ---------------------------------------------------------------------------


def tests(summary: Summary) -> Iterator[Statement]:
    """Tests other than imaging and nerve studies, with what is said of their result."""
    for mention in summary.mentions("test"):
        concept, end = f"test: {mention.value}", clause_of(mention).end
        if beside("test_not_done", mention):
            polarity: Polarity = "denied"
        elif not mention.documented and not beside("told_done", mention):
            polarity = "planned"
        elif pattern("test_abnormal").search(summary.lower, mention.end, end):
            polarity = "abnormal"
        else:
            polarity = "normal" if beside("test_was_normal", mention) else "affirmed"
        yield state(mention, "study", concept, polarity, **times_of(summary, mention))


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
        amount = _amount(mention, row["unit"])
        if amount is not None:
            percent = round(100 * amount / float(row["usual"]), 1)
            own = listed_regions(row["region"])
            yield state(mention, "sign", mention.value, "affirmed", own, percent=percent)


def _amount(mention: Mention, unit: str) -> float | None:
    """The amount printed in, before or after a mention, in a unit; None where there is none."""
    printed = mention.groups.get("n")
    if printed is not None:
        return float(_GRADES.get(printed) or printed)
    for match in (match_beside("amount_behind", mention), match_beside("amount_before", mention)):
        if match is None:
            continue
        said = _SAME_UNIT.get(match["unit"], match["unit"])
        amount = float(match["more"] or match["n"])
        if said == "cm" and unit == "mm":
            said, amount = "mm", 10 * amount
        if said == unit:
            return amount
    return None
