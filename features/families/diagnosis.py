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

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from imr.data.letter import Case, Item
from imr.features.condition import Condition, condition, holds
from imr.features.context import Mention, Summary, once
from imr.features.families.request import requested_parts, side_of, tests_and_organs
from imr.features.signal import Column, Findings, Value, columns_like, table_rows
from imr.features.statements import Statement, about
from imr.features.statements.findings import study_of
from imr.features.where_when import any_same_region

MOST_PARTS = 4
LIST_SEPARATOR = " | "
_PSYCHOLOGICAL = ("depression", "anxiety", "ptsd", "psychological_other")
_SEVERITY = {
    "severe": "severe_finding",
    "mild": "mild_finding",
    "sound": "sound_finding",
    "resolved": "symptoms_resolved",
    "new_event": "new_injury_event",
}


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


def build_severity(summary: Summary, _case: Case) -> Findings:
    """One truth value a degree, and one for a new injury."""
    found = Findings()
    found.flag_each(_SEVERITY, summary.mentions("severity"))
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
    summary: Summary, _case: Case, item: Item, _found: dict[str, Value]
) -> Findings:
    """Findings, diagnoses and complaints of the requested region."""
    own, parts = Findings(), requested_parts(item)
    if parts:
        own.values |= _of(summary, parts, side_of(item.requested))
    return own


# What is asked of the worker and not of the part, and what is no finding.
_NO_FINDING = frozenset({"normal neurology", "red flag", "brain deficit", "mechanical symptoms"})
_MORE_FINDINGS = frozenset(
    {
        "effusion", "neuropathic quality", "neurological deficit", "painful joint test",
        "positive tests", "acromioclavicular joint", "weak grip", "insertional tenderness",
        "no weight",
    }
)  # fmt: skip
_NO_DIAGNOSIS = frozenset({"severe", "mild", "sound", "resolved", "new_event"})
_ACHES = re.compile(r"\b(?:pain|discomfort|ach(?:es?|ing)|sore(?:ness)?|hurts?)\b")


@once
def _of(summary: Summary, parts: tuple[str, ...], side: str | None) -> dict[str, Value]:
    """How many kinds of findings a part has, whether it has a diagnosis and a complaint."""
    told = [s for s, bears in about(summary, parts, side) if bears != "elsewhere"]
    there = {(s.subject, s.concept) for s in told if _SAID.get(s.polarity)}
    near = _sentences_about(summary, parts)
    aches = any(_ACHES.search(summary.sentence_lower(sentence)) for sentence in near)
    complains = there & _COMPLAINTS or _in(summary, "complaint", near)
    return {
        "requested_part_findings": len(there & _FINDINGS),
        "requested_part_diagnosis": bool(there & _DIAGNOSES or _in(summary, "diagnosis", near)),
        "requested_part_complaint": aches or bool(complains),
    }


def _sentences_about(summary: Summary, parts: Sequence[str]) -> set[int]:
    """The sentences that document something of one of the regions."""
    return {
        mention.sentence
        for mention in summary.mentions("body_part")
        if any_same_region((mention.value,), parts) and mention.documented
    }


def _in(summary: Summary, family: str, sentences: set[int]) -> list[Mention]:
    return [m for m in summary.mentions(family) if m.sentence in sentences and m.documented]


# --- findings ------------------------------------------------------------------------------------

