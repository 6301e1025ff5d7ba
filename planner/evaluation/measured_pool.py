"""A measured pool: the options of every strategy over all of its problems, and over pilots that are drawn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isocompute.fits import AllocationOptions, Pool
from isocompute.fits.arrays import Ints
from isocompute.planner.estimate.profile_from_run import list_allocations
from isocompute.planner.evaluation.measured_tables import MeasuredTables
from isocompute.planner.evaluation.pilots import PilotShape, draw_pilot, get_full_shape
from isocompute.planner.strategies.options import build_pool_options
from isocompute.planner.strategies.registry import STRATEGIES

EVALUATION_SEED = 2025
"""The seed of the pilots, and of Monte Carlo draws."""
POOL_DRAWS = 64
"""Number of Monte Carlo draws over a whole pool, which scores the advice."""
PILOT_DRAWS = 8
"""The same over a pilot: fewer than a fit takes, so that the advice is a little worse than that of a fit."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasuredPool(MeasuredTables):
    """A pool with the options of each strategy over it, see `MeasuredTables`.

    Args:
        pool: the samples of P problems.
        rho: ρ; None without scores, or if it is unknown.
        has_answers: whether answers are known.
    """

    pool: Pool
    rho: float | None = None
    has_answers: bool = True

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
    tables = tuple(estimate_pool_options(pool, list(STRATEGIES), lam, None, POOL_DRAWS))
    return MeasuredPool(tables, lam, pool=pool)


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
