"""Ties between accuracies, which go to the cheapest option."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

TIE_TOLERANCE = 1e-5
"""Mean accuracies closer than this are tied; profiles round to it."""


def find_ties(accuracy: ArrayLike, error: ArrayLike = 0.0) -> NDArray[np.bool_]:
    """Find which of n accuracies tie with the highest, within `TIE_TOLERANCE` plus the Monte Carlo error of both.

    Args:
        accuracy: (n, …); NaN never ties.
        error: (n, …) or broadcastable: the Monte Carlo standard error of each; 0 if it is exact.

    Returns:
        (n, …) booleans; all False where every accuracy is NaN.

    Example:
        >>> find_ties([0.70, 0.705, 0.70], error=[0.0, 0.01, 0.0])
        array([ True,  True,  True])
        >>> find_ties([0.70, 0.705, 0.70])
        array([False,  True, False])
    """
    values = np.asarray(accuracy, dtype=float)
    known = np.where(np.isnan(values), -np.inf, values)
    errors = np.broadcast_to(np.asarray(error, dtype=float), values.shape)
    leader = known.argmax(axis=0)[None]
    top, own = np.take_along_axis(known, leader, axis=0), np.take_along_axis(errors, leader, axis=0)
    with np.errstate(invalid="ignore"):  # -inf - (-inf) where every accuracy is NaN
        behind = top - known
    same = behind <= TIE_TOLERANCE + np.hypot(errors, own)
    np.put_along_axis(same, leader, np.isfinite(top), axis=0)
    return np.asarray(same & np.isfinite(known))


def choose_cheapest(accuracy: ArrayLike, cost: ArrayLike, error: ArrayLike = 0.0) -> NDArray[np.int64]:
    """Return the index of the best of n accuracies; ties go to the cheapest, then to the highest, then to the first.

    Args:
        accuracy: (n, …).
        cost: (n, …) or broadcastable, in x.
        error: as for `find_ties`.

    Returns:
        (…) indices; 0 where every accuracy is NaN.

    Example:
        >>> choose_cheapest([[0.7], [0.700001], [0.6]], [[4.0], [9.0], [1.0]])
        array([0])
    """
    ties = find_ties(accuracy, error)
    costs = np.where(ties, np.broadcast_to(np.asarray(cost, dtype=float), ties.shape), np.inf)
    values = np.where(costs == costs.min(axis=0), np.asarray(accuracy, dtype=float), -np.inf)
    return np.asarray(np.where(np.isnan(values), -np.inf, values).argmax(axis=0))
