"""The engine for servers with OpenAI's protocol: vLLM's, SGLang, llama.cpp's or a hosted one.

An event loop in a thread of its own keeps a bounded number of requests in flight while the caller works on finished
ones. A lost request is sent again; a refused one becomes a row with the reason. The time of a completion is that of the
successful attempt, from sending the request to the last byte of the response, without earlier attempts and waits. A
request that never got a response has no time.

Settings that a request leaves out are the server's: llama.cpp cuts to the 40 likeliest tokens and to ``min_p`` 0.05,
vLLM takes the model's ``generation_config.json``. Set such fields with ``extra``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from queue import SimpleQueue
from threading import Thread
from typing import Any
from urllib.request import getproxies

import httpx

from isocompute.errors import ConfigError, EngineError
from isocompute.runners.engines.base import Completion, Request, Sampling
from isocompute.runners.engines.clock import Stopwatch, add_time_span
from isocompute.runners.engines.openai_protocol import encode_request, parse_completion, parse_error_message
from isocompute.runners.engines.redaction import build_redactor
from isocompute.runners.engines.servers import Server, Servers, draw_backoff, parse_retry_after, parse_servers

RETRIED_STATUSES = {408, 409, 429}
REFUSED_STATUSES = {400, 413, 422}
CONNECT_SECONDS = 10.0
"""Seconds within which a connection must be made, and a server that was set aside must respond."""

SHORTEST_KEY_IN_TEXT = 12
"""Characters of the shortest key that is removed from completions' texts too."""

LONGEST_RESPONSE_BYTES = 256 * 2**20
"""Bytes of the longest response that is read. Ten thousand tokens with 20 probabilities each take about ten million."""

LONGEST_ERROR_TEXT = 2**16
"""Characters of an error that are read; 300 of them are shown."""

HTTP_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))

KEEPALIVE_OPTIONS = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
if hasattr(socket, "TCP_KEEPIDLE"):  # routers drop a connection that is silent while a long text is sampled
    KEEPALIVE_OPTIONS += [(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60), (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 60)]

CompletedRequest = tuple[Request, Completion]


class LostResponseError(Exception):
    """A response that is missing or incomplete; a retry may succeed."""

    def __init__(self, why: str, wait: float | None = None, gone: bool = False, responded: bool = True) -> None:
        super().__init__(why)
        self.wait, self.gone, self.responded = wait, gone, responded


