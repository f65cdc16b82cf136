"""Cases in, predictions with reasons out: what scoring, explaining and the MLflow model share.
Both ends are also data frames: of case records or letters, one a row, and of the output rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit

from imr.data.letter import Case, Evidence, Letter, LetterError, Text
from imr.data.parse import parse
from imr.data.read import paragraphs, visible
from imr.data.records import HEADER_FIELDS, RawRecord, letter_from_record
from imr.data.sources import MAX_TEXT_BYTES
from imr.features.table import CaseSignals, all_columns, signals
from imr.models import bundle as bundles
from imr.models.bundle import Bundle, BundleError, model_address
from imr.models.frame import CASE_FACTS, Array, request_years, signals_frame
from imr.models.guideline import GuidelineModel
from imr.models.outcome import OutcomeModel
from imr.models.outcome.model import Inputs, any_overturned
from imr.models.prediction import (
    GUIDELINES,
    SCORE_COLUMNS,
    Prediction,
    Reason,
    Similar,
    meaning_of,
    prediction_row,
)
from imr.models.reasons import reasons_of
from imr.models.whatif import Change, what_if

ALL = "all requests"
# With fewer decided items a share says nothing; the wider class is shown instead.
MIN_ITEMS = 5
RECORD_COLUMNS = ("letter_id", "case_summary", "items", "text", *(f.name for f in HEADER_FIELDS))
NAME = "imr"
"""The model's name in its rows: inside a logged model nobody knows the address it was loaded by."""
FRAME_TYPES = {"int": "Int64", "float": "Float64"}
"""Types of output columns by their kind; all others are texts."""


@dataclass
class Predictor:
    """Both models, and the decided items by class that stand beside a prediction; ``uri`` and
    ``digest`` name the model in every row.
    """

    outcome: OutcomeModel
    guideline: GuidelineModel
    similar: Mapping[str, Similar]
    about: dict[str, Any] = field(default_factory=dict)
    uri: str = ""
    digest: str = ""

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        overturned: Sequence[bool],
        guideline: Sequence[str],
        outcome_model: OutcomeModel | None = None,
        guideline_model: GuidelineModel | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> Predictor:
        """Fit both models to the signals of decided items; labels run parallel to the rows."""
        return cls(
            outcome=(outcome_model or OutcomeModel()).fit(frame, overturned),
            guideline=(guideline_model or GuidelineModel()).fit(frame, guideline),
            similar=decided_items(frame, overturned),
            about=dict(about or {}),
        )

    @classmethod
    def load(cls, folder: str | Path) -> Predictor:
        """From a model folder (:mod:`imr.serve.model` finds that of an MLflow URI).

        Raises BundleError where the model cannot be used: not there, changed, made with another
        major version of LightGBM, or reading signals that this version does not derive.
        """
        bundle = bundles.load(folder)
        documents, boosters = bundle.documents, bundle.boosters
        predictor = cls(
            outcome=OutcomeModel.from_json(documents["outcome"], boosters),
            guideline=GuidelineModel.from_json(
                documents["guideline"], boosters.get("guideline", [])
            ),
            similar={str(row["of"]): Similar(**row) for row in documents["similar"]},
            about=bundle.about,
            uri=str(folder),
            digest=bundle.digest,
        )
        derived = {*CASE_FACTS, *(column.name for column in all_columns())}
        if missing := sorted(set(predictor.columns) - derived):
            message = f"reads signals that this version does not derive: {', '.join(missing)}"
            raise BundleError(folder, "incompatible", message, "train it again")
        return predictor

    def save(self, folder: str | Path) -> str:
        """Write the model folder (see :mod:`imr.models.bundle`); its digest."""
        documents = {
            "outcome": self.outcome.to_json(),
            "guideline": self.guideline.to_json(),
            "similar": [similar for _, similar in sorted(self.similar.items())],
        }
        boosters = {**self.outcome.boosters(), "guideline": self.guideline.trees}
        self.digest = bundles.save(Bundle(documents, boosters, self.about), folder)
        return self.digest

    @property
    def columns(self) -> tuple[str, ...]:
        """The signals that the two models read."""
        return tuple(sorted({*self.outcome.columns, *self.guideline.columns}))

    def predict(self, cases: Sequence[Case], explain: bool = False) -> list[Prediction]:
        """One prediction an item, in the order of cases and items."""
        derived = [signals(case) for case in cases]
        table = signals_frame(cases, derived)
        evidence = [one.evidence for one in derived] if explain else None
        return self.predict_rows(cases, table, evidence)

    def predict_rows(
        self,
        cases: Sequence[Case],
        table: pd.DataFrame,
        evidence: Sequence[Iterable[Evidence]] | None = None,
    ) -> list[Prediction]:
        """As :meth:`predict`, from signals that are already derived, rows in the order of items.

        With ``evidence`` (one list a case) the predictions carry their reasons.
        """
        if not len(table):
            return []
        inputs = self.outcome.inputs(table)
        scores = self.predict_frame(table, inputs)
        items = [(case, item) for case in cases for item in case.items]
        reasons: list[tuple[Reason, ...]] = [()] * len(items)
        if evidence is not None:
            reasons = reasons_of(self.outcome, cases, table, inputs, evidence)
        # Letters by their place: two may bear one name.
        letters = [place for place, case in enumerate(cases) for _ in case.items]
        p = scores["p_overturned"].to_numpy(dtype=np.float64)
        chances = any_overturned(np.array(letters), p, self.outcome.learned.sibling_share)
        average = self.similar[ALL].overturned / self.similar[ALL].items
        rows: Any = scores.assign(p_any_overturned=chances).to_dict("records")
        return [
            Prediction(
                letter_id=case.letter_id,
                item_index=item.index,
                requested=item.requested,
                category=item.category,
                subcategory=item.subcategory,
                similar=self.similar_to(item.category, item.subcategory),
                reasons=told,
                meaning=meaning_of(row["p_overturned"], average, self.outcome.config.missed_cost),
                **row,
            )
            for (case, item), told, row in zip(items, reasons, rows, strict=True)
        ]

    def what_if(
        self,
        cases: Sequence[Case],
        derived: Sequence[CaseSignals],
        predictions: Sequence[Prediction],
    ) -> list[tuple[Change, ...]]:
        """For every item what would change its estimate (:func:`imr.models.whatif.what_if`);
        ``derived`` are the signals of the cases, ``predictions`` what :meth:`predict` gave.
        """

        def log_odds(table: pd.DataFrame) -> Array:
            return np.asarray(logit(self.outcome.predict(table)["p_overturned"]))

        return what_if(cases, derived, [one.p_overturned for one in predictions], log_odds)

    def predict_frame(self, table: pd.DataFrame, inputs: Inputs | None = None) -> pd.DataFrame:
        """Probabilities, interval, outcome and guidelines for a frame of signals, vectorised."""
        parts = [self.outcome.predict(table, inputs), self.guideline.predict(table, GUIDELINES)]
        return pd.concat(parts, axis=1)

    def similar_to(self, category: str | None, subcategory: str | None) -> Similar:
        """The finest class of decided items, of subcategory, category or all, that has enough."""
        finest = _class_name(category or "", subcategory or "")
        known = [self.similar[n] for n in (finest, category or "") if n in self.similar]
        return next((one for one in known if one.items >= MIN_ITEMS), self.similar[ALL])


