"""What each strategy reaches over a pool: the functions that the registry names, all called alike.

Each takes a pool, the S and V that are asked for, how often to draw and a seed; those that are exact draw nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import (
    Pool,
    estimate_best_of_n,
    estimate_genrm,
    estimate_genrm_vote,
    estimate_self_consistency,
    estimate_weighted_vote,
    fit_fused_vote,
    rank_finished_first,
    split_folds,
)
from isocompute.planner.strategies.registry import StrategyEstimate

Numbers = Sequence[int]


def apply_sc(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """Self-consistency, exactly."""
    return StrategyEstimate(estimate_self_consistency(pool, S))


def apply_genrm(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """The best mean verdict, exactly, on verdicts that are yes or no."""
    return StrategyEstimate(estimate_genrm(decide_verdicts(pool), S, V))


def apply_genrm_vote(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """The best mean verdict, ties by vote, exactly, on verdicts that are yes or no."""
    return StrategyEstimate(estimate_genrm_vote(decide_verdicts(pool), S, V))


def apply_weighted(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """A vote in which each solution counts as its mean verdict, by drawing, on the verdicts as they are."""
    found = estimate_weighted_vote(pool, S, V, draws, seed)
    return StrategyEstimate(found.accuracy, compute_mean_error(found.error))


def apply_fused(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """A vote by the odds of yes, by drawing; the trust is learnt on other problems than it is scored on."""
    found = fit_fused_vote(pool, S, V, split_folds(pool.problems), draws, seed)
    return StrategyEstimate(
        found.estimate.accuracy, compute_mean_error(found.estimate.error), {"trust": found.odds_exponent}
    )


def apply_bon(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """The best score of S solutions, exactly.

    As a search selects with the rule ``vanilla``: a solution that was cut only where all were, one without a score
    last, one whose answer cannot be read like any other; ties uniform.
    """
    assert pool.scores is not None
    assert pool.finished is not None
    return StrategyEstimate(
        estimate_best_of_n(rank_finished_first(pool.scores, pool.finished), pool.correct[:, : pool.scored_solutions], S)
    )


def apply_prm_weighted(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """A vote over S solutions in which each counts as its score, by drawing.

    Who votes is who votes in self-consistency: each solution whose answer can be read. One without a score adds
    nothing to its answer.
    """
    assert pool.scores is not None
    fixed = Pool(pool.answers[:, : pool.scored_solutions], pool.gold, pool.scores[:, :, None])
    found = estimate_weighted_vote(fixed, S, [1], draws, seed)
    return StrategyEstimate(found.accuracy[:, :, 0], compute_mean_error(found.error))


def compute_mean_error(error: NDArray[np.float64]) -> float:
    """Return the largest standard error of a mean over problems, from those of each problem, (P, …)."""
    return float((np.sqrt((error**2).sum(axis=0)) / len(error)).max())


def decide_verdicts(pool: Pool) -> Pool:
    """Return a pool whose verdicts are yes or no, above 1/2 or not: `fits.estimate_genrm` is exact for these alone."""
    if pool.verdicts is None or not ((pool.verdicts > 0) & (pool.verdicts < 1)).any():
        return pool
    verdicts = np.where(np.isnan(pool.verdicts), np.nan, pool.verdicts > 0.5)
    return Pool(pool.answers, pool.gold, verdicts, pool.judged, pool.scores, pool.finished)
