"""The best fixed plans of a run within each budget, held out, which policies are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isocompute.fits import AllocationOptions
from isocompute.fits.arrays import Floats, Ints
from isocompute.planner.plan_choice import score_plan_choice

FRONTIER_STEP = 1.05
"""Ratio of one budget of the frontier to the one before."""


@dataclass(frozen=True, eq=False)
class FixedFrontier:
    """The most accurate fixed plan within each of n budgets, chosen on other problems than those it is scored on.

    Args:
        budgets: (n,) compute per problem, in x, increasing.
        accuracy: (P, n) accuracy of each problem.
        plans: (n,) the plan chosen on all problems, in words.
    """

    budgets: Floats
    accuracy: Floats
    plans: list[str]

    def find_plan(self, budget: float) -> int:
        """Return the position of the last plan within a budget; the first if none is."""
        return max(int(np.searchsorted(self.budgets, budget * (1 + 1e-9), side="right")) - 1, 0)


def build_fixed_frontier(
    options: Sequence[AllocationOptions],
    extra: Sequence[float] = (),
    clusters: Ints | None = None,
    strata: Ints | None = None,
) -> FixedFrontier:
    """Choose the most accurate plan within each budget, by expectations from other problems.

    The expectations are those of a plan (`planner.compare`), without its margin in favour of cheap strategies.

    Args:
        options: options of each strategy.
        extra: budgets to add to the ladder from 1x to the dearest allocation.
        clusters: (P,) cluster of each problem; None if each is its own.
        strata: (P,) level of each problem; None if it is unknown.
    """
    most = max(table.highest_cost for table in options)
    steps = max(2, round(np.log(most) / np.log(FRONTIER_STEP)) + 1)
    budgets = np.unique([*np.geomspace(1, most, steps), *(x for x in extra if x >= 1)])
    found = score_plan_choice(options, budgets.tolist(), clusters, strata, margin=0.0)
    return FixedFrontier(budgets, found.held_out, [choice or "nothing" for choice in found.choices])
