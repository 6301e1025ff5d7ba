"""Keys in servers' answers: every answer is searched for them before it is shown.

Texts are searched for long keys, verbatim. The short words of a server, such as a finish reason, are searched for all
keys in all spellings, see `runners.engines.redaction`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from isocompute.runners.engines.redaction import (
    build_redactor,
    build_text_redactor,
    cut_message,
    list_text_keys,
    redact_message,
)
from isocompute.serving.endpoint.chunks import StreamedText

LABELS = ("id", "object", "model", "system_fingerprint", "service_tier", "finish_reason", "stop_reason")
"""The fields of an answer, or of a choice in it, that hold short words of the server."""

LONGEST_LABEL = 1000
"""Characters of a label that are read; 300 of them are shown."""


class AnswerRedactor:
    """Replaces keys in answers by ``***``.

    Args:
        secrets: the keys.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        secrets = set(secrets)
        self.redact_words = build_redactor(secrets)
        self.redact_text = build_text_redactor(secrets)
        self.keys = list_text_keys(secrets)
        self.encoded_keys = [json.dumps(key)[1:-1] for key in self.keys]
        self.has_secrets = bool(secrets)
        self.redact_label = lru_cache(256)(lambda label: cut_message(redact_message(label, self.redact_words)))

    def redact_completion(self, text: StreamedText) -> StreamedText:
        """Return a completion without keys."""
        if not self.has_secrets:
            return text
        reason = text.finish_reason and self.redact_label(text.finish_reason[:LONGEST_LABEL])
        return replace(
            text,
            text=self.redact_text(text.text),
            reasoning=self.redact_text(text.reasoning),
            finish_reason=reason,
        )

    def redact_answer(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return an answer, or a chunk of one, without keys in any field.

        A choice whose text held a key has no probabilities afterwards: their tokens spell the key too.

        Raises:
            AttributeError, TypeError, RecursionError: it does not follow the protocol.
        """
        if not self.has_secrets:
            return answer
        choices = answer.get("choices") or ()
        for owner in (answer, *choices):
            for name in LABELS:
                if isinstance(owner.get(name), str):
                    owner[name] = self.redact_label(owner[name][:LONGEST_LABEL])
        if not self.has_key(answer):
            return answer
        for choice in choices:
            if choice.get("logprobs") and self.has_key(choice):
                choice["logprobs"] = None
        redacted: dict[str, Any] = self.redact_value(answer)
        return redacted

    def has_key(self, value: Any) -> bool:
        """Return whether a text in a JSON value holds a key; its encoding is searched, since that is faster."""
        if not self.keys:
            return False
        encoded = json.dumps(value)
        return any(key in encoded for key in self.encoded_keys)

    def redact_value(self, value: Any) -> Any:
        """Return a JSON value without keys in its texts, names of fields included."""
        if isinstance(value, str):
            return self.redact_text(value)
        if isinstance(value, list):
            return [self.redact_value(each) for each in value]
        if isinstance(value, dict):
            return {self.redact_text(name): self.redact_value(each) for name, each in value.items()}
        return value

    def measure_key_start(self, text: str) -> int:
        """Return the length of the longest end of a text with which a key may begin.

        >>> AnswerRedactor(["sk-live-4242"]).measure_key_start("the key is sk-li")
        5
        """
        longest = 0
        for key in self.keys:
            at = text.find(key[0], max(0, len(text) - len(key) + 1))
            while at >= 0 and not key.startswith(text[at:]):
                at = text.find(key[0], at + 1)
            longest = max(longest, len(text) - at if at >= 0 else 0)
        return longest
