"""What the claims administrator did, why, and what it cited."""

from __future__ import annotations

from datetime import date

import pytest

from imr.data.citations import parse_citation
from imr.data.letter import CaseHeader, Item
from imr.features.context import read_summary
from imr.features.families.letter import body_part_matches, sessions_certified, share_authorized
from imr.features.table import signals
from tests.features.case_files import row_of, undecided

KNEE = parse_citation("Decision based on MTUS Knee Complaints 2004, Section(s): Special Studies.")
NONE = parse_citation("The Claims Administrator did not cite any medical evidence.")
OUTSIDE = parse_citation("Decision based on Non-MTUS Citation Official Disability Guidelines.")


def modified(original: str, authorized: str, **known: object) -> Item:
    return Item(0, "x", "x", "modified", original, authorized, **known)  # type: ignore[arg-type]


THERAPY = {
    "category": "Rehabilitation",
    "subcategory": "Physical Therapy",
    "quantity_unit": "sessions",
}


@pytest.mark.parametrize(
    ("item", "share"),
    [
        (Item(0, "x", "x"), 0.0),
        (modified("Therapy 12 sessions", "Therapy 6 sessions", **THERAPY), 0.5),
        (modified("Therapy 3 times a week for 4 weeks", "Therapy 9 visits", **THERAPY), 0.75),
        (
            modified("Baclofen #60 with 2 refills", "Baclofen #60", category="Pharmaceuticals"),
            0.333,
        ),
        (modified("A wheelchair", "A wheelchair for one month", category="DMEPOS"), None),
        (modified("Therapy 6 sessions", "Therapy 12 sessions", **THERAPY), None),
    ],
)
def test_share_authorized(item: Item, share: float | None) -> None:
    assert share_authorized(item) == share


CHIROPRACTIC = {**THERAPY, "subcategory": "Chiropractic"}


@pytest.mark.parametrize(
    ("summary", "item", "certified"),
    [
        ("UR certified 6 of 12 visits.", Item(0, "x", "x", **THERAPY), 6.0),
        (
            "UR modified the request for therapy from 12 to four visits.",
            Item(0, "x", "x", **THERAPY),
            4.0,
        ),
        (
            "UR certified two more PT and denied the chiropractic.",
            Item(0, "x", "x", **CHIROPRACTIC),
            None,
        ),
        (
            "UR modified chiropractic to 6 and approved PT 4 visits.",
            Item(0, "x", "x", **CHIROPRACTIC),
            6.0,
        ),
        ("UR denied the request as six visits were had.", Item(0, "x", "x", **THERAPY), None),
        ("He completed 6 certified visits.", Item(0, "x", "x", **THERAPY), None),
        ("UR certified 6 visits.", Item(0, "x", "x", category="DMEPOS"), None),
        ("UR denied it.", modified("12 sessions", "Therapy 5 sessions", **THERAPY), 5.0),
    ],
)
def test_sessions_certified(summary: str, item: Item, certified: float | None) -> None:
    assert sessions_certified(read_summary(summary), item) == certified


@pytest.mark.parametrize(
    ("citation", "parts", "matches"),
    [
        (KNEE, ("knee",), True),
        (KNEE, ("shoulder",), False),
        (KNEE, (), None),
        (OUTSIDE, ("knee",), None),
        (NONE, ("knee",), None),
    ],
)
def test_body_part_matches(citation: object, parts: tuple[str, ...], matches: bool | None) -> None:
    assert body_part_matches(citation, parts) is matches  # type: ignore[arg-type]


def test_the_administrators_citation() -> None:
    item = Item(0, "MRI", "MRI", claims_administrator_guideline=KNEE, body_parts=("knee",))
    row = row_of("", item)
    assert row["ca_guideline"] == "Knee > Special Studies"
    assert row["ca_chapter"] == "Knee"
    assert (row["ca_mtus"], row["ca_non_mtus"], row["ca_none_cited"]) == (True, False, False)
    assert row["ca_body_part_matches"] is True
    silent = row_of("", Item(0, "MRI", "MRI", claims_administrator_guideline=NONE))
    assert (silent["ca_guideline"], silent["ca_none_cited"]) == ("None cited", True)
    assert row_of("")["ca_guideline"] is None


def test_days_of_the_review() -> None:
    header = CaseHeader(
        ur_denial_date=date(2016, 12, 1),
        application_received=date(2016, 12, 21),
        priority="Expedited",
    )
    row = row_of("A request for authorization of 11-17-2016 arrived.", header=header)
    assert row["days_request_to_denial"] == 14
    assert row["days_denial_to_application"] == 20
    assert row["priority_expedited"] is True
    later = row_of("A request for authorization of 12-17-2016 arrived.", header=header)
    assert later["days_request_to_denial"] is None


def test_a_reason_belongs_to_the_item_it_names() -> None:
    summary = (
        "The request for Omeprazole was denied due to no history of reflux. "
        "The request for an MRI was denied due to no evidence of failed conservative care."
    )
    case = undecided(summary, Item(0, "Omeprazole", "Omeprazole"), Item(1, "Knee MRI", "Knee MRI"))
    drug, scan = signals(case).rows
    assert (drug["ur_reason_no_gi_risk"], drug["ur_reason_no_conservative_care"]) == (True, False)
    assert (scan["ur_reason_no_gi_risk"], scan["ur_reason_no_conservative_care"]) == (False, True)


def test_a_reason_of_the_review_is_not_a_finding() -> None:
    row = row_of("The request was denied due to no evidence of a positive straight leg raise.")
    assert row["radicular_findings"] is False
    assert row["radicular_signs_negative"] is False


@pytest.mark.parametrize(
    ("summary", "days"),
    [
        ("On 3/20/2016 he was seen again and the knee still locks.", 19),
        ("An MRI dated 3/9/2016 shows a tear. He was seen on 2/1/2016.", 8),
        ("He was seen on 2/1/2016. Utilization review denied it on 3/1/2016.", None),
        ("A request for authorization dated 3/16/2016 was sent.", None),
        ("He is off work until 4/1/2016, and the next visit is on 3/29/2016.", None),
        ("The repair is set for 3/30/2016.", None),
    ],
)
def test_a_note_after_the_denial(summary: str, days: int | None) -> None:
    header = CaseHeader(date_of_injury=date(2016, 1, 5), ur_denial_date=date(2016, 3, 1))
    row = signals(undecided(summary, Item(0, "x", "x"), header=header)).rows[0]
    assert row["note_days_after_denial"] == days
