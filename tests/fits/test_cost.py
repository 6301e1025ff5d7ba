from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import compute, counted, verification_ratio, verification_ratios


def test_compute_counts_solutions():
    assert compute(128, 0, 2.0) == 128
    np.testing.assert_array_equal(compute([[1], [4]], [1, 32], 2.0), [[3, 65], [12, 260]])


def test_the_ratio_is_of_means_not_a_mean_of_ratios():
    assert verification_ratio([[100, 300]], [50, 150, 400]) == 1.0


def test_tokens_are_counted_in_three_ways_row_by_row():
    ways = counted([[5, 7]], [[100, 200]], [[0, 192]])
    assert {way: tokens.tolist() for way, tokens in ways.items()} == {
        "completion": [[5, 7]],
        "prompts": [[105, 207]],
        "cached": [[105, 15]],
    }


def test_one_unknown_count_makes_the_ways_that_need_it_unknown_and_no_other():
    known = counted([10, 10], [90, 90], [80, 80])
    ratios = verification_ratios(known, counted([5, 5], [45, np.nan], [35, 35]))
    assert ratios["completion"] == 0.5
    assert np.isnan([ratios["prompts"], ratios["cached"]]).all()
    ratios = verification_ratios(counted([10, 10], [90, 90], [np.nan, 80]), known)
    assert (ratios["completion"], ratios["prompts"]) == (1, 1)
    assert np.isnan(ratios["cached"])


def test_a_prompt_that_is_all_cached_costs_nothing():
    everything = counted([8, 8], [1000, 1000], [1000, 1000])
    assert verification_ratios(everything, everything) == {"completion": 1, "prompts": 1, "cached": 1}
    ratios = verification_ratios(counted([8], [1000], [0]), counted([8], [1000], [1000]))
    assert ratios["cached"] == 8 / 1008


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: compute(1, 1, 0.0),
            "lam, the cost of a verification in solutions, must be positive; got 0.0.",
        ),
        (
            lambda: compute(1, 1, np.nan),
            "lam, the cost of a verification in solutions, must be positive; got nan.",
        ),
        (lambda: compute([1, 0], 1, 1.0), "S must be at least 1; got 0.0."),
        (lambda: compute(1, -1, 1.0), "V must be at least 0; got -1.0."),
        (
            lambda: verification_ratio([], [1]),
            "solution_tokens must hold token counts ≥ 0, at least one of them positive.",
        ),
        (
            lambda: verification_ratio([5], [0, 0]),
            "verification_tokens must hold token counts ≥ 0, at least one of them positive.",
        ),
    ],
)
def test_a_bad_cost_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence
