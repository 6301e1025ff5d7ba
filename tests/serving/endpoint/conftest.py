"""The endpoint on loopback in a thread, in front of test doubles."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from isocompute.serving.endpoint.settings import ServeSettings, build_serve_settings
from tests.serving.endpoint.upstream_double import UpstreamDouble


class Endpoint:
    """The endpoint in a thread of its own; its service is there for a test to look at."""

    def __init__(self, settings: ServeSettings, **changes: Any) -> None:
        import uvicorn

        from isocompute.serving.endpoint.app import build_app
        from isocompute.serving.endpoint.connections import list_uvicorn_settings
        from isocompute.serving.endpoint.start import open_service, open_socket

        self.app = build_app(lambda: open_service(settings))
        config = uvicorn.Config(
            self.app, log_level="warning", timeout_graceful_shutdown=10, loop="asyncio", **list_uvicorn_settings()
        )
        self.server = uvicorn.Server(config)
        self.socket = open_socket("127.0.0.1", 0)
        self.port = self.socket.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive(), "the endpoint did not start"
            time.sleep(0.01)
        for name, value in changes.items():
            setattr(self.service, name, value)

    @property
    def service(self):
        return self.app.state.service

    def _run(self) -> None:
        asyncio.run(self.server.serve(sockets=[self.socket]))

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        self.socket.close()


@pytest.fixture(autouse=True)
def _without_keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "ISOCOMPUTE_SERVE_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def double():
    """Starts test doubles of an OpenAI-compatible server."""
    started: list[UpstreamDouble] = []

    def start(*args: Any, **options: Any) -> UpstreamDouble:
        started.append(UpstreamDouble(*args, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def endpoint(double):
    """Starts endpoints: ``endpoint(double, …)``, with settings of `ServeSettings`, a budget and a policy."""
    started: list[Endpoint] = []

    def start(
        *solvers: UpstreamDouble,
        scorer: UpstreamDouble | None = None,
        verifier: UpstreamDouble | None = None,
        profile: str = "qwen2.5-coder-1.5b-gsm-symbolic",
        keep_alive: float = 10.0,
        key: str | None = None,
        **options: Any,
    ) -> Endpoint:
        urls = [server.url for server in solvers] + ([] if verifier is None else [f"verifier={verifier.url}"])
        urls += [] if scorer is None else [f"scorer={scorer.url}"]
        options = {"grader": "boxed-number", "budget": "4x", "policy": "fixed"} | options
        settings = replace(build_serve_settings(profile, urls, **options), key=key)
        started.append(Endpoint(settings, keep_alive=keep_alive))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def ask():
    """Sends one chat completion: ``ask(endpoint, isocompute={…}, …)``; returns the response."""

    def send(endpoint: Endpoint, text: str = "What is 3 + 4?", headers=None, **fields: Any) -> httpx.Response:
        body = {"model": "double", "messages": [{"role": "user", "content": text}], **fields}
        return httpx.post(f"{endpoint.base}/v1/chat/completions", json=body, headers=headers, timeout=30)

    return send


Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def wait_for() -> Wait:
    """Waits until a condition holds; fails after ten seconds."""

    def wait(condition: Callable[[], bool]) -> None:
        ends = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < ends, "the condition did not come true"
            time.sleep(0.01)

    return wait
