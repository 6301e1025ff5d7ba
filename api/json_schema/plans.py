"""The JSON of ``plan`` and ``fit``."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from isocompute.api.json_schema.blocks import CommandJson, Fraction, Interval, JsonBlock
from isocompute.api.json_schema.caps import CapsJson, build_caps
from isocompute.api.json_schema.findings import (
    AlternativeJson,
    CrossoverJson,
    ExpectedJson,
    LawsJson,
    OptionJson,
    PowerJson,
    StrategyLawJson,
    build_crossover,
    build_crossovers,
    build_expected,
    build_laws,
    build_option,
    build_power,
    build_strategy_law,
)
from isocompute.planner.caps import CapComparison
from isocompute.planner.compare import Comparison
from isocompute.planner.findings import Findings
from isocompute.planner.plan import Plan
from isocompute.planner.power import StrategyPower
from isocompute.planner.profile import UNKNOWN_LAMBDA_WARNING, Profile, Searches


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


class CostsJson(JsonBlock):
    """Mean costs for a problem, or of a job, in every unit; null where unknown. Each can be given as a budget."""

    x: float | None = None
    """In solutions' worth under the plan's cost model; null for a job."""
    tokens: float | None = None
    """Completion tokens, and what a scorer reads for the first time; those of other models by size, in the solver's."""
    prompts: float | None = None
    """The same with all prompt tokens."""
    cached: float | None = None
    """The same with the prompt tokens that are not read from a cache."""
    flops: float | None = None
    """2P FLOPs a token, sampled or read uncached."""
    kv: float | None = None
    """FLOPs with attention and reads of the KV cache, at the device's FLOPs per byte; null without a device."""
    dollars: float | None = None
    """At the given prices; null without prices."""
    seconds: float | None = None
    """Expected latency of one answer; null for a job."""
    gpu_hours: float | None = None
    """By the run's measured throughput, or at 40 % of the device's peak, see gpu_hours_source; null without both."""


class RoleTokensJson(JsonBlock):
    """Mean tokens of one role's requests for a problem; null where unknown."""

    prompt: float | None
    """Prompt tokens."""
    cached: float | None
    """Prompt tokens read from the prefix cache."""
    completion: float | None
    """Completion tokens."""


class SpreadJson(JsonBlock):
    """Cost of the recommendation on single problems, in x."""

    mean: float
    """Mean over problems."""
    low: float
    """On the cheapest measured problem."""
    high: float
    """On the dearest one."""
    interval: tuple[float, float] | None
    """95 % interval of the mean; null with too few problems."""


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


class FlipJson(JsonBlock):
    """The nearest price at which the recommended strategy changes."""

    role: str
    """The role whose price changes: verifier or scorer."""
    factor: float
    """The factor on the cost of its request, from which on another strategy is recommended."""
    ratio: float
    """λ or ρ there."""
    strategy: str
    """The strategy that is recommended beyond."""


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


class FrontierJson(JsonBlock):
    """The strategies within one budget."""

    x: float
    """The budget."""
    options: list[AlternativeJson | OptionJson]
    """The strategies, the recommended one first."""
    expected: ExpectedJson


class SearchAllocationJson(JsonBlock):
    """One measured allocation of a search strategy."""

    numbers: dict[str, int]
    """N slots, width M and lookahead k, those that the strategy has."""
    seeds: int
    """Searches of each problem."""
    cost: dict[str, float | None]
    """Cost in x by way of counting tokens; null where unknown."""
    accuracy: Fraction
    """Mean over problems."""


class VerifierJson(JsonBlock):
    """Rates of the verifier: each the value and the ends of its 95 % interval, null where unknown."""

    true_positive: tuple[Fraction | None, Fraction | None, Fraction | None]
    """Share of verdicts on right solutions that are yes."""
    false_positive: tuple[Fraction | None, Fraction | None, Fraction | None]
    """Share of verdicts on wrong solutions that are yes."""
    auroc: tuple[Fraction | None, Fraction | None, Fraction | None]
    """Probability that a right solution of a problem is ranked above a wrong one."""
    unparsed: Fraction
    """Share of verdicts that could not be read."""


