"""p(overturned): starting odds that decided letters move, as far as they have shown to know more.

The starting odds of an item are known before any decided letter is read
(:mod:`imr.models.outcome.start`).  Members learn from the letters what the start does not know,
each without a share of the letters.  A member has two parts, both LightGBM on every signal: the
*correction* goes on from the starting odds with shallow trees; the *forest* has more capacity and
does not know the start.

How much start and parts count is decided on the letters that a member left out, by a super
learner (van der Laan, Polley & Hubbard, Stat Appl Genet Mol Biol 2007; 6(1)): a logistic regression
weighs their log odds.  Its normal prior says that the start is right as it stands and that letters
add a little, so that few letters change little.

The interval widens where members disagree, where the weights are unsure, where few decided letters
ask for the same kind of treatment, and with what a reader sees in a case beyond the judgement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, logit
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from imr.features.families.facts import FACTS
from imr.features.table import all_columns
from imr.models.config import OutcomeConfig
from imr.models.frame import (
    KEY_COLUMNS,
    Array,
    SignalInputs,
    TrainingDataError,
    by_value,
    check_frame,
    drawn_letters,
    row_order,
)
from imr.models.outcome.start import Judgement, Known, Start, TreeContributions, shipped, some_rows

if TYPE_CHECKING:
    import lightgbm as lgb

OVERTURNED, UPHELD = "Overturned", "Upheld"
LEARNED = "learned:"
"""Before the name of a signal: what the signal adds through what the letters taught."""
_LEAST = 1e-9
# A label of fewer training items than this is null: it would tell single letters apart.
LEAST_LABELLED = 5
# Prior of the weights: the level, the start, the correction of the start, the forest.
# The start counts as it stands until letters say otherwise; its slope may go either way.  The
# forest of few letters is flat by itself: it counts fully and still moves next to nothing.
PRIOR_MEAN = np.array([0.0, 1.0, 0.25, 1.0])
PRIOR_SD = np.array([1.0, 0.4, 0.5, 0.7])
# A part that counts less than this is left out, and costs nothing when scoring.
LEAST_WEIGHT = 0.005
# What of Fitted is stored as it is.
_FIGURES = ("letters_by_class", "sibling_share", "judged_share", "signal_centre")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the model reads of a frame, a row an item: what is known before any letter, and every
    signal as a number (items, signals).
    """

    known: Known
    signals: Array


@dataclass(frozen=True)
class Member:
    """The trees of correction and forest; a part that does not count has none."""

    correction: lgb.Booster | None
    forest: lgb.Booster | None

    def scores(self, start: Array, signals: Array) -> Array:
        """Log odds of start, correction (added to the start) and forest (counted from the base
        rate), shape (items, 3).  None holds the level of the member's own letters, which would tell
        its left-out letters apart from those of the other members.
        """
        scores = np.zeros((len(start), 3))
        scores[:, 0] = start
        for place, trees in enumerate((self.correction, self.forest), start=1):
            if trees is not None and len(start):
                scores[:, place] = trees.predict(signals, raw_score=True, num_threads=1)
        return scores

    def contributions(self, signals: Array, weights: Sequence[float]) -> Array:
        """What each signal adds through both parts by their weights, shape (items, signals)."""
        total = np.zeros(signals.shape)
        for weight, steps in zip(weights, self._steps, strict=True):
            total += weight * steps.contributions(signals) if steps else 0.0
        return total

    @cached_property
    def _steps(self) -> list[TreeContributions | None]:
        parts = (self.correction, self.forest)
        return [TreeContributions.of(trees) if trees else None for trees in parts]


