"""The regret of the advice: pilots are drawn from a run repeatedly, and the advice is scored on the other problems.

The regret of an advice is the accuracy of the best allocation in hindsight within the budget minus that of the advised
one, both on problems that were not in the pilot. The best allocation in hindsight is chosen on the problems that it is
scored on, so that a regret of 0 on average is out of reach even with full knowledge of the task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.options import AllocationOptions
from isocompute.fits.choice.posterior import compute_posterior
from isocompute.fits.choice.recommendation import recommend_allocations
from isocompute.fits.pool import Pool
from isocompute.planner.evaluation.pilots import PilotShape, draw_pilot, get_full_shape
from isocompute.planner.evaluation.rules import Allocation, list_fixed_rules, score_allocation
from isocompute.planner.prior import read_accuracy_prior

ADVICE = "advice"
EVALUATION_SPLITS = 200
EVALUATION_SEED = 2025
EVALUATION_BUDGETS = tuple(2.0**power for power in range(3, 10))
"""8x to 512x."""

Estimator = Callable[[Pool], list[AllocationOptions]]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The regret of the advice and of rules that need no pilot.

    Args:
        shape: the shape of the pilots.
        cost_share: the cost of a pilot as a share of the whole run's.
        budgets: (nC,) in x.
        regret: rule → (splits, nC) accuracy below the best allocation in hindsight; ``advice`` is the planner's.
    """

    shape: PilotShape
    cost_share: float
    budgets: tuple[float, ...]
    regret: dict[str, Floats]

    @property
    def best_fixed_rule(self) -> str:
        """The rule without a pilot with the lowest mean regret, chosen in hindsight."""
        rules = [name for name in self.regret if name != ADVICE]
        return min(rules, key=lambda name: float(self.regret[name].mean()))

    def summarise(self, rule: str) -> tuple[float, float, float]:
        """Return the mean regret of a rule, its standard error over splits, and the 90th percentile.

        The error is that of repeated splits of these problems, not of other problems.
        """
        values = self.regret[rule]
        error = values.mean(axis=1).std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
        return float(values.mean()), float(error), float(np.quantile(values, 0.9))


def evaluate_pool(
    pool: Pool,
    estimate: Estimator,
    lam: float | None,
    shape: PilotShape,
    splits: int = EVALUATION_SPLITS,
    budgets: Sequence[float] = EVALUATION_BUDGETS,
    seed: int = EVALUATION_SEED,
) -> Evaluation:
    """Evaluate the advice that pilots of one shape give.

    Args:
        pool: the samples of all problems.
        estimate: function that returns the options of each strategy over a pool.
        lam: λ; None without verifications.
        shape: the shape of the pilots.
        splits: how many pilots to draw.
        budgets: in x; those that no allocation of the pool affords are left out.
        seed: seed of the splits; each split has its own.

    Raises:
        DataError: the shape does not fit the pool.
    """
    whole = {table.strategy: table for table in estimate(pool)}
    kept = tuple(budget for budget in budgets if budget >= min(table.lowest_cost for table in whole.values()))
    rules = list_fixed_rules(list(whole.values()), lam)
    rows: dict[str, list[list[float]]] = {}
    for problems, tables in draw_split_tables(pool, estimate, shape, splits, seed):
        others = np.setdiff1d(np.arange(pool.problems), problems)
        means = {name: table.accuracy[others].mean(axis=0) for name, table in whole.items()}
        best = find_best_accuracies(list(whole.values()), list(means.values()), kept)
        advised = advise_allocations(tables, kept)
        chosen = {ADVICE: advised, **{name: [rule(budget) for budget in kept] for name, rule in rules.items()}}
        for name, allocations in chosen.items():
            scores = [score_allocation(means, whole, allocation) for allocation in allocations]
            rows.setdefault(name, []).append((best - np.array(scores)).tolist())
    share = shape.compute_cost(lam) / get_full_shape(pool).compute_cost(lam)
    return Evaluation(shape, share, kept, {name: np.array(values) for name, values in rows.items()})


def draw_split_tables(
    pool: Pool, estimate: Estimator, shape: PilotShape, splits: int, seed: int
) -> Iterator[tuple[np.ndarray, list[AllocationOptions]]]:
    """Yield for each split the problems of its pilot, and the options that are estimated from it."""
    for split in range(splits):
        rng = np.random.default_rng((seed, split))
        problems = np.sort(rng.permutation(pool.problems)[: shape.problems])
        yield problems, estimate(draw_pilot(pool, problems, shape, rng))


def advise_allocations(tables: Sequence[AllocationOptions], budgets: Sequence[float]) -> list[Allocation]:
    """Return what the planner advises within each budget, from the tables of a pilot."""
    expected = compute_posterior(tables, read_accuracy_prior()).compute_expected_accuracies()
    advised = []
    for budget, found in zip(budgets, recommend_allocations(tables, expected, budgets), strict=True):
        if found is None:
            raise DataError(f"The pilot has no allocation that a budget of {budget:g}x pays for.")
        table = tables[found.best.table]
        numbers = {name: int(column[found.best.allocation]) for name, column in table.grid.numbers.items()}
        advised.append(Allocation(table.strategy, **numbers))
    return advised


def find_best_accuracies(
    tables: Sequence[AllocationOptions], means: Sequence[Floats], budgets: Sequence[float]
) -> Floats:
    """Return (nC,) the highest accuracy of any allocation within each budget."""
    best = np.full(len(budgets), -np.inf)
    for table, mean in zip(tables, means, strict=True):
        highest = np.maximum.accumulate(mean @ table.grid.weights)
        paid = np.searchsorted(table.grid.cost, np.asarray(budgets) * (1 + 1e-12), side="right")
        best = np.maximum(best, np.where(paid > 0, highest[np.maximum(paid - 1, 0)], -np.inf))
    return best
