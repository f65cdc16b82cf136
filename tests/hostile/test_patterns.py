"""No pattern is slow: each one is pumped with long near-misses, and its time may grow with them.

Every compiled pattern of the packages is tried, every pattern written in a call, every row of
every lexicon and of the words beside mentions, and what is made from the tables of
``data/reference``; a test holds that no call of ``re`` is left out.  A pattern that looks at each
of 2,000 characters a few times is done; one that takes longer is given four times as much, and
fails where it takes more than ten times as long: 4 is linear, 16 is quadratic, and an exponential
one never comes back.  What a pattern never sees is not tried: requests, citations and summaries
have their blanks collapsed before any pattern reads them.

Time is processor time in looks of a simple pattern at the text (:mod:`tests.timing`).
"""

from __future__ import annotations

import ast
import gc
import importlib
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from tests.hostile.pumping import attacks
from tests.timing import CHARACTERS, looks_up_to, thread_seconds

PACKAGES = ("data", "features", "models", "training", "serve")
SOURCE_LAYOUT = {"data/read", "data/parse", "data/request"}
"""These modules read text with its layout; all others read it with blanks collapsed."""

WINDOWS = {"pain", "examination", "treatment"}
"""The patterns of these modules look at the words around a mention: at most 170 characters."""

ANCHORED = {"where_when._LEAD_OF", "where_when._LEAD_BARE"}
"""Handed to another function, which uses ``fullmatch``."""

WINDOW = 170
FEW_WORDS = "a few words beside a mention"
AT_ONCE_LOOKS = 250
"""Looks at each of ``CHARACTERS`` that need no second run; a quadratic pattern takes 1,000."""
GIVEN_UP_LOOKS = 50_000
WORST_GROWTH = 10
ROUNDS = 5
TASTE_CHARS = 2_000
WORST_SUMMARY = 200
"""Times an ordinary summary of the same length; the slowest takes 30 times as long."""

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


@cache
def modules(project: Path) -> list[tuple[str, ModuleType, ast.Module]]:
    """Place, module and parsed source of all modules."""
    return list(all_modules(project))


