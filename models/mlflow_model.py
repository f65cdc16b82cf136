"""The predictor as an MLflow model from code (no pickle): MLflow runs this file to load it.

Input: a data frame with one letter a row, either as a case record (``letter_id``,
``case_summary``, ``items`` as a list or its JSON text and the optional header fields, see
``imr schema``) or as a whole letter in ``text``.  Output: one row an item with the columns of
``imr score``.
"""

from __future__ import annotations

import difflib
import functools
import json
import logging
from collections.abc import Sequence
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow import pyfunc
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

from imr.data.letter import Letter, LetterError
from imr.models.prediction import SCORE_COLUMNS
from imr.models.predictor import RECORD_COLUMNS, Predictor, cases_from_frame, predictions_frame

PACKAGES = ("data", "features", "models", "serve", "training")
# What the packages inside the model import.
REQUIREMENTS = ("lightgbm", "numpy", "pandas", "scipy", "mlflow")
BY_LETTER = "predictions"
PARAMS = {"explain": True, "by_letter": False}
MLFLOW_TYPES = {"int": "long", "float": "double"}
"""Types of output columns by their kind; all others are texts."""


class Refused(MlflowException):
    """A request that was not answered, with a reason of one line and no letter text."""

    def serialize_as_json(self) -> str:
        """The response: MLflow's server has put the request's data into ``message`` by now."""
        self.message = str(self.args[0])
        return str(super().serialize_as_json())  # type: ignore[no-untyped-call]


class ImrModel(PythonModel):
    """Loads the model folder that was logged as the artifact ``bundle``."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read and check the folder; raises BundleError."""
        see_params()
        self.predictor = Predictor.load(context.artifacts["bundle"])

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """One row an item, in the order of letters and items; nothing where one row is refused.

        ``params``: ``explain`` (default true) fills ``reasons``; ``by_letter`` (default false)
        makes it one row a letter, as Spark needs it: ``predictions``, the rows as JSON text.
        A parameter that there is none of is refused (:func:`see_params`).
        Raises :class:`Refused`, which MLflow's server answers with status 400 and the row at
        fault.
        """
        wanted = PARAMS | (params or {})
        try:
            letters = cases_from_frame(model_input)
            found = predictions_frame(self.predictor, letters, bool(wanted["explain"]))
            return letters_frame(found, letters) if wanted["by_letter"] else found
        except LetterError as error:
            raise Refused(str(error), INVALID_PARAMETER_VALUE) from None
        except Exception as error:
            # MLflow's server would answer with the traceback, whose last line may quote a letter.
            reason = f"the prediction failed with {type(error).__name__}; see the server's log"
            raise Refused(reason, INTERNAL_ERROR) from error


# --- parameters that MLflow drops ----------------------------------------------------------------

_HOOK = "_enforce_params_schema"
_log = logging.getLogger(__name__)


def see_params() -> None:
    """Have a request's parameters checked before MLflow drops those that the signature lacks.

    It does so with no more than a line in the server's log, before a model is asked: a misspelt
    one would count as not given.  Other models have other parameters and are left alone.
    """
    enforced = getattr(pyfunc, _HOOK, None)
    if enforced is None:  # the model names the version of MLflow it was tried with
        _log.warning("this version of MLflow ignores misspelt parameters")
    elif not hasattr(enforced, "by_imr"):

        @functools.wraps(enforced)
        def checked(params: Any, schema: Any) -> Any:
            if schema is not None and {one.name for one in schema.params} == set(PARAMS):
                check_params(params)
            return enforced(params, schema)

        checked.by_imr = True  # type: ignore[attr-defined]
        setattr(pyfunc, _HOOK, checked)


def check_params(params: Any) -> None:
    """Raise :class:`Refused` for a parameter that there is none of, or that is no truth value."""
    for name, value in params.items() if isinstance(params, dict) else ():
        if name in PARAMS and isinstance(value, (bool, np.bool_)):
            continue
        wrong = "neither true nor false"
        if name not in PARAMS:
            meant = difflib.get_close_matches(str(name), PARAMS, n=1)
            wrong = "not known" + (f"; did you mean {meant[0]!r}?" if meant else "")
        # Of the request no more than a name, on one line.
        said, allowed = f"{str(name)[:40]!r} is {wrong}", " and ".join(PARAMS)
        refusal = f"params: {said} (allowed are {allowed}, each true or false)"
        raise Refused(refusal, INVALID_PARAMETER_VALUE)


# --- what is logged ------------------------------------------------------------------------------


def stage_code(folder: Path) -> Path:
    """Copy the packages that the model needs to ``folder/imr``, as they are installed."""
    left_out = ignore_patterns("__pycache__", "vignettes", "samples")
    for package in ("imr", *(f"imr.{name}" for name in PACKAGES)):
        to = folder.joinpath(*package.split("."))
        copytree(str(resources.files(package)), to, ignore=left_out, dirs_exist_ok=True)
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
        "python_model": str(code / "models" / "mlflow_model.py"),
        "artifacts": {"bundle": str(folder)},
        "code_paths": [str(code)],
        "signature": signature(),
        "input_example": (example_input() if example is None else example, dict(PARAMS)),
        "pip_requirements": [f"{name}=={version(name)}" for name in REQUIREMENTS],
    }


def signature() -> Any:
    """Column names and types of input and output; every input column is text and optional.

    Text and not ``any``: MLflow's server reads CSV only where every column has a type.  Lists,
    dates and numbers in JSON pass as they are and are checked by row (``data/records.py``).
    """
    types = {column.name: MLFLOW_TYPES.get(column.kind, "string") for column in SCORE_COLUMNS}
    given = Schema([ColSpec("string", name, required=False) for name in RECORD_COLUMNS])
    made = Schema([ColSpec(kind, name, required=False) for name, kind in types.items()])
    params = ParamSchema([ParamSpec(name, "boolean", usual) for name, usual in PARAMS.items()])
    return ModelSignature(given, made, params)


def letters_frame(found: pd.DataFrame, letters: Sequence[Letter]) -> pd.DataFrame:
    """:func:`predictions_frame` with one row a letter: a JSON list of its rows, in one column.

    Spark's functions return a row for every row they are given, whatever its items.
    """
    rows = iter(found.astype(object).where(found.notna(), None).to_dict("records"))
    by_letter = ([next(rows) for _ in letter.case.items] for letter in letters)
    texts = [json.dumps(own, ensure_ascii=False) for own in by_letter]
    return pd.DataFrame({BY_LETTER: pd.Series(texts, dtype=object)})


def example_input() -> pd.DataFrame:
    """One undecided case record, written for this purpose (``models/example.json``)."""
    record = json.loads(resources.files("imr.models").joinpath("example.json").read_text("utf-8"))
    return pd.DataFrame([record | {"items": json.dumps(record["items"])}])


mlflow.models.set_model(ImrModel())
