"""Compiled updates of the model of answers after each solution and verdict.

The state of a problem is `none`, (K,) the probability of each kind and of what was seen while no seen answer is right,
up to one common factor, and `ratio`, (K, A) the odds of answer a being right against none.
"""

from __future__ import annotations

from numba import njit

from isocompute.fits.arrays import Floats, Ints

ROUNDING = 1e-10  # gains tie if they differ by less


@njit(cache=True)
def add_solution(
    table: Floats, none: Floats, ratio: Floats, votes: Ints, answers: int, total: int, answer: int
) -> None:
    """Update the state by a solution with an answer.

    Args:
        table: (K, 9) of the model.
        none: of the state, updated in place.
        ratio: the same.
        votes: (A,) of each answer, before.
        answers: how many different answers there were before; a new one has this number.
        total: the sum of the votes before.
        answer: the number of its answer.
    """
    whole = 0.0
    for k in range(len(none)):
        a, b, d, theta = table[k, 0], table[k, 1], table[k, 2], table[k, 3]
        is_new = answer == answers
        if not is_new:
            wrong = (b + total) * (votes[answer] - d) / (theta + total)
        elif total:
            wrong = (b + total) * (theta + answers * d) / (theta + total)
        else:
            wrong = b
        for c in range(answers):
            others = total - votes[c]
            if c == answer:
                chance = a + votes[c]
            elif not is_new:
                chance = (b + others) * (votes[answer] - d) / (theta + others)
            elif others:
                chance = (b + others) * (theta + (answers - 1) * d) / (theta + others)
            else:
                chance = b
            ratio[k, c] *= chance / wrong
        if is_new:
            ratio[k, answers] = a / wrong
        none[k] *= wrong / (a + b + total)
        whole += none[k]
    for k in range(len(none)):
        none[k] /= whole


@njit(cache=True)
def add_verdict(table: Floats, none: Floats, ratio: Floats, yes: Ints, no: Ints, answer: int, is_yes: bool) -> None:
    """Update the state by a verdict on a solution with an answer.

    Args:
        table: (K, 9) of the model.
        none: of the state, updated in place.
        ratio: the same.
        yes: (A,) verdicts on each answer's solutions that say yes, before.
        no: (A,) those that say no.
        answer: the number of the solution's answer.
        is_yes: what the verdict says.
    """
    whole, seen = 0.0, yes[answer] + no[answer]
    for k in range(len(none)):
        ra, rb, wa, wb = table[k, 4], table[k, 5], table[k, 6], table[k, 7]
        right = (ra + yes[answer] if is_yes else rb + no[answer]) / (ra + rb + seen)
        wrong = (wa + yes[answer] if is_yes else wb + no[answer]) / (wa + wb + seen)
        ratio[k, answer] *= right / wrong
        none[k] *= wrong
        whole += none[k]
    for k in range(len(none)):
        none[k] /= whole


@njit(cache=True)
def compute_shares(none: Floats, ratio: Floats, answers: int, shares: Floats) -> tuple[int, float, float]:
    """Fill P(right) of each answer; return the most probable one, P(no seen answer is right), and the state's sum.

    Args:
        none: of the state.
        ratio: the same.
        answers: how many different answers there are.
        shares: (A,) to fill.
    """
    whole, unseen = 0.0, 0.0
    for k in range(len(none)):
        unseen += none[k]
    whole = unseen
    for c in range(answers):
        shares[c] = 0.0
        for k in range(len(none)):
            shares[c] += none[k] * ratio[k, c]
        whole += shares[c]
    lead = 0
    for c in range(answers):
        shares[c] /= whole
        if shares[c] > shares[lead]:
            lead = c
    return lead, unseen / whole, whole


@njit(cache=True)
def compute_verdict_gain(
    table: Floats,
    none: Floats,
    ratio: Floats,
    whole: float,
    shares: Floats,
    leaders: Ints,
    answer: int,
    yes: int,
    no: int,
    batches: Ints,
    choose: Floats,
    chance_wrong: Floats,
    right: Floats,
    best: Floats,
) -> tuple[float, int]:
    """Return the expected gain in P(right) of the answer per verdict, by the best batch of verdicts, and its size.

    Args:
        table: (K, 9) of the model.
        none: of the state.
        ratio: the same.
        whole: the state's sum, from `compute_shares`.
        shares: (A,) from there too.
        leaders: the answers that may lead, the most probable one first.
        answer: the answer whose solutions are verified.
        yes: verdicts on it so far that say yes.
        no: those that say no.
        batches: sizes of a batch of verdicts.
        choose: (batches, size + 1) binomial coefficients.
        chance_wrong: (K, size + 1) space.
        right: (size + 1,) space.
        best: (size + 1,) space.
    """
    gain, many = -1.0, 1
    for i in range(len(batches)):
        m = batches[i]
        right[: m + 1] = 0.0
        for k in range(len(none)):
            ra, rb, wa, wb = table[k, 4] + yes, table[k, 5] + no, table[k, 6] + yes, table[k, 7] + no
            of_right, of_wrong = 1.0, 1.0
            for j in range(m):  # all verdicts say no
                of_right *= (rb + j) / (ra + rb + j)
                of_wrong *= (wb + j) / (wa + wb + j)
            for said in range(m + 1):
                right[said] += none[k] * ratio[k, answer] * of_right * choose[i, said]
                chance_wrong[k, said] = none[k] * of_wrong * choose[i, said]
                last = m - said - 1
                if last >= 0:  # one more says yes, one fewer no
                    of_right *= (ra + said) / (rb + last)
                    of_wrong *= (wa + said) / (wb + last)
        for said in range(m + 1):
            best[said] = right[said]
        for c in leaders:
            if c != answer:
                for said in range(m + 1):
                    other = 0.0
                    for k in range(len(none)):
                        other += chance_wrong[k, said] * ratio[k, c]
                    best[said] = max(best[said], other)
        found = (best[: m + 1].sum() / whole - shares[leaders[0]]) / m
        if found > gain + ROUNDING:
            gain, many = found, m
    return gain, many
