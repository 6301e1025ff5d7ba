"""Estimation of a run's profile: the accuracy of every strategy at each of its allocations.

This is the third pass of a fit. `pool_from_run` reads the comparable rows as arrays, `costs` measures what they cost,
and this module turns both into a profile.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import Pool, estimate_coverage, estimate_coverage_of_counts, measure_verifier
from isocompute.fits.estimators.fused import clear_verdict_votes
from isocompute.fits.policies.value_fit import MOST_VERIFICATIONS
from isocompute.planner.estimate.caps import measure_caps
from isocompute.planner.estimate.costs import RunCosts, get_run_models, measure_costs
from isocompute.planner.estimate.drawing import describe_blurred_strategies, estimate_strategy
from isocompute.planner.estimate.missing_rows import describe_missing_rows, measure_missing_rows
from isocompute.planner.estimate.models import collect_sampling, collect_settings, describe_model
from isocompute.planner.estimate.policies import add_policies
from isocompute.planner.estimate.pool_from_run import RunPool, read_pool
from isocompute.planner.estimate.records import describe_problems
from isocompute.planner.estimate.searches import measure_searches
from isocompute.planner.estimate.settled import estimate_settled_part
from isocompute.planner.estimate.size_ladder import build_size_ladder
from isocompute.planner.estimate.timings import measure_timings
from isocompute.planner.extrapolate import extrapolate_pool
from isocompute.planner.profile import (
    ACCURACY_DIGITS,
    Curve,
    Profile,
    Searches,
    Surface,
    VerifierRates,
    round_accuracies,
)
from isocompute.planner.strategies.registry import STRATEGIES, Strategy, StrategyEstimate
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.parsing.printable import format_count
from isocompute.runners.storage.provenance import ImportedRun, read_grader_title
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.unequal import MOST_NAMED


def estimate_run_profile(
    path: str, name: str, parameters: Sequence[float] = (), read: float = 1.0, problems_with: int | None = None
) -> Profile:
    """Estimate a run's profile: exactly where possible, else by Monte Carlo draws with their error.

    Args:
        path: the run's folder.
        name: name of the profile.
        parameters: sizes of models that are not known otherwise, see `planner.estimate.costs.collect_run_sizes`.
        read: weight of a token that is read, relative to a decoded one.
        problems_with: leave out problems with fewer solutions and keep all others; if not given, see `read_pool`.

    Raises:
        RunError, DataError, EngineError: the run or a checkpoint is missing, incomplete or damaged.
    """
    run = Run(path)
    pool = read_pool(run, problems_with, is_tallied=True)
    return add_policies(build_profile(run, pool, measure_costs(pool, parameters, read), name), pool)


def build_profile(run: Run, run_pool: RunPool, costs: RunCosts, name: str) -> Profile:
    """Build the profile of a pool, with every strategy and search that can be estimated from it, without policies.

    Args:
        run: the run, from which the problem records are read.
        run_pool: its pool.
        costs: the costs of its rows.
        name: name of the profile.
    """
    pool = run_pool.pool
    # Coverage grows smoothly with S, so it is recorded at the powers of two only.
    doublings = [n for n in build_size_ladder(pool.solutions) if n & (n - 1) == 0 or n == pool.solutions]
    strategies: dict[str, Curve | Surface | Searches] = {}
    blurred: list[str] = []
    for strategy in STRATEGIES.values():
        # Every profile has self-consistency: without answers to vote on, at one solution.
        if strategy.name == "sc" or strategy.can_use(pool, run_pool.has_answers):
            strategies[strategy.name], is_blurred = estimate_profile_part(strategy, pool, run_pool.has_answers)
            blurred += [strategy.name] if is_blurred else []
    clear_verdict_votes(pool)
    coverage = estimate_coverage(pool, doublings)
    if is_right_or_wrong_only(run_pool):  # no rule chooses among the solutions, so that all of each problem count
        coverage = estimate_counted_coverage(run_pool, doublings)
        right = estimate_counted_coverage(run_pool, [1])
        strategies["sc"] = Curve(solutions=[1], accuracy=round_accuracies(right))
    for strategy_name, search in measure_searches(run_pool, costs).items():
        strategies[strategy_name] = Searches(
            numbers=search.numbers,
            seeds=search.seeds,
            cost=search.costs,
            tokens=search.tokens,
            accuracy=round_accuracies(search.accuracy),
        )
    self_consistency = strategies["sc"]
    assert isinstance(self_consistency, Curve), "made above"
    missing = measure_missing_rows(run_pool, self_consistency)
    lam = costs.lam if pool.verifications else None
    return Profile(
        name=name,
        description=describe_run_pool(run_pool),
        problems=pool.problems,
        models={
            role: describe_model(model, costs.sizes.parameters.get(role), collect_settings(run_pool.origin, role))
            for role, model in get_run_models(run_pool.origin).items()
        },
        sampling=collect_sampling(run_pool.origin, read_grader_title(run)),
        lam=lam,
        lambda_source=None if lam is None else describe_lambda_source(costs),
        lambdas=costs.known_lambdas if pool.verifications else {},
        rhos=costs.rhos,
        coverage=Curve(solutions=doublings, accuracy=round_accuracies(coverage)),
        verifier=measure_verifier_rates(pool, *run_pool.groups) if pool.verifications else None,
        missing=missing,
        caps=measure_caps(run_pool, build_size_ladder(pool.solutions)),
        strategies=strategies,
        extrapolations=extrapolate_pool(pool) if run_pool.has_answers else {},
        settled=estimate_settled_part(pool) if run_pool.has_answers else None,
        timings=measure_timings(run_pool),
        warnings=[
            *describe_excluded_problems(run_pool),
            *describe_missing_rows(run_pool, missing),
            *run_pool.notes,
            *costs.notes,
            *describe_missing_votes(run_pool),
            *describe_most_verifications(pool),
            *describe_probability_verdicts(pool),
            *describe_blurred_strategies(blurred),
        ],
        per_problem=describe_problems(run, run_pool),
    )


def is_right_or_wrong_only(run: RunPool) -> bool:
    """Return whether nothing is known of solutions but which are right."""
    return not run.has_answers and not run.pool.verifications and run.pool.scores is None


def estimate_counted_coverage(run: RunPool, S: list[int]) -> NDArray[np.float64]:
    """Return coverage (P, nS) by all solutions of each problem, also where a pool uses only the first ones."""
    rows = run.select_rows(run.rows.solutions)
    by_problem = rows.assign(right=rows["correct"].eq(True)).groupby("problem_id")["right"].agg(["size", "sum"])
    counts = by_problem.loc[run.problem_ids]
    return estimate_coverage_of_counts(counts["size"].to_numpy(), counts["sum"].to_numpy(), S)


def estimate_profile_part(strategy: Strategy, pool: Pool, has_answers: bool) -> tuple[Curve | Surface, bool]:
    """Estimate a strategy over the allocations of `list_allocations`, as a part of a profile.

    Returns:
        The part, and whether its drawing error still matters.

    Raises:
        ConfigError: a strategy of another package fails.
    """
    S, V = list_allocations(strategy, pool, has_answers)
    with STRATEGIES.wrap_plugin_errors(strategy.name):
        estimate = estimate_strategy(strategy, pool, S, V)
        check_estimate(estimate, (pool.problems, len(S), *([len(V)] if V else [])))
    fields = {"solutions": S, "error": estimate.error, "parameters": dict(estimate.parameters)}
    accuracy = round_accuracies(estimate.accuracy)
    part = Surface(verifications=V, accuracy=accuracy, **fields) if V else Curve(accuracy=accuracy, **fields)
    return part, estimate.is_blurred


def check_estimate(estimate: StrategyEstimate, shape: tuple[int, ...]) -> None:
    """Check that an estimate has an accuracy for each problem and allocation.

    Raises:
        ValueError: its shape differs, or a value is not in 0 … 1.
    """
    if np.shape(estimate.accuracy) != shape:
        raise ValueError(f"its accuracies have the shape {np.shape(estimate.accuracy)}; they must have {shape}")
    rounded_off = np.round(estimate.accuracy, ACCURACY_DIGITS)
    if not ((rounded_off >= 0) & (rounded_off <= 1)).all():
        raise ValueError("its accuracies must lie in 0 … 1")


def list_allocations(strategy: Strategy, pool: Pool, has_answers: bool = True) -> tuple[list[int], list[int]]:
    """Return the S and the V at which a strategy is estimated; V is empty if it needs no verifications.

    Without known answers (``has_answers`` False), votes cannot be counted, and self-consistency is known at S = 1 only.
    """
    if strategy.needs == "verifications":
        most = min(pool.verifications, MOST_VERIFICATIONS)
        return build_size_ladder(pool.verified_solutions), build_size_ladder(most)
    if strategy.needs == "scores":
        return build_size_ladder(pool.scored_solutions), []
    # Every S up to 16, and from there the ladder.
    sizes = sorted({*range(1, min(pool.solutions, 16) + 1), *build_size_ladder(pool.solutions)})
    return (sizes if has_answers else [1]), []


def describe_lambda_source(costs: RunCosts) -> str:
    """Return in words the token counts and sizes from which λ was computed."""
    relative = costs.sizes.get_relative_size("verifier")
    text = f"completion tokens: {costs.verification_tokens:.1f} a verification, {costs.solution_tokens:.1f} a solution"
    return text + (f"; a verifier of {relative:.3g} times the parameters" if relative != 1 else "")


def measure_verifier_rates(pool: Pool, strata: list[int] | None, clusters: list[int] | None) -> VerifierRates:
    """Return the verifier's rates with their intervals, rounded; None where they cannot be measured."""
    rates = measure_verifier(pool, strata, clusters)
    return VerifierRates.model_validate(
        {
            name: value if name == "unparsed" else [None if np.isnan(x) else round(x, ACCURACY_DIGITS) for x in value]
            for name, value in vars(rates).items()
        }
    )


