"""Whether the operation that the letter speaks of was authorized.

Services around an operation stand or fall with it.  A word of authorization or refusal counts
where its sentence names an operation; "authorized" under a negation is a refusal.  What the
utilization review says of the items in dispute counts too: it is known before the decision.
Lexicon: ``lexicons/authorization.csv``.
"""

from __future__ import annotations

import re

from imr.data.letter import Case
from imr.features.context import Mention, Summary
from imr.features.signal import Column, Findings

FAMILY = "authorization"
_OPERATION = re.compile(
    r"\b(?:surger(?:y|ies)|surgical (?:repair|procedure|intervention)|operation|arthroscop\w+|"
    r"arthroplasty|fusion|discectomy|laminectomy|laminotomy|decompression|release|repair|"
    r"reconstruction|replacement|fixation|\w{4,20}ectomy|removal of hardware|hardware removal|"
    r"transposition|osteotomy|debridement|recon|acdf|[pta]lif|orif|t[khs][ar]|excision|"
    r"amputation|tak(?:e|ing|en) (?:\w+ ){1,3}out)\b"
)
_SOURCE = "ODG and 8 CCR 9792.24.3: services that go with an operation; letter phrasing"

COLUMNS: tuple[Column, ...] = (
    Column(
        "operation_authorized",
        "bool",
        "An operation is said to have been authorized",
        family=FAMILY,
        source=_SOURCE,
    ),
    Column(
        "operation_not_authorized",
        "bool",
        "An operation is said to have been denied, or not to be authorized yet",
        family=FAMILY,
        source=_SOURCE,
    ),
)


def build(summary: Summary, _case: Case) -> Findings:
    """Authorization and refusal of an operation, with the words that say so."""
    found = Findings()
    words = [m for m in summary.mentions(FAMILY) if _of_an_operation(summary, m)]
    granted = [m for m in words if m.value == "authorized" and m.qualifier != "negated"]
    refused = [m for m in words if m.value != "authorized" or m.qualifier == "negated"]
    found.put("operation_authorized", bool(granted), *granted)
    found.put("operation_not_authorized", bool(refused), *refused)
    return found


def _of_an_operation(summary: Summary, mention: Mention) -> bool:
    return _OPERATION.search(summary.sentence_lower(mention.sentence)) is not None
