"""Conditions over the signals of a row, as the tables of criteria and indications write them.

::

    radicular_findings                      true
    !epidural_injection_prior               documented as false
    -long_use                               not documented as true: false, zero or unknown
    relief_percent_max>=50 & epidural_count>=2
    care_failed | nonopioid_failed & conservative_care_tried
    request_term=shoulder repair            equal to a text
    request_terms~tramadol                  a list (``a | b``) that holds it
    subcategory="Evaluation & Management"   a text with a sign of the grammar in it

``&`` binds closer than ``|``; a comparison with an unknown value is false.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from imr.features.signal import Value

Row = Mapping[str, Value]
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_TERM = re.compile(
    r"(?P<not>[!-])?(?P<name>[a-z][a-z0-9_]*)"
    r"(?:(?P<op><=|>=|<|>|=|~)(?:\"(?P<quoted>[^\"]+)\"|(?P<value>[^<>=~\"]+)))?"
)
_LISTED = re.compile(r"\s*\|\s*")


@dataclass(frozen=True, slots=True)
class Term:
    """One signal in a condition: its truth, or a comparison of its value."""

    name: str
    negated: bool
    op: str | None
    value: str | None
    test: Callable[[Value], bool] = field(compare=False, repr=False)

    def holds(self, row: Row) -> bool:
        """Whether the term is true of a row; an unknown value makes a comparison false."""
        return self.test(row.get(self.name))


Condition = tuple[tuple[Term, ...], ...]


def condition(text: str) -> Condition:
    """Read a condition; raises ValueError where a term is not understood."""
    if text.count('"') % 2:
        raise ValueError(
            f"condition: cannot read the term {text!r}: a quotation mark is not closed"
        )
    alternatives = [part for part in _split(text, "|") if part.strip()]
    return tuple(tuple(_term(word) for word in _split(part, "&")) for part in alternatives)


def _split(text: str, mark: str) -> list[str]:
    """The parts between marks that stand outside quotation marks."""
    parts = [""]
    for number, piece in enumerate(text.split('"')):
        first, *others = [f'"{piece}"'] if number % 2 else piece.split(mark)
        parts[-1] += first
        parts.extend(others)
    return parts


def _term(text: str) -> Term:
    match = _TERM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"condition: cannot read the term {text.strip()!r}")
    value = match["quoted"] or (match["value"].strip() if match["value"] else None)
    mark, op = match["not"], match["op"]
    if mark and op:
        raise ValueError(
            f"condition: cannot read the term {text.strip()!r}: a comparison is not negated by "
            f"{mark!r}; name what must hold instead"
        )
    return Term(match["name"], bool(mark), op, value, _test(mark, op, value))


def _test(mark: str | None, op: str | None, value: str | None) -> Callable[[Value], bool]:
    """What a term asks of a value, made when it is read: conditions are tried many times a row."""
    if op is None:
        return _TRUTHS[mark]
    if op == "=":
        return lambda known: known == value
    if op == "~":
        return lambda known: isinstance(known, str) and value in _LISTED.split(known)
    compare, bound = _OPERATORS[op], float(value or 0)
    return lambda known: isinstance(known, int | float) and compare(known, bound)


def _is_false(known: Value) -> bool:
    return known is not None and not known


_TRUTHS: dict[str | None, Callable[[Value], bool]] = {
    None: bool,
    "!": _is_false,
    "-": operator.not_,
}


def holds(alternatives: Condition, row: Row) -> bool:
    """Whether one of the alternatives is true of a row."""
    known = row.get
    for terms in alternatives:  # plain loops: half the time of any() and all()
        for term in terms:
            if not term.test(known(term.name)):
                break
        else:
            return True
    return False
