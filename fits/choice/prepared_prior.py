"""A prior at the knots of some tables, and the directions in which accuracies are estimated there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from isocompute.fits.arrays import Floats
from isocompute.fits.choice.accuracy_prior import AccuracyPrior
from isocompute.fits.choice.options import AllocationOptions

DIRECTIONS = 24
"""The number of directions in which accuracies are estimated, chosen by regret on the worlds with even numbers."""
EXTRA_DIRECTIONS = 2
"""Further directions for each strategy that the prior does not know."""
_NEGLIGIBLE_SPREAD = 1e-6  # share of the largest below which tasks do not differ, and rounding errors decide
_NOISE = 0.1  # spread of noise that directions must rise above, so that small differences do not decide


@dataclass(frozen=True, eq=False)
class PreparedPrior:
    """A prior at the K knots of some tables, so that several measurements at these knots can be taken into account.

    Args:
        mean: (K,) expected accuracies, up to a common level.
        between: (K, K) covariance over tasks, without the level.
        within: (K, K) covariance over the problems of a task, without the level.
        projection: (K, d) the directions in which accuracies are estimated.
        surprise: (K, K) the part of `between` that is of strategies that were not simulated, without the level; None
            if all were.
    """

    mean: Floats
    between: Floats
    within: Floats
    projection: Floats
    surprise: Floats | None = None


def prepare_prior(tables: Sequence[AllocationOptions], prior: AccuracyPrior) -> PreparedPrior:
    """Place a prior at the knots of some tables and choose the directions; the problems' values do not matter."""
    placed = prior.place(tables)
    between, within = _subtract_means(placed.between), _subtract_means(placed.within)
    projection = _find_directions(between, within, _count_directions(tables, prior))
    surprise = None if placed.surprise is None else _subtract_means(placed.surprise)
    return PreparedPrior(placed.mean, between, within, projection, surprise)


def _subtract_means(covariance: Floats) -> Floats:
    """Return the covariance of accuracies minus their mean over all knots."""
    rows = covariance.mean(axis=0)
    return np.asarray(covariance - rows - rows[:, None] + rows.mean())


def _count_directions(tables: Sequence[AllocationOptions], prior: AccuracyPrior) -> int:
    return DIRECTIONS + EXTRA_DIRECTIONS * sum(table.strategy not in prior.parts for table in tables)


def _find_directions(between: Floats, within: Floats, count: int) -> Floats:
    """Return (K, r) directions in which tasks differ most in relation to chance."""
    noise = within + _NOISE**2 * np.eye(len(within))
    spreads, directions = eigh(between, noise)
    kept = spreads > _NEGLIGIBLE_SPREAD * spreads.max(initial=0.0)
    chosen = directions[:, kept][:, ::-1][:, : min(count, len(between) - 1)]
    return np.asarray(chosen - chosen.mean(axis=0))
