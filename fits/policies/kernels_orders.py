"""Compiled loops that draw random orders of solutions and verdicts."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from isocompute.fits.arrays import Ints
from isocompute.fits.estimators.kernels_streams import STREAM_STEP, Streams, derive_stream, hash_word, scale_word


@njit(cache=True, parallel=True)
def draw_solution_orders(canonical: Ints, rotations: int, streams: Streams, orders: NDArray[np.int32]) -> None:
    """Fill the orders of the solutions: one shuffled order, then its rotations, and so on.

    Args:
        canonical: (P, N) the solutions of each problem in an order that does not depend on how they are listed.
        rotations: how many draws in a row are rotations of one order.
        streams: (P,) from `start_streams`.
        orders: (P, R, N) to fill.
    """
    problems, draws, solutions = orders.shape
    for p in prange(problems):
        for r in range(draws):
            turn = r % rotations
            if turn:
                shift = turn * solutions // rotations
                base = orders[p, r - turn]
                for i in range(solutions):
                    orders[p, r, i] = base[(i + shift) % solutions]
                continue
            row, state = orders[p, r], derive_stream(streams[p], r)
            for i in range(solutions):
                row[i] = canonical[p, i]
            for i in range(solutions - 1):
                state += STREAM_STEP
                j = i + scale_word(hash_word(state), solutions - i)
                row[i], row[j] = row[j], row[i]


@njit(cache=True, parallel=True)
def draw_verdict_orders(
    canonical: Ints, sorted_verdicts: Ints, judged: Ints, stream: np.uint64, orders: NDArray[np.integer]
) -> None:
    """Fill the orders of the first verdicts of each solution of a problem, which are shuffled anew in every draw.

    Args:
        canonical: (K,) as for `draw_solution_orders`: a solution's stream is that of its place in it.
        sorted_verdicts: (K, M) the verdicts of each solution in ascending order, as positions.
        judged: (K,) how many verdicts a solution has; they come first.
        stream: the problem's, from `start_streams`.
        orders: (R, K, m) to fill.
    """
    draws, solutions, read = orders.shape
    for place in prange(solutions):
        i = canonical[place]
        row, swapped = np.empty(sorted_verdicts.shape[1], dtype=orders.dtype), np.empty(read, dtype=np.int64)
        row[:] = sorted_verdicts[i]
        moved = max(min(read, judged[i] - 1), 0)
        for r in range(draws):
            state = derive_stream(derive_stream(stream, r), place)
            for m in range(moved):
                state += STREAM_STEP
                swapped[m] = m + scale_word(hash_word(state), judged[i] - m)
                row[m], row[swapped[m]] = row[swapped[m]], row[m]
            orders[r, i] = row[:read]
            for m in range(moved - 1, -1, -1):  # the row is sorted again, in time that does not grow with it
                row[m], row[swapped[m]] = row[swapped[m]], row[m]
