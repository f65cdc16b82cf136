"""The MLflow model used with MLflow's own tools, where the project is not installed."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
import venv
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

from imr.data.parse import parse
from imr.data.read import read
from imr.data.records import RawRecord, letter_from_record
from imr.data.sources import MAX_TEXT_BYTES
from imr.models.mlflow_model import logging_arguments
from imr.models.prediction import SCORE_COLUMNS
from imr.models.predictor import Predictor

pytestmark = pytest.mark.slow

PATIENT = "left thumb jammed in the conveyor"  # stands in no answer but a good one
RECORDS = (
    {
        "letter_id": "first",
        "case_summary": f"A 52-year-old man had his {PATIENT}. He reports numbness of both hands.",
        "items": [
            {"title": "EMG/NCV of the bilateral upper extremities"},
            {
                "title": "Naproxen 500mg #60",
                "claims_administrator_guideline": "Decision based on MTUS Chronic Pain 2009.",
            },
        ],
        "ur_denial_date": "2016-09-30",
    },
    {
        "letter_id": "second",
        "case_summary": "A woman twisted her knee on the stairs. Plain films showed a fracture.",
        "items": [{"title": "MRI of the right knee without contrast"}],
    },
)
LOAD = """
import importlib.util, json, sys
assert importlib.util.find_spec("imr") is None, "imr is installed here"
import mlflow
import pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
found = model.predict(pd.DataFrame(json.load(sys.stdin)))
import imr.data, imr.models
for package in (imr.data, imr.models):
    assert package.__file__.startswith(sys.argv[1]), package.__file__
