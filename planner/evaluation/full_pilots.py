"""Pilots that keep all solutions and verifications of their problems, drawn from a profile alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.planner.evaluation.measured_pool import EVALUATION_SEED
from isocompute.planner.evaluation.measured_tables import MeasuredTables
from isocompute.planner.evaluation.pilots import FEWEST_PROBLEMS
from isocompute.planner.evaluation.regret import (
    SplitRegret,
    choose_advised_allocations,
    measure_regret,
    split_problems,
)
from isocompute.planner.profile import Profile
from isocompute.planner.profile.subset import select_problems
from isocompute.planner.strategies.options import list_strategy_options

SMALLEST_PILOT, LARGEST_SHARE = 5, 0.6
"""Problems of the smallest pilot, and the share of the problems that a pilot takes at most; the rest scores it."""


@dataclass(frozen=True, eq=False)
class FullPilots:
    """The regret of the advice by the number of problems of a pilot, and that of rules that need no pilot.

    Args:
        budgets: (nC,) in x.
        advice: problems of a pilot → (splits, nC) accuracy below the best allocation in hindsight.
        rules: rule without a pilot → the same.
        scored: number of problems that score the advice, at most; fewer where a cluster is split.
    """

    budgets: tuple[float, ...]
    advice: Mapping[int, Floats]
    rules: Mapping[str, Floats]
    scored: int


def measure_profile(profile: Profile) -> MeasuredTables:
    """Return the options of a profile's strategies, with the problems in order of their ids, as in an evaluation.

    Raises:
        DataError: it holds means only, has fewer than four problems, or one allocation of known cost.
    """
    if profile.independent_problems < FEWEST_PROBLEMS:
        raise DataError(
            f"An evaluation takes at least {FEWEST_PROBLEMS} independent problems; the profile '{profile.name}' has "
            f"{profile.independent_problems}."
        )
    ids = [record.id or "" for record in profile.per_problem]
    ordered = select_problems(profile, np.argsort(np.array(ids), kind="stable").tolist())
    tables = tuple(list_strategy_options(ordered, ordered.lam))
    if sum(len(table.grid.cost) for table in tables) < 2:
        raise DataError(f"The profile '{profile.name}' has one allocation of known cost, so that there is no advice.")
    groups = (None if labels is None else np.array(labels) for labels in (ordered.strata, ordered.clusters))
    return MeasuredTables(tables, ordered.lam, *groups)


def evaluate_full_pilots(measured: MeasuredTables, splits: int, seed: int = EVALUATION_SEED) -> FullPilots:
    """Evaluate the advice of pilots of several numbers of problems, each problem with all that was measured of it.

    In each split the largest pilot is drawn as in `evaluate_pool`, and smaller ones are parts of it. All are scored on
    the same other problems: the best allocation in hindsight is better on fewer problems, so that regrets on different
    numbers of problems cannot be compared.

    Args:
        measured: the options of each strategy, see `measure_profile`.
        splits: how many pilots of each size to draw.
        seed: seed of the splits; each split has its own.

    Raises:
        DataError: there are too few clusters of problems to draw pilots.
    """
    sizes = list_pilot_sizes(measured)
    if not sizes:
        raise DataError("A pilot of these problems takes at least two clusters, and a third one scores it.")
    rows = [_evaluate_split(measured, sizes, np.random.default_rng((seed, split))) for split in range(splits)]
    advice = {size: np.stack([row[str(size)] for row in rows]) for size in sizes}
    rules = {name: np.stack([row[name] for row in rows]) for name in measured.fixed_rules}
    return FullPilots(measured.budgets, advice, rules, measured.problems - sizes[-1])


def list_pilot_sizes(measured: MeasuredTables) -> list[int]:
    """List the sizes of pilots: 5, 10, 20 … problems, and three fifths of all, as far as clusters can be split so.

    A pilot has more problems than the largest cluster, and leaves out at least as many, so that it has two clusters and
    another one scores it.
    """
    largest = 1 if measured.clusters is None else int(np.bincount(measured.clusters).max())
    most = min(round(LARGEST_SHARE * measured.problems), measured.problems - largest)
    doubled = [SMALLEST_PILOT * 2**power for power in range(20)]
    return [size for size in sorted({*doubled, most}) if largest < size <= most]


def _evaluate_split(measured: MeasuredTables, sizes: Sequence[int], rng: np.random.Generator) -> SplitRegret:
    """Draw nested pilots, and score the advice of each, named by its size, and the fixed rules on other problems."""
    problems, others = split_problems(measured, sizes[-1], rng)
    clusters = problems if measured.clusters is None else measured.clusters[problems]
    nested = problems[np.argsort(rng.permutation(clusters.max() + 1)[clusters], kind="stable")]
    chosen = dict(measured.fixed_rules)
    for size in sizes:
        pilot = np.sort(nested[:size])
        tables = [replace(table, accuracy=table.accuracy[pilot]) for table in measured.tables]
        strata, labels = (None if each is None else each[pilot] for each in (measured.strata, measured.clusters))
        advised = choose_advised_allocations(tables, measured.budgets, strata, labels, measured.prepared_prior)
        chosen[str(size)] = list(map(measured.weigh, advised))
    return measure_regret(measured, others, chosen)
