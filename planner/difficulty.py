"""What should be run on easy problems, and what on hard ones? From a run to a choice for each level of difficulty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.fits import (
    ComputeOptimal,
    Difficulty,
    Options,
    Pool,
    agreement,
    compute_optimal,
    given,
    mean_verdict,
    oracle,
    pass_rate,
    quantile_levels,
    resampling_weights,
    stacked,
)
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import RunPool, read_pool
from isocompute.planner.estimate.profile_from_run import allocations, build_profile, estimate
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import pool_options, rho_of, strategy_options
from isocompute.planner.strategies.registry import STRATEGIES, Strategy
from isocompute.runners.storage.run import Run

KINDS = ("oracle", "estimate", "agreement", "score", "level")
SAMPLES = 4
REPLICATES = 1000
SEED = 2408
FEW = 10
"""Below this many problems in a level its choice is mostly luck."""


@dataclass(frozen=True, eq=False)
class Study:
    """Choosing by difficulty, and how difficulty was told.

    Args:
        name: the run or profile.
        kind: one of `KINDS`.
        told_by: the same in words.
        in_practice: whether it can be told of a problem whose right answer is not known.
        problems: how many.
        found: what to run on each level within each budget, and what that reaches.
    """

    name: str
    kind: str
    told_by: str
    in_practice: bool
    problems: int
    found: ComputeOptimal

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before believing it."""
        said = []
        if not self.in_practice:
            said.append(
                f"{self.told_by} takes the right answers: it cannot be had of a new problem, only bounds others."
            )
        broke = [f"{x:,.0f}x" for x in self.found.budgets[np.isnan(self.found.gain)]]
        if broke:
            said.append(
                f"Telling the level costs {self.found.charge:,.3g}x: with {', '.join(broke)} nothing can be run "
                "after it."
            )
        levels = [level.level for level in self.found.levels]
        none = [str(level) for level in range(1, levels[-1]) if level not in levels]
        if none and self.kind != "level":
            said.append(f"No problem is in level {', '.join(none)}: too many look equally hard to be told apart.")
        few = [str(level.level) for level in self.found.levels if level.share * self.problems < FEW]
        if few:
            said.append(f"Fewer than {FEW} problems in level {', '.join(few)}: what is chosen there is mostly luck.")
        return said


def studies_of(profile: Profile, run: RunPool | None) -> list[Study]:
    """Return the studies of the figure: by agreement where there are solutions to look at, and by the oracle.

    Args:
        profile: what was measured.
        run: the pool that it was estimated from; None if there is only the profile.
    """
    if not profile.per_problem or profile.problems < 2:
        return []
    bound = study_profile(profile, "oracle")
    if run is None or min(run.pool.solutions, run.pool.verified or run.pool.solutions) <= SAMPLES:
        return [bound]
    return [study_pool(run, profile, "agreement", name=profile.name), bound]


def study_run(path: str, kind: str, samples: int = SAMPLES) -> Study:
    """Choose by difficulty from a run, among the strategies and searches that a profile of it holds.

    Args:
        path: its folder.
        kind: one of `KINDS`.
        samples: solutions of each problem that an estimate looks at.

    Raises:
        RunError, DataError: the run is missing, incomplete or damaged, or does not hold what the kind needs.
    """
    run = Run(path)
    found = read_pool(run)
    return study_pool(found, build_profile(run, found, measure_costs(found), path), kind, samples)


def study_pool(run: RunPool, profile: Profile, kind: str, samples: int = SAMPLES, name: str | None = None) -> Study:
    """Choose by difficulty from a pool and the profile that was estimated from it.

    Args:
        run: the pool.
        profile: of it.
        kind: one of `KINDS`.
        samples: solutions of each problem that an estimate looks at.
        name: what the study is called; the run's path if not given.

    Raises:
        DataError: the pool does not hold what the kind needs.
    """
    whole = strategy_options(profile, profile.lam)
    told = tell(kind, run, profile, samples)
    own = whole if told.pools == (run.pool,) else reduced_options(told.pools, run.voted, profile, whole)
    return study(name or run.path, kind, samples, told.in_practice, own, told.levels, whole, told.charge)


def study_profile(profile: Profile, kind: str) -> Study:
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
    whole = strategy_options(profile, profile.lam)
    levels = quantile_levels(profile.self_consistency.array[:, 0])
    return study(profile.name, kind, 0, False, whole, levels[None], whole, 0.0)


