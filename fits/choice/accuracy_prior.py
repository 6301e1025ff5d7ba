"""The prior: means and covariances of the accuracies of strategies over many simulated worlds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.allocation_grid import AllocationGrid, compute_knot_weights
from isocompute.fits.choice.options import AllocationOptions

SIMULATED_SPREAD = 0.01
"""Spread over tasks of what the worlds do not have of a strategy that was simulated."""
SIMULATED_PROBLEM_SPREAD = 0.03
"""The same over the problems of a task."""
UNSIMULATED_SPREAD = 0.15
"""Spread over tasks of the accuracy of a strategy that was not simulated, about that of SC at the same compute. Chosen
by pilots of the lab's runs, see docs/leads.md."""
UNSIMULATED_PROBLEM_SPREAD = 0.35
"""The same over the problems of a task; about the spread of a strategy's lead over another in the worlds."""
SURPRISE_REACH = 2.0
"""Doublings of S or V over which a surprise stays correlated."""
_LEAST = 0.1  # size of a surprise at one solution


@dataclass(frozen=True, eq=False)
class PriorPart:
    """One strategy of a prior.

    Args:
        solutions: (nS,) the knots S.
        verifications: (nV,) the knots V; empty for a strategy without verifications.
        mean: (K,) mean accuracy over worlds at each knot, S-major.
        between: (K, R) factor B: B Bᵀ is the covariance over worlds of the accuracies, within and across strategies.
        within: (K, Q) factor W: W Wᵀ is the covariance over the problems of a world, the mean over worlds.
    """

    solutions: Floats
    verifications: Floats
    mean: Floats
    between: Floats
    within: Floats


@dataclass(frozen=True, eq=False)
class PlacedPrior:
    """A prior at the n knots of some tables.

    Args:
        mean: (n,) expected accuracies, up to a common level.
        between: (n, n) covariance over tasks.
        within: (n, n) covariance over the problems of a task.
        surprise: (n, n) the part of `between` that is of strategies that were not simulated; None if all were.
    """

    mean: Floats
    between: Floats
    within: Floats
    surprise: Floats | None


@dataclass(frozen=True, eq=False)
class AccuracyPrior:
    """The distribution of accuracies over worlds, by strategy.

    Args:
        parts: strategy → its part; ``sc`` must be there.

    Raises:
        DataError: no ``sc``, or parts whose shapes do not match.
    """

    parts: Mapping[str, PriorPart]

    def __post_init__(self) -> None:
        if "sc" not in self.parts:
            raise DataError("a prior of accuracies must hold 'sc'.")
        ranks = {(part.between.shape[1], part.within.shape[1]) for part in self.parts.values()}
        sizes = {
            name: len(part.solutions) * max(len(part.verifications), 1) == len(part.mean)
            for name, part in self.parts.items()
        }
        if len(ranks) > 1 or not all(sizes.values()):
            raise DataError("the parts of a prior of accuracies do not match in shape.")

    def place(self, tables: Sequence[AllocationOptions]) -> PlacedPrior:
        """Interpolate the prior to the knots of some tables, one after the other.

        Between its knots the prior is interpolated linearly in log S and log V; beyond them it keeps its last value. A
        strategy that it does not know is expected to do as SC at the same compute, give or take `UNSIMULATED_SPREAD`.

        Example:
            >>> from isocompute.fits.choice.options import build_voting_options
            >>> flat = PriorPart(np.array([1.0, 4.0]), np.array([]), np.array([0.4, 0.6]), np.eye(2), np.eye(2))
            >>> AccuracyPrior({"sc": flat}).place([build_voting_options([[0.5, 0.5, 0.5]], [1, 2, 4])]).mean
            array([0.4, 0.5, 0.6])
        """
        rows = [self._interpolate(table) for table in tables]
        mean, between, within = (np.concatenate(column) for column in zip(*rows, strict=True))
        covariances = [between @ between.T, within @ within.T]
        surprise, start = np.zeros_like(covariances[0]), 0
        for table, (expected, _, _) in zip(tables, rows, strict=True):
            block = slice(start, start + len(expected))
            kernel = _compute_kernel(table.grid)
            covariances[0][block, block] += SIMULATED_SPREAD**2 * kernel
            covariances[1][block, block] += SIMULATED_PROBLEM_SPREAD**2 * kernel
            if table.strategy not in self.parts:
                surprise[block, block] = UNSIMULATED_SPREAD**2 * kernel
                covariances[1][block, block] += UNSIMULATED_PROBLEM_SPREAD**2 * kernel
            start += len(expected)
        known = all(table.strategy in self.parts for table in tables)
        return PlacedPrior(mean, covariances[0] + surprise, covariances[1], None if known else surprise)

    def _interpolate(self, table: AllocationOptions) -> tuple[Floats, Floats, Floats]:
        """Return mean (n,) and factors (n, R) and (n, Q) at the knots of one table."""
        part, weights = self.compute_part_weights(table)
        return weights @ part.mean, weights @ part.between, weights @ part.within

    def compute_part_weights(self, table: AllocationOptions) -> tuple[PriorPart, Floats]:
        """Return the part that stands for a table's strategy, and (n, K) weights of its knots at those of the table."""
        part, grid = self.parts.get(table.strategy, self.parts["sc"]), table.grid
        if table.strategy in self.parts and "S" in grid.numbers:
            sizes = grid.numbers["S"][grid.knots].astype(float)
        else:
            sizes = np.maximum(grid.cost[grid.knots], 1.0)
        weights = compute_knot_weights(np.clip(sizes, part.solutions[0], part.solutions[-1]), part.solutions, "S")
        if len(part.verifications):
            given = grid.numbers["V"][grid.knots].astype(float)
            inside = np.clip(given, part.verifications[0], part.verifications[-1])
            by_v = compute_knot_weights(inside, part.verifications, "V")
            weights = (weights[:, :, None] * by_v[:, None, :]).reshape(len(weights), -1)
        return part, weights


def _compute_kernel(grid: AllocationGrid) -> Floats:
    """Return the covariance of a strategy's surprises at pairs of its knots, (n, n), up to a factor.

    The correlation falls with the distance. One solution leaves no choice, so that surprises are small there.
    """
    columns = [grid.numbers[name].astype(float) for name in ("S", "V") if name in grid.numbers] or [grid.cost]
    doublings = np.log2(np.stack([column[grid.knots] for column in columns]))
    apart = ((doublings[:, :, None] - doublings[:, None, :]) / SURPRISE_REACH) ** 2
    size = np.clip(doublings[0], _LEAST, 1.0)
    return np.asarray(np.exp(-apart.sum(axis=0) / 2) * size[:, None] * size)
