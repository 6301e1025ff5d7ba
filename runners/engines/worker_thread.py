"""A model that runs in a thread of its own, so that solving and scoring run at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from threading import Condition, Thread
from typing import Any, Generic, Protocol, TypeVar

ThreadRequest = TypeVar("ThreadRequest")

THREAD_END_SECONDS = 5.0
"""Seconds that an interrupted thread has to end its current computation."""


class QueueModel(Protocol[ThreadRequest]):
    """The common protocol of engines and scorers."""

    def run(self, pending: deque[ThreadRequest]) -> Iterator[tuple[ThreadRequest, Any]]:
        """Work through the queue, yielding each request with its answer as it finishes."""
        ...

    def close(self) -> None:
        """Free the memory."""
        ...


class ModelThread(Generic[ThreadRequest]):
    """An engine or scorer in a thread, which takes requests at any time and passes on its answers as they finish.

    Args:
        model: used only by the thread until it ends; the thread closes it.
        tell: called in the thread with pairs of request and answer, and, when the thread ends, with a finished `Future`
            that holds the exception, if there was one.
        stays: if True, the thread does not close the model.
    """

    def __init__(self, model: QueueModel[ThreadRequest], tell: Callable[[Any], None], stays: bool = False) -> None:
        self.model, self.tell, self.stays = model, tell, stays
        self.pending: deque[ThreadRequest] = deque()
        self.request_condition, self.is_closing = Condition(), False
        self.thread = Thread(target=self._run_until_end, name=type(model).__name__, daemon=True)
        self.thread.start()

    def submit_requests(self, requests: Iterable[ThreadRequest], first: bool = False) -> None:
        """Add requests to the queue, with ``first`` at its front, in the given order."""
        with self.request_condition:
            if first:
                self.pending.extendleft(reversed(list(requests)))
            else:
                self.pending.extend(list(requests))
            self.request_condition.notify()

    def stop(self) -> None:
        """End after the next answer."""
        with self.request_condition:
            self.is_closing = True
            self.request_condition.notify()

    def join(self, patience: float | None = None) -> None:
        """Wait until the thread has ended, at most ``patience`` seconds if given."""
        self.thread.join(patience)

    def _run_until_end(self) -> None:
        end: Future[None] = Future()
        try:
            self._serve_requests()
            end.set_result(None)
        except BaseException as error:  # noqa: BLE001 - raised where the answers are read
            end.set_exception(error)
        self.tell(end)

    def _serve_requests(self) -> None:
        try:
            while self._wait_for_requests():
                for answer in self.model.run(self.pending):
                    self.tell(answer)
                    if self.is_closing:
                        break
        finally:
            if not self.stays:
                self.model.close()

    def _wait_for_requests(self) -> bool:
        """Wait for requests, and return whether to go on."""
        with self.request_condition:
            self.request_condition.wait_for(lambda: self.pending or self.is_closing)
            return not self.is_closing
