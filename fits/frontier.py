"""What is the best a strategy can do at a budget: surfaces between their knots, and their frontier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.cost import compute

_PER_OCTAVE = 64  # whole numbers tried per doubling: all of them up to 64, beyond that steps of about 1 %
_BLOCK = 2**22  # accuracies held at a time while replicates are worked through
_SAME = 1e-5  # accuracies closer than this are the same, and the cheaper allocation is taken: profiles round to 1e-5


@dataclass(frozen=True, eq=False)
class Frontier:
    """The best accuracy within each budget, and the cheapest allocation that reaches it, to within 1e-5.

    Args:
        budgets: (nC,) compute per problem, in x.
        accuracy: (…, nC) best mean accuracy at a cost ≤ budget; NaN where not even the smallest fits.
        S: (…, nC) solutions of the allocation; 0 where none fits.
        V: (…, nC) verifications of each; 0 for self-consistency.
        beyond: (nC,) whether the budget exceeds everything measured, so that the accuracy is that of the
            whole measured range and what more compute would bring is unknown.
    """

    budgets: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    S: NDArray[np.int64]
    V: NDArray[np.int64]
    beyond: NDArray[np.bool_]


def knots(values: ArrayLike, name: str) -> NDArray[np.int64]:
    """The S or V at which a surface was measured, checked: strictly increasing integers ≥ 1.

    Args:
        values: (n,) knots.
        name: "S" or "V", for the message.

    Raises:
        DataError: knots that are not increasing integers ≥ 1.

    Example:
        >>> knots([1, 2, 4], "S")
        array([1, 2, 4])
    """
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise DataError(f"the knots {name} must be a non-empty sequence of integers; got {values!r}.")
    if array[0] < 1 or (np.diff(array) <= 0).any():
        raise DataError(f"the knots {name} must be ≥ 1 and strictly increasing; got {array.tolist()}.")
    return array.astype(np.int64)


def measured(values: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    """Accuracies on knots, checked: finite, and of the shape (…, *shape).

    Args:
        values: the accuracies, with any leading axes (problems, replicates or none).
        shape: the number of knots along each of the last axes.
        name: of the argument, for the message.

    Raises:
        DataError: another shape, or values that are not finite.

    Example:
        >>> measured([[0.5, 0.75]], (2,), "curve")
        array([[0.5 , 0.75]])
    """
    array = np.asarray(values, dtype=float)
    if array.shape[array.ndim - len(shape) :] != shape or array.ndim < len(shape):
        raise DataError(f"{name} must have the shape (…, {', '.join(map(str, shape))}); got {array.shape}.")
    if not np.isfinite(array).all():
        place = ", ".join(map(str, np.argwhere(~np.isfinite(array))[0]))
        raise DataError(f"{name} must hold finite accuracies; it does not at index ({place}).")
    return array


def interpolation(at: NDArray[np.int64], on: NDArray[np.int64], name: str) -> NDArray[np.float64]:
    """Weights of the knots that interpolate linearly in the logarithm.

    Args:
        at: (n,) whole numbers within the knots' range.
        on: (m,) knots.
        name: "S" or "V", for the message.

    Returns:
        (n, m) weights ≥ 0; each row sums to 1.

    Raises:
        DataError: a number outside the knots' range: this function does not extrapolate.

    Example:
        >>> interpolation(np.array([4]), np.array([2, 8]), "S")
        array([[0.5, 0.5]])
    """
    outside = at[(at < on[0]) | (at > on[-1])]
    if outside.size:
        raise DataError(f"{name} must lie in the measured range {on[0]} to {on[-1]}; got {outside[0]}.")
    weights = [np.interp(np.log(at), np.log(on), row) for row in np.eye(len(on))]
    return np.stack(weights, axis=1)


def evaluate(
    surface: ArrayLike, S_knots: ArrayLike, V_knots: ArrayLike, S: ArrayLike, V: ArrayLike
) -> NDArray[np.float64]:
    """Accuracy of whole allocations between the knots: bilinear in (log S, log V).

    Linear in the surface, so that it does the same to a problem's values, their mean and a replicate's.

    Args:
        surface: (…, nS, nV) accuracies at the knots.
        S_knots: (nS,) measured S.
        V_knots: (nV,) measured V.
        S: (n,) solutions of each allocation.
        V: (n,) verifications of each allocation.

    Returns:
        (…, n) accuracies.

    Raises:
        DataError: an allocation outside the measured range, or knots and surface that do not match.

    Example:
        >>> evaluate([[0.4, 0.4], [0.4, 0.8]], [1, 4], [1, 4], S=[2, 4], V=[2, 2])
        array([0.5, 0.6])
    """
    s_knots, v_knots = knots(S_knots, "S"), knots(V_knots, "V")
    values = measured(surface, (len(s_knots), len(v_knots)), "surface")
    along_s = interpolation(np.asarray(S), s_knots, "S")
    along_v = interpolation(np.asarray(V), v_knots, "V")
    return np.asarray(np.einsum("...ij,ni,nj->...n", values, along_s, along_v, optimize=True))


def self_consistency_frontier(curve: ArrayLike, S: ArrayLike, budgets: ArrayLike) -> Frontier:
    """The best majority vote within each budget: max over S ≤ C of the curve, at a cost of S.

    Beyond the largest measured S it stays at its last value, and says so in `beyond`. The best S is chosen
    on the same problems that it is evaluated on: with noisy curves that flatters a little.

    Args:
        curve: (…, nS) accuracies.
        S: (nS,) the knots; interpolated linearly in log S between them.
        budgets: (nC,) compute per problem, in x, > 0.

    Raises:
        DataError: knots, curve or budgets that are malformed.

    Example:
        >>> self_consistency_frontier([0.4, 0.4, 0.6], [1, 2, 4], [0.5, 2, 4, 9]).accuracy
        array([nan, 0.4, 0.6, 0.6])
    """
    s_knots = knots(S, "S")
    values = measured(curve, (len(s_knots),), "curve")
    tried = _whole_numbers(s_knots)
    weights = interpolation(tried, s_knots, "S")
    return _envelope(values, weights.T, tried, np.zeros_like(tried), tried.astype(float), budgets)


def genrm_frontier(surface: ArrayLike, S: ArrayLike, V: ArrayLike, lam: float, budgets: ArrayLike) -> Frontier:
    """The best allocation of solutions and verifications within each budget: S(1 + λV) ≤ C.

    All whole S and V in the measured range are tried (above 64 in steps of about 1 %). The best one is chosen
    on the same problems that it is evaluated on: with noisy surfaces that flatters a little.

    Args:
        surface: (…, nS, nV) accuracies at the knots, interpolated as in `evaluate`.
        S: (nS,) the knots.
        V: (nV,) the knots.
        lam: λ, the cost of a verification in solutions.
        budgets: (nC,) compute per problem, in x, > 0.

    Raises:
        DataError: knots, surface, λ or budgets that are malformed.

    Example:
        >>> best = genrm_frontier([[0.4, 0.4], [0.5, 0.7]], [1, 2], [1, 2], lam=1.0, budgets=[2, 4, 6])
        >>> best.accuracy, best.V
        (array([0.4, 0.5, 0.7]), array([1, 1, 2]))
    """
    s_knots, v_knots = knots(S, "S"), knots(V, "V")
    values = measured(surface, (len(s_knots), len(v_knots)), "surface")
    tried_s, tried_v = (grid.ravel() for grid in np.meshgrid(_whole_numbers(s_knots), _whole_numbers(v_knots)))
    weights = np.einsum(
        "ni,nj->ijn", interpolation(tried_s, s_knots, "S"), interpolation(tried_v, v_knots, "V")
    ).reshape(len(s_knots) * len(v_knots), -1)
    flat = values.reshape(*values.shape[:-2], -1)
    return _envelope(flat, weights, tried_s, tried_v, compute(tried_s, tried_v, lam), budgets)


def _whole_numbers(on: NDArray[np.int64]) -> NDArray[np.int64]:
    low, high = on[0], on[-1]
    steps = int(np.ceil(np.log2(high / low) * _PER_OCTAVE))
    spread = np.geomspace(low, high, steps + 1).round().astype(np.int64)
    return np.unique(np.concatenate([np.arange(low, min(high, _PER_OCTAVE) + 1), spread, on]))


def _envelope(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    S: NDArray[np.int64],
    V: NDArray[np.int64],
    cost: NDArray[np.float64],
    budgets: ArrayLike,
) -> Frontier:
    """Running maximum over allocations in order of cost; (…, knots) values times (knots, n) weights."""
    limits = np.asarray(budgets, dtype=float)
    if limits.ndim != 1 or limits.size == 0 or not (limits > 0).all():
        raise DataError(f"budgets must be a non-empty sequence of positive numbers; got {budgets!r}.")
    order = np.argsort(cost, kind="stable")
    weights, cost = np.ascontiguousarray(weights[:, order]), cost[order]
    reach = np.searchsorted(cost, limits * (1 + 1e-12), side="right") - 1  # the dearest one that fits
    rows = values.reshape(-1, values.shape[-1])
    accuracy, chosen = np.empty((len(rows), len(limits))), np.empty((len(rows), len(limits)), dtype=np.int64)
    block = max(1, _BLOCK // len(cost))
    for start in range(0, len(rows), block):
        at_cost = rows[start : start + block] @ weights
        best = np.maximum.accumulate(at_cost, axis=1)
        reached = best[:, reach]
        accuracy[start : start + block] = reached
        for row, (risen, goals) in enumerate(zip(best, reached - _SAME, strict=True), start):
            chosen[row] = np.searchsorted(risen, goals)
    accuracy[:, reach < 0] = np.nan
    shape = (*values.shape[:-1], len(limits))
    picked = order[chosen]
    return Frontier(
        budgets=limits,
        accuracy=accuracy.reshape(shape),
        S=np.where(reach < 0, 0, S[picked]).reshape(shape),
        V=np.where(reach < 0, 0, V[picked]).reshape(shape),
        beyond=limits > cost[-1] * (1 + 1e-12),
    )
