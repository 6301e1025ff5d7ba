"""The shapes of pilots that are tried, and those that are expected to lose least within a cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from isocompute.errors import BudgetError
from isocompute.planner.budget import format_compute
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.pilot.expectation import ExpectedRegret, simulate_regret
from isocompute.planner.pilot.tasks import TaskModel

FEWEST_PILOT_PROBLEMS = 8
"""With fewer, expectations are those of the prior."""
_SCREENING = ((12, 6), (48, 3))  # simulated tasks of each candidate, and how many candidates go on


def rank_shapes(
    model: TaskModel, worth: float, budgets: Sequence[float], most: int
) -> list[tuple[PilotShape, ExpectedRegret]]:
    """Return the shapes with the lowest expected regret within a cost, the best first.

    Candidates are screened on few tasks, and the better ones on more; all see the same tasks.

    Raises:
        BudgetError: the cost does not pay for any pilot.
    """
    shapes = list_shapes(model, worth, most)
    ranked: list[tuple[PilotShape, ExpectedRegret]] = []
    for tasks, kept in _SCREENING:
        found = [(shape, simulate_regret(model, shape, budgets, tasks)) for shape in shapes]
        ranked = sorted(found, key=lambda each: (each[1].mean, each[0].compute_cost(model.lam)))[:kept]
        shapes = [shape for shape, _ in ranked]
    return ranked


def list_shapes(model: TaskModel, worth: float, most: int) -> list[PilotShape]:
    """List the shapes that a cost pays for, each with as many problems as it does.

    Raises:
        BudgetError: it pays for none.
    """
    found = []
    for samples in list_samples(model):
        problems = min(most, int(worth / samples.compute_cost(model.lam)))
        if problems >= FEWEST_PILOT_PROBLEMS:
            found.append(replace(samples, problems=problems))
    if not found:
        least = format_compute(FEWEST_PILOT_PROBLEMS * compute_lowest_cost(model))
        raise BudgetError(
            f"A pilot takes at least {FEWEST_PILOT_PROBLEMS} problems, which cost {least}; the budget is "
            f"{format_compute(worth)}."
        )
    return found


def list_samples(model: TaskModel) -> list[PilotShape]:
    """List the samples of one problem that are tried: powers of two of N, K = N or N/2, and powers of two of M."""
    found = []
    for N in list_powers(model.full.solutions):
        if N < 8 and model.full.solutions >= 8:
            continue
        if not model.has_verifications:
            found.append(PilotShape(1, N))
            continue
        for K in sorted({min(N, model.full.verified), min(max(N // 2, 1), model.full.verified)}):
            found += [PilotShape(1, N, K, M) for M in list_powers(model.full.verifications)]
    return found


def compute_lowest_cost(model: TaskModel) -> float:
    """Return the cost of the cheapest samples of one problem that are tried, in x."""
    return min(samples.compute_cost(model.lam) for samples in list_samples(model))


def list_powers(most: int) -> list[int]:
    """List the powers of two up to a number.

    >>> list_powers(6)
    [1, 2, 4]
    """
    return [2**power for power in range(most.bit_length())]
