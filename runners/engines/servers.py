"""Choice among several servers, and their retries, backoff and credentials.

The least busy server gets the next request. A failing server is set aside for a time that doubles with each failure,
then tested, and used again once it responds. Nothing here sends anything.
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
from importlib.util import find_spec
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies

from isocompute.errors import ConfigError, EngineError
from isocompute.runners.urls import redact_url

PROXIED_SCHEMES = ("http", "https", "all")
"""The schemes whose proxies the environment may name."""

LONGEST_REST_SECONDS = 60.0
"""Most seconds of a backoff or a rest."""

FAILURE_LIMIT = 3
"""Consecutive failures after which a server is set aside; after a refused connection it is set aside at once."""

FIRST_RESPONSE_SECONDS = 30.0
"""Seconds within which one server must have responded for the first time, so that a wrong URL is reported soon."""


@dataclass(eq=False)
class Server:
    """One base URL and its state; a user and password from the URL are in ``headers`` instead."""

    url: str
    headers: dict[str, str] = field(repr=False, default_factory=dict)
    requests_in_flight: int = 0
    failures_in_row: int = 0
    rest_seconds: float = 0.0
    retry_at: float = 0.0
    set_aside: asyncio.Event = field(repr=False, default_factory=asyncio.Event)


class Servers:
    """The servers of an engine, and their successes and failures.

    Args:
        servers: the servers.
        rest: seconds for which a server is set aside the first time.
        patience: seconds without a success, while all are set aside, after which the engine gives up.
    """

    def __init__(self, servers: Sequence[Server], rest: float, patience: float) -> None:
        self.all, self.first_rest, self.patience = servers, rest, patience
        self.available = asyncio.Event()
        self.available.set()
        self.has_answered = False
        self.failing_since: float | None = None
        for server in servers:
            server.rest_seconds = rest

    @asynccontextmanager
    async def claim_server(self) -> AsyncIterator[Server]:
        """Yield the least busy server that is not set aside, waiting for one if necessary."""
        while not (working := [server for server in self.all if not server.set_aside.is_set()]):
            await self.available.wait()
        server = min(working, key=lambda server: server.requests_in_flight)
        server.requests_in_flight += 1
        try:
            yield server
        finally:
            server.requests_in_flight -= 1

    def record_success(self, server: Server) -> None:
        """Record a success, which resets the server's failures."""
        server.failures_in_row, server.rest_seconds = 0, self.first_rest
        self.has_answered, self.failing_since = True, None

    def record_failure(
        self, server: Server, why: str, wait: float | None = None, gone: bool = False, responded: bool = True
    ) -> None:
        """Record a failure, and set the server aside after too many.

        Args:
            server: the server that failed.
            why: the reason in words, for the error if no server is left.
            wait: seconds for which the server asks for no requests.
            gone: whether nothing listens at its address.
            responded: whether it sent a response, if only one that says what is wrong.

        Raises:
            EngineError: all servers have been set aside for too long without a success.
        """
        self.has_answered |= responded
        self.failing_since = self.failing_since or time.monotonic()
        server.failures_in_row += 1
        if not server.set_aside.is_set() and (gone or wait or server.failures_in_row >= FAILURE_LIMIT):
            server.set_aside.set()
            self._pause_server(server, why, wait or 0.0)

    async def restore_server(self, server: Server, answers: Callable[[Server], Awaitable[str | None]]) -> None:
        """Return a server to use whenever it was set aside and responds again; never returns.

        Args:
            server: the server to watch.
            answers: tests a server; returns what is wrong, or None.

        Raises:
            EngineError: as `record_failure`.
        """
        while True:
            await server.set_aside.wait()
            await asyncio.sleep(server.retry_at - time.monotonic())
            if why := await answers(server):
                self._pause_server(server, why)
            else:
                server.failures_in_row, self.has_answered = 0, True
                server.set_aside.clear()
                self.available.set()

    def _pause_server(self, server: Server, why: str, wait: float = 0.0) -> None:
        server.retry_at = time.monotonic() + max(server.rest_seconds, wait)
        server.rest_seconds = min(2 * server.rest_seconds, LONGEST_REST_SECONDS)
        if not all(other.set_aside.is_set() for other in self.all):
            return
        self.available.clear()
        limit = self.patience if self.has_answered else min(self.patience, FIRST_RESPONSE_SECONDS)
        silent = min(other.retry_at for other in self.all) - (self.failing_since or time.monotonic())
        if silent > limit:
            urls = ", ".join(other.url for other in self.all)
            raise EngineError(f"No completion came from {urls} within {limit:g} s; the last failure: {why}.")


def parse_servers(
    urls: str | Sequence[str], key_env: str, what: str = "engine 'openai'"
) -> tuple[list[Server], set[str]]:
    """Return the servers of base URLs, and every secret that a server may repeat.

    A user and password in a URL go into a header, and replace the key.

    Args:
        urls: base URLs.
        key_env: environment variable that holds the key.
        what: what calls the servers, for errors.

    Raises:
        ConfigError: there is no URL, one is not a base URL, or the key is invalid. The error repeats neither.
    """
    urls = [urls] if isinstance(urls, str) else list(urls)
    if not urls:
        raise ConfigError(f"The {what} needs 'urls': base URLs such as http://localhost:8000/v1.")
    key = os.environ.get(key_env, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"The environment variable {key_env} holds characters that are not allowed in a key.")
    servers, secrets = [], {key}
    for i, url in enumerate(urls):
        try:
            server = Server(redact_url(url), {"Authorization": f"Bearer {key}"} if key else {})
        except ValueError as error:
            raise ConfigError(f"URL number {i + 1} of 'urls' is {error}.") from None
        parts = urlsplit(url)
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
            login = base64.b64encode(f"{user}:{password}".encode()).decode()
            server.headers["Authorization"] = f"Basic {login}"
            secret = password or user  # a token may be in place of the user
            secrets |= {login, secret, quote(secret, safe="")}
        servers.append(server)
    return servers, secrets - {""}


def check_proxies(what: str) -> None:
    """Raise unless the proxies in the environment can be used; their URLs may hold a password, and are not shown.

    Args:
        what: what calls the servers, for errors.

    Raises:
        ConfigError: one cannot; the message names its variable.
    """
    for scheme, url in getproxies().items():
        if scheme not in PROXIED_SCHEMES:
            continue
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            usable = bool(parts.hostname) and parts.port != 0 and url.isascii() and url.isprintable()
        except ValueError:
            usable = False
        if usable and parts.scheme in ("socks5", "socks5h"):
            usable = find_spec("socksio") is not None
        elif usable:
            usable = parts.scheme in ("http", "https")
        if not usable:
            raise ConfigError(
                f"The {what} cannot use the proxy in the environment variable {scheme}_proxy; it must be a URL such as "
                "http://proxy:3128, and socks5:// needs the package socksio."
            )


def parse_retry_after(header: str | None, now: float) -> float | None:
    """Return the seconds of a ``Retry-After`` header, given as a number or a date; None if there are none.

    >>> parse_retry_after("120", now=0.0)
    120.0
    >>> parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now=20.0)
    40.0
    >>> parse_retry_after("soon", now=0.0) is None
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


def draw_backoff(attempt: int, first: float, rng: random.Random) -> float:
    """Draw the seconds to wait before the ``attempt``-th retry: uniform in 0 … min(first·2^(attempt−1), 60).

    The whole wait is random ("full jitter"), so that requests that failed together are not sent again together.
    """
    return rng.uniform(0.0, min(first * 2.0 ** min(attempt - 1, 60), LONGEST_REST_SECONDS))
