"""The JSON of ``fit``."""

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
from isocompute.api.json_schema.findings import (
    AlternativeJson,
    CrossoverJson,
    ExpectedJson,
    LawsJson,
    OptionJson,
    PowerJson,
    StrategyLawJson,
    build_expected,
    build_findings_fields,
    build_option,
    build_power,
)
from isocompute.planner.compare import Comparison
from isocompute.planner.findings import Findings
from isocompute.planner.policies.profile_policies import ProfilePolicy
from isocompute.planner.power import StrategyPower
from isocompute.planner.profile import UNKNOWN_LAMBDA_WARNING, Profile, Searches


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


class FitPolicyJson(JsonBlock):
    """A rule that stops early at a mean budget, each problem under thresholds that were chosen on other problems."""

    rule: str
    """Name of the rule."""
    parameter: str
    """Meaning of its threshold."""
    budget: float
    """The mean budget, in x."""
    threshold: float
    """The threshold chosen on all problems."""
    limit: int
    """The most solutions that were chosen with it."""
    most_solutions: int
    """Solutions of the full budget."""
    most_verifications: int
    """The most verifications of each of them."""
    accuracy: Fraction
    """Mean over problems."""
    interval: Interval
    """95 % interval of the accuracy."""
    compute: float
    """Mean compute, in x."""
    compute_interval: Interval
    """95 % interval of the mean compute over problems."""
    percentile_95: float
    """95th percentile of compute over problems and orders, in x."""
    saving_fixed: float | Never
    """Compute of the cheapest fixed plan that is as accurate, over the policy's; ``never`` if no plan is."""
    saving_fixed_interval: tuple[float | Never, float | Never]
    """Its 95 % interval."""


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
    policies: list[FitPolicyJson]
    """Rules that stop early, at a few mean budgets; empty without votes, or without per-problem values."""
    power: PowerJson | None
    """Null if SC was compared with nothing, or without per-problem values."""
    warnings: list[str]
    """Limits of the measurement, in sentences."""


def build_fit_json(
    profile: Profile,
    found: Findings,
    frontier: list[tuple[float, Comparison]],
    policies: list[ProfilePolicy],
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
        policies=[build_fit_policy(policy) for policy in policies],
        power=None if power is None else build_power(power),
        warnings=[*profile.warnings, *([UNKNOWN_LAMBDA_WARNING] if profile.has_unknown_lambda else [])],
    )


def build_fit_policy(policy: ProfilePolicy) -> FitPolicyJson:
    """Return a rule at a mean budget as JSON."""
    low, high = map(name_infinity, policy.saving_fixed_interval)
    saving = {"saving_fixed": name_infinity(policy.saving_fixed), "saving_fixed_interval": (low, high)}
    return FitPolicyJson(**vars(policy) | saving)


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