print(found.to_json(orient="records"))
"""
UVICORN = "#!{python}\nfrom uvicorn.main import main\n\nmain()\n"


@dataclass(frozen=True)
class Elsewhere:
    """A Python that has the libraries but not the project, in a folder of its own."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    @property
    def environment(self) -> dict[str, str]:
        hidden = ("COV", "PYTHON", "PYTEST", "MLFLOW", "VIRTUAL_ENV")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        path = f"{self.folder / 'bin'}{os.pathsep}{os.defpath}"
        return {**kept, "PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"}

    def run(self, *arguments: str, given: str = "") -> str:
        done = subprocess.run(
            [self.python, *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
            env=self.environment,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder, symlinks=True)
    place = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    for installed in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(installed).iterdir():
            ours = entry.name == "imr" or entry.name.startswith(("imr-", "__editable__"))
            if not ours and not entry.name.startswith("__pycache__"):
                (Path(place) / entry.name).symlink_to(entry)
    found = Elsewhere(folder)
    # Where MLflow starts its server it calls this command; the one beside pytest is not ours.
    command = folder / "bin" / "uvicorn"
    command.write_text(UVICORN.format(python=found.python))
    command.chmod(0o755)
    return found


@pytest.fixture(scope="module")
def bundle(predictor, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    predictor.save(folder)
    return folder


@pytest.fixture(scope="module")
def model(bundle, tmp_path_factory):
    import mlflow

    folder = tmp_path_factory.mktemp("model") / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns about its own type hints
        staging = folder.parent / "staging"
        mlflow.pyfunc.save_model(folder, **logging_arguments(bundle, staging))
    return folder


@pytest.fixture(scope="module")
def expected(bundle, samples):
    """What the project itself predicts for a letter's text, read from its file, and records."""
    predictor = Predictor.load(bundle)

    def predict(*names):
        letters = [parse(text) for text in read([str(samples / name) for name in names])]
        if not names:
            letters = [letter_from_record(RawRecord("test", record)) for record in RECORDS]
        return predictor.predict([letter.case for letter in letters], explain=True)

    return predict


def agree(found, predictions):
    """The rows of an answer say what the predictions say, in the contract's columns."""
    assert len(found) == len(predictions)
    for row, prediction in zip(found, predictions, strict=True):
        assert list(row) == [column.name for column in SCORE_COLUMNS]
        for name in ("letter_id", "item_index", "requested", "predicted_outcome", "guideline_1"):
            assert row[name] == getattr(prediction, name)
        for name in ("p_overturned", "p_overturned_low", "p_overturned_high", "guideline_1_p"):
            assert row[name] == pytest.approx(
                getattr(prediction, name), abs=1e-9
            )  # ten digits are served
        statements = [reason["statement"] for reason in json.loads(row["reasons"])]
        assert statements == [reason.statement for reason in prediction.reasons]


def as_table():
    return [{**record, "items": json.dumps(record["items"])} for record in RECORDS]


def as_csv(rows=None):
    rows = rows or as_table()
    file = io.StringIO(newline="")
    table = csv.DictWriter(file, rows[0])
    table.writeheader()
    table.writerows(rows)
    return file.getvalue().encode()


# --- without the project ---------------------------------------------------------------------


def test_loads_where_the_project_is_not_installed(elsewhere, model, expected):
    found = json.loads(elsewhere.run("-c", LOAD, str(model), given=json.dumps(RECORDS)))
    agree(found, expected())


def test_holds_no_pickle_and_all_that_it_reads(model):
    endings = {path.suffix for path in model.rglob("*") if path.is_file()}
    assert not endings & {".pkl", ".pickle", ".joblib", ".cloudpickle"}
    project = Path(__file__).parents[2]
    for package in ("data", "features", "models"):
        tables = {p.relative_to(project) for p in (project / package).rglob("*.csv")}
        assert tables
        assert {t for t in tables if not (model / "code" / "imr" / t).is_file()} == set()


def predict_command(elsewhere, model, *arguments, given=""):
    said = elsewhere.run(
        *("-m", "mlflow", "models", "predict", "-m", str(model), "--env-manager", "local"),
        *arguments,
        given=given,
    )
    return json.loads(said.strip().splitlines()[-1])["predictions"]


@pytest.mark.slow
def test_mlflow_models_predict_from_json(elsewhere, model, expected, tmp_path):
    (tmp_path / "cases.json").write_text(json.dumps({"dataframe_records": RECORDS}))
    found = predict_command(elsewhere, model, "-i", str(tmp_path / "cases.json"))
    agree(found, expected())


@pytest.mark.slow
def test_mlflow_models_predict_from_csv(elsewhere, model, expected, tmp_path):
    path = tmp_path / "cases.csv"
    path.write_bytes(as_csv())
    agree(predict_command(elsewhere, model, "-i", str(path), "-t", "csv"), expected())


# --- over HTTP ---------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(elsewhere, model):
    """The address of ``mlflow models serve``, ended with all its processes."""
    port = free_port()
    log = elsewhere.folder / "server.log"
    arguments = ["-m", str(model), "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    with log.open("w") as out:
        process = subprocess.Popen(
            [elsewhere.python, "-m", "mlflow", "models", "serve", *arguments],
            stdout=out,
            stderr=out,
            cwd=elsewhere.folder,
            env=elsewhere.environment,
            start_new_session=True,
        )
    try:
        wait_until_up(process, f"http://127.0.0.1:{port}/ping", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)


def wait_until_up(process, address, log):
    end = time.monotonic() + 300
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    pytest.fail(log.read_text())


def post(server, body, kind="application/json"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{server}/invocations", data, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


def predictions(server, body, **more):
    status, text = post(server, body, **more)
    assert status == 200, text
    return json.loads(text)["predictions"]


def split(rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {"columns": names, "data": [[row.get(name) for name in names] for row in rows]}


@pytest.mark.parametrize("rows", [RECORDS, as_table()], ids=["lists", "json_text"])
def test_case_records_in_both_forms(server, expected, rows):
    agree(predictions(server, {"dataframe_records": rows}), expected())
    agree(predictions(server, {"dataframe_split": split(rows)}), expected())


def test_case_records_as_csv(server, expected):
    agree(predictions(server, as_csv(), kind="text/csv"), expected())


def test_case_records_as_parquet(server, expected):
    import pandas as pd

    body = pd.DataFrame(list(RECORDS)).to_parquet(index=False)
    agree(predictions(server, body, kind="application/vnd.apache.parquet"), expected())


@pytest.mark.parametrize("kind", ["application/json", "text/csv"])
def test_numbers_as_identifiers_and_columns_without_values(server, expected, kind):
    rows = [{**r, "letter_id": n, "priority": None} for n, r in enumerate(as_table(), 7)]
    body = {"dataframe_records": rows} if kind == "application/json" else as_csv(rows)
    found = predictions(server, body, kind=kind)
    assert [row["letter_id"] for row in found] == ["7", "7", "8"]
    predicted = expected()
    given = [{**row, "letter_id": p.letter_id} for row, p in zip(found, predicted, strict=True)]
    agree(given, predicted)


@pytest.mark.parametrize("names", [["sample_004.txt"], ["CM16-9000005.txt", "CM17-9000007.txt"]])
def test_whole_letters_as_their_files(server, expected, samples, names):
    rows = [{"letter_id": Path(n).stem, "text": (samples / n).read_text()} for n in names]
    agree(predictions(server, {"dataframe_records": rows}), expected(*names))
    agree(predictions(server, {"dataframe_split": split(rows)}), expected(*names))


def test_records_and_letters_in_one_request(server, expected, samples):
    text = (samples / "sample_004.txt").read_text()
    rows = [{"letter_id": "sample_004", "text": text}, *RECORDS]
    found = predictions(server, {"dataframe_records": rows})
    agree(found, [*expected("sample_004.txt"), *expected()])


def test_one_row_a_letter(server, expected):
    """As spark_udf needs it: as many rows as it was given, each a list of the letter's items."""
    body = {"dataframe_records": RECORDS, "params": {"by_letter": True, "explain": True}}
    found = [json.loads(row["predictions"]) for row in predictions(server, body)]
    assert [len(rows) for rows in found] == [2, 1]
    agree([row for rows in found for row in rows], expected())


def test_a_loaded_model_refuses_them_too(model):
    """Also where it is loaded twice, and where what a request says is right."""
    import mlflow
    import pandas as pd

    for _ in range(2):
        loaded = mlflow.pyfunc.load_model(str(model))
    with pytest.raises(mlflow.exceptions.MlflowException, match="did you mean 'by_letter'"):
        loaded.predict(pd.DataFrame(as_table()), params={"by_leter": True})
    assert len(loaded.predict(pd.DataFrame(as_table()), params={"by_letter": True})) == 2


def test_reasons_can_be_left_out(server):
    body = {"dataframe_records": RECORDS, "params": {"explain": False}}
    assert {row["reasons"] for row in predictions(server, body)} == {"[]"}


def changed(**values):
    return {"dataframe_records": [RECORDS[1], {**RECORDS[0], **values}]}


def asked(**params):
    return {"dataframe_records": RECORDS, "params": params}


def without(*names):
    return {"dataframe_records": [{k: v for k, v in RECORDS[0].items() if k not in names}]}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (without("items"), "give text, or letter_id, case_summary and items"),
        (without("case_summary"), "row 0: column 'case_summary': received nothing"),
        (without("letter_id"), "row 0: column 'letter_id': received nothing"),
        ({"dataframe_records": [{"diagnosis": PATIENT}]}, "give text, or letter_id"),
        (changed(case_summary=None), "row 1: column 'case_summary': received nothing"),
        (changed(case_summary=[PATIENT]), "row 1: column 'case_summary': received a list of 1"),
        (changed(case_summary=2.5), "row 1: column 'case_summary': received 2.5"),
        (changed(letter_id={"id": PATIENT}), "row 1: column 'letter_id': received an object"),
        (changed(items=f'["{PATIENT}'), "row 1: column 'items': not JSON"),
        (changed(items=[]), "row 1: column 'items': received a list of 0"),
        (changed(items=[PATIENT]), "row 1: items[0]: received text of"),
        (changed(items=7), "row 1: column 'items': received 7"),
        (changed(ur_denial_date=PATIENT), "row 1: column 'ur_denial_date': received text of"),
        (changed(text=f"Dear madam, his {PATIENT}."), "row 1: not an IMR determination letter"),
        (changed(text="x" * (MAX_TEXT_BYTES + 1)), "row 1: the text has"),
        (changed(case_summary=f"{PATIENT}. " * 9000), "row 1: column 'case_summary'"),
        (asked(explian=False), "params: 'explian' is not known; did you mean 'explain'?"),
        (asked(byletter=True), "'byletter' is not known; did you mean 'by_letter'?"),
        (asked(temperature=1), "params: 'temperature' is not known (allowed are explain and by_"),
        (asked(explain="no"), "params: 'explain' is neither true nor false"),
    ],
)
def test_what_is_not_allowed_is_named_in_one_line(server, body, reason):
    status, text = post(server, body)
    answer = json.loads(text)
    assert status == 400
    assert answer["error_code"] == "INVALID_PARAMETER_VALUE"
    assert reason in answer["message"]
    assert "\n" not in answer["message"]
    assert len(answer["message"]) < 300
    assert PATIENT not in text
    assert "stack_trace" not in answer


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"[1]", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        ({"cases": []}, "application/json", 400),
        ({"dataframe_records": "x"}, "application/json", 400),
        ({"dataframe_split": {"columns": ["text"], "data": [[1, 2]]}}, "application/json", 400),
        (b"<letter/>", "application/xml", 415),
    ],
)
def test_what_is_no_frame_is_refused_by_mlflow(server, body, kind, status):
    """These end before the model is asked; MLflow's message names what is wrong."""
    found, text = post(server, body, kind)
    assert found == status
    assert text.strip()
    assert post(server, {"dataframe_records": RECORDS})[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["letter_id", "case_summary", "items"], "data": []}},
        {"dataframe_split": {"columns": ["text"], "data": []}},
    ],
)
def test_no_letters_no_predictions(server, body):
    assert predictions(server, body) == []


