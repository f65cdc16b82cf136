"""What happens to a denied treatment, before it happens: the Python API of ``imr``.

Read letters, derive their signals, load the model that ``imr train`` registered, predict, explain::

    import imr

    letters = imr.read_letters("data/samples")
    signals = imr.signals_frame(letters)  # one row an item
    model = imr.load_model()  # models:/imr@champion in MLflow's store, or an address, or a folder
    scores = imr.predict(letters, model)  # one row an item, the columns of imr score
    why = imr.explain(letters[0], model)  # the object of imr explain --json
    more = imr.what_if(letters, model)  # one row for each thing that would change an estimate

Cases that are still open come as letters, too: ``read_letters`` reads case records, and
``predict`` takes them as a data frame (``letter_id``, ``case_summary``, ``items``; see
``imr schema``).  These names stay; what stands in the packages below may change.  Nothing heavy is
imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    import pandas as pd

    from imr.data.letter import Letter, LetterError
    from imr.models.predictor import Predictor

__all__ = ["explain", "load_model", "predict", "read_letters", "signals_frame", "what_if"]

CHAMPION = "models:/imr@champion"


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("imr")
    raise AttributeError(f"module 'imr' has no attribute {name!r}")


def read_letters(
    *places: str | PathLike[str], unreadable: list[LetterError] | None = None
) -> list[Letter]:
    """The letters and case records at ``places``, in their order, as ``imr score`` reads them.

    Args:
        places: files, folders, globs, zip archives and URLs of object stores.
        unreadable: where given, the errors of letters that cannot be read are added to it, and the
            others are returned.

    Raises:
        LetterError: where a letter cannot be read, with its ``source`` and ``reason``, and
            ``unreadable`` is not given.
    """
    import os

    from imr.data.letter import LetterError
    from imr.serve.letters import read_letter, tasks

    letters = []
    for task in tasks([os.fspath(place) for place in places]):
        try:
            letters.append(read_letter(task))
        except LetterError as error:
            if unreadable is None:
                raise
            unreadable.append(error)
    return letters


def signals_frame(letters: Iterable[Letter]) -> pd.DataFrame:
    """The signals of all items, one row an item, the columns of ``imr features``.

    Columns and units stand in ``docs/columns.md``; nothing of a decision is among them.
    """
    from imr.features.table import frame, signals

    return frame(row for letter in letters for row in signals(letter.case).rows)


def load_model(address: str | PathLike[str] = CHAMPION) -> Predictor:
    """The model at a registry address, a run's artifact or a folder.

    A registry is that of MLflow's settings (``MLFLOW_TRACKING_URI``), by default of the working
    directory.

    Raises:
        Refused: (``imr.serve.messages``) where there is no such model, or one that is damaged or
            made for other signals.
    """
    import os

    from imr.serve.model import load_predictor, resolve

    found = resolve(os.fspath(address))
    predictor = load_predictor(str(found.folder))
    predictor.uri = found.uri
    return predictor


def predict(
    letters: Iterable[Letter] | pd.DataFrame, model: Predictor, *, reasons: bool = True
) -> pd.DataFrame:
    """One row an item, in the order of letters and items, the columns of ``imr score``.

    A decided letter is predicted blind, and its decision is not carried along.

    Args:
        letters: letters, or a data frame of case records, one row a letter, as the MLflow model
            takes it: ``letter_id``, ``case_summary``, ``items`` (a list or its JSON text) and the
            optional header fields, or a whole letter in ``text``.
        model: what :func:`load_model` gives.
        reasons: whether ``reasons`` is filled, which takes most of the time.

    Raises:
        LetterError: where a row of the data frame is no case record; it names the row.
    """
    import pandas as pd

    from imr.models.predictor import cases_from_frame, predictions_frame

    known = cases_from_frame(letters) if isinstance(letters, pd.DataFrame) else list(letters)
    scores = predictions_frame(model, known, reasons)
    if model.uri:
        scores["model_uri"] = pd.array([model.uri] * len(scores), dtype="string")
    return scores


def explain(letter: Letter, model: Predictor) -> dict[str, Any]:
    """One letter's items with predictions, reasons, quotes and documentation checklist.

    The object of ``imr explain --json``.
    """
    from imr.serve.letter_json import run_detail
    from imr.serve.model import scored

    [answer] = scored(model, [letter], detail=True)
    return run_detail(answer["detail"], model.uri)


def what_if(letters: Iterable[Letter], model: Predictor) -> pd.DataFrame:
    """What would change the estimates: one row a change, by item and by what it gains.

    Columns: ``letter_id``, ``item_index``, ``criteria`` (ids of ``features/rules/criteria.csv``,
    two for a pair), ``action`` (what to do), ``sentence`` (what was added to the summary when the
    case was read anew), ``p_before``, ``p_overturned`` with ``p_overturned_low`` and
    ``p_overturned_high`` (after it, 0 to 1) and ``gain``; the last four are null where a change
    is not estimated.  What the range means: ``docs/glossary.md``.
    """
    import pandas as pd

    from imr.features.table import signals

    cases = [letter.case for letter in letters]
    derived, predictions = [signals(case) for case in cases], model.predict(cases)
    changes = model.what_if(cases, derived, predictions)
    rows = [
        {
            "letter_id": prediction.letter_id,
            "item_index": prediction.item_index,
            "criteria": " + ".join(step.criterion for step in change.steps),
            "action": "; ".join(step.action for step in change.steps),
            "sentence": " ".join(step.sentence for step in change.steps if step.sentence),
            "p_before": prediction.p_overturned,
            "p_overturned": change.p_overturned,
            "p_overturned_low": change.p_overturned_low,
            "p_overturned_high": change.p_overturned_high,
            "gain": change.gain,
        }
        for prediction, found in zip(predictions, changes, strict=True)
        for change in found
    ]
    texts = ("letter_id", "criteria", "action", "sentence")
    floats = ("p_before", "p_overturned", "p_overturned_low", "p_overturned_high", "gain")
    columns = ("letter_id", "item_index", *texts[1:], *floats)
    kinds = dict.fromkeys(texts, "string") | dict.fromkeys(floats, "Float64")
    return pd.DataFrame(rows, columns=columns).astype({**kinds, "item_index": "Int64"})
