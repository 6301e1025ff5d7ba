"""Planning a pilot from what a user gives: a goal, and a profile or run of a similar task, or neither."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from isocompute.errors import BudgetError, ConfigError, DataError
from isocompute.planner.budget import format_compute
from isocompute.planner.estimate.costs import collect_run_sizes, get_run_models
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.records import describe_problems
from isocompute.planner.evaluation.measured_tables import EVALUATION_BUDGETS
from isocompute.planner.pilot.candidates import FEWEST_PILOT_PROBLEMS
from isocompute.planner.pilot.costs import PilotCosts, compute_pilot_costs
from isocompute.planner.pilot.shapes import (
    PILOT_PROBLEMS,
    PILOT_TASKS,
    PilotPlan,
    choose_pilot_for_gap,
    choose_pilot_for_regret,
    choose_pilot_within,
)
from isocompute.planner.pilot.tasks import (
    TaskModel,
    build_profile_model,
    build_run_model,
    build_typical_model,
    choose_run_lambda,
)
from isocompute.planner.profile import (
    COUNTING_WAYS,
    ModelRecord,
    ProblemRecord,
    apply_costs,
    check_lambda,
    read_lambda,
    read_profile,
)
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.run import Run

TYPICAL_LAMBDA = 1.0
"""λ where nothing is known of it."""


@dataclass(frozen=True)
class PilotGoal:
    """The goal of a pilot: exactly one of its fields is set.

    Args:
        worth: what the pilot may cost in total, in x.
        regret: the regret that its advice may have, in points.
        gap: the gap between SC and the best other strategy that it is to tell, in points.

    Raises:
        ConfigError: none or several are set, or one is not above zero and finite, or not below 100 points.
    """

    worth: float | None = None
    regret: float | None = None
    gap: float | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.worth, self.regret, self.gap) if value is not None]
        if len(given) != 1:
            raise ConfigError("A pilot is planned for one goal: --budget, --regret or --gap (budget=, regret=, gap=).")
        if self.worth is not None and not 0 < self.worth < math.inf:
            raise ConfigError(
                f"The budget of a pilot must be a finite number above zero; got {format_error_value(self.worth)}."
            )
        for name, value in (("regret", self.regret), ("gap", self.gap)):
            if value is not None and not 0 < value < 100:
                raise ConfigError(
                    f"A {name} must be a finite number of points above 0 and below 100; got "
                    f"{format_error_value(value)}."
                )


@dataclass(frozen=True, eq=False)
class PricedPilot:
    """A planned pilot with its goal and its costs.

    Args:
        goal: what it was planned for.
        plan: the pilot.
        costs: its cost in every unit that is known.
    """

    goal: PilotGoal
    plan: PilotPlan
    costs: PilotCosts

    @property
    def warnings(self) -> list[str]:
        """The limits of the plan, in sentences."""
        return self.plan.warnings


def choose_pilot(
    goal: PilotGoal,
    profile: str | None = None,
    run: str | None = None,
    at: float | None = None,
    lam: float | str | None = None,
    problems: int = PILOT_PROBLEMS,
    tasks: int = PILOT_TASKS,
) -> PricedPilot:
    """Choose a pilot for a goal.

    Args:
        goal: a total cost, a regret or a gap.
        profile: a profile of a similar task; the simulated worlds of the planner if neither is given.
        run: a run of a similar task.
        at: the budget that the advice is for, in x; 8x to 512x together if not given.
        lam: λ as a number, or a way of counting tokens; `TYPICAL_LAMBDA` if nothing is known.
        problems: the number of problems that there are.
        tasks: number of simulated tasks.

    Raises:
        ConfigError: both a profile and a run are given, or too few problems.
        BudgetError: a budget pays for nothing.
        DataError, RunError: the profile or run cannot be used, or the goal cannot be reached.
    """
    if profile is not None and run is not None:
        raise ConfigError("A pilot is planned from a profile or from a run; give one of them.")
    if problems < FEWEST_PILOT_PROBLEMS:
        raise ConfigError(f"A pilot takes at least {FEWEST_PILOT_PROBLEMS} problems; {problems} were given.")
    if at is not None and at < 1:
        raise BudgetError(f"The advice is for {format_compute(at)}, which does not pay for one solution.")
    model, records, models = read_task_model(profile, run, lam)
    budgets = EVALUATION_BUDGETS if at is None else (at,)
    if goal.worth is not None:
        plan = choose_pilot_within(model, goal.worth, budgets, problems, tasks)
    elif goal.regret is not None:
        plan = choose_pilot_for_regret(model, goal.regret / 100, budgets, problems, tasks)
    else:
        assert goal.gap is not None, "one goal is set"
        plan = choose_pilot_for_gap(model, goal.gap / 100, budgets, problems, tasks)
    return PricedPilot(goal, plan, compute_pilot_costs(plan.shape, model.lam, records, models))


def read_task_model(
    profile: str | None, run: str | None, lam: float | str | None
) -> tuple[TaskModel, Sequence[ProblemRecord], dict[str, ModelRecord]]:
    """Read the model of the task, with the records and models that its rows' tokens come from.

    Raises:
        DataError, RunError: the profile or run cannot be used, or λ is unknown.
    """
    if profile is not None:
        measured = apply_costs(read_profile(profile), lam, None)
        if measured.has_unknown_lambda:
            raise DataError(f"λ of the profile '{measured.name}' is unknown; --lambda (lam= in Python) sets it.")
        return build_profile_model(measured, measured.lam or TYPICAL_LAMBDA), measured.per_problem, measured.models
    if run is not None:
        opened = Run(run)
        pool = read_pool(opened)
        sizes = collect_run_sizes(pool.origin, known=pool.parameters).parameters
        models = {
            role: ModelRecord(name=name, parameters=sizes.get(role))
            for role, name in get_run_models(pool.origin).items()
        }
        return build_run_model(pool, choose_run_lambda(pool, lam)), describe_problems(opened, pool), models
    if lam in COUNTING_WAYS:
        raise ConfigError(f"λ by '{lam}' is measured on a profile or a run; give one, or λ as a number.")
    given = TYPICAL_LAMBDA if lam is None else check_lambda(read_lambda(lam))
    return build_typical_model(given), (), {}
