"""What each strategy reaches over a pool: the functions that the registry names, all called alike.

Each takes a pool, the S and V that are asked for, how often to draw and a seed; those that are exact draw nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import (
    Pool,
    best_of_n,
    finished_first,
    folds,
    fused_held_out,
    genrm,
    genrm_vote,
    self_consistency,
    weighted,
)
from isocompute.planner.strategies.registry import StrategyEstimate

Numbers = Sequence[int]


def estimate_sc(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """Self-consistency, exactly."""
    return StrategyEstimate(self_consistency(pool, S))


def estimate_genrm(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """The best mean verdict, exactly, on verdicts that are yes or no."""
    return StrategyEstimate(genrm(decide_verdicts(pool), S, V))


def estimate_genrm_vote(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """The best mean verdict, ties by vote, exactly, on verdicts that are yes or no."""
    return StrategyEstimate(genrm_vote(decide_verdicts(pool), S, V))


def estimate_weighted(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """A vote in which each solution counts as its mean verdict, by drawing, on the verdicts as they are."""
    found = weighted(pool, S, V, draws, seed)
    return StrategyEstimate(found.accuracy, mean_error(found.error))


def estimate_fused(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """A vote by the odds of yes, by drawing; the trust is learnt on other problems than it is scored on."""
    found = fused_held_out(pool, S, V, folds(pool.problems), draws, seed)
    return StrategyEstimate(found.estimate.accuracy, mean_error(found.estimate.error), {"trust": found.trust})


def estimate_bon(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """The best score of S solutions, exactly.

    As a search selects with the rule ``vanilla``: a solution that was cut only where all were, one without a score
    last, one whose answer cannot be read like any other; ties uniform.
    """
    assert pool.scores is not None
    assert pool.finished is not None
    return StrategyEstimate(best_of_n(finished_first(pool.scores, pool.finished), pool.correct[:, : pool.scored], S))


def estimate_prm_weighted(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """A vote over S solutions in which each counts as its score, by drawing.

    Who votes is who votes in self-consistency: each solution whose answer can be read. One without a score adds
    nothing to its answer.
    """
    assert pool.scores is not None
    fixed = Pool(pool.answers[:, : pool.scored], pool.gold, pool.scores[:, :, None])
    found = weighted(fixed, S, [1], draws, seed)
    return StrategyEstimate(found.accuracy[:, :, 0], mean_error(found.error))


def mean_error(error: NDArray[np.float64]) -> float:
    """Return the largest standard error of a mean over problems, from those of each problem, (P, …)."""
    return float((np.sqrt((error**2).sum(axis=0)) / len(error)).max())


def decide_verdicts(pool: Pool) -> Pool:
    """Return a pool whose verdicts are yes or no, above 1/2 or not: `fits.genrm` is exact for these alone."""
    if pool.verdicts is None or not ((pool.verdicts > 0) & (pool.verdicts < 1)).any():
        return pool
    verdicts = np.where(np.isnan(pool.verdicts), np.nan, pool.verdicts > 0.5)
    return Pool(pool.answers, pool.gold, verdicts, pool.judged, pool.scores, pool.finished)
