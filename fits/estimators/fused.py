"""What would votes and verdicts together answer: each solution votes, and the more so the better it was judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.choice.held_out import Folds
from isocompute.fits.choice.ties import TIE_TOLERANCE
from isocompute.fits.estimators.monte_carlo import SampledEstimate, estimate_additive_vote
from isocompute.fits.pool import Pool

ODDS_EXPONENTS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
"""How much the verifier may be believed: from a plain vote to its best mean verdict, ties by vote."""

_PRIOR = 0.1  # a verifier mostly repeats itself: its rates of yes lie near 0 and 1, as Beta(0.1, 0.1) has them
_MAX_EXPONENT = 50.0  # with a million verdicts a weight stays below the largest double


def estimate_fused_vote(pool: Pool, S: ArrayLike, V: ArrayLike, trust: float, draws: int, seed: int) -> SampledEstimate:
    """Expected accuracy of a vote in which each solution counts as its odds of being judged right, to the power κ.

    An answer with n votes, whose solutions were judged right y_i times and wrong z_i times, wins by its log-odds

        log n + log (1/n Σ_i o_i^κ),   o_i = (y_i + 0.1) / (z_i + 0.1),

    a vote term and a verdict term. κ, the trust in the verifier, calibrates the second against the first, and is
    the only parameter. κ = 0 is self-consistency, and as κ grows it becomes the best mean verdict with ties broken
    by vote (`estimate_genrm_vote`). Verdicts of one solution are correlated: a verifier mostly repeats itself. So o_i
    is the odds under a Beta(0.1, 0.1) of such rates, not a product of V likelihood ratios: most is said by the first
    verdict.

    S of the K verified solutions, V of the verdicts of each, or all where it has fewer; p(yes) counts as so much
    of a yes, and a solution without a parsed verdict has odds of 1. Ties are broken uniformly. Unparsed answers cost
    and never win. Estimated by drawing, as `estimate_additive_vote` does; the same seed draws the same for every κ.

    Args:
        pool: sampled answers with verdicts, which may be p(yes).
        S: (nS,) numbers of solutions, 1..K.
        V: (nV,) numbers of verifications per solution, 1..M.
        trust: κ, 0 to 50.
        draws: how often verdicts and solutions are drawn, ≥ 2.
        seed: ≥ 0.

    Returns:
        The accuracies and their errors; S=1 is the fraction of right solutions.

    Raises:
        DataError: a trust out of range, or what `estimate_additive_vote` refuses.

    Example:
        >>> pool = Pool(answers=[[0, 1, 1]], gold=[0], verdicts=[[[0.9], [0.3], [0.4]]])
        >>> [estimate_fused_vote(pool, [3], [1], trust, draws=2, seed=0).accuracy.item() for trust in (0, 2)]
        [0.0, 1.0]
    """
    if not 0 <= trust <= _MAX_EXPONENT:
        raise DataError(f"trust must lie between 0 and {_MAX_EXPONENT:g}; got {trust}.")

    def weigh_solutions(sums: NDArray[np.float64], parsed: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(((sums + _PRIOR) / (parsed - sums + _PRIOR)) ** trust)

    if pool.verdicts is None:
        raise DataError("fused needs a pool with verdicts of shape (problems, solutions, verifications).")
    return estimate_additive_vote(pool, pool.verdicts, weigh_solutions, S, V, draws, seed)


@dataclass(frozen=True, eq=False)
class FusedEstimate:
    """The fused vote with the trust learnt on other problems than it is scored on.

    Args:
        estimate: (P, nS, nV) each problem under the trusts that were learnt without it.
        trust: learnt on all problems: what to use on new ones.
        held_out: (F,) learnt without each fold.
    """

    estimate: SampledEstimate
    odds_exponent: float
    held_out_exponents: NDArray[np.float64]


def fit_fused_vote(
    pool: Pool,
    S: ArrayLike,
    V: ArrayLike,
    folds: Folds,
    draws: int,
    seed: int,
) -> FusedEstimate:
    """The fused vote, its trust learnt by cross-validation: the best in the mean over problems and allocations.

    One trust serves all S and V. In each fold it is the one of `ODDS_EXPONENTS` with the highest accuracy over the
    training problems, averaged over the cells of S × V, of equals the smallest; the held-out problems are scored
    under it. A problem that is held out several times gets the mean.

    Args:
        pool: sampled answers with verdicts.
        S: (nS,) numbers of solutions.
        V: (nV,) numbers of verifications per solution.
        folds: on which problems it is learnt, and on which it is scored; each problem is scored at least once.
        draws: as for `estimate_fused_vote`.
        seed: as for `estimate_fused_vote`.

    Raises:
        DataError: folds of other problems than the pool's, or which leave one out, or what `estimate_fused_vote`
            refuses.
    """
    times = folds.test.sum(axis=0)
    if folds.test.shape[1] != pool.problems or not times.all():
        raise DataError(f"folds must score each of the pool's {pool.problems} problems; got {folds.test.shape}.")
    tried = [estimate_fused_vote(pool, S, V, trust, draws, seed) for trust in ODDS_EXPONENTS]
    accuracy = np.stack([estimate.accuracy for estimate in tried])  # (trusts, P, nS, nV)
    by_problem = accuracy.mean(axis=(2, 3))
    best = _choose_exponents(by_problem, np.concatenate([np.ones((1, pool.problems)), folds.train]))
    share = np.zeros((len(ODDS_EXPONENTS), pool.problems))  # how often each problem is scored under each trust
    np.add.at(share, best[1:], folds.test / times)
    error = np.stack([estimate.error for estimate in tried])
    return FusedEstimate(
        # The same draws serve every trust, so the errors of a mean over trusts add up rather than cancel.
        SampledEstimate(np.einsum("tp,tpsv->psv", share, accuracy), np.einsum("tp,tpsv->psv", share, error)),
        ODDS_EXPONENTS[best[0]],
        np.asarray(ODDS_EXPONENTS)[best[1:]],
    )


def _choose_exponents(by_problem: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """(trusts, P) accuracies and (R, P) weights → (R,) the first trust that is best."""
    means = by_problem @ (rows / rows.sum(axis=1, keepdims=True)).T
    return np.asarray((means > means.max(axis=0) - TIE_TOLERANCE).argmax(axis=0))
