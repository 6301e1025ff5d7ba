"""SC's plateau: the number of solutions from which more votes add next to nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from isocompute.errors import DataError
from isocompute.fits.choice.allocation_grid import check_accuracies, check_knots
from isocompute.fits.groups import compute_cluster_values

PLATEAU_TOLERANCE = 0.005
"""Half a point of accuracy: SC has flattened where it is within this of its maximum."""
_FLOAT_TIE = 1e-9  # an accuracy that misses the threshold by less has reached it: 0.556 - 0.005 is not exactly 0.551
_STEPS_PER_OCTAVE = 64  # values of S that are tried for the ends of the interval, per doubling


def find_plateau(S: ArrayLike, curve: ArrayLike, tolerance: float = PLATEAU_TOLERANCE) -> NDArray[np.float64]:
    """Find the compute at which SC stops improving: the smallest S within `tolerance` of the curve's maximum.

    S is real: between the knots the curve is linear in log S. An accuracy that misses the threshold by less than 1e-9
    has reached it.

    Args:
        S: (nS,) the knots.
        curve: (…, nS) accuracies.
        tolerance: difference in accuracy; half a point by default.

    Returns:
        (…) values of S.

    Raises:
        DataError: knots and curve that do not match.

    Example:
        >>> float(find_plateau([1, 2, 4, 8], [0.4, 0.5, 0.56, 0.56]).round(2))
        3.78
        >>> float(find_plateau([64, 128], [0.551, 0.556]))
        64.0
    """
    at = check_knots(S, "S")
    values = check_accuracies(curve, (len(at),), "curve")
    threshold = values.max(axis=-1, keepdims=True) - tolerance
    reached = (values >= threshold - _FLOAT_TIE).argmax(axis=-1)[..., None]
    before = np.maximum(reached - 1, 0)
    low, high = (np.take_along_axis(values, index, -1) for index in (before, reached))
    rise = np.where(high > low, high - low, 1.0)
    share = np.where(reached > 0, np.clip((threshold - low) / rise, 0, 1), 1.0)
    log_S = np.log(at)
    found = np.exp(log_S[before] + share * (log_S[reached] - log_S[before]))
    return np.asarray(np.where(share == 1, at[reached], found)[..., 0], dtype=float)  # exp(log S) may differ from S


def find_plateau_interval(
    S: ArrayLike,
    curve: ArrayLike,
    tolerance: float = PLATEAU_TOLERANCE,
    level: float = 0.95,
    clusters: ArrayLike | None = None,
) -> tuple[float, float]:
    """Compute the interval of the plateau, from the first S that is possibly on it to the first that is surely on it.

    On the plateau, accuracy is within `tolerance` of the best. S is possibly on it if no other S is better by more than
    `tolerance` at the low end of their paired interval (Student's t over problems), and surely on it if no other S is
    at the high end. On a flat curve any S above may come out best by chance, so the miss that the low end allows is
    shared among the doublings above S (Bonferroni; S within a doubling move together). Values of S are tried in steps
    of about 1 %, with the plateau of the mean among them, so that the interval contains it. In simulations with 10 to
    100 problems the coverage is 97 to 100 %; without the sharing it falls to 91 % on curves that flatten early.

    Args:
        S: (nS,) the knots.
        curve: (P, nS) accuracy of each problem, P ≥ 2.
        tolerance: difference in accuracy.
        level: coverage probability, in (0, 1).
        clusters: (P,) label of each problem's cluster, which counts as one problem; None if each problem is its own.

    Returns:
        low, high: real values of S, at most the largest measured one: the plateau is that of the measured range.

    Raises:
        DataError: fewer than 2 problems or clusters, or knots and curve that do not match.

    Example:
        >>> low, high = find_plateau_interval([1, 2, 4], [[0.4, 0.5, 0.5], [0.3, 0.4, 0.42], [0.5, 0.6, 0.58]])
        >>> round(low, 1), round(high, 1)
        (1.9, 4.0)
    """
    at = check_knots(S, "S")
    values = check_accuracies(curve, (len(at),), "curve")
    if values.ndim != 2 or len(values) < 2:
        raise DataError(f"an interval of the plateau needs a curve of at least 2 problems; got {values.shape}.")
    mean, values = values.mean(axis=0), compute_cluster_values(values, clusters)
    if len(values) < 2:
        raise DataError("an interval of the plateau needs problems of at least 2 clusters; got 1.")
    steps = int(np.ceil(np.log2(at[-1] / at[0]) * _STEPS_PER_OCTAVE)) + 1
    tried = np.unique(
        np.concatenate([np.geomspace(at[0], at[-1], steps)[1:-1], at, [find_plateau(at, mean, tolerance)]])
    )
    weights = np.stack([np.interp(np.log(tried), np.log(at), row) for row in np.eye(len(at))], axis=1)
    spread = np.atleast_2d(np.cov(values.T))
    crossed = weights @ spread
    variance = (crossed * weights).sum(axis=1)[:, None] + np.diag(spread) - 2 * crossed  # of tried S minus knot
    error = np.sqrt(np.maximum(variance, 0) / len(values))
    better = mean - (weights @ mean)[:, None]  # (tried S, knots): a curve of straight pieces is highest at a knot
    tail = (1 - level) / 2
    doublings = np.maximum(np.ceil(np.log2(at[-1] / tried) - _FLOAT_TIE), 1)[:, None]
    at_least = (better - stdtrit(len(values) - 1, 1 - tail / doublings) * error).max(axis=1)
    at_most = (better + stdtrit(len(values) - 1, 1 - tail) * error).max(axis=1)
    may_be = (at_least <= tolerance + _FLOAT_TIE).argmax()
    surely = np.append(at_most[:-1] <= tolerance + _FLOAT_TIE, True).argmax()
    return float(tried[may_be]), float(tried[surely])
