"""No feature, prediction, score or served answer depends on what was decided.

Letters are printed twice, once as decided and once with everything rewritten that stands on the
far side of the wall: outcome, reviewer's guideline, rationale, specialty, states, decision date.
What is read back has to be the same case, byte for byte, and so has all that follows from it.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imr.data.citations import parse_citation
from imr.data.letter import Case, Decision, Determination, Letter, LetterError, Text
from imr.data.parse import parse
from imr.data.read import read
from imr.data.synthetic.page import render_text
from tests.serve.programs import REAL, lines, run

# Rationales that would move many a signal if one of them were read.
RATIONALES = (
    "An MRI of the lumbar spine dated 05-05-2015 showed a large herniation with nerve compression.",
    "She is 23 years old, had 36 visits of physical therapy and 90% relief from an injection.",
    "The worker, a 61-year-old man, failed acupuncture, chiropractic care, naproxen and tramadol.",
    "EMG was positive for radiculopathy. The straight leg raise was positive on the left.",
    "Surgery is planned. He is temporarily totally disabled and has diabetes and depression.",
    "Therefore, the request is medically necessary.",
    "Nothing of note.",
)
CITED = (
    "Decision based on MTUS Knee Complaints 2004, Section(s): Special Studies.",
    "Decision based on MTUS Chronic Pain Treatment Guidelines Opioids Page(s): 78.",
    "Decision based on Non-MTUS Citation Official Disability Guidelines, Neck chapter.",
)


def redecided(letter: Letter, seed: int) -> Letter:
    """The letter with another determination in every field."""
    chance = random.Random(seed)
    decisions = tuple(
        Decision(
            chance.choice(("Upheld", "Overturned")),
            parse_citation(chance.choice(CITED)),
            " ".join(chance.sample(RATIONALES, chance.randint(1, len(RATIONALES)))),
        )
        for _ in letter.case.items
    )
    other = Determination(
        decision_date=date(2013 + chance.randint(0, 6), chance.randint(1, 12), 7),
        states=chance.choice((("Texas",), ("California", "New York"))),
        specialties=chance.choice((("Psychiatry",), ("Orthopedic Surgery", "Pain Management"))),
        decisions=decisions,
    )
    return dataclasses.replace(letter, determination=other)


def reread(letter: Letter) -> Letter:
    return parse(Text(letter.case.letter_id, letter.case.source, render_text(letter)))


def pairs(letters: Iterable[Letter], seed: int) -> list[tuple[Letter, Letter]]:
    """Letters as decided and as rewritten, both read back from print."""
    found = []
    for number, letter in enumerate(letters):
        one, other = reread(letter), reread(redecided(letter, seed + number))
        assert one.determination != other.determination
        found.append((one, other))
    return found


def signals_as_bytes(case: Case) -> bytes:
    from imr.features.table import signals

    found = signals(case)
    return repr((found.rows, found.evidence)).encode()


def assert_wall_holds(found: Sequence[tuple[Letter, Letter]]) -> None:
    from imr.training.decisions import case_frame

    for one, other in found:
        assert one.case == other.case
        assert signals_as_bytes(one.case) == signals_as_bytes(other.case)
    tables = [case_frame(letter.case for letter in side) for side in zip(*found, strict=True)]
    assert tables[0].to_csv() == tables[1].to_csv()


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_signals_of_made_letters(made_letters: list[Letter], seed: int) -> None:
    letters = random.Random(seed).sample(made_letters, 3)
    assert_wall_holds(pairs(letters, seed))


def letters_under(folder: Path) -> list[Letter]:
    texts = [text for text in read([str(folder)]) if not isinstance(text, LetterError)]
    return [letter for letter in map(parse, texts) if letter.decided]


def test_signals_of_samples(samples: Path) -> None:
    letters = letters_under(samples)
    assert len(letters) == 5
    for seed in range(5):
        assert_wall_holds(pairs(letters, 100 * seed))


@pytest.mark.slow
def test_signals_of_real_letters(real_letters: Path) -> None:
    letters = letters_under(real_letters)
    assert len(letters) == 135
    assert_wall_holds(pairs(letters, 0))


def test_predictions_with_reasons(made_letters: list[Letter], model: Path) -> None:
    from imr.models.predictor import Predictor

    predictor = Predictor.load(model)
    found = pairs(made_letters, 7)
    one, other = ([letter.case for letter in side] for side in zip(*found, strict=True))
    assert predictor.predict(one, explain=True) == predictor.predict(other, explain=True)


@pytest.mark.filterwarnings("ignore")  # MLflow tells of a type hint that it does not check
def test_the_served_model(made_letters: list[Letter], model: Path) -> None:
    """What MLflow serves: whole letters as text, and records that carry a decision along."""
    import pandas as pd

    from imr.models.mlflow_model import ImrModel
    from imr.models.predictor import Predictor

    served = ImrModel()
    served.predictor = Predictor.load(model)
    answers = []
    for seed in (None, 1, 2):
        letters = made_letters if seed is None else [redecided(x, seed) for x in made_letters]
        frame = pd.DataFrame({"text": [render_text(letter) for letter in letters]})
        answers.append(served.predict(None, frame))
    for answer in answers:
        answer["scored_at"] = ""
        answer["warnings"] = ""
    assert answers[0].to_csv() == answers[1].to_csv() == answers[2].to_csv()


CARRIED = {"decision", "decision_guideline", "scored_at", "warnings"}
"""What may differ: the decision is carried along; warnings tell that a letter came twice."""


def scored(folder: Path, model: Path, inputs: list[str], *options: object) -> list[dict[str, Any]]:
    """The rows of `imr score`, of one input after the other."""
    arguments = (*inputs, "-o", "s.jsonl", "--model", model, *options)
    done = run(REAL, "score", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return lines(folder / "s.jsonl")


def blind(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in CARRIED} for row in rows]


def write_letters(folder: Path, letters: Iterable[Letter]) -> None:
    folder.mkdir()
    for letter in letters:
        (folder / f"{letter.case.letter_id}.txt").write_text(render_text(letter))


def write_parsed(path: Path, letters: Iterable[Letter]) -> None:
    """As `imr parse` prints them, so with their decisions."""
    from imr.serve.letter_json import letter_object

    path.write_text("".join(json.dumps(letter_object(letter)) + "\n" for letter in letters))


@pytest.mark.slow
def test_imr_score(made_letters: list[Letter], model: Path, tmp_path: Path) -> None:
    """Letters and records, as decided and rewritten, here and by a cluster: the same rows."""
    letters = made_letters[:15]
    write_letters(tmp_path / "as-decided", letters)
    for seed, name in ((3, "rewritten"), (5, "other")):
        write_letters(tmp_path / name, [redecided(letter, seed) for letter in letters])
    write_parsed(tmp_path / "one.jsonl", [reread(letter) for letter in letters])
    write_parsed(tmp_path / "two.jsonl", [reread(redecided(letter, 4)) for letter in letters])
    inputs = ["as-decided", "rewritten", "one.jsonl", "two.jsonl"]
    rows = scored(tmp_path, model, inputs, "--jobs", 1)
    size = sum(len(letter.case.items) for letter in letters)
    as_decided, rewritten, *records = (rows[at : at + size] for at in range(0, len(rows), size))
    assert len(records) == 2
    assert blind(as_decided) == blind(rewritten)
    assert blind(records[0]) == blind(records[1]) == blind(as_decided)
    assert decisions(as_decided) != decisions(rewritten) != decisions(records[1])
    assert {row["decision"] for row in rewritten} == {"Upheld", "Overturned"}

    by_cluster = scored(tmp_path, model, ["other"], "--engine", "dask", "--jobs", 1)
    assert blind(by_cluster) == blind(as_decided)
    assert decisions(by_cluster) != decisions(as_decided)


def decisions(rows: list[dict[str, Any]]) -> list[str]:
    return [row["decision"] for row in rows]


def test_models_are_given_no_column_of_a_decision() -> None:
    from imr.training.decisions import inputs, load_decisions

    forbidden = ("label", "decision", "outcome", "rationale", "reviewer", "specialt", "overturn")
    # What the claims administrator cites is known before the decision.
    columns = [str(column) for column in inputs(load_decisions().table)]
    assert len(columns) > 100
    assert [c for c in columns if any(w in c.lower() for w in forbidden)] == [
        "administrator_labels"
    ]
