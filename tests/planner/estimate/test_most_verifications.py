"""Runs with more verifications of a solution than a profile has estimates of."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.fits import Pool
from isocompute.fits.policies.value_fit import MOST_VERIFICATIONS, fit_value_model
from isocompute.planner.estimate.profile_from_run import describe_most_verifications, list_allocations
from isocompute.planner.strategies.registry import GENRM


def make_pool(verifications):
    codes = np.random.default_rng(0).integers(0, 2, (4, 3, verifications), dtype=np.int8)
    return Pool([[0, 0, 1], [0, 1, 1], [0, 1, 2], [1, 0, 0]], [0, 0, 0, 0], codes)


@pytest.mark.parametrize(
    ("verifications", "last", "sentences"),
    [
        (128, [96, 128], []),
        (
            1300,
            [96, 128],
            ["A solution has up to 1,300 verifications; estimates end at V = 128, drawn from all of them."],
        ),
        (100, [96, 100], []),
    ],
)
def test_estimates_end_at_the_most_verifications_and_the_profile_says_so(verifications, last, sentences):
    pool = make_pool(verifications)
    assert list_allocations(GENRM, pool)[1][-2:] == last
    assert describe_most_verifications(pool) == sentences


def test_the_value_rule_verifies_a_solution_no_more_often_than_that():
    assert fit_value_model(make_pool(1300), 0.2, rates=(1.0,)).verifications == MOST_VERIFICATIONS
    assert fit_value_model(make_pool(5), 0.2, rates=(1.0,)).verifications == 5
