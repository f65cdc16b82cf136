"""The predictor as an MLflow model from code (no pickle): MLflow runs this file to load it.

Input: a data frame with one letter a row, either as a case record (``letter_id``,
``case_summary``, ``items`` as a list or its JSON text and the optional header fields, see
``imr schema``) or as a whole letter in ``text``.  Output: one row an item with the columns of
``imr score``.  Importing MLflow at the top is this file's purpose; nothing else imports it.
"""

from __future__ import annotations

from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from imr.data.letter import LetterError
from imr.models.served import PARAMS, cases_from_frame, letters_frame, predictions_frame


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
        from imr.models.predictor import Predictor

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


mlflow.models.set_model(ImrModel())
