"""Replay of random orders under a rule that stops by votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.estimate import PolicyEstimate, build_policy_estimate
from isocompute.fits.policies.orders import Orders
from isocompute.fits.policies.stop_rule import StopRule, list_waves
from isocompute.fits.policies.vote_track import VoteTrack, count_usable, track_votes
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
    limits: Sequence[int] | None = None,
) -> PolicyEstimate:
    """Estimate what a rule reaches and costs under each setting: a threshold with a limit.

    The rule samples waves of `width` solutions and verifies each once if it is weighted. It stops when its score
    reaches the threshold, or after as many solutions as the limit says. The full budget, whose answer `same` is
    measured against, stays `most` solutions.

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
        limits: (T,) most solutions under each threshold, 1 … `most`; None for `most`.

    Raises:
        DataError: no thresholds or one that is not a number, a width, `most` or a limit out of range, no verdicts or no
            λ for a rule that verifies, or bad lengths.

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
    bounds = read_limits(limits, len(values), longest)
    if lengths is None:
        stops = find_wave_stops(pool, rule, values, bounds, orders, longest, width)
    else:
        each = price * int(rule.is_weighted)
        stops = find_finish_stops(pool, rule, values, bounds, orders, longest, width, lengths, each)
    verified = stops.solutions * int(rule.is_weighted)
    depth = stops.waves * (1 + int(rule.is_weighted))
    return build_policy_estimate(
        rule.name, values, bounds, orders, stops.right, stops.same, stops.solutions, verified, depth, price, stops.costs
    )


@dataclass(frozen=True, eq=False)
class Stops:
    """The stops of a rule in each order under each setting, five arrays of the shape (P, R, T).

    Args:
        solutions: finished solutions.
        waves: waves of solutions.
        right: probability that the answer is right.
        same: probability that it is that of the full budget.
        costs: compute, if lengths are known and what was cancelled is charged; else None.
    """

    solutions: Floats
    waves: Floats
    right: Floats
    same: Floats
    costs: Floats | None = None


def find_wave_stops(
    pool: Pool, rule: StopRule, thresholds: Floats, limits: Ints, orders: Orders, most: int, width: int
) -> Stops:
    """Find where a rule stops that waits for every wave, see `estimate_stop_rule`.

    A limit changes nothing before it is reached, so one replay of the full budget serves all limits.
    """
    track = track_votes(pool, orders, most, rule.is_weighted)
    checks, (distinct, places) = rule.checks(most, width), np.unique(thresholds, return_inverse=True)
    stops = checks[find_stops(rule.score(track)[..., checks - 1], distinct)]
    return read_stops(track, np.minimum(stops[..., places], limits), list_wave_ends(rule, most, width))


def find_finish_stops(
    pool: Pool,
    rule: StopRule,
    thresholds: Floats,
    limits: Ints,
    orders: Orders,
    most: int,
    width: int,
    lengths: ArrayLike,
    verification: Floats,
) -> Stops:
    """Find where a rule stops that looks whenever a solution finishes, see `estimate_stop_rule`.

    A limit at the end of a wave changes nothing before it, so one replay of the full budget serves all of these. One
    within a wave makes that wave smaller, and its solutions finish in another order.
    """
    usable = pool.verified_solutions if rule.is_weighted else pool.solutions
    whole = np.isin(limits, list_wave_ends(rule, most, width))
    found: dict[str, Floats] = {}
    for last in np.unique(np.where(whole, most, limits)):
        chosen = whole if last == most else limits == last
        finish = order_by_finish(orders, lengths, list_wave_ends(rule, int(last), width), usable, most)
        track = track_votes(pool, finish.orders, most, rule.is_weighted)
        looks = finish.find_looks(rule.checks(int(last), 1))
        stops = find_stops(np.where(looks, rule.score(track), -np.inf), thresholds[chosen]) + 1
        solutions = np.minimum(stops, limits[chosen])
        stopped = read_stops(track, solutions, finish.ends)
        stopped = replace(stopped, costs=finish.compute_costs(solutions, verification))
        for name, column in vars(stopped).items():
            found.setdefault(name, np.empty((*column.shape[:2], len(limits))))[..., chosen] = column
    return Stops(**found)


def read_stops(track: VoteTrack, solutions: Ints, ends: Ints) -> Stops:
    """Return what is seen after (P, R, T) numbers of solutions, with waves that end after (W,) ends."""
    # In one layout, as the order in which a mean is added up depends on it.
    right, same = (
        np.ascontiguousarray(np.take_along_axis(column, solutions - 1, axis=2)) for column in (track.right, track.same)
    )
    waves = np.searchsorted(ends, solutions) + 1
    return Stops(solutions.astype(float), waves.astype(float), right, same)


def read_limits(limits: Sequence[int] | None, count: int, most: int) -> Ints:
    """Return (T,) the limits of a number of settings; all that of the full budget if not given.

    Raises:
        DataError: they are not as many whole numbers of at least 1 within the full budget.
    """
    if limits is None:
        return np.full(count, most)
    bounds = np.asarray(limits)
    is_whole = bounds.shape == (count,) and np.issubdtype(bounds.dtype, np.integer)
    if not is_whole or bounds.min() < 1 or bounds.max() > most:
        raise DataError(
            f"limits must be {count} whole numbers between 1 and {most}, one of each threshold; got {limits!r}."
        )
    return bounds.astype(np.int64)


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
