"""What the summary says is wrong, and where: diagnoses beyond the comorbidities, and body parts.

A diagnosis is True where the summary documents it (as complaint, finding or diagnosis), not where
it is denied, to be ruled out, or named only by the utilization review or a quoted guideline.
Lexicon: ``lexicons/diagnosis.csv``; regions: ``lexicons/body_part.csv``.

``case_body_part`` is the region that the summary mentions most, whatever is requested: it tells
where a request without a body part ("cold therapy unit") belongs.
"""

from __future__ import annotations

from collections import Counter

from imr.data.letter import Case, Item
from imr.features.context import Mention, Summary, once
from imr.features.regions import any_same_region
from imr.features.signal import Column, Findings, Value

FAMILY = "diagnosis"
MOST_PARTS = 4
LIST_SEPARATOR = " | "

_DIAGNOSES: dict[str, str] = {
    "sprain_strain": "Sprain or strain",
    "contusion": "Contusion",
    "open_wound": "Laceration, crush injury, amputation or burn",
    "dislocation": "Dislocation or instability of a joint",
    "rotator_cuff_tear": "Tear of the rotator cuff",
    "shoulder_impingement": "Impingement, bursitis or tendinitis of the shoulder",
    "labral_tear": "Labral or SLAP tear",
    "adhesive_capsulitis": "Adhesive capsulitis",
    "meniscal_tear": "Meniscal tear or internal derangement",
    "ligament_tear": "Tear, sprain or insufficiency of a named ligament",
    "tendon_rupture": "Rupture or laceration of a tendon",
    "epicondylitis": "Epicondylitis",
    "carpal_tunnel": "Carpal tunnel syndrome",
    "cubital_tunnel": "Cubital tunnel syndrome or ulnar neuropathy",
    "wrist_tenosynovitis": "De Quervain or another tenosynovitis",
    "trigger_finger": "Trigger finger",
    "ganglion": "Ganglion cyst",
    "spondylolisthesis": "Spondylolisthesis, spondylolysis or segmental instability",
    "facet_arthropathy": "Facet arthropathy or facet syndrome",
    "sacroiliac_pain": "Sacroiliac joint pain or dysfunction",
    "failed_back_surgery": "Failed back surgery syndrome",
    "plantar_fasciitis": "Plantar fasciitis",
    "hernia": "Hernia of the abdominal wall",
    "joint_degeneration": "Osteoarthritis or a chondral lesion",
    "nonunion": "Nonunion, malunion or delayed union",
    "hardware_problem": "Painful, broken or loose hardware",
    "hearing_loss": "Hearing loss or tinnitus",
    "dizziness": "Dizziness, vertigo or imbalance",
    "consciousness_loss": "Loss of consciousness, syncope or seizure",
    "cognitive_complaints": "Cognitive or postconcussive complaints",
    "vision_complaints": "Complaints of vision or an eye injury",
    "infection": "Infection",
    "thrombosis": "Thrombosis or embolism",
    "inflammatory_arthritis": "Gout or an inflammatory arthritis",
    "cord_or_cauda_equina": "Myelopathy, cord compression or cauda equina symptoms",
    "tumor": "Tumor or malignancy",
    "sleep_apnea": "Sleep apnea or its signs",
    "tendinitis": "Tendinitis, bursitis or fasciitis",
    "myofascial_pain": "Myofascial pain",
}
_LETTERS = "lexicons/diagnosis.csv (ICD-10-CM)"
_REGIONS = "lexicons/body_part.csv (regions of the MTUS chapters)"

COLUMNS: tuple[Column, ...] = (
    *(
        Column(f"{name}_diagnosed", "bool", definition, family=FAMILY, source=_LETTERS)
        for name, definition in _DIAGNOSES.items()
    ),
    Column(
        "case_body_part",
        "str",
        "The region that the summary mentions most",
        null="no region is mentioned",
        family=FAMILY,
        source=_REGIONS,
    ),
    Column(
        "case_body_parts",
        "str",
        f"Up to {MOST_PARTS} regions, those mentioned most first",
        null="no region is mentioned",
        family=FAMILY,
        source=_REGIONS,
    ),
    Column(
        "requested_part_documented",
        "bool",
        "The summary mentions the region that the request names",
        null="the request names no region",
        family=FAMILY,
        source=_REGIONS,
    ),
)


def build(summary: Summary, _case: Case) -> Findings:
    """One truth value a diagnosis, with the mentions that document it; the regions of the case."""
    found = Findings()
    by_value: dict[str, list[Mention]] = {name: [] for name in _DIAGNOSES}
    for mention in summary.mentions(FAMILY):
        by_value[mention.value].append(mention)
    for name, mentions in by_value.items():
        found.flag(f"{name}_diagnosed", mentions)
    parts = case_parts(summary)
    found.values["case_body_part"] = parts[0] if parts else None
    found.values["case_body_parts"] = LIST_SEPARATOR.join(parts[:MOST_PARTS]) or None
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
