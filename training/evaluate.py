"""One protocol, one table: the models and everything a user would pick instead, same folds.

Folds never part a letter or an injured worker; everything learned is learned inside the training
rows of a fold; every figure carries a bootstrap interval over those groups.  The intervals say how
much the figure would vary with other letters to test on; they leave out that training on other
letters would give another model.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from imr.training import bootstrap as fig
from imr.training.bootstrap import Draws, Figure
from imr.training.config import TrainConfig
from imr.training.contenders.compared import MODEL, Kind, contender_kinds
from imr.training.decisions import Corpus, Sample, load_decisions, ordered, read_corpus, sample
from imr.training.folds import Predictions, folds_of, run_folds
from imr.training.metrics import Estimate
from imr.training.studies import importance
from imr.training.studies.learning_curve import learning_curve
from imr.training.studies.raters import raters_report
from imr.training.studies.style import style_report

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

    from imr.training.split import Fold


@dataclass(frozen=True)
class Evaluation:
    """What the protocol found.  ``figures`` a row a contender and figure, ``differences`` the
    model against each other, ``studies`` the slices, curves and probes by name.
    """

    config: TrainConfig
    sample: Sample
    corpus: Corpus
    folds: list[list[Fold]]
    predictions: Predictions
    figures: list[Figure]
    differences: list[dict[str, Any]]
    studies: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def figure(self, subject: str, metric: str, contender: str = MODEL) -> Estimate:
        """One figure; KeyError where there is none."""
        return fig.of(self.figures, subject, contender, metric)

    @property
    def facts(self) -> dict[str, Any]:
        """The size of the sample and the protocol, for tables and the log."""
        letters = self.sample.frame["letter_id"]
        tested = self.predictions.tested
        return {
            "letters": int(letters.nunique()),
            "items": len(self.sample),
            "overturned": int(self.sample.y.sum()),
            "groups": len(set(self.sample.groups)),
            "tested_items": int(tested.sum()),
            "tested_overturned": int(self.sample.y[tested].sum()),
            "with_texts": self.sample.texts is not None,
            "unreadable": len(self.corpus.errors),
            "data_digest": self.corpus.digest,
            "source": "letters" if self.sample.texts is not None else "decisions",
        }

    @property
    def kinds(self) -> dict[tuple[str, str], Kind]:
        """(subject, contender) -> model, alternative or probe, in the order of the table."""
        return contender_kinds()

    def predictions_table(self) -> pd.DataFrame:
        """Predictions on unseen letters, an item a row, the mean over the repeats: keys, truth,
        probability with interval, hits.  Facts and figures only, no text of a letter.
        """
        import pandas as pd

        rows = np.flatnonzero(self.predictions.tested)
        frame, hits = self.sample.frame, self.predictions.hits[MODEL]
        low, high = _intervals(self.predictions, len(self.sample))
        table = pd.DataFrame(
            {
                "letter_id": frame["letter_id"].to_numpy(dtype=object)[rows],
                "item_index": frame["item_index"].to_numpy(dtype=np.int64)[rows],
                "group": self.sample.groups[rows],
                "category": frame["category"].astype(object).to_numpy()[rows],
                "overturned": self.sample.y[rows],
                "p_overturned": self.predictions.per_item(MODEL)[rows],
                "p_overturned_low": low[rows],
                "p_overturned_high": high[rows],
            }
        )
        for name, values in hits.items():
            table[name] = values.mean(axis=0)[rows]
        return table

    def figures_table(self) -> pd.DataFrame:
        """All figures, a row a contender and figure."""
        import pandas as pd

        return pd.DataFrame([asdict(figure) for figure in self.figures])

    def table(self) -> RenderableType:
        """The protocol's table for the terminal."""
        from imr.training.report.tables import evaluation_tables

        return evaluation_tables(self)

    def text(self, width: int = 118) -> str:
        """The table as plain text."""
        from imr.training.report.tables import as_text

        return as_text(self.table(), width)


def read(config: TrainConfig) -> Corpus:
    """The decided items that the configuration names.

    Raises :class:`imr.training.decisions.NoDecisionsError`.
    """
    if config.letters:
        return read_corpus(config.letters)
    return load_decisions(config.decisions)


def evaluate(config: TrainConfig, corpus: Corpus | None = None) -> Evaluation:
    """The whole protocol on a corpus (default: what ``config`` names); nothing is registered.

    Same seed and data give the same figures to the last digit, on any number of processes.
    Raises :class:`imr.training.decisions.NoDecisionsError` and
    :class:`imr.training.split.SplitError`.
    """
    from joblib import parallel_config
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    corpus = ordered(corpus or read(config))
    # One thread a process: sums in another order would change the last digit.
    with threadpool_limits(1), parallel_config("loky", inner_max_num_threads=1):
        return _evaluated(config, corpus)


def _evaluated(config: TrainConfig, corpus: Corpus) -> Evaluation:
    started = time.monotonic()
    data = sample(corpus)
    folds = folds_of(data, config)
    predictions = run_folds(data, folds, config)
    draws = Draws.of(data, predictions, config.bootstrap, config.seed)
    found = Evaluation(
        config=config,
        sample=data,
        corpus=corpus,
        folds=folds,
        predictions=predictions,
        figures=fig.figures(draws, contender_kinds()),
        differences=fig.differences(draws),
        studies=_studies(draws, folds[0], config),
    )
    return replace(found, seconds=time.monotonic() - started)


def _studies(draws: Draws, folds: list[Fold], config: TrainConfig) -> dict[str, Any]:
    from imr.models.outcome import OutcomeConfig

    p = draws.predictions.outcome[MODEL]
    found: dict[str, Any] = {
        "thresholds": fig.thresholds(draws, p, OutcomeConfig().threshold),
        "calibration": fig.calibration_curve(draws, p),
        "slices": fig.slices(draws),
        "outcome_importance": importance.contributions(draws.predictions.results),
        "outcome_permutation": importance.permutation(draws, folds, config),
        "guideline_permutation": importance.permutation(draws, folds, config, importance.GUIDELINE),
        **(style_report(draws, folds, config) or {}),
        **(raters_report(draws) or {}),
    }
    tuned = [r.study for r in draws.predictions.results if r.study is not None]
    if tuned:
        found["tuning"] = [{"fold": study.name, **study.settings} for study in tuned]
    if config.full:
        found |= _costly_studies(draws, folds, config)
    return found


def _costly_studies(draws: Draws, folds: list[Fold], config: TrainConfig) -> dict[str, Any]:
    """Those that fit the models anew, a hundred times and more."""
    return {
        "outcome_permutation_columns": importance.permutation(draws, folds, config, by_column=True),
        "outcome_ablation": importance.ablation(draws, folds, config),
        "guideline_ablation": importance.ablation(draws, folds, config, importance.GUIDELINE),
        "learning_curve": learning_curve(draws, folds, config),
    }


def _intervals(predictions: Predictions, items: int) -> tuple[Any, Any]:
    """The models' own intervals, the mean over the repeats; NaN where an item was not tested."""
    sums = np.zeros((2, items))
    counts = np.zeros(items)
    for result in predictions.results:
        if result.interval is not None:
            sums[0, result.fold.test] += result.interval[0]
            sums[1, result.fold.test] += result.interval[1]
            counts[result.fold.test] += 1
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = sums / counts
    return low, high
