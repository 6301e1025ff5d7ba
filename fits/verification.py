"""What would S solutions with V verifications each answer: Best-of-N under a generative verifier."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.pool import Pool
from isocompute.fits.subsets import binomials, sizes, tilts


def genrm(pool: Pool, S: ArrayLike, V: ArrayLike) -> NDArray[np.float64]:
    """Expected accuracy of the best mean verdict, S solutions of V verifications each (GenRM Best-of-N).

    S of the K verified solutions are drawn without replacement, and V of the M verdicts of each of them. A
    solution's score is the mean of its parsed verdicts; 0 without one, or without a parsed answer. The
    highest score wins, ties broken uniformly among solutions (Singhi et al. 2025, arXiv 2504.01005, whose
    estimate takes the first V verdicts instead). Exact: with B_j = P(score_j < ℓ) and p_j = P(score_j = ℓ),

        Σ_ℓ Σ_i right_i p_i ∫₀¹ e_{S-1}({B_j + t·p_j}, j ≠ i) dt / C(K, S)

    where e is the elementary symmetric polynomial and ∫ shares the prize among the tied. All terms are
    positive. Gauss-Legendre with min(⌈S/2⌉, 3√S) nodes: exact to rounding up to S = 36, to 1e-12 at
    S = 256 and 3e-12 at S = 1024.

    Args:
        pool: sampled answers with verdicts 0, 1 or NaN.
        S: (nS,) numbers of solutions, 1..K.
        V: (nV,) numbers of verifications per solution, 1..M.

    Returns:
        (P, nS, nV) accuracies. S=1 is the fraction of right solutions at every V.

    Raises:
        DataError: no verdicts, verdicts between 0 and 1, or S or V empty, not integers, or out of range.

    Example:
        >>> pool = Pool(answers=[[0, 1]], gold=[0], verdicts=[[[1, 1], [1, 0]]])
        >>> genrm(pool, S=[1, 2], V=[1, 2])[0]
        array([[0.5 , 0.5 ],
               [0.75, 1.  ]])
    """
    from isocompute.fits.kernels import selection_wins

    tally = _tally(pool)
    S = sizes(S, pool.verified, "S", "verified solutions in the pool")
    V = sizes(V, pool.verifications, "V", "verifications of each solution")
    correct = pool.correct[:, : pool.verified]
    order = np.argsort(correct, axis=1, kind="stable")  # wrong solutions first
    kinds, kind = np.unique(tally.reshape(-1, 3), axis=0, return_inverse=True)
    kind = np.take_along_axis(kind.reshape(correct.shape), order, axis=1)
    wrong = pool.verified - correct.sum(axis=1)
    accuracy = np.empty((pool.problems, len(S), len(V)))
    for v, size in enumerate(V.tolist()):
        below, at_level = _levels(kinds, size)
        for q, at in tilts(pool.verified, S):
            top = binomials(pool.verified, int(S[at].max()), q)[pool.verified, S[at]]
            nodes, weights = _rule(int(S[at].max()))
            wins = selection_wins(kind, wrong, below, at_level, nodes, weights, S[at], q)
            accuracy[:, at, v] = wins / top
    return np.minimum(accuracy, 1.0)


def _tally(pool: Pool) -> NDArray[np.int64]:
    """(P, K, 3): yes, no and unparsed verdicts of each solution; all unparsed where the answer is."""
    verdicts = pool.verdicts
    if verdicts is None:
        raise DataError("genrm needs a pool with verdicts of shape (problems, solutions, verifications).")
    yes, no = (verdicts == 1), (verdicts == 0)
    between = ~(yes | no | np.isnan(verdicts))
    if between.any():
        p, k, m = np.argwhere(between)[0]
        raise DataError(
            f"genrm is exact for verdicts 0, 1 or NaN only; got p(yes) = {verdicts[p, k, m]} at problem {p}, "
            f"solution {k}, verification {m}: threshold the verdicts first."
        )
    tally = np.stack([yes.sum(axis=2), no.sum(axis=2), np.isnan(verdicts).sum(axis=2)], axis=2)
    tally[pool.answers[:, : pool.verified] == -1] = (0, 0, verdicts.shape[2])
    return tally


def _levels(kinds: NDArray[np.int64], V: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score distribution of each kind of solution under a random V-subset of its verdicts.

    i yes and j no come up with probability C(yes, i) C(no, j) C(unparsed, V-i-j) / C(M, V), score i/(i+j).

    Args:
        kinds: (T, 3) counts of yes, no and unparsed, summing to M.
        V: size of the subset.

    Returns:
        below, at: (T, L) probabilities of a score less than, and equal to, each level that occurs.
    """
    M = int(kinds[0].sum())
    i, j = np.indices((V + 1, V + 1))
    inside = i + j <= V
    i, j = i[inside], j[inside]
    values, level = np.unique(i / np.maximum(i + j, 1), return_inverse=True)
    ways = binomials(M, V, V / (M + 1))
    at = np.empty((len(kinds), len(values)))
    for t, (yes, no, unparsed) in enumerate(kinds):
        joint = ways[yes, i] * ways[no, j] * ways[unparsed, V - i - j] / ways[M, V]
        at[t] = np.bincount(level, joint, len(values))
    at = at[:, at.any(axis=0)]
    return np.cumsum(at, axis=1) - at, at


@cache
def _rule(S: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss-Legendre on [0, 1] for polynomials Σ c_j t^j, c_j ≥ 0, of degree S-1 and integral at most 1."""
    x, w = np.polynomial.legendre.leggauss(min(-(-S // 2), math.ceil(3 * math.sqrt(S))))
    return (x + 1) / 2, w / 2
