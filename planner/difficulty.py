"""What should be run on easy problems, and what on hard ones? From a run to a choice for each level of difficulty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

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
    genrm,
    genrm_vote,
    given,
    mean_verdict,
    oracle,
    pass_rate,
    quantile_levels,
    resampling_weights,
    self_consistency,
    stacked,
    verified_options,
    voting_options,
)
from isocompute.planner.estimate.pool_from_run import Measured, measured
from isocompute.planner.estimate.profile_from_run import ladder
from isocompute.planner.profile import Profile, bundled
from isocompute.planner.strategies.options import strategies
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS

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


def drawn(source: str, profile: Profile) -> list[Study]:
    """Return the studies of the figure: by agreement where there are solutions to look at, and by the oracle."""
    if not profile.per_problem or profile.problems < 2:
        return []
    bound = study_profile(profile, "oracle")
    is_run = not source.endswith(".json") and source not in bundled()
    enough = profile.self_consistency.solutions[-1] > SAMPLES and (
        profile.genrm is None or profile.genrm.solutions[-1] > SAMPLES
    )
    return [study_run(source, "agreement"), bound] if is_run and enough else [bound]


def study_run(path: str, kind: str, samples: int = SAMPLES) -> Study:
    """Choose by difficulty from a run.

    Args:
        path: its folder.
        kind: one of `KINDS`.
        samples: solutions of each problem that an estimate looks at.

    Raises:
        RunError, DataError: the run is missing, incomplete or damaged, or does not hold what the kind needs.
    """
    run = measured(Run(path))
    lam = run.lam
    whole = pool_options((run.pool,), lam)
    told = tell(kind, run, path, lam, samples)
    own = whole if told.pools == (run.pool,) else pool_options(told.pools, lam)
    return study(path, kind, samples, told.in_practice, own, told.levels, whole, told.charge)


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
    whole = strategies(profile, profile.lam)
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


def tell(kind: str, run: Measured, path: str, lam: float | None, samples: int) -> Difficulty:
    """Return the problems in levels, and what is left of the pool."""
    if kind == "oracle":
        return oracle(run.pool)
    if kind == "level":
        return given(dataset_levels(run, path), run.pool)
    if kind == "score":
        if lam is None:
            raise DataError(f"Difficulty by score needs verdicts, and the run at '{path}' has none.")
        return mean_verdict(run.pool, samples, lam)
    return {"estimate": pass_rate, "agreement": agreement}[kind](run.pool, samples)


def dataset_levels(run: Measured, path: str) -> NDArray[Any]:
    """Return each problem's level.

    Raises:
        DataError: a problem has none.
    """
    frame = Run(path).frame(PROBLEMS, ["problem_id", "level"]).set_index("problem_id")
    levels = frame["level"].loc[run.problem_ids]
    if levels.isna().any():
        first = levels.index[levels.isna()][0]
        raise DataError(f"The problem '{first}' of the run at '{path}' has no level; choose another --bins.")
    return levels.to_numpy(np.int64)


def pool_options(pools: tuple[Pool, ...], lam: float | None) -> list[Options]:
    """Return the options of each strategy over pools of the same problems and sizes, see `stacked`."""
    first = pools[0]
    S = sorted({*range(1, min(first.solutions, 16) + 1), *ladder(first.solutions)})
    found = [stacked([voting_options(self_consistency(pool, S), S) for pool in pools])]
    if first.verdicts is not None and lam is not None:
        at, V = ladder(first.verified), ladder(first.verifications)
        for strategy, estimate in {"genrm": genrm, "genrm+vote": genrm_vote}.items():
            surfaces: list[NDArray[np.float64]] = []
            for pool in pools:  # often only solutions without verdicts were taken, and nothing has changed
                surfaces.append(surfaces[0] if surfaces and same_verified(pool, first) else estimate(pool, at, V))
            found.append(stacked([verified_options(surface, at, V, lam, strategy) for surface in surfaces]))
    return found


def same_verified(pool: Pool, other: Pool) -> bool:
    """Whether two pools have the same verified solutions."""
    if pool.verdicts is None or other.verdicts is None:
        return pool.verdicts is other.verdicts
    K = other.verified
    answers = np.array_equal(pool.answers[:, :K], other.answers[:, :K])
    return answers and np.array_equal(pool.verdicts, other.verdicts, equal_nan=True)
