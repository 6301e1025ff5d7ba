"""Compiled inner loops of the Monte Carlo estimators: drawing verdicts, and votes with additive weights.

Random numbers are a function of a problem's stream, the number of the draw and the solution. So a problem's draws
depend neither on the other problems, nor on the threads, nor on how many draws are made at a time; votes with different
weights share them.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.estimators.kernels_streams import STREAM_STEP, Streams, derive_stream, hash_word, scale_word


@njit(cache=True)
def _draw_sums(row: Floats, judged: int, V: Ints, state: np.uint64, sums: Floats, parsed: Floats) -> None:
    """Fill the sum and the number of the parsed values among V drawn from a row, which is shuffled on the way."""
    total, count, taken = 0.0, 0.0, 0
    for v in range(len(V)):
        wanted = min(V[v], judged)
        while taken < wanted:
            other = taken
            if wanted < judged:  # the last ones are all taken, in whatever order
                state += STREAM_STEP
                other += scale_word(hash_word(state), judged - taken)
            value = row[other]
            row[other] = row[taken]
            taken += 1
            if not np.isnan(value):
                total += value
                count += 1.0
        sums[v], parsed[v] = total, count


@njit(cache=True, parallel=True)
def draw_verdicts(
    values: Floats, judged: Ints, V: Ints, first: int, draws: int, streams: Streams
) -> tuple[Floats, Floats]:
    """Sum V verdicts of each solution, drawn without replacement; the draws of a smaller V are part of a larger one.

    Args:
        values: (P, K, M) a number for each verdict, NaN where it is unparsed.
        judged: (P, K) how many verdicts a solution has; if fewer than V, all are drawn.
        V: (nV,) numbers of verdicts, ascending.
        first: number of the first draw.
        draws: R, the number of draws.
        streams: (P,) from `start_streams`.

    Returns:
        sums, parsed: (P, R, nV, K) the sum and the number of the parsed values.
    """
    problems, solutions, many = values.shape
    sums = np.empty((problems, draws, len(V), solutions))
    parsed = np.empty((problems, draws, len(V), solutions))
    for p in prange(problems):
        row, total, count = np.empty(many), np.empty(len(V)), np.empty(len(V))
        for r in range(draws):
            draw = derive_stream(streams[p], first + r)
            for i in range(solutions):
                row[:] = values[p, i]
                _draw_sums(row, judged[p, i], V, derive_stream(draw, i), total, count)
                sums[p, r, :, i], parsed[p, r, :, i] = total, count
    return sums, parsed


@njit(cache=True, parallel=True)
def draw_verdict_rows(
    yes_of: Ints, no_of: Ints, judged: Ints, V: Ints, first: int, draws: int, streams: Streams
) -> NDArray[np.int32]:
    """Draw verdicts as `draw_verdicts` does, where each is yes, no or unparsed, of their numbers alone.

    Args:
        yes_of: (P, K) how many verdicts of a solution are yes.
        no_of: (P, K) how many are no.
        judged: (P, K) as for `draw_verdicts`.
        V: (nV,) the same.
        first: the same.
        draws: the same.
        streams: (P,) the same.

    Returns:
        (P, R, nV, K) yes · (V[-1] + 1) + parsed, the numbers of yes and of parsed verdicts as one row number.
    """
    problems, solutions = judged.shape
    rows = np.empty((problems, draws, len(V), solutions), dtype=np.int32)
    for p in prange(problems):
        row, moved = np.empty(judged[p].max(), dtype=np.int8), np.empty(V[-1], dtype=np.int64)
        for i in range(solutions):
            no, some = no_of[p, i], no_of[p, i] + yes_of[p, i]
            row[:no], row[no:some], row[some:] = 0, 1, -1
            for r in range(draws):
                state = derive_stream(derive_stream(streams[p], first + r), i)
                yes, parsed, taken = 0, 0, 0
                for v in range(len(V)):
                    wanted = min(V[v], judged[p, i])
                    while taken < wanted:
                        other = taken
                        if wanted < judged[p, i]:
                            state += STREAM_STEP
                            other += scale_word(hash_word(state), judged[p, i] - taken)
                        value = row[other]
                        row[other] = row[taken]
                        moved[taken] = other
                        taken += 1
                        yes += value == 1
                        parsed += value >= 0
                    rows[p, r, v, i] = yes * (V[-1] + 1) + parsed
                for at in moved[:taken]:  # the row is sorted again, in time that does not grow with it
                    row[at] = 0 if at < no else 1 if at < some else -1
    return rows


_ROUNDING = 1e-9  # totals tie if they differ by less than this share of the magnitudes they sum


@njit(cache=True)
def _share_top(votes: Ints, present: Ints, rights: int) -> float:
    """Return the share of the right answers among the answers with the most votes; 0 without a vote."""
    most, right, tied = 0, 0, 0
    for a in present:
        if votes[a] > most:
            most, right, tied = votes[a], 0, 0
        if votes[a] == most and most > 0:
            tied += 1
            right += a < rights
    return right / tied if tied else 0.0


@njit(cache=True)
def _share_heaviest(total: Floats, scale: Floats, present: Ints, rights: int, work: Floats, share: Floats) -> None:
    """Fill share[w] with the share of the right answers among those with the largest total[:, w]; 0 without a vote."""
    top, slack, tied, right = work[0], work[1], work[2], work[3]
    top[:], slack[:], tied[:], right[:] = -np.inf, 0.0, 0.0, 0.0
    for a in present:
        for w in range(len(share)):
            larger = total[a, w] > top[w]
            slack[w] = scale[a, w] if larger else slack[w]
            top[w] = total[a, w] if larger else top[w]
    for a in present:
        one = 1.0 if a < rights else 0.0
        for w in range(len(share)):
            same = 1.0 if total[a, w] >= top[w] - _ROUNDING * (scale[a, w] + slack[w]) else 0.0
            tied[w] += same
            right[w] += same * one
    for w in range(len(share)):
        share[w] = right[w] / max(tied[w], 1.0)


@njit(cache=True, parallel=True)
def add_votes(
    row_of: NDArray[np.int32],
    weights: Floats,
    signed: bool,
    level: Ints,
    label: Ints,
    rights: Ints,
    S: Ints,
    steps: Floats,
    first: int,
    streams: Streams,
    votes: Floats,
    controls: Floats,
) -> None:
    """Draw subsets of solutions, let them vote with their weights, and add up the right answers' shares.

    Among the answers with a vote, the one with the largest total Σ weight + step wins; ties are shared.
    The solutions are shuffled, and the first S of them vote, so that a smaller S uses a part of a larger one. Two
    further votes of the same solutions, whose expectations are known, are the controls: the plain vote, and the vote
    among the solutions at the highest level.

    Args:
        row_of: (P, R, nV, K) row in weights and level of each solution in each draw.
        weights: (L, W) weights under each of W rules; any finite numbers.
        signed: whether a weight or a step is negative.
        level: (L,) level ≥ 0 of a solution, for the second control; empty if there is none.
        label: (P, K) answer of each solution, -1 if unparsed (no vote, and the lowest level).
        rights: (P,) the answers below this number are right.
        S: (nS,) numbers of solutions, ascending.
        steps: (K,) entry k is what an answer's vote after k others adds to its total, beside the weight.
        first: number of the first draw; even and odd draws are added up apart.
        streams: (P,) from `start_streams`.
        votes: (P, 2, nS, nV, 4, W) sums to add to: share, share², share·control 1, share·control 2.
        controls: (P, 2, nS, nV, 5) sums to add to: control 1, control 2, their squares, their product.
    """
    problems, draws, nV, solutions = row_of.shape
    rules, two = weights.shape[1], len(level) > 0
    for p in prange(problems):
        no_right, all_right = True, True
        for i in range(solutions):
            is_right = 0 <= label[p, i] < rights[p]
            no_right &= not is_right
            all_right &= is_right
        if no_right:
            continue  # nothing is added
        if all_right:
            for r in range(draws):
                votes[p, (first + r) % 2] += 1.0
                controls[p, (first + r) % 2] += 1.0
            continue
        answers = label[p].max() + 1
        order, present = np.empty(solutions, dtype=np.int64), np.empty(answers, dtype=np.int64)
        count, at_top = np.empty(answers, dtype=np.int64), np.empty(answers, dtype=np.int64)
        total = np.empty((answers, rules))
        scale = np.empty((answers, rules)) if signed else total
        share, work = np.empty(rules), np.empty((4, rules))
        for r in range(draws):
            half = (first + r) % 2
            state = derive_stream(derive_stream(streams[p], first + r), solutions)
            for i in range(solutions):
                order[i] = i
            for i in range(solutions - 1):
                state += STREAM_STEP
                j = i + scale_word(hash_word(state), solutions - i)
                order[i], order[j] = order[j], order[i]
            for v in range(nV):
                seen, taken, top = 0, 0, 0
                count[:] = 0
                for s in range(len(S)):
                    for i in order[taken : S[s]]:
                        a = label[p, i]
                        if a < 0:
                            continue
                        row = row_of[p, r, v, i]
                        added = steps[count[a]]
                        if count[a] == 0:
                            present[seen] = a
                            seen += 1
                            at_top[a] = 0
                            total[a] = 0.0
                            scale[a] = 0.0
                        count[a] += 1
                        for w in range(rules):
                            total[a, w] += weights[row, w] + added
                        if signed:
                            for w in range(rules):
                                scale[a, w] += abs(weights[row, w]) + abs(added)
                        if two and level[row] >= top:
                            if level[row] > top:
                                top = level[row]
                                for b in present[:seen]:
                                    at_top[b] = 0
                            at_top[a] += 1
                    taken = S[s]
                    _share_heaviest(total, scale, present[:seen], rights[p], work, share)
                    one = _share_top(count, present[:seen], rights[p])
                    other = _share_top(at_top, present[:seen], rights[p]) if two else 0.0
                    to, known = votes[p, half, s, v], controls[p, half, s, v]
                    for w in range(rules):
                        to[0, w] += share[w]
                        to[1, w] += share[w] * share[w]
                        to[2, w] += share[w] * one
                        to[3, w] += share[w] * other
                    known[0] += one
                    known[1] += other
                    known[2] += one * one
                    known[3] += other * other
                    known[4] += one * other