SIGNS = (
    "tension sign of the leg", "tension sign of the arm", "dermatomal sensory loss",
    "myotomal weakness", "reflex deficit", "sensory loss", "weakness", "foot drop",
    "normal neurology", "nerve entrapment", "upper motor neuron", "limited motion", "tenderness",
    "spasm", "trigger points", "swelling", "abnormal gait", "crepitus", "instability",
    "mechanical symptoms", "meniscus", "joint line tenderness", "patellofemoral", "impingement",
    "rotator cuff", "labrum", "biceps tendon", "facet loading", "sacroiliac sign", "epicondyle",
    "tenosynovitis sign", "cervical compression", "triggering", "tendon failure",
    "occult fracture", "malalignment", "dislocates again", "brain deficit", "red flag", "unsteady",
)  # fmt: skip
COMPLAINTS = ("radiating pain", "numbness", "weakness")
DIAGNOSES = (
    "fracture", "sprain_strain", "contusion", "open_wound", "crush_injury", "hernia",
    "dislocation", "rotator_cuff_tear", "shoulder_impingement", "labral_tear",
    "adhesive_capsulitis", "meniscal_tear", "ligament_tear", "tendon_rupture", "epicondylitis",
    "carpal_tunnel", "cubital_tunnel", "wrist_tenosynovitis", "trigger_finger", "ganglion",
    "spondylolisthesis", "facet_arthropathy", "sacroiliac_pain", "failed_back_surgery",
    "plantar_fasciitis", "joint_degeneration", "nonunion", "hardware_problem", "infection",
    "cord_or_cauda_equina", "tendinitis", "myofascial_pain", "degenerative", "stenosis",
    "disc_herniation", "radiculopathy_diagnosis", "neuropathic", "nerve_entrapment", "tear",
    "crps", "severe", "mild", "sound", "resolved", "new_event",
)  # fmt: skip
# A joint that is swollen, where an examiner and no study found it.
_EFFUSION = ("sign", "effusion")
HERE = {
    (subject, concept): f"{subject}_{concept.replace(' ', '_')}_here"
    for subject, concepts in (("sign", SIGNS), ("complaint", COMPLAINTS), ("diagnosis", DIAGNOSES))
    for concept in concepts
}
"""The column of each subject and concept: ``sign_reflex_deficit_here``."""
_FINDINGS = frozenset(("sign", concept) for concept in ({*SIGNS} | _MORE_FINDINGS) - _NO_FINDING)
_COMPLAINTS = frozenset(("complaint", concept) for concept in ("pain", *COMPLAINTS))
_DIAGNOSES = frozenset(("diagnosis", concept) for concept in {*DIAGNOSES} - _NO_DIAGNOSIS)
COLUMNS_HERE: tuple[Column, ...] = tuple(
    Column(
        name,
        "bool",
        f"Of the requested region: {concept.replace('_', ' ')} ({subject})",
        null="nothing is said of it",
        family="region_findings",
        source="concepts.csv",
    )
    for (subject, concept), name in HERE.items()
)
_SAID = {"affirmed": True, "abnormal": True, "denied": False, "normal": False}


def build_findings(summary: Summary, _case: Case, item: Item, _found: dict[str, Value]) -> Findings:
    """What is said of each finding, with the words that say so."""
    parts = requested_parts(item)
    of_organ = any(c.startswith("organ:") for c in tests_and_organs(item.requested))
    if not parts and (of_organ or item.category == "Pharmaceuticals"):
        return Findings()  # what speaks for a drug, or for hearing aids, are the facts
    return _here(summary, parts, side_of(item.requested))


@once
def _here(summary: Summary, parts: tuple[str, ...], side: str | None) -> Findings:
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
        if value or own.values.get(name) is None or _last_decides(statement):
            own.put(name, value, statement.mention)
    return own


def _last_decides(statement: Statement) -> bool:
    """Whether what is told last holds: an "infected wound" among the diagnoses, and at the next
    visit "no sign of infection".
    """
    return statement.concept == "infection" and "infect" in statement.mention.text.lower()


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
    return tuple(
        Indication(
            row["id"],
            condition(row["when"]),
            condition(row["indicated_if"]),
            row["text"],
            row["source"],
        )
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


def build_indication(
    _summary: Summary, _case: Case, _item: Item, found: dict[str, Value]
) -> Findings:
    """The indication the request falls under, and whether it is documented."""
    own = Findings()
    row = _row_for(tuple(map(found.get, _asked())))
    if row is not None:
        own.values["indication"] = row.id
        supported = holds(row.indicated_if, found) and not holds(_UNSUPPORTED, found)
        own.values["indication_documented"] = supported
    return own


# What goes with an operation falls with it. An arthroscopy falls where the report of the MRI
# excludes its lesion, whoever reads the images otherwise, or after one or two visits of therapy.
_UNSUPPORTED = condition(
    "associated_with_surgery & !operation_indicated | "
    'subcategory="Arthroscopic Surgery" & mri_taken & !repairable_lesion | '
    'subcategory="Arthroscopic Surgery" & care_short & -operation_acute_condition'
    " & -fracture_documented"
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
