"""The JSON of ``plan``."""

from __future__ import annotations

from pydantic import Field

from isocompute.api.json_schema.blocks import CommandJson, Fraction, Interval, JsonBlock
from isocompute.api.json_schema.caps import CapsJson, build_caps
from isocompute.api.json_schema.costs import CostsJson, FlipJson, RoleTokensJson, SpreadJson, build_cost_fields
from isocompute.api.json_schema.findings import (
    AlternativeJson,
    CrossoverJson,
    ExpectedJson,
    LawsJson,
    OptionJson,
    StrategyLawJson,
    build_findings_fields,
    build_option,
)
from isocompute.planner.caps import CapComparison
from isocompute.planner.plan import Plan


class BudgetJson(JsonBlock):
    """A budget per problem."""

    x: float
    """Compute per problem, in x: one x is one solution's generation."""
    plateau_multiple: float | None
    """The budget divided by SC's plateau; null if the plateau is unknown."""
    plateau: float | None
    """Compute at which SC flattens, in x; null if SC was measured at one solution only."""
    plateau_interval: tuple[float, float] | None
    """95 % interval of the plateau; null without per-problem values."""


class CoverageJson(JsonBlock):
    """Share of problems that at least one of the solutions solves: a bound on every selection among them."""

    solutions: int
    """The largest measured number of solutions that the budget pays for."""
    accuracy: Fraction
    """The share."""


class ExtrapolatedJson(JsonBlock):
    """An accuracy beyond the measured number of solutions. No plan recommends on it alone."""

    solutions: int
    """S: all that the budget pays for, at most four times the measured number."""
    accuracy: Fraction
    """Mean over problems."""
    interval: Interval | None
    """95 % interval over problems, widened by the error; null without per-problem values."""
    error: Fraction
    """Error of the method in the mean accuracy, fitted on a part of the solutions and held against all."""
    method: str
    """The model: mixture, plug-in, dirichlet or curve."""
    measured_to: int
    """The largest measured number of solutions."""


class RecommendationJson(OptionJson):
    """The strategy and allocation to run, with its costs."""

    costs: CostsJson
    """For a problem."""
    job_costs: CostsJson | None
    """For all problems of the job; null without a number of problems."""
    tokens_by_role: dict[str, RoleTokensJson]
    """Tokens for a problem by role: solver, verifier, scorer."""
    unknown_costs: dict[str, str]
    """The reason why a cost is null, by its name."""
    spread: SpreadJson | None
    """Null where the tokens of problems are unknown."""


class PlanPolicyJson(JsonBlock):
    """A rule that stops early, at a mean compute within the budget. No probability of being the best is given."""

    rule: str
    """Name of the rule."""
    parameter: str
    """Meaning of its threshold."""
    threshold: float
    """The threshold."""
    limit: int
    """The most solutions that were chosen with it."""
    most_solutions: int
    """Solutions of its full budget."""
    most_verifications: int
    """Verifications of each of them."""
    compute: float
    """Mean compute, in x, each problem under a threshold and a limit chosen on others."""
    compute_interval: Interval
    """Its 95 % interval over problems."""
    percentile_95: float
    """95th percentile of compute over problems and orders, in x."""
    accuracy: Fraction
    """Expected accuracy: that of the recommendation less the gap."""
    gap: float
    """Accuracy of the recommendation minus that of the policy, on the measured problems."""
    gap_interval: Interval
    """Its 95 % interval, paired, with the error of the mean compute."""
    saving: float
    """Compute of the recommendation over that of the policy."""


