"""A strategy: the weighted vote under another name."""

from isocompute.fits import estimate_weighted_vote
from isocompute.planner.strategies.estimators import compute_mean_error
from isocompute.planner.strategies.registry import Strategy, StrategyEstimate


def estimate_mine(pool, S, V, draws, seed):
    """Return the accuracy of each problem, (P, nS, nV), and the error of the random draws."""
    estimate = estimate_weighted_vote(pool, S, V, draws, seed)
    return StrategyEstimate(estimate.accuracy, compute_mean_error(estimate.error))


MINE = Strategy(
    "mine",
    "isocompute_example.strategy:estimate_mine",
    "verifications",
    "mine: sample S solutions, verify each V times, let each solution vote with its mean verdict",
    "#ff7f0e",
)
