"""Compiled inner loops of the exact estimators: products of many small polynomials, one problem per thread.

All coefficients are tilted (see `subsets.group_subset_sizes`): a factor 1 + w·z is stored as (1-q) + q·w·z. They are
sums of products of positive numbers, so each keeps its relative precision.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from isocompute.fits.arrays import Floats, Ints


@njit(cache=True)
def _expand_single_vote(wrong: Ints, table: Floats, spare: int, largest: int) -> Floats:
    """Return the coefficients Σ_t [y^t]/(t+1) of (1+z)^spare Π_a (1 + y·n_a·z): the right answer has one vote."""
    tied = np.zeros(largest + 1)
    tied[0] = 1.0
    for a in range(len(wrong)):
        for t in range(min(a + 1, largest), 0, -1):
            tied[t] = tied[t] * table[wrong[a], 0] + tied[t - 1] * table[wrong[a], 1]
        tied[0] *= table[wrong[a], 0]
    coefficients = np.zeros(largest + 1)
    for t in range(min(len(wrong), largest) + 1):
        for j in range(min(largest - t, spare) + 1):
            coefficients[t + j] += tied[t] / (t + 1) * table[spare, j]
    return coefficients


@njit(cache=True)
def _multiply_polynomial(poly: Floats, by: Floats, count: int, k: int, y: float) -> Floats:
    """Multiply by Σ_{j<k} by_j z^j + y·by_k z^k, truncated to the length of poly; by_j is 0 for j > count."""
    product: Floats = by[0] * poly
    for j in range(1, min(k, count, len(poly) - 1) + 1):
        factor = by[j] * y if j == k else by[j]
        for i in range(len(poly) - j):
            product[i + j] += factor * poly[i]
    return product


@njit(cache=True, parallel=True)
def count_vote_wins(
    right: Ints, unparsed: Ints, wrong: Ints, groups: Ints, table: Floats, nodes: Floats, weights: Floats
) -> Floats:
    """Count (tilted) the S-subsets in which the right answer wins the vote; a tie counts by its share.

    Args:
        right: (P,) solutions with the right answer.
        unparsed: (P,) solutions without an answer.
        wrong: (P, A) solutions with each wrong answer; only the first `groups` entries of a row are used.
        groups: (P,) distinct wrong answers.
        table: (N+1, Smax+1) tilted binomials.
        nodes: Gauss-Legendre rules of 1, 2, 4, … nodes, concatenated.
        weights: their weights.

    Returns:
        (P, Smax+1) counts by S.
    """
    problems, largest = len(right), table.shape[1] - 1
    wins = np.zeros((problems, largest + 1))
    for p in prange(problems):
        for k in range(1, min(right[p], largest) + 1):
            spare = unparsed[p]
            rivals = np.empty(groups[p], dtype=np.int64)
            many = 0
            for a in range(groups[p]):
                if wrong[p, a] >= k:
                    rivals[many] = wrong[p, a]
                    many += 1
                else:
                    spare += wrong[p, a]
            rivals = rivals[:many]
            if k == 1:
                coefficients = _expand_single_vote(rivals, table, spare, largest - 1)
            else:
                coefficients = np.zeros(largest - k + 1)
                n = 1  # a rule of n nodes is exact up to degree 2n - 1; the degree is the number of rivals that can tie
                while 2 * n - 1 < min(many, (largest - k) // k):
                    n *= 2
                for node in range(n - 1, 2 * n - 1):
                    poly = table[spare, : largest - k + 1].copy()
                    for a in range(many):
                        poly = _multiply_polynomial(poly, table[rivals[a]], rivals[a], k, nodes[node])
                    coefficients += weights[node] * poly
            for i in range(len(coefficients)):
                wins[p, k + i] += table[right[p], k] * coefficients[i]
    return wins


_CHUNK = 4  # factors multiplied in one sweep over the coefficients


@njit(cache=True)
def _multiply_chunk(R: Floats, D: Floats, f: Floats, g: Floats, degree: int, dual: bool) -> None:
    """Compute R ← R·f and, if dual, D ← D·f + R·g at each node, in place from the top; row k+4 holds z^k."""
    nodes = R.shape[1]
    for k in range(degree + _CHUNK, _CHUNK - 1, -1):
        if dual:
            for v in range(nodes):
                D[k, v] = (
                    D[k, v] * f[0, v]
                    + D[k - 1, v] * f[1, v]
                    + D[k - 2, v] * f[2, v]
                    + D[k - 3, v] * f[3, v]
                    + D[k - 4, v] * f[4, v]
                    + R[k - 1, v] * g[1, v]
                    + R[k - 2, v] * g[2, v]
                    + R[k - 3, v] * g[3, v]
                    + R[k - 4, v] * g[4, v]
                )
        for v in range(nodes):
            R[k, v] = (
                R[k, v] * f[0, v]
                + R[k - 1, v] * f[1, v]
                + R[k - 2, v] * f[2, v]
                + R[k - 3, v] * f[3, v]
                + R[k - 4, v] * f[4, v]
            )


@njit(cache=True, fastmath={"contract"})
def _multiply_factors(
    kind: Ints, below: Floats, at: Floats, t: Floats, q: float, largest: int, dual: bool
) -> tuple[Floats, Floats, int]:
    """Compute Π_i ((1-q) + q·(below_i + t·at_i)·z) and, if dual, its derivative Σ_i q·at_i·z Π_{j≠i} at each node t."""
    R = np.zeros((largest + 1 + _CHUNK, len(t)))
    D = np.zeros((largest + 1 + _CHUNK if dual else 0, len(t)))
    f, g = np.empty((_CHUNK + 1, len(t))), np.empty((_CHUNK + 1, len(t)))
    R[_CHUNK] = 1.0
    degree, held, constant = 0, 0, 1.0
    f[:], g[:] = 0.0, 0.0
    f[0] = 1.0
    for i in range(len(kind)):
        b, p = q * below[kind[i]], q * at[kind[i]]
        if b == 0.0 and p == 0.0:
            constant *= 1 - q
        else:
            held += 1
            for j in range(held, 0, -1):
                for v in range(len(t)):
                    w = b + t[v] * p
                    g[j, v] = (1 - q) * g[j, v] + w * g[j - 1, v] + p * f[j - 1, v]
                    f[j, v] = (1 - q) * f[j, v] + w * f[j - 1, v]
            f[0] *= 1 - q
        if held == _CHUNK or (held and i == len(kind) - 1):
            degree = min(degree + held, largest)
            _multiply_chunk(R, D, f, g, degree, dual)
            held = 0
            f[:], g[:] = 0.0, 0.0
            f[0] = 1.0
    R *= constant
    D *= constant
    return R, D, degree


@njit(cache=True, parallel=True, fastmath={"contract"})
def count_selection_wins(
    kind: Ints, wrong: Ints, below: Floats, at: Floats, t: Floats, weights: Floats, S: Ints, q: float
) -> Floats:
    """Count (tilted) the S-subsets in which a right solution has the highest score; a tie counts by its share.

    Args:
        kind: (P, K) row of below and at for each solution; the wrong solutions of a problem come first.
        wrong: (P,) how many solutions are wrong.
        below: (T, L) probability of a score less than level ℓ.
        at: (T, L) probability of a score equal to level ℓ.
        t: (n,) Gauss-Legendre nodes on [0, 1].
        weights: (n,) their weights.
        S: (nS,) subset sizes.
        q: the tilt.

    Returns:
        (P, nS) counts.
    """
    problems, levels, largest = kind.shape[0], below.shape[1], S.max()
    wins = np.zeros((problems, len(S)))
    for p in prange(problems):
        bad, good = kind[p, : wrong[p]], kind[p, wrong[p] :]
        for level in range(levels):
            here = 0.0
            for i in range(len(good)):
                here = max(here, at[good[i], level])
            if here == 0.0:
                continue
            W, _, other = _multiply_factors(bad, below[:, level], at[:, level], t, q, largest, False)
            _, D, degree = _multiply_factors(good, below[:, level], at[:, level], t, q, largest, True)
            for s in range(len(S)):
                for k in range(max(1, S[s] - other), min(degree, S[s]) + 1):
                    for v in range(len(t)):
                        wins[p, s] += weights[v] * D[k + _CHUNK, v] * W[S[s] - k + _CHUNK, v]
    return wins
