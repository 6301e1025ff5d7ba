"""The cost models by name, and the costs of the requests of a profile under one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from isocompute.errors import ConfigError
from isocompute.fits.arrays import Floats
from isocompute.planner.costs.dollars import compute_request_dollars
from isocompute.planner.costs.flops import compute_request_flops
from isocompute.planner.costs.kv import compute_request_work
from isocompute.planner.costs.seconds import compute_machine_seconds
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.costs.usage import REQUESTS, RoleUsage, UnknownCostError, measure_search_usage, measure_usage
from isocompute.planner.profile import Profile, Searches
from isocompute.planner.strategies.registry import STRATEGIES, is_search
from isocompute.runners.parsing.printable import format_error_value

COUNTED_MODELS = {"tokens": "completion", "prompts": "prompts", "cached": "cached"}
"""The cost models that count tokens, and their way of counting."""
PRICED_MODELS: dict[str, Callable[[RoleUsage, CostSettings], Floats]] = {
    "flops": compute_request_flops,
    "kv": compute_request_work,
    "dollars": compute_request_dollars,
}
"""The other cost models, each with the function that prices a request."""
COST_MODELS = (*COUNTED_MODELS, *PRICED_MODELS, "seconds")
"""The names of all cost models."""
MODEL_UNITS = {
    **dict.fromkeys(COUNTED_MODELS, "tokens"),
    "flops": "FLOPs",
    "kv": "FLOPs",
    "dollars": "$",
    "seconds": "s",
}
"""The unit of a budget under each cost model."""
UNIT_MODELS = {"tokens": "tokens", "FLOPs": "flops", "$": "dollars", "s": "seconds", "gpu-hours": "flops"}
"""The cost model that the unit of a budget stands for."""
AGREEMENT = 1e-3
"""Relative difference up to which a ratio of FLOPs is the profile's ratio of uncached tokens."""


@dataclass(frozen=True, eq=False)
class RequestCosts:
    """The costs of requests under a cost model.

    Args:
        model: name of the cost model.
        unit: the unit of the costs.
        each: by role, (P,) cost of a request on each problem.
        unknown: by role, why a request has no known cost.
        searches: by strategy, (A,) cost of a search of each allocation.
    """

    model: str
    unit: str
    each: Mapping[str, Floats]
    unknown: Mapping[str, str] = field(default_factory=dict)
    searches: Mapping[str, Floats] = field(default_factory=dict)

    def get_mean(self, role: str) -> float | None:
        """Return the mean cost of a request over problems; None if it is unknown."""
        return float(self.each[role].mean()) if role in self.each else None

    def compute_ratio(self, role: str) -> float | None:
        """Return the cost of a request in solutions: λ of the verifier, ρ of the scorer; None if it is unknown."""
        own, solution = self.get_mean(role), self.get_mean("solver")
        return None if own is None or not solution else own / solution


def check_cost_model(name: object) -> str:
    """Return the name of a cost model.

    Raises:
        ConfigError: there is none of that name.
    """
    if not isinstance(name, str) or name not in COST_MODELS:
        given = format_error_value(name)
        raise ConfigError(f"The cost model {given} is not known; it must be one of {', '.join(COST_MODELS)}.")
    return name


def price_profile_requests(profile: Profile, model: str, settings: CostSettings) -> RequestCosts:
    """Price a solution, a verification, a scored solution and each search of a profile.

    Args:
        profile: the profile.
        model: a cost model; ``seconds`` are those of the machine, as latencies are no sum over requests.
        settings: prices, device and batch.
    """
    usage = measure_usage(profile)
    each: dict[str, Floats] = {}
    unknown: dict[str, str] = {}
    for role, what in REQUESTS.items():
        if role not in usage:
            unknown[role] = f"the profile does not hold the tokens of {what}"
            continue
        try:
            each[role] = price_usage(profile, usage, role, model, settings)
        except UnknownCostError as error:
            unknown[role] = str(error)
    costs = RequestCosts(model, MODEL_UNITS[model], each, unknown)
    return RequestCosts(model, costs.unit, each, unknown, price_searches(profile, costs, settings))


def price_usage(
    profile: Profile, usage: Mapping[str, RoleUsage], role: str, model: str, settings: CostSettings
) -> Floats:
    """Price a request of a role on each problem.

    Raises:
        UnknownCostError: its cost is unknown.
    """
    if model in PRICED_MODELS:
        return PRICED_MODELS[model](usage[role], settings)
    if model == "seconds":
        return compute_machine_seconds(profile, usage[role], settings.batch)
    return count_request_tokens(profile, usage, role, COUNTED_MODELS[model])


