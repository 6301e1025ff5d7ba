"""GenRM and GenRM with a vote among the tied, also where solutions differ in their number of verdicts."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocompute.errors import DataError
from isocompute.fits import (
    Pool,
    estimate_best_of_n,
    estimate_coverage,
    estimate_genrm,
    estimate_genrm_vote,
    estimate_self_consistency,
)

ESTIMATORS = {"genrm": estimate_genrm, "genrm_vote": estimate_genrm_vote}


def unequal(problems, solutions, most, seed, answers=3) -> Pool:
    """Solutions with 0 to `most` verdicts, some unparsed, some answers too."""
    rng = np.random.default_rng(seed)
    judged = rng.integers(0, most + 1, (problems, solutions))
    verdicts = rng.choice([0.0, 1.0, np.nan], (problems, solutions, most), p=[0.35, 0.5, 0.15])
    verdicts[np.arange(most) >= judged[..., None]] = np.nan
    codes = rng.integers(-1, answers, (problems, solutions))
    return Pool(codes, rng.integers(0, answers, problems), verdicts, judged)


def share(gold, answers, estimator):
    """The right answer's share of the prize among the tied."""
    if estimator == "genrm":
        return answers.count(gold) / len(answers)
    counts = {a: answers.count(a) for a in answers if a >= 0}
    most = [a for a in counts if counts[a] == max(counts.values())]
    return (gold in most) / max(1, len(most))


def score(answer, verdicts):
    parsed = [v for v in verdicts if v == v]
    return int(sum(parsed)) / len(parsed) if parsed and answer >= 0 else 0.0  # equal fractions: the same double


def enumerated(pool, p, S, V, estimator):
    """Over all subsets of solutions and of each one's verdicts."""
    answers, gold, means = pool.answers[p].tolist(), int(pool.gold[p]), []
    for subset in itertools.combinations(range(pool.verified_solutions), S):
        shares = []
        held = [pool.verdicts[p, i, : pool.judged[p, i]].tolist() for i in subset]
        possible = [
            [score(answers[i], drawn) for drawn in itertools.combinations(h, min(V, len(h)))]
            for i, h in zip(subset, held, strict=True)
        ]
        for scores in itertools.product(*possible):
            tied = [answers[i] for i, s in zip(subset, scores, strict=True) if s == max(scores)]
            shares.append(share(gold, tied, estimator))
        means.append(sum(shares) / len(shares))
    return sum(means) / len(means)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("seed", range(3))
def test_unequal_verdicts_equal_enumeration_of_solutions_and_verdicts(estimator, seed):
    pool = unequal(4, 5, 3, seed, answers=2 + seed)
    measured = ESTIMATORS[estimator](pool, range(1, 6), [1, 2, 3])
    for p, s, v in itertools.product(range(4), range(1, 6), (1, 2, 3)):
        assert measured[p, s - 1, v - 1] == pytest.approx(enumerated(pool, p, s, v, estimator), abs=1e-12)


def test_a_vote_among_the_tied_equals_enumeration_where_answers_are_many(random_pool):
    pool = random_pool(6, 7, verifications=2, answers=6, unparsed=0.1, seed=8)
    measured = estimate_genrm_vote(pool, range(1, 8), [1, 2])
    for p, s, v in itertools.product(range(6), range(1, 8), (1, 2)):
        assert measured[p, s - 1, v - 1] == pytest.approx(enumerated(pool, p, s, v, "genrm_vote"), abs=1e-12)


# --- in exact rationals at N = 256 ----------------------------------------------------------------------

WIDTH = 640  # bits of a coefficient: a polynomial with integer coefficients is one long number


def at_level(yes, level, most):
    """By how many are at the level: 2^S times the number of subsets, one of two verdicts drawn of each solution."""
    weight = {0: (2, 0), 1: (1, 1), 2: (0, 2)}  # of score 0 and of score 1, by the solution's number of yes
    rows = [1]
    for y in yes:
        here, below = weight[y][level] << WIDTH, (weight[y][0] << WIDTH if level else 0) + 1
        rows = [
            (rows[j] * below if j < len(rows) else 0) + (rows[j - 1] * here if j else 0)
            for j in range(min(len(rows), most) + 1)
        ]
    return rows


def coefficient(polynomial, S):
    return (polynomial >> WIDTH * S) & ((1 << WIDTH) - 1)


