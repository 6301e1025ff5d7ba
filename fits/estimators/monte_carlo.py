"""Monte Carlo estimates with their errors, and the selection by verdicts in [0, 1]; votes are in `additive_vote`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.estimators.selection import estimate_best_of_n
from isocompute.fits.estimators.solution_order import label_right_first, sort_solutions
from isocompute.fits.estimators.subsets import check_subset_sizes
from isocompute.fits.pool import Pool

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
        seed: 0 … 2⁶⁴-1; the same seed gives the same bytes. A problem's result depends on its key, not on its
            position or on the other problems.

    Returns:
        The accuracies and their errors; exact where V is at least every solution's number of verdicts.

    Raises:
        DataError: no verdicts, fewer than 2 draws, a negative seed, or S or V empty, not integers, or out of range.

    Example:
        >>> pool = Pool(answers=[[0, 1]], gold=[0], verdicts=[[[0.75, 0.75], [0.5, 1.0]]])
        >>> estimate_genrm_sampled(pool, S=[2], V=[2], draws=2, seed=0).accuracy  # 0.75 each: a tie
        array([[[0.5]]])
    """
    from isocompute.fits.estimators.kernels_sampled import draw_verdicts
    from isocompute.fits.estimators.kernels_streams import start_streams

    require_verdicts(pool, "genrm_sampled")
    S, V, to_S, to_V = sort_sizes(pool, S, V)
    check_draws(draws)
    check_seed(seed)
    verdicts = pool.verdicts
    assert verdicts is not None
    assert pool.judged is not None
    label, rights = label_right_first(pool)
    label, values, judged = sort_solutions(label, verdicts, pool.judged)
    correct, parsed_answer = (label >= 0) & (label < rights[:, None]), label >= 0
    streams = start_streams(pool.keys, np.uint64(seed))
    size = max(1, _BATCH // (draws * pool.verified_solutions * len(V)))
    shares = []
    for start in range(0, pool.problems, size):
        at = slice(start, start + size)
        sums, parsed = draw_verdicts(values[at], judged[at], V, 0, draws, streams[at])
        rows = np.round(average_verdicts(sums, parsed), 12) * parsed_answer[at, None, None]  # (batch, draws, nV, K)
        right = np.broadcast_to(correct[at, None, None], rows.shape)
        won = estimate_best_of_n(
            rows.reshape(-1, pool.verified_solutions), right.reshape(-1, pool.verified_solutions), S
        )
        shares.append(_average_draws(np.moveaxis(won.reshape(*rows.shape[:3], len(S)), 3, 2)))
    return _join_batches(shares, to_S, to_V)


def sort_sizes(pool: Pool, S: ArrayLike, V: ArrayLike) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the requested sizes, sorted and unique, and the position in them of each requested one."""
    S, to_S = np.unique(
        check_subset_sizes(S, pool.verified_solutions, "S", "verified solutions in the pool"), return_inverse=True
    )
    V, to_V = np.unique(
        check_subset_sizes(V, pool.verifications, "V", "verifications of each solution"), return_inverse=True
    )
    return S, V, to_S, to_V


def check_values(pool: Pool, values: ArrayLike) -> Floats:
    """Return the values as an array.

    Raises:
        DataError: their shape is not that of the verdicts.
    """
    numbers = np.asarray(values)
    shape = (pool.problems, pool.verified_solutions, pool.verifications)
    if numbers.shape != shape:
        raise DataError(f"values must have the verdicts' shape {shape}; got {numbers.shape}.")
    return numbers


def check_draws(draws: int) -> None:
    """Check a number of draws.

    Raises:
        DataError: fewer than 2 draws.
    """
    if draws < 2:
        raise DataError(f"draws must be at least 2, so that the error can be estimated; got {draws}.")


def check_seed(seed: int) -> None:
    """Check a seed.

    Raises:
        DataError: it is negative or has more than 64 bits.
    """
    if not 0 <= seed < 2**64:
        raise DataError(f"seed must be an integer ≥ 0 of at most 64 bits; got {seed}.")


def average_verdicts(sums: Floats, parsed: Floats) -> Floats:
    """Return mean verdicts; 0 without a parsed one."""
    return np.asarray(sums / np.maximum(parsed, 1.0))


def _average_draws(shares: Floats) -> SampledEstimate:
    """Return mean and standard error over the draws of (P, draws, nS, nV) independent shares."""
    return SampledEstimate(shares.mean(axis=1), shares.std(axis=1, ddof=1) / np.sqrt(shares.shape[1]))


def _join_batches(batches: list[SampledEstimate], to_S: Ints, to_V: Ints) -> SampledEstimate:
    accuracy = np.concatenate([batch.accuracy for batch in batches])
    error = np.concatenate([batch.error for batch in batches])
    return SampledEstimate(accuracy[:, to_S][:, :, to_V], error[:, to_S][:, :, to_V])


def require_verdicts(pool: Pool, estimator: str) -> None:
    """Raise unless a pool has verdicts.

    Raises:
        DataError: it has none.
    """
    if not pool.verifications:
        raise DataError(f"{estimator} needs a pool with verdicts of shape (problems, solutions, verifications).")