def study(
    name: str,
    kind: str,
    samples: int,
    in_practice: bool,
    options: list[Options],
    levels: NDArray[np.int64],
    whole: list[Options],
    charge: float,
) -> Study:
    """Choose at every power of two that was measured."""
    most = max(table.dearest for table in whole)
    budgets = [2.0**power for power in range(math.floor(math.log2(most)) + 1)]
    P = levels.shape[1]
    if P < 2:
        raise DataError(f"'{name}' has one problem; levels of difficulty need at least 2.")
    weights = resampling_weights(P, REPLICATES, SEED)
    found = compute_optimal(options, levels, whole, budgets, weights, charge)
    return Study(name, kind, words(kind, samples), in_practice, P, found)


def words(kind: str, samples: int) -> str:
    """Say how difficulty is told."""
    return {
        "oracle": "pass@1 over the whole pool",
        "estimate": f"pass@1 over {samples} solutions that nothing else uses",
        "agreement": f"agreement among {samples} solutions that nothing else uses",
        "score": f"the mean verdict on {samples} solutions that nothing else uses",
        "level": "the level that the dataset gives",
    }[kind]


def tell(kind: str, run: RunPool, profile: Profile, samples: int) -> Difficulty:
    """Return the problems in levels, and what is left of the pool."""
    if kind == "oracle":
        return oracle(run.pool)
    if kind == "level":
        return given(dataset_levels(run, profile), run.pool)
    if kind == "score":
        if profile.lam is None:
            raise DataError(f"Difficulty by score needs verdicts, and the run at '{run.path}' has none.")
        return mean_verdict(run.pool, samples, profile.lam)
    return {"estimate": pass_rate, "agreement": agreement}[kind](run.pool, samples)


def dataset_levels(run: RunPool, profile: Profile) -> NDArray[np.int64]:
    """Return each problem's level.

    Raises:
        DataError: a problem has none.
    """
    levels = [record.level for record in profile.per_problem]
    if None in levels:
        first = run.problem_ids[levels.index(None)]
        raise DataError(f"The problem '{first}' of the run at '{run.path}' has no level; choose another --bins.")
    return np.array(levels, dtype=np.int64)


def reduced_options(pools: tuple[Pool, ...], voted: bool, profile: Profile, whole: Sequence[Options]) -> list[Options]:
    """Return the options of each strategy over what is left of a pool, R times over, see `stacked`.

    Searches use none of the pool's solutions, so theirs stay as they are. A strategy for which nothing is left is
    left out.

    Args:
        pools: R pools of the same problems and sizes.
        voted: whether answers are known.
        profile: what the whole pool reaches, and the costs.
        whole: its options.
    """
    found = []
    fewest = min(pools, key=lambda pool: pool.scored)  # of the scores some pools may have lost more than others
    for options in whole:
        if options.strategy not in STRATEGIES:
            found.append(stacked([options] * len(pools)))
            continue
        strategy = STRATEGIES[options.strategy]
        if not (strategy.name == "sc" or strategy.can_use(fewest, voted)):
            continue
        S, V = allocations(strategy, fewest, voted)
        tables: list[Options] = []
        for i, pool in enumerate(pools):
            if i and same_inputs(strategy, pool, pools[0]):  # often only solutions without verdicts were taken
                tables.append(tables[0])
                continue
            reached = estimate(strategy, pool, S, V)
            table = pool_options(strategy, reached.accuracy, S, V, profile.lam, rho_of(profile), reached.error or 0.0)
            assert table is not None, "the whole pool's cost is known"
            tables.append(table)
        found.append(stacked(tables))
    return found


def same_inputs(strategy: Strategy, pool: Pool, other: Pool) -> bool:
    """Whether two pools are the same as far as a strategy looks at them."""
    if strategy.needs == "solutions":
        return np.array_equal(pool.answers, other.answers)
    verified = strategy.needs == "verifications"
    names = ("verdicts", "judged") if verified else ("scores", "finished")
    for mine, theirs in ((getattr(pool, name), getattr(other, name)) for name in names):
        if mine is None or theirs is None or not np.array_equal(mine, theirs, equal_nan=True):
            return False
    K = other.verified if verified else other.scored
    return np.array_equal(pool.answers[:, :K], other.answers[:, :K])
