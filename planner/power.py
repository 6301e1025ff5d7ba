"""How many problems are needed to tell the best strategy beside self-consistency from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isocompute.fits.choice.held_out import score_held_out, score_in_sample, split_folds
from isocompute.fits.power import PairedPower, compute_paired_power
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import list_strategy_options

POWER_BUDGET = 128.0
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
    baseline: str
    paired: PairedPower


def measure_strategy_power(profile: Profile, budgets: Sequence[float]) -> StrategyPower | None:
    """Return what it takes to tell the best strategy beside SC from SC.

    Args:
        profile: what was measured.
        budgets: at which strategies are compared, in x.

    Returns:
        None without per-problem values, or where no other strategy is affordable.
    """
    options = list_strategy_options(profile, profile.lam)
    voting = [each for each in options if each.strategy == "sc"]
    for budget in sorted((x for x in budgets if x <= POWER_BUDGET), reverse=True):
        others = [each for each in options if each.strategy != "sc" and each.lowest_cost <= budget]
        if others and voting and profile.per_problem and profile.problems > 1:
            problems = split_folds(profile.problems)
            rival = score_held_out(others, [budget], problems).accuracy[-1, :, 0]
            votes = score_held_out(voting, [budget], problems).accuracy[0, :, 0]
            ahead = others[int(score_in_sample(others, [budget]).choices.strategy_index[0, 0])].strategy
            return StrategyPower(budget, ahead, "sc", compute_paired_power(rival - votes))
    return None
