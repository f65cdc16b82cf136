"""Cases in, predictions with reasons out: what scoring, explaining and the MLflow model share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imr.data.letter import Case, Evidence
from imr.features.families.indication import signals_of
from imr.models import bundle as bundles
from imr.models.bundle import Bundle, BundleError
from imr.models.effects import ALWAYS, Effect
from imr.models.guideline import GuidelineModel
from imr.models.inputs import CASE_FACTS, signals_frame
from imr.models.judgement import JUDGED
from imr.models.outcome import Inputs, OutcomeModel
from imr.models.similar import Similar, SimilarItems

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

Direction = Literal["for", "against"]
GUIDELINES = 3
# Weaker contributions than this (log odds) are noise of the fit, not reasons.
LEAST_CONTRIBUTION = 0.02
REASONS_EACH_WAY = 4
QUOTES = 2
STATEMENTS = {
    "category": "Published overturn rate of this kind of request",
    "year": "Published overturn rate of the year",
}
NOT_DOCUMENTED = "Not documented: "
# This signal rests on others, which have the quotes.
INDICATED, INDICATION = "indication_documented", "indication"


@dataclass(frozen=True, slots=True)
class Reason:
    """One signal for or against *overturned*.

    ``contribution`` in log odds against the average decided item; ``quotes`` the words of the
    letter that the signal rests on (empty where the signal is that something is not documented).
    """

    signal: str
    value: Any
    contribution: float
    direction: Direction
    statement: str
    quotes: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """The contract's columns for one item, with reasons and similar decided items."""

    letter_id: str
    item_index: int
    requested: str
    category: str | None
    subcategory: str | None
    p_overturned: float
    predicted_outcome: str
    p_overturned_low: float
    p_overturned_high: float
    guideline_1: str
    guideline_1_p: float
    guideline_2: str
    guideline_2_p: float
    guideline_3: str
    guideline_3_p: float
    similar: Similar
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class LetterRollup:
    """A letter as a whole: how many items are expected to be overturned, and whether any is."""

    letter_id: str
    items: int
    expected_overturned: float
    p_any_overturned: float


