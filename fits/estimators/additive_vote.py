"""Votes with additive weights, by Monte Carlo draws that all weights share, with their errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.estimators.control_variates import (
    FEWEST_DRAWS,
    estimate_control_means,
    estimate_shares,
)
from isocompute.fits.estimators.monte_carlo import (
    SampledEstimate,
    average_verdicts,
    check_draws,
    check_seed,
    check_values,
    require_verdicts,
    sort_sizes,
)
from isocompute.fits.estimators.solution_order import label_right_first, sort_solutions, sort_tallied_solutions
from isocompute.fits.pool import Pool
from isocompute.fits.verdict_codes import count_yes_and_no, decode_verdicts, encode_verdicts, has_probabilities

Weigh = Callable[[Floats, Floats], Floats]
"""A function of the sums and the numbers of a solution's drawn values that were parsed; returns weights."""

_BATCH = 2**21  # maximum size of an array with an entry per problem, draw, solution and V
_DRAWS_AT_A_TIME = 64
_PROBLEMS_AT_A_TIME = 64  # whose sums are turned into shares, as that takes several times the memory of the sums


def estimate_weighted_vote(pool: Pool, S: ArrayLike, V: ArrayLike, draws: int, seed: int) -> SampledEstimate:
    """Estimate the expected accuracy of a vote weighted by each solution's mean verdict.

    Draws S of the K verified solutions, and V of the verdicts of each (all if it has fewer). The answer with the
    largest total weight wins; ties are broken uniformly. A solution without a parsed verdict has weight 0; if all
    weights are 0, the answers present tie. Unparsed answers cost but never win. See `estimate_additive_votes`.

    Args:
        pool: sampled answers with verdicts.
        S: (nS,) numbers of solutions, 1..K.
        V: (nV,) numbers of verifications per solution, 1..M.
        draws: how often verdicts and solutions are drawn, ≥ 2.
        seed: ≥ 0, as for `estimate_additive_votes`.

    Returns:
        The accuracies and their errors; S=1 is the fraction of right solutions.

    Raises:
        DataError: no verdicts, fewer than 2 draws, a negative seed, or S or V empty, not integers, or out of range.

    Example:
        >>> pool = Pool(answers=[[0, 1, 1]], gold=[0], verdicts=[[[0.9], [0.3], [0.4]]])
        >>> estimate_weighted_vote(pool, S=[1, 3], V=[1], draws=2, seed=0).accuracy[0, :, 0].round(4)
        array([0.3333, 1.    ])
    """
    require_verdicts(pool, "weighted")
    return estimate_additive_vote(pool, None, average_verdicts, S, V, draws, seed)


def estimate_additive_vote(
    pool: Pool,
    values: ArrayLike | None,
    weigh: Weigh,
    S: ArrayLike,
    V: ArrayLike,
    draws: int,
    seed: int,
    by_count: ArrayLike | None = None,
) -> SampledEstimate:
    """Estimate the expected accuracy of a vote in which the answer with the largest total wins.

    This is `estimate_additive_votes` with one rule.

    Example:
        >>> pool = Pool(answers=[[0, 1, 1]], gold=[0], verdicts=[[[1], [1], [0]]])
        >>> log_odds = lambda yes, parsed: 2 * yes - parsed
        >>> estimate_additive_vote(pool, None, log_odds, [3], [1], 2, seed=0).accuracy
        array([[[1.]]])
    """
    return estimate_additive_votes(pool, values, [weigh], S, V, draws, seed, by_count)[0]


