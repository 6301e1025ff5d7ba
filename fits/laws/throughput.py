"""Throughput of a machine that works on several requests at once: it grows with their number and saturates.

A request of t tokens beside n - 1 others takes t(a + bn) seconds: a is the time of a token when nothing else waits, b
what each request at work adds to it. The machine makes n / (a + bn) tokens a second, which saturates at 1 / b. By
Little's law (n = throughput · time in the machine) the two say the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats


@dataclass(frozen=True)
class ThroughputLaw:
    """Seconds of a token, a + bn, beside n - 1 other requests.

    Args:
        alone: a, seconds of a token that no number of requests can lower; 0 if the machine is always saturated.
        shared: b, seconds that each request at work adds to a token.
        lowest: the smallest number of requests at once that was measured.
        highest: the largest one.
        error: the largest relative difference between the law and a measured point.
    """

    alone: float
    shared: float
    lowest: float
    highest: float
    error: float

    def compute_token_seconds(self, concurrency: ArrayLike) -> Floats:
        """Compute the seconds of a token of a request beside n - 1 others, a + bn."""
        return np.asarray(self.alone + self.shared * np.asarray(concurrency, dtype=float))

    def compute_throughput(self, concurrency: ArrayLike) -> Floats:
        """Compute the tokens a second of n requests together, n / (a + bn)."""
        return np.asarray(concurrency, dtype=float) / self.compute_token_seconds(concurrency)

    def compute_batch_seconds(self, longest: ArrayLike, total: ArrayLike, others: ArrayLike = 0.0) -> Floats:
        """Compute the seconds until the last of some requests that start together is done.

        While k of them are at work, a token takes a + b(k + m). Those of t₁ ≤ … ≤ tₙ tokens end one after the other,
        and the sum of (tᵢ - tᵢ₋₁)(a + b(n - i + 1 + m)) is (a + bm)·tₙ + b·Σtᵢ.

        Args:
            longest: tₙ, tokens of the longest.
            total: Σtᵢ, tokens of all.
            others: m ≥ 0, other requests that are at work all the time.

        Example:
            >>> float(ThroughputLaw(0.02, 0.01, 1, 8, 0.0).compute_batch_seconds(100, 100 + 60))
            3.6
        """
        own = self.alone + self.shared * np.asarray(others, dtype=float)
        return np.asarray(own * np.asarray(longest, dtype=float) + self.shared * np.asarray(total, dtype=float))


def fit_throughput(concurrency: ArrayLike, token_seconds: ArrayLike, weights: ArrayLike | None = None) -> ThroughputLaw:
    """Fit a + bn to seconds of a token at several numbers of requests at once, with a, b ≥ 0.

    The weighted squares of relative differences are least.

    Args:
        concurrency: (k,) numbers of requests at once, > 0, at least two of them different.
        token_seconds: (k,) seconds of a token, > 0.
        weights: (k,) weights > 0, such as numbers of rows; equal if not given.

    Raises:
        DataError: fewer than two numbers of requests, or values that are not above zero.

    Example:
        >>> law = fit_throughput([1, 4, 16], [0.03, 0.06, 0.18])
        >>> round(law.alone, 6), round(law.shared, 6), law.compute_throughput([1, 1000]).round(1).tolist()
        (0.02, 0.01, [33.3, 99.8])
    """
    n, seconds = np.asarray(concurrency, dtype=float), np.asarray(token_seconds, dtype=float)
    weight = np.ones_like(n) if weights is None else np.asarray(weights, dtype=float)
    if n.ndim != 1 or not n.shape == seconds.shape == weight.shape or len(np.unique(n)) < 2:
        raise DataError("a throughput needs seconds at two or more numbers of requests at once.")
    if not all((np.isfinite(each) & (each > 0)).all() for each in (n, seconds, weight)):
        raise DataError("numbers of requests at once, seconds and weights must be above zero.")
    design = np.column_stack([1 / seconds, n / seconds]) * np.sqrt(weight)[:, None]
    alone, shared = _solve_least_squares(design, np.sqrt(weight))
    error = float(np.abs((alone + shared * n) / seconds - 1).max())
    return ThroughputLaw(alone, shared, float(n.min()), float(n.max()), error)


def _solve_least_squares(design: Floats, goal: Floats) -> tuple[float, float]:
    """Return the two numbers ≥ 0 with the least squares of design @ numbers - goal; 0 for the one below zero."""
    first, second = np.linalg.lstsq(design, goal, rcond=None)[0].tolist()
    if first < 0:
        return 0.0, float(design[:, 1] @ goal / (design[:, 1] @ design[:, 1]))
    if second < 0:
        return float(design[:, 0] @ goal / (design[:, 0] @ design[:, 0])), 0.0
    return first, second
