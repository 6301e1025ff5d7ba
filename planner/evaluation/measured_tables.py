"""The measured options of every strategy over some problems: the budgets and rules that an evaluation needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isocompute.fits import AllocationOptions
from isocompute.fits.arrays import Ints
from isocompute.fits.choice.prepared_prior import PreparedPrior, prepare_prior
from isocompute.planner.evaluation.rules import Allocation, WeighedAllocation, list_fixed_rules, weigh_allocation
from isocompute.planner.prior import read_accuracy_prior

EVALUATION_BUDGETS = tuple(2.0**power for power in range(3, 10))
"""8x to 512x."""


@dataclass(frozen=True, eq=False)
class MeasuredTables:
    """The options of each strategy over P problems.

    Args:
        tables: options of each strategy over the P problems, ``sc`` among them.
        lam: λ; None without verifications, or if it is unknown.
        strata: (P,) level of each problem, which the planner's expectations use; None if it is unknown.
        clusters: (P,) cluster of each problem, likewise; a cluster is never in a pilot and scored, too.
    """

    tables: tuple[AllocationOptions, ...]
    lam: float | None = None
    strata: Ints | None = None
    clusters: Ints | None = None

    @property
    def problems(self) -> int:
        """P, the number of problems."""
        return len(self.tables[0].accuracy)

    @cached_property
    def budgets(self) -> tuple[float, ...]:
        """Those of `EVALUATION_BUDGETS` that some allocation spends; powers of two below 8x where none does."""
        most = max(table.highest_cost for table in self.tables)
        kept = tuple(budget for budget in EVALUATION_BUDGETS if budget <= most)
        return kept or tuple(2.0**power for power in range(int(np.log2(most)) + 1))

    @cached_property
    def fixed_rules(self) -> dict[str, list[WeighedAllocation]]:
        """The allocation at each budget of each rule without a pilot, see `list_fixed_rules`."""
        rules = list_fixed_rules(self.tables, self.lam)
        return {name: [self.weigh(rule(budget)) for budget in self.budgets] for name, rule in rules.items()}

    @cached_property
    def prepared_prior(self) -> PreparedPrior:
        """The planner's prior at the knots of the tables, for pilots that have the same knots."""
        return prepare_prior(self.tables, read_accuracy_prior())

    def weigh(self, allocation: Allocation) -> WeighedAllocation:
        """Return an allocation as weights of the knots of its strategy."""
        table = next(table for table in self.tables if table.strategy == allocation.strategy)
        return weigh_allocation(table, allocation)
