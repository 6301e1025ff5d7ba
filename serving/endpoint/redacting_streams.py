"""Keys in a stream that is passed through, where a key may be split over the texts of several chunks.

A chunk is held back while the end of its text may be the beginning of a key. Other chunks are handed on at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from isocompute.serving.endpoint.redacting import AnswerRedactor

MOST_HELD_CHUNKS = 64
"""Chunks that are held back at most."""

MOST_TEXTS = 1024
"""Texts of a stream that grow side by side: those of its choices, their thinking and their tools' arguments."""

WHOLE_FIELDS = ("role", "id", "type", "object")
"""The fields of a delta whose text does not go on in the next chunk."""

Place = tuple[dict[str, Any], str, dict[str, Any]]
"""A text in a chunk: the object that holds it, the name of its field, and the choice."""


@dataclass
class GrowingText:
    """A text that grows from chunk to chunk.

    Args:
        tail: its end so far, if a key may begin so; empty if not.
        places: where the tail stands in the chunks that are held back.
    """

    tail: str = ""
    places: list[Place] = field(default_factory=list)

    def remove_tail(self) -> None:
        """Remove the tail from the chunks that are held back."""
        left = len(self.tail)
        for owner, name, _ in reversed(self.places):
            taken = min(left, len(owner[name]))
            owner[name] = owner[name][: len(owner[name]) - taken]
            left -= taken


class StreamRedactor:
    """Takes the chunks of one stream, and returns each without keys as soon as it can be shown.

    Args:
        redactor: finds keys in one chunk.
    """

    def __init__(self, redactor: AnswerRedactor) -> None:
        self.redactor = redactor
        self.held: list[dict[str, Any]] = []
        self.texts: dict[tuple[object, ...], GrowingText] = {}

    def add_chunk(self, chunk: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the chunks that can be shown by now, in order.

        Raises:
            AttributeError, TypeError, ValueError, RecursionError: the chunk does not follow the protocol.
        """
        chunk = self.redactor.redact_answer(chunk)
        if not self.redactor.keys:
            return [chunk]
        self.held.append(chunk)
        for choice in chunk.get("choices") or ():
            self._search_choice(choice)
        if len(self.texts) > MOST_TEXTS:
            raise ValueError("too many texts")
        is_open = any(text.places for text in self.texts.values())
        return [] if is_open and len(self.held) <= MOST_HELD_CHUNKS else self.release_chunks()

    def release_chunks(self) -> list[dict[str, Any]]:
        """Return the chunks that are held back, at the end of the stream or when they are too many."""
        released, self.held = self.held, []
        for text in self.texts.values():
            text.places.clear()
        return released

    def _search_choice(self, choice: dict[str, Any]) -> None:
        """Search the texts of a choice, each with what came before; a text ends where another one goes on."""
        index = choice.get("index") if type(choice.get("index")) is int else 0
        found = set()
        for path, owner, name in list_texts(choice):
            key = (index, *path)
            found.add(key)
            self._search_text(self.texts.setdefault(key, GrowingText()), owner, name, choice)
        if found or choice.get("finish_reason"):
            for key, text in self.texts.items():
                if text.places and key[0] == index and (key not in found or choice.get("finish_reason")):
                    text.places.clear()

    def _search_text(self, text: GrowingText, owner: dict[str, Any], name: str, choice: dict[str, Any]) -> None:
        piece = owner[name]
        whole = text.tail + piece
        redacted = self.redactor.redact_text(whole)
        if redacted != whole:
            for *_, other in (*text.places, (owner, name, choice)):
                if other.get("logprobs"):
                    other["logprobs"] = None  # their tokens spell the key
            if redacted.startswith(text.tail):
                piece = redacted[len(text.tail) :]
            else:
                text.remove_tail()
                piece, text.places = redacted, []
            owner[name] = piece
        length = self.redactor.measure_key_start(redacted)
        text.tail = redacted[len(redacted) - length :]
        if length <= len(piece):
            text.places.clear()
        if length:
            text.places.append((owner, name, choice))


def list_texts(choice: dict[str, Any]) -> Iterator[tuple[tuple[object, ...], dict[str, Any], str]]:
    """Yield each text of a choice that goes on in the next chunk: its path, the object that holds it, and its name.

    >>> [path for path, _, _ in list_texts({"index": 0, "delta": {"role": "assistant", "content": "a"}})]
    [('delta', 'content')]
    """
    if isinstance(choice.get("text"), str) and choice["text"]:
        yield ("text",), choice, "text"
    waiting: list[tuple[tuple[object, ...], Any]] = [(("delta",), choice.get("delta"))]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, list):
            for i, each in enumerate(value):
                place = each.get("index") if isinstance(each, dict) else None
                waiting.append(((*path, place if type(place) is int else i), each))
        elif isinstance(value, dict):
            for name, each in value.items():
                if isinstance(each, str):
                    if each and name not in WHOLE_FIELDS:
                        yield (*path, name), value, name
                else:
                    waiting.append(((*path, name), each))
