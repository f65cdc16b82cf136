"""Signs in plain words and shorthand, their negation, region and side, as statements."""

from __future__ import annotations

import pytest

from imr.features.context import read_summary
from imr.features.statements import Statement, about, bearing, statements


def _said(text: str) -> set[tuple[str, str]]:
    return {(found.concept, found.polarity) for found in statements(read_summary(text))}


@pytest.mark.parametrize(
    ("text", "concept", "polarity"),
    [
        # negation: its own clause, labels, lists, double negation
        ("No PT yet, NSAIDs started.", "physical_therapy", "denied"),
        ("No PT yet, NSAIDs started.", "NSAID", "affirmed"),
        ("He has never had an ulcer or bleeding.", "gi_symptoms", "denied"),
        ("She has never had an MRI.", "mri", "denied"),
        ("FABER, Gaenslen, thigh thrust all positive.", "sacroiliac sign", "affirmed"),
        ("FABER, Gaenslen and compression all negative.", "sacroiliac sign", "denied"),
        ("Propranolol has not been used.", "Other", "denied"),
        ("PT not started.", "physical_therapy", "denied"),
        ("Physical therapy: no. Acupuncture: not tried.", "physical_therapy", "denied"),
        ("Physical therapy: no. Acupuncture: not tried.", "acupuncture", "denied"),
        ("Injections: denied. MRI: none.", "unspecified", "denied"),
        ("Injections: denied. MRI: none.", "mri", "denied"),
        ("The back is not without spasm.", "spasm", "affirmed"),
        ("There is no lack of spasm.", "spasm", "affirmed"),
        ("He denies fever, chills or weakness but has numbness.", "numbness", "affirmed"),
        ("He denies fever, chills or weakness but has numbness.", "red flag", "denied"),
        ("No fever, chills or night sweats were reported.", "red flag", "denied"),
        ("No weakness, numbness in the left foot persists.", "numbness", "affirmed"),
        ("No numbness, sensation was intact.", "normal neurology", "affirmed"),
        ("He has had no injections and takes ibuprofen.", "NSAID", "affirmed"),
        ("A tear cannot be excluded.", "tear", "suspected"),
        ("No bruising or effusion, tenderness over the bursa.", "tenderness", "affirmed"),
        ("No bruising or effusion, warmth or tenderness.", "tenderness", "denied"),
        ("No weakness, negative SLR, intact sensation.", "normal neurology", "affirmed"),
        ("She has no intact sensation.", "normal neurology", "denied"),
        ("Tingling of the left hand has subsided.", "numbness", "denied"),
        ("A smooth gait was seen.", "abnormal gait", "denied"),
        ("Patello-femoral grind is positive.", "patellofemoral", "affirmed"),
        ("He is unable to bend at all.", "limited motion", "affirmed"),
        ("Inability to do a heel walk.", "myotomal weakness", "affirmed"),
        # what is gone
        ("The hernia no longer aches.", "pain", "denied"),
        ("The calf pain has settled.", "pain", "denied"),
        ("The calf pain has settled somewhat.", "pain", "affirmed"),
        ("A knee MRI shows an intact cartilage; effusion gone.", "mri", "normal"),
        ("A knee MRI shows an intact cartilage; effusion gone.", "finding: tendinosis", "denied"),
        ("A knee MRI shows that the joint space is gone.", "finding: degeneration", "affirmed"),
        ("Full grip had returned.", "care", ""),
        ("The ache returned.", "care", "temporary"),
        # hernias, and what a cough only brings on
        ("The back hurts when she coughs.", "organ: lung", ""),
        ("Coughing and sneezing jar the back.", "organ: lung", ""),
        ("She has a cough and wheezes.", "organ: lung", "affirmed"),
        ("A lump near the navel pops out when he stands.", "organ: hernia", "affirmed"),
        ("Straining brings up a soft lump.", "organ: hernia", "affirmed"),
        ("The MRI shows a bulge; the back hurts.", "organ: hernia", ""),
        ("The cyst has grown to the size of a plum.", "worsening", "affirmed"),
        # hazards of an operation or an injection
        ("The elbow is red and hot.", "red flag", "affirmed"),
        ("The elbow is red and hot.", "heat_cold", ""),
        ("Cultures of the wound grew MRSA.", "operation hazard", "affirmed"),
        ("Cultures were not positive for MRSA.", "operation hazard", ""),
        ("The wound is open and granulates.", "red flag", ""),
        ("HbA1c drawn last month was 10.2.", "operation hazard", "affirmed"),
        ("HbA1c drawn last month was 6.2.", "operation hazard", ""),
        # imaging
        ("The tear was judged irreparable.", "beyond repair", "affirmed"),
        ("The muscle belly has turned to fat.", "beyond repair", "affirmed"),
        ("Mild fatty infiltration of the cuff.", "beyond repair", ""),
        ("The scan shows no fracture or cord trouble.", "imaged sound", "affirmed"),
        ("L2 is of normal height.", "bone whole", "affirmed"),
        ("L2 has lost half of its normal height.", "bone whole", ""),
        ("The shaft is solidly healed.", "bone healed", "affirmed"),
        ("The MRI looks clean for age.", "no opioid", ""),
        ("The scan looks clean for his age.", "imaged sound", "affirmed"),
        ("She has been clean for two years.", "no opioid", "affirmed"),
        # an operation that the worker does not want, and another's
        ("He would not have any surgery whatever it shows.", "operation planned", "denied"),
        ("She wants to put off an operation.", "operation planned", "denied"),
        ("She will not undergo surgery until May.", "operation planned", ""),
        ("The reviewer would not authorize surgery.", "operation planned", ""),
        ("He would rather avoid surgery.", "surgery", ""),
        ("His mother had a fusion.", "surgery", ""),
        # devices that were handed over, and specialists who go on
        ("The emergency room put him in a splint.", "already supplied", "affirmed"),
        ("She was sent home with a rolling walker.", "already supplied", "affirmed"),
        ("The doctor gave him a prescription for a walker.", "already supplied", ""),
        ("He does not have a car.", "device never supplied", ""),
        ("The hand surgeon who plated the wrist is following him.", "specialist seen", "affirmed"),
        ("A hand surgeon who could follow him is asked for.", "specialist seen", ""),
        ("He quit therapy after three visits.", "few visits", "affirmed"),
        # joints and tendons
        ("The finger locks and there is triggering.", "triggering", "affirmed"),
        ("Tenderness of the A1 pulley without triggering.", "triggering", "denied"),
        ("The anatomic snuffbox was still tender.", "occult fracture", "affirmed"),
        ("No active flexion at the fingertip.", "tendon failure", "affirmed"),
        ("Full active flexion of all joints.", "tendon failure", "denied"),
        ("Stress opened the joint, with no end point.", "instability", "affirmed"),
        ("Stress testing met a firm end point.", "instability", "denied"),
        # the spinal cord, and what a study is asked for
        ("Bilateral Hoffmann sign was seen.", "upper motor neuron", "affirmed"),
        ("There was no clonus.", "upper motor neuron", "denied"),
        ("A lumbar MRI was sought for progressive leg weakness.", "weakness", "affirmed"),
        ("A lumbar MRI was sought to look for weakness.", "weakness", "planned"),
        # organs, help at home, things owned
        ("Acuity is 20/70 on the left.", "organ: eye", "affirmed"),
        ("VA 20/20 OU.", "organ: eye", "denied"),
        ("There was a reducible bulge of the groin.", "organ: hernia", "affirmed"),
        ("Left groin tenderness without bulge.", "organ: hernia", "denied"),
        ("She lives alone on the third floor.", "help at home", "denied"),
        ("His wife is at home and helps him.", "help at home", "affirmed"),
        ("He is non-weight-bearing.", "no weight bearing", "affirmed"),
        ("He is full weight bearing.", "no weight bearing", "denied"),
        ("He speaks Croatian only.", "language barrier", "affirmed"),
        ("The old air cast is broken.", "already supplied", "denied"),
        ("A strap was dispensed at the first visit.", "already supplied", "affirmed"),
        ("Two cold packs are in her freezer.", "already supplied", "affirmed"),
        ("The hospital sent him home with a walker.", "already supplied", "affirmed"),
        ("The sleeve is in good order.", "already supplied", "affirmed"),
        ("The borrowed unit made no difference.", "device tried in vain", "affirmed"),
        (
            "She tried hers for a week and quit because it stung.",
            "device tried in vain",
            "affirmed",
        ),
        ("With a loaner brace he could work whole shifts.", "device tried well", "affirmed"),
        ("TENS in therapy cut his pain from 7 to 3.", "device tried well", "affirmed"),
        ("He is not yet cleared to drive.", "no way to travel", "affirmed"),
        ("The bus stop is two miles away.", "no way to travel", "affirmed"),
        ("His wife is ill and there is no one else to drive.", "no way to travel", "affirmed"),
        ("Her daughter brings her to therapy.", "way to travel", "affirmed"),
        ("He has an implanted defibrillator.", "current hazard", "affirmed"),
        ("He has no pacemaker.", "current hazard", "denied"),
        ("CT showed a new L1 anterior wedge.", "broken bone", "affirmed"),
        ("No vertebral wedging was seen.", "broken bone", "denied"),
        ("A surgeon near his new home took over his care.", "care under way", "affirmed"),
        ("Her pressure was 162/98.", "organ: pressure", "affirmed"),
        ("The wrist is stuck at 30 degrees.", "limited motion", "affirmed"),
        ("It was reduced; it was his sixth.", "dislocates again", "affirmed"),
        ("No redislocation since.", "dislocates again", "denied"),
        ("Examination showed a left arm drift.", "brain deficit", "affirmed"),
        ("Pain with rotation of the wrist.", "malalignment", ""),
        ("Pulses are not palpable at the feet.", "organ: circulation", "affirmed"),
        ("BP 122/74.", "organ: pressure", "denied"),
        ("She has no visual complaint.", "organ: eye", "denied"),
        ("He has no cough or wheeze.", "organ: lung", "denied"),
        ("He chipped two teeth.", "organ: jaw", "affirmed"),
        # what is told of the worker after a request, and what a request is for
        ("A plate was requested; the patient smokes.", "tobacco", "affirmed"),
        ("A sleep study is requested for snoring.", "sleep_apnea", "affirmed"),
        ("Authorization for a hernia repair is requested.", "hernia", ""),
        # tests
        (
            "Plan: ESI, Norco, UDS (last UDS 4 wks ago, consistent).",
            "urine_drug_test_done",
            "consistent",
        ),
        ("He requested radiographs, last done nine days earlier.", "xray", "affirmed"),
        ("He requested an MRI to be done in May.", "mri", "planned"),
        ("A CMP six weeks ago was normal.", "test: blood", "normal"),
        ("Laboratory tests have not been done in three years.", "test: blood", "denied"),
        ("The plan is repeat x-rays of the wrist.", "xray", "affirmed"),
        # nerves
        ("There is a numb strip along the outer shin.", "dermatomal sensory loss", "affirmed"),
        ("Raising the big toe is weak.", "myotomal weakness", "affirmed"),
        ("A missing ankle reflex.", "reflex deficit", "affirmed"),
        ("No ankle jerk on the left.", "reflex deficit", "affirmed"),
        ("EHL 4/5.", "myotomal weakness", "affirmed"),
        ("Plantar flexion 4/5.", "myotomal weakness", "affirmed"),
        ("Dec LT R S1.", "dermatomal sensory loss", "affirmed"),
        ("He walks with a steppage gait.", "foot drop", "affirmed"),
        ("SLR neg.", "tension sign of the leg", "denied"),
        ("SLR 40 degrees.", "tension sign of the leg", "affirmed"),
        ("Sens/motor/DTR nl.", "normal neurology", "affirmed"),
        ("Neuro intact, NVI.", "normal neurology", "affirmed"),
        ("No deficit in any dermatome.", "normal neurology", "affirmed"),
        ("Strength, coordination and gait were normal.", "normal neurology", "affirmed"),
        # joints, facets, muscles, motion, gait
        ("The examination was unremarkable.", "normal examination", "affirmed"),
        ("No abnormal objective findings.", "normal examination", "affirmed"),
        ("The knee does not lock or give way.", "mechanical symptoms", "denied"),
        ("The knee gave way twice.", "mechanical symptoms", "affirmed"),
        ("The knee was stable.", "instability", "denied"),
        ("No pain on twisting.", "painful joint test", "denied"),
        ("L4 slips 6 mm on bending films.", "imaged instability", "affirmed"),
        ("Facets tender, loading +.", "facet loading", "affirmed"),
        ("The paraspinals are tight.", "spasm", "affirmed"),
        ("Palpable tender bands with a jump sign.", "trigger points", "affirmed"),
        ("Right knee flexion to 95 degrees.", "limited motion", "affirmed"),
        ("Right knee flexion to 130 degrees.", "limited motion", "denied"),
        ("Decr ROM.", "limited motion", "affirmed"),
        ("Gait nl.", "abnormal gait", "denied"),
        ("The numbness had resolved.", "numbness", "denied"),
        (
            "The right shoulder was examined. Flexion 100, abduction 90.",
            "limited motion",
            "affirmed",
        ),
        ("The thumb has full flexion.", "limited motion", "denied"),
        ("Two-point discrimination above 12 mm.", "sensory loss", "affirmed"),
        # red flags
        ("He has trouble controlling his bladder.", "red flag", "affirmed"),
        ("He has no trouble with his bowels.", "red flag", "denied"),
        ("She lost control of her bowel.", "red flag", "affirmed"),
        ("He is numb when he wipes.", "red flag", "affirmed"),
        ("There was retention of urine.", "red flag", "affirmed"),
        ("The leg is getting weaker.", "red flag", "affirmed"),
        # home, mind, nerve pain
        ("She cannot leave the house.", "homebound", "affirmed"),
        ("She drives herself.", "not homebound", "affirmed"),
        ("He needs daily dressing changes.", "skilled need", "affirmed"),
        ("The wound is closed and dry.", "no skilled need", "affirmed"),
        ("He has nightmares about the press.", "psychological symptoms", "affirmed"),
        ("Mood is good.", "psychological symptoms", "denied"),
        ("Electric pain along the scar.", "neuropathic quality", "affirmed"),
    ],
)
def test_a_sentence_says(text: str, concept: str, polarity: str) -> None:
    said = _said(text)
    assert (concept, polarity) in said or (not polarity and concept not in dict(said))


