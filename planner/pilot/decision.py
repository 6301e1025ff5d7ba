"""The decision at a budget: the regret to expect of it now, and after further measurements (value of information).

The accuracies θ are normal, given what was measured. The decision takes the allocation that is recommended from their
expectations m, so its expected regret is E[max θ] - m of the recommended one. A further measurement moves the
expectations by a normal amount, to m', whose covariance is that of θ now minus that of θ afterwards. It is worth
E[max m'] - max m (preposterior analysis, Raiffa & Schlaifer 1961), and lowers the expected regret by that. The rest of
the regret is what is still unknown, and what the rule gives up on purpose within the equivalence margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from isocompute.errors import BudgetError
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.posterior import AccuracyPosterior
from isocompute.fits.choice.recommendation import EQUIVALENCE_MARGIN, choose_recommendations
from isocompute.fits.choice.selectors import find_uninformed_tables
from isocompute.planner.budget import format_compute

DECISION_DRAWS = 2000
"""Draws of the accuracies, and of the expectations after a measurement; the same for all measurements."""
DECISION_SEED = 1612
SMALLEST_GAIN = 0.0005
"""Rows that reduce the expected regret by less are not worth adding: a twentieth of a point."""


@dataclass(frozen=True, eq=False)
class Decision:
    """The affordable allocations at one budget, with their expectations.

    Args:
        posterior: the joint distribution of the accuracies.
        strategies: name of each strategy that the budget pays for.
        table: (A,) the index of each allocation's strategy among them.
        numbers: (A, 2) S and V of each allocation; V is 0 without verifications.
        cost: (A,) in x.
        mean: (A,) expected accuracy.
        loadings: (A, d) loadings on the directions of the posterior.
        rest: (A, r) loadings on the rest of the posterior, which no further measurement is expected to tell.
        missed: (A,) standard deviation of what an allocation that was not run may lie off its interpolation; 0 where it
            was run.
        chosen: index of the allocation that is recommended.
        recommended: that allocation in words, such as ``sc S=8``.
    """

    posterior: AccuracyPosterior
    strategies: tuple[str, ...]
    table: np.ndarray
    numbers: np.ndarray
    cost: Floats
    mean: Floats
    loadings: Floats
    rest: Floats
    missed: Floats
    chosen: int
    recommended: str

    @cached_property
    def drawn_accuracies(self) -> Floats:
        """(n, A) draws of the accuracies of the allocations, up to a common level."""
        normal = np.random.default_rng((DECISION_SEED, 1)).standard_normal((DECISION_DRAWS, self.rest.shape[1]))
        drawn = self.mean + self._draw(self.posterior.covariance) + normal @ self.rest.T
        for at in np.flatnonzero(self.missed):
            rng = np.random.default_rng((DECISION_SEED, 2, int(at)))
            drawn[:, at] += self.missed[at] * rng.standard_normal(DECISION_DRAWS)
        return np.asarray(drawn)

    def compute_regret(self) -> float:
        """Return the expected regret of what is recommended now."""
        drawn = self.drawn_accuracies
        return float((drawn.max(axis=1) - drawn[:, self.chosen]).mean())

    def compute_regret_after(self, chance: Floats) -> float:
        """Return the expected regret of what is recommended after a further measurement.

        Args:
            chance: (d, d) covariance of the measured means around the accuracies, the new measurement included.
        """
        prior = self.posterior.expected_spread
        left = prior - prior @ np.linalg.solve(prior + chance, prior)
        expectations = self.mean + self._draw(self.posterior.covariance - left)
        gained = float(expectations.max(axis=1).mean() - self.mean.max())
        return max(self.compute_regret() - max(gained, 0.0), 0.0)

    def compute_gain_of_running(self, at: int) -> float:
        """Return how much lower the expected regret is once an allocation was run instead of interpolated.

        Running it moves its expectation m by a normal amount with the standard deviation `missed`, s. With the best
        other expectation M and d = |M - m| / s, the highest expectation rises by s (φ(d) - d Φ(-d)) on average, the
        knowledge gradient (Frazier, Powell & Dayanik 2008). What the run tells of other allocations is left out.

        Args:
            at: index of the allocation; the gain is 0 if it was run.
        """
        spread = float(self.missed[at])
        if not spread or len(self.mean) < 2:
            return 0.0
        apart = abs(float(np.delete(self.mean, at).max() - self.mean[at])) / spread
        density = np.exp(-(apart**2) / 2) / np.sqrt(2 * np.pi)
        return spread * float(density - apart * ndtr(-apart))

    def compute_gain_of_repeating(self, strategy: str, cost: float, less: float) -> float:
        """Return how much lower the expected regret is once more seeds of an allocation were run.

        Args:
            strategy: its strategy.
            cost: its cost, in x.
            less: by how much the variance of its measured mean over problems falls.
        """
        index = next(i for i, table in enumerate(self.posterior.tables) if table.strategy == strategy)
        grid = self.posterior.tables[index].grid
        start = sum(len(table.grid.knots) for table in self.posterior.tables[:index])
        knot = int(np.argmin(np.abs(grid.cost[grid.knots] - cost)))
        direction = self.posterior.projection[start + knot]
        values, vectors = np.linalg.eigh(self.posterior.chance - less * np.outer(direction, direction))
        chance = vectors * np.clip(values, 1e-12, None) @ vectors.T
        return max(self.compute_regret_after(self.posterior.chance) - self.compute_regret_after(chance), 0.0)

    def find_allocation(self, strategy: str, cost: float) -> int:
        """Return the index of a strategy's allocation with a cost; of several, the one that was not run."""
        own = np.flatnonzero((self.table == self.strategies.index(strategy)) & (self.cost == cost))
        return int(own[np.argmax(self.missed[own])])

    def compute_near_best(self, kept: np.ndarray) -> float:
        """Return the probability that one of some allocations is within the equivalence margin of the best.

        Args:
            kept: (A,) which allocations.
        """
        if not kept.any():
            return 0.0
        drawn = self.drawn_accuracies
        return float((drawn[:, kept].max(axis=1) >= drawn.max(axis=1) - EQUIVALENCE_MARGIN).mean())

    def _draw(self, covariance: Floats) -> Floats:
        values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
        root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T  # symmetric, so that draws change smoothly
        normal = np.random.default_rng(DECISION_SEED).standard_normal((DECISION_DRAWS, len(root)))
        return np.asarray(normal @ root @ self.loadings.T)


