from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import find_plateau, find_plateau_interval

S = 2 ** np.arange(7)
VOTES = np.minimum(0.5 + 0.03 * np.log2(S), 0.62)  # three points a doubling, flat from 16 on


def test_the_plateau_is_where_the_interpolated_curve_comes_within_half_a_point():
    curves = [[0.30, 0.49, 0.5, 0.49], [0.5, 0.4, 0.4, 0.4], [0.1, 0.2, 0.3, 0.4]]
    found = find_plateau([1, 2, 4, 8], curves)
    assert found == pytest.approx([2 * 2**0.5, 1, 4 * 2**0.95])
    assert find_plateau([1, 2, 4, 8], curves, tolerance=0.0).tolist() == [4, 1, 8]
    assert find_plateau(S, VOTES) == pytest.approx(2 ** (0.115 / 0.03))


@pytest.mark.parametrize("top", [0.556, 0.606, 0.7305, 0.1 + 0.2])
def test_an_accuracy_on_the_threshold_has_reached_it(top):
    """0.556 - 0.005 is not 0.551 in floating point, by which the plateau would jump from 64 to 128."""
    for threshold in (top - 0.005, round(top - 0.005, 4), np.nextafter(top - 0.005, 1), np.nextafter(top - 0.005, 0)):
        assert find_plateau([32, 64, 128, 256], [0.2, threshold, top, top]) == pytest.approx(64, rel=1e-9)


def test_the_plateau_moves_with_the_curve():
    near = [float(find_plateau([32, 64, 128], [0.4, 0.551 + move, 0.556])) for move in (-1e-6, 0, 1e-6)]
    assert near == pytest.approx([64, 64, 64], abs=0.02)
    assert near == sorted(near, reverse=True)


def test_the_interval_of_a_plateau_that_all_problems_share_is_the_plateau():
    curves = np.stack([VOTES + ease for ease in (0.0, 0.1, -0.2)])
    assert find_plateau_interval(S, curves) == pytest.approx([float(find_plateau(S, VOTES))] * 2)


@pytest.mark.parametrize("problems", [10, 40, 100])
@pytest.mark.parametrize("curve", [VOTES, 0.5 + 0 * VOTES, 0.5 + 0.1 * (1 - S**-0.5)])
def test_the_interval_covers_the_plateau_and_contains_its_estimate(problems, curve):
    rng = np.random.default_rng(4)
    covered = []
    for _ in range(200):
        slopes = rng.normal(0, 0.03, (problems, 1)) * np.log2(S)
        drawn = curve + slopes + rng.normal(0, 0.05, (problems, 7))
        low, high = find_plateau_interval(S, drawn)
        assert low <= find_plateau(S, drawn.mean(axis=0)) <= high
        covered.append(low <= find_plateau(S, curve) <= high)
    assert np.mean(covered) > 0.93


def test_copies_of_a_problem_count_once():
    rng = np.random.default_rng(5)
    curves = 0.5 + 0.1 * (1 - S**-0.5) + rng.normal(0, 0.05, (12, 7))
    copies, names = np.repeat(curves, 5, axis=0), np.repeat(np.arange(12), 5)
    once = find_plateau_interval(S, curves)
    assert find_plateau_interval(S, copies, clusters=names) == pytest.approx(once)
    low, high = find_plateau_interval(S, copies)
    assert (low - once[0], once[1] - high) > (0, 0)
    with pytest.raises(DataError, match="needs problems of at least 2 clusters; got 1"):
        find_plateau_interval(S, curves, clusters=[0] * 12)


def test_one_problem_has_no_interval():
    with pytest.raises(DataError) as caught:
        find_plateau_interval([1, 2], [[0.1, 0.2]])
    assert str(caught.value) == "an interval of the plateau needs a curve of at least 2 problems; got (1, 2)."
