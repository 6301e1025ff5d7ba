"""A pool of replicas behind the protocol of one engine or scorer.

Its replicas are placed, load the model, serve, and go: when their node is drained, when they have long had nothing to
do, or when they die. A replica that died is replaced; what it held goes to others. The pool gives up only if replicas
die again and again and nothing is answered in between.

A replica may also hang: its process lives, and it answers nothing. One that holds requests and has answered none for a
given time is ended and counts as dead; so is one that loads for longer than an hour. Only the time in which the pool
listens is counted, so that answers that wait for a slow reader make no replica silent.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from isocompute.errors import EngineError
from isocompute.runners.cluster.connection import Cluster, describe_ray_error, report_lost_connection
from isocompute.runners.cluster.dispatch import Dispatcher, GivenRequest
from isocompute.runners.cluster.handle import PooledReplica, ReplicaPlan
from isocompute.runners.cluster.replica import FinishedAnswers, ReplicaFacts
from isocompute.runners.parsing.printable import format_count

POOL_POLL_SECONDS = 0.01
"""Seconds of waiting for an answer, after which the queue is checked for new requests."""

SCALE_SECONDS = 0.5
"""Seconds between two looks at how many replicas are wanted."""

SHORTEST_WAIT_SECONDS = 2.0
"""Seconds that Ray is given to find room that is there."""

WAIT_NOTE_SECONDS = 30.0
"""Seconds after which it is said anew what the replicas wait for, while none serves."""

REPLICA_IDLE_SECONDS = 60.0
"""Seconds without a request after which a replica above the fewest is let go."""

POOL_CLOSE_SECONDS = 10.0
"""Seconds that the models have to close."""

MOST_UNANSWERED_DEATHS = 8
"""Deaths without an answer in between, besides two for each replica, after which the pool gives up."""

LONGEST_LOAD_SECONDS = 3600.0
"""Seconds that a replica has to load its model, or `ReplicaPool.timeout` if that is more."""

LONGEST_DEATH_PAUSE_SECONDS = 30.0
"""The longest pause before a replica is replaced; it doubles with each death since the last answer."""


class ReplicaPool:
    """Replicas of a model, one to many.

    Args:
        plan: what a replica loads, and the resources that it needs.
        cluster: where they run.
        fewest: the number of replicas while there is work.
        most: the most replicas.
        wait: seconds that replicas may wait for resources while none has them.
        timeout: seconds without an answer after which a replica that holds requests counts as dead.
        fail: returns the answer to a request that fails, from the reason.
        note: prints a line.
    """

    def __init__(
        self,
        plan: ReplicaPlan,
        cluster: Cluster,
        fewest: int,
        most: int,
        wait: float,
        timeout: float,
        fail: Callable[[str], Any],
        note: Callable[[str], None],
    ) -> None:
        self.plan, self.cluster, self.fewest, self.most, self.wait = plan, cluster, fewest, most, wait
        self.timeout, self.fail, self.note = timeout, fail, note
        self.dispatcher: Dispatcher[PooledReplica] = Dispatcher()
        self.replicas: list[PooledReplica] = []
        self.gone: list[PooledReplica] = []
        self.deaths_by_node: Counter[str] = Counter()
        self.deaths_since_answer, self.resume_at, self.scaled_at = 0, 0.0, 0.0
        self.is_loaded, self.noted_at = False, 0.0
        self.listened = 0.0
        """Seconds of waiting for answers, the clock of silences."""

    def run(self, pending: deque[Any]) -> Iterator[tuple[Any, Any]]:
        """Keep every replica full until the queue is empty and all requests have finished.

        The first replicas are started here, as many as the queue asks for.

        Raises:
            IsocomputeError: the model cannot be loaded.
            EngineError: replicas keep dying, or there are no resources for one.
        """
        try:
            while pending or self.dispatcher.waiting_count or any(replica.inside for replica in self.replicas):
                with report_lost_connection():
                    self._scale_replicas(len(pending))
                    for replica, given in self.dispatcher.assign_requests(pending).items():
                        replica.submit_requests([replace(each.request, key=(n,)) for n, each in given.items()])
                        if len(replica.inside) == len(given):  # it held nothing
                            replica.heard_at = self.listened
                    began = time.monotonic()
                    answered = self._wait_for_answers(POOL_POLL_SECONDS)
                    self.listened += time.monotonic() - began
                    answered += self._release_silent_replicas()
                yield from answered
        finally:
            self.dispatcher.drop_requests()
            for replica in self.replicas:
                replica.take_all()
                self.dispatcher.note_change(replica)

    def close(self) -> None:
        """End all replicas, and say what each node did."""
        import ray

        closing = [reference for replica in self.replicas if (reference := replica.start_close()) is not None]
        with suppress(Exception):  # the cluster may be gone
            ray.wait(closing, num_returns=len(closing), timeout=POOL_CLOSE_SECONDS)
        for replica in self.replicas:
            replica.kill()
            self.dispatcher.note_change(replica)
        for line in self.describe_nodes():
            self.note(line)
        self.replicas, self.gone = [], []

    def describe_progress(self) -> str:
        """Return how many replicas serve, their speeds, and how many died, for a progress line."""
        serving = [replica for replica in list(self.replicas) if replica.facts is not None]
        speeds = sorted(replica.speed for replica in serving if replica.rows)
        parts = [f"{len(serving)} of {max(len(self.replicas), self.fewest)} replicas"]
        if speeds:
            low, high = f"{speeds[0]:,.0f}", f"{speeds[-1]:,.0f}"
            parts.append(f"{low if low == high else f'{low}–{high}'} {self.plan.unit} each")
        if self.deaths_by_node:
            parts.append(f"{self.deaths_by_node.total()} died")
        return ", ".join(parts)

    def describe_nodes(self) -> Iterator[str]:
        """Yield a line for each node: its replicas with their speeds, failed rows and deaths."""
        served = [*self.gone, *self.replicas]
        for node in sorted({*(replica.node for replica in served if replica.rows), *self.deaths_by_node}):
            here = [replica for replica in served if replica.node == node and replica.rows]
            speeds = ", ".join(f"{replica.speed:,.0f}" for replica in here)
            parts = [f"{sum(replica.rows for replica in here):,} rows"]
            parts += [f"{speeds} {self.plan.unit} by replica"] if here else []
            parts += [f"{failed:,} failed"] if (failed := sum(replica.failed for replica in here)) else []
            parts += [f"{deaths} died"] if (deaths := self.deaths_by_node[node]) else []
            yield f"{self.plan.role} on {node}: {', '.join(parts)}"

    def _scale_replicas(self, pending_count: int) -> None:
        """Start replicas while more are wanted than there are, and let go those that have long been idle."""
        now = time.monotonic()
        if now - self.scaled_at < SCALE_SECONDS:
            return
        self.scaled_at = now
        inside = sum(len(replica.inside) for replica in self.replicas)
        each = max((replica.in_flight for replica in self.replicas), default=1) or 1
        work = pending_count + self.dispatcher.waiting_count + inside
        wanted = min(self.most, max(self.fewest, math.ceil(work / each)))
        self._replace_dead(wanted)
        self._note_waiting(now)
        staying = [replica for replica in self.replicas if not replica.is_leaving]
        for replica in list(self.replicas):
            if replica.inside:
                continue
            is_idle = len(staying) > wanted and replica.is_open and now - replica.busy_at > REPLICA_IDLE_SECONDS
            if replica.is_leaving or is_idle:
                self._remove_replica(replica)
                staying = [each for each in staying if each is not replica]

    def _replace_dead(self, wanted: int) -> None:
        """Start replicas up to a number, after a pause if some died just now.

        Raises:
            EngineError: none has resources, and the time to wait for them is over.
        """
        if time.monotonic() < self.resume_at:
            return
        self._start_replicas(wanted - sum(not replica.is_leaving for replica in self.replicas))
        waiting = [replica for replica in self.replicas if replica.is_waiting]
        patience = max(self.wait, SHORTEST_WAIT_SECONDS)
        if len(waiting) == len(self.replicas) and all(replica.age > patience for replica in waiting):
            missing = self.plan.shape.describe_missing(self.cluster.list_nodes().values())
            raise EngineError(f"There is no room for a replica of the {self.plan.role}: {missing}.")

    def _note_waiting(self, now: float) -> None:
        """Say from time to time what the replicas wait for, while none serves."""
        if any(replica.facts is not None for replica in self.replicas) or now - self.noted_at < WAIT_NOTE_SECONDS:
            return
        count, loading = len(self.replicas), sum(replica.is_loading for replica in self.replicas)
        if self.noted_at:
            self.note(f"{self.plan.role}: {loading} of {format_count(count, 'replica')} have room and load the model")
        else:
            self.note(f"{self.plan.role}: starting {format_count(count, 'replica')}")
        self.noted_at = now

    def _start_replicas(self, count: int) -> None:
        for _ in range(count):
            self.replicas.append(PooledReplica(self.plan, self.cluster))

    def _wait_for_answers(self, patience: float) -> list[tuple[Any, Any]]:
        """Wait for something to happen, at most so many seconds; return the requests that were answered."""
        import ray

        answered: list[tuple[Any, Any]] = []
        for replica in self.replicas:
            if replica.is_waiting:
                replica.heard_at = self.listened
                replica.try_start()
        awaited = {replica.awaited: replica for replica in self.replicas if replica.awaited is not None}
        if not awaited:
            time.sleep(patience)
            return answered
        ready, _ = ray.wait(list(awaited), num_returns=1, timeout=patience)
        if ready:
            ready, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
        for reference in ready:
            replica = awaited[reference]
            try:
                news = ray.get(reference)
            except ray.exceptions.RayError as error:
                answered += self._handle_death(replica, describe_ray_error(error))
            else:
                answered += self._read_news(replica, news)
                self.dispatcher.note_change(replica)
        return answered

    def _read_news(self, replica: PooledReplica, news: ReplicaFacts | FinishedAnswers) -> list[tuple[Any, Any]]:
        """Take note of what a replica said; return the requests that it answered.

        Raises:
            IsocomputeError: the model cannot be loaded, or its engine stops, and no replica before was better.
        """
        if isinstance(news, ReplicaFacts):
            if news.error is not None and not self.is_loaded:
                raise news.error
            if news.error is not None:
                replica.node = replica.node or news.address
                return self._handle_death(replica, str(news.error))
            replica.open_loaded(news)
            self.is_loaded = True
            return []
        answered = replica.take_answers(news)
        if answered:
            self.deaths_since_answer, replica.heard_at = 0, self.listened
        if news.error is not None:
            if not any(each.rows for each in (*self.gone, *self.replicas)):
                raise EngineError(news.error)
            return answered + self._handle_death(replica, news.error)
        if news.is_leaving and not replica.is_leaving:
            replica.is_leaving, replica.is_open = True, False
            self.note(f"The node {replica.node} is being drained; the {self.plan.role}'s replica there ends its work.")
        return answered

    def _release_silent_replicas(self) -> list[tuple[Any, Any]]:
        """End the replicas that hang; return the requests that fail, with their answers.

        Raises:
            EngineError: the first replica does not load, or too many died since the last answer.
        """
        ended: list[tuple[Any, Any]] = []
        for replica in list(self.replicas):
            limit = max(self.timeout, LONGEST_LOAD_SECONDS) if replica.is_loading else self.timeout
            if self.listened - replica.heard_at <= limit or not (replica.is_loading or replica.inside):
                continue
            if replica.is_loading and not self.is_loaded:
                raise EngineError(
                    f"A replica of the {self.plan.role} on {replica.node} has not loaded its model within {limit:,g} "
                    "s; a larger cluster.timeout gives it more time."
                )
            what = "it did not load its model" if replica.is_loading else "it answered none of its requests"
            ended += self._handle_death(replica, f"{what} for {limit:,g} s (cluster.timeout).", "hung")
        return ended

    def _handle_death(self, replica: PooledReplica, reason: str, end: str = "died") -> list[tuple[Any, Any]]:
        """Return a dead replica's requests to the queue; return those that fail, with their answers.

        Args:
            replica: the replica.
            reason: why it died, as a sentence.
            end: what happened to it, in a word.

        Raises:
            EngineError: too many died since the last answer.
        """
        is_node_gone = replica.is_leaving or replica.is_node_gone()
        held = len(replica.inside)
        culprits = self.dispatcher.return_requests(replica, is_node_gone)
        held -= len(culprits)
        self._remove_replica(replica)
        self.deaths_by_node[replica.node or "a node"] += 1
        self.note(
            f"A replica of the {self.plan.role} on {replica.node or 'a node'} "
            f"{'went with its node' if is_node_gone else end}: {reason}"
            + (f" Its {held:,} unfinished requests go to others." if held else "")
        )
        self.deaths_since_answer += 1
        if self.deaths_since_answer > MOST_UNANSWERED_DEATHS + 2 * (len(self.replicas) + 1):
            raise EngineError(
                f"The replicas of the {self.plan.role} keep dying: {self.deaths_since_answer} since the last answer, "
                f"the last because: {reason}"
            )
        pause = min(LONGEST_DEATH_PAUSE_SECONDS, 2.0 ** (self.deaths_since_answer - 5))
        self.resume_at, self.scaled_at = time.monotonic() + pause, 0.0
        return [(given.request, self._build_culprit_answer(given, reason)) for given in culprits]

    def _build_culprit_answer(self, given: GivenRequest, reason: str) -> Any:
        return self.fail(f"{given.deaths} replicas died while they worked on it, the last because: {reason}")

    def _remove_replica(self, replica: PooledReplica) -> None:
        self.replicas.remove(replica)
        replica.kill()
        self.dispatcher.forget_replica(replica)
        self.gone.append(replica)
