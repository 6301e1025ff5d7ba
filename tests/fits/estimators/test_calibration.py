"""Calibration: its bins against counting, and statements that are true as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits.estimators.calibration import measure_calibration


def test_the_bins_are_what_counting_gives():
    rng = np.random.default_rng(5)
    stated, problem = rng.random(90), rng.integers(0, 12, 90)
    true = rng.random(90) < stated
    found = measure_calibration(stated, true, problem, 12, bins=4)
    assert len(found) == 4
    for number, each in enumerate(found):
        inside = (stated >= number / 4) & (stated < (number + 1) / 4)
        assert each.stated == pytest.approx(stated[inside].mean())
        assert each.true[0] == pytest.approx(true[inside].mean())
        assert (each.count, each.problems) == (inside.sum(), len(set(problem[inside])))


def test_statements_that_are_true_as_often_as_they_say_lie_on_the_diagonal():
    rng = np.random.default_rng(6)
    stated = rng.random(8000)
    found = measure_calibration(stated, rng.random(8000) < stated, np.arange(8000) // 20, 400)
    assert [each.true[0] for each in found] == pytest.approx([each.stated for each in found], abs=0.06)
    assert sum(each.true[1] <= each.stated <= each.true[2] for each in found) >= 8


def test_one_is_in_the_last_bin_and_empty_bins_are_left_out():
    found = measure_calibration([0.0, 1.0], [False, True], [0, 0], 1)
    assert [(each.stated, each.true[0]) for each in found] == [(0, 0), (1, 1)]


@pytest.mark.parametrize(("stated", "true", "bins"), [([1.2], [True], 5), ([0.2], [True], 0), ([0.2], [1], 5)])
def test_what_is_no_probability_is_a_sentence(stated, true, bins):
    with pytest.raises(DataError):
        measure_calibration(stated, true, [0], 1, bins)
