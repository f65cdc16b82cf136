"""p(overturned): LightGBM and a small logistic member, both started from what is known.

The starting odds of an item are known before any decided letter is read: two thirds the published
overturn rate of its category and year plus the effects expected from guidelines and law (two
tables), one third what rated vignettes say of it.
A bag of members, each fitted to letters drawn with replacement, moves them: few shallow trees
under monotone constraints, and a logistic regression whose coefficients are shrunken toward the
expected effects, with fixed signs.  Letters left out of a member's draw calibrate the average.
The interval widens where members disagree, where the calibration is unsure, and where few
decided letters ask for the same kind of treatment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imr.models.frame import (
    CLASS_COLUMNS,
    DATE_COLUMNS,
    KEY_COLUMNS,
    Array,
    TrainingDataError,
    by_value,
    check_frame,
    request_years,
    row_order,
)
from imr.models.outcome.calibration import (
    Calibration,
    MapLogistic,
    calibrate,
    one_blas_thread,
    sigmoid,
)
from imr.models.outcome.effects import (
    Effect,
    applicable,
    columns_read,
    effect_matrix,
    effects_from_rows,
    effects_to_json,
    expected_effects,
)
from imr.models.outcome.judgement import JUDGED, Judgement, shipped
from imr.models.outcome.published import PublishedOdds, published_odds
from imr.models.outcome.tree_contributions import TreeContributions

if TYPE_CHECKING:
    import lightgbm as lgb


OVERTURNED, UPHELD = "Overturned", "Upheld"
# Items whose contributions are averaged into the "average decided item": more change nothing.
CENTRE_ITEMS = 2_000


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the model reads of a frame, a row an item.

    ``x`` holds the values of the effects, ``applies`` whether an effect concerns the item, and
    ``offset`` the starting odds (log odds) but for the expected effects; ``judged`` the inputs of
    the judgement.
    """

    x: Array
    applies: npt.NDArray[np.bool_]
    offset: Array
    judged: Array | None = None


@dataclass(frozen=True, slots=True)
class OutcomeConfig:
    """Settings of the outcome model; the defaults suit a few dozen overturned items.

    ``trees`` is the least number of trees a member; ``positives_a_tree`` overturned items allow
    one tree, up to ``most_trees``.  ``tree_share`` weighs trees against the logistic member in
    log odds.  ``effect_sd`` is how far (log odds) letters are expected to move an expected effect:
    the smallest step of the tables.  ``judgement_share`` weighs the judgement of rated vignettes
    against published rates and expected effects: it is the third opinion beside the two tables of
    effects, and counts like each of them.
    A member draws ``most_letters`` letters at most: of many, small draws vote as well as whole
    ones (Breiman, Machine Learning 1999; 36:85-103).  ``sibling_correlation`` down-weights the
    items of one letter to ``1 / (1 + r (n - 1))``.
    ``missed_cost`` is what a missed *overturned* costs in units of one false alarm; an item is
    predicted *Overturned* from ``1 / (1 + missed_cost)`` on, by default 0.2.
    """

    seed: int = 20161013
    members: int = 12
    most_letters: int = 30_000
    trees: int = 20
    most_trees: int = 300
    positives_a_tree: float = 2.0
    leaves: int = 4
    learning_rate: float = 0.03
    min_items_leaf: int = 12
    l2: float = 20.0
    feature_share: float = 0.5
    tree_share: float = 0.5
    effect_sd: float = 0.2
    judgement_share: float = 1 / 3
    intercept_sd: float = 1.0
    sibling_correlation: float = 0.3
    missed_cost: float = 4.0
    level: float = 0.9
    class_sd: float = 0.6
    threads: int = 1

    @property
    def threshold(self) -> float:
        """The probability from which calling an item *Overturned* costs less."""
        return 1.0 / (1.0 + self.missed_cost)


