"""A simulated driver: one process that deals requests to its replicas, grades what comes back and writes parts.

It deals by the rule of `isocompute.runners.engines.affinity`, which is run here too. It is one thread: while it grades
or waits for the store, nothing is dealt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import simpy

from experiments.cluster.replica import Job
from isocompute.runners.engines.affinity import PrefixAffinity, ReplicaLoads
from isocompute.runners.engines.replicas import REMEMBERED_PROMPTS

if TYPE_CHECKING:
    from experiments.cluster.simulation import Sweep

GRADED_AT_ONCE = 16
"""Answers that are graded in one step of the simulation, at most; it only saves time."""


@dataclass(frozen=True)
class DriverCosts:
    """Seconds that a driver spends.

    Args:
        solution: of CPU on a solution: reading, grading and writing it.
        verification: of CPU on a verification.
        dealing: of CPU on taking an answer and dealing the next request.
    """

    solution: float = 0.0
    verification: float = 0.0
    dealing: float = 0.0


@dataclass(frozen=True)
class Store:
    """A store for parts, and how often they are written.

    Args:
        latency: seconds of a request, least and most.
        bytes_per_second: of one upload.
        row_bytes: of a row in a part.
        part_seconds: seconds between two parts of a driver.
    """

    latency: tuple[float, float] = (0.0, 0.0)
    bytes_per_second: float = float("inf")
    row_bytes: float = 0.0
    part_seconds: float = float("inf")


class SimulatedDriver:
    """A driver and its replicas.

    Args:
        sweep: the sweep, from which it takes leases.
        replicas: the numbers of its replicas.
    """

    def __init__(self, sweep: Sweep, replicas: range) -> None:
        self.sweep, self.env, self.replicas = sweep, sweep.env, replicas
        self.loads = ReplicaLoads(dict.fromkeys(replicas, 0))
        self.affinity: PrefixAffinity[int] = PrefixAffinity(REMEMBERED_PROMPTS)
        self.pending: deque[Job] = deque()
        self.asked: dict[int, Job] = {}
        self.unsolved = 0
        self.answers: deque[tuple[int, Job]] = deque()
        self.unsaved: list[int] = []
        self.saved_at, self.cpu_seconds, self.store_seconds, self.parts = 0.0, 0.0, 0.0, 0
        self.is_busy, self.is_down, self.life = False, False, 0

    def go_on(self) -> None:
        """Deal what there is, unless the driver is busy and will do so by itself."""
        if not (self.is_busy or self.is_down):
            self._wait(0.0, self._deal_and_save)

    def ask(self, jobs: list[Job]) -> None:
        """Put requests at the end of the queue."""
        for job in jobs:
            self.asked[job.number] = job
            self.unsolved += job.number < self.sweep.first_verification
        self.pending.extend(jobs)

    def answer(self, replica: int, jobs: list[Job]) -> None:
        """Take finished jobs from a replica."""
        self.answers.extend((replica, job) for job in jobs)
        if not (self.is_busy or self.is_down):
            self._grade()

    def lose_replica(self, replica: int, jobs: list[Job]) -> None:
        """Ask again, of other replicas, for what one had; it gets nothing until it is back."""
        self.loads.remove_replica(replica)
        self.pending.extendleft(reversed(jobs))
        self.go_on()

    def regain_replica(self, replica: int) -> None:
        """Use a replica again."""
        self.loads.set_load(replica, 0)
        self.go_on()

    def die(self) -> tuple[list[int], list[int]]:
        """Lose all that was not saved; return the requests to be made again, and those of them that were made."""
        made = [*self.unsaved, *(job.number for _, job in self.answers)]
        lost = [*self.unsaved, *self.asked]
        self.pending.clear()
        self.asked.clear()
        self.answers.clear()
        self.affinity.homes.clear()
        self.unsaved, self.unsolved = [], 0
        for replica in list(self.loads.by_replica):
            self.loads.set_load(replica, 0)
        self.is_down, self.is_busy, self.life = True, False, self.life + 1
        return lost, made

    def revive(self) -> None:
        """Go on after a death."""
        self.is_down, self.saved_at = False, self.env.now
        self.go_on()

    def _wait(self, seconds: float, call: Callable[[], None]) -> None:
        """Be busy for some seconds, then call, unless the driver has died meanwhile."""
        self.is_busy, life = True, self.life

        def end_wait(_: simpy.Event) -> None:
            if life == self.life:
                self.is_busy = False
                call()

        self.env.timeout(seconds).callbacks.append(end_wait)  # type: ignore[union-attr]

    def _grade(self) -> None:
        """Grade some answers, which takes time; then deal."""
        taken = [self.answers.popleft() for _ in range(min(len(self.answers), GRADED_AT_ONCE))]
        costs, first = self.sweep.cluster.costs, self.sweep.first_verification
        seconds = len(taken) * costs.dealing
        seconds += sum(costs.solution if job.number < first else costs.verification for _, job in taken)
        self.cpu_seconds += seconds
        self._wait(seconds, lambda: self._finish(taken))

    def _finish(self, taken: list[tuple[int, Job]]) -> None:
        for replica, job in taken:
            if load := self.loads.by_replica.get(replica):
                self.loads.set_load(replica, load - 1)
            del self.asked[job.number]
            self.unsaved.append(job.number)
            self.unsolved -= job.number < self.sweep.first_verification
            self.ask(self.sweep.list_verifications(job.number))
        self._deal_and_save()

    def _deal_and_save(self) -> None:
        """Deal; then write a part if it is time or if nothing is left to do, or else grade."""
        store = self.sweep.cluster.store
        self._deal()
        if self.unsaved and (not self.asked or self.env.now - self.saved_at >= store.part_seconds):
            seconds = self.sweep.draw_latency() + len(self.unsaved) * store.row_bytes / store.bytes_per_second
            self.store_seconds += seconds
            self._wait(seconds, self._end_save)
        elif self.answers:
            self._grade()

    def _end_save(self) -> None:
        self.parts, self.saved_at = self.parts + 1, self.env.now
        rows, self.unsaved = self.unsaved, []
        self.sweep.save_rows(rows)
        self._deal_and_save()

    def _deal(self) -> None:
        """Give out as many requests as there is room for."""
        room = len(self.loads.by_replica) * self.sweep.cluster.kind.in_flight
        dealt: dict[int, list[Job]] = {}
        while self.loads.total < room:
            if not self.pending:
                if self.loads.total + self.unsolved * self.sweep.verifications < room:
                    self.ask(self.sweep.take_lease())
                if not self.pending:
                    break
            job = self.pending.popleft()
            replica = self.affinity.choose_replica(job.prompt, self.loads)
            self.loads.set_load(replica, self.loads.by_replica[replica] + 1)
            dealt.setdefault(replica, []).append(job)
        for replica, jobs in dealt.items():
            self.sweep.replicas[replica].submit(jobs)
