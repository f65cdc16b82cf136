"""No pattern is slow: each one is pumped with long near-misses, and its time may grow with them.

Every compiled pattern of the packages is tried, every pattern written in a call, and every row of
every lexicon.  A pattern that answers 2,000 characters at once is done; one that takes longer is
given four times as much, and fails where it takes more than ten times as long: 4 is linear, 16 is
quadratic, and an exponential one never comes back.  What a pattern never sees is not tried:
requests, citations and summaries have their blanks collapsed before any pattern reads them.
"""

from __future__ import annotations

import ast
import importlib
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from tests.hostile.pumping import attacks

PACKAGES = ("data", "features", "models", "serve")
SOURCE_LAYOUT = {"data/header", "data/items", "data/layout", "data/parse", "data/spacing"}
"""These read text with its layout; all others read it with blanks collapsed."""

WINDOWS = {"features/complaints", "features/examination", "features/treatment"}
"""The patterns of these look at the words around a mention: at most 170 characters."""

ANCHORED = {"features/regions._LEAD_OF", "features/regions._LEAD_BARE"}
"""Handed to another function, which uses ``fullmatch``."""

CHARACTERS, WINDOW = 2_000, 170
AT_ONCE_SECONDS = 0.004
GIVEN_UP_SECONDS = 3.0
WORST_GROWTH = 10
SUMMARY_SECONDS = 20
"""About 1 on a free machine; a letter is given up after 60."""

METHODS = {"match", "search", "finditer", "findall", "split", "sub", "fullmatch"}


@dataclass(frozen=True)
class Tried:
    """A pattern, where it stands, and whether it is tried at one place or at all of them."""

    place: str
    pattern: re.Pattern[str]
    anchored: bool

    def run(self, text: str) -> None:
        if self.anchored:
            self.pattern.match(text)
            self.pattern.fullmatch(text)
            return
        for _ in self.pattern.finditer(text):
            pass


