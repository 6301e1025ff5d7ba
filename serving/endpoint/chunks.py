"""A completion read from the bytes of a stream: its text, its end and its tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import orjson

from isocompute.limits import DOCUMENT_GIB, fits_memory
from isocompute.runners.documents import estimate_json_bytes
from isocompute.runners.engines.openai_protocol import BROKEN_OFF, parse_usage, replace_surrogates


@dataclass(frozen=True)
class StreamedText:
    """The part of a completion that was received.

    Args:
        text: its text so far.
        reasoning: thinking that the server separates from the text; empty if there is none.
        finish_reason: why the text ended, in the server's word; None if it did not, or is not known.
        prompt_tokens: tokens of the prompt; None if the server did not report them.
        completion_tokens: sampled tokens; the chunks with text if the server did not report them.
        is_counted: whether the server reported the sampled tokens.
        is_complete: whether the stream came to its end.
        error: what the server says went wrong; None if nothing.
    """

    text: str
    reasoning: str
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int
    is_counted: bool
    is_complete: bool
    error: str | None = None


def parse_stream(raw: bytes) -> StreamedText:
    r"""Return what the bytes of a stream hold, which may end anywhere.

    >>> part = b'data: {"choices": [{"delta": {"content": "4"}, "finish_reason": null}]}\n\n'
    >>> parse_stream(part).text, parse_stream(part).is_complete, parse_stream(part + b"data: [DONE]\n\n").is_complete
    ('4', False, True)

    Raises:
        ValueError: it does not follow the protocol.
    """
    events: list[Any] = []
    lines = [line[5:].strip() for line in raw.split(b"\n") if line.startswith(b"data:")]
    is_done = bool(lines) and lines[-1] == b"[DONE]"
    lines = [line for line in lines if line and line != b"[DONE]"]
    try:
        events = load_events(lines)
    except RecursionError:
        raise ValueError("a chunk that is nested too deeply") from None
    except ValueError:  # the last chunk may be cut
        events = load_events(lines[:-1]) if not is_done else [None]
    return join_events(events, is_done)


def load_events(lines: list[bytes]) -> list[Any]:
    """Return the JSON of a stream's chunks, read at once: `orjson` takes half the time, and refuses halves of letters.

    Raises:
        ValueError: one is not JSON.
        RecursionError: one is nested too deeply.
    """
    content = b"[" + b",".join(lines) + b"]"
    if not fits_memory(estimate_json_bytes(content), DOCUMENT_GIB):
        raise ValueError("chunks whose values would take too much memory")
    try:
        events = orjson.loads(content)
    except orjson.JSONDecodeError:
        events = json.loads(content)
    return events  # type: ignore[no-any-return]


def join_events(events: list[Any], is_done: bool) -> StreamedText:
    """Return the completion that a list of chunks makes.

    Raises:
        ValueError: a chunk does not follow the protocol.
    """
    texts: list[str] = []
    thoughts: list[str] = []
    reason, usage, error, pieces = None, None, None, 0
    try:
        for event in events:
            if event.get("error") is not None:
                said = event["error"]
                error = str(said.get("message", "") if isinstance(said, dict) else said) or "an error without a message"
            usage = event.get("usage") or usage
            for choice in event.get("choices", ())[:1]:
                delta = choice.get("delta") or {}
                piece = choice.get("text") or delta.get("content") or ""
                thought = delta.get("reasoning_content") or delta.get("reasoning") or ""
                pieces += bool(piece or thought)
                texts.append(piece)
                thoughts.append(thought)
                reason = choice.get("finish_reason") or reason
        text, reasoning = replace_surrogates("".join(texts)), replace_surrogates("".join(thoughts))
        reason = None if reason is None else replace_surrogates(reason)
    except (AttributeError, TypeError, KeyError):
        raise ValueError("a chunk that does not follow the protocol") from None
    prompt, _, sampled = parse_usage(usage, text + reasoning)
    if reason in BROKEN_OFF:
        error = error or f"the server ended the text for the reason '{reason}'"
    return StreamedText(
        text,
        reasoning,
        reason,
        prompt,
        pieces if sampled is None else sampled,
        sampled is not None,
        is_done or reason is not None,
        error,
    )
