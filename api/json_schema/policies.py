"""The JSON of ``policies``."""

from __future__ import annotations

from pydantic import Field

from isocompute.api.json_schema.blocks import (
    CommandJson,
    Fraction,
    Interval,
    JsonBlock,
    Never,
    name_infinity,
)
from isocompute.planner.policies.comparison import PolicyComparison
from isocompute.planner.policies.policy_rows import PolicyPoint, PolicyRow


class RuleRowJson(JsonBlock):
    """A rule, each problem under a threshold and a limit chosen on other problems; intervals: 95 % over problems."""

    rule: str
    """Name of the rule."""
    parameter: str
    """Meaning of its threshold."""
    threshold: float
    """The threshold chosen on all problems, for new ones."""
    limit: int
    """The most solutions that were chosen with it."""
    is_certified: bool | None
    """True if the promise on other answers holds; if not, the full budget stands in. Null for a mean budget."""
    accuracy: Fraction
    """Accuracy."""
    interval: Interval
    """Its interval."""
    drawing_error: float
    """Standard error of the accuracy from the random orders alone."""
    compute: float
    """Mean compute of a problem, in x."""
    compute_interval: Interval
    """Its interval."""
    percentile_95: float
    """95th percentile of compute over problems and orders, in x."""
    solutions: float
    """Mean number of solutions."""
    verifications: float
    """Mean number of verifications, over all solutions."""
    depth: float
    """Mean number of waves, one after the other."""
    same_answer: Fraction
    """Probability that the answer is that of the full budget."""
    same_interval: Interval
    """Its interval."""
    most_solutions: int
    """Solutions of the full budget."""
    most_verifications: int
    """Verifications of each of them."""
    full_accuracy: Fraction
    """Accuracy of the same strategy at its full budget."""
    full_compute: float
    """Compute of it, in x."""
    lead: float
    """Accuracy minus that at the full budget: what stopping costs."""
    lead_interval: Interval
    """Its paired interval."""
    saving_full: float
    """Compute of the full budget over the policy's."""
    saving_full_interval: Interval
    """Its interval."""
    saving_fixed: float | Never
    """Compute of the cheapest fixed plan that is as accurate, over the policy's; ``never`` if no plan is."""
    saving_fixed_interval: tuple[float | Never, float | Never]
    """Its interval."""
    hindsight_saving: float
    """Saving over the full budget of one who knows when to stop with the same answer."""
    hindsight_share: float | None
    """The part of that saving that the rule reaches; above 1 it stops earlier, with other answers. Null if there is
    nothing to save."""
    hindsight_interval: Interval | None
    """Its interval."""
    equal_plan: str
    """The best fixed plan at equal mean compute."""
    gain_equal: float
    """Accuracy minus that plan's, held out."""
    gain_equal_interval: Interval
    """Its paired interval."""
    full_plan: str
    """The best fixed plan at the compute of the rule's full budget."""
    gain_full: float
    """Accuracy minus that plan's, held out."""
    gain_full_interval: Interval
    """Its paired interval."""


class RulePointJson(JsonBlock):
    """A rule at one of a ladder of mean budgets, held out."""

    rule: str
    """Name of the rule."""
    budget: float
    """The mean budget for which its threshold was chosen, in x."""
    threshold: float
    """The threshold chosen on all problems."""
    limit: int
    """The most solutions that were chosen with it."""
    accuracy: Fraction
    """Accuracy."""
    interval: Interval
    """Its interval."""
    compute: float
    """Mean compute, in x."""


class FixedPlanJson(JsonBlock):
    """The most accurate fixed plan within a budget."""

    budget: float
    """Compute per problem, in x."""
    plan: str
    """The plan chosen on all problems."""
    accuracy: Fraction
    """Accuracy of plans chosen on other problems."""
    interval: Interval
    """Its interval."""


class PoliciesJson(CommandJson):
    """``policies … --json``: rules that stop early, compared with each other and with fixed plans."""

    source: str
    """The run."""
    problems: int
    """Number of problems."""
    budget: float | None
    """The mean budget for which thresholds were chosen, in x; null for the same answers."""
    same_answer: float | None
    """The largest share of problems with another answer; null for a mean budget."""
    confidence: float | None
    """Probability that the promise on other answers holds; null for a mean budget."""
    cost_model: str
    """The cost model that counts compute."""
    lam: float | None = Field(alias="lambda")
    """λ, the cost of a verification in solutions; null without verifications, or if it is unknown."""
    width: int
    """Solutions sampled side by side."""
    draws: int
    """Random orders of each problem."""
    rules: list[RuleRowJson]
    """The rules."""
    points: list[RulePointJson]
    """Every rule over a ladder of mean budgets."""
    fixed_plans: list[FixedPlanJson]
    """The best fixed plans over a ladder of budgets."""
    warnings: list[str]
    """Limits of the comparison, in sentences."""


def build_policies_json(found: PolicyComparison) -> PoliciesJson:
    """Return a comparison of policies as JSON."""
    low, high = found.fixed_intervals
    plans = zip(
        found.frontier.budgets, found.frontier.plans, found.frontier.accuracy.mean(axis=0), low, high, strict=True
    )
    return PoliciesJson(
        source=found.name,
        problems=found.problems,
        budget=found.goal.budget,
        same_answer=found.goal.same_answer,
        confidence=None if found.goal.same_answer is None else found.goal.confidence,
        cost_model=found.cost_model,
        lam=found.lam,
        width=found.width,
        draws=found.draws,
        rules=[build_rule_row(row) for row in found.rows],
        points=[build_rule_point(point) for point in found.points],
        fixed_plans=[
            FixedPlanJson(budget=budget, plan=plan, accuracy=accuracy, interval=(bottom, top))
            for budget, plan, accuracy, bottom, top in plans
        ],
        warnings=list(found.warnings),
    )


def build_rule_row(row: PolicyRow) -> RuleRowJson:
    """Return a rule as JSON."""
    low, high = map(name_infinity, row.saving_fixed_interval)
    return RuleRowJson(
        **vars(row)
        | {
            "saving_fixed": name_infinity(row.saving_fixed),
            "saving_fixed_interval": (low, high),
        }
    )


def build_rule_point(point: PolicyPoint) -> RulePointJson:
    """Return a point as JSON."""
    return RulePointJson(**vars(point))