@pytest.mark.parametrize(
    ("text", "concept", "polarity"),
    [
        ("No PT yet, NSAIDs started.", "NSAID", "denied"),
        ("Medications were not specified.", "medication", "affirmed"),
        ("Current medications were stated to be none.", "medication", "affirmed"),
        ("There was no change in color or swelling.", "care", "failed"),
        ("There was distal to midline tenderness.", "occult fracture", "affirmed"),
        ("No fever, chills or night sweats were reported.", "red flag", "affirmed"),
        ("A tear cannot be excluded.", "tear", "denied"),
        ("She complains of a numb thumb.", "dermatomal sensory loss", "affirmed"),
        ("A housekeeping supervisor with low back pain.", "homemaker", "affirmed"),
        ("The pain is stable.", "instability", "denied"),
        ("EHL 5/5.", "myotomal weakness", "affirmed"),
        ("Return in May if he is numb when he wipes.", "red flag", "affirmed"),
        ("Scant evidence of loss of dermatomal sensation.", "dermatomal sensory loss", "affirmed"),
        ("Neck pain with back strain.", "facet loading", "affirmed"),
        ("Back, knee, ankle and hip pain, leg pain.", "radiating pain", "affirmed"),
        ("A broken shin causes leg pain.", "radiating pain", "affirmed"),
    ],
)
def test_a_sentence_does_not_say(text: str, concept: str, polarity: str) -> None:
    assert (concept, polarity) not in _said(text)


