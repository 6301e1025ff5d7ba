"""Interval of a ratio of two means over the same problems, such as λ or a cost in solutions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from isocompute.errors import DataError
from isocompute.fits.groups import code_problem_groups


def compute_ratio_interval(
    numerator: ArrayLike,
    denominator: ArrayLike,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Compute an interval of mean(n) / mean(d) over problems, by the delta method on its logarithm.

    The ratio r varies by the mean of (n - r·d) / mean(d), whose variance is that between clusters within strata. The
    interval is r·exp(±t·se/r), so its ends are above zero, with Student's t of as many degrees of freedom as there are
    clusters less strata.

    Args:
        numerator: (P,) per-problem values n ≥ 0.
        denominator: (P,) per-problem values d ≥ 0 of the same problems, not all zero.
        strata: as in `fits.compute_mean_interval`.
        clusters: as in `fits.compute_mean_interval`.
        level: coverage probability, in (0, 1).

    Returns:
        The low and the high end; None with fewer than 2 clusters beyond the strata, or a ratio of zero.

    Raises:
        DataError: arrays of different lengths, or values that are negative or not finite.

    Example:
        >>> low, high = compute_ratio_interval([1.0, 2.0, 3.0, 4.0], [2.0, 3.5, 6.5, 8.0])
        >>> round(low, 3), round(high, 3)
        (0.439, 0.569)
    """
    n, d = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    if n.shape != d.shape or n.ndim != 1 or not len(n):
        raise DataError(f"a ratio needs two values of each problem; got shapes {n.shape} and {d.shape}.")
    if not (np.isfinite(n).all() and np.isfinite(d).all() and (n >= 0).all() and (d >= 0).all() and d.any()):
        raise DataError("the values of a ratio must be 0 or more and finite, and its denominators not all zero.")
    ratio = float(n.sum() / d.sum())
    groups = code_problem_groups(len(n), strata, clusters)
    freedom = groups.clusters - int(groups.stratum.max()) - 1
    if freedom < 1 or ratio == 0:
        return None
    sums = np.bincount(groups.cluster, (n - ratio * d) / d.mean())
    means = np.bincount(groups.stratum, sums) / np.bincount(groups.stratum)
    variance = ((sums - means[groups.stratum]) ** 2).sum() * groups.clusters / freedom / len(n) ** 2
    reach = float(np.exp(stdtrit(freedom, (1 + level) / 2) * np.sqrt(variance) / ratio))
    return ratio / reach, ratio * reach
