"""What the summary says of the very region that is asked about.

A fracture of the foot is no reason to scan the elbow.  Sentences that mention the requested region
(:func:`imr.features.regions.same_region`) are looked through for findings, diagnoses and complaints
that they document; a letter that examines and diagnoses the requested region says more for the
request than one that does so elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from imr.data.letter import Case, Item
from imr.features.context import Mention, Summary, once
from imr.features.regions import same_region
from imr.features.signal import Column, Findings, Value

FAMILY = "requested_part"
_NO_PART = "the request names no region"
_SOURCE = "ACOEM 2004 ch. 2 (history and examination of the affected region)"
# Examination rows of this kind need no polarity: the word is the finding.
_FINDING = "finding"

COLUMNS: tuple[Column, ...] = (
    Column(
        "requested_part_findings",
        "int",
        "Kinds of examination finding in sentences about the requested region",
        "kinds",
        _NO_PART,
        FAMILY,
        _SOURCE,
    ),
    Column(
        "requested_part_diagnosis",
        "bool",
        "A diagnosis or fracture in a sentence about the requested region",
        null=_NO_PART,
        family=FAMILY,
        source=_SOURCE,
    ),
    Column(
        "requested_part_complaint",
        "bool",
        "A complaint in a sentence about the requested region",
        null=_NO_PART,
        family=FAMILY,
        source=_SOURCE,
    ),
)


def build_item(summary: Summary, _case: Case, item: Item, _found: dict[str, Value]) -> Findings:
    """Findings, diagnoses and complaints of the requested region."""
    return _of(summary, item.body_parts)


@once
def _of(summary: Summary, parts: tuple[str, ...]) -> Findings:
    own = Findings()
    if not parts:
        return own
    about = _sentences_about(summary, parts)
    findings = [m for m in _in(summary, "examination", about) if _kind(m) == _FINDING]
    diagnoses = [
        *_in(summary, "diagnosis", about),
        *(m for m in findings if m.value == "fracture"),
    ]
    own.values["requested_part_findings"] = len({m.value for m in findings})
    own.values["requested_part_diagnosis"] = bool(diagnoses)
    own.values["requested_part_complaint"] = bool(_in(summary, "complaint", about)) or any(
        "pain" in summary.sentence_lower(sentence) for sentence in about
    )
    return own


def _sentences_about(summary: Summary, parts: Sequence[str]) -> set[int]:
    """The sentences that document something of one of the regions."""
    return {
        mention.sentence
        for mention in summary.mentions("body_part")
        if any(same_region(mention.value, part) for part in parts) and mention.documented
    }


def _in(summary: Summary, family: str, sentences: set[int]) -> list[Mention]:
    return [m for m in summary.mentions(family) if m.sentence in sentences and m.documented]


def _kind(mention: Mention) -> str | None:
    return mention.rule.extra.get("kind")
