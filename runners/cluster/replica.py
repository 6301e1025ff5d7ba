"""The actor of a replica: it loads a model on its node, takes requests at any time and gives finished answers."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import isocompute
from isocompute.errors import EngineError, IsocomputeError
from isocompute.registry import load_object
from isocompute.runners.engines.worker_thread import ModelThread

UNKNOWN_IN_FLIGHT = 64
"""Requests that a model of another package is given at once, if it does not say how many it takes."""

COLLECT_SECONDS = 1.0
"""The most seconds that `Replica.collect_answers` waits for a first answer."""

GATHER_SECONDS = 0.01
"""Seconds during which answers after the first are gathered into one message."""

DRAIN_CHECK_SECONDS = 1.0
"""Seconds between two looks at whether the node is to go."""


@dataclass(frozen=True)
class ReplicaFacts:
    """The description of a replica whose model is loaded, or could not be.

    Args:
        node: the id of its node.
        address: the node's address.
        version: the version of isocompute there.
        in_flight: the most requests that it is to hold at once.
        error: why the model could not be loaded; None if it is.
    """

    node: str
    address: str
    version: str
    in_flight: int
    error: IsocomputeError | None


@dataclass(frozen=True)
class FinishedAnswers:
    """The news of a replica: its finished answers, and whether it goes on.

    Args:
        answers: numbers of requests with their answers.
        is_leaving: whether its node is about to go, as after a spot notice; it then takes no more requests.
        error: why its engine stopped; None if it works.
    """

    answers: Sequence[tuple[int, Any]]
    is_leaving: bool = False
    error: str | None = None


class Replica:
    """A model on a node. An error while it loads is kept for `describe`, because an actor's own would lose its class.

    Args:
        loader: ``module:function`` that loads the model.
        arguments: its positional arguments.
        options: its keyword arguments.
        environment: variables that the model's libraries read, set unless the node sets them.
    """

    def __init__(
        self, loader: str, arguments: Sequence[Any], options: Mapping[str, Any], environment: Mapping[str, str]
    ) -> None:
        for name, value in environment.items():
            os.environ.setdefault(name, value)
        self.finished: SimpleQueue[Any] = SimpleQueue()
        self.error: IsocomputeError | None = None
        self.checked_at, self.is_leaving = 0.0, False
        try:
            model = load_object(loader)(*arguments, **options)
        except IsocomputeError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - any kind, from any library: the model is not loaded
            reason = (str(error).splitlines() or [""])[0]
            self.error = EngineError(f"The model could not be loaded: {type(error).__name__}: {reason}")
        else:
            self.in_flight = find_in_flight(model)
            self.thread: ModelThread[Any] = ModelThread(model, self.finished.put)

    def describe(self) -> ReplicaFacts:
        """Return where the replica is and what it holds at once; it is called when the model is loaded, or is not."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        address = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        in_flight = 0 if self.error is not None else self.in_flight
        return ReplicaFacts(node, address, isocompute.__version__, in_flight, self.error)

    def submit_requests(self, requests: Sequence[Any]) -> None:
        """Add requests, each with a number as its key, which its answer is to bear."""
        self.thread.submit_requests(requests)

    def collect_answers(self) -> FinishedAnswers:
        """Wait for an answer, at most `COLLECT_SECONDS`, and return all that have finished."""
        answers: list[tuple[int, Any]] = []
        deadline = time.monotonic() + COLLECT_SECONDS
        while (patience := deadline - time.monotonic()) > 0:
            try:
                finished = self.finished.get(timeout=patience)
            except Empty:
                break
            if isinstance(finished, Future):
                error = finished.exception()
                reason = str(error) if isinstance(error, IsocomputeError) else f"{type(error).__name__}: {error}"
                return FinishedAnswers(answers, error=reason if error is not None else "its engine was stopped")
            request, answer = finished
            if not answers:
                deadline = min(deadline, time.monotonic() + GATHER_SECONDS)
            answers.append((request.key[0], answer))
        return FinishedAnswers(answers, self._check_leaving())

    def close(self) -> None:
        """Free the model's memory, and end what it started."""
        if self.error is None:
            self.thread.stop()
            self.thread.join()

    def _check_leaving(self) -> bool:
        """Return whether the node is being drained, which Ray does on a spot notice and when a cluster shrinks."""
        if not self.is_leaving and time.monotonic() - self.checked_at > DRAIN_CHECK_SECONDS:
            import ray
            from ray._private.state import state  # Ray has no public function for it; its own libraries read it here

            self.is_leaving = ray.get_runtime_context().get_node_id() in state.get_draining_nodes()
            self.checked_at = time.monotonic()
        return self.is_leaving


def find_in_flight(model: Any) -> int:
    """Return how many requests a model is to hold at once, so that it never waits for the next message.

    A model that works in batches, or on a bounded number of requests, is to have as many again that wait.
    """
    if (most := getattr(model, "in_flight", None)) is not None:
        return int(most)
    bounds = (getattr(model, name, None) for name in ("concurrency", "batch_size"))
    return next((2 * bound for bound in bounds if isinstance(bound, int)), UNKNOWN_IN_FLIGHT)
