"""Requests that are passed through with a single call: those with tools, n > 1 or logprobs, and the policy ``off``."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from isocompute.runners.engines.openai_protocol import parse_usage
from isocompute.runners.engines.servers import Server
from isocompute.serving.endpoint.chunks import CompletionStream, StreamedText
from isocompute.serving.endpoint.errors import UPSTREAM, ApiError, LostCallError
from isocompute.serving.endpoint.ledger import Ledger
from isocompute.serving.endpoint.memory import MemoryShare, TooLargeError
from isocompute.serving.endpoint.receiving import read_json, read_pieces
from isocompute.serving.endpoint.redacting_streams import StreamRedactor
from isocompute.serving.endpoint.upstream import Upstream

CHAT_PATH = "/chat/completions"

PROTOCOL_ERRORS = (ValueError, LookupError, AttributeError, TypeError, RecursionError)
"""The exceptions of reading an answer that does not have the form."""

Describe = Callable[[], dict[str, Any]]
"""Returns the field ``isocompute`` once the call is in the ledger."""

Send = Callable[[bytes], Awaitable[None]]
"""Sends an event to the client."""


async def fetch_completion(upstream: Upstream, body: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
    """Return the server's own answer to a request, sent once.

    Raises:
        ApiError: it is refused, or no server answers.
    """
    content = json.dumps(body).encode()

    async def send_call(server: Server) -> dict[str, Any]:
        status, text = "cancelled", None
        try:
            with upstream.memory.open_share() as share:
                async with upstream.open_response(server, CHAT_PATH, content) as response:
                    answer = await read_json(response, share)
            if not isinstance(answer, dict) or not isinstance(answer["choices"], list):
                raise ValueError("no choices")
            prompt, _, sampled = parse_usage(answer.get("usage"), "")
            answer = upstream.redactor.redact_answer(answer)
            text = StreamedText("", "", "stop", prompt, sampled or 0, sampled is not None, True)
            status = "finished"
            return answer
        except TooLargeError as error:
            status = "failed"
            raise LostCallError(str(error)) from None
        except PROTOCOL_ERRORS:
            status = "failed"
            raise LostCallError("an answer that does not follow the protocol") from None
        except (LostCallError, ApiError):
            status = "failed"
            raise
        finally:
            upstream.record_call(ledger, status, text)

    return await upstream.retry_call(send_call)


async def stream_completion(
    upstream: Upstream,
    body: dict[str, Any],
    ledger: Ledger,
    sends_usage: bool,
    describe: Describe,
    send: Send,
) -> None:
    """Hand on the chunks of a server's stream as they come; the last one of a choice gets the field ``isocompute``.

    Another server is tried as long as no chunk was handed on.

    Args:
        upstream: the servers.
        body: the request's body.
        ledger: takes the call.
        sends_usage: whether the client asked for a chunk of usage.
        describe: returns the field.
        send: sends an event to the client.

    Raises:
        ApiError: it is refused, no server answers, or the stream breaks off.
    """
    content = json.dumps(body | {"stream": True, "stream_options": upstream.list_stream_options()}).encode()

    async def send_call(server: Server) -> None:
        with upstream.memory.open_share() as share, upstream.memory.open_share() as held:
            stream, status = CompletionStream(share), "cancelled"
            passed = PassedStream(StreamRedactor(upstream.redactor), sends_usage, held, send)
            why = ""
            try:
                async with upstream.open_response(server, CHAT_PATH, content) as response:
                    async for piece in read_pieces(response):
                        await passed.add_chunks(stream.add_piece(piece, batch=1))
                await passed.add_chunks(stream.finish())
                upstream.check_completion(stream.build_text())
                await passed.release_chunks()
                status = "finished"
            except ApiError:
                status = "failed"
                raise
            except (LostCallError, TooLargeError) as lost:
                status, why = "failed", f"The answer broke off: {lost}."
                if not passed.is_begun:
                    raise lost if isinstance(lost, LostCallError) else LostCallError(str(lost)) from None
            except PROTOCOL_ERRORS:
                status, why = "failed", "The answer does not follow the protocol."
                if not passed.is_begun:
                    raise LostCallError("an answer that does not follow the protocol") from None
            finally:
                upstream.record_call(ledger, status, stream.build_part())
            if status == "failed":
                raise ApiError(502, why, UPSTREAM, code="upstream_broke_off")
            await passed.send_end(describe)

    await upstream.retry_call(send_call)


class PassedStream:
    """The chunks of one stream on their way to the client. From the first end of a choice on, they are held back.

    Args:
        redactor: removes keys from them.
        sends_usage: whether the client asked for a chunk of usage.
        held: the memory of the chunks that are held back.
        send: sends an event to the client.
    """

    def __init__(self, redactor: StreamRedactor, sends_usage: bool, held: MemoryShare, send: Send) -> None:
        self.redactor, self.sends_usage, self.held, self.send = redactor, sends_usage, held, send
        self.is_begun = False
        self.end: dict[str, Any] | None = None
        self.after: list[bytes] = []
        self.usage = b""

    async def add_chunks(self, chunks: list[Any]) -> None:
        """Hand on chunks.

        Raises:
            TooLargeError: those that are held back take too much memory.
            ValueError, LookupError, AttributeError, TypeError, RecursionError: one does not follow the protocol.
        """
        for chunk in chunks:
            if not chunk.get("choices") and not (self.sends_usage and chunk.get("usage")):
                continue  # nothing for the client
            for each in self.redactor.add_chunk(chunk):
                await self._add_chunk(each)

    async def release_chunks(self) -> None:
        """Hand on the chunks that were searched for keys until the stream ended.

        Raises:
            LostCallError: there was no chunk with a choice.
        """
        for chunk in self.redactor.release_chunks():
            await self._add_chunk(chunk)
        if not self.is_begun and self.end is None:
            raise LostCallError("an answer without a text")

    async def send_end(self, describe: Describe) -> None:
        """Send what was held back, with the field ``isocompute``."""
        if self.end is not None:
            await self.send(encode_event({**self.end, "isocompute": describe()}))
        for event in (*self.after, self.usage):
            if event:
                await self.send(event)

    async def _add_chunk(self, chunk: dict[str, Any]) -> None:
        choices = chunk.get("choices") or []
        if not choices:
            self.usage = encode_event(chunk)
            return
        chunk.pop("usage", None)
        if self.end is not None:
            self.after.append(encode_event(chunk))
            if not self.held.set_size(self.held.size + len(self.after[-1])):
                raise TooLargeError(f"answers of more than {self.held.pool.most:,} bytes at once")
        elif any(choice.get("finish_reason") for choice in choices):
            self.end = chunk
        else:
            event = encode_event(chunk)
            self.is_begun = True
            await self.send(event)


def encode_event(chunk: dict[str, Any]) -> bytes:
    """Return an event of a stream."""
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