def count_request_tokens(profile: Profile, usage: Mapping[str, RoleUsage], role: str, way: str) -> Floats:
    """Count the tokens of a request in tokens of the solver, by way of counting, as λ and ρ of the profile have them.

    A token of a model twice as large as the solver counts twice. Problems share the profile's λ and ρ by the tokens
    that their requests sample and read.

    Raises:
        UnknownCostError: a count is unknown.
    """
    own = usage[role]
    counted = own.require_tokens("completion")
    if way != "completion":
        counted = counted + (own.require_tokens("prompt") if way == "prompts" else own.uncached)
    if role == "solver":
        return counted
    ratio = profile.rhos.get(way) if role == "scorer" else profile.lambdas.get(way)
    if ratio is None and role == "verifier" and way == "completion":
        ratio = profile.lam
    if ratio is None:
        raise UnknownCostError(f"the profile does not hold the cost of {REQUESTS[role]} in tokens ({way})")
    if not counted.any():  # a scorer that samples nothing
        counted = own.require_tokens("prompt")
    total = ratio * float(count_request_tokens(profile, usage, "solver", way).mean())
    return np.asarray(counted * (total / counted.mean()) if counted.mean() > 0 else np.full(len(counted), total))


def price_searches(profile: Profile, costs: RequestCosts, settings: CostSettings) -> dict[str, Floats]:
    """Price the searches of a profile at each allocation; those of unknown cost are left out.

    They are priced from their tokens by role. Where an older profile does not hold these, FLOPs follow from the cost in
    uncached tokens, if the two agree on the cost of scoring a solution. The machine time of a search is not recorded.
    """
    found: dict[str, Floats] = {}
    if costs.model == "seconds":
        return found
    for name, part in profile.searches.items():
        if not is_search(name):
            continue
        if costs.model in COUNTED_MODELS:
            found_costs = part.get_costs(COUNTED_MODELS[costs.model])
        else:
            found_costs = price_search_tokens(profile, part, costs.model, settings)
            if found_costs is None and costs.model == "flops" and is_proportional(profile, costs):
                found_costs = part.get_costs("cached")
        solution = costs.get_mean("solver")
        if found_costs is not None and solution is not None:
            scale = 1.0 if part.tokens and costs.model in PRICED_MODELS else solution
            found[name] = np.array(found_costs) * scale
    return found


def price_search_tokens(profile: Profile, part: Searches, model: str, settings: CostSettings) -> list[float] | None:
    """Return the cost of a search of each allocation from its tokens by role; None if it is unknown."""
    usage = measure_search_usage(profile, part)
    if "solver" not in usage or "scorer" not in usage:
        return None
    try:
        total = sum(PRICED_MODELS[model](each, settings) for each in usage.values())
    except UnknownCostError:
        return None
    return [float(cost) for cost in np.asarray(total)]


def is_proportional(profile: Profile, costs: RequestCosts) -> bool:
    """Return whether FLOPs are proportional to the profile's costs in uncached tokens."""
    priced, counted = costs.compute_ratio("scorer"), profile.rhos.get("cached")
    return priced is not None and counted is not None and abs(priced - counted) <= AGREEMENT * counted


def price_profile(profile: Profile, costs: RequestCosts) -> Profile:
    """Return a copy of a profile whose λ, ρ and searches are priced by a cost model other than tokens.

    A plan with it is one under that cost model: 1x is the cost of one solution.
    """
    model, solution = costs.model, costs.get_mean("solver")
    strategies = dict(profile.strategies)
    for name, part in profile.searches.items():
        price = costs.searches.get(name)
        known = None if price is None or not solution else [float(cost / solution) for cost in price]
        cost = part.cost | ({} if known is None else {model: known})
        strategies[name] = part.model_copy(update={"cost": cost})
    return profile.model_copy(
        update={
            "lam": costs.compute_ratio("verifier") if profile.genrm is not None else None,
            "lambda_source": f"cost model {model}",
            "counting": model,
            "rhos": profile.rhos | ({model: costs.compute_ratio("scorer")} if profile.rhos else {}),
            "strategies": strategies,
        }
    )


def list_needed_roles(profile: Profile, with_searches: bool = True) -> list[str]:
    """Return the roles whose requests some strategy of a profile makes, the solver first.

    Args:
        profile: the profile.
        with_searches: whether its searches count.
    """
    needs = {STRATEGIES[name].needs for name in profile.strategies if name in STRATEGIES}
    roles = ["solver"]
    roles += ["verifier"] if "verifications" in needs else []
    return roles + (["scorer"] if "scores" in needs or (with_searches and profile.searches) else [])
