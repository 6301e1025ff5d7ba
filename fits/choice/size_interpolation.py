"""Sizes between those that a search was run with: which they are, their accuracy and cost, and how far off it may be.

A search is run with a few numbers of slots N. Between two of them accuracy is interpolated linearly in log N, problem
by problem, so that everything that is paired by problem stays valid. A cost or a count of tokens is interpolated
linearly in the logarithms of both, as a power of N. Outside of the sizes that were run nothing is known or said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.choice.accuracy_prior import SURPRISE_REACH
from isocompute.fits.choice.allocation_grid import AllocationGrid, compute_knot_weights
from isocompute.fits.choice.options import AllocationOptions, build_listed_options

SIZE = "N"
"""The number of an allocation that is its size; sizes are interpolated between allocations that differ in it alone."""
SIZE_SPREAD = 0.1
"""Spread of the accuracies of a search's sizes, from which the error of an interpolation is expected."""
_PRIOR_SIZES = 3  # weight of the prior in the scale of the errors, in sizes that were left out


@dataclass(frozen=True, eq=False)
class SizesBetween:
    """The B sizes between A allocations that were run.

    Args:
        numbers: their parameters by name, (B,) each.
        weights: (A, B) weights of the allocations that were run; each column has two above 0 and sums to 1.
    """

    numbers: dict[str, Ints]
    weights: Floats


@dataclass(frozen=True)
class LeftOutSize:
    """A size that was run, held against the interpolation between the sizes on its two sides.

    Args:
        numbers: the parameters of its allocation.
        error: the interpolated mean accuracy minus the measured one.
        usual: the standard deviation that the prior expects of that error.
    """

    numbers: dict[str, int]
    error: float
    usual: float


def list_sizes_between(numbers: Mapping[str, ArrayLike]) -> SizesBetween:
    """List the sizes between those that were run: doublings of the smaller of two neighbours.

    A doubling keeps N a multiple of the width, where the smaller size is one.

    Args:
        numbers: parameters of the A allocations that were run, (A,) integers by name.

    Example:
        >>> between = list_sizes_between({"N": [4, 16], "M": [4, 4]})
        >>> between.numbers["N"], between.numbers["M"], between.weights.round(3).tolist()
        (array([8]), array([4]), [[0.5], [0.5]])
    """
    columns = {name: np.asarray(column, dtype=np.int64) for name, column in numbers.items()}
    count = len(next(iter(columns.values())))
    places: list[int] = []  # of the allocation below each size, which has the same other numbers
    sizes: list[int] = []
    weights = [np.zeros((count, 0))]
    for chain in _list_chains(columns):
        on = columns[SIZE][chain]
        found = [
            (at, size) for at, low, high in zip(chain, on, on[1:], strict=False) for size in _list_doublings(low, high)
        ]
        if not found:
            continue
        part = np.zeros((count, len(found)))
        part[chain] = compute_knot_weights(np.array([size for _, size in found]), on, SIZE).T
        weights.append(part)
        places += [at for at, _ in found]
        sizes += [size for _, size in found]
    others = {name: column[np.array(places, dtype=np.int64)] for name, column in columns.items()}
    if SIZE in others:
        others[SIZE] = np.array(sizes, dtype=np.int64)
    return SizesBetween(others, np.concatenate(weights, axis=1))


def interpolate_amounts(amounts: ArrayLike, weights: ArrayLike) -> Floats:
    """Interpolate costs, or counts of tokens, as powers of the size.

    An amount that is 0 at one of the two sizes has no logarithm, and is interpolated linearly in log N.

    Args:
        amounts: (A,) amounts of the allocations that were run, ≥ 0.
        weights: (A, B) their weights, from `SizesBetween`. A weight of 1 gives the amount itself.

    Example:
        >>> interpolate_amounts([10.0, 40.0, 0.0], [[0.5, 0.0], [0.5, 0.5], [0.0, 0.5]]).round(9)
        array([20., 20.])
    """
    values, shares = np.asarray(amounts, dtype=float), np.asarray(weights, dtype=float)
    is_linear = ((shares > 0) & (values[:, None] <= 0)).any(axis=0) | (shares == 1).any(axis=0)
    logarithms = np.log(np.where(values > 0, values, 1.0))
    # Not by a product of matrices, whose last bits depend on the order of the allocations.
    means = [(column[:, None] * shares).sum(axis=0) for column in (values, logarithms)]
    return np.where(is_linear, means[0], np.exp(means[1]))


def compute_usual_error(size: float, low: float, high: float) -> float:
    """Compute the standard deviation of the interpolation's error in a mean accuracy that the prior expects.

    The accuracies of the sizes are taken for normal ones, with the standard deviation `SIZE_SPREAD`, whose correlation
    falls with the distance d in doublings as exp(-(d / `SURPRISE_REACH`)² / 2).
    The error is the value at the size minus the weighted mean of its two neighbours.

    Args:
        size: the size.
        low: the next smaller size that was run.
        high: the next larger size that was run.

    Example:
        >>> round(compute_usual_error(8, 4, 16), 4), round(compute_usual_error(16, 4, 64), 4)
        (0.0196, 0.0595)
    """
    at = np.log2([size, low, high])
    kernel = np.exp(-(((at[:, None] - at) / SURPRISE_REACH) ** 2) / 2)
    share = (at[0] - at[1]) / (at[2] - at[1])
    contrast = np.array([1.0, share - 1, -share])
    return float(SIZE_SPREAD * np.sqrt(max(contrast @ kernel @ contrast, 0.0)))


