"""How a model is called: one protocol of one method, and the engines that keep it.

An engine takes requests from the left of a queue as it has room and yields each one with its completion as it
finishes, in any order. Whoever reads may add to the queue meanwhile, so verification follows solving without
a pause. The text of a completion is a function of its request's prompt, sampling and seed (up to the floating-
point order of the arithmetic, which may depend on what else is in the batch).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol

from isocompute.errors import ConfigError, EngineError
from isocompute.runners.engines.devices import place
from isocompute.runners.replicas import replicated

LOCAL = ("transformers", "vllm")
"""The engines that load a model themselves; the others name it to a server."""


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
    """

    text: str | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    finish_reason: str | None
    status: str = "ok"
    tokens: tuple[Token, ...] | None = None
    token_ids: tuple[int, ...] | None = None


class Engine(Protocol):
    """A model that can be asked."""

    def run(self, pending: deque[Request]) -> Iterator[tuple[Request, Completion]]:
        """Work the queue off, yielding each request with its completion as it finishes."""
        ...

    def close(self) -> None:
        """Give back the memory."""
        ...


def check(model: str) -> None:
    """Raise unless the folder of a model that is to be loaded is there; a hub's name is taken at its word.

    Raises:
        EngineError: there is no such folder, or no checkpoint in it.
    """
    looks_local = model.startswith((".", "/", "~", "data/")) or model.count("/") != 1
    folder = Path(model).expanduser()
    if looks_local and not (folder / "config.json").is_file():
        what = "has no config.json" if folder.is_dir() else "is not there"
        raise EngineError(f"The model folder '{model}' {what}; give a checkpoint's folder or a hub's name.")


def is_folder(model: str) -> bool:
    """Return whether a model is a checkpoint's folder on this machine."""
    return (Path(model).expanduser() / "config.json").is_file()


def load(name: str, model: str, **options: Any) -> Engine:
    """Load a model into an engine.

    Args:
        name: ``vllm``, ``transformers`` or ``openai``.
        model: a checkpoint folder, or a hub's name for one; for ``openai`` the name that the server gives it.
        options: passed on to the engine; with ``vllm`` also ``replicas``, how many copies of the model share the work.

    Raises:
        ConfigError: the engine is unknown, or an option of it is.
        EngineError: the library is not installed, the folder is not there, or the model cannot be loaded.
    """
    if name in LOCAL:
        check(model)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        if name == "vllm":
            from isocompute.runners.engines.vllm import VLLM

            return replicated(partial(VLLM, model), attrgetter("prompt"), place, **options)
        if name == "transformers":
            from isocompute.runners.engines.transformers import Transformers

            return Transformers(model, **options)
        if name == "openai":
            from isocompute.runners.engines.openai import OpenAI

            return OpenAI(model, **options)
    except ImportError as error:
        raise EngineError(
            f"The engine '{name}' needs a package that is not installed ({error.name}): "
            f"pip install 'isocompute[{name}]'."
        ) from error
    except TypeError as error:
        raise ConfigError(f"The engine '{name}' does not take these options: {error}.") from error
    raise ConfigError(f"The engine '{name}' is unknown; there are: openai, transformers, vllm.")
