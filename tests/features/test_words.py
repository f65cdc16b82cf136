"""The patterns and groups that code looks for by name: examples, and somebody asks for each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imr.features import words as module
from imr.features.families.facts import rules
from imr.features.signal import table_rows
from imr.features.words import filled, groups, kinds, kinds_in, parts

ROWS = table_rows("patterns")
SOURCE = "\n".join(
    path.read_text(encoding="utf-8") for path in Path(module.__file__).parent.rglob("*.py")
)
FOR_OTHERS = {*re.findall(r"\(\?&(\w+)\)", "\n".join(row["pattern"] for row in ROWS))}


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[row["name"] for row in ROWS])
def test_a_pattern_finds_what_stands_in_brackets(number: int) -> None:
    row = ROWS[number]
    start, end = row["example"].index("["), row["example"].index("]") - 1
    text = row["example"].replace("[", "").replace("]", "").lower()
    found = re.search(filled(row["pattern"], parts()), text)
    assert found is not None
    assert found.span() == (start, end)
    assert row["source"]


def test_rows_of_one_name_are_kinds_and_stand_together() -> None:
    names = [row["name"] for row in ROWS]
    assert sum(a != b for a, b in zip(names, [*names[1:], ""], strict=True)) == len(set(names))
    several = {name for name in names if names.count(name) > 1}
    assert several == set(re.findall(r'\bkinds(?:_in)?\("(\w+)"', SOURCE))
    assert len(kinds("device")) == names.count("device")
    assert kinds_in("device", "TENS unit with a cold pack") == {"current", "cold or heat"}


def test_each_pattern_is_asked_for() -> None:
    asked = set(re.findall(r'\b(?:pattern|kinds|kinds_in)\(\s*"(\w+)"', SOURCE))
    of_beside = {row["name"] for row in table_rows("beside_parts")}
    own = {row["name"] for row in ROWS}
    assert own <= asked | FOR_OTHERS
    assert asked <= own | of_beside


def test_names_of_patterns_are_told_apart() -> None:
    of_beside = {row["name"] for row in table_rows("beside_parts")}
    assert of_beside.isdisjoint(row["name"] for row in ROWS)


def test_each_group_is_asked_for() -> None:
    """By code, or as what a request is for or a response due to by the conditions of the facts."""
    terms = {t.name for of in rules().values() for r in of for all_of in r.where for t in all_of}
    of_facts = {name for name in terms & groups().keys() if name.startswith(("for_", "by_"))}
    asked = set(re.findall(r'\bgroup\(\s*"(\w+)"', SOURCE))
    assert terms & groups().keys() == of_facts
    assert asked | of_facts == set(groups())
    rows = table_rows("groups")
    assert len(rows) == len(groups())
    assert [row["name"] for row in rows if "" in row["members"].split(";")] == []


def test_each_pair_is_asked_for() -> None:
    rows = table_rows("pairs")
    assert {row["name"] for row in rows} == set(re.findall(r'\b(?:pairs|sets)\("(\w+)"\)', SOURCE))
    keys = [(row["name"], row["key"]) for row in rows]
    assert len(keys) == len(set(keys))
    assert all(row["value"] and row["source"] for row in rows)
