"""Expected accuracies of allocations on new problems: what was measured, shrunk towards a prior.

The mean over a few problems is a poor guide to the best of hundreds of allocations: the highest mean is high partly by
luck. Therefore the means of all strategies are estimated together. The prior says how accuracies vary over tasks
(`AccuracyPrior`), and the problems show how much a mean of so many problems varies by chance. With few problems the
estimate stays near the prior, and with many it follows the measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.accuracy_prior import AccuracyPrior
from isocompute.fits.choice.options import AllocationOptions
from isocompute.fits.choice.prepared_prior import PreparedPrior, prepare_prior
from isocompute.fits.groups import ProblemGroups, code_problem_groups, compute_cluster_deviations

PRIOR_PROBLEMS = 100
"""Weight of the prior's covariance over problems, in problems; chosen by regret on the worlds with even numbers."""
SCALE_SPREAD = 1.0
"""Scales of a task below 1 are normal in their logarithm to base 2, with this standard deviation; those above 1 are as
likely as 1. Chosen by regret on the worlds with even numbers."""
_OCTAVES = np.arange(-6.0, 25.0)  # the logarithms of the scales that are averaged over
_SURPRISE_OCTAVES = np.arange(0.0, 9.0)
"""The same for strategies that were not simulated. Their own scale is not below 1: a few close ones would shrink the
others, whose leads then are too small, see docs/leads.md."""
_REST_SPREAD = 0.003  # what the directions miss of a typical surface
_NEGLIGIBLE = 1e-6  # share of a variance below which a direction is left out
_SCALE_PROBLEMS = 3  # weight of the prior's scale of that covariance, so that equal problems are not taken for certain


@dataclass(frozen=True, eq=False)
class AccuracyPosterior:
    """The distribution of the mean accuracies on new problems, at the knots of n tables, one after the other.

    The accuracies are m = μ + L u, up to a common level and a rest, with d unknown numbers u. A measurement of the
    accuracies with the errors e measures u with the errors Uᵀe.

    Args:
        tables: the tables.
        mean: (K,) expected accuracy at each knot.
        loadings: (K, d) L.
        projection: (K, d) U.
        covariance: (d, d) covariance of u.
        unseen: (K, K) covariance of what accuracies vary over tasks beyond L u.
        missed: (K,) standard deviation of what a task has beyond that, knot by knot.
        freedom: degrees of freedom of the covariance, for t quantiles.
        expected_spread: (d, d) covariance of u without the measurement.
        chance: (d, d) covariance of what was measured of u, around u.
    """

    tables: tuple[AllocationOptions, ...]
    mean: Floats
    loadings: Floats
    projection: Floats
    covariance: Floats
    unseen: Floats
    missed: Floats
    freedom: float
    expected_spread: Floats
    chance: Floats

    @cached_property
    def rest(self) -> Floats:
        """(K, r) factor of the covariance of the rest."""
        return np.column_stack([_compute_factor(self.unseen), np.diag(self.missed)])

    @cached_property
    def smooth_factor(self) -> Floats:
        """(K, d) F: F Fᵀ is the covariance of L u."""
        return self.loadings @ _compute_factor(self.covariance)

    @cached_property
    def factor(self) -> Floats:
        """(K, d + r) F: F Fᵀ is the covariance of the accuracies up to a common level: of differences only."""
        return np.column_stack([self.smooth_factor, self.rest])

    def compute_expected_accuracies(self) -> list[Floats]:
        """Return for each table (A,) the expected accuracy of each of its allocations.

        Where nearly all problems are right, it may be slightly above 1, so that it still tells which is better.
        """
        parts = self._split(self.mean)
        return [part @ table.grid.weights for part, table in zip(parts, self.tables, strict=True)]

    def compute_covariance(self, chosen: Sequence[tuple[int, int]]) -> Floats:
        """Return (m, m) the covariance of m different allocations, up to a common level.

        An allocation that was not run may lie off its interpolation, whatever the others do.

        Args:
            chosen: the table and the index of each.
        """
        rows = self.interpolate(self.factor, chosen)
        missed = np.array([self.tables[table].get_interpolation_error(at) for table, at in chosen])
        return np.asarray(rows @ rows.T + np.diag(missed**2))

    def interpolate(self, values: Floats, chosen: Sequence[tuple[int, int]]) -> Floats:
        """Return (m, …) the values of m allocations, each given by its table and index, from (K, …) those at knots."""
        parts = self._split(values)
        return np.stack([self.tables[table].grid.weights[:, at] @ parts[table] for table, at in chosen])

    def _split(self, values: Floats) -> list[Floats]:
        ends = np.cumsum([table.accuracy.shape[1] for table in self.tables])
        return np.split(values, ends[:-1])


