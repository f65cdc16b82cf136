"""The words beside a mention: each row does what its example says, and somebody asks for it."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from imr.features import beside as module
from imr.features.beside import beside, gives_beside, match_beside, table
from imr.features.context import Summary
from imr.features.families.facts import _OF_THE_CASE, _OF_THE_REQUEST, _OF_THE_STATEMENT, rules
from imr.features.signal import table_rows
from imr.features.words import groups

ROWS = table_rows("beside")
NUMBERED = [(row["name"], number) for number, row in enumerate(ROWS)]
SOURCE = "\n".join(
    path.read_text(encoding="utf-8") for path in Path(module.__file__).parent.rglob("*.py")
)


def marked(example: str, row: dict[str, str]) -> Any:
    """A mention of what stands between brackets that the row is about."""
    start, end = example.index("["), example.index("]") - 1
    summary = Summary(example.replace("[", "").replace("]", ""))
    value = row["of"].split(";")[0].rpartition(".")[2]
    return SimpleNamespace(
        summary=summary,
        start=start,
        end=end,
        sentence=summary.sentence_at(start),
        value=value,
        rule=SimpleNamespace(id=value, family="any", extra={}),
        qualifier=row["qualifier"].split(";")[0] or summary.qualify(start, end, 0),
        text=summary.text[start:end],
        _clause=None,
    )


@pytest.mark.parametrize(("name", "number"), NUMBERED)
def test_a_row_holds_of_its_example(name: str, number: int) -> None:
    row = ROWS[number]
    place = sum(other["name"] == name for other in ROWS[:number])
    mention = marked(row["example"], row)
    assert table()[name][place].matches(mention) is not None
    assert beside(name, mention)


def test_the_first_row_that_holds_gives_its_answer() -> None:
    mention = marked("Possible [fracture] of the wrist.", ROWS[0])
    assert gives_beside("diagnosis", mention) == "suspected"
    assert match_beside("pain_is_strong", marked("She has severe [pain].", ROWS[0])) is not None
    assert gives_beside("diagnosis", marked("A [fracture] of the wrist.", ROWS[0])) is None


def test_each_name_is_asked_for_and_each_question_is_in_the_table() -> None:
    asked = set(re.findall(r'_?beside\(\s*"(\w+)"', SOURCE))
    # The conditions of the facts ask for what is no measure of a statement, request or case.
    terms = {t.name for of in rules().values() for r in of for all_of in r.where for t in all_of}
    asked |= terms - {*_OF_THE_STATEMENT, *_OF_THE_REQUEST, *_OF_THE_CASE, *groups()}
    inside = {name for row in ROWS for cell in ("also", "unless") for name in row[cell].split(";")}
    assert asked | inside - {""} == set(table())


def test_rows_of_one_name_stand_together() -> None:
    names = [row["name"] for row in ROWS]
    assert sum(a != b for a, b in zip(names, [*names[1:], ""], strict=True)) == len(set(names))


def test_each_part_is_used() -> None:
    parts = table_rows("beside_parts")
    rows = (*ROWS, *parts, *table_rows("patterns"))
    cells = "\n".join(cell for row in rows for cell in row.values())
    used = {*re.findall(r"\(\?&(\w+)\)", cells), *re.findall(r'\bpattern\("(\w+)"', SOURCE)}
    assert used >= {row["name"] for row in parts}
