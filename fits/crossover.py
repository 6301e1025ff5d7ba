"""From which budget on is verifying worth it: SC's plateau, and where GenRM overtakes for good."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.bootstrap import interval, resample
from isocompute.fits.cost import compute
from isocompute.fits.frontier import genrm_frontier, knots, measured, self_consistency_frontier

_PER_OCTAVE = 16  # budgets per doubling
_ROUNDING = 1e-9  # the two strategies tie exactly at one solution; rounding shall not decide


@dataclass(frozen=True, eq=False)
class Crossover:
    """Where GenRM's frontier gets ahead of SC's and stays there to the end of the measured range.

    Args:
        budget: the smallest such budget, in x (solutions' worth; for the paper's multiples divide it by
            `plateau`); inf if there is none in range.
        interval: of the budget; a bootstrap replicate that never crosses counts as inf.
        probability: share of the replicates that cross within the range.
        budgets: (nC,) the budgets compared, 16 per doubling, from the cheapest GenRM allocation to the
            dearest measured one.
        gain: (nC,) GenRM's accuracy minus SC's at each budget.
        gain_interval: (nC,) low and high of the gain, paired.
        sc_measured_to: the largest S of SC that was measured; beyond it SC is held at its last value.
        level: of the intervals.
    """

    budget: float
    interval: tuple[float, float]
    probability: float
    budgets: NDArray[np.float64]
    gain: NDArray[np.float64]
    gain_interval: tuple[NDArray[np.float64], NDArray[np.float64]]
    sc_measured_to: int
    level: float


def plateau(S: ArrayLike, curve: ArrayLike, tolerance: float = 0.005) -> NDArray[np.int64]:
    """The compute at which SC stops improving: the smallest measured S within `tolerance` of its maximum.

    Args:
        S: (nS,) the knots.
        curve: (…, nS) accuracies.
        tolerance: in accuracy; half a point.

    Returns:
        (…) values of S.

    Raises:
        DataError: knots and curve that do not match.

    Example:
        >>> int(plateau([1, 2, 4, 8], [0.4, 0.5, 0.552, 0.555]))
        4
    """
    at = knots(S, "S")
    values = measured(curve, (len(at),), "curve")
    near = values >= values.max(axis=-1, keepdims=True) - tolerance
    return np.asarray(at[near.argmax(axis=-1)])


def crossover(
    surface: ArrayLike,
    S: ArrayLike,
    V: ArrayLike,
    curve: ArrayLike,
    curve_S: ArrayLike,
    lam: float,
    weights: ArrayLike,
    level: float = 0.95,
) -> Crossover:
    """The smallest budget from which on GenRM's frontier stays at or above SC's, with its interval.

    Both frontiers are those of `frontier`, on the same problems and the same bootstrap replicates.

    Args:
        surface: (P, nS, nV) per-problem accuracies of GenRM.
        S: (nS,) its knots.
        V: (nV,) its knots.
        curve: (P, n) per-problem accuracies of SC.
        curve_S: (n,) its knots, starting at 1.
        lam: λ, the cost of a verification in solutions.
        weights: (B, P) from `resampling_weights`.
        level: of the intervals.

    Raises:
        DataError: surfaces and curves of different problems, or malformed knots, λ or weights.

    Example:
        >>> surface, curve = [[[0.5], [0.7]], [[0.5], [0.9]]], [[0.5, 0.6], [0.5, 0.6]]
        >>> found = crossover(surface, [1, 8], [1], curve, [1, 2], lam=1.0, weights=[[0.5, 0.5], [1, 0]])
        >>> round(found.budget, 1), found.probability
        (4.0, 1.0)
    """
    s_knots, v_knots, c_knots = knots(S, "S"), knots(V, "V"), knots(curve_S, "curve_S")
    grid = measured(surface, (len(s_knots), len(v_knots)), "surface")
    votes = measured(curve, (len(c_knots),), "curve")
    if grid.ndim != 3 or votes.ndim != 2 or len(grid) != len(votes):
        raise DataError(
            f"surface (P, nS, nV) and curve (P, n) must cover the same problems; got {grid.shape} and {votes.shape}."
        )
    first = float(compute(s_knots[0], v_knots[0], lam))
    last = float(compute(s_knots[-1], v_knots[-1], lam))
    budgets = np.geomspace(first, last, int(np.ceil(np.log2(last / first) * _PER_OCTAVE)) + 1)
    rows = np.concatenate([np.full((1, len(grid)), 1 / len(grid)), np.asarray(weights, dtype=float)])
    verified = genrm_frontier(resample(grid, rows), s_knots, v_knots, lam, budgets).accuracy
    voted = self_consistency_frontier(resample(votes, rows), c_knots, budgets).accuracy
    gains = verified - voted
    crossed = _from_then_on(budgets, gains >= -_ROUNDING)
    low, high = interval(crossed[1:], level)
    return Crossover(
        budget=float(crossed[0]),
        interval=(float(low), float(high)),
        probability=float(np.isfinite(crossed[1:]).mean()),
        budgets=budgets,
        gain=gains[0],
        gain_interval=interval(gains[1:], level),
        sc_measured_to=int(c_knots[-1]),
        level=level,
    )


def _from_then_on(budgets: NDArray[np.float64], ahead: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(…, nC) → (…): the first budget of the last unbroken stretch of `ahead`, inf if it ends behind."""
    still = np.logical_and.accumulate(ahead[..., ::-1], axis=-1).sum(axis=-1)
    return np.asarray(np.append(budgets, np.inf)[len(budgets) - still])
