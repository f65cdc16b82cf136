"""What is asked of one evaluation beyond its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from imr.training.config import TrainConfig
from imr.training.contenders import Settings
from imr.training.folds import Fold
from imr.training.metrics import Draws, flat
from imr.training.studies import importance, ratings, slices
from imr.training.studies.importance import Contribution, CurvePoint, Loss
from imr.training.studies.ratings import Raters, Sensitivity
from imr.training.studies.slices import CalibrationBin, Slice, Style, Threshold

if TYPE_CHECKING:
    from imr.training.tuning import Study


@dataclass(frozen=True)
class Studies:
    """Empty or None where it was not asked for or the letters do not hold it."""

    thresholds: list[Threshold]
    calibration: list[CalibrationBin]
    slices: list[Slice]
    outcome_importance: list[Contribution]
    outcome_permutation: list[Loss]
    guideline_permutation: list[Loss]
    style: Style | None = None
    raters: Raters | None = None
    tuning: list[Study] = field(default_factory=list)
    outcome_permutation_columns: list[Loss] = field(default_factory=list)
    outcome_ablation: list[Loss] = field(default_factory=list)
    guideline_ablation: list[Loss] = field(default_factory=list)
    learning_curve: list[CurvePoint] = field(default_factory=list)
    sensitivity: list[Sensitivity] = field(default_factory=list)

    @property
    def default_threshold(self) -> Threshold:
        """What the model's own threshold gives."""
        return next(row for row in self.thresholds if row.default)

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Every study that holds something as rows of a table, by name."""
        found = {
            f.name: [flat(row) for row in getattr(self, f.name)]
            for f in fields(self)
            if f.name not in ("style", "raters", "tuning")
        }
        found["tuning"] = [{"fold": study.name, **study.settings} for study in self.tuning]
        if self.style is not None:
            found["style"] = [flat(self.style)]
            found["style_houses"] = [flat(row) for row in self.style.houses]
            found["style_checks"] = [flat(row) for row in self.style.checks]
        if self.raters is not None:
            found["raters"] = [flat(self.raters)]
        return {name: rows for name, rows in found.items() if rows}


def studied(draws: Draws, folds: Sequence[Fold], config: TrainConfig) -> Studies:
    """All studies, on the folds of the first repeat; with ``full`` those that fit anew, too."""
    results = draws.predictions.results
    examined = [r.examined for r in results if r.examined is not None]
    permuted = {
        subject.name: importance.permutation(
            draws, folds, [part[subject.name] for part in examined], subject
        )
        for subject in (importance.OUTCOME, importance.GUIDELINE)
    }
    found = Studies(
        thresholds=slices.thresholds(draws, Settings.of(config).outcome.threshold),
        calibration=slices.calibration_curve(draws),
        slices=slices.sliced(draws),
        outcome_importance=importance.contributions(results),
        outcome_permutation=permuted["outcome"],
        guideline_permutation=permuted["guideline"],
        style=slices.style_study(draws, folds, config),
        raters=ratings.raters_study(draws),
        tuning=[r.study for r in results if r.study is not None],
    )
    if not config.full:
        return found
    return replace(
        found,
        # These fit the models anew, a hundred times and more.
        outcome_permutation_columns=importance.permutation_by_column(draws, folds, config),
        outcome_ablation=importance.ablation(draws, folds, config),
        guideline_ablation=importance.ablation(draws, folds, config, importance.GUIDELINE),
        learning_curve=importance.learning_curve(draws, folds, config),
        sensitivity=ratings.twin_sensitivity(),
    )