def exact(groups, unparsed, S, estimator):
    """V = 1 of M = 2 verdicts; groups of yes counts, those of the right answer first; nothing is rounded."""
    total, blank = Fraction(0), (1 + (2 << WIDTH)) ** unparsed
    below_all = (1 << WIDTH * (S + 1)) - 1
    for level in (0, 1):
        if estimator == "genrm":  # unparsed ones tie at level 0
            rest = [y for group in groups[1:] for y in group] + [0] * unparsed
            right, wrong = at_level(groups[0], level, S), at_level(rest, level, S)
            for k, t in itertools.product(range(1, len(right)), range(len(wrong))):
                if k + t <= S:
                    total += Fraction(coefficient(right[k] * wrong[t], S) * k, k + t)
            continue
        right, *wrong = [at_level(group, level, S) for group in groups]
        for k in range(1, len(right)):
            ties = [right[k] * blank & below_all]
            for rows in wrong:
                fewer, even = sum(rows[:k]), rows[k] if k < len(rows) else 0
                grown = [poly * fewer & below_all for poly in ties] + [0]
                for t, poly in enumerate(ties):
                    grown[t + 1] += poly * even & below_all
                ties = grown
            total += sum(Fraction(coefficient(poly, S), t + 1) for t, poly in enumerate(ties))
    return float(total / (comb(sum(map(len, groups)) + unparsed, S) * 2**S))


@pytest.mark.parametrize(("estimator", "S"), [("genrm", [2, 24]), ("genrm_vote", [2, 24, 100])])
def test_both_equal_exact_rationals_at_256(estimator, S):
    rng = np.random.default_rng(3)
    groups = [rng.choice(3, n, p=p).tolist() for n, p in [(40, [0.1, 0.4, 0.5]), (130, [0.3, 0.4, 0.3])]]
    groups += [rng.choice(3, n, p=[0.1, 0.2, 0.7]).tolist() for n in (50, 25, 5)]
    yes = np.array([y for group in groups for y in group] + [2] * 6)
    codes = np.repeat([0, 1, 2, 3, 4, -1], [*map(len, groups), 6])
    pool = Pool(codes[None], [0], (np.arange(2) < yes[:, None])[None])
    measured = ESTIMATORS[estimator](pool, S, [1])[0, :, 0]
    expected = [exact(groups, 6, s, estimator) for s in S]
    np.testing.assert_allclose(measured, expected, rtol=0, atol=1e-12)


# --- against other estimators at full size --------------------------------------------------------------


def test_a_vote_among_the_tied_is_self_consistency_where_all_tie():
    rng = np.random.default_rng(1)
    codes = np.array([rng.choice(np.arange(-1, many), 256) for many in (2, 6, 40, 250)])
    pool = Pool(codes, [0, 0, 0, 0], np.ones((4, 256, 2)))
    S = [1, 2, 3, 16, 100, 101, 255, 256]
    # At score 1 the unparsed are below, at score 0 beside: either way they cost and never win.
    np.testing.assert_allclose(
        estimate_genrm_vote(pool, S, [1])[:, :, 0], estimate_self_consistency(pool, S), rtol=0, atol=1e-12
    )
    nothing = Pool(codes, [0, 0, 0, 0], np.zeros((4, 256, 2)))
    np.testing.assert_allclose(
        estimate_genrm_vote(nothing, S, [2])[:, :, 0], estimate_self_consistency(pool, S), rtol=0, atol=1e-12
    )


def test_a_vote_among_answers_that_occur_once_is_a_choice_among_solutions():
    rng = np.random.default_rng(2)
    verdicts = (rng.random((1, 256, 4)) < rng.random((1, 256, 1))).astype(float)
    pool = Pool(np.arange(256)[None], [int(verdicts.sum(axis=2).argmax())], verdicts)
    S = [1, 2, 7, 40, 200, 256]
    np.testing.assert_allclose(
        estimate_genrm_vote(pool, S, [1, 3, 4]), estimate_genrm(pool, S, [1, 3, 4]), rtol=0, atol=1e-11
    )


