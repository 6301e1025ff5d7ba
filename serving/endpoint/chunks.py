"""A completion read from a stream as it comes: its text, its end and its tokens."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from isocompute.limits import LONGEST_TEXT
from isocompute.runners.documents import estimate_json_bytes
from isocompute.runners.engines.openai_protocol import BROKEN_OFF, parse_usage, replace_surrogates
from isocompute.serving.endpoint.memory import MemoryPool, MemoryShare, TooLargeError

MOST_STREAM_BYTES = 64 * 2**20
"""Bytes of the longest stream. They are not kept; a chunk of a token with 20 probabilities has 2,000."""

MOST_STREAM_CHUNKS = 2**19
LONGEST_STREAM_LINE = 16 * 2**20
MOST_CHUNK_VALUES_BYTES = 2**27
"""Bytes of memory that the values of the chunks that are parsed at once may take."""

PARSED_BYTES = 2**16
"""Bytes of a stream that are parsed at once. Many chunks at once take half the time of one after the other."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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


class CompletionStream:
    """A stream that is being received. Of what was parsed, only the text is kept.

    Args:
        share: the memory for it.
    """

    def __init__(self, share: MemoryShare) -> None:
        self.share = share
        self.unread, self.read_to = bytearray(), 0  # `read_to`: the end of the last whole line in `unread`
        self.received = self.chunks = self.pieces = self.letters = self.kept = 0
        self.texts: list[str] = []
        self.thoughts: list[str] = []
        self.reason: Any = None
        self.usage: Any = None
        self.error: str | None = None
        self.is_done = False

    def add_piece(self, piece: bytes, batch: int = PARSED_BYTES) -> list[Any]:
        """Take the next bytes; return the chunks that were parsed.

        Args:
            piece: the bytes.
            batch: the bytes of whole lines from which on they are parsed.

        Raises:
            TooLargeError: the stream is over a limit.
            ValueError: it does not follow the protocol.
        """
        self.received += len(piece)
        if self.received > MOST_STREAM_BYTES:
            raise TooLargeError(f"an answer of more than {MOST_STREAM_BYTES:,} bytes")
        if (end := piece.rfind(b"\n")) >= 0:
            self.read_to = len(self.unread) + end + 1
        self.unread += piece
        if len(self.unread) - self.read_to > LONGEST_STREAM_LINE:
            del self.unread[self.read_to :]
            raise TooLargeError(f"a line of more than {LONGEST_STREAM_LINE:,} bytes")
        if not self.share.set_size(len(self.unread) + self.kept):
            raise TooLargeError(f"answers of more than {self.share.pool.most:,} bytes at once")
        if self.read_to < batch:
            return []
        return self._read_lines(self._take_lines())

    def finish(self) -> list[Any]:
        """Parse what is left, where the last chunk may be cut; return its chunks.

        Raises:
            TooLargeError, ValueError: as `add_piece`.
        """
        chunks = self._read_lines(self._take_lines())
        last = bytes(self.unread)
        self.unread.clear()
        try:
            return chunks + self._read_lines(last)
        except ValueError:
            return chunks

    def build_text(self) -> StreamedText:
        """Return the completion as far as it was parsed."""
        text, reasoning = replace_surrogates("".join(self.texts)), replace_surrogates("".join(self.thoughts))
        reason, error = self.reason, self.error
        prompt, _, sampled = parse_usage(self.usage, text + reasoning)
        if reason in BROKEN_OFF:
            error = error or f"the server ended the text for the reason '{reason}'"
        return StreamedText(
            text,
            reasoning,
            reason,
            prompt,
            self.pieces if sampled is None else sampled,
            sampled is not None,
            self.is_done or reason is not None,
            error,
        )

    def build_part(self) -> StreamedText | None:
        """Return what was received of a stream that broke off; None if no chunk of it can be read."""
        with suppress(ValueError, TooLargeError):  # what came before counts
            self._read_lines(self._take_lines())
        return self.build_text() if self.chunks else None

    def _take_lines(self) -> bytes:
        """Return the whole lines that were not parsed yet, and forget them."""
        lines = bytes(memoryview(self.unread)[: self.read_to])
        del self.unread[: self.read_to]
        self.read_to = 0
        return lines

    def _read_lines(self, content: bytes) -> list[Any]:
        if not self.chunks and content.startswith(BYTE_ORDER_MARK):
            content = content[len(BYTE_ORDER_MARK) :]
        lines = [line[5:].strip() for line in content.split(b"\n") if line.startswith(b"data:")]
        if not lines:
            return []
        is_done = lines[-1] == b"[DONE]"
        lines = [line for line in lines if line and line != b"[DONE]"]
        if self.chunks + len(lines) > MOST_STREAM_CHUNKS:
            raise TooLargeError(f"an answer of more than {MOST_STREAM_CHUNKS:,} chunks")
        chunks = load_chunks(lines)
        self._join_chunks(chunks)
        self.chunks += len(chunks)
        self.is_done = is_done
        return chunks

    def _join_chunks(self, chunks: list[Any]) -> None:
        """Add the text of parsed chunks, and what they say of its end and its tokens.

        Raises:
            TooLargeError: the text is too long.
            ValueError: a chunk does not follow the protocol.
        """
        texts: list[str] = []
        thoughts: list[str] = []
        reason, usage, error, pieces = None, None, None, 0
        try:
            for chunk in chunks:
                if chunk.get("error") is not None:
                    said = chunk["error"]
                    error = str(said.get("message", "") if isinstance(said, dict) else said)
                    error = error or "an error without a message"
                usage = chunk.get("usage") or usage
                for choice in chunk.get("choices", ())[:1]:
                    delta = choice.get("delta") or {}
                    piece = choice.get("text") or delta.get("content") or ""
                    thought = delta.get("reasoning_content") or delta.get("reasoning") or ""
                    pieces += bool(piece or thought)
                    texts.append(piece)
                    thoughts.append(thought)
                    reason = choice.get("finish_reason") or reason
            joined = ["".join(texts), "".join(thoughts)]
            reason = None if reason is None else replace_surrogates(reason)
        except (AttributeError, TypeError, KeyError):
            raise ValueError("a chunk that does not follow the protocol") from None
        self.letters += len(joined[0]) + len(joined[1])
        if self.letters > LONGEST_TEXT:
            raise TooLargeError(f"a text of more than {LONGEST_TEXT:,} characters")
        self.texts.append(joined[0])
        self.thoughts.append(joined[1])
        self.kept += sys.getsizeof(joined[0]) + sys.getsizeof(joined[1])
        self.reason, self.usage, self.error = reason or self.reason, usage or self.usage, error or self.error
        self.pieces += pieces


