"""First errors: against going through the steps one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits.estimators.step_errors import measure_first_errors


def find_first(flags):
    return next((at for at, flag in enumerate(flags, start=1) if flag), None)


def test_it_is_what_going_through_the_steps_gives():
    rng = np.random.default_rng(7)
    lengths, problem = rng.integers(1, 6, 80), rng.integers(0, 10, 80)
    scores, right = rng.random((80, 5)) ** 0.4, rng.random((80, 5)) < 0.8
    scores[np.arange(5) >= lengths[:, None]] = np.nan
    found = measure_first_errors(scores, right, problem, 10, threshold=0.6)
    pairs = [
        (find_first(~right[i, :n]), find_first(scores[i, :n] < 0.6)) for i, n in enumerate(lengths)
    ]  # fmt: skip
    wrong, clean = [pair for pair in pairs if pair[0]], [pair for pair in pairs if not pair[0]]
    assert (found.error_count, found.clean_count) == (len(wrong), len(clean))
    assert found.with_error[0] == pytest.approx(np.mean([true == seen for true, seen in wrong]))
    assert found.without_error[0] == pytest.approx(np.mean([seen is None for _, seen in clean]))
    for step, share, count in zip(found.steps, found.found, found.counts, strict=True):
        own = [seen == step for true, seen in wrong if true == step]
        assert (share[0], count) == (pytest.approx(np.mean(own)), len(own))
        assert share[1] <= share[0] <= share[2]
    assert sum(found.counts) == found.error_count


def test_without_errors_nothing_is_said_of_them():
    found = measure_first_errors([[0.9], [0.4]], [[True], [True]], [0, 1], 2)
    assert (found.steps, found.without_error[0]) == ((), 0.5)
    assert all(map(math.isnan, found.with_error))


def test_arrays_that_do_not_match_are_a_sentence():
    with pytest.raises(DataError, match=r"^scores and is_right must be \(solutions, steps\)"):
        measure_first_errors([[0.9]], [[True, True]], [0], 1)
