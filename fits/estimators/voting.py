"""Expected accuracy of self-consistency: the majority vote over S solutions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.fits.estimators.quadrature import build_quadrature_rules
from isocompute.fits.estimators.subsets import check_subset_sizes, compute_binomials, group_subset_sizes
from isocompute.fits.pool import Pool


def estimate_self_consistency(pool: Pool, S: ArrayLike) -> NDArray[np.float64]:
    """Compute the expected accuracy of a majority vote over S solutions drawn without replacement (Wang et al. 2022).

    Exact, for all S in one pass. With c right solutions, the number of S-subsets in which the right answer wins
    with k votes is the coefficient of z^(S-k) in

        C(c, k) · (1+z)^u · Π_a [Σ_{j<k} C(n_a, j) z^j + y·C(n_a, k) z^k],

    with u unparsed solutions and n_a solutions with wrong answer a; the power t of y counts the wrong answers that
    tie. Ties are broken uniformly: y^t becomes 1/(t+1) = ∫₀¹ y^t dy, which Gauss-Legendre integrates exactly. All
    terms are positive, so nothing cancels. Unparsed answers cost but never win; a subset of only unparsed answers is
    wrong. Several right answers to a problem are counted one after the other, each against all others.

    Args:
        pool: the sampled answers.
        S: (nS,) numbers of solutions, 1..N.

    Returns:
        (P, nS) accuracies. S=1 is the fraction of right solutions.

    Raises:
        DataError: S is empty, not integers, or out of range.

    Time grows as N·max(S)²/4 in the worst pool, so S in the thousands takes minutes per problem.

    Example:
        >>> estimate_self_consistency(Pool(answers=[[0, 0, 1, 2]], gold=[0]), S=[1, 3, 4]).round(4)
        array([[0.5   , 0.6667, 1.    ]])
    """
    from isocompute.fits.estimators.kernels import count_vote_wins

    S = check_subset_sizes(S, pool.solutions, "S", "solutions in the pool")
    pool, problem_of_row = pool.split_right_answers()
    _, counts = label_answers(pool, pool.solutions)
    right, wrong = counts[:, 0].copy(), counts[:, 1:].copy()
    unparsed, groups = pool.solutions - counts.sum(axis=1), (wrong > 0).sum(axis=1)
    accuracy = np.empty((pool.problems, len(S)))
    for q, at in group_subset_sizes(pool.solutions, S):  # in groups, because large binomials overflow
        largest = int(S[at].max())
        table = compute_binomials(pool.solutions, largest, q)
        # A right answer with k ≥ 2 votes ties with fewer than S/2 wrong ones, and n nodes are exact up to degree
        # 2n - 1. The kernel expands k = 1 without nodes.
        nodes, weights = build_quadrature_rules(1 + largest // 4)
        wins = count_vote_wins(right, unparsed, wrong, groups, table, nodes, weights)
        accuracy[:, at] = wins[:, S[at]] / table[pool.solutions, S[at]]  # the share of all S-subsets
    return np.minimum(sum_by_problem(accuracy, problem_of_row), 1.0)


def sum_by_problem(values: NDArray[np.float64], problem_of_row: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sum of the rows of each problem, see `Pool.split_right_answers`.

    >>> sum_by_problem(np.array([[0.5], [0.25], [1.0]]), np.array([0, 0, 1]))
    array([[0.75],
           [1.  ]])
    """
    total = np.zeros((int(problem_of_row[-1]) + 1, *values.shape[1:]))
    np.add.at(total, problem_of_row, values)
    return total


def label_answers(pool: Pool, solutions: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the answers of each problem: the right one first, then the wrong ones by frequency.

    Args:
        pool: the sampled answers, with one right answer to each problem.
        solutions: n; the first n of the N solutions are used.

    Returns:
        label: (P, n) 0 for the right answer, 1, 2, … for the wrong ones by falling frequency, -1 if unparsed.
        counts: (P, 1+A) how often each answer occurs, padded with 0 to the most wrong answers of any problem (A ≥ 1).

    Example:
        >>> label_answers(Pool(answers=[[5, 7, 3, 7, -1]], gold=[3]), 5)
        (array([[ 2,  1,  0,  1, -1]]), array([[1, 2, 1]]))
    """
    given = np.concatenate([pool.answers[:, :solutions], pool.gold[:, None]], axis=1)
    codes, ranks = np.unique(given, return_inverse=True)
    # All problems at once: an answer's key is its problem and the rank of its code.
    keys = np.arange(pool.problems)[:, None] * len(codes) + ranks.reshape(given.shape)
    found, position, occurrences = np.unique(keys[:, :-1], return_inverse=True, return_counts=True)
    problem = found // len(codes)
    is_right = found == keys[problem, -1]
    wrong = np.flatnonzero((codes[found % len(codes)] >= 0) & ~is_right)
    wrong = wrong[np.lexsort((-occurrences[wrong], problem[wrong]))]
    wrongs = np.bincount(problem[wrong], minlength=pool.problems)
    label = np.where(is_right, 0, -1)
    label[wrong] = 1 + np.arange(len(wrong)) - np.repeat(np.cumsum(wrongs) - wrongs, wrongs)
    counts = np.zeros((pool.problems, 1 + max(1, int(wrongs.max()))), dtype=np.int64)
    known = label >= 0
    counts[problem[known], label[known]] = occurrences[known]
    return label[position].reshape(pool.problems, solutions), counts
