"""Compiled value of a rule that stops at random, and its slope in the weights."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from isocompute.fits.arrays import Floats


@njit(cache=True)
def _compute_order_value(
    features: Floats, right: Floats, cost: Floats, weights: Floats, price: float, softness: float, goes_on: Floats,
    after: Floats, slope: Floats,
) -> float:  # fmt: skip
    """Return the value of one order, and add its slope."""
    looks = len(right)
    value: float = right[-1] - price * cost[-1]
    for i in range(looks - 2, -1, -1):
        gap = (np.sum(weights * features[i]) - np.log(price)) / softness
        goes_on[i] = 1 / (1 + np.exp(-gap))
        after[i] = value
        value = goes_on[i] * value + (1 - goes_on[i]) * (right[i] - price * cost[i])
    reached = 1.0
    for i in range(looks - 1):
        gain = after[i] - (right[i] - price * cost[i])
        factor = reached * goes_on[i] * (1 - goes_on[i]) / softness * gain
        for c in range(len(slope)):
            slope[c] += factor * features[i, c]
        reached *= goes_on[i]
    return value


@njit(cache=True, parallel=True)
def compute_order_values(
    features: Floats, right: Floats, cost: Floats, weights: Floats, prices: Floats, softness: float, values: Floats,
    slopes: Floats,
) -> None:  # fmt: skip
    """Fill the value of each order, summed over prices: P(right) minus price times compute where it stops.

    At look i the rule goes on with probability 1/(1 + exp(-(weights · features - log price)/softness)), and it stops at
    the last look.

    Args:
        features: (n, L, D) at each look.
        right: (n, L) what stopping at a look gives.
        cost: (n, L) what it costs.
        weights: (D,).
        prices: (T,), > 0.
        softness: > 0; the smaller, the more like the rule that goes on where weights · features ≥ log price.
        values: (n,) to fill.
        slopes: (n, D) to fill: the slopes of the values in the weights.
    """
    looks = right.shape[1]
    for i in prange(len(right)):
        _sum_order_values(
            features[i], right[i], cost[i], weights, prices, softness, np.empty(looks), np.empty(looks), values[i:],
            slopes[i],
        )  # fmt: skip


@njit(cache=True)
def _sum_order_values(
    features: Floats, right: Floats, cost: Floats, weights: Floats, prices: Floats, softness: float, goes_on: Floats,
    after: Floats, values: Floats, slope: Floats,
) -> None:  # fmt: skip
    slope[:] = 0.0
    values[0] = 0.0
    for price in prices:
        values[0] += _compute_order_value(features, right, cost, weights, price, softness, goes_on, after, slope)
