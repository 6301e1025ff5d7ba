"""The start and the end of the endpoint: its parts put together, the server run, and requests ended on SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from isocompute.errors import ConfigError
from isocompute.runners.engines.servers import Server, parse_servers
from isocompute.runners.grading import load_grader_by_name
from isocompute.serving.endpoint.plans import PlanBook
from isocompute.serving.endpoint.settings import ServeSettings

UPSTREAM_KEY_VARIABLE = "OPENAI_API_KEY"
"""The environment variable that holds the key of the servers behind."""

IDLE_SECONDS = 4.0
"""Seconds after which an idle connection is closed, before servers (uvicorn: 5 s) would close it during a request."""


def describe_dry_run(settings: ServeSettings) -> list[str]:
    """Return what a request costs at most and on average, in lines.

    Raises:
        ConfigError: a URL is not one, or the server's own budget cannot be planned.
    """
    from isocompute.serving.endpoint.dry_run import list_costs
    from isocompute.serving.endpoint.errors import ApiError

    find_servers(settings)
    try:
        return list_costs(PlanBook(settings.profile, settings.urls, settings.defaults, settings.policy_file))
    except ApiError as error:
        raise ConfigError(error.message) from None


@asynccontextmanager
async def open_service(settings: ServeSettings) -> AsyncIterator[object]:
    """Hold the service: its connections, its grader and its plans.

    Args:
        settings: the server, as it is asked for.

    Raises:
        ConfigError: a URL is not one.
    """
    import aiohttp

    from isocompute.serving.endpoint.bodies import MOST_BODIES_BYTES
    from isocompute.serving.endpoint.limits import Admission
    from isocompute.serving.endpoint.memory import MemoryPool
    from isocompute.serving.endpoint.metrics import Metrics
    from isocompute.serving.endpoint.reading import AnswerReader
    from isocompute.serving.endpoint.receiving import MOST_RECEIVED_BYTES
    from isocompute.serving.endpoint.redacting import AnswerRedactor
    from isocompute.serving.endpoint.service import Service
    from isocompute.serving.endpoint.upstream import Upstream

    servers, secrets = find_servers(settings)
    metrics = Metrics()

    def update_gauges(running: int, waiting: int) -> None:
        metrics.running.set(running)
        metrics.waiting.set(waiting)

    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS)
    async with aiohttp.ClientSession(connector=connector, headers={"Accept-Encoding": "identity"}) as session:
        slots = asyncio.Semaphore(settings.calls)
        redactor, memory = AnswerRedactor(secrets), MemoryPool(MOST_RECEIVED_BYTES)
        upstreams = {
            role: Upstream(
                role, each, session, slots, settings.timeout, settings.retries, redactor, memory, metrics.record_call
            )
            for role, each in servers.items()
        }
        reader = AnswerReader(load_grader_by_name(settings.grader))
        try:
            yield Service(
                PlanBook(settings.profile, settings.urls, settings.defaults, settings.policy_file),
                upstreams["solver"],
                upstreams.get("verifier"),
                upstreams.get("scorer"),
                settings.roles,
                None if settings.scorer is None else (settings.scorer, settings.scorer.load_format()),
                settings.models,
                reader,
                Admission(settings.running, settings.waiting, update_gauges),
                MemoryPool(MOST_BODIES_BYTES),
                metrics,
                settings.width,
                key=settings.key,
            )
        finally:
            reader.close()


def find_servers(settings: ServeSettings) -> tuple[dict[str, list[Server]], set[str]]:
    """Return the servers of each role, and every key that an answer may not show."""
    servers: dict[str, list[Server]] = {}
    secrets: set[str] = set() if settings.key is None else {settings.key}
    for role, urls in settings.urls.items():
        servers[role], found = parse_servers(urls, UPSTREAM_KEY_VARIABLE)
        secrets |= found
    return servers, secrets


def run_endpoint(settings: ServeSettings) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that were begun are ended first, for at most ``settings.drain`` seconds.

    Raises:
        ConfigError: a package is missing, a URL is not one, or the port is taken.
    """
    try:
        import uvicorn

        from isocompute.serving.endpoint.app import build_app
        from isocompute.serving.endpoint.connections import list_uvicorn_settings
    except ImportError as error:
        raise ConfigError(f"isocompute serve needs {error.name}: pip install 'isocompute[serve]'.") from None
    find_servers(settings)
    load_grader_by_name(settings.grader).close()
    if settings.scorer is not None:
        settings.scorer.load_format()

    @asynccontextmanager
    async def open_frozen() -> AsyncIterator[object]:
        async with open_service(settings) as service:
            gc.collect()
            gc.freeze()  # else every full collection goes through all modules, while requests wait
            yield service

    app = build_app(open_frozen)
    config = uvicorn.Config(
        app,
        log_level="warning",
        timeout_graceful_shutdown=round(settings.drain),
        **list_uvicorn_settings(),
    )
    with open_socket(settings.host, settings.port) as listener:
        uvicorn.Server(config).run(sockets=[listener])


def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ConfigError: the address cannot be used.
    """
    host = host.strip("[]")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"{host}:{port} cannot be listened at: {getattr(error, 'strerror', None) or error}."
        ) from None
    # Connections inherit it. Else an answer's body would wait 40 ms for the client to acknowledge its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
