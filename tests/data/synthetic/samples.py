"""The sample letters: ``data/samples`` is written from the truth beside ``data/synthetic``."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from imr.data.letter import (
    Case,
    CaseHeader,
    Citation,
    Decision,
    Determination,
    Item,
    Letter,
    MtusCitation,
)
from imr.data.synthetic.page import record, render_pdf, render_text

DATA = Path(__file__).parents[3] / "data"
TRUTH = DATA / "synthetic"
"""Where what the sample letters say stands, and in which layouts they are written."""


def letter_of(truth: dict[str, Any]) -> Letter:
    """The letter of an `imr parse` object."""
    header = dict(truth["header"])
    for name in header.keys() - {"case_number", "priority"}:
        header[name] = header[name] and date.fromisoformat(header[name])
    decision_date = header.pop("decision_date")
    items, decisions = [], []
    for item in truth["items"]:
        known = {**item, "body_parts": tuple(item["body_parts"])}
        decision = known.pop("decision")
        cited = _citation_of(known.pop("claims_administrator_guideline"))
        items.append(Item(**known, claims_administrator_guideline=cited))
        if decision:
            cited = _citation_of(decision["guideline"])
            decision = Decision(**{**decision, "guideline": cited})
        decisions.append(decision)
    summary = truth["case_summary"]
    case = Case(truth["letter_id"], truth["source"], CaseHeader(**header), summary, tuple(items))
    states, specialties = (tuple(truth["reviewer"][name]) for name in ("states", "specialties"))
    determination = Determination(decision_date, states, specialties, tuple(decisions))
    return Letter(case, determination, tuple(truth["warnings"]))


def _citation_of(truth: dict[str, Any] | None) -> Citation | None:
    if truth is None:
        return None
    mtus = tuple(MtusCitation(**{**m, "sections": tuple(m["sections"])}) for m in truth["mtus"])
    return Citation(truth["raw"], truth["none_cited"], mtus, tuple(truth["non_mtus"]))


def render_samples(folder: Path = DATA / "samples") -> list[Path]:
    """Write the sample letters to ``folder`` from the ``expected`` objects; returns the files.

    ``layouts.json`` says, letter by letter, the file's ending, layout and whether it has a header.
    """
    written = []
    for row in json.loads((TRUTH / "layouts.json").read_text(encoding="utf-8")):
        expected = TRUTH / "expected" / f"{row['letter_id']}.json"
        letter = letter_of(json.loads(expected.read_text(encoding="utf-8")))
        if row["ending"] == "pdf":
            content = render_pdf(letter, header=row["header"])
        elif row["ending"] == "jsonl":
            content = (json.dumps(record(letter)) + "\n").encode()
        else:
            content = render_text(letter, row["layout"], header=row["header"]).encode()
        written.append(folder / f"{row['letter_id']}.{row['ending']}")
        written[-1].write_bytes(content)
    return written
