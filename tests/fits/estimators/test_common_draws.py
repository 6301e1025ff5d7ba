"""Draws that votes share and that depend on the problem's key, and what the controls make of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import (
    Pool,
    compute_problem_keys,
    estimate_fused_vote,
    estimate_genrm_sampled,
    estimate_genrm_vote,
    estimate_self_consistency,
    estimate_verdict_votes,
    estimate_weighted_vote,
)
from isocompute.fits.estimators.additive_vote import DrawnVotes
from isocompute.fits.estimators.fused import ODDS_EXPONENTS
from isocompute.fits.estimators.monte_carlo import average_verdicts


def make_binary_pool(problems, solutions, verifications, seed, rights=1, keys=None):
    """Return a pool of verdicts 0 and 1 with a few unparsed ones, answers unparsed too, and unequal numbers."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, 4, (problems, solutions))
    likely = np.where(codes == 0, 0.6, 0.45)
    verdicts = (rng.random((problems, solutions, verifications)) < likely[..., None]).astype(float)
    verdicts[rng.random(verdicts.shape) < 0.05] = np.nan
    judged = rng.integers(verifications - 1, verifications + 1, (problems, solutions))
    verdicts[np.arange(verifications) >= judged[..., None]] = np.nan
    gold = np.tile(np.arange(rights), (problems, 1)) if rights > 1 else np.zeros(problems, dtype=int)
    return Pool(codes, gold, verdicts, judged, keys=keys)


def enumerate_vote(pool, p, S, V):
    """Return the weighted vote's accuracy over all subsets of solutions and of each one's verdicts."""
    right, shares = set(np.atleast_1d(pool.gold[p]).tolist()), []
    held = [pool.verdicts[p, i, : pool.judged[p, i]].tolist() for i in range(pool.verified_solutions)]
    weights = [
        [np.nansum(drawn) / max(1, np.isfinite(drawn).sum()) for drawn in itertools.combinations(h, min(V, len(h)))]
        for h in held
    ]
    for subset in itertools.combinations(range(pool.verified_solutions), S):
        shares.append([])
        for drawn in itertools.product(*(weights[i] for i in subset)):
            totals = {}
            for i, weight in zip(subset, drawn, strict=True):
                if (a := int(pool.answers[p, i])) >= 0:
                    totals[a] = totals.get(a, 0.0) + weight
            top = [a for a, total in totals.items() if total > max(totals.values()) - 1e-9]
            shares[-1].append(len(right & set(top)) / len(top) if top else 0.0)
    return np.mean([np.mean(each) for each in shares])


@pytest.mark.parametrize("rights", [1, 2])
def test_corrected_shares_miss_enumeration_by_what_their_errors_say(rights):
    pool, S, V = make_binary_pool(40, 5, 3, 1, rights), [2, 3, 4], [1, 2]
    expected = np.array([[[enumerate_vote(pool, p, s, v) for v in V] for s in S] for p in range(40)])
    missed, errors = [], []
    for seed in range(20):
        estimate = estimate_weighted_vote(pool, S, V, draws=96, seed=seed)
        missed.append((estimate.accuracy - expected)[estimate.error > 1e-9])
        errors.append(estimate.error[estimate.error > 1e-9])
    ratio = np.concatenate(missed) / np.concatenate(errors)
    assert abs((np.abs(ratio) < 2).mean() - 0.95) < 0.02
    assert abs(ratio.mean()) < 0.1  # seeds and problems apart: the cells of a problem go together
    means = np.array([estimate_weighted_vote(pool, S, V, 96, seed).accuracy.mean() for seed in range(20)])
    assert abs(means.mean() - expected.mean()) < 4 * means.std(ddof=1) / np.sqrt(20)


def test_controls_make_errors_smaller(monkeypatch):
    pool = make_binary_pool(20, 24, 6, 2)
    corrected = estimate_weighted_vote(pool, [8, 16], [1, 4], draws=256, seed=0)
    monkeypatch.setattr("isocompute.fits.estimators.control_variates.FEWEST_DRAWS", 10**9)
    plain = estimate_weighted_vote(pool, [8, 16], [1, 4], draws=256, seed=0)
    assert corrected.error[:, :, 0].mean() < 0.3 * plain.error[:, :, 0].mean()
    assert corrected.error[:, :, 1].mean() < 0.9 * plain.error[:, :, 1].mean()
    assert (np.abs(corrected.accuracy - plain.accuracy) < 4 * (corrected.error + plain.error) + 1e-9).all()


def test_without_trust_the_fused_vote_is_known_exactly():
    pool = make_binary_pool(8, 12, 3, 3)
    found = estimate_fused_vote(pool, [2, 6], [2], 0.0, draws=256, seed=0)
    exact = estimate_self_consistency(Pool(pool.answers, pool.gold), [2, 6])[:, :, None]
    assert found.error.max() < 1e-7
    np.testing.assert_allclose(found.accuracy, exact, atol=1e-12)


