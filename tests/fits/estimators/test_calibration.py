"""Calibration: its bins against counting, and statements that are true as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits.estimators.calibration import measure_calibration


def test_the_bins_are_what_counting_gives():
    rng = np.random.default_rng(5)
    stated = np.where(rng.random((12, 9)) < 0.2, np.nan, rng.random((12, 9)))
    true = rng.random(stated.shape) < np.nan_to_num(stated)
    found = measure_calibration(stated, true, bins=4)
    assert len(found) == 4
    for number, each in enumerate(found):
        inside = (stated >= number / 4) & (stated < (number + 1) / 4)
        assert each.stated == pytest.approx(stated[inside].mean())
        assert each.true[0] == pytest.approx(true[inside].mean())
        assert (each.count, each.problems) == (inside.sum(), inside.any(axis=1).sum())


def test_statements_that_are_true_as_often_as_they_say_lie_on_the_diagonal():
    rng = np.random.default_rng(6)
    stated = rng.random((400, 20))
    found = measure_calibration(stated, rng.random(stated.shape) < stated)
    assert [each.true[0] for each in found] == pytest.approx([each.stated for each in found], abs=0.06)
    assert sum(each.true[1] <= each.stated <= each.true[2] for each in found) >= 8


def test_one_is_in_the_last_bin_and_empty_bins_are_left_out():
    found = measure_calibration([[0.0, 1.0]], [[False, True]])
    assert [(each.stated, each.true[0]) for each in found] == [(0, 0), (1, 1)]
    assert measure_calibration([[np.nan]], [[True]]) == []


@pytest.mark.parametrize(("stated", "true", "bins"), [([[1.2]], [[True]], 5), ([[0.2]], [[True]], 0), ([0.2], [1], 5)])
def test_what_is_no_probability_is_a_sentence(stated, true, bins):
    with pytest.raises(DataError):
        measure_calibration(stated, true, bins)
