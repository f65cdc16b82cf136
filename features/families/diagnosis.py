"""What is wrong, how severe it is and where; what of that is of the requested region, and whether
it indicates the request.

A diagnosis or condition is True where the summary documents it (as complaint, finding or
diagnosis), not where it is denied, to be ruled out, or named only by the utilization review or a
quoted guideline.  Words of severity count where they qualify a lesion or finding ("severe
stenosis", not "severe pain").  ``case_body_part`` is the region that the summary mentions most,
whatever is requested: it tells where a request without a body part ("cold therapy unit") belongs.

A fracture of the foot is no reason to scan the elbow.  Three looks at the requested region: the
sentences that mention it (:func:`imr.features.where_when.same_region`) and what they document; each
sign, complaint and diagnosis by the statements that bear on the request
(:func:`imr.features.statements.bearing`), True where one affirms it, False where one denies it and
none affirms it, null where nothing is said, and for drugs without a region; and whether what is
documented is what the requested treatment is for: ``indications.csv`` says for each kind of request
(``when``) what indicates it (``indicated_if``), with its source; both are conditions over the
signals of the row (:mod:`imr.features.condition`), and the first row whose ``when`` holds decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from imr.data.letter import Case, Item
from imr.data.request import parts_in_order
from imr.features.beside import beside
from imr.features.condition import Condition, condition, holds
from imr.features.context import Mention, Summary, once
from imr.features.families.request import (
    requested_parts,
    side_of,
    specialist_field,
    tests_and_organs,
)
from imr.features.signal import Findings, Value, columns_like, table_rows
from imr.features.statements import about, of_other_side, sides_told
from imr.features.statements.findings import study_of
from imr.features.where_when import any_same_region, is_or_explains, side_of_part
from imr.features.words import group, pattern

MOST_PARTS = 4
LIST_SEPARATOR = " | "
_PSYCHOLOGICAL = ("depression", "anxiety", "ptsd", "psychological_other")


def build(summary: Summary, _case: Case) -> Findings:
    """One truth value a diagnosis, with the mentions that document it; the regions of the case."""
    found = Findings()
    found.flag_each(columns_like("diagnosis", "{}_diagnosed"), summary.mentions("diagnosis"))
    parts = case_parts(summary)
    found.values["case_body_part"] = parts[0] if parts else None
    found.values["case_body_parts"] = LIST_SEPARATOR.join(parts[:MOST_PARTS]) or None
    return found


def build_comorbidity(summary: Summary, _case: Case) -> Findings:
    """One truth value a condition, and one for all psychological ones."""
    found, mentions = Findings(), summary.mentions("comorbidity")
    found.flag_each(columns_like("comorbidity", "{}_documented"), mentions)
    psychological = sorted(
        (m for m in mentions if m.value in _PSYCHOLOGICAL),
        key=lambda m: _PSYCHOLOGICAL.index(m.value),
    )
    found.flag("psychological_comorbidity", psychological)
    return found


def build_item(summary: Summary, _case: Case, item: Item, _found: dict[str, Value]) -> Findings:
    """Whether the summary speaks of the requested region at all."""
    own = Findings()
    own.values["requested_part_documented"] = (
        any_same_region(case_parts(summary), item.body_parts) if item.body_parts else None
    )
    return own


@once
def case_parts(summary: Summary) -> list[str]:
    """The regions of the case, those mentioned most first, in order of print among equals.

    What is only requested or told by the utilization review does not count: it would make the
    case about whatever is asked for.
    """
    mentions = (m for m in summary.mentions("body_part") if m.documented)
    return [part for part, _ in Counter(m.value for m in mentions).most_common()]


# --- the requested region -------------------------------------------------------------------------


def build_requested_part(
    summary: Summary, _case: Case, item: Item, row: dict[str, Value]
) -> Findings:
    """Findings, diagnoses and complaints of the requested region."""
    own, parts = Findings(), requested_parts(item)
    if parts:
        own.values |= _of(summary, parts, side_of(item.requested))
        own.values["side_not_told"] = _side_not_told(summary, item, parts, row)
        own.values["part_not_told"] = _part_not_told(summary, parts, row)
    return own


def _side_not_told(
    summary: Summary, item: Item, parts: tuple[str, ...], row: dict[str, Value]
) -> bool | None:
    """Whether all that is told is of another side than is asked for; None where no side is."""
    told, side = sides_told(summary, parts), side_of(item.requested)
    both = row["request_side"] == "bilateral" and (row["request_bilateral"] or len(parts) == 1)
    if not told or not (side or both):
        return None
    if both:
        return len(told) == 1 and told != {"both"}
    return of_other_side(summary, parts, side)


_TELLS = ("complaint", "sign", "diagnosis", "study")


def _part_not_told(summary: Summary, parts: tuple[str, ...], row: dict[str, Value]) -> bool | None:
    """Whether nothing is told of one of the parts; None of what goes with an operation: the chest
    is filmed before one without a complaint.
    """
    if (
        row["request_preoperative"]
        or row["request_associated_surgical"]
        or not _parts_told(summary)
    ):
        return None
    return not all(_is_told(summary, part) for part in parts)


def _is_told(summary: Summary, part: str) -> bool:
    """Whether a complaint, finding, diagnosis or study of a part is told, or of the spine or limb
    that explains it, or the part is named at all but for what is asked for.
    """
    return (
        any(is_or_explains(known, part) for known in _parts_told(summary))
        or any(
            bears == "requested" and said.subject in _TELLS and said.polarity != "planned"
            for said, bears in about(summary, (part,), None)
        )
        or any(is_or_explains(known, part) for known in _parts_of_requests(summary))
    )


@once
def _parts_told(summary: Summary) -> set[str]:
    """The regions that are told of, also that nothing is wrong there."""
    mentions = summary.mentions("body_part")
    return {m.value for m in mentions if m.documented or m.qualifier == "negated"}


@once
def _parts_of_requests(summary: Summary) -> set[str]:
    """The parts named in words of requests ("the whole spine"), but those of what is asked for."""
    return {*parts_in_order(summary.text)} - {m.value for m in summary.mentions("body_part")}


@once
def _of(summary: Summary, parts: tuple[str, ...], side: str | None) -> dict[str, Value]:
    """How many kinds of findings a part has, whether it has a diagnosis and a complaint."""
    told = [s for s, bears in about(summary, parts, side) if bears != "elsewhere"]
    there = {(s.subject, s.concept) for s in told if _SAID.get(s.polarity)}
    more, none = group("more_findings_of_a_part"), group("no_finding_of_a_part")
    signs = {c for s, c in there if s == "sign" and ((s, c) in HERE or c in more)} - none
    named = {c for s, c in there & HERE.keys() if s == "diagnosis"} - group("no_diagnosis")
    complains = any(s == "complaint" and (c == "pain" or (s, c) in HERE) for s, c in there)
    near = _sentences_about(summary, parts, side)
    aches = any(pattern("it_aches").search(summary.sentence_lower(sentence)) for sentence in near)
    return {
        "requested_part_findings": len(signs),
        "requested_part_diagnosis": bool(named or _in(summary, "diagnosis", near)),
        "requested_part_complaint": aches or complains or bool(_in(summary, "complaint", near)),
    }


def _sentences_about(summary: Summary, parts: tuple[str, ...], side: str | None) -> set[int]:
    """The sentences that document something of one of the regions, and of the requested side."""
    others = of_other_side(summary, parts, side)
    return {
        mention.sentence
        for mention in summary.mentions("body_part")
        if any_same_region((mention.value,), parts)
        and mention.documented
        and not beside("names_no_part", mention)
        and not _is_opposite(summary, mention, side, others)
    }


def _is_opposite(summary: Summary, part: Mention, side: str | None, others: bool) -> bool:
    """Whether a part is of the side not asked for; ``others`` where those without a side are."""
    if side is None:
        return False
    own = side_of_part(summary, part)
    return others if own is None else {own, side} == {"left", "right"}


def _in(summary: Summary, family: str, sentences: set[int]) -> list[Mention]:
    return [m for m in summary.mentions(family) if m.sentence in sentences and m.documented]


# --- findings ------------------------------------------------------------------------------------

# A joint that is swollen, where an examiner and no study found it.
_EFFUSION = ("sign", "effusion")


def _here() -> Iterator[tuple[tuple[str, str], str]]:
    for words, name in columns_like("region_findings", "{}_here").items():
        subject, _, concept = words.partition("_")
        yield (subject, concept if subject == "diagnosis" else concept.replace("_", " ")), name


HERE = dict(_here())
"""The column of each subject and concept: ``sign_reflex_deficit_here``."""
_SAID = {"affirmed": True, "abnormal": True, "denied": False, "normal": False}


def build_findings(summary: Summary, _case: Case, item: Item, _found: dict[str, Value]) -> Findings:
    """What is said of each finding, with the words that say so."""
    parts = requested_parts(item)
    of_organ = any(c.startswith("organ:") for c in tests_and_organs(item.requested))
    if not parts and (of_organ or item.category == "Pharmaceuticals"):
        return Findings()  # what speaks for a drug, or for hearing aids, are the facts
    return _told_here(summary, parts, side_of(item.requested))


@once
def _told_here(summary: Summary, parts: tuple[str, ...], side: str | None) -> Findings:
    own, reported = Findings(), _reported(summary, parts, side)
    for statement, bears in about(summary, parts, side):
        said = (statement.subject, statement.concept)
        name = HERE.get(said)
        if said == _EFFUSION and study_of(summary, statement.mention) is None:
            name = "sign_swelling_here"
        value = _SAID.get(statement.polarity)
        if name is None or value is None or bears == "elsewhere":
            continue
        if value and reported.get(name) is False:
            continue
        # "Infected wound" among the diagnoses, and at the next visit "no sign of infection".
        last = statement.concept == "infection" and "infect" in statement.mention.text.lower()
        known = own.values.get(name)
        if value or last or known is None:
            if known is not None and known != value:
                own.support = [said for said in own.support if said[0] != name]
            own.put(name, value, statement.mention)
    deficits = (HERE["sign", concept] for concept in group("sign_of_a_nerve_deficit"))
    if own.values.get(_SOUND_NERVES) and any(own.values.get(deficit) for deficit in deficits):
        own.values[_SOUND_NERVES] = False  # full strength of a leg that is numb is no normal leg
        own.support = [said for said in own.support if said[0] != _SOUND_NERVES]
    return own


_SOUND_NERVES = HERE["sign", "normal neurology"]
# What a scan shows or excludes, whatever the list of diagnoses says.
_SCANNED = frozenset({"labral_tear", "rotator_cuff_tear", "meniscal_tear"})
_SCANS = frozenset({"mri", "ct"})


def _reported(summary: Summary, parts: tuple[str, ...], side: str | None) -> dict[str, bool]:
    """Of lesions that a scan tells of, whether one shows them."""
    found: dict[str, bool] = {}
    for statement, bears in about(summary, parts, side):
        value = _SAID.get(statement.polarity)
        if statement.concept not in _SCANNED or value is None or bears == "elsewhere":
            continue
        study = study_of(summary, statement.mention)
        if study is not None and study.value in _SCANS:
            name = HERE[statement.subject, statement.concept]
            found[name] = value or found.get(name, False)
    return found


# --- indication ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Indication:
    """One row of ``indications.csv``: a kind of request, and what it is for."""

    id: str
    when: Condition
    indicated_if: Condition
    text: str
    source: str


@cache
def indications() -> tuple[Indication, ...]:
    """The rows of ``indications.csv``, in order."""
    read: dict[str, Callable[[str], Any]] = {"when": condition, "indicated_if": condition}
    return tuple(
        Indication(**{name: read.get(name, str)(cell) for name, cell in row.items()})
        for row in table_rows("indications")
    )


@cache
def signals_of(row: str) -> tuple[str, ...]:
    """The signals that decide whether the indication of a row is documented."""
    return tuple(
        dict.fromkeys(
            term.name
            for known in indications()
            if known.id == row
            for terms in known.indicated_if
            for term in terms
            if not term.negated
        )
    )


NAMED_BY_REQUEST = ("consult_field", "organ_asked")
"""What ``when`` of an indication may name besides the columns: the field of the specialist, and the
organs that a test, drug or visit looks after."""


def _named_by(item: Item) -> dict[str, Value]:
    named = tests_and_organs(item.requested)
    organs = sorted(c.removeprefix(_ORGAN) for c in named if c.startswith(_ORGAN))
    field = specialist_field(item.requested)
    return dict(zip(NAMED_BY_REQUEST, (field, " | ".join(organs) or None), strict=True))


_ORGAN = "organ: "


def build_indication(
    summary: Summary, _case: Case, item: Item, found: dict[str, Value]
) -> Findings:
    """The indication the request falls under, and whether it is documented."""
    own = Findings()
    known = {**found, **_named_by(item)}
    row = _row_for(tuple(map(known.get, _asked())))
    if row is not None:
        own.values["indication"] = row.id
        supported = holds(row.indicated_if, found) and not holds(_UNSUPPORTED, found)
        supported = supported and not _of_another_place(summary, item)
        own.values["indication_documented"] = supported
    return own


def _of_another_place(summary: Summary, item: Item) -> bool:
    """Whether a hernia is to be repaired, and those that the summary places are all elsewhere."""
    asked = pattern("place_of_hernia").search(item.requested.lower())
    if asked is None or "hernia" not in item.requested.lower():
        return False
    said = [m for m in summary.mentions("diagnosis") if m.value == "hernia" and m.documented]
    sentences = {summary.sentence_lower(m.sentence) for m in said}
    placed = {
        m.lastindex for sentence in sentences for m in pattern("place_of_hernia").finditer(sentence)
    }
    return bool(placed) and asked.lastindex not in placed


# What goes with an operation falls with it. An arthroscopy falls where the report of the MRI
# excludes its lesion, whoever reads the images otherwise, or after one or two visits of therapy.
# Therapy "after the injection" falls where no injection is told of.
_UNSUPPORTED = condition(
    "associated_with_surgery & !operation_indicated | "
    'subcategory="Arthroscopic Surgery" & mri_taken & !repairable_lesion | '
    'subcategory="Arthroscopic Surgery" & care_short & -operation_acute_condition'
    " & -fracture_documented | "
    "request_post_injection & !injection_prior & !letter_has_injection"
)


# Letters ask for the same things.
@lru_cache(maxsize=4096)
def _row_for(values: tuple[Value, ...]) -> Indication | None:
    """The first row whose kind of request has these values of :func:`_asked`."""
    found = dict(zip(_asked(), values, strict=True))
    return next((row for row in indications() if holds(row.when, found)), None)


@cache
def _asked() -> tuple[str, ...]:
    """The signals that tell what kind of request it is."""
    return tuple({t.name: None for row in indications() for terms in row.when for t in terms})
