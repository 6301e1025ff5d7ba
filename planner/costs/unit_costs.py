"""The cost of an allocation in every unit."""

from __future__ import annotations

from collections.abc import Mapping

from isocompute.planner.costs.allocation import compute_option_cost
from isocompute.planner.costs.gpu_hours import GpuHours, measure_gpu_hours
from isocompute.planner.costs.latency import compute_option_latency
from isocompute.planner.costs.models import COUNTED_MODELS, PRICED_MODELS, RequestCosts, price_profile_requests
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.costs.usage import UnknownCostError
from isocompute.planner.profile import Profile
from isocompute.planner.strategy_option import StrategyOption


def price_in_all_models(profile: Profile, own: RequestCosts, settings: CostSettings) -> dict[str, RequestCosts]:
    """Return the costs of requests under every cost model of `COUNTED_MODELS` and `PRICED_MODELS`, and the plan's own.

    Args:
        profile: the profile under the plan's cost model.
        own: the costs of requests under it.
        settings: prices, device and batch.
    """
    others = {name: price_profile_requests(profile, name, settings) for name in (*COUNTED_MODELS, *PRICED_MODELS)}
    return others | {own.model: own}


def compute_unit_costs(
    profile: Profile,
    option: StrategyOption,
    costs: Mapping[str, RequestCosts],
    own: RequestCosts,
    settings: CostSettings,
    model: str,
) -> tuple[dict[str, float | None], dict[str, str], GpuHours]:
    """Return what an option costs for a problem in every unit, why a cost is unknown, and how hours were found.

    Args:
        profile: the profile under the plan's cost model.
        option: the option.
        costs: from `price_in_all_models`.
        own: the costs of requests under the plan's cost model.
        settings: prices, device and batch.
        model: name of the plan's cost model.
    """
    amounts: dict[str, float | None] = {"x": option.compute}
    unknown: dict[str, str] = {}
    for name in (*COUNTED_MODELS, *PRICED_MODELS):
        amounts[name] = compute_option_cost(profile, option, costs[name])
        if costs[name] is own and (solution := own.get_mean("solver")):
            amounts[name] = option.compute * solution  # also where λ was given
        if amounts[name] is None:
            unknown[name] = next(iter(costs[name].unknown.values()), f"the cost of {option.strategy} is not recorded")
    try:
        amounts["seconds"] = compute_option_latency(profile, option, settings.batch)
    except UnknownCostError as error:
        amounts["seconds"], unknown["seconds"] = None, str(error)
    hours = measure_gpu_hours(profile, option, amounts, settings, model)
    amounts["gpu_hours"] = hours.amount
    if hours.reason is not None:
        unknown["gpu_hours"] = hours.reason
    return amounts, unknown, hours
