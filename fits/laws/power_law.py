"""Straight lines in log-log through optima, some of which may be known only as bounds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.bootstrap import compute_percentile_interval

MIN_LINE_POINTS = 3
"""The fewest points that a line is fitted to."""

_MIN_SIGMA = 0.1  # σ of log optima (10 %), so that few points cannot fit perfectly
_ROUNDS, _CLOSE = 500, 1e-6


@dataclass(frozen=True)
class PowerLaw:
    """A straight line in log-log: optimum = prefactor · C^exponent.

    Args:
        exponent: a or b.
        prefactor: the optimum at C = 1.
        interval: bootstrap interval of the exponent; None without replicates, or if all replicates have the same.
        prefactor_interval: bootstrap interval of the prefactor; None likewise.
        replicates: (B, 2) exponent and logarithm of the prefactor of the replicates in which the fit was possible; None
            without replicates.
    """

    exponent: float
    prefactor: float
    interval: tuple[float, float] | None
    prefactor_interval: tuple[float, float] | None
    replicates: Floats | None = field(default=None, compare=False, repr=False)

    def predict_optimum(self, budget: float) -> float:
        """Return prefactor · C^exponent, the optimum at a budget in x.

        >>> PowerLaw(0.5, 2.0, None, None).predict_optimum(16)
        8.0
        """
        return float(self.prefactor * budget**self.exponent)

    def enclose_optimum(self, budgets: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats] | None:
        """Return the bootstrap interval of the law at each of some budgets, which is that of the line, not of optima.

        Args:
            budgets: (n,) in x.
            level: confidence level, at each budget.

        Returns:
            low, high: (n,); None if the exponent has no interval.

        Example:
            >>> law = PowerLaw(0.5, 2.0, (0.4, 0.6), (2.0, 2.0), np.array([[0.4, np.log(2)], [0.6, np.log(2)]]))
            >>> [end.round(1) for end in law.enclose_optimum([1, 16])]
            [array([2. , 6.1]), array([ 2. , 10.6])]
        """
        if self.interval is None or self.replicates is None:
            return None
        exponent, intercept = self.replicates.T[:, :, None]
        low, high = compute_percentile_interval(intercept + exponent * np.log(np.asarray(budgets, dtype=float)), level)
        return np.exp(low), np.exp(high)


def fit_least_squares(x: ArrayLike, y: ArrayLike, used: ArrayLike | None = None) -> tuple[Floats, Floats]:
    """Fit a straight line to each row of points by least squares.

    Args:
        x: (n,) common to all rows.
        y: (R, n) values.
        used: (R, n) booleans: which points to use; all by default.

    Returns:
        slope, intercept: (R,); NaN in rows with fewer than 3 points.

    Example:
        >>> slope, intercept = fit_least_squares([0, 1, 2], [[1, 3, 5]])
        >>> slope.round(6), intercept.round(6)
        (array([2.]), array([1.]))
    """
    at, rows = np.asarray(x, dtype=float), np.atleast_2d(np.asarray(y, dtype=float))
    keep = np.ones(rows.shape, dtype=bool) if used is None else np.asarray(used, dtype=bool)
    count = keep.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(count >= MIN_LINE_POINTS, 1 / count, np.nan)[:, None] * keep
        return _fit_weighted(at, rows, weight)


def _fit_weighted(x: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Fit a straight line to each row of (R, n) points with weights that add up to 1."""
    x_mean, y_mean = weight @ x, (weight * y).sum(axis=1)
    deviation = x - x_mean[:, None]
    slope = (weight * deviation * y).sum(axis=1) / (weight * deviation**2).sum(axis=1)
    return slope, y_mean - slope * x_mean


def fit_tobit(x: ArrayLike, y: ArrayLike, side: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Fit a straight line to points of which some are bounds, by maximum likelihood with normal errors.

    y = intercept + slope·x + σ·ε where `side` is 0. The true value is at least y where `side` is 1, and at most y where
    it is -1 (Tobin 1958; with bounds on both sides Rosett & Nelson 1975). EM alternates two steps: replace each bound
    by the mean and variance of a normal beyond it, and fit a line by least squares. σ is kept at or above 0.1, which is
    10 % of the optimum. The likelihood treats the points of a row as independent, but optima on one surface are not:
    take intervals from replicates.

    Args:
        x: (n,) common to all rows.
        y: (R, n) values or bounds.
        side: (R, n) of -1, 0, 1.

    Returns:
        slope, intercept, σ: (R,); NaN in rows with fewer than 3 points that are not bounds.

    Raises:
        DataError: arrays of different shapes.

    Example:
        >>> slope, _, _ = fit_tobit([0, 1, 2, 3, 4, 5], [[0, 1, 2, 3, 3, 3]], [[0, 0, 0, 0, 1, 1]])
        >>> slope.round(2), fit_least_squares([0, 1, 2, 3, 4, 5], [[0, 1, 2, 3, 3, 3]])[0].round(2)
        (array([1.]), array([0.63]))
    """
    at, rows, sides = np.asarray(x, dtype=float), np.asarray(y, dtype=float), np.asarray(side)
    if rows.shape != sides.shape or rows.ndim != 2 or rows.shape[1:] != at.shape:
        raise DataError(f"x (n,), y (R, n) and side (R, n) must match; got {at.shape}, {rows.shape}, {sides.shape}.")
    slope, intercept = fit_least_squares(at, rows, sides == 0)
    left = np.where(sides == 0, rows - (intercept[:, None] + slope[:, None] * at), 0)
    sigma = np.maximum(np.sqrt((left**2).sum(axis=1) / np.maximum((sides == 0).sum(axis=1), 1)), _MIN_SIGMA)
    sigma[np.isnan(slope)] = np.nan
    moving = np.flatnonzero((sides != 0).any(axis=1) & ~np.isnan(slope))
    for _ in range(_ROUNDS):
        if not moving.size:
            break
        before = slope[moving], intercept[moving], sigma[moving]
        after = _update_tobit(at, rows[moving], sides[moving], *before)
        slope[moving], intercept[moving], sigma[moving] = after
        changes = [abs(new - old) > _CLOSE for new, old in zip(after, before, strict=True)]
        moving = moving[changes[0] | changes[1] | changes[2]]
    return slope, intercept, sigma


def _update_tobit(
    x: Floats, y: Floats, side: NDArray[np.int64], slope: Floats, intercept: Floats, sigma: Floats
) -> tuple[Floats, Floats, Floats]:
    """Run one round of EM: a normal beyond z has mean h and variance 1 + zh - h², with the hazard h = φ(z)/Φ(-z)."""
    from scipy.special import log_ndtr

    row, column = np.nonzero(side)
    way, spread = side[row, column], sigma[row]
    mean = intercept[row] + slope[row] * x[column]
    z = way * (y[row, column] - mean) / spread
    hazard = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(-z))
    filled, variance = y.copy(), np.zeros(y.shape)
    filled[row, column] = mean + way * spread * hazard
    variance[row, column] = spread**2 * np.maximum(1 + z * hazard - hazard**2, 0)
    slope, intercept = _fit_weighted(x, filled, np.full(y.shape, 1 / len(x)))
    left = filled - (intercept[:, None] + slope[:, None] * x)
    return slope, intercept, np.maximum(np.sqrt((left**2 + variance).sum(axis=1) / len(x)), _MIN_SIGMA)
