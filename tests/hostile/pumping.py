"""Strings that drive a regular expression into its worst case, made from the expression itself.

A pattern is slow where a repeat can take the same characters in many ways, or where the engine
tries it anew from every place.  So for every unbounded (or long) repeat of a pattern two strings
are made: the repeat pumped (``prefix body body body … end``) and the whole way to it pumped
(``prefix body prefix body … end``), each ending in a character that nothing expects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LONG = 8
"""A repeat that may take this many is pumped; shorter ones cannot be slow by themselves."""

END = "\x01"
_REPEATS = {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}
_FILLERS = "a1 .,;:-(A\n\t/#%'\"~"

GENERIC = (
    " ",
    "\n",
    "a",
    "1",
    "a ",
    "1 ",
    "a. ",
    ". ",
    ", ",
    "- ",
    "-\n",
    "(",
    "1-",
    "A ",
    "a, and ",
)
"""Runs that real documents have by accident: blanks, line ends, digits, words, lists."""


def attacks(pattern: str, flags: int, length: int) -> Iterator[str]:
    """Near-misses of about ``length`` characters for one pattern."""
    tree = parser.parse(pattern, flags)
    pumps = dict.fromkeys(_pumps(tree, ""))
    for prefix, body in pumps:
        yield _filled(prefix, body, length)
        yield _filled("", prefix + body, length)
    for run in GENERIC:
        yield _filled("", run, length)


def _filled(prefix: str, body: str, length: int) -> str:
    return prefix + body * max(1, (length - len(prefix)) // max(1, len(body))) + END


def _pumps(tree: Iterable[Any], before: str) -> Iterator[tuple[str, str]]:
    """What leads to each long repeat of a parsed pattern, and what it takes in one round."""
    for code, value in tree:
        if code in _REPEATS and value[1] >= LONG:
            for body in _variants(value[2]):
                yield before, body
        for inner in _inside(code, value):
            yield from _pumps(inner, before)
        before += _sample([(code, value)])
    if before:
        yield before, before


def _inside(code: Any, value: Any) -> list[Any]:
    """The parsed patterns that one node holds."""
    if code in _REPEATS:
        return [value[2]]
    if code is codes.BRANCH:
        return list(value[1])
    if code is codes.SUBPATTERN:
        return [value[-1]]
    if code is codes.ATOMIC_GROUP:
        return [value]
    return [value[1]] if code in (codes.ASSERT, codes.ASSERT_NOT) else []


def _variants(inner: Any) -> Iterator[str]:
    """Several bodies for one repeat: its usual sample, blanks, digits and words it can take."""
    first = _sample(inner)
    yield first or " "
    if len(inner) == 1 and inner[0][0] in (codes.IN, codes.ANY, codes.NOT_LITERAL):
        for char in " 1a\n":
            if _takes(inner[0], char):
                yield char
        yield "".join(c for c in "a 1" if _takes(inner[0], c)) or first


def _takes(node: Any, char: str) -> bool:
    code, value = node
    if code is codes.ANY:
        return char != "\n"
    if code is codes.NOT_LITERAL:
        return bool(ord(char) != value)
    return _in_class(value, char)


def _sample(tree: Iterable[Any]) -> str:
    """A short string that the parsed pattern takes (look-arounds are passed over)."""
    return "".join(_sample_of(code, value) for code, value in tree)


def _sample_of(code: Any, value: Any) -> str:
    if code is codes.LITERAL:
        return chr(value)
    if code is codes.NOT_LITERAL:
        return next(c for c in _FILLERS if ord(c) != value)
    if code is codes.ANY:
        return "a"
    if code is codes.IN:
        return next((c for c in _candidates(value) if _in_class(value, c)), "")
    if code is codes.BRANCH:
        return _sample(value[1][0])
    if code is codes.SUBPATTERN:
        return _sample(value[-1])
    if code is codes.ATOMIC_GROUP:
        return _sample(value)
    if code in _REPEATS:
        least, _, inner = value
        return _sample(inner) * least
    return ""


def _candidates(members: Any) -> Iterator[str]:
    yield from _FILLERS
    for code, value in members:
        if code is codes.LITERAL:
            yield chr(value)
        elif code is codes.RANGE:
            yield chr(value[0])


def _in_class(members: Any, char: str) -> bool:
    negated, found = False, False
    for code, value in members:
        if code is codes.NEGATE:
            negated = True
        elif code is codes.LITERAL:
            found = found or ord(char) == value
        elif code is codes.RANGE:
            found = found or value[0] <= ord(char) <= value[1]
        elif code is codes.CATEGORY:
            found = found or _in_category(value, char)
    return found != negated


def _in_category(category: Any, char: str) -> bool:
    kind = {
        codes.CATEGORY_DIGIT: r"\d",
        codes.CATEGORY_NOT_DIGIT: r"\D",
        codes.CATEGORY_SPACE: r"\s",
        codes.CATEGORY_NOT_SPACE: r"\S",
        codes.CATEGORY_WORD: r"\w",
        codes.CATEGORY_NOT_WORD: r"\W",
    }[category]
    return re.fullmatch(kind, char) is not None
