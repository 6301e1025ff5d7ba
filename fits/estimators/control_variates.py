"""Control variates: drawn shares are corrected by what the same draws miss of two votes that are known exactly."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.estimators.verification import estimate_genrm_vote
from isocompute.fits.estimators.voting import estimate_self_consistency
from isocompute.fits.pool import Pool

FEWEST_DRAWS = 32
"""With fewer draws the coefficients are too uncertain, and shares are not corrected."""

_NO_VARIANCE = 1e-12

_KNOWN: WeakKeyDictionary[Pool, dict[tuple[int, ...], Floats]] = WeakKeyDictionary()


def estimate_control_means(pool: Pool, S: Ints, V: Ints, has_levels: bool) -> Floats:
    """Compute the expectations of the two controls of `kernels_sampled.add_votes`.

    Args:
        pool: sampled answers with verdicts.
        S: (nS,) numbers of solutions, 1..K.
        V: (nV,) numbers of verifications per solution.
        has_levels: whether there is a second control, which needs verdicts 0, 1 or NaN.

    Returns:
        (2, P, nS, nV): self-consistency over the verified solutions, and `estimate_genrm_vote` or 0.
    """
    means = np.zeros((2, pool.problems, len(S), len(V)))
    known = _KNOWN.setdefault(pool, {})
    sizes = tuple(S.tolist())
    if sizes not in known:
        verified = Pool(pool.answers[:, : pool.verified_solutions], pool.gold)
        known[sizes] = estimate_self_consistency(verified, S)
    means[0] = known[sizes][:, :, None]
    if has_levels:
        means[1] = estimate_genrm_vote(pool, S, V)
    return means


def estimate_shares(votes: Floats, controls: Floats, means: Floats | None, draws: int) -> tuple[Floats, Floats]:
    """Estimate expected shares from sums over draws, corrected by the controls.

    Each half of the draws is corrected with coefficients b from the other half, mean(share) - b · (mean(control) -
    expectation), so that the estimate is unbiased. Without enough draws, or without variance of a control, b is 0.

    Args:
        votes: (P, 2, nS, nV, 4, W) sums over the even and over the odd draws, see `kernels_sampled.add_votes`.
        controls: (P, 2, nS, nV, 5) sums of the controls.
        means: (2, P, nS, nV) expectations of the controls; None if they are unknown, then b is 0.
        draws: number of draws, ≥ 2.

    Returns:
        shares, errors: (W, P, nS, nV) each.
    """
    if means is None or draws < FEWEST_DRAWS:
        total = np.moveaxis(votes.sum(axis=1), (3, 4), (0, 1))
        share = total[0] / draws
        variance = np.maximum(total[1] / draws - share**2, 0.0) * draws / (draws - 1)
        return share, np.sqrt(variance / draws)
    counts = [(draws + 1) // 2, draws // 2]
    halves = [_Moments(votes[:, h], controls[:, h], counts[h]) for h in range(2)]
    share, squared_error = np.zeros((2, votes.shape[-1], *means.shape[1:]))
    for h, own in enumerate(halves):
        first, second = halves[1 - h].fit_coefficients()
        part = counts[h] / draws
        share += part * (own.share - first * (own.control[0] - means[0]) - second * (own.control[1] - means[1]))
        squared_error += part**2 * np.maximum(own.compute_variance(first, second), 0.0) / (counts[h] - 1)
    return share, np.sqrt(squared_error)


class _Moments:
    """Means, variances and covariances of the shares under W rules and of the two controls, over n draws."""

    def __init__(self, votes: Floats, controls: Floats, n: int) -> None:
        self.share, square, with_first, with_second = np.moveaxis(votes / n, (3, 4), (0, 1))
        one, two, one_square, two_square, product = np.moveaxis(controls / n, 3, 0)
        self.control = np.stack([one, two])
        self.variance = square - self.share**2
        self.with_first, self.with_second = with_first - self.share * one, with_second - self.share * two
        self.first, self.second, self.both = one_square - one**2, two_square - two**2, product - one * two

    def fit_coefficients(self) -> tuple[Floats, Floats]:
        """Return the coefficients of the two controls, (W, P, nS, nV) each."""
        between = _divide(self.both, self.first)
        rest = self.second - between * self.both  # what the first control leaves of the second
        rest = np.where(rest > 1e-9 * self.second, rest, 0.0)
        second = _divide(self.with_second - between * self.with_first, rest)
        return _divide(self.with_first, self.first) - second * between, second

    def compute_variance(self, first: Floats, second: Floats) -> Floats:
        """Return the variance of shares that are corrected with these coefficients."""
        return np.asarray(
            self.variance
            + first**2 * self.first
            + second**2 * self.second
            + 2 * (first * second * self.both - first * self.with_first - second * self.with_second)
        )


def _divide(covariance: Floats, variance: Floats) -> Floats:
    """Return covariance / variance, and 0 where nothing varies."""
    varies = variance > _NO_VARIANCE
    return np.where(varies, covariance / np.where(varies, variance, 1.0), 0.0)