def compute_posterior(
    tables: Sequence[AllocationOptions],
    prior: AccuracyPrior,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> AccuracyPosterior:
    """Estimate the mean accuracies of all allocations on new problems.

    With the measured means y = m + e at K knots, the prior m ~ N(μ, B) and the chance e ~ N(0, C), the posterior is
    normal with the mean μ + B(B + C)⁻¹(y - μ) and the covariance B - B(B + C)⁻¹B. C is the covariance over problems
    divided by their number, itself shrunk to the prior's shape, because with fewer problems than knots it is singular.
    This is done in the `DIRECTIONS` that vary most, which smooths the surfaces. What lies outside of them is shrunk
    towards 0 knot by knot; it counts as chance unless it is more than twice as large as chance makes it. The mean over
    all knots is the measured one: the prior is for differences between allocations only.

    Args:
        tables: options of n strategies, on the same P ≥ 2 problems.
        prior: what is expected without a measurement.
        strata: (P,) label of each problem's stratum, as for `fits.compute_mean_interval`.
        clusters: (P,) label of each problem's cluster, likewise.

    Raises:
        DataError: fewer than 2 problems or clusters, or tables of different problems.
    """
    return update_prior(prepare_prior(tables, prior), tables, strata, clusters)


def update_prior(
    prepared: PreparedPrior,
    tables: Sequence[AllocationOptions],
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> AccuracyPosterior:
    """Estimate the mean accuracies as `compute_posterior` does, from a prior that is prepared for the same knots.

    Args:
        prepared: the prior.
        tables: options of n strategies, on the same P ≥ 2 problems.
        strata: (P,) label of each problem's stratum.
        clusters: (P,) label of each problem's cluster.

    Raises:
        DataError: fewer than 2 problems or clusters, or tables of different problems.
    """
    values = np.concatenate([table.accuracy for table in tables], axis=1)
    groups = code_problem_groups(len(values), strata, clusters)
    if groups.clusters < 2:
        raise DataError(f"expected accuracies need at least 2 independent problems; got {groups.clusters}.")
    projection, problems = prepared.projection, values - prepared.mean
    inside = problems @ projection
    chance = _estimate_chance(inside, projection.T @ prepared.within @ projection, groups)
    spread = projection.T @ prepared.between @ projection
    if prepared.surprise is None:
        unknown, covariance, scale = _average_scales(spread, chance, inside.mean(axis=0))
        between = scale * prepared.between
    else:
        surprise = projection.T @ prepared.surprise @ projection
        unknown, covariance, scale, other = _average_two_scales(
            spread - surprise, surprise, chance, inside.mean(axis=0)
        )
        between = scale * (prepared.between - prepared.surprise) + other * prepared.surprise
    spread = projection.T @ between @ projection
    loadings = np.asarray(np.linalg.solve(spread, projection.T @ between).T, dtype=float)
    span = np.linalg.qr(loadings)[0]
    missed, missed_spread = _shrink_rest(_remove_span(problems, span), groups)
    return AccuracyPosterior(
        tables=tuple(tables),
        mean=prepared.mean + problems.mean() + loadings @ unknown + missed,
        loadings=loadings,
        projection=projection,
        covariance=covariance,
        unseen=between - loadings @ spread @ loadings.T,
        missed=missed_spread,
        freedom=groups.clusters - 1 + PRIOR_PROBLEMS,
        expected_spread=spread,
        chance=chance,
    )


def _remove_span(problems: Floats, span: Floats) -> Floats:
    """Return what remains of (P, K) values outside of some directions and of the common level."""
    centred = problems - problems.mean(axis=1, keepdims=True)
    return np.asarray(centred - centred @ span @ span.T)


def _estimate_chance(problems: Floats, shape: Floats, groups: ProblemGroups) -> Floats:
    """Return the covariance of the mean over problems, (r, r), from (P, r) values and the prior's shape (r, r)."""
    if not shape.size:  # a single knot leaves no difference to estimate
        return shape
    deviations, freedom = compute_cluster_deviations(problems, groups)
    measured = deviations.T @ deviations / freedom
    scale = (np.trace(measured) * freedom / np.trace(shape) + _SCALE_PROBLEMS) / (freedom + _SCALE_PROBLEMS)
    total = PRIOR_PROBLEMS + freedom
    return np.asarray((PRIOR_PROBLEMS * scale * shape + freedom * measured) / total / groups.clusters)


def _average_scales(between: Floats, chance: Floats, mean: Floats) -> tuple[Floats, Floats, float]:
    """Return the mean (d,) and covariance (d, d) of u given the measured mean (d,), and the task's scale.

    A scale s is a factor on the prior's covariance B. A task may differ less from the average world than worlds do; or
    it is unlike all worlds, and its measurement decides. In the basis in which B + C is the identity and B is diagonal,
    t, the posterior for a scale is k = st / (st + 1 - t) times the measurement. It is averaged over the scales.
    """
    t, basis = eigh(between, between + chance)
    t = np.clip(t, 0, 1)
    measured, back = basis.T @ mean, (between + chance) @ basis
    scales = 2 ** _OCTAVES[:, None]
    variance = scales * t + 1 - t
    log_weight = -0.5 * (np.log(variance) + measured**2 / variance).sum(axis=1)
    log_weight -= 0.5 * (np.minimum(_OCTAVES, 0) / SCALE_SPREAD) ** 2
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    shrinkage = scales * t / variance
    average = weight @ shrinkage
    # For a scale the variance is k(1 - t) in this basis; between scales the means differ too.
    apart = (shrinkage - average) * measured
    inner = np.diag(average * (1 - t)) + (weight[:, None] * apart).T @ apart
    return back @ (average * measured), np.asarray(back @ inner @ back.T), float(2 ** (weight @ _OCTAVES))


def _average_two_scales(
    simulated: Floats, surprise: Floats, chance: Floats, mean: Floats
) -> tuple[Floats, Floats, float, float]:
    """Return what `_average_scales` does where two parts of the prior's covariance have a scale each.

    The one scale says how much a task differs from the simulated ones in what these have: votes and verdicts. The other
    says how much strategies that were not simulated differ from votes. Neither says anything of the other.

    Args:
        simulated: (d, d) the part of the prior's covariance of u of strategies that were simulated.
        surprise: (d, d) the part of those that were not.
        chance: (d, d) covariance of what was measured.
        mean: (d,) what was measured.
    """
    octaves, beside = (axis.ravel() for axis in np.meshgrid(_OCTAVES, _SURPRISE_OCTAVES, indexing="ij"))
    prior = 2 ** octaves[:, None, None] * simulated + 2 ** beside[:, None, None] * surprise
    solved = np.linalg.solve(prior + chance, np.concatenate([prior, np.tile(mean[:, None], (len(prior), 1, 1))], 2))
    gain = solved[:, :, :-1].swapaxes(1, 2)  # B(B + C)⁻¹ for each pair of scales
    log_weight = -0.5 * (np.linalg.slogdet(prior + chance)[1] + solved[:, :, -1] @ mean)
    for each in (octaves, beside):
        log_weight -= 0.5 * (np.minimum(each, 0) / SCALE_SPREAD) ** 2
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    means = gain @ mean
    average = weight @ means
    inner = np.tensordot(weight, gain, axes=1) @ chance  # B - B(B + C)⁻¹B = B(B + C)⁻¹C
    inner += (weight[:, None] * (means - average)).T @ (means - average)
    return average, (inner + inner.T) / 2, float(2 ** (weight @ octaves)), float(2 ** (weight @ beside))


def _shrink_rest(problems: Floats, groups: ProblemGroups) -> tuple[Floats, Floats]:
    """Return (K,) the shrunk mean of what lies outside of the directions, and its spread, from (P, K) values."""
    deviations, freedom = compute_cluster_deviations(problems, groups)
    chance = (deviations**2).sum(axis=0) / freedom / groups.clusters
    mean = problems.mean(axis=0)
    missed = max(_REST_SPREAD**2, float((mean**2).mean() - 2 * chance.mean()))
    gain = missed / (missed + chance)
    return gain * mean, np.sqrt(gain * chance)


def _compute_factor(covariance: Floats) -> Floats:
    """Return a factor F of a covariance F Fᵀ; rounding may have made it slightly indefinite."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    kept = values > _NEGLIGIBLE * max(float(np.trace(covariance)), 0.0)
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))
