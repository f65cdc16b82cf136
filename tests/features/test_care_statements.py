"""What care was had, what it did, and what was taken: sentences of our own and their statements."""

from dataclasses import replace
from datetime import date

import pytest

from imr.data.letter import Case, CaseHeader, Item
from imr.features.context import read_summary
from imr.features.families.facts import build_item
from imr.features.statements import statements
from tests.features.case_files import fact_of

PT, HEP, NSAID, OPIOID = "physical_therapy", "home_exercise", "NSAID", "Opioids"
Said = tuple[str, str, str]

SAID: list[tuple[str, set[Said]]] = [
    (
        "Therapy and pills came first and did not hold.",
        {("response", PT, "failed"), ("response", "medication", "failed")},
    ),
    (
        "Physical therapy, naproxen and a splint gave little lasting benefit.",
        {
            ("response", PT, "failed"),
            ("response", NSAID, "failed"),
            ("response", "bracing", "failed"),
        },
    ),
    (
        "He has not had any therapy, exercise or medicine for it.",
        {
            ("treatment", PT, "denied"),
            ("treatment", "exercise", "denied"),
            ("treatment", "medication", "denied"),
        },
    ),
    (
        "The shot would be the first thing offered.",
        {("treatment", "conservative", "denied")},
    ),
    ("Oxycodone has not been without benefit.", {("response", OPIOID, "helped")}),
    ("Acup 30 visits since 2012, no chg.", {("response", "acupuncture", "unchanged")}),
    ("She finished 40 post-operative visits.", {("treatment", "course", "affirmed")}),
    ("Nine visits were approved and used.", {("treatment", "course", "affirmed")}),
    ("Nine visits were approved.", {("treatment", "course", "planned")}),
    (
        "Naproxen was given. She has used it for nine months, and the knee is just as bad.",
        {("drug", NSAID, "affirmed"), ("response", NSAID, "failed")},
    ),
    ("Naproxen was ordered. She has not used it before.", {("drug", NSAID, "denied")}),
    (
        "The request is for a third epidural injection.",
        {("treatment", "epidural", "affirmed"), ("treatment", "epidural", "planned")},
    ),
    ("Norco was refilled. Pain 9 -> 4.", {("response", OPIOID, "helped")}),
    ("Norco was refilled. Pain 9 -> 8.", {("response", OPIOID, "unchanged")}),
    ("Facet injection in May: relief 2 days.", {("response", "facet", "temporary")}),
    ("TENS: never tried.", {("treatment", "tens", "denied")}),
    ("TENS at PT: no benefit.", {("response", "tens", "failed")}),
    (
        "His doctor checked his urine in May and June and both were right.",
        {("drug", "urine_drug_test_done", "consistent")},
    ),
    ("A third urine test was ordered.", {("drug", "urine_drug_test_done", "affirmed")}),
    ("A urine drug test was ordered.", {("drug", "urine_drug_test_done", "planned")}),
    ("He does his own transfers.", {("sign", "personal care need", "denied")}),
    ("He cannot bathe or dress.", {("sign", "personal care need", "affirmed")}),
    ("She sleeps seven hours a night.", {("sign", "poor sleep", "denied")}),
    ("The employer holds his job open.", {("event", "job open", "affirmed")}),
    ("Twelve more visits, and a cane, were asked for.", {("treatment", "course", "planned")}),
    ("An injection of May gave no relief.", {("response", "unspecified", "failed")}),
    ("Chiro 18 for this, VAS 6->6.", {("response", "chiropractic", "unchanged")}),
    ("PT done, pain/duty same.", {("response", PT, "unchanged")}),
    ("RFA bilat L3-4 2014: no relief.", {("response", "radiofrequency", "failed")}),
    (
        "The shot of March took two thirds of the leg pain.",
        {("response", "unspecified", "helped")},
    ),
    ("The shot took none of the leg pain.", {("response", "unspecified", "failed")}),
    ("LESI 5/2015: 60% relief x 8 wks, Norco 4->2.", {("response", "epidural", "helped")}),
    ("Rx PT 2x6.", {("treatment", PT, "planned")}),
    ("Rx so far: PT 12 visits.", {("treatment", PT, "affirmed")}),
    ("Her fingers tingle at night.", {("complaint", "numbness", "affirmed")}),
    ("Tramadol 6->2 a day.", {("function", "function", "medication reduced")}),
    ("Tramadol 6->6 a day.", {("function", "function", "medication same")}),
    ("He lifts no higher than before.", {("function", "function", "not improved")}),
    (
        "He raises the arm to 140 degrees instead of 90.",
        {("function", "function", "improved")},
    ),
    ("The hand closes fully.", {("sign", "full recovery", "affirmed")}),
    ("The hand does not close fully.", {("sign", "full recovery", "denied")}),
    ("She was already given a sling.", {("sign", "already supplied", "affirmed")}),
    ("There was no functional improvement with therapy.", {("response", PT, "not improved")}),
    ("Pills like Aleve upset her stomach.", {("response", NSAID, "not tolerated")}),
    ("Tramadol made her vomit.", {("response", OPIOID, "not tolerated")}),
    (
        "She had to stop naproxen because of a bleeding ulcer.",
        {("response", NSAID, "not tolerated"), ("drug", NSAID, "stopped")},
    ),
    ("He cannot swallow tablets.", {("response", "care", "not tolerated")}),
    ("He stretches at home daily.", {("treatment", HEP, "affirmed")}),
    ("She keeps up a home program.", {("treatment", HEP, "affirmed")}),
    (
        "He took half his usual pain pills.",
        {("function", "function", "medication reduced")},
    ),
    (
        "He continued the same dose of gabapentin.",
        {("function", "function", "medication same")},
    ),
    ("He reaches the second shelf.", {("function", "function", "improved")}),
    ("Pain is 8/10 without and 4/10 with Norco.", {("drug", OPIOID, "affirmed")}),
    (
        "The urine test was positive for cocaine.",
        {("drug", "urine_drug_test_done", "inconsistent")},
    ),
    ("A consistent urine test is filed.", {("drug", "urine_drug_test_done", "consistent")}),
    ("Naproxen is the only medication.", {("drug", OPIOID, "denied")}),
    ("PT 12, chiro 0.", {("treatment", "chiropractic", "denied")}),
    ("No PT was given.", {("treatment", PT, "denied")}),
    ("Flexion has gone from 60 to 115 degrees.", {("function", "function", "improved")}),
    ("Flexion is 105 degrees, up from 70.", {("function", "function", "improved")}),
    ("Flexion 30 -> 30 with therapy.", {("function", "function", "not improved")}),
    ("Flexion has stayed at 90 degrees.", {("function", "function", "not improved")}),
    ("The dose has risen from three tablets.", {("function", "function", "medication same")}),
    ("He was weaned from Norco.", {("drug", OPIOID, "stopped")}),
    ("Therapy improved nothing.", {("response", PT, "failed")}),
    ("The knee aches after long shifts.", {("complaint", "pain", "affirmed")}),
    ("Genicular blocks in May: 80% x 6 h.", {("response", "nerve_block", "helped")}),
    ("Pain went 7/10 to 3/10 for eight weeks after an ESI.", {("response", "epidural", "helped")}),
]

