"""Shares of sums over problems: their value, their interval, and what cannot be measured."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import compute_mean_interval
from isocompute.fits.share_interval import compute_share_of_sums


def test_equal_wholes_give_the_interval_of_a_mean():
    part = np.array([0, 1, 2, 3, 4, 2, 1, 3])
    value, low, high = compute_share_of_sums(part, np.full(8, 4))
    assert value == part.mean() / 4
    assert (low, high) == tuple(map(float, compute_mean_interval(part / 4)))


def test_problems_without_anything_are_left_out():
    assert compute_share_of_sums([1, 0, 2], [2, 0, 4], clusters=[0, 1, 2]) == compute_share_of_sums([1, 2], [2, 4])


def test_what_cannot_be_measured_is_unknown():
    assert all(map(math.isnan, compute_share_of_sums([0, 0], [0, 0])))
    value, *ends = compute_share_of_sums([1, 1], [2, 2], clusters=["a", "a"])
    assert value == 0.5
    assert all(map(math.isnan, ends))


def test_arrays_that_do_not_match_are_a_sentence():
    with pytest.raises(DataError, match=r"^a share needs two numbers of each problem; got shapes \(2,\) and \(3,\)\.$"):
        compute_share_of_sums([1, 2], [1, 2, 3])
