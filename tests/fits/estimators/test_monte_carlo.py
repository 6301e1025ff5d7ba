"""Drawn estimates against enumeration, their errors against what they miss by, and the same seed twice."""

from __future__ import annotations

import itertools
from math import comb

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocompute.errors import DataError
from isocompute.fits import (
    Pool,
    estimate_additive_vote,
    estimate_best_of_n,
    estimate_coverage,
    estimate_genrm,
    estimate_genrm_sampled,
    estimate_self_consistency,
    estimate_weighted_vote,
)

DRAWN = {"genrm_sampled": estimate_genrm_sampled, "weighted": estimate_weighted_vote}


def graded(problems, solutions, verifications, seed, answers=3) -> Pool:
    """p(yes) in quarters, so that there are ties; unparsed answers and verdicts; unequal numbers of verdicts."""
    rng = np.random.default_rng(seed)
    verdicts = rng.integers(0, 5, (problems, solutions, verifications)) / 4
    verdicts[rng.random(verdicts.shape) < 0.1] = np.nan
    judged = rng.integers(verifications - 1, verifications + 1, (problems, solutions))
    verdicts[np.arange(verifications) >= judged[..., None]] = np.nan
    codes = rng.integers(-1, answers, (problems, solutions))
    return Pool(codes, rng.integers(0, answers, problems), verdicts, judged)


def best(gold, answers, scores):
    top = max(s if a >= 0 else 0.0 for a, s in zip(answers, scores, strict=True))
    tied = [a for a, s in zip(answers, scores, strict=True) if abs((s if a >= 0 else 0.0) - top) < 1e-9]
    return tied.count(gold) / len(tied)


def heaviest(gold, answers, weights, by_count=None):
    totals = {}
    for a, w in zip(answers, weights, strict=True):
        if a >= 0:
            totals[a] = totals.get(a, 0.0) + w
    if by_count is not None:
        totals = {a: t + by_count[answers.count(a)] for a, t in totals.items()}
    top = [a for a, t in totals.items() if t > max(totals.values()) - 1e-9]
    return (gold in top) / len(top) if top else 0.0


def mean(drawn):
    parsed = [v for v in drawn if v == v]
    return sum(parsed) / len(parsed) if parsed else 0.0


def enumerated(pool, p, S, V, rule, weigh=mean):
    """Over all subsets of solutions and of each one's verdicts."""
    answers, means = pool.answers[p].tolist(), []
    held = [pool.verdicts[p, i, : pool.judged[p, i]].tolist() for i in range(pool.verified_solutions)]
    weights = [[weigh(d) for d in itertools.combinations(h, min(V, len(h)))] for h in held]
    for subset in itertools.combinations(range(pool.verified_solutions), S):
        voted = [answers[i] for i in subset]
        drawn = itertools.product(*(weights[i] for i in subset))
        means.append(np.mean([rule(int(pool.gold[p]), voted, list(w)) for w in drawn]))
    return float(np.mean(means))


def assert_covers(estimate, expected):
    """About 95 % within two standard errors, none absurdly far; what was never seen may be rare."""
    missed = np.abs(estimate.accuracy - expected)
    assert (missed <= np.maximum(5 * estimate.error, 0.02)).all()
    known = estimate.error > 1e-9
    assert known.sum() > 30
    within = (missed <= 2 * estimate.error)[known].mean()
    assert 0.9 < within < 1.0
    assert np.sqrt(np.mean((missed / np.where(known, estimate.error, np.inf))[known] ** 2)) > 0.7  # nor too wide


@pytest.mark.parametrize(("estimator", "rule"), [("genrm_sampled", best), ("weighted", heaviest)])
def test_estimates_miss_enumeration_by_what_their_errors_say(estimator, rule):
    pool = graded(40, 5, 3, seed=1)
    S, V = [2, 3, 4], [1, 2]
    expected = [[[enumerated(pool, p, s, v, rule) for v in V] for s in S] for p in range(40)]
    assert_covers(DRAWN[estimator](pool, S, V, draws=200, seed=3), np.array(expected))


def test_weights_of_any_sign_and_a_term_for_the_number_of_votes_equal_enumeration():
    pool = graded(40, 5, 2, seed=2)
    by_count = np.array([0.0, -0.5, 0.25, 1.0, 1.0, 1.5])

    def log_odds(drawn):
        return sum(3 * v - 1.5 for v in drawn if v == v)

    expected = [
        [[enumerated(pool, p, s, 1, lambda g, a, w: heaviest(g, a, w, by_count), log_odds)] for s in (2, 3, 4)]
        for p in range(40)
    ]
    estimate = estimate_additive_vote(
        pool, pool.verdicts, lambda sums, parsed: 3 * sums - 1.5 * parsed, [2, 3, 4], [1], 300, 5, by_count
    )
    assert_covers(estimate, np.array(expected))


