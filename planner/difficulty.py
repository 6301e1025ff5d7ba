"""Studies of difficulty: the best strategy for each level, chosen from a run or a profile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.fits import (
    AllocationOptions,
    ComputeOptimalPolicy,
    DifficultyLevels,
    Pool,
    assign_agreement_levels,
    assign_given_levels,
    assign_oracle_levels,
    assign_pass_rate_levels,
    assign_quantile_levels,
    assign_verdict_levels,
    choose_compute_optimal,
    draw_bootstrap_weights,
    stack_options,
)
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.drawing import estimate_strategy
from isocompute.planner.estimate.pool_from_run import RunPool, read_pool
from isocompute.planner.estimate.profile_from_run import build_profile, list_allocations
from isocompute.planner.profile import UNKNOWN_LAMBDA_WARNING, Profile, apply_costs, find_bundled_profiles, read_profile
from isocompute.planner.strategies.options import (
    build_pool_options,
    describe_unplaced_strategies,
    get_rho,
    list_strategy_options,
)
from isocompute.planner.strategies.registry import STRATEGIES, Strategy
from isocompute.runners.storage.run import Run

DIFFICULTY_KINDS = ("oracle", "estimate", "agreement", "score", "level")
DIFFICULTY_SAMPLES = 4
STUDY_REPLICATES = 1000
STUDY_SEED = 2408
MIN_LEVEL_PROBLEMS = 10
"""With fewer problems in a level, the choice for the level is mostly luck."""


@dataclass(frozen=True, eq=False)
class DifficultyStudy:
    """The result of choosing by difficulty.

    Args:
        name: name of the run or profile.
        kind: how difficulty is measured, one of `DIFFICULTY_KINDS`.
        kind_description: the kind in words.
        in_practice: whether the level can be found without the gold answer.
        problems: number of problems.
        policy: the choice for each level within each budget, and its accuracy.
        notes: limits of the options, in sentences.
    """

    name: str
    kind: str
    kind_description: str
    in_practice: bool
    problems: int
    policy: ComputeOptimalPolicy
    notes: tuple[str, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """The limits of the study, in sentences."""
        sentences = list(self.notes)
        if not self.in_practice:
            sentences.append(
                f"Difficulty by {self.kind_description} needs the right answers, so it cannot be used on new "
                "problems. It shows the gain if the level were known; by chance another kind can come out above it."
            )
        unaffordable = [f"{x:,.0f}x" for x in self.policy.budgets[np.isnan(self.policy.gain)]]
        if unaffordable:
            sentences.append(
                f"Estimating the level costs {self.policy.charge:,.3g}x, so a budget of {', '.join(unaffordable)} "
                "leaves nothing for the strategy."
            )
        levels = [level.level for level in self.policy.levels]
        empty_levels = [str(level) for level in range(1, levels[-1]) if level not in levels]
        if empty_levels and self.kind != "level":
            sentences.append(
                f"No problem is in level {', '.join(empty_levels)}: too many problems have the same estimated "
                "difficulty."
            )
        small_levels = [
            str(level.level) for level in self.policy.levels if level.problem_share * self.problems < MIN_LEVEL_PROBLEMS
        ]
        if small_levels:
            sentences.append(
                f"Level {', '.join(small_levels)} has fewer than {MIN_LEVEL_PROBLEMS} problems, so the choice there "
                "is mostly luck."
            )
        return sentences


def build_figure_studies(profile: Profile, run: RunPool | None) -> list[DifficultyStudy]:
    """Return the studies that the figure shows: by agreement if the pool has enough solutions, and by the oracle.

    Args:
        profile: the measurements.
        run: the pool that the profile was estimated from; None if there is only the profile.

    Returns:
        An empty list for a profile of means or of one problem.
    """
    if not profile.per_problem or profile.problems < 2:
        return []
    bound = build_profile_study(profile, "oracle")
    if run is None or not run.has_answers:
        return [bound]
    if min(run.pool.solutions, run.pool.verified_solutions or run.pool.solutions) <= DIFFICULTY_SAMPLES:
        return [bound]
    return [build_pool_study(run, profile, "agreement", name=profile.name), bound]


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
    profile = apply_costs(build_profile(run, pool, measure_costs(pool), path), lam, rho)
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
    options = list_strategy_options(profile, profile.lam)
    assigned = assign_levels(kind, run, profile, samples)
    reduced_options = (
        options
        if assigned.pools == (run.pool,)
        else build_reduced_options(assigned.pools, run.has_answers, profile, options)
    )
    return build_study(
        name or run.path,
        kind,
        samples,
        assigned.in_practice,
        reduced_options,
        assigned.levels,
        options,
        assigned.charge,
        describe_unknown_costs(profile),
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
    options = list_strategy_options(profile, profile.lam)
    levels = assign_quantile_levels(profile.self_consistency.array[:, 0])
    notes = describe_unknown_costs(profile)
    return build_study(profile.name, kind, 0, False, options, levels[None], options, 0.0, notes)


def describe_unknown_costs(profile: Profile) -> tuple[str, ...]:
    """Return sentences on measured strategies that no budget includes, because their cost is unknown."""
    verified = (UNKNOWN_LAMBDA_WARNING,) if profile.has_unknown_lambda else ()
    return (*verified, *describe_unplaced_strategies(profile))


def build_study(
    name: str,
    kind: str,
    samples: int,
    in_practice: bool,
    options: list[AllocationOptions],
    levels: NDArray[np.int64],
    pool_options: list[AllocationOptions],
    charge: float,
    notes: tuple[str, ...] = (),
) -> DifficultyStudy:
    """Choose the best option of each level at every power of two up to the highest measured cost.

    Args:
        name: name of the study.
        kind: one of `DIFFICULTY_KINDS`.
        samples: solutions per problem from which difficulty is estimated.
        in_practice: whether the level can be found without the gold answer.
        options: of each strategy, over R·P rows, without the solutions that the level was found from.
        levels: (R, P) level of each problem, 1 the easiest.
        pool_options: options of each strategy over the whole pool, P rows, for the one choice for all.
        charge: cost of finding the level, in x.
        notes: limits of the options, in sentences.

    Raises:
        DataError: there is only one problem.
    """
    most = max(table.highest_cost for table in pool_options)
    budgets = [2.0**power for power in range(math.floor(math.log2(most)) + 1)]
    P = levels.shape[1]
    if P < 2:
        raise DataError(f"'{name}' has one problem; levels of difficulty need at least 2.")
    weights = draw_bootstrap_weights(P, STUDY_REPLICATES, STUDY_SEED)
    policy = choose_compute_optimal(options, levels, pool_options, budgets, weights, charge)
    return DifficultyStudy(name, kind, describe_difficulty_kind(kind, samples), in_practice, P, policy, notes)


def describe_difficulty_kind(kind: str, samples: int) -> str:
    """Return in words how a kind measures difficulty."""
    return {
        "oracle": "pass@1 over the whole pool",
        "estimate": f"pass@1 over {samples} solutions that are used for nothing else",
        "agreement": f"agreement among {samples} solutions that are used for nothing else",
        "score": f"the mean verdict on {samples} solutions that are used for nothing else",
        "level": "the level that the dataset gives",
    }[kind]


def assign_levels(kind: str, run: RunPool, profile: Profile, samples: int) -> DifficultyLevels:
    """Assign the problems to levels, and return the pools that remain for the strategies.

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
        if run.pool.verdicts is None:
            raise DataError(f"Difficulty by score needs verdicts, and the run at '{run.path}' has none.")
        if profile.lam is None:
            raise DataError(
                f"Difficulty by score needs λ, the cost of a verdict; the run at '{run.path}' does not give "
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
            f"The problem '{first}' of the run at '{run.path}' has no level; choose another --bins (bins= in Python)."
        )
    return np.array(levels, dtype=np.int64)


