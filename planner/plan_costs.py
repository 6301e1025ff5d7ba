"""The costs of a plan in every unit, and the costs at which another strategy would be recommended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from isocompute.fits.ratio_interval import compute_ratio_interval
from isocompute.planner.compare import ExpectedAccuracies
from isocompute.planner.costs.allocation import count_role_tokens, measure_spread, multiply_costs
from isocompute.planner.costs.devices import DEVICES
from isocompute.planner.costs.flips import find_flips, recommend_at
from isocompute.planner.costs.gpu_hours import (
    compute_unit_amount,
)
from isocompute.planner.costs.models import (
    RequestCosts,
    price_profile_requests,
)
from isocompute.planner.costs.report import PlanCosts
from isocompute.planner.costs.request import PlanRequest
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.costs.unit_costs import compute_unit_costs, price_in_all_models
from isocompute.planner.plan import Plan
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import get_rho

BATCHES = tuple(2**power for power in range(11))
"""The batches at which a plan with KV reads looks for another recommendation."""


def report_costs(
    plan: Plan,
    profile: Profile,
    expected: ExpectedAccuracies,
    costs: RequestCosts,
    request: PlanRequest,
    model: str,
) -> PlanCosts:
    """Return what a plan costs in every unit that is known, and where it flips."""
    best, settings = plan.recommendation, request.settings
    amounts, unknown, hours = compute_unit_costs(
        profile, best, price_in_all_models(profile, costs, settings), costs, settings, model
    )
    ratio_interval = enclose_ratio(profile, costs, plan.lam)
    rho = None if profile.searches else get_rho(profile)
    return PlanCosts(
        model=model,
        budget=None if request.budget is None else request.budget.text,
        problems=request.problems,
        settings=settings,
        solution=costs.get_mean("solver"),
        per_problem=amounts,
        job=None if request.problems is None else multiply_costs(amounts, request.problems, ("x", "seconds")),
        tokens=count_role_tokens(profile, best),
        unknown=unknown,
        spread=measure_spread(profile, best, costs),
        ratio_interval=ratio_interval,
        ratio_changes=[] if request.target is not None else find_ratio_changes(plan, expected, ratio_interval or ()),
        flips=[] if request.target is not None else find_flips(expected, plan.budget, best.strategy, plan.lam, rho),
        setting_flips=find_setting_flips(plan, profile, expected, request) if model == "kv" else [],
        hours=hours,
    )


def enclose_ratio(profile: Profile, costs: RequestCosts, lam: float | None) -> tuple[float, float] | None:
    """Return the 95 % interval of λ over problems; None if it is unknown, or was given and not measured."""
    solution, verification = costs.each.get("solver"), costs.each.get("verifier")
    measured = costs.compute_ratio("verifier")
    if solution is None or verification is None or lam is None or measured is None:
        return None
    if not math.isclose(measured, lam, rel_tol=1e-6):
        return None
    return compute_ratio_interval(verification, solution, profile.strata, profile.clusters)


def find_ratio_changes(plan: Plan, expected: ExpectedAccuracies, ends: Sequence[float]) -> list[tuple[float, str]]:
    """Return the ends of λ's interval at which another strategy is recommended, each with that strategy."""
    changes = []
    for end in ends:
        found = recommend_at(expected, plan.budget, end)
        if found is not None and found[0] != plan.recommendation.strategy:
            changes.append((end, found[0]))
    return changes


def find_setting_flips(
    plan: Plan, profile: Profile, expected: ExpectedAccuracies, request: PlanRequest
) -> list[tuple[str, str]]:
    """Return the devices, and the nearest batch on each side, at which another strategy is recommended.

    A budget in x stays in x; one in FLOPs or GPU-hours pays for as many solutions as it does under the other setting.
    """
    settings, found = request.settings, []
    for device in DEVICES.values():
        if device is not settings.device:
            strategy = recommend_under(plan, profile, expected, request, replace(settings, device=device))
            found += [(f"On {device.name}", strategy)] if strategy else []
    own = math.inf if settings.batch is None else settings.batch
    smaller = [batch for batch in reversed(BATCHES) if batch < own]
    larger = [batch for batch in BATCHES if batch > own]
    for side, batches in (("or smaller", smaller), ("or larger", larger)):
        for batch in batches:
            strategy = recommend_under(plan, profile, expected, request, replace(settings, batch=batch))
            if strategy:
                found.append((f"At a batch of {batch} {side}", strategy))
                break
    return found


def recommend_under(
    plan: Plan, profile: Profile, expected: ExpectedAccuracies, request: PlanRequest, settings: CostSettings
) -> str | None:
    """Return the strategy that is recommended under other settings of KV reads, if it is another one; else None."""
    costs = price_profile_requests(profile, "kv", settings)
    lam, x, budget = costs.compute_ratio("verifier"), plan.budget, request.budget
    solution = costs.get_mean("solver")
    if budget is not None and budget.unit in ("FLOPs", "gpu-hours") and solution:
        x = compute_unit_amount(budget, settings) / (request.problems or 1) / solution
    searches = {
        name: dict(zip(zip(*part.numbers.values(), strict=True), costs.searches[name] / solution, strict=True))
        for name, part in profile.searches.items()
        if name in costs.searches and solution
    }
    chosen = recommend_at(expected, x, lam, costs.compute_ratio("scorer"), searches)
    return None if chosen is None or chosen[0] == plan.recommendation.strategy else chosen[0]
