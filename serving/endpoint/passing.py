"""Requests that are passed through with a single call: those with tools, n > 1 or logprobs, and the policy ``off``."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from isocompute.runners.documents import parse_answer_json
from isocompute.runners.engines.openai_protocol import parse_usage
from isocompute.runners.engines.servers import Server
from isocompute.serving.endpoint.chunks import StreamedText, parse_stream
from isocompute.serving.endpoint.errors import UPSTREAM, ApiError
from isocompute.serving.endpoint.ledger import Ledger
from isocompute.serving.endpoint.upstream import (
    MOST_RESPONSE_BYTES,
    LostCallError,
    Upstream,
    parse_part,
    read_bounded,
)

CHAT_PATH = "/chat/completions"

Describe = Callable[[], dict[str, Any]]
"""Returns the field ``isocompute`` once the call is in the ledger."""


async def fetch_completion(upstream: Upstream, body: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
    """Return the server's own answer to a request, sent once.

    Raises:
        ApiError: it is refused, or no server answers.
    """
    content = json.dumps(body).encode()

    async def send_call(server: Server) -> dict[str, Any]:
        status, text = "cancelled", None
        try:
            async with upstream.open_response(server, CHAT_PATH, content) as response:
                raw = await read_bounded(response)
            try:
                answer = parse_answer_json(raw)
                if not isinstance(answer, dict) or not isinstance(answer["choices"], list):
                    raise ValueError("no choices")
                prompt, _, sampled = parse_usage(answer.get("usage"), "")
            except (ValueError, LookupError, RecursionError):
                raise LostCallError("an answer that does not follow the protocol") from None
            text = StreamedText("", "", "stop", prompt, sampled or 0, sampled is not None, True)
            status = "finished"
            return answer
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
    send: Callable[[bytes], Awaitable[None]],
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
    is_begun = False

    async def send_call(server: Server) -> None:
        nonlocal is_begun
        received, status = bytearray(), "cancelled"
        held: list[dict[str, Any]] = []
        try:
            async with upstream.open_response(server, CHAT_PATH, content) as response:
                rest = b""
                async for piece in response.content.iter_any():
                    received += piece
                    if len(received) > MOST_RESPONSE_BYTES:
                        raise LostCallError("an answer that is too long")
                    *lines, rest = (rest + piece).split(b"\n")
                    for chunk in map(parse_chunk, lines):
                        if chunk is None:
                            continue
                        choices = chunk.get("choices") or []
                        if choices and not held and not any(choice.get("finish_reason") for choice in choices):
                            is_begun = True
                            chunk.pop("usage", None)
                            await send(encode_event(chunk))
                        else:
                            held.append(chunk)  # the end of a choice, and what follows it
            upstream.check_completion(parse_stream(bytes(received)))
            status = "finished"
        except LostCallError as lost:
            status = "failed"
            if is_begun:
                raise ApiError(502, f"The answer broke off: {lost}.", UPSTREAM, code="upstream_broke_off") from None
            raise
        except (ValueError, AttributeError, TypeError):
            status = "failed"
            if is_begun:
                raise ApiError(
                    502, "The answer does not follow the protocol.", UPSTREAM, code="upstream_broke_off"
                ) from None
            raise LostCallError("an answer that does not follow the protocol") from None
        except ApiError:
            status = "failed"
            raise
        finally:
            upstream.record_call(ledger, status, parse_part(received))
        for i, chunk in enumerate(held):
            if i == 0:
                chunk["isocompute"] = describe()
            if chunk.get("choices"):
                chunk.pop("usage", None)
            if chunk.get("choices") or sends_usage:
                await send(encode_event(chunk))

    await upstream.retry_call(send_call)


def parse_chunk(line: bytes) -> dict[str, Any] | None:
    """Return the chunk of a line of a stream; None for other lines.

    Raises:
        ValueError: it is not a JSON object.
    """
    if not line.startswith(b"data:") or (payload := line[5:].strip()) in (b"", b"[DONE]"):
        return None
    try:
        chunk = json.loads(payload)
    except RecursionError:
        raise ValueError("a chunk that is nested too deeply") from None
    if not isinstance(chunk, dict):
        raise ValueError("a chunk that is not an object")
    return chunk


def encode_event(chunk: dict[str, Any]) -> bytes:
    """Return an event of a stream."""
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
