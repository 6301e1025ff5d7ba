"""What an engine is asked, and what it answers: the protocol of every engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn: softmax(logits / temperature), cut to the ``top_p`` nucleus; 0 is greedy.

    ``logprobs`` is how many of the likeliest tokens are reported at each place of the text; 0 is none. ``step`` is what
    ends a step: the text stops there as at a string of ``stop``, and its finish reason is then ``step``.
    """

    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    logprobs: int = 0
    step: str | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """Every string that ends the text."""
        return self.stop if self.step is None else (*self.stop, self.step)


@dataclass(frozen=True)
class Request:
    """One completion to sample.

    What was written already is gone on from. An engine that loads the model itself takes it as ``written_ids``, the
    tokens that were sampled, so that nothing is tokenised twice and the model reads what it wrote; a server, which
    takes no tokens, gets the text.

    Args:
        key: identity of the row it becomes.
        prompt: the text, or with ``chat`` the user's turn of a conversation.
        seed: everything random in it, 0 … 2**63 − 1.
        written: what the completion goes on from, after the prompt.
        written_ids: the same as tokens, of earlier `Completion.token_ids`; None if unknown.
    """

    key: tuple[Any, ...]
    prompt: str
    seed: int
    sampling: Sampling
    chat: bool = False
    written: str = ""
    written_ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """One sampled token: its text, and the log-probabilities of the likeliest texts at its place, its own among them.

    They are natural logarithms under the model itself, log softmax(logits): before temperature, ``top_p`` and
    penalties, as far as the engine tells (vLLM, llama.cpp and transformers do; SGLang divides by the temperature
    unless told otherwise). Where two tokens have one text, the likelier counts. A token that ends amid a
    character has no text; the one that completes the character has all of it.
    """

    text: str
    logprobs: Mapping[str, float]


@dataclass(frozen=True)
class Completion:
    """What came back; ``finish_reason`` is ``stop``, ``length`` or ``step``; the tokens' count includes the end token.

    ``status`` is ``ok``, or says in a sentence why there is no text. Counts that an engine does not report are
    None, not 0. ``tokens`` is None unless `Sampling.logprobs` asks for it and the engine reports it; their texts
    joined are the text, up to bytes of cut characters and to the end token or stop string that the text lost.
    ``token_ids`` are the sampled tokens, those of the stop string and what its last token holds beyond it among them;
    None if the engine does not say them.

    ``started_at`` is when the engine took the request up, in seconds since 1970; ``seconds`` is the wall time until it
    was complete, while others ran beside it, retries among it. Both are None if the engine does not say them: where a
    request was refused before the model saw it, an engine may know them or not, and the row says what it knows. They
    are no part of what makes two completions equal.
    """

    text: str | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    finish_reason: str | None
    status: str = "ok"
    tokens: tuple[Token, ...] | None = None
    token_ids: tuple[int, ...] | None = None
    started_at: float | None = field(default=None, compare=False)
    seconds: float | None = field(default=None, compare=False)


class Engine(Protocol):
    """A model that can be asked."""

    def run(self, pending: deque[Request]) -> Iterator[tuple[Request, Completion]]:
        """Work the queue off, yielding each request with its completion as it finishes."""
        ...

    def close(self) -> None:
        """Give back the memory."""
        ...
