"""What is the accuracy between the measured S and V: smooth surfaces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.allocation_grid import check_accuracies, check_knots

_PENALTIES = np.array([0.0, *np.geomspace(0.01, 1000, 11)])  # of the roughness, with a doubling as the unit
_FOLDS = 10


@dataclass(frozen=True, eq=False)
class SurfaceSmoother:
    """A linear smoother of surfaces over (log S, log V): the same matrix for a problem, a mean and a replicate.

    At the knots a penalty on third differences, along S and then along V, and a cubic spline through the result:

        F = H_S Y H_Vᵀ,   H = (I + αDᵀD)⁻¹,   |Df|² ≈ ∫ f‴²

    (Whittaker 1923; Eilers & Marx 1996 with knots where it was measured, so that only the penalties are to be chosen;
    as a product of two the sandwich smoother of Xiao, Li & Ruppert 2013), which minimises |Y - F|² + roughness in S +
    roughness in V + their product. Third differences, and a spline that is not a knot at its second and last but one
    point, because they leave parabolas in log S and log V as they are: the usual second differences and natural ends
    flatten a peak, most at the edge of the grid, and move the best S and V.

    Kept exactly: one solution is answered as it is, however often it was verified, so that at S = 1 the surface is
    the measured pass@1 at every V. Nothing is forced to rise: a problem whose most likely answer is wrong is lost by
    more votes, one whose wrong answers please the verifier more than its right ones is lost by more solutions and by
    more verifications, and the mean over problems may fall with any of them.

    Args:
        S: (nS,) the knots.
        V: (nV,) the knots.
        penalties: α along S and along V; 0 interpolates. See `fit_smoother`, which chooses them.
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
        """Weights of the measured cells in the smooth accuracy of allocations.

        Args:
            S: (n,) real numbers of solutions within the knots.
            V: (n,) real numbers of verifications within the knots.

        Returns:
            (nS, nV, n); they sum to 1 over the cells.

        Raises:
            DataError: an allocation outside the measured range: a spline says nothing there.
        """
        in_s = _build_spline_weights(self.S, _check_range(S, self.S, "S")) @ self._axis_smoothers[0]
        in_v = _build_spline_weights(self.V, _check_range(V, self.V, "V")) @ self._axis_smoothers[1]
        weights = np.einsum("ni,nj->ijn", in_s, in_v)
        if self.S[0] == 1:
            weights[0] = weights[0].mean(axis=0)  # at S = 1 all V are measurements of the same thing
        return np.asarray(weights)

    def predict_accuracy(self, surface: ArrayLike, S: ArrayLike, V: ArrayLike) -> Floats:
        """Smooth accuracy of allocations.

        The interval of a mean's is that of its replicates: `interval(smoother.at(resample(surface, weights), S, V))`.

        Args:
            surface: (…, nS, nV) accuracies at the knots: of a problem, a mean or replicates of it.
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
    """The smoother whose penalties predict best what it has not seen.

    With problems: cross-validation over them. The mean of nine tenths is smoothed and compared with the mean of the
    last tenth, cell by cell; tenths are consecutive problems. With means alone: each cell is predicted from the
    others (leave-one-out, exact for such smoothers), which sees the noise that differs from cell to cell and is
    blind to the noise that neighbouring cells share.

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
    wanted = np.asarray(at, dtype=float)
    outside = wanted[~((wanted >= on[0] * (1 - 1e-12)) & (wanted <= on[-1] * (1 + 1e-12)))]
    if outside.size:
        raise DataError(f"{name} must lie in the measured range {on[0]} to {on[-1]}; got {outside[0]:g}.")
    return wanted.clip(on[0], on[-1])


def _build_hat_matrix(on: NDArray[np.int64], penalty: float, pinned: bool) -> Floats:
    """(n, n) smoother of values at the knots; pinned leaves the first of them as it is."""
    x, rough = np.log2(on), np.eye(len(on))
    for order in (1, 2, 3):
        rough = order * np.diff(rough, axis=0) / (x[order:] - x[:-order])[:, None]
    rough *= np.sqrt((x[3:] - x[:-3]) / 3)[:, None]
    system = np.eye(len(on)) + penalty * rough.T @ rough
    if pinned:
        system[0] = np.eye(len(on))[0]
    return np.asarray(np.linalg.inv(system), dtype=float)


def _build_spline_weights(on: NDArray[np.int64], at: Floats) -> Floats:
    """(n, m) weights of the m knots in the cubic spline through them (Green & Silverman 1994, eq. 2.4)."""
    x, t = np.log2(on), np.log2(at)
    if len(x) == 1:
        return np.ones((len(t), 1))
    i = np.clip(np.searchsorted(x, t, side="right") - 1, 0, len(x) - 2)
    left, right = (t - x[i])[:, None], (x[i + 1] - t)[:, None]
    h, eye, second = left + right, np.eye(len(x)), _compute_second_derivatives(x)
    bend = (1 + left / h) * second[i + 1] + (1 + right / h) * second[i]
    return np.asarray((left * eye[i + 1] + right * eye[i]) / h - left * right * bend / 6)


def _compute_second_derivatives(x: Floats) -> Floats:
    """(n, n) values at x to second derivatives at x; "not a knot": one cubic runs through the first four, and the last.

    Through three points a parabola, through two a line.
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
    """(nα, nα) squared error on the mean of held-out problems, over folds and cells."""
    total, error = values.sum(axis=0), np.zeros((len(in_s), len(in_v)))
    for fold in np.array_split(values, min(_FOLDS, len(values))):
        smooth = np.einsum("aij,jk,blk->abil", in_s, (total - fold.sum(axis=0)) / (len(values) - len(fold)), in_v)
        error += ((smooth - fold.mean(axis=0)) ** 2).sum(axis=(2, 3))
    return np.asarray(error)


def _score_held_out_cells(mean: Floats, in_s: Floats, in_v: Floats, first: int) -> Floats:
    """(nα, nα) squared error on each cell from the others; NaN where a cell is its own only witness."""
    smooth = np.einsum("aij,jk,blk->abil", in_s, mean, in_v)
    own = np.einsum("aii,bjj->abij", in_s, in_v)
    with np.errstate(invalid="ignore", divide="ignore"):
        missed = ((smooth - mean) / np.where(own > 1 - 1e-9, np.nan, 1 - own))[:, :, first:]
    return np.asarray((missed**2).mean(axis=(2, 3)))