@dataclass(frozen=True, slots=True)
class Mixture:
    """Weights of level, start, correction and forest, and their covariance."""

    weights: Array
    covariance: Array

    @classmethod
    def fitted(cls, parts: Array, y: Array, weight: Array) -> Mixture:
        """From log odds of left-out letters, shape (items, 3), and what was decided (0/1)."""
        x = _with_level(parts)
        weights = fit_logistic(x, y, np.zeros(len(y)), weight, PRIOR_MEAN, PRIOR_SD, (1, 2, 3))
        p = expit(x @ weights)
        # Items of one letter count as fewer than they are, and so in the variance.
        information = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(PRIOR_SD**-2.0)
        covariance = np.linalg.inv(information)
        left_out = np.append(False, weights[1:] < LEAST_WEIGHT)
        covariance[left_out, :] = 0.0
        covariance[:, left_out] = 0.0
        return cls(np.where(left_out, 0.0, weights), covariance)

    def log_odds(self, parts: Array) -> Array:
        """Calibrated log odds, shape (items,), from those of the parts, shape (items, 3)."""
        return np.asarray(_with_level(parts) @ self.weights)

    def variance(self, parts: Array) -> Array:
        """Variance of the calibrated log odds from not knowing the weights."""
        x = _with_level(parts)
        return np.asarray(np.einsum("ij,jk,ik->i", x, self.covariance, x))

    def start_share(self, parts: Array) -> float:
        """The share (0-1) of the estimates' variance that the start gives, of the two together that
        start and learned parts give each by itself.
        """
        start = float(np.var(self.weights[1] * parts[:, 0]))
        learned = float(np.var(parts[:, 1:] @ self.weights[2:]))
        return start / (start + learned) if start > 0 else 0.0


def _with_level(parts: Array) -> Array:
    return np.column_stack([np.ones(len(parts)), parts])


@dataclass(frozen=True)
class Fitted:
    """What decided letters taught.

    ``letters_by_class`` counts letters by subcategory; ``sibling_share`` is how far the items of a
    letter stand or fall together (0-1); ``judged_share`` is the share (0-1) of the estimates'
    variance that the judgement gives; ``left_out`` holds p(overturned) of the training items by
    members that had not learned from them, in the order of the training frame (not stored).
    """

    start: Start
    inputs: SignalInputs
    members: tuple[Member, ...]
    mixture: Mixture
    letters_by_class: dict[str, int]
    sibling_share: float
    judged_share: float
    signal_centre: Array
    left_out: Array | None = None


