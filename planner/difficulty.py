"""Studies of difficulty: the best strategy for each level, chosen from a run or a profile."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.fits import (
    AllocationOptions,
    DifficultyLevels,
    assign_agreement_levels,
    assign_given_levels,
    assign_oracle_levels,
    assign_pass_rate_levels,
    assign_quantile_levels,
    assign_verdict_levels,
    choose_compute_optimal,
    draw_bootstrap_weights,
)
from isocompute.planner.difficulty_study import DifficultyStudy
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.policies import add_policies
from isocompute.planner.estimate.pool_from_run import RunPool, read_pool
from isocompute.planner.estimate.profile_from_run import build_profile
from isocompute.planner.plan_choice import score_plan_choice
from isocompute.planner.policies.level_policies import measure_level_policies
from isocompute.planner.profile import UNKNOWN_LAMBDA_WARNING, Profile, apply_costs, find_bundled_profiles, read_profile
from isocompute.planner.reuse import build_reusing_options
from isocompute.planner.strategies.options import describe_unplaced_strategies, list_strategy_options
from isocompute.runners.storage.files import describe_place
from isocompute.runners.storage.run import Run

DIFFICULTY_SAMPLES = 4
STUDY_REPLICATES = 1000
STUDY_SEED = 2408


def build_figure_studies(profile: Profile, run: RunPool | None) -> list[DifficultyStudy]:
    """Return a study of each kind of difficulty that the data supports, those without the right answers first.

    Args:
        profile: the measurements.
        run: the pool that the profile was estimated from; None if there is only the profile, which supports the oracle.

    Returns:
        An empty list for a profile of means or of one problem.
    """
    if profile.independent_problems < 2:
        return []
    kinds = [] if run is None else list_estimated_kinds(run, profile)
    studies = [build_pool_study(run, profile, kind, name=profile.name) for kind in kinds if run is not None]
    return [*studies, build_profile_study(profile, "oracle")]


def list_estimated_kinds(run: RunPool, profile: Profile) -> list[str]:
    """Return the kinds of difficulty that a pool supports beside the oracle, those without the right answers first."""
    pool = run.pool
    used = min(pool.solutions, pool.verified_solutions or pool.solutions, pool.scored_solutions or pool.solutions)
    has_samples = used >= DIFFICULTY_SAMPLES
    supported = {
        "agreement": has_samples and run.has_answers,
        "score": has_samples and pool.verifications > 0 and profile.lam is not None,
        "level": None not in run.levels,
        "estimate": has_samples,
    }
    return [kind for kind, is_supported in supported.items() if is_supported]


def build_source_study(
    source: str,
    kind: str,
    samples: int = DIFFICULTY_SAMPLES,
    lam: float | str | None = None,
    rho: float | None = None,
) -> DifficultyStudy:
    """Choose by difficulty from a run, or from a profile.

    Args:
        source: a run's folder; or a profile's file, which ends in ``.json``, or the name of a bundled one.
        kind: one of `DIFFICULTY_KINDS`.
        samples: the number of solutions per problem that an estimate looks at.
        lam: λ as a number, or a way of counting tokens.
        rho: ρ, the cost of scoring a solution in solutions.

    Raises:
        RunError, DataError: the source is missing or damaged, or does not hold what the kind needs.
    """
    if source.endswith(".json") or source in find_bundled_profiles():
        return build_profile_study(apply_costs(read_profile(source), lam, rho), kind)
    return build_run_study(source, kind, samples, lam, rho)


def build_run_study(
    path: str,
    kind: str,
    samples: int = DIFFICULTY_SAMPLES,
    lam: float | str | None = None,
    rho: float | None = None,
) -> DifficultyStudy:
    """Study a run: choose by difficulty among the strategies and searches of its profile.

    Args:
        path: the run's folder.
        kind: one of `DIFFICULTY_KINDS`.
        samples: solutions per problem from which difficulty is estimated.
        lam: λ as a number, or a way of counting tokens.
        rho: ρ, the cost of scoring a solution in solutions.

    Raises:
        RunError, DataError: the run is missing, incomplete or damaged, or lacks the data that the kind needs.
    """
    run = Run(path)
    pool = read_pool(run)
    profile = apply_costs(add_policies(build_profile(run, pool, measure_costs(pool), path), pool), lam, rho)
    return build_pool_study(pool, profile, kind, samples)


def build_pool_study(
    run: RunPool, profile: Profile, kind: str, samples: int = DIFFICULTY_SAMPLES, name: str | None = None
) -> DifficultyStudy:
    """Study a pool: choose by difficulty among the strategies of the profile that was estimated from it.

    Args:
        run: the pool.
        profile: its profile.
        kind: one of `DIFFICULTY_KINDS`.
        samples: solutions per problem from which difficulty is estimated.
        name: name of the study; the run's path if not given.

    Raises:
        DataError: the pool lacks the data that the kind needs.
    """
    options = list_strategy_options(profile, profile.lam, between=True)
    assigned = assign_levels(kind, run, profile, samples)
    reusing = build_reusing_options(assigned, run.pool, profile, options) if assigned.samples else options
    return build_study(
        name or run.path,
        kind,
        assigned,
        reusing,
        options,
        profile,
    )


def build_profile_study(profile: Profile, kind: str) -> DifficultyStudy:
    """Study a profile: choose by oracle difficulty, as a profile holds accuracies and no single solutions.

    Raises:
        DataError: the kind is not ``oracle``, or the profile holds means only or one problem.
    """
    if kind != "oracle":
        raise DataError(
            f"Difficulty by {kind} needs single solutions, which a profile does not hold; give the run's "
            "folder, or use --bins oracle (bins= in Python)."
        )
    if not profile.per_problem or profile.problems < 2:
        raise DataError(
            f"The profile '{profile.name}' holds only means over problems, so problems cannot be sorted by difficulty."
        )
    options = list_strategy_options(profile, profile.lam, between=True)
    levels = assign_quantile_levels(profile.self_consistency.array[:, 0])
    seen = np.zeros((1, profile.problems, 0), dtype=np.int64)
    assigned = DifficultyLevels(levels[None], 0.0, in_practice=False, seen=seen)
    return build_study(
        profile.name,
        kind,
        assigned,
        options,
        options,
        profile,
    )


def describe_unknown_costs(profile: Profile) -> tuple[str, ...]:
    """Return sentences on measured strategies that no budget includes, because their cost is unknown."""
    verified = (UNKNOWN_LAMBDA_WARNING,) if profile.has_unknown_lambda else ()
    return (*verified, *describe_unplaced_strategies(profile))


def build_study(
    name: str,
    kind: str,
    assigned: DifficultyLevels,
    options: list[AllocationOptions],
    pool_options: list[AllocationOptions],
    profile: Profile,
) -> DifficultyStudy:
    """Choose the best option of each level at every power of two up to the highest measured cost, beside policies.

    Args:
        name: name of the study.
        kind: one of `DIFFICULTY_KINDS`.
        assigned: the levels of R draws.
        options: of each strategy, over R·P rows, with the cost of finding the level in their costs.
        pool_options: options of each strategy over the whole pool, P rows, for the one choice for all.
        profile: the measurements, from which clusters, strata and policies are taken.

    Raises:
        DataError: there is only one problem, or one cluster.
    """
    most = max(table.highest_cost for table in pool_options)
    budgets = [2.0**power for power in range(math.floor(math.log2(most)) + 1)]
    P = assigned.levels.shape[1]
    groups = None if profile.clusters is None else np.array(profile.clusters)
    strata = None if profile.strata is None else np.array(profile.strata)
    if P < 2 or (groups is not None and len(np.unique(groups)) < 2):
        only = "problem" if P < 2 else "cluster of problems"
        raise DataError(f"'{name}' has one {only}; levels of difficulty need at least 2.")
    weights = draw_bootstrap_weights(P, STUDY_REPLICATES, STUDY_SEED, clusters=groups)
    single = score_plan_choice(pool_options, budgets, groups, strata)
    policy = choose_compute_optimal(options, assigned.levels, single, budgets, weights, clusters=groups)
    return DifficultyStudy(
        name,
        kind,
        describe_difficulty_kind(kind, assigned.samples),
        assigned.in_practice,
        P,
        policy,
        assigned.charge,
        assigned.samples,
        describe_unknown_costs(profile),
        tuple(measure_level_policies(profile, assigned.levels, budgets, weights)),
    )


def describe_difficulty_kind(kind: str, samples: int) -> str:
    """Return in words how a kind measures difficulty."""
    return {
        "oracle": "pass@1 over the whole pool",
        "estimate": f"pass@1 over the first {samples} solutions",
        "agreement": f"agreement among the first {samples} solutions",
        "score": f"the mean of one verdict on each of the first {samples} solutions",
        "level": "the level that the dataset gives",
    }[kind]


def assign_levels(kind: str, run: RunPool, profile: Profile, samples: int) -> DifficultyLevels:
    """Assign the problems to levels.

    Raises:
        DataError: the pool lacks the data that the kind needs.
    """
    if kind == "oracle":
        return assign_oracle_levels(run.pool)
    if kind == "agreement" and not run.has_answers:
        raise DataError(f"Difficulty by agreement cannot be found in '{run.path}'. {run.missing_votes}")
    if kind == "level":
        return assign_given_levels(get_dataset_levels(run, profile), run.pool)
    if kind == "score":
        if not run.pool.verifications:
            raise DataError(f"Difficulty by score needs verdicts, and the run {describe_place(run.path)} has none.")
        if profile.lam is None:
            raise DataError(
                f"Difficulty by score needs λ, the cost of a verdict; the run {describe_place(run.path)} does not give "
                "it, because some rows lack token counts. Set it with --lambda (lam= in Python)."
            )
        return assign_verdict_levels(run.pool, samples, profile.lam)
    return {"estimate": assign_pass_rate_levels, "agreement": assign_agreement_levels}[kind](run.pool, samples)


def get_dataset_levels(run: RunPool, profile: Profile) -> NDArray[np.int64]:
    """Return the level that the dataset gives each problem.

    Raises:
        DataError: a problem has no level.
    """
    levels = [record.level for record in profile.per_problem]
    if None in levels:
        first = run.problem_ids[levels.index(None)]
        raise DataError(
            f"The problem '{first}' of the run {describe_place(run.path)} has no level; choose another --bins "
            "(bins= in Python)."
        )
    return np.array(levels, dtype=np.int64)
