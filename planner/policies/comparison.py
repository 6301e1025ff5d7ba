"""The comparison of policies on a run: accuracy, compute and savings of every rule, on held-out problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from isocompute.errors import BudgetError, DataError
from isocompute.fits import (
    compute_mean_interval,
    split_folds,
)
from isocompute.fits.arrays import Floats
from isocompute.planner.budget import format_compute
from isocompute.planner.costs.models import RequestCosts
from isocompute.planner.costs.request import PlanRequest
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import RunPool, read_pool
from isocompute.planner.estimate.profile_from_run import build_profile
from isocompute.planner.evaluation.run_evaluation import sort_problems
from isocompute.planner.plan_choice import CHOICE_SPLITS
from isocompute.planner.policies.fixed_plans import FixedFrontier, build_fixed_frontier
from isocompute.planner.policies.held_out_rules import (
    Choose,
    HeldOutRule,
    RuleFolds,
    choose_for_budget,
    choose_for_guarantee,
    split_rule,
)
from isocompute.planner.policies.measured_rules import count_draws, measure_rules
from isocompute.planner.policies.policy_rows import (
    Groups,
    PolicyGoal,
    PolicyPoint,
    PolicyRow,
    build_policy_row,
    list_points,
)
from isocompute.planner.policies.prices import build_request_prices, measure_lengths
from isocompute.planner.policies.value_measurement import measure_value_rule
from isocompute.planner.priced_plan import (
    apply_cost_model,
    choose_plan_model,
    convert_budget,
    is_compute_limit,
)
from isocompute.planner.profile import Profile, find_bundled_profiles
from isocompute.planner.strategies.options import list_strategy_options
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.files import describe_place
from isocompute.runners.storage.provenance import read_grader_title
from isocompute.runners.storage.run import Run


@dataclass(frozen=True, eq=False)
class PolicyComparison:
    """The comparison of policies on a run.

    Args:
        name: the run's path.
        problems: number of problems.
        goal: what thresholds were chosen for.
        cost_model: name of the cost model.
        lam: λ; None without verifications.
        width: solutions sampled side by side.
        draws: random orders of each problem.
        pool_shape: solutions of each problem, and verifications of each of its verified solutions.
        rows: the rules, in the order of their registry.
        points: every rule over a ladder of mean budgets.
        frontier: the best fixed plans.
        fixed_intervals: (2, n) ends of the 95 % interval of the accuracy of each of them.
        profile: the run's profile, under the cost model.
        digest: digest of the problems, see `planner.policies.policy_file.LearntOn`.
        grader: title of the run's grader.
        task: name of its task.
        notes: limits of the comparison, in sentences.
    """

    name: str
    problems: int
    goal: PolicyGoal
    cost_model: str
    lam: float | None
    width: int
    draws: int
    pool_shape: tuple[int, int]
    rows: list[PolicyRow]
    points: list[PolicyPoint]
    frontier: FixedFrontier
    fixed_intervals: Floats
    profile: Profile
    digest: str
    grader: str | None
    task: str | None
    answer_models: dict[str, dict[str, object]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """The limits of the comparison, in sentences."""
        return list(self.notes)

    def describe_goal(self) -> str:
        """Return in words what thresholds were chosen for."""
        if self.goal.same_answer is not None:
            return (
                f"thresholds for P(another answer than the full budget's) ≤ {100 * self.goal.same_answer:g} %, with "
                f"{self.goal.confidence:.0%} confidence"
            )
        assert self.goal.budget is not None, "there is one or the other"
        return f"thresholds for a mean of at most {format_compute(self.goal.budget)}"


def compare_run_policies(
    path: str,
    request: PlanRequest,
    same_answer: float | None = None,
    width: int = 1,
    report: Callable[[str], None] = lambda text: None,
) -> PolicyComparison:
    """Compare the policies of a run.

    Args:
        path: the run's folder.
        request: the mean budget, unless the same answers are asked for, and the cost model.
        same_answer: δ, the largest share of problems with another answer; None to choose for the budget.
        width: solutions sampled side by side.
        report: function that is called with what is being done, in words.

    Raises:
        RunError, DataError: the run is missing, incomplete or damaged, holds no votes, or too few problems.
        BudgetError: the budget is a latency, or pays for less than one solution.
    """
    if path.endswith(".json") or path in find_bundled_profiles():
        raise DataError(
            f"Policies are replayed from single solutions, which a profile does not hold; give the run's folder, not "
            f"{path!r:.100}."
        )
    run = Run(path)
    pool = sort_problems(read_pool(run))
    report("estimating fixed plans")
    profile = build_profile(run, pool, measure_costs(pool), path)
    check_pool(pool, profile)
    priced = price_policies(profile, request)
    goal = PolicyGoal(read_mean_budget(priced, request)) if same_answer is None else PolicyGoal(None, same_answer)
    return measure_policies(run, pool, priced, width, report).compare(goal)


@dataclass(frozen=True, eq=False)
class PricedProfile:
    """A run's profile under a cost model.

    Args:
        profile: the profile, in which searches are priced too.
        model: name of the cost model.
        costs: the costs of requests.
        lam: λ; None without verifications, or if it is unknown.
        given: λ, if it was given.
    """

    profile: Profile
    model: str
    costs: RequestCosts
    lam: float | None
    given: float | None


def price_policies(profile: Profile, request: PlanRequest) -> PricedProfile:
    """Price the requests of a profile by the cost model of a request."""
    model = choose_plan_model(profile, request)
    priced, given, costs = apply_cost_model(profile, model, request)
    return PricedProfile(priced, model, costs, priced.lam if given is None else given, given)


@dataclass(frozen=True, eq=False)
class PolicyStudy:
    """The measured rules of a run, from which thresholds are chosen for any goal.

    Args:
        run: the run.
        pool: its pool.
        priced: its profile under the cost model.
        rules: the rules, with their estimates on the problems outside of each fold.
        groups: strata and clusters of the problems.
        width: solutions sampled side by side.
        draws: random orders of each problem.
    """

    run: Run
    pool: RunPool
    priced: PricedProfile
    rules: list[RuleFolds]
    groups: Groups
    width: int
    draws: int

    def compare(self, goal: PolicyGoal) -> PolicyComparison:
        """Compare the rules under thresholds for a goal."""
        groups, profile = self.groups, self.priced.profile
        chosen = [each.choose(make_choice(goal)) for each in self.rules]
        met = [float(held.average(held.rule.estimate.compute).mean()) for held in chosen]
        frontier = self.build_frontier([*met, *(each.rule.full_cost for each in self.rules)])
        models = {each.rule.name: each.rule.answer_model for each in self.rules}
        return PolicyComparison(
            name=self.run.path,
            problems=profile.problems,
            goal=goal,
            cost_model=self.priced.model,
            lam=self.priced.lam,
            width=self.width,
            draws=self.draws,
            pool_shape=(self.pool.pool.solutions, self.pool.pool.verifications),
            rows=[build_policy_row(held, frontier, groups, goal) for held in chosen],
            points=self.points,
            frontier=frontier,
            fixed_intervals=np.array(compute_mean_interval(frontier.accuracy, groups.strata, groups.clusters)),
            profile=profile,
            digest=digest_problems(profile),
            grader=read_grader_title(self.run),
            task=self.pool.origin.task_name,
            answer_models={name: model for name, model in models.items() if model is not None},
            notes=tuple(describe_goal_limits(goal, chosen, profile.problems)),
        )

    @cached_property
    def points(self) -> list[PolicyPoint]:
        """Every rule over a ladder of mean budgets."""
        return [point for each in self.rules for point in list_points(each, self.groups)]

    def build_frontier(self, extra: Sequence[float] = ()) -> FixedFrontier:
        """Return the best fixed plans over a ladder of budgets and at some more."""
        options = list_strategy_options(self.priced.profile, self.priced.lam)
        return build_fixed_frontier(options, extra, self.groups.clusters, self.groups.strata)


def measure_policies(
    run: Run,
    pool: RunPool,
    priced: PricedProfile,
    width: int = 1,
    report: Callable[[str], None] = lambda text: None,
) -> PolicyStudy:
    """Measure every rule of a run.

    Args:
        run: the run.
        pool: its pool, in the order of `sort_problems`.
        priced: its profile under a cost model.
        width: solutions sampled side by side.
        report: function that is called with what is being done, in words.
    """
    problems = pool.pool.problems
    clusters = None if priced.profile.clusters is None else np.array(priced.profile.clusters)
    strata = None if priced.profile.strata is None else np.array(priced.profile.strata)
    own = build_request_prices(priced.costs, priced.lam, problems)
    # One after the other, a solution costs the mean of its problem on average, whatever the rule.
    lengths = measure_lengths(pool, own) if width > 1 else None
    draws = count_draws(problems)
    rules = measure_rules(
        pool.pool, own, draws, width, lambda share: report(f"replaying random orders, {share:.0%}"), lengths=lengths
    )
    known = rules[-1].hindsight  # of the weighted vote, if there is one
    rules.append(
        measure_value_rule(
            pool.pool, own, known, draws, width, clusters, lambda share: report(f"learning the value rule, {share:.0%}")
        )
    )
    report("choosing thresholds")
    folds = split_folds(problems, splits=CHOICE_SPLITS, clusters=clusters)
    split = [split_rule(rule, folds, clusters) for rule in rules]
    return PolicyStudy(run, pool, priced, split, Groups(strata, clusters), width, draws)


def check_pool(pool: RunPool, profile: Profile) -> None:
    """Raise a DataError unless a pool has votes, and problems to choose thresholds on."""
    place = describe_place(pool.path)
    if not pool.has_answers:
        raise DataError(f"Policies stop by votes, which the run {place} does not give. {pool.missing_votes}")
    if profile.independent_problems < 2:
        raise DataError(f"The run {place} has one independent problem; a threshold is chosen on other problems.")
    if pool.pool.solutions < 2:
        raise DataError(f"The run {place} has one solution of each problem; a policy needs at least 2.")


def read_mean_budget(priced: PricedProfile, request: PlanRequest) -> float:
    """Return the mean budget in x.

    Raises:
        BudgetError: it is a latency, or pays for less than one solution.
    """
    budget = request.budget
    if budget is None or not is_compute_limit(budget, priced.model):
        text = "" if budget is None else f" '{budget.text}'"
        raise BudgetError(f"A policy is chosen for a mean compute; the budget{text} is a latency. Write it as 32x.")
    x = convert_budget(priced.profile, request, priced.model, priced.costs, priced.given)
    assert x is not None, "it limits compute"
    return x


def make_choice(goal: PolicyGoal) -> Choose:
    """Return the choice of a threshold for a goal."""
    if goal.same_answer is not None:
        return choose_for_guarantee(goal.same_answer, goal.confidence)
    assert goal.budget is not None, "there is one or the other"
    return choose_for_budget(goal.budget)


def describe_goal_limits(goal: PolicyGoal, chosen: Sequence[HeldOutRule], problems: int) -> list[str]:
    """Return the limits of a comparison, in sentences."""
    notes = []
    if goal.same_answer is not None:
        refused = [held.rule.name for held in chosen if held.is_full]
        if refused:
            notes.append(
                f"{problems} problems are too few to certify P(another answer) ≤ {100 * goal.same_answer:g} % with "
                f"{goal.confidence:.0%} confidence for {', '.join(refused)}; the full budget stands in."
            )
    else:
        assert goal.budget is not None
        dear = [held.rule.name for held in chosen if held.rule.estimate.compute.mean(axis=0).min() > goal.budget]
        if dear:
            notes.append(f"Even the cheapest setting of {', '.join(dear)} costs more than the budget.")
    return notes


def digest_problems(profile: Profile) -> str:
    """Return a digest of the problems, which does not depend on their order."""
    names = sorted(record.digest or record.id or "" for record in profile.per_problem)
    return digest_text("\n".join(names))