def build_decision(posterior: AccuracyPosterior, budget: float, clusters: ArrayLike | None = None) -> Decision:
    """Return the decision at a budget.

    Args:
        posterior: the joint distribution of the accuracies.
        budget: in x.
        clusters: (P,) label of each problem's cluster; None if each problem is its own.

    Raises:
        BudgetError: it pays for no allocation.
    """
    expected = posterior.compute_expected_accuracies()
    uninformed = find_uninformed_tables(posterior.tables, clusters)
    (found,) = choose_recommendations(posterior.tables, expected, [budget], uninformed=uninformed)
    if found is None:
        raise BudgetError(f"A budget of {format_compute(budget)} pays for no measured allocation.")
    strategies: list[str] = []
    columns: list[tuple[np.ndarray, ...]] = []
    start = chosen = listed = 0
    for index, table in enumerate(posterior.tables):
        grid = table.grid
        block = slice(start, start := start + len(grid.knots))
        paid = np.flatnonzero(grid.cost <= budget * (1 + 1e-12))
        if not len(paid):
            continue
        if index == found.best.table:
            # Allocations are in order of cost, so that those that the budget pays for come first.
            chosen = listed + found.best.allocation
        listed += len(paid)
        weights = grid.weights[:, paid]
        numbers = [grid.numbers[name][paid] if name in grid.numbers else np.zeros(len(paid), int) for name in "SV"]
        columns.append(
            (
                np.full(len(paid), len(strategies)),
                np.stack(numbers, axis=1),
                grid.cost[paid],
                posterior.mean[block] @ weights,
                weights.T @ posterior.loadings[block],
                weights.T @ posterior.rest[block],
                np.zeros(len(paid)) if table.interpolation_error is None else table.interpolation_error[paid],
            )
        )
        strategies.append(table.strategy)
    parts = (np.concatenate(part) for part in zip(*columns, strict=True))
    index_of, numbers_of, cost, mean, loadings, rest, missed = parts
    best = posterior.tables[found.best.table]
    recommended = f"{best.strategy} {best.label_allocation(found.best.allocation)}"
    return Decision(
        posterior, tuple(strategies), index_of, numbers_of, cost, mean, loadings, rest, missed, chosen, recommended
    )


def average_regret(posterior: AccuracyPosterior, budgets: Sequence[float]) -> float:
    """Return the mean expected regret of the decisions at some budgets."""
    return float(np.mean([build_decision(posterior, budget).compute_regret() for budget in budgets]))