def estimate_additive_votes(
    pool: Pool,
    values: ArrayLike | None,
    rules: Sequence[Weigh],
    S: ArrayLike,
    V: ArrayLike,
    draws: int,
    seed: int,
    by_count: ArrayLike | None = None,
) -> list[SampledEstimate]:
    """Estimate the expected accuracy of votes in which the answer with the largest total wins, under several rules.

    An answer's total is the sum of its solutions' weights plus a term for its number of votes (`by_count`). A
    solution's weight is a function of its V drawn verdicts. Answers without a vote never win. Ties are broken
    uniformly; totals tie if they differ by less than 1e-9 of the magnitudes they sum.

    All rules take the same draws, so that they differ from each other by less than their errors. With 32 draws or more,
    control variates remove what the draws have in common with votes that are known exactly: the plain vote over the
    same solutions (`estimate_self_consistency`) and, where the values are verdicts 0, 1 or NaN, the vote among the
    best (`estimate_genrm_vote`). See `control_variates.estimate_shares`. Corrected results are clipped to 0 … 1.

    Args:
        pool: sampled answers with verdicts.
        values: (P, K, M) a number for each verdict, NaN where it is unparsed; None for the verdicts themselves.
        rules: W functions of the sums and the numbers of the drawn values that were parsed, two arrays of one shape;
            each returns finite weights of that shape and of any sign. The weight of an unparsed answer has no effect.
        S: (nS,) numbers of solutions, 1..K.
        V: (nV,) numbers of verifications per solution, 1..M.
        draws: how often verdicts and solutions are drawn, ≥ 2.
        seed: 0 … 2⁶⁴-1. The same seed gives the same bytes. A draw of a problem depends only on the seed, the problem's
            key, the number of the draw, and the solutions and verdicts in whatever order, see `sort_solutions`.
        by_count: (K+1,) added to the total of an answer with 0, 1, … K votes; None adds nothing.

    Returns:
        The accuracies and their errors under each rule; S=1 is the fraction of right solutions.

    Raises:
        DataError: no verdicts, values or by_count of another shape, weights that are not finite, fewer than 2
            draws, a negative seed, or S or V empty, not integers, or out of range.
    """
    return DrawnVotes(pool, values, rules, S, V, seed, by_count, has_few_draws=draws < FEWEST_DRAWS).estimate(draws)


