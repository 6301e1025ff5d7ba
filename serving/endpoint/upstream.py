"""Calls to the servers behind the endpoint: choice of a server, retries elsewhere, and cancellation.

Calls are streamed, so that one that is cancelled is known as far as it got. A client library is chosen by its cost:
`aiohttp` takes a third of the CPU time of `httpx` for the chunks of a stream (benchmarks/serve.py).
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp

from isocompute.runners.engines.openai_protocol import parse_error_message
from isocompute.runners.engines.servers import Server, draw_backoff, parse_retry_after
from isocompute.serving.endpoint.chunks import CompletionStream, StreamedText
from isocompute.serving.endpoint.errors import OVERLOADED, REFUSED, TIMEOUT, UPSTREAM, ApiError, LostCallError
from isocompute.serving.endpoint.ledger import Ledger
from isocompute.serving.endpoint.memory import MemoryPool, TooLargeError
from isocompute.serving.endpoint.receiving import parse_whole, read_beginning, read_json, read_pieces
from isocompute.serving.endpoint.redacting import AnswerRedactor

CONNECTING_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.5
BACKOFF_SECONDS = 0.1
"""Most seconds of the first wait before a retry; it doubles."""

FAILURES_BEFORE_PAUSE = 3
"""Failures in a row after which a server rests; one that refuses the connection rests at once."""

LONGEST_ERROR_BYTES = 2**16
LOST_STATUSES = {408, 409, 425, 429}
HANDED_ON_STATUSES = {400, 404, 413, 422}
COUNTING_OWNERS = ("vllm",)
"""The owners of models, as servers name them, that report the tokens with every chunk if they are asked to."""

Result = TypeVar("Result")


class Upstream:
    """The servers of one role.

    Args:
        role: ``solver``, ``verifier`` or ``scorer``.
        servers: the servers.
        session: the client.
        slots: bounds the calls at once, of all roles.
        timeout: seconds until a call must be complete.
        retries: how often a call is sent again.
        redactor: removes keys from answers.
        memory: the memory of all answers that are being received.
        record: takes each call that ended, for metrics: role, status and what was received.
    """

    def __init__(
        self,
        role: str,
        servers: Sequence[Server],
        session: aiohttp.ClientSession,
        slots: asyncio.Semaphore,
        timeout: float,
        retries: int,
        redactor: AnswerRedactor,
        memory: MemoryPool,
        record: Callable[[str, str, StreamedText | None], None],
    ) -> None:
        self.role, self.servers, self.session, self.slots = role, servers, session, slots
        self.timeout, self.retries, self.redactor, self.record = timeout, retries, redactor, record
        self.memory = memory
        self.rng = random.Random()  # for the waits only
        self.counts_chunks = False

    async def list_models(self) -> list[dict[str, Any]]:
        """Return the models of a server that answers.

        Raises:
            ApiError: 502, none answers.
        """
        why = ""
        for server in self._order_servers(set()):
            try:
                timeout = aiohttp.ClientTimeout(total=CONNECTING_SECONDS)
                async with self.session.get(
                    f"{server.url}/models", headers=server.headers, timeout=timeout, allow_redirects=False
                ) as answer:
                    if answer.status == 200:
                        with self.memory.open_share() as share:
                            listed = self.redactor.redact_value(await read_json(answer, share))["data"]
                        models = [each for each in listed if isinstance(each["id"], str)]
                        self.counts_chunks = any(each.get("owned_by") in COUNTING_OWNERS for each in models)
                        return models
                    why = f"HTTP {answer.status}"
            except (aiohttp.ClientError, TimeoutError, TooLargeError) as error:
                why = self.clean_message(str(error)) or type(error).__name__
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                why = "no list of models"
        raise ApiError(502, f"No {self.role} server lists its models: {why}.", UPSTREAM, code="upstream_unavailable")

    async def complete_call(
        self, path: str, body: dict[str, Any], ledger: Ledger, text_key: object = None
    ) -> StreamedText:
        """Return a completion, from whichever server gives it.

        Every attempt is recorded in the ledger, a cancelled one as far as it was received.

        Raises:
            ApiError: the request itself is refused, or no server gives an answer.
        """
        content = json.dumps(body | {"stream": True, "stream_options": self.list_stream_options()}).encode()

        async def send_call(server: Server) -> StreamedText:
            with self.memory.open_share() as share:
                stream, status, text = CompletionStream(share), "cancelled", None
                try:
                    text = await self._receive_completion(server, path, content, stream)
                    status = "finished"
                    return text
                except (LostCallError, ApiError):
                    status = "failed"
                    raise
                finally:
                    self.record_call(ledger, status, text or stream.build_part(), text_key)

        return await self.retry_call(send_call)

    def list_stream_options(self) -> dict[str, bool]:
        """Return the options that make a server report the tokens of a stream."""
        return {"include_usage": True} | ({"continuous_usage_stats": True} if self.counts_chunks else {})

    def record_call(
        self, ledger: Ledger, status: str, text: StreamedText | None, text_key: object = None, read: int = 0
    ) -> None:
        """Record a call that ended, in a ledger and in the metrics."""
        ledger.record_call(self.role, status, text, text_key, read)
        self.record(self.role, status, text)

    async def retry_call(self, send_call: Callable[[Server], Awaitable[Result]]) -> Result:
        """Return what a function gives for a server, trying others while it is lost.

        Raises:
            ApiError: the function's own, or no server gave an answer.
        """
        tried: set[str] = set()
        lost = LostCallError("no server")
        for attempt in range(self.retries + 1):
            if attempt:
                await asyncio.sleep(self._draw_wait(attempt, lost))
            async with self.claim_server(tried) as server:
                try:
                    result = await send_call(server)
                except LostCallError as error:
                    lost = error
                    record_failure(server, error)
                    tried.add(server.url)
                else:
                    server.failures_in_row, server.retry_at = 0, 0.0
                    return result
        raise self.build_lost_error(lost)

    def _draw_wait(self, attempt: int, lost: LostCallError) -> float:
        """Return the seconds before the next attempt; a server's own wish counts if no other server works."""
        wait = draw_backoff(attempt, BACKOFF_SECONDS, self.rng)
        if any(server.retry_at <= time.monotonic() for server in self.servers):
            return wait
        return max(wait, min(lost.wait or 0.0, LONGEST_PAUSE_SECONDS))

    @asynccontextmanager
    async def claim_server(self, tried: set[str]) -> AsyncIterator[Server]:
        """Yield the best server for a call, once there is room for it."""
        async with self.slots:
            server = self._order_servers(tried)[0]
            server.requests_in_flight += 1
            try:
                yield server
            finally:
                server.requests_in_flight -= 1

    def _order_servers(self, tried: set[str]) -> list[Server]:
        """Return the servers, the best first: not tried in vain, not resting, and the least busy."""
        now = time.monotonic()
        return sorted(self.servers, key=lambda each: (each.url in tried, each.retry_at > now, each.requests_in_flight))

    @asynccontextmanager
    async def open_response(self, server: Server, path: str, content: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a call once, and yield the response if its status is 200.

        Raises:
            LostCallError: there is no response, or it breaks off.
            ApiError: the server refuses the request.
        """
        try:
            async with self.session.post(
                server.url + path,
                data=content,
                headers={"Content-Type": "application/json", **server.headers},
                timeout=aiohttp.ClientTimeout(total=self.timeout, sock_connect=CONNECTING_SECONDS),
                allow_redirects=False,
            ) as answer:
                if answer.status != 200:
                    raise self.build_status_error(answer, await read_beginning(answer, LONGEST_ERROR_BYTES), server)
                yield answer
        except TimeoutError:
            raise LostCallError(f"no whole answer within {self.timeout:g} s", status=504) from None
        except aiohttp.ClientError as error:
            gone = isinstance(error, aiohttp.ClientConnectorError)
            raise LostCallError(self.clean_message(str(error)) or type(error).__name__, gone=gone) from None

    async def _receive_completion(
        self, server: Server, path: str, content: bytes, stream: CompletionStream
    ) -> StreamedText:
        """Send a call once; what comes is added to `stream`.

        Raises:
            LostCallError: there is no whole answer.
            ApiError: the server refuses the request.
        """
        try:
            async with self.open_response(server, path, content) as answer:
                if answer.content_type == "text/event-stream":
                    async for piece in read_pieces(answer):
                        stream.add_piece(piece)
                    stream.finish()
                    text = stream.build_text()
                else:
                    text = parse_whole(await read_json(answer, stream.share))
        except TooLargeError as error:
            raise LostCallError(str(error)) from None
        except ValueError:
            raise LostCallError("an answer that does not follow the protocol") from None
        self.check_completion(text)
        return self.redactor.redact_completion(text)

    def check_completion(self, text: StreamedText) -> None:
        """Check that a completion is whole.

        Raises:
            LostCallError: it is not.
        """
        if text.error is not None:
            raise LostCallError(self.clean_message(text.error))
        if not text.is_complete:
            raise LostCallError("an answer that was cut")

    def build_status_error(self, answer: aiohttp.ClientResponse, content: bytes, server: Server) -> Exception:
        """Return the error of a response that is not 200."""
        said = self.clean_message(parse_error_message(content.decode("utf-8", "replace"))) or f"HTTP {answer.status}"
        if answer.status in LOST_STATUSES or answer.status >= 500:
            wait = parse_retry_after(answer.headers.get("Retry-After"), time.time())
            return LostCallError(f"HTTP {answer.status}: {said}", wait, status=429 if answer.status == 429 else 502)
        if answer.status in HANDED_ON_STATUSES:
            return ApiError(answer.status, f"The {self.role} server refuses the request: {said}.", code=REFUSED)
        if answer.status in (401, 403):
            key = "rejects the key" if server.headers else "requires a key"
            return ApiError(502, f"The {self.role} server {key}.", UPSTREAM, code="upstream_key")
        return ApiError(
            502, f"The {self.role} server answers with HTTP {answer.status}.", UPSTREAM, code="upstream_status"
        )

    def build_lost_error(self, lost: LostCallError) -> ApiError:
        """Return the error of a call that no server answered."""
        kind = {429: OVERLOADED, 504: TIMEOUT}.get(lost.status, UPSTREAM)
        wait = max(1, round(min(lost.wait or 1.0, 60.0))) if lost.status == 429 else None
        attempts = "1 attempt" if self.retries == 0 else f"{self.retries + 1} attempts"
        return ApiError(
            lost.status, f"No {self.role} server answered in {attempts}; the last: {lost}.", kind,
            code="upstream_unavailable", retry_after=wait,
        )  # fmt: skip

    def clean_message(self, words: str) -> str:
        """Return a server's words without keys, on one line, in 300 characters."""
        words = " ".join(self.redactor.redact_words(words[:LONGEST_ERROR_BYTES]).split())
        shown = "".join(character for character in words if character.isprintable()).rstrip(".")
        return shown if len(shown) <= 300 else f"{shown[:300]} …"


def record_failure(server: Server, lost: LostCallError) -> None:
    """Record a failure of a server, which rests after too many: no call goes there while another server works."""
    server.failures_in_row += 1
    if lost.gone or lost.wait or server.failures_in_row >= FAILURES_BEFORE_PAUSE:
        rest = min(FIRST_PAUSE_SECONDS * 2 ** min(server.failures_in_row - 1, 10), LONGEST_PAUSE_SECONDS)
        server.retry_at = time.monotonic() + min(max(rest, lost.wait or 0.0), 60.0)