@dataclass
class Predictor:
    """Both models with what explains them; ``uri`` and ``digest`` name the model in every row."""

    outcome: OutcomeModel
    guideline: GuidelineModel
    similar: SimilarItems
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
            similar=SimilarItems.counted(frame, overturned),
            about=dict(about or {}),
        )

    @classmethod
    def load(cls, uri_or_path: str | Path) -> Predictor:
        """From a folder, or an MLflow URI (``models:/imr@champion``, ``runs:/…``).

        Raises BundleError where the model cannot be used: not there, changed, made with another
        major version of LightGBM, or reading signals that this version does not derive.
        """
        folder = _resolved(str(uri_or_path))
        bundle = bundles.load(folder)
        predictor = cls.from_bundle(bundle)
        predictor.uri = str(uri_or_path)
        predictor._check_columns(folder)
        return predictor

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Predictor:
        """Models out of a checked bundle."""
        documents, boosters = bundle.documents, bundle.boosters
        return cls(
            outcome=OutcomeModel.from_json(
                documents["outcome"], boosters.get("outcome", []), boosters.get("judgement", [])
            ),
            guideline=GuidelineModel.from_json(
                documents["guideline"], boosters.get("guideline", [])
            ),
            similar=SimilarItems.from_json(documents["similar"]),
            about=bundle.about,
            digest=bundle.digest,
        )

    def save(self, folder: str | Path) -> str:
        """Write the model folder (see :mod:`imr.models.bundle`); its digest."""
        documents = {
            "outcome": self.outcome.to_json(),
            "guideline": self.guideline.to_json(),
            "similar": self.similar.to_json(),
        }
        boosters = {"outcome": self.outcome.trees, "guideline": self.guideline.trees}
        if self.outcome.judgement is not None:
            boosters["judgement"] = [self.outcome.judgement.booster]
        self.digest = bundles.save(Bundle(documents, boosters, self.about), folder)
        return self.digest

    @property
    def columns(self) -> tuple[str, ...]:
        """The signals that the two models read."""
        return tuple(sorted({*self.outcome.columns, *self.guideline.columns}))

    def predict(self, cases: Sequence[Case], explain: bool = False) -> list[Prediction]:
        """One prediction an item, in the order of cases and items."""
        from imr.features.table import signals

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
        reasons = self._reasons(cases, table, inputs, evidence) if evidence is not None else None
        items = ((case, item) for case in cases for item in case.items)
        rows: list[dict[str, Any]] = [_named(row) for row in scores.to_dict("records")]
        return [
            Prediction(
                letter_id=case.letter_id,
                item_index=item.index,
                requested=item.requested,
                category=item.category,
                subcategory=item.subcategory,
                similar=self.similar.of(item.category, item.subcategory),
                reasons=reasons[place] if reasons else (),
                **row,
            )
            for place, ((case, item), row) in enumerate(zip(items, rows, strict=True))
        ]

    def predict_frame(self, table: pd.DataFrame, inputs: Inputs | None = None) -> pd.DataFrame:
        """Probabilities, interval, outcome and guidelines for a frame of signals, vectorised."""
        import pandas as pd

        parts = [self.outcome.predict(table, inputs), self.guideline.predict(table, GUIDELINES)]
        return pd.concat(parts, axis=1)

    def rollup(self, predictions: Sequence[Prediction]) -> list[LetterRollup]:
        """One row a letter, in the order of their first items."""
        letters = [p.letter_id for p in predictions]
        table = self.outcome.letter_rollup(letters, [p.p_overturned for p in predictions])
        return [LetterRollup(**_named(row)) for row in table.to_dict("records")]

    def _reasons(
        self,
        cases: Sequence[Case],
        table: pd.DataFrame,
        inputs: Inputs,
        evidence: Sequence[Iterable[Evidence]],
    ) -> list[tuple[Reason, ...]]:
        parts = self.outcome.contributions(table, inputs)
        names, values = list(parts.columns), parts.to_numpy(copy=True)
        # An effect that does not concern the item is no reason, whatever its small share.
        values[:, : inputs.applies.shape[1]][~inputs.applies] = 0.0
        effects = {effect.effect: effect for effect in self.outcome.effects}
        quotes = [_by_item(case, found) for case, found in zip(cases, evidence, strict=True)]
        places = [(c, i.index) for c, case in enumerate(cases) for i in case.items]
        signals = [effects[n].columns[0] if n in effects else n.removeprefix(JUDGED) for n in names]
        cells = {column: table[column].tolist() for column in self.outcome.columns}
        result = []
        for row, chosen in enumerate(_strongest(names, signals, values)):
            case_place, item_index = places[row]
            found = quotes[case_place][item_index]
            result.append(
                tuple(_reason(effects.get(n), n, v, row, cells, found) for n, v in chosen)
            )
        return result

    def _check_columns(self, folder: Path) -> None:
        from imr.features.table import COLUMNS

        missing = sorted(set(self.columns) - {c.name for c in COLUMNS} - set(CASE_FACTS))
        if missing:
            raise BundleError(
                folder,
                "incompatible",
                f"reads signals that this version does not derive: {', '.join(missing)}",
                "train it again",
            )


Quotes = Mapping[str, list[Evidence]]


