"""Signs, complaints and diagnoses of the requested region: found, denied, or not spoken of.

The signals of other families say what stands anywhere in a summary; a numb thumb is nothing to a
study of the legs.  Here each statement counts only where it bears on the request
(:func:`imr.features.statements.bearing`): True where one affirms the finding, False where one
denies it and none affirms it, null where nothing is said, and for drugs without a region.
"""

from __future__ import annotations

from functools import cache

from imr.data.letter import Case, Item
from imr.features.context import Summary, once
from imr.features.families.facts import side_of
from imr.features.families.request import requested_parts
from imr.features.signal import Column, Findings, Value
from imr.features.statements import about

FAMILY = "region_findings"

SIGNS = (
    "tension sign of the leg", "tension sign of the arm", "dermatomal sensory loss",
    "myotomal weakness", "reflex deficit", "sensory loss", "weakness", "foot drop",
    "normal neurology", "nerve entrapment", "upper motor neuron", "limited motion", "tenderness",
    "spasm", "trigger points", "swelling", "abnormal gait", "crepitus", "instability",
    "mechanical symptoms", "meniscus", "joint line tenderness", "patellofemoral", "impingement",
    "rotator cuff", "labrum", "biceps tendon", "facet loading", "sacroiliac sign", "epicondyle",
    "tenosynovitis sign", "cervical compression",
)  # fmt: skip
COMPLAINTS = ("radiating pain", "numbness", "weakness")
DIAGNOSES = (
    "fracture", "sprain_strain", "contusion", "open_wound", "dislocation", "rotator_cuff_tear",
    "shoulder_impingement", "labral_tear", "adhesive_capsulitis", "meniscal_tear",
    "ligament_tear", "tendon_rupture", "epicondylitis", "carpal_tunnel", "cubital_tunnel",
    "wrist_tenosynovitis", "trigger_finger", "ganglion", "spondylolisthesis",
    "facet_arthropathy", "sacroiliac_pain", "failed_back_surgery", "plantar_fasciitis",
    "joint_degeneration", "nonunion", "hardware_problem", "infection", "cord_or_cauda_equina",
    "tendinitis", "myofascial_pain", "degenerative", "stenosis", "disc_herniation",
    "radiculopathy_diagnosis", "neuropathic", "nerve_entrapment", "tear", "crps", "severe",
    "mild", "sound", "resolved", "new_event",
)  # fmt: skip
_CONCEPTS = tuple(
    (subject, concept)
    for subject, concepts in (("sign", SIGNS), ("complaint", COMPLAINTS), ("diagnosis", DIAGNOSES))
    for concept in concepts
)
_SAID = {"affirmed": True, "abnormal": True, "denied": False, "normal": False}


def column_of(subject: str, concept: str) -> str:
    """The column of a concept: ``sign_reflex_deficit_here``."""
    return f"{subject}_{concept.replace(' ', '_')}_here"


COLUMNS: tuple[Column, ...] = tuple(
    Column(
        column_of(subject, concept),
        "bool",
        f"Of the requested region: {concept.replace('_', ' ')} ({subject})",
        null="nothing is said of it",
        family=FAMILY,
        source="concepts.csv",
    )
    for subject, concept in _CONCEPTS
)


@cache
def _columns() -> dict[tuple[str, str], str]:
    return {known: column_of(*known) for known in _CONCEPTS}


def build_item(summary: Summary, _case: Case, item: Item, _found: dict[str, Value]) -> Findings:
    """What is said of each finding, with the words that say so."""
    parts = requested_parts(item)
    if not parts and item.category == "Pharmaceuticals":  # what speaks for a drug are the facts
        return Findings()
    return _here(summary, parts, side_of(item.requested))


@once
def _here(summary: Summary, parts: tuple[str, ...], side: str | None) -> Findings:
    own = Findings()
    for statement, bears in about(summary, parts, side):
        name = _columns().get((statement.subject, statement.concept))
        value = _SAID.get(statement.polarity)
        if name is None or value is None or bears == "elsewhere":
            continue
        if value or own.values.get(name) is None:
            own.put(name, value, statement.mention)
    return own
