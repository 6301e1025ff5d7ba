"""The rules that stop early beside a plan: what each reaches for a mean compute within the plan's budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isocompute.fits import compute_difference_interval, compute_t_interval
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.cost_error import measure_frontier_slope
from isocompute.fits.groups import compute_cluster_values
from isocompute.planner.compare import ExpectedAccuracies
from isocompute.planner.costs.models import RequestCosts
from isocompute.planner.policies.prices import build_request_prices
from isocompute.planner.policies.profile_rules import list_priced_rules
from isocompute.planner.profile import Profile
from isocompute.planner.strategy_option import ConfidenceInterval, StrategyOption


@dataclass(frozen=True)
class PolicyOption:
    """A rule at the threshold and limit that a plan's budget pays for on average.

    Args:
        rule: name of the rule.
        parameter: meaning of its threshold, in words.
        threshold: the threshold. With the limit it was chosen on all problems: the cheapest setting within the
            equivalence margin of the most accurate one whose mean compute is within the budget.
        limit: the most solutions.
        most_solutions: solutions of the full budget.
        most_verifications: verifications of each of them.
        compute: mean compute, in x, each problem under a setting chosen on others.
        compute_interval: its 95 % interval over problems.
        percentile_95: 95th percentile of compute over problems and orders, the mean over the chosen settings; that by
            completion tokens, scaled with the mean, under other cost models.
        accuracy: that of the recommendation to expect on new problems, less `gap`.
        measured_accuracy: the accuracy on the measured problems, each under a setting chosen on others.
        gap: accuracy of the recommendation minus that of the policy, on the measured problems. The recommendation was
            chosen on them and the policy was not, so that chance favours the recommendation.
        gap_interval: its 95 % interval, paired; the error of the policy's mean compute counts in it.
        saving: compute of the recommendation over that of the policy.
        solutions, verifications: mean numbers of both at the setting, over all solutions.
        answer_model: what the rule has learnt on all problems, as in a policy file; None if it learns nothing.
    """

    rule: str
    parameter: str
    threshold: float
    limit: int
    most_solutions: int
    most_verifications: int
    compute: float
    compute_interval: ConfidenceInterval
    percentile_95: float
    accuracy: float
    measured_accuracy: float
    gap: float
    gap_interval: ConfidenceInterval
    saving: float
    solutions: float
    verifications: float
    answer_model: Mapping[str, Any] | None = None


def list_plan_policies(
    profile: Profile,
    expected: ExpectedAccuracies,
    recommendation: StrategyOption,
    costs: RequestCosts,
    lam: float | None,
    x: float,
) -> list[PolicyOption]:
    """Return the rules of a profile whose mean compute is within a budget, the most accurate first.

    Args:
        profile: the profile.
        expected: the options of every strategy.
        recommendation: what the plan recommends.
        costs: the costs of requests under the plan's cost model.
        lam: λ of the plan; None if it is unknown, and then rules that verify are left out.
        x: the budget.
    """
    if profile.independent_problems < 2:
        return []
    prices = build_request_prices(costs, lam, profile.problems)
    clusters = None if profile.clusters is None else np.array(profile.clusters)
    strata = None if profile.strata is None else np.array(profile.strata)
    measured = measure_option(expected, recommendation)
    options = []
    for rule in list_priced_rules(profile, prices):
        scored = rule.score_budget(x)
        if scored is None:
            continue
        part, compute, accuracy, spent = rule.part, rule.compute, scored.accuracy, scored.compute
        mean = float(spent.mean())
        # What a dearer policy would have to give up is what it gains along its settings, problem by problem.
        order = np.argsort(compute.mean(axis=0), kind="stable")
        slope = measure_frontier_slope(compute.mean(axis=0)[order], part.array.mean(axis=0)[order], mean)
        gaps = np.clip(measured - accuracy + slope * (spent / mean - 1), -1, 1)
        low, high = compute_difference_interval(gaps, strata, clusters)
        bottom, top = compute_t_interval(compute_cluster_values(spent, clusters))
        gap = float((measured - accuracy).mean())
        at = scored.position
        options.append(
            PolicyOption(
                rule=rule.name,
                parameter=part.parameter,
                threshold=scored.threshold,
                limit=scored.limit,
                most_solutions=part.most_solutions,
                most_verifications=part.most_verifications,
                compute=mean,
                compute_interval=(float(bottom), float(top)),
                percentile_95=scored.percentile_95,
                accuracy=float(np.clip(recommendation.accuracy - gap, 0, 1)),
                measured_accuracy=float(accuracy.mean()),
                gap=gap,
                gap_interval=(float(low), float(high)),
                saving=recommendation.compute / mean,
                solutions=float(part.sampled[:, at].mean()),
                verifications=float(part.verified[:, at].mean()),
                answer_model=part.answer_model,
            )
        )
    return sorted(options, key=lambda option: (-option.accuracy, option.compute))


def measure_option(expected: ExpectedAccuracies, option: StrategyOption) -> Floats:
    """Return (P,) the accuracy of an option on each measured problem."""
    table = next(table for table in expected.tables if table.strategy == option.strategy)
    same = np.all([table.grid.numbers[name] == number for name, number in option.numbers.items()], axis=0)
    return table.compute_accuracies(np.flatnonzero(same)[:1])[:, 0]
