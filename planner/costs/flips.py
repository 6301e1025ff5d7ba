"""Flips of a recommendation: the factor on the price of a verification or a score from which another strategy leads.

Prices enter a plan only as λ and ρ, so another price reorders the allocations by cost, and their expected accuracies
stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from isocompute.fits.choice.allocation_grid import AllocationGrid
from isocompute.fits.choice.options import AllocationOptions
from isocompute.fits.choice.recommendation import choose_recommendations
from isocompute.planner.compare import ExpectedAccuracies
from isocompute.planner.strategies.registry import STRATEGIES

SearchPrices = Mapping[str, Mapping[tuple[int, ...], float]]
"""Costs of searches, by strategy and the values of its numbers."""
STEPS = 4
"""Factors are tried at so many steps per doubling, so a strategy that leads in a narrower range is missed."""
MOST_DOUBLINGS = 4
"""Factors are tried up to 2 to this power, and down to its inverse."""
HALVINGS = 8


@dataclass(frozen=True)
class Flip:
    """A change of the recommended strategy.

    Args:
        role: the role whose price changes: ``verifier`` or ``scorer``.
        factor: the factor on the price of its request at which the recommendation changes.
        ratio: λ or ρ there.
        strategy: the strategy that is recommended beyond.
    """

    role: str
    factor: float
    ratio: float
    strategy: str

    @property
    def is_above(self) -> bool:
        """True if the price rises."""
        return self.factor > 1


def recommend_at(
    expected: ExpectedAccuracies,
    x: float,
    lam: float | None = None,
    rho: float | None = None,
    searches: SearchPrices | None = None,
) -> tuple[str, dict[str, int]] | None:
    """Return the strategy and the numbers that are recommended within a budget under another λ or ρ.

    Args:
        expected: the expected accuracies.
        x: the budget.
        lam: λ; the one of the tables if not given.
        rho: ρ; likewise.
        searches: costs of searches in x, by strategy and numbers; those of the tables if not given, and a search
            without one is left out.

    Returns:
        None where no allocation is affordable.
    """
    tables: list[AllocationOptions] = []
    accuracies, kept = [], []
    uninformed = set()
    for index, (table, accuracy) in enumerate(zip(expected.tables, expected.accuracy, strict=True)):
        cost = _price_table(table, lam, rho, searches)
        within = np.flatnonzero(cost <= x * (1 + 1e-12))
        order = within[np.argsort(cost[within], kind="stable")]
        if not len(order):
            continue
        grid = AllocationGrid({}, cost[order], np.zeros((0, len(order))))
        error = None if table.interpolation_error is None else table.interpolation_error[order]
        uninformed |= {len(tables)} if index in expected.uninformed else set()
        tables.append(AllocationOptions(table.strategy, np.zeros((0, 0)), grid, interpolation_error=error))
        accuracies.append(accuracy[order])
        kept.append((table, order))
    found = choose_recommendations(tables, accuracies, [x], uninformed=uninformed)[0]
    if found is None:
        return None
    chosen, places = kept[found.best.table]
    at = places[found.best.allocation]
    return chosen.strategy, {name: int(column[at]) for name, column in chosen.grid.numbers.items()}


def _price_table(
    table: AllocationOptions, lam: float | None, rho: float | None, searches: SearchPrices | None
) -> np.ndarray:
    """Return the cost of a table's allocations under another λ or ρ."""
    needs = STRATEGIES[table.strategy].needs if table.strategy in STRATEGIES else "search"
    numbers = table.grid.numbers
    if needs == "verifications" and lam is not None:
        return np.asarray(numbers["S"] * (1 + lam * numbers["V"]), dtype=float)
    if needs == "scores" and rho is not None:
        return np.asarray(numbers["S"] * (1 + rho), dtype=float)
    if needs == "search" and searches is not None:
        prices, rows = searches.get(table.strategy, {}), np.stack([*numbers.values()], axis=1).tolist()
        return np.array([prices.get(tuple(row), np.inf) for row in rows])
    return table.grid.cost


def find_flips(
    expected: ExpectedAccuracies, x: float, strategy: str, lam: float | None, rho: float | None
) -> list[Flip]:
    """Find the nearest factors on λ and on ρ, above 1 and below, at which another strategy is recommended.

    Args:
        expected: the expected accuracies.
        x: the budget.
        strategy: the recommended strategy.
        lam: λ; None without verifications, or if it is unknown.
        rho: ρ; None without scores, if it is unknown, or if searches, whose cost it is a part of, are among the tables.
    """
    flips: list[Flip] = []
    for role, ratio in (("verifier", lam), ("scorer", rho)):
        if ratio is None:
            continue
        for direction in (1, -1):
            found = _find_flip(_build_recommender(expected, x, role, ratio), strategy, direction)
            if found is not None:
                flips.append(Flip(role, found[0], ratio * found[0], found[1]))
    return flips


def _build_recommender(
    expected: ExpectedAccuracies, x: float, role: str, ratio: float
) -> Callable[[float], str | None]:
    """Return a function from the factor on a role's price to the strategy that is recommended."""

    def recommend_strategy(factor: float) -> str | None:
        lam, rho = (ratio * factor, None) if role == "verifier" else (None, ratio * factor)
        found = recommend_at(expected, x, lam, rho)
        return None if found is None else found[0]

    return recommend_strategy


def _find_flip(recommend: Callable[[float], str | None], strategy: str, direction: int) -> tuple[float, str] | None:
    """Return the nearest factor in one direction beyond which another strategy is recommended, and that strategy."""
    inside = 0.0
    for step in range(1, STEPS * MOST_DOUBLINGS + 1):
        outside = direction * step / STEPS
        other = recommend(2.0**outside)
        if other is not None and other != strategy:
            for _ in range(HALVINGS):
                middle = (inside + outside) / 2
                found = recommend(2.0**middle)
                if found is None or found == strategy:
                    inside = middle
                else:
                    outside, other = middle, found
            return math.pow(2.0, outside), other
        inside = outside
    return None
