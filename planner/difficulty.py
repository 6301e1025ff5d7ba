"""What should be run on easy problems, and what on hard ones? From a run to a choice for each level of difficulty."""

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
from isocompute.planner.estimate.pool_from_run import RunPool, read_pool
from isocompute.planner.estimate.profile_from_run import build_profile, estimate_strategy, list_allocations
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import build_pool_options, get_rho, list_strategy_options
from isocompute.planner.strategies.registry import STRATEGIES, Strategy
from isocompute.runners.storage.run import Run

DIFFICULTY_KINDS = ("oracle", "estimate", "agreement", "score", "level")
DIFFICULTY_SAMPLES = 4
STUDY_REPLICATES = 1000
STUDY_SEED = 2408
MIN_LEVEL_PROBLEMS = 10
"""Below this many problems in a level its choice is mostly luck."""


@dataclass(frozen=True, eq=False)
class DifficultyStudy:
    """Choosing by difficulty, and how difficulty was told.

    Args:
        name: the run or profile.
        kind: one of `DIFFICULTY_KINDS`.
        told_by: the same in words.
        in_practice: whether it can be told of a problem whose right answer is not known.
        problems: how many.
        found: what to run on each level within each budget, and what that reaches.
    """

    name: str
    kind: str
    kind_description: str
    in_practice: bool
    problems: int
    policy: ComputeOptimalPolicy

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before believing it."""
        said = []
        if not self.in_practice:
            said.append(
                f"{self.kind_description} takes the right answers: it cannot be had of a new problem, only bounds "
                "others."
            )
        broke = [f"{x:,.0f}x" for x in self.policy.budgets[np.isnan(self.policy.gain)]]
        if broke:
            said.append(
                f"Telling the level costs {self.policy.charge:,.3g}x: with {', '.join(broke)} nothing can be run "
                "after it."
            )
        levels = [level.level for level in self.policy.levels]
        none = [str(level) for level in range(1, levels[-1]) if level not in levels]
        if none and self.kind != "level":
            said.append(f"No problem is in level {', '.join(none)}: too many look equally hard to be told apart.")
        few = [
            str(level.level) for level in self.policy.levels if level.problem_share * self.problems < MIN_LEVEL_PROBLEMS
        ]
        if few:
            said.append(
                f"Fewer than {MIN_LEVEL_PROBLEMS} problems in level {', '.join(few)}: what is chosen there is mostly "
                "luck."
            )
        return said


def build_figure_studies(profile: Profile, run: RunPool | None) -> list[DifficultyStudy]:
    """Return the studies of the figure: by agreement where there are solutions to look at, and by the oracle.

    Args:
        profile: what was measured.
        run: the pool that it was estimated from; None if there is only the profile.
    """
    if not profile.per_problem or profile.problems < 2:
        return []
    bound = build_profile_study(profile, "oracle")
    if run is None or min(run.pool.solutions, run.pool.verified_solutions or run.pool.solutions) <= DIFFICULTY_SAMPLES:
        return [bound]
    return [build_pool_study(run, profile, "agreement", name=profile.name), bound]


def build_run_study(path: str, kind: str, samples: int = DIFFICULTY_SAMPLES) -> DifficultyStudy:
    """Choose by difficulty from a run, among the strategies and searches that a profile of it holds.

    Args:
        path: its folder.
        kind: one of `DIFFICULTY_KINDS`.
        samples: solutions of each problem that an estimate looks at.

    Raises:
        RunError, DataError: the run is missing, incomplete or damaged, or does not hold what the kind needs.
    """
    run = Run(path)
    found = read_pool(run)
    return build_pool_study(found, build_profile(run, found, measure_costs(found), path), kind, samples)


def build_pool_study(
    run: RunPool, profile: Profile, kind: str, samples: int = DIFFICULTY_SAMPLES, name: str | None = None
) -> DifficultyStudy:
    """Choose by difficulty from a pool and the profile that was estimated from it.

    Args:
        run: the pool.
        profile: of it.
        kind: one of `DIFFICULTY_KINDS`.
        samples: solutions of each problem that an estimate looks at.
        name: what the study is called; the run's path if not given.

    Raises:
        DataError: the pool does not hold what the kind needs.
    """
    whole = list_strategy_options(profile, profile.lam)
    told = assign_levels(kind, run, profile, samples)
    own = whole if told.pools == (run.pool,) else build_reduced_options(told.pools, run.has_answers, profile, whole)
    return build_study(name or run.path, kind, samples, told.in_practice, own, told.levels, whole, told.charge)


def build_profile_study(profile: Profile, kind: str) -> DifficultyStudy:
    """Choose by oracle difficulty from a profile, which holds accuracies and no single solutions.

    Raises:
        DataError: another kind, or a profile of means.
    """
    if kind != "oracle":
        raise DataError(
            f"Difficulty by {kind} needs single solutions, and a profile holds none: give the run's folder, or "
            "--bins oracle."
        )
    if not profile.per_problem or profile.problems < 2:
        raise DataError(
            f"The profile '{profile.name}' holds means over problems only: it has no problems to tell apart."
        )
    whole = list_strategy_options(profile, profile.lam)
    levels = assign_quantile_levels(profile.self_consistency.array[:, 0])
    return build_study(profile.name, kind, 0, False, whole, levels[None], whole, 0.0)


def build_study(
    name: str,
    kind: str,
    samples: int,
    in_practice: bool,
    options: list[AllocationOptions],
    levels: NDArray[np.int64],
    whole: list[AllocationOptions],
    charge: float,
) -> DifficultyStudy:
    """Choose at every power of two that was measured."""
    most = max(table.highest_cost for table in whole)
    budgets = [2.0**power for power in range(math.floor(math.log2(most)) + 1)]
    P = levels.shape[1]
    if P < 2:
        raise DataError(f"'{name}' has one problem; levels of difficulty need at least 2.")
    weights = draw_bootstrap_weights(P, STUDY_REPLICATES, STUDY_SEED)
    found = choose_compute_optimal(options, levels, whole, budgets, weights, charge)
    return DifficultyStudy(name, kind, describe_difficulty_kind(kind, samples), in_practice, P, found)


def describe_difficulty_kind(kind: str, samples: int) -> str:
    """Say how difficulty is told."""
    return {
        "oracle": "pass@1 over the whole pool",
        "estimate": f"pass@1 over {samples} solutions that nothing else uses",
        "agreement": f"agreement among {samples} solutions that nothing else uses",
        "score": f"the mean verdict on {samples} solutions that nothing else uses",
        "level": "the level that the dataset gives",
    }[kind]


def assign_levels(kind: str, run: RunPool, profile: Profile, samples: int) -> DifficultyLevels:
    """Return the problems in levels, and what is left of the pool."""
    if kind == "oracle":
        return assign_oracle_levels(run.pool)
    if kind == "level":
        return assign_given_levels(get_dataset_levels(run, profile), run.pool)
    if kind == "score":
        if profile.lam is None:
            raise DataError(f"Difficulty by score needs verdicts, and the run at '{run.path}' has none.")
        return assign_verdict_levels(run.pool, samples, profile.lam)
    return {"estimate": assign_pass_rate_levels, "agreement": assign_agreement_levels}[kind](run.pool, samples)


def get_dataset_levels(run: RunPool, profile: Profile) -> NDArray[np.int64]:
    """Return each problem's level.

    Raises:
        DataError: a problem has none.
    """
    levels = [record.level for record in profile.per_problem]
    if None in levels:
        first = run.problem_ids[levels.index(None)]
        raise DataError(f"The problem '{first}' of the run at '{run.path}' has no level; choose another --bins.")
    return np.array(levels, dtype=np.int64)


def build_reduced_options(
    pools: tuple[Pool, ...], voted: bool, profile: Profile, whole: Sequence[AllocationOptions]
) -> list[AllocationOptions]:
    """Return the options of each strategy over what is left of a pool, R times over, see `stack_options`.

    Searches use none of the pool's solutions, so theirs stay as they are. A strategy for which nothing is left is
    left out.

    Args:
        pools: R pools of the same problems and sizes.
        voted: whether answers are known.
        profile: what the whole pool reaches, and the costs.
        whole: its options.
    """
    found = []
    fewest = min(
        pools, key=lambda pool: pool.scored_solutions
    )  # of the scores some pools may have lost more than others
    for options in whole:
        if options.strategy not in STRATEGIES:
            found.append(stack_options([options] * len(pools)))
            continue
        strategy = STRATEGIES[options.strategy]
        if not (strategy.name == "sc" or strategy.can_use(fewest, voted)):
            continue
        S, V = list_allocations(strategy, fewest, voted)
        tables: list[AllocationOptions] = []
        for i, pool in enumerate(pools):
            if i and has_same_inputs(strategy, pool, pools[0]):  # often only solutions without verdicts were taken
                tables.append(tables[0])
                continue
            reached = estimate_strategy(strategy, pool, S, V)
            table = build_pool_options(
                strategy, reached.accuracy, S, V, profile.lam, get_rho(profile), reached.error or 0.0
            )
            assert table is not None, "the whole pool's cost is known"
            tables.append(table)
        found.append(stack_options(tables))
    return found


def has_same_inputs(strategy: Strategy, pool: Pool, other: Pool) -> bool:
    """Whether two pools are the same as far as a strategy looks at them."""
    if strategy.needs == "solutions":
        return np.array_equal(pool.answers, other.answers)
    verified = strategy.needs == "verifications"
    names = ("verdicts", "judged") if verified else ("scores", "finished")
    for mine, theirs in ((getattr(pool, name), getattr(other, name)) for name in names):
        if mine is None or theirs is None or not np.array_equal(mine, theirs, equal_nan=True):
            return False
    K = other.verified_solutions if verified else other.scored_solutions
    return np.array_equal(pool.answers[:, :K], other.answers[:, :K])
