"""Cases in, predictions with reasons out: what scoring, explaining and the MLflow model share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit

from imr.data.letter import Case, Evidence
from imr.features.table import CaseSignals, all_columns, signals
from imr.models import bundle as bundles
from imr.models.bundle import Bundle, BundleError
from imr.models.frame import CASE_FACTS, Array, request_years, signals_frame
from imr.models.guideline import GuidelineModel
from imr.models.outcome import OutcomeModel
from imr.models.outcome.model import Inputs, any_overturned
from imr.models.prediction import GUIDELINES, Prediction, Similar, meaning_of
from imr.models.reasons import reasons_of
from imr.models.whatif import Change, what_if

ALL = "all requests"
# With fewer decided items a share says nothing; the wider class is shown instead.
MIN_ITEMS = 5


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
        reasons = None
        if evidence is not None:
            reasons = reasons_of(self.outcome, cases, table, inputs, evidence)
        # Letters by their place: two may bear one name.
        letters = [place for place, case in enumerate(cases) for _ in case.items]
        p = scores["p_overturned"].to_numpy(dtype=np.float64)
        chances = any_overturned(np.array(letters), p, self.outcome.learned.sibling_share)
        scores = scores.assign(p_any_overturned=chances)
        average = self.similar[ALL].overturned / self.similar[ALL].items
        items = ((case, item) for case in cases for item in case.items)
        rows: Any = scores.to_dict("records")
        return [
            Prediction(
                letter_id=case.letter_id,
                item_index=item.index,
                requested=item.requested,
                category=item.category,
                subcategory=item.subcategory,
                similar=self.similar_to(item.category, item.subcategory),
                reasons=reasons[place] if reasons else (),
                meaning=meaning_of(row["p_overturned"], average, self.outcome.config.missed_cost),
                **row,
            )
            for place, ((case, item), row) in enumerate(zip(items, rows, strict=True))
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
            p = self.outcome.predict(table)["p_overturned"].to_numpy(dtype=np.float64)
            return np.asarray(logit(p))

        return what_if(cases, derived, [one.p_overturned for one in predictions], log_odds)

    def predict_frame(self, table: pd.DataFrame, inputs: Inputs | None = None) -> pd.DataFrame:
        """Probabilities, interval, outcome and guidelines for a frame of signals, vectorised."""
        parts = [self.outcome.predict(table, inputs), self.guideline.predict(table, GUIDELINES)]
        return pd.concat(parts, axis=1)

    def similar_to(self, category: str | None, subcategory: str | None) -> Similar:
        """The finest class of decided items, of subcategory, category or all, that has enough."""
        for name in (_class_name(category or "", subcategory or ""), category or ""):
            found = self.similar.get(name)
            if found is not None and found.items >= MIN_ITEMS:
                return found
        return self.similar[ALL]


def decided_items(frame: pd.DataFrame, overturned: Sequence[bool]) -> dict[str, Similar]:
    """Decided items over all, by category and by subcategory; ``overturned`` parallels the rows."""
    table = frame[["letter_id", "category", "subcategory"]].astype("string").fillna("")
    table = table.assign(year=request_years(frame), overturned=list(overturned))
    names = zip(table["category"], table["subcategory"], strict=True)
    by_class = table.groupby([_class_name(*both) for both in names])
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
