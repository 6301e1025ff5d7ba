"""Answers of servers that are no streams, received within limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from isocompute.limits import LONGEST_TEXT
from isocompute.runners.documents import estimate_json_bytes, parse_answer_json
from isocompute.runners.engines.openai_protocol import parse_completion
from isocompute.serving.endpoint.chunks import StreamedText
from isocompute.serving.endpoint.memory import MemoryShare, TooLargeError

if TYPE_CHECKING:
    import aiohttp

PIECE_BYTES = 2**16
"""Bytes of an answer that are read at once, so that no answer keeps the others waiting."""

MOST_ANSWER_BYTES = 32 * 2**20
"""Bytes of the longest answer that is no stream."""

MOST_ANSWER_VALUES_BYTES = 2**28
"""Bytes of memory that the text and the values of such an answer may take."""

MOST_RECEIVED_BYTES = 512 * 2**20
"""Bytes of all answers that are being received, of streams only their texts."""


async def read_pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the body of a response as it comes; after a full piece, other work gets a turn."""
    async for piece in answer.content.iter_chunked(PIECE_BYTES):
        yield piece
        if len(piece) == PIECE_BYTES:
            await asyncio.sleep(0)


async def read_beginning(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """Return at most so many bytes of the body of a response."""
    content = bytearray()
    async for piece in read_pieces(answer):
        content += piece
        if len(content) > most:
            break
    return bytes(content[:most])


async def read_json(answer: aiohttp.ClientResponse, share: MemoryShare) -> Any:
    """Return the JSON of a response.

    Args:
        answer: the response.
        share: the memory for it.

    Raises:
        TooLargeError: it is over a limit.
        ValueError: it is not JSON.
    """
    content = bytearray()
    async for piece in read_pieces(answer):
        content += piece
        if len(content) > MOST_ANSWER_BYTES:
            raise TooLargeError(f"an answer of more than {MOST_ANSWER_BYTES:,} bytes")
        if not share.set_size(len(content)):
            raise TooLargeError(f"answers of more than {share.pool.most:,} bytes at once")
    if estimate_json_bytes(content) > MOST_ANSWER_VALUES_BYTES:
        raise TooLargeError(f"an answer whose values would take more than {MOST_ANSWER_VALUES_BYTES:,} bytes of memory")
    return parse_answer_json(content)


def parse_whole(answer: Any) -> StreamedText:
    """Return the completion of a server that answers a streamed request with one JSON object.

    Raises:
        TooLargeError: its text is too long.
        ValueError: it does not follow the protocol.
    """
    try:
        completion = parse_completion(answer)
        choice = answer["choices"][0]
        message = choice.get("message") or {}
        thinking = message.get("reasoning_content") or message.get("reasoning") or ""
        text, thinking = str(choice.get("text") or message.get("content") or ""), str(thinking)
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        raise ValueError("an answer that does not follow the protocol") from None
    if len(text) + len(thinking) > LONGEST_TEXT:
        raise TooLargeError(f"a text of more than {LONGEST_TEXT:,} characters")
    if completion.status != "ok":
        return StreamedText("", "", None, None, 0, False, False, completion.status)
    tokens = completion.completion_tokens
    counted = tokens is not None
    return StreamedText(
        text,
        thinking,
        completion.finish_reason or "stop",
        completion.prompt_tokens,
        tokens or 0,
        counted,
        True,
    )
