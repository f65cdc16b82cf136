"""What the summary says is wrong, how severe it is, and where.

A diagnosis or condition is True where the summary documents it (as complaint, finding or
diagnosis), not where it is denied, to be ruled out, or named only by the utilization review or a
quoted guideline.  Words of severity count where they qualify a lesion or finding ("severe
stenosis", not "severe pain").  Lexicons: ``diagnosis.csv``, ``comorbidity.csv`` (psychological,
systemic, pre-existing), ``severity.csv``; regions: ``body_part.csv``.

``case_body_part`` is the region that the summary mentions most, whatever is requested: it tells
where a request without a body part ("cold therapy unit") belongs.
"""

from __future__ import annotations

from collections import Counter

from imr.data.letter import Case, Item
from imr.features.context import Summary, once
from imr.features.regions import any_same_region
from imr.features.signal import Findings, Value, columns_like

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
