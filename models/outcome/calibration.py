"""From scores to probabilities that mean what they say, and how little is known about each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from imr.models.frame import Array

# Prior of the calibration line: scores are log odds already, so slope 1 and shift 0 are expected.
# Thirty-odd positives cannot fix a slope, hence the firm prior.
SLOPE_SD = 0.25
SHIFT_SD = 1.0


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
        from scipy.optimize import minimize

        def loss(beta: Array) -> tuple[float, Array]:
            score = offset + x @ beta
            gap = (beta - self.mean) / self.sd
            nll = float(np.sum(weight * (np.logaddexp(0.0, score) - y * score)))
            gradient = x.T @ (weight * (sigmoid(score) - y)) + gap / self.sd
            return nll + 0.5 * float(gap @ gap), gradient

        bounds = [
            (0.0, None) if s > 0 else (None, 0.0) if s < 0 else (None, None) for s in self.signs
        ]
        found = minimize(loss, self.mean.copy(), jac=True, method="L-BFGS-B", bounds=bounds)
        return np.asarray(found.x, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The line ``shift + slope * score`` and the covariance of its two parameters."""

    slope: float
    shift: float
    var_slope: float
    var_shift: float
    covariance: float

    def log_odds(self, score: Array) -> Array:
        """Calibrated log odds."""
        return self.shift + self.slope * score

    def variance(self, score: Array) -> Array:
        """Variance of the calibrated log odds from not knowing the line."""
        return self.var_shift + 2 * self.covariance * score + self.var_slope * score**2

    def to_json(self) -> dict[str, float]:
        """Plain numbers, for the bundle."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Calibration:
        """The inverse of :meth:`to_json`."""
        return cls(**{name: float(value) for name, value in stored.items()})


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Linear algebra on one thread: for matrices as small as these, more of them only wait."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def calibrate(score: Array, y: Array, weight: Array) -> Calibration:
    """Platt's line on out-of-bag scores, shrunken toward the scores themselves."""
    x = np.column_stack([np.ones_like(score), score])
    prior_sd = np.array([SHIFT_SD, SLOPE_SD])
    shape = MapLogistic(np.array([0.0, 1.0]), prior_sd, np.array([0, 1]))
    shift, slope = shape.fit(x, y, np.zeros_like(score), np.ones_like(score))
    p = sigmoid(shift + slope * score)
    # Items of one letter count as fewer than they are: the weights carry that into the variance.
    information = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(prior_sd**-2)
    covariance = np.linalg.inv(information)
    return Calibration(
        slope=float(slope),
        shift=float(shift),
        var_slope=float(covariance[1, 1]),
        var_shift=float(covariance[0, 0]),
        covariance=float(covariance[0, 1]),
    )


def sigmoid(score: Array) -> Array:
    """Log odds to probability, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * score)), dtype=np.float64)
