"""The advice of a plan in sentences: what to run, what it reaches for which cost, and how far it is ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isocompute.planner.budget import COST_WORDS, JOB_UNITS, Budget, format_amount, format_compute, format_cost
from isocompute.planner.costs.report import PRINTED_DIGITS, list_amounts
from isocompute.planner.models.model_plan import ModelPlan
from isocompute.planner.plan import Plan
from isocompute.planner.strategies.registry import describe_instruction, is_known_strategy
from isocompute.planner.strategy_option import EQUIVALENCE_POINTS, StrategyOption

if TYPE_CHECKING:
    from isocompute.planner.policies.plan_policies import PolicyOption


def describe_advice(plan: Plan) -> str:
    """Return what to run, what it reaches and what it costs, in the unit of the budget."""
    best = plan.recommendation
    name = f"{best.strategy} {best.settings}"
    parameters = plan.findings.profile.get_parameters(best.strategy)
    if is_known_strategy(best.strategy):
        instruction = f"{describe_instruction(best.strategy, best.numbers, parameters)} ({name})"
    else:
        instruction = f"Run {name}"
    return f"{instruction}: {describe_accuracy(plan)} for {describe_cost(plan)}{describe_plan_limits(plan)}."


def describe_model_advice(plan: ModelPlan) -> str:
    """Return what to run of several models, what it reaches and what it costs."""
    best, (low, high) = plan.recommendation, (100 * end for end in plan.options[0].interval)
    name = f"{best.strategy} {best.settings}"
    if is_known_strategy(best.strategy):
        instruction = f"{describe_instruction(best.strategy, best.numbers)} ({name})"
    else:
        instruction = f"Run the {name}" if best.strategy == "cascade" else f"Run {name}"
    words = COST_WORDS.get(plan.cost_model)
    cost, budget = (
        f"{format_amount(amount, plan.unit, 3)}{f' {words}' if words else ''}" for amount in (best.cost, plan.budget)
    )
    return (
        f"With {best.model}: {instruction[0].lower()}{instruction[1:]}: {100 * best.accuracy:.1f} % of new problems "
        f"solved (95 % interval {low:.1f} to {high:.1f}) for {cost} per problem, within the budget of {budget}."
    )


def describe_accuracy(plan: Plan) -> str:
    """Return the accuracy that decides, with its interval: the expected one, or the measured one of a profile of means.

    The measured accuracy of a plan with an interval is a detail, so that one thing has one number.
    """
    share = f"{100 * plan.expected_accuracy:.1f} %"
    if plan.interval is None:
        return f"{share} of the measured problems solved"
    low, high = (100 * end for end in plan.interval)
    return f"{share} of new problems solved (95 % interval {low:.1f} to {high:.1f})"


def describe_cost(plan: Plan) -> str:
    """Return the cost of the recommendation in the unit of the budget, and in x."""
    x, costs = format_cost(plan.recommendation.compute), plan.costs
    unit = "x" if costs is None or costs.budget is None else Budget.parse(costs.budget).unit
    if costs is None or unit == "x":
        return f"{x} per problem"
    name = "gpu_hours" if unit == "gpu-hours" else costs.model
    of_job = None if costs.job is None else costs.job.get(name)
    amounts = {name: of_job if of_job is not None else costs.per_problem.get(name)}
    if amounts[name] is None:
        return f"{x} per problem"
    if of_job is None:
        return f"{list_amounts(amounts)} per problem ({x})"
    return f"{list_amounts(amounts)} in all ({x} per problem)"


def describe_plan_limits(plan: Plan) -> str:
    """Return what limits the plan: the budget, the time until an answer, or the accuracy to reach."""
    costs = plan.costs
    if costs is None:
        return f", within the budget of {format_compute(plan.budget)}"
    limits = []
    if costs.budget is not None:
        is_of_job = costs.problems is not None and Budget.parse(costs.budget).unit in JOB_UNITS
        job = f" for {costs.problems:,} problems" if is_of_job else ""
        x = f" ({format_compute(plan.budget)})" if costs.budget.endswith("x-plateau") else ""
        limits.append(f"the budget of {costs.budget}{x}{job}")
    if costs.latency_limit is not None and not (costs.budget or "").endswith((" s", " s until the answer")):
        limits.append(f"{format_amount(costs.latency_limit, 's', PRINTED_DIGITS)} until the answer")
    within = f", within {' and '.join(limits)}" if limits else ""
    if costs.target is not None:
        return f"{within}, the cheapest that reaches {100 * costs.target:.1f} % with 90 % probability"
    return within


def find_runner_up(plan: Plan) -> StrategyOption | None:
    """Return the other strategy with the highest accuracy among those that may be recommended; None without one."""
    others = [option for option in plan.alternatives if option.is_informative]
    return max(others, key=lambda option: option.accuracy, default=None)


def describe_reasons(plan: Plan) -> list[str]:
    """Return how far the recommendation is ahead of the runner-up and of voting, and how sure it is to be the best.

    A rule that stops early is added if it is ahead of the recommendation at equal mean compute.
    """
    best, second = plan.recommendation, find_runner_up(plan)
    if second is None:
        return []
    voting = next((option for option in plan.alternatives if option.strategy == "sc"), None)
    sentences = [describe_lead("The runner-up", second)]
    if voting is not None and voting is not second:
        sentences.append(describe_lead("Voting alone", voting))
    if plan.policies and (policy := plan.policies[0]).gap < 0:
        sentences.append(describe_policy_lead(policy))
    if best.probability_best is not None and best.probability_highest is not None:
        sentences.append(
            f"P(best) = {best.probability_best:.2f}: with this probability no other strategy is better by more than "
            f"{EQUIVALENCE_POINTS:g} points; with {best.probability_highest:.2f} none is better at all."
        )
    return sentences


def describe_lead(who: str, option: StrategyOption) -> str:
    """Return how far a strategy is behind the recommendation.

    Args:
        who: what it is among the strategies, as the beginning of the sentence.
        option: the strategy within the budget.
    """
    assert option.gap is not None, "it is not the recommendation"
    name, share = f"{option.strategy} {option.settings} for {format_cost(option.compute)}", 100 * option.accuracy
    if option.gap_interval is None:
        return f"{who}, {name}, solved {share:.1f} %. The lead is {100 * option.gap:.1f} points."
    low, high = (100 * end for end in option.gap_interval)
    settled = "" if low > 0 else ", so which of the two is better is not settled"
    return (
        f"{who}, {name}, is expected to solve {share:.1f} %. The lead is {100 * option.gap:.1f} points (95 % interval "
        f"{low:+.1f} to {high:+.1f}){settled}."
    )


def describe_policy_lead(policy: PolicyOption) -> str:
    """Return how far a rule that stops early is ahead of the recommendation, and for which budget."""
    low, high = sorted(-100 * end for end in policy.gap_interval)
    settled = "" if low > 0 else ", so which of the two is better is not settled"
    return (
        f"If the budget may be a mean over questions, the rule {policy.rule}, which stops early, is expected to solve "
        f"{100 * policy.accuracy:.1f} % for {format_cost(policy.compute)} on average; 19 of 20 questions take at most "
        f"{format_cost(policy.percentile_95)}. It is ahead by {-100 * policy.gap:.1f} points (95 % interval {low:+.1f} "
        f"to {high:+.1f}){settled}. To use it, add `--policy {policy.rule}` to `isocompute solve`."
    )