NOT_SAID: list[tuple[str, set[Said]]] = [
    (
        "Therapy failed, chiropractic helped.",
        {("response", PT, "helped"), ("response", "chiropractic", "failed")},
    ),
    ("There was no lasting change in pain, meds or work.", {("response", "medication", "failed")}),
    ("A repair on 10-22-16 was noted.", {("treatment", "repair", "denied")}),
    ("The request is for twelve further visits.", {("treatment", "course", "affirmed")}),
    ("Exam: decreased painful motion of the neck.", {("response", "care", "helped")}),
    ("Norco is the only medication.", {("drug", OPIOID, "denied")}),
    ("He felt a sharp pain when he lifted a box.", {("complaint", "pain", "affirmed")}),
    ("There was no functional improvement with therapy.", {("response", PT, "failed")}),
    ("He was given no heavy use of the arm and Aleve.", {("response", NSAID, "failed")}),
    ("Surgery in my opinion is reasonable.", {("treatment", "surgery", "affirmed")}),
    ("There was no ear discharge and able to hear.", {("function", "function", "not improved")}),
]


def said(text: str) -> set[Said]:
    return {(s.subject, s.concept, s.polarity) for s in statements(read_summary(text))}


@pytest.mark.parametrize(("text", "expected"), SAID)
def test_a_sentence_says(text: str, expected: set[Said]) -> None:
    assert expected <= said(text)


