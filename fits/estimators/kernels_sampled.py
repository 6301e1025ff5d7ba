"""The inner loops of the Monte Carlo estimators: verdicts drawn, and votes of any additive weight.

Each problem draws from its own seed, whichever thread it falls to: the same seeds, the same numbers.
"""

# ruff: noqa: NPY002 - compiled code has a state for each thread under the old names only.
from __future__ import annotations

import numpy as np
from numba import njit, prange

from isocompute.fits.arrays import Floats, Ints


@njit(cache=True, parallel=True)
def draw_verdicts(values: Floats, judged: Ints, V: Ints, draws: int, seeds: Ints) -> tuple[Floats, Floats]:
    """Sums over V verdicts of each solution drawn without replacement; those of a smaller V are among them.

    Args:
        values: (P, K, M) a number for each verdict, NaN where it is unparsed.
        judged: (P, K) how many verdicts a solution has; fewer than V are all drawn.
        V: (nV,) numbers of verdicts, ascending.
        draws: R, how often.
        seeds: (P,) of each problem.

    Returns:
        sums, parsed: (P, R, K, nV) the sum of what was parsed, and how many that was.
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
                total, count, drawn = 0.0, 0.0, 0
                for v in range(len(V)):
                    while drawn < min(V[v], judged[p, i]):
                        other = drawn + int(np.random.random() * (judged[p, i] - drawn))
                        value = row[other]
                        row[other] = row[drawn]
                        row[drawn] = value
                        drawn += 1
                        if not np.isnan(value):
                            total += value
                            count += 1.0
                    sums[p, r, i, v], parsed[p, r, i, v] = total, count
    return sums, parsed


_ROUNDING = 1e-9  # totals nearer than this part of what they sum are a tie


@njit(cache=True)
def _compare_totals(total: float, scale: float, right: float, right_scale: float) -> int:
    """1 if an answer's total is above the right answer's, 0 if they tie, -1 if it is below."""
    slack = _ROUNDING * (scale + right_scale)
    if total > right + slack:
        return 1
    return 0 if total >= right - slack else -1


@njit(cache=True)
def _average_last_vote(
    rest: Ints, weight: Floats, label: Ints, total: Floats, scale: Floats, count: Ints, by_count: Floats
) -> float:
    """The right answer's share of the vote, the mean over which solution of the rest comes last.

    total, scale and count are the votes so far of each answer, without the part by count: the sum of the
    weights, the sum of their magnitudes, and the number of votes; the right answer is 0.
    """
    answers = len(total)
    standing = np.full(answers, -1)  # of the answers present beside the right one, as it is now
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
    """The right answer's share of additive votes among S random solutions, each vote of its own weight.

    The answer with the largest total Σ weight + by_count[votes] wins, among those with a vote; ties are
    shared. Solutions are shuffled into a circle; from each of several starting points S-1 are taken, those of
    a smaller S among them, and the share is averaged exactly over the last, any of the K-S+1 others.

    Args:
        weights: (P, R, K, nV) weight of each solution in each draw; any finite number.
        label: (P, K) its answer: 0 the right one, 1, 2, … the wrong ones, -1 unparsed: no vote.
        S: (nS,) numbers of solutions, ascending.
        by_count: (K+1,) what an answer's number of votes adds to its total.
        starts: starting points on each circle.
        seeds: (P,) of each problem.

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