def _one(text: str, concept: str) -> Statement:
    return next(found for found in statements(read_summary(text)) if found.concept == concept)


@pytest.mark.parametrize(
    ("text", "concept", "part", "side", "bears"),
    [
        ("Right knee: McMurray positive.", "meniscus", "knee", "left", "elsewhere"),
        ("Right knee: McMurray positive.", "meniscus", "knee", "right", "requested"),
        ("The other, unclaimed knee gives way.", "mechanical symptoms", "knee", None, "elsewhere"),
        ("C-spine: spasm.", "spasm", "cervical spine", None, "requested"),
        ("C-spine: spasm.", "spasm", "lumbar spine", None, "elsewhere"),
        ("LUE weakness.", "weakness", "cervical spine", "left", "requested"),
        ("LUE weakness.", "weakness", "cervical spine", "right", "elsewhere"),
        ("A missing ankle reflex.", "reflex deficit", "lumbar spine", None, "requested"),
        ("Swelling of the ankle.", "swelling", "lumbar spine", None, "elsewhere"),
        (
            "Tinel's is positive at the wrist.",
            "nerve entrapment",
            "cervical spine",
            None,
            "elsewhere",
        ),
        ("Tinel's is positive at the wrist.", "nerve entrapment", "hand", None, "requested"),
        (
            "Strain of the neck and right ulna fracture.",
            "fracture",
            "cervical spine",
            None,
            "elsewhere",
        ),
        ("Strain of the neck and right ulna fracture.", "fracture", "forearm", None, "requested"),
        ("The knee is more swollen than the other knee.", "swelling", "knee", None, "requested"),
        # a leg raise is the back's and names no leg; a list of parts, a region of two
        ("Tender at L5, positive straight leg raise.", "tenderness", "knee", None, "elsewhere"),
        ("Positive straight leg raise.", "tension sign of the leg", "knee", None, "elsewhere"),
        ("Wrist, knee pain. All these areas are tender.", "tenderness", "wrist", None, "requested"),
        ("Tender thoracolumbar muscles.", "tenderness", "lumbar spine", None, "requested"),
    ],
)
def test_a_finding_bears_on_its_own_region_and_side(
    text: str, concept: str, part: str, side: str | None, bears: str
) -> None:
    assert bearing(_one(text, concept), (part,), side) == bears


