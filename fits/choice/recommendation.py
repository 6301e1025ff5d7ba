"""The rule that recommends: of the strategies whose expected accuracy is near the highest, the cheapest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.options import AllocationOptions
from isocompute.fits.choice.selectors import find_uninformed_tables
from isocompute.fits.choice.ties import TIE_TOLERANCE

EQUIVALENCE_MARGIN = 0.005
"""Half a point: strategies whose expected accuracies differ by less are equivalent, and the cheapest is recommended."""
AS_GOOD = 0.0005
"""A twentieth of a point: a strategy that gains less for more compute is as good as a cheaper one."""
SIMPLEST = "sc"
"""The strategy that needs no verifier and no scorer."""


@dataclass(frozen=True)
class ChosenAllocation:
    """A strategy's allocation within a budget.

    Args:
        table: index of the strategy's table.
        allocation: index of the allocation in it.
        accuracy: its expected accuracy.
        cost: its cost, in x.
    """

    table: int
    allocation: int
    accuracy: float
    cost: float


@dataclass(frozen=True)
class Recommendation:
    """A recommended strategy within a budget, beside the others.

    Args:
        best: the recommended strategy at its allocation.
        rows: each affordable strategy at its allocation, in the order of the tables.
        uninformed: the tables of the strategies that were not considered, because their selector was not shown to tell
            right from wrong.
    """

    best: ChosenAllocation
    rows: tuple[ChosenAllocation, ...]
    uninformed: frozenset[int] = frozenset()


def choose_recommendations(
    tables: Sequence[AllocationOptions],
    expected: Sequence[Floats],
    budgets: Sequence[float],
    margin: float = EQUIVALENCE_MARGIN,
    uninformed: Collection[int] | None = None,
) -> list[Recommendation | None]:
    """Recommend a strategy and its allocation within each of some budgets.

    A strategy takes the affordable allocation with the highest expected accuracy; ties go to the cheapest. A size that
    was not run is taken only if it is better, by more than the margin, than every cheaper one that was run. Of the
    strategies within the margin of the highest, the cheapest is recommended, and of several at the same compute SC,
    which needs no second model, or else what was run. A strategy is passed over if another is expected to do better at
    the same compute, or as well at less. The expected accuracy never falls with the budget, so a strategy that is
    expected to do worse than what a smaller budget was advised is passed over too.

    A strategy that pays for verdicts or scores is considered once they were shown to tell right from wrong, see
    `find_uninformed_tables`.

    Args:
        tables: options of n strategies.
        expected: for each table (A,) the expected accuracy of each allocation.
        budgets: compute per problem, in x.
        margin: difference in accuracy below which strategies are equivalent.
        uninformed: the tables that are not considered; those of `find_uninformed_tables` if not given.

    Returns:
        For each budget a recommendation; None where no allocation is affordable.

    Raises:
        DataError: accuracies for another number of allocations.

    Example:
        >>> from isocompute.fits.choice.options import build_voting_options
        >>> cheap = build_voting_options([[0.6, 0.700]], [1, 2])
        >>> dear = build_voting_options([[0.6, 0.704]], [1, 2], "bon", each=1.5)
        >>> found = choose_recommendations([cheap, dear], [np.array([0.6, 0.700]), np.array([0.6, 0.704])], [0.5, 3])
        >>> found[0] is None, found[1].best.table, [row.cost for row in found[1].rows]
        (True, 0, [2.0, 3.0])
    """
    left_out = find_uninformed_tables(tables) if uninformed is None else frozenset(uninformed)
    steps = []
    for index, (table, accuracy) in enumerate(zip(tables, expected, strict=True)):
        if accuracy.shape != table.grid.cost.shape:
            raise DataError(f"{table.strategy} has {len(table.grid.cost)} allocations; got {accuracy.shape}.")
        steps += [ChosenAllocation(index, *step) for step in list_improvements(table, accuracy, margin)]
    steps.sort(key=lambda step: (step.cost, step.table))
    order = sorted(range(len(budgets)), key=lambda i: budgets[i])
    found: list[Recommendation | None] = [None] * len(budgets)
    rows: dict[int, ChosenAllocation] = {}
    beaten: dict[int, bool] = {}  # whether another strategy does better at the compute of a row
    best: ChosenAllocation | None = None
    taken, promised, least = 0, -np.inf, -np.inf
    for i in order:
        while taken < len(steps) and steps[taken].cost <= budgets[i] * (1 + 1e-12):
            first = taken
            while taken < len(steps) and steps[taken].cost == steps[first].cost:
                rows[steps[taken].table] = steps[taken]
                taken += 1
            considered = [row for table, row in rows.items() if table not in left_out] or list(rows.values())
            before, least = least, max(max([row.accuracy for row in considered]) - margin, promised)
            changed = [step for step in steps[first:taken] if step.accuracy >= least]
            if least == before and not changed:
                continue  # the rows near the highest are the same as before, and so is the cheapest of them
            for step in changed:
                beaten[step.table] = _is_beaten(step, considered)
            near = [row for row in considered if row.accuracy >= least]
            if near:
                best = _choose_cheapest_row(near, beaten, tables)
                promised = best.accuracy
        if best is not None:
            found[i] = Recommendation(best, tuple(rows[table] for table in sorted(rows)), left_out)
    return found


def exclude_needless_sizes(table: AllocationOptions, expected: Floats, margin: float = EQUIVALENCE_MARGIN) -> Floats:
    """Return expected accuracies, -inf at a size that was not run and is hardly better than a cheaper one that was.

    Args:
        table: options of a strategy.
        expected: (A,) the expected accuracy of each allocation.
        margin: difference in accuracy below which allocations are equivalent.
    """
    if table.interpolation_error is None:
        return expected
    run = _compute_highest_before(np.where(table.is_interpolated, -np.inf, expected))
    return np.where(table.is_interpolated & (expected <= run + margin), -np.inf, expected)


def list_improvements(
    table: AllocationOptions, expected: Floats, margin: float = EQUIVALENCE_MARGIN
) -> list[tuple[int, float, float]]:
    """Return index, accuracy and cost of each allocation that is better than every cheaper one.

    Args:
        table: options of a strategy.
        expected: (A,) the expected accuracy of each allocation.
        margin: as in `exclude_needless_sizes`.
    """
    accuracy, cost = exclude_needless_sizes(table, expected, margin), table.grid.cost
    steps: list[tuple[int, float, float]] = []
    better = np.flatnonzero(accuracy > _compute_highest_before(accuracy))
    for step in zip(better.tolist(), accuracy[better].tolist(), cost[better].tolist(), strict=True):
        if steps and step[1] <= steps[-1][1] + TIE_TOLERANCE:
            continue
        if steps and step[2] == steps[-1][2]:
            steps.pop()
        steps.append(step)
    return steps


def _compute_highest_before(accuracy: Floats) -> Floats:
    """Return for each allocation the highest accuracy of those before it; -inf for the first."""
    return np.concatenate([[-np.inf], np.maximum.accumulate(accuracy)[:-1]])


def _is_beaten(step: ChosenAllocation, rows: Iterable[ChosenAllocation]) -> bool:
    """Return whether another strategy does better at the same compute, or as well at less."""
    for row in rows:
        if row.table != step.table and (
            row.accuracy > step.accuracy or (row.cost < step.cost and row.accuracy >= step.accuracy - AS_GOOD)
        ):
            return True
    return False


def _choose_cheapest_row(
    near: Sequence[ChosenAllocation], beaten: Mapping[int, bool], tables: Sequence[AllocationOptions]
) -> ChosenAllocation:
    """Return the cheapest unbeaten row, or SC if it is near the highest and costs no more.

    All may be beaten, if those that are as good at less compute are below what a smaller budget was advised.
    """
    unbeaten = [row for row in near if not beaten[row.table]] or near

    def rank_row(row: ChosenAllocation) -> tuple[float, bool, float, int]:
        is_interpolated = tables[row.table].get_interpolation_error(row.allocation) > 0
        return row.cost, is_interpolated, -row.accuracy, row.table

    cheapest = min(unbeaten, key=rank_row)
    for row in near:
        if tables[row.table].strategy == SIMPLEST and row.cost <= cheapest.cost:
            return row
    return cheapest
