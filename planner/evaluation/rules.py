"""Rules without a pilot, which the advice is compared with: always SC, a published law, and fixed allocations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isocompute.fits.arrays import Floats
from isocompute.fits.choice.allocation_grid import compute_knot_weights
from isocompute.fits.choice.options import AllocationOptions

ALWAYS_SC = "always sc"
PUBLISHED_LAW = "published law"
REFERENCE_RULES = (ALWAYS_SC, PUBLISHED_LAW)
LAW_PREFACTOR, LAW_EXPONENT = 0.66, 0.57
"""S = 0.66 C^0.57 for GenRM with Llama-3.1-8B on MATH (Singhi et al. 2025), the rest of the budget for V."""


@dataclass(frozen=True)
class Allocation:
    """A strategy with its numbers, such as S and V."""

    strategy: str
    numbers: Mapping[str, int]


Rule = Callable[[float], Allocation]


def list_fixed_rules(tables: Sequence[AllocationOptions], lam: float | None) -> dict[str, Rule]:
    """List the rules by name: always SC, the published law, and each strategy, with a fixed V, that spends the budget.

    A rule that the budget does not pay for falls back on SC. Searches have too few allocations for a rule.

    Args:
        tables: options of each strategy, ``sc`` among them.
        lam: λ; None without verifications, or if it is unknown.
    """
    measured = {table.strategy: table for table in tables if "S" in table.grid.numbers}
    always_sc = _make_fixed_rule(measured["sc"], {}, 1.0, None)
    rules: dict[str, Rule] = {ALWAYS_SC: always_sc}
    for name, table in measured.items():
        if "V" in table.grid.numbers:
            assert lam is not None, "the strategy has a cost"
            if name == "genrm":
                rules[PUBLISHED_LAW] = _make_law(table, lam, always_sc)
            for power in range(int(table.grid.numbers["V"].max()).bit_length()):
                V = 2**power
                rules[f"{name} V={V}"] = _make_fixed_rule(table, {"V": V}, 1 + lam * V, always_sc)
        elif name != "sc":
            each = table.lowest_cost / int(table.grid.numbers["S"][0])
            rules[f"always {name}"] = _make_fixed_rule(table, {}, each, always_sc)
    return rules


@dataclass(frozen=True, eq=False)
class WeighedAllocation:
    """An allocation as weights of its strategy's knots.

    Args:
        strategy: the strategy.
        weights: (K,) weights of the knots of its table; they sum to 1.
    """

    strategy: str
    weights: Floats

    def compute_accuracy(self, means: Mapping[str, Floats]) -> float:
        """Return its accuracy, from the mean accuracies (K,) of each strategy at its knots."""
        return float(means[self.strategy] @ self.weights)


def weigh_allocation(table: AllocationOptions, allocation: Allocation) -> WeighedAllocation:
    """Return an allocation as weights of the knots of a table; that of a search must be one of its own.

    Args:
        table: the strategy's options.
        allocation: an allocation within the measured range.

    Example:
        >>> from isocompute.fits import build_voting_options
        >>> table = build_voting_options([[0.4, 0.6]], [1, 4])
        >>> weigh_allocation(table, Allocation("sc", {"S": 2})).weights
        array([0.5, 0.5])
    """
    grid = table.grid
    if "S" not in allocation.numbers:
        same = np.all([grid.numbers[name] == number for name, number in allocation.numbers.items()], axis=0)
        return WeighedAllocation(table.strategy, grid.weights[:, int(np.flatnonzero(same)[0])])
    weights, knots = np.ones(1), grid.knots
    for name in ("S", "V"):
        if name in allocation.numbers:
            at, on = np.array([allocation.numbers[name]]), np.unique(grid.numbers[name][knots])
            weights = np.outer(weights, compute_knot_weights(at, on, name)[0]).ravel()
    return WeighedAllocation(table.strategy, weights)


def _make_fixed_rule(table: AllocationOptions, fixed: dict[str, int], each: float, fallback: Rule | None) -> Rule:
    """Return the rule that spends a budget on solutions which cost ``each``."""
    most = int(table.grid.numbers["S"].max())

    def choose_allocation(budget: float) -> Allocation:
        S = min(int(budget / each + 1e-9), most)
        if S < 1 and fallback is not None:
            return fallback(budget)
        return Allocation(table.strategy, {"S": max(S, 1), **fixed})

    return choose_allocation


def _make_law(table: AllocationOptions, lam: float, fallback: Rule) -> Rule:
    most = {name: int(column.max()) for name, column in table.grid.numbers.items()}

    def choose_allocation(budget: float) -> Allocation:
        S = min(max(1, round(LAW_PREFACTOR * budget**LAW_EXPONENT)), most["S"])
        V = min(int((budget / S - 1) / lam + 1e-9), most["V"])
        return Allocation(table.strategy, {"S": S, "V": V}) if V else fallback(budget)

    return choose_allocation
