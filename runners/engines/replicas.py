"""Copies of a model that share a queue: one on each GPU, or several beside each other on a CPU.

A prefix cache belongs to one copy. So what shares a prompt goes to the copy that had it before, unless another one has
less than half as much to do; a new prompt goes to the one with least to do.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from isocompute.errors import ConfigError
from isocompute.runners.engines.worker_thread import THREAD_END_SECONDS, ModelThread, QueueModel

ReplicaRequest = TypeVar("ReplicaRequest")

POLL_SECONDS = 0.005
"""Seconds after which a reader who waits for answers looks for new requests."""

REMEMBERED_PROMPTS = 4096
"""Prompts whose copy is remembered."""


class ModelCopy(QueueModel[ReplicaRequest], Protocol[ReplicaRequest]):
    """A model that says how much it wants to do at once."""

    @property
    def in_flight(self) -> int:
        """Requests inside it at once, at most."""
        ...


class Replicas(Generic[ReplicaRequest]):
    """Copies of a model behind the protocol of one.

    Args:
        copies: of the same model.
        prompt: what of a request another one may share with it.
    """

    def __init__(
        self, copies: Sequence[ModelCopy[ReplicaRequest]], prompt: Callable[[ReplicaRequest], Hashable]
    ) -> None:
        self.copies, self.prompt = copies, prompt
        self.in_flight = sum(copy.in_flight for copy in copies)
        self.copy_by_prompt: OrderedDict[Hashable, int] = OrderedDict()
        self.threads: list[ModelThread[ReplicaRequest]] = []

    def run(self, pending: deque[ReplicaRequest]) -> Iterator[tuple[ReplicaRequest, Any]]:
        """Keep every copy full until the queue is empty and all is done."""
        for thread in self.threads:  # of a run that nobody read to its end
            thread.join()
        answers: SimpleQueue[Any] = SimpleQueue()
        self.threads = [
            ModelThread(copy, partial(put_tagged_answer, answers, i), stays=True) for i, copy in enumerate(self.copies)
        ]
        loads = [0] * len(self.threads)
        try:
            while pending or any(loads):
                for i, requests in enumerate(self._assign_requests(pending, loads)):
                    if requests:
                        self.threads[i].submit_requests(requests)
                try:
                    i, answer = answers.get(timeout=POLL_SECONDS)
                except Empty:
                    continue
                if isinstance(answer, Future):
                    answer.result()  # a thread that is not told to ends by an error alone
                loads[i] -= 1
                yield answer
        finally:
            for thread in self.threads:
                thread.stop()
            for thread in self.threads:
                thread.join(THREAD_END_SECONDS)

    def close(self) -> None:
        """Give back the memory of all."""
        for copy in self.copies:
            copy.close()

    def _assign_requests(self, pending: deque[ReplicaRequest], loads: list[int]) -> list[list[ReplicaRequest]]:
        """Take what there is room for; return it by copy, and count it."""
        dealt: list[list[ReplicaRequest]] = [[] for _ in loads]
        for _ in range(min(len(pending), self.in_flight - sum(loads))):
            request = pending.popleft()
            i = self._choose_copy(self.prompt(request), loads)
            loads[i] += 1
            dealt[i].append(request)
        return dealt

    def _choose_copy(self, prompt: Hashable, loads: list[int]) -> int:
        least = loads.index(min(loads))
        home = self.copy_by_prompt.setdefault(prompt, least)
        self.copy_by_prompt.move_to_end(prompt)
        if len(self.copy_by_prompt) > REMEMBERED_PROMPTS:
            self.copy_by_prompt.popitem(last=False)
        return home if loads[home] <= 2 * loads[least] else least


def put_tagged_answer(answers: SimpleQueue[Any], copy: int, answer: Any) -> None:
    """Put an answer into a queue that copies share."""
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
        prompt: what of a request another one may share with it.
        place: takes a copy's number, how many there are, and the options; returns the options that put it where it is.
        replicas: how many copies.
        options: of each of them.

    Raises:
        ConfigError: there cannot be so many.
        EngineError: the model cannot be loaded.
    """
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 1:
        raise ConfigError(f"'replicas' is how many copies of a model are loaded, 1 or more; got {replicas!r}.")
    if replicas == 1:
        return load(**options)
    with ExitStack() as loaded:
        copies = []
        for i in range(replicas):
            copies.append(load(**{**options, **place(i, replicas, options)}))
            loaded.callback(copies[-1].close)
        loaded.pop_all()
    return Replicas(copies, prompt)