def test_one_verdict_each_is_almost_the_vote_among_the_best():
    """With one verdict, the two differ only where no solution of the subset has a yes."""
    pool = make_binary_pool(40, 32, 4, 4)
    weighted, exact = estimate_weighted_vote(pool, [16], [1], 256, 0), estimate_genrm_vote(pool, [16], [1])
    assert np.abs(weighted.accuracy - exact).max() < 0.01


def test_each_problem_keeps_its_numbers_whatever_the_order():
    keys = compute_problem_keys([f"lab-{i}" for i in range(12)])
    pool, order = make_binary_pool(12, 10, 3, 5, keys=keys), np.random.default_rng(0).permutation(12)
    turned = pool.select_problems(order)
    for estimator in (estimate_weighted_vote, estimate_genrm_sampled):
        one, two = estimator(pool, [2, 5], [1, 2], 40, 7), estimator(turned, [2, 5], [1, 2], 40, 7)
        assert one.accuracy[order].tobytes() == two.accuracy.tobytes()
        assert one.error[order].tobytes() == two.error.tobytes()
    other = Pool(pool.answers, pool.gold, pool.verdicts, pool.judged, keys=keys + np.uint64(1))
    assert (estimate_weighted_vote(other, [5], [2], 40, 7).accuracy != one.accuracy[:, 1:, 1:]).any()


def test_the_order_of_solutions_and_verdicts_changes_no_byte():
    pool, rng = make_binary_pool(12, 10, 3, 5), np.random.default_rng(1)
    names = np.array([rng.permutation(4) for _ in range(12)])  # answers are numbered otherwise too
    order = rng.permuted(np.tile(np.arange(10), (12, 1)), axis=1)
    answers = np.where(pool.answers >= 0, np.take_along_axis(names, np.maximum(pool.answers, 0), axis=1), -1)
    verdicts = np.take_along_axis(pool.verdicts, order[:, :, None], axis=1)
    judged = np.take_along_axis(pool.judged, order, axis=1)
    for p, k in np.ndindex(judged.shape):
        verdicts[p, k, : judged[p, k]] = rng.permutation(verdicts[p, k, : judged[p, k]])
    other = Pool(np.take_along_axis(answers, order, axis=1), names[:, 0], verdicts, judged)
    for estimator in (estimate_weighted_vote, estimate_genrm_sampled):
        one, two = estimator(pool, [2, 5], [1, 2], 40, 7), estimator(other, [2, 5], [1, 2], 40, 7)
        np.testing.assert_allclose(one.accuracy, two.accuracy, rtol=0, atol=1e-14)  # exact means round differently
        assert one.error.tobytes() == two.error.tobytes()


def test_rules_share_their_draws_and_change_nothing_for_each_other():
    pool = make_binary_pool(6, 10, 3, 6)
    together = estimate_verdict_votes(pool, [2, 5], [1, 3], 64, 1)
    alone = [estimate_weighted_vote(pool, [2, 5], [1, 3], 64, 1)]
    alone += [estimate_fused_vote(pool, [2, 5], [1, 3], trust, 64, 1) for trust in ODDS_EXPONENTS]
    for one, two in zip(together, alone, strict=True):
        assert one.accuracy.tobytes() == two.accuracy.tobytes()
        assert one.error.tobytes() == two.error.tobytes()


def test_draws_that_are_added_give_the_bytes_of_one_call():
    pool = make_binary_pool(6, 10, 3, 8)
    votes = DrawnVotes(pool, pool.verdicts, [average_verdicts], [2, 5], [1, 3], seed=1)
    first = votes.estimate(70)[0]
    assert first.accuracy.tobytes() == estimate_weighted_vote(pool, [2, 5], [1, 3], 70, 1).accuracy.tobytes()
    more = votes.estimate(200)[0]
    assert more.accuracy.tobytes() == estimate_weighted_vote(pool, [2, 5], [1, 3], 200, 1).accuracy.tobytes()
    again = [estimate_verdict_votes(pool, [2, 5], [1, 3], draws, 1)[0].accuracy for draws in (200, 70)]
    assert again[0].tobytes() == more.accuracy.tobytes()
    assert again[1].tobytes() == first.accuracy.tobytes()


def test_what_is_remembered_of_a_pool_does_not_keep_it():
    import gc
    import weakref

    pool = make_binary_pool(3, 6, 2, 9)
    estimate_verdict_votes(pool, [2], [1], 40, 1)
    kept = weakref.ref(pool)
    del pool
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ([0], "keys must hold one integer per problem, shape (2,); got (1,)."),
        ([0, -1], "keys must be integers ≥ 0; got -1."),
        ([0.5, 1], "keys must be integers; got an array of float64."),
    ],
)
def test_bad_keys_are_refused_in_one_sentence(keys, sentence):
    with pytest.raises(DataError) as caught:
        Pool([[0], [0]], [0, 0], keys=keys)
    assert str(caught.value) == sentence
