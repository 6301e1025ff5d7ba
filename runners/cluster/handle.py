"""A replica as its pool sees it: its place on the cluster, its actor, and the requests that it holds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import isocompute
from isocompute.errors import EngineError
from isocompute.runners.cluster.connection import Cluster
from isocompute.runners.cluster.dispatch import ReplicaLoad
from isocompute.runners.cluster.replica import FinishedAnswers, Replica, ReplicaFacts
from isocompute.runners.cluster.resources import ReplicaShape

PLACE_SECONDS = 0.2
"""Seconds between two looks at whether the resources of a replica are there."""

ACTOR_THREADS = 4
"""Calls that a replica works on at once: it takes requests while it waits for answers."""


@dataclass(frozen=True)
class ReplicaPlan:
    """The model that every replica of a role loads, and the resources that it needs.

    Args:
        role: the role's name, for messages.
        loader: ``module:function`` that loads the model.
        arguments: its positional arguments.
        options: its keyword arguments.
        shape: the resources of a replica.
        unit: ``tok/s``, or ``rows/s`` of a model that writes no tokens.
        environment: variables that the model's libraries read.
    """

    role: str
    loader: str
    arguments: Sequence[Any]
    options: Mapping[str, Any]
    shape: ReplicaShape
    unit: str = "tok/s"
    environment: Mapping[str, str] = field(default_factory=dict)


class PooledReplica(ReplicaLoad):
    """A replica from its request for resources to its end.

    Args:
        plan: what it loads and needs.
        cluster: where it runs.
    """

    def __init__(self, plan: ReplicaPlan, cluster: Cluster) -> None:
        super().__init__()
        from ray.util.placement_group import placement_group

        self.plan, self.cluster = plan, cluster
        self.bundles = plan.shape.list_bundles(cluster.list_nodes().values())
        self.group = placement_group(self.bundles, strategy="STRICT_PACK" if len(self.bundles) == 1 else "PACK")
        self.actor: Any = None
        self.awaited: Any = None
        self.facts: ReplicaFacts | None = None
        self.node, self.node_id, self.is_leaving = "", "", False
        self.rows, self.tokens, self.failed = 0, 0, 0
        self.created_at = self.looked_at = self.busy_at = self.answered_at = time.monotonic()
        self.began_at: float | None = None
        self.heard_at = 0.0
        """The time of its last answer, of its load or of its first requests, by the pool's clock of silences."""

    @property
    def is_loading(self) -> bool:
        """True if its model is being loaded."""
        return self.actor is not None and self.facts is None

    @property
    def is_waiting(self) -> bool:
        """True if its resources are not there yet."""
        return self.actor is None

    @property
    def age(self) -> float:
        """The seconds since it was asked for."""
        return time.monotonic() - self.created_at

    @property
    def speed(self) -> float:
        """Tokens or rows a second, from its first request to its last answer."""
        done = self.tokens if self.plan.unit == "tok/s" else self.rows
        return done / max(self.answered_at - (self.began_at or self.created_at), 1e-9)

    def try_start(self) -> None:
        """Create the actor, once its resources are there."""
        if self.actor is not None or time.monotonic() - self.looked_at < PLACE_SECONDS:
            return
        import ray
        from ray.util.placement_group import placement_group_table
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        self.looked_at = time.monotonic()
        place = placement_group_table(self.group)
        if place.get("state") != "CREATED":
            return
        self.node_id = str(place["bundles_to_node_id"][0])
        self.node = self.cluster.name_node(self.node_id)
        spans = len(self.bundles) > 1  # then the engine's own workers take the GPUs
        options = {**self.plan.options, "distributed_executor_backend": "ray"} if spans else self.plan.options
        self.actor = (
            ray.remote(Replica)
            .options(
                num_cpus=self.plan.shape.cpus,
                num_gpus=0 if spans else self.plan.shape.gpus,
                max_concurrency=ACTOR_THREADS,
                scheduling_strategy=PlacementGroupSchedulingStrategy(
                    self.group, placement_group_bundle_index=0, placement_group_capture_child_tasks=True
                ),
            )
            .remote(self.plan.loader, self.plan.arguments, options, self.plan.environment)
        )
        self.awaited = self.actor.describe.remote()

    def open_loaded(self, facts: ReplicaFacts) -> None:
        """Take requests from now on: the model is loaded.

        Raises:
            EngineError: the node has another version of isocompute.
        """
        if facts.version != isocompute.__version__:
            raise EngineError(
                f"The node {self.node} has isocompute {facts.version}, and this machine {isocompute.__version__}; "
                "install the same."
            )
        self.facts, self.in_flight, self.is_open = facts, facts.in_flight, True
        self.awaited = self.actor.collect_answers.remote()

    def submit_requests(self, requests: Sequence[Any]) -> None:
        """Send requests, whose keys are their numbers."""
        self.busy_at = time.monotonic()
        self.began_at = self.began_at or self.busy_at
        self.actor.submit_requests.remote(requests)

    def take_answers(self, news: FinishedAnswers) -> list[tuple[Any, Any]]:
        """Return the requests that were answered, and wait for the next answers."""
        answered = []
        for number, answer in news.answers:
            given = self.take_out(number)
            if given is None:  # of a caller that stopped reading
                continue
            self.rows += 1
            self.tokens += answer.completion_tokens or 0
            self.failed += answer.status != "ok"
            answered.append((given.request, answer))
        if answered:
            self.answered_at = self.busy_at = time.monotonic()
        self.awaited = None if news.error is not None else self.actor.collect_answers.remote()
        return answered

    def is_node_gone(self) -> bool:
        """Return whether its node has died."""
        return self.node_id != "" and self.node_id not in self.cluster.list_nodes()

    def start_close(self) -> Any:
        """Ask the model to close; return the reference to wait for, or None if it never loaded."""
        self.is_open = False
        if self.facts is None:
            return None
        with suppress(Exception):  # it may be gone, and so may the cluster
            return self.actor.close.remote()

    def kill(self) -> None:
        """End the actor and give its resources back."""
        import ray
        from ray.util.placement_group import remove_placement_group

        self.is_open, self.awaited = False, None
        with suppress(Exception):  # it may be gone, and so may the cluster
            if self.actor is not None:
                ray.kill(self.actor)
            remove_placement_group(self.group)
