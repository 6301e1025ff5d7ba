from __future__ import annotations

import itertools
from math import factorial

import numpy as np
import pytest
from scipy.special import gammaln

from isocompute.errors import DataError
from isocompute.fits import (
    Pool,
    estimate_coverage,
    estimate_self_consistency,
    extrapolate_accuracy,
    extrapolate_coverage,
)
from isocompute.fits.laws import extrapolation
from isocompute.fits.laws.extrapolation import (
    EXTRAPOLATION_METHODS,
    _predict_by_curve,
    _predict_by_mixture,
    _predict_by_votes,
)


def drawn(rng, problems, solutions, right=(0.8, 1.2), rival=(1.0, 1.5)):
    """A pool of problems that differ in p and in their rival's share, and p and r themselves."""
    p, r = rng.beta(*right, (problems, 1)), rng.beta(*rival, (problems, 1))
    lucky, misled = rng.random((2, problems, solutions))
    answers = np.where(lucky < p, 0, np.where(misled < r, 1, 2 + rng.integers(0, 30, (problems, solutions))))
    return Pool(answers, np.zeros(problems, dtype=int)), p, r


def enumerated(counts, S, uncertain):
    """Probability that a vote of S answers drawn from the counts is right; the last count is of unparsed answers."""
    total = 0.0
    for votes in itertools.product(range(S + 1), repeat=len(counts)):
        if sum(votes) != S or not max(votes[:-1]) == votes[0] > 0:
            continue
        ways = factorial(S) / np.prod([factorial(n) for n in votes])
        if uncertain:
            a = np.array(counts, dtype=float)
            if any(n and not c for n, c in zip(votes, counts, strict=True)):
                continue
            a, n = a[a > 0], np.array(votes, dtype=float)[a > 0]
            chance = np.exp(gammaln(a.sum()) - gammaln(a.sum() + S) + (gammaln(a + n) - gammaln(a)).sum())
        else:
            chance = np.prod([(c / sum(counts)) ** n for c, n in zip(counts, votes, strict=True)])
        total += ways * chance / sum(n == votes[0] for n in votes[:-1])
    return total


@pytest.mark.parametrize("uncertain", [False, True])
@pytest.mark.parametrize("answers", [[0, 0, 1, 1, 2, -1], [0, 1, 1, 1, 2, 2], [0, 0, 0, 0, 1, -1]])
def test_votes_from_shares_are_those_of_enumeration(uncertain, answers, monkeypatch):
    monkeypatch.setattr(extrapolation, "_DRAWS", 20_000)
    counts = [answers.count(0), answers.count(1), answers.count(2), answers.count(-1)]
    found = _predict_by_votes(Pool([answers], [0]), np.array([3, 5]), uncertain)[0]
    np.testing.assert_allclose(found, [enumerated(counts, S, uncertain) for S in (3, 5)], atol=0.015)


def test_right_answers_that_never_or_always_come_stay_so():
    pool = Pool([[1, 2, -1], [0, 0, 0], [-1, -1, -1]], [0, 0, 0])
    for uncertain in (False, True):
        assert _predict_by_votes(pool, np.array([100]), uncertain).ravel().tolist() == [0, 1, 0]


def test_the_mixture_predicts_votes_of_a_task_that_it_has_seen_a_quarter_of():
    rng = np.random.default_rng(1)
    pool, _, _ = drawn(rng, 500, 256)
    quarter = Pool(pool.answers[:, :64], pool.gold)
    found = _predict_by_mixture(quarter, np.array([256])).mean()
    assert found == pytest.approx(estimate_self_consistency(pool, [256]).mean(), abs=0.01)


