"""The policies of a profile at a few mean budgets: accuracy, compute, and the saving against fixed plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isocompute.fits import compute_mean_interval, compute_t_interval
from isocompute.fits.groups import compute_cluster_values
from isocompute.fits.policies.savings import compute_savings
from isocompute.planner.policies.fixed_plans import FixedFrontier, build_fixed_frontier
from isocompute.planner.policies.prices import build_profile_prices
from isocompute.planner.policies.profile_rules import ScoredRule, list_priced_rules
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import list_strategy_options
from isocompute.planner.strategy_option import ConfidenceInterval

POLICY_BUDGETS = (8.0, 32.0, 128.0)
"""The mean budgets at which a fit shows policies, in x."""


@dataclass(frozen=True)
class ProfilePolicy:
    """A rule of a profile at a mean budget, each problem under settings chosen on others; intervals are 95 % ones.

    Args:
        rule: name of the rule.
        parameter: meaning of its threshold, in words.
        budget: the mean budget, in x.
        threshold: the threshold. With the limit it was chosen on all problems: the cheapest setting within the
            equivalence margin of the most accurate one whose mean compute is within the budget.
        limit: the most solutions.
        most_solutions: solutions of the full budget.
        most_verifications: verifications of each of them.
        accuracy, interval: accuracy, 0 … 1.
        compute, compute_interval: mean compute, in x.
        percentile_95: 95th percentile of compute over problems and orders, in x.
        saving_fixed, saving_fixed_interval: compute of the cheapest fixed plan that is as accurate, over the policy's;
            infinite where no plan is as accurate.
    """

    rule: str
    parameter: str
    budget: float
    threshold: float
    limit: int
    most_solutions: int
    most_verifications: int
    accuracy: float
    interval: ConfidenceInterval
    compute: float
    compute_interval: ConfidenceInterval
    percentile_95: float
    saving_fixed: float
    saving_fixed_interval: ConfidenceInterval


def measure_profile_policies(profile: Profile, budgets: Sequence[float] = POLICY_BUDGETS) -> list[ProfilePolicy]:
    """Return what each rule of a profile reaches for each of some mean budgets, budget by budget.

    Compute is counted in the profile's own way of counting tokens.

    Args:
        profile: the profile.
        budgets: mean compute, in x. Those of twice the largest full budget or more are left out.

    Returns:
        No rows for a profile of means, without policies, or of one independent problem.
    """
    if not profile.measured_policies or profile.independent_problems < 2:
        return []
    clusters = None if profile.clusters is None else np.array(profile.clusters)
    strata = None if profile.strata is None else np.array(profile.strata)
    frontier = build_fixed_frontier(list_strategy_options(profile, profile.lam), (), clusters, strata)
    rules = list(list_priced_rules(profile, build_profile_prices(profile)))
    most = max((rule.compute.mean(axis=0).max() for rule in rules), default=0.0)
    within = [budget for budget in budgets if budget < 2 * most]
    scored = [(budget, rule.score_budget(budget)) for budget in within for rule in rules]
    return [describe_scored_rule(rule, budget, profile, frontier) for budget, rule in scored if rule is not None]


def describe_scored_rule(rule: ScoredRule, budget: float, profile: Profile, frontier: FixedFrontier) -> ProfilePolicy:
    """Return the means of a rule over problems, with their intervals."""
    clusters = None if profile.clusters is None else np.array(profile.clusters)
    strata = None if profile.strata is None else np.array(profile.strata)
    low, high = compute_mean_interval(rule.accuracy, strata, clusters)
    bottom, top = compute_t_interval(compute_cluster_values(rule.compute, clusters))
    saving = compute_savings(
        rule.accuracy, rule.compute, frontier.accuracy, frontier.budgets, clusters=clusters
    ).against_fixed
    return ProfilePolicy(
        rule=rule.name,
        parameter=rule.part.parameter,
        budget=float(budget),
        threshold=rule.threshold,
        limit=rule.limit,
        most_solutions=rule.part.most_solutions,
        most_verifications=rule.part.most_verifications,
        accuracy=float(rule.accuracy.mean()),
        interval=(float(low), float(high)),
        compute=float(rule.compute.mean()),
        compute_interval=(float(bottom), float(top)),
        percentile_95=rule.percentile_95,
        saving_fixed=saving.value,
        saving_fixed_interval=saving.interval,
    )


def list_leading_policies(policies: Sequence[ProfilePolicy]) -> list[ProfilePolicy]:
    """Return the policies that no other one of the same budget beats: none is as accurate for no more compute."""
    return [
        one
        for one in policies
        if not any(
            other.budget == one.budget
            and (other.accuracy, -other.compute) != (one.accuracy, -one.compute)
            and other.accuracy >= one.accuracy
            and other.compute <= one.compute
            for other in policies
        )
    ]
