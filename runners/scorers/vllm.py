"""Scoring with vLLM: a call for each new step, so that what was read before is not computed again.

A score stands at the last token of a call, and vLLM always computes that one anew and takes what stands before it
from its prefix cache, by whole blocks. So a call is a step's prefix up to its place. A language model is asked for one
token and the log-probabilities of ``+`` and ``-`` there. A classifier's outputs come for the tokens that were computed,
of which the last is read: by default vLLM turns the cache off for them (vllm-project/vllm#28194, which lets a request
say otherwise), and Qwen's PRM is pooled at its separators, which does away with it too; both are set otherwise here.
Reading several places in one call (``prompt_logprobs``, or all of a classifier's tokens) would need the whole prefix
computed anew.

The shortest of a request's prefixes goes first, and the others find it in the cache.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")

from vllm import PoolingParams, SamplingParams
from vllm.config import PoolerConfig
from vllm.sampling_params import RequestOutputKind

from isocompute.errors import EngineError
from isocompute.runners.engines.clock import Stopwatch, stamp
from isocompute.runners.engines.vllm import INVALID, VLLM
from isocompute.runners.scorers.base import Scored, ScoreRequest
from isocompute.runners.scorers.formats.base import Head, Kind, Pair, Reading, readings, refusal, scored
from isocompute.runners.scorers.heads import CLASSES


@dataclass
class Work:
    """A request in the engine: what has come back of its calls, by their number."""

    request: ScoreRequest
    calls: list[tuple[int, ...]]
    watch: Stopwatch = field(default_factory=Stopwatch)
    outputs: dict[int, Any] = field(default_factory=dict)


class VLLMScorer:
    """A reward model in vLLM behind `Scorer`.

    Args:
        model: checkpoint folder or hub name; safetensors only.
        kind: how it is asked and read.
        options: any argument of `vllm.LLM`, and ``in_flight`` of `engines.vllm.VLLM`.

    Raises:
        ConfigError: as `engines.vllm.VLLM`.
        EngineError: the model cannot be loaded, is not of this kind, or this vLLM cannot score with it.
    """

    def __init__(self, model: str, kind: Kind, **options: Any) -> None:
        self.kind, self.head = kind, kind.head
        self.parameters = parameters(self.head)
        shape = None if isinstance(self.head, Pair) else CLASSES[self.head]
        self.host = VLLM(model, shape=shape, **{**runner(self.head), **options})
        shape = self.host.engine.vllm_config.model_config
        if self.head == "reward" and shape.hf_config.num_labels != 1:
            self.close()
            raise EngineError(f"The model '{model}' has {shape.hf_config.num_labels} outputs; a reward model has 1.")
        self.limit = shape.max_model_len - isinstance(self.head, Pair)  # one token is sampled

    @property
    def in_flight(self) -> int:
        """Requests whose calls are in the engine at once, about."""
        return self.host.in_flight

    def run(self, pending: deque[ScoreRequest]) -> Iterator[tuple[ScoreRequest, Scored]]:
        """Keep the engine full until the queue is empty and all is done."""
        flying: dict[str, tuple[Work, int]] = {}
        try:
            while pending or flying:
                while pending and len(flying) < self.host.in_flight:
                    request = pending.popleft()
                    read = readings(self.kind, request)
                    if not read:
                        yield request, replace(scored(request, [], 0, 0, 0), seconds=0.0)
                    elif refused := refusal(read, self.limit):
                        yield request, Scored(None, 0, 0, 0, refused)
                    else:
                        try:
                            flying.update(self._ask(request, read))
                        except INVALID as error:
                            yield request, Scored(None, 0, 0, 0, str(error).splitlines()[0])
                outputs, ended = self.host.step() if flying else [], time.perf_counter()
                for output in outputs:
                    if output.finished:
                        work, number = flying.pop(output.request_id)
                        work.outputs[number] = output
                        if len(work.outputs) == len(work.calls):
                            yield work.request, stamp(self._scored(work), work.watch.until(ended))
        except EngineError:
            flying.clear()  # nobody is left who could be told to stop
            raise
        finally:
            if flying:  # whoever read has stopped reading
                self.host.engine.abort_request(list(flying))

    def close(self) -> None:
        """Stop the engine and give back its memory."""
        self.host.close()

    def _ask(self, request: ScoreRequest, read: list[Reading]) -> dict[str, tuple[Work, int]]:
        work = Work(request, [prefix for reading in read for prefix in reading.prefixes])
        asked: dict[str, tuple[Work, int]] = {}
        for number, tokens in enumerate(work.calls):
            name = str(next(self.host.names))
            try:
                self.host.engine.add_request(name, {"prompt_token_ids": list(tokens)}, self.parameters)
            except INVALID:
                self.host.engine.abort_request(list(asked))
                raise
            asked[name] = (work, number)
        return asked

    def _scored(self, work: Work) -> Scored:
        outputs = [work.outputs[number] for number in range(len(work.calls))]
        for output in outputs:
            if failed := failure(output):
                return Scored(None, None, None, None, failed)
        read, cached = sum(map(len, work.calls)), [output.num_cached_tokens for output in outputs]
        counted = None if None in cached else sum(cached)
        return scored(work.request, [margin(output, self.head) for output in outputs], read, counted, len(outputs))


def runner(head: Head) -> dict[str, Any]:
    """Return how vLLM is to run a model with this head."""
    if isinstance(head, Pair):
        return {}
    pooled = {"pooler_config": PoolerConfig(pooling_type="ALL")} if head == "classes" else {}
    return {"runner": "pooling", **pooled}


def parameters(head: Head) -> SamplingParams | PoolingParams:
    """Return what is asked of vLLM in each call.

    Raises:
        EngineError: this vLLM is too old to be asked so.
    """
    try:
        if isinstance(head, Pair):
            return SamplingParams(
                temperature=0.0,
                max_tokens=1,
                logprob_token_ids=[head.right, head.wrong],
                detokenize=False,
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
        task = "classify" if head == "reward" else "token_classify"
        return PoolingParams(task=task, use_activation=False, skip_reading_prefix_cache=False)
    except TypeError as error:
        raise EngineError(f"This vLLM is too old to score with ({error}); take a newer one, or transformers.") from None


def failure(output: Any) -> str | None:
    """Say why a finished output has no score; None if it has one."""
    if error := getattr(output, "error", None):
        return f"vLLM gave it up: {error}"
    ended = getattr(output.outputs[0], "finish_reason", None) if isinstance(output.outputs, list) else None
    return f"vLLM gave it up: {ended}" if ended not in (None, "stop", "length") else None


def margin(output: Any, head: Head) -> float:
    """Return the margin at the last token of a finished output."""
    if isinstance(head, Pair):
        likely = output.outputs[0].logprobs[0]
        return float(likely[head.right].logprob - likely[head.wrong].logprob)
    data = output.outputs.data
    if head == "classes":
        wrong, right = data[-1].tolist()  # one row for each token that was computed
        return float(right - wrong)
    return float(data.reshape(-1)[0])
