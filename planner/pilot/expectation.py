"""The regret to expect of a pilot: pilots of simulated tasks are advised from, and the advice is scored on the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isocompute.fits.arrays import Floats
from isocompute.fits.choice.options import AllocationOptions
from isocompute.fits.choice.posterior import update_prior
from isocompute.fits.choice.prepared_prior import PreparedPrior, prepare_prior
from isocompute.fits.choice.recommendation import choose_recommendations
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.evaluation.regret import find_best_accuracies
from isocompute.planner.pilot.tasks import TaskModel
from isocompute.planner.prior import read_accuracy_prior

PILOT_SEED = 1611
_NORMAL_95 = 1.959964


@dataclass(frozen=True, eq=False)
class ExpectedRegret:
    """The regret over simulated tasks.

    Args:
        regret: (n,) of each task, the mean over the budgets of the advice, 0 … 1.
    """

    regret: Floats

    @property
    def mean(self) -> float:
        """The regret to expect."""
        return float(self.regret.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean, from the number of simulated tasks."""
        reach = _NORMAL_95 * float(self.regret.std(ddof=1)) / len(self.regret) ** 0.5
        return self.mean - reach, self.mean + reach

    @property
    def high(self) -> float:
        """The regret that one task in ten exceeds."""
        return float(np.quantile(self.regret, 0.9))


def simulate_regret(
    model: TaskModel, shape: PilotShape, budgets: Sequence[float], tasks: int, seed: int = PILOT_SEED
) -> ExpectedRegret:
    """Simulate the regret of the advice that pilots of a shape give, each on a task of its own.

    A pilot is a normal draw of its problems' accuracies, with the noise of its solutions and verdicts. Its advice is
    limited to what it measured; the best allocation in hindsight is not.

    Args:
        model: the tasks.
        shape: the shape of the pilots, with at least 2 problems.
        budgets: in x; each pays for a solution.
        tasks: number of tasks; the first ones are the same for every shape.
        seed: seed of the tasks.
    """
    kept, tables, prior, factors = _prepare_pilots(model, replace(shape, problems=1))
    ends = np.cumsum([len(table.grid.knots) for table in tables])[:-1]
    all_ends = np.cumsum([len(table.grid.knots) for table in model.tables])[:-1]
    found = []
    for number in range(tasks):
        rng = np.random.default_rng((seed, number))
        truth = model.draw_task(rng)
        best = find_best_accuracies(model.tables, np.split(truth, all_ends), budgets)
        values = truth[kept] + rng.standard_normal((shape.problems, factors.shape[1])) @ factors.T
        measured = [
            replace(table, accuracy=part) for table, part in zip(tables, np.split(values, ends, axis=1), strict=True)
        ]
        expected = update_prior(prior, measured).compute_expected_accuracies()
        parts = np.split(truth[kept], ends)
        scores = []
        for advice in choose_recommendations(measured, expected, budgets):
            assert advice is not None, "each budget pays for a solution"
            at = advice.best
            scores.append(parts[at.table] @ measured[at.table].grid.weights[:, at.allocation])
        found.append(float(np.mean(best - np.array(scores))))
    return ExpectedRegret(np.array(found))


@lru_cache(maxsize=256)
def _prepare_pilots(
    model: TaskModel, samples: PilotShape
) -> tuple[NDArray[np.bool_], list[AllocationOptions], PreparedPrior, Floats]:
    """Return the measured knots, their tables, the prior there, and the factor of a problem's covariance."""
    kept = np.concatenate(model.select_knots(samples))
    tables = model.build_pilot_tables(samples)
    return kept, tables, prepare_prior(tables, read_accuracy_prior()), model.compute_problem_factors(samples)[kept]
