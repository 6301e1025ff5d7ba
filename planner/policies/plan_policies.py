"""The rules that stop early beside a plan: what each reaches for a mean compute within the plan's budget."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocompute.fits import compute_difference_interval, compute_t_interval, split_folds
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.choice.cost_error import measure_frontier_slope
from isocompute.fits.choice.recommendation import EQUIVALENCE_MARGIN
from isocompute.fits.groups import compute_cluster_values
from isocompute.planner.compare import ConfidenceInterval, ExpectedAccuracies, StrategyOption
from isocompute.planner.costs.models import RequestCosts
from isocompute.planner.plan_choice import CHOICE_SPLITS
from isocompute.planner.policies.prices import RequestPrices, build_request_prices
from isocompute.planner.profile import PolicyPart, Profile


@dataclass(frozen=True)
class PolicyOption:
    """A rule at the threshold that a plan's budget pays for on average.

    Args:
        rule: name of the rule.
        parameter: meaning of its threshold, in words.
        threshold: the threshold, chosen on all problems: the cheapest within the equivalence margin of the most
            accurate one whose mean compute is within the budget.
        most_solutions: solutions of the full budget.
        most_verifications: verifications of each of them.
        compute: mean compute, in x, each problem under a threshold chosen on others.
        compute_interval: its 95 % interval over problems.
        percentile_95: 95th percentile of compute over problems and orders; that by completion tokens, scaled with the
            mean, under other cost models.
        accuracy: that of the recommendation to expect on new problems, less `gap`.
        gap: accuracy of the recommendation minus that of the policy, on the measured problems. The recommendation was
            chosen on them and the policy was not, so that chance favours the recommendation.
        gap_interval: its 95 % interval, paired; the error of the policy's mean compute counts in it.
        saving: compute of the recommendation over that of the policy.
    """

    rule: str
    parameter: str
    threshold: float
    most_solutions: int
    most_verifications: int
    compute: float
    compute_interval: ConfidenceInterval
    percentile_95: float
    accuracy: float
    gap: float
    gap_interval: ConfidenceInterval
    saving: float


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
    for name, part in profile.measured_policies.items():
        if part.most_verifications and prices.verification is None:
            continue
        compute = price_part(part, prices)
        whole = choose_position(part.array, compute, x)
        if whole is None:
            continue
        positions = choose_positions(part.array, compute, x, clusters)
        accuracy, spent = (
            np.take_along_axis(column, positions, axis=1).mean(axis=1) for column in (part.array, compute)
        )
        mean = float(spent.mean())
        # What a dearer policy would have to give up is what it gains along its thresholds, problem by problem.
        order = np.argsort(compute.mean(axis=0), kind="stable")
        slope = measure_frontier_slope(compute.mean(axis=0)[order], part.array.mean(axis=0)[order], mean)
        gaps = np.clip(measured - accuracy + slope * (spent / mean - 1), -1, 1)
        low, high = compute_difference_interval(gaps, strata, clusters)
        bottom, top = compute_t_interval(compute_cluster_values(spent, clusters))
        gap = float((measured - accuracy).mean())
        options.append(
            PolicyOption(
                rule=name,
                parameter=part.parameter,
                threshold=part.thresholds[whole],
                most_solutions=part.most_solutions,
                most_verifications=part.most_verifications,
                compute=mean,
                compute_interval=(float(bottom), float(top)),
                percentile_95=part.percentile_95[whole] * float(compute[:, whole].mean()) / part.compute[whole],
                accuracy=float(np.clip(recommendation.accuracy - gap, 0, 1)),
                gap=gap,
                gap_interval=(float(low), float(high)),
                saving=recommendation.compute / mean,
            )
        )
    return sorted(options, key=lambda option: (-option.accuracy, option.compute))


def price_part(part: PolicyPart, prices: RequestPrices) -> Floats:
    """Return (P, T) the mean compute of a rule on each problem, in x."""
    compute = part.sampled * prices.solution[:, None]
    if part.most_verifications and prices.verification is not None:
        compute = compute + part.verified * prices.verification[:, None]
    return np.asarray(compute)


def choose_position(accuracy: Floats, compute: Floats, budget: float) -> int | None:
    """Return the cheapest threshold within the equivalence margin of the most accurate one within a mean budget.

    Args:
        accuracy: (n, T) on the problems to choose on.
        compute: (n, T) likewise, in x.
        budget: mean compute, in x.

    Returns:
        Its position; None if even the cheapest costs more than the budget.

    Example:
        >>> choose_position(np.array([[0.4, 0.698, 0.7, 0.8]]), np.array([[1.0, 3.0, 5.0, 9.0]]), 6)
        1
    """
    reached, cost = accuracy.mean(axis=0), compute.mean(axis=0)
    is_within = cost <= budget * (1 + 1e-9)
    if not is_within.any():
        return None
    near = is_within & (reached >= reached[is_within].max() - EQUIVALENCE_MARGIN)
    return int(np.where(near, cost, np.inf).argmin())


def choose_positions(accuracy: Floats, compute: Floats, budget: float, clusters: Ints | None) -> Ints:
    """Return (P, splits) the threshold of each problem, chosen on problems of other folds, see `choose_position`."""
    folds = split_folds(len(accuracy), splits=CHOICE_SPLITS, clusters=clusters)
    found = [choose_position(accuracy[train], compute[train], budget) for train in folds.train]
    taken = np.array([int(compute.mean(axis=0).argmin()) if at is None else at for at in found])
    return np.stack([taken[held] for held in folds.test.T])


def measure_option(expected: ExpectedAccuracies, option: StrategyOption) -> Floats:
    """Return (P,) the accuracy of an option on each measured problem."""
    table = next(table for table in expected.tables if table.strategy == option.strategy)
    same = np.all([table.grid.numbers[name] == number for name, number in option.numbers.items()], axis=0)
    return table.compute_accuracies(np.flatnonzero(same)[:1])[:, 0]
