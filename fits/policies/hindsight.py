"""The least compute that gives the full budget's answer, for one who knows that answer beforehand."""

from __future__ import annotations

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.policies.estimate import PolicyEstimate, build_policy_estimate
from isocompute.fits.policies.orders import Orders
from isocompute.fits.policies.vote_track import track_votes
from isocompute.fits.pool import Pool

_SAME = 1 - 1e-9


def compute_hindsight(
    pool: Pool, orders: Orders, most: int | None = None, is_weighted: bool = False, lam: float | None = None
) -> PolicyEstimate:
    """Compute where sampling could stop for good: the first solution from which the full budget's answer leads.

    In each order it is the smallest n at which, and at every later n up to the full budget, the same answers lead as at
    the full budget. An answer that leads early, loses the lead and regains it counts from when it regains it. No rule
    that keeps the answer and looks at the votes alone can know this, so it is no rule, but the scale of the saving that
    is left: a rule's share of it is in `compute_savings`. A rule that is content with being right, or with leading by
    chance, can be cheaper.

    Args:
        pool: the sampled answers, with verdicts for a weighted vote.
        orders: random orders of them, see `draw_orders`.
        most: solutions of the full budget; None means all that can be used.
        is_weighted: verify each solution once and weight its vote by the verdict.
        lam: λ, the cost of a verification in solutions; needed for a weighted vote.

    Returns:
        An estimate with one threshold, which is NaN, under the name "hindsight". Its `same` is 1 throughout.

    Raises:
        DataError: as `track_votes`, or no λ for a weighted vote.

    Example:
        >>> pool = Pool([[0, 1, 1]], [1])
        >>> walk = Orders(np.array([[[0, 1, 2], [1, 2, 0]]], dtype=np.int32), None)
        >>> compute_hindsight(pool, walk).costs.ravel().tolist()  # 0, tie, 1 and 1, 1, 1
        [3.0, 1.0]
    """
    if is_weighted and lam is None:
        raise DataError("a weighted vote verifies, so hindsight needs λ, the cost of a verification; got none.")
    track = track_votes(pool, orders, most, is_weighted)
    other = (track.same < _SAME)[..., ::-1]  # backwards from the full budget, where it is never another
    solutions = np.where(other.any(axis=2), track.most - other.argmax(axis=2) + 1, 1)[..., None]
    right, same = (np.take_along_axis(column, solutions - 1, axis=2) for column in (track.right, track.same))
    count = solutions.astype(float)
    depth = count * (1 + track.verifications)
    return build_policy_estimate(
        "hindsight",
        np.array([np.nan]),
        np.array([track.most]),
        orders,
        right,
        same,
        count,
        count * track.verifications,
        depth,
        lam or 0.0,
    )
