"""The number of Monte Carlo draws of a strategy: as many as make the error of its differences small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import Pool, estimate_genrm_vote, estimate_self_consistency
from isocompute.planner.strategies.estimators import decide_verdicts
from isocompute.planner.strategies.registry import Strategy, StrategyEstimate

PROFILE_SEED = 20250402
"""The seed of all Monte Carlo draws. A problem's draws depend on it and on the problem's id."""
FIRST_DRAWS = 128
"""The draws from which their necessary number is computed."""
MOST_DRAWS = 2048
"""The largest number of draws. If it is not enough, the profile says so."""
ERROR_SHARE = 0.1
"""A drawing error does not matter if it is at most this share of a difference's standard error over problems."""
SMALLEST_STANDARD_ERROR = 0.005
"""Standard errors below this one, half a point, count as this one: a difference of 0.05 points never matters."""


def estimate_strategy(strategy: Strategy, pool: Pool, S: Sequence[int], V: Sequence[int]) -> StrategyEstimate:
    """Estimate a strategy, with as many Monte Carlo draws as its differences from other strategies need.

    The strategy is estimated with `FIRST_DRAWS` draws. If its error matters, see `measure_error_share`, the draws are
    doubled until the error, which falls with their square root, does not matter any more, or up to `MOST_DRAWS`.
    Doubling makes strategies take the same draws, so that the error of their difference is smaller still.

    Args:
        strategy: the strategy.
        pool: the pool.
        S: numbers of solutions.
        V: numbers of verifications; empty if the strategy needs none.
    """
    estimate = strategy.estimator(pool, list(S), list(V), FIRST_DRAWS, PROFILE_SEED)
    if not estimate.error:
        return estimate
    references = estimate_references(strategy, pool, S, V)
    share = measure_error_share(estimate, references, pool.keys)
    draws = count_necessary_draws(share)
    if draws > FIRST_DRAWS:
        estimate = strategy.estimator(pool, list(S), list(V), draws, PROFILE_SEED)
        share = measure_error_share(estimate, references, pool.keys)
    return replace(estimate, is_blurred=draws == MOST_DRAWS and share > ERROR_SHARE)


def count_necessary_draws(share: float) -> int:
    """Return the number of draws for an error that is a share of a standard error after `FIRST_DRAWS`.

    >>> count_necessary_draws(0.05), count_necessary_draws(0.11), count_necessary_draws(0.3), count_necessary_draws(9)
    (128, 256, 2048, 2048)
    """
    draws = FIRST_DRAWS
    while draws < MOST_DRAWS and share > ERROR_SHARE * (draws / FIRST_DRAWS) ** 0.5:
        draws *= 2
    return draws


def estimate_references(
    strategy: Strategy, pool: Pool, S: Sequence[int], V: Sequence[int]
) -> list[NDArray[np.float64]]:
    """Return the accuracies, (P, nS) or (P, nS, nV), of the exact strategies that another one is compared with.

    They are self-consistency and, of a strategy that verifies, the best mean verdict with ties broken by vote.
    """
    votes = estimate_self_consistency(pool, S)
    if strategy.needs != "verifications":
        return [votes]
    return [votes[:, :, None], estimate_genrm_vote(decide_verdicts(pool), S, V)]


def measure_error_share(
    estimate: StrategyEstimate, references: Sequence[NDArray[np.float64]], keys: NDArray[np.uint64]
) -> float:
    """Return the largest ratio of a drawing error to the standard error of a difference that it blurs.

    The differences are those between the means over problems of the estimate and of each reference at the same
    allocation. Their standard errors over problems hold no drawing error, which is subtracted.

    Args:
        estimate: a drawn estimate.
        references: exact accuracies of other strategies, which broadcast against those of the estimate.
        keys: (P,) keys of the problems; sums are taken in their order, so that the order of problems changes nothing.

    Example:
        >>> drawn = StrategyEstimate(np.array([[0.5], [0.7]]), error=0.001)
        >>> round(measure_error_share(drawn, [np.array([[0.5], [0.5]])], np.array([0, 1], dtype=np.uint64)), 4)
        0.01
    """
    assert estimate.error is not None
    accuracy = np.asarray(estimate.accuracy)
    if len(accuracy) < 2:
        return estimate.error / SMALLEST_STANDARD_ERROR
    errors = np.asarray(estimate.error if estimate.cell_errors is None else estimate.cell_errors)
    order = np.argsort(keys, kind="stable")
    smallest = np.full(accuracy.shape[1:], np.inf)
    for reference in references:
        variance = (accuracy - reference)[order].var(axis=0, ddof=1) / len(accuracy) - errors**2
        smallest = np.minimum(smallest, np.sqrt(np.maximum(variance, SMALLEST_STANDARD_ERROR**2)))
    return float((errors / smallest).max())


def describe_blurred_strategies(names: Sequence[str]) -> list[str]:
    """Return a sentence on the strategies whose drawing error still matters after the most draws."""
    if not names:
        return []
    return [
        f"Even after {MOST_DRAWS:,} draws, the most that are made, the error of {' and '.join(names)} is above a tenth "
        "of the standard error of a difference from another strategy."
    ]
