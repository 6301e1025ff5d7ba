"""GPU-hours: by the run's measured throughput where rows carry times, else by a device's peak."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import ConfigError
from isocompute.planner.budget import Budget, format_amount, round_up
from isocompute.planner.costs.devices import DEVICES
from isocompute.planner.costs.gpu_hours import has_machine_times
from isocompute.planner.costs.models import price_profile_requests
from isocompute.planner.costs.report import describe_gpu_hours
from isocompute.planner.costs.request import build_request
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.priced_plan import make_priced_plan
from isocompute.planner.profile import ProblemRecord

# Eight requests at once: a solution of 3 s takes 3/8 s of the machine, a verification of 1 s an eighth.
SOLUTION, VERIFICATION = 3 / 8, 1 / 8


def plan(profile, budget, **given):
    return make_priced_plan(profile, build_request(Budget.parse(budget), **given))


def test_hours_are_the_time_of_the_machine_that_ran_the_rows(hand_profile):
    decided = plan(hand_profile, "16x")
    best = decided.recommendation
    hours = (best.numbers["S"] * SOLUTION + best.numbers["S"] * best.numbers.get("V", 0) * VERIFICATION) / 3600
    assert decided.costs.per_problem["gpu_hours"] == pytest.approx(hours)
    assert decided.costs.hours.source == "run"
    assert describe_gpu_hours(decided.costs) == [
        "GPU-hours are by the run's measured throughput, of the machine that it ran on."
    ]
    beside = plan(hand_profile, "16x", device="h100")
    assert beside.costs.per_problem["gpu_hours"] == pytest.approx(hours)
    by_peak = beside.costs.per_problem["flops"] / (DEVICES["h100"].flops * 0.4 * 3600)
    assert beside.costs.hours.of_device == pytest.approx(by_peak)
    assert describe_gpu_hours(beside.costs)[0].endswith(" gpu-hours of h100 at 40 % of its peak FLOPs.")


def test_all_requests_together_take_the_time_in_which_the_machine_was_busy(hand_profile):
    costs = price_profile_requests(hand_profile, "seconds", CostSettings())
    assert costs.get_mean("solver") == pytest.approx(SOLUTION)
    assert costs.get_mean("verifier") == pytest.approx(VERIFICATION)
    assert costs.each["solver"].sum() == pytest.approx(sum((2, 4) * 20) / 8)


def test_measured_hours_typed_back_pay_for_the_same_allocation(hand_profile):
    first = plan(hand_profile, "0.0005 gpu-hours")
    assert (first.costs.model, first.costs.latency_limit) == ("seconds", None)
    assert first.lam == pytest.approx(VERIFICATION / SOLUTION)
    assert first.budget == pytest.approx(0.0005 * 3600 / SOLUTION)
    typed = format_amount(round_up(first.costs.per_problem["gpu_hours"], 4), "gpu-hours", 4)
    again = plan(hand_profile, typed)
    assert again.recommendation.numbers == first.recommendation.numbers
    job = plan(hand_profile, "2.5 gpu-hours", problems=5000)
    assert job.recommendation.numbers == first.recommendation.numbers
    assert job.costs.job["gpu_hours"] == pytest.approx(5000 * first.costs.per_problem["gpu_hours"])


def test_under_flops_hours_are_of_the_device(hand_profile):
    decided = plan(hand_profile, "0.0001 gpu-hours", cost="flops", device="h100", problems=1)
    assert decided.costs.hours.source == "device"
    assert decided.costs.per_problem["gpu_hours"] <= 0.0001
    assert describe_gpu_hours(decided.costs) == ["GPU-hours are of h100 at 40 % of its peak FLOPs."]


def test_without_times_hours_are_of_the_device_or_unknown(hand_profile):
    untimed = hand_profile.model_copy(update={"timings": {}})
    assert not has_machine_times(untimed, CostSettings())
    assert plan(untimed, "16x").costs.unknown["gpu_hours"].startswith("there is no device")
    assert plan(untimed, "16x", device="l4").costs.hours.source == "device"
    with pytest.raises(ConfigError, match=r"^A budget in gpu-hours needs a device: --device h100"):
        plan(untimed, "2 gpu-hours")
    bare = untimed.model_copy(update={"per_problem": [ProblemRecord()] * 40})
    assert plan(bare, "16x", device="l4").costs.unknown["gpu_hours"] == "the FLOPs are unknown"


def test_a_plan_in_seconds_counts_compute_as_time_of_the_machine(hand_profile):
    decided = plan(hand_profile, "60 s")
    assert decided.lam == pytest.approx(VERIFICATION / SOLUTION)
    assert decided.costs.solution == pytest.approx(SOLUTION)
    given = plan(hand_profile, "60 s", lam=2.0)
    assert given.lam == 2.0
    assert np.isfinite(decided.costs.per_problem["tokens"])
