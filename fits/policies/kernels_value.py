"""Compiled steps of the value rule: what to do next in a state, and the walk along random orders."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.policies.kernels_answers import add_solution, add_verdict, compute_shares, compute_verdict_gain

LEADERS = 4  # answers that may be verified, and that may lead after a batch of verdicts
FEATURES = 14
BATCHES = np.array([1, 2, 4, 8, 16])
_ROUNDING = 1e-9  # shares and gains tie if they differ by less than this share


@njit(cache=True)
def rank_leaders(shares: Floats, answers: int, leaders: Ints) -> int:
    """Fill the answers with the largest shares in falling order, ties in the order of numbers; return how many."""
    many = min(answers, len(leaders))
    for place in range(many):
        best = -1
        for c in range(answers):
            is_taken = False
            for other in range(place):
                is_taken |= leaders[other] == c
            if not is_taken and (best < 0 or shares[c] > shares[best] * (1 + _ROUNDING)):
                best = c
        leaders[place] = best
    return many


@njit(cache=True)
def find_supporter(answer: int, owner: Ints, done: Ints, able: Ints, n: int) -> int:
    """Return the answer's solution with the fewest verifications, the first of them; -1 if none can be verified."""
    found = -1
    for i in range(n):
        if owner[i] == answer and done[i] < able[i] and (found < 0 or done[i] < done[found]):
            found = i
    return found


@njit(cache=True)
def choose_target(
    table: Floats,
    none: Floats,
    ratio: Floats,
    whole: float,
    shares: Floats,
    leaders: Ints,
    owner: Ints,
    done: Ints,
    able: Ints,
    n: int,
    yes: Ints,
    no: Ints,
    choose: Floats,
    chance_wrong: Floats,
    right: Floats,
    best: Floats,
) -> tuple[int, int]:
    """Return the solution to verify next, -1 if none, and the size of the best batch of verdicts on its answer."""
    target, batch, most = -1, 1, -1.0
    for answer in leaders:
        supporter = find_supporter(answer, owner, done, able, n)
        if supporter < 0:
            continue
        gain, many = compute_verdict_gain(
            table, none, ratio, whole, shares, leaders, answer, yes[answer], no[answer], BATCHES, choose,
            chance_wrong, right, best,
        )  # fmt: skip
        if target < 0 or gain > most * (1 + _ROUNDING) + 1e-15:
            target, batch, most = supporter, many, gain
    return target, batch


@njit(cache=True)
def describe_state(
    shares: Floats, leaders: Ints, unseen: float, votes: Ints, yes: Ints, no: Ints, answers: int, n: int, cost: float,
    features: Floats,
) -> None:  # fmt: skip
    """Fill the features of a state from which the gain of going on is told, see `ValueModel`."""
    first = leaders[0]
    p, q = shares[first], (shares[leaders[1]] if len(leaders) > 1 else 0.0)
    said = yes[:answers].sum()
    readable = said + no[:answers].sum()
    features[0] = 1.0
    features[1] = np.log(1 - p + 1e-4)
    features[2] = np.log(q + 1e-4)
    features[3] = np.log(unseen + 1e-4)
    features[4] = np.log(p + 1e-3)
    features[5] = np.log(cost)
    features[6] = np.log(cost) ** 2 / 4
    features[7] = votes[first] / n
    features[8] = votes[leaders[1]] / n if len(leaders) > 1 else 0.0
    features[9] = answers / n
    features[10] = yes[first] / max(said, 1)
    features[11] = said / max(readable, 1)
    features[12] = features[1] * features[5] / 4
    features[13] = features[3] * features[5] / 4


