"""The error of an uncertain cost in the accuracy that a strategy reaches within a budget.

The cost of an allocation is a mean over the measured problems, as its accuracy is. If it is dearer than measured by the
small share ε, the budget C pays for what C(1 - ε) would pay for at the measured cost, and the strategy reaches A(C) -
ε·dA/d log C. Both errors come from the same problems, and hard problems may have long texts. So they are added problem
by problem: a problem whose accuracy is a and whose cost deviates by the share δ from the mean counts a - δ·dA/d log C.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from isocompute.fits.arrays import Floats
from isocompute.fits.choice.posterior import AccuracyPosterior
from isocompute.fits.groups import code_problem_groups, compute_cluster_deviations

OCTAVE = float(np.log(2))


def measure_frontier_slope(cost: ArrayLike, expected: ArrayLike, budget: float, reach: float = 0.0) -> float:
    """Measure dA/d log C, how much the best expected accuracy within a budget grows with the logarithm of the budget.

    It is the secant over an octave around the budget, because whole numbers of solutions make the accuracy a step
    function; or over the interval of the cost, if that is wider.

    Args:
        cost: (A,) cost of each allocation, in x, not decreasing.
        expected: (A,) its expected accuracy; -inf for an allocation that must not be chosen.
        budget: C, in x.
        reach: half of the width of the interval of the cost's logarithm.

    Returns:
        The slope, at least 0. Below the cheapest allocation and above the dearest one the accuracy is taken as theirs.

    Example:
        >>> round(measure_frontier_slope([1.0, 2.0, 4.0, 8.0], [0.5, 0.6, 0.7, 0.8], 3.0) * OCTAVE, 3)
        0.1
    """
    price, accuracy = np.asarray(cost, dtype=float), np.asarray(expected, dtype=float)
    price, accuracy = price[np.isfinite(accuracy)], accuracy[np.isfinite(accuracy)]
    if not len(price):
        return 0.0
    half = max(reach, OCTAVE / 2)
    ends = budget * np.exp([-half, half]) * (1 + 1e-12)
    last = np.maximum(np.searchsorted(price, ends, side="right") - 1, 0)
    low, high = np.maximum.accumulate(accuracy)[last]
    return float((high - low) / (2 * half))


def measure_log_error(
    deviations: ArrayLike, strata: ArrayLike | None = None, clusters: ArrayLike | None = None
) -> float:
    """Measure half of the width of the 95 % interval of a cost's logarithm.

    Args:
        deviations: (P,) each problem's deviation from the mean cost, as a share of it.
        strata: as in `fits.compute_mean_interval`.
        clusters: as in `fits.compute_mean_interval`.

    Returns:
        NaN with fewer than 2 clusters beyond the strata.
    """
    linear, freedom, count = _compute_deviations(np.asarray(deviations, dtype=float)[:, None], strata, clusters)
    if freedom < 1:
        return float("nan")
    return float(stdtrit(freedom, 0.975) * np.sqrt((linear**2).sum() / freedom / count))


def compute_shift_covariance(
    posterior: AccuracyPosterior,
    chosen: Sequence[tuple[int, int]],
    shifts: ArrayLike,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> Floats:
    """Compute what the errors of costs add to the covariance of some allocations' expected accuracies.

    With the errors e of the expected accuracies and f of the shifts it is cov(f) + cov(e, f) + cov(f, e). The expected
    accuracies follow what was measured only in part, by the gain B(B + C)⁻¹ of `compute_posterior`, and so do their
    errors.

    Args:
        posterior: the expected accuracies.
        chosen: the m allocations, each by its table and index.
        shifts: (P, m) what each problem adds to the accuracy of each of them through its cost.
        strata: as in `fits.compute_mean_interval`.
        clusters: as in `fits.compute_mean_interval`.

    Returns:
        (m, m); zeros with fewer than 2 clusters beyond the strata.
    """
    moved = np.asarray(shifts, dtype=float)
    values = np.concatenate([table.accuracy for table in posterior.tables], axis=1) @ posterior.projection
    linear, freedom, count = _compute_deviations(np.column_stack([values, moved]), strata, clusters)
    if freedom < 1:
        return np.zeros((len(chosen), len(chosen)))
    covariance = linear.T @ linear / freedom / count
    at = values.shape[1]
    spread, chance = posterior.expected_spread, posterior.chance
    gain = np.linalg.solve(spread + chance, spread).T if at else np.zeros((0, 0))
    crossed = posterior.interpolate(posterior.loadings @ gain @ covariance[:at, at:], chosen)
    return np.asarray(covariance[at:, at:] + crossed + crossed.T)


def widen_mean_interval(
    interval: tuple[float, float],
    mean: float,
    values: ArrayLike,
    shifts: ArrayLike,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> tuple[float, float]:
    """Widen the 95 % interval of a mean accuracy by the error of its cost, for both over the same problems.

    The distance r of each end becomes √(r² + t²v), where v is the variance of the mean of values plus shifts, less that
    of the values. Where a dear problem is an easy one the errors offset each other, and the interval is narrower.

    Args:
        interval: its ends.
        mean: the mean.
        values: (P,) accuracy of each problem.
        shifts: (P,) what each adds to it through its cost.
        strata: as in `fits.compute_mean_interval`.
        clusters: as in `fits.compute_mean_interval`.

    Example:
        >>> low, high = widen_mean_interval((0.4, 0.6), 0.5, [0.2, 0.8] * 20, [-0.1, 0.1] * 20)
        >>> round(low, 3), round(high, 3)
        (0.368, 0.632)
    """
    own, moved = np.asarray(values, dtype=float), np.asarray(shifts, dtype=float)
    linear, freedom, count = _compute_deviations(np.column_stack([own, own + moved]), strata, clusters)
    if freedom < 1 or not moved.any():
        return interval
    before, after = (linear**2).sum(axis=0) / freedom / count
    added = stdtrit(freedom, 0.975) ** 2 * (after - before)
    low, high = (float(np.sqrt(max(0.0, (end - mean) ** 2 + added))) for end in interval)
    return max(0.0, mean - low), min(1.0, mean + high)


def _compute_deviations(
    values: Floats, strata: ArrayLike | None, clusters: ArrayLike | None
) -> tuple[Floats, int, int]:
    """Return the deviations of clusters, their degrees of freedom and their number."""
    groups = code_problem_groups(len(values), strata, clusters)
    linear, freedom = compute_cluster_deviations(values, groups)
    return linear, freedom, groups.clusters
