"""Grids of the integer allocations between a strategy's knots, and the best of them within a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.choice.ties import TIE_TOLERANCE
from isocompute.fits.cost import compute_allocation_cost

_NUMBERS_PER_OCTAVE = 64  # integers tried per doubling: all up to 64, beyond that steps of about 1 %
_BLOCK = 2**22  # maximum number of accuracies computed at a time


def check_knots(values: ArrayLike, name: str) -> NDArray[np.int64]:
    """Check the S or V at which a surface was measured: strictly increasing integers ≥ 1.

    Args:
        values: (n,) knots.
        name: "S" or "V", for the message.

    Raises:
        DataError: knots that are not increasing integers ≥ 1.

    Example:
        >>> check_knots([1, 2, 4], "S")
        array([1, 2, 4])
    """
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise DataError(f"the knots {name} must be a non-empty sequence of integers; got {values!r}.")
    if array[0] < 1 or (np.diff(array) <= 0).any():
        raise DataError(f"the knots {name} must be ≥ 1 and strictly increasing; got {array.tolist()}.")
    return array.astype(np.int64)


def check_accuracies(values: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    """Check accuracies on knots: finite, and of the shape (…, *shape).

    Args:
        values: the accuracies, with any leading axes (problems, replicates or none).
        shape: the number of knots along each of the last axes.
        name: the argument's name, for the message.

    Raises:
        DataError: another shape, or values that are not finite.

    Example:
        >>> check_accuracies([[0.5, 0.75]], (2,), "curve")
        array([[0.5 , 0.75]])
    """
    array = np.asarray(values, dtype=float)
    if array.shape[array.ndim - len(shape) :] != shape or array.ndim < len(shape):
        raise DataError(f"{name} must have the shape (…, {', '.join(map(str, shape))}); got {array.shape}.")
    if not np.isfinite(array).all():
        place = ", ".join(map(str, np.argwhere(~np.isfinite(array))[0]))
        raise DataError(f"{name} must hold finite accuracies; it does not at index ({place}).")
    return array


def compute_knot_weights(
    at: NDArray[np.int64] | NDArray[np.float64], on: NDArray[np.int64] | NDArray[np.float64], name: str
) -> NDArray[np.float64]:
    """Return weights of the knots that interpolate linearly in the logarithm.

    Args:
        at: (n,) numbers within the knots' range.
        on: (m,) knots.
        name: "S" or "V", for the message.

    Returns:
        (n, m) weights ≥ 0; each row sums to 1.

    Raises:
        DataError: a number outside the knots' range; this function does not extrapolate.

    Example:
        >>> compute_knot_weights(np.array([4]), np.array([2, 8]), "S")
        array([[0.5, 0.5]])
    """
    outside = at[(at < on[0]) | (at > on[-1])]
    if outside.size:
        raise DataError(f"{name} must lie in the measured range {on[0]} to {on[-1]}; got {outside[0]}.")
    weights = [np.interp(np.log(at), np.log(on), row) for row in np.eye(len(on))]
    return np.stack(weights, axis=1)


def list_whole_numbers(low: int, high: int) -> NDArray[np.int64]:
    """List the integers that are tried from `low` to `high`: all up to 64, beyond that in steps of about 1 %.

    Example:
        >>> list_whole_numbers(2, 5)
        array([2, 3, 4, 5])
    """
    steps = int(np.ceil(np.log2(high / low) * _NUMBERS_PER_OCTAVE))
    spread = np.geomspace(low, high, steps + 1).round().astype(np.int64)
    return np.unique(np.concatenate([np.arange(low, min(high, _NUMBERS_PER_OCTAVE) + 1), spread]))


@dataclass(frozen=True, eq=False)
class AllocationGrid:
    """The candidate allocations of a strategy, in order of cost.

    Args:
        numbers: parameters of the allocations by name, (A,) each: S, V, or a search's parameters.
        cost: (A,) in x, not decreasing.
        weights: (K, A) weights of the K knots, S-major, that interpolate to each allocation; columns sum to 1.
    """

    numbers: Mapping[str, NDArray[np.int64]]
    cost: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def knots(self) -> NDArray[np.int64]:
        """(K,) the index of the allocation at each knot."""
        return np.asarray(self.weights.argmax(axis=1))


def build_voting_grid(S: ArrayLike) -> AllocationGrid:
    """Build the grid of votes over S solutions, for integers S between the knots, at a cost of S.

    Args:
        S: (nS,) knots; accuracy is interpolated linearly in log S between them.

    Raises:
        DataError: malformed knots.

    Example:
        >>> build_voting_grid([2, 8]).cost
        array([2., 3., 4., 5., 6., 7., 8.])
    """
    on = check_knots(S, "S")
    sizes = np.union1d(list_whole_numbers(int(on[0]), int(on[-1])), on)
    return AllocationGrid({"S": sizes}, sizes.astype(float), compute_knot_weights(sizes, on, "S").T)


def build_verified_grid(S: ArrayLike, V: ArrayLike, lam: float) -> AllocationGrid:
    """Build the grid of S solutions with V verifications each, for integers between the knots, at a cost of S(1 + λV).

    Args:
        S: (nS,) knots.
        V: (nV,) knots; accuracy is interpolated bilinearly in (log S, log V) between them.
        lam: λ, the cost of a verification in solutions.

    Raises:
        DataError: malformed knots or λ.

    Example:
        >>> tried = build_verified_grid([1, 2], [1, 2], lam=1.0)
        >>> tried.numbers["S"], tried.numbers["V"], tried.cost
        (array([1, 1, 2, 2]), array([1, 2, 1, 2]), array([2., 3., 4., 6.]))
    """
    on_s, on_v = check_knots(S, "S"), check_knots(V, "V")
    sizes = [np.union1d(list_whole_numbers(int(on[0]), int(on[-1])), on) for on in (on_s, on_v)]
    s, v = (grid.ravel() for grid in np.meshgrid(*sizes))
    cost = compute_allocation_cost(s, v, lam)
    order = np.argsort(cost, kind="stable")
    s, v = s[order], v[order]
    weights = np.einsum("ni,nj->ijn", compute_knot_weights(s, on_s, "S"), compute_knot_weights(v, on_v, "V"))
    return AllocationGrid({"S": s, "V": v}, cost[order], weights.reshape(len(on_s) * len(on_v), -1))


def find_best_allocations(
    values: NDArray[np.float64], grid: AllocationGrid, budgets: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find the best allocation within each budget; ties (see `isocompute.fits.choice.ties`) go to the cheapest.

    Args:
        values: (R, K) accuracies at the knots; the rows are problems, replicates or training folds.
        grid: the candidate allocations.
        budgets: (nC,) compute per problem, in x, > 0.

    Returns:
        accuracy: (R, nC) its accuracy; NaN where no allocation is affordable.
        chosen: (R, nC) its index in `grid`; -1 where no allocation is affordable.

    Raises:
        DataError: malformed budgets.

    Example:
        >>> accuracy, chosen = find_best_allocations(np.array([[0.4, 0.6, 0.5]]), build_voting_grid([1, 2, 3]), [0.5,
        ... 1, 9])
        >>> accuracy, chosen
        (array([[nan, 0.4, 0.6]]), array([[-1,  0,  1]]))
    """
    limits = np.asarray(budgets, dtype=float)
    if limits.ndim != 1 or limits.size == 0 or not (limits > 0).all():
        raise DataError(f"budgets must be a non-empty sequence of positive numbers; got {budgets!r}.")
    reach = np.searchsorted(grid.cost, limits * (1 + 1e-12), side="right") - 1  # the most expensive affordable one
    accuracy, chosen = np.empty((len(values), len(limits))), np.empty((len(values), len(limits)), dtype=np.int64)
    block = max(1, _BLOCK // len(grid.cost))
    for start in range(0, len(values), block):
        # Allocations are in order of cost, so the running maximum is the best accuracy within each cost. Its first
        # value within the tolerance belongs to the cheapest allocation that ties with the best.
        best = np.maximum.accumulate(values[start : start + block] @ grid.weights, axis=1)
        best_within = best[:, reach]
        accuracy[start : start + block] = best_within
        for row, (risen, goals) in enumerate(zip(best, best_within - TIE_TOLERANCE, strict=True), start):
            chosen[row] = np.searchsorted(risen, goals)
    accuracy[:, reach < 0], chosen[:, reach < 0] = np.nan, -1
    return accuracy, chosen