@pytest.mark.parametrize(("text", "unwanted"), NOT_SAID)
def test_a_sentence_does_not_say(text: str, unwanted: set[Said]) -> None:
    assert not unwanted & said(text)


@pytest.mark.parametrize(
    ("text", "concept", "count"),
    [
        ("PT x6 without benefit.", PT, 6),
        ("Therapy: 12 visits.", PT, 12),
        ("Chiro x 8: no relief.", "chiropractic", 8),
        ("PT 6/6, pain is less.", PT, 6),
        ("Ten visits of PT with good progress.", PT, 10),
        ("Therapy of 28 visits was done.", PT, 28),
        ("24 OT visits.", "occupational_therapy", 24),
        ("He has had 34 sessions.", "course", 34),
        ("Nine visits have been completed.", "course", 9),
    ],
)
def test_visits_had(text: str, concept: str, count: int) -> None:
    found = statements(read_summary(text))
    assert count in {s.count for s in found if s.subject == "treatment" and s.concept == concept}


def test_a_pain_cut_by_half_is_fifty_percent() -> None:
    found = statements(read_summary("Gabapentin cut the burning by half."))
    assert [s.percent for s in found if s.subject == "response"] == [50.0]


@pytest.mark.parametrize(
    ("text", "had"),
    [
        ("He had physical therapy for the low back in May.", True),
        ("He had physical therapy for the low back years ago, before the injury.", None),
    ],
)
def test_care_of_long_ago_is_no_care_of_today(text: str, had: bool | None) -> None:
    item = Item(
        0, "MRI of the lumbar spine", "MRI of the lumbar spine", body_parts=("lumbar spine",)
    )
    assert fact_of(text, item, "care_had") is had


COURSES: list[tuple[str, float | None, float | None]] = [
    ("PT postop 18/18. Rx 8 more.", 18, 8),
    ("Home PT 6, outpt PT 30. Rx PT 3x12.", 30, 36),
    ("She went to therapy 14 times. Thirty more visits are requested.", 14, 30),
    ("He wants more PT. UR certified 6 visits.", None, None),
    ("Plan: 8 sessions of massage and an x-ray.", None, None),
    ("Plan: 8 sessions of acupuncture, PT 2x5.", None, 10),
    ("Plan: nurse daily for 2 weeks.", None, None),
]


@pytest.mark.parametrize(("text", "had", "asked"), COURSES, ids=[c[0] for c in COURSES])
def test_sessions_had_and_asked_for_are_counted(
    text: str, had: float | None, asked: float | None
) -> None:
    summary = read_summary(text)
    item = Item(1, "PT", "PT", category="Rehabilitation", subcategory="Physical Therapy")
    values = build_item(summary, Case("a", "own", CaseHeader(), text, (item,)), item, {}).values
    assert (values.get("same_care_count"), values["course_sessions"]) == (had, asked)


NUMBERS: list[tuple[str, str, float | None]] = [
    ("The left wrist extends 20 degrees: extension 25, flexion 40.", "motion_share", 50),
    ("Left wrist extension was 15 degrees before therapy.", "motion_share", None),
    ("The left elbow flexes 130 degrees; right knee flexion 40.", "motion_share", None),
    ("Left grip is 20 pounds against 80.", "grip_share", 25),
    ("A left wrist fusion was done on 1/5/2016.", "operation_days_ago", 60),
    ("A left wrist fusion was done in 2014.", "operation_days_ago", 613),
    ("Morphine was raised, MED 120.", "morphine_dose", 120),
]


