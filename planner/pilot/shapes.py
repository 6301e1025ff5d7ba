"""The cheapest pilot for a goal: a budget, a regret, or a gap that it is to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from isocompute.errors import BudgetError, DataError
from isocompute.planner.budget import format_compute
from isocompute.planner.evaluation.measured_tables import EVALUATION_BUDGETS
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.pilot.candidates import (
    FEWEST_PILOT_PROBLEMS,
    compute_lowest_cost,
    list_samples,
    rank_shapes,
)
from isocompute.planner.pilot.expectation import ExpectedRegret, simulate_regret
from isocompute.planner.pilot.tasks import TaskModel
from isocompute.planner.pilot.variance import (
    VarianceSplit,
    choose_contrast,
    count_gap_problems,
    split_variance,
)
from isocompute.planner.power import POWER_BUDGET
from isocompute.runners.parsing.printable import format_count

PILOT_TASKS = 200
"""The number of simulated tasks from which the regret of the chosen pilot is expected."""
PILOT_PROBLEMS = 500
"""The most problems of a pilot, unless it is set."""
COST_FACTOR = 1.1
"""The largest ratio of the cost of a pilot for a regret to that of the cheapest one."""


@dataclass(frozen=True, eq=False)
class PilotPlan:
    """A pilot to sample.

    Args:
        shape: its problems and the samples of each.
        cost: its total cost, in x.
        expected: the regret to expect of the advice that it gives.
        others: other shapes with the same goal, and their regret, simulated on the same tasks.
        budgets: the budgets that the advice is for, in x.
        split: the variance of the lead of the best other strategy over SC, as the pilot measures it; None
            where the budget pays for one solution only.
        gap: the gap that it tells with the power `PILOT_POWER`, 0 … 1; None for other goals.
        model: the tasks.
    """

    shape: PilotShape
    cost: float
    expected: ExpectedRegret
    others: tuple[tuple[PilotShape, ExpectedRegret], ...]
    budgets: tuple[float, ...]
    split: VarianceSplit | None
    gap: float | None
    model: TaskModel

    @property
    def warnings(self) -> list[str]:
        """The limits of the plan, in sentences."""
        kinds = {
            "simulated worlds": "Nothing is known of the task, so that it is taken for one of the planner's simulated "
            "worlds; a profile or run of a similar task says more.",
        }
        sentences = [kinds[self.model.source]] if self.model.source in kinds else []
        if not self.model.has_verifications:
            sentences.append(f"The {self.model.source} has no verifications, so that the pilot is for SC alone.")
        return sentences


def choose_pilot_within(
    model: TaskModel,
    worth: float,
    budgets: Sequence[float] = EVALUATION_BUDGETS,
    most: int = PILOT_PROBLEMS,
    tasks: int = PILOT_TASKS,
) -> PilotPlan:
    """Choose the pilot with the lowest expected regret within a total cost.

    Args:
        model: the tasks.
        worth: what the pilot may cost in total, in x.
        budgets: the budgets that the advice is for, in x.
        most: the number of problems that there are.
        tasks: number of simulated tasks for the chosen pilot.

    Raises:
        BudgetError: the cost does not pay for any pilot.
    """
    kept = check_advice_budgets(model, budgets)
    ranked = rank_shapes(model, worth, kept, most)
    found = [(shape, simulate_regret(model, shape, kept, tasks)) for shape, _ in ranked]
    (shape, expected), *others = sorted(found, key=lambda each: (each[1].mean, each[0].compute_cost(model.lam)))
    return build_pilot_plan(model, shape, expected, tuple(others), kept, None)


def choose_pilot_for_regret(
    model: TaskModel,
    target: float,
    budgets: Sequence[float] = EVALUATION_BUDGETS,
    most: int = PILOT_PROBLEMS,
    tasks: int = PILOT_TASKS,
) -> PilotPlan:
    """Choose the cheapest pilot whose expected regret is at most a target, within a factor of `COST_FACTOR` in cost.

    Costs double from one try to the next. Where to start is found on the few tasks of the screening, which often expect
    another regret, so that the costs around it are tried on all tasks. Between the last that fails and the first that
    reaches the target they are halved (on a logarithmic scale).

    Args:
        model: the tasks.
        target: the regret, 0 … 1.
        budgets: the budgets that the advice is for, in x.
        most: the number of problems that there are.
        tasks: number of simulated tasks for the chosen pilot.

    Raises:
        DataError: no pilot is expected to lose as little.
    """
    kept = check_advice_budgets(model, budgets)
    full = replace(model.full, problems=most).compute_cost(model.lam)
    ladder = [full]
    while ladder[-1] / 2 > FEWEST_PILOT_PROBLEMS * compute_lowest_cost(model):
        ladder.append(ladder[-1] / 2)
    ladder.reverse()
    low, high = 0, len(ladder) - 1
    while low < high:  # regret falls with the cost
        middle = (low + high) // 2
        reached = rank_shapes(model, ladder[middle], kept, most)[0][1].mean <= target
        low, high = (low, middle) if reached else (middle + 1, high)
    plan = choose_pilot_within(model, ladder[low], kept, most, tasks)
    least = FEWEST_PILOT_PROBLEMS * compute_lowest_cost(model)
    if plan.expected.mean <= target:
        for worth in reversed(ladder[:low]):
            cheaper = choose_pilot_within(model, worth, kept, most, tasks)
            if cheaper.expected.mean > target:
                least = worth
                break
            plan = cheaper
    while plan.expected.mean > target:
        least, low = ladder[low], low + 1
        if low == len(ladder):
            raise DataError(
                f"No pilot of at most {format_count(most, 'problem')} is expected to lose {100 * target:g} points or "
                f"less; the largest loses {100 * plan.expected.mean:.2g}."
            )
        plan = choose_pilot_within(model, ladder[low], kept, most, tasks)
    while plan.cost > COST_FACTOR * least:
        middle = (least * plan.cost) ** 0.5
        tried = choose_pilot_within(model, middle, kept, most, tasks)
        if tried.expected.mean <= target:
            plan = tried
        else:
            least = middle
    return plan


def choose_pilot_for_gap(
    model: TaskModel,
    gap: float,
    budgets: Sequence[float] = EVALUATION_BUDGETS,
    most: int = PILOT_PROBLEMS,
    tasks: int = PILOT_TASKS,
) -> PilotPlan:
    """Choose the cheapest pilot that tells a gap between SC and the best other strategy, with the power `PILOT_POWER`.

    Args:
        model: the tasks.
        gap: the difference of their accuracies, 0 … 1.
        budgets: the budgets that the advice is for, in x; the gap is that at the largest of them up to `POWER_BUDGET`.
        most: the number of problems that there are.
        tasks: number of simulated tasks for the regret.

    Raises:
        DataError: it takes more problems, or the budget leaves nothing to tell.
    """
    kept = check_advice_budgets(model, budgets)
    budget = choose_contrast_budget(kept)
    contrast = choose_contrast(model, model.full, budget)
    if contrast is None:
        raise DataError(
            f"At {format_compute(budget)} per problem every strategy does best with one solution of those measured, so "
            "that there is no gap to tell; a larger --at (at= in Python) leaves a choice."
        )
    found, fewest = [], None
    for samples in list_samples(model):
        measured = [bool(inside) for part in model.select_knots(samples) for inside in part]
        if any(weight and not inside for weight, inside in zip(contrast.weights, measured, strict=True)):
            continue
        needed = count_gap_problems(model, samples, contrast, gap)
        if needed is not None:
            shape = replace(samples, problems=max(needed, FEWEST_PILOT_PROBLEMS))
            fewest = shape.problems if fewest is None else min(fewest, shape.problems)
            found.append(shape)
    within = [shape for shape in found if shape.problems <= most]
    if not within:
        takes = "over a million" if fewest is None else f"at least {fewest:,}"
        raise DataError(
            f"A gap of {100 * gap:g} points between {contrast.allocation} and {contrast.baseline} takes {takes} "
            f"problems; there are {most:,}."
        )
    shape = min(within, key=lambda each: each.compute_cost(model.lam))
    return build_pilot_plan(model, shape, simulate_regret(model, shape, kept, tasks), (), kept, gap)


def build_pilot_plan(
    model: TaskModel,
    shape: PilotShape,
    expected: ExpectedRegret,
    others: tuple[tuple[PilotShape, ExpectedRegret], ...],
    budgets: tuple[float, ...],
    gap: float | None,
) -> PilotPlan:
    """Return the plan of a shape, with its cost and the split of its variance."""
    contrast = choose_contrast(model, shape, choose_contrast_budget(budgets))
    split = None if contrast is None else split_variance(model, shape, contrast)
    return PilotPlan(shape, shape.compute_cost(model.lam), expected, others, budgets, split, gap, model)


def check_advice_budgets(model: TaskModel, budgets: Sequence[float]) -> tuple[float, ...]:
    """Return the budgets up to the highest measured cost, or the lowest of them.

    Raises:
        BudgetError: one does not pay for a solution.
    """
    if not budgets or min(budgets) < 1:
        raise BudgetError("The budget of the advice must pay for at least one solution, which costs 1x.")
    highest = max(table.highest_cost for table in model.tables)
    return tuple(x for x in budgets if x <= highest) or (min(budgets),)


def choose_contrast_budget(budgets: Sequence[float]) -> float:
    """Return the largest budget up to `POWER_BUDGET`, or else the smallest."""
    return max((x for x in budgets if x <= POWER_BUDGET), default=min(budgets))
