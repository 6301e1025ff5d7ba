"""The plans of all budgets as data for the page, whose script looks them up and computes nothing anew."""

from __future__ import annotations

from typing import Any

from isocompute.errors import IsocomputeError
from isocompute.planner.budget import COST_WORDS, Budget
from isocompute.planner.compare import MeasuredIntervals
from isocompute.planner.costs.report import COST_UNITS
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.profile import Profile
from isocompute.planner.steps.plan_steps import BUDGET_MARK, UnitSteps, list_plan_steps
from isocompute.planner.steps.units import BUDGET_UNITS
from isocompute.planner.strategies.options import list_doubling_budgets
from isocompute.planner.strategy_option import StrategyOption

DEFAULT_BUDGET = 128.0
"""The budget at which a report opens, in x, where so much was measured."""


def choose_default_budget(profile: Profile) -> Budget:
    """Return the budget at which a report opens: 128x, or the largest measured power of two if that is less."""
    return Budget(min(DEFAULT_BUDGET, list_doubling_budgets(profile)[-1]))


def build_slider_data(profile: Profile, settings: CostSettings) -> dict[str, Any]:
    """Return the plans of a profile in every unit that it has plans for, and the reasons why it lacks the others."""
    measured: MeasuredIntervals = {}
    units, lacking = [], {}
    for unit in BUDGET_UNITS:
        try:
            units.append(encode_unit(list_plan_steps(profile, unit, settings, measured)))
        except IsocomputeError as error:
            lacking[unit.words] = str(error)
    return {
        "start": choose_default_budget(profile).multiple,
        "units": units,
        "lacking": lacking,
        "mark": BUDGET_MARK,
        "costs": {name: [unit, COST_WORDS.get(name, "")] for name, unit in COST_UNITS.items()},
    }


def encode_unit(plans: UnitSteps) -> dict[str, Any]:
    """Return the plans of a unit in columns; allocations and sentences are numbered, as each stands in many steps."""
    options: dict[tuple[str, str], int] = {}
    sentences: dict[str, int] = {}
    listed: list[dict[str, Any]] = []

    def place_option(option: StrategyOption | None) -> int:
        """Return the number of an option's allocation; -1 without one."""
        if option is None:
            return -1
        key = option.strategy, option.plain_settings
        if key not in options:
            options[key] = len(listed)
            listed.append(encode_allocation(option) | {"costs": plans.costs.get(key)})
        elif listed[options[key]]["costs"] is None:
            listed[options[key]]["costs"] = plans.costs.get(key)
        return options[key]

    steps = [
        [
            step.start,
            place_option(step.best),
            encode_certainty(step.best),
            place_option(step.runner_up),
            encode_certainty(step.runner_up),
            [sentences.setdefault(sentence, len(sentences)) for sentence in step.warnings],
        ]
        for step in plans.steps
    ]
    return {
        "name": plans.unit.name,
        "words": plans.unit.words,
        "unit": plans.unit.unit,
        "model": plans.model,
        "latency": plans.is_latency,
        "factors": plans.factors,
        "solution": plans.solution,
        "plateau": plans.plateau,
        "options": listed,
        "unknown": dict(plans.unknown),
        "sentences": list(sentences),
        "steps": steps,
    }


def encode_allocation(option: StrategyOption) -> dict[str, Any]:
    """Return what does not depend on the budget."""
    return {
        "strategy": option.strategy,
        "numbers": option.numbers,
        "solutions": option.solutions,
        "verifications": option.verifications,
        "compute": option.compute,
        "accuracy": option.accuracy,
        "measured_accuracy": option.measured_accuracy,
        "interpolated": option.interpolated,
    }


def encode_certainty(option: StrategyOption | None) -> list[Any]:
    """Return how sure an option is: low, high, P(best), P(highest), and the ends of the gap; empty without one."""
    if option is None:
        return []
    ends, gap = option.interval or (None, None), option.gap_interval or (None, None)
    return [*ends, option.probability_best, option.probability_highest, *gap]