@pytest.mark.parametrize(
    ("text", "concept", "percent", "regions"),
    [
        ("The tuberosity is displaced.", "lesion extent", None, None),
        ("XR: greater tuberosity fx, 8 mm displaced.", "lesion extent", 160, ("shoulder",)),
        ("The clavicle is shortened by 2.4 cm.", "lesion extent", 160, ("shoulder",)),
        ("It healed with 10 degrees of dorsal tilt.", "lesion extent", 50, ()),
        ("Radial head fracture, Mason III.", "lesion extent", 100, ("elbow",)),
        ("The hip has a joint space of 4 mm.", "joint space", 200, ("hip",)),
        ("Knee motion 5 to 115 degrees.", "limited motion", 100, ("knee",)),
        ("Left shoulder flexion 75.", "limited motion", 50, ("shoulder",)),
        (
            "Extension was 0 degrees at both knees; lumbar spine tender.",
            "limited motion",
            None,
            None,
        ),
        ("Wrist pronation 4+ out of 5.", "limited motion", None, None),
        ("Right knee: 92 degrees of flexion.", "limited motion", 80, ("knee",)),
        ("Shoulder: 20 degrees of internal rotation.", "limited motion", 50, ("shoulder",)),
    ],
)
def test_a_measured_finding_is_a_share_of_what_is_usual(
    text: str, concept: str, percent: float | None, regions: tuple[str, ...] | None
) -> None:
    said = [s for s in statements(read_summary(text)) if s.concept == concept]
    assert [(s.percent, s.regions) for s in said] == (
        [(percent, regions)] if regions is not None else []
    )


