"""First errors: where a process reward model sees the first wrong step of a solution, and where it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.share_interval import RateWithInterval, compute_share_of_sums


@dataclass(frozen=True)
class FirstErrorAccuracy:
    """The accuracy of finding first errors, with intervals over problems.

    Args:
        steps: (n,) the steps at which some solution has its first error, from 1 on.
        found: (n,) share of these solutions of which the first step below the threshold is that step.
        counts: (n,) number of these solutions.
        with_error: the same over all solutions with an error.
        without_error: share of the solutions without an error of which no step is below the threshold.
        error_count: number of solutions with an error.
        clean_count: number of solutions without one.
    """

    steps: tuple[int, ...]
    found: tuple[RateWithInterval, ...]
    counts: tuple[int, ...]
    with_error: RateWithInterval
    without_error: RateWithInterval
    error_count: int
    clean_count: int


def measure_first_errors(
    scores: ArrayLike,
    is_right: ArrayLike,
    problem: ArrayLike,
    problems: int,
    threshold: float = 0.5,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> FirstErrorAccuracy:
    """Measure how often the first step whose score is below a threshold is the first wrong step.

    As in ProcessBench (Zheng et al. 2024, arXiv 2412.06559), solutions with and without an error are reported apart.
    There the threshold is tuned; here it is given.

    Args:
        scores: (n, T) score after each step; NaN behind a solution's last step.
        is_right: (n, T) booleans: whether each step is right; ignored behind the last step.
        problem: (n,) the problem of each solution, 0 … P - 1.
        problems: P.
        threshold: a step is seen as wrong if its score is below.
        strata: (P,) label of each problem's stratum; None for one.
        clusters: (P,) label of each problem's cluster; None if all are independent.

    Raises:
        DataError: arrays that do not match.

    Example:
        >>> found = measure_first_errors([[0.9, 0.2], [0.1, 0.1], [0.8, 0.7]], [[1, 0], [1, 0], [1, 1]], [0, 1, 1], 2)
        >>> found.steps, found.found[0][0], found.with_error[0], found.without_error[0]
        ((2,), 0.5, 0.5, 1.0)
    """
    score, right, rows = np.asarray(scores, dtype=float), np.asarray(is_right, dtype=bool), np.asarray(problem)
    if score.ndim != 2 or right.shape != score.shape or rows.shape != score.shape[:1]:
        raise DataError(
            f"scores and is_right must be (solutions, steps), and problem one number each; got {score.shape}, "
            f"{right.shape} and {rows.shape}."
        )
    true_error = find_first_true(~right & ~np.isnan(score))
    seen_error = find_first_true(score < threshold)

    def share(of: NDArray[np.bool_]) -> RateWithInterval:
        hits = np.bincount(rows[of & (seen_error == true_error)], minlength=problems)
        return compute_share_of_sums(hits, np.bincount(rows[of], minlength=problems), strata, clusters)

    places = np.unique(true_error[true_error >= 0])
    return FirstErrorAccuracy(
        steps=tuple(int(at) + 1 for at in places),
        found=tuple(share(true_error == at) for at in places),
        counts=tuple(int((true_error == at).sum()) for at in places),
        with_error=share(true_error >= 0),
        without_error=share(true_error < 0),
        error_count=int((true_error >= 0).sum()),
        clean_count=int((true_error < 0).sum()),
    )


def find_first_true(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the index of the first True in each row; -1 without one.

    >>> find_first_true(np.array([[False, True, True], [False, False, False]]))
    array([ 1, -1])
    """
    return np.where(flags.any(axis=1), flags.argmax(axis=1), -1)
