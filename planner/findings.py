"""Findings of a profile: SC's plateau, the crossovers with SC, and the laws by which S and V grow with compute."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isocompute.fits.bootstrap import draw_bootstrap_weights
from isocompute.fits.cost import compute_allocation_cost
from isocompute.fits.laws.allocation import AllocationLaws, fit_allocation_laws
from isocompute.fits.laws.crossover import Crossover, find_crossover
from isocompute.fits.laws.plateau import find_plateau, find_plateau_interval
from isocompute.fits.laws.power_law import MIN_LINE_POINTS
from isocompute.planner.budget import format_compute
from isocompute.planner.profile import Profile, Surface
from isocompute.planner.strategies.options import list_strategy_options
from isocompute.planner.strategies.registry import STRATEGIES

FINDINGS_REPLICATES = 1000
FINDINGS_SEED = 20250402


@dataclass(frozen=True, eq=False)
class Findings:
    """The plateau, the crossovers and the laws of a profile under one λ.

    Args:
        plateau: compute at which SC flattens, in x: the smallest S within half a point of its maximum, a real number;
            None if SC was measured at one solution only.
        plateau_interval: 95 % interval over problems; None without per-problem values.
        crossovers: the budget from which each other strategy's frontier stays at or above SC's, by strategy; strategies
            whose every allocation costs less than one solution are left out, and all if SC was measured at one
            solution only.
        profile: the profile.
        lam: λ; None without verifications, or if it is unknown.
    """

    plateau: float | None
    plateau_interval: tuple[float, float] | None
    crossovers: dict[str, Crossover]
    profile: Profile
    lam: float | None

    @property
    def genrm_crossover(self) -> Crossover | None:
        """The crossover of GenRM's frontier with SC's; None without verifications, or with an unknown λ."""
        return self.crossovers.get("genrm")

    @property
    def laws(self) -> AllocationLaws | None:
        """GenRM's S_opt ∝ C^a and V_opt ∝ C^b; None as in `fit_strategy_laws`."""
        return self.get_laws("genrm")

    @property
    def laws_by_strategy(self) -> dict[str, AllocationLaws]:
        """The laws of all strategies with verifications, without those for which `fit_strategy_laws` returns None."""
        found = {name: self.get_laws(name) for name in list_law_strategies(self.profile)}
        return {name: laws for name, laws in found.items() if laws is not None}

    @property
    def published_note(self) -> str | None:
        """A sentence on how the plateau relates to a paper's on the same data; None if the profile names no paper."""
        claim, genrm = self.profile.published, self.genrm_crossover
        if claim is None or self.plateau is None:
            return None
        multiples = [x * claim.plateau for x in (claim.matches_at, claim.gains_at)]
        overtakes = (
            ""
            if genrm is None or math.isinf(genrm.budget)
            else f" (here GenRM overtakes at {format_compute(genrm.budget)})"
        )
        here = format_compute(multiples[0] / self.plateau)
        return (
            f"{claim.source} say of these data that GenRM matches SC at {claim.matches_at:g}x and gains "
            f"{100 * claim.gain:.1f} % at {claim.gains_at:g}x, in multiples of SC's plateau, which they do not print. "
            f"A plateau of S={claim.plateau:g} fits both: {format_compute(multiples[0])}{overtakes} and "
            f"{format_compute(multiples[1])}. Here SC flattens at {format_compute(self.plateau)}, where it is within "
            f"half a point of its maximum, so their {claim.matches_at:g}x is {here}-plateau."
        )

    def get_laws(self, strategy: str) -> AllocationLaws | None:
        """Return the laws of a strategy; they are fitted when first asked for, because a plan shows few of them."""
        if strategy not in self._fitted:
            self._fitted[strategy] = fit_strategy_laws(self.profile, strategy, self.lam)
        return self._fitted[strategy]

    @cached_property
    def _fitted(self) -> dict[str, AllocationLaws | None]:
        return {}


def derive_findings(profile: Profile, lam: float | None) -> Findings:
    """Find the plateau, the crossovers and the allocation laws.

    Args:
        profile: the measurements.
        lam: λ; None without verifications, or if it is unknown.
    """
    sc = profile.self_consistency
    flat = float(find_plateau(sc.solutions, sc.array.mean(axis=0))) if profile.has_votes else None
    flat_interval = None
    if profile.has_votes and profile.independent_problems > 1:
        flat_interval = find_plateau_interval(sc.solutions, sc.array, clusters=profile.clusters)
    self_consistency, *others = list_strategy_options(profile, lam)
    crossed = {
        other.strategy: find_crossover(other, self_consistency, clusters=profile.clusters)
        for other in others
        if profile.has_votes and other.highest_cost >= self_consistency.lowest_cost
    }
    return Findings(flat, flat_interval, crossed, profile, lam)


def list_law_strategies(profile: Profile) -> list[str]:
    """Return the names of the strategies whose S and V a law can describe, in the order of the registry."""
    return [
        name
        for name, strategy in STRATEGIES.items()
        if strategy.needs == "verifications" and isinstance(profile.strategies.get(name), Surface)
    ]


def fit_strategy_laws(profile: Profile, strategy: str, lam: float | None) -> AllocationLaws | None:
    """Fit S_opt ∝ C^a and V_opt ∝ C^b to a strategy's accuracies at powers of two, in three ways.

    Args:
        profile: the measurements.
        strategy: a strategy with verifications.
        lam: λ; None if it is unknown.

    Returns:
        None without λ or the strategy's surface, or with fewer than three budgets.
    """
    part = profile.strategies.get(strategy)
    if lam is None or not isinstance(part, Surface):
        return None
    grid, S, V = part.select_doublings()
    budgets = list_law_budgets(S, V, lam)
    if len(budgets) < MIN_LINE_POINTS:
        return None
    if profile.per_problem:
        return fit_allocation_laws(grid, S, V, lam, budgets, weights=draw_profile_bootstrap(profile))
    return fit_allocation_laws(grid[0], S, V, lam, budgets)


def draw_profile_bootstrap(profile: Profile) -> NDArray[np.float64]:
    """Return the bootstrap weights of a profile's problems, (replicates, P).

    Clusters are resampled whole. A profile of means, of one problem or of one cluster has nothing to resample: it gets
    a single row of equal weights.
    """
    if profile.independent_problems < 2:
        return np.ones((1, 1)) if not profile.per_problem else np.ones((1, profile.problems)) / profile.problems
    return draw_bootstrap_weights(profile.problems, FINDINGS_REPLICATES, FINDINGS_SEED, clusters=profile.clusters)


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
