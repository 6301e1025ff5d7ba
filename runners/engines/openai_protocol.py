"""Encoding of requests and parsing of responses in OpenAI's protocol; nothing here sends anything."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from isocompute.runners.documents import parse_answer_json
from isocompute.runners.engines.base import Completion, Request, Sampling, Token

SEED_MODULUS = 2**31 - 1
"""Seeds are sent modulo this: some servers take 32 bits, some signed, and 2**32 − 1 is a random seed in llama.cpp."""

FINISH_REASONS = {
    "stop": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
}
"""The two ends of a text, by the names that servers give them.

Some servers leave the reason null or empty: KoboldCpp (PowerShell/AIShell#350), SGLang (sgl-project/sglang#3912).
"""

BROKEN_OFF = ("abort", "error", "cancelled", "insufficient_system_resource")
"""The reasons of a server that broke off the text itself, so that it is not the model's answer."""

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


def parse_completion(
    answer: Any, step: str | None = None, redact: Callable[[str], str] = str, max_tokens: int | None = None
) -> Completion:
    """Parse the response to a request.

    A text is kept whatever reason the server gives for its end, unless the server broke it off. A reason other than
    those in `FINISH_REASONS` is unknown, and so is a missing one; a text that has all tokens that it may have was cut.

    Args:
        answer: JSON as a server sends it.
        step: the stop string that ends a step. The protocol does not say which string stopped a text; vLLM's server
            does, as ``stop_reason``.
        redact: makes a server's own words safe to show.
        max_tokens: the limit that was asked for.

    Raises:
        LookupError, TypeError, ValueError, AttributeError, ArithmeticError: it is not a valid response.
    """
    choice, usage = answer["choices"][0], answer.get("usage")
    named = choice.get("finish_reason")
    why = "" if named is None else replace_surrogates(named)
    known = why.casefold()
    if isinstance(choice.get("error"), dict):  # a gateway's way to say that the model's server failed
        known, why = "error", why or "error"
    message = choice.get("message")
    text = replace_surrogates(choice["text"]) if message is None else read_message(message, known)
    reason = FINISH_REASONS.get(known)
    if known in BROKEN_OFF or (reason is None and not text):
        named = f"ended the text for the reason '{redact(why)[:80]}'" if why else "sent no text, and no reason for that"
        return Completion(None, *parse_usage(usage, ""), None, f"the server {named}")
    prompt_tokens, cached_tokens, completion_tokens = parse_usage(usage, text)
    if reason is None and completion_tokens is not None and completion_tokens >= (max_tokens or math.inf):
        reason = "length"
    if step is not None and reason != "length":
        if "stop_reason" not in choice:
            return Completion(None, prompt_tokens, cached_tokens, completion_tokens, None, UNKNOWN_STEP_END)
        reason = "step" if choice["stop_reason"] == step else "stop"
    tokens = parse_logprobs(choice.get("logprobs"))
    return Completion(text, prompt_tokens, cached_tokens, completion_tokens, reason, tokens=tokens)


def parse_redacted_completion(
    answer: Any, sampling: Sampling, redact: Callable[[str], str], redact_text: Callable[[str], str]
) -> Completion:
    """Parse the response to a request, and remove secrets from its text and status.

    Args:
        answer: JSON as a server sends it.
        sampling: the sampling settings of the request.
        redact: makes a server's own words safe to show.
        redact_text: removes secrets from a model's text.

    Raises:
        LookupError, TypeError, ValueError, AttributeError, ArithmeticError: it is not a valid response.
    """
    completion = parse_completion(answer, sampling.step, redact, sampling.max_tokens)
    status = completion.status if completion.status == "ok" else redact(completion.status)
    return replace(completion, text=completion.text and redact_text(completion.text), status=status)


def parse_usage(usage: Any, text: str) -> tuple[int | None, int | None, int | None]:
    """Return the tokens that a server reports: prompt tokens, cached tokens and completion tokens.

    Prompt tokens include cached ones, which some gateways count in the total only (Portkey-AI/gateway#1754). Completion
    tokens include those of reasoning. Some servers count these apart: xAI, and gateways to Gemini, some of which report
    them in the total only (VariantConst/OpenWebUI-Monitor#99, mozilla-ai/any-llm#1291). They are added if the total has
    room for them, or, without a total, if they are more than the completion tokens that would include them.

    An impossible count becomes None, which means unknown; the text is kept. A prompt cannot be empty, no more of it can
    be cached than there is, and a text that is not empty cannot have 0 tokens.

    >>> parse_usage({"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 50}}, "a")
    (5, None, 3)
    >>> parse_usage({"prompt_tokens": 20, "completion_tokens": 151, "total_tokens": 553}, "a")
    (20, None, 533)
    >>> parse_usage({"prompt_tokens": 0, "completion_tokens": True}, "a"), parse_usage(["usage"], "a")
    ((None, None, None), (None, None, None))
    """
    usage = usage if isinstance(usage, dict) else {}
    details, parts = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    prompt = clean_token_count(usage.get("prompt_tokens")) or None
    cached = clean_token_count(details.get("cached_tokens")) if isinstance(details, dict) else None
    outside = cached if cached is not None else clean_token_count(usage.get("cache_read_input_tokens"))
    sampled, total = clean_token_count(usage.get("completion_tokens")), clean_token_count(usage.get("total_tokens"))
    reasoning = (clean_token_count(parts.get("reasoning_tokens")) if isinstance(parts, dict) else None) or 0
    uncounted = 0 if None in (sampled, prompt, total) else (total or 0) - (prompt or 0) - (sampled or 0)
    if uncounted > 0 and uncounted == outside and reasoning != uncounted:
        prompt = (prompt or 0) + uncounted
    elif uncounted > 0:
        sampled = (sampled or 0) + uncounted
    elif None in (prompt, total) and sampled is not None and reasoning > sampled:
        sampled += reasoning
    if prompt is None or (cached is not None and cached > prompt):
        cached = None
    return prompt, cached, None if text and sampled == 0 else sampled


def read_message(message: Mapping[str, Any], why: str) -> str:
    """Return the text of a chat's response, with thinking that the server separated from it put back.

    With thinking alone, the thinking is the answer if the server says that the text is complete: a parser took the text
    of a hybrid model that did not think for thinking (vllm-project/vllm#17609). Otherwise it is unfinished.

    Args:
        message: the message.
        why: the server's reason for the end of the text; empty if it gives none.

    >>> read_message({"content": "4", "reasoning_content": "2 and 2"}, "stop")
    '<think>2 and 2</think>4'
    >>> read_message({"content": None, "reasoning": "It is 4."}, "stop")
    'It is 4.'
    >>> read_message({"content": [{"type": "thinking", "thinking": "2"}, {"type": "text", "text": "4"}]}, "stop")
    '<think>2</think>4'
    """
    content = message.get("content")
    thinking = message.get("reasoning_content") or message.get("reasoning")
    parts = content if isinstance(content, list) else [] if content is None else [content]
    text = "".join(read_content_part(part, "text") for part in parts)
    thoughts = "".join(read_content_part(part, "thinking") for part in parts)
    thoughts = thinking if thinking and isinstance(thinking, str) else thoughts
    text = replace_surrogates(text or ("" if thoughts else read_refusal(message)))
    if not thoughts:
        return text
    thoughts = replace_surrogates(thoughts)
    if not text.strip() and FINISH_REASONS.get(why) == "stop":
        return thoughts
    return f"<think>{thoughts}</think>{text}" if text else f"<think>{thoughts}"


def read_content_part(part: Any, kind: str) -> str:
    """Return the text of one part of a message if it is of a kind, ``text`` or ``thinking``; empty otherwise.

    Mistral's thinking is a list of text parts (the content of Magistral's messages).

    Raises:
        TypeError: the part is neither a text nor a block.
    """
    if isinstance(part, str):
        return part if kind == "text" else ""
    if not isinstance(part, dict):
        raise TypeError("a part of the content is neither a text nor a block")
    if part.get("type", "text") not in (kind, f"output_{kind}"):
        return ""
    inner = part.get(kind, 0)
    if inner is None:
        return ""
    if isinstance(inner, list):
        return "".join(read_content_part(each, "text") for each in inner)
    if not isinstance(inner, str):
        raise TypeError("a part of the content has no text")
    return inner


def read_refusal(message: Mapping[str, Any]) -> str:
    """Return the text with which the model refuses to answer; empty if it does not refuse."""
    refusal = message.get("refusal")
    return refusal if isinstance(refusal, str) else ""


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
        content = parse_answer_json(body)
        for name in ("error", "message", "detail"):
            if isinstance(content, dict):
                content = content.get(name, content)
        content = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    except (ValueError, RecursionError):
        content = body
    return " ".join(replace_surrogates(content).split())