def decided_items(frame: pd.DataFrame, overturned: Sequence[bool]) -> dict[str, Similar]:
    """Decided items over all, by category and by subcategory; ``overturned`` parallels the rows."""
    table = frame[["letter_id", "category", "subcategory"]].astype("string").fillna("")
    table = table.assign(year=request_years(frame), overturned=list(overturned))
    by_class = table.groupby([*map(_class_name, table["category"], table["subcategory"])])
    counted = {}
    for name, rows in [(ALL, table), *table.groupby("category"), *by_class]:
        years = rows["year"].dropna()
        counted[str(name)] = Similar(
            of=str(name),
            items=len(rows),
            letters=int(rows["letter_id"].nunique()),
            overturned=int(rows["overturned"].sum()),
            first_year=int(years.min()) if len(years) else None,
            last_year=int(years.max()) if len(years) else None,
        )
    return counted


def _class_name(category: str, subcategory: str) -> str:
    """``"Surgery: Spine"``; the category alone where the two are called the same."""
    return category if subcategory in {"", category} else f"{category}: {subcategory}"


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
    return [_letter(f"row {place}", row) for place, row in enumerate(frame.to_dict("records"))]


def predictions_frame(
    predictor: Predictor, letters: Sequence[Letter], explain: bool
) -> pd.DataFrame:
    """The contract's columns with stable nullable types, one row an item."""
    cases = [letter.case for letter in letters]
    derived = [signals(case) for case in cases]
    evidence = [one.evidence for one in derived] if explain else None
    table = signals_frame(cases, derived)
    predictions = iter(predictor.predict_rows(cases, table, evidence))
    now, uri = datetime.now(UTC), model_address(NAME, predictor.digest)
    rows = [
        prediction_row(next(predictions), uri, now, (*letter.warnings, *found.warnings))
        for letter, found in zip(letters, derived, strict=True)
        for _ in letter.case.items
    ]
    dtypes = {column.name: FRAME_TYPES.get(column.kind, "string") for column in SCORE_COLUMNS}
    return pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)


def _letter(source: str, row: Mapping[Any, Any]) -> Letter:
    values = {str(k): _plain(v) for k, v in row.items()}
    if (whole := values.pop("text", None)) is not None:
        text = str(whole)
        if len(text) > MAX_TEXT_BYTES:
            told = f"the text has {len(text)} characters"
            raise LetterError(source, "too_large", told, "one letter")
        # Its layout is brought in order as that of a file is.
        name = visible(str(values.get("letter_id") or source.replace(" ", "-")))
        return parse(Text(name, source, paragraphs(text)))
    if isinstance(values.get("items"), str):
        try:
            values["items"] = json.loads(values["items"], strict=False)
        except (ValueError, RecursionError):
            raise LetterError(
                source, "not_json", "column 'items': not JSON", "give a JSON list of items"
            ) from None
    return letter_from_record(RawRecord(source, {k: v for k, v in values.items() if v is not None}))


def _plain(value: Any) -> Any:
    """Frame cells as JSON would hold them: null as None, arrays as lists, dates as text."""
    if isinstance(value, (str, list, dict, bool)):
        return value
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    # Before the dates: pandas' NaT is one.
    if pd.isna(value):
        return None
    return value.isoformat() if isinstance(value, (date, datetime)) else value