def build_reduced_options(
    pools: tuple[Pool, ...], has_answers: bool, profile: Profile, pool_options: Sequence[AllocationOptions]
) -> list[AllocationOptions]:
    """Return the options of each strategy over R reduced pools, see `stack_options`.

    Searches use none of the pool's solutions, so their options stay unchanged. A strategy that the reduced pools
    cannot support is left out.

    Args:
        pools: R pools of the same problems and sizes, without the solutions that the level was found from.
        has_answers: whether answers are known.
        profile: gives λ and ρ.
        pool_options: the options over the whole pool.
    """
    reduced = []
    # The draws may take different numbers of scored solutions.
    fewest = min(pools, key=lambda pool: pool.scored_solutions)
    for options in pool_options:
        if options.strategy not in STRATEGIES:
            reduced.append(stack_options([options] * len(pools)))
            continue
        strategy = STRATEGIES[options.strategy]
        if not (strategy.name == "sc" or strategy.can_use(fewest, has_answers)):
            continue
        S, V = list_allocations(strategy, fewest, has_answers)
        tables: list[AllocationOptions] = []
        for i, pool in enumerate(pools):
            if i and has_same_inputs(strategy, pool, pools[0]):  # common: only solutions without verdicts were taken
                tables.append(tables[0])
                continue
            estimate = estimate_strategy(strategy, pool, S, V)
            table = build_pool_options(
                strategy, estimate.accuracy, S, V, profile.lam, get_rho(profile), estimate.error or 0.0
            )
            assert table is not None, "the whole pool's cost is known"
            tables.append(table)
        reduced.append(stack_options(tables))
    return reduced


def has_same_inputs(strategy: Strategy, pool: Pool, other: Pool) -> bool:
    """Return whether two pools are equal in everything that a strategy reads."""
    if strategy.needs == "solutions":
        return np.array_equal(pool.answers, other.answers)
    verified = strategy.needs == "verifications"
    names = ("verdicts", "judged") if verified else ("scores", "finished")
    for own_values, other_values in ((getattr(pool, name), getattr(other, name)) for name in names):
        if own_values is None or other_values is None or not np.array_equal(own_values, other_values, equal_nan=True):
            return False
    K = other.verified_solutions if verified else other.scored_solutions
    return np.array_equal(pool.answers[:, :K], other.answers[:, :K])
