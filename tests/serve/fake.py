"""A predictor without a model, for tests of everything around it: fast, and bad on request.

The id of a letter tells what happens: ``slow-…`` sleeps, ``crash-…`` ends the process as a fault
in a C library would, ``hang-…`` never ends, ``fail-…`` raises, ``memory-…`` asks for more than
there is.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from imr.data.letter import Case, Evidence
from imr.models.prediction import Prediction, Reason, Similar
from imr.models.whatif import Change, Step
from imr.serve.model import ModelAddress
from tests import stores

stores.register()  # workers import this module before their first letter

SIMILAR = Similar("Injection", 40, 22, 5, 2013, 2017)
URI = "models:/imr/7#sha256=0123456789abcdef"


def resolve(uri: str) -> ModelAddress:
    """Any address, as version 7; with FAKE_MODEL the version it names."""
    return ModelAddress(os.environ.get("FAKE_MODEL", URI), Path("unused"))


def load(folder: str) -> FakePredictor:
    """The predictor, whatever the folder."""
    return FakePredictor()


class FakePredictor:
    """Probabilities from the letter's id and the item's number."""

    def predict_rows(
        self,
        cases: Sequence[Case],
        table: Any,
        evidence: Sequence[Iterable[Evidence]] | None = None,
    ) -> list[Prediction]:
        for case in cases:
            _misbehave(case.letter_id)
        found = evidence or [()] * len(cases)
        return [
            _prediction(case, index, list(quotes) if evidence is not None else None)
            for case, quotes in zip(cases, found, strict=True)
            for index in range(len(case.items))
        ]

    def what_if(
        self, cases: Sequence[Case], derived: Any, predictions: Sequence[Prediction]
    ) -> list[tuple[Change, ...]]:
        """Two steps, their pair, one that gains nothing and one that is told only."""
        return [_changes(prediction.p_overturned) for prediction in predictions]


def _changes(p: float) -> tuple[Change, ...]:
    films = Step("mri_joint_films", "not documented", "document", "take films first", "Films done.")
    care = Step("mri_joint_conservative", "not met", "document", "document care", "Care failed.")
    smaller = Step("pt_number", "not met", "amend", "amend the request to 6 visits at the most")
    told = Step("topical_compound", "not met", "advise", "amend the request to one ingredient")
    half, more = (1 + p) / 2, (1 + 2 * p) / 3
    return (
        Change((films, care), half - p, half, p, (1 + half) / 2),
        Change((films,), more - p, more, p, half),
        Change((care,), 0.0, p, p, half),
        Change((smaller,), 0.0, p, p, half),
        Change((told,)),
    )


def _misbehave(letter_id: str) -> None:
    if letter_id.startswith("slow"):
        time.sleep(float(os.environ.get("FAKE_SECONDS", "0.05")))
    elif letter_id.startswith("wait"):
        if "FAKE_BEGUN" in os.environ:
            Path(os.environ["FAKE_BEGUN"]).touch()
        while not Path(os.environ["FAKE_UNTIL"]).exists():
            time.sleep(0.01)
    elif letter_id.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    elif letter_id.startswith("hang"):
        time.sleep(3600)
    elif letter_id.startswith("fail"):
        raise RuntimeError("private text of a letter")
    elif letter_id.startswith("memory"):
        bytearray(2**40)


def _prediction(case: Case, index: int, quotes: list[Evidence] | None) -> Prediction:
    item = case.items[index]
    digest = hashlib.sha256(f"{case.letter_id} {item.index}".encode()).digest()
    p = digest[0] / 256
    return Prediction(
        letter_id=case.letter_id,
        item_index=item.index,
        requested=item.requested,
        category=item.category,
        subcategory=item.subcategory,
        p_overturned=p,
        predicted_outcome="Overturned" if p >= 0.2 else "Upheld",
        p_overturned_low=max(0.0, p - 0.1),
        p_overturned_high=min(1.0, p + 0.2),
        p_any_overturned=p,
        guideline_1="Chronic Pain > Epidural steroid injections",
        guideline_1_p=0.5,
        guideline_2="Low Back",
        guideline_2_p=0.25,
        guideline_3="Non-MTUS",
        guideline_3_p=0.125,
        similar=SIMILAR,
        meaning="About the average of 12%",
        reasons=() if quotes is None else _reasons(quotes),
    )


def _reasons(quotes: list[Evidence]) -> tuple[Reason, ...]:
    cited = tuple(q for q in quotes if q.field == "case_summary")
    return (
        Reason("imaging_mri", True, 0.4, "for", "MRI findings are documented", cited[:1]),
        Reason("age", 50, 0.1, "for", "The worker is 50 years old", cited[1:2]),
        Reason("category", None, -0.3, "against", "Requests of this kind are mostly upheld"),
    )
