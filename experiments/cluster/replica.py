"""A simulated copy of a model with continuous batching.

Beside n - 1 other requests a token takes a + bn seconds, as `isocompute.fits.laws.throughput` says, and all requests at
work advance by one token at a time. So time is kept in tokens: a request of t tokens that starts at token count c is
done at c + t, whatever comes and goes meanwhile. Reading a prompt stops all of them for as long as it takes, unless the
prompt is among those that were read last.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

import simpy

from isocompute.fits.laws.throughput import ThroughputLaw


@dataclass(frozen=True)
class ReplicaKind:
    """The traits that all copies of a model have in common.

    Args:
        law: seconds of a token by the number of requests at work.
        slots: the most requests at work.
        in_flight: the most requests inside, at work or waiting.
        prompt_seconds: seconds that reading a token of a prompt takes, unless it is cached.
        cached_prompts: number of prompts that the prefix cache holds.
    """

    law: ThroughputLaw
    slots: int = 256
    in_flight: int = 512
    prompt_seconds: float = 0.0
    cached_prompts: int = 256

    @property
    def most_tokens(self) -> float:
        """Tokens a second with all slots at work."""
        return float(self.law.compute_throughput(self.slots))


class Job(NamedTuple):
    """A request: its number, its tokens, and its prompt by name and tokens."""

    number: int
    tokens: int
    prompt: int
    prompt_tokens: int


class SimulatedReplica:
    """A copy of a model.

    Args:
        env: the simulation.
        kind: what all copies have in common.
        speed: its speed relative to the law; below 1 for a straggler.
        tell: called with the finished jobs.
    """

    def __init__(
        self, env: simpy.Environment, kind: ReplicaKind, speed: float, tell: Callable[[list[Job]], None]
    ) -> None:
        self.env, self.kind, self.speed, self.tell = env, kind, speed, tell
        self.alone, self.shared = kind.law.alone / speed, kind.law.shared / speed
        self.running: list[tuple[float, int, Job]] = []
        self.waiting: deque[Job] = deque()
        self.cache: OrderedDict[int, None] = OrderedDict()
        self.count, self.since, self.reading, self.due = 0.0, 0.0, 0.0, float("inf")
        self.timer: simpy.Event | None = None
        self.sequence = 0
        self.busy_seconds, self.tokens, self.prompt_tokens = 0.0, 0.0, 0

    def submit(self, jobs: list[Job]) -> None:
        """Take jobs, as many as are allowed inside."""
        self._advance()
        self.waiting.extend(jobs)
        self._start_waiting()
        self._set_timer()

    def drop_jobs(self) -> tuple[list[Job], float]:
        """Forget everything inside, as after a crash; return the jobs, and the tokens that were made for them."""
        self._advance()
        wasted = sum(max(0.0, job.tokens - (end - self.count)) for end, _, job in self.running)
        lost = [job for _, _, job in self.running] + list(self.waiting)
        self.running, self.timer, self.due, self.reading = [], None, float("inf"), 0.0
        self.waiting.clear()
        self.cache.clear()
        return lost, wasted

    def _advance(self) -> None:
        """Bring the token count to the present."""
        elapsed, self.since = self.env.now - self.since, self.env.now
        if self.running and elapsed > 0:
            self.busy_seconds += elapsed
            read = min(self.reading, elapsed)
            self.reading -= read
            steps = (elapsed - read) / (self.alone + self.shared * len(self.running))
            self.count += steps
            self.tokens += steps * len(self.running)

    def _start_waiting(self) -> None:
        while self.waiting and len(self.running) < self.kind.slots:
            job = self.waiting.popleft()
            if job.prompt in self.cache:
                self.cache.move_to_end(job.prompt)
            else:
                self.cache[job.prompt] = None
                self.reading += job.prompt_tokens * self.kind.prompt_seconds / self.speed
                self.prompt_tokens += job.prompt_tokens
                if len(self.cache) > self.kind.cached_prompts:
                    self.cache.popitem(last=False)
            self.sequence += 1
            heappush(self.running, (self.count + job.tokens, self.sequence, job))

    def _set_timer(self) -> None:
        """Wake up when the next job is done, unless an earlier waking is set already."""
        if not self.running:
            return
        steps = max(0.0, self.running[0][0] - self.count)
        wait = self.reading + steps * (self.alone + self.shared * len(self.running))
        if self.timer is None or self.env.now + wait < self.due:
            self.due = self.env.now + wait
            self.timer = self.env.timeout(wait)
            self.timer.callbacks.append(self._wake)  # type: ignore[union-attr]

    def _wake(self, event: simpy.Event) -> None:
        if event is not self.timer:
            return
        self.timer = None
        self._advance()
        done = []
        while self.running and self.running[0][0] <= self.count + 1e-6:
            done.append(heappop(self.running)[2])
        self._start_waiting()
        self._set_timer()
        if done:
            self.tell(done)
