"""The predictor as an MLflow model from code (no pickle): MLflow runs this file to load it.

Input: a data frame with one letter a row, either as a case record (``letter_id``,
``case_summary``, ``items`` as JSON text and the optional header fields, see ``imr schema``) or as
a whole letter in ``text``.  Output: one row an item with the columns of ``imr score``.  Importing
MLflow at the top is this file's purpose; nothing else imports it.
"""

from __future__ import annotations

from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from models.served import cases_from_frame, predictions_frame


class ImrModel(PythonModel):
    """Loads the model folder that was logged as the artifact ``bundle``."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read and check the folder; raises BundleError."""
        from models.predictor import Predictor

        self.predictor = Predictor.load(context.artifacts["bundle"])

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """One row an item, in the order of letters and items; raises LetterError by row.

        ``params``: ``explain`` (bool, default true) fills ``reasons``.
        """
        explain = bool((params or {}).get("explain", True))
        return predictions_frame(self.predictor, cases_from_frame(model_input), explain)


mlflow.models.set_model(ImrModel())
