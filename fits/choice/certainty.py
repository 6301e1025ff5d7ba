"""Intervals of differences between allocations, and the probability that one is the best."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.special import stdtrit

from isocompute.fits.arrays import Floats
from isocompute.fits.choice.posterior import AccuracyPosterior
from isocompute.fits.choice.recommendation import ChosenAllocation

DRAWS = 10_000
"""The number of draws from which the probability of being best is computed; its error is at most half a percent."""
SEED = 128


def enclose_differences(
    posterior: AccuracyPosterior,
    rows: Sequence[ChosenAllocation],
    first: int,
    level: float = 0.95,
    added: Floats | None = None,
) -> list[tuple[float, float]]:
    """Return the interval of one allocation's accuracy minus that of each.

    Args:
        posterior: the expected accuracies.
        rows: the allocations.
        first: index of the one.
        level: probability that an interval holds, in (0, 1).
        added: (m, m) what the errors of costs add to the covariance, see `compute_shift_covariance`; None for nothing.
    """
    covariance = _compute_covariance(posterior, rows, added)
    variance = covariance[first, first] + covariance.diagonal() - 2 * covariance[first]
    reach = stdtrit(posterior.freedom, (1 + level) / 2) * np.sqrt(np.maximum(variance, 0))
    difference = np.array([rows[first].accuracy - row.accuracy for row in rows])
    return list(zip((difference - reach).tolist(), (difference + reach).tolist(), strict=True))


def compute_best_probabilities(
    posterior: AccuracyPosterior, rows: Sequence[ChosenAllocation], margin: float, added: Floats | None = None
) -> list[float]:
    """Return for each allocation the probability that no other is better by more than the margin.

    Those within the margin of the best are all best, so these probabilities may add up to more than 1.

    Args:
        posterior: the expected accuracies.
        rows: the allocations.
        margin: difference in accuracy.
        added: as in `enclose_differences`.
    """
    covariance = _compute_covariance(posterior, rows, added)
    drawn = np.array([row.accuracy for row in rows]) + _draw_noise(len(rows)) @ _find_root(covariance)
    by_row = np.ascontiguousarray(drawn.T)  # sums along long rows are several times as fast
    behind = by_row.max(axis=0) - by_row
    return [float(share) for share in (behind <= margin).mean(axis=1)]


@cache
def _draw_noise(count: int) -> Floats:
    """Draw (`DRAWS`, count) standard normal numbers, the same each time."""
    return np.random.default_rng(SEED).standard_normal((DRAWS, count))


def _compute_covariance(posterior: AccuracyPosterior, rows: Sequence[ChosenAllocation], added: Floats | None) -> Floats:
    """Return (m, m) the covariance of allocations up to a common level, with what errors of costs add."""
    covariance = posterior.compute_covariance([(row.table, row.allocation) for row in rows])
    return covariance if added is None else covariance + added


def _find_root(covariance: Floats) -> Floats:
    """Return the symmetric root of a covariance, which may be singular, or slightly indefinite."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T)
