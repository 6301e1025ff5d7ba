"""Findings of a profile: SC's plateau, the crossovers with SC, and the laws by which S and V grow with compute."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isocompute.fits.bootstrap import draw_bootstrap_weights
from isocompute.fits.cost import compute_allocation_cost
from isocompute.fits.laws.allocation import AllocationLaws, fit_allocation_laws
from isocompute.fits.laws.crossover import Crossover, find_crossover, find_plateau, find_plateau_interval
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import list_strategy_options

FINDINGS_REPLICATES = 1000
FINDINGS_SEED = 20250402


@dataclass(frozen=True, eq=False)
class Findings:
    """The plateau, the crossovers and the laws of a profile under one λ.

    Args:
        plateau: compute at which SC flattens, in x: the smallest S within half a point of its maximum; None
            if SC was measured at one solution only.
        plateau_interval: 95 % interval over problems; None without per-problem values.
        crossovers: the budget from which each other strategy's frontier stays at or above SC's, by strategy; strategies
            whose every allocation costs less than one solution are left out, and all if SC was measured at one
            solution only.
        laws: S_opt ∝ C^a, V_opt ∝ C^b, fitted in three ways; None without verifications, with an unknown λ, or with
            fewer than three budgets.
    """

    plateau: int | None
    plateau_interval: tuple[int, int] | None
    crossovers: dict[str, Crossover]
    laws: AllocationLaws | None

    @property
    def genrm_crossover(self) -> Crossover | None:
        """The crossover of GenRM's frontier with SC's; None without verifications, or with an unknown λ."""
        return self.crossovers.get("genrm")


def derive_findings(profile: Profile, lam: float | None) -> Findings:
    """Find the plateau, the crossovers and the allocation laws.

    Args:
        profile: the measurements.
        lam: λ; None without verifications, or if it is unknown.
    """
    sc, genrm = profile.self_consistency, profile.genrm
    flat = int(find_plateau(sc.solutions, sc.array.mean(axis=0))) if profile.has_votes else None
    flat_interval = find_plateau_interval(sc.solutions, sc.array) if profile.has_votes and len(sc.array) > 1 else None
    self_consistency, *others = list_strategy_options(profile, lam)
    crossed = {
        other.strategy: find_crossover(other, self_consistency)
        for other in others
        if profile.has_votes and other.highest_cost >= self_consistency.lowest_cost
    }
    if genrm is None or lam is None:
        return Findings(flat, flat_interval, crossed, None)
    weights = draw_profile_bootstrap(profile)
    grid, S, V = genrm.select_doublings()
    budgets = list_law_budgets(S, V, lam)
    laws = None
    if len(budgets) >= 3:
        if profile.per_problem:
            laws = fit_allocation_laws(grid, S, V, lam, budgets, weights=weights)
        else:
            laws = fit_allocation_laws(grid[0], S, V, lam, budgets)
    return Findings(flat, flat_interval, crossed, laws)


def draw_profile_bootstrap(profile: Profile) -> NDArray[np.float64]:
    """Return the bootstrap weights of a profile's problems, (replicates, P).

    A profile of means, or of one problem, has nothing to resample: it gets a single row of equal weights.
    """
    if not profile.per_problem or profile.problems < 2:
        return np.ones((1, 1)) if not profile.per_problem else np.ones((1, profile.problems)) / profile.problems
    return draw_bootstrap_weights(profile.problems, FINDINGS_REPLICATES, FINDINGS_SEED)


def list_law_budgets(S: list[int], V: list[int], lam: float) -> list[float]:
    """Return the budgets over which an allocation law is fitted, powers of two.

    They go from eight times the cheapest allocation, so that S and V have three doublings to share, to the most
    expensive one. A budget is left out if no measured S, or no measured V, can spend it in full, which happens for
    small λ. For λ = 2 and S ≤ 256, V ≤ 32 the budgets are 2^5 … 2^14.

    >>> list_law_budgets([2**i for i in range(9)], [2**i for i in range(6)], lam=2.0)[::9]
    [32.0, 16384.0]
    """
    lowest_cost = float(compute_allocation_cost(S[0], V[0], lam))
    highest_cost = float(compute_allocation_cost(S[-1], V[-1], lam))
    low, high = math.ceil(math.log2(8 * lowest_cost)), math.floor(math.log2(highest_cost) + 1e-9)
    cost = compute_allocation_cost(np.array(S)[:, None], np.array(V), lam)
    return [
        2.0**power
        for power in range(low, high + 1)
        if any(line[0] <= 2.0**power <= line[-1] for line in cost)
        and any(line[0] <= 2.0**power <= line[-1] for line in cost.T)
    ]
