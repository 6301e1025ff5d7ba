"""The protocol of every engine: requests, completions and sampling settings."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Sampling:
    """Sampling settings: tokens are drawn from softmax(logits / temperature), cut to the ``top_p`` nucleus.

    Args:
        temperature: 0 is greedy.
        top_p: probability mass of the nucleus.
        max_tokens: most tokens of a completion.
        stop: strings that end the text.
        logprobs: number of likeliest tokens reported at each position of the text; 0 reports none.
        step: a string that ends a step. The text stops there as at a ``stop`` string, with the finish reason ``step``.
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

    A completion may continue text that was sampled before. An engine that loads the model itself takes that text as
    ``written_ids``, so that the model reads the tokens it sampled; a server takes no tokens and gets the text.

    Args:
        key: identity of the row that the completion becomes.
        prompt: the text, or with ``chat`` the user's turn of a conversation.
        seed: determines everything random, 0 … 2**63 − 1.
        sampling: the sampling settings.
        chat: whether the prompt is put into the model's chat template.
        written: text after the prompt that the completion continues.
        written_ids: the same as tokens, from earlier `Completion.token_ids`; None if unknown.
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
    """One sampled token: its text, and log-probabilities of the likeliest texts at its position, its own included.

    They are natural logarithms under the model itself, log softmax(logits), before temperature, ``top_p`` and
    penalties, in vLLM, llama.cpp and transformers. SGLang divides by the temperature by default. If two tokens have the
    same text, the likelier counts. A token that ends amid a character has no text; the one that completes it has the
    whole character.
    """

    text: str
    logprobs: Mapping[str, float]


@dataclass(frozen=True)
class Completion:
    """The result of a request.

    ``status`` is ``ok``, or says in a sentence why there is no text. Counts that an engine does not report are None,
    not 0. Times are not compared when completions are.

    Args:
        text: the completion; None if it failed.
        prompt_tokens: tokens of the prompt.
        cached_tokens: prompt tokens that were read from a cache.
        completion_tokens: sampled tokens, the end token included.
        finish_reason: ``stop``, ``length`` or ``step``; None if the engine does not report it.
        status: ``ok``, or why there is no text.
        tokens: None unless `Sampling.logprobs` is set and the engine reports them. Their texts joined are the text, up
            to bytes of cut characters and to the end token or stop string that the text lost.
        token_ids: the sampled tokens, including those of the stop string, the last of which may extend beyond it; None
            if the engine does not report them.
        started_at: when the engine took up the request, in seconds since 1970; None if not reported.
        seconds: wall time until completion, while other requests ran too; None if not reported.
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

    @property
    def is_ended(self) -> bool:
        """True if the model ended the text, or nothing says otherwise; False if the token limit or a step did."""
        return self.finish_reason not in ("length", "step")


def build_failed_completion(reason: str) -> Completion:
    """Return the completion of a request that failed.

    >>> build_failed_completion("it is broken").status
    'it is broken'
    """
    return Completion(None, None, None, None, None, reason)


class Engine(Protocol):
    """A model that samples completions."""

    def run(self, pending: deque[Request]) -> Iterator[tuple[Request, Completion]]:
        """Work through the queue, yielding each request with its completion as it finishes."""
        ...

    def close(self) -> None:
        """Free the memory."""
        ...
