"""The state of a vote after each solution of each random order, from which the rules decide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.estimators.monte_carlo import require_verdicts
from isocompute.fits.estimators.solution_order import label_right_first
from isocompute.fits.policies.orders import Orders, read_ordered_verdicts
from isocompute.fits.pool import Pool


@dataclass(frozen=True, eq=False)
class VoteTrack:
    """The vote after 1, 2, … n solutions of R orders of P problems.

    Args:
        first: (P, R, n) total of the answer that leads: votes, or the sum of their weights; 0 without a vote.
        second: (P, R, n) largest total of another answer; `first` if several lead, 0 if there is no other.
        right: (P, R, n) probability that the vote is right, ties being uniform.
        same: (P, R, n) probability that the answer is that after n solutions. Ties at both times are broken by one
            random order of the answers: of the answers that lead at either time, those that lead at both times win
            both with probability |both| / |either|.
        repeats: (P, R, n) how many answers in a row, up to now, are equal; 0 after an unparsed one.
        verifications: verifications of each solution, 0 or 1.
    """

    first: Floats
    second: Floats
    right: Floats
    same: Floats
    repeats: NDArray[np.int32]
    verifications: int

    @property
    def most(self) -> int:
        """The number of solutions of the full budget, n."""
        return int(self.first.shape[2])


def track_votes(pool: Pool, orders: Orders, most: int | None = None, is_weighted: bool = False) -> VoteTrack:
    """Count the votes of each order, one solution after the other.

    Args:
        pool: the sampled answers, with verdicts if the vote is weighted.
        orders: random orders of them, see `draw_orders`.
        most: n, the solutions of the full budget; None means all that can be used.
        is_weighted: let each solution vote with its first verdict, 0 if it cannot be read. Solutions that were not
            verified are passed over.

    Raises:
        DataError: no verdicts for a weighted vote, or `most` is out of range.

    Example:
        >>> from isocompute.fits.policies.orders import Orders
        >>> pool = Pool([[0, 1, 1]], [1])
        >>> track = track_votes(pool, Orders(np.array([[[0, 1, 2], [1, 2, 0]]], dtype=np.int32), None))
        >>> track.first[0].tolist(), track.right[0].tolist()
        ([[1.0, 1.0, 2.0], [1.0, 2.0, 2.0]], [[0.0, 0.5, 1.0], [1.0, 1.0, 1.0]])
    """
    from isocompute.fits.policies.kernels_tracks import count_votes

    longest, limit = count_usable(pool, most, is_weighted), pool.solutions
    weights = np.empty((0, 0, 0))
    if is_weighted:
        assert orders.verdicts is not None
        limit = pool.verified_solutions
        codes = read_ordered_verdicts(pool, orders.verdicts[..., :1])[..., 0]  # (P, R, K) the first of each solution
        weights = np.where(codes >= 0, codes, 0.0)
    label, rights = label_right_first(pool, limit)
    shape = (pool.problems, orders.draws, longest)
    track = VoteTrack(
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
        np.empty(shape, dtype=np.int32),
        int(is_weighted),
    )
    count_votes(
        label, rights, orders.solutions, weights, track.first, track.second, track.right, track.same, track.repeats
    )
    return track


def count_usable(pool: Pool, most: int | None, is_weighted: bool) -> int:
    """Return the solutions of the full budget: `most`, or all, of a weighted vote all that were verified.

    Raises:
        DataError: no verdicts for a weighted vote, or `most` is out of range.
    """
    if is_weighted:
        require_verdicts(pool, "weighted-beta")
    limit = pool.verified_solutions if is_weighted else pool.solutions
    longest = limit if most is None else most
    if not 1 <= longest <= limit:
        raise DataError(f"most must lie between 1 and {limit}, the solutions that the rule can use; got {most}.")
    return longest