@pytest.mark.parametrize(("text", "name", "value"), NUMBERS, ids=[n[0] for n in NUMBERS])
def test_what_is_measured_or_dated_is_a_number(text: str, name: str, value: float | None) -> None:
    item = Item(0, "OT", "OT for the left wrist", body_parts=("wrist",))
    header = CaseHeader(ur_denial_date=date(2016, 3, 5))
    case = Case("a", "own", header, text, (item,))
    assert build_item(read_summary(text), case, item, {}).values.get(name) == value


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("An internist has treated her since 2013.", None),
        ("She sees a neurologist each month.", True),
        ("The neurologist has not seen her.", False),
        ("She wants to see a neurologist.", None),
    ],
)
def test_a_specialist_counts_in_the_field_that_is_asked_for(text: str, seen: bool | None) -> None:
    item = Item(
        0,
        "Neurology consultation",
        "Neurology consultation",
        category="Consultation",
        subcategory="Medical Specialties",
    )
    assert fact_of(text, item, "specialist_seen") is seen


WRIST = Item(0, "MRI of the wrist", "MRI of the wrist", body_parts=("wrist",))
THERAPY = Item(
    0,
    "PT",
    "PT for the wrist",
    category="Rehabilitation",
    subcategory="Physical Therapy",
    body_parts=("wrist",),
)
SPINE = Item(0, "MRI", "MRI of the low back", body_parts=("lumbar spine",))
BED = Item(0, "Bed", "Hospital bed", category="DMEPOS", subcategory="DME")
RIDE = Item(0, "Ride", "Transportation to therapy", category="Transportation")
UNIT = Item(0, "TENS", "TENS unit", category="DMEPOS", subcategory="Electrical Stimulation")
LSO = Item(0, "LSO", "LSO", category="DMEPOS", body_parts=("lumbar spine",))
IBUPROFEN = Item(
    0, "Motrin", "Motrin", category="Pharmaceuticals", subcategory="NSAID", terms=("ibuprofen",)
)
NAUSEA = Item(0, "Zofran", "Zofran", category="Pharmaceuticals", terms=("ondansetron",))
WRIST_MRI = replace(WRIST, category="Diagnostic Testing", subcategory="CT/MRI/PET Scans")
HAD_TEST, GAIN = "same_test_had", "function_better"
RELAXANT = Item(
    0, "Baclofen", "Baclofen", category="Pharmaceuticals", subcategory="Muscle Relaxant"
)
ABOUT: list[tuple[str, Item, str, bool | None]] = [
    # Somewhat better is no end; the latest visit decides.
    ("She has wrist pain, which therapy improved.", WRIST, "pain_goes_on", True),
    ("Therapy ended her wrist pain, it has resolved.", WRIST, "pain_goes_on", False),
    (
        "On 3/1/2016 the wrist pain had resolved. On 4/1/2016 she complains of wrist pain.",
        WRIST,
        "pain_goes_on",
        True,
    ),
    (
        "On 3/1/2016 she complained of wrist pain. On 4/1/2016 the wrist pain had resolved.",
        WRIST,
        "pain_goes_on",
        False,
    ),
    ("She reports more improvement of the wrist, which is stiff.", WRIST, "pain_goes_on", None),
    ("Therapy of the wrist improved its flexion.", WRIST, "pain_goes_on", None),
    ("She reports improvement of the wrist, which feels better.", WRIST, "pain_goes_on", False),
    ("She has worked with the same firm for nine years.", WRIST, "pain_goes_on", None),
    # One motion and the next are no gain, nor is what makes it worse.
    ("Wrist flexion was 30 degrees and extension was 15 degrees.", WRIST, GAIN, None),
    ("With increased activities of daily living the hand is numb.", WRIST, GAIN, None),
    ("He is able to hear a whisper.", WRIST, GAIN, None),
    ("Wrist flexion is 60 degrees, previously 30.", WRIST, GAIN, True),
    # A release to work is no daily life, and an examiner's finding none either.
    ("She was released to full duty with no restrictions.", WRIST, "function_limited", None),
    ("She performs all ADLs without restriction.", WRIST, "function_limited", False),
    ("On examination he is unable to bend.", SPINE, "function_limited", None),
    ("He is unable to bend to tie his shoes.", SPINE, "function_limited", True),
    ("He walked with some pain, but had no antalgic gait.", SPINE, "gait_impaired", None),
    ("There is no antalgic gait.", SPINE, "gait_impaired", False),
    ("She is unable to stand long enough to cook.", SPINE, "gait_impaired", None),
    ("She is unable to stand.", SPINE, "gait_impaired", True),
    # A word of severity belongs to the finding that it stands at.
    ("Severe tenderness and swelling of the wrist.", WRIST, "severe_lesion", None),
    ("Mild edema with skin color change of the wrist.", WRIST, "severe_lesion", None),
    ("MRI of the wrist shows severe joint degeneration.", WRIST, "severe_lesion", True),
    ("A displaced fracture of the second toe.", RIDE, "severe_lesion", None),
    ("The wrist has a displaced fracture.", WRIST, "severe_lesion", True),
    ("Nondisplaced comminuted fracture of the wrist.", WRIST, "severe_lesion", False),
    ("No note makes mention of a need for the MRI of the wrist.", WRIST_MRI, HAD_TEST, None),
    ("No MRI of the wrist was done.", WRIST_MRI, HAD_TEST, False),
    ("There is cramping of the hands when she bends them.", RELAXANT, "spasm_found", None),
    ("There is spasm of the neck.", RELAXANT, "spasm_found", True),
    # What the review calls the operation is the review's.
    (
        "The rationale for the denial included labs not being for minor procedures.",
        WRIST,
        "operation_large",
        None,
    ),
    ("She works double shifts despite her wrist pain.", WRIST, "care_failed", None),
    ("The wrist hurts despite treatment.", WRIST, "care_failed", True),
    ("Massage has helped, but she still has wrist pain.", WRIST, "care_failed", None),
    ("Massage was done, but she still has wrist pain.", WRIST, "care_failed", True),
    ("Therapy for the wrist is pending.", WRIST, "care_only_planned", True),
    ("More wrist therapy is asked for.", WRIST, "care_only_planned", None),
    ("Twelve visits of wrist therapy are asked for.", WRIST, "care_only_planned", True),
    ("Therapy after surgery is requested.", WRIST, "care_only_planned", None),
    ("He had six visits of therapy. Acupuncture was ordered.", WRIST, "care_only_planned", False),
    ("She asks for therapy twice a week for six weeks.", WRIST, "care_short", None),
    ("She had therapy twice a week for six weeks.", WRIST, "care_short", False),
    ("She had at least three visits of therapy.", WRIST, "care_short", None),
    ("She had three visits of therapy.", WRIST, "care_short", True),
    ("Ibuprofen was prescribed.", WRIST, "nonopioid_tried", None),
    ("Ibuprofen was prescribed, which she takes with relief.", WRIST, "nonopioid_tried", True),
    (
        "On 3/1/2016 ibuprofen was prescribed. On 4/1/2016 the wrist aches.",
        WRIST,
        "nonopioid_tried",
        True,
    ),
    ("The doctor suggested a trial of gabapentin.", WRIST, "nonopioid_tried", None),
    ("Past treatment included naproxen.", WRIST, "nsaid_now", None),
    (
        "Therapy and naproxen came first. Current medications were said to be none.",
        WRIST,
        "nsaid_now",
        False,
    ),
    ("She takes naproxen.", IBUPROFEN, "same_class_beside", True),
    ("She takes NSAIDs.", IBUPROFEN, "same_class_beside", None),
    ("Past treatment included naproxen.", IBUPROFEN, "same_class_beside", None),
    ("The plan: ibuprofen with one refill.", IBUPROFEN, "long_use", None),
    ("Ibuprofen was refilled.", IBUPROFEN, "long_use", True),
    ("She is on ibuprofen for twelve hours at a time.", IBUPROFEN, "same_care_days", None),
    ("Treatment: medications.", NAUSEA, "same_care_had", None),
    ("Therapy helped.", THERAPY, "drug_helped", None),
    ("Ibuprofen helped.", IBUPROFEN, "drug_helped", True),
    ("Her wrist is improved.", WRIST, "same_care_helped", None),
    ("Her wrist is improved.", THERAPY, "same_care_helped", None),
    ("She had therapy. Her wrist is improved.", THERAPY, "same_care_helped", True),
    ("A splint and naproxen were used.", WRIST, "exercise_had", None),
    ("A splint was used and exercises were done.", WRIST, "exercise_had", True),
    ("Diagnosis: failed back surgery syndrome.", SPINE, "operation_recent", None),
    ("He had a discectomy of the low back.", SPINE, "operation_recent", True),
    ("An epidural gave 80% relief. The pain has returned.", SPINE, "injection_failed", False),
    ("An epidural gave 10% relief.", SPINE, "injection_failed", True),
    ("She has wrist pain with tingling into the thumb.", WRIST, "root_question", None),
    ("She has neck pain with tingling into the thumb.", WRIST, "root_question", True),
    ("Diagnosis: contusion of the thigh.", THERAPY, "head_injured", None),
    ("Diagnosis: contusion of the thigh.", BED, "head_injured", None),
    ("Diagnosis: contusion of the head.", BED, "head_injured", True),
    ("Therapy for the wrist has just begun.", WRIST, "care_short", True),
    ("He was fitted with a splint.", THERAPY, "already_supplied", None),
    ("He was fitted with a splint.", BED, "already_supplied", None),
    ("He was given a hospital bed.", BED, "already_supplied", True),
    ("Two cold packs are in her freezer.", BED, "already_supplied", None),
    ("The clinic gave her a unit in May. Her old unit is broken.", UNIT, "already_supplied", False),
    ("He has knee pain. A borrowed unit made no difference.", UNIT, "same_care_helped", False),
    ("A borrowed unit eased the pain.", UNIT, "same_care_helped", True),
    ("A borrowed splint eased the pain.", UNIT, "same_care_helped", None),
    ("He has a pacemaker.", UNIT, "current_hazard", True),
    ("He has a pacemaker.", BED, "current_hazard", None),
    ("He cannot drive.", RIDE, "cannot_travel", True),
    ("He cannot drive. His wife brings him.", RIDE, "cannot_travel", False),
    ("He cannot drive.", BED, "cannot_travel", None),
    ("CT shows a T12 compression fracture.", LSO, "support_condition", True),
    ("CT shows a T6 compression fracture.", LSO, "support_condition", None),
    (
        "Treatment to date: exercise and an NSAID. Current medications: acetaminophen.",
        WRIST,
        "nsaid_now",
        None,
    ),
    (
        "Treatment to date: exercise and an NSAID. Current medications: naproxen.",
        WRIST,
        "nsaid_now",
        True,
    ),
    ("Plan: ibuprofen, a brace and continuation of home exercises.", IBUPROFEN, "long_use", None),
    ("A program for strengthening is planned.", WRIST, "home_exercise_known", None),
    ("Strengthening at home is planned.", WRIST, "home_exercise_known", True),
    ("He is able to shop, but with trouble.", WRIST, "function_gained", None),
    ("He is now able to shop, but with trouble.", WRIST, "function_gained", True),
    ("He was returned to modified work.", WRIST, "function_gained", None),
    ("After therapy he was returned to modified work.", THERAPY, "function_gained", True),
    ("Her sons were finding it increasingly difficult.", WRIST, "worse_now", None),
    ("She complains of increased wrist pain.", WRIST, "worse_now", True),
    ("She has increased wrist pain with lifting.", WRIST, "worse_now", None),
    ("He was swimming and lost 20 pounds.", WRIST, "red_flag_stated", None),
    ("He lost 20 pounds.", WRIST, "red_flag_stated", True),
]


@pytest.mark.parametrize(("text", "item", "fact", "value"), ABOUT)
def test_care_is_had_when_it_was_and_not_when_it_is_asked_for(
    text: str, item: Item, fact: str, value: bool | None
) -> None:
    assert fact_of(text, item, fact) is value
