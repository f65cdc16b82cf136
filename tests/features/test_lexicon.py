"""Every row of every lexicon: its pattern, triggers, example, counterexample and source."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from imr.features.context import ANY_NUMBER, FOLDER, TOKEN, Rule, lexicon, read_rules
from tests.features.case_files import FOLDER as CASES

RULES = [rule for path in sorted(FOLDER.glob("*.csv")) for rule in read_rules(path)]
IDS = [f"{rule.family}.{rule.id}" for rule in RULES]


def _starts(rule: Rule, phrase: str) -> bool:
    """Whether a rule matches somewhere in a phrase by its own triggers."""
    lower = phrase.lower()
    for token in TOKEN.finditer(lower):
        trigger = ANY_NUMBER if token[0][0] <= "9" else token[0]
        if trigger in rule.triggers and rule.pattern.match(lower, token.start()):
            return True
    return False


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_rule_matches_its_example_and_not_its_counterexample(rule: Rule) -> None:
    assert rule.example
    assert _starts(rule, rule.example)
    assert not (rule.counterexample and _starts(rule, rule.counterexample))


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_rule_is_reviewable(rule: Rule) -> None:
    assert rule.source
    assert rule.value
    assert rule.triggers
    assert all(t == ANY_NUMBER or (t.isalpha() and t == t.lower()) for t in rule.triggers)


TABLES = sorted([*FOLDER.parent.rglob("*.csv"), *CASES.glob("*.csv")])


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_every_row_has_a_cell_a_column(table: Path) -> None:
    with table.open(encoding="utf-8", newline="") as lines:
        head, *rows = csv.reader(lines)
    assert [row for row in rows if len(row) != len(head)] == []


def test_rule_names_are_unique_and_many() -> None:
    assert len(set(IDS)) == len(IDS)
    assert len(IDS) >= 250
    assert set(lexicon().families) == {rule.family for rule in RULES}


def test_a_date_takes_its_digits_for_itself() -> None:
    hits = lexicon().hits("seen on 11/8/10 for pain")
    families = {rule.family for found in hits for rule, _ in found}
    assert "date" in families
    assert "pain_score" not in families
