"""Compiled inner loop of the vote among tied solutions: polynomials evaluated on the unit circle.

Each answer is a polynomial in x, the number of its solutions at the score level. Its coefficients are polynomials in
z, the size of the subset, stored as values at points of the unit circle (see `verification._build_circle`). The
coefficients in z are probabilities of Bernoulli(q) subsets, so no value exceeds the one at z = 1.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from isocompute.fits.arrays import Floats, Ints

Complexes = NDArray[np.complex128]


@njit(cache=True)
def _expand_votes(kind: Ints, below: Floats, at: Floats, z: Complexes, q: float, rows: Complexes) -> None:
    """Fill rows[j] with [x^j] Π_i ((1-q) + q·(below_i + at_i·x)·z), up to the number of rows."""
    constant = np.ones(len(z), dtype=np.complex128)
    stay, join = np.empty_like(constant), np.empty_like(constant)
    rows[:] = 0.0
    rows[0] = 1.0
    degree, largest = 0, len(rows) - 1
    for i in range(len(kind)):
        b, p = q * below[kind[i]], q * at[kind[i]]
        for v in range(len(z)):
            stay[v] = (1 - q) + b * z[v]
            join[v] = p * z[v]
        if p == 0.0:
            constant *= stay
            continue
        degree = min(degree + 1, largest)
        for j in range(degree, 0, -1):
            for v in range(len(z)):
                rows[j, v] = rows[j, v] * stay[v] + rows[j - 1, v] * join[v]
        rows[0] *= stay
    for j in range(degree + 1):
        rows[j] *= constant


@njit(cache=True)
def _expand_answers(
    kind: Ints, counts: Ints, below: Floats, at: Floats, z: Complexes, q: float, most: int
) -> tuple[Complexes, Ints]:
    """Return the rows of each answer for 0 to min(count, most) votes, cumulated for wrong answers, and their starts."""
    start = np.zeros(len(counts) + 1, dtype=np.int64)
    for a in range(len(counts)):
        start[a + 1] = start[a] + min(counts[a], most) + 1
    rows = np.empty((start[-1], len(z)), dtype=np.complex128)
    seen = 0
    for a in range(len(counts)):
        of = rows[start[a] : start[a + 1]]
        _expand_votes(kind[seen : seen + counts[a]], below, at, z, q, of)
        seen += counts[a]
        if a > 0:
            for j in range(1, len(of)):
                of[j] += of[j - 1]
    return rows, start


@njit(cache=True)
def _count_wins_by_votes(
    kind: Ints,
    counts: Ints,
    below: Floats,
    at: Floats,
    z: Complexes,
    q: float,
    first: int,
    last: int,
    largest: int,
    nodes: Floats,
    weights: Floats,
) -> Complexes:
    """Return (last + 1, points): subsets in which the right answer wins with k = first..last votes at the level."""
    rows, start = _expand_answers(kind, counts, below, at, z, q, last)
    spare = ((1 - q) + q * z) ** (len(kind) - counts.sum())  # solutions that cannot reach k votes; first the unparsed
    rivals = len(counts) - 1  # wrong answers that can reach k votes, the most frequent first
    wins = np.zeros((last + 1, len(z)), dtype=np.complex128)
    product = np.empty(len(z), dtype=np.complex128)
    for k in range(first, last + 1):
        while rivals > 0 and counts[rivals] < k:
            spare *= rows[start[rivals + 1] - 1]
            rivals -= 1
        degree = min(rivals, (largest - k) // k)  # at most this many rivals can tie within the largest subset
        n = 1
        while n < min(degree // 2 + 1, 3 * np.sqrt(degree + 1)):
            n *= 2
        for node in range(n - 1, 2 * n - 1):
            y = nodes[node]
            product[:] = weights[node] * spare
            for a in range(1, rivals + 1):
                fewer, up_to_k = rows[start[a] + k - 1], rows[start[a] + k]
                for v in range(len(z)):
                    product[v] *= (1 - y) * fewer[v] + y * up_to_k[v]  # fewer than k votes, or k weighted by y
            wins[k] += product
        wins[k] *= rows[k]
    return wins


@njit(cache=True, parallel=True)
def compute_tied_vote_wins(
    kind: Ints,
    counts: Ints,
    below: Floats,
    at: Floats,
    z: Complexes,
    q: float,
    largest: int,
    nothing: float,
    nodes: Floats,
    weights: Floats,
) -> Complexes:
    """Compute the probability that the right answer wins, as a polynomial in the size of a Bernoulli(q) subset.

    Args:
        kind: (P, K) row of below and at for each solution; a problem's right solutions come first, then the wrong ones
            by answer, the most frequent answer first, then the unparsed.
        counts: (P, 1+A) solutions with the right answer and with each wrong one, padded with 0.
        below: (T, L) probability of a score less than level ℓ.
        at: (T, L) probability of a score equal to level ℓ.
        z: (n,) points on the unit circle, the first is 1.
        q: the probability that a solution is in the subset.
        largest: the largest size that will be read off.
        nothing: a negligible probability; smaller terms are skipped.
        nodes: Gauss-Legendre rules of 1, 2, 4, … nodes, concatenated.
        weights: their weights.

    Returns:
        (P, n) values at the points.
    """
    problems, levels = kind.shape[0], below.shape[1]
    wins = np.zeros((problems, len(z)), dtype=np.complex128)
    for p in prange(problems):
        answers = 1 + np.sum(counts[p, 1:] > 0)
        many = counts[p, :answers]
        parsed = many.sum()
        for level in range(levels):
            here, none_above = 0.0, 1.0  # expected right solutions at the level; P(none above it)
            for i in range(parsed):
                b, e = below[kind[p, i], level], at[kind[p, i], level]
                none_above *= 1 - q * max(0.0, 1 - b - e)
                if i < many[0]:
                    here += q * e
            if none_above * min(1.0, here) <= nothing:
                continue
            B, E = below[:, level], at[:, level]
            first, last = 1, min(many[0], largest)
            bound = _count_wins_by_votes(kind[p], many, B, E, z[:1], q, first, last, largest, nodes, weights)
            while last >= first and bound[last, 0].real <= nothing:
                last -= 1
            while first < last and bound[first, 0].real <= nothing:
                first += 1
            if last >= first:
                by_votes = _count_wins_by_votes(kind[p], many, B, E, z, q, first, last, largest, nodes, weights)
                wins[p] += by_votes.sum(axis=0)
    return wins
