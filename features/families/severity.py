"""How severe the findings are: severe, mild, normal, resolved; and whether something new happened.

Severity words count where they qualify a lesion or finding ("severe stenosis", not "severe pain")
and are documented, not where they are denied, requested or quoted.
Lexicon: ``lexicons/severity.csv``.
"""

from __future__ import annotations

from imr.data.letter import Case
from imr.features.context import Mention, Summary
from imr.features.signal import Column, Findings

FAMILY = "severity"
_SOURCE = "ACOEM 2004 chapters 8-14 (Surgical Considerations, Special Studies)"
_KINDS: dict[str, tuple[str, str]] = {
    "severe": ("severe_finding", "A severe, complete, displaced or unstable lesion or finding"),
    "mild": ("mild_finding", "A mild, minimal or small lesion or finding"),
    "sound": ("sound_finding", "A structure or function stated as intact, stable or normal"),
    "resolved": ("symptoms_resolved", "Symptoms stated as resolved"),
    "new_event": ("new_injury_event", "A new fall, injury or accident after the first"),
}

COLUMNS: tuple[Column, ...] = tuple(
    Column(name, "bool", definition, family=FAMILY, source=_SOURCE)
    for name, definition in _KINDS.values()
)


def build(summary: Summary, _case: Case) -> Findings:
    """One truth value a kind, with the mentions that document it."""
    found = Findings()
    by_kind: dict[str, list[Mention]] = {kind: [] for kind in _KINDS}
    for mention in summary.mentions(FAMILY):
        by_kind[mention.value].append(mention)
    for kind, mentions in by_kind.items():
        found.flag(_KINDS[kind][0], mentions)
    return found
