"""Agreement of repeated verdicts on one solution: how often V of them say the same, and their correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from isocompute.errors import DataError
from isocompute.fits.bootstrap import compute_percentile_interval, draw_bootstrap_weights, resample_means
from isocompute.fits.groups import code_problem_groups
from isocompute.fits.pool import Pool
from isocompute.fits.share_interval import RateWithInterval, compute_share_of_sums

REPLICATES, SEED = 2000, 1971


@dataclass(frozen=True)
class VerdictAgreement:
    """Agreement of the verdicts on the right, or on the wrong, solutions of a pool.

    Args:
        V: (nV,) numbers of verdicts.
        unanimous: (nV,) share of the solutions of which V random verdicts all say the same, over the solutions with at
            least V parsed verdicts, with its interval.
        solutions: (nV,) number of these solutions.
        correlation: intra-class correlation of two verdicts on one solution: 1 if a solution's verdicts always agree, 0
            if they agree no more often than those on different solutions. NaN if all verdicts are the same.
    """

    V: tuple[int, ...]
    unanimous: tuple[RateWithInterval, ...]
    solutions: tuple[int, ...]
    correlation: RateWithInterval


def measure_verdict_agreement(
    pool: Pool, right: bool, V: ArrayLike, strata: ArrayLike | None = None, clusters: ArrayLike | None = None
) -> VerdictAgreement:
    """Measure how far repeated verdicts on a solution repeat each other, for right or for wrong solutions.

    Errors that verdicts share do not average out, so the correlation limits what further verdicts can add. A verdict
    given as p(yes) counts as yes from 0.5 on. With y yes among m verdicts, V of them are unanimous with the probability
    (C(y, V) + C(m - y, V)) / C(m, V). The correlation is (q - p²) / (p - p²), with p the mean share of yes and q the
    mean share of pairs of verdicts that are both yes, over the solutions with two or more verdicts; it is Fleiss' kappa
    (1971) for two classes. Its interval is a percentile bootstrap over problems.

    Args:
        pool: a pool with verdicts.
        right: whether to measure right solutions, or wrong ones.
        V: (nV,) integers from 2 to the largest number of verdicts.
        strata: (P,) label of each problem's stratum; None for one.
        clusters: (P,) label of each problem's cluster; None if all are independent.

    Raises:
        DataError: a pool without verdicts, or a V out of range.

    Example:
        >>> pool = Pool([[0, 0], [0, 1]], [0, 0], [[[1, 1, 1], [1, 0, 0]], [[1, 1, 0], [0, 0, 0]]])
        >>> found = measure_verdict_agreement(pool, right=True, V=[2, 3])
        >>> [round(each[0], 3) for each in found.unanimous], found.solutions, round(found.correlation[0], 3)
        ([0.556, 0.333], (3, 3), 0.0)
    """
    if pool.tallies is None:
        raise DataError("the agreement of verdicts is measured on verdicts; the pool has none.")
    sizes = np.atleast_1d(np.asarray(V))
    if sizes.dtype.kind not in "iu" or sizes.ndim != 1 or not ((sizes >= 2) & (sizes <= pool.verifications)).all():
        raise DataError(f"V must be integers from 2 to {pool.verifications}, the number of verdicts; got {V!r}.")
    of_kind = pool.correct[:, : pool.verified_solutions] == right
    yes, no = pool.tallies.yes * of_kind, pool.tallies.no * of_kind
    counts = yes + no
    unanimous, solutions = [], []
    for size in sizes:
        is_used = counts >= size
        same = _share_subsets(yes, counts, size) + _share_subsets(counts - yes, counts, size)
        used = is_used.sum(axis=1)
        unanimous.append(compute_share_of_sums(np.where(is_used, same, 0.0).sum(axis=1), used, strata, clusters))
        solutions.append(int(used.sum()))
    return VerdictAgreement(
        tuple(map(int, sizes)), tuple(unanimous), tuple(solutions), _measure_correlation(yes, counts, strata, clusters)
    )


def _share_subsets(part: NDArray[np.int64], whole: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Return C(part, size) / C(whole, size), the share of the subsets that lie in a part; 0 where it is too small."""
    enough = part >= size
    inside, total = np.where(enough, part, size), np.where(enough, whole, size)
    log_share = gammaln(inside + 1) - gammaln(inside - size + 1) - gammaln(total + 1) + gammaln(total - size + 1)
    return np.asarray(np.where(enough, np.exp(log_share), 0.0))


def _measure_correlation(
    yes: NDArray[np.int64], counts: NDArray[np.int64], strata: ArrayLike | None, clusters: ArrayLike | None
) -> RateWithInterval:
    is_used = counts >= 2
    whole = np.where(is_used, counts, 2)
    share, pairs = yes / whole, yes * (yes - 1) / (whole * (whole - 1))
    sums = np.stack([np.where(is_used, each, 0.0).sum(axis=1) for each in (np.ones_like(share), share, pairs)], axis=1)

    def compute_correlation(totals: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.full(len(totals), np.nan)
        has = totals[:, 0] > 0
        p, q = totals[has, 1] / totals[has, 0], totals[has, 2] / totals[has, 0]
        varies = p * (1 - p) > 1e-12
        values = np.full(len(p), np.nan)
        values[varies] = (q[varies] - p[varies] ** 2) / (p[varies] * (1 - p[varies]))
        found[has] = values
        return found

    value = float(compute_correlation(sums.sum(axis=0, keepdims=True))[0])
    used = sums[:, 0] > 0
    groups = code_problem_groups(len(sums), strata, clusters)
    if np.isnan(value) or len(np.unique(groups.cluster[used])) < 2:
        return value, np.nan, np.nan
    stratum = groups.stratum[groups.cluster[used]]
    weights = draw_bootstrap_weights(int(used.sum()), REPLICATES, SEED, stratum, groups.cluster[used])
    low, high = compute_percentile_interval(compute_correlation(resample_means(sums[used], weights)))
    return value, float(low), float(high)
