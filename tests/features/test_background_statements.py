"""Hazards, prior ownership, care under way and the plan of use, told in prose and in shorthand."""

from datetime import date

import pytest

from imr.data.letter import CaseHeader, Item
from tests.features.case_files import fact_of, row_of

ITEM = Item(0, "Unspecified service", "Unspecified service")

SAID: list[tuple[str, str, bool | None]] = [
    ("The refill is meant for a slow taper over six weeks.", "taper_planned", True),
    ("Plan: wean by one tablet a month.", "taper_planned", True),
    ("No taper was planned.", "taper_planned", False),
    ("The denial states that a taper should be started.", "taper_planned", None),
    ("He lost two bottles and asks early.", "misuse_signs", True),
    ("She gets oxycodone from three doctors.", "misuse_signs", True),
    ("There is no aberrant behavior.", "misuse_signs", False),
    ("ORT 1.", "misuse_signs", False),
    ("Known cirrhosis, ALT 240.", "drug_hazard", True),
    ("EKG: QTc 520.", "drug_hazard", True),
    ("LFTs normal.", "drug_hazard", False),
    ("Hives broke out an hour after the first tablet.", "drug_hazard", True),
    ("His cardiologist forbade this class.", "drug_hazard", True),
    ("Transaminases are now four times normal.", "drug_hazard", True),
    ("Latex gloves raised welts.", "drug_hazard", None),
    ("Prednisone tablets raised welts.", "drug_hazard", None),
    ("The heroin was on the last screen.", "misuse_signs", True),
    ("She takes some from a neighbor.", "misuse_signs", True),
    ("No early refills, CURES reviewed, UDS clean.", "agreement_signed", None),
    ("No early refills, CURES reviewed, agreement signed.", "agreement_signed", True),
    ("Neither gabapentin nor nortriptyline helped.", "neuropathic_drug_failed", True),
    ("Etodolac turned his stools black.", "gi_risk", True),
    ("Normal renal function.", "drug_hazard", False),
    ("BMI 48, A1c 10.", "operation_hazard", True),
    ("BMI 27, nonsmoker.", "operation_hazard", False),
    ("She has suicidal thoughts.", "suicide_risk", True),
    ("He denies suicidal ideation.", "suicide_risk", False),
    ("An internist already follows him.", "care_under_way", True),
    ("He has never been seen by a psychologist.", "care_under_way", False),
    ("The psychologist cleared him in May.", "psychological_evaluation", True),
    ("No psychological evaluation was done.", "psychological_evaluation", False),
    ("He has a walker at home.", "already_supplied", True),
    ("He has no walker.", "already_supplied", False),
    ("His wrist was broken in May.", "already_supplied", None),
    ("Plan: 180 tablets with 3 refills.", "supply_large", True),
    ("Plan: twenty tablets, no refill.", "supply_large", False),
    ("Asks: cold unit x 7 d.", "use_short", True),
    ("A cold machine for thirty days is asked for.", "use_short", False),
    ("A three-level fusion was approved.", "operation_large", True),
    ("It is a same-day procedure.", "operation_large", False),
    ("The films show a two level slip.", "operation_large", None),
    ("She has multilevel disc disease.", "operation_large", None),
    ("She had a clot in 2012.", "thrombosis_risk", True),
    ("She never had a clot.", "thrombosis_risk", False),
    ("A DVT compression pump is requested.", "thrombosis_risk", None),
    ("He is on warfarin.", "bleeding_drug", True),
    ("He takes no blood thinner.", "bleeding_drug", False),
    ("He takes prednisone.", "bleeding_drug", None),
    ("He takes prednisone.", "gi_risk", True),
    ("A helper is asked to clean and cook.", "skilled_need", False),
    ("A nurse is to change dressings daily.", "skilled_need", True),
    ("She drives herself and went to a concert.", "homebound", False),
    ("He needs full help for transfers.", "homebound", True),
    ("Heartburn and ulcer are absent.", "gi_risk", False),
    ("9/15: positive cocaine metabolite, hydrocodone ok.", "drug_test_inconsistent", True),
    ("Hydrocodone was not detected.", "drug_test_inconsistent", True),
    ("The Tinel sign is positive.", "drug_test_inconsistent", None),
    ("The podiatrist plans debridement.", "invasive_considered", True),
    ("The study is for surgical planning.", "invasive_considered", True),
    ("The treatment plan is ice and rest.", "invasive_considered", None),
    ("He was given naloxone after an overdose.", "misuse_signs", True),
    ("Denies GI sx, no hx PUD.", "gi_risk", False),
    ("The pills are the last step on a ladder down from 40 mg.", "taper_planned", True),
    ("She takes one every third night until off.", "taper_planned", True),
    ("He fell off a ladder down at the dock.", "taper_planned", None),
    ("The antibiotic is to be taken until gone.", "taper_planned", None),
    ("Valium again, with more to come next month.", "taper_planned", False),
    ("He cut out caffeine and took an insomnia class.", "sleep_causes_sought", True),
    ("The television is out of the bedroom.", "sleep_causes_sought", True),
    ("Nobody has looked into her bedtime routine.", "sleep_causes_sought", False),
    ("She has coffee until midnight.", "sleep_causes_sought", False),
    ("He drinks coffee in the morning.", "sleep_causes_sought", None),
    ("State report shows fills by a dentist.", "misuse_signs", True),
    ("Norco from an urgent care and a cousin.", "misuse_signs", True),
    ("He was given hydrocodone from the ER.", "misuse_signs", None),
    ("The pump will be picked up by the vendor in two weeks.", "use_short", True),
    ("She returned to work after two weeks.", "use_short", None),
    ("Acupuncture right before therapy.", "therapy_beside", True),
    ("The request is for massage by itself.", "therapy_beside", False),
    ("She gave up the exercises.", "therapy_beside", False),
    ("The knee hurts after exercise.", "therapy_beside", None),
    ("The surgeon set a date in June to fuse L5-S1.", "invasive_considered", True),
    ("Two surgeons said there is nothing for surgery to fix.", "invasive_considered", False),
    ("The therapist has nothing further to offer.", "invasive_considered", None),
]


@pytest.mark.parametrize(("text", "fact", "value"), SAID)
def test_what_is_said_settles_the_fact(text: str, fact: str, value: bool | None) -> None:
    assert fact_of(text, ITEM, fact) is value


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("UDS 2/15, 11/14: consistent.", 59.0),
        ("A urine drug screen on 03/02/2015 was consistent.", 30.0),
        ("UDS consistent; pain 6/10.", None),
        ("UDS was done three weeks ago.", 21.0),
    ],
)
def test_the_last_urine_test_is_dated_by_what_is_printed(text: str, days: float | None) -> None:
    header = CaseHeader(ur_denial_date=date(2015, 4, 1))
    assert row_of(text, ITEM, header=header)["drug_test_days_ago"] == days
