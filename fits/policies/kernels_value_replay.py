"""Compiled walk of the value rule along random orders of a pool."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.kernels_value import (
    ANSWERS,
    FEATURES,
    LOOK,
    SAMPLE,
    SPENT,
    N,
    append_solution,
    append_verdict,
    choose_step,
    rank_leaders,
    start_state,
)
from isocompute.fits.verdict_codes import VerdictCodes


class Walk(NamedTuple):
    """The course of the rule: what it sees at each of its L looks, on R orders of P problems.

    Args:
        worth: (P, R, L) log price of a unit of compute at which going on is worth it.
        lead: (P, R, L) the most probable answer, -1 if there is none.
        verified: (P, R, L) verifications so far.
        waves: (P, R, L) waves of sampling and verifying so far.
        features: (P, R, L, D) or empty.
    """

    worth: Floats
    lead: Ints
    verified: Ints
    waves: Ints
    features: Floats


@njit(cache=True)
def walk_problem(
    table: Floats,
    weights: Floats,
    looks: Ints,
    rate: float,
    lam: float,
    width: int,
    label: Ints,
    orders: NDArray[np.int32],
    verdicts: VerdictCodes,
    able: Ints,
    verifiable: int,
    p: int,
    walk: Walk,
) -> None:
    """Fill the walk of a problem.

    Args:
        table: (K, 9) of the model of answers.
        weights: (D,) of the value model.
        looks: (L,) from `list_looks`.
        rate: verifications for each solution.
        lam: λ.
        width: solutions sampled, or verifications made, side by side.
        label: (N,) answer of each solution, -1 if unparsed.
        orders: (R, N) positions of the solutions.
        verdicts: (R, K, m) codes of the first m verdicts of the first K positions, in their order.
        able: (N,) the most verifications of each solution.
        verifiable: only so many first solutions of an order are verified.
        p: the problem's position in the walk.
        walk: to fill.
    """
    features, number, back = np.empty(FEATURES), np.empty(label.max() + 2, np.int64), np.empty(len(label), np.int64)
    for r in range(len(orders)):
        state = start_state(table, looks[-1])
        number[:] = -1
        waves, look = 0, 0
        while True:
            action, more, value = choose_step(table, weights, looks, rate, lam, state, features)
            if action == LOOK:
                walk.worth[p, r, look] = value
                walk.verified[p, r, look] = state.counts[SPENT]
                walk.waves[p, r, look] = waves
                walk.lead[p, r, look] = -1
                if state.counts[ANSWERS]:
                    rank_leaders(state)
                    walk.lead[p, r, look] = back[state.leaders[0]]
                if walk.features.size:
                    walk.features[p, r, look] = features
                look += 1
                if not more:
                    break
            if action in (LOOK, SAMPLE):
                waves += -(-more // width)
                for n in range(state.counts[N], state.counts[N] + more):
                    i = orders[r, n]
                    answer = -1
                    if label[i] >= 0:
                        if number[label[i]] < 0:
                            number[label[i]] = state.counts[ANSWERS]
                            back[state.counts[ANSWERS]] = label[i]
                        answer = number[label[i]]
                    append_solution(table, state, answer, able[i] if n < verifiable else 0)
            else:
                waves += -(-more // width)
                for target in state.targets[:more]:
                    i = orders[r, target]
                    code = verdicts[r, i, state.done[target]]
                    append_verdict(table, state, target, code if code >= 0 else np.nan)


@njit(cache=True, parallel=True)
def walk_problems(
    table: Floats,
    weights: Floats,
    looks: Ints,
    rate: float,
    lam: float,
    width: int,
    label: Ints,
    orders: NDArray[np.int32],
    verdicts: VerdictCodes,
    able: Ints,
    verifiable: int,
    walk: Walk,
) -> None:
    """Fill the walks of all problems, see `walk_problem`."""
    for p in prange(len(label)):
        walk_problem(
            table, weights, looks, rate, lam, width, label[p], orders[p], verdicts[p], able[p], verifiable, p, walk
        )
