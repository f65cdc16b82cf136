"""Signs in plain words and shorthand, their negation, region and side, as statements."""

from __future__ import annotations

import pytest

from imr.features.context import read_summary
from imr.features.statements import Statement, bearing, statements


def _said(text: str) -> set[tuple[str, str]]:
    return {(found.concept, found.polarity) for found in statements(read_summary(text))}


@pytest.mark.parametrize(
    ("text", "concept", "polarity"),
    [
        # negation: its own clause, labels, lists, double negation
        ("No PT yet, NSAIDs started.", "physical_therapy", "denied"),
        ("No PT yet, NSAIDs started.", "NSAID", "affirmed"),
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
    assert (concept, polarity) in _said(text)


@pytest.mark.parametrize(
    ("text", "concept", "polarity"),
    [
        ("No PT yet, NSAIDs started.", "NSAID", "denied"),
        ("No fever, chills or night sweats were reported.", "red flag", "affirmed"),
        ("A tear cannot be excluded.", "tear", "denied"),
        ("She complains of a numb thumb.", "dermatomal sensory loss", "affirmed"),
        ("A housekeeping supervisor with low back pain.", "homemaker", "affirmed"),
        ("The pain is stable.", "instability", "denied"),
        ("EHL 5/5.", "myotomal weakness", "affirmed"),
        ("Return in May if he is numb when he wipes.", "red flag", "affirmed"),
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
        ("The knee is more swollen than the other knee.", "swelling", "knee", None, "requested"),
    ],
)
def test_a_finding_bears_on_its_own_region_and_side(
    text: str, concept: str, part: str, side: str | None, bears: str
) -> None:
    assert bearing(_one(text, concept), (part,), side) == bears