def _resolved(uri: str) -> Path:
    """The local folder of a path or of an MLflow URI."""
    if "://" not in uri and not uri.startswith(("models:/", "runs:/")):
        return Path(uri)
    import mlflow

    try:
        root = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri))
    except (mlflow.exceptions.MlflowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        message = f"MLflow has no such model: {reason}"
        raise BundleError(uri, "missing", message, "see mlflow ui") from None
    if (root / bundles.MANIFEST).is_file():
        return root
    inside = sorted(root.rglob(bundles.MANIFEST))
    if not inside:
        raise BundleError(uri, "foreign", "holds no imr model", "train one with imr train")
    return inside[0].parent


def _named(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in row.items()}


def _by_item(case: Case, evidence: Iterable[Evidence]) -> Mapping[int, Quotes]:
    """Evidence by item and signal; what holds for the case holds for each of its items."""
    result: dict[int, dict[str, list[Evidence]]] = {i.index: defaultdict(list) for i in case.items}
    for quote in evidence:
        indices = result if quote.item_index is None else (quote.item_index,)
        for index in indices:
            result[index][quote.signal].append(quote)
    return result


def _strongest(
    names: Sequence[str], signals: Sequence[str], values: npt.NDArray[np.float64]
) -> Iterator[list[tuple[str, float]]]:
    """For each row, the strongest contributions each way, strongest first; one a signal.

    What several names say of one signal adds up.  It stands under the strongest expected effect
    that says anything, whose sentence tells more than the definition of the signal.
    """
    import numpy as np

    order = np.argsort(np.array(signals), kind="stable")
    sorted_signals = np.array(signals)[order]
    starts = np.flatnonzero(np.append(True, sorted_signals[1:] != sorted_signals[:-1]))
    groups = np.split(order, starts[1:])
    totals = np.add.reduceat(values[:, order], starts, axis=1)
    each_way = [_largest(side) for side in (totals, -totals)]
    for row in range(len(values)):
        found = []
        for group in (g for way in each_way for g in way[row]):
            total = float(totals[row, group])
            if abs(total) >= LEAST_CONTRIBUTION:
                found.append((_speaker(names, groups[group], values[row]), total))
        yield sorted(found, key=lambda pair: (-abs(pair[1]), pair[0]))


def _largest(totals: npt.NDArray[np.float64]) -> list[list[int]]:
    """The places of the largest positive values of each row, ``REASONS_EACH_WAY`` at most."""
    import numpy as np

    few = min(REASONS_EACH_WAY, totals.shape[1])
    places = np.argpartition(-totals, few - 1, axis=1)[:, :few]
    positive = np.take_along_axis(totals, places, axis=1) > 0
    return [row[known].tolist() for row, known in zip(places, positive, strict=True)]


def _speaker(names: Sequence[str], group: Iterable[int], values: npt.NDArray[np.float64]) -> str:
    """The name that a signal's contribution stands under."""
    sizes = [
        (not names[p].startswith(JUDGED), abs(values[p]), names[p]) for p in group if values[p]
    ]
    return max(sizes)[2]


def _reason(
    effect: Effect | None,
    name: str,
    contribution: float,
    row: int,
    cells: Mapping[str, list[Any]],
    quotes: Quotes,
) -> Reason:
    columns = effect.columns if effect is not None else (name.removeprefix(JUDGED),)
    signal = columns[0] if columns else name
    value = cells[signal][row] if signal in cells else None
    value = None if type(value).__name__ in {"NAType", "NaTType"} else value
    if signal == INDICATED and isinstance(kind := cells[INDICATION][row], str):
        columns = signals_of(kind)
    found = [quote for column in columns for quote in quotes.get(column, ())]
    return Reason(
        signal=signal,
        value=value,
        contribution=contribution,
        direction="for" if contribution > 0 else "against",
        statement=_statement(effect, name, value),
        quotes=tuple(dict.fromkeys(found))[:QUOTES],
    )


def _statement(effect: Effect | None, name: str, value: Any) -> str:
    """The effect's sentence, or that what it speaks of is not documented."""
    if effect is None:
        return STATEMENTS.get(name) or _judged_statement(name.removeprefix(JUDGED), value)
    absent = effect.transform in {"flag", "log1p"} and effect.signal != ALWAYS and not value
    if not absent:
        return effect.statement
    return NOT_DOCUMENTED + effect.statement[0].lower() + effect.statement[1:]


def _judged_statement(signal: str, value: Any) -> str:
    """The definition of the signal, or that what it speaks of is not documented."""
    definition = _definitions()[signal]
    if value is None or value is False:
        return NOT_DOCUMENTED + definition[0].lower() + definition[1:]
    return f"{definition} ({value})" if isinstance(value, str) else definition


@cache
def _definitions() -> Mapping[str, str]:
    from imr.features.table import COLUMNS

    return {column.name: column.definition for column in COLUMNS}
