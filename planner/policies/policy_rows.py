"""The rows of a comparison of policies: what each rule reaches and saves, held out, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocompute.fits import (
    compute_difference_interval,
    compute_mean_interval,
    compute_t_interval,
)
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.groups import compute_cluster_values
from isocompute.fits.policies.savings import compute_savings
from isocompute.planner.policies.fixed_plans import FixedFrontier
from isocompute.planner.policies.held_out_rules import HeldOutRule, RuleFolds, choose_for_budget
from isocompute.planner.strategy_option import ConfidenceInterval

LADDER_STEP = 1.2
"""Ratio of one mean budget at which every rule is shown to the one before."""


@dataclass(frozen=True)
class PolicyGoal:
    """The goal of thresholds: a mean budget, or the same answers as the full budget.

    Args:
        budget: mean compute per problem, in x; None for the same answers.
        same_answer: δ, the largest share of problems with another answer; None for a budget.
        confidence: probability that the promise on δ holds.
    """

    budget: float | None
    same_answer: float | None = None
    confidence: float = 0.95


@dataclass(frozen=True)
class PolicyRow:
    """A rule of a comparison: means over problems, each under settings chosen on others, with 95 % intervals.

    The full budget is that of the pool, whatever the limit.

    Args:
        rule: name of the rule.
        parameter: meaning of its threshold, in words.
        threshold: the threshold chosen on all problems.
        limit: the most solutions that were chosen with it.
        is_certified: whether the promise on δ holds; if not, the full budget stands in. None for a mean budget.
        solutions, verifications: mean numbers of both, over all solutions.
        most_solutions: solutions of the full budget.
        most_verifications: verifications of each of them.
        accuracy, interval: accuracy, 0 … 1.
        compute, compute_interval: mean compute, in x.
        percentile_95: 95th percentile of compute over problems and orders; with solutions one after the other, each
            counts the mean of its problem.
        depth: waves, one after the other.
        same_answer, same_interval: probability that the answer is that of the full budget.
        drawing_error: standard error of the accuracy from the random orders alone.
        full_accuracy, full_compute: the same strategy at its full budget.
        lead, lead_interval: accuracy minus that at the full budget: what stopping costs.
        saving_full, saving_full_interval: compute of the full budget over the policy's.
        saving_fixed, saving_fixed_interval: compute of the cheapest fixed plan that is as accurate, over the policy's;
            infinite where no plan is as accurate.
        equal_plan: the best fixed plan at equal mean compute.
        gain_equal, gain_equal_interval: accuracy minus that plan's.
        full_plan: the best fixed plan at the compute of the rule's full budget.
        gain_full, gain_full_interval: accuracy minus that plan's.
        hindsight_saving: saving over the full budget of who knows, in each order, when to stop with the same answer.
        hindsight_share, hindsight_interval: the part of that saving that the rule reaches; above 1 it stops earlier,
            with other answers. None if there is nothing to save.
    """

    rule: str
    parameter: str
    threshold: float
    limit: int
    is_certified: bool | None
    solutions: float
    verifications: float
    most_solutions: int
    most_verifications: int
    accuracy: float
    interval: ConfidenceInterval
    compute: float
    compute_interval: ConfidenceInterval
    percentile_95: float
    depth: float
    same_answer: float
    same_interval: ConfidenceInterval
    drawing_error: float
    full_accuracy: float
    full_compute: float
    lead: float
    lead_interval: ConfidenceInterval
    saving_full: float
    saving_full_interval: ConfidenceInterval
    saving_fixed: float
    saving_fixed_interval: ConfidenceInterval
    equal_plan: str
    gain_equal: float
    gain_equal_interval: ConfidenceInterval
    full_plan: str
    gain_full: float
    gain_full_interval: ConfidenceInterval
    hindsight_saving: float
    hindsight_share: float | None
    hindsight_interval: ConfidenceInterval | None


@dataclass(frozen=True)
class PolicyPoint:
    """A rule at a mean budget, held out: a point of its line in the figure.

    Args:
        rule: name of the rule.
        budget: the mean budget for which settings were chosen, in x.
        threshold: the threshold chosen on all problems.
        limit: the most solutions that were chosen with it.
        accuracy, interval: accuracy, 0 … 1.
        compute: mean compute, in x.
    """

    rule: str
    budget: float
    threshold: float
    limit: int
    accuracy: float
    interval: ConfidenceInterval
    compute: float


@dataclass(frozen=True, eq=False)
class Groups:
    """Strata and clusters: (P,) that of each problem; None without."""

    strata: Ints | None
    clusters: Ints | None


def build_policy_row(held: HeldOutRule, frontier: FixedFrontier, groups: Groups, goal: PolicyGoal) -> PolicyRow:
    """Return the row of a rule under thresholds chosen on other problems."""
    rule, estimate = held.rule, held.rule.estimate
    accuracy, compute, same = (held.average(column) for column in (estimate.accuracy, estimate.compute, estimate.same))
    full_accuracy, full_compute = estimate.accuracy[:, -1], rule.full_compute
    mean, full = float(compute.mean()), float(full_compute.mean())
    equal, whole = frontier.find_plan(mean), frontier.find_plan(full)
    clusters = groups.clusters
    own = compute_savings(
        accuracy, compute, full_accuracy[:, None], full_compute[:, None], rule.hindsight, clusters=clusters
    )
    fixed = compute_savings(accuracy, compute, frontier.accuracy, frontier.budgets, clusters=clusters).against_fixed
    share = own.hindsight_share
    return PolicyRow(
        rule=rule.name,
        parameter=rule.parameter,
        threshold=held.threshold,
        limit=held.limit,
        is_certified=None if goal.same_answer is None else not held.is_full,
        solutions=float(held.average(estimate.solutions).mean()),
        verifications=float(held.average(estimate.verifications).mean()),
        most_solutions=rule.solutions,
        most_verifications=rule.verifications,
        accuracy=float(accuracy.mean()),
        interval=to_interval(compute_mean_interval(accuracy, groups.strata, groups.clusters)),
        compute=mean,
        compute_interval=to_interval(compute_t_interval(compute_cluster_values(compute, groups.clusters))),
        percentile_95=held.compute_cost_quantile(0.95),
        depth=float(held.average(estimate.depth).mean()),
        same_answer=float(same.mean()),
        same_interval=to_interval(compute_mean_interval(same, groups.strata, groups.clusters)),
        drawing_error=held.compute_drawing_error(estimate.accuracy_error),
        full_accuracy=float(full_accuracy.mean()),
        full_compute=full,
        lead=own.lead.value,
        lead_interval=own.lead.interval,
        saving_full=own.against_full.value,
        saving_full_interval=own.against_full.interval,
        saving_fixed=fixed.value,
        saving_fixed_interval=fixed.interval,
        equal_plan=frontier.plans[equal],
        gain_equal=float((accuracy - frontier.accuracy[:, equal]).mean()),
        gain_equal_interval=compare_paired(accuracy, frontier.accuracy[:, equal], groups),
        full_plan=frontier.plans[whole],
        gain_full=float((accuracy - frontier.accuracy[:, whole]).mean()),
        gain_full_interval=compare_paired(accuracy, frontier.accuracy[:, whole], groups),
        hindsight_saving=full / float(rule.hindsight.mean()),
        hindsight_share=None if share is None else share.value,
        hindsight_interval=None if share is None else share.interval,
    )


def compare_paired(one: Floats, other: Floats, groups: Groups) -> ConfidenceInterval:
    """Return the paired 95 % interval of a difference of means over problems."""
    return to_interval(compute_difference_interval(np.clip(one - other, -1, 1), groups.strata, groups.clusters))


def to_interval(ends: tuple[Floats, Floats]) -> ConfidenceInterval:
    """Return the two ends of an interval as numbers."""
    return float(ends[0]), float(ends[1])


def list_points(split: RuleFolds, groups: Groups) -> list[PolicyPoint]:
    """Return a rule at each of a ladder of mean budgets, up to its full budget."""
    compute = split.rule.estimate.compute.mean(axis=0)
    low, high = float(compute.min()), split.rule.full_cost
    steps = max(2, round(np.log(high / low) / np.log(LADDER_STEP)) + 1)
    points = []
    for budget in np.geomspace(low, high, steps) * (1 + 1e-9):
        held = split.choose(choose_for_budget(float(budget)))
        accuracy, spent = (
            held.average(column) for column in (split.rule.estimate.accuracy, split.rule.estimate.compute)
        )
        interval = to_interval(compute_mean_interval(accuracy, groups.strata, groups.clusters))
        points.append(
            PolicyPoint(
                rule=split.rule.name,
                budget=float(budget),
                threshold=held.threshold,
                limit=held.limit,
                accuracy=float(accuracy.mean()),
                interval=interval,
                compute=float(spent.mean()),
            )
        )
    return points
