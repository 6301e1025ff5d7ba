"""The body of a chat completion: checked, and split into what isocompute reads and what the server behind reads."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from isocompute.serving.endpoint.errors import ApiError
from isocompute.serving.endpoint.options import Options, read_options

MOST_MESSAGES = 2048
MOST_SAMPLES = 128
LONGEST_NAME = 200

OWN_FIELDS = ("isocompute", "stream", "stream_options", "n", "model", "messages")
"""The fields that are not handed on as they are."""

SPEAKERS = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True)
class ChatRequest:
    """A chat completion that a client asks for.

    Args:
        model: name of the model.
        messages: the conversation, as given.
        settings: the other fields that the server behind reads, such as ``temperature``, as given.
        options: the fields that isocompute reads.
        is_streamed: whether the answer is sent as a stream.
        sends_usage: whether the stream ends with a chunk of usage.
        passed_why: why it is passed through with a single call; None if it may be sampled.
        samples: the field ``n``.
    """

    model: str
    messages: list[dict[str, Any]]
    settings: dict[str, Any]
    options: Options
    is_streamed: bool = False
    sends_usage: bool = False
    passed_why: str | None = None
    samples: int = 1

    @property
    def last_user_text(self) -> str:
        """The text of the user's last message; empty if there is none."""
        for message in reversed(self.messages):
            if message["role"] == "user":
                return join_text(message.get("content"))
        return ""


def parse_body(content: bytes) -> dict[str, Any]:
    """Return the JSON object in a body.

    Raises:
        ApiError: 400, it is not UTF-8, not JSON, or not an object.
    """

    def refuse_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    try:
        body = json.loads(content.decode("utf-8"), parse_constant=refuse_constant)
    except UnicodeDecodeError:
        raise ApiError(400, "The body must be JSON in UTF-8.", code="invalid_json") from None
    except (ValueError, RecursionError):
        raise ApiError(400, "The body is not valid JSON.", code="invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The body must be a JSON object.", code="invalid_json")
    return body


def read_chat_request(body: Mapping[str, Any], headers: Mapping[str, str], now: float) -> ChatRequest:
    """Check the body of a chat completion.

    Only fields that isocompute reads itself are checked; the server behind checks the others.

    Args:
        body: the JSON object.
        headers: the request's headers, names in lower case.
        now: seconds since 1970.

    Raises:
        ApiError: 400, a field is missing, has the wrong type or is out of its range.
    """
    model = body.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= LONGEST_NAME:
        raise refuse_field("model", f"must be a text of 1 to {LONGEST_NAME} characters")
    for name, (is_valid, what) in FIELD_CHECKS.items():
        if body.get(name) is not None and not is_valid(body[name]):
            raise refuse_field(name, what)
    messages = read_messages(body.get("messages"))
    options = read_options(body.get("isocompute"), headers, now)
    is_streamed = bool(body.get("stream"))
    stream_options = body.get("stream_options") or {}
    if stream_options and not is_streamed:
        raise refuse_field("stream_options", 'is allowed only with "stream": true')
    return ChatRequest(
        model=model,
        messages=messages,
        settings={name: value for name, value in body.items() if name not in OWN_FIELDS and value is not None},
        options=options,
        is_streamed=is_streamed,
        sends_usage=bool(stream_options.get("include_usage")),
        passed_why=find_pass_reason(body),
        samples=body.get("n") or 1,
    )


def read_messages(messages: Any) -> list[dict[str, Any]]:
    """Return the messages of a conversation.

    Raises:
        ApiError: 400, there are none, or one has no role, or a content that is neither text nor parts.
    """
    if not isinstance(messages, list) or not 0 < len(messages) <= MOST_MESSAGES:
        raise refuse_field("messages", f"must be a list of 1 to {MOST_MESSAGES} messages")
    for i, message in enumerate(messages):
        if not isinstance(message, dict):
            raise refuse_field(f"messages[{i}]", "must be an object with role and content")
        if message.get("role") not in SPEAKERS:
            raise refuse_field(f"messages[{i}].role", f"must be one of {', '.join(SPEAKERS)}")
        content = message.get("content")
        is_parts = isinstance(content, list) and all(isinstance(part, dict) for part in content)
        if not (content is None or isinstance(content, str) or is_parts):
            raise refuse_field(f"messages[{i}].content", "must be a text or a list of parts")
        if content is None and message["role"] in ("system", "developer", "user"):
            raise refuse_field(f"messages[{i}].content", "must not be missing")
    return messages


