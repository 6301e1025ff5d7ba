"""How many problems are needed to tell the best strategy beside self-consistency from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isocompute.fits.choice.held_out import folds, held_out, in_sample
from isocompute.fits.power import PairedPower, paired_power
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import strategy_options

BUDGET = 128.0
"""In x: strategies are told apart at the budget that the examples of `plan` ask for, or at the largest below it."""


@dataclass(frozen=True)
class StrategyPower:
    """What it takes to tell the best strategy beside SC from SC within a budget.

    Args:
        budget: in x.
        strategy: the one that would be run on all problems; ties go to the cheapest.
        against: SC.
        paired: the accuracy of the best strategy beside SC less that of SC, problem by problem. Strategy and numbers
            were chosen on other problems than each is scored on, so that the gap holds no luck of having been ahead;
            it is below zero where SC is ahead.
    """

    budget: float
    strategy: str
    against: str
    paired: PairedPower


def measure_power(profile: Profile, budgets: Sequence[float]) -> StrategyPower | None:
    """Return what it takes to tell the best strategy beside SC from SC.

    Args:
        profile: what was measured.
        budgets: at which strategies are compared, in x.

    Returns:
        None without per-problem values, or where no other strategy is affordable.
    """
    options = strategy_options(profile, profile.lam)
    voting = [each for each in options if each.strategy == "sc"]
    for budget in sorted((x for x in budgets if x <= BUDGET), reverse=True):
        others = [each for each in options if each.strategy != "sc" and each.cheapest <= budget]
        if others and voting and profile.per_problem and profile.problems > 1:
            problems = folds(profile.problems)
            rival = held_out(others, [budget], problems).accuracy[-1, :, 0]
            votes = held_out(voting, [budget], problems).accuracy[0, :, 0]
            ahead = others[int(in_sample(others, [budget]).choices.best[0, 0])].strategy
            return StrategyPower(budget, ahead, "sc", paired_power(rival - votes))
    return None
