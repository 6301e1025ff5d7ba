"""Bootstrap and t intervals over problems."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from isocompute.errors import DataError
from isocompute.fits.groups import code_problem_groups

_LAYERS = 20  # resamplings of the verdicts; with fewer, their spread is not measurable


def draw_bootstrap_weights(
    problems: int,
    replicates: int,
    seed: int | np.random.SeedSequence,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Draw weights for a bootstrap over problems: how often a replicate draws each problem, divided by P.

    Using the same weights for two strategies keeps their pairing: the interval of a difference comes from the
    difference of their replicates. Clusters are drawn whole, in each stratum as many as it has; each stratum keeps its
    share of the weight, whatever the sizes of the clusters drawn.

    Args:
        problems: P ≥ 2.
        replicates: B ≥ 1.
        seed: seed of the draws.
        strata: (P,) label of each problem's stratum, such as its level, see `code_problem_groups`; None for one.
        clusters: (P,) label of each problem's cluster; None if all problems are independent.

    Returns:
        (B, P) weights; each row sums to 1. Without strata and clusters they are multinomial(P, 1/P) / P.

    Raises:
        DataError: fewer than 2 problems or clusters, whose spread cannot be estimated, or labels of another length.

    Example:
        >>> draw_bootstrap_weights(4, 2, seed=0).sum(axis=1)
        array([1., 1.])
        >>> draw_bootstrap_weights(4, 2, seed=1, clusters=["a", "a", "b", "b"])
        array([[0.25, 0.25, 0.25, 0.25],
               [0.5 , 0.5 , 0.  , 0.  ]])
    """
    if problems < 2:
        raise DataError(f"an interval needs at least 2 problems to resample; got {problems}.")
    groups = code_problem_groups(problems, strata, clusters)
    if groups.clusters < 2:
        raise DataError(f"an interval needs at least 2 clusters to resample; the {problems} problems are in one.")
    rng = np.random.default_rng(seed)
    weights = np.empty((replicates, groups.clusters))
    for stratum in range(groups.stratum.max() + 1):
        at = np.flatnonzero(groups.stratum == stratum)
        draws, sizes = rng.multinomial(len(at), np.full(len(at), 1 / len(at)), replicates), groups.sizes[at]
        weights[:, at] = draws * (sizes.sum() / problems) / (draws @ sizes)[:, None]
    return np.asarray(weights[:, groups.cluster])


def resample_means(values: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """Compute the mean over problems in each replicate.

    Args:
        values: (P, …) per-problem values of any further shape.
        weights: (B, P) from `draw_bootstrap_weights`.

    Returns:
        (B, …) means.

    Raises:
        DataError: weights for another number of problems.

    Example:
        >>> resample_means([[0.0, 1.0], [1.0, 1.0]], [[0.5, 0.5], [1.0, 0.0]])
        array([[0.5, 1. ],
               [0. , 1. ]])
    """
    table, rows = np.asarray(values, dtype=float), np.asarray(weights, dtype=float)
    if rows.ndim != 2 or table.ndim < 1 or rows.shape[1] != len(table):
        raise DataError(
            f"weights must have the shape (replicates, {table.shape[0] if table.ndim else 1}), "
            f"one column per problem; got {rows.shape}."
        )
    return np.asarray(np.tensordot(rows, table, axes=1))


def compute_percentile_interval(
    replicates: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute a percentile interval over the first axis (Efron 1979), at order statistics rounded outward.

    Nothing is interpolated, so replicates may be infinite. The bootstrap's narrowness by √((P-1)/P) is not corrected.
    In simulations with 64 to 128 problems, the 95 % interval of a mean or of a paired difference covers it in 93 to
    96 % of the worlds. With 16 problems, which are too few, the coverage is 91 to 93 % for continuous values and 80 %
    for binary values with a mean of 0.9.

    Args:
        replicates: (B, …) values. A NaN marks a replicate in which the statistic is undefined, and makes the interval
            NaN; a caller that omits such replicates should report it.
        level: coverage probability, in (0, 1).

    Returns:
        low, high: arrays of the shape (…).

    Raises:
        DataError: no replicates, or a level outside (0, 1).

    Example:
        >>> low, high = compute_percentile_interval(np.arange(1001.0))
        >>> float(low), float(high)
        (25.0, 975.0)
    """
    table = np.asarray(replicates, dtype=float)
    if table.ndim < 1 or len(table) == 0:
        raise DataError("an interval needs at least one replicate.")
    if not 0 < level < 1:
        raise DataError(f"level must lie between 0 and 1; got {level}.")
    tail = (1 - level) / 2
    low = np.quantile(table, tail, axis=0, method="lower")
    high = np.quantile(table, 1 - tail, axis=0, method="higher")
    return np.asarray(low), np.asarray(high)


def compute_t_interval(values: ArrayLike, level: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute Student's interval of a mean over problems: mean ± t·s/√P, with P - 1 degrees of freedom.

    Args:
        values: (P, …) per-problem values, P ≥ 2.
        level: coverage probability, in (0, 1).

    Returns:
        low, high: arrays of the shape (…).

    Raises:
        DataError: fewer than 2 problems, or a level outside (0, 1).

    Example:
        >>> low, high = compute_t_interval([0.0, 1.0, 2.0])
        >>> float(low.round(2)), float(high.round(2))
        (-1.48, 3.48)
    """
    table = np.asarray(values, dtype=float)
    if table.ndim < 1 or len(table) < 2:
        raise DataError("an interval of a mean needs at least 2 problems.")
    if not 0 < level < 1:
        raise DataError(f"level must lie between 0 and 1; got {level}.")
    reach = stdtrit(len(table) - 1, (1 + level) / 2) * table.std(axis=0, ddof=1) / np.sqrt(len(table))
    return table.mean(axis=0) - reach, table.mean(axis=0) + reach
