"""Comorbidity and diagnoses that guidelines turn on: psychological, systemic, pre-existing.

A truth value each, True where the summary documents the condition (complaint or diagnosis), not
where it is denied, ruled out, or named only in the utilization review or in a quoted guideline.
Lexicon: ``lexicons/comorbidity.csv``.
"""

from __future__ import annotations

from imr.data.letter import Case
from imr.features.context import Mention, Summary
from imr.features.signal import Column, Findings

FAMILY = "comorbidity"

_CONDITIONS: dict[str, str] = {
    "depression": "Depression or depressed mood",
    "anxiety": "Anxiety or panic",
    "ptsd": "Post-traumatic stress disorder",
    "psychological_other": "Another psychological condition or symptom",
    "sleep": "Insomnia or another sleep problem",
    "diabetes": "Diabetes",
    "hypertension": "Hypertension",
    "cardiovascular": "Heart disease, arrhythmia or stroke",
    "obesity": "Obesity, or a body mass index of 30 or more",
    "tobacco": "Tobacco use",
    "substance_use": "Alcohol or substance use",
    "gi_symptoms": "Gastritis, reflux, ulcer or other gastrointestinal symptoms",
    "constipation": "Constipation",
    "renal": "Kidney disease",
    "hepatic": "Liver disease",
    "pulmonary": "Asthma or chronic obstructive lung disease",
    "head_injury": "Concussion or traumatic brain injury",
    "headache": "Headache or migraine",
    "crps": "Complex regional pain syndrome",
    "widespread_pain": "Fibromyalgia or myofascial pain",
    "chronic_pain": "Chronic pain is stated",
    "degenerative": "Arthritis or degenerative disease",
    "neuropathic": "Neuropathy or neuropathic pain",
    "radiculopathy_diagnosis": "Radiculopathy, radiculitis or sciatica as complaint or diagnosis",
    "stenosis": "Spinal stenosis",
    "disc_herniation": "Disc herniation, protrusion or displacement",
    "preexisting": "A pre-existing condition, or an earlier injury or claim",
    "nerve_entrapment": "Carpal or cubital tunnel syndrome",
    "tear": "A tear of tendon, ligament, meniscus or labrum",
    "pregnancy": "Pregnancy",
    "homebound": "Homebound, bed-bound, in a wheelchair or not bearing weight",
    "mri_obstacle": "Claustrophobia or a pacemaker",
}
_PSYCHOLOGICAL = ("depression", "anxiety", "ptsd", "psychological_other")
_NAMES = {name: f"{name}_documented" for name in _CONDITIONS}


_STRESS = "ACOEM 2004 ch. 15 (stress related conditions)"
_NSAID_RISK = "MTUS Chronic Pain 2009 pp. 68-69 (NSAIDs: gastrointestinal and cardiovascular risk)"
_LETTERS = "letter phrasing (lexicons/comorbidity.csv)"
# Conditions that a guideline turns on; the others are diagnoses as letters name them.
_SOURCES: dict[str, str] = {
    **dict.fromkeys(_PSYCHOLOGICAL, _STRESS),
    **dict.fromkeys(("gi_symptoms", "cardiovascular", "hypertension"), _NSAID_RISK),
    "constipation": "MTUS Chronic Pain 2009 p. 77 (opioids: constipation)",
    "substance_use": "MTUS Chronic Pain 2009 p. 78 (opioids: ongoing management)",
    "crps": "MTUS Chronic Pain 2009 p. 35 (complex regional pain syndrome)",
    "neuropathic": "MTUS Chronic Pain 2009 p. 16 (antiepilepsy drugs)",
    "radiculopathy_diagnosis": "MTUS Chronic Pain 2009 p. 46 (epidural steroid injections)",
    "homebound": "MTUS Chronic Pain 2009 p. 51 (home health services)",
}


def _flag(name: str, definition: str, source: str = _LETTERS) -> Column:
    return Column(name, "bool", definition, family=FAMILY, source=source)


COLUMNS: tuple[Column, ...] = (
    _flag(
        "psychological_comorbidity",
        "Depression, anxiety, PTSD or another psychological condition",
        _STRESS,
    ),
    *(
        _flag(_NAMES[name], definition, _SOURCES.get(name, _LETTERS))
        for name, definition in _CONDITIONS.items()
    ),
)


def build(summary: Summary, _case: Case) -> Findings:
    """One truth value a condition, with the mentions that document it."""
    found = Findings()
    by_value: dict[str, list[Mention]] = {name: [] for name in _CONDITIONS}
    for mention in summary.mentions(FAMILY):
        if mention.documented:
            by_value[mention.value].append(mention)
    for name, mentions in by_value.items():
        found.put(_NAMES[name], bool(mentions), *mentions)
    psychological = [m for name in _PSYCHOLOGICAL for m in by_value[name]]
    found.put("psychological_comorbidity", bool(psychological), *psychological)
    return found
