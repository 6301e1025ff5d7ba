"""The saving of a policy, against the full budget and against the cheapest fixed allocation that is as accurate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.bootstrap import compute_percentile_interval, draw_bootstrap_weights, resample_means

_RESAMPLINGS = 2000


@dataclass(frozen=True)
class Measured:
    """A number with its 95 % interval over problems.

    Args:
        value: the number.
        interval: its low and high end.
    """

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Savings:
    """The savings of a policy, each with its paired interval over the same problems.

    Args:
        against_full: compute of the full budget over the policy's mean compute.
        lead: accuracy of the policy minus that at the full budget: what the first saving costs.
        against_fixed: compute of the cheapest fixed allocation that is as accurate as the policy, over the policy's
            mean compute. Below 1, a fixed allocation is cheaper. Infinite if none of the grid is as accurate.
        cheapest_fixed: the compute of that allocation, in solutions' worth; infinite if there is none.
        hindsight_share: (full - compute) / (full - hindsight); None without hindsight, or where it saves nothing.
    """

    against_full: Measured
    lead: Measured
    against_fixed: Measured
    cheapest_fixed: Measured
    hindsight_share: Measured | None


def compute_savings(
    accuracy: ArrayLike,
    compute: ArrayLike,
    fixed_accuracy: ArrayLike,
    fixed_compute: ArrayLike,
    hindsight: ArrayLike | None = None,
    margin: float = 0.0,
    clusters: ArrayLike | None = None,
    seed: int = 0,
) -> Savings:
    """Compute the savings of a policy against fixed allocations of the same strategy, on the same problems.

    The cheapest allocation that is as accurate is the first point, from the cheapest on, at which the mean accuracy of
    the fixed allocations reaches that of the policy less the margin; between two allocations of the grid it is
    interpolated linearly in the logarithm of compute. All of this is done anew in each resampling of the problems,
    paired, and the intervals are percentiles. So where accuracy hardly rises with compute the second saving has a wide
    interval. The policy's threshold is taken as given, and must come from other problems.

    Args:
        accuracy: (P,) the policy's accuracy on each problem.
        compute: (P,) its mean compute on each problem, in solutions' worth, > 0.
        fixed_accuracy: (P, A) accuracy of the fixed allocations on each problem; the last is the full budget. Best
            from the same orders, see `estimate_fixed_votes`, so that drawing errors cancel.
        fixed_compute: (A,) their compute, in solutions' worth, rising; or (P, A) on each problem, with rising means.
        hindsight: (P,) compute of hindsight on each problem, see `compute_hindsight`.
        margin: by how much less accurate an allocation may be and still count as accurate, ≥ 0, as a share.
        clusters: (P,) label of each problem's cluster, which are resampled whole; None if all are independent.
        seed: seed of the resampling.

    Raises:
        DataError: arrays that do not fit each other, computes that are not positive or do not rise, a negative margin,
            or fewer than two problems or clusters.

    Example:
        >>> found = compute_savings([0.5, 0.7], [2.0, 2.0], [[0.2, 0.4], [0.5, 0.7]], [1, 8])
        >>> found.against_full.value, found.against_fixed.value
        (4.0, inf)
    """
    columns = [np.asarray(each, dtype=float) for each in (accuracy, compute)]
    table, prices = np.asarray(fixed_accuracy, dtype=float), np.asarray(fixed_compute, dtype=float)
    if prices.ndim == 1:
        prices = np.tile(prices, (len(table), 1))
    if hindsight is not None:
        columns.append(np.asarray(hindsight, dtype=float))
    problems = len(table)
    if table.ndim != 2 or prices.shape != table.shape or any(each.shape != (problems,) for each in columns):
        raise DataError(
            f"a saving needs one accuracy and one compute of each of {problems} problems, and as many of each fixed "
            f"allocation; got {[each.shape for each in (*columns, table, prices)]}."
        )
    if not (columns[1] > 0).all() or not (np.diff(prices.mean(axis=0), prepend=0) > 0).all():
        raise DataError("computes must be positive, and those of the fixed allocations must rise.")
    if not margin >= 0:
        raise DataError(f"margin must be at least 0; got {margin}.")
    rows = np.vstack(
        [np.full(problems, 1 / problems), draw_bootstrap_weights(problems, _RESAMPLINGS, seed, clusters=clusters)]
    )
    right, cost, *known = (resample_means(each, rows) for each in columns)
    curve, grid = resample_means(table, rows), resample_means(prices, rows)
    cheapest = find_cheapest_as_accurate(curve, grid, right - margin)
    share = None
    if known and grid[0, -1] > known[0][0]:
        with np.errstate(divide="ignore", invalid="ignore"):
            share = _measure((grid[:, -1] - cost) / (grid[:, -1] - known[0]))
    return Savings(
        _measure(grid[:, -1] / cost),
        _measure(right - curve[:, -1]),
        _measure(cheapest / cost),
        _measure(cheapest),
        share,
    )


def find_cheapest_as_accurate(accuracy: Floats, compute: Floats, target: Floats) -> Floats:
    """Find the least compute at which accuracy reaches a target, linear in the logarithm of compute.

    Args:
        accuracy: (B, A) accuracies of the allocations.
        compute: (B, A) their computes, > 0, rising along the second axis.
        target: (B,) accuracies to reach.

    Returns:
        (B,) computes; infinite where no allocation reaches the target, the first one's where it does already.

    Example:
        >>> find_cheapest_as_accurate(np.array([[0.2, 0.4, 0.3]]), np.array([[1.0, 4.0, 16.0]]), np.array([0.3]))
        array([2.])
    """
    reached = accuracy >= target[:, None] - 1e-12
    first = reached.argmax(axis=1)
    at, before, rows = first, np.maximum(first - 1, 0), np.arange(len(first))
    low, high = accuracy[rows, before], accuracy[rows, at]
    part = np.ones_like(target)  # the first allocation has none before it
    np.divide(target - low, high - low, out=part, where=(first > 0) & (high > low))
    logs = np.log(compute)
    between = np.exp(logs[rows, before] + np.clip(part, 0, 1) * (logs[rows, at] - logs[rows, before]))
    return np.where(reached.any(axis=1), between, np.inf)


def _measure(replicates: Floats) -> Measured:
    """Return the first of the replicates, which is the estimate, with the interval of the others."""
    low, high = compute_percentile_interval(replicates[1:])
    return Measured(float(replicates[0]), (float(low), float(high)))
