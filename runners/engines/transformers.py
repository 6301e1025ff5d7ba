"""The engine on Hugging Face transformers: batched, with a KV cache, for machines without vLLM.

`generate` decodes greedily over logits to which each row's own Gumbel noise has been added: the argmax of
logits/T + Gumbel is a draw from softmax(logits/T). A row's noise depends only on the request's seed and the step, so
its text does not depend on its neighbours (up to rounding). The time of a completion is that of its batch.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
    TopPLogitsWarper,
)
from transformers.utils import logging

from isocompute.errors import EngineError
from isocompute.runners.engines.base import Completion, Request, Sampling, Token
from isocompute.runners.engines.chat import apply_template
from isocompute.runners.engines.checkpoint import load_weights
from isocompute.runners.engines.clock import Stopwatch, add_time_span
from isocompute.runners.engines.tokenizer_file import load_tokenizer

CONTEXT_TOKENS = 8
"""Preceding tokens that affect a token's text: enough for two four-byte characters and a word-start mark."""

TRANSFORMERS_CACHED_PROMPTS = 1024
"""Prompts whose tokens are cached: a search sends the same prompt at every step."""


class TransformersEngine:
    """A causal language model behind `Engine`.

    Args:
        model: checkpoint folder or hub name; safetensors only.
        batch_size: rows decoded together.
        dtype: of the weights; ``auto`` is as stored.
        device: ``cpu``, ``cuda`` or ``mps``; if not given, ``cuda`` if available, else ``cpu``.

    Raises:
        EngineError: the model needs code of its own, or its checkpoint is incomplete.
    """

    def __init__(self, model: str, batch_size: int = 64, dtype: str = "auto", device: str | None = None) -> None:
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self.name = model
        self.tokenizer = load_tokenizer(model, padding_side="left")
        self.model = load_weights(AutoModelForCausalLM, model, dtype)
        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model.to(device).eval()
        self.device, self.batch_size = device, batch_size
        self.limit = getattr(self.model.config, "max_position_embeddings", None)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        # Requests define the sampling; the model authors' defaults (a repetition penalty, say) are dropped.
        ends = self.model.generation_config.eos_token_id
        self.model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=self.tokenizer.pad_token_id)
        self.end_tokens = set(ends if isinstance(ends, list) else [ends])
        if bad := [token for token in self.end_tokens if token is not None and type(token) is not int]:
            raise EngineError(f"The model '{model}' cannot be loaded: its end token {bad[0]!r:.60} is not a number.")
        self.encode_prompt = lru_cache(TRANSFORMERS_CACHED_PROMPTS)(self._encode_prompt)

    def run(self, pending: deque[Request]) -> Iterator[tuple[Request, Completion]]:
        """Work through the queue a batch at a time."""
        while pending:
            batch = [pending.popleft()]
            while pending and len(batch) < self.batch_size:
                request = pending.popleft()
                if get_batch_key(request.sampling) != get_batch_key(batch[0].sampling):
                    pending.appendleft(request)
                    break
                batch.append(request)
            yield from self._decode_batch(batch, batch[0].sampling)

    def close(self) -> None:
        """Drop the weights."""
        del self.model
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _build_prompt_ids(self, request: Request) -> list[int]:
        if request.written_ids is not None:
            return [*self.encode_prompt(request.prompt, request.chat), *request.written_ids]
        if not request.chat:
            return list(self.encode_prompt(request.prompt + request.written, False))
        written = self.tokenizer(request.written, add_special_tokens=False)["input_ids"]
        return [*self.encode_prompt(request.prompt, True), *written]

    def _encode_prompt(self, prompt: str, chat: bool) -> list[int]:
        if not chat:
            return list(self.tokenizer(prompt)["input_ids"])
        text = apply_template(self.tokenizer, self.name, prompt)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _decode_batch(self, batch: list[Request], sampling: Sampling) -> Iterator[tuple[Request, Completion]]:
        prompts, watch = {}, Stopwatch()
        for request in batch:
            ids = self._build_prompt_ids(request)
            if not ids:
                yield request, Completion(None, 0, None, None, None, "the prompt has no tokens")
            elif self.limit is not None and len(ids) + 1 > self.limit:
                status = f"the prompt has {len(ids)} tokens; the model takes {self.limit}"
                yield request, Completion(None, len(ids), None, None, None, status)
            else:
                prompts[request] = ids
        if not prompts:
            return
        requests, longest = list(prompts), max(map(len, prompts.values()))
        padded = self.tokenizer.pad({"input_ids": list(prompts.values())}, padding=True, return_tensors="pt")
        limits = [len(ids) + request.sampling.max_tokens for request, ids in prompts.items()]
        rooms = [
            min(limit, self.limit or limit) - len(ids) for limit, ids in zip(limits, prompts.values(), strict=True)
        ]
        draw = GumbelSampler([r.seed for r in requests], sampling)
        ends = RowStoppingCriteria(self.tokenizer, sampling.stops, longest, rooms)
        with torch.inference_mode():
            output = self.model.generate(
                input_ids=padded["input_ids"].to(self.device),
                attention_mask=padded["attention_mask"].to(self.device),
                do_sample=False, temperature=None, top_p=None, top_k=None, max_new_tokens=max(rooms),
                pad_token_id=self.tokenizer.pad_token_id,
                logits_processor=LogitsProcessorList([draw]),
                stopping_criteria=StoppingCriteriaList([ends]),
            )  # fmt: skip
        rows = [row[:cut] for row, cut in zip(output[:, longest:].tolist(), ends.lengths, strict=True)]
        span = watch.elapsed
        for i, (request, row) in enumerate(zip(requests, rows, strict=True)):
            yield (
                request,
                add_time_span(
                    self._build_completion(row, request, len(prompts[request]), draw.yield_likeliest_tokens(i)), span
                ),
            )

    def _build_completion(
        self, row: list[int], request: Request, prompt_tokens: int, places: Iterator[list[tuple[int, float]]]
    ) -> Completion:
        sampling = request.sampling
        body = list(takewhile(lambda token: token not in self.end_tokens, row))
        stopped = len(body) < len(row)
        sampled = row[: len(body) + stopped]
        before = self._decode_text((request.written_ids or ())[-CONTEXT_TOKENS:])
        text = self._decode_text([*(request.written_ids or ())[-CONTEXT_TOKENS:], *body])[len(before) :]
        reason = "stop" if stopped else "length"
        if cuts := [(at, stop) for stop in sampling.stops if (at := text.find(stop)) >= 0]:
            at, stop = min(cuts)
            text, reason = text[:at], "step" if stop == sampling.step else "stop"
        tokens = self._build_tokens(sampled, places) if sampling.logprobs else None
        return Completion(text, prompt_tokens, None, len(sampled), reason, tokens=tokens, token_ids=tuple(sampled))

    def _decode_text(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _build_tokens(self, sampled: list[int], places: Iterator[list[tuple[int, float]]]) -> tuple[Token, ...]:
        tokens = []
        # Not strict, because steps go on after a row has ended.
        for i, (token, candidates) in enumerate(zip(sampled, places, strict=False)):
            before = sampled[max(0, i - CONTEXT_TOKENS) : i]
            likeliest: dict[str, float] = {}
            for other, logprob in candidates:
                text = self._decode_token(before, other)
                likeliest[text] = max(likeliest.get(text, -math.inf), logprob)
            tokens.append(Token(self._decode_token(before, token), likeliest))
        return tuple(tokens)

    def _decode_token(self, before: list[int], token: int) -> str:
        """Return the text that a token adds to the text before it; empty while a character is incomplete."""
        head, whole = (
            self.tokenizer.decode(ids, clean_up_tokenization_spaces=False).rstrip("\ufffd")
            for ids in (before, [*before, token])
        )
        added: str = whole[len(head) :]
        return added


def get_batch_key(sampling: Sampling) -> Sampling:
    """Return the settings that rows decoded together share: all but the maximum length."""
    return replace(sampling, max_tokens=0)


class GumbelSampler(LogitsProcessor):  # type: ignore[misc]
    """Logits processor that turns the argmax into a seeded draw from softmax(logits/T) within the ``top_p`` nucleus.

    If log-probabilities are requested, it keeps those of each step: log softmax of the unchanged logits.
    """

    def __init__(self, seeds: list[int], sampling: Sampling) -> None:
        self.generators = [np.random.Generator(np.random.Philox(seed)) for seed in seeds]
        self.temperature, self.logprobs = sampling.temperature, sampling.logprobs
        self.nucleus = TopPLogitsWarper(sampling.top_p) if sampling.top_p < 1 else None
        self.steps: list[tuple[np.ndarray, np.ndarray]] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Add this step's noise to the logits of every row."""
        drawn = self._add_noise(input_ids, scores) if self.temperature > 0 else scores
        if self.logprobs:
            logprobs = scores.float().log_softmax(-1)
            own = drawn.argmax(-1, keepdim=True)  # as generate takes it
            likeliest = torch.cat([own, logprobs.topk(min(self.logprobs, logprobs.shape[1])).indices], dim=1)
            values = logprobs.gather(1, likeliest)
            self.steps.append((likeliest.to(torch.int32).cpu().numpy(), values.cpu().numpy()))
        return drawn

    def _add_noise(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores = scores.float() / self.temperature
        if self.nucleus is not None:
            scores = self.nucleus(input_ids, scores)
        noise = np.stack([row.gumbel(size=scores.shape[1]) for row in self.generators])
        return scores + torch.from_numpy(noise).to(scores)

    def yield_likeliest_tokens(self, row: int) -> Iterator[list[tuple[int, float]]]:
        """Yield the likeliest tokens of each step of a row, the sampled one first."""
        for ids, values in self.steps:
            yield list(zip(ids[row].tolist(), values[row].tolist(), strict=True))


class RowStoppingCriteria(StoppingCriteria):  # type: ignore[misc]
    """Stopping criteria that end each row at its own length, or once its text holds one of the strings.

    ``lengths`` holds the number of tokens after which each row ended, or None.
    """

    def __init__(self, tokenizer: Any, strings: tuple[str, ...], prompt: int, rooms: list[int]) -> None:
        self.tokenizer, self.strings, self.prompt, self.rooms = tokenizer, strings, prompt, rooms
        self.lengths: list[int | None] = [None] * len(rooms)
        self.tail_length = max(map(len, strings), default=0) + 8
        """Tokens at the end that are searched: most tokens are at least a character, and a few may make up one."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        """Return which rows are done."""
        sampled = input_ids.shape[1] - self.prompt
        tails = [""] * len(self.rooms)
        if self.strings:
            tails = self.tokenizer.batch_decode(input_ids[:, self.prompt :][:, -self.tail_length :])
        for i, tail in enumerate(tails):
            if self.lengths[i] is None and (sampled >= self.rooms[i] or any(s in tail for s in self.strings)):
                self.lengths[i] = sampled
        return torch.tensor([length is not None for length in self.lengths], device=input_ids.device)
