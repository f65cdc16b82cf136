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

from collections.abc import Sequence
from datetime import date

from imr.data.request import body_parts
from imr.features.beside import beside
from imr.features.context import Summary, once
from imr.features.statements import care, findings, response
from imr.features.statements.statement import Bearing, Statement, bearing, reaches
from imr.features.where_when import any_same_region, side_of_part, visit_of
from imr.features.words import group

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
    told = _latest(summary, [s for s in statements(summary) if s.source == "record"])
    if not of_other_side(summary, parts, side):
        return [(s, bearing(s, parts, side)) for s in told]
    paired, rest = _paired(parts), tuple(p for p in parts if p not in _paired(parts))
    return [
        (s, "elsewhere" if _of_the_sick(s, paired, rest) else bearing(s, parts, side)) for s in told
    ]


# --- what a later visit found gone no longer counts -----------------------------------------------


def _latest(summary: Summary, told: Sequence[Statement]) -> list[Statement]:
    """Statements without the signs and complaints that a later visit denies of the same place."""
    denied = [
        (s, day)
        for s in told
        # One motion that is full leaves the others.
        if s.polarity == "denied"
        and _is_one(s)
        and s.percent is None
        and (day := visit_of(summary, s.mention))
    ]
    if not denied:
        return list(told)
    return [s for s in told if not (_is_one(s) and _is_over(summary, s, denied))]


def _is_one(statement: Statement) -> bool:
    whole = statement.concept in group("denied_as_a_whole")
    return whole and statement.subject in ("sign", "complaint")


def _is_over(summary: Summary, said: Statement, denied: Sequence[tuple[Statement, date]]) -> bool:
    """Whether a visit after that of a statement found it gone."""
    if said.polarity != "affirmed":
        return False
    of_it = [(s, day) for s, day in denied if s.concept == said.concept and _same_place(s, said)]
    day = visit_of(summary, said.mention) if of_it else None
    return day is not None and any(later > day for _, later in of_it)


def _same_place(later: Statement, earlier: Statement) -> bool:
    if later.subject != earlier.subject or later.side not in (None, "both", earlier.side):
        return False
    if earlier.concept in group("sign_of_no_part") or not (later.regions or earlier.regions):
        return True
    return any_same_region(later.regions, earlier.regions)


# --- sides ----------------------------------------------------------------------------------------


def _of_the_sick(said: Statement, paired: tuple[str, ...], rest: tuple[str, ...]) -> bool:
    """Whether a statement without a side is of the paired parts, or a finding of no part at all."""
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
        if part.qualifier in ("affirmed", "negated") and not beside("names_no_part", part)
    ]
    said = [
        (s.regions, s.side)
        for s in statements(summary)
        if s.source == "record" and not s.past and s.polarity not in ("planned", "suspected")
    ]
    return [(regions, side) for regions, side in (*named, *said) if side and side != "other"]
