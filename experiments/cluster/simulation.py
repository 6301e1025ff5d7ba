"""A sweep on a simulated cluster: drivers with replicas, leases of keys, nodes that fail and come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import simpy

from experiments.cluster.driver import DriverCosts, SimulatedDriver, Store
from experiments.cluster.replica import Job, ReplicaKind, SimulatedReplica
from experiments.cluster.workload import Workload


@dataclass(frozen=True)
class Failures:
    """Rates of failures, in events per hour, and the times that machines are away, in seconds.

    Args:
        replica_rate: of one replica alone.
        node_rate: of a node with all its replicas, and with its driver if one is on it.
        replica_seconds: until a replica is back.
        node_seconds: until a node, or another in its place, is back with its replicas.
        lease_seconds: until others may take what a dead driver had.
    """

    replica_rate: float = 0.0
    node_rate: float = 0.0
    replica_seconds: float = 0.0
    node_seconds: float = 0.0
    lease_seconds: float = 60.0


@dataclass(frozen=True)
class Cluster:
    """A cluster and how a sweep uses it.

    Args:
        replicas: number of replicas.
        kind: what they have in common.
        drivers: number of drivers, which share the replicas evenly; ``isocompute sweep --shard I/N`` is one.
        lease: number of solutions, with their verifications, that a driver takes at once when what it has does not fill
            its replicas; if None, each has its share of the problems from the start.
        replicas_per_node: replicas of a node.
        speed_spread: standard deviation of a replica's speed, whose mean is 1.
        slow_share: share of replicas that are stragglers.
        slow_speed: speed of a straggler.
        start_seconds: until a replica is loaded at the start.
    """

    replicas: int
    kind: ReplicaKind
    drivers: int = 1
    lease: int | None = None
    costs: DriverCosts = field(default_factory=DriverCosts)
    store: Store = field(default_factory=Store)
    failures: Failures = field(default_factory=Failures)
    replicas_per_node: int = 8
    speed_spread: float = 0.0
    slow_share: float = 0.0
    slow_speed: float = 1.0
    start_seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """The result of a simulated sweep.

    Args:
        seconds: until the last part was written.
        utilisation: tokens of the sweep over what the replicas make in that time with all slots at work.
        driver_cpu: share of the time that the busiest driver spent on CPU.
        driver_store: the largest share of its time that a driver waited for the store.
        tail: share of the time in which some driver had nothing more to take.
        repeated_rows: rows that were made and then lost.
        repeated_tokens: tokens that were lost, those of unfinished rows included.
        parts: number of parts.
        replica_failures: number of replicas that failed alone.
        node_failures: number of nodes that failed.
        cached: share of the tokens of prompts that were read from a cache.
    """

    seconds: float
    utilisation: float
    driver_cpu: float
    driver_store: float
    tail: float
    repeated_rows: int
    repeated_tokens: float
    parts: int
    replica_failures: int
    node_failures: int
    cached: float


class Sweep:
    """The state of a simulated sweep.

    Args:
        cluster: the cluster.
        workload: the requests.
        seed: determines speeds, failures and latencies.
    """

    def __init__(self, cluster: Cluster, workload: Workload, seed: int) -> None:
        self.cluster, self.workload = cluster, workload
        self.env = simpy.Environment()
        self.rng = np.random.default_rng(seed)
        self.first_verification = len(workload.solutions)
        self.verifications = len(workload.verifications) // max(1, self.first_verification)
        self.per_problem = self.first_verification // len(workload.questions)
        lengths = np.concatenate([workload.solutions, workload.verifications])
        self.lengths: list[int] = lengths.tolist()
        self.questions: list[int] = workload.questions.tolist()
        self.judged: list[int] = workload.judged.tolist()
        self.served = bytearray(workload.requests)
        self.left = workload.requests
        self.finished = self.env.event()
        self.leases: deque[list[int]] = deque()
        self.starved_at: float | None = None
        self.repeated_rows, self.repeated_tokens = 0, 0.0
        self.replica_failures, self.node_failures = 0, 0
        bounds = np.linspace(0, cluster.replicas, cluster.drivers + 1).round().astype(int).tolist()
        self.drivers = [SimulatedDriver(self, range(a, b)) for a, b in pairwise(bounds)]
        self.owners = [driver for driver in self.drivers for _ in driver.replicas]
        self.replicas = [
            SimulatedReplica(self.env, cluster.kind, speed, self._tell(i))
            for i, speed in enumerate(self._draw_speeds())
        ]
        self.alive = [True] * cluster.replicas

    def run(self) -> Outcome:
        """Simulate the sweep."""
        numbers, every = range(self.first_verification), self.cluster.lease
        if every is None:
            for number in numbers:
                self.drivers[number // self.per_problem % len(self.drivers)].ask([self._build_job(number)])
        else:
            self.leases.extend(list(numbers[i : i + every]) for i in range(0, len(numbers), every))
        self.env.process(self._start())
        if self.cluster.failures.replica_rate or self.cluster.failures.node_rate:
            self.env.process(self._fail())
        self.env.run(until=self.finished)
        return self._summarise()

    def take_lease(self) -> list[Job]:
        """Return the requests of the next lease; none if nothing is left to take."""
        if not self.leases:
            self.starved_at = self.env.now if self.starved_at is None else self.starved_at
            return []
        return [self._build_job(number) for number in self.leases.popleft()]

    def list_verifications(self, solution: int) -> list[Job]:
        """Return the requests for the verifications of a finished solution; none for a verification."""
        if solution >= self.first_verification:
            return []
        first = self.first_verification + solution * self.verifications
        return [self._build_job(number) for number in range(first, first + self.verifications)]

    def save_rows(self, rows: list[int]) -> None:
        """Count rows as kept for good."""
        for number in rows:
            self.served[number] += 1
        self.left -= len(rows)
        if not self.left:
            self.finished.succeed()

    def draw_latency(self) -> float:
        """Return the seconds that a request to the store takes."""
        return float(self.rng.uniform(*self.cluster.store.latency))

    def _tell(self, replica: int) -> Any:
        return lambda jobs: self.owners[replica].answer(replica, jobs)

    def _build_job(self, number: int) -> Job:
        if number < self.first_verification:
            problem = number // self.per_problem
            return Job(number, self.lengths[number], -1 - problem, self.questions[problem])
        solution = (number - self.first_verification) // self.verifications
        return Job(number, self.lengths[number], solution, self.judged[solution])

    def _draw_speeds(self) -> list[float]:
        cluster = self.cluster
        speeds = np.maximum(0.5, self.rng.normal(1.0, cluster.speed_spread, cluster.replicas))
        speeds[self.rng.random(cluster.replicas) < cluster.slow_share] *= cluster.slow_speed
        return [float(speed) for speed in speeds]

    def _start(self) -> Generator[simpy.Event, Any, None]:
        yield self.env.timeout(self.cluster.start_seconds)
        for replica in self.replicas:
            replica.since = self.env.now
        for driver in self.drivers:
            driver.saved_at = self.env.now
            driver.go_on()

    def _fail(self) -> Generator[simpy.Event, Any, None]:
        """Let replicas and nodes fail at random moments."""
        failures, size = self.cluster.failures, self.cluster.replicas_per_node
        nodes = -(-self.cluster.replicas // size)
        rates = np.array([failures.replica_rate * self.cluster.replicas, failures.node_rate * nodes]) / 3600
        while True:
            yield self.env.timeout(float(self.rng.exponential(1 / rates.sum())))
            if self.env.now < self.cluster.start_seconds:
                continue
            if self.rng.random() * rates.sum() < rates[0]:
                replica = int(self.rng.integers(self.cluster.replicas))
                if self.alive[replica]:
                    self.replica_failures += 1
                    self.env.process(self._restart([replica], failures.replica_seconds))
                continue
            first = int(self.rng.integers(nodes)) * size
            self.node_failures += 1
            hit = range(first, min(first + size, self.cluster.replicas))
            for driver in self.drivers:
                if driver.replicas.start in hit and not driver.is_down:
                    self.env.process(self._replace_driver(driver))
            self.env.process(self._restart([i for i in hit if self.alive[i]], failures.node_seconds))

    def _restart(self, replicas: list[int], seconds: float) -> Generator[simpy.Event, Any, None]:
        for i in replicas:
            self.alive[i] = False
            lost, wasted = self.replicas[i].drop_jobs()
            self.repeated_tokens += wasted
            self.owners[i].lose_replica(i, lost)
        yield self.env.timeout(seconds)
        for i in replicas:
            self.alive[i] = True
            self.replicas[i].since = self.env.now
            self.owners[i].regain_replica(i)

    def _replace_driver(self, driver: SimulatedDriver) -> Generator[simpy.Event, Any, None]:
        """Take a driver away; others may take its keys when its lease has run out, and it comes back."""
        lost, made = driver.die()
        self.repeated_rows += len(made)
        self.repeated_tokens += sum(self.lengths[number] for number in made)
        self.repeated_tokens += sum(self.replicas[i].drop_jobs()[1] for i in driver.replicas)
        yield self.env.timeout(self.cluster.failures.lease_seconds)
        first = self.first_verification
        solutions = {number for number in lost if number < first}
        again = [n for n in lost if n < first or (n - first) // self.verifications not in solutions]
        self.leases.appendleft(again)
        for other in self.drivers:
            other.go_on()
        yield self.env.timeout(max(0.0, self.cluster.failures.node_seconds - self.cluster.failures.lease_seconds))
        driver.revive()

    def _summarise(self) -> Outcome:
        seconds, tokens = self.env.now, self.workload.tokens
        asked = float(self.workload.questions.sum()) * self.per_problem
        asked += float(self.workload.judged.sum(dtype=np.int64)) * self.verifications
        read = sum(replica.prompt_tokens for replica in self.replicas)
        starved_at = seconds if self.starved_at is None else self.starved_at
        return Outcome(
            seconds,
            tokens / (seconds * self.cluster.replicas * self.cluster.kind.most_tokens),
            max(driver.cpu_seconds for driver in self.drivers) / seconds,
            max(driver.store_seconds for driver in self.drivers) / seconds,
            1 - starved_at / seconds,
            self.repeated_rows,
            self.repeated_tokens,
            sum(driver.parts for driver in self.drivers),
            self.replica_failures,
            self.node_failures,
            1 - read / asked if asked else 0.0,
        )


def simulate_sweep(cluster: Cluster, workload: Workload, seed: int) -> Outcome:
    """Simulate a sweep.

    Args:
        cluster: the cluster.
        workload: the requests.
        seed: determines speeds, failures and latencies.
    """
    return Sweep(cluster, workload, seed).run()