def measure_left_out_sizes(numbers: Mapping[str, ArrayLike], accuracy: ArrayLike) -> list[LeftOutSize]:
    """Interpolate each size that has neighbours on both sides without its own measurement.

    Args:
        numbers: parameters of the A allocations, (A,) integers by name.
        accuracy: (P, A) accuracy of each problem.

    Example:
        >>> (one,) = measure_left_out_sizes({"N": [4, 16, 64]}, [[0.5, 0.75, 0.75], [0.5, 0.75, 0.75]])
        >>> one.numbers, round(one.error, 6), round(one.usual, 4)
        ({'N': 16}, -0.125, 0.0595)
    """
    columns = {name: np.asarray(column, dtype=np.int64) for name, column in numbers.items()}
    means = np.asarray(accuracy, dtype=float).mean(axis=0)
    found = []
    for chain in _list_chains(columns):
        for low, at, high in zip(chain, chain[1:], chain[2:], strict=False):
            sizes = columns[SIZE][[low, at, high]]
            share = np.log(sizes[1] / sizes[0]) / np.log(sizes[2] / sizes[0])
            error = float((1 - share) * means[low] + share * means[high] - means[at])
            usual = compute_usual_error(sizes[1], sizes[0], sizes[2])
            found.append(LeftOutSize({name: int(column[at]) for name, column in columns.items()}, error, usual))
    return found


def compute_error_scale(left_out: Sequence[LeftOutSize]) -> float:
    """Compute how large the interpolation's errors are, as a multiple of `compute_usual_error`.

    It is the root mean square of error / usual over the sizes that were left out, where the prior, whose scale is 1,
    counts as three more. These errors include the chance of the measured means, so that the scale is rather too large.

    Args:
        left_out: sizes of any number of searches; without any the scale is 1.

    Example:
        >>> round(compute_error_scale([LeftOutSize({"N": 16}, 0.0, 0.06)]) ** 2, 9)
        0.75
    """
    squares = [(each.error / each.usual) ** 2 for each in left_out]
    return float(np.sqrt((_PRIOR_SIZES + sum(squares)) / (_PRIOR_SIZES + len(squares))))


def build_sized_options(
    accuracy: ArrayLike, cost: ArrayLike, numbers: Mapping[str, ArrayLike], strategy: str, scale: float = 1.0
) -> AllocationOptions:
    """Build the options of a search: its measured allocations, see `build_listed_options`, and the sizes in between.

    Args:
        accuracy: (P, A) accuracy of each problem under each allocation that was run.
        cost: (A,) in x, > 0.
        numbers: parameters of the allocations, (A,) integers by name.
        strategy: name of the strategy.
        scale: from `compute_error_scale`.

    Raises:
        DataError: costs that are not positive, or arguments for different numbers of allocations.

    Example:
        >>> beam = build_sized_options([[0.5, 0.7]], [10.0, 40.0], {"N": [4, 16]}, "beam")
        >>> beam.grid.cost.round(9), beam.is_interpolated, beam.label_allocation(1)
        (array([10., 20., 40.]), array([False,  True, False]), 'N=8 (interpolated)')
        >>> beam.compute_accuracies(np.array([1]))
        array([[0.6]])
    """
    table = build_listed_options(accuracy, cost, numbers, strategy)
    between = list_sizes_between(table.grid.numbers)
    if not between.weights.shape[1]:
        return table
    run = table.grid
    prices = np.concatenate([run.cost, interpolate_amounts(run.cost, between.weights)])
    order = np.argsort(prices, kind="stable")  # at equal cost what was run comes first
    columns = {name: np.concatenate([run.numbers[name], between.numbers[name]])[order] for name in run.numbers}
    weights = np.concatenate([run.weights, between.weights], axis=1)[:, order]
    errors = np.zeros(len(run.cost) + between.weights.shape[1])
    for at, column in enumerate(between.weights.T, len(run.cost)):
        low, high = np.sort(run.numbers[SIZE][column > 0])
        errors[at] = scale * compute_usual_error(between.numbers[SIZE][at - len(run.cost)], low, high)
    grid = AllocationGrid(columns, prices[order], weights)
    return AllocationOptions(strategy, table.accuracy, grid, interpolation_error=errors[order])


def _list_chains(columns: Mapping[str, Ints]) -> list[Ints]:
    """Return the allocations that differ in their size alone, each chain in order of size; none without a size."""
    if SIZE not in columns:
        return []
    others = [column for name, column in columns.items() if name != SIZE]
    chains: dict[tuple[int, ...], list[int]] = {}
    for at in range(len(columns[SIZE])):
        chains.setdefault(tuple(int(column[at]) for column in others), []).append(at)
    return [np.array(sorted(chain, key=lambda at: columns[SIZE][at]), dtype=np.int64) for chain in chains.values()]


def _list_doublings(low: int, high: int) -> list[int]:
    """Return the doublings of a size below another."""
    sizes = []
    while (low := 2 * int(low)) < high:
        sizes.append(low)
    return sizes
