"""Options to choose among: a strategy's allocations with their costs and per-problem accuracies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.choice.allocation_grid import (
    AllocationGrid,
    build_verified_grid,
    build_voting_grid,
    check_accuracies,
    check_knots,
    find_best_allocations,
)

INTERPOLATED_MARK = "(interpolated)"
"""The mark of an allocation that was not run, in texts."""


@dataclass(frozen=True, eq=False)
class AllocationOptions:
    """One strategy's allocations, with the accuracy of each problem under each of them.

    The table problems × allocations, `accuracy @ grid.weights`, is never built: means over problems and single columns
    are computed from the knots.

    Args:
        strategy: name of the strategy.
        accuracy: (P, K) accuracy of each problem at each knot.
        grid: the A allocations in order of cost, and their interpolation between the knots.
        error: the largest Monte Carlo standard error of a mean accuracy; 0 if accuracies are exact. It matters between
            strategies only: allocations of one strategy are estimated on the same draws.
        interpolation_error: (A,) standard deviation of what the mean accuracy of an allocation that was not run may lie
            off its interpolation; 0 where it was run. None if all were run, or follow from a pool that was sampled.
    """

    strategy: str
    accuracy: NDArray[np.float64]
    grid: AllocationGrid
    error: float = 0.0
    interpolation_error: NDArray[np.float64] | None = None

    @property
    def is_interpolated(self) -> NDArray[np.bool_]:
        """(A,) whether an allocation lies between sizes that were run, and was not run itself."""
        errors = self.interpolation_error
        return np.zeros(len(self.grid.cost), dtype=bool) if errors is None else errors > 0

    def get_interpolation_error(self, chosen: int) -> float:
        """Return the interpolation error of an allocation; 0 if it was run."""
        return 0.0 if self.interpolation_error is None else float(self.interpolation_error[chosen])

    def select_allocations(self, chosen: NDArray[np.int64], cost: NDArray[np.float64]) -> AllocationOptions:
        """Return options with some of the allocations only, in the given order.

        Args:
            chosen: (n,) their indices.
            cost: (n,) their costs, which may be new and must not decrease.
        """
        grid = self.grid
        numbers = {name: column[chosen] for name, column in grid.numbers.items()}
        error = None if self.interpolation_error is None else self.interpolation_error[chosen]
        return replace(self, grid=AllocationGrid(numbers, cost, grid.weights[:, chosen]), interpolation_error=error)

    @property
    def lowest_cost(self) -> float:
        """The cost of the cheapest allocation, in x."""
        return float(self.grid.cost[0])

    @property
    def highest_cost(self) -> float:
        """The cost of the most expensive measured allocation, in x."""
        return float(self.grid.cost[-1])

    def choose_allocations(self, rows: ArrayLike, budgets: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Choose the best allocation within each budget, for weighted means over problems.

        Its accuracy on the problems it was chosen on is optimistic; see `score_held_out`.

        Args:
            rows: (R, P) weights of the problems; each row sums to 1.
            budgets: (nC,) compute per problem, in x.

        Returns:
            accuracy: (R, nC) mean accuracy; NaN where nothing is affordable.
            chosen: (R, nC) index of the allocation; -1 where nothing is affordable.
        """
        return find_best_allocations(np.asarray(rows, dtype=float) @ self.accuracy, self.grid, budgets)

    def compute_accuracies(
        self, chosen: NDArray[np.int64], problems: NDArray[np.bool_] | slice = slice(None)
    ) -> NDArray[np.float64]:
        """Compute the accuracy of each problem under some allocations.

        Args:
            chosen: (n,) indices of allocations; -1 gives NaN.
            problems: the problems to use; all if not given.

        Returns:
            (problems, n) accuracies.
        """
        return np.where(chosen < 0, np.nan, self.accuracy[problems] @ self.grid.weights[:, chosen])

    def label_allocation(self, chosen: int) -> str:
        """Return an allocation's parameters as text, marked if it was not run.

        Example:
            >>> build_verified_options([[[0.5, 0.5], [0.6, 0.7]]], [1, 2], [1, 2], lam=1.0).label_allocation(3)
            'S=2 V=2'
        """
        text = " ".join(f"{name}={numbers[chosen]}" for name, numbers in self.grid.numbers.items())
        return f"{text} {INTERPOLATED_MARK}" if self.get_interpolation_error(chosen) else text