def describe_most_verifications(pool: Pool) -> list[str]:
    """Return a sentence if solutions have more verifications than are estimated."""
    if pool.verifications <= MOST_VERIFICATIONS:
        return []
    return [
        f"A solution has up to {pool.verifications:,} verifications; estimates end at V = {MOST_VERIFICATIONS}, drawn "
        "from all of them."
    ]


def describe_probability_verdicts(pool: Pool) -> list[str]:
    """Return a sentence if some verdicts are probabilities, which exact estimates treat as yes or no."""
    if not pool.has_probabilities:
        return []
    codes = np.asarray(pool.verdict_codes)
    is_probability, parsed = (codes > 0) & (codes < 1), (codes >= 0).sum()
    return [
        f"{is_probability.sum():,} of {parsed:,} verdicts are probabilities; each counts as yes above 1/2, and as no "
        "otherwise, in genrm and genrm+vote."
    ]


def describe_missing_votes(run: RunPool) -> list[str]:
    """Return a sentence if votes cannot be counted."""
    if run.missing_votes is None:
        return []
    rows = run.select_rows(run.rows.solutions)
    is_cut = is_right_or_wrong_only(run) and len(rows) > run.pool.problems * run.pool.solutions
    return [run.missing_votes, *(["SC and coverage count all solutions of each problem."] if is_cut else [])]


