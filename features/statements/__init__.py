"""Statements: what a summary says of whom, where, whether, how much and when.

Between the text and the signals.  A mention (:mod:`imr.features.context`) is a cue with its scope;
a statement is what a careful reader takes from it: a subject (``treatment``, ``drug``,
``response``, ``function``, ``sign``, ``complaint``, ``study``, ``diagnosis``, ``plan``,
``event``), what was said of it (``polarity``), how much (``percent`` with a comparator, ``weeks``,
``count``), the body regions and the side it is about, and the clause that says so.  What a claims
administrator recites, what a guideline asks for and what is only planned are kept apart by
``source`` and ``polarity``.

A region is the statement's own (a test of the knee is about the knee), else the one its clause
names, else the one the sentence named before it, else that of the sentence before; what a response
belongs to is the treatment its clause names, else the last one before it.
"""

from __future__ import annotations

from imr.features.context import Summary, once
from imr.features.statements import care, findings, response
from imr.features.statements.statement import Bearing, Statement, bearing, reaches
from imr.features.statements.visits import latest

__all__ = ["Bearing", "Statement", "about", "bearing", "statements"]


@once
def statements(summary: Summary) -> list[Statement]:
    """Everything the summary says, in the order of the text."""
    found = [
        *care.treatments(summary),
        *care.drugs(summary),
        *response.responses(summary),
        *response.functions(summary),
        *findings.signs(summary),
        *findings.plain_signs(summary),
        *findings.complaints(summary),
        *findings.studies_done(summary),
        *findings.tests(summary),
        *findings.measures(summary),
        *findings.diagnoses(summary),
        *findings.plans(summary),
        *findings.background(summary),
    ]
    return sorted(found, key=lambda s: (s.mention.start, s.mention.end, s.subject))


@once
def about(
    summary: Summary, parts: tuple[str, ...], side: str | None
) -> list[tuple[Statement, Bearing]]:
    """The statements of the record with their bearing on a request.

    Where all that has a side is about the other one, what has none is about that one too.
    """
    told = latest(summary, [s for s in statements(summary) if s.source == "record"])
    opposite = {"left": "right", "right": "left"}.get(side or "")
    sided = [s.side for s in told if s.side and s.regions and reaches(s.regions, parts)]
    if opposite and sided.count(opposite) == len(sided) >= _SIDED_LEAST:
        return [
            (
                s,
                "elsewhere"
                if not s.side and reaches(s.regions, parts)
                else bearing(s, parts, side),
            )
            for s in told
        ]
    return [(s, bearing(s, parts, side)) for s in told]


_SIDED_LEAST = 3
"""Statements with a side that tell which side a summary is about."""
