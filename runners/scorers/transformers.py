"""The scorer on Hugging Face transformers: batched, reading each solution once for all its new steps.

Nothing is kept between requests, so a prefix that was scored before is computed again; vLLM caches it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from transformers.utils import logging

from isocompute.runners.engines.clock import Stopwatch, add_time_span
from isocompute.runners.scorers.base import ScoreRequest, ScoreResult
from isocompute.runners.scorers.formats.base import (
    RewardModelFormat,
    ScoringInput,
    build_score_result,
    explain_length_refusal,
    tokenise_request,
)
from isocompute.runners.scorers.heads import choose_device, compute_margins, load_reward_model


class TransformersScorer:
    """A reward model behind `Scorer`.

    Args:
        model: checkpoint folder or hub name; safetensors only.
        kind: its format.
        batch_size: sequences read together.
        dtype: of the weights; ``auto`` is as stored.
        device: ``cpu``, ``cuda`` or ``mps``; if not given, ``cuda`` if available, else ``cpu``.

    Raises:
        EngineError: the model cannot be loaded, or is not of this kind.
    """

    def __init__(
        self, model: str, kind: RewardModelFormat, batch_size: int = 16, dtype: str = "auto", device: str | None = None
    ) -> None:
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self.kind, self.batch_size, self.device = kind, batch_size, choose_device(device)
        self.model = load_reward_model(model, kind.head, dtype).to(self.device).eval()
        self.limit: int | None = getattr(self.model.config, "max_position_embeddings", None)

    def run(self, pending: deque[ScoreRequest]) -> Iterator[tuple[ScoreRequest, ScoreResult]]:
        """Work through the queue a batch at a time."""
        while pending:
            batch: list[tuple[ScoreRequest, list[ScoringInput]]] = []
            while pending and sum(len(inputs) for _, inputs in batch) < self.batch_size:
                request = pending.popleft()
                inputs = tokenise_request(self.kind, request)
                if refused := explain_length_refusal(inputs, self.limit):
                    yield request, ScoreResult(None, 0, 0, 0, refused)
                else:
                    batch.append((request, inputs))
            watch = Stopwatch()
            margins = iter(self._compute_margins([reading for _, inputs in batch for reading in inputs]))
            span = watch.elapsed
            for request, inputs in batch:
                values = [margin for _ in inputs for margin in next(margins)]
                answer = build_score_result(request, values, sum(len(r.tokens) for r in inputs), 0, len(inputs))
                yield request, add_time_span(answer, span) if inputs else replace(answer, seconds=0.0)

    def close(self) -> None:
        """Drop the weights."""
        del self.model
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _compute_margins(self, inputs: Sequence[ScoringInput]) -> list[list[float]]:
        """Return the margins at each input's positions; inputs of similar length are batched together."""
        order = sorted(range(len(inputs)), key=lambda i: len(inputs[i].tokens))
        margins: list[list[float]] = [[] for _ in inputs]
        for start in range(0, len(order), self.batch_size):
            chunk = order[start : start + self.batch_size]
            for i, values in zip(chunk, self._compute_chunk_margins([inputs[i] for i in chunk]), strict=True):
                margins[i] = values
        return margins

    def _compute_chunk_margins(self, chunk: Sequence[ScoringInput]) -> list[list[float]]:
        longest = max(len(reading.tokens) for reading in chunk)
        tokens = torch.zeros(len(chunk), longest, dtype=torch.long)
        mask = torch.zeros_like(tokens)
        for row, reading in enumerate(chunk):  # padded on the right, which causal attention ignores
            tokens[row, : len(reading.tokens)] = torch.tensor(reading.tokens)
            mask[row, : len(reading.tokens)] = 1
        rows = [row for row, reading in enumerate(chunk) for _ in reading.places]
        places = [place for reading in chunk for place in reading.places]
        with torch.inference_mode():
            decoder = self.model.base_model
            hidden = decoder(
                input_ids=tokens.to(self.device), attention_mask=mask.to(self.device), use_cache=False
            ).last_hidden_state
            values = iter(compute_margins(self.model, self.kind.head, hidden[rows, places]).tolist())
        return [[next(values) for _ in reading.places] for reading in chunk]