@dataclass
class OutcomeModel:
    """Fit on decided items, predict on any; the frame is that of ``imr.features.table.frame``."""

    config: OutcomeConfig = field(default_factory=OutcomeConfig)
    judgement: Judgement | None = field(default_factory=shipped)
    fitted: Fitted | None = None

    @property
    def start(self) -> Start:
        """The starting odds, fitted or not."""
        return self.fitted.start if self.fitted else Start(judgement=self.judgement)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that must be there; others are ignored."""
        return tuple(sorted({*KEY_COLUMNS, *self.start.columns, *signal_columns()}))

    @property
    def learned(self) -> Fitted:
        """What decided letters taught; raises TrainingDataError before :meth:`fit`."""
        if self.fitted is None:
            raise TrainingDataError("the outcome model is not fitted: call fit first")
        return self.fitted

    def fit(self, frame: pd.DataFrame, overturned: Sequence[bool]) -> OutcomeModel:
        """Fit to decided items; ``overturned`` runs parallel to the rows.

        Raises MissingColumnsError, DecisionColumnError, and TrainingDataError where all items
        were decided alike or fewer than three letters are there.
        """
        check_frame(frame, self.columns, "outcome model")
        self.fitted = None
        order = row_order(frame)
        labels = np.asarray(overturned, dtype=np.float64)
        letters = frame["letter_id"].astype(str).to_numpy()
        if len(set(letters)) < 3:
            letters_there = f"{len(set(letters))} letter(s)"
            raise TrainingDataError(f"{letters_there}: at least 3 are needed to train")
        if len(set(labels)) < 2:
            told = f"all {len(labels)} items are {OVERTURNED if labels[0] else UPHELD}"
            raise TrainingDataError(f"{told}: both outcomes are needed to train")
        most = self.config.members * self.config.most_letters
        order = order[drawn_letters(letters[order], most, self.config.seed)]
        with threadpool_limits(limits=1, user_api="blas"):
            fitted = self._fitted(frame.iloc[order].reset_index(drop=True), labels[order])
        left_out = np.full(len(frame), np.nan)
        left_out[order] = fitted.left_out
        by_class = frame.groupby(frame["subcategory"].astype(str))["letter_id"].nunique()
        counts = {str(name): int(count) for name, count in by_class.items()}
        self.fitted = replace(fitted, letters_by_class=counts, left_out=left_out)
        return self

    def inputs(self, frame: pd.DataFrame) -> Inputs:
        """What the model reads of a frame: made once for :meth:`predict` and its reasons."""
        check_frame(frame, self.columns, "outcome model")
        return Inputs(self.start.known(frame), self.learned.inputs.matrix(frame))

    def starting_odds(self, frame: pd.DataFrame) -> Array:
        """The log odds of every item before any decided letter, up to a shift common to all."""
        check_frame(frame, self.start.columns, "outcome model")
        return self.start.known(frame).log_odds

    def predict(self, frame: pd.DataFrame, inputs: Inputs | None = None) -> pd.DataFrame:
        """Columns ``p_overturned``, ``p_overturned_low``, ``p_overturned_high``,
        ``predicted_outcome``; index as in ``frame``; ``low <= p <= high`` within 0 and 1.
        """
        fitted, inputs = self.learned, inputs or self.inputs(frame)
        start = inputs.known.log_odds
        parts = np.array([member.scores(start, inputs.signals) for member in fitted.members])
        by_member = np.array([fitted.mixture.log_odds(scores) for scores in parts])
        centre = by_member.mean(axis=0)
        # Delete-a-group jackknife: each member lacks one share of the letters.
        spread = (len(fitted.members) - 1) * by_member.var(axis=0)
        seen = by_value(frame["subcategory"], lambda v: fitted.letters_by_class.get(str(v), 0))
        p = expit(centre)
        # How far a kind of treatment lies from what all letters say, as letters of it tell.
        unfamiliar = 1.0 / (self.config.class_sd**-2 + seen * p * (1.0 - p))
        # What a reader sees in the case and the judgement does not, as far as it rests on that.
        unread = fitted.judged_share * self.config.judgement_sd**2
        variance = spread + fitted.mixture.variance(parts.mean(axis=0)) + unfamiliar + unread
        reach = NormalDist().inv_cdf(0.5 + self.config.level / 2) * np.sqrt(variance)
        # p is the mean of rates that scatter in log odds; their median lies further from one half
        # (MacKay, "The evidence framework applied to classification networks", 1992).
        median = centre * np.sqrt(1.0 + np.pi / 8.0 * variance)
        return pd.DataFrame(
            {
                "p_overturned": p,
                "p_overturned_low": np.minimum(expit(median - reach), p),
                "p_overturned_high": np.maximum(expit(median + reach), p),
                "predicted_outcome": np.where(p >= self.config.threshold, OVERTURNED, UPHELD),
            },
            index=frame.index,
        )

    def contributions(self, frame: pd.DataFrame, inputs: Inputs | None = None) -> pd.DataFrame:
        """What is added to the calibrated log odds, against the average decided item.

        Columns: ``year`` is the published level of the year, ``judged:SIGNAL`` what a signal adds
        through the judgement, ``learned:SIGNAL`` through what the letters taught.
        """
        fitted, inputs = self.learned, inputs or self.inputs(frame)
        start = fitted.mixture.weights[1] * fitted.start.contributions(inputs.known)
        learned = _learned(fitted.members, fitted.mixture, inputs.signals) - fitted.signal_centre
        names = [*fitted.start.names, *(LEARNED + name for name in fitted.inputs.columns)]
        return pd.DataFrame(np.column_stack([start, learned]), columns=names, index=frame.index)

    def boosters(self) -> dict[str, list[lgb.Booster]]:
        """All trees by name, for the bundle."""
        members, judgement = self.learned.members, self.learned.start.judgement
        return {
            "correction": [m.correction for m in members if m.correction],
            "forest": [m.forest for m in members if m.forest],
            "judgement": [judgement.booster] if judgement else [],
        }

    def to_json(self) -> dict[str, Any]:
        """Everything but the trees, as plain data."""
        fitted = self.learned
        return {
            "config": asdict(self.config),
            "start": fitted.start.to_json(),
            "inputs": {**vars(fitted.inputs), "signs": fitted.inputs.signs},
            "members": len(fitted.members),
            "mixture": asdict(fitted.mixture),
            **{name: getattr(fitted, name) for name in _FIGURES},
        }

    @classmethod
    def from_json(
        cls, stored: Mapping[str, Any], boosters: Mapping[str, Sequence[lgb.Booster]]
    ) -> OutcomeModel:
        """The inverse of :meth:`to_json`, with the trees of :meth:`boosters`."""
        start = Start.from_json(stored["start"], next(iter(boosters.get("judgement", ())), None))
        read = {name: stored["inputs"][name] for name in ("columns", "labels", "facts")}
        nothing = [None] * stored["members"]
        parts = (boosters.get(name) or nothing for name in ("correction", "forest"))
        figures = {name: stored[name] for name in _FIGURES}
        return cls(
            config=OutcomeConfig(**stored["config"]),
            judgement=start.judgement,
            fitted=Fitted(
                start=start,
                inputs=SignalInputs.from_json(**read),
                members=tuple(Member(*trees) for trees in zip(*parts, strict=True)),
                mixture=Mixture(**{name: np.array(v) for name, v in stored["mixture"].items()}),
                **{**figures, "signal_centre": np.array(figures["signal_centre"], np.float64)},
            ),
        )

    def _fitted(self, frame: pd.DataFrame, y: Array) -> Fitted:
        """Members, mixture and centres from ordered items."""
        start = self.start.with_usual_year(frame)
        known, inputs = start.known(frame), inputs_met(frame)
        signals = inputs.matrix(frame)
        letters = frame["letter_id"].astype(str).to_numpy()
        _, codes, siblings = np.unique(letters, return_inverse=True, return_counts=True)
        extra = np.asarray(siblings[codes] - 1, dtype=np.float64)
        weight = 1.0 / (1.0 + self.config.sibling_correlation * extra)
        members, parts = [], np.full((len(y), 3), np.nan)
        for inside, outside in _shares(letters, y, self.config):
            rows = signals[inside], known.log_odds[inside], y[inside], weight[inside]
            members.append(self._member(inputs, *rows))
            parts[outside] = members[-1].scores(known.log_odds[outside], signals[outside])
        # Where all overturned items are in one share, nobody can learn without it.
        everywhere = np.isnan(parts).any(axis=1)
        if everywhere.any():
            start_odds, rest = known.log_odds[everywhere], signals[everywhere]
            parts[everywhere] = np.mean([m.scores(start_odds, rest) for m in members], axis=0)
        mixture = Mixture.fitted(parts, y, weight)
        p = expit(mixture.log_odds(parts))
        # Without the parts that the mixture leaves out.
        correction, forest = mixture.weights[2:]
        counting = tuple(
            Member(m.correction if correction else None, m.forest if forest else None)
            for m in members
        )
        return Fitted(
            start=start.centred(known),
            inputs=inputs,
            members=counting,
            mixture=mixture,
            letters_by_class={},
            sibling_share=sibling_share(p, y, letters),
            judged_share=0.0 if start.judgement is None else mixture.start_share(parts),
            signal_centre=_learned(counting, mixture, some_rows(signals)).mean(axis=0),
            left_out=p,
        )

    def _member(
        self, inputs: SignalInputs, signals: Array, start: Array, y: Array, weight: Array
    ) -> Member:
        column, zero, one = np.ones((len(y), 1)), np.zeros(1), np.ones(1)
        shift = float(fit_logistic(column, y, start, weight, zero, one, ())[0])
        base = np.full(len(y), logit(np.average(y, weights=weight)))
        return Member(
            fit_trees(self.config, "", inputs, signals, start + shift, y, weight),
            fit_trees(self.config, "forest_", inputs, signals, base, y, weight),
        )


def signal_columns() -> tuple[str, ...]:
    """The signals that members read; dates are left out, for they would be one a letter."""
    return tuple(c.name for c in all_columns() if c.dtype != "date" and c.name not in KEY_COLUMNS)


def inputs_met(frame: pd.DataFrame) -> SignalInputs:
    """Every signal as a number, with the labels that a training frame holds often enough."""
    columns, labels = signal_columns(), {}
    for column in all_columns():
        if column.dtype == "str" and column.name in columns:
            counts = frame[column.name].value_counts()
            labels[column.name] = tuple(sorted(counts.index[counts >= LEAST_LABELLED]))
    return SignalInputs(columns, labels, frozenset(FACTS).intersection(columns))


def fit_trees(
    config: OutcomeConfig,
    part: Literal["", "forest_"],
    inputs: SignalInputs,
    signals: Array,
    start: Array,
    y: Array,
    weight: Array,
) -> lgb.Booster:
    """Trees that go on from ``start`` (log odds); ``part`` is before the names of its settings."""
    import lightgbm as lgb

    def own(name: str) -> Any:
        return getattr(config, part + name)

    labelled = [place for place, name in enumerate(inputs.columns) if name in inputs.labels]
    data = lgb.Dataset(signals, y, weight=weight, init_score=start, categorical_feature=labelled)
    settings = {
        "seed": config.seed,
        "num_threads": config.threads,
        "objective": "binary",
        "boost_from_average": False,
        "learning_rate": own("learning_rate"),
        "num_leaves": own("leaves"),
        "min_data_in_leaf": own("min_items_leaf"),
        "min_data_per_group": own("min_items_leaf"),
        "lambda_l2": own("l2"),
        "feature_fraction": own("signal_share"),
        "monotone_constraints": inputs.signs,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    rounds = min(max(int(y.sum() / config.positives_a_tree), own("trees")), own("most_trees"))
    return lgb.train(settings, data, num_boost_round=rounds)


def fit_logistic(
    x: Array,
    y: Array,
    offset: Array,
    weight: Array,
    mean: Array,
    sd: Array,
    positive: Sequence[int],
) -> Array:
    """The most probable coefficients of a logistic regression given ``y`` (0/1), starting odds and
    weights; ``mean`` and ``sd`` of their normal prior, and ``positive``: which are not below 0.
    """

    def loss(beta: Array) -> tuple[float, Array]:
        score = offset + x @ beta
        gap = (beta - mean) / sd
        nll = float(np.sum(weight * (np.logaddexp(0.0, score) - y * score)))
        gradient = x.T @ (weight * (expit(score) - y)) + gap / sd
        return nll + 0.5 * float(gap @ gap), gradient

    bounds = [(0.0 if place in positive else None, None) for place in range(len(mean))]
    fitted = minimize(loss, mean.copy(), jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(fitted.x, dtype=np.float64)


def _learned(members: Sequence[Member], mixture: Mixture, signals: Array) -> Array:
    """What each signal adds through the members, weighed, shape (items, signals)."""
    total = np.zeros(signals.shape)
    for member in members:
        total += member.contributions(signals, mixture.weights[2:].tolist())
    return total / len(members)


def _shares(
    letters: npt.NDArray[Any], y: Array, config: OutcomeConfig
) -> Iterator[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """For each member the rows it learns from and those of the share of letters it leaves out.

    Letters with an overturned item are dealt out first, so that every share has its part of them.
    """
    names, codes = np.unique(letters, return_inverse=True)
    random = np.random.default_rng(config.seed)
    overturned = np.bincount(codes, y) > 0
    order = random.permutation(len(names))
    order = order[np.argsort(~overturned[order], kind="stable")]
    share_of = np.empty(len(names), dtype=np.intp)
    share_of[order] = np.arange(len(names)) % min(config.members, len(names))
    for share in range(share_of.max() + 1):
        others = np.flatnonzero(share_of != share)
        if len(others) > config.most_letters:
            others = random.choice(others, config.most_letters, replace=False)
        inside = np.isin(codes, others)
        if 0 < y[inside].sum() < inside.sum():
            yield inside, share_of[codes] == share


def any_overturned(letters: npt.NDArray[Any], p: Array, share: float) -> Array:
    """For each item, the chance that any item of its letter is overturned, shape (items,): between
    the largest single chance (all stand or fall together), which ``share`` (0-1) weighs, and that
    of independent items.  So it is at least every item's own chance, and at most their sum.
    """
    codes, together, alone = _extremes(letters, np.asarray(p, dtype=np.float64))
    chance = share * together + (1.0 - share) * alone
    # Whatever rounding does: of one item exactly its own chance, of several at least the largest.
    single = np.bincount(codes) == 1
    return np.asarray(np.where(single, together, np.maximum(chance, together))[codes])


def sibling_share(p: Array, y: Array, letters: npt.NDArray[Any]) -> float:
    """The share (0-1, steps of 0.05) under which 'any overturned' was most likely."""
    codes, together, alone = _extremes(letters, p)
    overturned = np.bincount(codes, y) > 0
    shares = np.linspace(0.0, 1.0, 21)
    chances = shares[:, None] * together + (1 - shares)[:, None] * alone
    chances = np.clip(chances, _LEAST, 1 - _LEAST)
    likelihood = np.where(overturned, np.log(chances), np.log1p(-chances)).sum(axis=1)
    return float(shares[int(np.argmax(likelihood))])


def _extremes(letters: npt.NDArray[Any], p: Array) -> tuple[npt.NDArray[np.intp], Array, Array]:
    """The number of each item's letter; of each letter the largest chance, and that of
    independent items.
    """
    names, codes = np.unique(letters, return_inverse=True)
    alone = -np.expm1(np.bincount(codes, np.log1p(-np.clip(p, 0.0, 1 - _LEAST)), len(names)))
    together = np.zeros(len(names))
    np.maximum.at(together, codes, p)
    return codes, together, alone
