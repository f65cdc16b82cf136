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

from imr.data.request import body_parts
from imr.features.beside import beside
from imr.features.context import Summary, once
from imr.features.statements import care, findings, response
from imr.features.statements.statement import Bearing, Statement, bearing, reaches
from imr.features.statements.visits import latest
from imr.features.where_when import any_same_region, side_of_part

__all__ = [
    "Bearing", "Statement", "about", "bearing", "of_other_side", "sides_told", "statements",
]  # fmt: skip


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
    if not of_other_side(summary, parts, side):
        return [(s, bearing(s, parts, side)) for s in told]
    paired, rest = _paired(parts), tuple(p for p in parts if p not in _paired(parts))
    return [
        (s, "elsewhere" if _of_the_sick(s, paired, rest) else bearing(s, parts, side)) for s in told
    ]


def _of_the_sick(said: Statement, paired: tuple[str, ...], rest: tuple[str, ...]) -> bool:
    """Whether a statement without a side is about the paired parts, or, where nothing else is asked
    about, a finding of no part.
    """
    if said.side:
        return False
    if not said.regions:
        return not rest and said.subject in _FINDINGS
    return reaches(said.regions, paired) and not reaches(said.regions, rest)


_FINDINGS = ("sign", "complaint", "diagnosis", "study")


def of_other_side(summary: Summary, parts: tuple[str, ...], side: str | None) -> bool:
    """Whether all that is told of the requested parts is of the side that is not asked for."""
    opposite = {"left": "right", "right": "left"}.get(side or "")
    return opposite is not None and sides_told(summary, parts) == {opposite}


@once
def sides_told(summary: Summary, parts: tuple[str, ...]) -> frozenset[str]:
    """The sides (``left``, ``right``, ``both``) that are told of those of some parts that are
    paired; where none is told of a part itself, of what it belongs to ("no use of the left arm").
    """
    paired, own, whole = _paired(parts), set[str](), set[str]()
    for regions, side in _sided(summary) if paired else ():
        for region in regions:
            if any(region == part or region in body_parts()[part].covers for part in paired):
                own.add(side)
            elif any_same_region((region,), paired):
                whole.add(side)
    return frozenset(own or whole)


def _paired(parts: tuple[str, ...]) -> tuple[str, ...]:
    known = body_parts()
    return tuple(p for p in parts if p in known and known[p].region in ("upper_limb", "lower_limb"))


@once
def _sided(summary: Summary) -> list[tuple[tuple[str, ...], str]]:
    """Regions with their side, where parts are named and statements have one."""
    named = [
        ((part.value,), side_of_part(summary, part))
        for part in summary.mentions("body_part")
        if part.qualifier in ("affirmed", "negated") and not beside("names_no_part", summary, part)
    ]
    said = [
        (s.regions, s.side)
        for s in statements(summary)
        if s.source == "record" and not s.past and s.polarity not in ("planned", "suspected")
    ]
    return [(regions, side) for regions, side in (*named, *said) if side and side != "other"]
