"""Cases in, predictions with reasons out."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest

from imr.data.letter import Case, Citation, Decision, Determination, Letter
from imr.data.records import RawRecord, letter_from_record
from imr.models.mlflow_model import example_input
from imr.models.prediction import SCORE_COLUMNS, Prediction, meaning_of
from imr.models.predictor import Predictor, cases_from_frame, predictions_frame


@pytest.fixture(scope="module")
def letter():
    summary = (
        "A 41-year-old man fell at work. He reports numbness of both hands. The wrist shows a "
        "fracture on plain films. He had ten visits of physical therapy."
    )
    items = [
        {"title": "EMG/NCV of the bilateral upper extremities"},
        {
            "title": "Naproxen 500mg #60",
            "claims_administrator_guideline": "Decision based on MTUS Knee Complaints 2004.",
        },
    ]
    record = {"letter_id": "one", "case_summary": summary, "items": items}
    return letter_from_record(RawRecord("test", record))


def test_one_prediction_an_item_in_order(predictor, letter):
    twin = dataclasses.replace(letter.case, letter_id="two")
    found = predictor.predict([letter.case, twin])
    assert [(p.letter_id, p.item_index) for p in found] == [
        ("one", 0),
        ("one", 1),
        ("two", 0),
        ("two", 1),
    ]
    assert [p.p_overturned for p in found[:2]] == [p.p_overturned for p in found[2:]]


def test_letters_of_one_batch_do_not_touch_each_other(predictor, letter):
    other = dataclasses.replace(letter.case, letter_id="two", items=letter.case.items[:1])
    together = predictor.predict([other, letter.case], explain=True)
    assert together[1:] == predictor.predict([letter.case], explain=True)


def test_no_cases(predictor):
    assert predictor.predict([]) == []


def test_reasons_quote_the_letter(predictor, letter):
    study = predictor.predict([letter.case], explain=True)[0]
    assert study.reasons
    for reason in study.reasons:
        assert reason.direction == ("for" if reason.contribution > 0 else "against")
        for quote in reason.quotes:
            if quote.field != "request":
                assert letter.case.case_summary[quote.start : quote.end] == quote.quote
    assert any(reason.quotes for reason in study.reasons)
    signals = [reason.signal for reason in study.reasons]
    assert len(signals) == len(set(signals))


def test_reasons_concern_the_item(predictor, letter):
    """What the guideline asks for of one item is no reason for another."""
    study, drug = predictor.predict([letter.case], explain=True)
    of_study, of_drug = (
        " ".join(reason.statement for reason in item.reasons).lower() for item in (study, drug)
    )
    assert "numbness" in of_study
    assert "numbness" not in of_drug


def test_reasons_only_when_asked(predictor, letter):
    assert all(p.reasons == () for p in predictor.predict([letter.case]))


def test_similar_items_are_counted(predictor, letter, table, overturned):
    study = predictor.predict([letter.case])[0].similar
    rows = table["subcategory"] == "EMG/NCV/NCS"
    assert study.items == rows.sum()
    assert study.overturned == sum(o for o, r in zip(overturned, rows, strict=True) if r)
    assert (study.first_year, study.last_year) == (2016, 2016)


def test_few_similar_items_widen_to_all(predictor):
    assert predictor.similar_to("Surgery", "Spine").of == "all requests"


def test_any_overturned_is_the_letters_own(predictor, letter):
    """One figure a letter, coherent with its items', even where two letters bear one name."""
    alone = predictor.predict([letter.case])
    twice = predictor.predict([letter.case, letter.case])
    [chance] = {p.p_any_overturned for p in alone}
    chances = [p.p_overturned for p in alone]
    assert len(chances) > 1
    assert max(chances) <= chance <= sum(chances)
    assert [p.p_any_overturned for p in twice] == [chance] * len(twice)


