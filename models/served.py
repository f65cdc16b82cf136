"""The MLflow model's two ends: data frame -> cases, predictions -> data frame; and its logging."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imr.data.layout import paragraphs, visible
from imr.data.letter import Letter, LetterError, Text
from imr.data.sources import MAX_TEXT_BYTES
from imr.models.rows import COLUMNS, prediction_row

if TYPE_CHECKING:
    import pandas as pd

    from imr.models.predictor import Predictor

PACKAGES = ("data", "features", "models")
REQUIREMENTS = ("lightgbm", "numpy", "pandas", "scipy", "mlflow")
RECORD_COLUMNS = (
    "letter_id",
    "case_summary",
    "items",
    "text",
    "case_number",
    "date_assigned",
    "date_of_injury",
    "ur_denial_date",
    "application_received",
    "priority",
)
BY_LETTER = "predictions"
PARAMS = {"explain": True, "by_letter": False}


def cases_from_frame(frame: pd.DataFrame) -> list[Letter]:
    """One letter a row; raises LetterError that names the row and what is allowed.

    Rows count from 0.  A frame without any known column is refused even if it has no rows:
    MLflow drops columns that it does not know, and their rows with them.
    """
    if not {"text", "items"} & set(frame.columns):
        raise LetterError(
            "input",
            "columns",
            f"received the columns {', '.join(map(str, frame.columns))[:200] or 'none'}",
            "give text, or letter_id, case_summary and items",
        )
    return [
        _letter(place, {str(k): v for k, v in row.items()})
        for place, row in enumerate(frame.to_dict("records"))
    ]


def predictions_frame(
    predictor: Predictor, letters: Sequence[Letter], explain: bool
) -> pd.DataFrame:
    """The contract's columns with stable nullable types, one row an item."""
    import pandas as pd

    predictions = iter(predictor.predict([letter.case for letter in letters], explain=explain))
    now, uri = datetime.now(UTC), predictor.digest
    rows = [
        prediction_row(next(predictions), uri, now, letter.warnings)
        for letter in letters
        for _ in letter.case.items
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def letters_frame(found: pd.DataFrame, letters: Sequence[Letter]) -> pd.DataFrame:
    """:func:`predictions_frame` with one row a letter: a JSON list of its rows, in one column.

    Spark's functions return a row for every row they are given, whatever its items.
    """
    import pandas as pd

    rows = iter(found.astype(object).where(found.notna(), None).to_dict("records"))
    texts = [
        json.dumps([next(rows) for _ in letter.case.items], ensure_ascii=False)
        for letter in letters
    ]
    return pd.DataFrame({BY_LETTER: pd.Series(texts, dtype=object)})


def stage_code(folder: Path) -> Path:
    """Copy the packages that the model needs to ``folder/imr``, as they are installed."""
    from shutil import copytree, ignore_patterns

    left_out = ignore_patterns("__pycache__", "vignettes", "samples")
    copytree(str(resources.files("imr")), folder / "imr", ignore=left_out, dirs_exist_ok=True)
    for package in PACKAGES:
        source = str(resources.files(f"imr.{package}"))
        copytree(source, folder / "imr" / package, ignore=left_out, dirs_exist_ok=True)
    return folder / "imr"


def logging_arguments(
    folder: str | Path, staging: Path, example: pd.DataFrame | None = None
) -> dict[str, Any]:
    """What ``mlflow.pyfunc.log_model`` needs for a model folder: code, artifact, signature.

    The code is copied to ``staging``, a folder that lives until the model is logged.
    ``example`` defaults to one record written for this purpose.
    """
    code = stage_code(staging)
    return {
        "python_model": str(code / "models" / "pyfunc.py"),
        "artifacts": {"bundle": str(folder)},
        "code_paths": [str(code)],
        "signature": signature(),
        "input_example": (example_input() if example is None else example, dict(PARAMS)),
        "pip_requirements": requirements(),
    }


def signature() -> Any:
    """Column names and types of input and output; every input column is text and optional.

    Text and not ``any``: MLflow's server reads CSV only where every column has a type.  Lists,
    dates and numbers in JSON pass as they are and are checked by row (``data/records.py``).
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec

    kinds = {"string": "string", "Int64": "long", "Float64": "double"}
    given: list[ColSpec | TensorSpec] = [
        ColSpec("string", name, required=False) for name in RECORD_COLUMNS
    ]
    made: list[ColSpec | TensorSpec] = [
        ColSpec(kinds[kind], name, required=False) for name, kind in COLUMNS.items()
    ]
    params = ParamSchema([ParamSpec(name, "boolean", usual) for name, usual in PARAMS.items()])
    return ModelSignature(Schema(given), Schema(made), params)


def example_input() -> pd.DataFrame:
    """One undecided case record, written for this purpose."""
    import pandas as pd

    items = [
        {
            "title": "MRI of the right knee without contrast",
            "claims_administrator_guideline": (
                "Decision based on MTUS Knee Complaints 2004, Section(s): Special Studies."
            ),
        },
        {"title": "Physical therapy, 12 sessions for the right knee"},
    ]
    summary = (
        "A 41-year-old woman twisted her right knee at work on 08-02-2016. Plain films showed no "
        "fracture. She had six visits of physical therapy and took naproxen. The knee locks, and "
        "the McMurray sign is positive."
    )
    record = {
        "letter_id": "example",
        "case_summary": summary,
        "items": json.dumps(items),
        "ur_denial_date": "2016-09-30",
    }
    return pd.DataFrame([record])


def requirements() -> list[str]:
    """Exact versions of the libraries that the packages inside the model import."""
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in REQUIREMENTS]


def _letter(place: int, row: Mapping[str, Any]) -> Letter:
    from imr.data.parse import parse
    from imr.data.records import RawRecord, letter_from_record

    values = {k: _plain(v) for k, v in row.items()}
    source = f"row {place}"
    text = values.pop("text", None)
    if text is not None:
        name = str(values.get("letter_id") or f"row-{place}")
        return parse(_as_read(name, source, str(text)))
    items = values.get("items")
    if isinstance(items, str):
        values["items"] = _items(source, items)
    return letter_from_record(RawRecord(source, {k: v for k, v in values.items() if v is not None}))


def _as_read(name: str, source: str, text: str) -> Text:
    """A whole letter in a cell, its layout brought in order as that of a file is."""
    if len(text) > MAX_TEXT_BYTES:
        raise LetterError(source, "too_large", f"the text has {len(text)} characters", "one letter")
    shown, has_paragraphs = paragraphs(text)
    return Text(visible(name), source, shown, has_paragraphs)


def _items(source: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise LetterError(
            source, "not_json", "column 'items': not JSON", "give a JSON list of items"
        ) from None


def _plain(value: Any) -> Any:
    """Frame cells as JSON would hold them: null as None, arrays as lists, dates as text."""
    if isinstance(value, (str, list, dict, bool)):
        return value
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    # Before the dates: pandas' NaT is one.
    if type(value).__name__ in {"NAType", "NaTType"} or value != value:
        return None
    return value.isoformat() if isinstance(value, (date, datetime)) else value
