"""Requests to servers side by side: connections, choice of a server, retries, limits and redaction.

An event loop in a thread of its own keeps a bounded number of requests in flight while the caller works on finished
ones. A lost request is sent again; a refused one becomes a result with the reason. The time of a result is that of the
successful attempt, from sending the request to the last byte of the response, without earlier attempts and waits. A
request that never got a response has no time. What is sent and what is read in a response is up to the subclass.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar
from urllib.request import getproxies

import httpx

from isocompute.errors import ConfigError, EngineError
from isocompute.limits import fits_memory
from isocompute.runners.documents import parse_answer_json
from isocompute.runners.engines.clock import Stopwatch, add_time_span
from isocompute.runners.engines.openai_protocol import parse_error_message
from isocompute.runners.engines.options import CONCURRENCY, SERVER_OPTIONS, find_bad_option
from isocompute.runners.engines.redaction import (
    RedactingFilter,
    build_redactor,
    build_text_redactor,
    cut_message,
    redact_message,
)
from isocompute.runners.engines.servers import (
    Server,
    Servers,
    check_proxies,
    draw_backoff,
    parse_retry_after,
    parse_servers,
)

RETRIED_STATUSES = {408, 409, 429}
REFUSED_STATUSES = {400, 413, 422}
CONNECT_SECONDS = 10.0
"""Seconds within which a connection must be made, and a server that was set aside must respond."""

LONGEST_RESPONSE_BYTES = 256 * 2**20
"""Bytes of the longest response that is read. Ten thousand tokens with 20 probabilities each take about ten million."""

RESPONSES_GIB = 1.0
"""GiB of the responses that are read at once."""

KEEPALIVE_OPTIONS = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
if hasattr(socket, "TCP_KEEPIDLE"):  # routers drop a connection that is silent while a long text is sampled
    KEEPALIVE_OPTIONS += [(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60), (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 60)]

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")


class LostResponseError(Exception):
    """A response that is missing or incomplete; a retry may succeed."""

    def __init__(self, why: str, wait: float | None = None, gone: bool = False, responded: bool = True) -> None:
        super().__init__(why)
        self.wait, self.gone, self.responded = wait, gone, responded


class ServerClient(ABC, Generic[RequestT, ResultT]):
    """A model behind one or several servers.

    Args:
        what: what it is, for errors, such as ``engine 'openai'``.
        model: the name that the server gives the model.
        urls: base URLs such as ``http://localhost:8000/v1``; several are used side by side.
        concurrency: requests in flight at once, over all servers.
        timeout: seconds until a response must be complete.
        retries: number of times a request is sent again after a 408, 409, 429, 5xx, a dropped connection, a timeout or
            a truncated response, before it becomes a failed result.
        patience: seconds without a success, while all servers are set aside, after which the client gives up.
        backoff: most seconds of the first wait before a retry, and seconds of a failing server's first rest; both
            double up to a minute.
        key_env: environment variable that holds the key; if it is not set, no key is sent.

    Raises:
        ConfigError: an option is out of its range, or a URL is invalid.
    """

    def __init__(
        self,
        what: str,
        model: str,
        urls: str | Sequence[str] = (),
        concurrency: int = 64,
        timeout: float = 3600.0,
        retries: int = 8,
        patience: float = 900.0,
        backoff: float = 1.0,
        key_env: str = "OPENAI_API_KEY",
    ) -> None:
        numbers = {"concurrency": concurrency, "timeout": timeout, "retries": retries}
        numbers |= {"patience": patience, "backoff": backoff}
        if fault := find_bad_option((CONCURRENCY, *SERVER_OPTIONS), numbers):
            raise ConfigError(f"The {what}: {fault}.")
        servers, secrets = parse_servers(urls, key_env, what)
        check_proxies(what)
        self.redact = build_redactor(secrets)
        self.redact_text = build_text_redactor(secrets)
        self.servers = Servers(servers, backoff, patience)
        self.what, self.model, self.concurrency, self.timeout = what, model, concurrency, timeout
        self.retries, self.backoff, self.key_env = retries, backoff, key_env
        self.rng = random.Random()  # for the waits only
        self.room = ResponseRoom()
        self.ssl_context = httpx.create_ssl_context()
        self.log_filter = RedactingFilter(self.redact)
        self.log_filter.start_redaction()
        self.loop = asyncio.new_event_loop()
        self.closed = False
        self.thread = Thread(target=self._run_loop, name="servers", daemon=True)
        self.thread.start()

    @abstractmethod
    def encode_call(self, request: RequestT) -> tuple[str, bytes]:
        """Return the path under the base URL and the body of a request."""

    @abstractmethod
    def parse_answer(self, request: RequestT, answer: Any) -> ResultT:
        """Return what the JSON of a response says; any usual error of reading means that it is not as agreed."""

    @abstractmethod
    def build_failure(self, status: str) -> ResultT:
        """Return the result of a request that failed, with the status that says why."""

    def run(self, pending: deque[RequestT]) -> Iterator[tuple[RequestT, ResultT]]:
        """Keep ``concurrency`` requests in flight until the queue is empty and all have finished.

        Raises:
            EngineError: the servers refuse the key, the model or the address, or all are unreachable.
        """
        inbox: asyncio.Queue[RequestT] = asyncio.Queue()
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
                    raise find_loop_error(work, self.what) from None
                in_flight -= 1
                yield outcome
        finally:
            work.cancel()  # the caller has stopped reading, or all have finished

    def close(self) -> None:
        """Cancel the requests in flight and close the connections."""
        if not self.closed:
            self.closed = True
            self.log_filter.stop_redaction()
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

    async def _serve_requests(
        self, inbox: asyncio.Queue[RequestT], put: Callable[[tuple[RequestT, ResultT]], None]
    ) -> None:
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

    async def _complete_request(self, client: httpx.AsyncClient, request: RequestT) -> ResultT:
        path, body = self.encode_call(request)
        why = ""
        for attempt in range(self.retries + 1):
            if attempt:
                await asyncio.sleep(draw_backoff(attempt, self.backoff, self.rng))
            async with self.servers.claim_server() as server:
                try:
                    result = await self._send_request(client, server, path, body, request)
                except LostResponseError as lost:
                    why = self.redact_message(str(lost))
                    self.servers.record_failure(server, f"{server.url}: {why}", lost.wait, lost.gone, lost.responded)
                else:
                    self.servers.record_success(server)
                    return result
        return self.build_failure(f"no answer in {self.retries + 1} attempts; the last: {why}")

    async def _send_request(
        self, client: httpx.AsyncClient, server: Server, path: str, body: bytes, request: RequestT
    ) -> ResultT:
        """Send a request once.

        Raises:
            LostResponseError: it may be sent again.
            EngineError: no other request would succeed either.
        """
        try:
            async with asyncio.timeout(self.timeout):
                headers = {"Content-Type": "application/json", **server.headers}
                call = client.build_request("POST", server.url + path, content=body, headers=headers)
                watch = Stopwatch()
                answer = await client.send(call, stream=True)
                content = await read_response_body(answer, self.room)
                span = watch.elapsed
        except TimeoutError:
            raise LostResponseError(f"no answer within {self.timeout:g} s") from None
        except httpx.RequestError as error:
            gone = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            why = self.redact_message(str(error)) or type(error).__name__
            raise LostResponseError(why, gone=gone, responded=False) from None
        status = answer.status_code
        if answer.is_success:
            try:
                return add_time_span(self.parse_answer(request, parse_answer_json(content)), span)
            except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
                raise LostResponseError("an answer that is truncated or does not follow the protocol") from None
        # Not `answer.text`: its encoding is named by the server, and 'base64' does not decode to text.
        body_said = parse_error_message(content.decode("utf-8", "replace"))
        why = self.redact_message(body_said) or self.redact_message(answer.reason_phrase)
        message = f"HTTP {status}: {cut_message(why)}"
        if status in RETRIED_STATUSES or answer.is_server_error:
            raise LostResponseError(message, parse_retry_after(answer.headers.get("Retry-After"), time.time()))
        if status in REFUSED_STATUSES:
            return add_time_span(self.build_failure(f"refused: {message}"), span)
        if status in (401, 403):
            key = "rejects the key" if server.headers else "requires a key"
            raise EngineError(
                f"{server.url} {key}; it is read from the environment variable {self.key_env} ({message})."
            )
        raise EngineError(f"{server.url + path} does not serve the model '{self.model}' ({message}).")

    def redact_message(self, words: str) -> str:
        """Return a message of a server or the network in a form that may be shown and logged."""
        return redact_message(words, self.redact)

    async def _test_server(self, server: Server) -> str | None:
        try:
            async with (
                asyncio.timeout(min(CONNECT_SECONDS, self.timeout)),
                self.build_client() as client,
                client.stream("GET", f"{server.url}/models", headers=server.headers) as answer,
            ):
                pass  # any response will do; its body is not read
        except (TimeoutError, httpx.RequestError) as error:
            return f"{server.url}: {self.redact_message(str(error)) or type(error).__name__}"
        return f"{server.url}: HTTP {answer.status_code}" if answer.is_server_error else None


class ResponseRoom:
    """The memory of the responses that are being read; ``taken`` are the bytes that have come."""

    def __init__(self) -> None:
        self.taken = 0


async def read_response_body(answer: httpx.Response, room: ResponseRoom | None = None) -> bytearray:
    """Return the body of a response, and release its connection.

    Args:
        answer: the response.
        room: the memory that it shares with others.

    Raises:
        LostResponseError: the body is too long, or there is no room for it: it would fill the memory.
    """
    content = bytearray()
    room = room or ResponseRoom()
    try:
        async for piece in answer.aiter_bytes():
            content += piece
            room.taken += len(piece)
            if len(content) > LONGEST_RESPONSE_BYTES:
                raise LostResponseError(f"an answer of more than {LONGEST_RESPONSE_BYTES:,} bytes")
            if not fits_memory(room.taken, RESPONSES_GIB):
                raise LostResponseError(f"answers of more than {RESPONSES_GIB:g} GiB at once")
    finally:
        room.taken -= len(content)
        await answer.aclose()
    return content


def find_loop_error(work: Future[None], what: str) -> BaseException:
    """Return the exception that ended the event loop's work; an EngineError, written for users, comes before others."""
    error = (
        EngineError(f"The {what} was closed while its answers were being read.")
        if work.cancelled()
        else work.exception()
    )
    while isinstance(error, BaseExceptionGroup):
        error = next((e for e in error.exceptions if isinstance(e, EngineError)), error.exceptions[0])
    assert error is not None, "the workers never return"
    return error
