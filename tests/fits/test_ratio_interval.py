"""The interval of a ratio of means: by hand, in simulated worlds, and with clusters."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import stdtrit

from isocompute.errors import DataError
from isocompute.fits.ratio_interval import compute_ratio_interval


def test_by_hand():
    low, high = compute_ratio_interval([1, 2, 3, 4], [2, 3.5, 6.5, 8])
    error = np.sqrt(4 / 3 * 2 * 0.05**2 / 16)  # the residuals over the mean of the denominators are 0, ±0.05 and 0
    reach = np.exp(stdtrit(3, 0.975) * error / 0.5)
    assert (low, high) == pytest.approx((0.5 / reach, 0.5 * reach))


@pytest.mark.parametrize(("problems", "copies"), [(12, 1), (60, 1), (12, 5)])
def test_it_holds_the_ratio_as_often_as_it_says(problems, copies):
    rng, held, worlds = np.random.default_rng(7), 0, 1000
    for _ in range(worlds):
        size = rng.lognormal(0, 0.5, problems)
        n, d = 0.8 * size * rng.lognormal(0, 0.3, problems), size
        clusters = np.tile(np.arange(problems), copies)
        low, high = compute_ratio_interval(np.tile(n, copies), np.tile(d, copies), clusters=clusters)
        held += low <= 0.8 * np.exp(0.3**2 / 2) <= high
    assert 0.91 <= held / worlds <= 0.98


def test_what_has_no_interval():
    assert compute_ratio_interval([1.0], [2.0]) is None
    assert compute_ratio_interval([1.0, 2.0], [2.0, 4.0], clusters=[0, 0]) is None
    assert compute_ratio_interval([0.0, 0.0], [2.0, 4.0]) is None
    for n, d in (([1.0], [1.0, 2.0]), ([], []), ([-1.0, 1.0], [1.0, 1.0]), ([1.0, 1.0], [0.0, 0.0])):
        with pytest.raises(DataError):
            compute_ratio_interval(n, d)
