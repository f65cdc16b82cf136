"""Negating, requesting, denying or re-siding care and signs moves just what it should."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from imr.features.table import FAMILIES, signals
from tests.features.case_files import row_of, undecided

CARE = st.sampled_from(
    [
        ("physical therapy", "physical_therapy_prior"),
        ("chiropractic treatment", "chiropractic_prior"),
        ("acupuncture", "acupuncture_prior"),
        ("an epidural steroid injection", "injection_prior"),
        ("knee surgery", "surgery_prior"),
        ("a lumbar fusion", "surgery_prior"),
    ]
)
SIGNS = st.sampled_from(["Straight leg raise", "Seated straight leg raise", "Spurling's test"])
DRUGS = st.sampled_from(["Norco", "Naproxen", "Flexeril", "Gabapentin", "Omeprazole"])
NEUTRAL = st.sampled_from(
    ["The copy was faint.", "A cover letter came along.", "The handwriting was small."]
)
CASE = (
    "Treatment to date has included physical therapy, six chiropractic visits and Norco. "
    "He underwent left knee arthroscopy on 3-4-2014. Straight leg raise was positive on the left. "
    "Sensation was decreased in the left L5 dermatome. He is depressed. "
    "The request was denied due to no evidence of functional improvement."
)
CLINICAL = tuple(
    column.name
    for family in FAMILIES
    if family.name in ("treatment", "examination", "medication", "comorbidity", "review")
    for column in family.columns
)


def _moved(one: str, other: str) -> set[str]:
    before, after = row_of(one), row_of(other)
    return {name for name in before if before[name] != after[name]}


@given(CARE)
def test_care_counts_only_where_it_was_received(care: tuple[str, str]) -> None:
    words, column = care
    for had in (f"He underwent {words}.", f"Treatment to date has included {words}."):
        assert row_of(had)[column] is True
    for not_had in (
        f"He has not had {words}.",
        f"He denies having had {words}.",
        f"The provider requested {words}.",
        f"A request for {words} was submitted.",
        f"The plan includes {words}.",
        f"He is scheduled for {words}.",
        f"Utilization review denied {words}.",
        f"He may need {words}.",
        f"The doctor asks for {words}.",
    ):
        assert row_of(not_had)[column] is False, not_had


@given(SIGNS, st.sampled_from(["left", "right"]))
def test_a_sign_has_its_own_result(sign: str, side: str) -> None:
    other = {"left": "right", "right": "left"}[side]
    positive = f"{sign} was positive on the {side}."
    assert row_of(positive)["radicular_findings"] is True
    assert _moved(positive, positive.replace(side, other)) == set()
    negative = row_of(f"{sign} was negative on the {side}.")
    assert negative["radicular_findings"] is False
    assert negative["radicular_signs_negative"] is True
    for no_finding in (
        f"{sign} was requested.",
        f"The guideline recommends that {sign.lower()} be positive.",
        f"Utilization review found no positive {sign.lower()}.",
    ):
        assert row_of(no_finding)["radicular_findings"] is False, no_finding


@given(DRUGS)
def test_a_drug_counts_only_where_it_is_taken(drug: str) -> None:
    taken = {name for name in row_of(f"He takes {drug}.") if name.endswith("_taken")}
    with_drug = row_of(f"He takes {drug}.")
    own = {name for name in taken if with_drug[name] is True}
    assert own
    for not_taken in (
        f"{drug} was requested.",
        f"He does not take {drug}.",
        f"Utilization review denied {drug}.",
        f"He is allergic to {drug}.",
    ):
        row = row_of(not_taken)
        assert not any(row[name] for name in own), not_taken


@given(st.lists(NEUTRAL, max_size=5))
def test_neutral_sentences_and_length_move_nothing(added: list[str]) -> None:
    assert _moved(CASE, " ".join([CASE, *added])) == set()
    assert _moved(CASE, " ".join([*added, CASE])) == set()


@given(st.lists(st.integers(0, CASE.count(" ") - 1), max_size=15, unique=True))
def test_line_breaks_and_case_move_nothing(places: list[int]) -> None:
    words = CASE.split(" ")
    broken = words[0] + "".join(
        ("\n" if i in places else " ") + word for i, word in enumerate(words[1:])
    )
    assert _moved(CASE, broken) == set()
    assert _moved(CASE, CASE.upper()) == set()


@given(st.integers(2, 4))
def test_saying_it_again_moves_nothing(times: int) -> None:
    assert _moved(CASE, " ".join([CASE] * times)) == set()


def test_the_case_says_what_it_says() -> None:
    row = row_of(CASE)
    true = {name for name in CLINICAL if row[name] is True}
    assert true == {
        "physical_therapy_prior",
        "chiropractic_prior",
        "surgery_prior",
        "conservative_care_tried",
        "radicular_findings",
        "straight_leg_raise",
        "sensory_dermatomal",
        "sensory_loss",
        "opioid_taken",
        "psychological_comorbidity",
        "depression_documented",
        "ur_reason_no_improvement",
    }
    assert row["chiropractic_sessions"] == 6.0


@given(
    st.text(
        st.sampled_from("no positive straight leg raise was 4/5 6 PT, and ; L5.\n"), max_size=300
    )
)
def test_any_text_has_evidence_in_place(text: str) -> None:
    case = undecided(text)
    for one in signals(case).evidence:
        if one.field == "case_summary":
            assert one.quote == text[one.start : one.end]
