"""Letters in the published formats, written by us, and the real ones where they are at hand."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imr.data.letter import Letter, LetterError, Text
from imr.data.parse import parse
from imr.data.read import paragraphs, read

HEADER = """Case Number: CM16-0999999
Date Assigned: 12/06/2016 Date of Injury: 10/03/2016
Decision Date: 01/04/2017 UR Denial Date: 11/21/2016
Priority: Standard Application 11/29/2016
Received:

HOW THE IMR FINAL DETERMINATION WAS MADE

State(s) of Licensure: Nevada,New Mexico, Utah
Certification(s)/Specialty: Public Health &
General Preventive Medicine, Hand Surgery

"""
SUMMARY = """CLINICAL CASE SUMMARY

The expert reviewer developed the following clinical case summary based on a review of the
case file, including all medical records:

A 41-year-old baker slipped on 10-03-2016. An x-
ray of the wrist on 10-04-
2016 was clean. Splint and ibuprofen so far.

IMR ISSUES, DECISIONS AND RATIONALES

The Final Determination was based on decisions for the disputed items/services set forth below:

"""
PLAIN = """Wrist splint, custom: quantity: 1: Upheld

Claims Administrator guideline: The Claims Administrator did not cite any medical evidence for
its decision.
MAXIMUS guideline: Decision based on MTUS Forearm, Wrist, and Hand Complaints 2004.
Decision rationale: A ready-made one does. The request is not medically necessary.
"""
NO_BLANK_LINE = """HAND THERAPY 2 TIMES A WEEK FOR 3 WEEKS:
Overturned
Claims Administrator guideline: Decision based on MTUS Chronic Pain Medical Treatment 2016,
Section(s): Physical medicine treatment.
MAXIMUS guideline: The Expert Reviewer did not cite any medical evidence for its decision.
Decision rationale: Six visits are few. The request is medically necessary.
"""
MODIFIED = """Naproxen 500mg #60 was the original request. Naproxen 500mg #40 was authorized by the
Claims Administrator. The remaining IMR eligible portion of the original request, Naproxen
500mg #20 is: Upheld

Claims Administrator guideline: Decision based on MTUS Chronic Pain Medical Treatment 2016.
MAXIMUS guideline: Decision based on Non-MTUS Official Disability Guidelines Pain.
Decision rationale: Enough was given. The request is not medically necessary.
"""
LEAVING = """Wound nurse for 9 days was the original request. The Claims Administrator authorized
Wound nurse for 4 days, leaving the original request IMR eligible. The original request, Wound nurse
for 9 days is:  Overturned

