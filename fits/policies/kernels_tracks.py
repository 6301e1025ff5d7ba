"""The compiled loop that counts the votes of random orders, one solution after the other."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from isocompute.fits.arrays import Floats, Ints

_ROUNDING = 1e-9  # totals tie if they differ by less than this share


@njit(cache=True, parallel=True)
def count_votes(
    label: Ints,
    rights: Ints,
    orders: NDArray[np.int32],
    weights: Floats,
    first: Floats,
    second: Floats,
    right: Floats,
    same: Floats,
    repeats: NDArray[np.int32],
) -> None:
    """Fill the state of the vote after each solution of each order, see `VoteTrack`.

    Args:
        label: (P, L) answer of each solution that may be drawn, -1 if unparsed (no vote).
        rights: (P,) the answers below this number are right.
        orders: (P, R, N) positions; those from L on are passed over.
        weights: (P, R, L) weight of each solution; (0, 0, 0) if each counts 1.
        first: (P, R, n) to fill: the largest total.
        second: (P, R, n) to fill: the largest total of another answer.
        right: (P, R, n) to fill: the share of right answers among those with the largest total.
        same: (P, R, n) to fill: the share of the answers that lead now or at the end which do both.
        repeats: (P, R, n) to fill: how many answers in a row are equal.
    """
    problems, draws, longest = first.shape
    limit, weighted = label.shape[1], weights.size > 0
    for p in prange(problems):
        answers = max(label[p].max() + 1, 1)
        total, present = np.empty(answers), np.empty(answers, dtype=np.int64)
        counted, final = np.empty(answers, dtype=np.bool_), np.empty(answers, dtype=np.bool_)
        for r in range(draws):
            finals = 0
            for turn in range(2):  # the first turn finds the answers that lead at the end
                counted[:] = False
                seen, n, last, run = 0, 0, -1, 0
                for i in orders[p, r]:
                    if i >= limit:
                        continue
                    a = label[p, i]
                    if a >= 0:
                        if not counted[a]:
                            counted[a], total[a], present[seen] = True, 0.0, a
                            seen += 1
                        total[a] += weights[p, r, i] if weighted else 1.0
                    if turn == 1:
                        run = 0 if a < 0 else (run + 1 if a == last else 1)
                        last = a
                        top, below = -1.0, 0.0
                        for b in present[:seen]:
                            if total[b] > top:
                                top, below = total[b], max(top, 0.0)
                            elif total[b] > below:
                                below = total[b]
                        tied, good, both = 0, 0, 0
                        for b in present[:seen]:
                            if total[b] >= top * (1 - _ROUNDING):
                                tied += 1
                                good += b < rights[p]
                                both += final[b]
                        first[p, r, n], second[p, r, n] = max(top, 0.0), below
                        right[p, r, n] = good / tied if tied else 0.0
                        either = tied + finals - both
                        same[p, r, n] = both / either if either else 1.0
                        repeats[p, r, n] = run
                    n += 1
                    if n == longest:
                        break
                if turn == 0:
                    top = 0.0
                    for b in present[:seen]:
                        top = max(top, total[b])
                    final[:] = False
                    for b in present[:seen]:
                        if total[b] >= top * (1 - _ROUNDING):
                            final[b] = True
                            finals += 1
