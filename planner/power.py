"""The number of problems needed to distinguish the best other strategy from self-consistency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isocompute.fits.choice.held_out import score_held_out, score_in_sample, split_folds
from isocompute.fits.groups import compute_cluster_values
from isocompute.fits.power import PairedPower, compute_paired_power
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import list_strategy_options

POWER_BUDGET = 128.0
"""The budget, in x, at which power is measured, or else the largest below it; the examples of `plan` use it too."""


@dataclass(frozen=True)
class StrategyPower:
    """The power to distinguish the best other strategy from SC within a budget.

    Args:
        budget: compute per problem, in x.
        strategy: the best other strategy, chosen on all problems; ties go to the cheapest.
        baseline: ``sc``.
        paired: test of the best other strategy's accuracy minus SC's, problem by problem, or cluster by cluster where
            problems are in clusters. Strategy and allocation are chosen on other problems than the one scored, so the
            gap is free of selection bias; it is below zero where SC is ahead.
        unit: what the test counts: ``problems``, or ``clusters of problems``.
    """

    budget: float
    strategy: str
    baseline: str
    paired: PairedPower
    unit: str = "problems"


def measure_strategy_power(profile: Profile, budgets: Sequence[float]) -> StrategyPower | None:
    """Measure the power to distinguish the best other strategy from SC, at the largest budget up to `POWER_BUDGET`.

    Args:
        profile: the measurements.
        budgets: the budgets to choose from, in x; those that pay for no other strategy are skipped.

    Returns:
        None with fewer than two independent problems, without per-problem values, without votes, or if no other
        strategy is affordable.
    """
    if not profile.has_votes:
        return None
    options = list_strategy_options(profile, profile.lam)
    voting = [each for each in options if each.strategy == "sc"]
    for budget in sorted((x for x in budgets if x <= POWER_BUDGET), reverse=True):
        others = [each for each in options if each.strategy != "sc" and each.lowest_cost <= budget]
        if others and voting and profile.independent_problems > 1:
            problems = split_folds(profile.problems, clusters=profile.clusters)
            rival = score_held_out(others, [budget], problems).accuracy[-1, :, 0]
            votes = score_held_out(voting, [budget], problems).accuracy[0, :, 0]
            unit = "problems" if profile.clusters is None else "clusters of problems"
            lead = compute_cluster_values(rival - votes, profile.clusters)
            best_other = others[int(score_in_sample(others, [budget]).choices.strategy_index[0, 0])].strategy
            return StrategyPower(budget, best_other, "sc", compute_paired_power(lead), unit)
    return None
