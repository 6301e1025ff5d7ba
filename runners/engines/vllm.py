"""The engine on vLLM, in process: the same code on a GPU and on a CPU.

The engine is driven step by step and kept full, rather than given one closed batch: new requests enter while others
decode. Each request carries its own seed. Requests that share a prefix are next to each other in the queue, so vLLM's
prefix cache computes the prefix once. A completion's time runs from the submission of its request, including waiting
in vLLM, to the end of the step in which vLLM reported it finished.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache, lru_cache
from itertools import count
from threading import Event, Lock, Thread
from typing import Any

os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")

from transformers import AutoConfig
from vllm import LLM, SamplingParams
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.core_client import InprocClient

from isocompute.errors import ConfigError, EngineError
from isocompute.runners.engines.base import Completion, Request, Sampling, Token
from isocompute.runners.engines.chat import apply_template
from isocompute.runners.engines.checkpoint import build_load_error, check_checkpoint_files
from isocompute.runners.engines.clock import Stopwatch, add_time_span
from isocompute.runners.engines.tokenizer_file import check_model_tokenizer
from isocompute.runners.engines.whole import check_weights

try:
    from vllm.exceptions import VLLMValidationError
except ImportError:  # older versions raise ValueError
    VLLMValidationError = ValueError

INVALID_REQUEST_ERRORS = (ValueError, VLLMValidationError)

STEP_LOCK = Lock()
"""Held during a step by engines that run in this process (``VLLM_ENABLE_V1_MULTIPROCESSING=0``): vLLM keeps the context
of a forward pass in a module variable, which passes in two threads, a solver's and a scorer's, would overwrite."""

MOST_STEP_END_TOKENS = 512
"""Most tokens that end a step by themselves; vLLM compares each sampled token with all of them."""

VLLM_CACHED_PROMPTS = 1024
"""Prompts whose tokens are cached: a search sends the same prompt at every step."""

SAFETENSORS_LOAD_FORMATS = {
    "auto",
    "bitsandbytes",
    "fastsafetensors",
    "instanttensor",
    "mistral",
    "runai_streamer",
    "safetensors",
}
"""Values of ``load_format`` that read a checkpoint's safetensors files unchanged, so that they can be checked."""

REFUSED_LOAD_FORMATS = {
    "dummy": "fills the model with random weights",
    "hf": "reads pickles, which run code, if there are no safetensors files",
    "npcache": "reads pickles, which run code",
    "pt": "reads pickles, which run code",
}
"""Values of ``load_format`` that are refused, with what they do."""


