"""Monte Carlo estimates, with standard errors, of selections and votes by verdicts in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.estimators.selection import estimate_best_of_n
from isocompute.fits.estimators.subsets import check_subset_sizes
from isocompute.fits.estimators.voting import label_answers, sum_by_problem
from isocompute.fits.pool import Pool

_STARTS = 8  # subsets taken from each shuffle, which is cheaper than drawing the verdicts again
_BATCH = 2**22  # maximum size of an array with an entry per problem, draw, solution and V


@dataclass(frozen=True, eq=False)
class SampledEstimate:
    """Accuracies estimated by Monte Carlo.

    Args:
        accuracy: (P, nS, nV) mean over independent draws.
        error: (P, nS, nV) its standard error from the draws alone, per problem: the standard deviation over draws
            / √draws. A mean over problems has the error √Σ error² / P. Variation between problems or pools is not
            included. An error of 0 means that no draw differed, not that none can.
    """

    accuracy: Floats
    error: Floats


def estimate_genrm_sampled(pool: Pool, S: ArrayLike, V: ArrayLike, draws: int, seed: int) -> SampledEstimate:
    """Estimate the expected accuracy of the best mean verdict, for any verdicts in [0, 1] such as p(yes).

    Estimates the same quantity as `estimate_genrm`. V of each solution's verdicts are drawn, or all if it has fewer.
    Given the scores, the mean over S-subsets is exact (`estimate_best_of_n`), so only the verdicts are drawn
    (Rao-Blackwell). Ties are broken uniformly. Scores are compared to 12 decimals, because a mean depends on the order
    of summation.

    Args:
        pool: sampled answers with verdicts.
        S: (nS,) numbers of solutions, 1..K.
        V: (nV,) numbers of verifications per solution, 1..M.
        draws: how often the verdicts are drawn, ≥ 2; time is proportional to it, the error to 1/√draws.
        seed: ≥ 0; the same seed gives the same bytes. A problem's result does not depend on the problems after it.

    Returns:
        The accuracies and their errors; exact where V is at least every solution's number of verdicts.

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
    """Estimate the expected accuracy of a vote weighted by each solution's mean verdict.

    Draws S of the K verified solutions, and V of the verdicts of each (all if it has fewer). The answer with the
    largest total weight wins; ties are broken uniformly. A solution without a parsed verdict has weight 0; if all
    weights are 0, the answers present tie. Unparsed answers cost but never win. See `estimate_additive_vote`.

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
    """Estimate the expected accuracy of a vote in which the answer with the largest total wins.

    An answer's total is the sum of its solutions' weights plus a term for its number of votes (`by_count`). A
    solution's weight is a function of its V drawn verdicts. Answers without a vote never win. Ties are broken
    uniformly; totals tie if they differ by less than 1e-9 of the magnitudes they sum. Given the verdicts and S-1
    solutions, the mean over the last solution is exact (Rao-Blackwell).

    Args:
        pool: sampled answers with verdicts.
        values: (P, K, M) a number for each verdict, such as the verdict itself; NaN where it is unparsed.
        weigh: function of the sums and the numbers of the drawn values that were parsed, two arrays of one shape;
            returns finite weights of that shape and of any sign. The weight of an unparsed answer has no effect.
        S: (nS,) numbers of solutions, 1..K.
        V: (nV,) numbers of verifications per solution, 1..M.
        draws: how often verdicts and solutions are drawn, ≥ 2.
        seed: ≥ 0. The same seed gives the same bytes. A problem's draws depend only on the seed, its position and the
            largest V, so votes with different weights share their draws.
        by_count: (K+1,) added to the total of an answer with 0, 1, … K votes; None adds nothing.

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
    numbers = _check_values(pool, values)
    pool, problem_of_row = pool.split_right_answers()
    label, _ = label_answers(pool, pool.verified_solutions)
    shares = []
    for at, sums, parsed, seeds in _draw_batches(pool, numbers[problem_of_row], V, draws, seed):
        weights = np.ascontiguousarray(weigh(sums, parsed), dtype=float)
        if weights.shape != sums.shape or not np.isfinite(weights).all():
            raise DataError(
                f"weigh must give finite weights of the shape of its sums, {sums.shape}; got the shape {weights.shape}"
                + ("." if weights.shape != sums.shape else ", not all finite.")
            )
        shares.append(_average_draws(compute_vote_shares(weights, label[at], S, table, _STARTS, seeds)))
    estimate = _join_batches(shares, to_S, to_V)
    return SampledEstimate(
        sum_by_problem(estimate.accuracy, problem_of_row),
        np.sqrt(sum_by_problem(estimate.error**2, problem_of_row)),  # the rows of a problem have their own draws
    )


def _sort_sizes(pool: Pool, S: ArrayLike, V: ArrayLike) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the requested sizes, sorted and unique, and the position in them of each requested one."""
    S, to_S = np.unique(
        check_subset_sizes(S, pool.verified_solutions, "S", "verified solutions in the pool"), return_inverse=True
    )
    V, to_V = np.unique(
        check_subset_sizes(V, pool.verifications, "V", "verifications of each solution"), return_inverse=True
    )
    return S, V, to_S, to_V


def _check_values(pool: Pool, values: ArrayLike) -> Floats:
    numbers = np.asarray(values)
    shape = (pool.problems, pool.verified_solutions, pool.verifications)
    if numbers.shape != shape:
        raise DataError(f"values must have the verdicts' shape {shape}; got {numbers.shape}.")
    return numbers


def _draw_batches(
    pool: Pool, values: ArrayLike, V: Ints, draws: int, seed: int
) -> Iterator[tuple[slice, Floats, Floats, Ints]]:
    """Yield batches: their slice of the problems, sums and numbers of drawn values (batch, draws, K, nV), and seeds."""
    from isocompute.fits.estimators.kernels_sampled import draw_verdicts

    numbers = _check_values(pool, values)
    if draws < 2:
        raise DataError(f"draws must be at least 2, so that the error can be estimated; got {draws}.")
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
    """Return mean and standard error over the draws of (P, draws, nS, nV) independent shares."""
    return SampledEstimate(shares.mean(axis=1), shares.std(axis=1, ddof=1) / np.sqrt(shares.shape[1]))


def _join_batches(batches: list[SampledEstimate], to_S: Ints, to_V: Ints) -> SampledEstimate:
    accuracy = np.concatenate([batch.accuracy for batch in batches])
    error = np.concatenate([batch.error for batch in batches])
    return SampledEstimate(accuracy[:, to_S][:, :, to_V], error[:, to_S][:, :, to_V])


def _require_verdicts(pool: Pool, estimator: str) -> Floats:
    if pool.verdicts is None:
        raise DataError(f"{estimator} needs a pool with verdicts of shape (problems, solutions, verifications).")
    return pool.verdicts
