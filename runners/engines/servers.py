"""Which server is asked, when it is asked again, and what may be said about it.

Several servers stand side by side and the least busy one gets the next request. One that fails is set aside for a
time that doubles with each failure, then looked at, and used again once it answers. Nothing here sends anything.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote, urlsplit

from isocompute.errors import ConfigError, EngineError
from isocompute.runners.urls import public_url

LONGEST = 60.0
"""Seconds; neither a backoff nor a rest grows beyond this."""

STRIKES = 3
"""Failures in a row that set a server aside. A refused connection does so at once."""

GRACE = 30.0
"""Seconds within which one of the servers must have answered for the first time: a wrong URL is told soon."""


@dataclass(eq=False)
class Server:
    """One base URL, without the user and password that it may have come with: those are in ``headers``."""

    url: str
    headers: dict[str, str] = field(repr=False, default_factory=dict)
    busy: int = 0
    strikes: int = 0
    rest: float = 0.0
    wakes: float = 0.0
    fell: asyncio.Event = field(repr=False, default_factory=asyncio.Event)


class Servers:
    """The servers of an engine, and how each has done.

    Args:
        servers: where to ask.
        rest: seconds for which a server is set aside the first time.
        patience: seconds without one success after which, all being set aside, there is no hope.
    """

    def __init__(self, servers: Sequence[Server], rest: float, patience: float) -> None:
        self.all, self.first_rest, self.patience = servers, rest, patience
        self.open = asyncio.Event()
        self.open.set()
        self.answered = False
        self.failing_since: float | None = None
        for server in servers:
            server.rest = rest

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Server]:
        """Give the least busy server that is not set aside, waiting for one if need be."""
        while not (working := [server for server in self.all if not server.fell.is_set()]):
            await self.open.wait()
        server = min(working, key=lambda server: server.busy)
        server.busy += 1
        try:
            yield server
        finally:
            server.busy -= 1

    def served(self, server: Server) -> None:
        """Note a success, which forgives what was before."""
        server.strikes, server.rest = 0, self.first_rest
        self.answered, self.failing_since = True, None

    def failed(self, server: Server, why: str, wait: float | None = None, gone: bool = False) -> None:
        """Note a failure, and set the server aside if it is one too many.

        Args:
            server: who failed.
            why: in words, for the error if nobody is left.
            wait: seconds for which the server itself asks to be left alone.
            gone: nobody listens there.

        Raises:
            EngineError: all servers are set aside, and none has done anything for too long.
        """
        self.answered |= not gone
        self.failing_since = self.failing_since or time.monotonic()
        server.strikes += 1
        if not server.fell.is_set() and (gone or wait or server.strikes >= STRIKES):
            server.fell.set()
            self._rest(server, why, wait or 0.0)

    async def watch(self, server: Server, answers: Callable[[Server], Awaitable[str | None]]) -> None:
        """Put a server back to work each time it has been set aside and answers again; never returns.

        Args:
            server: whom to watch.
            answers: asks a server for a sign of life, and says what is wrong or None.

        Raises:
            EngineError: as `failed`.
        """
        while True:
            await server.fell.wait()
            await asyncio.sleep(server.wakes - time.monotonic())
            if why := await answers(server):
                self._rest(server, why)
            else:
                server.strikes = 0
                server.fell.clear()
                self.open.set()

    def _rest(self, server: Server, why: str, wait: float = 0.0) -> None:
        server.wakes = time.monotonic() + max(server.rest, wait)
        server.rest = min(2 * server.rest, LONGEST)
        if not all(other.fell.is_set() for other in self.all):
            return
        self.open.clear()
        limit = self.patience if self.answered else min(self.patience, GRACE)
        silent = min(other.wakes for other in self.all) - (self.failing_since or time.monotonic())
        if silent > limit:
            urls = ", ".join(other.url for other in self.all)
            raise EngineError(f"No completion comes from {urls} within {limit:g} s; the last failure: {why}.")


def servers_of(urls: str | Sequence[str], key_env: str) -> tuple[list[Server], set[str]]:
    """Read base URLs and the key, and give the servers and every secret that a server may repeat.

    A user and password in a URL go into a header, and take the place of the key.

    Raises:
        ConfigError: there is no URL, one is not a base URL, or the key cannot be one. Neither text is repeated.
    """
    urls = [urls] if isinstance(urls, str) else list(urls)
    if not urls:
        raise ConfigError("The engine 'openai' needs 'urls': base URLs such as http://localhost:8000/v1.")
    key = os.environ.get(key_env, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"The environment variable {key_env} holds characters that no key has.")
    servers, secrets = [], {key}
    for i, url in enumerate(urls):
        try:
            server = Server(public_url(url), {"Authorization": f"Bearer {key}"} if key else {})
        except ValueError as error:
            raise ConfigError(f"The URL at place {i + 1} of 'urls' is {error}.") from None
        parts = urlsplit(url)
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
            login = base64.b64encode(f"{user}:{password}".encode()).decode()
            server.headers["Authorization"] = f"Basic {login}"
            secret = password or user  # a token may stand in the user's place
            secrets |= {login, secret, quote(secret, safe="")}
        servers.append(server)
    return servers, secrets - {""}


def retry_after(header: str | None, now: float) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, given as such or as a date; None if it asks nothing.

    >>> retry_after("120", now=0.0)
    120.0
    >>> retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now=20.0)
    40.0
    >>> retry_after("soon", now=0.0) is None
    True
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            date = parsedate_to_datetime(header)
        except ValueError:
            return None
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    return seconds if 0 < seconds < float("inf") else None


def backoff(attempt: int, first: float, rng: random.Random) -> float:
    """Return the seconds to wait before the ``attempt``-th retry: uniform in 0 … min(first·2^(attempt−1), 60).

    The whole of it is random ("full jitter"), so that what failed together does not come back together.
    """
    return rng.uniform(0.0, min(first * 2.0 ** min(attempt - 1, 60), LONGEST))