class DrawnVotes:
    """Sums over the draws of votes under several rules, see `estimate_additive_votes`, to which draws can be added.

    With `has_few_draws` the controls' expectations are not computed, which takes longer than a few draws. Shares are
    then never corrected.

    Attributes:
        draws: the number of draws so far.
    """

    def __init__(
        self,
        pool: Pool,
        values: ArrayLike | None,
        rules: Sequence[Weigh],
        S: ArrayLike,
        V: ArrayLike,
        seed: int,
        by_count: ArrayLike | None = None,
        *,
        has_few_draws: bool = False,
    ) -> None:
        from isocompute.fits.estimators.kernels_streams import start_streams

        require_verdicts(pool, "additive_vote")
        check_seed(seed)
        assert pool.judged is not None
        self._rules = rules
        self._S, self._V, self._to_S, self._to_V = sort_sizes(pool, S, V)
        K = pool.verified_solutions
        self._by_count = np.zeros(K + 1) if by_count is None else np.asarray(by_count, dtype=float)
        if self._by_count.shape != (K + 1,) or not np.isfinite(self._by_count).all():
            raise DataError(f"by_count must hold {K + 1} finite numbers, for 0 to {K} votes.")
        tallies, codes, is_same = pool.tallies, None, values is None
        self._is_binary = not pool.has_probabilities
        if values is not None:
            codes = encode_verdicts(np.asarray(check_values(pool, values), dtype=float))
            is_same = np.array_equal(codes, np.asarray(pool.verdict_codes))
            self._is_binary, tallies = not has_probabilities(codes), count_yes_and_no(codes)
        self._weights, self._level = np.zeros((0, len(rules))), np.zeros(0, dtype=np.int64)
        label, self._rights = label_right_first(pool)
        if self._is_binary:  # a solution's weight is looked up by its numbers of yes and of parsed verdicts
            most = int(self._V[-1])
            sums, parsed = np.indices((most + 1, most + 1), dtype=float)
            possible = (sums <= parsed)[..., None]
            weights = np.where(possible, _weigh_all(rules, np.minimum(sums, parsed), parsed), 0.0)
            self._weights = np.ascontiguousarray(weights.reshape(-1, len(rules)))
            if is_same:
                means = average_verdicts(sums, parsed).ravel()
                self._level = np.unique(means, return_inverse=True)[1].astype(np.int64)
            assert tallies is not None
            self._label, *self._tally = sort_tallied_solutions(label, tallies.yes, tallies.no, pool.judged)
            self._judged = self._tally[-1]
        else:
            numbers = pool.verdicts if codes is None else decode_verdicts(codes)
            assert numbers is not None
            self._label, self._values, self._judged = sort_solutions(label, numbers, pool.judged)
        self._streams = start_streams(pool.keys, np.uint64(seed))
        cells = (pool.problems, 2, len(self._S), len(self._V))
        self._votes, self._controls = np.zeros((*cells, 4, len(rules))), np.zeros((*cells, 5))
        self.draws = 0
        # The pool itself is not kept, so that what is remembered of a pool does not keep it in use.
        self._pass_at_1 = pool.correct[:, :K].mean(axis=1)
        self._means: Floats | None = None
        if not has_few_draws:
            self._means = estimate_control_means(pool, self._S, self._V, len(self._level) > 0)

    def estimate(self, draws: int) -> list[SampledEstimate]:
        """Return the estimates after this number of draws, those before included.

        Raises:
            DataError: fewer than 2 draws, or weights that are not finite.
        """
        check_draws(draws)
        self._add_draws(draws)
        shares, errors = np.empty((2, len(self._rules), *self._votes.shape[:1], len(self._S), len(self._V)))
        for start in range(0, len(self._votes), _PROBLEMS_AT_A_TIME):
            at = slice(start, start + _PROBLEMS_AT_A_TIME)
            means = None if self._means is None else self._means[:, at]
            found = estimate_shares(self._votes[at], self._controls[at], means, self.draws)
            shares[:, at], errors[:, at] = found
        shares = np.clip(shares, 0.0, 1.0)  # corrections can leave the range
        shares[:, :, self._S == 1], errors[:, :, self._S == 1] = self._pass_at_1[:, None, None], 0.0
        return [
            SampledEstimate(*(each[:, self._to_S][:, :, self._to_V] for each in (share, error)))
            for share, error in zip(shares, errors, strict=True)
        ]

    def _add_draws(self, draws: int) -> None:
        from isocompute.fits.estimators.kernels_sampled import add_votes, draw_verdict_rows, draw_verdicts

        problems, K = self._judged.shape
        at_a_time = min(draws - self.draws, _DRAWS_AT_A_TIME)
        if at_a_time <= 0:
            return
        size = max(1, _BATCH // (at_a_time * K * len(self._V)))
        steps = np.diff(self._by_count[1:], prepend=0.0)
        for start in range(0, problems, size):
            at = slice(start, start + size)
            for first in range(self.draws, draws, at_a_time):
                count = min(at_a_time, draws - first)
                if self._is_binary:
                    yes, no, judged = (each[at] for each in self._tally)
                    row_of = draw_verdict_rows(yes, no, judged, self._V, first, count, self._streams[at])
                    weights = self._weights
                else:
                    batch = np.array(self._values[at], dtype=float, order="C")
                    judged = np.array(self._judged[at])
                    sums, parsed = draw_verdicts(batch, judged, self._V, first, count, self._streams[at])
                    row_of = np.arange(sums.size, dtype=np.int32).reshape(sums.shape)
                    weights = _weigh_all(self._rules, sums, parsed).reshape(-1, len(self._rules))
                add_votes(
                    row_of,
                    weights,
                    bool((weights < 0).any() or (steps < 0).any()),
                    self._level,
                    self._label[at],
                    self._rights[at],
                    self._S,
                    steps,
                    first,
                    self._streams[at],
                    self._votes[at],
                    self._controls[at],
                )
        self.draws = draws


def _weigh_all(rules: Sequence[Weigh], sums: Floats, parsed: Floats) -> Floats:
    """Return the weights under each rule, as a last axis."""
    weights = np.empty((*sums.shape, len(rules)))
    for w, rule in enumerate(rules):
        found = np.asarray(rule(sums, parsed), dtype=float)
        if found.shape != sums.shape or not np.isfinite(found).all():
            raise DataError(
                f"weigh must give finite weights of the shape of its sums, {sums.shape}; got the shape {found.shape}"
                + ("." if found.shape != sums.shape else ", not all finite.")
            )
        weights[..., w] = found
    return weights
