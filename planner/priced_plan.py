"""Plans in the units that people pay: the budget is converted to x under a cost model, and the answer to every unit."""

from __future__ import annotations

from dataclasses import replace

from isocompute.errors import BudgetError, ConfigError, DataError
from isocompute.planner.budget import JOB_UNITS, Budget, format_amount, round_up
from isocompute.planner.compare import compute_expected_accuracies
from isocompute.planner.costs.cost_deviations import CostDeviations, measure_cost_deviations
from isocompute.planner.costs.gpu_hours import SECONDS_PER_HOUR, compute_unit_amount, has_machine_times
from isocompute.planner.costs.latency import limit_latency, measure_latencies
from isocompute.planner.costs.models import (
    COUNTED_MODELS,
    MODEL_UNITS,
    PRICED_MODELS,
    RequestCosts,
    list_needed_roles,
    price_profile,
    price_profile_requests,
)
from isocompute.planner.costs.request import PlanRequest
from isocompute.planner.costs.seconds import compute_slowest_request, describe_load
from isocompute.planner.costs.target import TargetAllocation, find_target_allocation
from isocompute.planner.costs.usage import REQUESTS, UnknownCostError, measure_usage
from isocompute.planner.findings import derive_findings
from isocompute.planner.plan import Plan, make_plan
from isocompute.planner.plan_costs import report_costs
from isocompute.planner.policies.plan_policies import PolicyOption, list_plan_policies
from isocompute.planner.profile import Profile, apply_lambda, check_lambda, check_rho
from isocompute.planner.strategies.options import get_rho


def make_priced_plan(profile: Profile, request: PlanRequest) -> Plan:
    """Recommend a strategy and its allocation within a budget in any unit, and say what it costs in all of them.

    Args:
        profile: the measurements.
        request: the budget, the cost model and its settings, the target and the latency.

    Raises:
        BudgetError: the budget does not pay for one solution, or nothing reaches the target or keeps the latency.
        DataError: the cost model cannot price a solution with what the profile holds.
    """
    model = choose_plan_model(profile, request)
    priced_profile, lam, costs = apply_cost_model(profile, model, request)
    expected = compute_expected_accuracies(priced_profile, priced_profile.lam if lam is None else lam)
    most = max(table.highest_cost for table in expected.tables)
    notes: list[str] = []
    limit = choose_latency_limit(priced_profile, request, model, lam)
    if limit is not None:
        latencies = measure_latencies(priced_profile, expected, request.settings.batch)
        limited = limit_latency(expected, latencies, limit)
        expected, most = limited.expected, limited.highest_cost
        notes += [*limited.notes, describe_load(priced_profile, request.settings.batch)]
    x = convert_budget(priced_profile, request, model, costs, lam)
    target: TargetAllocation | None = None
    if request.target is not None:
        target = find_target_allocation(priced_profile, expected, request.target, most if x is None else x)
        x = target.cost
    expected = replace(expected, deviations=measure_deviations(priced_profile, request, model, costs, lam))
    plan = make_plan(
        priced_profile,
        Budget(most if x is None else x),
        lam,
        expected,
        None if target is None else target.strategy,
        is_limit=x is not None and target is None,
    )
    notes += describe_unknown_requests(priced_profile, costs)
    report = report_costs(plan, priced_profile, expected, costs, request, model)
    report = replace(report, latency_limit=limit, target=request.target, target_bound=target.bound if target else None)
    policies: list[PolicyOption] = []
    if x is not None and limit is None and target is None:
        policies = list_plan_policies(priced_profile, expected, plan.recommendation, costs, plan.lam, x)
    return replace(plan, costs=report, policies=tuple(policies), warnings=[*plan.warnings, *notes])


def choose_plan_model(profile: Profile, request: PlanRequest) -> str:
    """Return the name of a plan's cost model; GPU-hours are priced by the run's times where rows carry them.

    Raises:
        ConfigError: GPU-hours need a device.
    """
    is_hours = request.budget is not None and request.budget.unit == "gpu-hours"
    if is_hours and not request.is_asked and is_machine_priced(profile, request):
        return "seconds"
    if is_hours and request.settings.device is None:
        raise ConfigError(
            "A budget in gpu-hours needs a device: --device h100 (device= in Python); the profile holds no times by "
            "which it could be priced without one."
        )
    return request.name_model(profile)


