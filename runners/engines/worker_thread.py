"""A model at work in a thread of its own, so that solving and scoring go on at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from threading import Condition, Thread
from typing import Any, Generic, Protocol, TypeVar

ThreadRequest = TypeVar("ThreadRequest")

THREAD_END_SECONDS = 5.0
"""Seconds that what is being computed has to end, when it is interrupted."""


class QueueModel(Protocol[ThreadRequest]):
    """What engines and scorers have in common."""

    def run(self, pending: deque[ThreadRequest]) -> Iterator[tuple[ThreadRequest, Any]]:
        """Work the queue off, yielding each request with its answer as it finishes."""
        ...

    def close(self) -> None:
        """Give back the memory."""
        ...


class ModelThread(Generic[ThreadRequest]):
    """An engine or a scorer that takes requests at any time and tells its answers as they come.

    Args:
        model: used by the thread alone until it ends; the thread closes it.
        tell: called in the thread with pairs of request and answer; and with a `Future` that is done when the thread
            ends, which raises what ended it.
        stays: whether the model is not closed after all.
    """

    def __init__(self, model: QueueModel[ThreadRequest], tell: Callable[[Any], None], stays: bool = False) -> None:
        self.model, self.tell, self.stays = model, tell, stays
        self.pending: deque[ThreadRequest] = deque()
        self.request_condition, self.is_closing = Condition(), False
        self.thread = Thread(target=self._run_until_end, name=type(model).__name__, daemon=True)
        self.thread.start()

    def submit_requests(self, requests: Iterable[ThreadRequest], first: bool = False) -> None:
        """Add to what is asked for; ``first`` before what waits already, in the order in which it is given."""
        with self.request_condition:
            if first:
                self.pending.extendleft(reversed(list(requests)))
            else:
                self.pending.extend(list(requests))
            self.request_condition.notify()

    def stop(self) -> None:
        """Read no further answer than the next one, and end."""
        with self.request_condition:
            self.is_closing = True
            self.request_condition.notify()

    def join(self, patience: float | None = None) -> None:
        """Wait until it has ended, or so many seconds."""
        self.thread.join(patience)

    def _run_until_end(self) -> None:
        end: Future[None] = Future()
        try:
            self._serve_requests()
            end.set_result(None)
        except BaseException as error:  # noqa: BLE001 - whoever reads the answers raises it
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
        """Wait until something is asked for; whether there will be more."""
        with self.request_condition:
            self.request_condition.wait_for(lambda: self.pending or self.is_closing)
            return not self.is_closing
