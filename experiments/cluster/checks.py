"""The simulation beside real sweeps: doubles that sleep, and workers that sample."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.cluster.driver import DriverCosts
from experiments.cluster.measure import (
    DOUBLE_LAW,
    DOUBLE_SLOTS,
    DOUBLE_WORK,
    WORKER_PROBLEMS,
    WORKER_SLOTS,
)
from experiments.cluster.replica import ReplicaKind
from experiments.cluster.simulation import Cluster, simulate_sweep
from experiments.cluster.workload import build_workload, draw_workload
from isocompute.fits.laws.throughput import ThroughputLaw

TOLERANCE = 0.15
NOISY = 0.3
"""Repeats that allow a larger share of their median say little, as in benchmarks/seconds.py."""


@dataclass(frozen=True)
class Check:
    """A sweep that was simulated and run.

    Args:
        what: what ran.
        count: number of copies.
        simulated: seconds.
        repeats: seconds that were measured.
    """

    what: str
    count: int
    simulated: float
    repeats: list[float]

    @property
    def median(self) -> float:
        """The median of the repeats."""
        return statistics.median(self.repeats)

    @property
    def allowed(self) -> float:
        """Seconds by which the simulation may be off: twice the repeats' spread, or 15 % if that is more."""
        return max(2 * statistics.stdev(self.repeats), TOLERANCE * self.median)

    @property
    def is_inside(self) -> bool:
        """True if it is off by no more."""
        return abs(self.simulated - self.median) <= self.allowed

    @property
    def is_noisy(self) -> bool:
        """True if the repeats differ so much that little is excluded."""
        return self.allowed > NOISY * self.median

    @property
    def verdict(self) -> str:
        """The words for the table."""
        return "**no**" if not self.is_inside else "yes, but noisy" if self.is_noisy else "yes"


def check_doubles(measured: dict[str, Any]) -> list[Check]:
    """Simulate the sweeps of the doubles."""
    work = draw_workload(seed=1, **DOUBLE_WORK)
    kind = ReplicaKind(DOUBLE_LAW, DOUBLE_SLOTS, 2 * DOUBLE_SLOTS)
    dealing = measured["driver"]["dealing"]["8"]
    return [
        Check(
            "double",
            int(count),
            simulate_sweep(Cluster(int(count), kind, costs=DriverCosts(dealing=dealing)), work, 0).seconds,
            repeats,
        )
        for count, repeats in measured["doubles"]["seconds"].items()
    ]


def check_workers(measured: dict[str, Any]) -> list[Check]:
    """Simulate the sweeps of the workers, with the law fitted on one of them and the lengths that they drew."""
    workers = measured["workers"]
    kind = ReplicaKind(ThroughputLaw(**workers["law"]), WORKER_SLOTS, 2 * WORKER_SLOTS)
    return [
        Check(
            "worker",
            int(count),
            simulate_sweep(
                Cluster(int(count), kind),
                build_workload(np.reshape(workers["lengths"][count], (WORKER_PROBLEMS, -1)), 0, 0),
                0,
            ).seconds,
            repeats,
        )
        for count, repeats in workers["seconds"].items()
    ]


def build_check_table(checks: list[Check]) -> str:
    """Return the checks as a table."""
    rows = [
        "| | number | simulated, s | median, s | range, s | off | allowed | inside |",
        "|:--|--:|--:|--:|--:|--:|--:|:--|",
    ]
    for check in checks:
        span = f"{min(check.repeats):.2f}–{max(check.repeats):.2f}"
        off, allowed = check.simulated / check.median - 1, check.allowed / check.median
        rows.append(
            f"| {check.what} | {check.count} | {check.simulated:.2f} | {check.median:.2f} | {span} "
            f"| {100 * off:+.0f} % | ±{100 * allowed:.0f} % | {check.verdict} |"
        )
    return "\n".join(rows)
