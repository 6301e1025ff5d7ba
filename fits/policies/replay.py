"""Replay of random orders under a rule that stops by votes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.estimate import PolicyEstimate, build_policy_estimate
from isocompute.fits.policies.orders import Orders
from isocompute.fits.policies.stop_rule import StopRule, list_waves
from isocompute.fits.policies.vote_track import count_usable, track_votes
from isocompute.fits.policies.waves import order_by_finish
from isocompute.fits.pool import Pool


def estimate_stop_rule(
    pool: Pool,
    rule: StopRule,
    thresholds: Sequence[float],
    orders: Orders,
    most: int | None = None,
    width: int = 1,
    lam: float | Floats | None = None,
    lengths: ArrayLike | None = None,
) -> PolicyEstimate:
    """Estimate what a rule reaches and costs under each threshold.

    The rule samples waves of `width` solutions and verifies each once if it is weighted. It stops when its score
    reaches the threshold, or after `most` solutions.

    Without lengths all solutions are equally long: a wave finishes as one, is charged whole, and the rule looks at the
    votes after it. With lengths all solutions of a wave start together and finish in order of length, and the rule
    looks after each of them; one with its own waves, such as doubling, looks at their ends alone. When it stops, the
    others of the wave are cancelled: they do not vote, and are charged as far as they were generated. A verification
    starts when its solution finishes and takes λ mean solutions; one is cancelled in the same way. Of each wave the
    short solutions vote first, so stopping early favours answers whose solutions are short: if short solutions are
    right more often, accuracy is higher than with `width` 1, if they are wrong more often, lower. With `width` 1 there
    is no such bias, and lengths change the compute alone, as a rule may stop late where solutions are long.

    Args:
        pool: the sampled answers, with verdicts if the rule is weighted.
        rule: the rule.
        thresholds: (T,) values of its parameter.
        orders: random orders of the pool, the same for all rules, see `draw_orders`.
        most: solutions of the full budget; None means all that the rule can use.
        width: solutions sampled side by side, ≥ 1. A rule with its own waves samples each of them in as many parts.
        lam: λ, the cost of a verification in solutions, or (P,) that on each problem, over the mean solution of all
            problems; it may be None if the rule does not verify.
        lengths: (P, N) completion tokens of each solution of the pool; None if all count the same. Compute is then
            tokens over the mean tokens of all solutions of all problems of the pool, so that S solutions cost S on
            average over problems.

    Raises:
        DataError: no thresholds or one that is not a number, a width or `most` out of range, no verdicts or no λ for a
            rule that verifies, or bad lengths.

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
    price = np.asarray(0.0 if lam is None else lam, dtype=float)
    if price.shape not in ((), (pool.problems,)):
        raise DataError(f"lam must be one λ, or one of each of {pool.problems} problems; got the shape {price.shape}.")
    longest = count_usable(pool, most, rule.is_weighted)
    checks, ends = rule.checks(longest, width), list_wave_ends(rule, longest, width)
    costs = None
    if lengths is None:
        track = track_votes(pool, orders, most, rule.is_weighted)
        solutions = checks[find_stops(rule.score(track)[..., checks - 1], values)]  # (P, R, T)
    else:
        limit = pool.verified_solutions if rule.is_weighted else pool.solutions
        finish = order_by_finish(orders, lengths, ends, limit)
        track = track_votes(pool, finish.orders, most, rule.is_weighted)
        looks = finish.find_looks(rule.checks(longest, 1))
        solutions = find_stops(np.where(looks, rule.score(track), -np.inf), values) + 1
        costs = finish.compute_costs(solutions, price * track.verifications)
    depth = (np.searchsorted(ends, solutions) + 1) * (1 + track.verifications)
    right, same = (np.take_along_axis(column, solutions - 1, axis=2) for column in (track.right, track.same))
    count, verified = solutions.astype(float), (solutions * track.verifications).astype(float)
    return build_policy_estimate(
        rule.name, values, orders, right, same, count, verified, depth.astype(float), price, costs
    )


def estimate_fixed_votes(pool: Pool, orders: Orders, solutions: Sequence[int], is_weighted: bool = False) -> Floats:
    """Estimate the accuracy of votes over fixed numbers of solutions, from the same orders as the rules.

    It has the drawing error of the rules, so that what both have in common cancels in their difference: a rule that
    never changes the answer is exactly as accurate as the full budget. For accuracies by themselves the estimators of
    fixed S are exact.

    Args:
        pool: the sampled answers, with verdicts for a weighted vote.
        orders: random orders of the pool.
        solutions: (A,) numbers of solutions, ≥ 1.
        is_weighted: verify each solution once and weight its vote by the verdict.

    Returns:
        (P, A) accuracies.

    Raises:
        DataError: no verdicts for a weighted vote, or a number of solutions out of range.

    Example:
        >>> from isocompute.fits.policies.orders import draw_orders
        >>> pool = Pool([[0, 0, 1]], [0])
        >>> estimate_fixed_votes(pool, draw_orders(pool, draws=8, seed=0), [3])
        array([[1.]])
    """
    counts = np.asarray(solutions, dtype=np.int64)
    if counts.ndim != 1 or not counts.size or counts.min() < 1:
        raise DataError(f"solutions must be a non-empty sequence of numbers of at least 1; got {solutions!r}.")
    track = track_votes(pool, orders, int(counts.max()), is_weighted)
    return np.asarray(track.right[..., counts - 1].mean(axis=1))


def list_wave_ends(rule: StopRule, most: int, width: int) -> Ints:
    """Return the numbers of solutions after each wave of at most `width`, which no check divides.

    >>> from isocompute.fits.policies.rules.doubling import DOUBLING
    >>> list_wave_ends(DOUBLING, most=12, width=3)
    array([ 2,  4,  7,  8, 11, 12])
    """
    checks = rule.checks(most, width)
    waves = [list_waves(int(end - start), width) + start for start, end in zip([0, *checks], checks, strict=False)]
    return np.concatenate(waves)


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
