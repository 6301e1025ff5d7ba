"""Costs of an allocation for a problem: its requests by role, tokens by role, and its cost under each cost model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from isocompute.fits.arrays import Floats
from isocompute.fits.choice.size_interpolation import interpolate_amounts
from isocompute.fits.ratio_interval import compute_ratio_interval
from isocompute.planner.costs.models import RequestCosts
from isocompute.planner.costs.usage import RoleUsage, UnknownCostError, measure_search_usage, measure_usage
from isocompute.planner.profile import Profile, Searches
from isocompute.planner.strategies.registry import STRATEGIES
from isocompute.planner.strategies.search_sizes import find_size_weights
from isocompute.planner.strategy_option import StrategyOption

TOKEN_COUNTS = ("prompt", "cached", "completion")
"""The token counts that are given by role."""


@dataclass(frozen=True)
class ProblemSpread:
    """The cost of one allocation on single problems, in x.

    Args:
        mean: the mean over problems.
        low: the cost on the cheapest measured problem.
        high: the cost on the dearest one.
        interval: 95 % interval of the mean; None with too few problems.
    """

    mean: float
    low: float
    high: float
    interval: tuple[float, float] | None


def count_requests(option: StrategyOption) -> dict[str, int] | None:
    """Return the requests by role that an option makes for a problem; None for a search, whose requests vary."""
    if option.strategy not in STRATEGIES or option.solutions is None:
        return None
    requests = {"solver": option.solutions}
    if option.verifications:
        requests["verifier"] = option.solutions * option.verifications
    if STRATEGIES[option.strategy].needs == "scores":
        requests["scorer"] = option.solutions
    return requests


def compute_problem_costs(option: StrategyOption, costs: RequestCosts) -> Floats | None:
    """Return (P,) the cost of an option on each problem in the unit of the costs; None if it is unknown."""
    requests = count_requests(option)
    if requests is None or any(role not in costs.each for role in requests):
        return None
    return np.asarray(sum(count * costs.each[role] for role, count in requests.items()))


def compute_option_cost(profile: Profile, option: StrategyOption, costs: RequestCosts) -> float | None:
    """Return the mean cost of an option for a problem in the unit of the costs; None if it is unknown."""
    if (each := compute_problem_costs(option, costs)) is not None:
        return float(each.mean())
    weights = find_search_weights(profile, option)
    if weights is None or option.strategy not in costs.searches:
        return None
    return float(interpolate_amounts(costs.searches[option.strategy], weights[:, None])[0])


def find_search_weights(profile: Profile, option: StrategyOption) -> Floats | None:
    """Return (A,) the weights of a search's allocations at an option; None if it is no search."""
    part = profile.strategies.get(option.strategy)
    return find_size_weights(part, option.numbers) if isinstance(part, Searches) else None


def measure_spread(profile: Profile, option: StrategyOption, costs: RequestCosts) -> ProblemSpread | None:
    """Return what an option takes on single problems, in x; None if it is unknown.

    The unit x is the mean cost of a solution, so a problem with long solutions takes more than the mean.
    """
    each, solution = compute_problem_costs(option, costs), costs.each.get("solver")
    if each is None or solution is None or not solution.any():
        return None
    return ProblemSpread(
        mean=float(each.mean() / solution.mean()),
        low=float(each.min() / solution.mean()),
        high=float(each.max() / solution.mean()),
        interval=compute_ratio_interval(each, solution, profile.strata, profile.clusters),
    )


def count_role_tokens(profile: Profile, option: StrategyOption) -> dict[str, dict[str, float | None]]:
    """Return the mean prompt, cached and completion tokens of an option for a problem, by role; None where unknown."""
    requests = count_requests(option)
    if requests is not None:
        usage = measure_usage(profile)
        return {role: _sum_tokens(usage.get(role), count) for role, count in requests.items()}
    part, weights = profile.strategies.get(option.strategy), find_search_weights(profile, option)
    if not isinstance(part, Searches) or weights is None:
        return {}
    return {role: _sum_tokens(usage, 1, weights) for role, usage in measure_search_usage(profile, part).items()}


def _sum_tokens(usage: RoleUsage | None, count: int, weights: Floats | None = None) -> dict[str, float | None]:
    """Return a role's tokens: the mean over problems times a number of requests, or those of one search."""
    tokens: dict[str, float | None] = dict.fromkeys(TOKEN_COUNTS)
    for name in TOKEN_COUNTS if usage is not None else ():
        try:
            values = usage.require_tokens(name)  # type: ignore[union-attr]
        except UnknownCostError:
            continue
        tokens[name] = float(
            count * values.mean() if weights is None else interpolate_amounts(values, weights[:, None])[0]
        )
    return tokens


def multiply_costs(
    costs: Mapping[str, float | None], factor: float, but: tuple[str, ...] = ()
) -> dict[str, float | None]:
    """Return costs times a number of problems, without some of them; an unknown cost stays unknown."""
    return {name: None if cost is None else factor * cost for name, cost in costs.items() if name not in but}
