"""Rules without a pilot, which the advice is compared with: always SC, a published law, and fixed allocations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isocompute.fits.choice.allocation_grid import compute_knot_weights
from isocompute.fits.choice.options import AllocationOptions

ALWAYS_SC = "always sc"
PUBLISHED_LAW = "published law"
LAW_PREFACTOR, LAW_EXPONENT = 0.66, 0.57
"""S = 0.66 C^0.57 for GenRM with Llama-3.1-8B on MATH (Singhi et al. 2025), the rest of the budget for V."""


@dataclass(frozen=True)
class Allocation:
    """A strategy with its numbers S and V; V is 0 without verifications."""

    strategy: str
    S: int
    V: int = 0


Rule = Callable[[float], Allocation]


def list_fixed_rules(tables: Sequence[AllocationOptions], lam: float | None) -> dict[str, Rule]:
    """List the rules by name: always SC, the published law, and each strategy with a fixed V that spends the budget.

    A rule that the budget does not pay for falls back on SC.
    """
    sizes = {table.strategy: table.grid.numbers for table in tables if "S" in table.grid.numbers}
    most = int(sizes["sc"]["S"].max())
    rules: dict[str, Rule] = {ALWAYS_SC: lambda budget: Allocation("sc", max(1, min(int(budget + 1e-9), most)))}
    for name, numbers in sizes.items():
        if "V" in numbers and lam is not None:
            top = int(numbers["S"].max()), int(numbers["V"].max())
            if name == "genrm":
                rules[PUBLISHED_LAW] = _make_law(name, lam, top, rules[ALWAYS_SC])
            for power in range(top[1].bit_length()):
                rules[f"{name} V={2**power}"] = _make_fixed_rule(name, 2**power, lam, top[0], rules[ALWAYS_SC])
    return rules


def score_allocation(means: Mapping[str, np.ndarray], tables: Mapping[str, AllocationOptions], at: Allocation) -> float:
    """Return the accuracy of an allocation, interpolated between the knots.

    Args:
        means: strategy → mean accuracy at its knots.
        tables: strategy → its table.
        at: an allocation within the measured range.
    """
    grid = tables[at.strategy].grid
    S = np.unique(grid.numbers["S"][grid.knots])
    weights = compute_knot_weights(np.array([at.S]), S, "S")[0]
    if at.V:
        V = np.unique(grid.numbers["V"][grid.knots])
        weights = np.outer(weights, compute_knot_weights(np.array([at.V]), V, "V")[0]).ravel()
    return float(means[at.strategy] @ weights)


def _make_fixed_rule(name: str, V: int, lam: float, most: int, fallback: Rule) -> Rule:
    def allocate(budget: float) -> Allocation:
        S = int(budget / (1 + lam * V) + 1e-9)
        return Allocation(name, min(S, most), V) if S else fallback(budget)

    return allocate


def _make_law(name: str, lam: float, top: tuple[int, int], fallback: Rule) -> Rule:
    def allocate(budget: float) -> Allocation:
        S = min(max(1, round(LAW_PREFACTOR * budget**LAW_EXPONENT)), top[0])
        V = min(int((budget / S - 1) / lam + 1e-9), top[1])
        return Allocation(name, S, V) if V else fallback(budget)

    return allocate
