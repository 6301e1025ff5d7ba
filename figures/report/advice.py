"""The recommendation at the budget at which a report opens, in a sentence and a table."""

from __future__ import annotations

from isocompute.figures.report.markup import ReportPart, ReportTable, format_share
from isocompute.figures.report.slider import choose_default_budget
from isocompute.planner.budget import format_compute, format_cost
from isocompute.planner.costs.report import describe_plan_costs
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.plan import Plan
from isocompute.planner.priced_plan import make_priced_plan
from isocompute.planner.profile import Profile
from isocompute.planner.steps.plan_steps import build_unit_request
from isocompute.planner.strategies.registry import describe_strategy, is_known_strategy
from isocompute.planner.strategy_option import EQUIVALENCE_POINTS


def build_advice(profile: Profile, settings: CostSettings) -> tuple[Plan, ReportPart]:
    """Return the plan at the budget at which a report opens, and the part that shows it."""
    plan = make_priced_plan(profile, build_unit_request(choose_default_budget(profile), settings))
    best = plan.recommendation
    name = best.strategy
    what = f": {describe_strategy(name, profile.get_parameters(name))}" if is_known_strategy(name) else ""
    sentences = [describe_recommendation(plan), f"{name}{what}."]
    sentences += (
        [] if plan.costs is None else [f"{line[:1].upper()}{line[1:]}." for line in describe_plan_costs(plan.costs)]
    )
    sentences += [] if plan.toy_note is None else [plan.toy_note]
    return plan, ReportPart("Recommendation", sentences, (), (build_alternatives_table(plan),))


def describe_recommendation(plan: Plan) -> str:
    """Return the recommendation in one sentence."""
    best = plan.recommendation
    interval = "" if plan.interval is None else " [{:.1f}, {:.1f}]".format(*(100 * end for end in plan.interval))
    kind = "measured" if plan.interval is None else "expected"
    sure = "" if best.probability_best is None else f"; P(best) is {best.probability_best:.2f}"
    return (
        f"At {format_compute(plan.budget)} per problem, run {best.strategy} with {best.settings}: its {kind} accuracy "
        f"is {100 * plan.expected_accuracy:.1f} %{interval}, for {format_cost(best.compute)}{sure}."
    )


def build_alternatives_table(plan: Plan) -> ReportTable:
    """Return the strategies within the budget, the recommended one first, then by accuracy, as on the screen."""
    rows = [
        (
            option.strategy,
            option.settings,
            format_cost(option.compute),
            *map(format_share, (option.accuracy, *(option.interval or (None, None)))),
            *map(format_share, (option.gap, *(option.gap_interval or (None, None)))),
            "–" if option.probability_best is None else f"{option.probability_best:.2f}",
        )
        for option in (plan.recommendation, *sorted(plan.alternatives, key=lambda option: -option.accuracy))
    ]
    columns = (
        "strategy", "numbers", "compute", "accuracy (%)", "from", "to", "recommended is ahead by (points)", "from",
        "to", "P(best)",
    )  # fmt: skip
    return ReportTable(
        "options",
        f"Strategies within {format_compute(plan.budget)}, each at its best allocation",
        columns,
        rows,
        f"Intervals are 95 %. P(best): that no other strategy is better by more than {EQUIVALENCE_POINTS:g} points.",
    )
