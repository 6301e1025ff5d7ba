"""The options of each strategy in a profile: its allocations with their costs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isocompute.fits.choice.options import (
    AllocationOptions,
    build_verified_options,
    build_voting_options,
)
from isocompute.planner.profile import COUNTING_WAYS, Curve, Profile, Searches, Surface
from isocompute.planner.strategies.registry import STRATEGIES, Strategy, is_known_strategy, is_search
from isocompute.planner.strategies.search_sizes import build_search_options

PART_TYPES: dict[str, type[Curve] | type[Surface]] = {"solutions": Curve, "scores": Curve, "verifications": Surface}
"""The type of a strategy's part in a profile, by the strategy's needs."""


def list_strategy_options(profile: Profile, lam: float | None, between: bool = False) -> list[AllocationOptions]:
    """Return the options of every strategy with a known cost: first in the order of the registry, then the searches.

    Args:
        profile: the measurements.
        lam: λ; None without verifications, or if it is unknown.
        between: whether the sizes between those that searches were run with are options too, interpolated and marked.
            Advice takes them; what is tested on measurements, such as crossovers, does not.
    """
    names = [*(name for name in STRATEGIES if name in profile.strategies), *filter(is_search, profile.strategies)]
    part_options = (build_part_options(profile, name, lam, between) for name in names)
    return [options for options in part_options if options is not None]


def build_part_options(
    profile: Profile, name: str, lam: float | None, between: bool = False
) -> AllocationOptions | None:
    """Return a strategy's options; None if its cost is unknown, or if its part has an unexpected type."""
    part = profile.strategies[name]
    if isinstance(part, Searches) and is_search(name):
        return build_search_options(profile, name, between)
    if name not in STRATEGIES or not isinstance(part, PART_TYPES[STRATEGIES[name].needs]):
        return None
    assert isinstance(part, Curve | Surface), "searches are not in the registry of strategies"
    V = part.verifications if isinstance(part, Surface) else []
    return build_pool_options(
        STRATEGIES[name], part.array, part.solutions, V, lam, get_rho(profile), profile.get_error(name)
    )


def build_pool_options(
    strategy: Strategy,
    accuracy: NDArray[np.float64],
    S: list[int],
    V: list[int],
    lam: float | None,
    rho: float | None,
    error: float,
) -> AllocationOptions | None:
    """Return the options of a strategy over a pool; None if its cost is unknown.

    S solutions cost S; with V verifications each, S(1 + λV); with a score each, S(1 + ρ).

    Args:
        strategy: the strategy.
        accuracy: (P, nS), or (P, nS, nV) with verifications.
        S: (nS,) knots.
        V: (nV,) knots; empty without verifications.
        lam: λ; None if it is unknown.
        rho: ρ; None if it is unknown.
        error: largest standard error of a mean that comes from Monte Carlo draws; 0 if exact.
    """
    if strategy.needs == "verifications":
        return None if lam is None else build_verified_options(accuracy, S, V, lam, strategy.name, error)
    scoring = rho if strategy.needs == "scores" else 0.0
    return None if scoring is None else build_voting_options(accuracy, S, strategy.name, 1 + scoring, error)


def get_rho(profile: Profile) -> float | None:
    """Return ρ by the profile's way of counting tokens; None if it is unknown."""
    return profile.rhos.get(profile.counting)


def list_scored_options(profile: Profile) -> list[AllocationOptions]:
    """Return the options of the strategies that need a scorer, searches included."""
    scored = (name for name in STRATEGIES if name in profile.strategies and STRATEGIES[name].needs == "scores")
    names = [*scored, *filter(is_search, profile.strategies)]
    return [options for name in names if (options := build_part_options(profile, name, None)) is not None]


def list_unknown_strategies(profile: Profile) -> list[str]:
    """Return the names of a profile's strategies that are not registered, or whose part has an unexpected type."""
    return [
        name
        for name, part in profile.strategies.items()
        if not is_known_strategy(name)
        or not isinstance(part, Searches if is_search(name) else PART_TYPES[STRATEGIES[name].needs])
    ]


def list_unplaced_strategies(profile: Profile) -> list[str]:
    """Return the names of measured strategies with a scorer whose cost is unknown by the profile's way of counting."""
    placed = {options.strategy for options in list_scored_options(profile)}
    unknown = set(list_unknown_strategies(profile))
    scored = (
        name
        for name in profile.strategies
        if name not in unknown and (is_search(name) or STRATEGIES[name].needs == "scores")
    )
    return [name for name in scored if name not in placed]


def describe_unplaced_strategies(profile: Profile) -> list[str]:
    """Return a sentence on measured strategies with a scorer whose cost is unknown."""
    names = list_unplaced_strategies(profile)
    if not names:
        return []
    return [
        f"The cost of {', '.join(names)} is unknown with tokens counted as '{profile.counting}', so no budget includes "
        "it; --lambda (lam= in Python) sets another way of counting, --rho (rho=) the cost of scoring."
        if profile.counting in COUNTING_WAYS
        else f"The cost of {', '.join(names)} is unknown under the cost model {profile.counting}, so no budget "
        "includes it."
    ]


def list_doubling_budgets(profile: Profile) -> list[float]:
    """Return the budgets at which strategies are compared: powers of two from 1 up to the highest measured cost.

    If that leaves out the most expensive search, one more power is added: searches have few allocations.
    """
    options = list_strategy_options(profile, profile.lam)
    most = max(each.highest_cost for each in options)
    dearest = max((each.highest_cost for each in options if is_search(each.strategy)), default=1.0)
    return [2.0**power for power in range(max(math.floor(math.log2(most)), math.ceil(math.log2(dearest))) + 1)]
