"""Copies of a model that share a queue: one on each GPU, or several on a CPU.

Which copy a request goes to is the rule of `isocompute.runners.engines.affinity`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from isocompute.errors import ConfigError
from isocompute.runners.engines.affinity import PrefixAffinity, ReplicaLoads
from isocompute.runners.engines.worker_thread import THREAD_END_SECONDS, ModelThread, QueueModel

ReplicaRequest = TypeVar("ReplicaRequest")

POLL_SECONDS = 0.005
"""Seconds of waiting for an answer, after which the queue is checked for new requests."""

REMEMBERED_PROMPTS = 4096
"""Number of prompts whose copy is remembered."""


class ModelCopy(QueueModel[ReplicaRequest], Protocol[ReplicaRequest]):
    """A model that reports how many requests it takes at once."""

    @property
    def in_flight(self) -> int:
        """The most requests inside it at once."""
        ...


class Replicas(Generic[ReplicaRequest]):
    """Copies of a model behind the protocol of one.

    Args:
        copies: of the same model.
        prompt: returns the part of a request that it may share with others, such as its prompt.
    """

    def __init__(
        self, copies: Sequence[ModelCopy[ReplicaRequest]], prompt: Callable[[ReplicaRequest], Hashable]
    ) -> None:
        self.copies, self.prompt = copies, prompt
        self.in_flight = sum(copy.in_flight for copy in copies)
        self.affinity: PrefixAffinity[int] = PrefixAffinity(REMEMBERED_PROMPTS)
        self.threads: list[ModelThread[ReplicaRequest]] = []

    def run(self, pending: deque[ReplicaRequest]) -> Iterator[tuple[ReplicaRequest, Any]]:
        """Keep every copy full until the queue is empty and all requests have finished."""
        for thread in self.threads:  # of an earlier run that was not read to its end
            thread.join()
        answers: SimpleQueue[Any] = SimpleQueue()
        self.threads = [
            ModelThread(copy, partial(put_tagged_answer, answers, i), stays=True) for i, copy in enumerate(self.copies)
        ]
        loads = ReplicaLoads(dict.fromkeys(range(len(self.threads)), 0))
        try:
            while pending or loads.total:
                for i, requests in self._assign_requests(pending, loads).items():
                    self.threads[i].submit_requests(requests)
                try:
                    i, answer = answers.get(timeout=POLL_SECONDS)
                except Empty:
                    continue
                if isinstance(answer, Future):
                    answer.result()  # raises: a thread that was not stopped ends only after an error
                loads.set_load(i, loads.by_replica[i] - 1)
                yield answer
        finally:
            for thread in self.threads:
                thread.stop()
            for thread in self.threads:
                thread.join(THREAD_END_SECONDS)

    def close(self) -> None:
        """Free the memory of all copies."""
        for copy in self.copies:
            copy.close()

    def _assign_requests(
        self, pending: deque[ReplicaRequest], loads: ReplicaLoads[int]
    ) -> dict[int, list[ReplicaRequest]]:
        """Take as many requests as there is room for, count them in ``loads``, and return them by copy."""
        dealt: dict[int, list[ReplicaRequest]] = defaultdict(list)
        for _ in range(min(len(pending), self.in_flight - loads.total)):
            request = pending.popleft()
            i = self.affinity.choose_replica(self.prompt(request), loads)
            loads.set_load(i, loads.by_replica[i] + 1)
            dealt[i].append(request)
        return dealt


def put_tagged_answer(answers: SimpleQueue[Any], copy: int, answer: Any) -> None:
    """Put an answer, with its copy's number, into the queue that the copies share."""
    answers.put((copy, answer))


def load_replicas(
    load: Callable[..., ModelCopy[ReplicaRequest]],
    prompt: Callable[[ReplicaRequest], Hashable],
    place: Callable[[int, int, dict[str, Any]], dict[str, Any]],
    replicas: int = 1,
    **options: Any,
) -> ModelCopy[ReplicaRequest]:
    """Load a model once, or several times.

    Args:
        load: loads it; takes the options.
        prompt: returns the part of a request that it may share with others.
        place: takes a copy's number, the number of copies and the options; returns the options that choose its devices.
        replicas: number of copies.
        options: of each copy.

    Raises:
        ConfigError: the number of copies is not possible.
        EngineError: the model cannot be loaded.
    """
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 1:
        raise ConfigError(f"'replicas' is the number of copies of a model, 1 or more; got {replicas!r}.")
    if replicas == 1:
        return load(**options)
    with ExitStack() as loaded:
        copies = []
        for i in range(replicas):
            copies.append(load(**{**options, **place(i, replicas, options)}))
            loaded.callback(copies[-1].close)
        loaded.pop_all()
    return Replicas(copies, prompt)
