from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import (
    compute_percentile_interval,
    draw_bootstrap_weights,
    resample_means,
)

WORLDS = 1000


def test_weights_are_counts_and_repeat_with_their_seed():
    weights = draw_bootstrap_weights(7, 50, seed=3)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights * 7, np.round(weights * 7))
    np.testing.assert_array_equal(weights, draw_bootstrap_weights(7, 50, np.random.SeedSequence(3)))
    assert (weights != draw_bootstrap_weights(7, 50, seed=4)).any()


def test_resampling_surfaces_is_resampling_their_differences():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 9, 3, 4))
    weights = draw_bootstrap_weights(9, 20, seed=0)
    np.testing.assert_allclose(resample_means(a, weights) - resample_means(b, weights), resample_means(a - b, weights))
    np.testing.assert_allclose(resample_means(a, weights)[5, 1, 2], np.average(a[:, 1, 2], weights=weights[5]))


@pytest.mark.parametrize("problems", [64, 128])
@pytest.mark.parametrize("law", ["half", "four fifths", "u-shaped", "paired"])
def test_intervals_cover_the_truth(problems, law):
    rng = np.random.default_rng(problems)
    shape = (problems, WORLDS)
    if law == "paired":
        difficulty = rng.beta(0.5, 0.5, shape)
        values, truth = (difficulty + rng.normal(0.02, 0.2, shape)) - difficulty, 0.02
    elif law == "u-shaped":
        values, truth = rng.beta(0.4, 0.6, shape), 0.4
    else:
        truth = {"half": 0.5, "four fifths": 0.8}[law]
        values = (rng.random(shape) < truth).astype(float)
    low, high = compute_percentile_interval(resample_means(values, draw_bootstrap_weights(problems, 1000, seed=1)))
    assert 0.92 < np.mean((low <= truth) & (truth <= high)) < 0.98


def test_an_interval_may_be_infinite_and_is_never_made_of_nan():
    low, high = compute_percentile_interval([[1.0, 1.0], [2.0, 2.0], [np.inf, np.nan]])
    assert (low[0], high[0]) == (1.0, np.inf)
    assert np.isnan([low[1], high[1]]).all()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: draw_bootstrap_weights(1, 10, 0), "an interval needs at least 2 problems to resample; got 1."),
        (lambda: compute_percentile_interval([]), "an interval needs at least one replicate."),
        (lambda: compute_percentile_interval([1.0], level=95), "level must lie between 0 and 1; got 95."),
        (
            lambda: resample_means(np.ones((3, 2)), np.ones((5, 4)) / 4),
            "weights must have the shape (replicates, 3), one column per problem; got (5, 4).",
        ),
    ],
)
def test_a_bad_request_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence
