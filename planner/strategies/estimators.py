"""The estimators of the strategies over a pool, which the registry names.

All have the same signature: a pool, the requested S and V, the number of Monte Carlo draws and a seed. Exact ones
ignore the draws and the seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import (
    Folds,
    Pool,
    SampledEstimate,
    estimate_best_of_n,
    estimate_fused_vote,
    estimate_genrm,
    estimate_genrm_vote,
    estimate_self_consistency,
    estimate_verdict_votes,
    estimate_weighted_vote,
    fit_fused_vote,
    rank_finished_first,
    split_folds,
)
from isocompute.planner.strategies.registry import StrategyEstimate

Numbers = Sequence[int]

_DECIDED: WeakKeyDictionary[Pool, Pool] = WeakKeyDictionary()


def apply_sc(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """Estimate self-consistency, exactly."""
    return StrategyEstimate(estimate_self_consistency(pool, S))


def apply_genrm(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """Estimate selection by the best mean verdict, exactly, on yes/no verdicts."""
    return StrategyEstimate(estimate_genrm(decide_verdicts(pool), S, V))


def apply_genrm_vote(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """Estimate selection by the best mean verdict with ties broken by vote, exactly, on yes/no verdicts."""
    return StrategyEstimate(estimate_genrm_vote(decide_verdicts(pool), S, V))


def apply_weighted(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """Estimate a vote weighted by mean verdicts, by Monte Carlo draws; verdicts may be probabilities."""
    return describe_sampled(estimate_verdict_votes(pool, S, V, draws, seed)[0])


def apply_fused(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """Estimate a vote weighted by the odds of yes to the power κ, by Monte Carlo draws.

    κ is learnt on other problems than the one that is scored. The ``trust`` that is returned is κ learnt on all.
    """
    folds = split_folds(pool.problems)
    rank = np.argsort(np.argsort(pool.keys, kind="stable"))  # a problem's folds depend on its key, not on its position
    estimate = fit_fused_vote(pool, S, V, Folds(folds.train[:, rank], folds.test[:, rank]), draws, seed)
    return replace(describe_sampled(estimate.estimate), parameters={"trust": estimate.odds_exponent})


def apply_learnt_fused(
    pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int, parameters: Mapping[str, float]
) -> StrategyEstimate:
    """Estimate the fused vote with a κ that was learnt before, ``trust``."""
    estimate = estimate_fused_vote(pool, S, V, parameters["trust"], draws, seed)
    return StrategyEstimate(estimate.accuracy, compute_mean_error(estimate.error), parameters)


def apply_bon(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """Estimate selection of the best score among S solutions, exactly.

    It selects like the rule ``vanilla`` of a search: a solution that was cut off is selected only if all were, one
    without a score comes last, one with an unparsed answer is treated like any other, and ties are broken uniformly.
    """
    assert pool.scores is not None
    assert pool.finished is not None
    return StrategyEstimate(
        estimate_best_of_n(rank_finished_first(pool.scores, pool.finished), pool.correct[:, : pool.scored_solutions], S)
    )


def apply_prm_weighted(pool: Pool, S: Numbers, V: Numbers, draws: int, seed: int) -> StrategyEstimate:
    """Estimate a vote over S solutions weighted by their scores, by Monte Carlo draws.

    As in self-consistency, each solution with a parsed answer votes. A solution without a score adds no weight.
    """
    assert pool.scores is not None
    # A score acts as the single verdict of its solution, so that the weighted vote can be reused.
    votes = Pool(pool.answers[:, : pool.scored_solutions], pool.gold, pool.scores[:, :, None], keys=pool.keys)
    estimate = estimate_weighted_vote(votes, S, [1], draws, seed)
    return describe_sampled(SampledEstimate(estimate.accuracy[:, :, 0], estimate.error[:, :, 0]))


def describe_sampled(estimate: SampledEstimate) -> StrategyEstimate:
    """Return an estimate by Monte Carlo draws with the errors of its means over problems."""
    return StrategyEstimate(
        estimate.accuracy, compute_mean_error(estimate.error), cell_errors=compute_mean_errors(estimate.error)
    )


def compute_mean_error(error: NDArray[np.float64]) -> float:
    """Return the largest standard error of a mean over problems, given the errors of single problems, (P, …)."""
    return float(compute_mean_errors(error).max())


def compute_mean_errors(error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard errors of means over problems, given those of single problems, (P, …).

    The squares are sorted before they are added, so that the order of the problems does not change a byte.
    """
    return np.asarray(np.sqrt(np.sort(error**2, axis=0).sum(axis=0)) / len(error))


def decide_verdicts(pool: Pool) -> Pool:
    """Return the pool with p(yes) verdicts turned into yes above 1/2, else no, as `fits.estimate_genrm` requires."""
    if not pool.has_probabilities:
        return pool
    if pool not in _DECIDED:  # exact estimates are remembered by pool, so that each pool is decided once
        codes = np.asarray(pool.verdict_codes)
        decided = np.where(codes >= 0, codes > 0.5, -1).astype(np.int8)
        _DECIDED[pool] = Pool(pool.answers, pool.gold, decided, pool.judged, pool.scores, pool.finished, pool.keys)
    return _DECIDED[pool]
