"""Quality of a verifier: true and false positive rates, AUROC, and the share of unparsed verdicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.pool import Pool
from isocompute.fits.share_interval import RateWithInterval, compute_share_of_sums


@dataclass(frozen=True)
class VerifierEstimate:
    """A verifier's rates over the verdicts of a pool, with 95 % intervals over problems.

    Args:
        true_positive: share of yes among the parsed verdicts on right solutions.
        false_positive: the same on wrong ones.
        auroc: probability that a right solution has a higher mean verdict than a wrong one of the same problem; a tie
            counts half. The mean over the problems that have both. 1/2 is chance.
        unparsed: share of the verdicts that could not be parsed.
    """

    true_positive: RateWithInterval
    false_positive: RateWithInterval
    auroc: RateWithInterval
    unparsed: float


def measure_verifier(
    pool: Pool, strata: ArrayLike | None = None, clusters: ArrayLike | None = None
) -> VerifierEstimate:
    """Measure a verifier's rates as ratios of sums over problems, with intervals by `compute_share_of_sums`.

    A verdict given as p(yes) counts as that fraction of a yes. A solution without a parsed verdict has no mean.

    Args:
        pool: a pool with verdicts.
        strata: (P,) label of each problem's stratum; None for one.
        clusters: (P,) label of each problem's cluster; None if all are independent.

    Raises:
        DataError: a pool without verdicts, or labels of another length.

    Example:
        >>> found = measure_verifier(Pool([[0, 1], [0, 0]], [0, 0], [[[1, 1], [0, 1]], [[1, 0], [1, float("nan")]]]))
        >>> found.true_positive[0], found.false_positive[0], found.auroc[0], found.unparsed
        (0.8, 0.5, 1.0, 0.125)
    """
    tallies = pool.tallies
    if tallies is None or pool.judged is None:
        raise DataError("a verifier is measured on verdicts; the pool has none.")
    right, requested = pool.correct[:, : pool.verified_solutions], pool.judged.sum()
    parsed_counts, yes = tallies.yes + tallies.no, tallies.yes.astype(float)
    if pool.has_probabilities:
        yes = np.nansum(np.asarray(pool.verdict_codes), axis=2)
    ranked = np.array(
        [_compute_auroc(y[h > 0] / h[h > 0], r[h > 0]) for y, h, r in zip(yes, parsed_counts, right, strict=True)]
    )
    both = ~np.isnan(ranked)
    return VerifierEstimate(
        compute_share_of_sums((yes * right).sum(axis=1), (parsed_counts * right).sum(axis=1), strata, clusters),
        compute_share_of_sums((yes * ~right).sum(axis=1), (parsed_counts * ~right).sum(axis=1), strata, clusters),
        compute_share_of_sums(np.where(both, ranked, 0.0), both, strata, clusters),
        float(1 - parsed_counts.sum() / requested) if requested else np.nan,
    )


def _compute_auroc(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Return the share of right-wrong pairs in which the right one scores higher, ties half; NaN without pairs."""
    above = np.sign(scores[right][:, None] - scores[~right])
    return float((above.mean() + 1) / 2) if above.size else np.nan
