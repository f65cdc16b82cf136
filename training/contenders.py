"""Who is compared: the two models, parts of them, what a user would pick, and probes for leaks.

A contender learns from the training rows of one fold and predicts its test rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from imr.models.frame import Array
from imr.models.guideline import GuidelineConfig, GuidelineModel
from imr.models.outcome import OutcomeConfig, OutcomeModel
from imr.models.ranges import out_of_range
from imr.training import alternatives
from imr.training.alternatives import (
    PLACES,
    Cited,
    OutcomePredict,
    joined_texts,
    style_probability,
    text_guideline,
    text_outcome,
)
from imr.training.config import ConfigError, TrainConfig, checked
from imr.training.decisions import Sample

T = TypeVar("T", bound=OutcomeConfig | GuidelineConfig)
Kind = Literal["model", "part", "alternative", "probe"]

MODEL = "imr"
BEFORE = "imr, before learning"
LETTERS_ALONE = "imr, letters alone"
PUBLISHED = "published rates"
STYLE = "style probe"
TITLE, REQUEST, SUMMARY = ("title",), ("title", "administrator"), ("case_summary",)
RATIONALE = ("rationale",)


@dataclass(frozen=True, slots=True)
class Contender:
    """``predict(train, test)`` gives p(overturned) an item, or :class:`Cited`."""

    name: str
    kind: Kind
    predict: Callable[[Sample, Sample], Any]
    needs_texts: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """Of the two models under test, and the seed of the alternatives."""

    outcome: OutcomeConfig = field(default_factory=OutcomeConfig)
    guideline: GuidelineConfig = field(default_factory=GuidelineConfig)
    seed: int = 20161013

    @classmethod
    def of(cls, config: TrainConfig) -> Settings:
        """What a run was told.

        Raises :class:`imr.training.config.ConfigError` for a setting that a model lacks or that is
        outside its range.
        """
        seeded = {"seed": config.seed}
        return cls(
            outcome=_told("outcome", OutcomeConfig(), {**seeded, **config.outcome}),
            guideline=_told("guideline", GuidelineConfig(), {**seeded, **config.guideline}),
            seed=config.seed,
        )


def _told(model: str, defaults: T, values: Mapping[str, Any]) -> T:
    """A model's settings with some of them set."""
    types = {f.name: type(getattr(defaults, f.name)) for f in fields(defaults)}
    told = checked(values, types, f"{model}.")
    if said := out_of_range(defaults, told, f"{model}."):
        raise ConfigError(said)
    return replace(defaults, **told)


def outcome_contenders(settings: Settings) -> tuple[Contender, ...]:
    """All contenders for p(overturned), the model first."""
    text = text_outcome
    return (
        Contender(MODEL, "model", lambda a, b: p_overturned(fit_outcome(a, settings), b)),
        Contender(BEFORE, "part", _unlearned(settings)),
        Contender(LETTERS_ALONE, "part", letters_alone(settings)),
        Contender("base rate", "alternative", alternatives.base_rate),
        Contender("category base rate", "alternative", alternatives.category_base_rate),
        Contender(PUBLISHED, "alternative", alternatives.published_rates),
        Contender("plain LightGBM", "alternative", alternatives.plain_lightgbm(settings.seed)),
        Contender("TF-IDF + LR, title", "alternative", text(TITLE), True),
        Contender("TF-IDF + LR, title + admin.", "alternative", text(REQUEST), True),
        Contender("TF-IDF + LR, summary", "alternative", text(SUMMARY), True),
        Contender(STYLE, "probe", _style_probe, True),
        Contender("rationale probe", "probe", text(RATIONALE), True),
    )


def guideline_contenders(settings: Settings) -> tuple[Contender, ...]:
    """All contenders for the cited guideline, the model first."""
    text, seed = text_guideline, settings.seed
    in_subcategory = alternatives.most_cited_in_subcategory
    return (
        Contender(MODEL, "model", lambda a, b: cited(fit_guideline(a, settings), b)),
        Contender("most cited", "alternative", alternatives.most_cited),
        Contender("most cited in subcategory", "alternative", in_subcategory),
        Contender("copying the administrator", "alternative", alternatives.copy_administrator),
        Contender("LightGBM multiclass", "alternative", alternatives.chapter_lightgbm(seed)),
        Contender("TF-IDF + LR, title", "alternative", text(TITLE), True),
        Contender("TF-IDF + LR, title + admin.", "alternative", text(REQUEST), True),
        Contender("TF-IDF + LR, summary", "alternative", text(SUMMARY), True),
        Contender("rationale probe", "probe", text(RATIONALE), True),
    )


def contender_kinds() -> dict[tuple[str, str], Kind]:
    """(subject, contender) -> kind, in the order of the table."""
    both = {
        "outcome": outcome_contenders(Settings()),
        "guideline": guideline_contenders(Settings()),
    }
    return {(subject, c.name): c.kind for subject, found in both.items() for c in found}


def fit_outcome(train: Sample, settings: Settings) -> Any:
    """The outcome model fitted to the training rows."""
    return OutcomeModel(config=settings.outcome).fit(train.frame, train.overturned)


def p_overturned(model: Any, test: Sample) -> Array:
    """What a fitted outcome model predicts for the test rows."""
    return np.asarray(model.predict(test.frame)["p_overturned"], dtype=np.float64)


def fit_guideline(train: Sample, settings: Settings) -> Any:
    """The guideline model fitted to the training rows."""
    model = GuidelineModel(config=settings.guideline)
    return model.fit(train.frame, train.guideline.tolist())


def cited(model: Any, test: Sample) -> Cited:
    """What a fitted guideline model ranks first, by label and by chapter."""
    names = [f"guideline_{place}" for place in range(1, PLACES + 1)]
    labels = model.predict(test.frame, top=PLACES)[names].to_numpy().tolist()
    return Cited(labels, model.chapters(test.frame, top=PLACES))


def _unlearned(settings: Settings) -> OutcomePredict:
    """The starting odds, moved to the training letters' base rate: what the model knows without
    having learned anything.  No rater had seen a decision, and ratings of the letter itself are
    kept out (:data:`imr.models.outcome.start.JUDGED_APART`), so that folds do not flatter this
    figure.
    """

    def predict(train: Sample, test: Sample) -> Array:
        model = OutcomeModel(config=settings.outcome)
        known, asked = (model.starting_odds(part.frame) for part in (train, test))
        rate = float(train.y.mean())
        shift = brentq(lambda shift: float(expit(known + shift).mean()) - rate, -30, 30)
        return np.asarray(expit(asked + float(shift)))

    return predict


def letters_alone(settings: Settings) -> OutcomePredict:
    """The same model without the judgement: what these letters teach alone."""

    def predict(train: Sample, test: Sample) -> Array:
        model = OutcomeModel(config=settings.outcome, judgement=None)
        return p_overturned(model.fit(train.frame, train.overturned), test)

    return predict


def _style_probe(train: Sample, test: Sample) -> Array:
    known, asked = joined_texts(train, SUMMARY), joined_texts(test, SUMMARY)
    return style_probability(known, train.overturned, asked)
