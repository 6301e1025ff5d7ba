"""Latency of one answer: the slowest of the requests that run side by side, stage by stage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isocompute.planner.costs.seconds import compute_expected_maximum, compute_latency, describe_load
from isocompute.planner.costs.usage import UnknownCostError, measure_usage
from isocompute.planner.estimate.timings import measure_busy_seconds, measure_time_spread
from isocompute.planner.profile import TIME_LEVELS, TimeSpread


def test_the_expected_maximum_of_draws():
    assert compute_expected_maximum([0, 1], [0, 1], [1, 2, 9]) == pytest.approx([1 / 2, 2 / 3, 9 / 10])  # uniform
    assert compute_expected_maximum([3.0] * 33, TIME_LEVELS, [1, 64]) == pytest.approx([3, 3])
    exponential = -np.log1p(-np.array(TIME_LEVELS[:-1]))
    quantiles = [*exponential, 2 * exponential[-1]]
    draws = np.random.default_rng(0).exponential(size=(100_000, 8)).max(axis=1).mean()
    assert compute_expected_maximum(quantiles, TIME_LEVELS, [8])[0] == pytest.approx(draws, rel=0.05)


def test_stages_follow_each_other_and_their_requests_run_side_by_side(hand_profile):
    usage = measure_usage(hand_profile)
    assert compute_latency(hand_profile, usage, [1, 64], [0, 0], False).tolist() == [3, 3]  # 2 s and 4 s
    assert compute_latency(hand_profile, usage, [4], [2], False).tolist() == [4]
    uneven = TimeSpread(ratios=[0.0, *[1.0] * 31, 2.0], rows=9)
    spread = hand_profile.model_copy(update={"timings": hand_profile.timings | {"verifier": uneven}})
    few, many = (compute_latency(spread, usage, [1], [V], False)[0] for V in (1, 64))
    assert few < many < 5


def test_unknown_times_are_said(hand_profile):
    usage = measure_usage(hand_profile)
    with pytest.raises(UnknownCostError, match="how the times of a solution spread; fit the run again"):
        compute_latency(hand_profile.model_copy(update={"timings": {}}), usage, [1], [0], False)
    with pytest.raises(UnknownCostError, match="the seconds of scoring a solution"):
        compute_latency(hand_profile, usage, [1], [0], True)


def test_the_load_is_named(hand_profile):
    assert describe_load(hand_profile).endswith(
        "requests at once: 8 for the solver (6.4 done a second), 8 for the verifier (6.4 done a second)."
    )
    unknown = {"solver": TimeSpread(ratios=[1.0] * 33, rows=1)}
    assert "is unknown" in describe_load(hand_profile.model_copy(update={"timings": unknown}))


def frame(problems, seconds, started):
    return pd.DataFrame(
        {
            "problem_id": problems,
            "status": "ok",
            "seconds": seconds,
            "started_at": pd.to_datetime(started, unit="s", utc=True),
        }
    )


def test_the_spread_is_around_the_mean_of_a_problem():
    found = measure_time_spread(frame(["a", "a", "b", "b"], [1.0, 3.0, 10.0, 30.0], [0, 0, 1, 50]))
    assert (found.ratios[0], found.ratios[-1], found.rows) == (0.5, 1.5, 4)
    # From 0 to 11 without a pause, and 30 seconds from 50 on.
    assert (found.busy, found.concurrency) == (41.0, round(44 / 41, 5))


def test_rows_without_times_have_no_spread():
    assert measure_time_spread(frame(["a", "a"], [1.0, None], [0, 0])) is None
    assert measure_time_spread(frame(["a"], [0.0], [0])) is None
    unstarted = measure_time_spread(frame(["a", "a"], [1.0, 2.0], [0, None]))
    assert (unstarted.busy, unstarted.concurrency) == (None, None)
    assert measure_busy_seconds(pd.Series(pd.to_datetime([5, 0], unit="s", utc=True)), np.array([2.0, 3.0])) == 5.0
