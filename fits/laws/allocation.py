"""Scaling laws of the best allocation, S_opt ∝ C^a and V_opt ∝ C^b, fitted in three ways."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.bootstrap import compute_percentile_interval, resample_means
from isocompute.fits.choice.allocation_grid import check_accuracies, check_knots
from isocompute.fits.laws.optima import Optima, find_best_knots, find_best_on_surface
from isocompute.fits.laws.power_law import MIN_LINE_POINTS, PowerLaw, fit_least_squares, fit_tobit
from isocompute.fits.laws.surface import SurfaceSmoother, fit_smoother

LAW_FITS = {"grid": "best cells", "smooth": "smoothed surface", "censored": "edges as bounds"}
"""The three fits, each with its description."""

_EDGE_NAMES = {
    "S upper": "the largest S",
    "S lower": "the smallest S",
    "V upper": "the largest V",
    "V lower": "the smallest V",
}
_NO_WIDTH = 1e-9  # an interval that is narrower is that of values that differ by rounding
_POSSIBLE_SHARE = 0.95  # a note warns if a fit was possible on a smaller share of the replicates


@dataclass(frozen=True, eq=False)
class AllocationLaw:
    """S_opt ∝ C^a and V_opt ∝ C^b, fitted in one way.

    Args:
        way: "grid", "smooth" or "censored".
        solutions: S_opt ∝ C^a.
        verifications: V_opt ∝ C^b.
        difference_interval: interval of a - b; None without replicates, or if all replicates have the same.
        S_opt: (nC,) best S at each budget.
        V_opt: (nC,) best V at each budget.
        edges: (nC,) the edge of the grid that the optimum lies on: "S upper", "S lower", "V upper", "V lower" or two
            of them; "" inside. On an edge, the true optimum may lie outside the grid.
        identity: a + w·b - 1. If S(1 + λV) = C at every budget, then d log S + w d log V = d log C with
            w = λV/(1 + λV), so this is 0; w is the mean over the budgets of the fitted line.
        inner_exponents: a and b fitted to the budgets that are not at an edge; None if fewer than 3 are left. For
            comparison only: omitting points by their value biases a line, which the censored fit avoids.
        replicate_share: share of the replicates in which the fit was possible, on which the intervals are based; None
            without replicates.
        replicates: (B, 2) a and b, NaN where the fit was not possible.
    """

    way: str
    solutions: PowerLaw
    verifications: PowerLaw
    difference_interval: tuple[float, float] | None
    S_opt: Floats
    V_opt: Floats
    edges: tuple[str, ...]
    identity: float
    inner_exponents: tuple[float, float] | None
    replicate_share: float | None
    replicates: Floats

    @property
    def a(self) -> float:
        """The exponent of S_opt."""
        return self.solutions.exponent

    @property
    def b(self) -> float:
        """The exponent of V_opt."""
        return self.verifications.exponent

    @property
    def is_at_edge(self) -> NDArray[np.bool_]:
        """(nC,) booleans: whether the optimum of each budget lies on an edge."""
        return np.array([edge != "" for edge in self.edges])

    @property
    def is_known(self) -> bool:
        """True if at least 3 optima lie inside the grid; a line through its edges would describe the grid instead."""
        return int((~self.is_at_edge).sum()) >= MIN_LINE_POINTS


@dataclass(frozen=True, eq=False)
class AllocationLaws:
    """The allocation law fitted in three ways.

    Args:
        budgets: (nC,) in x. The exponents change by ±0.1 with the range of budgets.
        grid: the fit of the study: a line through the best cells of all budgets.
        smooth: a line through the best real S and V of all budgets on the smoothed surface along S(1 + λV) = C.
        censored: a fit to the optima of `smooth` that treats those at an edge as bounds; None if fewer than 3 are
            inside.
        surface: the smoother of the surface.
        notes: sentences on exponents that cannot be distinguished and on the data the fits are based on.
        level: confidence level of the intervals.
    """

    budgets: Floats
    grid: AllocationLaw
    smooth: AllocationLaw
    censored: AllocationLaw | None
    surface: SurfaceSmoother
    notes: tuple[str, ...]
    level: float

    @property
    def usable(self) -> AllocationLaw | None:
        """The law to use, with optima at an edge as bounds; None if fewer than 3 are inside, so that none is known."""
        return self.censored

    @property
    def unknown_reason(self) -> str | None:
        """A sentence on why no law is known, with the edges that the optima lie on; None if there is one."""
        if self.usable is not None:
            return None
        edges = Counter(edge for edge in self.smooth.edges if edge)
        listed = ", ".join(f"{_EDGE_NAMES[edge]} at {count}" for edge, count in edges.most_common())
        return (
            f"{edges.total()} of {len(self.budgets)} optima lie at an edge of the measured grid ({listed}), and a law "
            f"needs {MIN_LINE_POINTS} inside."
        )

    def __iter__(self) -> Iterator[AllocationLaw]:
        """Iterate over the laws that could be fitted."""
        return iter([law for law in (self.grid, self.smooth, self.censored) if law is not None])

    def __str__(self) -> str:
        """Return one line per law, then the notes."""
        lines = [
            f"{law.way:8} S ∝ C^{_format_exponent(law.solutions)}, V ∝ C^{_format_exponent(law.verifications)}, "
            f"{law.is_at_edge.sum()} of {len(self.budgets)} budgets at an edge, a + wb - 1 = {law.identity:+.2f}"
            for law in self
        ]
        return "\n".join([*lines, *self.notes])


def fit_allocation_laws(
    surface: ArrayLike,
    S: ArrayLike,
    V: ArrayLike,
    lam: float,
    budgets: ArrayLike,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> AllocationLaws:
    """Fit S_opt ∝ C^a and V_opt ∝ C^b to an accuracy surface in three ways.

    grid: the law of Singhi et al. 2025 (arXiv 2504.01005), whose fitting code is not public; see `find_best_knots`.
    smooth: the same least-squares line in log-log, through optima of the smoothed surface (`find_best_on_surface`).
    censored: the optima of smooth, with those at an edge as bounds (`fit_tobit`). Where V is the largest measured,
    log V_opt is at least log V and log S_opt, which the budget ties to it, at most the value that remains; the reverse
    where S is the largest, and likewise at the lower edges. The bootstrap repeats everything except the choice of the
    penalties.

    Args:
        surface: (nS, nV) accuracies, or (P, nS, nV) per problem, which intervals need.
        S: (nS,) the knots.
        V: (nV,) the knots.
        lam: λ, the cost of a verification in solutions.
        budgets: (nC,) at least 3, increasing, each within the range that the grid can spend; powers of two in the
            paper.
        weights: (B, P) from `draw_bootstrap_weights`, for intervals.
        level: confidence level of the intervals.

    Raises:
        DataError: a budget that no cell of the grid can spend, weights without per-problem values, or
            malformed knots, surface or λ.

    Example:
        >>> S = V = 2 ** np.arange(7)  # accuracy falls with the distance from S = V
        >>> surface = 0.9 - 0.02 * np.log2(S[:, None] / V) ** 2 + 0.01 * np.log2(S[:, None] * V)
        >>> laws = fit_allocation_laws(surface[1:], S[1:], V, lam=1.0, budgets=[32, 128, 512, 2048])
        >>> round(laws.smooth.a, 1), round(laws.smooth.b, 1), laws.smooth.is_at_edge.any()
        (0.5, 0.5, np.False_)
    """
    s_knots, v_knots = check_knots(S, "S"), check_knots(V, "V")
    values = check_accuracies(surface, (len(s_knots), len(v_knots)), "surface")
    if values.ndim > 3 or (weights is not None and values.ndim != 3):
        raise DataError(f"surface must have the shape (nS, nV), or (P, nS, nV) with weights; got {values.shape}.")
    limits = np.asarray(budgets, dtype=float)
    if limits.ndim != 1 or len(limits) < MIN_LINE_POINTS or not (limits > 0).all() or (np.diff(limits) <= 0).any():
        raise DataError(f"budgets must be at least {MIN_LINE_POINTS} positive increasing numbers; got {budgets!r}.")
    mean = values if values.ndim == 2 else values.mean(axis=0)
    rows = mean[None] if weights is None else np.concatenate([mean[None], resample_means(values, weights)])
    smooth = fit_smoother(values, s_knots, v_knots)
    cells = find_best_knots(rows, s_knots, v_knots, lam, limits)
    optima = find_best_on_surface(rows, smooth, lam, limits)
    best_cells, best_real = (
        _fit_allocation_law("grid", cells, limits, lam, level),
        _fit_allocation_law("smooth", optima, limits, lam, level),
    )
    bounded = (
        _fit_allocation_law("censored", optima, limits, lam, level)
        if (optima.side[0] == 0).sum() >= MIN_LINE_POINTS
        else None
    )
    notes = tuple(_write_notes([best_cells, best_real, bounded], len(limits), level))
    return AllocationLaws(limits, best_cells, best_real, bounded, smooth, notes, level)


def _fit_allocation_law(way: str, optima: Optima, budgets: Floats, lam: float, level: float) -> AllocationLaw:
    """Fit lines through the optima; row 0 is the estimate, the others are replicates."""
    x, inside = np.log(budgets), optima.side == 0
    if way == "censored":
        both, sides = np.log(np.concatenate([optima.S, optima.V])), np.concatenate([-optima.side, optima.side])
        (a, b), (s_log, v_log), _ = (np.split(fitted, 2) for fitted in fit_tobit(x, both, sides))
    else:
        a, s_log = fit_least_squares(x, np.log(optima.S))
        b, v_log = fit_least_squares(x, np.log(optima.V))
    spent = lam * np.exp(v_log[0] + b[0] * x)
    without = [float(fit_least_squares(x, np.log(best[:1]), inside[:1])[0][0]) for best in (optima.S, optima.V)]
    possible = ~np.isnan(a[1:])
    return AllocationLaw(
        way=way,
        solutions=_build_power_law(a, s_log, level),
        verifications=_build_power_law(b, v_log, level),
        difference_interval=_compute_possible_interval(a[1:] - b[1:], level),
        S_opt=optima.S[0],
        V_opt=optima.V[0],
        edges=optima.edges,
        identity=float(a[0] + (spent / (1 + spent)).mean() * b[0] - 1),
        inner_exponents=None if np.isnan(without).any() else (without[0], without[1]),
        replicate_share=float(possible.mean()) if possible.size else None,
        replicates=np.stack([a[1:], b[1:]], axis=1),
    )


def _build_power_law(exponent: Floats, intercept: Floats, level: float) -> PowerLaw:
    possible = ~np.isnan(exponent[1:])
    replicates = np.stack([exponent[1:], intercept[1:]], axis=1)[possible]
    return PowerLaw(
        exponent=float(exponent[0]),
        prefactor=float(np.exp(intercept[0])),
        interval=_compute_possible_interval(exponent[1:], level),
        prefactor_interval=_compute_possible_interval(np.exp(intercept[1:]), level),
        replicates=replicates if len(replicates) else None,
    )


def _compute_possible_interval(replicates: Floats, level: float) -> tuple[float, float] | None:
    """Return the interval over the replicates in which the fit was possible; None if it never was.

    None, too, if it has no width. The same optima in all replicates, at edges or at cells a factor of two apart, say
    that the grid is too coarse or too small to show how uncertain they are, not that they are certain.
    """
    low, high = _compute_spread(replicates, level)
    return (low, high) if high - low > _NO_WIDTH else None


def _compute_spread(replicates: Floats, level: float) -> tuple[float, float]:
    """Return the interval over the replicates that are not NaN, of any width; NaN if there are none."""
    possible = replicates[~np.isnan(replicates)]
    if not possible.size:
        return np.nan, np.nan
    low, high = compute_percentile_interval(possible, level)
    return float(low), float(high)


def _write_notes(laws: list[AllocationLaw | None], budgets: int, level: float) -> Iterator[str]:
    fitted_laws = [law for law in laws if law is not None]
    if len(fitted_laws) < len(laws):
        inside = budgets - int(fitted_laws[1].is_at_edge.sum())
        yield f"Only {inside} of {budgets} optima lie inside the grid: too few to treat the others as bounds."
    indistinct = [LAW_FITS[law.way] for law in fitted_laws if _has_zero(law.difference_interval)]
    if indistinct:
        yield f"The exponents a and b cannot be told apart ({', '.join(indistinct)})."
    for one, other in combinations(fitted_laws, 2):
        apart = one.replicates - other.replicates
        if all(_has_zero(_compute_spread(apart[:, i], level)) for i in (0, 1)):
            yield f"The fits '{LAW_FITS[one.way]}' and '{LAW_FITS[other.way]}' cannot be told apart."
    for law in fitted_laws:
        if law.replicate_share is not None and law.replicate_share < _POSSIBLE_SHARE:
            yield (
                f"The intervals of '{LAW_FITS[law.way]}' rest on {law.replicate_share:.0%} of the resamplings; in "
                "the others fewer "
                f"than {MIN_LINE_POINTS} optima lie inside the grid."
            )


def _has_zero(spread: tuple[float, float] | None) -> bool:
    return spread is not None and spread[0] <= 0 <= spread[1]


def _format_exponent(law: PowerLaw) -> str:
    if law.interval is None:
        return f"{law.exponent:.2f}"
    return f"{law.exponent:.2f} [{law.interval[0]:.2f}, {law.interval[1]:.2f}]"
