"""What is the best a strategy can do at a budget: surfaces between their knots, and their frontier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.fits.choice.allocation_grid import (
    Lattice,
    envelope,
    interpolation,
    knots,
    measured,
    verified_lattice,
    voting_lattice,
)


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
    return _frontier(values, voting_lattice(s_knots), budgets)


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
    return _frontier(values.reshape(*values.shape[:-2], -1), verified_lattice(s_knots, v_knots, lam), budgets)


def _frontier(values: NDArray[np.float64], tried: Lattice, budgets: ArrayLike) -> Frontier:
    accuracy, chosen = envelope(values.reshape(-1, values.shape[-1]), tried, budgets)
    limits = np.asarray(budgets, dtype=float)
    shape = (*values.shape[:-1], len(limits))
    votes_only = np.zeros(len(tried.cost), dtype=np.int64)
    S, V = tried.numbers["S"], tried.numbers.get("V", votes_only)
    return Frontier(
        budgets=limits,
        accuracy=accuracy.reshape(shape),
        S=np.where(chosen < 0, 0, S[chosen]).reshape(shape),
        V=np.where(chosen < 0, 0, V[chosen]).reshape(shape),
        beyond=limits > tried.cost[-1] * (1 + 1e-12),
    )
