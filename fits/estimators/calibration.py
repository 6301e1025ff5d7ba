"""Calibration: how often what was stated with a probability is true (a reliability diagram)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import DataError
from isocompute.fits.share_interval import RateWithInterval, compute_share_of_sums

CALIBRATION_BINS = 10


@dataclass(frozen=True)
class CalibrationBin:
    """The statements with a probability in one bin.

    Args:
        stated: mean of the stated probabilities.
        true: share of the statements that are true, with its interval.
        count: number of statements.
        problems: number of problems that have some.
    """

    stated: float
    true: RateWithInterval
    count: int
    problems: int


def measure_calibration(
    stated: ArrayLike,
    true: ArrayLike,
    problem: ArrayLike,
    problems: int,
    bins: int = CALIBRATION_BINS,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> list[CalibrationBin]:
    """Measure how often statements are true, in bins of equal width by their stated probability (Guo et al. 2017).

    Args:
        stated: (n,) probabilities.
        true: (n,) booleans.
        problem: (n,) the problem that each statement is about, 0 … P - 1.
        problems: P.
        bins: number of bins of 0 … 1; a bin holds its lower end, and the last one both.
        strata: (P,) label of each problem's stratum; None for one.
        clusters: (P,) label of each problem's cluster; None if all are independent.

    Returns:
        The bins that hold statements, from low to high.

    Raises:
        DataError: arrays that do not match, a probability outside 0 … 1, or fewer than one bin.

    Example:
        >>> found = measure_calibration([0.1, 0.9, 0.9], [False, True, False], [0, 0, 1], 2, bins=2)
        >>> [(each.stated, each.true[0], each.count, each.problems) for each in found]
        [(0.1, 0.0, 1, 1), (0.9, 0.5, 2, 2)]
    """
    said, is_true, rows = np.asarray(stated, dtype=float), np.asarray(true), np.asarray(problem)
    if said.ndim != 1 or not (said.shape == is_true.shape == rows.shape) or is_true.dtype.kind != "b":
        raise DataError(
            f"stated, true and problem must hold one number, boolean and integer for each statement; got {said.shape}, "
            f"{is_true.dtype} {is_true.shape} and {rows.shape}."
        )
    if bins < 1 or not ((said >= 0) & (said <= 1)).all():
        raise DataError(f"calibration needs probabilities in 0 … 1 and at least one bin; got {bins} bins.")
    place = np.minimum(np.floor(said * bins), bins - 1)
    found = []
    for number in np.unique(place):
        inside = place == number
        counts = np.bincount(rows[inside], minlength=problems)
        share = compute_share_of_sums(np.bincount(rows[inside & is_true], minlength=problems), counts, strata, clusters)
        found.append(CalibrationBin(float(said[inside].mean()), share, int(inside.sum()), int((counts > 0).sum())))
    return found