class FitJson(CommandJson):
    """``fit … --json``: what was measured, and what follows from it."""

    profile: str | None
    """The file that the profile was written to; null if it was not written."""
    problems: int
    """Number of problems."""
    lam: float | None = Field(alias="lambda")
    """λ, the cost of a verification in solutions, by completion tokens; null without verifications, or if unknown."""
    lambdas: dict[str, float | None]
    """λ by way of counting tokens; null where unknown."""
    odds_exponent: float | None
    """κ, the exponent of the verifier's odds in the fused vote; null without it."""
    trust: float | None
    """The former name of ``odds_exponent``."""
    drawn_error: float | None
    """The largest standard error of an accuracy that is estimated by random draws; null if all are exact."""
    verifier: VerifierJson | None
    """Null without verifications."""
    counting: str
    """The way of counting tokens by which scorers and searches are priced."""
    rhos: dict[str, float | None]
    """ρ, the cost of scoring a solution in solutions, by way of counting tokens; null where unknown."""
    searches: dict[str, list[SearchAllocationJson]]
    """The measured allocations of each search strategy."""
    plateau: float | None
    """Compute at which SC flattens, in x; null if SC was measured at one solution only."""
    plateau_interval: tuple[float, float] | None
    """95 % interval of the plateau; null without per-problem values."""
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
    frontier: list[FrontierJson]
    """The strategies within each power of two."""
    power: PowerJson | None
    """Null if SC was compared with nothing, or without per-problem values."""
    warnings: list[str]
    """Limits of the measurement, in sentences."""


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


def build_cost_fields(plan: Plan) -> dict[str, Any]:
    """Return the fields on the cost model, on prices and on limits."""
    costs = plan.costs
    return {
        "cost_model": plan.counting if costs is None else costs.model,
        "problems": None if costs is None else costs.problems,
        "gpu_hours_source": None if costs is None or costs.hours is None else costs.hours.source,
        "solution_cost": None if costs is None else costs.solution,
        "lambda_interval": None if costs is None else costs.ratio_interval,
        "lambda_changes": [] if costs is None else costs.ratio_changes,
        "flips": [] if costs is None else [FlipJson.convert(flip) for flip in costs.flips],
        "setting_flips": [] if costs is None else costs.setting_flips,
        "latency_limit": None if costs is None else costs.latency_limit,
        "target": None if costs is None else costs.target,
        "target_bound": None if costs is None else costs.target_bound,
        "toy_note": plan.toy_note,
    }


def build_fit_json(
    profile: Profile,
    found: Findings,
    frontier: list[tuple[float, Comparison]],
    power: StrategyPower | None,
    path: str | None,
) -> FitJson:
    """Return what a fit found as JSON; ``path`` is the profile's file."""
    return FitJson(
        profile=path,
        problems=profile.problems,
        lam=profile.lam,
        lambdas=profile.lambdas,
        odds_exponent=profile.odds_exponent,
        trust=profile.odds_exponent,
        drawn_error=profile.largest_drawing_error,
        verifier=None if profile.verifier is None else VerifierJson.convert(profile.verifier),
        counting=profile.counting,
        rhos=profile.rhos,
        searches={name: build_search_allocations(part) for name, part in profile.searches.items()},
        plateau=found.plateau,
        plateau_interval=found.plateau_interval,
        **build_findings_fields(found),
        frontier=[
            FrontierJson(x=x, options=[build_option(option) for option in at.options], expected=build_expected(at))
            for x, at in frontier
        ],
        power=None if power is None else build_power(power),
        warnings=[*profile.warnings, *([UNKNOWN_LAMBDA_WARNING] if profile.has_unknown_lambda else [])],
    )


def build_findings_fields(found: Findings) -> dict[str, Any]:
    """Return the crossovers and the laws, which `PlanJson` and `FitJson` share."""
    genrm = found.genrm_crossover
    return {
        "crossover": None if genrm is None else build_crossover(genrm, found.plateau),
        "crossovers": build_crossovers(found),
        "laws": None if found.laws is None else build_laws(found.laws),
        "published_note": found.published_note,
        "laws_by_strategy": {name: build_strategy_law(laws) for name, laws in found.laws_by_strategy.items()},
    }


def build_search_allocations(part: Searches) -> list[SearchAllocationJson]:
    """Return a search strategy's allocations with their cost and mean accuracy."""
    return [
        SearchAllocationJson(
            numbers={name: numbers[i] for name, numbers in part.numbers.items()},
            seeds=seeds,
            cost={way: cost[i] for way, cost in part.cost.items()},
            accuracy=float(accuracy),
        )
        for i, (seeds, accuracy) in enumerate(zip(part.seeds, part.array.mean(axis=0), strict=True))
    ]
