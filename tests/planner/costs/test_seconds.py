"""Latency of one answer: the slowest of the requests that run side by side, stage by stage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from isocompute.fits.laws.throughput import ThroughputLaw
from isocompute.planner.costs.seconds import (
    compute_expected_maximum,
    compute_latency,
    compute_machine_seconds,
    describe_load,
    fit_role_throughput,
)
from isocompute.planner.costs.usage import UnknownCostError, measure_usage
from isocompute.planner.estimate.timings import measure_busy_seconds, measure_time_spread
from isocompute.planner.profile import TIME_LEVELS, ProblemRecord, TimeSpread, TokenMeans, read_profile


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


EVEN = TimeSpread(ratios=[1.0] * 33, rows=64, busy=10.0, concurrency=8.0)
LAW = ThroughputLaw(alone=0.02, shared=0.005, lowest=1, highest=32, error=0.0)


def serve(rng, in_flight, requests, begin=0.0):
    """Rows of a machine that works on so many requests at once and shares itself by the law, event by event."""
    tokens = rng.gamma(4, 15, requests)
    waiting, working, rows, clock = list(range(requests)), {}, [], begin
    while waiting or working:
        while waiting and len(working) < in_flight:
            working[waiting.pop(0)] = [clock, 0.0]
        token = float(LAW.compute_token_seconds(len(working)))
        step = min(tokens[name] - done for name, (_, done) in working.items())
        clock += step * token
        for name, state in list(working.items()):
            state[1] += step
            if state[1] >= tokens[name] - 1e-9:
                rows.append((f"p{name % 7}", state[0], clock - state[0], tokens[name]))
                del working[name]
    return rows, clock


def build_rows(rows):
    made = frame([row[0] for row in rows], [row[2] for row in rows], [row[1] for row in rows])
    return made.assign(completion_tokens=[row[3] for row in rows])


@pytest.fixture(scope="module")
def served():
    """The spread of a run that was sampled at 2, 8 and 32 requests at once."""
    rng, rows, clock = np.random.default_rng(3), [], 0.0
    for in_flight in (2, 8, 32):
        more, clock = serve(rng, in_flight, 150, clock + 100)
        rows += more
    return measure_time_spread(build_rows(rows))


def test_a_run_at_several_loads_gives_the_law_of_its_machine(served):
    assert [point.concurrency for point in served.loads][:2] == pytest.approx([2, 8], rel=0.05)
    law = fit_role_throughput(served)
    assert (law.alone, law.shared) == pytest.approx((LAW.alone, LAW.shared), rel=0.1)
    assert law.error < 0.05


def test_batches_that_were_not_fitted_on_take_as_long_as_predicted(hand_profile, served):
    """Of 4, 12 and 20 requests at once, on average over many batches."""
    tokens = TokenMeans(prompt=10, completion=60, seconds=9)
    records = [ProblemRecord(tokens={"solver": tokens})] * 40
    profile = hand_profile.model_copy(update={"per_problem": records, "timings": {"solver": served}})
    rng = np.random.default_rng(8)
    for n in (1, 4, 12, 20):
        measured = np.mean([serve(rng, n, n)[1] for _ in range(200)])
        assert compute_latency(profile, measure_usage(profile), [n], [0], False)[0] == pytest.approx(measured, rel=0.07)
    busy = compute_latency(profile, measure_usage(profile), [4, 20], [0, 0], False, batch=20)
    alone = compute_latency(profile, measure_usage(profile), [4, 20], [0, 0], False)
    assert busy[0] - alone[0] == pytest.approx(16 * fit_role_throughput(served).shared * longest_of(profile, 4))
    assert busy[1] == alone[1]


def longest_of(profile, n):
    return 60 * compute_expected_maximum(profile.timings["solver"].lengths, TIME_LEVELS, [n])[0]


def test_at_one_load_there_is_no_law():
    rows, _ = serve(np.random.default_rng(1), 16, 400)
    spread = measure_time_spread(build_rows(rows))
    assert (spread.loads, spread.lengths, fit_role_throughput(spread)) == ([], None, None)
    untimed = measure_time_spread(build_rows(rows).assign(started_at=None))
    assert untimed.loads == []
    unknown = measure_time_spread(build_rows(rows).assign(completion_tokens=None))
    assert unknown.loads == []


def test_the_loads_are_written_with_the_profile(hand_profile, served, tmp_path):
    profile = hand_profile.model_copy(update={"timings": {"solver": served, "verifier": EVEN}})
    profile.write(str(tmp_path / "loads.json"))
    assert read_profile(str(tmp_path / "loads.json")).timings == profile.timings
    assert '"loads"' not in (tmp_path / "loads.json").read_text().split('"verifier": {"ratios"')[1]


def test_the_range_of_loads_and_the_batch_are_named(hand_profile, served):
    profile = hand_profile.model_copy(update={"timings": {"solver": served, "verifier": EVEN}})
    said = describe_load(profile)
    assert said.startswith("Latencies are at as many requests at once as an answer's own, by throughput fitted from 2 ")
    assert "saturating at" in said
    assert said.endswith(
        "Latencies hold at the load of the run; requests at once: 8 for the verifier (6.4 done a second)."
    )
    assert "as 64 in all, or an answer's own if more" in describe_load(profile, 64)


def test_machine_time_is_wall_time_shared_by_tokens(hand_profile, served):
    usage = measure_usage(hand_profile)
    seconds = compute_machine_seconds(hand_profile, usage["solver"])
    assert seconds[:2] == pytest.approx([3 / 8 * 0.8, 3 / 8 * 1.2])  # 3 s on average, 8 at once, of 400 and 600 tokens
    loaded = hand_profile.model_copy(update={"timings": {"solver": served}})
    law = fit_role_throughput(served)
    eight = compute_machine_seconds(loaded, usage["solver"], 8)
    assert eight[0] == pytest.approx(400 * (law.alone / 8 + law.shared))
    unknown = hand_profile.model_copy(update={"timings": {"solver": TimeSpread(ratios=[1.0] * 33, rows=1)}})
    with pytest.raises(UnknownCostError, match="how many requests of the solver ran at once"):
        compute_machine_seconds(unknown, usage["solver"])
    silent = replace(usage["solver"], completion=None)
    assert compute_machine_seconds(hand_profile, silent)[:2].tolist() == [2 / 8, 4 / 8]


def test_the_load_of_searches_is_said(hand_profile, served):
    timed = hand_profile.model_copy(update={"timings": {"solver": served}})
    assert ("beside all other searches" in describe_load(timed)) == bool(hand_profile.searches)
    assert "beside all other searches" in describe_load(read_profile("lab-both-small"))