def modules(project: Path) -> Iterator[tuple[str, ModuleType, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((project / package).glob("*.py")):
            if path.stem not in ("__init__", "pyfunc"):
                module = importlib.import_module(f"{package}.{path.stem}")
                yield f"{package}/{path.stem}", module, ast.parse(path.read_text())


def methods_by_name(tree: ast.Module) -> dict[str, set[str]]:
    """Name -> the methods called on it (``_TITLE.match`` …)."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.setdefault(node.value.id, set()).add(node.attr)
    return found


def compiled(value: object) -> Iterator[re.Pattern[str]]:
    """The patterns in a value: itself, or in a tuple, list or mapping."""
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield value
    elif isinstance(value, dict):
        yield from compiled(list(value.values()))
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from compiled(one)


def of_module(place: str, module: ModuleType, tree: ast.Module) -> Iterator[Tried]:
    used = methods_by_name(tree)
    for name, value in vars(module).items():
        methods = used.get(name, set()) & METHODS
        anchored = f"{place}.{name}" in ANCHORED or (
            bool(methods) and methods <= {"match", "fullmatch"}
        )
        for pattern in compiled(value):
            yield Tried(f"{place}.{name}", pattern, anchored)
    for node in ast.walk(tree):
        if written := pattern_in_call(node):
            method, text, line = written
            yield Tried(f"{place}:{line}", re.compile(text), method in ("match", "fullmatch"))


def pattern_in_call(node: ast.AST) -> tuple[str, str, int] | None:
    """Method, pattern and line of ``re.search("…", text)``."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
        return None
    function, first = node.func, node.args[0]
    by_re = isinstance(function.value, ast.Name) and function.value.id == "re"
    if by_re and function.attr in METHODS and isinstance(first, ast.Constant):
        return function.attr, str(first.value), node.lineno
    return None


def of_packages(project: Path) -> dict[str, list[Tried]]:
    return {place: list(of_module(place, *rest)) for place, *rest in modules(project)}


def of_lexicons() -> dict[str, list[Tried]]:
    from features.lexicon import lexicon

    found: dict[str, list[Tried]] = {}
    for rule in lexicon().rules:
        tried = Tried(f"lexicon {rule.family}.{rule.id}", rule.pattern, anchored=True)
        found.setdefault(rule.family, []).append(tried)
    return found


class GivenUpError(Exception):
    pass


def give_up(*_: object) -> None:
    raise GivenUpError


def seconds(run: Callable[[str], None], text: str) -> float:
    """The least of three times, one where it is short; the time limit where it takes longer."""
    least = GIVEN_UP_SECONDS
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, GIVEN_UP_SECONDS)
    try:
        for _ in range(3):
            start = time.perf_counter()
            run(text)
            least = min(least, time.perf_counter() - start)
            if least < AT_ONCE_SECONDS:
                break
    except GivenUpError:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return least


def slow(tried: Tried, place: str) -> Iterator[str]:
    """Each attack under which the pattern's time grows faster than its text."""
    layout, length = place in SOURCE_LAYOUT, WINDOW if place in WINDOWS else CHARACTERS
    flags = tried.pattern.flags
    short, long = (
        [text if layout else collapsed(text) for text in attacks(tried.pattern.pattern, flags, n)]
        for n in (length, 4 * length)
    )
    for one, four in zip(short, long, strict=True):
        if (base := seconds(tried.run, one)) < AT_ONCE_SECONDS:
            continue
        if base >= GIVEN_UP_SECONDS or seconds(tried.run, four) > WORST_GROWTH * base:
            yield f"{tried.place}: {one[:40]!r}"


def collapsed(text: str) -> str:
    return " ".join(text.split())


def all_slow(place: str, patterns: Iterable[Tried]) -> list[str]:
    return [found for tried in patterns for found in slow(tried, place)]


def test_patterns_of_the_packages(project: Path) -> None:
    found = of_packages(project)
    assert sum(map(len, found.values())) > 180
    assert [bad for place, tried in found.items() for bad in all_slow(place, tried)] == []


def test_patterns_of_the_lexicons() -> None:
    found = of_lexicons()
    assert sum(map(len, found.values())) > 600
    assert [bad for family, tried in found.items() for bad in all_slow(family, tried)] == []


def test_printed_names_of_chapters() -> None:
    from data.citations import _chapters

    tried = [Tried(f"chapter {name}", pattern, anchored=True) for pattern, name in _chapters()]
    assert all_slow("chapters", tried) == []


@pytest.mark.parametrize(
    ("pattern", "attack"),
    [(r"(?:\d+ ?)+x", "1"), (r"\s*\Z", " "), (r"(?:a|b|ab)*c", "a"), (r"\d+ \d+ mg", "1")],
)
def test_a_slow_pattern_is_found(pattern: str, attack: str) -> None:
    """The test above can fail: patterns that are known to be slow, and the run that slows them."""
    assert attack in next(slow(Tried("bad", re.compile(pattern), False), "data/parse"))


# --- all patterns together ---------------------------------------------------------------------


def examples_in_a_row(family: str, separator: str, length: int) -> Iterator[str]:
    from features.lexicon import lexicon

    rules = [rule for rule in lexicon().rules if rule.family == family and rule.example]
    for rule in rules[:: 1 + len(rules) // 12]:
        unit = rule.example.rstrip(".") + separator
        yield (unit * (length // len(unit) + 1))[:length]


def families() -> list[str]:
    from features.lexicon import FOLDER

    return sorted(path.stem for path in FOLDER.glob("*.csv"))


@pytest.mark.slow
@pytest.mark.parametrize("family", families())
def test_a_summary_of_one_cue_over_and_over(family: str) -> None:
    """The longest summary that is read, all of one cue: seconds, not minutes."""
    from data.letter import Case, CaseHeader, Item
    from data.limits import MAX_SUMMARY_CHARS
    from features.table import signals

    item = Item(0, "Physical therapy", "Physical therapy", category="Rehabilitation")
    for separator in (". ", ", "):
        for text in examples_in_a_row(family, separator, MAX_SUMMARY_CHARS):
            case = Case("hostile", "hostile", CaseHeader(), text, (item,))
            start = time.monotonic()
            signals(case)
            assert time.monotonic() - start < SUMMARY_SECONDS, text[:40]
