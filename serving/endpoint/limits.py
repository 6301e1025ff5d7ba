"""The limits of the service: how many requests at once, and from whom."""

from __future__ import annotations

import asyncio
import hmac
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from isocompute.serving.endpoint.errors import AUTHENTICATION, OVERLOADED, TIMEOUT, ApiError

READING_LIMIT = 64
"""Requests beyond those that run and wait whose bodies are read."""

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Admission:
    """A bounded number of requests at once, and a bounded queue before them, first come, first served.

    Args:
        running_limit: the requests that are answered at once.
        waiting_limit: the requests that may wait.
        update: takes the numbers of running and waiting requests, for metrics.
    """

    def __init__(self, running_limit: int, waiting_limit: int, update: Callable[[int, int], None]) -> None:
        self.running_limit, self.waiting_limit, self.update = running_limit, waiting_limit, update
        self.places = asyncio.Semaphore(running_limit)
        self.running = self.waiting = self.opened = 0
        self.mean_seconds = 1.0

    @contextmanager
    def count_opened(self) -> Iterator[None]:
        """Count a request from its first byte to its end, so that no more bodies are read than there may be requests.

        Raises:
            ApiError: 429, there are too many.
        """
        if self.opened >= self.running_limit + self.waiting_limit + READING_LIMIT:
            raise self.build_full_error()
        self.opened += 1
        try:
            yield
        finally:
            self.opened -= 1

    def build_full_error(self) -> ApiError:
        """Return the error of a request for which there is no room."""
        wait = self.estimate_wait()
        return ApiError(
            429, "Too many requests wait; try again later.", OVERLOADED, code="queue_full", retry_after=wait
        )

    @asynccontextmanager
    async def claim_place(self, ends_at: float | None) -> AsyncIterator[None]:
        """Hold a place while a request is answered, after waiting for one.

        Raises:
            ApiError: 429, the queue is full; 504, the deadline passes in the queue.
        """
        if self.places.locked() and self.waiting >= self.waiting_limit:
            raise self.build_full_error()
        self.waiting += 1
        self.update(self.running, self.waiting)
        try:
            left = None if ends_at is None else ends_at - asyncio.get_running_loop().time()
            async with asyncio.timeout(left):
                await self.places.acquire()
        except TimeoutError:
            raise ApiError(504, "The deadline passed in the queue.", TIMEOUT, code="deadline") from None
        finally:
            self.waiting -= 1
            self.update(self.running, self.waiting)
        self.running += 1
        begun = time.monotonic()
        try:
            self.update(self.running, self.waiting)
            yield
        finally:
            self.running -= 1
            self.places.release()
            self.mean_seconds += 0.1 * (time.monotonic() - begun - self.mean_seconds)
            self.update(self.running, self.waiting)

    def estimate_wait(self) -> int:
        """Return the whole seconds until a new request would have a place, 1 … 60."""
        return max(1, min(60, math.ceil(self.mean_seconds * (self.waiting + 1) / self.running_limit)))


def check_sender(headers: Mapping[str, str], key: str | None) -> None:
    """Check that a request has the key, if there is one, and does not come from a web page.

    Without a key the service listens on loopback alone, where web pages could reach it by a name of their own that
    points there; so the host must be one of loopback's.

    Raises:
        ApiError: 401 or 403.
    """
    if key is not None:
        kind, _, given = headers.get("authorization", "").partition(" ")
        is_right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), key.encode())
        if kind.lower() != "bearer" or not is_right:
            raise ApiError(401, "The API key is missing or wrong.", AUTHENTICATION, code="invalid_api_key")
        return
    host = headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name.lower() not in LOOPBACK_NAMES:
        raise ApiError(403, "The host of the request is not that of this server.", AUTHENTICATION, code="wrong_host")


def check_content_type(headers: Mapping[str, str]) -> None:
    """Check that a body says that it is JSON: web pages cannot send that elsewhere without asking first.

    Raises:
        ApiError: 415, it does not.
    """
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "The content type must be application/json.", code="wrong_content_type")