def test_a_bone_names_its_joint_and_no_head_or_neck() -> None:
    said = statements(
        read_summary("A fracture of the radial head. A fracture of the surgical neck.")
    )
    assert [s.regions for s in said if s.concept == "fracture"] == [("elbow",), ("shoulder",)]


@pytest.mark.parametrize(
    ("text", "concept", "polarity"),
    [
        ("T12 wedged on the film.", "broken bone", "affirmed"),
        ("L2 vertebral body crushed in front.", "broken bone", "affirmed"),
        ("The L4-5 disc lost half of its height.", "broken bone", None),
        ("Two weeks before, a crate stirred up his low back.", "acute flare", "affirmed"),
        ("He set the alarm off with his knee.", "acute flare", None),
        ("The fingertips stay 3 cm from the palm.", "limited motion", "affirmed"),
        ("The fingers come all the way to the palm.", "limited motion", None),
        ("She cannot look over her shoulder.", "limited motion", "affirmed"),
        ("Jamar reads 40% of the other hand.", "weakness", "affirmed"),
        ("Grip is half an hour of practice.", "weakness", None),
        ("X-ray: a chalky deposit in the cuff.", "finding: calcification", "affirmed"),
        ("After therapy he mows the lawn again.", "function", "improved"),
        ("She now lifts the arm over her head.", "function", "improved"),
        ("He hopes to drive again.", "function", None),
        ("He could not kneel in May and still cannot.", "function", "not improved"),
        ("He scored the same as at intake.", "function", "not improved"),
        ("The notes of the visit are the same size.", "function", None),
        ("Panic attacks are down from daily to weekly.", "care", "helped"),
        ("Panic attacks are down from daily to weekly.", "function", None),
        ("Headaches went from weekly to daily.", "care", None),
        ("Her score fell by half.", "trauma", None),
        ("She had therapy this fall.", "trauma", None),
        ("He takes it without fail, pain day and night.", "pain", "affirmed"),
        ("It aches in cold weather.", "heat_cold", None),
    ],
)
def test_plain_words_of_findings_and_gains(text: str, concept: str, polarity: str | None) -> None:
    said = _said(text)
    if polarity is None:
        assert concept not in {found for found, _ in said}
    else:
        assert (concept, polarity) in said


