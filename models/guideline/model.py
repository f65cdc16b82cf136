"""The guideline a reviewer will cite first: LightGBM LambdaRank over a catalogue.

Every item is paired with every label of the catalogue, with what the claims administrator cites,
and with labels met in training (:mod:`imr.models.guideline.candidates`).  The ranker's trees start
from a conditional logit, which is what a few hundred decided items can carry; a softmax, its
temperature fitted on left-out letters, makes probabilities.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import softmax
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from imr.models.config import GuidelineConfig
from imr.models.frame import (
    KEY_COLUMNS,
    Array,
    TrainingDataError,
    check_frame,
    drawn_letters,
    row_order,
)
from imr.models.guideline.candidates import (
    PAIR_FEATURES,
    REQUEST_COLUMNS,
    Shares,
    catalogue_labels,
    chapter_of,
    describe,
    make_pairs,
    relative_truth,
    request_keys,
    rows_of,
)

if TYPE_CHECKING:
    import lightgbm as lgb

# Sizes of a batch of items beside all labels: bounds the memory of pairs to about 100 MB.
CHUNK_ITEMS = 1024
# Rankings kept for requests that come again, about 1 KB each.
KNOWN_REQUESTS = 20_000
TREE_SHARES = (0.0, 0.5, 1.0)
TEMPERATURES = tuple(0.3 * 1.15**step for step in range(20))
# Shares are read as logarithms; this keeps a label never met in a context at a finite distance.
SHARE_FLOOR = 1e-3
# Facts of the item alone are equal for all its candidates: they count only as products.
OF_THE_ITEM = frozenset({"n_items", "cited_count", "none_cited_at_all", "surgical"})
PRODUCTS = (
    ("is_none_cited", "none_cited_at_all"),
    ("is_none_cited", "surgical", "none_cited_at_all"),
    ("is_non_mtus", "surgical"),
    ("is_non_mtus", "cited_first"),
    ("cited_label", "has_section"),
    ("link", "cited_chapter"),
)
PLAIN = tuple(name for name in PAIR_FEATURES if name not in OF_THE_ITEM)
INPUTS = (*PLAIN, *(" x ".join(product) for product in PRODUCTS))


@dataclass
class GuidelineModel:
    """Fit on decided items, predict on any; the frame is that of ``imr.features.table.frame``."""

    config: GuidelineConfig = field(default_factory=GuidelineConfig)
    labels: tuple[str, ...] = ()
    shares: Shares = field(default_factory=Shares)
    choice: Array | None = None
    trees: list[lgb.Booster] = field(default_factory=list)
    tree_share: float = 1.0
    temperature: float = 1.0
    _known: dict[tuple[Any, ...], tuple[Any, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that must be there; others are ignored."""
        return tuple(sorted({*REQUEST_COLUMNS, *KEY_COLUMNS}))

    def fit(self, frame: pd.DataFrame, guideline: Sequence[str]) -> GuidelineModel:
        """Fit to decided items; ``guideline`` (the reviewer's first citation) parallels the rows.

        Raises MissingColumnsError, DecisionColumnError and TrainingDataError.
        """
        check_frame(frame, self.columns, "guideline model")
        self._known.clear()
        order = row_order(frame)
        # Only the columns that are read: a copy of all would cost gigabytes of many letters.
        items = describe(frame[[*self.columns]].iloc[order].reset_index(drop=True))
        truth = np.array(list(guideline), dtype=object)[order]
        if len(set(truth)) < 2 or items["letter_id"].nunique() < self.config.inner_folds:
            raise TrainingDataError(
                f"guideline model: at least two labels and {self.config.inner_folds} letters "
                "are needed to train"
            )
        with threadpool_limits(limits=1, user_api="blas"):
            self.tree_share, self.temperature = _blend(*self._left_out_scores(items, truth))
            self._fit_ranker(items, truth)
        return self

    def predict(self, frame: pd.DataFrame, top: int = 3) -> pd.DataFrame:
        """Columns ``guideline_1``, ``guideline_1_p`` … for the ``top`` labels, likeliest first."""
        check_frame(frame, self.columns, "guideline model")
        # Requests repeat, in a letter and from letter to letter: each is ranked once.
        keys = [(top, *key) for key in request_keys(frame)]
        if len(self._known) > KNOWN_REQUESTS:
            self._known.clear()
        if new := {key: row for row, key in enumerate(keys) if key not in self._known}:
            # Only the columns that are read: picking rows of all takes longer than ranking.
            names, p = self.ranked(frame[[*self.columns]].iloc[[*new.values()]])
            for key, *ranking in zip(new, names.tolist(), p.tolist(), strict=True):
                self._known[key] = tuple(chain(*zip(*ranking, strict=True)))[: 2 * top]
        columns = [f"guideline_{i + 1}{end}" for i in range(top) for end in ("", "_p")]
        return pd.DataFrame([self._known[key] for key in keys], columns=columns, index=frame.index)

    def chapters(self, frame: pd.DataFrame, top: int = 3) -> list[list[str]]:
        """The ``top`` chapters of each item, likeliest first: the labels of one add up."""
        rows = []
        for names, p in zip(*self.ranked(frame), strict=True):
            totals: dict[str, float] = defaultdict(float)
            for name, share in zip(names, p, strict=True):
                totals[chapter_of(name)] += float(share)
            rows.append(sorted(totals, key=totals.__getitem__, reverse=True)[:top])
        return rows

    def ranked(self, frame: pd.DataFrame) -> tuple[npt.NDArray[Any], Array]:
        """Kept candidates of each item, likeliest first: labels and probabilities, both of shape
        (items, kept).
        """
        check_frame(frame, self.columns, "guideline model")
        if frame.empty:
            names = np.empty((0, self.config.pruned), dtype=object)
            return names, names.astype(np.float64)
        items, ranked = describe(frame.reset_index(drop=True)), []
        for first in range(0, len(items), CHUNK_ITEMS):
            some = items.iloc[first : first + CHUNK_ITEMS].reset_index(drop=True)
            names, start, added = self._scores(some)
            scores = start + self.tree_share * added
            order = np.argsort(-scores, axis=1, kind="stable")
            p = softmax(np.take_along_axis(scores, order, axis=1) / self.temperature, axis=1)
            ranked.append((np.take_along_axis(names, order, axis=1), p))
        names, p = (np.concatenate(side) for side in zip(*ranked, strict=True))
        return names, p

    def to_json(self) -> dict[str, Any]:
        """Everything but the trees, as plain data."""
        return {
            "config": asdict(self.config),
            "labels": list(self.labels),
            "shares": self.shares.counts,
            "choice": self._fitted,
            "tree_share": self.tree_share,
            "temperature": self.temperature,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], trees: Sequence[lgb.Booster]) -> GuidelineModel:
        """The inverse of :meth:`to_json`, with the boosters read from their own files."""
        config = GuidelineConfig(**stored["config"])
        return cls(
            config=config,
            labels=tuple(stored["labels"]),
            shares=Shares(stored["shares"], config.smoothing),
            choice=np.array(stored["choice"], dtype=np.float64),
            trees=list(trees),
            tree_share=float(stored["tree_share"]),
            temperature=float(stored["temperature"]),
        )

    @property
    def _fitted(self) -> Array:
        if self.choice is None:
            raise TrainingDataError("the guideline model is not fitted: call fit first")
        return self.choice

    def _fit_ranker(self, items: pd.DataFrame, truth: npt.NDArray[Any]) -> None:
        import lightgbm as lgb

        self.labels = tuple(sorted({*catalogue_labels(), *truth}))
        self.shares = Shares.learned(items, list(truth), self.config.smoothing)
        letters = items["letter_id"].to_numpy(dtype=str)
        sample = drawn_letters(letters, self.config.most_letters, self.config.seed)
        items, truth = items[sample].reset_index(drop=True), truth[sample]
        decided = relative_truth(items, list(truth))
        names, features = make_pairs(items, self.labels, self.shares, self.config.pruned, decided)
        hits = names == truth[:, None]
        # Twenty siblings that are decided alike weigh as the root of their number.
        siblings = items.groupby("letter_id")["letter_id"].transform("size")
        weight = 1.0 / np.sqrt(siblings.to_numpy(dtype=np.float64))
        self.choice = _fit_choice(features, hits, weight, self.config.choice_l2)
        start = _choice_inputs(features) @ self.choice
        # An item whose label was pruned away teaches nothing about the order.
        usable = hits.any(axis=1)
        data = lgb.Dataset(
            features[usable].reshape(-1, len(PAIR_FEATURES)),
            label=hits[usable].ravel().astype(int),
            group=[self.config.pruned] * int(usable.sum()),
            weight=weight[usable].repeat(self.config.pruned),
            init_score=start[usable].ravel(),
            feature_name=list(PAIR_FEATURES),
            free_raw_data=False,
        )
        self.trees = [
            lgb.train(self._settings(member), data, num_boost_round=self.config.rounds)
            for member in range(self.config.members)
        ]

    def _settings(self, member: int) -> dict[str, Any]:
        config = self.config
        return {
            "objective": config.objective,
            "lambdarank_truncation_level": 5,
            "learning_rate": config.learning_rate,
            "num_leaves": config.leaves,
            "min_data_in_leaf": config.min_pairs_leaf,
            "lambda_l2": config.l2,
            "feature_fraction": config.feature_share,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": config.threads,
            "seed": config.seed + member,
            "verbosity": -1,
        }

    def _scores(self, items: pd.DataFrame) -> tuple[npt.NDArray[Any], Array, Array]:
        """Names of the kept candidates, their log-linear scores, and what the trees add."""
        names, features = make_pairs(items, self.labels, self.shares, self.config.pruned)
        flat, threads = features.reshape(-1, len(PAIR_FEATURES)), self.config.threads
        added = np.mean([trees.predict(flat, num_threads=threads) for trees in self.trees], axis=0)
        return names, _choice_inputs(features) @ self._fitted, added.reshape(names.shape)

    def _left_out_scores(
        self, items: pd.DataFrame, truth: npt.NDArray[Any]
    ) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
        """Both scores of all items by rankers fitted without their letters, and what was right."""
        letters = items["letter_id"].to_numpy(dtype=str)
        sampled = drawn_letters(letters, self.config.most_letters, self.config.seed)
        names, codes = np.unique(letters, return_inverse=True)
        folds = np.arange(len(names)) % self.config.inner_folds
        np.random.default_rng(self.config.seed).shuffle(folds)
        folds = folds[codes]
        start = np.zeros((len(items), self.config.pruned))
        added, hits = np.zeros(start.shape), np.zeros(start.shape, dtype=bool)
        for fold in range(self.config.inner_folds):
            inside, outside = folds != fold, folds == fold
            self._fit_ranker(items[inside].reset_index(drop=True), truth[inside])
            outside &= sampled
            if outside.any():
                scored = self._scores(items[outside].reset_index(drop=True))
                names, start[outside], added[outside] = scored
                hits[outside] = names == truth[outside][:, None]
        return start, added, hits


