"""The scorer on vLLM: one call for each new step, so that vLLM's prefix cache applies.

A score is read at the last token of a call. vLLM always computes that token, and takes the tokens before it from its
prefix cache, in whole blocks. So a call is the solution up to a step's position. From a language model, the call
requests one token and the log-probabilities of ``+`` and ``-``. A classifier returns outputs for the tokens that were
computed, of which the last is read. By default vLLM turns the cache off for classifiers (vllm-project/vllm#28194 lets a
request change that), and pools Qwen's PRM at its separators, which also prevents caching; both settings are changed
here. Reading several positions in one call (``prompt_logprobs``, or all of a classifier's tokens) would require
computing the whole prefix again.

A request's shortest prefix is submitted first, so that the others find it in the cache.
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
from isocompute.runners.engines.clock import Stopwatch, add_time_span
from isocompute.runners.engines.vllm import INVALID_REQUEST_ERRORS, VLLMEngine
from isocompute.runners.scorers.base import ScoreRequest, ScoreResult
from isocompute.runners.scorers.formats.base import (
    RewardModelFormat,
    ScoreHead,
    ScoringInput,
    TokenPair,
    build_score_result,
    explain_length_refusal,
    tokenise_request,
)
from isocompute.runners.scorers.heads import REWARD_MODEL_CLASSES


@dataclass
class PendingScore:
    """A request in the engine: its calls, and the outputs so far by the call's number."""

    request: ScoreRequest
    calls: list[tuple[int, ...]]
    watch: Stopwatch = field(default_factory=Stopwatch)
    outputs: dict[int, Any] = field(default_factory=dict)


class VLLMScorer:
    """A reward model in vLLM behind `Scorer`.

    Args:
        model: checkpoint folder or hub name; safetensors only.
        kind: its format.
        options: any argument of `vllm.LLM`, and ``in_flight`` of `engines.vllm.VLLMEngine`.

    Raises:
        ConfigError: as `engines.vllm.VLLMEngine`.
        EngineError: the model cannot be loaded, is not of this kind, or this vLLM cannot score with it.
    """

    def __init__(self, model: str, kind: RewardModelFormat, **options: Any) -> None:
        self.kind, self.head = kind, kind.head
        self.parameters = build_scoring_params(self.head)
        shape = None if isinstance(self.head, TokenPair) else REWARD_MODEL_CLASSES[self.head]
        self.host = VLLMEngine(model, shape=shape, **{**build_runner_options(self.head), **options})
        shape = self.host.engine.vllm_config.model_config
        if self.head == "reward" and shape.hf_config.num_labels != 1:
            self.close()
            raise EngineError(f"The model '{model}' has {shape.hf_config.num_labels} outputs; a reward model has 1.")
        self.limit = shape.max_model_len - isinstance(self.head, TokenPair)  # one token is sampled

    @property
    def in_flight(self) -> int:
        """The approximate number of requests with calls in the engine at once."""
        return self.host.in_flight

    def run(self, pending: deque[ScoreRequest]) -> Iterator[tuple[ScoreRequest, ScoreResult]]:
        """Keep the engine full until the queue is empty and all requests have finished."""
        in_flight: dict[str, tuple[PendingScore, int]] = {}
        try:
            while pending or in_flight:
                while pending and len(in_flight) < self.host.in_flight:
                    request = pending.popleft()
                    inputs = tokenise_request(self.kind, request)
                    if not inputs:
                        yield request, replace(build_score_result(request, [], 0, 0, 0), seconds=0.0)
                    elif refused := explain_length_refusal(inputs, self.limit):
                        yield request, ScoreResult(None, 0, 0, 0, refused)
                    else:
                        try:
                            in_flight.update(self._submit_calls(request, inputs))
                        except INVALID_REQUEST_ERRORS as error:
                            yield request, ScoreResult(None, 0, 0, 0, str(error).splitlines()[0])
                outputs, ended = self.host.step() if in_flight else [], time.perf_counter()
                for output in outputs:
                    if output.finished:
                        work, number = in_flight.pop(output.request_id)
                        work.outputs[number] = output
                        if len(work.outputs) == len(work.calls):
                            yield work.request, add_time_span(self._build_result(work), work.watch.measure_until(ended))
        except EngineError:
            in_flight.clear()  # the engine is gone, so there is nothing to abort
            raise
        finally:
            if in_flight:  # the caller has stopped reading
                self.host.engine.abort_request(list(in_flight))

    def close(self) -> None:
        """Stop the engine and free its memory."""
        self.host.close()

    def _submit_calls(self, request: ScoreRequest, inputs: list[ScoringInput]) -> dict[str, tuple[PendingScore, int]]:
        work = PendingScore(request, [prefix for reading in inputs for prefix in reading.prefixes])
        submitted: dict[str, tuple[PendingScore, int]] = {}
        for number, tokens in enumerate(work.calls):
            name = str(next(self.host.names))
            try:
                self.host.engine.add_request(name, {"prompt_token_ids": list(tokens)}, self.parameters)
            except INVALID_REQUEST_ERRORS:
                self.host.engine.abort_request(list(submitted))
                raise
            submitted[name] = (work, number)
        return submitted

    def _build_result(self, work: PendingScore) -> ScoreResult:
        outputs = [work.outputs[number] for number in range(len(work.calls))]
        for output in outputs:
            if failed := describe_output_failure(output):
                return ScoreResult(None, None, None, None, failed)
        prompt_tokens, cached_counts = sum(map(len, work.calls)), [output.num_cached_tokens for output in outputs]
        cached_tokens = None if None in cached_counts else sum(cached_counts)
        return build_score_result(
            work.request,
            [read_margin(output, self.head) for output in outputs],
            prompt_tokens,
            cached_tokens,
            len(outputs),
        )


def build_runner_options(head: ScoreHead) -> dict[str, Any]:
    """Return the options with which vLLM runs a model with this head."""
    if isinstance(head, TokenPair):
        return {}
    pooled = {"pooler_config": PoolerConfig(pooling_type="ALL")} if head == "classes" else {}
    return {"runner": "pooling", **pooled}


def build_scoring_params(head: ScoreHead) -> SamplingParams | PoolingParams:
    """Return the parameters of each call.

    Raises:
        EngineError: this vLLM is too old for them.
    """
    try:
        if isinstance(head, TokenPair):
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
        raise EngineError(
            f"This vLLM version is too old for scoring ({error}); use a newer one, or the engine transformers."
        ) from None


def describe_output_failure(output: Any) -> str | None:
    """Return why a finished output has no score; None if it has one."""
    if error := getattr(output, "error", None):
        return f"vLLM aborted the request: {error}"
    ended = getattr(output.outputs[0], "finish_reason", None) if isinstance(output.outputs, list) else None
    return f"vLLM aborted the request: {ended}" if ended not in (None, "stop", "length") else None


def read_margin(output: Any, head: ScoreHead) -> float:
    """Return the margin at the last token of a finished output."""
    if isinstance(head, TokenPair):
        likely = output.outputs[0].logprobs[0]
        return float(likely[head.right].logprob - likely[head.wrong].logprob)
    data = output.outputs.data
    if head == "classes":
        wrong, right = data[-1].tolist()  # one row for each computed token
        return float(right - wrong)
    return float(data.reshape(-1)[0])