def all_modules(project: Path) -> Iterator[tuple[str, ModuleType, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((project / package).rglob("*.py")):
            if path.stem != "pyfunc":
                name = path.relative_to(project).with_suffix("").as_posix()
                name = name.removesuffix("/__init__")
                module = importlib.import_module("imr." + name.replace("/", "."))
                yield name, module, ast.parse(path.read_text())


def stem(place: str) -> str:
    return place.rsplit("/", 1)[-1]


def methods_by_name(tree: ast.Module) -> dict[str, set[str]]:
    """Name -> the methods called on it (``_TITLE.match`` …)."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.setdefault(node.value.id, set()).add(node.attr)
    return found


def as_text(pattern: object) -> str:
    """The pattern of bytes as one of text: a byte is the character of its number."""
    return pattern.decode("latin-1") if isinstance(pattern, bytes) else str(pattern)


def compiled(value: object) -> Iterator[re.Pattern[str]]:
    """The patterns in a value: itself, or in a tuple, list or mapping."""
    if isinstance(value, re.Pattern):
        is_text = isinstance(value.pattern, str)
        yield value if is_text else re.compile(as_text(value.pattern), value.flags | re.ASCII)
    elif isinstance(value, dict):
        yield from compiled(list(value.values()))
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from compiled(one)


def of_module(place: str, module: ModuleType, tree: ast.Module) -> Iterator[Tried]:
    used = methods_by_name(tree)
    for name, value in vars(module).items():
        methods = used.get(name, set()) & METHODS
        anchored = f"{stem(place)}.{name}" in ANCHORED or (
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


@cache
def of_packages(project: Path) -> dict[str, list[Tried]]:
    return {place: list(of_module(place, *rest)) for place, *rest in modules(project)}


def of_lexicons() -> dict[str, list[Tried]]:
    from imr.features.context import lexicon

    found: dict[str, list[Tried]] = {}
    for rule in lexicon().rules:
        tried = Tried(f"lexicon {rule.family}.{rule.id}", rule.pattern, anchored=True)
        found.setdefault(rule.family, []).append(tried)
    return found


def of_beside() -> dict[str, list[Tried]]:
    """The patterns of ``rules/beside.csv``: those that see a few words, and those that see all."""
    from imr.features.beside import table

    found: dict[str, list[Tried]] = {FEW_WORDS: [], "clause or sentence": []}
    for name, rows in table().items():
        for _, reach, find in (look for row in rows for look in row.looks):
            pattern: re.Pattern[str] = find.__self__  # type: ignore[attr-defined]
            tried = Tried(f"beside {name}", pattern, anchored=find == pattern.match)
            found[FEW_WORDS if reach else "clause or sentence"].append(tried)
            assert reach <= WINDOW
    return found


def methods_asked(project: Path) -> dict[str, tuple[set[str], set[str]]]:
    """The methods that code calls of a pattern by its name, and the modules that do."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    call = re.compile(r'\b(?:pattern|kinds|kinds_in)\(\s*"(\w+)"[^()]*\)(?:\.(\w+))?')
    for path in (project / "features").rglob("*.py"):
        for name, method in call.findall(path.read_text(encoding="utf-8")):
            methods, places = found.setdefault(name, (set(), set()))
            methods.add(method)
            places.add(path.stem)
    return found


def of_words(project: Path) -> dict[str, list[Tried]]:
    """The patterns that code looks for by name: those that see a few words, and those that see
    all.
    """
    from imr.features.words import kinds, pattern

    found: dict[str, list[Tried]] = {FEW_WORDS: [], "text": []}
    for name, (methods, places) in methods_asked(project).items():
        anchored = methods <= {"match", "fullmatch"}
        several = [known for _, known in kinds(name)] or [pattern(name)]
        tried = [Tried(f"pattern {name}", known, anchored) for known in several]
        found[FEW_WORDS if places <= WINDOWS else "text"] += tried
    return found


def looks_at(run: Callable[[str], object], text: str) -> float:
    return looks_up_to(GIVEN_UP_LOOKS, lambda: run(text))


def grows_too_fast(run: Callable[[str], object], text: str, four_times: str) -> bool:
    """Whether four times the text takes more than ``WORST_GROWTH`` times as long, time and again.

    A disturbance adds to a time and takes nothing away, so the least of all rounds is compared.
    """
    short, long = math.inf, math.inf
    for _ in range(ROUNDS):
        short, long = min(short, looks_at(run, text)), min(long, looks_at(run, four_times))
        if short == math.inf:
            return True
        if long <= WORST_GROWTH * short:
            return False
    return True


def slow(tried: Tried, place: str) -> Iterator[str]:
    """Each attack under which the pattern's time grows faster than its text."""
    layout = place in SOURCE_LAYOUT
    length = WINDOW if stem(place) in WINDOWS or place == FEW_WORDS else CHARACTERS
    flags = tried.pattern.flags
    short, long = (
        [text if layout else collapsed(text) for text in attacks(tried.pattern.pattern, flags, n)]
        for n in (length, 4 * length)
    )
    for one, four in zip(short, long, strict=True):
        at_once = looks_at(tried.run, one) < AT_ONCE_LOOKS
        if not at_once and grows_too_fast(tried.run, one, four):
            yield f"{tried.place}: {one[:40]!r}"


def collapsed(text: str) -> str:
    return " ".join(text.split())


def all_slow(place: str, patterns: Iterable[Tried]) -> list[str]:
    return [found for tried in patterns for found in slow(tried, place)]


def test_the_exceptions_are_there(project: Path) -> None:
    found = of_packages(project)
    assert set(found) >= SOURCE_LAYOUT
    assert set(map(stem, found)) >= WINDOWS
    assert {stem(tried.place) for patterns in found.values() for tried in patterns} >= ANCHORED


def test_patterns_of_the_packages(project: Path) -> None:
    found = of_packages(project)
    assert sum(map(len, found.values())) > 100
    assert [bad for place, tried in found.items() for bad in all_slow(place, tried)] == []


def test_patterns_of_the_lexicons() -> None:
    found = of_lexicons()
    assert sum(map(len, found.values())) > 600
    assert [bad for family, tried in found.items() for bad in all_slow(family, tried)] == []


def test_patterns_of_the_words_beside_a_mention() -> None:
    found = of_beside()
    assert all(found.values())
    assert [bad for place, tried in found.items() for bad in all_slow(place, tried)] == []


def test_patterns_that_are_looked_for_by_name(project: Path) -> None:
    found = of_words(project)
    assert all(found.values())
    assert sum(map(len, (*found.values(), *of_packages(project).values()))) > 180
    assert [bad for place, tried in found.items() for bad in all_slow(place, tried)] == []


def of_reference_tables() -> list[Tried]:
    """What functions make from tables: ``data/reference``, ``features/rules``."""
    from imr.data.citations import _chapters
    from imr.data.quantity import _patterns
    from imr.features.table import _urgent_rules
    from imr.features.words import labelled

    tables = {"imaging_findings": "finding", "specialists": "field", "tests_and_organs": "concepts"}
    pairs = [pair for table in tables.items() for pair in labelled(*table)]
    urgent = [rule for rules in _urgent_rules().values() for rule in rules]
    return [
        *(Tried(f"chapter {name}", pattern, anchored=True) for pattern, name in _chapters()),
        *(Tried(f"{rule.text}: with", rule.with_, anchored=False) for rule in urgent),
        *(Tried(f"{rule.text}: unless", rule.unless, anchored=False) for rule in urgent),
        *(Tried(name, pattern, anchored=False) for name, pattern in pairs),
        *(Tried(name, p, anchored=False) for name, rows in _patterns().items() for p, _ in rows),
    ]


def test_patterns_made_from_the_reference_tables() -> None:
    tried = of_reference_tables()
    assert len(tried) > 25
    assert all_slow("reference", tried) == []


MADE_BY = {
    "data/citations._chapters",
    "data/quantity._patterns",
    "features/table._urgent_rules",
    "features/beside._row",
    "features/words.pattern",
    "features/words.kinds",
    "features/words.labelled",
    "features/context._rule",
}
"""Functions that compile what a table holds; the tests above try what they make."""


def calls_of_re(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Each call of ``re`` with the function that it stands in ("" at the top of the module)."""
    inside = {
        id(node): function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        function = node.func if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and isinstance(function, ast.Attribute):
            owner = function.value
            if isinstance(owner, ast.Name) and owner.id == "re" and function.attr != "escape":
                yield node, inside.get(id(node), "")


def untried(place: str, tree: ast.Module) -> Iterator[str]:
    """Patterns that no test above tries: made while the program runs, from what it was given."""
    for node, function in calls_of_re(tree):
        if function and not pattern_in_call(node) and f"{place}.{function}" not in MADE_BY:
            yield f"{place}.{function}:{node.lineno}"


def test_no_pattern_is_left_out(project: Path) -> None:
    """Patterns at the top of a module stand in its variables, all others in the call itself."""
    trees = {place: tree for place, _, tree in modules(project)}
    assert sum(len(list(calls_of_re(tree))) for tree in trees.values()) > 100
    assert [bad for place, tree in trees.items() for bad in untried(place, tree)] == []
    of_tops = {
        tried.pattern.pattern for patterns in of_packages(project).values() for tried in patterns
    }
    written = {
        as_text(node.args[0].value)
        for tree in trees.values()
        for node, function in calls_of_re(tree)
        if not function and node.args and isinstance(node.args[0], ast.Constant)
    }
    assert len(written) > 60
    assert written - of_tops == set()


@pytest.mark.parametrize(
    "code", ["def f(x): return re.compile(x)", "def f(x): re.search(rf'{x}+', 'a')"]
)
def test_a_pattern_that_nobody_tries_is_found(code: str) -> None:
    assert list(untried("data/parse", ast.parse(code)))


@pytest.mark.parametrize(
    ("pattern", "attack"),
    [(r"(?:\d+ ?)+x", "1"), (r"\s*\Z", " "), (r"(?:a|b|ab)*c", "a"), (r"\d+ \d+ mg", "1")],
)
def test_a_slow_pattern_is_found(pattern: str, attack: str) -> None:
    """The test above can fail: patterns that are known to be slow, and the run that slows them."""
    assert attack in next(slow(Tried("bad", re.compile(pattern), False), "data/parse"))


# --- all patterns together ---------------------------------------------------------------------


def of_family(family: str) -> list[str]:
    """An example of each cue of a family, without its full stop."""
    from imr.features.context import lexicon

    rules = [rule for rule in lexicon().rules if rule.family == family and rule.example]
    return [rule.example.rstrip(".") for rule in rules]


def families() -> list[str]:
    from imr.features.context import FOLDER

    return sorted(path.stem for path in FOLDER.glob("*.csv"))


def repeated(unit: str, length: int) -> str:
    return (unit * (length // len(unit) + 1))[:length]


def signals_seconds(summary: str) -> float:
    """Processor time of all signals of a case, without the collector of garbage."""
    from imr.data.letter import Case, CaseHeader, Item
    from imr.features.table import signals

    item = Item(0, "Physical therapy", "Physical therapy", category="Rehabilitation")
    case = Case("hostile", "hostile", CaseHeader(), summary, (item,))
    gc.disable()
    try:
        return thread_seconds(lambda: signals(case))
    finally:
        gc.enable()


@cache
def ordinary_seconds() -> float:
    """Processor time of the longest summary that is read, made of ordinary ones."""
    from imr.data.letter import MAX_SUMMARY_CHARS
    from imr.data.synthetic import synthesize

    ordinary = " ".join(made.letter.case.case_summary for made in synthesize(80, seed=1))
    assert len(ordinary) > MAX_SUMMARY_CHARS
    return min(signals_seconds(ordinary[:MAX_SUMMARY_CHARS]) for _ in range(3))


@pytest.mark.slow
@pytest.mark.parametrize("family", families())
def test_a_summary_of_one_cue_over_and_over(family: str) -> None:
    """Every cue over and over; the two slowest fill the longest summary that is read."""
    from imr.data.letter import MAX_SUMMARY_CHARS

    units = [example + end for example in of_family(family) for end in (". ", ", ")]
    assert units
    signals_seconds("The first call reads the tables.")
    slowest = sorted(units, key=lambda unit: signals_seconds(repeated(unit, TASTE_CHARS)))[-2:]
    for unit in slowest:
        taken = signals_seconds(repeated(unit, MAX_SUMMARY_CHARS))
        assert taken < WORST_SUMMARY * ordinary_seconds(), unit[:40]
