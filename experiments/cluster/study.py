"""The plans that are simulated, and their outcomes, which are kept so that a run that was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from scipy import stats

from experiments.cluster.published import (
    COLD_START_SECONDS,
    PROBLEMS,
    SOLUTIONS,
    TOKENS_PER_REQUEST,
    VERIFICATIONS,
    Plan,
    build_cluster,
)
from experiments.cluster.simulation import Outcome, simulate_sweep
from experiments.cluster.workload import draw_workload

OUTCOMES = Path(__file__).with_name("outcomes.json")
REPLICAS = (8, 64, 1000)
SHARDED = Plan(1000, drivers=16, lease=16, part_seconds=60.0)
"""The plan that the others are compared with."""
LIMITS = {
    "cpu": "driver's CPU",
    "dealing": "dealing",
    "store": "store",
    "stragglers": "stragglers and spread of speeds",
}
DRIVERS, LEASES, PARTS, FAILURES = (4, 16, 125), (16, 256, None), (1.0, 5.0, 60.0), (1000.0,)


def list_plans(share: float) -> dict[str, list[Plan]]:
    """Return the plans by the table that they are for.

    Args:
        share: share of the largest cluster, and of the study on it, that is simulated.
    """
    plans = {
        "sizes": [*(Plan(replicas) for replicas in REPLICAS), SHARDED],
        "limits": [Plan(1000), *(Plan(1000, without=limit) for limit in LIMITS)],
        "drivers": [replace(SHARDED, drivers=drivers) for drivers in DRIVERS],
        "leases": [replace(SHARDED, lease=lease) for lease in LEASES],
        "parts": [replace(SHARDED, part_seconds=seconds) for seconds in PARTS],
        "failures": [
            replace(SHARDED, failures=factor, part_seconds=seconds) for factor in FAILURES for seconds in PARTS[1:]
        ],
    }
    return {name: [cut_plan(plan, share) for plan in each] for name, each in plans.items()}


def cut_plan(plan: Plan, share: float) -> Plan:
    """Return a plan of which a share is simulated: of the cluster and the study, or of the study alone if it is small.

    >>> [(cut.problems, cut.share) for cut in (cut_plan(Plan(replicas), 0.125) for replicas in (8, 64, 1000))]
    [(16, 1.0), (32, 1.0), (62, 0.125)]
    """
    if plan.replicas < max(REPLICAS):
        return replace(plan, problems=max(plan.replicas // 2, 16))
    return replace(plan, problems=round(share * PROBLEMS), share=share)


def simulate_plan(plan: Plan, seed: int) -> Outcome:
    """Simulate a plan with lengths, speeds and failures drawn by a seed."""
    work = draw_workload(plan.problems, SOLUTIONS, VERIFICATIONS, seed, TOKENS_PER_REQUEST)
    return simulate_sweep(build_cluster(plan), work, seed)


def simulate_plans(plans: Iterable[Plan], seeds: dict[str, int], processes: int) -> dict[tuple[str, int], Outcome]:
    """Return the outcomes of plans by name and seed; those that are known are not simulated again.

    Args:
        plans: the plans.
        seeds: number of seeds of each plan, by name.
        processes: number of processes.
    """
    known = read_outcomes()
    asked = {(plan.name, seed): plan for plan in plans for seed in range(seeds[plan.name])}
    with ProcessPoolExecutor(processes) as pool:
        running = {pool.submit(simulate_plan, plan, key[1]): key for key, plan in asked.items() if key not in known}
        for future in as_completed(running):
            known[running[future]] = future.result()
            write_outcomes(known)
            print(*running[future], f"{known[running[future]].seconds:,.0f} s", flush=True)
    return {key: known[key] for key in asked}


def read_outcomes() -> dict[tuple[str, int], Outcome]:
    """Return the outcomes that are known."""
    if not OUTCOMES.exists():
        return {}
    rows = json.loads(OUTCOMES.read_text(encoding="utf-8"))
    return {(row["plan"], row["seed"]): Outcome(**row["outcome"]) for row in rows}


def write_outcomes(known: dict[tuple[str, int], Outcome]) -> None:
    """Write outcomes."""
    rows = [{"plan": name, "seed": seed, "outcome": asdict(known[name, seed])} for name, seed in sorted(known)]
    OUTCOMES.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def extend_seconds(plan: Plan, outcome: Outcome) -> float:
    """Return the seconds of the whole study: the start and the tail stay, what lies between grows with the rows.

    In the tail only those rows are made that were inside the replicas when nothing more was to be taken.
    """
    cluster, rows = build_cluster(plan), SOLUTIONS * (1 + VERIFICATIONS)
    inside, tail = cluster.replicas * cluster.kind.in_flight, outcome.tail * outcome.seconds
    times = (plan.share * PROBLEMS * rows - inside) / (plan.problems * rows - inside)
    return COLD_START_SECONDS + tail + (outcome.seconds - COLD_START_SECONDS - tail) * times


def compute_interval(values: list[float]) -> tuple[float, float, float]:
    """Return the mean over seeds with its 95 % interval by Student's t; NaN with one seed."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half