def describe_run_pool(run: RunPool) -> str:
    """Return a one-line description of the measurement."""
    pool, models = run.pool, get_run_models(run.origin)
    solver = models.get("solver", "an unnamed model")
    problems, solutions = format_count(pool.problems, "problem"), format_count(pool.solutions, "solution")
    text = f"{solver} on {problems} of {run.origin.task_name}, {solutions} each"
    if pool.verifications:
        verifier = models.get("verifier", "an unnamed model")
        text += f"; {verifier} verifying {pool.verified_solutions} of them {pool.verifications} times"
    if pool.scores is not None:
        scorer = models.get("scorer", models.get("verifier", "an unnamed model"))
        text += f"; {scorer} scoring {pool.scored_solutions} of them"
    if names := list_search_names(run):
        text += f"; searches: {', '.join(names)}"
    if isinstance(run.origin, ImportedRun):
        return f"{text}; imported from {run.origin.format}"
    return text + ("" if run.origin.source_run is None else f"; its solutions are those of {run.origin.source_run.run}")


def describe_excluded_problems(run: RunPool) -> list[str]:
    """Return a sentence on the problems that are left out of the pool."""
    if not run.excluded_problems:
        return []
    count, total = len(run.excluded_problems), len(run.excluded_problems) + run.pool.problems
    named = [f"'{name}' has {what}" for name, what in list(run.excluded_problems.items())[:MOST_NAMED]]
    more = f", and {count - MOST_NAMED:,} more" if count > MOST_NAMED else ""
    verb = "is" if count == 1 else "are"
    return [f"{count:,} of {total:,} problems {verb} left out, with too few rows: {', '.join(named)}{more}."]


def list_search_names(run: RunPool) -> list[str]:
    """Return the names of a sweep's searches, each with its rule of selection."""
    if not isinstance(run.origin, Sweep):
        return []
    return list(dict.fromkeys(f"{search.strategy}+{search.select}" for search in run.origin.searches))
