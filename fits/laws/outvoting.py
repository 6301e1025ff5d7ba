"""The probability that the right answer outvotes its strongest rival in a majority vote."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isocompute.fits.arrays import Floats

LARGEST_EXACT_VOTE = 256
"""The largest S at which votes are counted exactly; beyond, the lead of the right answer is taken as normal."""


def compute_win_probability(p: ArrayLike, r: ArrayLike, S: int) -> Floats:
    """Probability that the right answer gets the most of S votes, ties uniform.

    A vote is for the right answer with probability p, for the rival with (1-p) r, and else for an answer that no other
    vote has. The right answer wins if it is ahead of its rival, and half the time if they tie; where neither is given
    twice, all S answers differ, and each wins with probability 1/S. Exact up to S = 256. Beyond, the right answer's
    lead in votes is taken as normal.

    Args:
        p: of the right answer, in (0, 1).
        r: the rival's share of what is not right, in [0, 1]; broadcast against p.
        S: ≥ 1 votes.

    Returns:
        Probabilities in the broadcast shape of p and r.

    Example:
        >>> compute_win_probability([0.6, 0.6, 0.6], [0.0, 0.5, 1.0], 3).round(3)
        array([0.744, 0.72 , 0.648])
    """
    p, r = (np.asarray(share, dtype=float) for share in (p, r))
    rest = (1 - p) * (1 - r)
    ahead = _compute_exact_wins(p, r, S) if S <= LARGEST_EXACT_VOTE else _compute_normal_wins(p, r, S)
    alone = S * p * rest ** (S - 1)  # one vote for the right answer, none for its rival: one of S that tie, not ahead
    both = S * (S - 1) * p * (1 - p) * r * rest ** max(S - 2, 0)  # one vote each: two of S that tie
    return np.asarray(ahead - rest**S / 2 - alone * (1 - 1 / S) - both * (1 / 2 - 1 / S))


def _compute_exact_wins(p: Floats, r: Floats, S: int) -> Floats:
    """P(X > Y) + P(X = Y)/2 of X votes for the right answer and Y for its rival.

    Of T = X + Y ~ Binomial(S, q) votes each is right with probability x = p/q. The majority of 2m + 1 of them is
    right with probability M_m = M_{m-1} + (2x - 1) C(2m-1, m) (x(1-x))^m, M_0 = x; that of 2m + 2, ties at half, too.
    """
    from scipy.special import betaln, xlog1py, xlogy

    q = p + (1 - p) * r
    x = (p / q)[..., None]
    m = np.arange(1.0, (S + 1) // 2)
    ratio = np.where(m == 1, 1, 2 * (2 * m - 1) / m)
    gains = np.cumprod(x * (1 - x) * ratio, axis=-1)
    majority = np.cumsum(np.concatenate([x, (2 * x - 1) * gains], axis=-1), axis=-1)
    T = np.arange(1, S + 1)
    likely = np.exp(-np.log1p(S) - betaln(T + 1, S - T + 1) + xlogy(T, q[..., None]) + xlog1py(S - T, -q[..., None]))
    return np.asarray((likely * majority[..., (T + 1) // 2 - 1]).sum(axis=-1) + (1 - q) ** S / 2)


def _compute_normal_wins(p: Floats, r: Floats, S: int) -> Floats:
    from scipy.special import ndtr

    lead, variance = p - (1 - p) * r, p + (1 - p) * r - (p - (1 - p) * r) ** 2
    return np.asarray(ndtr(lead * np.sqrt(S / variance)))
