"""Compiled steps of the value rule: what it does next in a state. Policies and replays take them from here."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import binom

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.kernels_answers import (
    ROUNDING,
    add_solution,
    add_verdict,
    compute_shares,
    compute_verdict_gain,
)

LEADERS = 4  # the most probable answers: only they are verified
FEATURES = 7
BATCH_SIZES = np.array([1, 2, 4, 8, 16])
CHOOSE = binom(BATCH_SIZES[:, None], np.arange(BATCH_SIZES[-1] + 1))
SAMPLE, VERIFY, LOOK = 0, 1, 2
_SHARE = 1e-9  # shares tie if they differ by less than this share of them
N, ANSWERS, VOTES, SPENT = 0, 1, 2, 3  # of `State.counts`


class State(NamedTuple):
    """The seen votes and verdicts of a problem. Answers are numbered in the order of their first solutions.

    Args:
        none, ratio: of the model of answers, see `kernels_answers`.
        shares: (A,) P(right) of each answer.
        votes, yes, no: (A,) solutions, and verdicts on them.
        owner: (n,) the answer of each solution, -1 if unparsed.
        done, able: (n,) verifications of each solution, and the most that it may have.
        counts: (4,) solutions, answers, votes and verifications so far.
        leaders: (4,) the most probable answers in falling order.
        targets: (16,) the solutions to verify next.
        chance_wrong, right, best: space for `compute_verdict_gain`.
    """

    none: Floats
    ratio: Floats
    shares: Floats
    votes: Ints
    yes: Ints
    no: Ints
    owner: Ints
    done: Ints
    able: Ints
    counts: Ints
    leaders: Ints
    targets: Ints
    chance_wrong: Floats
    right: Floats
    best: Floats


@njit(cache=True)
def start_state(table: Floats, solutions: int) -> State:
    """Return the state without solutions, with room for some."""
    kinds, deepest = len(table), BATCH_SIZES[-1] + 1
    return State(
        table[:, 8].copy(),
        np.zeros((kinds, solutions)),
        np.zeros(solutions),
        np.zeros(solutions, np.int64),
        np.zeros(solutions, np.int64),
        np.zeros(solutions, np.int64),
        np.full(solutions, -1),
        np.zeros(solutions, np.int64),
        np.zeros(solutions, np.int64),
        np.zeros(4, np.int64),
        np.zeros(LEADERS, np.int64),
        np.zeros(BATCH_SIZES[-1], np.int64),
        np.empty((kinds, deepest)),
        np.empty(deepest),
        np.empty(deepest),
    )


@njit(cache=True)
def append_solution(table: Floats, state: State, answer: int, able: int) -> None:
    """Add a solution with the number of its answer, -1 if unparsed, and the most verifications that it may have."""
    counts = state.counts
    n = counts[N]
    state.owner[n], state.done[n], state.able[n] = answer, 0, able
    counts[N] += 1
    if answer < 0:
        return
    add_solution(table, state.none, state.ratio, state.votes, counts[ANSWERS], counts[VOTES], answer)
    counts[ANSWERS] += answer == counts[ANSWERS]
    counts[VOTES] += 1
    state.votes[answer] += 1


@njit(cache=True)
def append_verdict(table: Floats, state: State, solution: int, verdict: float) -> None:
    """Add a verdict on a solution, NaN if it cannot be read."""
    answer = state.owner[solution]
    state.done[solution] += 1
    state.counts[SPENT] += 1
    if answer < 0 or np.isnan(verdict):
        return
    is_yes = verdict >= 0.5
    add_verdict(table, state.none, state.ratio, state.yes, state.no, answer, is_yes)
    if is_yes:
        state.yes[answer] += 1
    else:
        state.no[answer] += 1


@njit(cache=True)
def rank_leaders(state: State) -> tuple[int, float, float]:
    """Fill P(right) and the leaders; return how many, P(no seen answer is right), and the sum of the state.

    Shares that differ by rounding alone tie, and ties go to the answer that was seen first, so that the order in which
    solutions and verdicts were added does not matter.
    """
    answers, leaders, shares = state.counts[ANSWERS], state.leaders, state.shares
    _, unseen, whole = compute_shares(state.none, state.ratio, answers, shares)
    many = min(answers, LEADERS)
    for place in range(many):
        best = -1
        for c in range(answers):
            is_taken = False
            for other in range(place):
                is_taken |= leaders[other] == c
            if not is_taken and (best < 0 or shares[c] > shares[best] * (1 + _SHARE)):
                best = c
        leaders[place] = best
    return many, unseen, whole


@njit(cache=True)
def find_supporter(state: State, answer: int) -> int:
    """Return the answer's solution with the fewest verifications, the first of them; -1 if none can be verified."""
    found = -1
    for i in range(state.counts[N]):
        is_open = state.owner[i] == answer and state.done[i] < state.able[i]
        if is_open and (found < 0 or state.done[i] < state.done[found]):
            found = i
    return found


