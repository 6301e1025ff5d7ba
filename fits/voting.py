"""What would a majority vote over S solutions answer: self-consistency."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.fits.pool import Pool
from isocompute.fits.subsets import binomials, sizes, tilts


def self_consistency(pool: Pool, S: ArrayLike) -> NDArray[np.float64]:
    """Expected accuracy of the majority vote over S solutions drawn without replacement (Wang et al. 2022).

    Exact, for all S in one pass. The subsets in which the right answer, given c times, wins with k votes are
    counted by the coefficient of z^(S-k) in

        C(c, k) · (1+z)^u · Π_a [Σ_{j<k} C(n_a, j) z^j + y·C(n_a, k) z^k],

    with u solutions unparsed and n_a for wrong answer a; the power t of y counts the wrong answers that tie.
    Ties are broken uniformly: y^t becomes 1/(t+1) = ∫₀¹ y^t dy, which Gauss-Legendre does exactly. Every term
    is positive: nothing cancels. Unparsed answers cost and never win; a subset of nothing else is wrong.

    Args:
        pool: the sampled answers.
        S: (nS,) numbers of solutions, 1..N.

    Returns:
        (P, nS) accuracies. S=1 is the fraction of right solutions.

    Raises:
        DataError: S is empty, not integers, or out of range.

    Not covered: time grows as N·max(S)²/4 in the worst pool, so S in the thousands takes minutes per problem.

    Example:
        >>> self_consistency(Pool(answers=[[0, 0, 1, 2]], gold=[0]), S=[1, 3, 4]).round(4)
        array([[0.5   , 0.6667, 1.    ]])
    """
    from isocompute.fits.kernels import vote_wins

    S = sizes(S, pool.solutions, "S", "solutions in the pool")
    right = pool.correct.sum(axis=1)
    unparsed = (pool.answers == -1).sum(axis=1)
    wrong, groups = _wrong_answers(pool)
    accuracy = np.empty((pool.problems, len(S)))
    for q, at in tilts(pool.solutions, S):
        largest = int(S[at].max())
        table = binomials(pool.solutions, largest, q)
        nodes, weights = _rules(1 + largest // 4)
        wins = vote_wins(right, unparsed, wrong, groups, table, nodes, weights)
        accuracy[:, at] = wins[:, S[at]] / table[pool.solutions, S[at]]
    return np.minimum(accuracy, 1.0)


def _wrong_answers(pool: Pool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(P, A) how often each wrong answer of a problem occurs, padded with 0; (P,) how many there are."""
    counts = []
    for answers, gold in zip(pool.answers, pool.gold, strict=True):
        counts.append(np.unique(answers[(answers >= 0) & (answers != gold)], return_counts=True)[1])
    groups = np.array([len(row) for row in counts], dtype=np.int64)
    padded = np.zeros((pool.problems, max(1, int(groups.max()))), dtype=np.int64)
    for p, row in enumerate(counts):
        padded[p, : len(row)] = row
    return padded, groups


@cache
def _rules(largest: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss-Legendre rules on [0, 1] of 1, 2, 4, … nodes, to at least `largest`; rule n starts at n - 1."""
    nodes, weights = [], []
    n = 1
    while True:
        x, w = np.polynomial.legendre.leggauss(n)
        nodes.append((x + 1) / 2)
        weights.append(w / 2)
        if n >= largest:
            return np.concatenate(nodes), np.concatenate(weights)
        n *= 2
