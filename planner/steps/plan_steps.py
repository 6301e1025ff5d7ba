"""Every plan of a unit, step by step: for any budget, what a plan with that budget says."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from isocompute.fits.choice.recommendation import choose_recommendations
from isocompute.planner.budget import Budget
from isocompute.planner.compare import (
    Comparison,
    ExpectedAccuracies,
    MeasuredIntervals,
    compare_budgets,
    compute_expected_accuracies,
)
from isocompute.planner.costs.latency import limit_latency, measure_latencies
from isocompute.planner.costs.models import RequestCosts
from isocompute.planner.costs.request import PlanRequest, choose_cost_model, complete_settings
from isocompute.planner.costs.seconds import describe_load
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.costs.unit_costs import compute_unit_costs, price_in_all_models
from isocompute.planner.extrapolate import extrapolate_voting
from isocompute.planner.findings import derive_findings
from isocompute.planner.plan_warnings import collect_plan_warnings
from isocompute.planner.priced_plan import (
    apply_cost_model,
    choose_plan_model,
    convert_budget,
    describe_unknown_requests,
    measure_deviations,
)
from isocompute.planner.profile import Profile
from isocompute.planner.steps.changes import find_first_budget, list_changes
from isocompute.planner.steps.units import BudgetUnit, list_unit_factors
from isocompute.planner.strategy_option import StrategyOption

BUDGET_MARK = "⟦⟧"
"""Stands in sentences where a plan writes its budget. It has no letters, which formats of numbers look for."""
LARGE_BUDGET = 1e30
"""A budget that pays for everything in every unit."""


class MarkedBudget(float):
    """A budget that is a number in comparisons, and `BUDGET_MARK` in sentences."""

    def __format__(self, specification: str) -> str:
        return BUDGET_MARK


@dataclass(frozen=True, eq=False)
class PlanStep:
    """A plan that holds from one budget to the next step.

    Args:
        start: the smallest budget at which it says so: in x, or in seconds for a latency.
        best: the recommended strategy.
        runner_up: the other strategy with the highest expected accuracy; None if there is none.
        warnings: the warnings, with `BUDGET_MARK` for the budget.
    """

    start: float
    best: StrategyOption
    runner_up: StrategyOption | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class UnitSteps:
    """All plans of a profile with budgets in one unit.

    Args:
        unit: the unit.
        model: name of the cost model.
        is_latency: whether a budget is the time until an answer, so that steps are in seconds and not in x.
        factors: see `list_unit_factors`.
        solution: the cost of a solution in the unit, by which a budget becomes x; None for x and for a latency.
        plateau: SC's plateau under the cost model, in x; None if it is unknown.
        costs: the costs of each recommendation in every unit, by strategy and numbers.
        unknown: why a cost is unknown, by unit.
        steps: the steps, by their start.
    """

    unit: BudgetUnit
    model: str
    is_latency: bool
    factors: list[float]
    solution: float | None
    plateau: float | None
    costs: Mapping[tuple[str, str], Mapping[str, float | None]]
    unknown: Mapping[str, str]
    steps: list[PlanStep]

    def find_step(self, budget: float) -> PlanStep:
        """Return the step of a budget in x, or of a latency in seconds.

        Args:
            budget: the budget; at least the start of the first step.
        """
        return self.steps[bisect_right(self.steps, budget, key=lambda step: step.start) - 1]


def list_plan_steps(
    profile: Profile, unit: BudgetUnit, settings: CostSettings, measured: MeasuredIntervals | None = None
) -> UnitSteps:
    """Return every plan of a profile with budgets in a unit.

    Args:
        profile: the measurements.
        unit: the unit.
        settings: prices, device and batch.
        measured: intervals that are known from another unit; more are added.

    Raises:
        BudgetError, ConfigError, DataError: no plan takes budgets in this unit, for the reason that `make_priced_plan`
            gives.
    """
    request = build_unit_request(unit.make_budget(LARGE_BUDGET), settings)
    model = choose_plan_model(profile, request)
    priced, lam, costs = apply_cost_model(profile, model, request)
    lam = priced.lam if lam is None else lam
    expected = compute_expected_accuracies(priced, lam)
    measured = {} if measured is None else measured
    is_latency = unit.unit == "s"
    if is_latency:
        steps = list_latency_steps(priced, expected, lam, costs, request, measured)
    else:
        convert_budget(priced, request, model, costs, None)  # refuses a unit that cannot be converted
        expected = replace(expected, deviations=measure_deviations(priced, request, model, costs, lam))
        steps = list_compute_steps(priced, expected, lam, costs, measured)
    known, unknown = price_steps(steps, priced, costs, request.settings, model)
    return UnitSteps(
        unit=unit,
        model=model,
        is_latency=is_latency,
        factors=list_unit_factors(unit, model, request.settings),
        solution=None if is_latency or unit.unit == "x" else costs.get_mean("solver"),
        plateau=derive_findings(priced, lam).plateau,
        costs=known,
        unknown=unknown,
        steps=steps,
    )


def build_unit_request(budget: Budget, settings: CostSettings) -> PlanRequest:
    """Return the request for a plan within a budget, with settings that were read before.

    Raises:
        ConfigError, DataError: the unit needs a device or prices.
    """
    model = choose_cost_model(budget, None, None, None)
    return PlanRequest(budget, model, complete_settings(settings, model))


def list_compute_steps(
    profile: Profile, expected: ExpectedAccuracies, lam: float | None, costs: RequestCosts, measured: MeasuredIntervals
) -> list[PlanStep]:
    """Return the steps of budgets of compute, from 1x on."""
    notes = describe_unknown_requests(profile, costs)
    budgets = list_changes(profile, expected, lam)
    compared = compare_budgets(profile, budgets, lam, expected, measured=measured)
    return merge_steps(
        [
            make_step(start, at, collect_step_warnings(profile, MarkedBudget(start), lam, at, True) + notes)
            for start, at in zip(budgets, compared, strict=True)
        ]
    )


def list_latency_steps(
    profile: Profile,
    expected: ExpectedAccuracies,
    lam: float | None,
    costs: RequestCosts,
    request: PlanRequest,
    measured: MeasuredIntervals,
) -> list[PlanStep]:
    """Return the steps of latencies, from the fastest answer on."""
    latencies = measure_latencies(profile, expected, request.settings.batch)
    expected = replace(expected, deviations=None)  # costs do not limit the plan
    load = describe_load(profile, request.settings.batch)
    steps: list[PlanStep] = []
    same: object = None
    for seconds in np.unique(np.concatenate(latencies.seconds)).tolist():
        if not np.isfinite(seconds):
            continue
        start = max(find_first_budget(seconds), latencies.fastest)
        limited = limit_latency(expected, latencies, MarkedBudget(start))
        most, tables = limited.highest_cost, expected.tables
        found = choose_recommendations(tables, limited.expected.accuracy, [most], uninformed=expected.uninformed)[0]
        if same == (found, most, limited.notes) or found is None:
            continue
        same = found, most, limited.notes
        at = compare_budgets(profile, [most], lam, limited.expected, measured=measured)[0]
        notes = [*limited.notes, load, *describe_unknown_requests(profile, costs)]
        steps.append(make_step(start, at, collect_step_warnings(profile, most, lam, at, False) + notes))
    return merge_steps(steps)


def collect_step_warnings(
    profile: Profile, x: float, lam: float | None, compared: Comparison, is_limit: bool
) -> list[str]:
    """Return the warnings of a plan, as `make_plan` has them."""
    voting = next((option for option in compared.options if option.strategy == "sc"), None)
    more = None if voting is None else extrapolate_voting(profile, x, voting.measured_accuracy, voting.accuracy)
    return collect_plan_warnings(profile, x, lam, compared, more is not None, is_limit)


def make_step(start: float, compared: Comparison, warnings: list[str]) -> PlanStep:
    """Return the step of a comparison."""
    best, *others = compared.options
    return PlanStep(start, best, max(others, key=lambda option: option.accuracy, default=None), tuple(warnings))


def merge_steps(steps: list[PlanStep]) -> list[PlanStep]:
    """Return steps without those that say what the one before says."""
    same = groupby(steps, key=lambda step: (step.best, step.runner_up, step.warnings))
    return [next(group) for _, group in same]


def price_steps(
    steps: list[PlanStep], profile: Profile, costs: RequestCosts, settings: CostSettings, model: str
) -> tuple[dict[tuple[str, str], Mapping[str, float | None]], dict[str, str]]:
    """Return the costs of each recommendation in every unit, by strategy and numbers, and why some are unknown."""
    priced = price_in_all_models(profile, costs, settings)
    known: dict[tuple[str, str], Mapping[str, float | None]] = {}
    unknown: dict[str, str] = {}
    for step in steps:
        key = step.best.strategy, step.best.plain_settings
        if key not in known:
            known[key], reasons, _ = compute_unit_costs(profile, step.best, priced, costs, settings, model)
            unknown |= reasons
    return known, unknown