def test_a_request_of_nothing_is_refused(server):
    """MLflow hands on rows of unknown columns as no rows at all; none may be lost in silence."""
    for body in ({"dataframe_records": []}, {"dataframe_split": {"data": []}}):
        status, text = post(server, body)
        assert status == 400
        assert "received the columns none" in json.loads(text)["message"]


@pytest.mark.slow
def test_two_thousand_rows_at_once(server, expected):
    rows = [{**RECORDS[n % 2], "letter_id": f"letter-{n}"} for n in range(2000)]
    found = predictions(server, {"dataframe_records": rows})
    assert len(found) == 3000
    assert list(dict.fromkeys(row["letter_id"] for row in found)) == [r["letter_id"] for r in rows]
    once = [p.p_overturned for p in expected()]
    assert [row["p_overturned"] for row in found] == pytest.approx(once * 1000, rel=1e-9)


@pytest.mark.slow
def test_one_bad_row_among_two_thousand_is_named(server):
    rows = [{**RECORDS[1], "letter_id": f"letter-{n}"} for n in range(2000)]
    rows[1234]["items"] = "nothing"
    status, text = post(server, {"dataframe_records": rows})
    assert status == 400
    assert json.loads(text)["message"].startswith("row 1234: column 'items': not JSON")


# --- what goes wrong inside --------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # MLflow warns about its own type hints
def test_a_fault_of_the_model_shows_no_letter_text():
    import pandas as pd

    from imr.models.mlflow_model import ImrModel, Refused

    class Broken:
        digest = ""

        def predict_rows(self, cases, table, evidence):
            raise ValueError(cases[0].case_summary)

    broken = ImrModel()
    broken.predictor = Broken()
    with pytest.raises(Refused) as caught:
        broken.predict(None, pd.DataFrame(as_table()))
    # As MLflow's server does before it answers.
    caught.value.message = f"Failed to predict data '{RECORDS}'. \nError: {caught.value.message}"
    answer = caught.value.serialize_as_json()
    assert caught.value.get_http_status_code() == 500
    assert PATIENT not in answer
    assert "ValueError" in json.loads(answer)["message"]
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("missing", [None, float("nan"), "NA", "NaT"])
def test_missing_cells_of_every_kind(missing):
    import pandas as pd

    from imr.models.predictor import cases_from_frame

    cell = {"NA": pd.NA, "NaT": pd.NaT}.get(missing, missing)
    frame = pd.DataFrame(as_table()[:1]).assign(ur_denial_date=[cell], priority=[cell])
    (letter,) = cases_from_frame(frame)
    assert letter.case.header.ur_denial_date is None
    assert letter.case.header.priority is None


def test_dates_of_every_kind():
    from datetime import UTC, date, datetime

    import pandas as pd

    from imr.models.predictor import cases_from_frame

    noon = datetime(2016, 9, 30, 12, tzinfo=UTC)
    for day in (pd.Timestamp("2016-09-30"), date(2016, 9, 30), noon, "2016-09-30"):
        frame = pd.DataFrame(as_table()[:1]).assign(ur_denial_date=[day])
        assert cases_from_frame(frame)[0].case.header.ur_denial_date == date(2016, 9, 30)
