"""The steps of a unit say what a plan says at any budget, to the last digit of where it changes."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from isocompute.errors import ConfigError
from isocompute.planner.budget import format_amount, format_compute
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.priced_plan import make_priced_plan
from isocompute.planner.profile import read_profile
from isocompute.planner.steps.plan_steps import BUDGET_MARK, build_unit_request, list_plan_steps
from isocompute.planner.steps.units import BUDGET_UNITS

UNITS = {unit.name: unit for unit in BUDGET_UNITS}
QWEN = "qwen2.5-coder-1.5b-gsm-symbolic"


def check_budget(profile, plans, budget: float) -> None:
    """A step says what a plan within as much says; the budget is in x, or a latency in seconds."""
    unit = plans.unit if plans.is_latency else UNITS["x"]
    plan = make_priced_plan(profile, build_unit_request(unit.make_budget(budget), CostSettings()))
    step = plans.find_step(budget)
    written = format_amount(budget, "s", 4)[:-2] if plans.is_latency else format_compute(budget)[:-1]
    assert step.best == plan.recommendation
    assert step.runner_up == max(plan.alternatives, key=lambda option: option.accuracy, default=None)
    assert [warning.replace(BUDGET_MARK, written) for warning in step.warnings] == plan.warnings
    assert plans.costs[step.best.strategy, step.best.plain_settings] == plan.costs.per_problem


def check_unit(name: str, unit: str, count: int) -> None:
    profile = read_profile(name)
    plans = list_plan_steps(profile, UNITS[unit], CostSettings())
    draws, starts = random.Random(count), [step.start for step in plans.steps]
    for start in draws.sample(starts[1:], min(count, len(starts) - 1)):
        check_budget(profile, plans, start)
        check_budget(profile, plans, math.nextafter(start, 0))
    for _ in range(count):
        check_budget(profile, plans, math.exp(draws.uniform(math.log(starts[0]), math.log(2 * starts[-1]))))


@pytest.mark.parametrize("name", [QWEN, "llama-3.1-8b-math"])
def test_steps_say_what_plans_say(name):
    check_unit(name, "x", 3)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["lab", "lab-search", "lab-both-small", "lab-both-large", QWEN])
def test_steps_say_what_plans_say_of_every_profile(name):
    check_unit(name, "x", 60)


@pytest.mark.soak
def test_steps_of_a_latency_say_what_plans_say():
    check_unit("lab-both-small", "seconds", 60)


def test_steps_differ_from_the_one_before():
    steps = list_plan_steps(read_profile("llama-3.1-8b-math"), UNITS["x"], CostSettings()).steps
    said = [(step.best, step.runner_up, step.warnings) for step in steps]
    assert all(one != other for one, other in pairwise(said))
    assert [step.start for step in steps] == sorted({step.start for step in steps})


def test_a_unit_without_plans_says_why():
    with pytest.raises(ConfigError, match="needs a device"):
        list_plan_steps(read_profile(QWEN), UNITS["kv"], CostSettings())
