"""Sampling with Hugging Face transformers: batched, with a KV cache, for machines without vLLM.

`generate` decodes greedily over logits to which each row's own Gumbel noise has been added: the argmax of
logits/T + Gumbel is a draw from softmax(logits/T). Row by row the noise comes from the request's seed and the
step alone, so a row's text does not depend on its neighbours (beyond rounding).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
    TopPLogitsWarper,
)
from transformers.utils import logging

from isocompute.errors import EngineError
from isocompute.runners.engines import Completion, Request, Sampling


class Transformers:
    """A causal language model behind `Engine`.

    Args:
        model: checkpoint folder or hub name; safetensors only.
        batch_size: rows decoded together.
        dtype: of the weights; ``auto`` is as stored.
        device: ``cpu``, ``cuda``, ``mps``; the accelerator if there is one when not given.
    """

    def __init__(self, model: str, batch_size: int = 64, dtype: str = "auto", device: str | None = None) -> None:
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
            self.model = AutoModelForCausalLM.from_pretrained(model, dtype=dtype, use_safetensors=True)
        except (OSError, ValueError) as error:
            raise EngineError(f"The model '{model}' cannot be loaded: {str(error).splitlines()[0]}") from error
        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model.to(device).eval()
        self.device, self.batch_size = device, batch_size
        self.limit = getattr(self.model.config, "max_position_embeddings", None)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token

    def run(self, pending: deque[Request]) -> Iterator[tuple[Request, Completion]]:
        """Work the queue off a batch at a time."""
        while pending:
            head = pending[0].sampling
            batch: list[Request] = []
            while pending and len(batch) < self.batch_size and pending[0].sampling == head:
                batch.append(pending.popleft())
            yield from self._decode(batch, head)

    def close(self) -> None:
        """Drop the weights."""
        del self.model
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _prompt(self, request: Request) -> list[int]:
        if not request.chat:
            return list(self.tokenizer(request.prompt)["input_ids"])
        turn = [{"role": "user", "content": request.prompt}]
        text = self.tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _decode(self, batch: list[Request], sampling: Sampling) -> Iterator[tuple[Request, Completion]]:
        prompts = {}
        for request in batch:
            ids = self._prompt(request)
            if self.limit is not None and len(ids) + 1 > self.limit:
                status = f"the prompt has {len(ids)} tokens; the model takes {self.limit}"
                yield request, Completion(None, len(ids), None, None, None, status)
            else:
                prompts[request] = ids
        if not prompts:
            return
        requests, longest = list(prompts), max(map(len, prompts.values()))
        padded = self.tokenizer.pad({"input_ids": list(prompts.values())}, padding=True, return_tensors="pt")
        room = sampling.max_tokens if self.limit is None else min(sampling.max_tokens, self.limit - longest)
        processors: list[LogitsProcessor] = []
        if sampling.temperature > 0:
            processors.append(GumbelNoise([r.seed for r in requests], sampling))
        stops = StopStrings(self.tokenizer, sampling.stop, longest, len(requests))
        with torch.inference_mode():
            output = self.model.generate(
                input_ids=padded["input_ids"].to(self.device),
                attention_mask=padded["attention_mask"].to(self.device),
                do_sample=False, temperature=None, top_p=None, top_k=None, max_new_tokens=room,
                pad_token_id=self.tokenizer.pad_token_id,
                logits_processor=LogitsProcessorList(processors),
                stopping_criteria=StoppingCriteriaList([stops] if sampling.stop else []),
            )  # fmt: skip
        for request, row, cut in zip(requests, output[:, longest:].tolist(), stops.lengths, strict=True):
            yield request, self._completion(row[:cut], len(prompts[request]), sampling)

    def _completion(self, row: list[int], prompt_tokens: int, sampling: Sampling) -> Completion:
        ends = self.model.generation_config.eos_token_id
        ends = set(ends if isinstance(ends, list) else [ends])
        body = list(takewhile(lambda token: token not in ends, row))
        stopped = len(body) < len(row)
        tokens = len(body) + stopped
        text = self.tokenizer.decode(body, skip_special_tokens=True)
        if cuts := [at for stop in sampling.stop if (at := text.find(stop)) >= 0]:
            text, stopped = text[: min(cuts)], True
        return Completion(text, prompt_tokens, None, tokens, "stop" if stopped else "length")


class GumbelNoise(LogitsProcessor):  # type: ignore[misc]
    """Turns the argmax into a seeded draw from softmax(logits/T) within the ``top_p`` nucleus."""

    def __init__(self, seeds: list[int], sampling: Sampling) -> None:
        self.rows = [np.random.Generator(np.random.Philox(seed)) for seed in seeds]
        self.temperature = sampling.temperature
        self.nucleus = TopPLogitsWarper(sampling.top_p) if sampling.top_p < 1 else None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Add the noise of this step to the logits of every row."""
        scores = scores.float() / self.temperature
        if self.nucleus is not None:
            scores = self.nucleus(input_ids, scores)
        noise = np.stack([row.gumbel(size=scores.shape[1]) for row in self.rows])
        return scores + torch.from_numpy(noise).to(scores)


class StopStrings(StoppingCriteria):  # type: ignore[misc]
    """Ends a row as soon as its text holds one of some strings; ``lengths`` says after how many tokens, or None."""

    def __init__(self, tokenizer: Any, strings: tuple[str, ...], prompt: int, rows: int) -> None:
        self.tokenizer, self.strings, self.prompt = tokenizer, strings, prompt
        self.lengths: list[int | None] = [None] * rows
        self.reach = max(map(len, strings), default=0) + 8
        """Tokens that are looked at: a token is at least a character, or a few make up one."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        """Say which rows are done."""
        sampled = input_ids.shape[1] - self.prompt
        for i, tail in enumerate(self.tokenizer.batch_decode(input_ids[:, self.prompt :][:, -self.reach :])):
            if self.lengths[i] is None and any(string in tail for string in self.strings):
                self.lengths[i] = sampled
        return torch.tensor([length is not None for length in self.lengths], device=input_ids.device)