class OpenAIEngine:
    """A model behind one or several servers, as an `Engine`.

    A seed is sent as seed mod (2**31 − 1), which every server accepts; whether the same seed gives the same text
    depends on the server. If a server does not report probabilities, `Completion.tokens` is None. If a server separates
    the thinking from a chat's answer, the text is put together again: ``<think>``, the thinking, ``</think>``, the
    answer.

    Args:
        model: the name that the server gives the model.
        urls: base URLs such as ``http://localhost:8000/v1``; several are used side by side.
        concurrency: requests in flight at once, over all servers.
        timeout: seconds until a response must be complete.
        retries: number of times a request is sent again after a 408, 409, 429, 5xx, a dropped connection, a timeout or
            a truncated response, before it becomes a failed row.
        patience: seconds without a success, while all servers are set aside, after which the engine gives up.
        backoff: most seconds of the first wait before a retry, and seconds of a failing server's first rest; both
            double up to a minute.
        key_env: environment variable that holds the key; if it is not set, no key is sent.
        extra: fields of the request's body, such as ``top_k``; they override those set here, and null removes a field.

    Raises:
        ConfigError: an option is out of its range, or a URL is invalid.
    """

    def __init__(
        self,
        model: str,
        urls: str | Sequence[str] = (),
        concurrency: int = 64,
        timeout: float = 3600.0,
        retries: int = 8,
        patience: float = 900.0,
        backoff: float = 1.0,
        key_env: str = "OPENAI_API_KEY",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if not (concurrency >= 1 and timeout > 0 and retries >= 0 and patience > 0 and backoff > 0):
            raise ConfigError(
                "The engine 'openai' needs concurrency ≥ 1, retries ≥ 0, and timeout, patience and backoff above 0."
            )
        servers, secrets = parse_servers(urls, key_env)
        self.redact = build_redactor(secrets)
        self.redact_text = build_text_redactor(secrets)
        self.servers = Servers(servers, backoff, patience)
        self.model, self.concurrency, self.timeout, self.retries = model, concurrency, timeout, retries
        self.backoff, self.key_env, self.extra = backoff, key_env, dict(extra or {})
        json.dumps(self.extra)  # raises a TypeError now rather than during a run
        self.rng = random.Random()  # for the waits only
        self.ssl_context = httpx.create_ssl_context()
        self.log_filter = RedactingFilter(self.redact)
        for name in HTTP_LOGGERS:
            logging.getLogger(name).addFilter(self.log_filter)
        self.loop = asyncio.new_event_loop()
        self.closed = False
        self.thread = Thread(target=self._run_loop, name="openai", daemon=True)
        self.thread.start()

    def run(self, pending: deque[Request]) -> Iterator[CompletedRequest]:
        """Keep ``concurrency`` requests in flight until the queue is empty and all have finished.

        Raises:
            EngineError: the servers refuse the key, the model or the address, or all are unreachable.
        """
        inbox: asyncio.Queue[Request] = asyncio.Queue()
        done: SimpleQueue[Any] = SimpleQueue()
        work = asyncio.run_coroutine_threadsafe(self._serve_requests(inbox, done.put), self.loop)
        work.add_done_callback(done.put)  # done by itself only after a failure
        in_flight = 0
        try:
            while pending or in_flight:
                # Another `concurrency` requests wait in the loop, to start while the caller is busy elsewhere.
                while pending and in_flight < 2 * self.concurrency:
                    self.loop.call_soon_threadsafe(inbox.put_nowait, pending.popleft())
                    in_flight += 1
                outcome = done.get()
                if outcome is work:
                    raise find_loop_error(work) from None
                in_flight -= 1
                yield outcome
        finally:
            work.cancel()  # the caller has stopped reading, or all have finished

    def close(self) -> None:
        """Cancel the requests in flight and close the connections."""
        if not self.closed:
            self.closed = True
            for name in HTTP_LOGGERS:
                logging.getLogger(name).removeFilter(self.log_filter)
            asyncio.run_coroutine_threadsafe(self._stop_loop(), self.loop)
        self.thread.join()

    def _run_loop(self) -> None:
        self.loop.run_forever()
        self.loop.close()

    async def _stop_loop(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.loop.stop()

    def build_client(self) -> httpx.AsyncClient:
        """Return a client that follows no redirects and uses the proxies of the environment."""
        # Idle connections are closed before servers (Uvicorn: 5 s) would close them during a request.
        limits = httpx.Limits(max_keepalive_connections=1, keepalive_expiry=4.0)
        patient = httpx.Timeout(None, connect=min(CONNECT_SECONDS, self.timeout))
        if {"http", "https", "all"} & set(getproxies()):  # a transport given here would bypass them
            return httpx.AsyncClient(verify=self.ssl_context, limits=limits, timeout=patient)
        transport = httpx.AsyncHTTPTransport(verify=self.ssl_context, limits=limits, socket_options=KEEPALIVE_OPTIONS)
        return httpx.AsyncClient(transport=transport, timeout=patient)

    async def _serve_requests(self, inbox: asyncio.Queue[Request], put: Callable[[CompletedRequest], None]) -> None:
        async def send_requests() -> None:
            # One client, and so one connection, per worker: httpx's pool slows down with its size.
            async with self.build_client() as client:
                while True:
                    request = await inbox.get()
                    put((request, await self._complete_request(client, request)))

        async with asyncio.TaskGroup() as group:
            for server in self.servers.all:
                group.create_task(self.servers.restore_server(server, self._test_server))
            for _ in range(self.concurrency):
                group.create_task(send_requests())

    async def _complete_request(self, client: httpx.AsyncClient, request: Request) -> Completion:
        path, body = encode_request(request, self.model, self.extra)
        why = ""
        for attempt in range(self.retries + 1):
            if attempt:
                await asyncio.sleep(draw_backoff(attempt, self.backoff, self.rng))
            async with self.servers.claim_server() as server:
                try:
                    answer = self._redact_completion(
                        await self._send_request(client, server, path, body, request.sampling)
                    )
                except LostResponseError as lost:
                    why = self._redact_message(str(lost))
                    self.servers.record_failure(server, f"{server.url}: {why}", lost.wait, lost.gone, lost.responded)
                else:
                    self.servers.record_success(server)
                    return answer
        return build_failed_completion(f"no answer in {self.retries + 1} attempts; the last: {why}")

    async def _send_request(
        self, client: httpx.AsyncClient, server: Server, path: str, body: bytes, sampling: Sampling
    ) -> Completion:
        """Send a request once.

        Raises:
            LostResponseError: it may be sent again.
            EngineError: no other request would succeed either.
        """
        try:
            async with asyncio.timeout(self.timeout):
                headers = {"Content-Type": "application/json", **server.headers}
                request = client.build_request("POST", server.url + path, content=body, headers=headers)
                watch = Stopwatch()
                answer = await client.send(request, stream=True)
                content = await read_response_body(answer)
                span = watch.elapsed
        except TimeoutError:
            raise LostResponseError(f"no answer within {self.timeout:g} s") from None
        except httpx.RequestError as error:
            gone = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            why = self._redact_message(str(error)) or type(error).__name__
            raise LostResponseError(why, gone=gone, responded=False) from None
        status = answer.status_code
        if answer.is_success:
            try:
                completion = parse_completion(
                    json.loads(content), sampling.step, self._redact_message, sampling.max_tokens
                )
                return add_time_span(completion, span)
            except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
                raise LostResponseError("an answer that is truncated or does not follow the protocol") from None
        # Not `answer.text`: its encoding is named by the server, and 'base64' does not decode to text.
        body_said = parse_error_message(content.decode("utf-8", "replace"))
        why = self._redact_message(body_said) or self._redact_message(answer.reason_phrase)
        message = f"HTTP {status}: {why if len(why) <= 300 else why[:300] + ' …'}"
        if status in RETRIED_STATUSES or answer.is_server_error:
            raise LostResponseError(message, parse_retry_after(answer.headers.get("Retry-After"), time.time()))
        if status in REFUSED_STATUSES:
            return add_time_span(build_failed_completion(f"refused: {message}"), span)
        if status in (401, 403):
            key = "rejects the key" if server.headers else "requires a key"
            raise EngineError(
                f"{server.url} {key}; it is read from the environment variable {self.key_env} ({message})."
            )
        raise EngineError(f"{server.url + path} does not serve the model '{self.model}' ({message}).")

    def _redact_message(self, words: str) -> str:
        """Return a message of a server or the network in a form that may be shown and logged.

        Every foreign text passes through here before it is cut, joined or raised: the body of an error, the reason
        phrase, a finish reason, an error of httpx. Secrets are redacted first, since they may be split over two lines;
        then the text is put on one line, without characters that move a terminal's cursor or hide text.
        """
        words = " ".join(self.redact(words[:LONGEST_ERROR_TEXT]).split())
        return "".join(character for character in words if character.isprintable())

    def _redact_completion(self, answer: Completion) -> Completion:
        """Return a completion without secrets in its text or status."""
        status = answer.status if answer.status == "ok" else self._redact_message(answer.status)
        text = answer.text and self.redact_text(answer.text)
        return answer if (text, status) == (answer.text, answer.status) else replace(answer, text=text, status=status)

    async def _test_server(self, server: Server) -> str | None:
        try:
            async with (
                asyncio.timeout(min(CONNECT_SECONDS, self.timeout)),
                self.build_client() as client,
                client.stream("GET", f"{server.url}/models", headers=server.headers) as answer,
            ):
                pass  # any response will do; its body is not read
        except (TimeoutError, httpx.RequestError) as error:
            return f"{server.url}: {self._redact_message(str(error)) or type(error).__name__}"
        return f"{server.url}: HTTP {answer.status_code}" if answer.is_server_error else None


async def read_response_body(answer: httpx.Response) -> bytes:
    """Return the body of a response, and release its connection.

    Raises:
        LostResponseError: the body is too long, and would fill the memory.
    """
    content = bytearray()
    try:
        async for piece in answer.aiter_bytes():
            content += piece
            if len(content) > LONGEST_RESPONSE_BYTES:
                raise LostResponseError(f"an answer of more than {LONGEST_RESPONSE_BYTES:,} bytes")
    finally:
        await answer.aclose()
    return bytes(content)


def build_text_redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that removes keys from a solution.

    A changed solution may have another answer. So only long keys with letters and digits are looked for, which cannot
    be a word or a number of a solution, and only verbatim.

    >>> redact = build_text_redactor(["sk-live-4242", "EMPTY", "multiplication", "000000000000"])
    >>> redact("sk-live-4242 EMPTY multiplication 1000000000000")
    '*** EMPTY multiplication 1000000000000'
    """
    long = (secret for secret in secrets if len(secret) >= SHORTEST_KEY_IN_TEXT)
    keys = sorted((key for key in long if re.search("[0-9]", key) and re.search("[A-Za-z]", key)), key=len)

    def redact_keys(text: str) -> str:
        for key in reversed(keys):
            text = text.replace(key, "***")
        return text

    return redact_keys


class RedactingFilter(logging.Filter):
    """Filter that removes secrets from libraries' logs.

    httpx logs the reason phrase, httpcore every header of a response.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self.redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record and let it pass."""
        record.msg, record.args = self.redact(record.getMessage()), ()
        return True


def build_failed_completion(status: str) -> Completion:
    """Return a completion without text, with the status that says why."""
    return Completion(None, None, None, None, None, status)


def find_loop_error(work: Future[None]) -> BaseException:
    """Return the exception that ended the event loop's work; an EngineError, written for users, comes before others."""
    error = (
        EngineError("The engine 'openai' was closed while its answers were being read.")
        if work.cancelled()
        else work.exception()
    )
    while isinstance(error, BaseExceptionGroup):
        error = next((e for e in error.exceptions if isinstance(e, EngineError)), error.exceptions[0])
    assert error is not None, "the workers never return"
    return error
