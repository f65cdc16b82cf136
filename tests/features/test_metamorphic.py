"""A change of wording moves exactly the signals it should."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imr.features.context import lexicon
from imr.features.families.facts import FACTS
from imr.features.signal import Family, Value
from imr.features.table import FAMILIES, all_columns, frame, signals
from tests.features.case_files import row_of, undecided

PARTS = st.sampled_from(["left knee", "right shoulder", "lumbar spine", "neck", "wrist"])
STUDIES = st.sampled_from(["MRI", "CT scan", "x-ray", "magnetic resonance imaging"])
DAYS = st.dates(date(1980, 1, 1), date(2025, 12, 31))
FORMATS = ("{m}-{d}-{y}", "{m}/{d}/{y}", "{m:02}/{d:02}/{y}", "{m}-{d}- {y}", "{name} {d}, {y}")
MONTHS = [date(2000, month, 1).strftime("%B") for month in range(1, 13)]
OWN = {family.name for family in FAMILIES[:7]}
NEUTRAL = (
    "The copy was hard to read.",
    "The handwriting was small.",
    "A cover letter came with the file.",
    "The office is in another county.",
)
BASE = (
    "The patient is a 41 year old female with an industrial injury on 3-4-2015. "
    "On 6-7-2015 she had low back pain, 7/10, radiating to the left leg. "
    "MRI of the lumbar spine dated 5-6-2015 showed a disc protrusion. "
    "The epidural injection gave 60% relief of left-sided pain for six weeks. "
    "She is on modified duty. The provider requested acupuncture."
)


def _moved(one: str, other: str) -> set[str]:
    before, after = row_of(one), row_of(other)
    return {name for name in before if before[name] != after[name]}


def _of(prefixes: tuple[str, ...], names: set[str]) -> set[str]:
    """The names without those that start so, and without the facts, which tell no from unsaid."""
    rest = {name for name in names if not name.startswith(prefixes) and not name.endswith("_here")}
    return rest - set(FACTS)


@given(STUDIES, PARTS)
def test_negation_and_request_take_a_study_away_and_nothing_else(study: str, part: str) -> None:
    done = f"{study} of the {part} was done."
    assert row_of(done)["imaging_present"] is True
    for undone in (
        f"{study} of the {part} was not done.",
        f"No {study} of the {part} was done.",
        f"{study} of the {part} was requested.",
        f"The provider recommended {study} of the {part}.",
        f"Utilization review denied the {study} of the {part}.",
    ):
        assert row_of(undone)["imaging_present"] is False
        # A region that is only asked about is no region of the case.
        assert _of(("imaging_", "ur_", "case_body_part"), _moved(done, undone)) == set()


@given(st.sampled_from(["numbness", "radiation of pain", "weakness", "headaches"]))
def test_a_denied_complaint_is_none(complaint: str) -> None:
    said, denied = f"He reports {complaint}.", f"He denies {complaint}."
    moved = _moved(said, denied)
    assert moved
    about = (
        "complaint_",
        "weakness",
        "radi",
        "numb",
        "headache",
        "head_complaint",
        "comorbid",
        "neurology_told",
        "pain_unrelieved",
    )
    assert _of(about, moved) == set()


@given(st.integers(1, 99), st.integers(1, 99))
def test_changing_the_side_moves_the_sides_only(one: int, other: int) -> None:
    text = f"The injection gave {one}% relief of left leg pain and {other}% of right leg pain."
    swapped = text.replace("left", "LEFT").replace("right", "left").replace("LEFT", "right")
    assert _moved(text, swapped) == set()


@given(DAYS)
def test_every_format_of_a_date_is_the_same_day(day: date) -> None:
    for printed in FORMATS:
        words = printed.format(m=day.month, d=day.day, y=day.year, name=MONTHS[day.month - 1])
        row = row_of(f"He sustained an industrial injury on {words}.The knee hurts.")
        assert row["injury_date"] == day.isoformat()


@given(st.dates(date(1999, 1, 1), date(2028, 12, 31)))
def test_a_short_year_is_the_same_day(day: date) -> None:
    row = row_of(f"He sustained an injury on {day.month}/{day.day}/{day.year % 100:02}.")
    if day.year >= 2000:
        assert row["injury_date"] == day.isoformat()


def test_upper_case_moves_nothing() -> None:
    assert _moved(BASE, BASE.upper()) == set()


@given(st.lists(st.integers(0, BASE.count(" ") - 1), max_size=12, unique=True))
def test_line_breaks_move_nothing(places: list[int]) -> None:
    words = BASE.split(" ")
    broken = words[0] + "".join(
        ("\n" if i in places else " ") + word for i, word in enumerate(words[1:])
    )
    assert _moved(BASE, broken) == set()


@given(st.lists(st.sampled_from(NEUTRAL), max_size=6))
def test_neutral_sentences_move_nothing(added: list[str]) -> None:
    assert _moved(BASE, " ".join([BASE, *added])) == set()
    assert _moved(BASE, " ".join([*added, BASE])) == set()


@given(st.text())
def test_any_text_gives_every_signal_twice_the_same(text: str) -> None:
    first, second = signals(undecided(text)), signals(undecided(text))
    assert first.rows == second.rows
    assert first.evidence == second.evidence
    names = [column.name for column in all_columns()]
    assert list(first.rows[0])[: len(names)] == names


def test_evidence_quotes_the_summary_and_names_a_rule() -> None:
    found = signals(undecided(BASE))
    rules = {f"{rule.family}.{rule.id}" for rule in lexicon().rules}
    own = [e for e in found.evidence if e.field == "case_summary"]
    assert own
    assert all(e.quote == BASE[e.start : e.end] and e.rule in rules for e in own)
    names = {e.signal for e in own}
    assert {"age", "sex", "injury_date", "imaging_mri", "pain_score_max", "work_status"} <= names


def test_the_base_letter_says_what_it_says() -> None:
    row = row_of(BASE)
    known: dict[str, Value] = {
        "age": 41,
        "sex": "female",
        "injury_date": "2015-03-04",
        "chronicity_days": 95,
        "chronicity_class": "chronic",
        "pain_score_max": 7.0,
        "imaging_mri": True,
        "imaging_ct": False,
        "imaging_latest_date": "2015-05-06",
        "imaging_abnormal": True,
        "relief_percent_max": 60.0,
        "work_status": "modified",
        "complaint_radiating_pain": True,
        "radiculopathy_corroborated": True,
    }
    assert {name: row[name] for name in known} == known


def test_column_names_are_unique_and_documented() -> None:
    names = [column.name for column in all_columns()]
    assert len(set(names)) == len(names)
    assert all(column.definition and column.family for column in all_columns())
    assert all(column.source for column in all_columns() if column.family in OWN)


def test_the_frame_keeps_types_without_rows_and_with_nulls() -> None:
    for table in (frame([]), frame(signals(undecided("")).rows)):
        kinds = {name: str(kind) for name, kind in table.dtypes.items()}
        assert kinds["age"] == "Int64"
        assert kinds["imaging_mri"] == "boolean"
        assert kinds["relief_percent_max"] == "Float64"
        assert kinds["work_status"].startswith("str")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_has_columns_and_a_builder(family: Family) -> None:
    assert {column.family for column in family.columns} == {family.name}
    assert family.build or family.build_item
