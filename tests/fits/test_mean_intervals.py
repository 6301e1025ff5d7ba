"""Intervals of means over problems: at the bounds, with few problems, strata and clusters, and their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import stdtrit

from isocompute.errors import DataError
from isocompute.fits import (
    compute_difference_interval,
    compute_mean_interval,
    compute_t_interval,
    draw_bootstrap_weights,
)

WORLDS = 2000


def draw_heavy_tailed(rng, shape):
    """Problems that are right always, never, or sometimes; their mean is 0.675."""
    kind = rng.random(shape)
    return np.where(kind < 0.6, 1.0, np.where(kind < 0.85, 0.0, rng.random(shape)))


def share_held(ends, truth):
    low, high = ends
    return np.mean((low <= truth + 1e-9) & (truth <= high + 1e-9))


@pytest.mark.parametrize("problems", [10, 20, 40, 100])
def test_an_accuracy_is_covered_with_few_problems(problems):
    rng = np.random.default_rng(problems)
    values = draw_heavy_tailed(rng, (problems, WORLDS))
    assert 0.935 < share_held(compute_mean_interval(values), 0.675) < 0.98
    mostly_right = (rng.random((problems, WORLDS)) < 0.93).astype(float)
    assert share_held(compute_mean_interval(mostly_right), 0.93) > 0.92
    assert problems > 20 or share_held(compute_t_interval(mostly_right), 0.93) < 0.8


@pytest.mark.parametrize("problems", [10, 20, 40, 100])
def test_a_difference_is_covered_with_few_problems(problems):
    rng = np.random.default_rng(problems)
    p = draw_heavy_tailed(rng, (problems, WORLDS))
    perfect = 1 - (1 - p) ** 4 - p  # a perfect verifier of 4 solutions, over one solution
    assert 0.935 < share_held(compute_difference_interval(perfect), 0.15 * (0.8 - 0.5)) < 0.985
    useless = p - (p**3 + 3 * p**2 * (1 - p))  # a verifier that knows nothing, over the vote of three
    assert share_held(compute_difference_interval(useless), 0.0) > 0.935
    alike = (rng.binomial(3, p) - rng.binomial(3, p)) / 3
    assert share_held(compute_difference_interval(alike), 0.0) > 0.935


@pytest.mark.parametrize("right", [0, 1, 7, 39, 40])
def test_zeros_and_ones_give_the_likelihood_interval_of_a_share(right):
    low, high = compute_mean_interval([1.0] * right + [0.0] * (40 - right))

    def exceed(p):
        return (
            2 * (right * np.log(right / 40 / p) if right else 0)
            + (2 * (40 - right) * np.log((40 - right) / 40 / (1 - p)) if right < 40 else 0)
            - stdtrit(39, 0.975) ** 2
        )

    assert low == pytest.approx(brentq(exceed, 1e-9, right / 40) if right else 0, abs=1e-8)
    assert high == pytest.approx(brentq(exceed, right / 40, 1 - 1e-9) if right < 40 else 1, abs=1e-8)


def test_many_values_in_the_middle_give_students_interval():
    values = np.random.default_rng(0).normal(0.5, 0.1, 400)
    np.testing.assert_allclose(compute_mean_interval(values), compute_t_interval(values), atol=2e-4)
    np.testing.assert_allclose(compute_difference_interval(values - 0.5), compute_t_interval(values - 0.5), atol=2e-4)


def test_a_difference_mirrors_and_shrinks_with_the_differences():
    values = np.random.default_rng(1).normal(0.01, 0.02, (30, 3))
    low, high = compute_difference_interval(values)
    np.testing.assert_allclose(compute_difference_interval(-values), (-high, -low))
    np.testing.assert_allclose(compute_difference_interval(values / 4), (low / 4, high / 4))


def test_no_difference_at_all_is_not_proof_that_there_is_none():
    low, high = compute_difference_interval(np.zeros(40))
    assert -low == high == pytest.approx(1 - np.exp(-(stdtrit(39, 0.975) ** 2) / 80))
    near_zero = compute_difference_interval(np.full(40, 1e-16))  # another order of summation
    np.testing.assert_allclose(near_zero, (low, high))


def test_repeated_problems_count_once():
    values = np.random.default_rng(2).random((12, 4))
    repeated, names = np.repeat(values, 5, axis=0), np.repeat([f"c{i}" for i in range(12)], 5)
    np.testing.assert_allclose(compute_mean_interval(repeated, clusters=names), compute_mean_interval(values))
    difference = compute_difference_interval(repeated - 0.5, clusters=names)
    np.testing.assert_allclose(difference, compute_difference_interval(values - 0.5))
    once, five = draw_bootstrap_weights(12, 50, 3), draw_bootstrap_weights(60, 50, 3, clusters=names)
    np.testing.assert_allclose(five.reshape(50, 12, 5).sum(axis=2), once)


def test_clusters_of_unequal_sizes_are_covered():
    rng = np.random.default_rng(4)
    sizes = np.tile([1, 1, 1, 4], 6)
    each = draw_heavy_tailed(rng, (24, WORLDS))
    values = np.repeat(each, sizes, axis=0)
    clusters = np.repeat(np.arange(24), sizes)
    assert 0.92 < share_held(compute_mean_interval(values, clusters=clusters), 0.675) < 0.98
    assert share_held(compute_mean_interval(values), 0.675) < 0.87


@pytest.mark.parametrize("each", [4, 8, 20])
def test_strata_narrow_the_interval_and_are_covered(each):
    rng = np.random.default_rng(each)
    ease = np.repeat([4.0, 2.0, 1.0, 0.5, 0.2], each)[:, None]
    values, levels = rng.beta(ease, 1, (5 * each, WORLDS)), np.repeat(np.arange(5), each)
    truth = (ease / (ease + 1)).mean()
    low, high = compute_mean_interval(values, strata=levels)
    assert 0.93 < share_held((low, high), truth) < 0.985
    wide_low, wide_high = compute_mean_interval(values)
    assert np.mean(high - low) < 0.93 * np.mean(wide_high - wide_low)
    weights = draw_bootstrap_weights(5 * each, 40, 0, strata=levels)
    joined = levels // 2 if each < 5 else levels
    shares = [weights[:, joined == level].sum(axis=1) for level in np.unique(joined) if each >= 5 or level < 1]
    assert np.allclose(shares, shares[0][0])


def test_all_right_in_some_strata_and_all_wrong_in_others_is_no_point():
    low, high = compute_mean_interval(np.repeat([1.0, 0.0], 10), strata=np.repeat([1, 2], 10))
    assert low < 0.46 < 0.54 < high


def test_one_independent_problem_says_nothing():
    assert compute_mean_interval([0.4, 0.5], clusters=["a", "a"]) == (0, 1)
    assert compute_difference_interval([0.1]) == (-1, 1)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: compute_mean_interval([]), "an interval of a mean needs at least one problem."),
        (lambda: compute_mean_interval([0.5], level=95), "level must lie between 0 and 1; got 95."),
        (lambda: compute_mean_interval([1.5]), "the values of an interval of a mean must lie in [0, 1]."),
        (lambda: compute_difference_interval([np.nan]), "the values of an interval of a mean must lie in [-1, 1]."),
        (
            lambda: compute_mean_interval([0, 1], clusters=["a"]),
            "clusters must hold one label per problem, shape (2,); got (1,).",
        ),
        (
            lambda: draw_bootstrap_weights(3, 9, 0, clusters=["a"] * 3),
            "an interval needs at least 2 clusters to resample; the 3 problems are in one.",
        ),
    ],
)
def test_bad_input_is_said_in_a_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence


@pytest.mark.parametrize("problems", [3, 4, 5])
@pytest.mark.parametrize("p", [0.2, 0.5, 0.8, 0.95, None])
def test_three_to_five_problems_are_covered(problems, p):
    rng = np.random.default_rng(problems)
    shape = (problems, WORLDS)
    values = rng.beta(0.5, 0.5, shape) if p is None else (rng.random(shape) < p).astype(float)
    assert share_held(compute_mean_interval(values), 0.5 if p is None else p) >= 0.92
