"""Smooth accuracy surfaces between the measured S and V."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.allocation_grid import check_accuracies, check_knots

_PENALTIES = np.array([0.0, *np.geomspace(0.01, 1000, 11)])  # roughness penalties, with a doubling as the unit of x
_FOLDS = 10


@dataclass(frozen=True, eq=False)
class SurfaceSmoother:
    """A linear smoother of surfaces over (log S, log V), with one matrix for problems, means and replicates.

    Values at the knots are smoothed with a penalty on third differences, along S and then along V. A cubic spline runs
    through the result:

        F = H_S Y H_Vᵀ,   H = (I + αDᵀD)⁻¹,   |Df|² ≈ ∫ f‴²

    This minimises |Y - F|² + roughness in S + roughness in V + their product (Whittaker 1923; Eilers & Marx 1996, with
    the measured points as knots, so only the penalties are chosen; the product is the sandwich smoother of Xiao, Li &
    Ruppert 2013). Third differences and a "not a knot" spline leave parabolas in log S and log V unchanged. The usual
    second differences and natural ends flatten a peak, most at the edge of the grid, and so move the best S and V.

    At S = 1 the surface is exactly the measured pass@1 at every V, since verification cannot change the only solution.
    The surface is not forced to be monotonic: more votes hurt a problem whose most likely answer is wrong, more
    solutions and verifications hurt one whose wrong answers get better verdicts than its right ones, and the mean over
    problems may fall with any of them.

    Args:
        S: (nS,) the knots.
        V: (nV,) the knots.
        penalties: α along S and along V; 0 interpolates. `fit_smoother` chooses them.
    """

    S: NDArray[np.int64]
    V: NDArray[np.int64]
    penalties: tuple[float, float]

    @cached_property
    def _axis_smoothers(self) -> tuple[Floats, Floats]:
        return _build_hat_matrix(self.S, self.penalties[0], self.S[0] == 1), _build_hat_matrix(
            self.V, self.penalties[1], False
        )

    def compute_cell_weights(self, S: ArrayLike, V: ArrayLike) -> Floats:
        """Return the weights of the measured cells in the smooth accuracy of allocations.

        Args:
            S: (n,) real numbers of solutions within the knots.
            V: (n,) real numbers of verifications within the knots.

        Returns:
            (nS, nV, n) weights; they sum to 1 over the cells.

        Raises:
            DataError: an allocation outside the measured range, where a spline is not valid.
        """
        in_s = _build_spline_weights(self.S, _check_range(S, self.S, "S")) @ self._axis_smoothers[0]
        in_v = _build_spline_weights(self.V, _check_range(V, self.V, "V")) @ self._axis_smoothers[1]
        weights = np.einsum("ni,nj->ijn", in_s, in_v)
        if self.S[0] == 1:
            weights[0] = weights[0].mean(axis=0)  # at S = 1 all V measure pass@1
        return np.asarray(weights)

    def predict_accuracy(self, surface: ArrayLike, S: ArrayLike, V: ArrayLike) -> Floats:
        """Return the smooth accuracy of allocations.

        For the interval of a mean, pass its replicates from `resample_means`, then use `compute_percentile_interval`.

        Args:
            surface: (…, nS, nV) accuracies at the knots: of a problem, a mean or its replicates.
            S: (n,) real numbers of solutions within the knots.
            V: (n,) real numbers of verifications within the knots.

        Returns:
            (…, n) accuracies.

        Raises:
            DataError: an allocation outside the measured range, or a surface of another shape.

        Example:
            >>> surface = [[0.4, 0.4, 0.4], [0.5, 0.6, 0.7], [0.6, 0.8, 1.0]]
            >>> smooth = SurfaceSmoother(np.array([1, 2, 4]), np.array([1, 2, 4]), (0.0, 0.0))
            >>> smooth.predict_accuracy(surface, S=[1, 2, 2], V=[3.5, 2, 2**0.5]).round(3)
            array([0.4 , 0.6 , 0.55])
        """
        values = check_accuracies(surface, (len(self.S), len(self.V)), "surface")
        return np.asarray(np.tensordot(values, self.compute_cell_weights(S, V), axes=2))


def fit_smoother(surface: ArrayLike, S: ArrayLike, V: ArrayLike) -> SurfaceSmoother:
    """Choose the penalties of a smoother by cross-validation.

    With per-problem accuracies: the mean of nine tenths of the problems is smoothed and compared with the mean of the
    remaining tenth, cell by cell; tenths are consecutive problems. With means only: each cell is predicted from the
    others (leave-one-out, exact for linear smoothers), which detects noise that differs between cells but not noise
    that neighbouring cells share.

    Args:
        surface: (P, nS, nV) per-problem accuracies, or (nS, nV) means.
        S: (nS,) the knots.
        V: (nV,) the knots.

    Raises:
        DataError: knots and surface that do not match.

    Example:
        >>> x = np.log2([1, 2, 4, 8, 16])
        >>> bumpy = 0.3 + 0.05 * x[:, None] + 0.01 * x + np.random.default_rng(0).normal(0, 0.1, (100, 5, 5))
        >>> fit_smoother(bumpy, 2 ** np.arange(5), 2 ** np.arange(5)).penalties[1]
        1000.0
    """
    s_knots, v_knots = check_knots(S, "S"), check_knots(V, "V")
    values = check_accuracies(surface, (len(s_knots), len(v_knots)), "surface")
    if values.ndim > 3:
        raise DataError(f"surface must have the shape (P, nS, nV) or (nS, nV); got {values.shape}.")
    first = s_knots[0] == 1
    if first:
        values = values.copy()
        values[..., 0, :] = values[..., :1, :].mean(axis=-1)
    in_s = np.stack([_build_hat_matrix(s_knots, penalty, first) for penalty in _PENALTIES])
    in_v = np.stack([_build_hat_matrix(v_knots, penalty, False) for penalty in _PENALTIES])
    several = values.ndim == 3 and len(values) > 1
    mean = values if values.ndim == 2 else values.mean(axis=0)
    error = (
        _score_held_out_problems(values, in_s, in_v) if several else _score_held_out_cells(mean, in_s, in_v, int(first))
    )
    best = np.unravel_index(np.nanargmin(error), error.shape)
    return SurfaceSmoother(s_knots, v_knots, (float(_PENALTIES[best[0]]), float(_PENALTIES[best[1]])))


def _check_range(at: ArrayLike, on: NDArray[np.int64], name: str) -> Floats:
    values = np.asarray(at, dtype=float)
    outside = values[~((values >= on[0] * (1 - 1e-12)) & (values <= on[-1] * (1 + 1e-12)))]
    if outside.size:
        raise DataError(f"{name} must lie in the measured range {on[0]} to {on[-1]}; got {outside[0]:g}.")
    return values.clip(on[0], on[-1])


def _build_hat_matrix(on: NDArray[np.int64], penalty: float, pinned: bool) -> Floats:
    """Return the (n, n) smoother of values at the knots; `pinned` leaves the first value unchanged."""
    x, rough = np.log2(on), np.eye(len(on))
    for order in (1, 2, 3):
        rough = order * np.diff(rough, axis=0) / (x[order:] - x[:-order])[:, None]
    rough *= np.sqrt((x[3:] - x[:-3]) / 3)[:, None]
    system = np.eye(len(on)) + penalty * rough.T @ rough
    if pinned:
        system[0] = np.eye(len(on))[0]
    return np.asarray(np.linalg.inv(system), dtype=float)


def _build_spline_weights(on: NDArray[np.int64], at: Floats) -> Floats:
    """Return (n, m) weights of the m knots in the cubic spline through them (Green & Silverman 1994, eq. 2.4)."""
    x, t = np.log2(on), np.log2(at)
    if len(x) == 1:
        return np.ones((len(t), 1))
    i = np.clip(np.searchsorted(x, t, side="right") - 1, 0, len(x) - 2)
    left, right = (t - x[i])[:, None], (x[i + 1] - t)[:, None]
    h, eye, second = left + right, np.eye(len(x)), _compute_second_derivatives(x)
    bend = (1 + left / h) * second[i + 1] + (1 + right / h) * second[i]
    return np.asarray((left * eye[i + 1] + right * eye[i]) / h - left * right * bend / 6)


def _compute_second_derivatives(x: Floats) -> Floats:
    """Return the (n, n) matrix from values to second derivatives at x, with "not a knot" ends.

    One cubic runs through the first four points, and one through the last four; three points give a parabola, two a
    line.
    """
    n, h = len(x), np.diff(x)
    slopes, system = np.zeros((n, n)), np.eye(n)
    for i in range(1, n - 1):
        slopes[i, i - 1 : i + 2] = 1 / h[i - 1], -1 / h[i - 1] - 1 / h[i], 1 / h[i]
        system[i, i - 1 : i + 2] = h[i - 1] / 6, (h[i - 1] + h[i]) / 3, h[i] / 6
    if n == 3:
        system[0, 1] = system[2, 1] = -1
    elif n > 3:
        system[0, :3] = h[1], -h[0] - h[1], h[0]
        system[-1, -3:] = h[-1], -h[-1] - h[-2], h[-2]
    return np.asarray(np.linalg.solve(system, slopes), dtype=float)


def _score_held_out_problems(values: Floats, in_s: Floats, in_v: Floats) -> Floats:
    """Return (nα, nα) squared errors on the mean of held-out problems, summed over folds and cells."""
    total, error = values.sum(axis=0), np.zeros((len(in_s), len(in_v)))
    for fold in np.array_split(values, min(_FOLDS, len(values))):
        smooth = np.einsum("aij,jk,blk->abil", in_s, (total - fold.sum(axis=0)) / (len(values) - len(fold)), in_v)
        error += ((smooth - fold.mean(axis=0)) ** 2).sum(axis=(2, 3))
    return np.asarray(error)


def _score_held_out_cells(mean: Floats, in_s: Floats, in_v: Floats, first: int) -> Floats:
    """Return (nα, nα) mean squared errors of cells predicted from the others; NaN where a cell has no others."""
    smooth = np.einsum("aij,jk,blk->abil", in_s, mean, in_v)
    own = np.einsum("aii,bjj->abij", in_s, in_v)
    with np.errstate(invalid="ignore", divide="ignore"):
        missed = ((smooth - mean) / np.where(own > 1 - 1e-9, np.nan, 1 - own))[:, :, first:]
    return np.asarray((missed**2).mean(axis=(2, 3)))
