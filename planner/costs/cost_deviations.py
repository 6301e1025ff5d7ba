"""Deviations of the cost of an allocation on each problem from its mean, and what they change in accuracies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isocompute.fits.arrays import Floats
from isocompute.fits.choice.cost_error import measure_frontier_slope, measure_log_error
from isocompute.fits.choice.options import AllocationOptions
from isocompute.fits.choice.recommendation import ChosenAllocation
from isocompute.planner.costs.models import COUNTED_MODELS, RequestCosts, price_profile_requests
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import get_rho
from isocompute.planner.strategies.registry import STRATEGIES

SAME_RATIO = 1e-6
"""Relative difference up to which λ or ρ is the measured one, and not a given one, which has no error."""


@dataclass(frozen=True, eq=False)
class CostDeviations:
    """The deviations of requests' costs on each problem from their means, as shares of the means.

    Args:
        solution: (P,) of a solution.
        verification: (P,) of a verification; those of a solution where λ was given.
        score: (P,) of scoring a solution; likewise.
        lam: λ; None without verifications.
        rho: ρ; None without scores.
        of_solutions: whether the budget is in x, whose unit is the mean cost of a solution and deviates with it.
    """

    solution: Floats
    verification: Floats
    score: Floats
    lam: float | None
    rho: float | None
    of_solutions: bool = True

    def measure_allocation(self, table: AllocationOptions, at: int) -> Floats:
        """Return (P,) the deviations of an allocation's cost from its mean, in units of the budget.

        Those of a search are 0: profiles hold the mean costs of searches only.

        Args:
            table: a strategy's options.
            at: index of the allocation.
        """
        needs = STRATEGIES[table.strategy].needs if table.strategy in STRATEGIES else "search"
        if needs == "search":
            return np.zeros_like(self.solution)
        share, other = 0.0, self.solution
        if needs == "verifications" and self.lam is not None:
            verified = self.lam * float(table.grid.numbers["V"][at])
            share, other = verified / (1 + verified), self.verification
        elif needs == "scores" and self.rho is not None:
            share, other = self.rho / (1 + self.rho), self.score
        unit = self.solution if self.of_solutions else 0.0
        return np.asarray((1 - share) * self.solution + share * other - unit)

    def measure_shifts(
        self,
        tables: Sequence[AllocationOptions],
        expected: Sequence[Floats],
        rows: Sequence[ChosenAllocation],
        budget: float,
        strata: ArrayLike | None = None,
        clusters: ArrayLike | None = None,
    ) -> Floats | None:
        """Measure what each problem adds through its cost to the accuracy of allocations within a budget.

        See `isocompute.fits.choice.cost_error`.

        Args:
            tables: options of n strategies.
            expected: for each table (A,) the expected accuracies.
            rows: the m allocations.
            budget: compute per problem, in x.
            strata: (P,) label of each problem's stratum, as for `fits.compute_mean_interval`.
            clusters: (P,) label of each problem's cluster, likewise.

        Returns:
            (P, m); None if no cost has an error that moves an accuracy.
        """
        shifts = np.zeros((len(self.solution), len(rows)))
        for i, row in enumerate(rows):
            table = tables[row.table]
            deviations = self.measure_allocation(table, row.allocation)
            reach = measure_log_error(deviations, strata, clusters)
            if reach > 0:
                slope = measure_frontier_slope(table.grid.cost, expected[row.table], budget, reach)
                shifts[:, i] = -slope * deviations
        return shifts if shifts.any() else None


def measure_cost_deviations(
    costs: RequestCosts, lam: float | None, rho: float | None, of_solutions: bool = True
) -> CostDeviations | None:
    """Measure how far the costs of requests deviate between problems.

    Args:
        costs: the costs of requests.
        lam: λ of the plan; one that differs from the costs' own was given, and has no error.
        rho: ρ; likewise.
        of_solutions: whether the budget is in x.

    Returns:
        None if the cost of a solution on each problem is unknown.
    """
    solution = costs.each.get("solver")
    if solution is None or not solution.any():
        return None
    verification = _measure_role(costs, "verifier", lam)
    score = _measure_role(costs, "scorer", rho)
    return CostDeviations(_measure_shares(solution), verification, score, lam, rho, of_solutions)


def measure_profile_deviations(profile: Profile, lam: float | None) -> CostDeviations | None:
    """Measure the same for a profile by its way of counting tokens, with budgets in x; None where it is unknown.

    Args:
        profile: the profile.
        lam: λ of the plan.
    """
    model = next((name for name, way in COUNTED_MODELS.items() if way == profile.counting), None)
    if model is None or not profile.per_problem:
        return None
    costs = price_profile_requests(profile, model, CostSettings())
    return measure_cost_deviations(costs, lam, get_rho(profile))


def _measure_role(costs: RequestCosts, role: str, ratio: float | None) -> Floats:
    """Return (P,) the deviations of a role's requests; those of a solution unless λ or ρ is the measured one."""
    measured = costs.compute_ratio(role)
    if measured is None or ratio is None or not math.isclose(measured, ratio, rel_tol=SAME_RATIO):
        role = "solver"
    return _measure_shares(costs.each[role])


def _measure_shares(values: Floats) -> Floats:
    """Return the deviations from the mean as shares of it; 0 where all are 0."""
    mean = float(values.mean())
    return np.asarray(values / mean - 1 if mean > 0 else np.zeros_like(values))
