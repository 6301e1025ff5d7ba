"""The variance of a measured lead, split between problems, solutions and verdicts, and the problems that it takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.power import count_needed_problems
from isocompute.planner.budget import format_compute
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.pilot.tasks import TaskModel

PILOT_POWER = 0.8
"""The probability with which a gap is to be told."""


@dataclass(frozen=True)
class VarianceSplit:
    """The variance over problems of the measured lead of one allocation over another.

    Args:
        allocation: the allocation that leads or falls behind.
        baseline: the allocation that it is compared with.
        variance: variance of the difference of a problem, as a pilot measures it.
        problems: share of it that comes from differences between problems.
        solutions: share that comes from the solutions that were drawn.
        verdicts: share that comes from the verdicts that were drawn.
    """

    allocation: str
    baseline: str
    variance: float
    problems: float
    solutions: float
    verdicts: float


@dataclass(frozen=True, eq=False)
class Contrast:
    """Two allocations to compare: the best of the strategies with verifications, or half of SC's, and SC's best.

    Args:
        allocation: the first in words.
        baseline: the second in words.
        weights: (K,) weights of the model's knots that give the difference of their accuracies.
    """

    allocation: str
    baseline: str
    weights: Floats


def choose_contrast(model: TaskModel, shape: PilotShape, budget: float) -> Contrast | None:
    """Choose the comparison at a budget: the best allocation of another strategy and that of SC.

    Both are the best in expectation of those that a pilot of this shape measures. Where no other strategy is measured
    within the budget, SC at half of the budget takes its place.

    Returns:
        None where both take one solution, which leaves nothing to compare.

    Raises:
        DataError: the budget pays for no measured allocation.
    """
    found = [_find_best(model, index, shape, budget) for index in range(len(model.tables))]
    base, *others = found
    if base is None:
        raise DataError(f"A budget of {format_compute(budget)} pays for nothing that the pilot measures.")
    rivals = [each for each in others if each is not None]
    rival = max(rivals, key=lambda each: each[1]) if rivals else _find_best(model, 0, shape, max(budget / 2, 1.0))
    assert rival is not None, "one solution is measured by every pilot"
    return None if rival[0] == base[0] == 1 else Contrast(rival[2], base[2], rival[3] - base[3])


def _find_best(model: TaskModel, index: int, shape: PilotShape, budget: float) -> tuple[int, float, str, Floats] | None:
    """Return a strategy's best measured allocation within a budget: S, accuracy, name and (K,) weights of the knots."""
    kept = model.select_knots(shape)
    start, table = sum(map(len, kept[:index])), model.tables[index]
    grid = table.grid
    allowed = (grid.weights[~kept[index]] <= 0).all(axis=0) & (grid.cost <= budget * (1 + 1e-12))
    if not allowed.any():
        return None
    block = slice(start, start + len(kept[index]))
    values = np.where(allowed, model.mean[block] @ grid.weights, -np.inf)
    at = int(values.argmax())
    weights = np.zeros(len(model.mean))
    weights[block] = grid.weights[:, at]
    return int(grid.numbers["S"][at]), float(values[at]), f"{table.strategy} {table.label_allocation(at)}", weights


def split_variance(model: TaskModel, shape: PilotShape, contrast: Contrast) -> VarianceSplit:
    """Split the variance of a measured difference between problems, solutions and verdicts.

    Args:
        model: the tasks.
        shape: the samples of each problem; the number of problems does not matter.
        contrast: the two allocations.
    """
    c = contrast.weights
    solutions, verdicts = (float(c @ part @ c) for part in model.noise.compute_covariances(shape))
    measured = float(((c @ model.within) ** 2).sum())
    problems = max(measured - sum(float(c @ part @ c) for part in model.noise.compute_covariances(model.full)), 0.0)
    total = problems + solutions + verdicts
    shares = [part / total if total else 0.0 for part in (problems, solutions, verdicts)]
    return VarianceSplit(contrast.allocation, contrast.baseline, total, *shares)


def count_gap_problems(model: TaskModel, shape: PilotShape, contrast: Contrast, gap: float) -> int | None:
    """Count the problems with which a pilot of this shape tells a gap, with the power `PILOT_POWER`.

    Args:
        model: the tasks.
        shape: the samples of each problem.
        contrast: the two allocations.
        gap: the true difference of their accuracies, above 0.

    Returns:
        None if it takes more than `fits.power.PROBLEM_LIMIT`.
    """
    spread = np.sqrt(split_variance(model, shape, contrast).variance)
    return count_needed_problems(float(gap / spread) if spread else np.inf, PILOT_POWER)