def test_the_model_that_was_off_least_is_taken_with_its_error():
    pool, _, _ = drawn(np.random.default_rng(2), 40, 32)
    found = extrapolate_accuracy(pool, [32, 64, 128])
    assert set(found.errors) == set(EXTRAPOLATION_METHODS) - {"beta"}
    assert set(extrapolate_coverage(pool, [32]).errors) == set(EXTRAPOLATION_METHODS) - {"dirichlet"}
    assert found.error == found.errors[found.method] == min(found.errors.values())
    assert (found.accuracy.shape, found.measured_to) == ((40, 3), 32)
    truth = estimate_self_consistency(pool, [32]).mean()
    parts = [pool.answers[:, i : i + n] for n in (8, 16) for i in range(0, 32, n)]
    off = [_predict_by_mixture(Pool(part, pool.gold), np.array([32])).mean() - truth for part in parts]
    assert found.errors["mixture"] == pytest.approx(np.sqrt(np.mean(np.square(off))))


@pytest.mark.parametrize("extrapolate", [extrapolate_accuracy, extrapolate_coverage])
def test_the_order_of_problems_changes_no_bit(extrapolate):
    pool, _, _ = drawn(np.random.default_rng(3), 30, 32)
    order = np.random.default_rng(0).permutation(30)
    found, again = extrapolate(pool, [64]), extrapolate(Pool(pool.answers[order], pool.gold[order]), [64])
    assert (found.accuracy[order] == again.accuracy).all()
    assert (found.method, found.errors) == (again.method, again.errors)


def test_the_interval_holds_the_accuracy_on_new_problems():
    rng = np.random.default_rng(5)
    big, _, _ = drawn(rng, 1500, 64)
    truth = estimate_self_consistency(big, [64]).mean()
    held, off = [], []
    for _ in range(25):
        found = extrapolate_accuracy(drawn(rng, 24, 16)[0], [64])
        low, high = found.compute_interval()
        held.append(low[0] <= truth <= high[0])
        off.append(found.accuracy.mean() - truth)
    assert np.mean(held) >= 0.88
    assert abs(np.mean(off)) < 3 * np.std(off) / np.sqrt(25)


def test_coverage_grows_and_solved_problems_stay_solved():
    pool, p, _ = drawn(np.random.default_rng(6), 300, 64, right=(0.3, 2.0))
    found = extrapolate_coverage(pool, [64, 128, 256])
    assert (found.accuracy[pool.correct.any(axis=1)] == 1).all()
    assert (np.diff(found.accuracy, axis=1) >= 0).all()
    truth = (1 - (1 - p) ** 256).mean()
    assert found.accuracy[:, 2].mean() == pytest.approx(truth, abs=0.03)
    assert found.accuracy[:, 0].mean() >= estimate_coverage(pool, [64]).mean() - 1e-12


def test_several_right_answers_are_counted_together():
    answers = np.random.default_rng(7).integers(0, 3, (10, 16))
    found = extrapolate_accuracy(Pool(answers, [[0, 1]] * 10), [16])
    assert found.accuracy.mean() > 0.7


@pytest.mark.parametrize(
    ("pool", "S", "sentence"),
    [
        (Pool([[0] * 8], [0]), [16], "extrapolation needs at least 16 solutions of each problem; got 8."),
        (Pool([[0] * 16], [0]), [8], "S must be whole numbers from 16, the measured solutions; got [8]."),
        (Pool([[0] * 16], [0]), [16.5], "S must be whole numbers from 16, the measured solutions; got [16.5]."),
    ],
)
def test_what_cannot_be_extrapolated_is_refused(pool, S, sentence):
    with pytest.raises(DataError) as caught:
        extrapolate_accuracy(pool, S)
    assert str(caught.value) == sentence


def test_a_curve_through_two_points_gains_least():
    pool, _, _ = drawn(np.random.default_rng(3), 200, 4)
    two, four = estimate_coverage(pool, [2, 4]).mean(axis=0)
    slope = (four - two) / (4.0**-3 - 2.0**-3)  # every exponent fits two points; 3 is the largest that is tried
    found = _predict_by_curve(estimate_coverage, pool, np.array([16])).mean()
    assert found == pytest.approx(four + slope * (16.0**-3 - 4.0**-3))
