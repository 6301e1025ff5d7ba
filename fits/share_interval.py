"""Shares of sums over problems, such as the share of yes among all verdicts, with their intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import DataError
from isocompute.fits.groups import code_problem_groups
from isocompute.fits.mean_intervals import compute_mean_interval

RateWithInterval = tuple[float, float, float]
"""A value and the ends of its 95 % interval; NaN where there is nothing to measure it on."""


def compute_share_of_sums(
    part: ArrayLike, whole: ArrayLike, strata: ArrayLike | None = None, clusters: ArrayLike | None = None
) -> RateWithInterval:
    """Compute Σ part / Σ whole over problems, with an interval by `compute_mean_interval` weighted by the wholes.

    Args:
        part: (P,) sums from 0 to those of ``whole``.
        whole: (P,) numbers ≥ 0; a problem with 0 is left out.
        strata: as in `compute_mean_interval`.
        clusters: as in `compute_mean_interval`.

    Returns:
        The share and the ends of its 95 % interval. All are NaN if every whole is 0; the ends are NaN if the problems
        are one cluster.

    Raises:
        DataError: arrays or labels of different lengths, or a part outside 0 … whole.

    Example:
        >>> [round(each, 2) for each in compute_share_of_sums([1, 3, 0], [2, 4, 0])]
        [0.67, 0.0, 1.0]
    """
    parts, wholes = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    if parts.shape != wholes.shape or parts.ndim != 1:
        raise DataError(f"a share needs two numbers of each problem; got shapes {parts.shape} and {wholes.shape}.")
    groups = code_problem_groups(len(parts), strata, clusters)
    has = wholes > 0
    if not has.any():
        return np.nan, np.nan, np.nan
    value = float(parts[has].sum() / wholes[has].sum())
    if len(np.unique(groups.cluster[has])) < 2:
        return value, np.nan, np.nan
    stratum = groups.stratum[groups.cluster[has]]
    low, high = compute_mean_interval(parts[has] / wholes[has], stratum, groups.cluster[has], weights=wholes[has])
    return value, float(low), float(high)
