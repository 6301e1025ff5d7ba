"""Files of OpenAI's batch API: requests as lines of JSON, and their results; nothing here sends anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from isocompute.runners.documents import parse_answer_json
from isocompute.runners.engines.base import Completion, Request, build_failed_completion
from isocompute.runners.engines.openai_protocol import (
    encode_request,
    parse_error_message,
    parse_redacted_completion,
)
from isocompute.runners.engines.redaction import cut_message

MOST_REQUESTS = 50_000
"""The most requests of a batch, by the API's rule."""

MOST_BYTES = 200 * 10**6
"""The most bytes of a batch's file, by the API's rule of 200 MB."""

REFUSED_CODES = {400, 401, 403, 404, 413, 422}
"""Status codes of requests that would fail again."""

UNREADABLE = "an answer that is truncated or does not follow the protocol"


@dataclass(frozen=True)
class BatchRequest:
    """A request as a batch holds it.

    Args:
        name: its ``custom_id``: a digest of all that is sent and of the whole seed, of which only a part is sent. So
            it is known again by a later process.
        path: the path under the base URL; all requests of a batch have the same.
        body: the request's JSON.
    """

    name: str
    path: str
    body: bytes

    @property
    def line(self) -> bytes:
        """Its line in a batch's file."""
        head = json.dumps({"custom_id": self.name, "method": "POST", "url": f"/v1{self.path}"}).encode()
        return head[:-1] + b', "body": ' + self.body + b"}\n"


def encode_batch_request(request: Request, model: str, extra: Mapping[str, Any]) -> BatchRequest:
    """Return a request as a batch holds it.

    >>> from isocompute.runners.engines.base import Sampling
    >>> encode_batch_request(Request((), "2+2=", 7, Sampling()), "m", {}).line[:86]
    b'{"custom_id": "d61d043d8f616fef3bc78976", "method": "POST", "url": "/v1/completions", '
    """
    path, body = encode_request(request, model, extra)
    digest = blake2b(repr((path, request.seed)).encode() + body, digest_size=12)
    return BatchRequest(digest.hexdigest(), path, body)


def split_into_files(
    requests: Iterable[BatchRequest], most_requests: int = MOST_REQUESTS, most_bytes: int = MOST_BYTES
) -> Iterator[list[BatchRequest]]:
    """Yield the requests of each file; one that is larger than a file may be has a file of its own.

    >>> requests = [BatchRequest(name, "/completions", b"{}") for name in "abcde"]
    >>> [[request.name for request in file] for file in split_into_files(requests, most_requests=2)]
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    file: list[BatchRequest] = []
    size = 0
    for request in requests:
        length = len(request.line)
        if file and (len(file) >= most_requests or size + length > most_bytes or request.path != file[0].path):
            yield file
            file, size = [], 0
        file.append(request)
        size += length
    if file:
        yield file


@dataclass(frozen=True)
class BatchResult:
    """A line of a batch's results.

    Args:
        name: the ``custom_id`` of the request.
        body: the response, if the request succeeded.
        why: why it failed; empty if it did not.
        is_final: whether it would fail again.
    """

    name: str
    body: Any = None
    why: str = ""
    is_final: bool = False


def parse_result_line(line: bytes, redact: Callable[[str], str]) -> BatchResult | None:
    """Return what a line of an output or error file says; None if it names no request.

    Args:
        line: the line.
        redact: makes a server's own words safe to show.

    >>> parse_result_line(b'{"custom_id": "a", "response": {"status_code": 429, "body": {"error": "slow"}}}', str).why
    'HTTP 429: slow'
    >>> parse_result_line(b'{"custom_id": "a", "error": {"code": "batch_expired", "message": "late"}}', str).why
    'batch_expired: late'
    """
    try:
        read = parse_answer_json(line)
        name = read["custom_id"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not isinstance(name, str):
        return None
    response, error = read.get("response"), read.get("error")
    if isinstance(response, dict) and not error:
        code, body = response.get("status_code"), response.get("body")
        if code == 200:
            return BatchResult(name, body)
        message = cut_message(redact(parse_error_message(json.dumps(body))))
        refused = code in REFUSED_CODES
        return BatchResult(name, None, f"{'refused: ' if refused else ''}HTTP {code!s:.10}: {message}", refused)
    if isinstance(error, dict):
        words = ": ".join(str(error[key]) for key in ("code", "message") if error.get(key))
        return BatchResult(name, None, cut_message(redact(words)) or UNREADABLE)
    return BatchResult(name, None, UNREADABLE)


def parse_result(
    result: BatchResult, request: Request, redact: Callable[[str], str], redact_text: Callable[[str], str]
) -> Completion:
    """Return the completion in a result; a failure has a status that says why.

    Args:
        result: the result of the request.
        request: the request.
        redact: makes a server's own words safe to show.
        redact_text: removes secrets from a model's text.
    """
    if result.why:
        return build_failed_completion(result.why)
    try:
        return parse_redacted_completion(result.body, request.sampling, redact, redact_text)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
        return build_failed_completion(UNREADABLE)
