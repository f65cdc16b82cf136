"""Synthetic letters: read back to their truth, the same every time, drawn as documented."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imr.data import table_rows
from imr.data.letter import Letter, Text
from imr.data.parse import parse
from imr.data.read import paragraphs, pdf_text, read
from imr.data.synthetic import (
    _SLOTS,
    BASE_RATE,
    SHARES,
    SLOT,
    SyntheticLetter,
    planted_effects,
    synthesize,
    write,
)
from imr.data.synthetic.page import LAYOUTS, Layout

MANY = 2_000
SEED = 17


@pytest.fixture(scope="module")
def letters() -> list[SyntheticLetter]:
    return list(synthesize(MANY, SEED))


def read_back(made: SyntheticLetter, layout: Layout | None) -> Letter:
    """What parsing makes of the printed letter; ``layout`` None is the PDF."""
    text = pdf_text(made.pdf(), "letter") if layout is None else paragraphs(made.text(layout))
    name = made.letter.case.letter_id
    return parse(Text(name, name, text))


def comparable(letter: Letter) -> Letter:
    """The letter without the names of lexicon rows, which no letter prints, and the warnings."""
    items = tuple(replace(item, terms=()) for item in letter.case.items)
    return replace(letter, case=replace(letter.case, items=items), warnings=())


def as_printed(letter: Letter) -> Letter:
    """The letter without the class of its items, which is read from the titles."""
    letter = comparable(letter)
    bare = [
        replace(
            item, category=None, subcategory=None, body_parts=(), quantity=None, quantity_unit=None
        )
        for item in letter.case.items
    ]
    return replace(letter, case=replace(letter.case, items=tuple(bare)))


# --- round trip -------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**64 - 1), index=st.integers(0, 10**7))
@settings(max_examples=150)
@pytest.mark.parametrize("layout", [*LAYOUTS, None])
def test_any_letter_in_any_layout_is_read_back_to_its_truth(
    layout: Layout | None, seed: int, index: int
) -> None:
    (made,) = synthesize(index + 1, seed, start=index)
    assert as_printed(read_back(made, layout)) == as_printed(made.letter)


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_thousands_of_letters_are_read_back_to_their_truth(
    layout: Layout, letters: list[SyntheticLetter]
) -> None:
    wrong = [
        made.letter.case.letter_id
        for made in letters
        if as_printed(read_back(made, layout)) != as_printed(made.letter)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "field", ["category", "subcategory", "body_parts", "quantity", "quantity_unit"]
)
def test_item_classes_are_those_of_the_grammar(field: str, letters: list[SyntheticLetter]) -> None:
    from imr.data.request import classify

    wrong = {
        (item.requested, getattr(item, field), found)
        for made in letters
        for item in made.letter.case.items
        if (found := getattr(classify(item.requested, item.title), field)) != getattr(item, field)
    }
    assert wrong == set()


def test_undecided_letters_are_read_back_without_decisions() -> None:
    for made in synthesize(100, SEED, decided=False):
        found = read_back(made, made.layout)
        assert as_printed(found) == as_printed(made.letter)
        assert not found.decided
        assert found.determination.decisions == (None,) * len(found.case.items)


def test_a_determination_inside_the_summary_is_cut_out(letters: list[SyntheticLetter]) -> None:
    leaked = [made for made in letters if made.printed != made.letter]
    assert len(leaked) > 5
    for made in leaked:
        assert made.printed.case.case_summary.endswith("medically necessary.")
        assert read_back(made, "printed").warnings


def test_letters_differ_as_real_ones_do(letters: list[SyntheticLetter]) -> None:
    """Every layout, both forms of modified request, long lists, long titles, broken dates."""
    items = [item for made in letters for item in made.letter.case.items]
    assert {made.layout for made in letters} == set(LAYOUTS)
    assert {made.header for made in letters} == {True, False}
    assert max(len(made.letter.case.items) for made in letters) == 20
    assert any("leaving the original request" in item.title for item in items)
    assert any("remaining IMR eligible portion" in item.title for item in items)
    assert max(len(item.title) for item in items) > 7 * 50
    assert any(len(made.style) and "-\n" in made.text("printed") for made in letters)
    citations = [d.guideline for made in letters for d in made.letter.determination.decisions if d]
    assert {len(c.mtus) for c in citations if c} == {0, 1, 2}
    assert {len(c.non_mtus) for c in citations if c} == {0, 1, 2}


# --- the same every time ----------------------------------------------------------------------


def test_a_letter_depends_on_seed_and_number_only() -> None:
    twelve = list(synthesize(12, SEED))
    assert list(synthesize(5, SEED)) == twelve[:5]
    assert list(synthesize(12, SEED, start=7)) == twelve[7:]
    assert [a.text() for a in twelve] == [b.text() for b in synthesize(12, SEED)]
    assert all(a.letter != b.letter for a, b in zip(twelve, synthesize(12, SEED + 1), strict=True))
    assert all(a.letter.case != b.letter.case for a, b in pairwise(twelve))


@pytest.mark.slow
@pytest.mark.parametrize("fmt", ["txt", "jsonl"])
def test_files_do_not_depend_on_count_or_processes(fmt: Any, tmp_path: Path) -> None:
    write(1_100, tmp_path / "one", 3, fmt, jobs=1)
    write(1_100, tmp_path / "two", 3, fmt, jobs=2)
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert one == two
    write(7, tmp_path / "few", 3, fmt)
    for path in (tmp_path / "few").glob("*.txt"):
        assert one[path.name] == path.read_bytes()


def test_a_pdf_is_the_same_byte_for_byte() -> None:
    (first,), (second,) = synthesize(1, SEED), synthesize(1, SEED)
    assert first.pdf() == second.pdf()


# --- outcomes ---------------------------------------------------------------------------------


def overturned(made: SyntheticLetter) -> list[bool]:
    return [
        d is not None and d.outcome == "Overturned" for d in made.letter.determination.decisions
    ]


def deviations(letters: Iterable[SyntheticLetter]) -> float:
    """How far the number of overturned items lies from the expected one, in deviations."""
    pairs = [(p, y) for m in letters for p, y in zip(m.p_overturned, overturned(m), strict=True)]
    spread = math.sqrt(sum(p * (1 - p) for p, _ in pairs))
    return abs(sum(y for _, y in pairs) - sum(p for p, _ in pairs)) / spread


def test_outcomes_are_drawn_with_the_stated_probability(letters: list[SyntheticLetter]) -> None:
    assert deviations(letters) < 4


def test_house_style_and_layout_say_nothing_beyond_the_signals(
    letters: list[SyntheticLetter],
) -> None:
    groups: dict[Any, list[SyntheticLetter]] = defaultdict(list)
    for made in letters:
        groups["style", made.style].append(made)
        groups["layout", made.layout].append(made)
        groups["printing", made.printing].append(made)
    assert len(groups) == 6 + len(LAYOUTS) + 6
    assert {name: deviations(group) < 4 for name, group in groups.items()} == dict.fromkeys(
        groups, True
    )


def test_probability_is_the_logistic_of_the_terms_that_hold() -> None:
    effects = {"(intercept)": -1.0, "imaging_mri": 0.5, "relief_percent_max>=50": 2.0}
    effects["ur_action=modified"] = -3.0
    for made in synthesize(300, SEED, effects=effects):
        for row, p in zip(made.signals, made.p_overturned, strict=True):
            x = -1.0 + 0.5 * row["imaging_mri"] + 2.0 * ((row["relief_percent_max"] or 0) >= 50)
            x -= 3.0 * (row["ur_action"] == "modified")
            assert p == pytest.approx(1 / (1 + math.exp(-x)))


def test_nothing_planted_leaves_the_cases_and_the_base_rate() -> None:
    planted, bare = synthesize(200, SEED), synthesize(200, SEED, effects=None)
    for with_effects, without in zip(planted, bare, strict=True):
        assert without.letter.case == with_effects.letter.case
        assert set(without.p_overturned) == {BASE_RATE}
    assert deviations(synthesize(MANY, SEED + 1, effects=None)) < 4


def design(letters: Iterable[SyntheticLetter], terms: list[str]) -> tuple[list[Any], list[bool]]:
    rows, outcomes = [], []
    for made in letters:
        for row, y in zip(made.signals, overturned(made), strict=True):
            rows.append([bool(holds(row, term)) for term in terms])
            outcomes.append(y)
    return rows, outcomes


def holds(row: dict[str, Any], term: str) -> Any:
    if ">=" in term:
        column, least = term.split(">=")
        return (row[column] or 0) >= float(least)
    column, _, value = term.partition("=")
    return row[column] == value if value else row[column]


@pytest.mark.parametrize("planted", [True, False])
def test_planted_effects_are_recovered_and_nothing_else(planted: bool) -> None:
    from sklearn.linear_model import LogisticRegression

    effects = planted_effects()
    terms = [term for term in effects if term != "(intercept)"]
    made = synthesize(6_000, 5, effects="planted" if planted else None)
    model = LogisticRegression(C=1e6, max_iter=1_000).fit(*design(made, terms))
    found = dict(zip(terms, model.coef_[0], strict=True))
    assert found == pytest.approx({t: effects[t] * planted for t in terms}, abs=0.3)


def test_reviewers_cite_as_documented(letters: list[SyntheticLetter]) -> None:
    counts: Counter[str] = Counter()
    for made in letters:
        for item, decision in zip(
            made.letter.case.items, made.letter.determination.decisions, strict=True
        ):
            given = item.claims_administrator_guideline
            assert decision is not None
            assert decision.guideline is not None
            assert given is not None
            cited = decision.guideline
            counts["all"] += 1
            counts["outside only"] += not cited.mtus
            counts["administrator cites none"] += given.none_cited
            assert not cited.none_cited
    assert counts["outside only"] / counts["all"] == pytest.approx(0.2 * 0.84, abs=0.03)
    assert counts["administrator cites none"] / counts["all"] == pytest.approx(0.25, abs=0.03)


# --- signals ----------------------------------------------------------------------------------


def test_every_signal_is_true_as_often_as_its_share_says(letters: list[SyntheticLetter]) -> None:
    first = [made.signals[0] for made in letters]
    for column, fact in (("imaging_mri", "mri"), ("electrodiagnostic_present", "emg")):
        share = sum(row[column] for row in first) / len(first)
        assert share == pytest.approx(SHARES[fact], abs=0.04), column
    assert 0.15 < sum(row["relief_percent_max"] is not None for row in first) / len(first) < 0.25
    assert {row["work_status"] for row in first} == {
        None,
        "full_duty",
        "modified",
        "off_work",
        "retired_or_other",
    }
    assert {row["sex"] for row in first} == {None, "female", "male"}


@pytest.fixture(scope="module")
def derived(letters: list[SyntheticLetter]) -> list[list[dict[str, Any]]]:
    from imr.features.table import signals

    return [signals(made.letter.case).rows for made in letters]


COLUMNS = list(next(synthesize(1)).signals[0])


@pytest.mark.parametrize("column", COLUMNS)
def test_signals_are_the_planted_truth(
    column: str, letters: list[SyntheticLetter], derived: list[list[dict[str, Any]]]
) -> None:
    wrong = [
        (made.letter.case.letter_id, i, truth[column], row[column])
        for made, rows in zip(letters, derived, strict=True)
        for i, (truth, row) in enumerate(zip(made.signals, rows, strict=True))
        if str(truth[column]) != str(row[column])
        and not (truth[column] is not None and truth[column] == row[column])
    ]
    assert wrong == []


# --- files and grammar ------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", ["txt", "pdf"])
def test_written_letters_are_read_and_their_truth_stands_beside(fmt: Any, tmp_path: Path) -> None:
    folder, truth = write(8, tmp_path / "letters", SEED, fmt)
    texts = list(read([str(folder)]))
    made = list(synthesize(8, SEED))
    assert len(texts) == 8
    for text, letter in zip(texts, made, strict=True):
        assert isinstance(text, Text)
        assert as_printed(parse(replace(text, source=text.letter_id))) == as_printed(letter.letter)
    with gzip.open(truth, "rt") as lines:
        known = [json.loads(line) for line in lines]
    names = [m.letter.case.letter_id for m in made]
    assert [row["letter"]["case"]["letter_id"] for row in known] == names
    assert [row["p_overturned"] for row in known] == [list(m.p_overturned) for m in made]


def test_records_hold_the_case_and_no_decision(tmp_path: Path) -> None:
    path, _ = write(20, tmp_path, SEED, "jsonl")
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(records) == 20
    for row, made in zip(records, synthesize(20, SEED), strict=True):
        case = made.letter.case
        assert row["case_summary"] == case.case_summary
        assert [item["title"] for item in row["items"]] == [item.title for item in case.items]
        assert not set(row) & {"decision", "decision_date", "reviewer"}


def test_every_slot_of_the_grammar_is_known() -> None:
    case = {"who", "Who", "side", "sex", "man", "age", "region", "part", "place", "PLACE", "Part"}
    later = {"list", "asks", "kind", "chapter", "n", "N", "f", "F", "w", "W"}
    tables = (table_rows(f"grammar/{name}") for name in ("sentences", "words"))
    texts = [row["text"] for rows in tables for row in rows]
    texts += [row["title"] for row in table_rows("grammar/items")]
    used = {slot for text in texts for slot in SLOT.findall(text)}
    assert len(texts) > 250
    assert used <= case | later | set(_SLOTS)


def test_every_row_of_the_grammar_names_its_source() -> None:
    for name in ("sentences", "words", "items", "citations", "effects"):
        rows = table_rows(f"grammar/{name}")
        assert len(rows) > 5
        assert all(row["source"] for row in rows), name
