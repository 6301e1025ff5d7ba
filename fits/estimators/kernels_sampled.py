"""Compiled inner loops of the Monte Carlo estimators: drawing verdicts, and votes with additive weights.

Each problem has its own seed, so results do not depend on the assignment of problems to threads.
"""

# ruff: noqa: NPY002 - only the legacy functions have a state per thread in compiled code.
from __future__ import annotations

import numpy as np
from numba import njit, prange

from isocompute.fits.arrays import Floats, Ints


@njit(cache=True, parallel=True)
def draw_verdicts(values: Floats, judged: Ints, V: Ints, draws: int, seeds: Ints) -> tuple[Floats, Floats]:
    """Sum V verdicts of each solution, drawn without replacement; the draws of a smaller V are part of a larger one.

    Args:
        values: (P, K, M) a number for each verdict, NaN where it is unparsed.
        judged: (P, K) how many verdicts a solution has; if fewer than V, all are drawn.
        V: (nV,) numbers of verdicts, ascending.
        draws: R, the number of draws.
        seeds: (P,) one seed per problem.

    Returns:
        sums, parsed: (P, R, K, nV) the sum and the number of the parsed values.
    """
    problems, solutions, many = values.shape
    sums = np.empty((problems, draws, solutions, len(V)))
    parsed = np.empty((problems, draws, solutions, len(V)))
    for p in prange(problems):
        np.random.seed(seeds[p])
        row = np.empty(many)
        for r in range(draws):
            for i in range(solutions):
                row[:] = values[p, i]
                total, count, draw_count = 0.0, 0.0, 0
                for v in range(len(V)):
                    while draw_count < min(V[v], judged[p, i]):
                        other = draw_count + int(np.random.random() * (judged[p, i] - draw_count))
                        value = row[other]
                        row[other] = row[draw_count]
                        row[draw_count] = value
                        draw_count += 1
                        if not np.isnan(value):
                            total += value
                            count += 1.0
                    sums[p, r, i, v], parsed[p, r, i, v] = total, count
    return sums, parsed


_ROUNDING = 1e-9  # totals tie if they differ by less than this share of the magnitudes they sum


@njit(cache=True)
def _compare_totals(total: float, scale: float, right: float, right_scale: float) -> int:
    """Return 1 if an answer's total is above the right answer's, 0 if they tie, -1 if it is below."""
    slack = _ROUNDING * (scale + right_scale)
    if total > right + slack:
        return 1
    return 0 if total >= right - slack else -1


@njit(cache=True)
def _average_last_vote(
    rest: Ints, weight: Floats, label: Ints, total: Floats, scale: Floats, count: Ints, by_count: Floats
) -> float:
    """Return the right answer's share of the vote, averaged over the choice of the last solution from the rest.

    `total`, `scale` and `count` describe the votes so far of each answer, where answer 0 is the right one: the sum of
    the weights, the sum of their magnitudes, and the number of votes. They do not include `by_count`.
    """
    answers = len(total)
    standing = np.full(answers, -1)  # comparison of each answer with the right one before the last vote
    above, tied = 0, 0
    for a in range(1, answers):
        if count[a] > 0 and count[0] > 0:
            g, h = by_count[count[a]], by_count[count[0]]
            standing[a] = _compare_totals(total[a] + g, scale[a] + abs(g), total[0] + h, scale[0] + abs(h))
            above += standing[a] == 1
            tied += standing[a] == 0
    share = 0.0
    for i in rest:
        a, w = label[i], weight[i]
        if a == 0:
            g = by_count[count[0] + 1]
            right, right_scale = total[0] + w + g, scale[0] + abs(w) + abs(g)
            beaten, equal = False, 0
            for b in range(1, answers):
                if count[b] > 0:
                    h = by_count[count[b]]
                    other = _compare_totals(total[b] + h, scale[b] + abs(h), right, right_scale)
                    beaten |= other == 1
                    equal += other == 0
            if not beaten:
                share += 1.0 / (1 + equal)
        elif count[0] > 0:
            over, equal = above, tied
            if a > 0:
                g, h = by_count[count[a] + 1], by_count[count[0]]
                now = _compare_totals(total[a] + w + g, scale[a] + abs(w) + abs(g), total[0] + h, scale[0] + abs(h))
                over += (now == 1) - (standing[a] == 1)
                equal += (now == 0) - (standing[a] == 0)
            if over == 0:
                share += 1.0 / (1 + equal)
    return share / len(rest)


@njit(cache=True, parallel=True)
def compute_vote_shares(weights: Floats, label: Ints, S: Ints, by_count: Floats, starts: int, seeds: Ints) -> Floats:
    """Compute the right answer's share of additive votes among S random solutions with individual weights.

    Among the answers with a vote, the one with the largest total Σ weight + by_count[votes] wins; ties are shared.
    Solutions are shuffled into a circle. From each of several starting points, S-1 consecutive ones are taken, so a
    smaller S uses a part of a larger one; the mean over the last solution, any of the K-S+1 others, is exact.

    Args:
        weights: (P, R, K, nV) weight of each solution in each draw; any finite number.
        label: (P, K) answer of each solution: 0 the right one, 1, 2, … wrong ones, -1 unparsed (no vote).
        S: (nS,) numbers of solutions, ascending.
        by_count: (K+1,) added to an answer's total by its number of votes.
        starts: number of starting points on each circle.
        seeds: (P,) one seed per problem.

    Returns:
        (P, R, nS, nV) shares; the draws R are independent.
    """
    problems, draws, solutions, nV = weights.shape
    shares = np.zeros((problems, draws, len(S), nV))
    for p in prange(problems):
        np.random.seed(seeds[p])
        order = np.arange(solutions)
        answers = max(1, label[p].max() + 1)
        total, scale = np.empty(answers), np.empty(answers)
        count = np.empty(answers, dtype=np.int64)
        for r in range(draws):
            np.random.shuffle(order)
            for b in range(starts):
                circle = np.roll(order, -(b * solutions // starts))
                for v in range(nV):
                    total[:], scale[:], count[:] = 0.0, 0.0, 0
                    taken = 0
                    for s in range(len(S)):
                        for i in circle[taken : S[s] - 1]:
                            if label[p, i] >= 0:
                                w = weights[p, r, i, v]
                                total[label[p, i]] += w
                                scale[label[p, i]] += abs(w)
                                count[label[p, i]] += 1
                        taken = S[s] - 1
                        shares[p, r, s, v] += (
                            _average_last_vote(
                                circle[taken:], weights[p, r, :, v], label[p], total, scale, count, by_count
                            )
                            / starts
                        )
    return shares