@njit(cache=True)
def walk_order(
    table: Floats,
    weights: Floats,
    looks: Ints,
    rate: float,
    lam: float,
    label: Ints,
    order: NDArray[np.int32],
    verdicts: Floats,
    places: NDArray[np.integer],
    judged: Ints,
    choose: Floats,
    index: Floats,
    lead: Ints,
    verified: Ints,
    features: Floats,
) -> None:
    """Walk along one order of a problem's solutions to the end, and fill what the rule sees at each look.

    Args:
        table, weights, looks, rate: of the value model.
        lam: λ.
        label: (N,) answer of each solution, -1 if unparsed.
        order: (N,) positions of the solutions.
        verdicts: (K, M) of the first K positions. places: (K, M) their order. judged: (K,) how many there are.
        choose: binomial coefficients for `BATCHES`.
        index: (L,) to fill: log price at which it is indifferent to going on.
        lead: (L,) to fill: the leading answer, -1 if there is none.
        verified: (L,) to fill: verifications so far.
        features: (L, D) to fill, or empty.
    """
    kinds, size, deepest = len(table), label.max() + 2, BATCHES[-1] + 1
    none, ratio, shares = table[:, 8].copy(), np.zeros((kinds, size)), np.zeros(size)
    votes, yes, no = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int64)
    number, back = np.full(size, -1), np.full(size, -1)
    n_max = looks[-1]
    owner, done, able = np.full(n_max, -1), np.zeros(n_max, np.int64), np.zeros(n_max, np.int64)
    spaces = np.empty((kinds, deepest)), np.empty(deepest), np.empty(deepest)
    described, leaders = np.zeros(len(weights)), np.empty(LEADERS, np.int64)
    answers, total, spent = 0, 0, 0
    for look in range(len(looks)):
        start = looks[look - 1] if look else 0
        for n in range(start, looks[look]):
            i = order[n]
            if i < len(judged):
                able[n] = judged[i]
            if label[i] >= 0:
                if number[label[i]] < 0:
                    number[label[i]], back[answers] = answers, label[i]
                c = number[label[i]]
                add_solution(table, none, ratio, votes, answers, total, c)
                answers += c == answers
                owner[n] = c
                votes[c] += 1
                total += 1
            while spent + 1 <= rate * (n + 1) + _ROUNDING and answers:
                _, _, whole = compute_shares(none, ratio, answers, shares)
                many = rank_leaders(shares, answers, leaders)
                target, _ = choose_target(
                    table, none, ratio, whole, shares, leaders[:many], owner, done, able, n + 1, yes, no, choose,
                    spaces[0], spaces[1], spaces[2],
                )  # fmt: skip
                if target < 0:
                    break
                i, c = order[target], owner[target]
                verdict = verdicts[i, places[i, done[target]]]
                done[target] += 1
                spent += 1
                if not np.isnan(verdict):
                    add_verdict(table, none, ratio, yes, no, c, verdict >= 0.5)
                    if verdict >= 0.5:
                        yes[c] += 1
                    else:
                        no[c] += 1
        n = looks[look]
        verified[look] = spent
        lead[look] = -1
        index[look] = np.inf
        if answers:
            _, unseen, _ = compute_shares(none, ratio, answers, shares)
            many = rank_leaders(shares, answers, leaders)
            lead[look] = back[leaders[0]]
            describe_state(
                shares, leaders[:many], unseen, votes, yes, no, answers, n, n + lam * spent, described
            )
            index[look] = weights @ described
            if features.size:
                features[look] = described
        elif features.size:
            features[look] = 0.0


@njit(cache=True, parallel=True)
def walk_orders(
    tables: Floats,
    weights: Floats,
    model: Ints,
    looks: Ints,
    rate: float,
    lam: float,
    label: Ints,
    orders: NDArray[np.int32],
    verdicts: Floats,
    places: NDArray[np.integer],
    judged: Ints,
    choose: Floats,
    index: Floats,
    lead: Ints,
    verified: Ints,
    features: Floats,
) -> None:
    """Walk along all orders of all problems; see `walk_order`. Problem p has the table and weights `model[p]`."""
    problems, draws = orders.shape[:2]
    for p in prange(problems):
        walk_problem(
            tables[model[p]], weights[model[p]], looks, rate, lam, label[p], orders[p], verdicts[p], places[p],
            judged[p], choose, index[p], lead[p], verified[p], features[p],
        )  # fmt: skip


@njit(cache=True)
def walk_problem(
    table: Floats, weights: Floats, looks: Ints, rate: float, lam: float, label: Ints, orders: NDArray[np.int32],
    verdicts: Floats, places: NDArray[np.integer], judged: Ints, choose: Floats, index: Floats, lead: Ints,
    verified: Ints, features: Floats,
) -> None:  # fmt: skip
    """Walk along all orders of one problem."""
    for r in range(len(orders)):
        walk_order(
            table, weights, looks, rate, lam, label, orders[r], verdicts, places[r], judged, choose,
            index[r], lead[r], verified[r], features[r],
        )  # fmt: skip
