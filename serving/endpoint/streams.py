"""Answers in the form of OpenAI's chat completions, whole and as chunks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

from isocompute.serving.endpoint.chunks import StreamedText
from isocompute.serving.endpoint.passing import encode_event

CHUNK_LETTERS = 256
"""Characters of a chunk of the chosen text."""

KEEP_ALIVE = b": sampling\n\n"
"""A comment, which clients skip, sent while an answer is sampled."""

DONE = b"data: [DONE]\n\n"


def build_completion(model: str, text: StreamedText, usage: dict[str, int], own: dict[str, Any]) -> dict[str, Any]:
    """Return a chat completion.

    Args:
        model: the name that the client asked for.
        text: the chosen completion.
        usage: tokens of all calls.
        own: the field ``isocompute``.
    """
    message = {"role": "assistant", "content": text.text}
    if text.reasoning:
        message["reasoning_content"] = text.reasoning
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": text.finish_reason or "stop"}
    return {**build_head("chat.completion", model), "choices": [choice], "usage": usage, "isocompute": own}


def write_chunks(model: str, text: StreamedText, usage: dict[str, int] | None, own: dict[str, Any]) -> Iterator[bytes]:
    """Yield the events of a stream, without the last one, ``[DONE]``.

    The field ``isocompute`` is in the chunk with the finish reason. Usage has a chunk of its own, if it is asked for.

    Args:
        model: the name that the client asked for.
        text: the chosen completion.
        usage: tokens of all calls; None if the client did not ask for them.
        own: the field ``isocompute``.
    """
    head = build_head("chat.completion.chunk", model)

    def encode_delta(delta: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return encode_event({**head, "choices": [choice], **more})

    yield encode_delta({"role": "assistant", "content": ""})
    for name, whole in (("reasoning_content", text.reasoning), ("content", text.text)):
        for at in range(0, len(whole), CHUNK_LETTERS):
            yield encode_delta({name: whole[at : at + CHUNK_LETTERS]})
    yield encode_delta({}, text.finish_reason or "stop", isocompute=own)
    if usage is not None:
        yield encode_event({**head, "choices": [], "usage": usage})


def build_head(kind: str, model: str) -> dict[str, Any]:
    """Return the fields that begin every object of an answer."""
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": model}
