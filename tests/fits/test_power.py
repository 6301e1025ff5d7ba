"""How many problems are needed: held against simulated studies of that many, whose true gap is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nct, ttest_1samp

from isocompute.errors import DataError
from isocompute.fits.power import PROBLEM_LIMIT, _compute_effect_interval, compute_paired_power

SCORES = np.array([-1.0, -0.25, 0.0, 0.5, 1.0])
"""Differences of a world: most problems are the same under both strategies."""
GAINS = {"a gain of 12.5 points": [0.05, 0.1, 0.55, 0.2, 0.1], "of 22 points": [0.02, 0.08, 0.5, 0.28, 0.12]}
STUDIES = 4000


def world(shares):
    """The values, and as many of each as their share says, so that mean and spread are the world's own."""
    many = np.repeat(SCORES, np.round(np.array(shares) * 10_000).astype(int))
    return many, many.mean() / many.std()


@pytest.mark.parametrize("shares", GAINS.values(), ids=GAINS)
@pytest.mark.parametrize("power", [0.8, 0.95])
def test_studies_of_as_many_problems_as_are_needed_have_the_power(shares, power):
    values, _ = world(shares)
    needed = compute_paired_power(values, power).needed
    rng = np.random.default_rng(needed)
    studies = rng.choice(values, (STUDIES, needed))
    found = (ttest_1samp(studies, 0, axis=1).pvalue < 0.05).mean()
    assert abs(found - power) < 0.03
    fewer = (ttest_1samp(studies[:, : needed * 2 // 3], 0, axis=1).pvalue < 0.05).mean()
    assert fewer < power - 0.03


@pytest.mark.parametrize("problems", [40, 150])
def test_the_interval_of_what_is_needed_holds_in_95_percent_of_the_worlds_at_least(problems):
    values, _ = world(GAINS["of 22 points"])
    needed = compute_paired_power(values).needed
    rng = np.random.default_rng(problems)
    held = []
    for _ in range(200):
        few, many = compute_paired_power(rng.choice(values, problems)).needed_interval
        held.append((few or PROBLEM_LIMIT) <= needed <= (many or PROBLEM_LIMIT))
    assert 0.915 <= np.mean(held) <= 0.99


def test_the_smallest_gap_is_told_by_as_many_problems_as_there_are():
    differences = np.random.default_rng(3).normal(0.05, 0.3, 80)
    found = compute_paired_power(differences)
    moved = compute_paired_power(differences - found.gap + found.smallest_gap * (1 + 1e-6))
    assert moved.needed == moved.problems == 80


def test_without_a_gap_no_number_of_problems_is_enough():
    found = compute_paired_power([0.2, -0.2, 0.1, -0.1])
    assert (found.gap, found.needed, found.needed_interval[1]) == (0, None, None)
    assert found.smallest_gap > 0.2


@pytest.mark.parametrize("gap", [0.0, 0.1])
def test_differences_without_a_spread_do_not_say_how_many_problems_are_needed(gap):
    found = compute_paired_power([gap] * 5)
    assert (found.gap, found.standard_deviation) == (pytest.approx(gap), 0)
    assert (found.needed, found.needed_interval, found.smallest_gap) == (None, (None, None), None)


def test_a_small_spread_on_few_problems_is_uncertain_too():
    found = compute_paired_power([0.1, 0.1, 0.12])
    assert (found.needed, found.needed_interval) == (3, (3, 7))
    assert (compute_paired_power([0.1, 0.12]).needed_interval[1] or PROBLEM_LIMIT) > 100


def test_the_interval_of_a_large_effect_is_that_of_the_noncentral_t():
    values = np.array([0.1, 0.1, 0.12])
    low, high = _compute_effect_interval(values.mean() / values.std(ddof=1), 3)
    reached = np.sqrt(3) * values.mean() / values.std(ddof=1)
    assert nct.sf(reached, 2, low * np.sqrt(3)) == pytest.approx(0.025, abs=1e-4)
    assert nct.cdf(reached, 2, high * np.sqrt(3)) == pytest.approx(0.025, abs=1e-4)


def test_far_from_zero_the_ends_are_proportional_to_the_effect():
    for problems in (2, 5, 60):
        near, far = (
            np.array(_compute_effect_interval(19.9, problems)),
            np.array(_compute_effect_interval(2000.0, problems)),
        )
        np.testing.assert_allclose(far / 2000, near / 19.9, atol=0.05 if problems == 2 else 0.01)


def test_which_of_the_two_is_ahead_does_not_matter():
    differences = np.random.default_rng(4).normal(0.1, 0.3, 50)
    one, other = compute_paired_power(differences), compute_paired_power(-differences)
    assert (one.needed, one.needed_interval) == (other.needed, other.needed_interval)
    assert one.gap == -other.gap


@pytest.mark.parametrize(
    ("differences", "power", "sentence"),
    [
        ([0.1], 0.8, r"differences must be finite numbers of at least 2 problems; got the shape \(1,\)."),
        ([0.1, np.nan], 0.8, "differences must be finite numbers"),
        ([0.1, 0.2], 0.3, "power must be at least 0.5 and below 1; got 0.3."),
    ],
)
def test_what_cannot_be_told_is_refused(differences, power, sentence):
    with pytest.raises(DataError, match=sentence):
        compute_paired_power(differences, power)
