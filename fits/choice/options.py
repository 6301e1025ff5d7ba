"""What could be run, what does it cost, and what did it reach on each problem?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.choice.allocation_grid import Lattice, envelope, knots, measured, verified_lattice, voting_lattice


@dataclass(frozen=True, eq=False)
class Options:
    """One strategy's allocations, with the accuracy of each problem under each of them.

    The table problems × allocations is never made: it is `accuracy @ tried.weights`, and what is asked of it, means
    over some problems and single columns, needs the knots alone.

    Args:
        strategy: its name.
        accuracy: (P, K) of each problem at each knot.
        tried: the A allocations, in order of cost, and how they are interpolated between the knots.
        error: standard error of a mean accuracy that comes from drawing, the largest of all; 0 if they are exact. It
            counts between strategies only: allocations of one strategy are estimated on the same draws.
    """

    strategy: str
    accuracy: NDArray[np.float64]
    tried: Lattice
    error: float = 0.0

    @property
    def cheapest(self) -> float:
        """The cost of the cheapest allocation, in x."""
        return float(self.tried.cost[0])

    @property
    def dearest(self) -> float:
        """The cost of the dearest allocation, in x: what lies beyond was not measured."""
        return float(self.tried.cost[-1])

    def best(self, rows: ArrayLike, budgets: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The best allocation within each budget, for weighted means over problems.

        It is the best on the problems that have a weight, and its accuracy there flatters: see `held_out`.

        Args:
            rows: (R, P) weights of the problems; each row sums to 1.
            budgets: (nC,) compute per problem, in x.

        Returns:
            accuracy: (R, nC) its mean; NaN where nothing can be afforded.
            chosen: (R, nC) which allocation it is; -1 where nothing can be afforded.
        """
        return envelope(np.asarray(rows, dtype=float) @ self.accuracy, self.tried, budgets)

    def under(
        self, chosen: NDArray[np.int64], problems: NDArray[np.bool_] | slice = slice(None)
    ) -> NDArray[np.float64]:
        """The accuracy of each problem under some allocations.

        Args:
            chosen: (n,) which; NaN comes of -1.
            problems: which problems; all if not given.

        Returns:
            (problems, n).
        """
        return np.where(chosen < 0, np.nan, self.accuracy[problems] @ self.tried.weights[:, chosen])

    def label(self, chosen: int) -> str:
        """An allocation's numbers, as people write them.

        Example:
            >>> verified_options([[[0.5, 0.5], [0.6, 0.7]]], [1, 2], [1, 2], lam=1.0).label(3)
            'S=2 V=2'
        """
        return " ".join(f"{name}={numbers[chosen]}" for name, numbers in self.tried.numbers.items())


def voting_options(
    curve: ArrayLike, S: ArrayLike, strategy: str = "sc", each: float = 1.0, error: float = 0.0
) -> Options:
    """A choice among S solutions, at a cost of S, or S(1 + ρ) where each is scored: all whole S between the knots.

    Args:
        curve: (P, nS) accuracy of each problem.
        S: (nS,) knots.
        strategy: its name.
        each: what a solution costs with all that is done to it, in x: 1, or 1 + ρ.
        error: standard error of a mean that comes from drawing.

    Raises:
        DataError: a malformed curve or knots, or a cost below 1.

    Example:
        >>> votes = voting_options([[0.4, 0.6], [0.8, 0.4]], [1, 4])
        >>> accuracy, chosen = votes.best([[1, 0], [0, 1]], [4])
        >>> accuracy.ravel(), votes.tried.numbers["S"][chosen].ravel()
        (array([0.6, 0.8]), array([4, 1]))
        >>> voting_options([[0.4, 0.6]], [1, 2], "bon", each=1.25).dearest
        2.5
    """
    if not (np.isfinite(each) and each >= 1):
        raise DataError(f"each, the cost of a solution with what is done to it, must be at least 1; got {each}.")
    tried = voting_lattice(S)
    tried = Lattice(tried.numbers, tried.cost * each, tried.weights)
    return Options(strategy, _of_problems(curve, (len(knots(S, "S")),), "curve"), tried, error)


def verified_options(
    surface: ArrayLike, S: ArrayLike, V: ArrayLike, lam: float, strategy: str = "genrm", error: float = 0.0
) -> Options:
    """S solutions with V verifications each, at a cost of S(1 + λV): all whole S and V between the knots.

    Args:
        surface: (P, nS, nV) accuracy of each problem.
        S: (nS,) knots.
        V: (nV,) knots.
        lam: λ, the cost of a verification in solutions.
        strategy: its name.
        error: standard error of a mean that comes from drawing.

    Raises:
        DataError: a malformed surface, knots or λ.

    Example:
        >>> verified_options([[[0.5, 0.5], [0.6, 0.7]]], [1, 2], [1, 2], lam=1.0).best([[1.0]], [1, 4, 9])
        (array([[nan, 0.6, 0.7]]), array([[-1,  2,  3]]))
    """
    tried = verified_lattice(S, V, lam)
    shape = len(knots(S, "S")), len(knots(V, "V"))
    values = _of_problems(surface, shape, "surface")
    return Options(strategy, values.reshape(len(values), -1), tried, error)


def listed_options(accuracy: ArrayLike, cost: ArrayLike, numbers: Mapping[str, ArrayLike], strategy: str) -> Options:
    """Allocations that were run as they are, and between which nothing is interpolated: those of a search.

    Args:
        accuracy: (P, A) of each problem under each.
        cost: (A,) in x, > 0, in any order.
        numbers: what each is set by, (A,) integers by name.
        strategy: its name.

    Raises:
        DataError: costs that are not positive, or numbers of allocations that differ.

    Example:
        >>> beam = listed_options([[0.7, 0.5]], [8.5, 4.2], {"N": [8, 4], "M": [4, 4]}, "beam")
        >>> beam.tried.cost, beam.label(0)
        (array([4.2, 8.5]), 'N=4 M=4')
    """
    price = np.asarray(cost, dtype=float)
    if price.ndim != 1 or price.size == 0 or not (np.isfinite(price).all() and (price > 0).all()):
        raise DataError(f"cost must be a non-empty sequence of positive numbers, in x; got {cost!r}.")
    values = _of_problems(accuracy, price.shape, "accuracy")
    columns = {name: np.asarray(column, dtype=np.int64) for name, column in numbers.items()}
    for name, column in columns.items():
        if column.shape != price.shape:
            raise DataError(f"{name} must be given for each of the {len(price)} costs; its shape is {column.shape}.")
    order = np.argsort(price, kind="stable")
    tried = Lattice({name: column[order] for name, column in columns.items()}, price[order], np.eye(len(price)))
    return Options(strategy, values[:, order], tried)


def _of_problems(values: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    array = measured(values, shape, name)
    if array.ndim != len(shape) + 1 or len(array) == 0:
        raise DataError(f"{name} must have the shape (P, {', '.join(map(str, shape))}); got {array.shape}.")
    return array
