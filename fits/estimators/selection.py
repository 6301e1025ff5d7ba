"""Expected accuracy of choosing one of S solutions: coverage (a perfect verifier), and Best-of-N by a fixed score."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.estimators.subsets import check_subset_sizes, compute_rank_probabilities
from isocompute.fits.pool import Pool


def estimate_coverage(pool: Pool, S: ArrayLike) -> NDArray[np.float64]:
    """Compute the probability that S solutions drawn without replacement contain a right one (pass@S).

    This is 1 - C(N-c, S) / C(N, S) with c right solutions among N, the unbiased estimate of Chen et al. 2021
    (arXiv 2107.03374), eq. 1. No selection among S solutions can exceed it.

    Args:
        pool: the sampled answers.
        S: (nS,) numbers of solutions, 1..N.

    Returns:
        (P, nS) probabilities.

    Raises:
        DataError: S is empty, not integers, or out of range.

    Example:
        >>> estimate_coverage(Pool(answers=[[0, 1, 1, 1]], gold=[0]), S=[1, 2, 4])
        array([[0.25, 0.5 , 1.  ]])
    """
    S = check_subset_sizes(S, pool.solutions, "S", "solutions in the pool")
    from_the_top = compute_rank_probabilities(pool.solutions, S)[:, ::-1]
    coverage: NDArray[np.float64] = np.zeros((pool.solutions + 1, len(S)))  # by the number of right solutions
    coverage[1:] = np.minimum(np.cumsum(from_the_top, axis=1), 1.0).T
    accuracy: NDArray[np.float64] = coverage[pool.correct.sum(axis=1)]
    return accuracy


def estimate_coverage_of_counts(solutions: ArrayLike, right: ArrayLike, S: ArrayLike) -> NDArray[np.float64]:
    """Compute coverage as `estimate_coverage` does, of problems that may have different numbers of solutions.

    Args:
        solutions: (P,) the number of solutions of each problem.
        right: (P,) how many of them are right.
        S: (nS,) numbers of solutions, from 1 to the smallest of ``solutions``.

    Returns:
        (P, nS) probabilities.

    Raises:
        DataError: S is empty, not integers, or out of range.

    Example:
        >>> estimate_coverage_of_counts(solutions=[4, 8], right=[1, 4], S=[1, 2])
        array([[0.25      , 0.5       ],
               [0.5       , 0.78571429]])
    """
    n, c = np.asarray(solutions)[:, None], np.asarray(right)[:, None]
    sizes = check_subset_sizes(S, int(n.min()), "S", "solutions of each problem")
    drawn = np.arange(int(sizes.max()))
    missed = np.cumprod(np.maximum(n - c - drawn, 0) / (n - drawn), axis=1)  # no right one among the first 1, 2 … drawn
    coverage: NDArray[np.float64] = 1 - missed[:, sizes - 1]
    return coverage


def estimate_best_of_n(scores: ArrayLike, correct: ArrayLike, S: ArrayLike) -> NDArray[np.float64]:
    """Compute the expected accuracy of the solution with the highest score among S drawn without replacement.

    Exact: Σ_i right_(i) C(i-1, S-1) / C(N, S) over the solutions in ascending order of score. Each tied solution
    counts as the mean correctness of its tie, which is equivalent to breaking ties uniformly.

    Args:
        scores: (P, N) numbers; higher is better. A solution without a score needs a number too, such as the
            lowest; the caller decides which.
        correct: (P, N) booleans.
        S: (nS,) numbers of solutions, 1..N.

    Returns:
        (P, nS) accuracies.

    Raises:
        DataError: a NaN score, arrays that do not match, or S empty, not integers, or out of range.

    Example:
        >>> estimate_best_of_n(scores=[[0.9, 0.1, 0.1]], correct=[[False, True, False]], S=[1, 2, 3])
        array([[0.33333333, 0.16666667, 0.        ]])
    """
    score, right = np.asarray(scores), np.asarray(correct)
    if score.ndim != 2 or score.size == 0 or score.dtype.kind not in "biuf":
        raise DataError(f"scores must be numbers of shape (problems, solutions); got {score.dtype} {score.shape}.")
    if right.shape != score.shape or right.dtype.kind != "b":
        raise DataError(f"correct must be booleans of shape {score.shape}; got {right.dtype} {right.shape}.")
    if np.isnan(score).any():
        p, i = np.argwhere(np.isnan(score))[0]
        raise DataError(f"scores holds NaN at problem {p}, solution {i}: every solution needs a score.")
    problems, n = score.shape
    S = check_subset_sizes(S, n, "S", "solutions in the pool")
    order = np.argsort(score, axis=1, kind="stable")
    ascending = np.take_along_axis(score, order, axis=1)
    # Number the groups of equal scores, with other numbers for each problem, so that one bincount serves all problems.
    level = np.cumsum(np.diff(ascending, axis=1, prepend=ascending[:, :1]) != 0, axis=1)
    level += n * np.arange(problems)[:, None]
    members = np.bincount(level.ravel(), minlength=problems * n)
    hits = np.bincount(level.ravel(), np.take_along_axis(right, order, axis=1).ravel(), problems * n)
    share: NDArray[np.float64] = hits[level] / members[level]
    return share @ compute_rank_probabilities(n, S).T


def rank_finished_first(scores: ArrayLike, finished: ArrayLike) -> NDArray[np.float64]:
    """Return numbers for `estimate_best_of_n` that order solutions as a search orders its candidates.

    A cut solution ranks below every complete one. Within each of the two groups, a solution without a score ranks
    lowest.

    Args:
        scores: (P, N) numbers; NaN where a solution has no score.
        finished: (P, N) booleans: whether a solution is complete.

    Raises:
        DataError: the arrays do not match.

    Example:
        >>> rank_finished_first([[0.9, 0.2, float("nan")]], [[False, True, True]])
        array([[-3.,  0., -1.]])
    """
    score, is_finished = np.asarray(scores, dtype=float), np.asarray(finished)
    if is_finished.shape != score.shape or is_finished.dtype.kind != "b":
        raise DataError(
            f"finished must be booleans of shape {score.shape}; got {is_finished.dtype} {is_finished.shape}."
        )
    values, rank = np.unique(score, return_inverse=True)
    rank = np.where(np.isnan(score), -1, rank.reshape(score.shape))
    return np.asarray(rank - (len(values) + 1.0) * ~is_finished)
