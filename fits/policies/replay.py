"""Replay of random orders under a rule that stops by votes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.estimate import PolicyEstimate, build_policy_estimate
from isocompute.fits.policies.orders import Orders
from isocompute.fits.policies.stop_rule import StopRule
from isocompute.fits.policies.vote_track import track_votes
from isocompute.fits.pool import Pool


def estimate_stop_rule(
    pool: Pool,
    rule: StopRule,
    thresholds: Sequence[float],
    orders: Orders,
    most: int | None = None,
    width: int = 1,
    lam: float | None = None,
) -> PolicyEstimate:
    """Estimate what a rule reaches and costs under each threshold.

    The rule samples waves of `width` solutions, verifies each once if it is weighted, and looks at the votes after each
    wave. A wave is charged whole. It stops when its score reaches the threshold, or after `most` solutions.

    Args:
        pool: the sampled answers, with verdicts if the rule is weighted.
        rule: the rule.
        thresholds: (T,) values of its parameter.
        orders: random orders of the pool, the same for all rules, see `draw_orders`.
        most: solutions of the full budget; None means all that the rule can use.
        width: solutions sampled side by side, ≥ 1. A rule with its own waves samples each of them in as many parts.
        lam: λ, the cost of a verification in solutions; it may be None if the rule does not verify.

    Raises:
        DataError: no thresholds or one that is not a number, a width or `most` out of range, no verdicts or no λ for a
            rule that verifies.

    Example:
        >>> from isocompute.fits.policies.orders import draw_orders
        >>> from isocompute.fits.policies.rules.certain import CERTAIN
        >>> pool = Pool([[0, 0, 0, 0]], [0])
        >>> found = estimate_stop_rule(pool, CERTAIN, [4], draw_orders(pool, draws=8, seed=0))
        >>> found.solutions.item(), found.accuracy.item(), found.same.item()  # 3 of 4 votes cannot be overtaken
        (3.0, 1.0, 1.0)
    """
    values = np.asarray(thresholds, dtype=float)
    if values.ndim != 1 or not values.size or np.isnan(values).any():
        raise DataError(f"thresholds must be a non-empty sequence of numbers; got {thresholds!r}.")
    if width < 1:
        raise DataError(f"width must be at least 1 solution; got {width}.")
    if rule.is_weighted and lam is None:
        raise DataError(f"{rule.name} verifies, so it needs λ, the cost of a verification; got none.")
    track = track_votes(pool, orders, most, rule.is_weighted)
    checks = rule.checks(track.most, width)
    stops = find_stops(rule.score(track)[..., checks - 1], values)  # (P, R, T) index of the check
    solutions = checks[stops]
    waves = -(-np.diff(checks, prepend=0) // width)  # rounded up
    depth = np.cumsum(waves)[stops] * (1 + track.verifications)
    right, same = (np.take_along_axis(column, solutions - 1, axis=2) for column in (track.right, track.same))
    count = solutions.astype(float)
    return build_policy_estimate(
        rule.name, values, orders, right, same, count, count * track.verifications, depth.astype(float), lam or 0.0
    )


def find_stops(scores: Floats, thresholds: Floats) -> Ints:
    """Return (P, R, T) the first index at which the score reaches each threshold; the last one if it never does.

    Args:
        scores: (P, R, n).
        thresholds: (T,).

    Example:
        >>> find_stops(np.array([[[0.5, 0.9, 0.7]]]), np.array([0.6, 0.95])).tolist()
        [[[1, 2]]]
    """
    # The highest score so far reaches a threshold when the score does, and it can be searched.
    highest = np.maximum.accumulate(scores, axis=2)
    stops = np.empty((*scores.shape[:2], len(thresholds)), dtype=np.int64)
    for t, threshold in enumerate(thresholds):
        stops[..., t] = (highest < threshold).sum(axis=2)
    return np.asarray(np.minimum(stops, scores.shape[2] - 1))
