"""The evaluation of a run: how much the planner's advice loses when it is made from a part of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from isocompute.errors import DataError
from isocompute.planner.difficulty import describe_unknown_costs
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import RunPool, read_pool
from isocompute.planner.estimate.profile_from_run import build_profile
from isocompute.planner.evaluation.measured_pool import MeasuredPool
from isocompute.planner.evaluation.pilots import complete_shape
from isocompute.planner.evaluation.regret import EVALUATION_SPLITS, Evaluation, evaluate_pool
from isocompute.planner.profile import apply_costs
from isocompute.planner.strategies.options import get_rho, list_strategy_options
from isocompute.planner.strategies.registry import STRATEGIES
from isocompute.runners.storage.files import describe_place
from isocompute.runners.storage.run import Run

HINDSIGHT_WARNING = (
    "The best allocation and the best fixed rule are chosen in hindsight, on the problems that score them. Nobody "
    "could have known them, and a planner that knew the task would have some regret too."
)
SCORED_WARNING = (
    "A pilot keeps the scores and the searches of its problems; their cost is not part of the pilot's share."
)


@dataclass(frozen=True, eq=False)
class MeasuredRun:
    """A run, measured once, from which pilots of any shape can be evaluated.

    Args:
        name: the run's path.
        measured: its pool, with the options of each strategy.
        notes: limits of the options, in sentences.
    """

    name: str
    measured: MeasuredPool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RunEvaluation:
    """The evaluation of a run.

    Args:
        run: the run.
        evaluation: the regret of the advice and of rules without a pilot.
    """

    run: MeasuredRun
    evaluation: Evaluation

    @property
    def problems(self) -> int:
        """The number of problems of the run, in the pilot or not."""
        return self.run.measured.pool.problems

    @property
    def warnings(self) -> list[str]:
        """The limits of the evaluation, in sentences."""
        parts = (
            f"All pilots, and the problems that score their advice, are parts of the same {self.problems} problems. "
            "What is unusually good on a pilot is unusually bad on the rest, so that regret is larger than on fresh "
            "problems. The error is that of other splits of these problems, not of other problems."
        )
        tables = self.run.measured.tables
        scored = any(t.strategy not in STRATEGIES or STRATEGIES[t.strategy].needs == "scores" for t in tables)
        return [*self.run.notes, parts, HINDSIGHT_WARNING, *([SCORED_WARNING] if scored else [])]


def evaluate_run(
    path: str,
    given: Mapping[str, int | None],
    splits: int = EVALUATION_SPLITS,
    lam: float | str | None = None,
    rho: float | None = None,
    report: Callable[[int], None] | None = None,
) -> RunEvaluation:
    """Evaluate the advice that pilots of a run give.

    Args:
        path: the run's folder.
        given: numbers of the pilot by name, see `PILOT_NUMBERS`; `choose_default_shape` chooses the others.
        splits: how many pilots to draw.
        lam: λ as a number, or a way of counting tokens.
        rho: ρ, the cost of scoring a solution in solutions.
        report: function that is called with the number of finished splits after each.

    Raises:
        RunError, DataError: the run is missing, incomplete or damaged, or too small for the pilot.
    """
    run = Run(path)
    pool = sort_problems(read_pool(run))
    complete_shape(pool.pool, None, given)  # before the estimates, which take longer
    measured = measure_run(run, pool, lam, rho)
    shape = complete_shape(pool.pool, measured.measured.lam, given)
    return RunEvaluation(measured, evaluate_pool(measured.measured, shape, splits, report=report))


def measure_run(run: Run, pool: RunPool, lam: float | str | None = None, rho: float | None = None) -> MeasuredRun:
    """Measure every strategy and search of a run, as a fit does.

    Args:
        run: the run.
        pool: its pool, see `sort_problems`.
        lam: λ as a number, or a way of counting tokens.
        rho: ρ, the cost of scoring a solution in solutions.

    Raises:
        DataError: there is nothing to choose, or λ or ρ is not a cost.
    """
    profile = apply_costs(build_profile(run, pool, measure_costs(pool), run.path), lam, rho)
    tables = tuple(list_strategy_options(profile, profile.lam))
    if sum(len(table.grid.cost) for table in tables) < 2:
        place = describe_place(run.path)
        sentence = f"The run {place} has one allocation of known cost, so that there is no advice to evaluate."
        raise DataError(" ".join([sentence, *describe_unknown_costs(profile)]))
    groups = (None if labels is None else np.array(labels) for labels in (profile.strata, profile.clusters))
    rho = get_rho(profile)
    measured = MeasuredPool(tables, profile.lam, *groups, pool=pool.pool, rho=rho, has_answers=pool.has_answers)
    return MeasuredRun(run.path, measured, describe_unknown_costs(profile))


def sort_problems(run: RunPool) -> RunPool:
    """Return the pool with its problems in order of their ids, so that splits do not depend on the order of rows."""
    order = np.argsort(np.array(run.problem_ids), kind="stable").tolist()
    ids, levels, clusters = ([column[i] for i in order] for column in (run.problem_ids, run.levels, run.clusters))
    return replace(
        run,
        pool=run.pool.select_problems(order),
        places=run.places[order],
        problem_ids=ids,
        levels=levels,
        clusters=clusters,
    )