def _choice_inputs(features: Array) -> Array:
    """Pair features as the logit reads them, shape (items, kept, inputs)."""
    of = {name: features[:, :, place] for place, name in enumerate(PAIR_FEATURES)}
    plain = (np.log(of[name] + SHARE_FLOOR) if "share" in name else of[name] for name in PLAIN)
    products = (np.prod([of[name] for name in product], axis=0) for product in PRODUCTS)
    return np.stack([*plain, *products], axis=2)


def _fit_choice(features: Array, hits: npt.NDArray[np.bool_], weight: Array, l2: float) -> Array:
    """The most probable weights of ``INPUTS``, given what is expected before any letter is read
    (``expected.csv``, log odds); an item whose label is no candidate is left out.
    """
    usable = hits.any(axis=1)
    x, chosen, w = _choice_inputs(features[usable]), hits[usable].astype(np.float64), weight[usable]
    scale = x.reshape(-1, x.shape[2]).std(axis=0)
    scale[scale < 1e-9] = np.inf
    x = x / scale
    finite = np.where(np.isfinite(scale), scale, 0.0)
    before = {row["input"]: float(row["log_odds"]) for row in rows_of("expected")}
    expected = np.array([before.get(name, 0.0) for name in INPUTS]) * finite

    def loss(beta: Array) -> tuple[float, Array]:
        p = softmax(x @ beta, axis=1)
        nll = -float(np.sum(w * np.log(np.sum(p * chosen, axis=1))))
        gradient = -np.einsum("i,ik,ikf->f", w, chosen - p, x)
        gap = beta - expected
        return nll + 0.5 * l2 * float(gap @ gap), gradient + l2 * gap

    found = minimize(loss, expected, jac=True, method="L-BFGS-B")
    return np.asarray(found.x / scale, dtype=np.float64)


def _blend(start: Array, added: Array, hits: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """How much of the trees to add, and the temperature, under which what was cited was
    likeliest: trees of few letters add nothing and get no share.
    """
    known = hits.any(axis=1)
    if not known.any():
        return 1.0, 1.0
    start, added, hits = start[known], added[known], hits[known]
    losses = {
        (share, t): float(-np.log(softmax((start + share * added) / t, axis=1)[hits]).mean())
        for share in TREE_SHARES
        for t in TEMPERATURES
    }
    return min(losses, key=lambda pair: (losses[pair], pair))
