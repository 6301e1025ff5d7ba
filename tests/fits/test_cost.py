from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import compute, verification_ratio


def test_compute_counts_solutions():
    assert compute(128, 0, 2.0) == 128
    np.testing.assert_array_equal(compute([[1], [4]], [1, 32], 2.0), [[3, 65], [12, 260]])


def test_the_ratio_is_of_means_not_a_mean_of_ratios():
    assert verification_ratio([[100, 300]], [50, 150, 400]) == 1.0


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