def test_drawn_verdicts_of_0_and_1_agree_with_the_exact_estimate(random_pool):
    pool = random_pool(5, 48, verifications=6, seed=2)
    S, V = [1, 2, 8, 48], [1, 3, 6]
    drawn, exact = estimate_genrm_sampled(pool, S, V, draws=100, seed=0), estimate_genrm(pool, S, V)
    assert (np.abs(drawn.accuracy - exact) < 4.5 * drawn.error + 1e-9).all()
    np.testing.assert_allclose(drawn.accuracy[:, :, 2], exact[:, :, 2], atol=1e-12)  # all verdicts: nothing is drawn
    assert (drawn.error[:, :, 2] < 1e-12).all()


def test_all_verdicts_give_the_best_fixed_score():
    pool = graded(4, 12, 3, seed=6)
    scores = np.array([[mean(v) for v in verdicts] for verdicts in pool.verdicts]) * (pool.answers >= 0)
    expected = estimate_best_of_n(np.round(scores, 12), pool.correct, [1, 5, 12])
    np.testing.assert_allclose(
        estimate_genrm_sampled(pool, [1, 5, 12], [3], 2, 0).accuracy[:, :, 0], expected, atol=1e-12
    )


@pytest.mark.parametrize("verdict", [0.0, 0.3, 1.0])
def test_votes_of_equal_weight_are_self_consistency(verdict, random_pool):
    """Also where no weight is left: then the answers present tie, so every one that was drawn is as good."""
    codes = random_pool(6, 24, answers=4, seed=3).answers
    pool = Pool(codes, np.zeros(6, int), np.full((6, 24, 2), verdict))
    S = [1, 2, 3, 7, 23, 24]
    estimate = estimate_weighted_vote(pool, S, [1, 2], draws=150, seed=1)
    np.testing.assert_array_equal(estimate.accuracy[..., 0], estimate.accuracy[..., 1])
    if verdict:
        expected = estimate_self_consistency(pool, S)
        np.testing.assert_allclose(estimate.accuracy[:, [0, -1], 0], expected[:, [0, -1]], atol=1e-12)
    else:
        expected = np.array([[enumerated_presence(row, s) for s in S] for row in codes])
    assert (np.abs(estimate.accuracy[..., 0] - expected) < 4.5 * estimate.error[..., 0] + 1e-9).all()


def enumerated_presence(codes, S):
    """E[1{0 is drawn} / answers drawn], by inclusion: a walk over the answers and how many were present."""
    state = {(0, 0, 0): 1}  # solutions, answers, whether 0 is among them: subsets
    for a in np.unique(codes):
        many, grown = int((codes == a).sum()), {}
        for (n, k, hit), ways in state.items():
            for j in range(min(many, S - n) + 1):
                key = (n + j, k + (j > 0 and a >= 0), hit or (a == 0 and j > 0))
                grown[key] = grown.get(key, 0) + ways * comb(many, j)
        state = grown
    return sum(ways / k for (n, k, hit), ways in state.items() if n == S and hit) / comb(len(codes), S)


@pytest.mark.parametrize("estimator", DRAWN.values())
def test_the_same_seed_gives_the_same_bytes_whatever_else_is_asked(estimator):
    pool = graded(5, 8, 3, seed=4)
    one, two = (estimator(pool, [2, 5], [1, 3], draws=20, seed=9) for _ in range(2))
    assert one.accuracy.tobytes() == two.accuracy.tobytes()
    assert one.error.tobytes() == two.error.tobytes()
    fewer = estimator(Pool(pool.answers[:2], pool.gold[:2], pool.verdicts[:2], pool.judged[:2]), [2, 5], [1, 3], 20, 9)
    assert fewer.accuracy.tobytes() == one.accuracy[:2].tobytes()
    turned = estimator(pool, [5, 2, 5], [3, 1], draws=20, seed=9)
    np.testing.assert_array_equal(turned.accuracy, one.accuracy[:, [1, 0, 1]][:, :, [1, 0]])
    assert (estimator(pool, [2, 5], [1, 3], draws=20, seed=10).accuracy != one.accuracy).any()


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
def test_the_number_of_threads_changes_nothing():
    pool = graded(6, 8, 3, seed=5)
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    many = estimate_weighted_vote(pool, [2, 5], [1, 3], draws=20, seed=9)
    numba.set_num_threads(1)
    one = estimate_weighted_vote(pool, [2, 5], [1, 3], draws=20, seed=9)
    assert one.accuracy.tobytes() == many.accuracy.tobytes()


def test_batches_of_problems_change_nothing(monkeypatch):
    pool = graded(5, 8, 3, seed=7)
    whole = estimate_weighted_vote(pool, [3], [2], draws=20, seed=1)
    monkeypatch.setattr("isocompute.fits.estimators.monte_carlo._BATCH", 2 * 20 * 8)
    assert estimate_weighted_vote(pool, [3], [2], draws=20, seed=1).accuracy.tobytes() == whole.accuracy.tobytes()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), solutions=st.integers(1, 8))
def test_one_solution_is_pass_at_1_and_coverage_is_a_bound(seed, solutions):
    pool = graded(2, solutions, 3, seed)
    S = np.arange(1, solutions + 1)
    bound, pass_at_1 = estimate_coverage(pool, S), pool.correct.mean(axis=1)
    for estimator in DRAWN.values():
        estimate = estimator(pool, S, [1, 2, 3], draws=8, seed=seed)
        np.testing.assert_allclose(estimate.accuracy[:, 0], pass_at_1[:, None].repeat(3, axis=1), atol=1e-12)
        assert (estimate.accuracy[:, -1] <= bound[:, -1, None] + 1e-12).all()
        assert ((estimate.accuracy >= 0) & (estimate.accuracy <= 1 + 1e-12)).all()
        assert (estimate.accuracy[pass_at_1 == 0] == 0).all()
        assert np.isfinite(estimate.error).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_solutions_and_verdicts_does_not_matter(seed):
    """With all solutions and all verdicts nothing is drawn, so the two orders must agree exactly."""
    rng = np.random.default_rng(seed)
    pool, order = graded(3, 9, 4, seed), rng.permutation(9)
    turned = pool.verdicts.copy()
    for p, i in np.ndindex(pool.judged.shape):
        turned[p, i, : pool.judged[p, i]] = rng.permutation(turned[p, i, : pool.judged[p, i]])
    other = Pool(pool.answers[:, order], pool.gold, turned[:, order], pool.judged[:, order])
    for estimator in DRAWN.values():
        one, two = estimator(pool, [1, 9], [4], 4, 0), estimator(other, [1, 9], [4], 4, 0)
        np.testing.assert_allclose(one.accuracy, two.accuracy, atol=1e-12)


def test_sums_that_differ_by_rounding_alone_tie():
    tenths = Pool([[0, 0, 1]], [0], [[[0.1], [0.2], [0.3]]])  # 0.1 + 0.2 > 0.3
    assert estimate_weighted_vote(tenths, [3], [1], draws=2, seed=0).accuracy.item() == 0.5
    turned = Pool([[0, 1]], [0], [[[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]])
    assert estimate_genrm_sampled(turned, [2], [3], draws=20, seed=0).accuracy.item() == 0.5
    weights = np.array([0.1, 0.2, -0.3, 0.25, -0.25])[:, None]
    opposed = Pool([[0, 0, 0, 1, 1]], [0], np.ones((1, 5, 1)))
    estimate = estimate_additive_vote(opposed, weights[None], lambda sums, _: sums, [5], [1], draws=2, seed=0)
    assert estimate.accuracy.item() == 0.5


POOL = Pool([[0, 1]], [0], [[[0.5, 0.25], [1, 0]]])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: estimate_weighted_vote(Pool([[0]], [0]), [1], [1], 2, 0),
            "weighted needs a pool with verdicts of shape (problems, solutions, verifications).",
        ),
        (
            lambda: estimate_genrm_sampled(Pool([[0]], [0]), [1], [1], 2, 0),
            "genrm_sampled needs a pool with verdicts of shape (problems, solutions, verifications).",
        ),
        (
            lambda: estimate_weighted_vote(POOL, [3], [1], 2, 0),
            "S must lie between 1 and 2, the verified solutions in the pool; got 3.",
        ),
        (
            lambda: estimate_genrm_sampled(POOL, [1], [3], 2, 0),
            "V must lie between 1 and 2, the verifications of each solution; got 3.",
        ),
        (
            lambda: estimate_weighted_vote(POOL, [1], [1], 1, 0),
            "draws must be at least 2, so that the error can be estimated; got 1.",
        ),
        (
            lambda: estimate_weighted_vote(POOL, [1], [1], 2, -1),
            "seed must be an integer ≥ 0 of at most 64 bits; got -1.",
        ),
        (
            lambda: estimate_additive_vote(POOL, [[1.0]], lambda sums, parsed: sums, [1], [1], 2, 0),
            "values must have the verdicts' shape (1, 2, 2); got (1, 1).",
        ),
        (
            lambda: estimate_additive_vote(POOL, POOL.verdicts, lambda sums, parsed: sums[0], [1], [1], 2, 0),
            "weigh must give finite weights of the shape of its sums, (1, 2, 1, 2); got the shape (2, 1, 2).",
        ),
        (
            lambda: estimate_additive_vote(POOL, POOL.verdicts, lambda sums, parsed: sums / 0 * 0, [1], [1], 2, 0),
            "weigh must give finite weights of the shape of its sums, (1, 2, 1, 2); "
            "got the shape (1, 2, 1, 2), not all finite.",
        ),
        (
            lambda: estimate_additive_vote(
                POOL, POOL.verdicts, lambda sums, parsed: sums, [1], [1], 2, 0, by_count=[0, 1]
            ),
            "by_count must hold 3 finite numbers, for 0 to 2 votes.",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_bad_request_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence
