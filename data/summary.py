"""The case summary: what is known before the decision, and nothing of the decision.

Both published letters and case records pass through :func:`known_summary`.
"""

from __future__ import annotations

import re

from imr.data.spacing import collapse

# A heading of the reviewer's own words inside the summary: what follows is the rationale.
_REVIEWER_HEADING = re.compile(
    r"(?:\bThe\s+)?(?:\b(?:Physician|Expert|IMR)\s+Reviewer(?:'s|\u2019s)?\s+)?"
    r"\b(?:decision\s+rationale|rationale\s+for\s+the\s+(?:IMR\s+)?decision)\s*:"
    r"|\bMAXIMUS\s+guideline\s*:",
    re.IGNORECASE,
)
# The verdict formula, present tense ("is not medically necessary").  Utilization review's
# earlier denial is recited in the past tense or with its author, and is known beforehand.
_VERDICT = re.compile(
    r"\b(?:is|are)\s+(?:therefore\s+|thus\s+|also\s+)?(?:not\s+)?medically\s+"
    r"(?:necessary|appropriate|warranted)\b",
    re.IGNORECASE,
)
_UTILIZATION_REVIEW = re.compile(
    r"\butili[sz]ation\b|\bUR\b|claims\s+administrator|prior\s+(?:determination|denial|review)|"
    r"non-?certif|\bstat(?:es|ed|ing)\s+that|\bnot(?:es|ed|ing)\s+that|physician\s+reviewer|"
    r"treating|provider",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(\u201c])")


def known_summary(section: str) -> tuple[str, list[str]]:
    """The summary, white space collapsed, without any determination; and what was cut out.

    Real letters carry the reviewer's rationale here now and then; nobody knows it beforehand.
    """
    summary = collapse(section)
    warnings: list[str] = []
    heading = _REVIEWER_HEADING.search(summary) if _may_hold_heading(summary) else None
    if heading:
        summary = summary[: heading.start()].rstrip()
        warnings.append("reviewer's rationale inside the case summary: cut out")
    without = _without_verdicts(summary)
    if without != summary:
        warnings.append("reviewer's determination inside the case summary: cut out")
    if not without:
        warnings.append("case summary is empty")
    return without, warnings


def _may_hold_heading(summary: str) -> bool:
    """Quick look for the words of a reviewer's heading before the full search."""
    lower = summary.lower()
    return "rationale" in lower or "maximus" in lower


def _without_verdicts(summary: str) -> str:
    if "medically" not in summary.lower():
        return summary
    return " ".join(s for s in _SENTENCE_END.split(summary) if not _is_verdict(s))


def _is_verdict(sentence: str) -> bool:
    return bool(_VERDICT.search(sentence)) and not _UTILIZATION_REVIEW.search(sentence)