class VLLMEngine:
    """A model in vLLM behind `Engine`.

    Args:
        model: checkpoint folder or hub name.
        in_flight: requests inside the engine at once, running or waiting; twice ``max_num_seqs`` if not given.
        shape: the class in transformers that defines the model's weights; a causal language model if not given.
        options: any argument of `vllm.LLM`: dtype, tensor_parallel_size, max_model_len, quantization …; weights are
            read from safetensors unless ``load_format`` says otherwise.

    Raises:
        ConfigError: an option would run a model's own code, read pickles, or use random weights.
        EngineError: the model cannot be loaded, or its checkpoint is incomplete.
    """

    def __init__(self, model: str, in_flight: int | None = None, shape: Any = None, **options: Any) -> None:
        options = {
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "use_tqdm_on_load": False,
            "seed": 0,
            **build_safe_options(options),
        }
        self.name = model
        place = options.get("revision"), options.get("download_dir")
        checked = options["load_format"] in SAFETENSORS_LOAD_FORMATS
        if here := checked and check_checkpoint_files(model, *place, every=True):
            check_weights(model, "vllm", shape, *place, dtype=str(options.get("dtype", "auto")))
        elif options["load_format"] == "auto":
            options["load_format"] = "safetensors"  # vLLM might fetch pickles
        for source in {model, str(options.get("tokenizer") or model)}:
            check_model_tokenizer(source, *place)
        if current_platform.is_cpu():
            # Without a size in GiB vLLM reserves nearly all of the machine's memory for the KV cache.
            os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
            # A seeded request whose prefill is cut in two stops vLLM's CPU engine, so prefills stay whole.
            options.setdefault("enable_chunked_prefill", False)
            options.setdefault(
                "max_num_batched_tokens", max(8192, options.get("max_model_len") or read_context_length(model))
            )
        clear_library_attributes()
        try:
            self.llm = LLM(model=model, **options)
        except TypeError:
            raise
        except Exception as error:  # vLLM raises many kinds here; each means that the model cannot be loaded
            if "initialization failed" in str(error):  # vLLM's own process has printed the reason
                raise EngineError(
                    f"vLLM could not load '{model}'; its messages above say why. Usually the weights do not match "
                    "config.json, or there is too little memory."
                ) from error
            raise build_load_error(model, error, "vLLM") from error
        self.engine = self.llm.llm_engine
        self.step_lock = choose_step_lock(self.engine.engine_core)
        self.closed = Event()
        Thread(target=guard_engine_process, args=(self.engine.engine_core, self.closed), daemon=True).start()
        self.tokenizer = self.llm.get_tokenizer()
        self.encode_prompt = lru_cache(VLLM_CACHED_PROMPTS)(self._encode_prompt)
        self.find_step_end_tokens = cache(self._find_step_end_tokens)
        self.names = count()
        self.in_flight = in_flight or 2 * self.engine.vllm_config.scheduler_config.max_num_seqs
        if checked and not here:  # vLLM fetched it from the hub just now
            try:
                check_weights(model, "vllm", shape, *place, dtype=str(options.get("dtype", "auto")))
            except EngineError:
                self.close()
                raise

    def run(self, pending: deque[Request]) -> Iterator[tuple[Request, Completion]]:
        """Keep the engine full until the queue is empty and all requests have finished."""
        flying: dict[str, tuple[Request, Stopwatch]] = {}
        try:
            while pending or flying:
                while pending and len(flying) < self.in_flight:
                    request, name = pending.popleft(), str(next(self.names))
                    sampling = build_sampling_params(
                        request.sampling, request.seed, self.find_step_end_tokens(request.sampling.step)
                    )
                    watch = Stopwatch()
                    try:
                        self.engine.add_request(name, self._build_prompt(request), sampling)
                    except INVALID_REQUEST_ERRORS as error:  # the prompt is longer than the model takes
                        yield request, Completion(None, None, None, None, None, str(error).splitlines()[0])
                        continue
                    flying[name] = request, watch
                outputs, ended = self.step() if flying else [], time.perf_counter()
                for output in outputs:
                    if output.finished:
                        request, watch = flying.pop(output.request_id)
                        yield (
                            request,
                            add_time_span(
                                self._read_completion(output, request.sampling.step), watch.measure_until(ended)
                            ),
                        )
        except EngineError:
            flying.clear()  # the engine is gone, so there is nothing to abort
            raise
        finally:
            if flying:  # the caller has stopped reading
                self.engine.abort_request(list(flying))

    def close(self) -> None:
        """Stop the engine and free its memory."""
        self.closed.set()
        self.engine.engine_core.shutdown()
        del self.engine, self.llm

    def step(self) -> list[Any]:
        """Run one step of the engine, and return its outputs.

        Raises:
            EngineError: the engine has stopped.
        """
        try:
            with self.step_lock:
                return list(self.engine.step())
        except Exception as error:  # vLLM raises many kinds here; each means that the engine is gone
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise EngineError(f"vLLM's engine stopped: {reason} Run the same command again to continue.") from error

    def _read_completion(self, output: Any, step: str | None) -> Completion:
        """Read a finished output; a step's tokens are cut at its end, without tokens that were sampled ahead."""
        completion = read_vllm_completion(output, step)
        ids = completion.token_ids
        if completion.finish_reason == "step" and ids is not None:
            while len(ids) > 1 and step in self.tokenizer.decode(ids[:-1]):
                ids = ids[:-1]
            completion = replace(completion, token_ids=ids)
        return completion

    def _build_prompt(self, request: Request) -> Any:
        if request.written_ids is not None:
            return {"prompt_token_ids": [*self.encode_prompt(request.prompt, request.chat), *request.written_ids]}
        if not request.chat:
            return request.prompt + request.written
        written = self.tokenizer.encode(request.written, add_special_tokens=False)
        return {"prompt_token_ids": [*self.encode_prompt(request.prompt, True), *written]}

    def _find_step_end_tokens(self, step: str | None) -> tuple[int, ...]:
        """Return the tokens that contain the delimiter, at which the engine's own process stops.

        Stop strings are found in this process only, while the engine's process goes on sampling. A delimiter that is
        split over two tokens, or beside half a character, is still found that way.
        """
        if step is None:
            return ()
        texts = self.tokenizer.batch_decode([[token] for token in range(len(self.tokenizer))])
        ends = tuple(token for token, text in enumerate(texts) if step in text and "\ufffd" not in text)
        return ends if len(ends) <= MOST_STEP_END_TOKENS else ()

    def _encode_prompt(self, prompt: str, chat: bool) -> list[int]:
        if not chat:
            return list(self.tokenizer.encode(prompt))
        text = apply_template(self.tokenizer, self.name, prompt)
        return list(self.tokenizer.encode(text, add_special_tokens=False))


