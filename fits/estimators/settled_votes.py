"""The probability that a vote is settled, one answer having a large share of it, and that this answer is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.estimators.needed_votes import count_needed_votes
from isocompute.fits.estimators.subsets import check_subset_sizes
from isocompute.fits.pool import Pool


def estimate_settled_votes(pool: Pool, S: ArrayLike, shares: Sequence[float]) -> tuple[Floats, Floats]:
    """Compute how often S solutions drawn without replacement settle their vote, and do so on the right answer.

    A vote is settled if an answer has more than half of the S votes and at least the given share. At most one answer
    does, so both are sums of hypergeometric tails over answers, and exact. A cascade gives an unsettled problem to a
    larger model.

    Args:
        pool: the sampled answers; an unparsed answer is a vote for nothing.
        S: (nS,) numbers of solutions, 1..N.
        shares: (nT,) shares of the votes, in (0, 1].

    Returns:
        settled, right: (P, nS, nT) probabilities that the vote is settled, and that it is settled on a right answer.

    Raises:
        DataError: S is out of range, or a share is.

    Example:
        >>> settled, right = estimate_settled_votes(Pool(answers=[[0, 0, 0, 1]], gold=[0]), S=[2], shares=[1.0])
        >>> settled.round(9).item(), right.round(9).item()  # three of the six pairs are both right
        (0.5, 0.5)
    """
    sizes = check_subset_sizes(S, pool.solutions, "S", "solutions in the pool")
    if not all(0 < share <= 1 for share in shares):
        raise DataError(f"the shares of votes must lie above 0 and up to 1; got {list(shares)}.")
    needed = count_needed_votes(sizes, shares)
    settled = np.zeros((pool.problems, *needed.shape))
    right = np.zeros_like(settled)
    tails = _compute_tails(pool.solutions, sizes, needed)
    golds = pool.gold.reshape(pool.problems, -1)
    for problem, answers in enumerate(pool.answers):
        codes, counts = np.unique(answers[answers >= 0], return_counts=True)
        if not len(codes):
            continue
        settled[problem] = tails[counts].sum(axis=0)
        right[problem] = tails[counts[np.isin(codes, golds[problem])]].sum(axis=0)
    return np.clip(settled, 0, 1), np.clip(right, 0, 1)


def _compute_tails(N: int, sizes: NDArray[np.int64], needed: NDArray[np.int64]) -> Floats:
    """Return (N + 1, nS, nT) the probability that an answer with n of N solutions has the needed votes of S.

    It is the sum over k ≥ m of C(n, k) C(N - n, S - k) / C(N, S), the hypergeometric tail.
    """
    log_factorial = gammaln(np.arange(N + 2) + 1.0)

    def choose(top: NDArray[np.int64], bottom: NDArray[np.int64]) -> Floats:
        inside = (bottom >= 0) & (bottom <= top)
        at = np.where(inside, bottom, 0)
        return np.where(inside, log_factorial[top] - log_factorial[at] - log_factorial[top - at], -np.inf)

    n = np.arange(N + 1)[:, None]
    tails = np.empty((N + 1, *needed.shape))
    for i, S in enumerate(sizes):
        k = np.arange(S + 1)[None]
        share = np.exp(choose(n, k) + choose(N - n, S - k) - choose(np.array([[N]]), np.array([[S]])))
        above = share[:, ::-1].cumsum(axis=1)[:, ::-1]
        tails[:, i] = above[:, needed[i]]
    return tails
