"""A small table of decided items with a planted effect, for the tests of the models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imr.features.table import frame as signals_frame
from imr.models.frame import CASE_FACTS
from imr.models.predictor import Predictor

# What the requests of the table look like: category, subcategory, term, part, who cites what.
KINDS = (
    ("Diagnostic Testing", "CT/MRI/PET Scans", "mri", "knee", "Knee > Special Studies"),
    ("Diagnostic Testing", "CT/MRI/PET Scans", "mri", "lumbar spine", "Low Back > Special Studies"),
    ("Diagnostic Testing", "EMG/NCV/NCS", "electrodiagnostic test", "upper extremity", "Non-MTUS"),
    (
        "Rehabilitation",
        "Physical Therapy",
        "physical therapy",
        "shoulder",
        "Chronic Pain > Physical medicine treatment",
    ),
    ("Rehabilitation", "Acupuncture", "acupuncture", "cervical spine", "Acupuncture"),
    ("Pharmaceuticals", "NSAID", "naproxen", None, "None cited"),
    ("Pharmaceuticals", "Opioids", "tramadol", None, "Chronic Pain > Tramadol (Ultram)"),
)


def made_table(letters: int, seed: int = 7) -> pd.DataFrame:
    """Signals of made-up items with ``label_outcome`` and ``label_guideline``.

    Nerve studies with numbness are overturned in eight of ten cases, everything else in three of
    a hundred; reviewers cite the section of the kind of request in nine of ten cases.
    """
    random = np.random.default_rng(seed)
    rows, facts, labels = [], [], []
    for letter in range(letters):
        for item in range(int(random.integers(1, 4))):
            kind = KINDS[int(random.integers(len(KINDS)))]
            numb = bool(random.random() < 0.5)
            rows.append(_row(letter, item, kind, numb, random))
            facts.append(_facts(kind, random))
            rate = 0.8 if kind[1] == "EMG/NCV/NCS" and numb else 0.03
            section = kind[4] if random.random() < 0.9 else "Non-MTUS"
            labels.append(("Overturned" if random.random() < rate else "Upheld", section))
    known = pd.DataFrame(facts).astype(CASE_FACTS)
    table = signals_frame(rows)
    table = pd.concat([table, known[[c for c in known if c not in table]]], axis=1)
    table["n_items"] = table.groupby("letter_id")["letter_id"].transform("size").astype("Int64")
    table["label_outcome"] = [outcome for outcome, _ in labels]
    table["label_guideline"] = [guideline for _, guideline in labels]
    return table


def _row(letter, item, kind, numb, random):
    return {
        "letter_id": f"letter-{letter:03d}",
        "item_index": item,
        "category": kind[0],
        "subcategory": kind[1],
        "request_region": "upper_limb" if kind[3] == "upper extremity" else None,
        "complaint_numbness": numb,
        "sensory_loss": bool(random.random() < 0.2),
        "fracture": bool(random.random() < 0.1),
        "conservative_care_tried": bool(random.random() < 0.6),
        "age": float(random.integers(20, 70)),
        "chronicity_days": int(random.integers(10, 900)),
        "ur_action": "denied",
    }


def _facts(kind, random):
    cited = kind[4] if random.random() < 0.6 else "None cited"
    return {
        "ur_denial_date": f"2016-{int(random.integers(8, 13)):02d}-15",
        "application_received": None,
        "administrator_labels": cited,
        "request_terms": kind[2],
        "request_body_parts": kind[3],
    }


def inputs(table: pd.DataFrame) -> pd.DataFrame:
    """The table without what was decided."""
    return table[[c for c in table.columns if not c.startswith("label_")]]


@pytest.fixture(scope="session")
def table():
    return made_table(60)


@pytest.fixture(scope="session")
def overturned(table):
    return (table["label_outcome"] == "Overturned").tolist()


@pytest.fixture(scope="session")
def predictor(table, overturned):
    return Predictor.fit(inputs(table), overturned, table["label_guideline"].tolist())


@pytest.fixture(scope="session")
def unseen():
    return inputs(made_table(25, seed=99))