def build_safe_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of `vllm.LLM`, with those added that exclude a model's code, pickles and random weights.

    Raises:
        ConfigError: an option would allow one of the three.
    """
    if "trust_remote_code" in options:
        raise ConfigError(
            "The engine 'vllm' takes no option 'trust_remote_code': isocompute never runs a model's own code; leave "
            "the option out."
        )
    load_format = str(options.get("load_format") or "auto").lower()
    if load_format in REFUSED_LOAD_FORMATS:
        raise ConfigError(
            f"The engine 'vllm' does not take 'load_format: {load_format}': it {REFUSED_LOAD_FORMATS[load_format]}; "
            "leave the option out to read safetensors files."
        )
    return {**options, "load_format": load_format, "trust_remote_code": False}


def clear_library_attributes() -> None:
    """Give llvmlite's library an empty ``__dict__``, if numba has loaded it.

    vLLM 0.32 looks into the ``__dict__`` of every object of every loaded module. The library has none, takes the name
    for that of a function, and wraps it, on which vLLM fails.
    """
    library = getattr(sys.modules.get("llvmlite.binding.ffi"), "lib", None)
    functions = getattr(library, "_fntab", None)
    if isinstance(functions, dict):
        functions["__dict__"] = {}


def choose_step_lock(core: Any) -> AbstractContextManager[Any]:
    """Return the lock that an engine holds during a step: engines in this process take turns."""
    return STEP_LOCK if isinstance(core, InprocClient) else nullcontext()


def guard_engine_process(core: Any, closed: Event) -> None:
    """Put an exception into the queue of outputs if the engine's process has died.

    If the process is killed, vLLM (seen in 0.32) records that and goes on waiting for outputs; the exception ends the
    wait.
    """
    while not closed.wait(1.0):
        if getattr(getattr(core, "resources", None), "engine_dead", False):
            core.outputs_queue.put_nowait(RuntimeError("its process has ended"))
            return


def read_context_length(model: str) -> int:
    """Return the longest sequence that a model takes, from its configuration."""
    try:
        config = AutoConfig.from_pretrained(model, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise build_load_error(model, error, "vLLM") from error
    return int(getattr(config, "max_position_embeddings", 0))


def build_sampling_params(sampling: Sampling, seed: int, ends: Sequence[int] = ()) -> SamplingParams:
    """Convert a request's sampling settings to vLLM's.

    Args:
        sampling: the settings.
        seed: the request's.
        ends: tokens with a stop string in them.

    Raises:
        EngineError: vLLM does not support the settings.
    """
    try:
        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            stop=list(sampling.stops) or None,
            stop_token_ids=list(ends) or None,
            include_stop_str_in_output=bool(ends),  # else vLLM drops the whole text of such a token
            logprobs=sampling.logprobs or None,
            seed=seed,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
    except INVALID_REQUEST_ERRORS as error:
        raise EngineError(f"vLLM rejects these sampling settings: {str(error).splitlines()[0]}") from error


def read_vllm_completion(output: Any, step: str | None = None) -> Completion:
    """Convert a finished vLLM output to a completion; ``step`` is the stop string that ends a step."""
    sample = output.outputs[0]
    if sample.finish_reason not in ("stop", "length"):
        return Completion(None, None, None, None, None, f"vLLM aborted the request: {sample.finish_reason}")
    stepped = step is not None and sample.stop_reason == step
    return Completion(
        text=sample.text.removesuffix(sample.stop_reason) if isinstance(sample.stop_reason, str) else sample.text,
        prompt_tokens=len(output.prompt_token_ids),
        cached_tokens=output.num_cached_tokens,
        completion_tokens=len(sample.token_ids),
        finish_reason="step" if stepped else sample.finish_reason,
        tokens=None if sample.logprobs is None else read_vllm_logprobs(sample),
        token_ids=tuple(sample.token_ids),
    )


def read_vllm_logprobs(sample: Any) -> tuple[Token, ...]:
    """Convert the log-probabilities of a finished sample."""
    tokens = []
    # Not strict, because token_ids may go beyond the stop.
    for token_id, candidates in zip(sample.token_ids, sample.logprobs, strict=False):
        likeliest: dict[str, float] = {}
        for candidate in candidates.values():
            text = candidate.decoded_token or ""
            likeliest[text] = max(likeliest.get(text, -math.inf), candidate.logprob)
        tokens.append(Token(candidates[token_id].decoded_token or "", likeliest))
    return tuple(tokens)