def parse_stream(raw: bytes) -> StreamedText:
    r"""Return what the bytes of a stream hold, which may end anywhere.

    >>> part = b'data: {"choices": [{"delta": {"content": "4"}, "finish_reason": null}]}\n\n'
    >>> parse_stream(part).text, parse_stream(part).is_complete, parse_stream(part + b"data: [DONE]\n\n").is_complete
    ('4', False, True)

    Raises:
        TooLargeError: it is over a limit.
        ValueError: it does not follow the protocol.
    """
    with MemoryPool(MOST_STREAM_BYTES).open_share() as share:
        stream = CompletionStream(share)
        stream.add_piece(raw)
        stream.finish()
        return stream.build_text()


def load_chunks(lines: list[bytes]) -> list[Any]:
    """Return the JSON of a stream's chunks, read at once: `orjson` takes half the time, and refuses halves of letters.

    Raises:
        ValueError: one is not JSON, nested too deeply, or would take too much memory.
    """
    content = b"[" + b",".join(lines) + b"]"
    if estimate_json_bytes(content) > MOST_CHUNK_VALUES_BYTES:
        raise ValueError("chunks whose values would take too much memory")
    try:
        chunks = orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            chunks = json.loads(content)
        except RecursionError:
            raise ValueError("a chunk that is nested too deeply") from None
    return chunks  # type: ignore[no-any-return]
