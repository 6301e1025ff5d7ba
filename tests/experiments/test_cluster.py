"""The simulated cluster: nothing is lost, and what can be computed by hand comes out."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("simpy")

from experiments.cluster.__main__ import PAGE, describe_checks, render_page
from experiments.cluster.checks import Check, build_check_table
from experiments.cluster.driver import DriverCosts, Store
from experiments.cluster.published import PROBLEMS, Plan, build_cluster
from experiments.cluster.replica import ReplicaKind
from experiments.cluster.simulation import Cluster, Failures, Sweep, simulate_sweep
from experiments.cluster.study import (
    compute_interval,
    cut_plan,
    extend_seconds,
    list_plans,
    read_outcomes,
    simulate_plan,
)
from experiments.cluster.workload import build_workload, draw_workload
from isocompute.fits.laws.throughput import ThroughputLaw

LAW = ThroughputLaw(0.02, 0.001, 1, 64, 0.0)
KIND = ReplicaKind(LAW, slots=16, in_flight=32, prompt_seconds=1e-4)
STORE = Store((0.1, 0.2), 1e6, 800.0, 5.0)
FAILING = Failures(replica_rate=60.0, node_rate=40.0, replica_seconds=4.0, node_seconds=10.0, lease_seconds=5.0)


@pytest.fixture(scope="module")
def work():
    return draw_workload(problems=6, solutions=16, verifications=4, seed=0, tokens_per_request=100)


@pytest.mark.parametrize("drivers", [1, 3])
@pytest.mark.parametrize("lease", [None, 8])
@pytest.mark.parametrize("seed", range(4))
def test_every_request_is_saved_once_whatever_fails(work, drivers, lease, seed):
    cluster = Cluster(
        12, KIND, drivers, lease, DriverCosts(1e-3, 1e-3, 1e-4), STORE, FAILING, replicas_per_node=4, start_seconds=2
    )
    sweep = Sweep(cluster, work, seed)
    outcome = sweep.run()
    assert set(sweep.served) == {1}
    assert outcome.replica_failures + outcome.node_failures > 0
    assert 0 < outcome.utilisation < 1


def test_a_driver_that_dies_makes_its_unsaved_rows_again(work):
    cluster = Cluster(4, KIND, store=Store(part_seconds=1000.0), failures=Failures(node_rate=100.0, node_seconds=1.0))
    sweep = Sweep(cluster, work, seed=2)
    outcome = sweep.run()
    assert outcome.node_failures > 0
    assert outcome.repeated_rows > 0
    assert set(sweep.served) == {1}


def test_requests_that_start_together_on_one_replica_take_what_the_law_says():
    lengths = np.array([[30, 10, 25, 40, 40, 5]])
    outcome = simulate_sweep(Cluster(1, ReplicaKind(LAW)), build_workload(lengths, 0, 0), 0)
    assert outcome.seconds == pytest.approx(float(LAW.compute_batch_seconds(40, lengths.sum())))


def test_equal_requests_take_as_many_rounds_as_they_need():
    outcome = simulate_sweep(Cluster(1, KIND), build_workload(np.full((1, 64), 50), 0, 0), 0)
    assert outcome.seconds == pytest.approx(64 / 16 * 50 * float(LAW.compute_token_seconds(16)))
    assert outcome.utilisation == pytest.approx(1)


def test_verifications_follow_their_solutions_and_share_their_prompt():
    outcome = simulate_sweep(Cluster(1, KIND), build_workload(np.full((1, 1), 50), 8, 20, question=100), 0)
    reading = (100 + 150) * KIND.prompt_seconds
    answering = 50 * float(LAW.compute_token_seconds(1)) + 20 * float(LAW.compute_token_seconds(8))
    assert outcome.seconds == pytest.approx(reading + answering)
    assert outcome.cached == pytest.approx(1 - (100 + 150) / (100 + 8 * 150))


def test_more_replicas_never_take_longer(work):
    seconds = [simulate_sweep(Cluster(n, KIND), work, 0).seconds for n in (1, 2, 4, 8)]
    assert seconds == sorted(seconds, reverse=True)
    assert seconds[0] / seconds[1] == pytest.approx(2, rel=0.15)


def test_a_driver_at_its_limit_decides_the_time(work):
    costs = DriverCosts(0.05, 0.02, 0.01)
    outcome = simulate_sweep(Cluster(64, KIND, costs=costs), work, 0)
    busy = 0.06 * len(work.solutions) + 0.03 * len(work.verifications)
    assert busy <= outcome.seconds < 1.3 * busy
    assert outcome.driver_cpu == pytest.approx(busy / outcome.seconds)
    assert simulate_sweep(Cluster(64, KIND, 3, None, costs), work, 0).seconds < 0.75 * outcome.seconds


def test_a_straggler_takes_longer(work):
    slow = Cluster(4, KIND, slow_share=1.0, slow_speed=0.5)
    assert simulate_sweep(slow, work, 0).seconds == pytest.approx(2 * simulate_sweep(Cluster(4, KIND), work, 0).seconds)


def test_parts_are_as_many_as_their_seconds_say(work):
    few, many = (simulate_sweep(Cluster(2, KIND, store=Store(part_seconds=s)), work, 0) for s in (10.0, 1.0))
    assert few.parts < many.parts <= many.seconds + 1


def test_the_same_seed_gives_the_same_outcome(work):
    cluster = Cluster(8, KIND, 2, 8, DriverCosts(1e-3, 1e-3), STORE, FAILING, speed_spread=0.05, slow_share=0.1)
    assert simulate_sweep(cluster, work, 5) == simulate_sweep(cluster, work, 5)
    assert simulate_sweep(cluster, work, 5) != simulate_sweep(cluster, work, 6)


def test_drawn_lengths_have_the_mean_that_is_asked_for_and_a_tail():
    drawn = draw_workload(problems=40, solutions=16, verifications=8, seed=1, tokens_per_request=1950)
    assert drawn.tokens / drawn.requests == pytest.approx(1950, rel=0.01)
    assert drawn.verifications.max() > 3 * drawn.verifications.mean()


def test_a_check_outside_of_what_is_allowed_is_named():
    steady = [10.0, 10.1, 9.9, 10.0, 10.0]
    checks = [Check("double", 1, 11.4, steady), Check("double", 2, 11.6, steady), Check("worker", 1, 11.6, [8, 12, 10])]
    assert [check.is_inside for check in checks] == [True, False, True]
    assert describe_checks(checks) == "Not inside: 2 doubles. Their repeats differ too much to say more: 1 worker."
    assert build_check_table(checks).count("**no**") == 1


def test_intervals_over_seeds_are_of_students_t():
    mean, low, high = compute_interval([1.0, 2.0, 3.0])
    assert (mean, high - mean) == pytest.approx((2.0, 4.303 / np.sqrt(3)), rel=1e-3)
    assert low == pytest.approx(4 - high)


def test_a_part_of_the_study_tells_the_time_of_more_of_it():
    few, more = Plan(2, problems=1), Plan(2, problems=2)
    outcome = simulate_plan(more, 0)
    told = extend_seconds(few, simulate_plan(few, 0))
    assert told == pytest.approx(extend_seconds(more, outcome), rel=0.1)
    assert extend_seconds(Plan(2, problems=PROBLEMS), outcome) == pytest.approx(outcome.seconds)


def test_a_share_of_a_cluster_has_the_share_of_its_driver():
    whole, cut = (build_cluster(cut_plan(Plan(1000), share)) for share in (1.0, 0.25))
    assert (cut.replicas, cut.drivers) == (250, 1)
    assert cut.costs.verification == pytest.approx(4 * whole.costs.verification)


def test_the_page_is_what_the_outcomes_give():
    page = PAGE.read_text(encoding="utf-8")
    command, share, _ = re.search(r"`(python -m experiments\.cluster --share (\S+) --seeds (\d+))`", page).groups()
    assert page == render_page(read_outcomes(), list_plans(float(share)), command)
