"""How much the start and what letters teach count: a super learner, shrunken to the start.

Every part gives log odds for items of letters that it did not learn from; a logistic regression
with a normal prior weighs them by their log loss (van der Laan, Polley & Hubbard, "Super Learner",
Statistical Applications in Genetics and Molecular Biology 2007; 6(1)).  The prior says that the
start is right as it stands and that letters add a little, so that few letters change little;
with many letters the weights are what serves best.  The weight of the start is its slope: the
spread of the estimates is learned, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from imr.models.frame import Array

# Prior of the weights: the level, the start, the correction of the start, the forest.
# The start counts as it stands until letters say otherwise; its slope may go either way.  The
# forest of few letters is flat by itself: it counts fully and still moves next to nothing.
PRIOR_MEAN = np.array([0.0, 1.0, 0.25, 1.0])
PRIOR_SD = np.array([1.0, 0.4, 0.5, 0.7])
# A part that counts less than this is left out, and costs nothing when scoring.
LEAST_WEIGHT = 0.005


@dataclass(frozen=True, slots=True)
class MapLogistic:
    """What to fit: a logistic regression with a normal prior and fixed signs.

    ``mean`` and ``sd`` of the prior have one entry a column, ``signs`` holds +1, -1 or 0.
    """

    mean: Array
    sd: Array
    signs: npt.NDArray[np.int64]

    def fit(self, x: Array, y: Array, offset: Array, weight: Array) -> Array:
        """The most probable coefficients given ``y`` (0/1), starting odds and weights."""

        def loss(beta: Array) -> tuple[float, Array]:
            score = offset + x @ beta
            gap = (beta - self.mean) / self.sd
            nll = float(np.sum(weight * (np.logaddexp(0.0, score) - y * score)))
            gradient = x.T @ (weight * (expit(score) - y)) + gap / self.sd
            return nll + 0.5 * float(gap @ gap), gradient

        bounds = [
            (0.0, None) if s > 0 else (None, 0.0) if s < 0 else (None, None) for s in self.signs
        ]
        fitted = minimize(loss, self.mean.copy(), jac=True, method="L-BFGS-B", bounds=bounds)
        return np.asarray(fitted.x, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Mixture:
    """Weights of level, start, correction and forest, and their covariance."""

    weights: Array
    covariance: Array

    @classmethod
    def fitted(cls, parts: Array, y: Array, weight: Array) -> Mixture:
        """From log odds of left-out letters, shape (items, 3), and what was decided (0/1)."""
        x = _with_level(parts)
        prior = MapLogistic(PRIOR_MEAN, PRIOR_SD, np.array([0, 1, 1, 1]))
        weights = prior.fit(x, y, np.zeros(len(y)), weight)
        p = expit(x @ weights)
        # Items of one letter count as fewer than they are, and so in the variance.
        information = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(PRIOR_SD**-2.0)
        covariance = np.linalg.inv(information)
        left_out = np.append(False, weights[1:] < LEAST_WEIGHT)
        covariance[left_out, :] = 0.0
        covariance[:, left_out] = 0.0
        return cls(np.where(left_out, 0.0, weights), covariance)

    @property
    def start(self) -> float:
        """The weight of the starting odds: their slope."""
        return float(self.weights[1])

    @property
    def correction(self) -> float:
        """The weight of the correction of the start."""
        return float(self.weights[2])

    @property
    def forest(self) -> float:
        """The weight of the forest."""
        return float(self.weights[3])

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
        start = float(np.var(self.start * parts[:, 0]))
        learned = float(np.var(parts[:, 1:] @ self.weights[2:]))
        return start / (start + learned) if start > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, for the bundle."""
        return {"weights": self.weights.tolist(), "covariance": self.covariance.tolist()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Mixture:
        """The inverse of :meth:`to_json`."""
        return cls(np.array(stored["weights"], float), np.array(stored["covariance"], float))


def _with_level(parts: Array) -> Array:
    return np.column_stack([np.ones(len(parts)), parts])
