"""Subsets of S out of N: checks of their sizes, order statistics, and binomials that do not overflow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError

# A size has a probability of at least exp(-600) under its tilt. That is far above the smallest double (exp(-708)),
# so nothing that matters underflows.
_MAX_TILT_DEPTH = 600.0


def check_subset_sizes(values: ArrayLike, limit: int, name: str, limit_name: str) -> NDArray[np.int64]:
    """Check requested subset sizes: a non-empty sequence of integers between 1 and `limit`.

    Args:
        values: the sizes, in any order, repeats allowed.
        limit: the largest size that can be drawn.
        name: the argument's name in the message, "S" or "V".
        limit_name: what `limit` counts, for the message.

    Raises:
        DataError: no sizes, sizes that are not integers, or a size out of range.

    Example:
        >>> check_subset_sizes([1, 2, 4], 4, "S", "solutions in the pool")
        array([1, 2, 4])
    """
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise DataError(f"{name} must be a non-empty sequence of sizes; got an array of shape {array.shape}.")
    if array.dtype.kind not in "iu":
        raise DataError(f"{name} must hold integers; got {values!r}.")
    outside = array[(array < 1) | (array > limit)]
    if outside.size:
        raise DataError(f"{name} must lie between 1 and {limit}, the {limit_name}; got {outside[0]}.")
    return array.astype(np.int64)


def compute_rank_probabilities(n: int, S: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compute the probability that the best of a random S-subset of n is the i-th worst: C(i-1, S-1) / C(n, S).

    Args:
        n: size of the pool.
        S: (nS,) subset sizes in 1..n.

    Returns:
        (nS, n) probabilities for i = 1..n; each row sums to 1.

    Example:
        >>> compute_rank_probabilities(3, np.array([2]))  # of the pairs of 3, the worst is never the best of its pair
        array([[0.        , 0.33333333, 0.66666667]])
    """
    rank = np.arange(n, 1, -1)  # from rank i to rank i - 1 the probability shrinks by (i - S) / (i - 1)
    shrink = np.clip(rank - S[:, None], 0, None) / (rank - 1)
    falling = np.cumprod(np.concatenate([S[:, None] / n, shrink], axis=1), axis=1)
    return np.ascontiguousarray(falling[:, ::-1])


def group_subset_sizes(
    n: int, S: NDArray[np.int64], deepest: float = _MAX_TILT_DEPTH
) -> Iterator[tuple[float, NDArray[np.int64]]]:
    """Group subset sizes so that each group can be computed under one Bernoulli tilt q.

    A sum over S-subsets of n is the coefficient of z^S in a product of n linear factors, which overflows from
    n ≈ 1000 on. Replacing 1 + w·z by (1-q) + q·w·z multiplies every coefficient by q^S (1-q)^(n-S), which makes it
    a probability; the factor cancels in the ratio to C(n, S). One q serves all sizes whose probability under
    Binomial(n, q) is at least about exp(-deepest) of the largest.

    Args:
        n: size of the pool.
        S: (nS,) subset sizes in 1..n.
        deepest: negative logarithm of the smallest allowed probability; 600 by default, near the limit of doubles.

    Yields:
        q, and the positions in S of the sizes it serves. By default there is one group up to n = 800.

    Example:
        >>> [positions.tolist() for q, positions in group_subset_sizes(64, np.array([1, 32, 64]))]
        [[0, 1, 2]]
    """
    order = np.argsort(S, kind="stable")
    while order.size:
        high = int(S[order[-1]])
        first = next(
            i
            for i, low in enumerate(S[order])
            if _measure_tilt_depth(n, int(low), _find_tilt(n, int(low), high)) < deepest
        )
        yield _find_tilt(n, int(S[order[first]]), high), order[first:]
        order = order[:first]


def compute_binomials(n: int, k: int, q: float) -> NDArray[np.float64]:
    """Compute Pascal's triangle under a tilt: the Binomial(i, q) probabilities C(i, j) q^j (1-q)^(i-j).

    Args:
        n: last row.
        k: last column.
        q: the tilt, in (0, 1).

    Returns:
        (n+1, k+1) probabilities; 0 where j > i.

    Example:
        >>> compute_binomials(2, 2, 0.5)[2]
        array([0.25, 0.5 , 0.25])
    """
    table = np.zeros((n + 1, k + 1))
    table[0, 0] = 1.0
    for i in range(1, n + 1):
        table[i] = (1 - q) * table[i - 1]
        table[i, 1:] += q * table[i - 1, :-1]
    return table


def _compute_entropy(n: int, s: int) -> float:
    return float(sum(x * np.log(x / n) for x in (s, n - s) if x))


def _find_tilt(n: int, low: int, high: int) -> float:
    """Return the q under which the sizes low and high are equally unlikely in Binomial(n, q)."""
    if low == high:
        return (low + 0.5) / (n + 1)
    return float(1 / (1 + np.exp((_compute_entropy(n, low) - _compute_entropy(n, high)) / (high - low))))


def _measure_tilt_depth(n: int, s: int, q: float) -> float:
    """Return n·KL(s/n ‖ q), about the negative logarithm of the probability of s under Binomial(n, q)."""
    return float(_compute_entropy(n, s) - s * np.log(q) - (n - s) * np.log1p(-q))
