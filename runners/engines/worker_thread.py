"""A model at work in a thread of its own, so that solving and scoring go on at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from threading import Condition, Thread
from typing import Any, Generic, Protocol, TypeVar

Asked = TypeVar("Asked")

PATIENCE = 5.0
"""Seconds that what is being computed has to end, when it is interrupted."""


class Model(Protocol[Asked]):
    """What engines and scorers have in common."""

    def run(self, pending: deque[Asked]) -> Iterator[tuple[Asked, Any]]:
        """Work the queue off, yielding each request with its answer as it finishes."""
        ...

    def close(self) -> None:
        """Give back the memory."""
        ...


class Threaded(Generic[Asked]):
    """An engine or a scorer that takes requests at any time and tells its answers as they come.

    Args:
        model: used by the thread alone until it ends; the thread closes it.
        tell: called in the thread with pairs of request and answer; and with a `Future` that is done when the thread
            ends, which raises what ended it.
        stays: whether the model is not closed after all.
    """

    def __init__(self, model: Model[Asked], tell: Callable[[Any], None], stays: bool = False) -> None:
        self.model, self.tell, self.stays = model, tell, stays
        self.pending: deque[Asked] = deque()
        self.news, self.closing = Condition(), False
        self.thread = Thread(target=self._live, name=type(model).__name__, daemon=True)
        self.thread.start()

    def ask(self, requests: Iterable[Asked], first: bool = False) -> None:
        """Add to what is asked for; ``first`` before what waits already, in the order in which it is given."""
        with self.news:
            if first:
                self.pending.extendleft(reversed(list(requests)))
            else:
                self.pending.extend(list(requests))
            self.news.notify()

    def stop(self) -> None:
        """Read no further answer than the next one, and end."""
        with self.news:
            self.closing = True
            self.news.notify()

    def join(self, patience: float | None = None) -> None:
        """Wait until it has ended, or so many seconds."""
        self.thread.join(patience)

    def _live(self) -> None:
        end: Future[None] = Future()
        try:
            self._work()
            end.set_result(None)
        except BaseException as error:  # noqa: BLE001 - whoever reads the answers raises it
            end.set_exception(error)
        self.tell(end)

    def _work(self) -> None:
        try:
            while self._asked():
                for answer in self.model.run(self.pending):
                    self.tell(answer)
                    if self.closing:
                        break
        finally:
            if not self.stays:
                self.model.close()

    def _asked(self) -> bool:
        """Wait until something is asked for; whether there will be more."""
        with self.news:
            self.news.wait_for(lambda: self.pending or self.closing)
            return not self.closing