@njit(cache=True)
def choose_verifications(table: Floats, state: State, most: int) -> int:
    """Fill the solutions to verify next, side by side, and return how many, 0 if none can be verified.

    They are supporters of that leader whose verification gains most: the expected P(right) of the best answer after the
    best batch of verdicts, minus that now, per verdict. A batch has the best size, or fewer if `most` or the answer's
    solutions allow no more.
    """
    many, _, whole = rank_leaders(state)
    leaders = state.leaders[:many]
    target, batch, highest = -1, 0, -1.0
    for answer in leaders:
        if find_supporter(state, answer) < 0:
            continue
        gain, size = compute_verdict_gain(
            table, state.none, state.ratio, whole, state.shares, leaders, answer, state.yes[answer], state.no[answer],
            BATCH_SIZES, CHOOSE, state.chance_wrong, state.right, state.best,
        )  # fmt: skip
        if target < 0 or gain > highest + ROUNDING:
            target, batch, highest = answer, min(size, most), gain
    found = 0
    while found < batch:
        supporter = find_supporter(state, target)
        if supporter < 0:
            break
        state.targets[found] = supporter
        state.done[supporter] += 1  # while the others are chosen
        found += 1
    for i in range(found):
        state.done[state.targets[i]] -= 1
    return found


@njit(cache=True)
def describe_state(state: State, cost: float, features: Floats) -> None:
    """Fill the features of a state, see `FEATURE_NAMES`."""
    many, unseen, _ = rank_leaders(state)
    first = state.shares[state.leaders[0]] if many else 0.0
    second = state.shares[state.leaders[1]] if many > 1 else 0.0
    features[0] = 1.0
    features[1] = np.log(1 - first + 1e-4)
    features[2] = np.log(second + 1e-4)
    features[3] = np.log(unseen + 1e-4)
    features[4] = np.log(first + 1e-4)
    features[5] = np.log(cost)
    features[6] = state.counts[ANSWERS] / state.counts[N]


@njit(cache=True)
def choose_step(
    table: Floats, weights: Floats, looks: Ints, rate: float, lam: float, state: State, features: Floats
) -> tuple[int, int, float]:
    """Return what to do next in a state: an action, and what it needs.

    It samples up to the next look, then verifies up to `rate` times for each solution on average, then looks.

    Args:
        table: (K, 9) of the model of answers.
        weights: (D,) of the value model.
        looks: (L,) from `list_looks`.
        rate: verifications for each solution.
        lam: λ.
        state: what was seen.
        features: (D,) to fill at a look.

    Returns:
        SAMPLE, the number of solutions, and 0; or VERIFY, the number of targets of the state, and 0; or
        LOOK, the number of solutions until the next look (0 at the last), and the log price of a unit of compute at
        which going on is worth it.
    """
    n = state.counts[N]
    place = np.searchsorted(looks, n)
    if n == 0 or looks[place] != n:
        return SAMPLE, looks[place] - n, 0.0
    left = int(rate * n + _SHARE) - state.counts[SPENT]
    if left > 0:
        many = choose_verifications(table, state, left)
        if many:
            return VERIFY, many, 0.0
    describe_state(state, n + lam * state.counts[SPENT], features)
    more = looks[place + 1] - n if place + 1 < len(looks) else 0
    return LOOK, more, np.sum(weights * features)