def apply_cost_model(profile: Profile, model: str, request: PlanRequest) -> tuple[Profile, float | None, RequestCosts]:
    """Return the profile under a cost model, λ if it was given, and the costs of its requests.

    Raises:
        DataError: the cost of a solution is unknown, or in dollars that of any request.
    """
    if model in PRICED_MODELS:
        costs = price_profile_requests(profile, model, request.settings)
        needed = list_needed_roles(profile) if model == "dollars" else ["solver"]
        for role in needed:
            if role not in costs.each:
                raise DataError(
                    f"The cost of {REQUESTS[role]} in {MODEL_UNITS[model]} ({model}) is unknown: {costs.unknown[role]}."
                )
        if not costs.get_mean("solver"):
            raise DataError(
                f"A solution costs nothing under the cost model {model}, so that nothing can be priced in solutions; "
                "give the solver a price above zero."
            )
        return price_profile(profile, costs), None, costs
    if model == "seconds" and is_machine_priced(profile, request):
        costs = price_profile_requests(profile, model, request.settings)
        return price_profile(profile, costs), None, costs
    asked = COUNTED_MODELS.get(request.model or "")
    measured, lam = apply_lambda(profile, asked or request.lam)
    lam = None if lam is None else check_lambda(lam)
    if request.rho is not None:
        measured = measured.use_rho(check_rho(request.rho))
    way = next(name for name, counted in COUNTED_MODELS.items() if counted == measured.counting)
    return measured, lam, price_profile_requests(measured, way, request.settings)


def is_machine_priced(profile: Profile, request: PlanRequest) -> bool:
    """Return whether a plan in seconds counts compute as time of the machine; it counts tokens otherwise.

    A latency limits searches too, whose machine time is unknown, so with searches tokens are counted.
    """
    is_hours = request.budget is not None and request.budget.unit == "gpu-hours"
    is_known = request.lam is None and request.rho is None and (is_hours or not profile.searches)
    return is_known and has_machine_times(profile, request.settings)


def choose_latency_limit(profile: Profile, request: PlanRequest, model: str, lam: float | None) -> float | None:
    """Return the seconds within which an answer must come; None without a limit.

    Raises:
        BudgetError: the budget is in x of a latency that is unknown.
    """
    limits = [] if request.latency is None else [request.latency]
    budget = request.budget
    if budget is not None and budget.unit == "s":
        limits.append(budget.multiple)
    elif budget is not None and not is_compute_limit(budget, model):
        usage = measure_usage(profile)
        try:
            if "solver" not in usage:
                raise UnknownCostError(f"the profile does not hold the seconds of {REQUESTS['solver']}")
            one = float(compute_slowest_request(profile, usage["solver"], [1], request.settings.batch)[0])
        except UnknownCostError as error:
            raise BudgetError(f"The latency of a solution is unknown: {error}.") from None
        plateau = derive_findings(profile, lam or profile.lam).plateau if budget.of_plateau else None
        limits.append(one * budget.to_solutions(plateau))
    return min(limits, default=None)


def is_compute_limit(budget: Budget, model: str) -> bool:
    """Return whether a budget limits compute, and not the latency of an answer."""
    return budget.unit != "s" and not (model == "seconds" and budget.unit == "x")


def convert_budget(
    profile: Profile, request: PlanRequest, model: str, costs: RequestCosts, lam: float | None
) -> float | None:
    """Return a budget in x per problem; None if compute is not limited.

    Raises:
        BudgetError: it does not pay for one solution, or the cost of a solution is unknown.
    """
    budget = request.budget
    if budget is None or not is_compute_limit(budget, model):
        return None
    if budget.unit == "x":
        return budget.to_solutions(derive_findings(profile, lam or profile.lam).plateau if budget.of_plateau else None)
    solution = costs.get_mean("solver")
    if not solution:
        reason = costs.unknown.get("solver", "its solutions cost nothing")
        raise BudgetError(f"A budget in {budget.unit} cannot be converted to solutions: {reason}; write it in x.")
    amount = budget.multiple * SECONDS_PER_HOUR if model == "seconds" else compute_unit_amount(budget, request.settings)
    if request.problems is not None and budget.unit in JOB_UNITS:
        amount /= request.problems
    if amount < solution * (1 - 1e-12):
        unit = MODEL_UNITS[costs.model]
        share = "" if request.problems is None else f" for each of {request.problems:,} problems"
        raise BudgetError(
            f"A budget of {budget.text}{share} does not pay for one solution, which costs "
            f"{format_amount(round_up(solution, 4), unit, 4)}."
        )
    return max(1.0, amount / solution)


def measure_deviations(
    profile: Profile, request: PlanRequest, model: str, costs: RequestCosts, lam: float | None
) -> CostDeviations | None:
    """Measure how far costs deviate between problems, which makes the accuracy within a budget less sure.

    Args:
        profile: the profile under the cost model.
        request: the request for the plan.
        model: name of the cost model.
        costs: the costs of requests.
        lam: λ if it was given.

    Returns:
        None where costs do not limit the plan, as with a latency, a target, or a profile without problems.
    """
    budget = request.budget
    if budget is None or request.target is not None or not is_compute_limit(budget, model):
        return None
    ratio = profile.lam if lam is None else lam
    return measure_cost_deviations(costs, ratio, get_rho(profile), of_solutions=budget.unit == "x")


def describe_unknown_requests(profile: Profile, costs: RequestCosts) -> list[str]:
    """Return sentences on requests that a cost model cannot price, so that their strategies are left out."""
    if costs.model not in PRICED_MODELS:
        return []
    return [
        f"The cost of {REQUESTS[role]} in {costs.unit} ({costs.model}) is unknown: {costs.unknown[role]}."
        for role in list_needed_roles(profile)
        if role in costs.unknown
    ]