def find_pass_reason(body: Mapping[str, Any]) -> str | None:
    """Return why a request cannot be sampled and voted over; None if it can.

    >>> find_pass_reason({"n": 2}), find_pass_reason({"temperature": 0.5}), find_pass_reason({"temperature": 0})
    ('n > 1', None, 'temperature 0, at which every sample is the same')
    """
    for name in ("tools", "functions"):
        if body.get(name):
            return name
    if (body.get("n") or 1) > 1:
        return "n > 1"
    if body.get("logprobs") or body.get("top_logprobs"):
        return "logprobs"
    if body.get("temperature") == 0:
        return "temperature 0, at which every sample is the same"
    return None


def join_text(content: Any) -> str:
    """Return the text of a message's content, which is a text or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def is_number_within(low: float, high: float) -> Callable[[Any], bool]:
    """Return a function that says whether a value is a finite number within a range."""

    def check_number(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return low <= value <= high and (isinstance(value, int) or math.isfinite(value))

    return check_number


def is_whole_within(low: int, high: int) -> Callable[[Any], bool]:
    """Return a function that says whether a value is a whole number within a range."""
    return lambda value: type(value) is int and low <= value <= high


def is_stop(value: Any) -> bool:
    """Return whether a value is a stop string, or a list of some."""
    stops = value if isinstance(value, list) else [value]
    return len(stops) <= 16 and all(isinstance(stop, str) and len(stop) <= 1000 for stop in stops)


FIELD_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "stream": (lambda value: isinstance(value, bool), "must be true or false"),
    "stream_options": (
        lambda value: isinstance(value, dict) and isinstance(value.get("include_usage", False), bool),
        'must be an object such as {"include_usage": true}',
    ),
    "n": (is_whole_within(1, MOST_SAMPLES), f"must be a whole number, 1 to {MOST_SAMPLES}"),
    "temperature": (is_number_within(0, 2), "must be a number, 0 to 2"),
    "top_p": (is_number_within(1e-9, 1), "must be a number above 0, at most 1"),
    "max_tokens": (is_whole_within(1, 10**7), "must be a whole number, 1 or more"),
    "max_completion_tokens": (is_whole_within(1, 10**7), "must be a whole number, 1 or more"),
    "seed": (is_whole_within(-(2**63), 2**63 - 1), "must be a whole number of 64 bits"),
    "stop": (is_stop, "must be a text, or a list of at most 16 texts"),
    "logprobs": (lambda value: isinstance(value, bool), "must be true or false"),
    "top_logprobs": (is_whole_within(0, 20), "must be a whole number, 0 to 20"),
    "presence_penalty": (is_number_within(-2, 2), "must be a number, -2 to 2"),
    "frequency_penalty": (is_number_within(-2, 2), "must be a number, -2 to 2"),
    "tools": (lambda value: isinstance(value, list), "must be a list"),
    "functions": (lambda value: isinstance(value, list), "must be a list"),
    "user": (lambda value: isinstance(value, str), "must be a text"),
    "logit_bias": (lambda value: isinstance(value, dict), "must be an object"),
    "response_format": (lambda value: isinstance(value, dict), "must be an object"),
    "metadata": (lambda value: isinstance(value, dict), "must be an object"),
}
"""Field → whether a value of it is valid, and what is valid."""


def refuse_field(param: str, what: str) -> ApiError:
    """Return the error of a field that is not valid."""
    return ApiError(400, f"{param} {what}.", param=param, code="invalid_value")