def test_a_determination_cannot_reach_a_prediction(predictor, letter):
    """The predictor takes a Case, and a Case has no way to a Determination."""
    decided = Determination(decisions=(Decision("Overturned", Citation("Knee"), "granted"),) * 2)
    other = Letter(letter.case, decided)
    assert predictor.predict([other.case], explain=True) == predictor.predict(
        [letter.case], explain=True
    )
    fields = {f.name for f in dataclasses.fields(Case)}
    assert not fields & {"determination", "decision", "outcome", "rationale", "reviewer"}
    with pytest.raises(AttributeError):
        predictor.predict([other])


COLUMNS = [column.name for column in SCORE_COLUMNS]
NUMBERS = {"item_index": "Int64"} | {
    name: "Float64" for name in COLUMNS if name.startswith("p_") or name.endswith("_p")
}
DTYPES = {name: NUMBERS.get(name, "string") for name in COLUMNS}


def test_contract_columns_come_from_predictions():
    copied = [name for name in COLUMNS if name in {f.name for f in dataclasses.fields(Prediction)}]
    assert copied[:15] == COLUMNS[:15]


def test_served_records_and_whole_letters(predictor):
    letters = cases_from_frame(example_input())
    found = predictions_frame(predictor, letters, explain=True)
    assert list(found.columns) == COLUMNS
    assert {c: str(t) for c, t in found.dtypes.items()} == DTYPES
    assert len(found) == 2
    assert json.loads(found["reasons"][0])


def test_served_without_letters_keeps_its_types(predictor):
    found = predictions_frame(predictor, [], explain=True)
    assert {c: str(t) for c, t in found.dtypes.items()} == DTYPES


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"x": [1]}), "give text, or letter_id"),
        (pd.DataFrame({"letter_id": ["a"], "case_summary": ["b"], "items": ["{"]}), "not JSON"),
        (pd.DataFrame({"letter_id": ["a"], "case_summary": [None], "items": ["[]"]}), "row 0"),
    ],
)
def test_served_input_that_is_not_allowed(frame, message):
    from imr.data.letter import LetterError

    with pytest.raises(LetterError, match=message):
        cases_from_frame(frame)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow warns about its own type hints
def test_mlflow_model_from_code(predictor, tmp_path):
    """Logged without pickle, loaded by MLflow alone, the same figures."""
    import mlflow

    from imr.models.mlflow_model import logging_arguments

    predictor.save(tmp_path / "bundle")
    arguments = logging_arguments(tmp_path / "bundle", tmp_path / "code")
    mlflow.pyfunc.save_model(tmp_path / "mlflow", **arguments)
    assert not list((tmp_path / "mlflow").rglob("*.pkl"))
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "mlflow"))
    found = loaded.predict(example_input())
    case = cases_from_frame(example_input())[0].case
    expected = Predictor.load(tmp_path / "bundle").predict([case])
    assert found["p_overturned"].tolist() == [p.p_overturned for p in expected]


@pytest.mark.parametrize(
    ("p", "cost", "said"),
    [
        (
            0.23,
            4.0,
            "About twice the average of 11%; still likelier upheld, but called Overturned, ",
        ),
        (0.60, 2.5, "More than three times the average of 11%; called Overturned, as"),
        (0.52, 1.0, "More than three times the average of 11%; called Overturned, as"),
    ],
)
def test_an_estimate_that_is_called_overturned_says_from_where_on_and_why(p, cost, said):
    meaning = meaning_of(p, 0.11, cost)
    assert meaning.startswith(said)
    assert f"from {1 / (1 + cost):.0%} on" in meaning
    whole = {4.0: "four false alarms", 1.0: "one false alarm", 2.5: "2.5 false alarms"}
    assert meaning.endswith(f"a missed overturn is taken to cost {whole[cost]}")


@pytest.mark.parametrize(
    ("p", "said"),
    [(0.12, "About the average of 11%"), (0.02, "Well below the average of 11%")],
)
def test_an_estimate_that_is_not_is_set_against_the_average_alone(p, said):
    assert meaning_of(p, 0.11, 4.0) == said
