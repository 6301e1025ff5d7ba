"""What would selections and votes by verdicts that are probabilities answer: by drawing, with an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.estimators.selection import estimate_best_of_n
from isocompute.fits.estimators.subsets import check_subset_sizes
from isocompute.fits.estimators.voting import label_answers
from isocompute.fits.pool import Pool

_STARTS = 8  # subsets from each shuffling: they cost less than drawing the verdicts anew
_BATCH = 2**22  # numbers held at a time of each array with an entry per problem, draw, solution and V


@dataclass(frozen=True, eq=False)
class SampledEstimate:
    """Accuracies estimated by drawing.

    Args:
        accuracy: (P, nS, nV) mean over independent draws.
        error: (P, nS, nV) its standard error from the drawing alone, per problem: the standard deviation over
            draws / √draws. That of a mean over problems is √Σ error² / P. It says nothing of how accuracies
            differ between problems or pools. A win or a loss that no draw showed is not in it: 0 is "too rare
            to be seen", not "impossible".
    """

    accuracy: Floats
    error: Floats


def estimate_genrm_sampled(pool: Pool, S: ArrayLike, V: ArrayLike, draws: int, seed: int) -> SampledEstimate:
    """Expected accuracy of the best mean verdict, for any verdicts in [0, 1], p(yes) too.

    What `genrm` is, by drawing V of each solution's verdicts, or all where it has fewer. Given the scores, the
    S-subsets are averaged exactly (`estimate_best_of_n`): of what is random, only the verdicts are drawn
    (Rao-Blackwell). Ties are broken uniformly; scores are compared to 12 decimals, since a mean depends on the order of
    its sum.

    Args:
        pool: sampled answers with verdicts.
        S: (nS,) numbers of solutions, 1..K.
        V: (nV,) numbers of verifications per solution, 1..M.
        draws: how often the verdicts are drawn, ≥ 2; time grows with it, the error as 1/√draws.
        seed: ≥ 0; the same seed gives the same bytes, and a problem the same whatever problems follow it.

    Returns:
        The accuracies and their errors; with V at least every solution's number of verdicts, exact.

    Raises:
        DataError: no verdicts, fewer than 2 draws, a negative seed, or S or V empty, not integers, or out of range.

    Example:
        >>> pool = Pool(answers=[[0, 1]], gold=[0], verdicts=[[[0.75, 0.75], [0.5, 1.0]]])
        >>> estimate_genrm_sampled(pool, S=[2], V=[2], draws=2, seed=0).accuracy  # 0.75 each: a tie
        array([[[0.5]]])
    """
    verdicts = _require_verdicts(pool, "genrm_sampled")
    S, V, to_S, to_V = _sort_sizes(pool, S, V)
    correct = pool.correct[:, : pool.verified_solutions]
    parsed_answer = pool.answers[:, : pool.verified_solutions] >= 0
    shares = []
    for at, sums, parsed, _ in _draw_batches(pool, verdicts, V, draws, seed):
        scores = np.round(_average_verdicts(sums, parsed), 12) * parsed_answer[at, None, :, None]
        rows = np.moveaxis(scores, 3, 2)  # (batch, draws, nV, K)
        right = np.broadcast_to(correct[at, None, None], rows.shape)
        won = estimate_best_of_n(
            rows.reshape(-1, pool.verified_solutions), right.reshape(-1, pool.verified_solutions), S
        )
        shares.append(_average_draws(np.moveaxis(won.reshape(*rows.shape[:3], len(S)), 3, 2)))
    return _join_batches(shares, to_S, to_V)


def estimate_weighted_vote(pool: Pool, S: ArrayLike, V: ArrayLike, draws: int, seed: int) -> SampledEstimate:
    """Expected accuracy of a vote in which each solution counts as much as its mean verdict.

    S of the K verified solutions, V of the verdicts of each, or all where it has fewer. The heaviest answer
    wins, ties broken uniformly; a solution without a parsed verdict weighs 0, and where all do, the answers
    present tie. Unparsed answers cost and never win. By drawing, as `estimate_additive_vote` does.

    Args:
        pool: sampled answers with verdicts.
        S: (nS,) numbers of solutions, 1..K.
        V: (nV,) numbers of verifications per solution, 1..M.
        draws: how often verdicts and solutions are drawn, ≥ 2.
        seed: ≥ 0, as for `estimate_additive_vote`.

    Returns:
        The accuracies and their errors; S=1 is the fraction of right solutions.

    Raises:
        DataError: no verdicts, fewer than 2 draws, a negative seed, or S or V empty, not integers, or out of range.

    Example:
        >>> pool = Pool(answers=[[0, 1, 1]], gold=[0], verdicts=[[[0.9], [0.3], [0.4]]])
        >>> estimate_weighted_vote(pool, S=[1, 3], V=[1], draws=2, seed=0).accuracy[0, :, 0].round(4)
        array([0.3333, 1.    ])
    """
    return estimate_additive_vote(pool, _require_verdicts(pool, "weighted"), _average_verdicts, S, V, draws, seed)


def estimate_additive_vote(
    pool: Pool,
    values: ArrayLike,
    weigh: Callable[[Floats, Floats], Floats],
    S: ArrayLike,
    V: ArrayLike,
    draws: int,
    seed: int,
    by_count: ArrayLike | None = None,
) -> SampledEstimate:
    """Expected accuracy of a vote in which the answer with the largest total wins.

    An answer's total is the sum of its solutions' weights, plus what the number of its votes adds. A weight is
    a function of the V verdicts that were drawn of the solution. Answers without a vote never win; ties
    are broken uniformly, and totals nearer than 1e-9 of what they sum are tied. Given the verdicts and S-1
    solutions, the vote is averaged exactly over the last solution (Rao-Blackwell).

    Args:
        pool: sampled answers with verdicts.
        values: (P, K, M) a number for each verdict, NaN where it is unparsed, such as the verdicts themselves.
        weigh: from sums and numbers of the values that were drawn and parsed, arrays of one shape, to finite
            weights of that shape. Any sign; the weight of an unparsed answer has no effect.
        S: (nS,) numbers of solutions, 1..K.
        V: (nV,) numbers of verifications per solution, 1..M.
        draws: how often verdicts and solutions are drawn, ≥ 2.
        seed: ≥ 0. The same seed gives the same bytes; a problem's draws depend on the seed, its place and the
            largest V alone, so that votes with other weights are estimated on the same ones.
        by_count: (K+1,) what 0, 1, … K votes add to an answer's total; None: nothing.

    Returns:
        The accuracies and their errors.

    Raises:
        DataError: no verdicts, values or by_count of another shape, weights that are not finite, fewer than 2
            draws, a negative seed, or S or V empty, not integers, or out of range.

    Example:
        >>> pool = Pool(answers=[[0, 1, 1]], gold=[0], verdicts=[[[1], [1], [0]]])
        >>> log_odds = lambda yes, parsed: 2 * yes - parsed
        >>> estimate_additive_vote(pool, pool.verdicts, log_odds, [3], [1], 2, seed=0).accuracy
        array([[[1.]]])
    """
    from isocompute.fits.estimators.kernels_sampled import compute_vote_shares

    _require_verdicts(pool, "additive_vote")
    S, V, to_S, to_V = _sort_sizes(pool, S, V)
    table = np.zeros(pool.verified_solutions + 1) if by_count is None else np.asarray(by_count, dtype=float)
    if table.shape != (pool.verified_solutions + 1,) or not np.isfinite(table).all():
        raise DataError(
            f"by_count must hold {pool.verified_solutions + 1} finite numbers, for 0 to {pool.verified_solutions} "
            "votes."
        )
    label, _ = label_answers(pool, pool.verified_solutions)
    shares = []
    for at, sums, parsed, seeds in _draw_batches(pool, values, V, draws, seed):
        weights = np.ascontiguousarray(weigh(sums, parsed), dtype=float)
        if weights.shape != sums.shape or not np.isfinite(weights).all():
            raise DataError(
                f"weigh must give finite weights of the shape of its sums, {sums.shape}; got the shape {weights.shape}"
                + ("." if weights.shape != sums.shape else ", not all finite.")
            )
        shares.append(_average_draws(compute_vote_shares(weights, label[at], S, table, _STARTS, seeds)))
    return _join_batches(shares, to_S, to_V)


def _sort_sizes(pool: Pool, S: ArrayLike, V: ArrayLike) -> tuple[Ints, Ints, Ints, Ints]:
    """The sizes asked for, ascending and once each, and where among them each one asked for is."""
    S, to_S = np.unique(
        check_subset_sizes(S, pool.verified_solutions, "S", "verified solutions in the pool"), return_inverse=True
    )
    V, to_V = np.unique(
        check_subset_sizes(V, pool.verifications, "V", "verifications of each solution"), return_inverse=True
    )
    return S, V, to_S, to_V


def _draw_batches(
    pool: Pool, values: ArrayLike, V: Ints, draws: int, seed: int
) -> Iterator[tuple[slice, Floats, Floats, Ints]]:
    """Batches of problems: which, the sums and numbers of drawn values (batch, draws, K, nV), and further seeds."""
    from isocompute.fits.estimators.kernels_sampled import draw_verdicts

    numbers = np.asarray(values)
    shape = (pool.problems, pool.verified_solutions, pool.verifications)
    if numbers.shape != shape:
        raise DataError(f"values must have the verdicts' shape {shape}; got {numbers.shape}.")
    if draws < 2:
        raise DataError(f"draws must be at least 2, for an error to be known; got {draws}.")
    if seed < 0:
        raise DataError(f"seed must be an integer ≥ 0; got {seed}.")
    states = [np.random.SeedSequence((seed, p)).generate_state(2) for p in range(pool.problems)]
    seeds = np.array(states, dtype=np.int64)
    judged = np.array(pool.judged)
    size = max(1, _BATCH // (draws * pool.verified_solutions * len(V)))
    for first in range(0, pool.problems, size):
        at = slice(first, first + size)
        batch = np.array(numbers[at], dtype=float, order="C")
        sums, parsed = draw_verdicts(batch, judged[at], V, draws, seeds[at, 0].copy())
        yield at, sums, parsed, seeds[at, 1].copy()


def _average_verdicts(sums: Floats, parsed: Floats) -> Floats:
    return np.asarray(sums / np.maximum(parsed, 1.0))


def _average_draws(shares: Floats) -> SampledEstimate:
    """From (P, draws, nS, nV) independent shares."""
    return SampledEstimate(shares.mean(axis=1), shares.std(axis=1, ddof=1) / np.sqrt(shares.shape[1]))


def _join_batches(batches: list[SampledEstimate], to_S: Ints, to_V: Ints) -> SampledEstimate:
    accuracy = np.concatenate([batch.accuracy for batch in batches])
    error = np.concatenate([batch.error for batch in batches])
    return SampledEstimate(accuracy[:, to_S][:, :, to_V], error[:, to_S][:, :, to_V])


def _require_verdicts(pool: Pool, estimator: str) -> Floats:
    if pool.verdicts is None:
        raise DataError(f"{estimator} needs a pool with verdicts of shape (problems, solutions, verifications).")
    return pool.verdicts
