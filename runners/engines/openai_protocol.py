"""Encoding of requests and parsing of responses in OpenAI's protocol; nothing here sends anything."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from isocompute.runners.engines.base import Completion, Request, Token

SEED_MODULUS = 2**31 - 1
"""Seeds are sent modulo this: some servers take 32 bits, some signed, and 2**32 − 1 is a random seed in llama.cpp."""

FINISH_REASONS = {
    "stop": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
}

UNKNOWN_STEP_END = (
    "the server does not say which string stopped a text, so the end of a step cannot be told from the end of a "
    "solution; vLLM's server does"
)
"""Status of a step completion from a server that a search cannot use."""


def encode_request(request: Request, model: str, extra: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return a request's path under the base URL and its body; ``extra`` overrides fields, and null removes one.

    >>> from isocompute.runners.engines.base import Sampling
    >>> encode_request(Request((), "2+2=", 7, Sampling(top_p=0.9, max_tokens=8)), "m", {"top_k": 5, "seed": None})
    ('/completions', b'{"model": "m", "temperature": 0.7, "top_p": 0.9, "max_tokens": 8, "prompt": "2+2=", "top_k": 5}')
    """
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": request.seed % SEED_MODULUS,
        "stop": list(sampling.stops) or None,
    }
    if request.chat:
        body["messages"] = [{"role": "user", "content": request.prompt}]
        if request.written:  # an extension of vLLM's server and SGLang
            body["messages"].append({"role": "assistant", "content": request.written})
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        if sampling.logprobs:
            body |= {"logprobs": True, "top_logprobs": sampling.logprobs}
    else:
        body |= {"prompt": request.prompt + request.written, "logprobs": sampling.logprobs or None}
    body = {name: value for name, value in (body | dict(extra)).items() if value is not None}
    return ("/chat/completions" if request.chat else "/completions"), json.dumps(body).encode()


def parse_completion(answer: Any, step: str | None = None, redact: Callable[[str], str] = str) -> Completion:
    """Parse the response to a request.

    Args:
        answer: JSON as a server sends it.
        step: the stop string that ends a step. The protocol does not say which string stopped a text; vLLM's server
            does, as ``stop_reason``.
        redact: makes a server's own words safe to show.

    Raises:
        LookupError, TypeError, ValueError, AttributeError, ArithmeticError: it is not a valid response.
    """
    choice, usage = answer["choices"][0], answer.get("usage")
    why = replace_surrogates(choice["finish_reason"])
    if why not in FINISH_REASONS:
        status = f"the server ended the text for the reason '{redact(why)[:80]}'"
        return Completion(None, *parse_usage(usage, ""), None, status)
    reason = FINISH_REASONS[why]
    if step is not None and reason == "stop":
        if "stop_reason" not in choice:
            return Completion(None, *parse_usage(usage, ""), None, UNKNOWN_STEP_END)
        reason = "step" if choice["stop_reason"] == step else reason
    message = choice.get("message")
    text = replace_surrogates(choice["text"] if message is None else restore_thinking(message))
    return Completion(text, *parse_usage(usage, text), reason, tokens=parse_logprobs(choice.get("logprobs")))


def parse_usage(usage: Any, text: str) -> tuple[int | None, int | None, int | None]:
    """Return the tokens that a server reports: prompt tokens, cached tokens and completion tokens.

    An impossible count becomes None, which means unknown; the text is kept. A prompt cannot be empty, no more of it can
    be cached than there is, and a text that is not empty cannot have 0 tokens.

    >>> parse_usage({"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 50}}, "a")
    (5, None, 3)
    >>> parse_usage({"prompt_tokens": 0, "completion_tokens": True}, "a"), parse_usage(["usage"], "a")
    ((None, None, None), (None, None, None))
    """
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    prompt = clean_token_count(usage.get("prompt_tokens")) or None
    cached = clean_token_count(details.get("cached_tokens")) if isinstance(details, dict) else None
    if prompt is None or (cached is not None and cached > prompt):
        cached = None
    sampled = clean_token_count(usage.get("completion_tokens"))
    return prompt, cached, None if text and sampled == 0 else sampled


def restore_thinking(message: Mapping[str, Any]) -> str:
    """Return the text of a chat's response, with thinking that the server separated from it put back.

    >>> restore_thinking({"content": "4", "reasoning_content": "2 and 2"})
    '<think>2 and 2</think>4'
    """
    content = message["content"]
    text = replace_surrogates("" if content is None else content)
    thinking = message.get("reasoning_content") or message.get("reasoning")
    if not (thinking and isinstance(thinking, str)):
        return text
    return f"<think>{thinking}</think>{text}" if text else f"<think>{thinking}"


def parse_logprobs(logprobs: Any) -> tuple[Token, ...] | None:
    """Parse the log-probabilities of a response, in either of the two layouts of servers; None without any."""
    if not logprobs:
        return None
    if logprobs.get("content") is not None:  # the layout of chats, and the only one of llama.cpp
        return tuple(
            build_token([place, *(place.get("top_logprobs") or ())], "token", "logprob")
            for place in logprobs["content"]
        )
    if logprobs.get("tokens") is None:
        return None
    names, own_logprobs = logprobs["tokens"], logprobs["token_logprobs"]
    tops = logprobs.get("top_logprobs") or [None] * len(names)
    return tuple(
        build_token([(name, logprob), *(top or {}).items()], 0, 1)
        for name, logprob, top in zip(names, own_logprobs, tops, strict=True)
    )


def build_token(likeliest: list[Any], name: Any, value: Any) -> Token:
    """Return a token from the entries at its position, its own first.

    Args:
        likeliest: the entries.
        name: key of an entry's text.
        value: key of an entry's log-probability.
    """
    logprobs: dict[str, float] = {}
    for entry in likeliest:
        if entry[value] is not None and not math.isnan(entry[value]):
            text = replace_surrogates(entry[name])
            logprobs[text] = max(logprobs.get(text, -math.inf), float(entry[value]))
    return Token(replace_surrogates(likeliest[0][name]), logprobs)


def clean_token_count(number: Any) -> int | None:
    """Return a number of tokens that a server reports, or None if it is invalid.

    A run stores 32 bits of it; ``true``, which Python counts as 1, is invalid.
    """
    return number if type(number) is int and 0 <= number < 2**31 else None


def replace_surrogates(text: str) -> str:
    """Return a text that can be written to disk: JSON may carry half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def parse_error_message(body: str) -> str:
    """Return the message in the body of an error, on one line.

    >>> parse_error_message('{"error": {"message": "no such model", "code": 404}}')
    'no such model'
    """
    try:
        content = json.loads(body)
        for name in ("error", "message", "detail"):
            if isinstance(content, dict):
                content = content.get(name, content)
        content = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    except (ValueError, RecursionError):
        content = body
    return " ".join(replace_surrogates(content).split())
