"""The fused vote: a majority vote in which each solution is weighted by its odds of being right."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.choice.held_out import Folds
from isocompute.fits.choice.ties import TIE_TOLERANCE
from isocompute.fits.estimators.additive_vote import DrawnVotes, Weigh, estimate_additive_votes
from isocompute.fits.estimators.monte_carlo import SampledEstimate, average_verdicts, require_verdicts
from isocompute.fits.pool import Pool

ODDS_EXPONENTS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
"""Exponents κ that `fit_fused_vote` tries: from a plain vote (0) towards the best mean verdict with ties by vote."""

_PRIOR = 0.1  # Beta(0.1, 0.1): a verifier mostly repeats itself, so its rates of yes lie near 0 and 1
_Remembered = dict[tuple[int | None, ...], tuple[DrawnVotes, dict[int, list[SampledEstimate]]]]
_LAST: WeakKeyDictionary[Pool, _Remembered] = WeakKeyDictionary()
_MAX_EXPONENT = 50.0  # keeps weights below the largest double even with a million verdicts


def estimate_fused_vote(pool: Pool, S: ArrayLike, V: ArrayLike, trust: float, draws: int, seed: int) -> SampledEstimate:
    """Estimate the expected accuracy of a vote weighted by each solution's odds of being right, to the power κ.

    The answer with the largest log-odds wins. For n votes whose solutions have y_i yes and z_i no verdicts they are

        log n + log (1/n Σ_i o_i^κ),   o_i = (y_i + 0.1) / (z_i + 0.1),

    a vote term and a verdict term. κ, the trust in the verifier, is the only parameter; it sets the weight of the
    second term. κ = 0 is self-consistency. For large κ the vote becomes the best mean verdict with ties broken by vote
    (`estimate_genrm_vote`). Verdicts on one solution are correlated, because a verifier mostly repeats itself.
    Therefore o_i is the odds under a Beta(0.1, 0.1) prior on the rate of yes, not a product of V likelihood ratios;
    most of the information is in the first verdict.

    Draws S of the K verified solutions, and V of the verdicts of each (all if it has fewer). p(yes) counts as that
    fraction of a yes; a solution without a parsed verdict has odds of 1. Ties are broken uniformly. Unparsed answers
    cost but never win. See `estimate_additive_votes`; the same seed gives the same draws for every κ.

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
        DataError: a trust out of range, or an input that `estimate_additive_votes` rejects.

    Example:
        >>> pool = Pool(answers=[[0, 1, 1]], gold=[0], verdicts=[[[0.9], [0.3], [0.4]]])
        >>> [estimate_fused_vote(pool, [3], [1], trust, draws=2, seed=0).accuracy.item() for trust in (0, 2)]
        [0.0, 1.0]
    """
    if not 0 <= trust <= _MAX_EXPONENT:
        raise DataError(f"trust must lie between 0 and {_MAX_EXPONENT:g}; got {trust}.")
    require_verdicts(pool, "fused")
    return estimate_additive_votes(pool, None, [_build_rule(trust)], S, V, draws, seed)[0]


def _build_rule(trust: float) -> Weigh:
    """Return the weight of a solution, its odds to the power κ, as a function of its sum and number of verdicts."""
    return lambda sums, parsed: np.asarray(((sums + _PRIOR) / (parsed - sums + _PRIOR)) ** trust)


def estimate_verdict_votes(pool: Pool, S: ArrayLike, V: ArrayLike, draws: int, seed: int) -> list[SampledEstimate]:
    """Estimate the vote weighted by mean verdicts and the fused vote under each of `ODDS_EXPONENTS`, in one pass.

    All take the same draws; the bytes are those of `estimate_weighted_vote` and `estimate_fused_vote`. The last
    draws and estimates are remembered for as long as the pool is in use; a call for more draws of the same sizes adds
    the rest.

    Args:
        pool: sampled answers with verdicts.
        S: (nS,) numbers of solutions.
        V: (nV,) numbers of verifications per solution.
        draws: as for `estimate_additive_votes`.
        seed: as for `estimate_additive_votes`.

    Returns:
        The weighted vote, then the fused vote under each exponent.

    Raises:
        DataError: an input that `estimate_additive_votes` rejects.
    """
    wanted = (*np.asarray(S).tolist(), None, *np.asarray(V).tolist(), None, seed)
    votes, known = _LAST.get(pool, {}).get(wanted, (None, {}))
    if draws in known:
        return known[draws]
    if votes is None or votes.draws > draws:
        rules = [average_verdicts, *(_build_rule(trust) for trust in ODDS_EXPONENTS)]
        votes = DrawnVotes(pool, None, rules, S, V, seed)
    while 0 < 2 * votes.draws < draws:  # fewer draws may be asked for next, by doubling
        known[2 * votes.draws] = votes.estimate(2 * votes.draws)
    known[draws] = votes.estimate(draws)
    for estimate in chain.from_iterable(known.values()):  # several callers have them
        estimate.accuracy.setflags(write=False)
        estimate.error.setflags(write=False)
    _LAST[pool] = {wanted: (votes, known)}  # other sizes are forgotten
    return known[draws]


def clear_verdict_votes(pool: Pool) -> None:
    """Forget what `estimate_verdict_votes` remembers of a pool, which stays in use for other things."""
    _LAST.pop(pool, None)


@dataclass(frozen=True, eq=False)
class FusedEstimate:
    """The fused vote, with κ chosen on other problems than those it is scored on.

    Args:
        estimate: (P, nS, nV) accuracy of each problem under the κ chosen without it.
        odds_exponent: κ chosen on all problems, for use on new ones.
        held_out_exponents: (F,) κ chosen without each fold.
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
    """Choose the exponent κ of the fused vote by cross-validation, and estimate the vote on held-out problems.

    One κ serves all S and V. Each fold takes the one of `ODDS_EXPONENTS` with the highest accuracy, averaged over the
    training problems and the cells of S × V; ties go to the smallest. The held-out problems are scored under it. A
    problem that is held out several times gets the mean.

    Args:
        pool: sampled answers with verdicts.
        S: (nS,) numbers of solutions.
        V: (nV,) numbers of verifications per solution.
        folds: the problems that κ is chosen on, and those it is scored on; each problem is scored at least once.
        draws: as for `estimate_fused_vote`.
        seed: as for `estimate_fused_vote`.

    Raises:
        DataError: folds that do not match the pool or never score a problem, or an input that `estimate_fused_vote`
            rejects.
    """
    times = folds.test.sum(axis=0)
    if folds.test.shape[1] != pool.problems or not times.all():
        raise DataError(f"folds must score each of the pool's {pool.problems} problems; got {folds.test.shape}.")
    estimates = estimate_verdict_votes(pool, S, V, draws, seed)[1:]
    accuracy = np.stack([estimate.accuracy for estimate in estimates])  # (trusts, P, nS, nV)
    by_problem = accuracy.mean(axis=(2, 3))
    order = np.argsort(pool.keys, kind="stable")  # so that means do not depend on the order of the problems
    rows = np.concatenate([np.ones((1, pool.problems)), folds.train])
    best = _choose_exponents(by_problem[:, order], rows[:, order])
    share = np.zeros((len(ODDS_EXPONENTS), pool.problems))  # share of a problem's scorings under each κ
    np.add.at(share, best[1:], folds.test / times)
    error = np.stack([estimate.error for estimate in estimates])
    return FusedEstimate(
        # All κ share their draws, so the errors in a mean over κ add up.
        SampledEstimate(np.einsum("tp,tpsv->psv", share, accuracy), np.einsum("tp,tpsv->psv", share, error)),
        ODDS_EXPONENTS[best[0]],
        np.asarray(ODDS_EXPONENTS)[best[1:]],
    )


def _choose_exponents(by_problem: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return (R,) the first best κ, from (κ, P) accuracies and (R, P) weights."""
    means = by_problem @ (rows / rows.sum(axis=1, keepdims=True)).T
    return np.asarray((means > means.max(axis=0) - TIE_TOLERANCE).argmax(axis=0))
