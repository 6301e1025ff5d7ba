"""A measured pool: the options of every strategy over all of its problems, and over pilots that are drawn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from isocompute.fits import AllocationOptions, Pool
from isocompute.fits.arrays import Ints
from isocompute.planner.estimate.profile_from_run import list_allocations
from isocompute.planner.evaluation.pilots import PilotShape, draw_pilot, get_full_shape
from isocompute.planner.evaluation.rules import Allocation, WeighedAllocation, list_fixed_rules, weigh_allocation
from isocompute.planner.strategies.options import build_pool_options
from isocompute.planner.strategies.registry import STRATEGIES

EVALUATION_BUDGETS = tuple(2.0**power for power in range(3, 10))
"""8x to 512x."""
EVALUATION_SEED = 2025
"""The seed of the pilots, and of Monte Carlo draws."""
POOL_DRAWS = 64
"""Number of Monte Carlo draws over a whole pool, which scores the advice."""
PILOT_DRAWS = 8
"""The same over a pilot: fewer than a fit takes, so that the advice is a little worse than that of a fit."""


@dataclass(frozen=True, eq=False)
class MeasuredPool:
    """A pool with the options of each strategy over it.

    Args:
        pool: the samples of P problems.
        tables: options of each strategy over the P problems, ``sc`` among them.
        lam: λ; None without verifications, or if it is unknown.
        rho: ρ; None without scores, or if it is unknown.
        has_answers: whether answers are known.
        strata: (P,) level of each problem, which the planner's expectations use; None if it is unknown.
        clusters: (P,) cluster of each problem, likewise; a cluster is never in a pilot and scored, too.
    """

    pool: Pool
    tables: tuple[AllocationOptions, ...]
    lam: float | None = None
    rho: float | None = None
    has_answers: bool = True
    strata: Ints | None = None
    clusters: Ints | None = None

    @cached_property
    def budgets(self) -> tuple[float, ...]:
        """Those of `EVALUATION_BUDGETS` that some allocation spends; powers of two below 8x where none does."""
        most = max(table.highest_cost for table in self.tables)
        kept = tuple(budget for budget in EVALUATION_BUDGETS if budget <= most)
        return kept or tuple(2.0**power for power in range(int(np.log2(most)) + 1))

    @cached_property
    def fixed_rules(self) -> dict[str, list[WeighedAllocation]]:
        """The allocation at each budget of each rule without a pilot, see `list_fixed_rules`."""
        rules = list_fixed_rules(self.tables, self.lam)
        return {name: [self.weigh(rule(budget)) for budget in self.budgets] for name, rule in rules.items()}

    def weigh(self, allocation: Allocation) -> WeighedAllocation:
        """Return an allocation as weights of the knots of its strategy."""
        table = next(table for table in self.tables if table.strategy == allocation.strategy)
        return weigh_allocation(table, allocation)

    def compute_cost_share(self, shape: PilotShape) -> float:
        """Return the cost of a pilot's solutions and verifications as a share of the whole pool's."""
        return shape.compute_cost(self.lam) / get_full_shape(self.pool).compute_cost(self.lam)

    def estimate_pilot(
        self, problems: Ints, shape: PilotShape, rng: np.random.Generator
    ) -> tuple[AllocationOptions, ...]:
        """Draw a pilot of some problems and return the options of each strategy over it.

        A pilot that keeps all solutions and verifications takes the rows of the whole tables, in which a strategy that
        learns has learnt on other problems of the pool, too. Searches use none of the pool's solutions, so that a pilot
        keeps all of them.

        Args:
            problems: (n,) the indices of the problems.
            shape: the shape of the pilot.
            rng: the source of randomness.
        """
        rows = [replace(table, accuracy=table.accuracy[problems]) for table in self.tables]
        if replace(shape, problems=self.pool.problems) == get_full_shape(self.pool):
            return tuple(rows)
        pilot = draw_pilot(self.pool, problems, shape, rng)
        names = [table.strategy for table in rows if table.strategy in STRATEGIES]
        searches = [table for table in rows if table.strategy not in STRATEGIES]
        estimated = estimate_pool_options(pilot, names, self.lam, self.rho, PILOT_DRAWS, self.has_answers)
        return (*estimated, *searches)


def measure_pool(pool: Pool, lam: float | None) -> MeasuredPool:
    """Measure every strategy that can be estimated from the answers and verdicts of a pool."""
    return MeasuredPool(pool, tuple(estimate_pool_options(pool, list(STRATEGIES), lam, None, POOL_DRAWS)), lam)


def estimate_pool_options(
    pool: Pool, names: Sequence[str], lam: float | None, rho: float | None, draws: int, has_answers: bool = True
) -> list[AllocationOptions]:
    """Estimate the options of the strategies that a pool supports and whose cost is known.

    Args:
        pool: the pool.
        names: the strategies.
        lam: λ; None if it is unknown.
        rho: ρ; None if it is unknown.
        draws: number of Monte Carlo draws of the strategies that are not exact.
        has_answers: whether answers are known.
    """
    tables = []
    for strategy in map(STRATEGIES.__getitem__, names):
        priced = {"solutions": True, "verifications": lam is not None, "scores": rho is not None}[strategy.needs]
        if priced and (strategy.name == "sc" or strategy.can_use(pool, has_answers)):
            S, V = list_allocations(strategy, pool, has_answers)
            accuracy = np.asarray(strategy.estimator(pool, S, V, draws, EVALUATION_SEED).accuracy)
            table = build_pool_options(strategy, accuracy, S, V, lam, rho, 0.0)
            assert table is not None, "its cost is known"
            tables.append(table)
    return tables