@dataclass
class OutcomeModel:
    """Fit on decided items, predict on any; the frame is that of ``imr.features.table.frame``."""

    config: OutcomeConfig = field(default_factory=OutcomeConfig)
    effects: tuple[Effect, ...] = field(default_factory=expected_effects)
    published: PublishedOdds = field(default_factory=published_odds)
    judgement: Judgement | None = field(default_factory=shipped)
    trees: list[lgb.Booster] = field(default_factory=list)
    coefficients: Array | None = None
    shifts: Array | None = None
    calibration: Calibration | None = None
    letters_by_class: dict[str, int] = field(default_factory=dict)
    sibling_share: float = 0.0
    usual_year: float | None = None
    centre: Array | None = None
    judged_centre: Array | None = None
    out_of_bag: Array | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that must be there; others are ignored."""
        own = {*CLASS_COLUMNS, *KEY_COLUMNS, *DATE_COLUMNS}
        judged = self.judgement.columns if self.judgement else ()
        return tuple(sorted(own | set(columns_read(self.effects)) | set(judged)))

    @property
    def tree_names(self) -> list[str]:
        """Names of the trees' inputs."""
        return [effect.effect for effect in self.effects]

    def fit(self, frame: pd.DataFrame, overturned: Sequence[bool]) -> OutcomeModel:
        """Fit to decided items; ``overturned`` runs parallel to the rows.

        Raises MissingColumnsError, DecisionColumnError, and TrainingDataError where all items
        were decided alike or fewer than three letters are there.
        """
        check_frame(frame, self.columns, "outcome model")
        order = row_order(frame)
        frame = frame.iloc[order].reset_index(drop=True)
        y = np.asarray(overturned, dtype=np.float64)[order]
        letters = frame["letter_id"].astype(str).to_numpy()
        _check_labels(y, letters)
        self.usual_year = _median(request_years(frame))
        read = self._inputs(frame)
        x, offset = read.x, read.offset
        weight = self._weights(letters)
        with one_blas_thread():
            self._fit_bag(x, y, offset, weight, letters)
        self.letters_by_class = _letters_by_class(frame)
        inverse = np.argsort(order)
        score = np.asarray(self.out_of_bag)
        self.calibration = calibrate(score, y, weight)
        p = sigmoid(self.calibration.log_odds(score))
        self.sibling_share = _sibling_share(p, y, letters)
        self.out_of_bag = p[inverse]
        self.centre = np.append(np.nan_to_num(x).mean(axis=0), self._published(frame).mean())
        if self.judgement and read.judged is not None:
            some = read.judged[:: len(read.judged) // CENTRE_ITEMS + 1]
            self.judged_centre = self.judgement.contributions_of(some).mean(axis=0)
        return self

    def inputs(self, frame: pd.DataFrame) -> Inputs:
        """What the model reads of a frame: made once for :meth:`predict` and its reasons."""
        check_frame(frame, self.columns, "outcome model")
        return self._inputs(frame)

    def starting_odds(self, frame: pd.DataFrame) -> Array:
        """The log odds of every item before any decided letter, up to a shift common to all."""
        read = self.inputs(frame)
        return np.asarray(read.offset + np.nan_to_num(read.x) @ self._expected)

    def predict(self, frame: pd.DataFrame, inputs: Inputs | None = None) -> pd.DataFrame:
        """Columns ``p_overturned``, ``p_overturned_low``, ``p_overturned_high``,
        ``predicted_outcome``; index as in ``frame``; ``low <= p <= high`` within 0 and 1.
        """
        calibration, inputs = self._calibrated, inputs or self.inputs(frame)
        with one_blas_thread():
            scores = self._member_scores(inputs.x, inputs.offset)
        centre = calibration.log_odds(scores.mean(axis=1))
        reach = _normal_quantile(self.config.level) * np.sqrt(self._variance(frame, scores))
        p = sigmoid(centre)
        return pd.DataFrame(
            {
                "p_overturned": p,
                "p_overturned_low": np.minimum(sigmoid(centre - reach), p),
                "p_overturned_high": np.maximum(sigmoid(centre + reach), p),
                "predicted_outcome": np.where(p >= self.config.threshold, OVERTURNED, UPHELD),
            },
            index=frame.index,
        )

    def contributions(self, frame: pd.DataFrame, inputs: Inputs | None = None) -> pd.DataFrame:
        """What each effect adds to the calibrated log odds, against the average decided item.

        One column an effect, ``category`` and ``year`` for the published rates, and one a signal
        that the judgement reads (``judged:SIGNAL``); of trees, what each input adds on the way
        (:mod:`imr.models.outcome.tree_contributions`).
        """
        inputs = inputs or self.inputs(frame)
        known, centre = np.nan_to_num(inputs.x), np.asarray(self.centre)
        betas = np.asarray(self.coefficients).mean(axis=0)[1:]
        share = self.config.tree_share
        slopes = (1 - share) * betas + share * self._expected
        linear = (known - centre[:-1]) * slopes
        trees = np.mean([paths.contributions(inputs.x) for paths in self._paths], axis=0)
        of_class = np.array(self.published.log_odds(*_classes(frame), [None] * len(frame)))
        level, offset = self.published.year_log_odds(None), self._published(frame)
        published = np.column_stack([of_class - level, offset - of_class + level - centre[-1]])
        parts = [linear + share * trees, (1 - self._judged_share) * published]
        names = [*self.tree_names, "category", "year"]
        if self.judgement and inputs.judged is not None:
            judged = self.judgement.contributions_of(inputs.judged) - np.asarray(self.judged_centre)
            parts.append(self._judged_share * judged)
            names += [JUDGED + column for column in self.judgement.columns]
        columns = np.column_stack(parts)
        return pd.DataFrame(columns * self._calibrated.slope, columns=names, index=frame.index)

    def letter_rollup(self, letters: Sequence[str], p: Sequence[float]) -> pd.DataFrame:
        """One row a letter: ``items``, ``expected_overturned``, ``p_any_overturned``.

        Siblings stand or fall together in part: the chance of any lies between the largest
        single chance (all together) and that of independent items, weighed as fitted.
        """
        table = pd.DataFrame({"letter_id": list(letters), "p": list(p)})
        groups = table.groupby("letter_id", sort=False)["p"]
        alone = 1.0 - groups.apply(lambda ps: (1.0 - ps).prod())
        together = groups.max()
        share = self.sibling_share
        return pd.DataFrame(
            {
                "items": groups.size(),
                "expected_overturned": groups.sum(),
                "p_any_overturned": share * together + (1.0 - share) * alone,
            }
        ).reset_index()

    def to_json(self) -> dict[str, Any]:
        """Everything but the trees, as plain data."""
        return {
            "config": asdict(self.config),
            "effects": effects_to_json(self.effects),
            "published": self.published.to_json(),
            "coefficients": np.asarray(self.coefficients).tolist(),
            "shifts": np.asarray(self.shifts).tolist(),
            "calibration": self._calibrated.to_json(),
            "letters_by_class": self.letters_by_class,
            "sibling_share": self.sibling_share,
            "usual_year": self.usual_year,
            "centre": np.asarray(self.centre).tolist(),
            "judgement": self.judgement.to_json() if self.judgement else None,
            "judged_centre": _plain(self.judged_centre),
        }

    @classmethod
    def from_json(
        cls,
        stored: Mapping[str, Any],
        trees: Sequence[lgb.Booster],
        judged: Sequence[lgb.Booster] = (),
    ) -> OutcomeModel:
        """The inverse of :meth:`to_json`, with the boosters read from their own files.

        ``judged`` is the judgement's booster, none where the model has no judgement.
        """
        return cls(
            judgement=Judgement.from_json(stored["judgement"], judged[0]) if judged else None,
            judged_centre=None
            if stored["judged_centre"] is None
            else _array(stored["judged_centre"]),
            config=OutcomeConfig(**stored["config"]),
            effects=effects_from_rows(stored["effects"]),
            published=PublishedOdds.from_json(stored["published"]),
            trees=list(trees),
            coefficients=np.array(stored["coefficients"], dtype=np.float64),
            shifts=np.array(stored["shifts"], dtype=np.float64),
            calibration=Calibration.from_json(stored["calibration"]),
            letters_by_class={str(k): int(v) for k, v in stored["letters_by_class"].items()},
            sibling_share=float(stored["sibling_share"]),
            usual_year=stored["usual_year"],
            centre=np.array(stored["centre"], dtype=np.float64),
        )

    @property
    def _calibrated(self) -> Calibration:
        if self.calibration is None:
            raise TrainingDataError("the outcome model is not fitted: call fit first")
        return self.calibration

    @property
    def _judged_share(self) -> float:
        return self.config.judgement_share if self.judgement else 0.0

    @property
    def _expected(self) -> Array:
        own = 1 - self._judged_share
        return own * np.array([effect.prior_log_odds for effect in self.effects])

    @property
    def _linear(self) -> npt.NDArray[np.bool_]:
        """Which effects the logistic member reads: raw numbers are for the trees alone."""
        return np.array([effect.transform != "raw" for effect in self.effects])

    def _inputs(self, frame: pd.DataFrame) -> Inputs:
        offset, judged = (1 - self._judged_share) * self._published(frame), None
        if self.judgement:
            judged = self.judgement.matrix(frame)
            offset = offset + self._judged_share * self.judgement.log_odds_of(judged)
        applies = applicable(frame, self.effects)
        return Inputs(effect_matrix(frame, self.effects, applies), applies, offset, judged)

    def _published(self, frame: pd.DataFrame) -> Array:
        """The published log odds of each item's category and year."""
        odds = self.published.log_odds(*_classes(frame), self._years(frame))
        return np.array(odds, dtype=np.float64)

    def _years(self, frame: pd.DataFrame) -> list[float | None]:
        """The year of each request; an undated one is taken for a letter of the usual year."""
        return [self.usual_year if y is None else y for y in request_years(frame)]

    def _weights(self, letters: npt.NDArray[Any]) -> Array:
        _, codes, counts = np.unique(letters, return_inverse=True, return_counts=True)
        siblings = counts[codes] - 1
        return np.asarray(1.0 / (1.0 + self.config.sibling_correlation * siblings))

    def _fit_bag(
        self, x: Array, y: Array, offset: Array, weight: Array, letters: npt.NDArray[Any]
    ) -> None:
        """Fit all members; ``out_of_bag`` becomes the mean score of members that left a row out."""
        names, codes = np.unique(letters, return_inverse=True)
        totals, counts = np.zeros(len(y)), np.zeros(len(y))
        known = np.nan_to_num(x)
        self.trees, coefficients, shifts = [], [], []
        for draws in _letter_draws(len(names), codes, y, self.config):
            drawn = draws[codes] > 0
            sample = x[drawn], y[drawn], offset[drawn], (weight * draws[codes])[drawn]
            coefficients.append(self._fit_logistic(*sample))
            tree, shift = self._fit_trees(*sample, self._rounds(y))
            self.trees.append(tree)
            shifts.append(shift)
            left_out = ~drawn
            rest = x[left_out], known[left_out], offset[left_out]
            totals[left_out] += self._one_score(*rest, coefficients[-1], shift, tree)
            counts[left_out] += 1
        self.coefficients, self.shifts = np.array(coefficients), np.array(shifts)
        missed = counts == 0
        if missed.any():
            totals[missed] = self._member_scores(x[missed], offset[missed]).mean(axis=1)
            counts[missed] = 1
        self.out_of_bag = totals / counts

    def _fit_logistic(self, x: Array, y: Array, offset: Array, weight: Array) -> Array:
        linear, config = self._linear, self.config
        sd = np.where(linear, config.effect_sd, 1e-6)
        shape = MapLogistic(
            mean=np.append(0.0, np.where(linear, self._expected, 0.0)),
            sd=np.append(config.intercept_sd, sd),
            signs=np.append(0, [effect.sign for effect in self.effects]),
        )
        design = np.column_stack([np.ones(len(y)), np.where(linear, np.nan_to_num(x), 0.0)])
        return shape.fit(design, y, offset, weight)

    def _fit_trees(
        self, x: Array, y: Array, offset: Array, weight: Array, rounds: int
    ) -> tuple[lgb.Booster, float]:
        """The trees and the shift that puts the starting odds at the level of the letters."""
        import lightgbm as lgb

        start = offset + np.nan_to_num(x) @ self._expected
        shift = MapLogistic(np.zeros(1), np.ones(1), np.zeros(1, dtype=np.int64)).fit(
            np.ones((len(y), 1)), y, start, weight
        )
        data = lgb.Dataset(
            x,
            label=y,
            weight=weight,
            init_score=start + shift[0],
            feature_name=self.tree_names,
            free_raw_data=True,
        )
        booster = lgb.train(self._tree_settings(), data, num_boost_round=rounds)
        return booster, float(shift[0])

    def _rounds(self, y: Array) -> int:
        """One tree for every so many overturned items: what the data can teach grows with them."""
        config = self.config
        wanted = int(y.sum() / config.positives_a_tree)
        return min(max(wanted, config.trees), config.most_trees)

    def _tree_settings(self) -> dict[str, Any]:
        config = self.config
        return {
            "objective": "binary",
            "learning_rate": config.learning_rate,
            "num_leaves": config.leaves,
            "min_data_in_leaf": config.min_items_leaf,
            "min_sum_hessian_in_leaf": 0.5,
            "min_data_in_bin": 3,
            "lambda_l2": config.l2,
            "feature_fraction": config.feature_share,
            "feature_fraction_seed": config.seed,
            "monotone_constraints": [effect.sign for effect in self.effects],
            "monotone_constraints_method": "advanced",
            "boost_from_average": False,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": config.threads,
            "seed": config.seed,
            "verbosity": -1,
        }

    def _one_score(
        self, x: Array, known: Array, offset: Array, beta: Array, shift: float, tree: lgb.Booster
    ) -> Array:
        """The score of one member; ``known`` is ``x`` with 0 for null."""
        logistic = offset + beta[0] + known @ beta[1:]
        raw = np.asarray(tree.predict(x, raw_score=True, num_threads=self.config.threads))
        boosted = offset + shift + known @ self._expected + raw
        share = self.config.tree_share
        return np.asarray(share * boosted + (1 - share) * logistic, dtype=np.float64)

    def _member_scores(self, x: Array, offset: Array) -> Array:
        if not len(x):
            return np.empty((0, len(self.trees)))
        betas, shifts = np.asarray(self.coefficients), np.asarray(self.shifts)
        members = zip(betas, shifts, self.trees, strict=True)
        known = np.nan_to_num(x)
        return np.column_stack([self._one_score(x, known, offset, *member) for member in members])

    @cached_property
    def _paths(self) -> list[TreeContributions]:
        return [TreeContributions.of(tree) for tree in self.trees]

    def _variance(self, frame: pd.DataFrame, scores: Array) -> Array:
        """Of the calibrated log odds: members, calibration line, and unfamiliar classes."""
        calibration = self._calibrated
        spread = calibration.slope**2 * scores.var(axis=1)
        seen = by_value(frame["subcategory"], lambda v: self.letters_by_class.get(str(v), 0))
        unfamiliar = self.config.class_sd**2 / (1.0 + seen)
        return np.asarray(spread + calibration.variance(scores.mean(axis=1)) + unfamiliar)


def _letter_draws(
    letters: int, codes: npt.NDArray[np.intp], y: Array, config: OutcomeConfig
) -> list[Array]:
    """How often each member draws each letter; a draw of one outcome only is drawn again."""
    random = np.random.default_rng(config.seed)
    draws: list[Array] = []
    while len(draws) < config.members:
        drawn_letters = random.integers(letters, size=min(letters, config.most_letters))
        counts = np.bincount(drawn_letters, minlength=letters)
        drawn = counts[codes] > 0
        if 0 < y[drawn].sum() < drawn.sum():
            draws.append(counts.astype(np.float64))
    return draws


def _check_labels(y: Array, letters: npt.NDArray[Any]) -> None:
    if len(set(letters)) < 3:
        raise TrainingDataError(f"{len(set(letters))} letter(s): at least 3 are needed to train")
    positives = int(y.sum())
    if positives in {0, len(y)}:
        alike = OVERTURNED if positives else UPHELD
        raise TrainingDataError(
            f"all {len(y)} items are {alike}: both outcomes are needed to train"
        )


def _letters_by_class(frame: pd.DataFrame) -> dict[str, int]:
    counts = frame.groupby(frame["subcategory"].astype(str))["letter_id"].nunique()
    return {str(name): int(count) for name, count in counts.items()}


def _sibling_share(p: Array, y: Array, letters: npt.NDArray[Any]) -> float:
    """The share (0-1, steps of 0.05) under which 'any overturned' was most likely."""
    names, codes = np.unique(letters, return_inverse=True)
    alone = 1.0 - np.exp(np.bincount(codes, np.log1p(-np.clip(p, 1e-9, 1 - 1e-9))))
    together, any_overturned = np.zeros(len(names)), np.zeros(len(names))
    np.maximum.at(together, codes, p)
    np.maximum.at(any_overturned, codes, y)
    shares = np.linspace(0.0, 1.0, 21)
    chances = np.clip(shares[:, None] * together + (1 - shares)[:, None] * alone, 1e-9, 1 - 1e-9)
    likelihood = np.where(any_overturned > 0, np.log(chances), np.log1p(-chances)).sum(axis=1)
    return float(shares[int(np.argmax(likelihood))])


def _plain(values: Array | None) -> list[float] | None:
    return None if values is None else [float(value) for value in values]


def _array(values: Sequence[float]) -> Array:
    return np.array(values, dtype=np.float64)


def _normal_quantile(level: float) -> float:
    """Half-width in standard deviations of a central interval: 0.9 -> 1.645."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 + level / 2)


def _median(years: Sequence[float | None]) -> float | None:
    known = sorted(year for year in years if year is not None)
    return known[len(known) // 2] if known else None


def _classes(frame: pd.DataFrame) -> tuple[list[str | None], list[str | None]]:
    category, subcategory = (frame[name].to_numpy(dtype=object) for name in CLASS_COLUMNS)
    return [_text(v) for v in category], [_text(v) for v in subcategory]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
