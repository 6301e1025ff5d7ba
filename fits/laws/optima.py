"""The best S and V of a budget that is spent in full, on the cells of a grid or on a smooth surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.cost import compute_allocation_cost
from isocompute.fits.laws.surface import SurfaceSmoother

_STEPS = 96  # points along S(1 + λV) = C; a parabola locates the maximum between them


@dataclass(frozen=True, eq=False)
class Optima:
    """The best S and V of each budget, for a mean (row 0) and its replicates.

    Args:
        S: (R, nC) best S.
        V: (R, nC) best V.
        side: (R, nC) 1 where the true V may be larger and the true S smaller, because V is the largest measured or S
            the smallest; -1 in the reverse case; 0 inside.
        edges: (nC,) names of the edges that row 0 lies on; "" inside.
    """

    S: Floats
    V: Floats
    side: Ints
    edges: tuple[str, ...]


def find_best_knots(rows: Floats, S: Ints, V: Ints, lam: float, budgets: Floats) -> Optima:
    """Find the best measured S, and separately the best measured V, at each budget.

    For each S, V = (C/S - 1)/λ spends the budget; if V is in range, the accuracy is interpolated in log C along the
    curve of that S. S_opt is the S with the highest accuracy. V_opt is found likewise with S = C/(1 + λV). Together
    S_opt and V_opt need not spend exactly the budget.

    Args:
        rows: (R, nS, nV) accuracies.
        S: (nS,) the knots.
        V: (nV,) the knots.
        lam: λ.
        budgets: (nC,) in x.

    Raises:
        DataError: a budget that no cell of the grid can spend.

    Example:
        >>> rows = np.array([[[0.4, 0.4, 0.4], [0.5, 0.6, 0.6], [0.5, 0.8, 0.9]]])
        >>> best = find_best_knots(rows, np.array([1, 2, 4]), np.array([1, 2, 4]), 1.0, np.array([6.0, 12.0]))
        >>> best.S, best.V, best.edges
        (array([[2., 4.]]), array([[2., 2.]]), ('', 'S upper'))
    """
    cost = compute_allocation_cost(S[:, None], V, lam)
    best_s, best_v = (
        S[_find_best_on_budget(rows, cost, budgets)],
        V[_find_best_on_budget(rows.swapaxes(1, 2), cost.T, budgets)],
    )
    edges = []
    for s, v in zip(best_s[0], best_v[0], strict=True):
        on = {"S upper": s == S[-1], "S lower": s == S[0], "V upper": v == V[-1], "V lower": v == V[0]}
        edges.append(" and ".join(name for name, is_on in on.items() if is_on))
    down = (best_s == S[-1]) | (best_v == V[0])
    up = (best_v == V[-1]) | (best_s == S[0])
    return Optima(best_s.astype(float), best_v.astype(float), np.where(up, 1, np.where(down, -1, 0)), tuple(edges))


def find_best_on_surface(rows: Floats, smooth: SurfaceSmoother, lam: float, budgets: Floats) -> Optima:
    """Find the best real S and V on the smoothed surface along S(1 + λV) = C.

    Args:
        rows: (R, nS, nV) accuracies at the knots.
        smooth: the smoother for surfaces at these knots.
        lam: λ.
        budgets: (nC,) in x.

    Raises:
        DataError: a budget that the grid cannot spend.

    Example:
        >>> S, V = 2 ** np.arange(1, 8), 2 ** np.arange(7)
        >>> rows = -(np.log2(S[:, None] / (V + 1)) ** 2)[None]
        >>> best = find_best_on_surface(rows, SurfaceSmoother(S, V, (0.0, 0.0)), 1.0, np.array([16.0, 64.0, 256.0]))
        >>> best.S.round(), best.V.round()
        (array([[ 4.,  8., 16.]]), array([[ 3.,  7., 15.]]))
    """
    S, V = smooth.S, smooth.V
    least = np.maximum(S[0], budgets / (1 + lam * V[-1]))
    most = np.minimum(S[-1], budgets / (1 + lam * V[0]))
    if (stranded := budgets[least > most * (1 + 1e-12)]).size:
        raise _make_unspendable_error(stranded[0], compute_allocation_cost(S[[0, -1]], V[[0, -1]], lam))
    along = np.linspace(np.log(least), np.log(np.maximum(least, most)), _STEPS + 1, axis=1)
    tried_v = np.clip((budgets[:, None] / np.exp(along) - 1) / lam, V[0], V[-1])
    height = smooth.predict_accuracy(rows, np.exp(along).ravel(), tried_v.ravel()).reshape(len(rows), *along.shape)
    top = height.argmax(axis=2)
    inner = np.clip(top, 1, _STEPS - 1)[..., None]
    before, here, after = (np.take_along_axis(height, inner + shift, 2)[..., 0] for shift in (-1, 0, 1))
    bend = before - 2 * here + after
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = np.where((top == inner[..., 0]) & (bend < 0), 0.5 * (before - after) / bend, 0.0)
    step = (along[:, -1] - along[:, 0]) / _STEPS
    best_s = np.exp(along[:, 0] + (top + shift) * step)
    best_v = np.clip((budgets / best_s - 1) / lam, V[0], V[-1])
    side = np.where(top == 0, 1, np.where(top == _STEPS, -1, 0))
    low = np.where(least > S[0], "V upper", "S lower")
    high = np.where(most < S[-1], "V lower", "S upper")
    edges = np.where(side[0] == 1, low, np.where(side[0] == -1, high, ""))
    return Optima(best_s, best_v, side, tuple(edges.tolist()))


def _find_best_on_budget(rows: Floats, cost: Floats, budgets: Floats) -> Ints:
    """Return (R, nC) the best of n when the budget is spent exactly, from (R, n, m) accuracies at (n, m) costs."""
    at_budget = np.full((len(rows), len(budgets), len(cost)), -np.inf)
    edge = 1 + 1e-12
    for i, along in enumerate(cost):
        fits = (budgets * edge >= along[0]) & (budgets <= along[-1] * edge)
        weights = np.stack([np.interp(np.log(budgets[fits]), np.log(along), row) for row in np.eye(len(along))])
        at_budget[:, fits, i] = rows[:, i] @ weights
    stranded = budgets[np.isneginf(at_budget[0]).all(axis=1)]
    if stranded.size:
        raise _make_unspendable_error(stranded[0], cost)
    return np.asarray(at_budget.argmax(axis=2))


def _make_unspendable_error(budget: float, cost: Floats) -> DataError:
    return DataError(
        f"the budget {budget:g} cannot be spent on this grid, whose allocations cost {cost.min():g} to {cost.max():g}."
    )
