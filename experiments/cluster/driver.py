"""A simulated driver: one process that deals requests to its replicas, grades what comes back and writes parts.

It deals as `isocompute.runners.engines.replicas` does: to the copy that has the prompt, unless another one has less
than half as much to do. It is one thread: while it grades or waits for the store, nothing is dealt.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import simpy

from experiments.cluster.replica import Job
from isocompute.runners.engines.replicas import REMEMBERED_PROMPTS

if TYPE_CHECKING:
    from experiments.cluster.simulation import Sweep

DEAD = -1
"""The load of a replica that is not alive."""

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
        self.loads: list[int] = [0] * len(replicas)
        self.counts = {0: len(replicas), DEAD: 0}
        self.total, self.floor = 0, 0
        self.prompts: OrderedDict[int, int] = OrderedDict()
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
        self._set_load(replica, DEAD)
        self.pending.extendleft(reversed(jobs))
        self.go_on()

    def regain_replica(self, replica: int) -> None:
        """Use a replica again."""
        self._set_load(replica, 0)
        self.go_on()

    def die(self) -> tuple[list[int], list[int]]:
        """Lose all that was not saved; return the requests to be made again, and those of them that were made."""
        made = [*self.unsaved, *(job.number for _, job in self.answers)]
        lost = [*self.unsaved, *self.asked]
        self.pending.clear()
        self.asked.clear()
        self.answers.clear()
        self.prompts.clear()
        self.unsaved, self.unsolved = [], 0
        for replica in self.replicas:
            if self.loads[replica - self.replicas.start] != DEAD:
                self._set_load(replica, 0)
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
            load = self.loads[replica - self.replicas.start]
            if load > 0:
                self._set_load(replica, load - 1)
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
        kind, alive = self.sweep.cluster.kind, len(self.loads) - self.counts[DEAD]
        dealt: dict[int, list[Job]] = {}
        while self.total < alive * kind.in_flight:
            if not self.pending:
                if self.total + self.unsolved * self.sweep.verifications < alive * kind.in_flight:
                    self.ask(self.sweep.take_lease())
                if not self.pending:
                    break
            job = self.pending.popleft()
            replica = self._choose_replica(job.prompt)
            self._set_load(replica, self.loads[replica - self.replicas.start] + 1)
            dealt.setdefault(replica, []).append(job)
        for replica, jobs in dealt.items():
            self.sweep.replicas[replica].submit(jobs)

    def _choose_replica(self, prompt: int) -> int:
        least = self._find_least_load()
        home = self.prompts.get(prompt)
        if home is None:
            home = self.prompts[prompt] = self.loads.index(least)
            if len(self.prompts) > REMEMBERED_PROMPTS:
                self.prompts.popitem(last=False)
        else:
            self.prompts.move_to_end(prompt)
        if not 0 <= self.loads[home] <= 2 * least:
            home = self.loads.index(least)
        return self.replicas.start + home

    def _find_least_load(self) -> int:
        while not self.counts.get(self.floor):
            self.floor += 1
        return self.floor

    def _set_load(self, replica: int, load: int) -> None:
        place = replica - self.replicas.start
        before, self.loads[place] = self.loads[place], load
        self.counts[before] -= 1
        self.counts[load] = self.counts.get(load, 0) + 1
        self.total += max(load, 0) - max(before, 0)
        if 0 <= load < self.floor:
            self.floor = load
