"""The plan for a budget: the recommended strategy, its expected accuracy, the alternatives and the warnings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isocompute.planner.budget import Budget
from isocompute.planner.compare import ExpectedAccuracies, compare_strategies
from isocompute.planner.extrapolate import ExtrapolatedAccuracy, extrapolate_voting
from isocompute.planner.findings import Findings, derive_findings
from isocompute.planner.plan_warnings import collect_plan_warnings
from isocompute.planner.profile import COUNTING_WAYS, Profile, check_lambda
from isocompute.planner.strategy_option import ConfidenceInterval, StrategyOption

if TYPE_CHECKING:
    from isocompute.planner.costs.report import PlanCosts
    from isocompute.planner.policies.plan_policies import PolicyOption

TOY_FOLDER = "data/lab/"
"""The folder of the toy lab's models."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The result of ``isocompute plan --budget``.

    Args:
        budget: compute per problem, in x (one solution's generation).
        plateau_multiple: the budget divided by SC's plateau compute; None if the plateau is unknown.
        recommendation: the strategy and allocation to run.
        expected_accuracy: expected accuracy of the recommendation on new problems.
        interval: 95 % interval of the expected accuracy; None without per-problem values.
        alternatives: each other strategy at its best allocation within the same budget.
        coverage: share of problems that at least one of `coverage_solutions` solutions solves, an upper bound for every
            selection among them; None if it was not measured.
        coverage_solutions: the largest measured number of solutions that the budget pays for; None likewise.
        extrapolated_voting: SC with all the solutions that the budget pays for; None within the measured range.
        lam: the λ used; None without verifications, or if it is unknown.
        counting: the way of counting tokens by which scorers and searches are priced.
        odds_exponent: κ of the fused vote; None without it.
        unknown_sizes: roles whose model is assumed to be as large as the solver, see `Profile.unknown_sizes`.
        findings: plateau, crossovers and laws.
        warnings: limits of the plan, in sentences.
        profile_name: name of the profile.
        toy_note: a sentence if the numbers are those of the toy lab; None otherwise.
        costs: what the plan costs in every unit, and where it flips; None of a plan by `make_plan` alone.
        policies: the rules that stop early whose mean compute is within the budget, the most accurate first; empty
            where they were not measured, or where compute is not what limits the plan.
    """

    budget: float
    plateau_multiple: float | None
    recommendation: StrategyOption
    expected_accuracy: float
    interval: ConfidenceInterval | None
    alternatives: list[StrategyOption]
    coverage: float | None
    coverage_solutions: int | None
    extrapolated_voting: ExtrapolatedAccuracy | None
    lam: float | None
    counting: str
    odds_exponent: float | None
    unknown_sizes: list[str]
    findings: Findings
    warnings: list[str]
    profile_name: str
    toy_note: str | None = None
    costs: PlanCosts | None = None
    policies: tuple[PolicyOption, ...] = ()


def make_plan(
    profile: Profile,
    budget: Budget,
    lam: float | None = None,
    expected: ExpectedAccuracies | None = None,
    first: str | None = None,
    is_limit: bool = True,
) -> Plan:
    """Recommend a strategy and its allocation within a budget of compute.

    Args:
        profile: the measurements.
        budget: compute per problem, in x.
        lam: λ to use instead of the profile's.
        expected: the expected accuracies, if they are known already, see `compare_budgets`.
        first: the strategy to recommend instead, likewise.
        is_limit: whether compute is what limits the plan, so that a budget beyond the measured costs is warned of.

    Raises:
        BudgetError: the budget does not pay for one solution.
        DataError: λ is not positive.
    """
    lam = profile.lam if lam is None else check_lambda(lam)
    findings = derive_findings(profile, lam)
    x = budget.to_solutions(findings.plateau)
    compared = compare_strategies(profile, x, lam, expected, first)
    coverage, coverage_solutions = get_affordable_coverage(profile, x)
    voting = next((option for option in compared.options if option.strategy == "sc"), None)
    more = None if voting is None else extrapolate_voting(profile, x, voting.measured_accuracy, voting.accuracy)
    return Plan(
        budget=x,
        plateau_multiple=None if findings.plateau is None else x / findings.plateau,
        recommendation=compared.options[0],
        expected_accuracy=compared.expected_accuracy,
        interval=compared.interval,
        alternatives=compared.options[1:],
        coverage=coverage,
        coverage_solutions=coverage_solutions,
        extrapolated_voting=more,
        lam=lam,
        counting=profile.counting,
        odds_exponent=profile.odds_exponent,
        unknown_sizes=profile.unknown_sizes if profile.counting in COUNTING_WAYS else [],
        findings=findings,
        warnings=collect_plan_warnings(profile, x, lam, compared, more is not None, is_limit),
        profile_name=profile.name,
        toy_note=describe_toy_models(profile),
    )


def describe_toy_models(*profiles: Profile) -> str | None:
    """Return a sentence if models are those of the toy lab, whose numbers say little of other models; else None."""
    toys = [each for each in profiles if any(TOY_FOLDER in (model.name or "") for model in each.models.values())]
    if not toys:
        return None
    names = " and ".join(f"'{each.name}'" for each in toys)
    what = f"profile {names} is" if len(toys) == 1 else f"profiles {names} are"
    return (
        f"The {what} of a toy lab, tiny models on made-up sums, and not of your model: fit your own run with "
        "isocompute fit RUN -o mine.json, and plan with --profile mine.json."
    )


def get_affordable_coverage(profile: Profile, x: float) -> tuple[float | None, int | None]:
    """Return coverage at the largest measured number of solutions that the budget pays for, and that number.

    Both are None if coverage was not measured or no measured number is affordable.
    """
    curve = profile.coverage
    affordable = [] if curve is None else [i for i, S in enumerate(curve.solutions) if x >= S]  # a solution costs 1x
    if curve is None or not affordable:
        return None, None
    return float(curve.array[:, affordable[-1]].mean()), curve.solutions[affordable[-1]]