def test_tied_solutions_that_agree_make_the_vote_idle():
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 4, (3, 64))
    verdicts = np.arange(4)[codes][..., None] >= np.arange(1, 4)  # a score of its own for each answer
    pool = Pool(codes, [0, 2, 3], verdicts)
    np.testing.assert_allclose(
        estimate_genrm_vote(pool, [1, 5, 64], [3]), estimate_genrm(pool, [1, 5, 64], [3]), rtol=0, atol=1e-12
    )


def test_a_large_pool_keeps_its_precision():
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 3, (1, 2000))
    pool = Pool(codes, [0], np.ones((1, 2000, 1)))
    S = [1, 10, 300]
    np.testing.assert_allclose(
        estimate_genrm_vote(pool, S, [1])[:, :, 0], estimate_self_consistency(pool, S), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("estimator", ESTIMATORS.values())
def test_as_many_verdicts_for_each_is_the_plain_case(estimator, random_pool):
    plain = random_pool(3, 16, verifications=4, seed=5)
    padded = np.concatenate([plain.verdicts, np.full((3, 16, 2), np.nan)], axis=2)
    counted = Pool(plain.answers, plain.gold, padded, np.full((3, 16), 4))
    S, V = [1, 4, 16], [1, 3, 4]
    np.testing.assert_allclose(estimator(counted, S, V), estimator(plain, S, V), atol=1e-12)
    np.testing.assert_allclose(estimator(counted, S, [4, 6])[:, :, 1], estimator(plain, S, [4])[:, :, 0], atol=1e-12)


def test_all_verdicts_of_each_give_the_best_fixed_score():
    pool = unequal(5, 40, 6, seed=4)
    parsed = np.isfinite(pool.verdicts).sum(axis=2)
    mean = np.where(pool.answers >= 0, np.nansum(pool.verdicts, axis=2) / np.maximum(parsed, 1), 0.0)
    S = [1, 3, 40]
    np.testing.assert_allclose(
        estimate_genrm(pool, S, [6])[:, :, 0], estimate_best_of_n(mean, pool.correct, S), atol=1e-12
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), solutions=st.integers(1, 9))
def test_order_does_not_matter_and_coverage_bounds_both(seed, solutions):
    pool = unequal(2, solutions, 3, seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(solutions)
    turned = pool.verdicts.copy()
    for p, i in np.ndindex(pool.judged.shape):
        turned[p, i, : pool.judged[p, i]] = rng.permutation(turned[p, i, : pool.judged[p, i]])
    other = Pool(pool.answers[:, order], pool.gold, turned[:, order], pool.judged[:, order])
    S, V = np.arange(1, solutions + 1), [1, 2, 3]
    bound, pass_at_1 = estimate_coverage(pool, S), pool.correct.mean(axis=1)
    for estimator in ESTIMATORS.values():
        measured = estimator(pool, S, V)
        np.testing.assert_allclose(measured, estimator(other, S, V), atol=1e-12)
        np.testing.assert_allclose(measured[:, 0], pass_at_1[:, None].repeat(3, axis=1), atol=1e-12)
        assert (measured <= bound[..., None] + 1e-12).all()


def test_nothing_verified_or_parsed_among_the_tied_is_wrong_and_costs_the_others_nothing():
    nan = float("nan")
    unverified = Pool([[0, 1]], [0], [[[nan], [nan]]], judged=[[0, 0]])
    assert estimate_genrm_vote(unverified, [1, 2], [1])[0].round(12).tolist() == [[0.5], [0.5]]
    unparsed = Pool([[-1, -1, 0]], [0], [[[1], [1], [0]]])
    assert estimate_genrm_vote(unparsed, [1, 2, 3], [1])[0, :, 0] == pytest.approx([1 / 3, 2 / 3, 1])
    assert estimate_genrm_vote(Pool([[-1, -1]], [0], [[[1], [1]]]), [1, 2], [1]).tolist() == [[[0], [0]]]


@pytest.mark.parametrize(
    ("pool", "sentence"),
    [
        (Pool([[0]], [0]), "genrm_vote needs a pool with verdicts of shape (problems, solutions, verifications)."),
        (
            Pool([[0]], [0], [[[1, 0.25]]]),
            "genrm_vote is exact for verdicts 0, 1 or NaN only; got p(yes) = 0.25 at problem 0, solution 0, "
            "verification 1: threshold the verdicts first.",
        ),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(pool, sentence):
    with pytest.raises(DataError) as caught:
        estimate_genrm_vote(pool, [1], [1])
    assert str(caught.value) == sentence
