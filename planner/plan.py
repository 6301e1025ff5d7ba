"""The plan for a budget: the recommended strategy, its expected accuracy, the alternatives and the warnings."""

from __future__ import annotations

from dataclasses import dataclass

from isocompute.planner.budget import Budget
from isocompute.planner.compare import ConfidenceInterval, StrategyOption, compare_strategies
from isocompute.planner.extrapolate import ExtrapolatedAccuracy, extrapolate_voting
from isocompute.planner.findings import Findings, derive_findings
from isocompute.planner.plan_warnings import collect_plan_warnings
from isocompute.planner.profile import Profile, check_lambda


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


def make_plan(profile: Profile, budget: Budget, lam: float | None = None) -> Plan:
    """Recommend a strategy and its allocation within a budget.

    Args:
        profile: the measurements.
        budget: compute per problem.
        lam: λ to use instead of the profile's.

    Raises:
        BudgetError: the budget does not pay for one solution.
        DataError: λ is not positive.
    """
    lam = profile.lam if lam is None else check_lambda(lam)
    findings = derive_findings(profile, lam)
    x = budget.to_solutions(findings.plateau)
    compared = compare_strategies(profile, x, lam)
    coverage, coverage_solutions = get_affordable_coverage(profile, x)
    voting = next(option for option in compared.options if option.strategy == "sc")
    more = extrapolate_voting(profile, x, voting.measured_accuracy, voting.accuracy)
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
        unknown_sizes=profile.unknown_sizes,
        findings=findings,
        warnings=collect_plan_warnings(profile, x, lam, compared, more is not None),
        profile_name=profile.name,
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