Claims Administrator guideline: Decision based on Non-MTUS Citation ODG Home care.
MAXIMUS guideline: Decision based on MTUS General Approaches 2004.
Decision rationale: It heals slowly. The request is medically necessary.
"""
LETTER = HEADER + SUMMARY + PLAIN + NO_BLANK_LINE + MODIFIED + "\n" + LEAVING


def as_text(text: str, name: str = "sample") -> Text:
    return Text(name, f"{name}.txt", paragraphs(text))


def parsed(text: str) -> Letter:
    return parse(as_text(text))


def test_header_is_read_by_label() -> None:
    letter = parsed(LETTER)
    header = letter.case.header
    assert header.case_number == "CM16-0999999"
    assert header.date_assigned == date(2016, 12, 6)
    assert header.date_of_injury == date(2016, 10, 3)
    assert header.ur_denial_date == date(2016, 11, 21)
    assert header.application_received == date(2016, 11, 29)
    assert header.priority == "Standard"
    assert letter.determination.decision_date == date(2017, 1, 4)
    assert letter.determination.states == ("Nevada", "New Mexico", "Utah")
    assert letter.determination.specialties == (
        "Public Health & General Preventive Medicine",
        "Hand Surgery",
    )


def test_header_printed_column_by_column() -> None:
    columns = (
        "Case Number:\nDate Assigned:\nDecision Date:\nPriority:\n\nCM16-0999999\n12/06/2016\n"
        "01/04/2017\nStandard\n\nDate of Injury:\nUR Denial Date:\nApplication\nReceived:\n\n"
        "10/03/2016\n11/21/2016\n11/29/2016\n\nHOW THE IMR FINAL DETERMINATION WAS MADE\n"
    )
    rest = LETTER[LETTER.index("\nState(s)") :]
    assert parsed(columns + rest).case == parsed(LETTER).case


def test_empty_cell_of_the_header_leaves_the_others_in_place() -> None:
    undated = parsed(LETTER.replace("Decision Date: 01/04/2017", "Decision Date:           "))
    assert undated.determination.decision_date is None
    assert undated.case == parsed(LETTER).case


def test_letter_without_header_block() -> None:
    letter = parsed(SUMMARY + PLAIN)
    assert dataclasses.astuple(letter.case.header) == (None,) * 6
    assert letter.determination.decision_date is None
    assert [i.title for i in letter.case.items] == ["Wrist splint, custom: quantity: 1"]


def test_reviewer_credentials_told_in_prose() -> None:
    prose = (
        "The physician reviewer is Board Certified in Physical Medicine and\nRehabilitation and "
        "Pain Medicine, has a subspecialty in Spine Care, and is licensed to practice in Ohio "
        "and Texas. He/she works.\n"
    )
    found = parsed(prose + SUMMARY + PLAIN).determination
    assert found.states == ("Ohio", "Texas")
    assert found.specialties == (
        "Physical Medicine and Rehabilitation",
        "Pain Medicine",
        "Spine Care",
    )


def test_summary_joins_words_broken_at_a_line_end() -> None:
    assert parsed(LETTER).case.case_summary == (
        "A 41-year-old baker slipped on 10-03-2016. An x-ray of the wrist on 10-04-2016 was "
        "clean. Splint and ibuprofen so far."
    )


def test_items_of_every_form() -> None:
    letter = parsed(LETTER)
    assert [(i.title, i.requested) for i in letter.case.items[:2]] == [
        ("Wrist splint, custom: quantity: 1",) * 2,
        ("HAND THERAPY 2 TIMES A WEEK FOR 3 WEEKS",) * 2,
    ]
    naproxen, nurse = letter.case.items[2:]
    assert (naproxen.original_request, naproxen.authorized, naproxen.requested) == (
        "Naproxen 500mg #60",
        "Naproxen 500mg #40",
        "Naproxen 500mg #20",
    )
    assert (nurse.original_request, nurse.authorized, nurse.requested) == (
        "Wound nurse for 9 days",
        "Wound nurse for 4 days",
        "Wound nurse for 9 days",
    )
    assert [i.ur_action for i in letter.case.items] == ["denied", "denied", "modified", "modified"]
    decisions = [d for d in letter.determination.decisions if d]
    assert [d.outcome for d in decisions] == ["Upheld", "Overturned", "Upheld", "Overturned"]
    assert decisions[1].rationale == "Six visits are few. The request is medically necessary."


def test_undecided_letter_has_no_decision() -> None:
    undecided = re.sub(r":\s+(?:Upheld|Overturned)\n", ":\n", LETTER)
    undecided = re.sub(
        r"MAXIMUS guideline:.*?rationale:.*?necessary\.\n", "\n", undecided, flags=re.DOTALL
    )
    letter = parsed(undecided)
    assert letter.determination.decisions == (None,) * 4
    assert [i.title for i in letter.case.items] == [i.title for i in parsed(LETTER).case.items]
    assert letter.case.items[0].claims_administrator_guideline is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A shopping list: eggs, flour.\n", "unknown_format"),
        (SUMMARY.split("IMR ISSUES")[0], "truncated"),
        (SUMMARY, "no_items"),
        (SUMMARY + PLAIN.split("Decision rationale")[0], "truncated"),
        (SUMMARY + PLAIN.replace(": Upheld", ""), "truncated"),
        (" ".join(LETTER.split()), "no_line_breaks"),
    ],
)
def test_what_is_no_whole_letter_is_refused(text: str, reason: str) -> None:
    with pytest.raises(LetterError) as caught:
        parsed(text)
    assert caught.value.reason == reason
    assert "sample.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


ISSUES = "IMR ISSUES, DECISIONS AND RATIONALES\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ISSUES + SUMMARY.split("IMR ISSUES")[0], "truncated"),  # the order of the headings counts
        (ISSUES + LETTER, "doubled"),
        (LETTER + ISSUES, "doubled"),
        (LETTER + "CLINICAL CASE SUMMARY\n", "doubled"),
    ],
)
def test_section_headings_stand_once_and_in_order(text: str, reason: str) -> None:
    with pytest.raises(LetterError) as caught:
        parsed(text)
    assert caught.value.reason == reason


def test_reviewers_rationale_in_the_summary_is_cut_and_reported() -> None:
    leak = "The Physician Reviewer's decision rationale: Splints need no custom work."
    letter = parsed(SUMMARY.replace("Splint and ibuprofen so far.", leak) + PLAIN)
    assert "custom work" not in letter.case.case_summary
    assert letter.case.case_summary.endswith("was clean.")
    assert any("rationale inside the case summary" in w for w in letter.warnings)


def test_reviewers_verdict_in_the_summary_is_cut_but_urs_denial_stays() -> None:
    verdict = "The request for a splint is not medically necessary."
    denial = "Utilization review found that the splint is not medically necessary."
    letter = parsed(SUMMARY.replace("Splint and", f"{verdict} {denial} Splint and") + PLAIN)
    assert verdict not in letter.case.case_summary
    assert denial in letter.case.case_summary
    assert any("determination inside" in w for w in letter.warnings)


def test_unknown_chapter_is_kept_as_printed_with_a_warning() -> None:
    letter = parsed(
        SUMMARY + PLAIN.replace("Forearm, Wrist, and Hand Complaints", "Toe Complaints")
    )
    decision = letter.determination.decisions[0]
    assert decision is not None
    assert decision.guideline is not None
    assert decision.guideline.mtus[0].chapter == "Toe Complaints"
    assert any("unknown MTUS chapter" in w and "Toe" in w for w in letter.warnings)


LAYOUTS = {
    "no blank lines": lambda t: re.sub(r"\n\s*\n", "\n", t),
    "every line doubled": lambda t: t.replace("\n\n", "\n \n").replace("\n", "\n\n"),
    "CRLF": lambda t: t.replace("\n", "\r\n"),
    "indented": lambda t: re.sub(r"(?m)^(?=.)", "      ", t),
    "form feed": lambda t: t.replace("Claims Adm", "\fClaims Adm"),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_letter(layout: str) -> None:
    assert parsed(LAYOUTS[layout](LETTER)) == parsed(LETTER)


sentences = st.lists(
    st.sampled_from(
        ["The file is thin.", "Records are clear!", "Is it needed?", "See page 4 (ODG).", "No."]
    ),
    min_size=1,
    max_size=6,
).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(
    rationales=st.lists(sentences, min_size=4, max_size=4),
    outcomes=st.lists(st.sampled_from(["Upheld", "Overturned"]), min_size=4, max_size=4),
    cited=st.sampled_from(
        ["Decision based on MTUS Knee Complaints 2004.", "Decision based on Non-MTUS Citation X."]
    ),
)
def test_rewriting_the_decision_leaves_the_case_equal(
    rationales: list[str], outcomes: list[str], cited: str
) -> None:
    new_rationale, new_outcome = iter(rationales), iter(outcomes)
    text = re.sub(
        r"(Decision rationale: ).*?necessary\.", lambda m: m[1] + next(new_rationale), LETTER
    )
    text = re.sub(r"\b(?:Upheld|Overturned)(?=\n)", lambda _: next(new_outcome), text)
    text = re.sub(r"(?m)^MAXIMUS guideline: .*$", f"MAXIMUS guideline: {cited}", text)
    letter = parsed(text)
    assert letter.case == parsed(LETTER).case
    assert [d.outcome for d in letter.determination.decisions if d] == outcomes


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400), st.integers(0, len(LETTER)), st.integers(0, 80))
def test_any_text_is_a_letter_or_a_named_error(noise: str, at: int, cut: int) -> None:
    found: Letter | LetterError
    try:
        found = parsed(LETTER[:at] + noise + LETTER[at + cut :])
    except LetterError as error:
        found = error
    if isinstance(found, LetterError):
        assert found.reason in {
            "unknown_format", "truncated", "no_items", "no_line_breaks", "doubled",
            "unread_item", "misread", "out_of_order",
        }  # fmt: skip
    else:
        assert len(found.case.items) == len(found.determination.decisions)
        assert all(i.title and i.requested for i in found.case.items)


def test_real_letters_are_all_parsed(real_letters: Path) -> None:
    texts = list(read([str(real_letters)]))
    assert not [t for t in texts if isinstance(t, LetterError)]
    letters = [parse(t) for t in texts if isinstance(t, Text)]
    files = [p for p in real_letters.rglob("*") if p.suffix in {".pdf", ".txt"}]
    assert len(letters) == len(files)
    for letter in letters:
        assert letter.decided, letter.case.source
        if letter.case.source.endswith(".pdf"):
            assert None not in dataclasses.astuple(letter.case.header), letter.case.source


def test_real_letters_are_equal_in_every_layout(real_letters: Path) -> None:
    for text in read([str(real_letters)]):
        assert isinstance(text, Text)
        for layout, change in LAYOUTS.items():
            if layout == "form feed":
                continue
            again = dataclasses.replace(text, text=paragraphs(change(text.text)))
            assert parse(again) == parse(text), (text.source, layout)


def test_annotated_letters_come_out_field_by_field(real_letters: Path) -> None:
    gold_files = sorted((real_letters.parent / "gold").glob("*.json"))
    if not gold_files:
        pytest.skip("no annotations (gold/) beside IMR_LETTERS")
    from imr.serve.letter_json import letter_object

    texts = {t.letter_id: t for t in read([str(real_letters)]) if isinstance(t, Text)}
    for file in gold_files:
        gold = json.loads(file.read_text())
        mine = letter_object(parse(texts[gold["letter_id"]]))
        assert mine["header"] == gold["header"]
        assert mine["reviewer"] == gold["reviewer"]
        assert [_annotated(i) for i in mine["items"]] == gold["items"], file.name


def _annotated(item: dict) -> dict:  # type: ignore[type-arg]
    """An item of ``imr parse`` in the form of the annotations."""
    decision = item["decision"]
    flat = {k: v for k, v in item.items() if k not in {"index", "decision"}}
    return flat | {
        "decision": decision["outcome"],
        "reviewer_guideline": decision["guideline"],
    }
