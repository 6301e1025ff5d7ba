"""Solutions that are sampled side by side: when each finishes, and what is charged for those that are cancelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.orders import Orders


@dataclass(frozen=True, eq=False)
class FinishOrder:
    """The order in which solutions finish that are sampled in waves.

    Args:
        orders: (P, R, n) positions of the solutions as they finish: wave after wave, in each by length.
        lengths: (P, R, n) their lengths, in solutions' worth: tokens over the mean tokens of all solutions of the pool.
        ends: (W,) the number of solutions after each wave.
    """

    orders: Orders
    lengths: Floats
    ends: Ints

    def find_looks(self, checks: Ints) -> NDArray[np.bool_]:
        """Return (P, R, n) whether a rule that checks after these numbers of solutions looks after each of them.

        Solutions of a wave that are equally long finish at the same time, and it looks after the last of them.
        """
        following = np.append(self.lengths[..., 1:], self.lengths[..., -1:], axis=2)
        count = np.arange(1, self.lengths.shape[2] + 1)
        is_last = np.isin(count, self.ends) | (following > self.lengths)
        return np.asarray(is_last & np.isin(count, checks))

    def compute_costs(self, solutions: Ints, verification: ArrayLike) -> Floats:
        """Compute what was generated until each number of solutions was finished, and verified if that is not free.

        The solutions of a wave start at once, and all generate equally fast. A verification starts when its solution
        finishes. Where the rule stops at the time τ of the wave, with the solution whose length and verification add up
        to τ, each of the others has generated τ: min(length, τ) of its solution, and the rest of its verification.

        Args:
            solutions: (P, R, T) finished solutions, at which the rule stops.
            verification: length of a verification in solutions' worth, or (P,) that on each problem; 0 without.

        Returns:
            (P, R, T) in solutions' worth.
        """
        each = np.reshape(verification, (-1, 1, 1))
        last = np.take_along_axis(self.lengths, solutions - 1, axis=2) + each
        whole = np.take_along_axis(np.cumsum(self.lengths, axis=2), solutions - 1, axis=2) + solutions * each
        cancelled = self.ends[np.searchsorted(self.ends, solutions)] - solutions
        return np.asarray(whole + cancelled * last)


def order_by_finish(orders: Orders, lengths: ArrayLike, ends: Ints, limit: int, most: int | None = None) -> FinishOrder:
    """Sort the solutions of each wave by length, the shortest first; equally long ones stay in their order.

    Args:
        orders: the order in which solutions are begun.
        lengths: (P, N) tokens of each solution of the pool, ≥ 0.
        ends: (W,) the number of solutions after each wave, rising.
        limit: solutions at this position and behind are passed over, as `track_votes` does.
        most: n, the full budget; solutions behind the last wave stay in their order. None if the last wave ends it.

    Raises:
        DataError: lengths that are negative, not finite, all zero, or not one for each solution.

    Example:
        >>> walk = Orders(np.array([[[0, 1, 2], [2, 1, 0]]], dtype=np.int32), None)
        >>> found = order_by_finish(walk, [[30, 10, 20]], np.array([2, 3]), limit=3)
        >>> found.orders.solutions.tolist(), found.lengths[0, 0].tolist()
        ([[[1, 0, 2], [1, 2, 0]]], [0.5, 1.5, 1.0])
        >>> found.compute_costs(np.array([[[1, 2], [1, 3]]]), verification=0.0).tolist()
        [[[1.0, 2.0], [1.0, 3.0]]]
    """
    tokens, (problems, draws, count) = np.asarray(lengths, dtype=float), orders.solutions.shape
    if tokens.shape != (problems, count):
        raise DataError(f"lengths must hold one per solution, shape ({problems}, {count}); got {tokens.shape}.")
    if not (np.isfinite(tokens).all() and (tokens >= 0).all() and tokens.any()):
        raise DataError("lengths must be token counts of 0 or more, at least one of them positive.")
    usable = orders.solutions[orders.solutions < limit].reshape(problems, draws, limit)[
        ..., : ends[-1] if most is None else most
    ]
    worth = (tokens / tokens.mean())[np.arange(problems)[:, None, None], usable]
    for start, end in zip([0, *ends], ends, strict=False):
        if end - start > 1:
            turn = start + np.argsort(worth[..., start:end], axis=2, kind="stable")
            for column in (usable, worth):
                column[..., start:end] = np.take_along_axis(column, turn, axis=2)
    return FinishOrder(Orders(usable, orders.verdicts, orders.rotations), worth, ends)
