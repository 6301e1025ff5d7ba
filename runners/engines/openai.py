"""The engine for servers with OpenAI's protocol: vLLM's, SGLang, llama.cpp's or a hosted one.

Settings that a request leaves out are the server's: llama.cpp cuts to the 40 likeliest tokens and to ``min_p`` 0.05,
vLLM takes the model's ``generation_config.json``. Set such fields with ``extra``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from isocompute.runners.engines.base import Completion, Request
from isocompute.runners.engines.openai_protocol import encode_request, parse_redacted_completion
from isocompute.runners.engines.server_client import ServerClient


class OpenAIEngine(ServerClient[Request, Completion]):
    """A model behind one or several servers, as an `Engine`.

    A seed is sent as seed mod (2**31 − 1), which every server accepts; whether the same seed gives the same text
    depends on the server. If a server does not report probabilities, `Completion.tokens` is None. If a server separates
    the thinking from a chat's answer, the text is put together again: ``<think>``, the thinking, ``</think>``, the
    answer.

    Args:
        model: the name that the server gives the model.
        urls: base URLs such as ``http://localhost:8000/v1``; several are used side by side.
        concurrency: requests in flight at once, over all servers.
        timeout: seconds until a response must be complete.
        retries: number of times a request is sent again after a 408, 409, 429, 5xx, a dropped connection, a timeout or
            a truncated response, before it becomes a failed row.
        patience: seconds without a success, while all servers are set aside, after which the engine gives up.
        backoff: most seconds of the first wait before a retry, and seconds of a failing server's first rest; both
            double up to a minute.
        key_env: environment variable that holds the key; if it is not set, no key is sent.
        extra: fields of the request's body, such as ``top_k``; they override those set here, and null removes a field.

    Raises:
        ConfigError: an option is out of its range, or a URL is invalid.
    """

    def __init__(
        self,
        model: str,
        urls: str | Sequence[str] = (),
        concurrency: int = 64,
        timeout: float = 3600.0,
        retries: int = 8,
        patience: float = 900.0,
        backoff: float = 1.0,
        key_env: str = "OPENAI_API_KEY",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__("engine 'openai'", model, urls, concurrency, timeout, retries, patience, backoff, key_env)
        self.extra = dict(extra or {})
        json.dumps(self.extra)  # raises a TypeError now rather than during a run

    def encode_call(self, request: Request) -> tuple[str, bytes]:
        """Return the path and the body of a request for a completion."""
        return encode_request(request, self.model, self.extra)

    def parse_answer(self, request: Request, answer: Any) -> Completion:
        """Return the completion in a response, without secrets in its text or status."""
        return parse_redacted_completion(answer, request.sampling, self.redact_message, self.redact_text)

    def build_failure(self, status: str) -> Completion:
        """Return a completion without text, with the status that says why."""
        return Completion(None, None, None, None, None, status)