def build_voting_options(
    curve: ArrayLike, S: ArrayLike, strategy: str = "sc", each: float = 1.0, error: float = 0.0
) -> AllocationOptions:
    """Build the options of a selection among S solutions at a cost of S, or S(1 + ρ) if each is scored.

    The allocations are all integers S between the knots.

    Args:
        curve: (P, nS) accuracy of each problem.
        S: (nS,) knots.
        strategy: name of the strategy.
        each: cost of a solution with its scoring, in x: 1, or 1 + ρ.
        error: Monte Carlo standard error of a mean.

    Raises:
        DataError: a malformed curve or knots, or a cost below 1.

    Example:
        >>> votes = build_voting_options([[0.4, 0.6], [0.8, 0.4]], [1, 4])
        >>> accuracy, chosen = votes.choose_allocations([[1, 0], [0, 1]], [4])
        >>> accuracy.ravel(), votes.grid.numbers["S"][chosen].ravel()
        (array([0.6, 0.8]), array([4, 1]))
        >>> build_voting_options([[0.4, 0.6]], [1, 2], "bon", each=1.25).highest_cost
        2.5
    """
    if not (np.isfinite(each) and each >= 1):
        raise DataError(
            f"each, the cost of a solution with its verifications or score, must be at least 1; got {each}."
        )
    grid = build_voting_grid(S)
    grid = AllocationGrid(grid.numbers, grid.cost * each, grid.weights)
    return AllocationOptions(strategy, _check_problem_rows(curve, (len(check_knots(S, "S")),), "curve"), grid, error)


def build_verified_options(
    surface: ArrayLike, S: ArrayLike, V: ArrayLike, lam: float, strategy: str = "genrm", error: float = 0.0
) -> AllocationOptions:
    """Build the options of S solutions with V verifications each, at a cost of S(1 + λV).

    The allocations are all integers S and V between the knots.

    Args:
        surface: (P, nS, nV) accuracy of each problem.
        S: (nS,) knots.
        V: (nV,) knots.
        lam: λ, the cost of a verification in solutions.
        strategy: name of the strategy.
        error: Monte Carlo standard error of a mean.

    Raises:
        DataError: a malformed surface, knots or λ.

    Example:
        >>> build_verified_options([[[0.5, 0.5], [0.6, 0.7]]], [1, 2], [1, 2], lam=1.0).choose_allocations([[1.0]],
        ... [1, 4, 9])
        (array([[nan, 0.6, 0.7]]), array([[-1,  2,  3]]))
    """
    grid = build_verified_grid(S, V, lam)
    shape = len(check_knots(S, "S")), len(check_knots(V, "V"))
    values = _check_problem_rows(surface, shape, "surface")
    return AllocationOptions(strategy, values.reshape(len(values), -1), grid, error)


def build_listed_options(
    accuracy: ArrayLike, cost: ArrayLike, numbers: Mapping[str, ArrayLike], strategy: str
) -> AllocationOptions:
    """Build options from individually measured allocations, without interpolation, such as those of a search.

    Args:
        accuracy: (P, A) accuracy of each problem under each allocation.
        cost: (A,) in x, > 0, in any order.
        numbers: parameters of the allocations, (A,) integers by name.
        strategy: name of the strategy.

    Raises:
        DataError: costs that are not positive, or arguments for different numbers of allocations.

    Example:
        >>> beam = build_listed_options([[0.7, 0.5]], [8.5, 4.2], {"N": [8, 4], "M": [4, 4]}, "beam")
        >>> beam.grid.cost, beam.label_allocation(0)
        (array([4.2, 8.5]), 'N=4 M=4')
    """
    price = np.asarray(cost, dtype=float)
    if price.ndim != 1 or price.size == 0 or not (np.isfinite(price).all() and (price > 0).all()):
        raise DataError(f"cost must be a non-empty sequence of positive numbers, in x; got {cost!r}.")
    values = _check_problem_rows(accuracy, price.shape, "accuracy")
    columns = {name: np.asarray(column, dtype=np.int64) for name, column in numbers.items()}
    for name, column in columns.items():
        if column.shape != price.shape:
            raise DataError(f"{name} must be given for each of the {len(price)} costs; its shape is {column.shape}.")
    order = np.argsort(price, kind="stable")
    grid = AllocationGrid({name: column[order] for name, column in columns.items()}, price[order], np.eye(len(price)))
    return AllocationOptions(strategy, values[:, order], grid)


def _check_problem_rows(values: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    array = check_accuracies(values, shape, name)
    if array.ndim != len(shape) + 1 or len(array) == 0:
        raise DataError(f"{name} must have the shape (P, {', '.join(map(str, shape))}); got {array.shape}.")
    return array
