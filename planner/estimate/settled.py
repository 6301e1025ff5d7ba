"""Estimation of how often the votes of a run are settled, for cascades of models."""

from __future__ import annotations

from isocompute.fits import Pool
from isocompute.planner.estimate.size_ladder import build_size_ladder
from isocompute.planner.profile import SettledVotes, round_accuracies

SETTLED_SHARES = (0.5, 0.75, 1.0)
"""Shares of the votes that settle a vote: more than half, three of four, all."""
MOST_SETTLED_SOLUTIONS = 64
"""The largest number of solutions of the smaller model of a cascade."""


def estimate_settled_part(pool: Pool) -> SettledVotes:
    """Estimate how often the votes of a pool are settled, for cascades."""
    from isocompute.fits.estimators.settled_votes import estimate_settled_votes

    sizes = [n for n in build_size_ladder(pool.solutions) if n & (n - 1) == 0 and n <= MOST_SETTLED_SOLUTIONS]
    settled, right = estimate_settled_votes(pool, sizes, SETTLED_SHARES)
    return SettledVotes(
        solutions=sizes,
        shares=list(SETTLED_SHARES),
        settled=round_accuracies(settled),
        right=round_accuracies(right),
    )