def test_what_is_gained_on_the_days_of_a_device_is_due_to_it() -> None:
    text = "A TENS was lent. On the days she wore it she took one gabapentin instead of three."
    gained = [s.of for s in statements(read_summary(text)) if s.subject == "function"]
    assert gained == ["tens"]


def test_what_an_examiner_notes_is_no_complaint() -> None:
    def subjects(text: str) -> set[str]:
        return {s.subject for s in statements(read_summary(text)) if s.concept == "weakness"}

    assert subjects("The doctor noted weakness of the right leg.") == {"sign"}
    assert "complaint" in subjects("On examination she reports weakness of the right leg.")


@pytest.mark.parametrize(
    ("first", "then", "left"),
    [
        ("she limped", "her gait was normal", False),
        ("her gait was normal", "she limped", True),
        ("the knee was swollen", "the ankle had no swelling", True),
        ("the knee was swollen", "the knee had no swelling", False),
    ],
)
def test_the_latest_visit_decides(first: str, then: str, left: bool) -> None:
    text = f"At the visit of 3/2/2016 {first}. At the visit of 4/9/2016 {then}."
    told = about(read_summary(text), (), None)
    concepts = ("abnormal gait", "swelling")
    assert any(s.concept in concepts and s.polarity == "affirmed" for s, _ in told) is left


@pytest.mark.parametrize(
    ("text", "complains"),
    [
        ("There is decreased sensation in the right hand.", False),
        ("She complains of decreased sensation in the right hand.", True),
        ("She has lost feeling in the right hand.", True),
    ],
)
def test_sensation_that_is_examined_is_no_complaint(text: str, complains: bool) -> None:
    found = {(s.subject, s.concept) for s in statements(read_summary(text))}
    assert (("complaint", "numbness") in found) is complains


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("She has a slow and stooped gait.", "abnormal gait"),
        ("Motor strength was decreased.", "weakness"),
    ],
)
def test_gait_and_strength_in_other_words(text: str, concept: str) -> None:
    assert concept in {s.concept for s in statements(read_summary(text)) if s.subject == "sign"}


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("The clinic gave a prescription for a brace.", "already supplied"),
        ("A request for a splint was made.", "already supplied"),
        ("She was never fitted with one.", "already supplied"),
        ("There is no one at home.", "device never supplied"),
        ("She no longer works at a desk.", "already supplied"),
        ("A trial of TENS is requested.", "device tried in vain"),
        ("TENS at therapy eased it and she stopped Norco.", "device tried in vain"),
        ("The borrowed brace did not help.", "device tried well"),
        ("He may not drive a truck.", "no way to travel"),
        ("She no longer drives to work.", "way to travel"),
        ("She no longer drives.", "not homebound"),
        ("Films show loss of L5-S1 disc space.", "broken bone"),
        ("The applicant transferred care to the requesting physician.", "care under way"),
        ("The pain is stuck at 7/10.", "limited motion"),
    ],
)
def test_words_that_say_something_else(text: str, concept: str) -> None:
    assert (concept, "affirmed") not in _said(text)