class PlanJson(CommandJson):
    """``plan --budget … --json``: what to run within a budget, and what to expect of it."""

    budget: BudgetJson
    recommendation: RecommendationJson
    """The strategy and allocation to run."""
    cost_model: str
    """The cost model of the budget: tokens, prompts, cached, flops, kv, dollars or seconds."""
    problems: int | None
    """Number of problems of the job; null if budgets are for one problem."""
    gpu_hours_source: str | None
    """The source of GPU-hours: run, its measured throughput, or device, its peak FLOPs; null if they are unknown."""
    solution_cost: float | None
    """Mean cost of a solution in the unit of the cost model; null if unknown."""
    lambda_interval: tuple[float, float] | None
    """95 % interval of λ over problems; null where it was given or is unknown."""
    lambda_changes: list[tuple[float, str]]
    """The ends of that interval at which another strategy is recommended, each with that strategy."""
    flips: list[FlipJson]
    """The nearest prices of a verification or a score, in both directions, at which the recommendation changes."""
    setting_flips: list[tuple[str, str]]
    """Devices and batches at which another strategy is recommended, each with that strategy."""
    latency_limit: float | None
    """Seconds until an answer that a plan keeps; null without a limit."""
    target: Fraction | None
    """The accuracy to reach; null without one."""
    target_bound: Fraction | None
    """The accuracy that the recommendation reaches with 90 % probability; null without a target."""
    toy_note: str | None
    """A sentence if the numbers are those of the toy lab and not of a model of the user; null otherwise."""
    expected: ExpectedJson
    alternatives: list[AlternativeJson]
    """Each other strategy at its best allocation."""
    policies: list[PlanPolicyJson]
    """Rules that stop early, the most accurate first; empty where they were not measured, or a latency or a target is
    the limit."""
    coverage: CoverageJson | None
    """Null if coverage was not measured."""
    extrapolated: dict[str, ExtrapolatedJson]
    """Accuracy of ``sc`` beyond its measured range; empty within it, or where it is unknown."""
    crossover: CrossoverJson | None
    """GenRM's crossover with SC; null without verifications, or if λ is unknown."""
    crossovers: dict[str, CrossoverJson]
    """The crossover of each strategy with SC. A strategy whose cost or accuracy is unknown is left out."""
    laws: LawsJson | None
    """GenRM's law, in three fits; null without verifications, with an unknown λ, or with fewer than three budgets."""
    laws_by_strategy: dict[str, StrategyLawJson]
    """The law to use of each strategy with verifications; empty with an unknown λ or fewer than three budgets."""
    published_note: str | None
    """The relation of the plateau to a paper's on the same data, in sentences; null if the profile names no paper."""
    lam: float | None = Field(alias="lambda")
    """λ, the cost of a verification in solutions; null without verifications, or if it is unknown."""
    counting: str
    """The way of counting tokens by which scorers and searches are priced, or the cost model if it is another one."""
    odds_exponent: float | None
    """κ, the exponent of the verifier's odds in the fused vote; null without it."""
    trust: float | None
    """The former name of ``odds_exponent``."""
    unknown_sizes: list[str]
    """Roles whose model size is unknown, so that it is assumed to be the solver's."""
    warnings: list[str]
    """Limits of the plan, in sentences."""
    caps: CapsJson | None
    """Limits on the length of solutions; null unless they are asked for."""
    profile: str
    """The profile's name."""


def build_plan_json(plan: Plan, caps: CapComparison | None = None) -> PlanJson:
    """Return a plan as JSON, see `Plan`, with limits on length if they are asked for."""
    found = plan.findings
    more = plan.extrapolated_voting
    coverage = None
    if plan.coverage is not None and plan.coverage_solutions is not None:
        coverage = CoverageJson(solutions=plan.coverage_solutions, accuracy=plan.coverage)
    return PlanJson(
        budget=BudgetJson(
            x=plan.budget,
            plateau_multiple=plan.plateau_multiple,
            plateau=found.plateau,
            plateau_interval=found.plateau_interval,
        ),
        recommendation=build_recommendation(plan),
        **build_cost_fields(plan),
        expected=ExpectedJson(accuracy=plan.expected_accuracy, interval=plan.interval),
        alternatives=[build_option(option) for option in plan.alternatives],
        policies=[PlanPolicyJson.convert(option) for option in plan.policies],
        coverage=coverage,
        extrapolated={} if more is None else {"sc": ExtrapolatedJson.convert(more)},
        **build_findings_fields(found),
        lam=plan.lam,
        counting=plan.counting,
        odds_exponent=plan.odds_exponent,
        trust=plan.odds_exponent,
        unknown_sizes=plan.unknown_sizes,
        warnings=plan.warnings,
        caps=None if caps is None else build_caps(caps),
        profile=plan.profile_name,
    )


def build_recommendation(plan: Plan) -> RecommendationJson:
    """Return the recommendation with its costs."""
    costs = plan.costs
    option = build_option(plan.recommendation)
    return RecommendationJson(
        **{name: getattr(option, name) for name in OptionJson.model_fields},
        costs=CostsJson(x=plan.recommendation.compute) if costs is None else CostsJson(**costs.per_problem),
        job_costs=None if costs is None or costs.job is None else CostsJson(**costs.job),
        tokens_by_role={}
        if costs is None
        else {role: RoleTokensJson(**counts) for role, counts in costs.tokens.items()},
        unknown_costs={} if costs is None else dict(costs.unknown),
        spread=None if costs is None or costs.spread is None else SpreadJson.convert(costs.spread),
    )
